//! What is counted: [`ROUNDS`] rounds, of [`FRAMES`] frames or handshakes each.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Buf as _;
use tidewire::tokio::WebSocket;
use tidewire::{
    Bytes, ClientHandshake, ClientRequest, Config, Connection, Error, Event, Input, Outgoing, Output,
    ServerHandshake,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(crate) const ROUNDS: u64 = 20;

/// With 16 bytes each, a round fits in one read.
pub(crate) const FRAMES: u64 = 64;

pub(crate) const CELLS: [(&str, fn()); 26] = [
    ("decode binary 16 B", || decode(&[7; 16])),
    ("decode binary 125 B", || decode(&[7; 125])),
    ("decode binary 1 KiB", || decode(&[7; 1 << 10])),
    ("decode ASCII 16 B", || decode(&*"a".repeat(16))),
    ("decode ASCII 1 KiB", || decode(&*"a".repeat(1 << 10))),
    ("decode multi-byte 16 B", || decode(&*"é".repeat(8))),
    ("decode as client 16 B", decode_as_client),
    ("decode fragments 16 B", decode_fragments),
    ("advance and lend 16 B", || advance(&[7; 16])),
    ("owned 16 B", || owned(&[7; 16])),
    ("encode as server 16 B", || borrowed(server(), 16)),
    ("encode as server 125 B", || borrowed(server(), 125)),
    ("encode as server 1 KiB", || borrowed(server(), 1 << 10)),
    ("encode owned as server 16 B", || shared(server(), 16)),
    ("encode owned as server 125 B", || shared(server(), 125)),
    ("queue owned on tokio 16 B", || queue(16)),
    ("queue owned on tokio 125 B", || queue(125)),
    ("feed owned on tokio 16 B", || feed(16)),
    ("feed owned on tokio 125 B", || feed(125)),
    ("send owned on tokio 16 B", || send(16)),
    ("send owned on tokio 125 B", || send(125)),
    ("encode as client 16 B", || borrowed(client(), 16)),
    ("encode as client 125 B", || borrowed(client(), 125)),
    ("encode as client 1 KiB", || borrowed(client(), 1 << 10)),
    ("handshake as server", handshake_as_server),
    ("handshake as client", handshake_as_client),
];

/// What is counted; all else is not.
#[inline(never)]
fn counted<R>(work: impl FnOnce() -> R) -> R {
    work()
}

fn server() -> Connection {
    Connection::server(Config::new())
}

fn client() -> Connection {
    Connection::client(Config::new(), [7; 32])
}

/// Moves what is owed into `input`.
fn transfer(output: &mut Output, input: &mut Input) {
    while output.has_remaining() {
        let chunk = output.chunk();
        let len = chunk.len();
        input.extend_from_slice(chunk);
        output.advance(len);
    }
}

/// Lets `receiver` take rounds of what `send` sends, which are [`FRAMES`] frames.
fn fed(
    mut sender: Connection,
    mut receiver: Connection,
    send: impl Fn(&mut Connection),
    mut receive: impl FnMut(&mut Connection, &mut Input) -> u64,
) {
    let mut input = Input::new();
    for _ in 0..ROUNDS {
        send(&mut sender);
        let output = sender.output();
        while output.has_remaining() {
            let len = output.chunk().len().min(64 << 10);
            input.extend_from_slice(&output.chunk()[..len]);
            output.advance(len);
            black_box(counted(|| receive(&mut receiver, &mut input)));
        }
    }
}

fn messages<'m>(message: impl Into<Outgoing<'m>> + Copy) -> impl Fn(&mut Connection) {
    move |sender| (0..FRAMES).for_each(|_| sender.send(message).expect("room"))
}

fn receive(receiver: &mut Connection, input: &mut Input) -> u64 {
    let mut received = 0;
    while let Some(event) = receiver.receive(input).expect("valid") {
        received += u64::from(matches!(black_box(event), Event::Text(_) | Event::Binary(_)));
    }
    received
}

fn decode<'m>(message: impl Into<Outgoing<'m>> + Copy) {
    fed(client(), server(), messages(message), receive);
}

fn decode_as_client() {
    fed(server(), client(), messages(&[7; 16]), receive);
}

/// Messages of two fragments.
fn decode_fragments() {
    let send = |sender: &mut Connection| {
        for _ in 0..FRAMES / 2 {
            sender.send_fragment(&[7; 16], false).expect("room");
            sender.send_fragment(&[7; 16], true).expect("room");
        }
    };
    fed(client(), server(), send, receive);
}

/// As the adapters do.
fn advance(message: &[u8]) {
    fed(client(), server(), messages(message), |receiver, input| {
        let mut received = 0;
        while let Some(ready) = receiver.advance(input).expect("valid") {
            received += u64::from(matches!(black_box(input.lend(ready)), Event::Binary(_)));
        }
        received
    });
}

fn owned(message: &[u8]) {
    fed(client(), server(), messages(message), |receiver, input| {
        let mut received = 0;
        while let Some(event) = receiver.receive(input).expect("valid") {
            received += u64::from(black_box(event.into_message()).is_some());
        }
        received
    });
}

/// A payload that the caller keeps.
fn borrowed(sender: Connection, len: usize) {
    let payload = vec![7; len];
    let payload = &payload[..];
    encode(sender, || black_box(payload));
}

/// A handle to a payload that others hold as well: to make it and to drop it is counted.
fn shared(sender: Connection, len: usize) {
    let payload = &Bytes::from(vec![7; len]);
    encode(sender, || black_box(payload).clone());
}

fn encode<'m, M: Into<Outgoing<'m>>>(mut sender: Connection, message: impl Fn() -> M) {
    let send = |sender: &mut Connection| {
        (0..FRAMES).for_each(|_| sender.send(message()).expect("room"));
    };
    let write = |sender: &mut Connection| {
        let output = sender.output();
        output.advance(black_box(output.remaining()));
    };
    // The output grows once.
    send(&mut sender);
    for _ in 0..ROUNDS {
        write(&mut sender);
        counted(|| send(&mut sender));
    }
}

/// Takes whatever is written, and has nothing to read.
struct Sink;

impl AsyncRead for Sink {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Sink {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(black_box(bytes).len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Sends [`FRAMES`] handles to a payload that others hold as well, as a server.
fn adapter(len: usize, mut send: impl FnMut(&mut WebSocket<Sink>, Bytes)) {
    let payload = &Bytes::from(vec![7; len]);
    let mut socket = WebSocket::from_parts(Sink, server(), Input::new());
    let mut send_all = |socket: &mut WebSocket<Sink>| {
        (0..FRAMES).for_each(|_| send(socket, black_box(payload).clone()));
    };
    // The output grows once.
    send_all(&mut socket);
    for _ in 0..ROUNDS {
        ready(socket.flush());
        counted(|| send_all(&mut socket));
    }
}

fn queue(len: usize) {
    adapter(len, |socket, payload| socket.queue(payload).expect("room"));
}

fn feed(len: usize) {
    adapter(len, |socket, payload| ready(socket.feed(payload)));
}

/// Each in a write of its own.
fn send(len: usize) {
    adapter(len, |socket, payload| ready(socket.send(payload)));
}

#[inline(always)]
fn ready(future: impl Future<Output = Result<(), Error>>) {
    let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(()))));
}

fn request() -> ClientRequest {
    ClientRequest::new("ws://localhost/chat").expect("a URI")
}

fn handshake_as_server() {
    let mut client = ClientHandshake::new(Config::new(), &request(), [7; 16], [7; 32]);
    let output = client.output();
    let head = output.copy_to_bytes(output.remaining());
    for _ in 0..ROUNDS * FRAMES {
        let mut input = Input::new();
        input.extend_from_slice(&head);
        black_box(counted(|| {
            let mut server = ServerHandshake::new(Config::new());
            let request = server.receive(&mut input).expect("valid").expect("whole");
            request.accept(None, &[]).expect("acceptable")
        }));
    }
}

fn handshake_as_client() {
    let request = request();
    for _ in 0..ROUNDS * FRAMES {
        let mut client = ClientHandshake::new(Config::new(), &request, [7; 16], [7; 32]);
        let mut server = ServerHandshake::new(Config::new());
        let (mut to_server, mut to_client) = (Input::new(), Input::new());
        transfer(client.output(), &mut to_server);
        let accepted = server.receive(&mut to_server).expect("valid").expect("whole");
        transfer(accepted.accept(None, &[]).expect("acceptable").output(), &mut to_client);
        black_box(counted(|| {
            let mut client = ClientHandshake::new(Config::new(), &request, [7; 16], [7; 32]);
            client.receive(&mut to_client).expect("valid").expect("whole")
        }));
    }
}
