//! The floors, which send back what they have read, and what is served on a TCP stream whose opening handshake is done by hand.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io::{self, Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, Role, WebSocket, WebSocketRead,
    WebSocketWrite,
};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::broadcast::Room;
use super::{Failure, Outcome, Setting, lock};
use crate::bare::{parse, xor_copy};
use crate::deflate::Takeover;
use crate::wire::{ANSWER, MAX_HEADER_LEN, READ_LEN, header, is_whole_head, with_extension};

thread_local! {
    static BUFFERS: RefCell<Buffers> =
        RefCell::new(Buffers { read: vec![0; READ_LEN], written: vec![0; READ_LEN + MAX_HEADER_LEN] });
}

struct Buffers {
    read: Vec<u8>,
    written: Vec<u8>,
}

/// Reads the request's head and gives the answer that fits the load generator's key.
pub(super) async fn handshake(stream: &mut TcpStream) -> io::Result<()> {
    read_head(stream).await?;
    stream.write_all(ANSWER).await
}

/// The same, and agrees to the compression that is offered.
pub(super) async fn deflate_handshake(stream: &mut TcpStream) -> io::Result<Takeover> {
    let takeover = Takeover::offered(&read_head(stream).await?);
    stream.write_all(&with_extension(ANSWER, takeover.extension())).await?;
    Ok(takeover)
}

async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    // On the heap, and gone with the handshake: the task of a quiet connection is not to hold it.
    let mut head = Vec::with_capacity(1024);
    while !is_whole_head(&head) {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

pub(super) async fn fastwebsockets(mut stream: TcpStream, _: Setting) -> Outcome {
    handshake(&mut stream).await?;
    let mut socket = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

pub(super) async fn tokio(mut stream: TcpStream, _: Setting) -> Outcome {
    handshake(&mut stream).await?;
    loop {
        let echo = poll_fn(|cx| {
            BUFFERS.with_borrow_mut(|Buffers { read, .. }| {
                let len = ready!(poll_read(&mut stream, cx, read))?;
                poll_write(&mut stream, cx, &read[..len])
            })
        });
        let rest = echo.await?;
        stream.write_all(&rest).await?;
    }
}

pub(super) async fn bare(mut stream: TcpStream, _: Setting) -> Outcome {
    handshake(&mut stream).await?;
    let mut frames = Frames::default();
    loop {
        let echo = poll_fn(|cx| {
            BUFFERS.with_borrow_mut(|Buffers { read, written }| {
                let cut_len = frames.cut_len;
                read[..cut_len].copy_from_slice(&frames.cut[..cut_len]);
                let len = ready!(poll_read(&mut stream, cx, &mut read[cut_len..]))?;
                let len = frames.turn(&read[..cut_len + len], written);
                poll_write(&mut stream, cx, &written[..len])
            })
        });
        let rest = echo.await?;
        stream.write_all(&rest).await?;
    }
}

/// A connection for two tasks.
pub(super) async fn halves(
    mut stream: TcpStream,
    _: Setting,
) -> Result<(OwnedReadHalf, OwnedWriteHalf), Failure> {
    handshake(&mut stream).await?;
    Ok(stream.into_split())
}

pub(super) async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Outcome {
    loop {
        let passed = poll_fn(|cx| {
            BUFFERS.with_borrow_mut(|Buffers { read, .. }| {
                let len = ready!(poll_read(&mut from, cx, read))?;
                poll_write(&mut to, cx, &read[..len])
            })
        });
        let rest = passed.await?;
        to.write_all(&rest).await?;
    }
}

pub(super) async fn publish(mut from: OwnedReadHalf, room: Room<OwnedWriteHalf>) -> Outcome {
    let (mut buffer, mut peers) = (vec![0; READ_LEN], Vec::new());
    loop {
        let len = from.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        peers.append(&mut lock(&room));
        for peer in &mut peers {
            peer.write_all(&buffer[..len]).await?;
        }
    }
}

pub(super) async fn subscribe(
    mut reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    room: Room<OwnedWriteHalf>,
) -> Outcome {
    lock(&room).push(writer);
    // Until the connection ends.
    reader.read_u8().await?;
    Ok(())
}

type FastReader = WebSocketRead<OwnedReadHalf>;
type FastWriter = WebSocketWrite<OwnedWriteHalf>;

pub(super) async fn fast_halves(
    mut stream: TcpStream,
    _: Setting,
) -> Result<(FastReader, FastWriter), Failure> {
    handshake(&mut stream).await?;
    let (reader, writer) = stream.into_split();
    Ok(fastwebsockets::after_handshake_split(reader, writer, Role::Server))
}

/// Puts every message into the channels of all others.
pub(super) async fn publish_fast(from: FastReader, room: Room<UnboundedSender<Bytes>>) -> Outcome {
    let mut from = FragmentCollectorRead::new(from);
    loop {
        let frame = from.read_frame::<_, Failure>(&mut |_| async { Ok(()) }).await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => {
                let payload = Bytes::copy_from_slice(&frame.payload);
                lock(&room).retain(|peer| peer.send(payload.clone()).is_ok());
            }
            _ => {}
        }
    }
}

/// Writes the messages that are in the channel. Another task receives.
pub(super) async fn subscribe_fast(
    mut reader: FastReader,
    mut writer: FastWriter,
    room: Room<UnboundedSender<Bytes>>,
) -> Outcome {
    let (sender, mut channel) = unbounded_channel::<Bytes>();
    lock(&room).push(sender);
    tokio::spawn(
        async move { while reader.read_frame::<_, Failure>(&mut |_| async { Ok(()) }).await.is_ok() {} },
    );
    while let Some(payload) = channel.recv().await {
        // Borrowed: an owned one would be copied.
        let frame = Frame::binary(Payload::Borrowed(&payload));
        writer.write_frame(frame).await?;
    }
    Ok(())
}

/// Reads something.
fn poll_read(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut space = ReadBuf::new(buffer);
    ready!(Pin::new(stream).poll_read(cx, &mut space))?;
    Poll::Ready(match space.filled().len() {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        len => Ok(len),
    })
}

/// Writes once; what is left over is ready: nothing, and no allocation, unless the socket is full.
fn poll_write(
    stream: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<Vec<u8>>> {
    let written = match Pin::new(stream).poll_write(cx, bytes) {
        Poll::Ready(written) => written?,
        Poll::Pending => 0,
    };
    Poll::Ready(Ok(bytes[written..].to_vec()))
}

/// Frames on their way through [`bare`], which waits for no end of any.
#[derive(Default)]
struct Frames {
    /// What the payload under way lacks, and its key, turned to where it goes on.
    missing: usize,
    key: [u8; 4],
    /// A header of which the rest has not come.
    cut: [u8; MAX_HEADER_LEN],
    cut_len: usize,
}

impl Frames {
    /// Turns what was read into what is to be written, and returns its length.
    fn turn(&mut self, mut read: &[u8], written: &mut [u8]) -> usize {
        let mut end = 0;
        loop {
            let (now, later) = read.split_at(self.missing.min(read.len()));
            xor_copy(&mut written[end..][..now.len()], now, self.key);
            end += now.len();
            self.missing -= now.len();
            if self.missing > 0 {
                self.key.rotate_left(now.len() % 4);
                self.cut_len = 0;
                return end;
            }
            let Some((header_len, len, key)) = parse(later) else {
                self.cut[..later.len()].copy_from_slice(later);
                self.cut_len = later.len();
                return end;
            };
            let (header, len_written) = header(later[0] & 0x0f, len, None);
            written[end..][..header.len()].copy_from_slice(&header);
            end += len_written;
            (self.missing, self.key, read) = (len, key, &later[header_len..]);
        }
    }
}

/// A connection of [`epoll`].
struct Connection {
    stream: std::net::TcpStream,
    /// The request, until it is answered.
    head: Option<Vec<u8>>,
    /// What the socket had no room for. While there is any, nothing is read.
    rest: Vec<u8>,
}

const LISTENER: u64 = u64::MAX;

pub(super) fn epoll(listener: TcpListener, _: Setting) -> io::Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut connections = HashMap::new();
    let (mut events, mut buffer) = (Vec::with_capacity(1024), vec![0; READ_LEN]);
    loop {
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let id = event.data.u64();
            if id == LISTENER {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                let id = stream.as_raw_fd() as u64;
                epoll::add(&epoll, &stream, EventData::new_u64(id), EventFlags::IN)?;
                connections.insert(id, Connection { stream, head: Some(Vec::new()), rest: Vec::new() });
                continue;
            }
            let Some(connection) = connections.get_mut(&id) else { continue };
            let was_blocked = !connection.rest.is_empty();
            if connection.turn(&mut buffer).is_err() {
                connections.remove(&id);
                continue;
            }
            let is_blocked = !connection.rest.is_empty();
            if is_blocked != was_blocked {
                let interest = if is_blocked { EventFlags::OUT } else { EventFlags::IN };
                epoll::modify(&epoll, &connection.stream, EventData::new_u64(id), interest)?;
            }
        }
    }
}

impl Connection {
    /// Writes what is left over, or reads once and writes that.
    fn turn(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        if !self.rest.is_empty() {
            let written = self.write(&self.rest)?;
            self.rest.drain(..written);
            return Ok(());
        }
        let len = self.stream.read(buffer)?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut echo = &buffer[..len];
        if let Some(head) = &mut self.head {
            head.extend_from_slice(echo);
            if !is_whole_head(head) {
                return Ok(());
            }
            self.head = None;
            echo = ANSWER;
        }
        let written = self.write(echo)?;
        self.rest.extend_from_slice(&echo[written..]);
        Ok(())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match (&self.stream).write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            written => written,
        }
    }
}
