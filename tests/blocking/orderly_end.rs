//! Which code ends a connection as usual and which one is an error: it stays, while `close` succeeds whatever the peer answers.

use std::task::Poll;
use std::time::Duration;

use tidewire::blocking::WebSocket;
use tidewire::{CloseCode, CloseFrame, Config, Error, Input, SendError};

use support::blocking_stream::Scripted;
use support::wire::{self, CLOSE, FIN, Role};

const CODES: [Option<u16>; 10] = [
    None,
    Some(1000),
    Some(1001),
    Some(1002),
    Some(1003),
    Some(1008),
    Some(1009),
    Some(1011),
    Some(3000),
    Some(4999),
];

/// What this side sends first, if anything.
const FIRST: [Option<Option<u16>>; 6] =
    [None, Some(None), Some(Some(1000)), Some(Some(1008)), Some(Some(1011)), Some(Some(4999))];

fn code(code: Option<u16>) -> Option<CloseCode> {
    code.map(|code| CloseCode::new(code).expect("valid"))
}

/// Every first word, every answer, and whether that is a normal end.
fn cases() -> impl Iterator<Item = (Option<Option<u16>>, Option<u16>, bool)> {
    FIRST.into_iter().flat_map(|first| CODES.map(|answer| (first, answer))).map(|(first, answer)| {
        let is_normal = matches!(answer, None | Some(1000 | 1001)) || first.flatten() == answer;
        (first, answer, is_normal)
    })
}

fn open(role: Role, first: Option<Option<u16>>, answer: Option<u16>) -> (Scripted, WebSocket<Scripted>) {
    let body = answer.map_or(Vec::new(), |code| wire::close_body(code, "why"));
    let stream = Scripted::new([wire::text(role, "Hello"), wire::frame(role, FIN | CLOSE, body)].concat());
    let mut socket = WebSocket::from_parts(stream.clone(), role.connection(Config::new()), Input::new());
    if let Some(first) = first {
        socket.queue_close(code(first).map(|code| CloseFrame::new(code, "")));
    }
    (stream, socket)
}

#[track_caller]
fn assert_end<T>(result: Result<T, Error>, answer: Option<u16>, is_normal: bool) {
    match result {
        Ok(_) => assert!(is_normal, "{answer:?} is no normal end"),
        Err(Error::ClosedByPeer(frame)) => {
            assert_eq!((Some(frame.code()), frame.reason(), is_normal), (code(answer), "why", false));
        }
        Err(error) => panic!("{answer:?}: {error:?}"),
    }
}

/// What the peer has said is the reason why nothing can be sent any more.
#[track_caller]
fn assert_too_late(result: Result<(), Error>, answer: Option<u16>, is_normal: bool) {
    match result {
        Err(Error::Send(SendError::Closed)) => assert!(is_normal, "{answer:?} says why"),
        Err(error) => assert_end(Err::<(), _>(error), answer, is_normal),
        Ok(()) => panic!("the connection is closed"),
    }
}

#[test]
fn the_code_tells_whether_the_end_is_an_error_and_it_stays_one() {
    for role in Role::BOTH {
        for (first, answer, is_normal) in cases() {
            let (_, mut socket) = open(role, first, answer);
            assert!(matches!(socket.recv(), Ok(Some(_))));
            for _ in 0..2 {
                assert_end(socket.recv().map(|end| assert_eq!(end, None)), answer, is_normal);
                assert_end(socket.recv_ref().map(|end| assert!(end.is_none())), answer, is_normal);
                let end = socket.try_recv().map(|end| assert_eq!(end, Poll::Ready(None)));
                assert_end(end, answer, is_normal);
                let end = socket.recv_timeout(Duration::from_secs(60));
                assert_end(end.map(|end| assert_eq!(end, Poll::Ready(None))), answer, is_normal);
                assert!(socket.close(None).is_ok());
                for late in [socket.send("late"), socket.feed("late"), socket.ping(b"late")] {
                    assert_too_late(late, answer, is_normal);
                }
                assert_too_late(socket.send_fragment("late", true), answer, is_normal);
                assert_eq!(socket.queue("late"), Err(SendError::Closed));
            }
            assert!(socket.ending().is_some_and(|ending| ending.is_clean()));
        }
    }
}

#[test]
fn close_succeeds_whatever_the_peer_answers() {
    for role in Role::BOTH {
        for (first, answer, is_normal) in cases() {
            let (_, mut socket) = open(role, first, answer);
            socket.close(CloseCode::GOING_AWAY).expect("a closing handshake");
            assert!(socket.ending().is_some_and(|ending| ending.is_clean()));
            let is_normal =
                if first.is_none() { matches!(answer, None | Some(1000 | 1001)) } else { is_normal };
            assert_end(socket.recv(), answer, is_normal);
        }
    }
}

#[test]
#[cfg(unix)]
fn halves_end_as_the_whole_does_and_a_writer_tells_what_the_peer_said() {
    for role in Role::BOTH {
        for (first, answer, is_normal) in cases() {
            let (_, socket) = open(role, first, answer);
            let (mut reader, writer) = socket.split();
            assert!(matches!(reader.recv(), Ok(Some(_))));
            for _ in 0..2 {
                assert_end(reader.recv().map(|end| assert_eq!(end, None)), answer, is_normal);
                assert_end(reader.recv_ref().map(|end| assert!(end.is_none())), answer, is_normal);
                let end = reader.try_recv().map(|end| assert_eq!(end, Poll::Ready(None)));
                assert_end(end, answer, is_normal);
                writer.flush().expect("everything is written");
                writer.close(CloseCode::NORMAL).expect("it is closed");
                for late in [writer.send("late"), writer.feed("late"), writer.ping(b"late")] {
                    assert_too_late(late, answer, is_normal);
                }
                assert_too_late(writer.send_fragment("late", true), answer, is_normal);
                assert_eq!(writer.queue("late"), Err(SendError::Closed));
                assert_eq!(writer.queued_len(), 0);
            }
            let again = writer.clone();
            drop(reader);
            // An orderly end stays one.
            again.flush().expect("everything is written");
            again.close(None).expect("it is closed");
        }
    }
}

#[test]
fn an_end_without_a_closing_handshake_is_no_success_of_close() {
    for role in Role::BOTH {
        let stream = Scripted::new(wire::text(role, "Hello"));
        let mut socket = WebSocket::from_parts(stream, role.connection(Config::new()), Input::new());
        for _ in 0..2 {
            assert!(matches!(socket.close(CloseCode::NORMAL), Err(Error::Protocol(_))));
        }
    }
}
