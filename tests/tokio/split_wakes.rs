//! What does not concern a half does not wake it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tidewire::{CloseCode, Config, SendError};

use support::tokio_stream::Script;
use support::tokio_wire::Role;

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

/// Without any deadline.
fn untimed() -> Config {
    Config::new().without_keepalive().with_write_timeout(None).with_close_timeout(None)
}

#[test]
fn a_writer_that_has_nothing_new_wakes_nobody() {
    for role in Role::BOTH {
        for (closes, capacity) in [(false, 0), (true, 0), (true, usize::MAX)] {
            let (socket, _peer) = role.socket(untimed(), Script::SMOOTH.with_capacity(capacity));
            let (mut reader, writer) = socket.split();
            let count = Arc::<Count>::default();
            let waker = Waker::from(Arc::clone(&count));
            let mut cx = Context::from_waker(&waker);
            assert!(reader.poll_recv(&mut cx).is_pending());
            writer.queue("first").unwrap();
            if closes {
                writer.queue_close(CloseCode::NORMAL);
            }
            assert!(count.take() > 0, "{role:?}: there is something to write");
            assert!(reader.poll_recv(&mut cx).is_pending());
            count.take();
            // It is told already, or there is nothing to tell.
            for _ in 0..3 {
                if closes {
                    assert_eq!(writer.queue("late"), Err(SendError::Closed));
                    writer.queue_close(CloseCode::GOING_AWAY);
                } else {
                    writer.queue("second").unwrap();
                }
                let _other = writer.clone();
                let is_blocked = capacity == 0;
                let polled = pin!(writer.flush()).poll(&mut Context::from_waker(Waker::noop()));
                assert_eq!(matches!(polled, Poll::Pending), is_blocked, "{role:?}");
                assert!(reader.poll_recv(&mut cx).is_pending() && count.take() == 0, "{role:?}, {closes}");
            }
        }
    }
}

#[test]
fn a_reader_that_has_nothing_new_wakes_no_writer() {
    for role in Role::BOTH {
        let (socket, peer) = role.socket(untimed(), Script::SMOOTH.with_capacity(5));
        let (mut reader, writer) = socket.split();
        let count = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&count));
        let mut flushing = pin!(writer.send([7; 100]));
        assert!(flushing.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            assert!(reader.poll_recv(&mut cx).is_pending());
            assert_eq!(count.take(), 0, "{role:?}");
        }
        // Room concerns it.
        peer.read();
        assert!(count.take() > 0, "{role:?}");
    }
}
