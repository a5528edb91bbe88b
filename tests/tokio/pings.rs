//! Pings and pongs: the answer leaves before anybody hears of the ping, and the round trip is measured.

use std::time::Duration;

use tidewire::{Config, Event, SendError};
use tokio::task::spawn;
use tokio::time::{sleep, timeout};

use support::tokio_stream::{Script, block_on, once};
use support::tokio_wire::{BINARY, PING, PONG, Role, TEXT, frame};

#[test]
fn the_pong_has_left_when_the_ping_is_an_event() {
    for role in Role::BOTH {
        for script in [Script::SMOOTH, Script::SMOOTH.with_vectored(), Script::SMOOTH.with_steps(1, 1)] {
            let (mut socket, peer) = role.socket(Config::new(), script);
            peer.send(role.frame(PING, "Hello"));
            block_on(async {
                let event = socket.recv_ref().await.unwrap();
                assert!(matches!(event, Some((Event::Ping(b"Hello"), _))), "{role:?}: {event:?}");
            });
            assert_eq!(role.frames(&peer.log()), [frame(PONG, "Hello")], "{role:?} {script:?}");
        }
    }
}

#[test]
fn ten_pings_of_one_read_get_ten_pongs_in_order() {
    for role in Role::BOTH {
        for script in Script::ALL {
            let (mut socket, peer) = role.socket(Config::new(), script);
            for n in 0..10 {
                peer.send(role.frame(PING, [n]));
            }
            peer.send(role.frame(TEXT, "end"));
            block_on(async {
                assert_eq!(socket.recv().await.unwrap(), Some("end".into()));
                socket.flush().await.unwrap();
            });
            let pongs: Vec<_> = (0..10).map(|n| frame(PONG, [n])).collect();
            assert_eq!(role.frames(&peer.log()), pongs, "{role:?} {script:?}");
        }
    }
}

#[test]
fn a_pong_is_answered_while_a_message_waits_for_a_peer_that_does_not_read() {
    let role = Role::Server;
    let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH.with_capacity(4));
    socket.queue("0123456789").unwrap();
    peer.send(role.frame(PING, "?"));
    block_on(async {
        assert!(matches!(socket.recv_ref().await, Ok(Some((Event::Ping(b"?"), _)))));
        let mut received = peer.read();
        while received.len() < 12 + 3 {
            assert!(timeout(Duration::from_secs(1), socket.recv()).await.is_err());
            received.extend(peer.read());
        }
        assert_eq!(role.frames(&received), [frame(TEXT, "0123456789"), frame(PONG, "?")]);
    });
}

#[test]
fn a_ping_is_written_and_its_pong_is_an_event_with_a_round_trip_time() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH);
        block_on(async {
            socket.ping(b"are you there").await.unwrap();
            assert_eq!(role.frames(&peer.log()), [frame(PING, "are you there")]);
            assert_eq!(socket.round_trip_time(), None);
            let answering = async {
                sleep(Duration::from_secs(3)).await;
                peer.send(role.frame(PONG, "are you there"));
            };
            let (event, ()) = tokio::join!(socket.recv_ref(), answering);
            assert!(matches!(event, Ok(Some((Event::Pong(b"are you there"), _)))));
        });
        assert_eq!(socket.round_trip_time(), Some(Duration::from_secs(3)), "{role:?}");
    }
}

#[test]
fn the_round_trip_of_a_pong_that_waits_already_is_measured_too() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH);
        block_on(async {
            socket.ping(b"?").await.unwrap();
            sleep(Duration::from_secs(2)).await;
            peer.send(role.frame(PONG, "?"));
            assert!(matches!(socket.recv_ref().await, Ok(Some((Event::Pong(b"?"), _)))));
        });
        assert_eq!(socket.round_trip_time(), Some(Duration::from_secs(2)), "{role:?}");
    }
}

#[test]
fn a_pong_that_nobody_asked_for_is_an_event_without_a_round_trip() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::BYTEWISE);
        peer.send(role.frame(PONG, "unasked"));
        block_on(async {
            assert!(matches!(socket.recv_ref().await, Ok(Some((Event::Pong(b"unasked"), _)))));
        });
        assert_eq!((socket.round_trip_time(), peer.log().len()), (None, 0));
    }
}

#[test]
fn a_pong_that_was_held_back_leaves_with_the_rest_of_the_output() {
    for role in Role::BOTH {
        for is_split in [false, true] {
            let config = Config::new()
                .without_keepalive()
                .with_high_water_len(100)
                .with_write_timeout(Duration::from_secs(9));
            let (mut socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(1000));
            // Of this, 500 bytes wait for room when the ping comes, and all of them leave in one write.
            socket.queue([7; 1500]).unwrap();
            peer.send(role.frame(PING, "?"));
            let reading = async {
                sleep(Duration::from_secs(1)).await;
                peer.read();
                sleep(Duration::from_millis(1)).await;
                peer.read();
                assert_eq!(role.frames(&peer.log()).last(), Some(&frame(PONG, "?")), "{role:?}");
                // Nothing is owed any more.
                sleep(Duration::from_secs(20)).await;
                peer.send(role.frame(TEXT, "end"));
            };
            block_on(async {
                if is_split {
                    let (mut reader, _writer) = socket.split();
                    let receiving = spawn(async move { reader.recv().await });
                    reading.await;
                    assert_eq!(receiving.await.unwrap().unwrap(), Some("end".into()));
                } else {
                    let receiving = spawn(async move { socket.recv().await });
                    reading.await;
                    assert_eq!(receiving.await.unwrap().unwrap(), Some("end".into()));
                }
            });
        }
    }
}

#[test]
fn a_flush_writes_a_pong_that_was_held_back() {
    for role in Role::BOTH {
        let config = Config::new().with_high_water_len(100);
        let (mut socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(1000));
        socket.queue([7; 1500]).unwrap();
        peer.send(role.frame(PING, "?"));
        block_on(async {
            assert!(matches!(socket.recv_ref().await, Ok(Some((Event::Ping(b"?"), _)))));
            peer.read();
            socket.flush().await.unwrap();
        });
        assert_eq!(role.frames(&peer.log()).last(), Some(&frame(PONG, "?")), "{role:?}");
    }
}

#[test]
fn the_round_trip_begins_when_the_ping_is_written() {
    for role in Role::BOTH {
        let config = Config::new().without_keepalive().with_write_timeout(None);
        let (mut socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(3));
        block_on(async {
            // It waits for room behind nothing, and before a message.
            assert!(once(socket.ping(b"ping")).await.is_none());
            let ping_len = 3 + socket.queued_len();
            let reading = async {
                sleep(Duration::from_secs(7)).await;
                while peer.written_len() < ping_len {
                    peer.read();
                    sleep(Duration::ZERO).await;
                }
                sleep(Duration::from_secs(3)).await;
                peer.send(role.frame(PONG, "ping"));
                loop {
                    peer.read();
                    sleep(Duration::ZERO).await;
                }
            };
            tokio::select! {
                sent = socket.send([7; 100]) => sent.unwrap(),
                () = reading => {}
            }
            assert!(matches!(socket.recv_ref().await, Ok(Some((Event::Pong(b"ping"), _)))));
            assert!(once(socket.recv()).await.is_none());
        });
        let measured = socket.round_trip_time().unwrap();
        assert!(
            measured >= Duration::from_secs(3) && measured < Duration::from_millis(3100),
            "{role:?}: {measured:?}"
        );
    }
}

#[test]
fn a_ping_waits_for_room_as_a_message_does() {
    for role in Role::BOTH {
        for is_split in [false, true] {
            let config = Config::new().with_max_output_len(100).with_high_water_len(50);
            let (mut socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(40));
            socket.queue([0; 200]).unwrap();
            assert_eq!(socket.queue("more"), Err(SendError::OutputFull));
            let reading = async {
                let mut log = Vec::new();
                while log.len() < 200 {
                    sleep(Duration::from_millis(1)).await;
                    log.extend(peer.read());
                }
                log.extend(peer.read());
                log
            };
            let (pinged, mut log) = block_on(async {
                if is_split {
                    let (_reader, writer) = socket.split();
                    tokio::join!(writer.ping(b"?"), reading)
                } else {
                    tokio::join!(socket.ping(b"?"), reading)
                }
            });
            pinged.unwrap();
            log.extend(peer.read());
            assert_eq!(role.frames(&log), [frame(BINARY, [0; 200]), frame(PING, "?")], "{role:?}");
        }
    }
}
