//! Servers that send what arrives on their first connection to all others.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;

use super::{Failure, Outcome, RAW_TOKIO, Role, Server, Setting, on_tokio, raw, server, streams, tidewire};
use crate::table::Kind;

/// In the order of the report's columns.
pub(super) const SERVERS: &[Server] = &[
    server(
        Kind::Floor,
        RAW_TOKIO,
        Role::Broadcast,
        |listener, setting| in_room(listener, setting, raw::halves, raw::publish, raw::subscribe),
        "writes what it has read to one connection after the other",
    ),
    server(
        Kind::Own,
        "tidewire queued",
        Role::Broadcast,
        |listener, setting| {
            in_room(listener, setting, tidewire::halves, tidewire::publish_queued, tidewire::subscribe)
        },
        "`queue` of a `Prepared` into each `Writer`, of all messages that are there; the readers write",
    ),
    server(
        Kind::Own,
        "tidewire sent",
        Role::Broadcast,
        |listener, setting| {
            in_room(listener, setting, tidewire::halves, tidewire::publish_sent, tidewire::subscribe)
        },
        "`send` of a `Prepared` with each `Writer`, polled once; the reader writes what the socket has no room for",
    ),
    server(
        Kind::Peer,
        "tungstenite",
        Role::Broadcast,
        |listener, setting| {
            let publish = |from, room| streams::publish(from, room, streams::tungstenite_data);
            in_room(listener, setting, streams::tungstenite_halves, publish, streams::subscribe)
        },
        "`StreamExt::split`; a task and an unbounded channel for each, messages share their payload; what is in the channel is fed, \
         then the sink is flushed",
    ),
    server(
        Kind::Peer,
        "fastwebsockets",
        Role::Broadcast,
        |listener, setting| {
            in_room(listener, setting, raw::fast_halves, raw::publish_fast, raw::subscribe_fast)
        },
        "`after_handshake_split`, a task and an unbounded channel for each, messages share their payload; `write_frame` of each \
         message, since it has nothing that queues",
    ),
    server(
        Kind::Peer,
        "tokio-websockets",
        Role::Broadcast,
        |listener, setting| {
            let publish = |from, room| streams::publish(from, room, streams::tokio_websockets_data);
            in_room(listener, setting, streams::tokio_websockets_halves, publish, streams::subscribe)
        },
        "as tungstenite",
    ),
    server(
        Kind::Peer,
        "sockudo-ws",
        Role::Broadcast,
        |listener, setting| {
            sockudo_ws::init_clock();
            let (publish, subscribe) = (streams::publish_sockudo, streams::subscribe_sockudo);
            in_room(listener, setting, streams::sockudo_halves, publish, subscribe)
        },
        "`split`; a task and an unbounded channel for each, as in its example of `PubSub`; `send` of each message, since its writer \
         has no `feed`",
    ),
];

/// How the publisher's task reaches the others.
pub(super) type Room<T> = Arc<Mutex<Vec<T>>>;

/// `open` makes two halves of a stream. `publish` gets the receiving half of the first, `subscribe` both halves of each other one.
pub(super) fn in_room<R, W, T, O, P, S>(
    listener: TcpListener,
    setting: Setting,
    open: fn(TcpStream, Setting) -> O,
    publish: fn(R, Room<T>) -> P,
    subscribe: fn(R, W, Room<T>) -> S,
) -> io::Result<()>
where
    R: Send + 'static,
    W: Send + 'static,
    T: Send + 'static,
    O: Future<Output = Result<(R, W), Failure>> + Send + 'static,
    P: Future<Output = Outcome> + Send + 'static,
    S: Future<Output = Outcome> + Send + 'static,
{
    let (room, has_publisher) = (Room::default(), Arc::new(AtomicBool::new(false)));
    on_tokio(listener, setting, move |stream, setting| {
        let (room, has_publisher) = (Arc::clone(&room), Arc::clone(&has_publisher));
        async move {
            let (reader, writer) = open(stream, setting).await?;
            if has_publisher.swap(true, Ordering::Relaxed) {
                return subscribe(reader, writer, room).await;
            }
            // It keeps its other half, so that it stays open.
            let _writer = writer;
            publish(reader, room).await
        }
    })
}
