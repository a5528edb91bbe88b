//! What the tests share: bytes made and read by hand, and streams, clocks and allocators that do as they are told.
#![allow(missing_docs, missing_debug_implementations, reason = "only tests use it")]
#![allow(clippy::new_without_default, clippy::should_implement_trait, reason = "only tests use it")]

pub mod chunked;
pub mod clock;
pub mod counting;
pub mod deflate;
pub mod handshake;
#[cfg(feature = "http")]
pub mod http;
pub mod kind;
pub mod load;
#[cfg(feature = "tracing")]
pub mod subscriber;
pub mod wire;
pub mod written;

#[cfg(any(feature = "blocking", feature = "tokio"))]
pub mod scenario;

#[cfg(feature = "blocking")]
pub mod blocking_player;
#[cfg(feature = "blocking")]
pub mod blocking_scenarios;
#[cfg(feature = "blocking")]
pub mod blocking_stream;

#[cfg(feature = "tokio")]
pub mod tokio_player;
#[cfg(feature = "tokio")]
pub mod tokio_scenarios;
#[cfg(feature = "tokio")]
pub mod tokio_stream;
#[cfg(feature = "tokio")]
pub mod tokio_way;
#[cfg(feature = "tokio")]
pub mod tokio_wire;
