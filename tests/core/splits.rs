//! However the bytes are cut on their way, the same comes of them: for valid streams and for mutated ones, from the first byte
//! of the opening handshake to the end of the transport, in the core and through the adapters.

#[cfg(any(feature = "blocking", feature = "tokio"))]
mod adapters;
mod connection;
pub(crate) mod frames;
mod heads;
mod invariance;
