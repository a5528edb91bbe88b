//! After a violation the peer learns why: the Close frame goes out, then the end, and what still arrives is read for a while.

use std::time::Duration;

use tidewire::{Config, Error, ProtocolError, State};
use tokio::time::{Instant, sleep};

use support::tokio_stream::{Script, block_on};
use support::tokio_wire::{CLOSE, Role, TEXT, frame};

const CLOSING: Duration = Duration::from_secs(4);

fn config() -> Config {
    Config::new().with_close_timeout(CLOSING)
}

#[test]
fn every_violation_is_told_and_then_returned_for_ever() {
    let long = vec![b'x'; 126];
    for role in Role::BOTH {
        for script in Script::ALL {
            let cases: [(Vec<u8>, ProtocolError, u16); 6] = [
                (role.frame(0x83, "?"), ProtocolError::ReservedOpCode(3), 1002),
                (role.frame(0xC1, "?"), ProtocolError::ReservedBit(1), 1002),
                (role.frame(0x89, &long), ProtocolError::ControlFrameTooLong, 1002),
                (role.frame(0x80, "?"), ProtocolError::UnexpectedContinuation, 1002),
                (role.frame(TEXT, b"\xff"), ProtocolError::InvalidUtf8, 1007),
                (
                    role.frame(TEXT, vec![b'x'; 1001]),
                    ProtocolError::FrameTooLong { len: 1001, max: 1000 },
                    1009,
                ),
            ];
            for (violation, error, code) in cases {
                let (mut socket, peer) = role.socket(config().with_max_frame_len(1000), script);
                peer.send(role.frame(TEXT, "fine"));
                peer.send(violation);
                block_on(async {
                    let hearing = async {
                        peer.shut().await;
                        peer.end();
                    };
                    assert_eq!(socket.recv().await.unwrap(), Some("fine".into()));
                    socket.queue("queued").unwrap();
                    let begun = Instant::now();
                    let (received, ()) = tokio::join!(socket.recv(), hearing);
                    assert_eq!(begun.elapsed(), Duration::ZERO);
                    for received in [received, socket.recv().await, socket.close(None).await.map(|()| None)] {
                        match received {
                            Err(Error::Protocol(received)) => assert_eq!(received, error),
                            other => panic!("{role:?} {error}: {other:?}"),
                        }
                    }
                });
                let frames = role.frames(&peer.log());
                assert_eq!(frames[0], frame(TEXT, "queued"));
                assert_eq!(
                    (frames[1].0, &frames[1].1[..2]),
                    (CLOSE, &code.to_be_bytes()[..]),
                    "{role:?} {error}"
                );
                assert_eq!((frames.len(), socket.state()), (2, State::Closed));
            }
        }
    }
}

#[test]
fn what_arrives_after_a_violation_is_read_until_the_peer_has_ended() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(config(), Script::SMOOTH);
        peer.send(role.frame(0x83, "?"));
        block_on(async {
            let talking = async {
                for _ in 0..3 {
                    peer.send(vec![0; 300_000]);
                    sleep(Duration::from_secs(1)).await;
                }
                assert!(peer.is_shut(), "{role:?}");
                peer.end();
            };
            let begun = Instant::now();
            let (received, ()) = tokio::join!(socket.recv(), talking);
            assert!(matches!(received, Err(Error::Protocol(ProtocolError::ReservedOpCode(3)))));
            assert_eq!(begun.elapsed(), Duration::from_secs(3));
        });
        assert!(peer.read_len() > 900_000, "{role:?}");
    }
}

#[test]
fn no_more_than_a_mebibyte_is_read_after_a_violation() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(config(), Script::SMOOTH);
        peer.send(role.frame(0x83, "?"));
        peer.send(vec![0; 5 << 20]);
        block_on(async {
            let begun = Instant::now();
            let received = socket.recv().await;
            assert!(matches!(received, Err(Error::Protocol(ProtocolError::ReservedOpCode(3)))));
            assert_eq!(begun.elapsed(), Duration::ZERO, "{role:?}");
        });
        assert!((1 << 20..=(1 << 20) + (192 << 10)).contains(&peer.read_len()), "{}", peer.read_len());
    }
}

#[test]
fn no_longer_than_the_close_timeout_is_read_after_a_violation() {
    for role in Role::BOTH {
        // Silence, and a dribble that never ends.
        for dribble in [false, true] {
            let (mut socket, peer) = role.socket(config(), Script::SMOOTH);
            peer.send(role.frame(0x83, "?"));
            block_on(async {
                let begun = Instant::now();
                let dribbling = async {
                    loop {
                        sleep(Duration::from_millis(300)).await;
                        if dribble {
                            peer.send("x");
                        }
                    }
                };
                tokio::select! {
                    received = socket.recv() => {
                        assert!(matches!(received, Err(Error::Protocol(ProtocolError::ReservedOpCode(3)))));
                    }
                    () = dribbling => {}
                }
                assert_eq!(begun.elapsed(), CLOSING, "{role:?}");
            });
        }
    }
}

#[test]
fn a_violation_of_a_peer_that_never_reads_ends_after_the_write_timeout() {
    for role in Role::BOTH {
        let config = config().with_write_timeout(Duration::from_secs(9));
        let (mut socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(3));
        peer.send(role.frame(0x83, "?"));
        block_on(async {
            let begun = Instant::now();
            let received = socket.recv().await;
            assert!(
                matches!(received, Err(Error::Protocol(ProtocolError::ReservedOpCode(3)))),
                "{received:?}"
            );
            assert!(begun.elapsed() <= Duration::from_secs(9), "{role:?}");
        });
    }
}

#[test]
fn the_writer_of_a_split_socket_hears_of_a_violation() {
    for role in Role::BOTH {
        let (socket, peer) = role.socket(config(), Script::SMOOTH);
        let (mut reader, writer) = socket.split();
        peer.send(role.frame(0x83, "?"));
        block_on(async {
            let received = reader.recv().await;
            assert!(matches!(received, Err(Error::Protocol(ProtocolError::ReservedOpCode(3)))));
            assert!(writer.send("too late").await.is_err());
        });
        assert_eq!(role.frames(&peer.log()).len(), 1);
    }
}
