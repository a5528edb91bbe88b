//! [`Admission`]: so many connections in all, and so many from each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Counts connections.
#[derive(Debug)]
pub(crate) struct Admission {
    all: Semaphore,
    each: Mutex<HashMap<IpAddr, usize>>,
    max_each: usize,
}

impl Admission {
    pub(crate) fn new(max_all: usize, max_each: usize) -> Self {
        Self { all: Semaphore::new(max_all), each: Mutex::default(), max_each }
    }

    /// A place for a connection, until it is dropped; or why there is none.
    pub(crate) fn admit(&self, address: IpAddr) -> Result<Place<'_>, &'static str> {
        let permit = self.all.try_acquire().map_err(|_| "the server is full\n")?;
        let host = host(address);
        let mut each = self.lock();
        let count = each.get(&host).copied().unwrap_or_default();
        if count >= self.max_each {
            return Err("too many connections from this address\n");
        }
        each.insert(host, count + 1);
        Ok(Place { admission: self, host, _permit: permit })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.each.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A host has a whole network of 64 bits in IPv6, and may write its IPv4 address as one of IPv6.
fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

/// The place of a connection.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    admission: &'a Admission,
    host: IpAddr,
    _permit: SemaphorePermit<'a>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut each = self.admission.lock();
        if let Some(count) = each.get_mut(&self.host) {
            *count -= 1;
            // Or the addresses of all times would add up.
            if *count == 0 {
                each.remove(&self.host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_place_is_free_again_when_it_is_dropped() {
        let admission = Admission::new(3, 2);
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(address);
        let first = admission.admit(one).expect("free");
        let _second = admission.admit(one).expect("free");
        assert!(admission.admit(one).expect_err("two").contains("this address"));
        let third = admission.admit(other).expect("free");
        assert!(admission.admit(other).expect_err("three").contains("full"));
        drop(third);
        drop(first);
        let _fourth = admission.admit(one).expect("free");
        assert_eq!(admission.lock().len(), 1, "the other address is forgotten");
    }

    #[test]
    fn a_network_of_ipv6_is_one_host() {
        let admission = Admission::new(10, 1);
        let _one = admission.admit(address("2001:db8::1")).expect("free");
        assert!(admission.admit(address("2001:db8::ffff:2")).is_err());
        let _other = admission.admit(address("2001:db8:0:1::1")).expect("free");
        let _v4 = admission.admit(address("192.0.2.1")).expect("free");
        assert!(admission.admit(address("::ffff:192.0.2.1")).is_err());
    }
}
