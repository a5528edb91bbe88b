//! The opening handshake without I/O: each side, what they agree on, and both together.

mod both_sides;
mod client;
mod forwarded_host;
#[cfg(feature = "http")]
mod frameworks;
mod negotiate;
mod server;
