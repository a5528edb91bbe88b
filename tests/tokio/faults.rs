//! Whatever goes wrong, and whenever: a documented error, nothing sent twice or after a gap, and what had been received is delivered.

use std::io::ErrorKind;

use tidewire::{Config, Error, ProtocolError};

use support::tokio_scenarios::{Upset, play_all};
use support::tokio_stream::{Fault, Script, block_on};
use support::tokio_wire::{Role, TEXT};

#[test]
fn a_fault_at_the_nth_operation_is_an_error_and_loses_nothing_that_had_arrived() {
    let faults: [(Fault, &[ErrorKind]); 4] = [
        (Fault::Error, &[ErrorKind::ConnectionReset]),
        (Fault::Reset, &[ErrorKind::ConnectionReset]),
        (Fault::WriteZero, &[ErrorKind::WriteZero]),
        (Fault::Eof, &[]),
    ];
    for (fault, kinds) in faults {
        play_all(
            |n| Upset::Fault(n, fault),
            |scenario, outcome, whole| outcome.assert_failed(scenario, whole, kinds, fault == Fault::Eof),
        );
    }
}

#[test]
fn a_future_dropped_at_its_nth_pending_makes_no_difference() {
    play_all(Upset::Dropped, |scenario, outcome, whole| outcome.assert_same(scenario, whole));
}

#[test]
fn a_program_that_is_given_up_has_sent_whole_frames_up_to_the_last() {
    play_all(Upset::Abandoned, |_, outcome, whole| outcome.assert_start(whole));
}

#[test]
fn after_a_failed_write_nothing_is_written_and_the_peers_last_words_are_heard() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH.with_fault(1, Fault::Error));
        block_on(async {
            let sent = socket.send("lost").await;
            assert!(matches!(sent, Err(Error::Io(_))));
            let _ = socket.queue("lost as well");
            peer.send([role.frame(TEXT, "why"), role.close_frame(1008, "rude")].concat());
            peer.end();
            assert_eq!(socket.recv().await.unwrap(), Some("why".into()));
            let ended = socket.recv().await;
            assert!(matches!(ended, Err(Error::ClosedByPeer(_))), "{ended:?}");
        });
        assert_eq!(socket.ending().unwrap().code(), 1008);
        assert_eq!(peer.log(), []);
    }
}

#[test]
fn a_violation_after_a_failed_write_ends_the_connection() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH.with_fault(1, Fault::Error));
        peer.send(role.frame(0x83, "reserved"));
        peer.end();
        block_on(async {
            assert!(socket.send("lost").await.is_err());
            let received = socket.recv().await;
            assert!(
                matches!(received, Err(Error::Protocol(ProtocolError::ReservedOpCode(3)))),
                "{received:?}"
            );
        });
        assert_eq!(peer.log(), [], "nothing follows what failed");
    }
}

#[test]
fn a_peer_that_is_silent_after_a_failed_write_did_not_close() {
    for role in Role::BOTH {
        let config = Config::new();
        for closes in [false, true] {
            let (mut socket, _peer) = role.socket(config, Script::SMOOTH.with_fault(1, Fault::Error));
            block_on(async {
                assert!(socket.send("lost").await.is_err());
                for _ in 0..3 {
                    let ended = if closes { socket.close(None).await } else { socket.recv().await.map(drop) };
                    assert!(matches!(ended, Err(Error::Io(_) | Error::TimedOut(_))), "{role:?}: {ended:?}");
                }
            });
        }
    }
}

#[test]
fn an_error_of_the_read_is_returned_again() {
    for role in Role::BOTH {
        // The first operation of `recv` is a read.
        let (mut socket, _peer) = role.socket(Config::new(), Script::SMOOTH.with_fault(1, Fault::Error));
        block_on(async {
            for _ in 0..3 {
                match socket.recv().await {
                    Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
                    other => panic!("{role:?}: {other:?}"),
                }
            }
        });
    }
}
