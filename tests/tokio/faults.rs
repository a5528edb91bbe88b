//! Whatever fails, and whenever: a documented error, nothing sent twice or half, and what had been received is delivered.

use std::io::ErrorKind;
use std::time::Duration;

use tidewire::{CloseCode, Config, Error, Message, ProtocolError};

use crate::stream::{Fault, Script, block_on};
use crate::wire::{PING, Role, TEXT, split_frame};

const SCRIPTS: [Script; 4] = [
    Script::SMOOTH,
    Script::SMOOTH.with_pending().with_steps(30, 20).with_vectored(),
    Script::SMOOTH.with_steps(7, 5),
    Script::SMOOTH.with_steps(1, 1).with_vectored(),
];

const FAULTS: [Fault; 4] = [Fault::Error, Fault::Reset, Fault::WriteZero, Fault::Eof];

#[derive(Debug, Default)]
struct Outcome {
    received: Vec<Message>,
    /// The first error of the receiving methods, and of the sending ones.
    receive_error: Option<Error>,
    send_error: Option<Error>,
    written: Vec<u8>,
    /// How many messages the bytes that were read make.
    readable: usize,
    operations: usize,
}

/// Seven messages and three pings; the peer closes, or does not and ends.
fn incoming(role: Role, closes: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in 0..7_u8 {
        bytes.extend(role.frame(0x82, vec![n; 10 * usize::from(n)]));
        if n % 3 == 0 {
            bytes.extend(role.frame(PING, [n]));
        }
    }
    if closes {
        bytes.extend(role.close_frame(1000, ""));
    }
    bytes
}

/// Echoes every message; goes on receiving when sending has failed; at the end tries everything again.
fn echo(role: Role, script: Script, closes: bool) -> Outcome {
    let config = Config::new().with_high_water_len(64);
    let (mut socket, peer) = role.socket(config, script);
    peer.send(incoming(role, closes));
    peer.end();
    let mut outcome = Outcome::default();
    block_on(async {
        loop {
            match socket.recv().await {
                Ok(Some(message)) => {
                    outcome.received.push(message.clone());
                    if outcome.send_error.is_none() {
                        outcome.send_error = socket.send(message).await.err();
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    outcome.receive_error = Some(error);
                    break;
                }
            }
        }
        for _ in 0..3 {
            check_end(socket.recv().await.map(drop));
            check_end(socket.send("late").await);
            check_end(socket.feed("late").await);
            check_end(socket.ping(b"late").await);
            check_end(socket.flush().await);
            check_end(socket.close(CloseCode::NORMAL).await);
        }
    });
    outcome.operations = socket.get_ref().operations();
    outcome.written = peer.log();
    outcome.readable = count_messages(&incoming(role, closes)[..peer.read_len()]);
    outcome
}

/// At the end everything succeeds without effect or fails with a documented error.
fn check_end(result: Result<(), Error>) {
    let error = result.err();
    assert!(
        matches!(error, None | Some(Error::Io(_) | Error::Send(_) | Error::Protocol(_))),
        "not a documented error: {error:?}"
    );
}

fn count_messages(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Some((frame, _, rest)) = split_frame(bytes) {
        count += usize::from(frame.0 == 0x82);
        bytes = rest;
    }
    count
}

#[test]
fn a_fault_at_the_nth_operation_is_an_error_and_loses_nothing_that_had_arrived() {
    for role in Role::BOTH {
        for script in SCRIPTS {
            for closes in [true, false] {
                let whole = echo(role, script, closes);
                assert_eq!((whole.received.len(), whole.readable), (7, 7));
                for fault in FAULTS {
                    for n in 1..=whole.operations {
                        let context = format!("{role:?} {script:?} closes: {closes}, {fault:?} at {n}");
                        let outcome = echo(role, script.with_fault(n, fault), closes);
                        check(&outcome, &whole, fault, &context);
                    }
                }
            }
        }
    }
}

fn check(outcome: &Outcome, whole: &Outcome, fault: Fault, context: &str) {
    // Nothing is sent twice, out of order or after an error.
    assert!(whole.written.starts_with(&outcome.written), "{context}");
    // What arrived is delivered, as it was.
    assert_eq!(outcome.received.len(), outcome.readable, "{context}: {outcome:?}");
    assert_eq!(outcome.received, whole.received[..outcome.received.len()], "{context}");
    let kinds: &[ErrorKind] = match fault {
        Fault::Error | Fault::Reset => &[ErrorKind::ConnectionReset],
        Fault::WriteZero => &[ErrorKind::WriteZero],
        Fault::Eof => &[],
    };
    match &outcome.receive_error {
        None => {}
        Some(Error::Protocol(ProtocolError::UnexpectedEof)) => {}
        Some(Error::Io(error)) if kinds.contains(&error.kind()) => {}
        Some(error) => panic!("{context}: {error:?}"),
    }
    match &outcome.send_error {
        None => {}
        Some(Error::Io(error)) if kinds.contains(&error.kind()) => {}
        Some(error) => panic!("{context}: {error:?}"),
    }
}

#[test]
fn a_fault_during_close_is_an_error_or_the_end() {
    for role in Role::BOTH {
        for script in SCRIPTS {
            let run = |script| {
                let (mut socket, peer) = role.socket(Config::new(), script);
                peer.send([role.frame(TEXT, "late"), role.close_frame(1000, "")].concat());
                peer.end();
                socket.queue("last").unwrap();
                let closed = block_on(socket.close(CloseCode::NORMAL));
                check_end(block_on(socket.close(None)));
                assert!(socket.closed_with().is_some(), "{role:?} {script:?}");
                (closed, peer.log(), socket.get_ref().operations())
            };
            let (closed, written, operations) = run(script);
            closed.unwrap();
            for fault in FAULTS {
                for n in 1..=operations {
                    let (closed, part, _) = run(script.with_fault(n, fault));
                    assert!(written.starts_with(&part), "{role:?} {script:?} {fault:?} at {n}");
                    check_end(closed);
                }
            }
        }
    }
}

#[test]
fn a_fault_under_the_halves_reaches_both() {
    for role in Role::BOTH {
        for script in SCRIPTS {
            for fault in FAULTS {
                for n in 1..100 {
                    let (socket, peer) = role.socket(Config::new(), script.with_fault(n, fault));
                    let (mut reader, mut writer) = socket.split();
                    peer.send(incoming(role, false));
                    let writing = async {
                        while writer.send(&[1; 50]).await.is_ok() {
                            tokio::time::sleep(Duration::from_secs(1)).await;
                        }
                    };
                    let reading = async { while let Ok(Some(_)) = reader.recv().await {} };
                    let ending = async {
                        tokio::time::sleep(Duration::from_secs(30)).await;
                        peer.end();
                    };
                    block_on(async { tokio::join!(reading, writing, ending) });
                    role.whole_frames(&peer.log());
                }
            }
        }
    }
}

#[test]
fn after_a_failed_write_the_peers_last_words_are_heard() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH.with_fault(1, Fault::Error));
        block_on(async {
            let sent = socket.send("lost").await;
            assert!(matches!(sent, Err(Error::Io(_))));
            peer.send([role.frame(TEXT, "why"), role.close_frame(1008, "rude")].concat());
            peer.end();
            assert_eq!(socket.recv().await.unwrap(), Some("why".into()));
            assert_eq!(socket.recv().await.unwrap(), None);
        });
        assert_eq!(socket.closed_with().unwrap().code(), 1008);
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
    }
}

#[test]
fn a_peer_that_is_silent_after_a_failed_write_did_not_close() {
    for role in Role::BOTH {
        let config = Config::new().with_default_keepalive();
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
