//! [`Gate`]: how many connections there may be, and [`Bucket`]: how fast one may go.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Buckets at once. Beyond that the full ones are forgotten.
const MAX_BUCKETS: usize = 10_000;

/// Counts connections, in all and by address.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Mutex<Counts>>);

#[derive(Debug)]
struct Counts {
    max_connections: usize,
    max_per_address: usize,
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Gate {
    /// So many connections in all, and from one address.
    #[must_use]
    pub fn new(max_connections: usize, max_per_address: usize) -> Self {
        let counts = Counts { max_connections, max_per_address, total: 0, by_address: HashMap::new() };
        Self(Arc::new(Mutex::new(counts)))
    }

    /// Lets a connection in, for as long as the pass lives.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, address: IpAddr) -> Result<Pass, Crowded> {
        let address = network(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { max_connections, max_per_address, total, by_address } = &mut *counts;
        if *total >= *max_connections {
            return Err(Crowded::Everywhere);
        }
        let count = by_address.entry(address).or_default();
        if *count >= *max_per_address {
            return Err(Crowded::Address);
        }
        *count += 1;
        *total += 1;
        Ok(Pass { gate: self.clone(), address })
    }

    /// How many connections there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowded {
    /// There are too many connections.
    Everywhere,
    /// There are too many connections from this address.
    Address,
}

/// A place for one connection.
#[derive(Debug)]
pub struct Pass {
    gate: Gate,
    address: IpAddr,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = self.gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        if let Entry::Occupied(mut count) = counts.by_address.entry(self.address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// A token bucket: it holds `burst` tokens, and gets `rate` in a second. Without a clock: the caller says what time it is.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    last: Duration,
}

impl Bucket {
    /// A full bucket. `rate` is greater than 0.
    #[must_use]
    pub fn new(rate: f64, burst: f64, now: Duration) -> Self {
        Self { rate, burst, tokens: burst, last: now }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// How long to wait for the next one.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        self.fill(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.tokens) / self.rate))
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.last).as_secs_f64();
        self.tokens = self.burst.min(self.tokens + passed * self.rate);
        self.last = now.max(self.last);
    }

    fn is_full(&mut self, now: Duration) -> bool {
        self.fill(now);
        self.tokens >= self.burst
    }
}

/// A bucket for each key, such as a [`network`] or a person.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: f64,
    burst: f64,
    by_key: HashMap<K, Bucket>,
}

impl<K: Eq + Hash> Buckets<K> {
    /// For each key `burst` tokens, and `rate` in a second.
    #[must_use]
    pub fn new(rate: f64, burst: f64) -> Self {
        Self { rate, burst, by_key: HashMap::new() }
    }

    /// Takes a token of a key.
    ///
    /// # Errors
    /// How long to wait for the next one.
    pub fn take(&mut self, key: K, now: Duration) -> Result<(), Duration> {
        if self.by_key.len() >= MAX_BUCKETS && !self.by_key.contains_key(&key) {
            self.by_key.retain(|_, bucket| !bucket.is_full(now));
            if self.by_key.len() >= MAX_BUCKETS {
                return Err(Duration::from_secs_f64(1.0 / self.rate));
            }
        }
        self.by_key.entry(key).or_insert_with(|| Bucket::new(self.rate, self.burst, now)).take(now)
    }
}

/// Whom an address stands for: whoever has one IPv6 address has the 2^64 beside it as well.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn connections_are_counted_in_all_and_by_address() {
        let gate = Gate::new(3, 2);
        let one = gate.admit(address(1)).expect("a place");
        let two = gate.admit(address(1)).expect("a place");
        assert_eq!(gate.admit(address(1)).err(), Some(Crowded::Address));
        let three = gate.admit(address(2)).expect("a place");
        assert_eq!(gate.admit(address(3)).err(), Some(Crowded::Everywhere));
        drop(one);
        assert_eq!(gate.total(), 2);
        drop((gate.admit(address(1)).expect("a place"), two, three));
        assert_eq!((gate.total(), gate.0.lock().expect("whole").by_address.len()), (0, 0));
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let gate = Gate::new(3, 1);
        let _pass = gate.admit("2001:db8::1".parse().expect("an address")).expect("a place");
        let same = gate.admit("2001:db8::2".parse().expect("an address"));
        assert_eq!(same.err(), Some(Crowded::Address));
        gate.admit("2001:db8:0:1::1".parse().expect("an address")).expect("a place");
    }

    #[test]
    fn a_bucket_gives_what_it_holds_and_then_what_it_gets() {
        let at = Duration::from_millis;
        let mut bucket = Bucket::new(2.0, 3.0, at(0));
        for _ in 0..3 {
            assert_eq!(bucket.take(at(0)), Ok(()));
        }
        assert_eq!(bucket.take(at(0)), Err(at(500)));
        assert_eq!(bucket.take(at(400)), Err(at(100)));
        assert_eq!(bucket.take(at(500)), Ok(()));
        // A long pause gives no more than it holds, and a clock that goes back gives nothing.
        for _ in 0..3 {
            assert_eq!(bucket.take(at(100_000)), Ok(()));
        }
        assert_eq!(bucket.take(at(0)), Err(at(500)));
    }

    #[test]
    fn each_key_has_a_bucket_and_there_are_not_too_many() {
        let mut buckets = Buckets::new(1.0, 1.0);
        let at = Duration::from_secs;
        assert_eq!(buckets.take(address(1), at(0)), Ok(()));
        assert!(buckets.take(address(1), at(0)).is_err());
        for number in 1..MAX_BUCKETS as u32 {
            assert_eq!(buckets.take(IpAddr::from(number.to_be_bytes()), at(0)), Ok(()));
        }
        assert_eq!(buckets.by_key.len(), MAX_BUCKETS);
        assert!(buckets.take(address(2), at(0)).is_err());
        assert_eq!(buckets.take(address(2), at(1)), Ok(()));
        assert_eq!(buckets.by_key.len(), 1);
    }
}
