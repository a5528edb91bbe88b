//! What was read before a socket was made of its parts is answered as if it had been read here.

use tidewire::blocking::WebSocket;
use tidewire::{CloseCode, Config, Error, Event, Input, SendError};

use support::blocking_stream::Scripted;
use support::wire::{self, CLOSE, FIN, Frame, PONG, Role};

#[test]
fn a_ping_that_was_read_before_is_answered_at_once() -> Result<(), Error> {
    for role in Role::BOTH {
        for is_split in [false, true] {
            let stream = Scripted::new([]).without_end();
            let mut input = Input::new();
            input.extend_from_slice(&wire::ping(role, "p"));
            let mut socket = WebSocket::from_parts(stream.clone(), role.connection(Config::new()), input);
            if is_split {
                let (mut reader, _writer) = socket.split();
                assert!(matches!(reader.recv_ref()?, Some(Event::Ping(b"p"))));
            } else {
                assert!(matches!(socket.recv_ref()?, Some((Event::Ping(b"p"), _))));
            }
            assert_eq!(wire::parse(role, &stream.take_written()), [Frame::new(FIN | PONG, "p")], "{role:?}");
        }
    }
    Ok(())
}

#[test]
fn a_close_frame_that_was_read_before_ends_the_connection() -> Result<(), Error> {
    for role in Role::BOTH {
        let stream = Scripted::new([]);
        let mut input = Input::new();
        input.extend_from_slice(&wire::close(role, 1001, ""));
        let mut socket = WebSocket::from_parts(stream.clone(), role.connection(Config::new()), input);
        assert_eq!(socket.recv()?, None);
        let answer = Frame::new(FIN | CLOSE, wire::close_body(CloseCode::GOING_AWAY.into(), ""));
        assert_eq!(wire::parse(role, &stream.take_written()), [answer], "{role:?}");
        assert_eq!(socket.queue("late"), Err(SendError::Closed));
    }
    Ok(())
}
