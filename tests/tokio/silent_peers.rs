//! Keepalive: pings by itself, gives a silent peer up, and keeps one that answers.

use std::time::Duration;

use tidewire::{Config, Error, Event, ProtocolError, TimedOut};
use tokio::time::{Instant, advance, sleep, timeout};

use support::tokio_stream::{Script, block_on};
use support::tokio_wire::{PING, PONG, Role, TEXT, frame};

const INTERVAL: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(15);

fn config() -> Config {
    Config::new().with_keepalive(INTERVAL, TIMEOUT)
}

#[test]
fn an_unanswered_ping_ends_the_connection() {
    for role in Role::BOTH {
        for script in [Script::SMOOTH, Script::BYTEWISE] {
            let (mut socket, peer) = role.socket(config(), script);
            block_on(async {
                let begun = Instant::now();
                assert!(timeout(INTERVAL - Duration::from_millis(1), socket.recv()).await.is_err());
                assert_eq!(peer.log(), [], "nothing is sent before it is time");
                for _ in 0..3 {
                    let received = socket.recv().await;
                    assert!(matches!(received, Err(Error::TimedOut(TimedOut::Keepalive))), "{received:?}");
                    assert_eq!(begun.elapsed(), INTERVAL + TIMEOUT, "{role:?}");
                }
            });
            let frames = role.frames(&peer.log());
            assert_eq!((frames.len(), frames[0].0), (1, PING), "{role:?}");
            assert_eq!(socket.ending().unwrap().code(), 1006);
        }
    }
}

#[test]
fn a_peer_that_answers_is_kept_for_hours() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(config(), Script::SMOOTH.with_steps(5, 3));
        block_on(async {
            let begun = Instant::now();
            let answering = async {
                let mut answered = 0;
                while begun.elapsed() < Duration::from_secs(3 * 3600) {
                    sleep(Duration::from_secs(1)).await;
                    for ping in role.frames(&peer.read()) {
                        assert_eq!(ping.0, PING);
                        peer.send(role.frame(PONG, ping.1));
                        answered += 1;
                    }
                }
                peer.send(role.close_frame(1000, ""));
                peer.end();
                answered
            };
            let (received, answered) = tokio::join!(socket.recv(), answering);
            assert_eq!(received.unwrap(), None, "{role:?}");
            assert_eq!(answered, 3 * 3600 / 20 - 1);
        });
        // The peer looks once a second.
        assert!(socket.round_trip_time().unwrap() <= Duration::from_secs(1));
    }
}

#[test]
fn any_frame_shows_life() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(config(), Script::SMOOTH);
        block_on(async {
            let talking = async {
                for _ in 0..100 {
                    sleep(TIMEOUT - Duration::from_secs(1)).await;
                    peer.send(role.frame(TEXT, "alive"));
                }
                peer.end();
            };
            let receiving = async {
                let mut count = 0;
                loop {
                    match socket.recv().await {
                        Ok(Some(_)) => count += 1,
                        Err(Error::Protocol(ProtocolError::UnexpectedEof)) => break count,
                        other => panic!("{other:?}"),
                    }
                }
            };
            let (count, ()) = tokio::join!(receiving, talking);
            assert_eq!(count, 100, "{role:?}");
        });
    }
}

#[test]
fn a_dribble_of_one_byte_per_second_is_no_life() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(config(), Script::SMOOTH);
        let message = role.frame(TEXT, "x".repeat(5000));
        block_on(async {
            let begun = Instant::now();
            let dribbling = async {
                for byte in message {
                    sleep(Duration::from_secs(1)).await;
                    peer.send([byte]);
                }
            };
            tokio::select! {
                received = socket.recv() => {
                    assert!(matches!(received, Err(Error::TimedOut(TimedOut::Keepalive))), "{received:?}");
                }
                () = dribbling => panic!("{role:?}: the whole dribble was received"),
            }
            assert_eq!(begun.elapsed(), INTERVAL + TIMEOUT, "{role:?}");
        });
    }
}

#[test]
fn a_large_message_that_makes_progress_is_life() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(config(), Script::SMOOTH);
        let message = role.frame(TEXT, "x".repeat(50_000));
        block_on(async {
            let trickling = async {
                for part in message.chunks(200) {
                    sleep(Duration::from_secs(1)).await;
                    peer.send(part);
                }
            };
            let (received, ()) = tokio::join!(socket.recv(), trickling);
            assert_eq!(received.unwrap().unwrap().len(), 50_000, "{role:?}");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_task_does_not_take_its_own_delay_for_the_peers() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(config(), Script::SMOOTH);
        // The ping goes out, and the pong arrives at once.
        assert!(timeout(INTERVAL, socket.recv()).await.is_err());
        assert!(timeout(Duration::from_millis(10), socket.recv()).await.is_err());
        let ping = role.frames(&peer.read()).remove(0);
        peer.send(role.frame(PONG, ping.1));
        // But the task does something else until long after the deadline.
        advance(10 * (INTERVAL + TIMEOUT)).await;
        let event = socket.recv_ref().await.unwrap();
        assert!(matches!(event, Some((Event::Pong(_), _))), "{role:?}: {event:?}");
        // And life goes on, with the next ping at once.
        peer.send(role.frame(TEXT, "still here"));
        assert_eq!(socket.recv().await.unwrap(), Some("still here".into()));
        assert!(timeout(Duration::from_millis(10), socket.recv()).await.is_err());
        assert_eq!(role.frames(&peer.read())[0].0, PING, "{role:?}");
    }
}

#[test]
fn no_keepalive_means_no_pings_and_no_end() {
    for role in Role::BOTH {
        let config = Config::new().without_keepalive();
        let (mut socket, peer) = role.socket(config, Script::SMOOTH);
        block_on(async {
            assert!(timeout(Duration::from_secs(24 * 3600), socket.recv()).await.is_err());
            peer.send(role.frame(TEXT, "good morning"));
            assert_eq!(socket.recv().await.unwrap(), Some("good morning".into()));
        });
        assert_eq!(peer.log(), []);
    }
}

#[test]
fn the_reader_of_a_split_socket_keeps_alive_and_gives_up() {
    for role in Role::BOTH {
        let (socket, peer) = role.socket(config(), Script::BYTEWISE);
        let (mut reader, writer) = socket.split();
        block_on(async {
            writer.send("hello").await.unwrap();
            let begun = Instant::now();
            let received = reader.recv().await;
            assert!(matches!(received, Err(Error::TimedOut(TimedOut::Keepalive))), "{received:?}");
            assert_eq!(begun.elapsed(), INTERVAL + TIMEOUT);
            assert!(matches!(writer.send("anybody?").await, Err(Error::TimedOut(TimedOut::Keepalive))));
        });
        let frames = role.frames(&peer.log());
        assert_eq!((&frames[0], frames[1].0, frames.len()), (&frame(TEXT, "hello"), PING, 2), "{role:?}");
    }
}
