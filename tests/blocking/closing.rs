//! `close`, `state` and `ending`, and the lingering end after a broken rule.

use tidewire::blocking::WebSocket;
use tidewire::{CloseCode, CloseFrame, Config, Error, Input, Party, ProtocolError, SendError, State};

use support::blocking_stream::Scripted;
use support::wire::{self, BINARY, CLOSE, FIN, Frame, Role, TEXT};

fn open(stream: &Scripted, role: Role) -> WebSocket<Scripted> {
    WebSocket::from_parts(stream.clone(), role.connection(Config::new()), Input::new())
}

#[test]
fn close_discards_what_is_under_way_and_waits_for_the_end() -> Result<(), Error> {
    for role in Role::BOTH {
        let incoming = [
            wire::text(role, "late"),
            wire::ping(role, "p"),
            wire::close(role, 1000, ""),
            b"rubbish".to_vec(),
        ];
        let stream = Scripted::new(incoming.concat()).with_lens(3, 3);
        let mut socket = open(&stream, role);
        assert_eq!((socket.state(), socket.ending()), (State::Open, None));
        socket.queue("queued before")?;
        socket.close(CloseFrame::new(CloseCode::GOING_AWAY, "bye"))?;
        assert_eq!(socket.state(), State::Closed);
        let written = stream.take_written();
        let frames = wire::parse(role, &written);
        assert_eq!(frames[0].payload, b"queued before");
        assert_eq!(frames[1], Frame::new(FIN | CLOSE, wire::close_body(1001, "bye")));
        let closure = socket.ending().expect("closed");
        assert_eq!((closure.initiator(), closure.code(), closure.is_clean()), (Party::Local, 1000, true));
        assert_eq!(closure.sent(), Some(CloseCode::GOING_AWAY));
        assert!(stream.shutdowns().iter().all(|len| *len == written.len()), "not before the last byte");
        // Whatever is called now comes to nothing.
        socket.close(None)?;
        assert_eq!(socket.recv()?, None);
        assert!(socket.send("late").is_err());
        assert!(stream.take_written().is_empty());
    }
    Ok(())
}

#[test]
fn messages_still_arrive_between_our_close_frame_and_the_peers() -> Result<(), Error> {
    for role in Role::BOTH {
        let incoming = [wire::text(role, "still here"), wire::close(role, 1000, "")];
        let stream = Scripted::new(incoming.concat());
        let mut socket = open(&stream, role);
        socket.queue_close(CloseCode::NORMAL);
        assert_eq!((socket.state(), socket.ending()), (State::Closing, None));
        assert!(matches!(socket.send("late"), Err(Error::Send(SendError::Closed))));
        assert_eq!(socket.recv()?, Some("still here".into()));
        assert_eq!(socket.recv()?, None);
        assert_eq!(
            wire::parse(role, &stream.take_written()).len(),
            1,
            "one Close frame and no answer to the answer"
        );
    }
    Ok(())
}

#[test]
fn a_close_frame_of_the_peer_is_answered_and_ends_the_connection() -> Result<(), Error> {
    for role in Role::BOTH {
        for (body, code) in
            [(vec![], 1005), (wire::close_body(1000, ""), 1000), (wire::close_body(4999, "x"), 4999)]
        {
            let stream = Scripted::new(wire::frame(role, FIN | CLOSE, &body));
            let mut socket = open(&stream, role);
            for _ in 0..2 {
                match socket.recv() {
                    Ok(None) => assert_ne!(code, 4999),
                    Err(Error::ClosedByPeer(close)) => {
                        assert_eq!((u16::from(close.code()), close.reason()), (code, "x"))
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(wire::parse(role, &stream.take_written()), [Frame::new(FIN | CLOSE, &body)]);
            let closure = socket.ending().expect("closed");
            assert_eq!((closure.initiator(), closure.code(), closure.is_clean()), (Party::Peer, code, true));
        }
    }
    Ok(())
}

#[test]
fn a_peer_that_breaks_a_rule_gets_the_close_frame_and_time_to_read_it() {
    let limits = Config::new().with_max_frame_len(1000).with_max_message_len(1500);
    for role in Role::BOTH {
        let wrong_mask = if role == Role::Server { None } else { Some(wire::KEY) };
        let cases = [
            (
                wire::header(FIN | TEXT, wire::Length::Short(3), wrong_mask),
                ProtocolError::ReservedBit(1),
                1002,
            ),
            (
                wire::frame(role, FIN | BINARY, [0; 1001]),
                ProtocolError::FrameTooLong { len: 1001, max: 1000 },
                1009,
            ),
            (
                wire::text(role, "ab").into_iter().chain([0xF3]).collect(),
                ProtocolError::ReservedOpCode(3),
                1002,
            ),
            (wire::frame(role, FIN | TEXT, [0xFF]), ProtocolError::InvalidUtf8, 1007),
        ];
        for (index, (broken, error, code)) in cases.into_iter().enumerate() {
            for (read_len, write_len) in [(usize::MAX, usize::MAX), (1000, 1)] {
                // The peer is in the middle of sending, and ends when it has read the Close frame.
                let incoming =
                    [wire::text(role, "good"), broken.clone(), vec![0; 300_000], wire::text(role, "ignored")];
                let incoming = incoming.concat();
                let stream = Scripted::new(incoming.clone()).with_lens(read_len, write_len);
                let mut socket = WebSocket::from_parts(stream.clone(), role.connection(limits), Input::new());
                assert!(matches!(socket.recv(), Ok(Some(message)) if message.as_text() == Some("good")));
                let error = match (index, role) {
                    (0, Role::Server) => ProtocolError::UnmaskedFrame,
                    (0, Role::Client) => ProtocolError::MaskedFrame,
                    _ => error,
                };
                let mut result = socket.recv();
                if index == 2 {
                    assert!(matches!(&result, Ok(Some(message)) if message.as_text() == Some("ab")));
                    result = socket.recv();
                }
                for _ in 0..3 {
                    assert!(matches!(result, Err(Error::Protocol(got)) if got == error), "{result:?}");
                    result = socket.recv();
                }
                assert_eq!(stream.state().read, incoming.len(), "everything is read and discarded");
                let written = stream.take_written();
                assert_eq!(stream.shutdowns(), [written.len()]);
                let frames = wire::parse(role, &written);
                assert_eq!(frames.len(), 1);
                assert_eq!(
                    (frames[0].first, &frames[0].payload[..2]),
                    (FIN | CLOSE, &wire::close_body(code, "")[..])
                );
                let closure = socket.ending().expect("closed");
                assert_eq!((closure.code(), closure.is_clean()), (1006, false));
            }
        }
    }
}

#[test]
fn a_peer_that_never_ends_is_left_after_a_mebibyte() {
    for role in Role::BOTH {
        let incoming = [vec![0xF3; 2], vec![0; 3 << 20]].concat();
        let stream = Scripted::new(incoming).without_end();
        let mut socket = open(&stream, role);
        assert!(matches!(socket.recv(), Err(Error::Protocol(ProtocolError::ReservedOpCode(3)))));
        let read = stream.state().read;
        assert!((1 << 20..(1 << 20) + (256 << 10)).contains(&read), "{read}");
    }
}

#[test]
fn an_end_without_a_close_frame_is_an_error_and_nothing_is_written() {
    for role in Role::BOTH {
        let whole = wire::binary(role, [1; 200]);
        for len in [0, 1, 5, 100] {
            let stream = Scripted::new(&whole[..len]);
            let mut socket = open(&stream, role);
            for _ in 0..3 {
                assert!(matches!(socket.recv(), Err(Error::Protocol(ProtocolError::UnexpectedEof))));
            }
            assert!(stream.take_written().is_empty());
            let closure = socket.ending().expect("closed");
            assert_eq!((closure.initiator(), closure.code(), closure.is_clean()), (Party::Peer, 1006, false));
        }
    }
}
