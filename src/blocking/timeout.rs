//! [`Timeout`]: how long a call to a stream lasts, and one read or write of at most so long.
//!
//! What came to nothing in the time that it had is [`Poll::Pending`], and a wait of [`Duration::MAX`] has no end.

use core::task::{Poll, ready};
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::time::Instant;

use super::Stream;
use crate::adapter::pool::PooledInput;
use crate::adapter::{drain, fill};
use crate::{Output, Timestamp};

/// The shortest timeout that is set, since systems take zero for an error.
pub(super) const SHORTEST: Duration = Duration::from_millis(1);

/// A stream that so often in a row returns long before its timeout, and with nothing, does not wait at all.
const MAX_EARLY: u8 = 16;

/// The timeout that a stream has in one direction; zero before the first one is set.
#[derive(Debug, Default)]
pub(super) struct Timeout {
    set: Duration,
    /// The last call came to nothing.
    is_idle: bool,
    /// How many calls in a row returned early with nothing.
    early: u8,
}

impl Timeout {
    /// Sees that a call lasts at most `wait`, and calls the system only when that takes a new timeout.
    fn set(
        &mut self,
        wait: Duration,
        apply: impl FnOnce(Option<Duration>) -> io::Result<()>,
    ) -> io::Result<()> {
        let wait = wait.max(SHORTEST);
        // While the stream is busy waits change from call to call: a shorter timeout serves for many of them, until a call comes to nothing.
        if self.set > wait || self.set.is_zero() || (self.is_idle && self.set < wait) {
            let timeout = if self.is_idle || wait == Duration::MAX { wait } else { power_of_two(wait) };
            apply((timeout < Duration::MAX).then_some(timeout))?;
            self.set = timeout;
        }
        Ok(())
    }

    /// A call that came to nothing is pending: its timeout passed, or a signal came.
    fn poll<T>(&mut self, start: Instant, result: io::Result<T>) -> Poll<io::Result<T>> {
        use ErrorKind::{Interrupted, TimedOut, WouldBlock};
        match result {
            Err(error) if error.kind() == Interrupted => Poll::Pending,
            Err(error) if matches!(error.kind(), WouldBlock | TimedOut) => {
                self.is_idle = true;
                let is_early = self.set > SHORTEST && start.elapsed() < self.set / 2;
                self.early = if is_early { self.early + 1 } else { 0 };
                if self.early < MAX_EARLY { Poll::Pending } else { Poll::Ready(Err(no_waiting())) }
            }
            result => {
                (self.is_idle, self.early) = (false, 0);
                Poll::Ready(result)
            }
        }
    }
}

/// The longest power of two in milliseconds that is not longer than `wait`.
fn power_of_two(wait: Duration) -> Duration {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(1 << millis.max(1).ilog2())
}

fn no_waiting() -> io::Error {
    let reason = "the stream returns at once where it should wait: it is non-blocking, or has no timeouts";
    io::Error::new(ErrorKind::Unsupported, reason)
}

/// How long it is until then.
pub(super) fn until(deadline: Option<Timestamp>, now: Timestamp) -> Duration {
    deadline.map_or(Duration::MAX, |deadline| deadline.duration_since(now))
}

/// One read, of at most `wait`.
pub(super) fn read(
    stream: &mut dyn Stream,
    timeout: &mut Timeout,
    wait: Duration,
    pooled: &mut PooledInput,
) -> Poll<io::Result<()>> {
    timeout.set(wait, |timeout| stream.set_read_timeout(timeout))?;
    let start = Instant::now();
    fill(pooled, None, |space| timeout.poll(start, stream.read(space)))
}

/// One write, of at most `wait`, and all the way through the stream if that was the last of `output`, or its position is `end`.
pub(super) fn write(
    stream: &mut dyn Stream,
    timeout: &mut Timeout,
    wait: Duration,
    output: &mut Output,
    end: u64,
) -> Poll<io::Result<()>> {
    timeout.set(wait, |timeout| stream.set_write_timeout(timeout))?;
    let start = Instant::now();
    if !output.is_empty() && output.written() < end {
        let drained = drain(output, |slices| match slices {
            [slice] => timeout.poll(start, stream.write(slice)),
            slices => timeout.poll(start, stream.write_vectored(slices)),
        });
        ready!(drained)?;
    }
    if output.is_empty() || output.written() >= end {
        timeout.poll(start, stream.flush())
    } else {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn the_system_is_called_only_for_a_new_timeout() {
        let (mut timeout, mut calls) = (Timeout::default(), Vec::new());
        let mut set = |timeout: &mut Timeout, millis| {
            let apply = |timeout| {
                calls.push(timeout);
                Ok(())
            };
            timeout.set(Duration::from_millis(millis), apply).expect("a stream");
            calls.len()
        };
        // A stream that is busy.
        assert_eq!([20, 20, 17, 16].map(|millis| set(&mut timeout, millis)), [1; 4]);
        assert!(timeout.poll(Instant::now(), Ok(())).is_ready());
        assert_eq!(set(&mut timeout, 5), 2);
        // A call comes to nothing, and the next ones wait for as long as they may.
        let nothing = Err::<(), _>(ErrorKind::WouldBlock.into());
        assert!(timeout.poll(Instant::now(), nothing).is_pending());
        assert_eq!([20, 20].map(|millis| set(&mut timeout, millis)), [3; 2]);
        assert_eq!(calls, [16, 4, 20].map(|millis| Some(Duration::from_millis(millis))));
    }
}
