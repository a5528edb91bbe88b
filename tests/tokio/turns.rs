//! How long a turn is: a socket that waits has a whole one before it, and one that never waits has its end after 128 events.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tidewire::{Config, Error, Message};

use support::tokio_stream::{Script, block_on, once};
use support::tokio_wire::{BINARY, Role, TEXT};

type Received = Result<Option<Message>, Error>;

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

#[test]
fn what_comes_one_at_a_time_never_ends_a_turn() {
    for role in Role::BOTH {
        for is_split in [false, true] {
            let (mut socket, peer) = role.socket(Config::new().without_keepalive(), Script::SMOOTH);
            let count = Arc::<Count>::default();
            let waker = Waker::from(Arc::clone(&count));
            let mut cx = Context::from_waker(&waker);
            let mut step = |poll: &mut dyn FnMut(&mut Context<'_>) -> Poll<Received>| {
                // It waits for what comes, and not for its next turn.
                assert!(poll(&mut cx).is_pending() && count.take() == 0, "{role:?}, {is_split}");
                peer.send(role.frame(TEXT, "Hello"));
                assert!(count.take() > 0);
                let polled = poll(&mut cx);
                assert!(matches!(polled, Poll::Ready(Ok(Some(message))) if message == "Hello"));
            };
            if is_split {
                let (mut reader, _writer) = socket.split();
                (0..300).for_each(|_| step(&mut |cx| reader.poll_recv(cx)));
            } else {
                (0..300).for_each(|_| step(&mut |cx| socket.poll_recv(cx)));
            }
        }
    }
}

#[test]
fn a_turn_ends_after_128_messages_of_one_read() {
    for role in Role::BOTH {
        for (first, len) in [(TEXT, 1), (BINARY, 1), (TEXT, 600), (BINARY, 600)] {
            for is_split in [false, true] {
                let (mut socket, peer) = role.socket(Config::new().without_keepalive(), Script::SMOOTH);
                peer.send(role.frame(first, vec![b'x'; len]).repeat(1000));
                let mut cx = Context::from_waker(Waker::noop());
                let count = if is_split {
                    let (mut reader, _writer) = socket.split();
                    (0..).take_while(|_| reader.poll_recv(&mut cx).is_ready()).count()
                } else {
                    (0..).take_while(|_| socket.poll_recv(&mut cx).is_ready()).count()
                };
                assert_eq!(count, 128, "{role:?}, {first:#x}, {len}, {is_split}");
            }
        }
    }
}

#[test]
fn messages_in_fragments_are_answered_with_one_write() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH);
        let message = [role.frame(0x01, "Hel"), role.frame(0x80, "lo")].concat();
        peer.send(message.repeat(10));
        block_on(async {
            for n in 0..20 {
                if n == 10 {
                    assert_eq!(peer.writes().len(), 0, "{role:?}");
                    assert!(once(socket.recv()).await.is_none());
                    assert_eq!(peer.writes().len(), 1, "{role:?}");
                    peer.send(message.repeat(10));
                }
                let message = socket.recv().await.unwrap().unwrap();
                socket.feed(message).await.unwrap();
            }
            assert_eq!(peer.writes().len(), 1, "{role:?}");
        });
    }
}
