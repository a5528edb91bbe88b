//! `from_parts`, `into_parts`, `get_ref` and [`Untimed`].

use std::io::{self, Read, Write};

use tidewire::blocking::{Untimed, WebSocket, accept};
use tidewire::{Config, Error, Input, State};

use crate::http::{request, response_to_request};
use support::blocking_stream::Scripted;
use support::wire::{self, Role};

#[test]
fn a_connection_goes_on_with_what_was_read_before() -> Result<(), Error> {
    for role in Role::BOTH {
        let frame = wire::binary(role, [5; 3000]);
        for cut in [0, 1, 100, frame.len()] {
            let (before, after) = frame.split_at(cut);
            let mut input = Input::new();
            input.extend_from_slice(before);
            let mut socket =
                WebSocket::from_parts(Scripted::new(after), role.connection(Config::new()), input);
            assert_eq!(socket.recv()?, Some(vec![5; 3000].into()));
            assert!(socket.response().is_none() && socket.subprotocol().is_none());
        }
    }
    Ok(())
}

#[test]
fn a_connection_survives_being_taken_apart() -> Result<(), Error> {
    for role in Role::BOTH {
        let incoming = [wire::text(role, "one"), wire::text(role, "two"), wire::ping(role, "p")].concat();
        let stream = Scripted::new(incoming);
        let mut socket = WebSocket::from_parts(stream.clone(), role.connection(Config::new()), Input::new());
        assert_eq!(socket.recv()?, Some("one".into()));
        socket.queue("queued")?;
        let (stream_back, connection, input) = socket.into_parts();
        assert_eq!(input.unread(), [wire::text(role, "two"), wire::ping(role, "p")].concat());
        assert!(stream.take_written().is_empty());
        let mut socket = WebSocket::from_parts(stream_back, connection, input);
        assert_eq!(socket.state(), State::Open);
        assert_eq!(socket.recv()?, Some("two".into()));
        assert!(socket.recv().is_err(), "the end without a Close frame");
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 2, "the message and a pong");
    }
    Ok(())
}

/// `Read + Write` and no more.
struct Pipe {
    incoming: io::Cursor<Vec<u8>>,
    written: Vec<u8>,
    flushes: usize,
}

impl Read for Pipe {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.incoming.read(space)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushes += 1;
        Ok(())
    }
}

#[test]
fn any_reader_and_writer_will_do() -> Result<(), Error> {
    let incoming = [
        request("").into_bytes(),
        wire::text(Role::Server, "Hello"),
        wire::binary(Role::Server, [3; 70_000]),
        wire::close(Role::Server, 1000, ""),
    ];
    let pipe = Pipe { incoming: io::Cursor::new(incoming.concat()), written: Vec::new(), flushes: 0 };
    let mut socket = accept(Untimed(pipe))?;
    assert!(socket.get_ref().0.flushes > 0);
    while let Some(message) = socket.recv()? {
        socket.send(message)?;
    }
    let response = response_to_request("").len();
    let frames = wire::parse(Role::Server, &socket.get_ref().0.written[response..]);
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[1].payload, [3; 70_000]);
    Ok(())
}
