//! How WebSocket libraries have been broken, as hostile inputs: one theme per module.
//!
//! `tests/matrix/threats.txt` lists the flaws and tells which test shows each of them; what other tests show is not repeated here.

mod busy;
mod closing;
mod deadlines;
mod delays;
mod heads;
mod injection;
mod lengths;
mod origins;
mod reads;
mod smuggling;

#[path = "../core/clock.rs"]
#[allow(dead_code)]
mod clock;
#[path = "../counting/mod.rs"]
mod counting;
#[path = "../handshake/mod.rs"]
mod handshake;
#[path = "../core/scenario.rs"]
#[allow(dead_code)]
mod scenario;
#[path = "../core/wire.rs"]
#[allow(dead_code)]
mod wire;

#[cfg(feature = "blocking")]
#[path = "../blocking/stream.rs"]
#[allow(dead_code)]
mod blocking_stream;
#[cfg(feature = "tokio")]
#[path = "../tokio/stream.rs"]
#[allow(dead_code)]
mod tokio_stream;
