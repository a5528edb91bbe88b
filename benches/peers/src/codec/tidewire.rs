//! tidewire: the core alone, and its tokio adapter with messages lent and owned.

use tidewire::tokio::WebSocket;
use tidewire::{Bytes, Config, Connection, Event, Input, Message};

use super::{Batch, Contender, Role, Tally, receiving};
use crate::pipe::{Pipe, Sink, run};
use crate::table::{Column, Kind};

fn connection(role: Role) -> Connection {
    role.choose(Connection::server(Config::new()), Connection::client(Config::new(), [7; 32]))
}

fn web_socket(pipe: Pipe, role: Role) -> WebSocket<Pipe> {
    WebSocket::from_parts(pipe, connection(role), Input::new())
}

fn add(tally: &mut Tally, event: &Event<'_>) {
    match event {
        Event::Text(text) => tally.add(text.as_bytes()),
        Event::Binary(payload) => tally.add(payload),
        _ => {}
    }
}

pub(super) struct Core;

impl Contender for Core {
    fn column(&self) -> Column {
        Column { name: "tidewire core", kind: Kind::Own }
    }

    fn setup(&self) -> &'static str {
        "`Connection` with the default `Config`; `receive` from an `Input`, each read copied into its `space`; `send` of a shared \
         payload, the `Output` written chunk by chunk"
    }

    fn decoder(&self, batch: &Batch) -> Box<dyn FnMut() -> Tally> {
        let (mut pipe, count) = (Pipe::source(batch.wire.clone()), batch.count);
        let (mut connection, mut input) = (connection(Role::Server), Input::new());
        Box::new(move || {
            let mut tally = Tally::default();
            while tally.messages < count {
                let space = input.space();
                let read = pipe.next(space.len());
                space[..read.len()].copy_from_slice(read);
                input.filled(read.len());
                while let Some(event) = connection.receive(&mut input).expect("valid frames") {
                    add(&mut tally, &event);
                }
            }
            tally
        })
    }

    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()> {
        let mut connection = connection(role);
        Box::new(move || {
            for _ in 0..count {
                connection.send(&payload).expect("room");
            }
            let output = connection.output();
            while !output.is_empty() {
                let chunk = output.chunk();
                let len = chunk.len();
                sink.write(chunk);
                output.advance(len);
            }
        })
    }
}

pub(super) struct Lent;

impl Contender for Lent {
    fn column(&self) -> Column {
        Column { name: "tidewire lent", kind: Kind::Own }
    }

    fn setup(&self) -> &'static str {
        "the tokio adapter, `recv_ref`; `queue` of a borrowed payload, then `flush`"
    }

    fn decoder(&self, batch: &Batch) -> Box<dyn FnMut() -> Tally> {
        let socket = web_socket(Pipe::source(batch.wire.clone()), Role::Server);
        receiving(socket, batch.count, async |socket, tally| {
            let (event, _) = socket.recv_ref().await.expect("valid frames").expect("an open connection");
            add(tally, &event);
        })
    }

    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()> {
        let mut socket = web_socket(Pipe::sink(sink), role);
        Box::new(move || {
            (0..count).for_each(|_| socket.queue(&payload[..]).expect("room"));
            run(socket.flush()).expect("an open connection");
        })
    }
}

pub(super) struct Owned;

impl Contender for Owned {
    fn column(&self) -> Column {
        Column { name: "tidewire owned", kind: Kind::Own }
    }

    fn setup(&self) -> &'static str {
        "the tokio adapter, `recv`; `queue` of a shared payload, then `flush`"
    }

    fn decoder(&self, batch: &Batch) -> Box<dyn FnMut() -> Tally> {
        let socket = web_socket(Pipe::source(batch.wire.clone()), Role::Server);
        receiving(socket, batch.count, async |socket, tally| {
            match socket.recv().await.expect("valid frames").expect("an open connection") {
                Message::Text(text) => tally.add(text.as_bytes()),
                Message::Binary(payload) => tally.add(&payload),
            }
        })
    }

    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()> {
        let mut socket = web_socket(Pipe::sink(sink), role);
        Box::new(move || {
            (0..count).for_each(|_| socket.queue(payload.clone()).expect("room"));
            run(socket.flush()).expect("an open connection");
        })
    }
}
