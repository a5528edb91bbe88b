//! The peers that are a `Stream` and a `Sink` of messages.

use std::future::poll_fn;
use std::task::{Poll, ready};

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use sockudo_ws::server::WebSocketServer;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;
use tokio_websockets::ServerBuilder;
use tungstenite::protocol::WebSocketConfig;

use super::{Outcome, Setting, raw};
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

pub(super) async fn tungstenite(stream: TcpStream, setting: Setting) -> Outcome {
    // It clears the read buffer before every read: a longer one than is filled costs.
    let config = WebSocketConfig::default().read_buffer_size(setting.buffer_len);
    let socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    Ok(echo(socket, |message| message.ok().filter(|message| message.is_text() || message.is_binary()))
        .await?)
}

pub(super) async fn yawc(mut stream: TcpStream, setting: Setting) -> Outcome {
    raw::handshake(&mut stream).await?;
    let socket = yawc::WebSocket::from_stream(stream, yawc::Role::Server, yawc_options(setting))?;
    Ok(echo(socket, |frame: yawc::Frame| {
        matches!(frame.opcode(), yawc::OpCode::Text | yawc::OpCode::Binary).then_some(frame)
    })
    .await?)
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
    let config = tokio_websockets::Config::default().flush_threshold(READ_LEN);
    let (_, mut socket) = ServerBuilder::new().config(config).accept(stream).await?;
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

pub(super) async fn sockudo(stream: TcpStream, setting: Setting) -> Outcome {
    let config = sockudo_ws::Config::builder().write_buffer_size(setting.buffer_len.min(16 << 10));
    let server = WebSocketServer::<sockudo_ws::Http1>::new(config.build());
    let (mut socket, _) = server.accept_raw(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.feed(message).await?;
        }
    }
    Ok(())
}
