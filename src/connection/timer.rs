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
    /// The end of time.
    pub(crate) const MAX: Self = Self(u64::MAX);

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(Timestamp);

#[cfg(feature = "tokio")]
impl From<Option<Timestamp>> for Deadline {
    fn from(at: Option<Timestamp>) -> Self {
        at.map_or(Self::NONE, Self::at)
    }
}

impl Deadline {
    /// The end of time stands for a deadline that is not set.
    pub(crate) const NONE: Self = Self(Timestamp::MAX);

    #[cfg(feature = "tokio")]
    pub(crate) fn at(at: Timestamp) -> Self {
        Self(at)
    }

    /// When it is, if it is set.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn get(self) -> Option<Timestamp> {
        (self != Self::NONE).then_some(self.0)
    }

    /// When the deadline is, `after` from `now` if it was not set.
    pub(crate) fn poll(&mut self, now: Timestamp, after: Option<Duration>) -> Option<Timestamp> {
        if *self == Self::NONE {
            self.0 = now + after?;
        }
        Some(self.0)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::NONE;
    }

    /// Not later than `at`.
    fn cap(&mut self, at: Timestamp) {
        self.0 = self.0.min(at);
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
    /// The closing handshake is complete, and the server has to end the transport.
    AwaitingEof,
    /// The transport is to be cut, or has ended.
    Over,
}

/// What the deadlines depend on.
pub(crate) struct Facts {
    pub(crate) phase: Phase,
    /// Output waits for the transport.
    pub(crate) owes: bool,
    /// How much of it is queued already.
    pub(crate) queued_len: usize,
    /// How many bytes the transport has accepted so far.
    pub(crate) written: u64,
}

impl Facts {
    /// How many bytes the transport will have accepted when it has what is queued now.
    fn end(&self) -> u64 {
        self.written + self.queued_len as u64
    }
}

/// How long a client waits for the server to end the transport after the closing handshake, as browsers do.
const EOF_TIMEOUT: Duration = Duration::from_secs(2);

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
    keepalive: Keepalive,
    /// The next keepalive ping or the end of the wait for life after one; once the connection is closing, the end of that.
    deadline: Deadline,
    is_closing: bool,
    is_awaiting_eof: bool,
    write: Deadline,
    /// What has to be written before the write deadline.
    write_goal: u64,
    is_over: bool,
    timed_out: Option<TimedOut>,
}

/// Where keepalive is between two pings.
#[derive(Clone, Copy)]
enum Keepalive {
    Resting,
    /// A ping, or our Close frame, waits for its turn until so many bytes are written: the peer cannot answer yet, and the write
    /// deadline watches over it.
    Queued(u64),
    /// A ping is on its way since then.
    Awaiting(Timestamp),
}

impl Timers {
    pub(crate) fn new(timing: Timing) -> Self {
        Self {
            timing,
            progress: 0,
            keepalive: Keepalive::Resting,
            deadline: Deadline::NONE,
            is_closing: false,
            is_awaiting_eof: false,
            write: Deadline::NONE,
            write_goal: 0,
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
        let firm = self.poll_firm(now, facts);
        let keepalive = if facts.phase == Phase::Open { self.poll_keepalive(now, facts) } else { None };
        firm.into_iter().chain(keepalive).min()
    }

    /// What [`poll`](Self::poll) says at whatever time while the connection is open and owes nothing, as long as only the next
    /// keepalive ping is waited for; `None` if it has to be asked.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn resting(&self) -> Option<Deadline> {
        let is_armed = self.deadline != Deadline::NONE;
        let is_wanted = self.timing.ping_interval.duration().is_some();
        let rests = matches!(self.keepalive, Keepalive::Resting)
            && self.write == Deadline::NONE
            && is_armed == is_wanted;
        rests.then_some(self.deadline)
    }

    pub(crate) fn handle(&mut self, now: Timestamp, facts: &Facts) -> Result<Due, TimedOut> {
        self.handle_firm(now, facts)?;
        if facts.phase == Phase::Open && self.deadline.is_due(now) {
            return self.keep_alive(now, facts);
        }
        Ok(Due::Nothing)
    }

    /// The deadlines that hold even while nobody reads: the write timeout and the close timeout.
    pub(crate) fn poll_firm(&mut self, now: Timestamp, facts: &Facts) -> Option<Timestamp> {
        self.enter(facts);
        if !self.is_writing(facts) {
            self.write.clear();
        }
        let write = match facts.phase {
            Phase::Over => None,
            _ if !facts.owes => None,
            _ => {
                if self.write == Deadline::NONE {
                    let enough = u64::from(self.timing.min_progress);
                    self.write_goal = facts.written + (facts.queued_len as u64).clamp(1, enough);
                }
                self.write.poll(now, self.timing.write_timeout.duration())
            }
        };
        let close = match facts.phase {
            Phase::Open | Phase::Over => None,
            // The peer cannot answer a Close frame that is not written yet; what is owed after it puts nothing off.
            Phase::Closing if self.is_queued(facts) => None,
            Phase::Closing | Phase::Finishing => {
                self.deadline.poll(now, self.timing.close_timeout.duration())
            }
            Phase::AwaitingEof => {
                if !self.is_awaiting_eof {
                    self.is_awaiting_eof = true;
                    self.deadline.cap(now + EOF_TIMEOUT);
                }
                self.deadline.poll(now, self.timing.close_timeout.duration())
            }
        };
        write.into_iter().chain(close).min()
    }

    /// Does what is due of [`poll_firm`](Self::poll_firm).
    pub(crate) fn handle_firm(&mut self, now: Timestamp, facts: &Facts) -> Result<(), TimedOut> {
        if let Some(timed_out) = self.timed_out {
            return Err(timed_out);
        }
        self.enter(facts);
        let is_stalled = self.is_writing(facts) && self.write.is_due(now);
        match facts.phase {
            Phase::Over => Ok(()),
            _ if is_stalled => Err(self.give_up(TimedOut::Write)),
            Phase::Closing if self.deadline.is_due(now) => Err(self.give_up(TimedOut::Close)),
            Phase::Finishing | Phase::AwaitingEof if self.deadline.is_due(now) => {
                self.is_over = true;
                Ok(())
            }
            _ => Ok(()),
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

    /// What was set for an open connection is void once it closes.
    fn enter(&mut self, facts: &Facts) {
        if facts.phase != Phase::Open && !self.is_closing {
            self.is_closing = true;
            self.deadline.clear();
            self.keepalive = Keepalive::Queued(facts.end());
        }
    }

    /// True while the transport has accepted next to nothing of what was owed when the write deadline was set.
    fn is_writing(&self, facts: &Facts) -> bool {
        facts.owes && facts.written < self.write_goal
    }

    fn is_queued(&self, facts: &Facts) -> bool {
        matches!(self.keepalive, Keepalive::Queued(position) if facts.owes && facts.written < position)
    }

    fn poll_keepalive(&mut self, now: Timestamp, facts: &Facts) -> Option<Timestamp> {
        if let Keepalive::Awaiting(since) = self.keepalive
            && self.progress >= self.timing.min_progress
        {
            // The peer lives: what remains is the wait for the next ping.
            self.keepalive = Keepalive::Resting;
            self.deadline.clear();
            self.deadline.poll(since, self.timing.ping_interval.duration());
        }
        if self.is_queued(facts) {
            return None;
        }
        if let Keepalive::Queued(_) = self.keepalive {
            let is_awaited = self.timing.pong_timeout.duration().is_some();
            self.keepalive = if is_awaited { Keepalive::Awaiting(now) } else { Keepalive::Resting };
        }
        let after = match self.keepalive {
            Keepalive::Awaiting(_) => self.timing.pong_timeout,
            Keepalive::Resting | Keepalive::Queued(_) => self.timing.ping_interval,
        };
        self.deadline.poll(now, after.duration())
    }

    fn keep_alive(&mut self, now: Timestamp, facts: &Facts) -> Result<Due, TimedOut> {
        if let Keepalive::Awaiting(_) = self.keepalive {
            if self.progress < self.timing.min_progress {
                return Err(self.give_up(TimedOut::Keepalive));
            }
            if self.poll_keepalive(now, facts) > Some(now) {
                return Ok(Due::Nothing);
            }
        }
        self.progress = 0;
        self.deadline.clear();
        Ok(Due::Ping)
    }

    /// The ping that was due is queued.
    pub(crate) fn pinged(&mut self, facts: &Facts) {
        self.keepalive = Keepalive::Queued(facts.end());
    }

    fn give_up(&mut self, timed_out: TimedOut) -> TimedOut {
        self.is_over = true;
        self.timed_out = Some(timed_out);
        timed_out
    }
}
