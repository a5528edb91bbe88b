//! However the bytes are cut on their way, the same comes of them: for valid streams and for mutated ones, from the first byte
//! of the opening handshake to the end of the transport, in the core and through the adapters.

#[cfg(any(feature = "blocking", feature = "tokio"))]
mod adapters;
mod connection;
mod frames;
mod heads;
mod invariance;

#[path = "../handshake/mod.rs"]
mod handshake;
#[path = "../core/scenario.rs"]
#[allow(dead_code)]
mod scenario;
#[path = "../core/wire.rs"]
#[allow(dead_code)]
mod wire;
#[cfg(any(feature = "blocking", feature = "tokio"))]
#[path = "../conversation/written.rs"]
#[allow(dead_code)]
mod written;

#[cfg(feature = "blocking")]
#[path = "../blocking/stream.rs"]
#[allow(dead_code)]
mod blocking_stream;
#[cfg(feature = "tokio")]
#[path = "../tokio/stream.rs"]
#[allow(dead_code)]
mod tokio_stream;
