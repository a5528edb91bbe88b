//! RFC 6455 7.1: each side sends one Close frame, and then nothing more.

use tidewire::{CloseCode, CloseFrame, Connection, Party, SendError, State, TransportAction};

use support::chunked::{Outcome, Scenario, Seen, receive_all};
use support::wire::{self, BINARY, CLOSE, FIN, Frame, PONG, Role, TEXT};

fn close_frame(code: u16, reason: &str) -> Frame {
    Frame::new(FIN | CLOSE, wire::close_body(code, reason))
}

/// Closes with 3001 "ours", then receives `bytes`.
fn receive_after_close(role: Role, bytes: &[u8]) -> Outcome {
    Scenario::new(role, bytes).after(&|connection| connection.close(ours())).run()
}

fn ours() -> CloseFrame {
    CloseFrame::new(CloseCode::new(3001).expect("registered"), "ours")
}

/// What RFC 6455 7.1.1 asks of the transport once all is said.
fn transport_after_close(role: Role) -> TransportAction {
    match role {
        Role::Server => TransportAction::ShutdownWrite,
        Role::Client => TransportAction::AwaitEof,
    }
}

#[test]
fn the_peer_closes_first() {
    for role in Role::BOTH {
        let bytes = [wire::text(role, "last words"), wire::close(role, 1000, "done")].concat();
        let outcome = receive_all(role, &bytes);
        assert_eq!(outcome.events, [Seen::text("last words"), Seen::close(1000, "done")]);
        assert_eq!(outcome.output, [close_frame(1000, "done")]);
        assert_eq!((outcome.error, outcome.state), (None, State::Closed));
        assert_eq!(outcome.transport, transport_after_close(role));
        let closure = outcome.closure.expect("closed");
        assert_eq!(closure.initiator(), Party::Peer);
        assert_eq!(closure.received(), Some(&CloseFrame::new(CloseCode::NORMAL, "done")));
        assert_eq!((closure.code(), closure.sent()), (1000, Some(CloseCode::NORMAL)));
        assert!(closure.is_clean());
    }
}

#[test]
fn this_side_closes_first_and_still_receives_until_the_answer() {
    for role in Role::BOTH {
        let before_answer = [wire::text(role, "late"), wire::binary(role, "later")].concat();
        let outcome = receive_after_close(role, &before_answer);
        assert_eq!(outcome.events, [Seen::text("late"), Seen::binary("later")]);
        assert_eq!((outcome.state, outcome.closure), (State::Closing, None));
        assert_eq!(outcome.transport, TransportAction::KeepOpen);

        let outcome = receive_after_close(role, &[before_answer, wire::close(role, 3001, "ours")].concat());
        assert_eq!(outcome.events.last(), Some(&Seen::close(3001, "ours")));
        // Our own and no other.
        assert_eq!(outcome.output, [close_frame(3001, "ours")]);
        assert_eq!(outcome.transport, transport_after_close(role));
        let closure = outcome.closure.expect("closed");
        assert_eq!((closure.initiator(), closure.code(), closure.is_clean()), (Party::Local, 3001, true));
    }
}

#[test]
fn both_close_at_once_and_no_third_frame_is_sent() {
    for role in Role::BOTH {
        let outcome = receive_after_close(role, &wire::close(role, 1001, "theirs"));
        assert_eq!(outcome.events, [Seen::close(1001, "theirs")]);
        assert_eq!(outcome.output, [close_frame(3001, "ours")]);
        let closure = outcome.closure.expect("closed");
        // RFC 6455 7.1.5: the code of the connection is the one received.
        assert_eq!((closure.initiator(), closure.code()), (Party::Local, 1001));
        assert_eq!(closure.sent().map(u16::from), Some(3001));
        assert!(closure.is_clean());
    }
}

#[test]
fn an_answer_without_a_code_is_1005() {
    for role in Role::BOTH {
        let outcome = receive_after_close(role, &wire::frame(role, FIN | CLOSE, ""));
        assert_eq!(outcome.events, [Seen::Close(None)]);
        let closure = outcome.closure.expect("closed");
        assert_eq!((closure.code(), closure.received(), closure.is_clean()), (1005, None, true));
    }
}

#[test]
fn closing_without_a_code_sends_an_empty_body() {
    for role in Role::BOTH {
        let outcome = Scenario::new(role, b"").after(&|connection| connection.close(None)).run();
        assert_eq!(outcome.output, [Frame::new(FIN | CLOSE, "")]);
        assert_eq!(outcome.state, State::Closing);
    }
}

#[test]
fn closing_twice_sends_one_frame() {
    for role in Role::BOTH {
        let twice = |connection: &mut Connection| {
            connection.close(ours());
            connection.close(CloseCode::NORMAL);
            connection.close(None);
        };
        let outcome = Scenario::new(role, b"").after(&twice).run();
        assert_eq!(outcome.output, [close_frame(3001, "ours")]);
    }
}

#[test]
fn closing_after_the_peer_closed_or_failed_sends_nothing_more() {
    for role in Role::BOTH {
        for bytes in [wire::close(role, 1000, ""), vec![0xFF, 0xFF]] {
            let mut connection = role.connection(tidewire::Config::new());
            let mut input = tidewire::Input::new();
            input.extend_from_slice(&bytes);
            let _ = connection.receive(&mut input);
            let owed = connection.output().len();
            connection.close(CloseCode::GOING_AWAY);
            assert_eq!(connection.output().len(), owed);
        }
    }
}

#[test]
fn nothing_can_be_sent_after_either_close_frame() {
    for role in Role::BOTH {
        let refused = |connection: &mut Connection| {
            assert_eq!(connection.send("text"), Err(SendError::Closed));
            assert_eq!(connection.send_fragment(b"part", true), Err(SendError::Closed));
            assert_eq!(connection.send(&tidewire::Prepared::new("text")), Err(SendError::Closed));
            assert_eq!(connection.ping(b""), Err(SendError::Closed));
        };
        let mut connection = role.connection(tidewire::Config::new());
        connection.close(None);
        refused(&mut connection);

        for bytes in [wire::close(role, 1000, ""), vec![0xFF, 0xFF]] {
            let mut connection = role.connection(tidewire::Config::new());
            let mut input = tidewire::Input::new();
            input.extend_from_slice(&bytes);
            let _ = connection.receive(&mut input);
            refused(&mut connection);
        }
    }
}

#[test]
fn what_follows_the_peers_close_frame_is_ignored() {
    for role in Role::BOTH {
        let late = [
            wire::text(role, "data"),
            // RFC 6455 5.5.2: a ping is not answered any more.
            wire::ping(role, "ping"),
            wire::close(role, 1001, "second"),
            vec![0xFF; 40],
        ];
        for late in late {
            let bytes = [wire::close(role, 1000, "first"), late].concat();
            let outcome = receive_all(role, &bytes);
            assert_eq!((outcome.events, outcome.error), (vec![Seen::close(1000, "first")], None));
            assert_eq!(outcome.output, [close_frame(1000, "first")]);
        }
    }
}

#[test]
fn pings_are_answered_between_our_close_frame_and_the_peers() {
    for role in Role::BOTH {
        let bytes = [wire::ping(role, "1"), wire::ping(role, "2"), wire::close(role, 1000, "")].concat();
        let outcome = receive_after_close(role, &[bytes, wire::ping(role, "3")].concat());
        let pongs = ["1", "2"].map(|payload| Frame::new(FIN | PONG, payload));
        assert_eq!(outcome.output, [[close_frame(3001, "ours")].as_slice(), &pongs].concat());
    }
}

#[test]
fn a_close_frame_inside_a_fragmented_message_ends_it_undelivered() {
    for role in Role::BOTH {
        for first in [TEXT, BINARY] {
            let bytes = [wire::frame(role, first, "never whole"), wire::close(role, 1000, "")].concat();
            let outcome = receive_all(role, &bytes);
            assert_eq!((outcome.events, outcome.error), (vec![Seen::close(1000, "")], None));
            assert!(outcome.closure.expect("closed").is_clean());
        }
    }
}

#[test]
fn an_error_after_our_close_frame_sends_no_other_one() {
    for role in Role::BOTH {
        let outcome = receive_after_close(role, &[0xFF, 0xFF]);
        assert_eq!(outcome.error, Some(tidewire::ProtocolError::ReservedOpCode(15)));
        assert_eq!(outcome.output, [close_frame(3001, "ours")]);
        let closure = outcome.closure.expect("closed");
        assert_eq!((closure.initiator(), closure.code(), closure.is_clean()), (Party::Local, 1006, false));
        assert_eq!(closure.sent().map(u16::from), Some(3001));
        assert_eq!(outcome.transport, TransportAction::ShutdownWrite);
    }
}

#[test]
fn a_protocol_error_is_blamed_on_the_peer() {
    for role in Role::BOTH {
        let closure = receive_all(role, &[0xFF, 0xFF]).closure.expect("closed");
        assert_eq!((closure.initiator(), closure.sent()), (Party::Peer, Some(CloseCode::PROTOCOL_ERROR)));
    }
}
