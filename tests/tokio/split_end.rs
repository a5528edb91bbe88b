//! How the halves end: together.

use std::time::Duration;

use tidewire::{CloseCode, Config, Error, Event, ProtocolError, SendError, State, TimedOut};
use tokio::time::{Instant, sleep};

use support::tokio_stream::{Script, block_on};
use support::tokio_wire::{CLOSE, PING, PONG, Role, TEXT, close_body, frame};

/// Without keepalive.
fn quiet() -> Config {
    Config::new().without_keepalive()
}

#[test]
fn close_of_the_writer_ends_the_reader_after_the_peers_answer() {
    for role in Role::BOTH {
        for script in Script::ALL {
            let (socket, peer) = role.socket(quiet(), script);
            let (mut reader, writer) = socket.split();
            block_on(async {
                let reading = async {
                    assert_eq!(reader.recv().await.unwrap(), Some("under way".into()));
                    assert_eq!(reader.recv().await.unwrap(), None);
                    reader
                };
                let closing = async {
                    sleep(Duration::from_secs(100)).await;
                    writer.close(CloseCode::GOING_AWAY).await.unwrap();
                    assert!(matches!(writer.send("late").await, Err(Error::Send(SendError::Closed))));
                    sleep(Duration::from_secs(5)).await;
                    peer.send([role.frame(TEXT, "under way"), role.close_frame(1001, "")].concat());
                    peer.end();
                };
                let (reader, ()) = tokio::join!(reading, closing);
                assert_eq!(reader.state(), State::Closed);
                assert!(reader.ending().unwrap().is_clean());
            });
            assert_eq!(role.frames(&peer.log()), [frame(CLOSE, close_body(1001, ""))]);
        }
    }
}

#[test]
fn close_of_the_writer_arms_the_deadline_of_a_reader_that_waits() {
    for role in Role::BOTH {
        for script in [Script::SMOOTH, Script::BYTEWISE] {
            let config = quiet().with_close_timeout(Duration::from_secs(4));
            let (socket, _peer) = role.socket(config, script);
            let (mut reader, writer) = socket.split();
            block_on(async {
                let begun = Instant::now();
                let closing = async {
                    sleep(Duration::from_secs(100)).await;
                    writer.close(None).await
                };
                let (received, closed) = tokio::join!(reader.recv(), closing);
                closed.unwrap();
                assert!(matches!(received, Err(Error::TimedOut(TimedOut::Close))), "{received:?}");
                assert_eq!(begun.elapsed(), Duration::from_secs(104), "{role:?}");
            });
        }
    }
}

#[test]
fn a_close_that_is_dropped_while_it_waits_is_finished_by_the_reader() {
    for role in Role::BOTH {
        let config = quiet().with_close_timeout(Duration::from_secs(4));
        let (socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(1));
        let (mut reader, writer) = socket.split();
        block_on(async {
            let closing = async {
                let closed =
                    tokio::time::timeout(Duration::from_secs(1), writer.close(CloseCode::NORMAL)).await;
                assert!(closed.is_err());
                let mut written = Vec::new();
                for _ in 0..20 {
                    written.extend(peer.read());
                    sleep(Duration::from_millis(1)).await;
                }
                assert_eq!(role.frames(&written), [frame(CLOSE, close_body(1000, ""))], "{role:?}");
            };
            let (received, ()) = tokio::join!(reader.recv(), closing);
            assert!(matches!(received, Err(Error::TimedOut(TimedOut::Close))), "{received:?}");
        });
    }
}

#[test]
fn dropping_the_writer_closes_nothing() {
    for role in Role::BOTH {
        let (socket, peer) = role.socket(quiet(), Script::BYTEWISE);
        let (mut reader, writer) = socket.split();
        writer.queue("queued").unwrap();
        drop(writer);
        block_on(async {
            peer.send([role.frame(TEXT, "one"), role.frame(PING, "?"), role.frame(TEXT, "two")].concat());
            assert_eq!(reader.recv().await.unwrap(), Some("one".into()));
            assert_eq!(reader.recv().await.unwrap(), Some("two".into()));
            let later = async {
                sleep(Duration::from_secs(1000)).await;
                assert!(!peer.is_shut());
                peer.send(role.frame(TEXT, "three"));
            };
            let (received, ()) = tokio::join!(reader.recv(), later);
            assert_eq!(received.unwrap(), Some("three".into()));
        });
        assert_eq!(role.frames(&peer.log()), [frame(TEXT, "queued"), frame(PONG, "?")]);
        drop(reader);
        assert!(peer.is_shut(), "without either half the stream is gone");
    }
}

#[test]
fn dropping_the_reader_ends_the_connection_and_wakes_the_writers() {
    for role in Role::BOTH {
        let (socket, peer) = role.socket(quiet(), Script::SMOOTH.with_capacity(5));
        let (reader, writer) = socket.split();
        block_on(async {
            let other = writer.clone();
            let tasks = [writer.send(vec![0; 100_000]), other.send(vec![1; 100_000])].map(Box::pin);
            let [first, second] = tasks;
            let dropping = async {
                sleep(Duration::from_secs(1)).await;
                drop(reader);
            };
            let (first, second, ()) = tokio::join!(first, second, dropping);
            for result in [first, second, writer.ready().await, writer.flush().await, writer.ping(b"").await]
            {
                assert!(matches!(result, Err(Error::Send(SendError::Closed))), "{role:?}: {result:?}");
            }
            assert_eq!(writer.queue("late"), Err(SendError::Closed));
            assert_eq!((writer.queued_len(), writer.state()), (0, State::Closed));
        });
        assert!(peer.is_shut(), "the stream is gone");
    }
}

#[test]
fn the_end_of_the_connection_wakes_a_blocked_writer() {
    for role in Role::BOTH {
        // The stream ends, the peer closes, or it breaks the protocol.
        let ends: [(Vec<u8>, bool); 3] =
            [(Vec::new(), true), (role.close_frame(1000, ""), false), (role.frame(0x83, "?"), false)];
        for (bytes, eof) in ends {
            let (socket, peer) = role.socket(quiet(), Script::SMOOTH.with_capacity(5));
            let (mut reader, writer) = socket.split();
            block_on(async {
                let ending = async {
                    sleep(Duration::from_secs(1)).await;
                    peer.send(&bytes);
                    if eof {
                        peer.end();
                    }
                };
                let reading = async { while let Ok(Some(_)) = reader.recv().await {} };
                let (sent, (), ()) = tokio::join!(writer.send(vec![0; 100_000]), reading, ending);
                for result in [sent, writer.ready().await, writer.flush().await] {
                    // A write that was still possible when the peer closed may have timed out since.
                    let is_end = matches!(
                        result,
                        Err(Error::Send(SendError::Closed) | Error::TimedOut(TimedOut::Write))
                    );
                    assert!(is_end, "{role:?}: {result:?}");
                }
            });
        }
    }
}

#[test]
fn a_blocked_writer_learns_with_which_code_the_peer_has_closed() {
    for role in Role::BOTH {
        let (socket, peer) = role.socket(quiet(), Script::SMOOTH.with_capacity(5));
        let (mut reader, writer) = socket.split();
        block_on(async {
            let ending = async {
                sleep(Duration::from_secs(1)).await;
                peer.send(role.close_frame(1008, "why"));
                peer.end();
            };
            let (sent, received, ()) = tokio::join!(writer.send(vec![0; 100_000]), reader.recv(), ending);
            for result in [received.map(drop), sent, writer.ready().await, writer.flush().await] {
                let Err(Error::ClosedByPeer(frame)) = &result else { panic!("{role:?}: {result:?}") };
                assert_eq!((frame.code(), frame.reason()), (CloseCode::POLICY_VIOLATION, "why"));
            }
        });
    }
}

#[test]
fn the_write_timeout_of_the_reader_wakes_a_blocked_writer() {
    for role in Role::BOTH {
        let config = quiet().with_write_timeout(Duration::from_secs(9));
        let (socket, _peer) = role.socket(config, Script::SMOOTH.with_capacity(5));
        let (mut reader, writer) = socket.split();
        block_on(async {
            let begun = Instant::now();
            let writing = async {
                sleep(Duration::from_secs(50)).await;
                writer.send(vec![0; 100_000]).await
            };
            let (received, sent) = tokio::join!(reader.recv(), writing);
            assert!(matches!(received, Err(Error::TimedOut(TimedOut::Write))), "{received:?}");
            assert!(matches!(sent, Err(Error::TimedOut(TimedOut::Write))), "{sent:?}");
            assert_eq!(begun.elapsed(), Duration::from_secs(59), "{role:?}");
        });
    }
}

#[test]
fn the_round_trip_of_the_writers_ping_is_measured_by_the_reader() {
    for role in Role::BOTH {
        let (socket, peer) = role.socket(quiet(), Script::SMOOTH);
        let (mut reader, writer) = socket.split();
        block_on(async {
            let pinging = async {
                sleep(Duration::from_secs(1)).await;
                writer.ping(b"?").await.unwrap();
                sleep(Duration::from_secs(3)).await;
                peer.send(role.frame(PONG, "?"));
            };
            let (event, ()) = tokio::join!(reader.recv_ref(), pinging);
            assert!(matches!(event, Ok(Some(Event::Pong(b"?")))), "{event:?}");
        });
        let round_trip_time = reader.round_trip_time();
        assert_eq!(round_trip_time, Some(Duration::from_secs(3)), "{role:?}");
    }
}

#[test]
fn an_end_without_a_close_frame_is_the_readers_error() {
    for role in Role::BOTH {
        let (socket, peer) = role.socket(quiet(), Script::SMOOTH);
        let (mut reader, writer) = socket.split();
        peer.end();
        block_on(async {
            for _ in 0..3 {
                let received = reader.recv().await;
                assert!(matches!(received, Err(Error::Protocol(ProtocolError::UnexpectedEof))));
            }
            assert!(matches!(writer.flush().await, Err(Error::Send(SendError::Closed))));
        });
        assert_eq!(peer.log(), []);
    }
}
