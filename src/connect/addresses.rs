//! [`Attempts`]: which address to try when, if a host has several (RFC 8305).

use alloc::collections::VecDeque;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, ErrorKind};

use crate::Timestamp;

/// RFC 8305 5: how long an attempt goes on alone.
pub(crate) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The attempts to reach one of several addresses. They begin one after the other, and may go on side by side.
#[derive(Debug)]
pub(crate) struct Attempts {
    waiting: VecDeque<SocketAddr>,
    /// How many are under way.
    running: usize,
    /// When the next one begins, unless one fails earlier.
    next_at: Option<Timestamp>,
    failures: Vec<(SocketAddr, io::Error)>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Start(SocketAddr),
    /// Until then, or until an attempt ends; `None` is for ever.
    Wait(Option<Timestamp>),
    /// No address is left.
    Failed,
}

impl Attempts {
    pub(crate) fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let waiting = in_turn(addresses);
        Self { waiting, running: 0, next_at: None, failures: Vec::new() }
    }

    pub(crate) fn poll(&mut self, now: Timestamp) -> Step {
        let is_due = self.next_at.is_none_or(|at| at <= now);
        if is_due && let Some(address) = self.waiting.pop_front() {
            self.running += 1;
            self.next_at = Some(now + ATTEMPT_DELAY);
            return Step::Start(address);
        }
        match self.running {
            0 => Step::Failed,
            _ if self.waiting.is_empty() => Step::Wait(None),
            _ => Step::Wait(self.next_at),
        }
    }

    /// An attempt has failed: the next one begins at once.
    pub(crate) fn failed(&mut self, address: SocketAddr, error: io::Error) {
        self.running = self.running.saturating_sub(1);
        self.next_at = None;
        self.failures.push((address, error));
    }

    /// How many have not begun.
    #[cfg(feature = "blocking")]
    pub(crate) fn left(&self) -> usize {
        self.waiting.len()
    }

    /// Why none was reached: every address with its failure.
    pub(crate) fn into_error(self) -> io::Error {
        let kind = self.failures.last().map_or(ErrorKind::NotFound, |(_, error)| error.kind());
        let mut text = String::new();
        for (address, error) in &self.failures {
            let separator = if text.is_empty() { "" } else { "; " };
            let written = write!(text, "{separator}{address}: {error}");
            debug_assert!(written.is_ok());
        }
        if text.is_empty() {
            text = "the host has no address".to_string();
        }
        io::Error::new(kind, text)
    }
}

/// RFC 8305 4: the families in turn, beginning with that of the first address, and otherwise in the order of the system.
fn in_turn(addresses: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut addresses = addresses.into_iter().peekable();
    let Some(first_is_ipv6) = addresses.peek().map(SocketAddr::is_ipv6) else { return VecDeque::new() };
    let (first, second): (VecDeque<_>, VecDeque<_>) =
        addresses.partition(|address| address.is_ipv6() == first_is_ipv6);
    let mut families = [first, second];
    let mut sorted = VecDeque::new();
    while families.iter().any(|family| !family.is_empty()) {
        sorted.extend(families.iter_mut().filter_map(VecDeque::pop_front));
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &str) -> Vec<SocketAddr> {
        list.split(' ').map(|address| address.parse().expect("an address")).collect()
    }

    fn refused() -> io::Error {
        ErrorKind::ConnectionRefused.into()
    }

    #[test]
    fn families_take_turns() {
        for (given, tried) in [
            ("[::1]:1 [::2]:1 [::3]:1 1.1.1.1:1 1.1.1.2:1", "[::1]:1 1.1.1.1:1 [::2]:1 1.1.1.2:1 [::3]:1"),
            ("1.1.1.1:1 1.1.1.2:1 [::1]:1", "1.1.1.1:1 [::1]:1 1.1.1.2:1"),
            ("1.1.1.1:1", "1.1.1.1:1"),
        ] {
            assert_eq!(in_turn(addresses(given)), addresses(tried));
        }
        assert!(in_turn([]).is_empty());
    }

    #[test]
    fn attempts_begin_a_quarter_of_a_second_apart_or_when_one_fails() {
        let [a, b, c] = addresses("[::1]:1 1.1.1.1:1 [::2]:1").try_into().expect("three");
        let start = Timestamp::default();
        let at = |millis| start + Duration::from_millis(millis);
        let mut attempts = Attempts::new([a, c, b]);
        assert_eq!(attempts.poll(at(0)), Step::Start(a));
        assert_eq!(attempts.poll(at(0)), Step::Wait(Some(at(250))));
        assert_eq!(attempts.poll(at(249)), Step::Wait(Some(at(250))));
        assert_eq!(attempts.poll(at(250)), Step::Start(b));
        attempts.failed(a, refused());
        assert_eq!(attempts.poll(at(251)), Step::Start(c));
        assert_eq!(attempts.poll(at(9000)), Step::Wait(None));
        attempts.failed(c, refused());
        assert_eq!(attempts.poll(at(9001)), Step::Wait(None));
        attempts.failed(b, ErrorKind::TimedOut.into());
        assert_eq!(attempts.poll(at(9002)), Step::Failed);
        let error = attempts.into_error();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(
            error.to_string(),
            "[::1]:1: connection refused; [::2]:1: connection refused; 1.1.1.1:1: timed out"
        );
    }

    #[test]
    fn a_host_without_an_address_is_not_found() {
        let mut attempts = Attempts::new([]);
        assert_eq!(attempts.poll(Timestamp::default()), Step::Failed);
        assert_eq!(attempts.into_error().to_string(), "the host has no address");
    }
}
