//! The server pings, and the client has to answer in time.

use std::time::{Duration, Instant};

/// What is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Ping(Instant),
    Pong(Instant),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Heartbeat {
    next: Next,
    interval: Duration,
    timeout: Duration,
}

/// What has to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Ping,
    TimedOut,
}

impl Heartbeat {
    pub(crate) fn new(now: Instant, interval: Duration, timeout: Duration) -> Self {
        Self { next: Next::Ping(now + interval), interval, timeout }
    }

    pub(crate) fn deadline(&self) -> Instant {
        match self.next {
            Next::Ping(at) | Next::Pong(at) => at,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Beat> {
        match self.next {
            Next::Ping(at) if at <= now => {
                // Both sides count from when the ping was due. A server that was held up does not take that for the client's silence.
                let sent = if now - at < self.timeout / 2 { at } else { now };
                self.next = Next::Pong(sent + self.timeout);
                Some(Beat::Ping)
            }
            Next::Pong(at) if at <= now => Some(Beat::TimedOut),
            _ => None,
        }
    }

    /// A pong that nobody asked for changes nothing.
    pub(crate) fn pong(&mut self, now: Instant) {
        if let Next::Pong(_) = self.next {
            self.next = Next::Ping(now + self.interval);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn heartbeat() -> (Heartbeat, Instant) {
        let now = Instant::now();
        (Heartbeat::new(now, 300 * MS, 200 * MS), now)
    }

    #[test]
    fn a_ping_is_due_an_interval_after_each_pong() {
        let (mut heartbeat, start) = heartbeat();
        assert_eq!(heartbeat.handle_timeout(start + 299 * MS), None);
        assert_eq!(heartbeat.handle_timeout(start + 300 * MS), Some(Beat::Ping));
        heartbeat.pong(start + 310 * MS);
        assert_eq!(heartbeat.deadline(), start + 610 * MS);
        assert_eq!(heartbeat.handle_timeout(start + 610 * MS), Some(Beat::Ping));
    }

    #[test]
    fn silence_is_a_timeout() {
        let (mut heartbeat, start) = heartbeat();
        assert_eq!(heartbeat.handle_timeout(start + 305 * MS), Some(Beat::Ping));
        assert_eq!(heartbeat.handle_timeout(start + 499 * MS), None);
        assert_eq!(heartbeat.handle_timeout(start + 500 * MS), Some(Beat::TimedOut));
    }

    #[test]
    fn a_late_server_gives_the_client_its_time() {
        let (mut heartbeat, start) = heartbeat();
        assert_eq!(heartbeat.handle_timeout(start + 900 * MS), Some(Beat::Ping));
        assert_eq!(heartbeat.handle_timeout(start + 1099 * MS), None);
        assert_eq!(heartbeat.handle_timeout(start + 1100 * MS), Some(Beat::TimedOut));
    }

    #[test]
    fn a_pong_without_a_ping_puts_nothing_off() {
        let (mut heartbeat, start) = heartbeat();
        heartbeat.pong(start + 200 * MS);
        assert_eq!(heartbeat.deadline(), start + 300 * MS);
    }
}
