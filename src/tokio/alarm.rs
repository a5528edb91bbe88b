//! [`Alarm`]: the timer of a connection, left alone as long as it wakes the right task in time.

use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::boxed::Box;

use ::tokio::task::unconstrained;
use ::tokio::time::{Sleep, sleep_until};

use super::transport::Clock;
use crate::Timestamp;
use crate::connection::timer::Deadline;

/// Wakes a task at a deadline, or earlier: it is not moved for one that was put off.
#[derive(Debug)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    set_for: Deadline,
    /// Whom it wakes.
    waker: Option<Waker>,
}

impl Alarm {
    pub(super) const fn new() -> Self {
        Self { sleep: None, set_for: Deadline::NONE, waker: None }
    }

    /// Ready when the timer has ended.
    #[inline]
    pub(super) fn poll(&mut self, clock: Clock, deadline: Timestamp, cx: &mut Context<'_>) -> Poll<()> {
        let is_same = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if is_same && self.rings_by(deadline) {
            return Poll::Pending;
        }
        self.set(clock, deadline, cx)
    }

    fn rings_by(&self, deadline: Timestamp) -> bool {
        self.set_for.is_due(deadline) && self.sleep.as_ref().is_some_and(|sleep| !sleep.is_elapsed())
    }

    #[cold]
    #[inline(never)]
    fn set(&mut self, clock: Clock, deadline: Timestamp, cx: &mut Context<'_>) -> Poll<()> {
        if !self.rings_by(deadline) {
            self.set_for = Deadline::at(deadline);
            let at = clock.instant(deadline);
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(at),
                None => self.sleep = Some(Box::pin(sleep_until(at))),
            }
        }
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        // A timer that respects the task's budget does not always remember whom to wake.
        let polled = pin!(unconstrained(sleep)).poll(cx);
        self.waker = polled.is_pending().then(|| cx.waker().clone());
        polled
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use ::tokio::io::empty;
    use ::tokio::runtime::Builder;
    use ::tokio::time::advance;

    use super::*;
    use crate::tokio::transport::Transport;

    fn at(secs: u64) -> Timestamp {
        Timestamp::default() + Duration::from_secs(secs)
    }

    #[test]
    fn it_is_moved_for_an_earlier_deadline_and_left_alone_for_a_later_one() {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let clock = Transport::new(empty(), at(0)).clock;
            let mut alarm = Alarm::new();
            let mut cx = Context::from_waker(Waker::noop());
            for (deadline, rings) in [(10, 10), (20, 10), (5, 5), (5, 5), (30, 5)] {
                assert!(alarm.poll(clock, at(deadline), &mut cx).is_pending());
                let sleep = alarm.sleep.as_ref().expect("set");
                assert_eq!(sleep.deadline(), clock.instant(at(rings)), "for {deadline}");
            }
            // It has rung for nothing, and is set for the deadline that was put off.
            advance(Duration::from_secs(6)).await;
            assert!(alarm.poll(clock, at(30), &mut cx).is_pending());
            advance(Duration::from_secs(25)).await;
            assert!(alarm.poll(clock, at(30), &mut cx).is_ready());
        });
    }
}
