//! Peers that keep an endpoint busy, and callers that are busy with something else.

use tidewire::{Config, TimedOut, TransportAction};

use support::chunked::Seen;
use support::clock::{Clocked, secs};
use support::wire::{self, Role};

#[test]
fn a_caller_that_was_busy_finds_the_pong_before_it_looks_at_the_deadline() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, Config::new().with_keepalive(secs(10), secs(4)));
        assert_eq!(it.at(10.0), Ok(()));
        let payload = it.write_ping();
        // The pong has lain in the socket since second 11, and now it is very late.
        let mut late = [wire::text(role, "one"), wire::pong(role, &payload)].concat();
        late.extend(wire::text(role, "two"));
        assert_eq!(it.receive(&late), [Seen::text("one"), Seen::pong(&payload), Seen::text("two")]);
        assert_eq!(it.at(1000.0), Ok(()));
        // Keepalive goes on with the next ping.
        it.write_ping();
        assert_eq!(it.deadline(), Some(1004.0));
        assert_eq!(it.at(1004.0), Err(TimedOut::Keepalive));
    }
}

#[test]
fn a_peer_that_pings_every_second_and_never_reads_is_given_up_in_time() {
    for role in Role::BOTH {
        // Its pings show life, so keepalive does not end it.
        let config = Config::new().with_keepalive(secs(10), secs(4)).with_write_timeout(secs(30));
        let mut it = Clocked::new(role, config);
        for second in 0..30 {
            assert_eq!(it.at(f64::from(second)), Ok(()));
            assert_eq!(it.receive(&wire::ping(role, "there?")), [Seen::ping("there?")]);
        }
        assert_eq!(it.at(30.0), Err(TimedOut::Write));
        assert_eq!(it.connection.transport_action(), TransportAction::Close);
    }
}

#[cfg(feature = "blocking")]
mod blocking {
    use core::time::Duration;

    use tidewire::blocking::WebSocket;
    use tidewire::{Config, Error, Event, Input, TimedOut};

    use support::blocking_stream::{Call, Scripted};
    use support::wire::{self, Role};

    const WRITE_TIMEOUT: Duration = Duration::from_millis(200);

    #[test]
    fn a_pong_that_finds_no_room_is_no_busy_loop() {
        for role in Role::BOTH {
            let stream = Scripted::new(wire::ping(role, "p").repeat(100)).without_end().with_room(0);
            let connection = role.connection(Config::new().with_write_timeout(WRITE_TIMEOUT));
            let mut socket = WebSocket::from_parts(stream.clone(), connection, Input::new());
            for _ in 0..100 {
                assert!(matches!(socket.recv_ref(), Ok(Some((Event::Ping(b"p"), _)))));
            }
            assert!(matches!(socket.recv_ref(), Err(Error::TimedOut(TimedOut::Write))));
            let state = stream.state();
            let tries = state.calls.iter().filter(|call| matches!(call, Call::Write | Call::Read)).count();
            // Each waits for 10 ms, and the two take turns.
            assert!(tries <= 60, "{role:?}: {tries}");
        }
    }
}

#[cfg(feature = "tokio")]
mod tokio {
    use core::future::Future;
    use core::pin::pin;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use core::task::{Context, Poll, Waker};
    use std::sync::Arc;
    use std::task::Wake;

    use tidewire::tokio::WebSocket;
    use tidewire::{Config, Event, Input};

    use support::tokio_stream::{Script, scripted};
    use support::wire::{self, Role};

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_pong_that_finds_no_room_wakes_nobody() {
        let runtime = ::tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime");
        let _entered = runtime.enter();
        for role in Role::BOTH {
            let (stream, peer) = scripted(Script::SMOOTH.with_capacity(0));
            let connection = role.connection(Config::new());
            let mut socket = WebSocket::from_parts(stream, connection, Input::new());
            peer.send(wire::ping(role, "p"));
            let count = Arc::new(Count::default());
            let waker = Waker::from(Arc::clone(&count));
            let mut poll = || {
                let polled = pin!(socket.recv_ref()).poll(&mut Context::from_waker(&waker));
                polled.map(|result| matches!(result, Ok(Some((Event::Ping(b"p"), _)))))
            };
            assert_eq!(poll(), Poll::Ready(true));
            assert_eq!((poll(), poll()), (Poll::Pending, Poll::Pending));
            assert_eq!(count.0.load(Ordering::Relaxed), 0, "it waits for room or for the peer");
            assert_eq!(peer.read(), b"");
        }
    }
}
