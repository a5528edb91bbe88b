//! sockudo-ws: its stream, and its protocol without I/O.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use sockudo_ws::protocol::Protocol as Core;
use sockudo_ws::{Config, Message, Role as Side, WebSocketStream};

use super::{Batch, Contender, Role, Tally, feeding, receiving};
use crate::pipe::{Pipe, Sink};
use crate::table::{Column, Kind};
use crate::wire::READ_LEN;

fn add(tally: &mut Tally, message: &Message) {
    if let Message::Text(payload) | Message::Binary(payload) = message {
        tally.add(payload);
    }
}

pub(super) struct Stream;

/// Without timers, which read the clock for every message.
fn web_socket(pipe: Pipe, role: Role) -> WebSocketStream<Pipe> {
    let config = Config::builder().auto_ping(false).idle_timeout(0).build();
    WebSocketStream::from_raw(pipe, role.choose(Side::Server, Side::Client), config)
}

impl Contender for Stream {
    fn column(&self) -> Column {
        Column { name: "sockudo-ws", kind: Kind::Peer }
    }

    fn setup(&self) -> &'static str {
        "features `simd` and `fastrand`; `WebSocketStream` without pings and idle timeout, which would read the clock for every message; \
         `next`; `feed`, then `flush`"
    }

    fn decoder(&self, batch: &Batch) -> Box<dyn FnMut() -> Tally> {
        let socket = web_socket(Pipe::source(batch.wire.clone()), Role::Server);
        receiving(socket, batch.count, async |socket, tally| {
            add(tally, &socket.next().await.expect("an open connection").expect("valid frames"));
        })
    }

    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()> {
        let socket = web_socket(Pipe::sink(sink), role);
        feeding(socket, count, move || Message::Binary(payload.clone()))
    }
}

pub(super) struct Protocol;

fn protocol(role: Role) -> Core {
    let config = Config::default();
    Core::new(role.choose(Side::Server, Side::Client), config.max_frame_size, config.max_message_size)
}

impl Contender for Protocol {
    fn column(&self) -> Column {
        Column { name: "sockudo-ws core", kind: Kind::Peer }
    }

    fn setup(&self) -> &'static str {
        "the same features; `Protocol::process_into` from a `BytesMut` with room for each read, `encode_message` into another"
    }

    fn decoder(&self, batch: &Batch) -> Box<dyn FnMut() -> Tally> {
        let (mut pipe, count) = (Pipe::source(batch.wire.clone()), batch.count);
        let (mut protocol, mut buffer, mut messages) = (protocol(Role::Server), BytesMut::new(), Vec::new());
        Box::new(move || {
            let mut tally = Tally::default();
            while tally.messages < count {
                messages.clear();
                buffer.reserve(READ_LEN);
                buffer.extend_from_slice(pipe.next(READ_LEN));
                protocol.process_into(&mut buffer, &mut messages).expect("valid frames");
                messages.iter().for_each(|message| add(&mut tally, message));
            }
            tally
        })
    }

    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()> {
        let (mut protocol, mut buffer) = (protocol(role), BytesMut::new());
        Box::new(move || {
            for _ in 0..count {
                protocol.encode_message(&Message::Binary(payload.clone()), &mut buffer).expect("room");
            }
            sink.write(&buffer);
            buffer.clear();
        })
    }
}
