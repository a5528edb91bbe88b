//! Engine.IO 4 and Socket.IO 5 without I/O, and a server for them.
//!
//! | module | what it knows |
//! |---|---|
//! | [`engine`] | packets, long-polling, the WebSocket, the upgrade between them, the heartbeat |
//! | [`socket`] | namespaces, events, acknowledgements, attachments |
//! | [`rooms`] | who is in which room |
//! | [`server`] (feature `server`) | requests of hyper or axum, and the WebSocket of tidewire |
//!
//! The first three have no sockets, no clock and no source of randomness. They are told what arrived and what time it is.
//! Everything that a client can make them keep has a bound in [`Limits`].

pub mod engine;
mod limits;
pub mod rooms;
#[cfg(feature = "server")]
pub mod server;
pub mod socket;

pub use limits::Limits;

#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
mod readme {}
