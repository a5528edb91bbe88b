//! Over a stream that holds back what is written: what `ready` leaves there, and what a flush takes along.

use tidewire::Config;

use support::tokio_stream::{Script, block_on};
use support::tokio_wire::{BINARY, Role, TEXT, frame};

fn config() -> Config {
    Config::new().with_high_water_len(64)
}

#[test]
fn ready_makes_room_and_flushes_nothing() {
    for role in Role::BOTH {
        for is_split in [false, true] {
            let (mut socket, peer) = role.socket(config(), Script::SMOOTH.with_steps(100, 10).holding_back());
            let message = [7; 100];
            socket.queue(message).unwrap();
            assert!(!socket.is_ready());
            block_on(async {
                if is_split {
                    let (_reader, writer) = socket.split();
                    while !writer.is_ready() {
                        writer.ready().await.unwrap();
                    }
                    assert!(peer.written_len() > 0);
                    assert_eq!(peer.log(), [], "{role:?}");
                    writer.flush().await.unwrap();
                } else {
                    socket.ready().await.unwrap();
                    assert!(socket.is_ready() && socket.queued_len() > 0);
                    assert!(peer.written_len() > 0);
                    assert_eq!(peer.log(), [], "{role:?}");
                    socket.flush().await.unwrap();
                }
            });
            assert_eq!(role.frames(&peer.log()), [frame(BINARY, message)]);
        }
    }
}

#[test]
fn what_ready_has_written_is_flushed_when_nothing_is_queued_any_more() {
    for role in Role::BOTH {
        for receives in [false, true] {
            // One write takes everything.
            let (mut socket, peer) = role.socket(config(), Script::SMOOTH.holding_back());
            socket.queue([7; 100]).unwrap();
            block_on(async {
                socket.ready().await.unwrap();
                assert_eq!((socket.queued_len(), peer.log()), (0, Vec::new()), "{role:?}");
                if receives {
                    peer.send(role.frame(TEXT, "Hello"));
                    assert_eq!(socket.recv().await.unwrap(), Some("Hello".into()));
                } else {
                    socket.flush().await.unwrap();
                }
            });
            assert_eq!(role.frames(&peer.log()), [frame(BINARY, [7; 100])], "{role:?}, {receives}");
        }
    }
}
