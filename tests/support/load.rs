//! What both adapters are put under load with: bursts of messages that are told apart by their contents, and a watchdog.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Only there to tell a hang from a slow machine.
const HANG: Duration = Duration::from_secs(60);

/// The lengths of the messages of one burst: more than 256 KiB together, and one of every kind and class.
pub const BURST: [usize; 9] = [3, 100, 60_000, 7, 65_536, 126, 131_072, 9_000, 4];

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be sent back.
    Question = b'?' as isize,
    Answer = b'!' as isize,
}

/// Message `index` of all, which begins with its purpose.
pub fn message(purpose: Purpose, index: usize) -> Vec<u8> {
    let mut message = vec![index as u8; BURST[index % BURST.len()]];
    (message[0], message[1]) = (purpose as u8, (index / BURST.len()) as u8);
    message
}

/// How often something is done: `usual` times, or `TIDEWIRE_ROUNDS` times that.
pub fn rounds(usual: usize) -> usize {
    let factor = std::env::var("TIDEWIRE_ROUNDS").map_or(1, |factor| factor.parse().expect("a number"));
    usual * factor
}

/// Counts what happens.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicUsize>);

impl Progress {
    pub fn step(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs `test` on a thread of its own, and panics if it does or if nothing happens any more.
pub fn watched(test: impl FnOnce(Progress) + Send + 'static) {
    let (done, is_done) = mpsc::channel::<()>();
    let progress = Progress::default();
    let counted = progress.clone();
    let thread = thread::spawn(move || {
        test(counted);
        drop(done);
    });
    let mut before = 0;
    while is_done.recv_timeout(HANG) == Err(RecvTimeoutError::Timeout) {
        let steps = progress.0.load(Ordering::Relaxed);
        assert_ne!(
            steps, before,
            "a deadlock or a lost wake-up: nothing happens any more after so many messages"
        );
        before = steps;
    }
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
