//! RFC 6455 7.1.1, 7.1.7 and 7.2.1: how the transport ends, in order and out of order.

use bytes::Buf;
use tidewire::{CloseCode, Config, Connection, Input, Party, ProtocolError, State, TransportAction};

use support::chunked::{Scenario, Seen};
use support::wire::{self, BINARY, CONTINUATION, FIN, Role, TEXT};

fn drain(connection: &mut Connection) {
    let output = connection.output();
    output.advance(output.remaining());
}

/// A connection that has received `bytes`.
fn after(role: Role, bytes: &[u8]) -> (Connection, Input) {
    let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
    input.extend_from_slice(bytes);
    while let Ok(Some(_)) = connection.receive(&mut input) {}
    (connection, input)
}

#[test]
fn an_end_without_a_close_frame_is_an_error_at_every_offset() {
    for role in Role::BOTH {
        let bytes = [
            wire::text(role, "one"),
            wire::frame(role, BINARY, vec![b'x'; 130]),
            wire::ping(role, "p"),
            wire::frame(role, FIN | CONTINUATION, "y"),
            wire::frame(role, TEXT, "€"),
        ]
        .concat();
        let all = Scenario::new(role, &bytes).run().events;
        assert_eq!(all.len(), 3);
        for len in 0..=bytes.len() {
            let outcome = Scenario::new(role, &bytes[..len]).then_eof().run();
            assert_eq!(outcome.error, Some(ProtocolError::UnexpectedEof));
            assert!(all.starts_with(&outcome.events));
            assert_eq!((outcome.state, outcome.transport), (State::Closed, TransportAction::Close));
            let closure = outcome.closure.expect("closed");
            assert_eq!((closure.code(), closure.sent(), closure.is_clean()), (1006, None, false));
            assert_eq!(closure.initiator(), Party::Peer);
            // Nothing is written: there is nobody to tell. (The pong left while the transport was there.)
            assert!(outcome.output.iter().all(|frame| frame.first == 0x8A));
        }
    }
}

#[test]
fn an_end_discards_what_is_not_written_yet() {
    for role in Role::BOTH {
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        connection.send("unwritten").expect("room");
        connection.send(vec![0; 100_000]).expect("room");
        input.set_eof();
        assert_eq!(connection.receive(&mut input).err(), Some(ProtocolError::UnexpectedEof));
        assert!(!connection.output().has_remaining());
        assert_eq!(connection.transport_action(), TransportAction::Close);
    }
}

#[test]
fn an_end_after_the_peers_close_frame_is_silent_at_every_offset_behind_it() {
    for role in Role::BOTH {
        let close = wire::close(role, 1000, "bye");
        let bytes = [close.clone(), wire::text(role, "late")].concat();
        for len in close.len()..=bytes.len() {
            let outcome = Scenario::new(role, &bytes[..len]).then_eof().run();
            assert_eq!((outcome.events, outcome.error), (vec![Seen::close(1000, "bye")], None));
            assert_eq!(outcome.transport, TransportAction::Close);
            assert!(outcome.closure.expect("closed").is_clean());
        }
    }
}

#[test]
fn an_end_after_our_close_frame_only_is_an_error() {
    for role in Role::BOTH {
        let outcome = Scenario::new(role, b"")
            .after(&|connection| connection.close(CloseCode::NORMAL))
            .then_eof()
            .run();
        assert_eq!(outcome.error, Some(ProtocolError::UnexpectedEof));
        let closure = outcome.closure.expect("closed");
        assert_eq!((closure.initiator(), closure.code(), closure.is_clean()), (Party::Local, 1006, false));
        assert_eq!(outcome.transport, TransportAction::Close);
    }
}

#[test]
fn an_end_after_an_error_leaves_the_error_and_ends_the_transport() {
    for role in Role::BOTH {
        for bytes in [vec![0xFF, 0xFF], wire::frame(role, FIN | TEXT, [0xFF])] {
            let outcome = Scenario::new(role, &bytes).then_eof().run();
            assert_ne!(outcome.error, Some(ProtocolError::UnexpectedEof));
            assert_eq!(outcome.transport, TransportAction::Close);
        }
    }
}

#[test]
fn the_server_shuts_down_first_and_the_client_waits_for_that() {
    for (role, action) in
        [(Role::Server, TransportAction::ShutdownWrite), (Role::Client, TransportAction::AwaitEof)]
    {
        let (mut connection, mut input) = after(role, b"");
        assert_eq!(connection.transport_action(), TransportAction::KeepOpen);
        input.extend_from_slice(&wire::close(role, 1000, ""));
        assert!(matches!(connection.receive(&mut input), Ok(Some(_))));
        // The answer goes first.
        assert_eq!(connection.transport_action(), TransportAction::KeepOpen);
        drain(&mut connection);
        assert_eq!(connection.transport_action(), action);
        input.extend_from_slice(&wire::text(role, "discarded"));
        assert!(matches!(connection.receive(&mut input), Ok(None)));
        assert_eq!(connection.transport_action(), action);
        input.set_eof();
        assert!(matches!(connection.receive(&mut input), Ok(None)));
        assert_eq!(connection.transport_action(), TransportAction::Close);
    }
}

#[test]
fn after_an_error_either_side_shuts_down_so_that_the_peer_learns_why() {
    for role in Role::BOTH {
        let (mut connection, mut input) = after(role, &[0xFF, 0xFF]);
        assert_eq!(connection.transport_action(), TransportAction::KeepOpen);
        drain(&mut connection);
        assert_eq!(connection.transport_action(), TransportAction::ShutdownWrite);
        input.set_eof();
        assert!(connection.receive(&mut input).is_err());
        assert_eq!(connection.transport_action(), TransportAction::Close);
    }
}

#[test]
fn a_peer_that_goes_on_sending_is_cut_after_a_mebibyte() {
    for role in Role::BOTH {
        for bytes in [wire::close(role, 1000, ""), vec![0xFF, 0xFF]] {
            let (mut connection, mut input) = after(role, &bytes);
            drain(&mut connection);
            let mut discarded = 0;
            while connection.transport_action() != TransportAction::Close {
                input.extend_from_slice(&[0xAA; 32 * 1024]);
                let _ = connection.receive(&mut input);
                assert!(input.unread().is_empty());
                discarded += 32 * 1024;
                assert!(discarded <= (1 << 20) + 64 * 1024);
            }
            assert!(discarded >= 1 << 20);
        }
    }
}

#[test]
fn a_mebibyte_is_discarded_and_not_a_byte_more() {
    for role in Role::BOTH {
        let (mut connection, mut input) = after(role, &wire::close(role, 1000, ""));
        drain(&mut connection);
        let action = connection.transport_action();
        assert_ne!(action, TransportAction::Close);
        input.extend_from_slice(&vec![0xAA; 1 << 20]);
        assert!(matches!(connection.receive(&mut input), Ok(None)));
        assert_eq!(connection.transport_action(), action);
        input.extend_from_slice(&[0xAA]);
        assert!(matches!(connection.receive(&mut input), Ok(None)));
        assert_eq!(connection.transport_action(), TransportAction::Close);
    }
}

#[test]
fn losing_the_transport_inside_the_last_frame_is_not_a_delivery() {
    for role in Role::BOTH {
        let whole = wire::frame(role, FIN | TEXT, "complete");
        let outcome = Scenario::new(role, &whole[..whole.len() - 1]).then_eof().run();
        assert_eq!(outcome.events, []);
    }
}
