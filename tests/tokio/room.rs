//! Whatever sends waits for room first, and a flush by hand takes what has been queued since the last one.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Waker};

use tidewire::Config;

use support::tokio_stream::{Script, block_on};
use support::tokio_wire::{BINARY, Role, TEXT, frame};

type Sending<'s> = Pin<Box<dyn Future<Output = Result<(), tidewire::Error>> + 's>>;

#[test]
fn whatever_sends_queues_nothing_until_there_is_room() {
    for role in Role::BOTH {
        let config = Config::new().with_high_water_len(64);
        let open = || {
            let (mut socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(5));
            socket.queue([7; 100]).unwrap();
            (socket, peer)
        };
        let mut cx = Context::from_waker(Waker::noop());
        block_on(async {
            for n in 0..4 {
                let (mut socket, _peer) = open();
                let before = socket.queued_len() - 5;
                let mut sending: Sending<'_> = match n {
                    0 => Box::pin(socket.feed("more")),
                    1 => Box::pin(socket.send("more")),
                    2 => Box::pin(socket.send_fragment("more", false)),
                    _ => Box::pin(socket.ping(b"more")),
                };
                assert!(sending.as_mut().poll(&mut cx).is_pending());
                drop(sending);
                assert_eq!(socket.queued_len(), before, "{role:?}, {n}");

                let (socket, _peer) = open();
                let (_reader, writer) = socket.split();
                let mut sending: Sending<'_> = match n {
                    0 => Box::pin(writer.feed("more")),
                    1 => Box::pin(writer.send("more")),
                    2 => Box::pin(writer.send_fragment("more", false)),
                    _ => Box::pin(writer.ping(b"more")),
                };
                assert!(sending.as_mut().poll(&mut cx).is_pending());
                assert_eq!(writer.queued_len(), before, "{role:?}, {n}");
            }
        });
    }
}

#[test]
fn a_second_flush_by_hand_writes_what_was_queued_after_the_first() {
    for role in Role::BOTH {
        let (socket, peer) = role.socket(Config::new(), Script::SMOOTH.with_pending());
        let (_reader, mut writer) = socket.split();
        block_on(async {
            for _ in 0..3 {
                writer.queue("next").unwrap();
                poll_fn(|cx| writer.poll_flush(cx)).await.unwrap();
                assert_eq!(writer.queued_len(), 0, "{role:?}");
            }
            writer.queue(b"last").unwrap();
            poll_fn(|cx| writer.poll_flush(cx)).await.unwrap();
        });
        let next = frame(TEXT, "next");
        assert_eq!(role.frames(&peer.log()), [next.clone(), next.clone(), next, frame(BINARY, "last")]);
    }
}
