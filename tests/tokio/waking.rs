//! Whom a deadline wakes, when a task is polled in unusual ways.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use tidewire::{Config, Error, TimedOut};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use support::tokio_stream::{Script, block_on};
use support::tokio_wire::{PING, Role};

const INTERVAL: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(15);

fn config() -> Config {
    Config::new().with_keepalive(INTERVAL, TIMEOUT)
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(config(), Script::SMOOTH);
        let flags = [Arc::<Flag>::default(), Arc::default()];
        let wakers = flags.clone().map(Waker::from);
        block_on(async {
            let mut receiving = pin!(socket.recv());
            let mut poll =
                |at: usize| receiving.as_mut().poll(&mut Context::from_waker(&wakers[at])).is_pending();
            for at in [0, 0, 1, 0, 1, 1] {
                assert!(poll(at));
            }
            sleep(INTERVAL - Duration::from_millis(2)).await;
            assert!(!flags[1].0.load(Ordering::Relaxed), "{role:?}: it is not time yet");
            assert!(poll(1));
            sleep(Duration::from_millis(4)).await;
            assert!(flags[1].0.swap(false, Ordering::Relaxed), "{role:?}");
            // The ping goes out, and from now on the other one waits for its answer.
            assert!(poll(1) && poll(0) && poll(0));
            assert_eq!(role.frames(&peer.read())[0].0, PING);
            sleep(TIMEOUT + Duration::from_millis(4)).await;
            assert!(flags[0].0.load(Ordering::Relaxed), "{role:?}");
            assert!(!poll(0), "{role:?}: the time is over");
        });
    }
}

#[test]
fn a_task_that_had_used_up_its_budget_is_woken() {
    for role in Role::BOTH {
        let (mut socket, _peer) = role.socket(config(), Script::SMOOTH);
        block_on(async {
            let (sender, mut channel) = mpsc::unbounded_channel();
            (0..1000).for_each(|n| sender.send(n).unwrap());
            let mut receiving = pin!(socket.recv());
            let mut polls = 0;
            let received = timeout(
                2 * (INTERVAL + TIMEOUT),
                poll_fn(|cx| {
                    polls += 1;
                    // Nothing is ready for a task that has had enough in one poll.
                    while polls == 1 && channel.poll_recv(cx).is_ready() {}
                    assert!(!channel.is_empty());
                    receiving.as_mut().poll(cx)
                }),
            );
            let received = received.await.expect("the deadline wakes the task");
            assert!(matches!(received, Err(Error::TimedOut(TimedOut::Keepalive))), "{role:?}: {received:?}");
            assert!((3..10).contains(&polls), "{role:?}: {polls} polls");
        });
    }
}
