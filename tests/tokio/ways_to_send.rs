//! The ways to send: `queue` writes nothing, `ready` and `feed` stay below the high-water mark, `send` and `flush` leave nothing.

use std::time::Duration;

use tidewire::{Config, Error, Prepared, SendError};
use tokio::time::timeout;

use support::tokio_stream::{Script, block_on};
use support::tokio_wire::{BINARY, Role, TEXT, frame};

/// The length of a server's frame with 10 bytes of payload.
const FRAME_LEN: usize = 12;

fn blocked() -> Config {
    Config::new().with_high_water_len(3 * FRAME_LEN).with_write_timeout(None)
}

#[test]
fn queue_writes_nothing_and_flush_writes_all() {
    for script in Script::ALL {
        let (mut socket, peer) = Role::Server.socket(Config::new(), script);
        socket.queue("0123456789").unwrap();
        socket.queue(b"0123456789").unwrap();
        assert_eq!((socket.queued_len(), peer.log().len()), (2 * FRAME_LEN, 0));
        block_on(socket.flush()).unwrap();
        assert_eq!(socket.queued_len(), 0);
        assert_eq!(
            Role::Server.frames(&peer.log()),
            [frame(TEXT, "0123456789"), frame(BINARY, "0123456789")]
        );
    }
}

#[test]
fn ready_waits_until_the_output_is_below_the_high_water_mark() {
    for script in [Script::SMOOTH, Script::SMOOTH.with_vectored(), Script::SMOOTH.with_pending()] {
        let (mut socket, peer) = Role::Server.socket(blocked(), script.with_capacity(5));
        block_on(async {
            for _ in 0..4 {
                socket.queue("0123456789").unwrap();
            }
            // 48 bytes are queued, 5 fit: 43 are left, and the mark is at 36.
            assert!(timeout(Duration::from_secs(60), socket.ready()).await.is_err());
            assert_eq!(socket.queued_len(), 43);
            peer.read();
            assert!(timeout(Duration::from_secs(60), socket.ready()).await.is_err());
            assert_eq!(socket.queued_len(), 38);
            peer.read();
            socket.ready().await.unwrap();
            assert_eq!(socket.queued_len(), 33);
        });
    }
}

#[test]
fn feed_queues_below_the_mark_and_waits_above_it() {
    let (mut socket, peer) = Role::Server.socket(blocked(), Script::SMOOTH.with_capacity(0));
    block_on(async {
        for _ in 0..3 {
            socket.feed("0123456789").await.unwrap();
        }
        assert_eq!((socket.queued_len(), peer.writes().len()), (3 * FRAME_LEN, 0));
        assert!(timeout(Duration::from_secs(60), socket.feed("0123456789")).await.is_err());
        assert_eq!(socket.queued_len(), 3 * FRAME_LEN, "a feed that was dropped queued nothing");
    });
}

#[test]
fn send_waits_until_the_peer_has_room_for_everything() {
    let (mut socket, peer) = Role::Server.socket(Config::new(), Script::SMOOTH.with_capacity(100));
    block_on(async {
        let reading = async {
            let mut received = Vec::new();
            while received.len() < 10_004 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                received.extend(peer.read());
            }
            received
        };
        let (sent, received) = tokio::join!(socket.send(vec![7; 10_000]), reading);
        sent.unwrap();
        assert_eq!(Role::Server.frames(&received), [frame(BINARY, vec![7; 10_000])]);
    });
    assert_eq!(socket.queued_len(), 0);
}

#[test]
fn recv_goes_on_reading_while_its_flush_is_blocked() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH.with_capacity(0));
        socket.queue("never read").unwrap();
        block_on(async {
            for _ in 0..5 {
                peer.send(role.frame(TEXT, "still here"));
                assert_eq!(socket.recv().await.unwrap(), Some("still here".into()));
            }
        });
        assert_eq!(peer.log(), []);
    }
}

#[test]
fn what_cannot_be_sent_is_refused_and_harms_nothing() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH);
        block_on(async {
            let long = [0; 126];
            assert!(matches!(socket.ping(&long).await, Err(Error::Send(SendError::PingTooLong))));
            socket.send_fragment("a", false).await.unwrap();
            assert!(matches!(socket.send("b").await, Err(Error::Send(SendError::UnfinishedMessage))));
            assert_eq!(socket.queue("b"), Err(SendError::UnfinishedMessage));
            let mixed = socket.send_fragment(b"b", true).await;
            assert!(matches!(mixed, Err(Error::Send(SendError::MixedFragments))));
            socket.queue_fragment("c", true).unwrap();
            socket.send("d").await.unwrap();
        });
        assert_eq!(role.frames(&peer.log()), [frame(0x01, "a"), frame(0x80, "c"), frame(TEXT, "d")]);
    }
}

#[test]
fn prepared_messages_are_sent_like_any_other() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH.with_vectored());
        let prepared = Prepared::new(vec![9; 5000]);
        socket.queue(&prepared).unwrap();
        block_on(socket.flush()).unwrap();
        assert_eq!(role.frames(&peer.log()), [frame(BINARY, vec![9; 5000])]);
    }
}

#[test]
fn nothing_is_sent_after_a_close_frame() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH);
        peer.send(role.close_frame(1000, ""));
        peer.end();
        block_on(async {
            assert_eq!(socket.recv().await.unwrap(), None);
            assert_eq!(socket.queue("late"), Err(SendError::Closed));
            for result in [socket.send("late").await, socket.feed("late").await, socket.ping(b"").await] {
                assert!(matches!(result, Err(Error::Send(SendError::Closed) | Error::Io(_))), "{result:?}");
            }
        });
        assert_eq!(role.frames(&peer.log()).len(), 1);
    }
}
