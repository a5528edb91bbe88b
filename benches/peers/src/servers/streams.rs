//! The peers that are a `Stream` and a `Sink` of messages.

use std::future::poll_fn;
use std::sync::LazyLock;
use std::task::{Poll, ready};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use sockudo_ws::server::WebSocketServer;
use sockudo_ws::stream::{CompressedSplitReader, CompressedSplitWriter};
use sockudo_ws::{Message, SplitReader, SplitWriter};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite;
use tokio_websockets::ServerBuilder;
use tungstenite::protocol::WebSocketConfig;
use yawc::DeflatePool;

use super::broadcast::Room;
use super::{Failure, Outcome, Setting, lock, raw};
use crate::deflate;
use crate::wire::READ_LEN;

/// Feeds the messages that are there, and flushes when there are no more: many that came in one read leave in one write.
async fn echo<S, T, M>(mut socket: S, message: impl Fn(T) -> Option<M>) -> Result<(), S::Error>
where
    S: Stream<Item = T> + Sink<M> + Unpin,
{
    loop {
        let next = poll_fn(|cx| match socket.poll_next_unpin(cx) {
            Poll::Ready(item) => Poll::Ready(Ok(item)),
            Poll::Pending => match ready!(socket.poll_flush_unpin(cx)) {
                // The stream wakes this task.
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
        });
        let Some(item) = next.await? else { return Ok(()) };
        if let Some(message) = message(item) {
            socket.feed(message).await?;
        }
    }
}

/// As [`echo`], with a sink that is another connection's.
pub(super) async fn pass_on<S, K, T, M>(mut from: S, mut to: K, message: impl Fn(T) -> Option<M>) -> Outcome
where
    S: Stream<Item = T> + Unpin,
    K: Sink<M, Error: Into<Failure>> + Unpin,
{
    loop {
        let next = poll_fn(|cx| match from.poll_next_unpin(cx) {
            Poll::Ready(item) => Poll::Ready(Ok(item)),
            Poll::Pending => match ready!(to.poll_flush_unpin(cx)) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
        });
        let Some(item) = next.await.map_err(Into::into)? else { return Ok(()) };
        if let Some(message) = message(item) {
            to.feed(message).await.map_err(Into::into)?;
        }
    }
}

/// Puts every message into the channels of all others.
pub(super) async fn publish<T, M: Clone>(
    mut from: impl Stream<Item = T> + Unpin,
    room: Room<UnboundedSender<M>>,
    message: impl Fn(T) -> Option<M>,
) -> Outcome {
    while let Some(item) = from.next().await {
        if let Some(message) = message(item) {
            lock(&room).retain(|peer| peer.send(message.clone()).is_ok());
        }
    }
    Ok(())
}

/// Feeds the messages that are in the channel, and flushes when there are no more. Another task receives.
pub(super) async fn subscribe<M>(
    mut stream: impl Stream + Unpin + Send + 'static,
    mut sink: impl Sink<M, Error: Into<Failure>> + Unpin,
    room: Room<UnboundedSender<M>>,
) -> Outcome {
    let (sender, mut channel) = unbounded_channel();
    lock(&room).push(sender);
    tokio::spawn(async move { while stream.next().await.is_some() {} });
    while let Some(message) = channel.recv().await {
        sink.feed(message).await.map_err(Into::into)?;
        while let Ok(message) = channel.try_recv() {
            sink.feed(message).await.map_err(Into::into)?;
        }
        sink.flush().await.map_err(Into::into)?;
    }
    Ok(())
}

type Tungstenite = tokio_tungstenite::WebSocketStream<TcpStream>;
type Yawc = yawc::WebSocket<TcpStream>;
type TokioWebSockets = tokio_websockets::WebSocketStream<TcpStream>;
type Sockudo = sockudo_ws::WebSocketStream<TcpStream>;
type SockudoDeflate = sockudo_ws::CompressedWebSocketStream<TcpStream>;

/// A connection for two tasks.
type Halves<S, M> = (SplitStream<S>, SplitSink<S, M>);

fn halves<S: Stream + Sink<M>, M>(socket: S) -> Halves<S, M> {
    let (sink, stream) = socket.split();
    (stream, sink)
}

pub(super) async fn tungstenite(stream: TcpStream, setting: Setting) -> Outcome {
    let socket = open_tungstenite(stream, setting).await?;
    Ok(echo(socket, tungstenite_data).await?)
}

fn open_tungstenite(
    stream: TcpStream,
    setting: Setting,
) -> impl Future<Output = tungstenite::Result<Tungstenite>> {
    // It clears the read buffer before every read: a longer one than is filled costs.
    let config = WebSocketConfig::default().read_buffer_size(setting.buffer_len);
    tokio_tungstenite::accept_async_with_config(stream, Some(config))
}

pub(super) async fn tungstenite_halves(
    stream: TcpStream,
    setting: Setting,
) -> Result<Halves<Tungstenite, tungstenite::Message>, Failure> {
    Ok(halves(open_tungstenite(stream, setting).await?))
}

pub(super) fn tungstenite_data(
    message: tungstenite::Result<tungstenite::Message>,
) -> Option<tungstenite::Message> {
    message.ok().filter(|message| message.is_text() || message.is_binary())
}

pub(super) async fn yawc(mut stream: TcpStream, setting: Setting) -> Outcome {
    raw::handshake(&mut stream).await?;
    let socket = Yawc::from_stream(stream, yawc::Role::Server, yawc_options(setting))?;
    Ok(echo(socket, yawc_data).await?)
}

pub(super) async fn yawc_halves(
    mut stream: TcpStream,
    setting: Setting,
) -> Result<Halves<Yawc, yawc::Frame>, Failure> {
    raw::handshake(&mut stream).await?;
    Ok(halves(Yawc::from_stream(stream, yawc::Role::Server, yawc_options(setting))?))
}

/// As many engines as the runtime has threads at most, which its documentation recommends.
static YAWC_POOL: LazyLock<DeflatePool> = LazyLock::new(|| DeflatePool::new(2));

pub(super) async fn yawc_deflate(stream: TcpStream, setting: Setting) -> Outcome {
    Ok(echo(open_yawc_deflate(stream, setting).await?, yawc_data).await?)
}

async fn open_yawc_deflate(mut stream: TcpStream, setting: Setting) -> Result<Yawc, Failure> {
    let takeover = raw::deflate_handshake(&mut stream).await?;
    let options = deflate::yawc(yawc_options(setting), &YAWC_POOL);
    let extension = Some(takeover.extension());
    Ok(Yawc::from_stream_with_extensions(stream, yawc::Role::Server, extension, options)?)
}

pub(super) async fn yawc_deflate_halves(
    stream: TcpStream,
    setting: Setting,
) -> Result<Halves<Yawc, yawc::Frame>, Failure> {
    Ok(halves(open_yawc_deflate(stream, setting).await?))
}

pub(super) fn yawc_data(frame: yawc::Frame) -> Option<yawc::Frame> {
    matches!(frame.opcode(), yawc::OpCode::Text | yawc::OpCode::Binary).then_some(frame)
}

pub(super) fn yawc_options(setting: Setting) -> yawc::Options {
    yawc::Options::default()
        .with_utf8()
        .with_limits(16 << 20, 64 << 20)
        .with_read_buffer_capacity(setting.buffer_len)
        .with_write_buffer_capacity(setting.buffer_len.min(8 << 10))
        .with_backpressure_boundary(READ_LEN)
}

pub(super) async fn tokio_websockets(stream: TcpStream, _: Setting) -> Outcome {
    let mut socket = open_tokio_websockets(stream).await?;
    let (mut batch, mut batch_len) = (Vec::new(), 0);
    loop {
        // The first message is waited for, the others are taken if they are there.
        let is_open = poll_fn(|cx| {
            while batch.len() < 32 && batch_len < READ_LEN {
                match socket.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(message))) if message.is_text() || message.is_binary() => {
                        batch_len += message.as_payload().len();
                        batch.push(message);
                    }
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(false),
                    Poll::Pending if batch.is_empty() => return Poll::Pending,
                    Poll::Pending => break,
                }
            }
            Poll::Ready(true)
        });
        if !is_open.await {
            return Ok(());
        }
        for message in batch.drain(..) {
            socket.feed(message).await?;
        }
        socket.flush().await?;
        batch_len = 0;
    }
}

async fn open_tokio_websockets(stream: TcpStream) -> Result<TokioWebSockets, tokio_websockets::Error> {
    let config = tokio_websockets::Config::default().flush_threshold(READ_LEN);
    Ok(ServerBuilder::new().config(config).accept(stream).await?.1)
}

pub(super) async fn tokio_websockets_halves(
    stream: TcpStream,
    _: Setting,
) -> Result<Halves<TokioWebSockets, tokio_websockets::Message>, Failure> {
    Ok(halves(open_tokio_websockets(stream).await?))
}

pub(super) fn tokio_websockets_data(
    message: Result<tokio_websockets::Message, tokio_websockets::Error>,
) -> Option<tokio_websockets::Message> {
    message.ok().filter(|message| message.is_text() || message.is_binary())
}

pub(super) async fn sockudo(stream: TcpStream, setting: Setting) -> Outcome {
    echo_sockudo(open_sockudo(stream, setting).await?).await
}

async fn echo_sockudo<S>(mut socket: S) -> Outcome
where
    S: Stream<Item = sockudo_ws::Result<Message>> + Sink<Message, Error = sockudo_ws::Error> + Unpin,
{
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.feed(message).await?;
        }
    }
    Ok(())
}

async fn open_sockudo(stream: TcpStream, setting: Setting) -> sockudo_ws::Result<Sockudo> {
    let server = WebSocketServer::<sockudo_ws::Http1>::new(sockudo_config(setting));
    Ok(server.accept_raw(stream).await?.0)
}

fn sockudo_config(setting: Setting) -> sockudo_ws::Config {
    sockudo_ws::Config::builder().write_buffer_size(setting.buffer_len.min(16 << 10)).build()
}

pub(super) async fn sockudo_deflate(stream: TcpStream, setting: Setting) -> Outcome {
    echo_sockudo(open_sockudo_deflate(stream, setting).await?).await
}

async fn open_sockudo_deflate(mut stream: TcpStream, setting: Setting) -> Result<SockudoDeflate, Failure> {
    let takeover = raw::deflate_handshake(&mut stream).await?;
    Ok(SockudoDeflate::server(stream, sockudo_config(setting), deflate::sockudo(takeover)))
}

pub(super) async fn sockudo_deflate_halves(
    stream: TcpStream,
    setting: Setting,
) -> Result<(CompressedSplitReader<TcpStream>, CompressedSplitWriter<TcpStream>), Failure> {
    Ok(open_sockudo_deflate(stream, setting).await?.split())
}

/// [`publish`] and [`subscribe`] for halves of its own, which are no `Stream` and no `Sink`.
macro_rules! sockudo_room {
    ($publish:ident, $subscribe:ident, $reader:ident, $writer:ident) => {
        pub(super) async fn $publish(
            mut from: $reader<TcpStream>,
            room: Room<UnboundedSender<Message>>,
        ) -> Outcome {
            while let Some(message) = from.next().await {
                let message = message?;
                lock(&room).retain(|peer| peer.send(message.clone()).is_ok());
            }
            Ok(())
        }

        pub(super) async fn $subscribe(
            mut reader: $reader<TcpStream>,
            mut writer: $writer<TcpStream>,
            room: Room<UnboundedSender<Message>>,
        ) -> Outcome {
            let (sender, mut channel) = unbounded_channel();
            lock(&room).push(sender);
            tokio::spawn(async move { while reader.next().await.is_some() {} });
            while let Some(message) = channel.recv().await {
                writer.send(message).await?;
            }
            Ok(())
        }
    };
}

sockudo_room!(publish_sockudo, subscribe_sockudo, SplitReader, SplitWriter);
sockudo_room!(
    publish_sockudo_deflate,
    subscribe_sockudo_deflate,
    CompressedSplitReader,
    CompressedSplitWriter
);

pub(super) async fn sockudo_halves(
    stream: TcpStream,
    setting: Setting,
) -> Result<(SplitReader<TcpStream>, SplitWriter<TcpStream>), Failure> {
    Ok(open_sockudo(stream, setting).await?.split())
}

pub(super) async fn pass_on_sockudo(
    mut from: SplitReader<TcpStream>,
    mut to: SplitWriter<TcpStream>,
) -> Outcome {
    while let Some(message) = from.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            to.send(message).await?;
        }
    }
    Ok(())
}
