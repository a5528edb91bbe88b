//! Time as data: [`Timestamp`], and the deadlines of a connection.

use core::ops::Add;
use core::time::Duration;

use crate::TimedOut;
use crate::config::Timing;

/// A moment, in microseconds since whenever the caller's clock began.
///
/// ```
/// use core::time::Duration;
/// use tidewire::Timestamp;
///
/// let start = Timestamp::from_micros(5);
/// let later = start + Duration::from_millis(1);
/// assert_eq!(later.duration_since(start), Duration::from_millis(1));
/// assert_eq!(start.duration_since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// A moment `micros` microseconds after the clock began.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The microseconds since the clock began.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to here; zero when `earlier` is not earlier.
    #[must_use]
    pub const fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl From<Duration> for Timestamp {
    /// The moment `since_start` after the clock began, to the microsecond.
    fn from(since_start: Duration) -> Self {
        Self(u64::try_from(since_start.as_micros()).unwrap_or(u64::MAX))
    }
}

/// The end of time for a clock is 584,000 years after its beginning; adding stops there.
impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(Self::from(duration).0))
    }
}

/// A deadline that is set the first time somebody asks for it, since only then is the time known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline(Timestamp);

impl Deadline {
    /// The end of time stands for a deadline that is not set.
    pub(crate) const NONE: Self = Self(Timestamp(u64::MAX));

    /// When the deadline is, `after` from `now` if it was not set.
    pub(crate) fn poll(&mut self, now: Timestamp, after: Option<Duration>) -> Option<Timestamp> {
        if *self == Self::NONE {
            self.0 = now + after?;
        }
        Some(self.0)
    }

    pub(crate) fn set(&mut self, at: Timestamp) {
        self.0 = at;
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::NONE;
    }

    pub(crate) fn is_due(self, now: Timestamp) -> bool {
        self != Self::NONE && self.0 <= now
    }
}

/// Where a connection is, as far as its deadlines are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Our Close frame waits for the peer's.
    Closing,
    /// Nothing more is received; the transport has to end.
    Finishing,
    /// The transport is to be cut, or has ended.
    Over,
}

/// What the deadlines depend on.
pub(crate) struct Facts {
    pub(crate) phase: Phase,
    /// Output waits for the transport.
    pub(crate) owes: bool,
    /// How many bytes the transport has accepted so far.
    pub(crate) written: u64,
}

/// What a deadline asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// A keepalive ping.
    Ping,
}

/// The deadlines of a connection after its opening handshake.
pub(crate) struct Timers {
    timing: Timing,
    /// How much arrived since the last keepalive ping: all there is to show life once a frame is complete.
    progress: u32,
    /// The last keepalive ping, or the beginning.
    pinged_at: Timestamp,
    /// The next keepalive ping, or the end of the wait for life after one.
    keepalive: Deadline,
    awaiting_life: bool,
    write: Deadline,
    /// What was written when the write deadline was set.
    written: u64,
    close: Deadline,
    is_over: bool,
    timed_out: Option<TimedOut>,
}

impl Timers {
    pub(crate) fn new(timing: Timing) -> Self {
        Self {
            timing,
            progress: 0,
            pinged_at: Timestamp::default(),
            keepalive: Deadline::NONE,
            awaiting_life: false,
            write: Deadline::NONE,
            written: 0,
            close: Deadline::NONE,
            is_over: false,
            timed_out: None,
        }
    }

    /// A complete frame arrived.
    #[inline]
    pub(crate) fn frame(&mut self) {
        self.progress = u32::MAX;
    }

    /// Some payload of an unfinished frame arrived.
    pub(crate) fn bytes(&mut self, len: usize) {
        self.progress = self.progress.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
    }

    pub(crate) fn poll(&mut self, now: Timestamp, facts: &Facts) -> Option<Timestamp> {
        if !facts.owes || facts.written != self.written {
            self.write.clear();
            self.written = facts.written;
        }
        let write =
            if facts.owes { self.write.poll(now, self.timing.write_timeout.duration()) } else { None };
        let other = match facts.phase {
            Phase::Open => self.keepalive.poll(now, self.timing.ping_interval.duration()),
            // The peer cannot answer a Close frame that is not written yet.
            Phase::Closing if facts.owes => None,
            Phase::Closing | Phase::Finishing => self.close.poll(now, self.timing.close_timeout.duration()),
            Phase::Over => return None,
        };
        write.into_iter().chain(other).min()
    }

    pub(crate) fn handle(&mut self, now: Timestamp, facts: &Facts) -> Result<Due, TimedOut> {
        if let Some(timed_out) = self.timed_out {
            return Err(timed_out);
        }
        if facts.owes && facts.written == self.written && self.write.is_due(now) {
            return Err(self.give_up(TimedOut::Write));
        }
        match facts.phase {
            Phase::Open if self.keepalive.is_due(now) => self.keep_alive(now),
            Phase::Closing if self.close.is_due(now) => Err(self.give_up(TimedOut::Close)),
            Phase::Finishing if self.close.is_due(now) => {
                self.is_over = true;
                Ok(Due::Nothing)
            }
            _ => Ok(Due::Nothing),
        }
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn timing(&self) -> &Timing {
        &self.timing
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn timed_out(&self) -> Option<TimedOut> {
        self.timed_out
    }

    fn keep_alive(&mut self, now: Timestamp) -> Result<Due, TimedOut> {
        if self.awaiting_life {
            if self.progress < self.timing.min_progress {
                return Err(self.give_up(TimedOut::Keepalive));
            }
            self.awaiting_life = false;
            let next = self.timing.ping_interval.duration().map_or(now, |interval| self.pinged_at + interval);
            if next > now {
                self.keepalive.set(next);
                return Ok(Due::Nothing);
            }
        }
        self.pinged_at = now;
        self.keepalive.clear();
        if self.keepalive.poll(now, self.timing.pong_timeout.duration()).is_some() {
            self.progress = 0;
            self.awaiting_life = true;
        }
        Ok(Due::Ping)
    }

    fn give_up(&mut self, timed_out: TimedOut) -> TimedOut {
        self.is_over = true;
        self.timed_out = Some(timed_out);
        timed_out
    }
}
