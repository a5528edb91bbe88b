//! What lies between a client and its server: addresses, proxies, redirects, and the pauses between two tries.
//!
//! Each is a machine without I/O. The adapters move their bytes and wait as they say.

pub(crate) mod backoff;

#[cfg(any(feature = "blocking", feature = "tokio"))]
pub(crate) mod addresses;
#[cfg(any(feature = "blocking", feature = "tokio"))]
pub(crate) mod proxy;
#[cfg(any(feature = "blocking", feature = "tokio"))]
pub(crate) mod redirect;
