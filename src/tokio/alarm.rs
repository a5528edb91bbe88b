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
