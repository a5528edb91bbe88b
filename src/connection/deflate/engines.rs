//! [`Engines`]: those of the process that wait for work.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Engines that wait, the last one used on top: as many at most as the machine runs threads.
pub(super) struct Engines<E>(Mutex<Waiting<E>>);

struct Waiting<E> {
    engines: Vec<(Box<E>, Option<Stream>)>,
    last: u64,
}

/// One direction of one connection: an engine that has its number knows its history. No number is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stream(NonZeroU64);

impl<E> Engines<E> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Waiting { engines: Vec::new(), last: 0 }))
    }

    /// The engine that `stream` used last, which goes on where it was. Else another one that `fits`, and false.
    pub(super) fn take(&self, stream: Option<Stream>, fits: impl Fn(&E) -> bool) -> Option<(Box<E>, bool)> {
        let mut waiting = self.lock();
        let engines = &mut waiting.engines;
        if stream.is_some()
            && let Some(at) = engines.iter().rposition(|(_, last)| *last == stream)
        {
            return Some((engines.remove(at).0, true));
        }
        let at = engines.iter().rposition(|(engine, _)| fits(engine))?;
        Some((engines.remove(at).0, false))
    }

    /// Gives an engine back that knows the history of `stream`, if there is one.
    pub(super) fn give_back(&self, engine: Box<E>, stream: Option<Stream>) {
        let max = max_engines();
        let mut waiting = self.lock();
        let oldest = (waiting.engines.len() >= max).then(|| waiting.engines.remove(0));
        waiting.engines.push((engine, stream));
        // It is freed when others can have theirs.
        drop(waiting);
        drop(oldest);
    }

    /// The number of a stream, which it gets here if it has none.
    pub(super) fn number(&self, stream: &mut Option<Stream>) -> Option<Stream> {
        if stream.is_none() {
            let mut waiting = self.lock();
            waiting.last += 1;
            *stream = NonZeroU64::new(waiting.last).map(Stream);
        }
        *stream
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<E>> {
        // Nothing in here panics halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many threads the machine runs.
fn max_engines() -> usize {
    static MAX: OnceLock<usize> = OnceLock::new();
    *MAX.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}
