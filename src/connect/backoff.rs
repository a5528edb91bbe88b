//! [`Backoff`]: how long to wait before the next try to connect.

use core::time::Duration;

/// How long to wait before each try to connect again: ever longer, so that a server that comes back is not overrun.
///
/// The first delay is random, so that the clients of a server that restarts do not all come at once. The following ones grow by a factor. They
/// start over after a connection that lived for a while.
///
/// It has no clock and draws no randomness.
///
/// ```
/// use core::time::Duration;
/// use tidewire::Backoff;
///
/// let mut backoff = Backoff::new();
/// // Half of the range of random numbers is half of the longest first delay.
/// assert_eq!(backoff.next_delay(u32::MAX / 2, None).as_secs(), 2);
/// assert_eq!(backoff.next_delay(7, None), Duration::from_millis(3100));
/// // What the server asks for counts if it is longer.
/// assert_eq!(backoff.next_delay(7, Some(Duration::from_secs(60))).as_secs(), 60);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    max_first: Duration,
    start: Duration,
    max: Duration,
    factor: f64,
    healthy: Duration,
    /// The delay after the next one failed; `None` before the first.
    next: Option<Duration>,
}

impl Backoff {
    /// How long a server may ask a client to wait.
    const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

    /// A first delay of up to 5 s, then 3.1 s, and 1.618 times as long each time, up to 90 s. A minute makes a connection healthy.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_first: Duration::from_secs(5),
            start: Duration::from_millis(3100),
            max: Duration::from_secs(90),
            factor: 1.618,
            healthy: Duration::from_secs(60),
            next: None,
        }
    }

    /// The longest first delay, 5 s by default: it is random, and zero means to try again at once.
    #[must_use]
    pub const fn with_max_first(mut self, delay: Duration) -> Self {
        self.max_first = delay;
        self
    }

    /// The second delay, 3.1 s by default, and the longest one, 90 s.
    #[must_use]
    pub const fn with_delays(mut self, start: Duration, max: Duration) -> Self {
        (self.start, self.max) = (start, max);
        self
    }

    /// By how much each delay is longer than the one before, 1.618 by default. What is not at least 1 counts as 1.
    #[must_use]
    pub const fn with_factor(mut self, factor: f64) -> Self {
        self.factor = if factor >= 1.0 { factor } else { 1.0 };
        self
    }

    /// How long a connection has to live for the delays to start over, a minute by default.
    #[must_use]
    pub const fn with_healthy(mut self, lifetime: Duration) -> Self {
        self.healthy = lifetime;
        self
    }

    /// The next delay. `random` is any number, all of them equally likely; `retry_after` is what the server asked for, of which at most an hour
    /// counts.
    pub fn next_delay(&mut self, random: u32, retry_after: Option<Duration>) -> Duration {
        let delay = match self.next {
            None => {
                self.next = Some(self.start.min(self.max));
                seconds(self.max_first.as_secs_f64() * f64::from(random) / f64::from(u32::MAX))
                    .min(self.max_first)
            }
            Some(delay) => {
                self.next = Some(seconds(delay.as_secs_f64() * self.factor).min(self.max));
                delay
            }
        };
        delay.max(retry_after.unwrap_or_default().min(Self::MAX_RETRY_AFTER))
    }

    /// A connection has ended that lived so long: after a healthy one the delays start over.
    pub fn ended(&mut self, lifetime: Duration) {
        if lifetime >= self.healthy {
            self.next = None;
        }
    }
}

/// What is too long for a duration counts as the longest.
fn seconds(secs: f64) -> Duration {
    Duration::try_from_secs_f64(secs).unwrap_or(Duration::MAX)
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn millis(backoff: &mut Backoff, count: usize) -> Vec<u128> {
        (0..count).map(|_| backoff.next_delay(u32::MAX, None).as_millis()).collect()
    }

    #[test]
    fn delays_grow_to_the_longest_and_start_over_after_a_healthy_connection() {
        let mut backoff = Backoff::new();
        assert_eq!(
            millis(&mut backoff, 10),
            [5000, 3100, 5015, 8115, 13130, 21245, 34375, 55620, 89993, 90000]
        );
        assert_eq!(millis(&mut backoff, 3), [90000; 3]);
        backoff.ended(Duration::from_secs(59));
        assert_eq!(millis(&mut backoff, 1), [90000]);
        backoff.ended(Duration::from_secs(60));
        assert_eq!(backoff.next_delay(0, None), Duration::ZERO);
        assert_eq!(millis(&mut backoff, 2), [3100, 5015]);
        // The first one is as likely to be short as to be long.
        backoff.ended(Duration::MAX);
        assert_eq!(backoff.next_delay(u32::MAX / 5, None), Duration::from_secs(1));
    }

    #[test]
    fn whatever_is_set_no_delay_is_longer_than_the_longest_but_for_what_the_server_asks() {
        let hour = Duration::from_secs(3600);
        for factor in [f64::NAN, f64::NEG_INFINITY, 0.0, 1.0, 1e300, f64::INFINITY] {
            for (start, max) in
                [(hour, Duration::from_secs(2)), (Duration::ZERO, hour), (Duration::MAX, Duration::MAX)]
            {
                let mut backoff = Backoff::new().with_factor(factor).with_delays(start, max);
                for n in 0..2000 {
                    let delay = backoff.next_delay(n, None);
                    assert!(delay <= max.max(Duration::from_secs(5)));
                }
            }
        }
        let mut backoff =
            Backoff::new().with_max_first(Duration::from_millis(10)).with_healthy(Duration::ZERO);
        assert_eq!(backoff.next_delay(u32::MAX, Some(Duration::from_secs(7))).as_secs(), 7);
        assert_eq!(backoff.next_delay(0, Some(Duration::MAX)), hour);
        assert_eq!(backoff.next_delay(0, Some(Duration::from_millis(1))).as_millis(), 5015);
        backoff.ended(Duration::ZERO);
        assert_eq!(backoff.next_delay(u32::MAX, None).as_millis(), 10);
    }
}
