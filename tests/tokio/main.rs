//! The tokio adapter over scripted streams and a simulated clock, one behaviour per module.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod player;
mod scenarios;
mod stream;
mod wire;

#[path = "../core/wire.rs"]
#[allow(dead_code)]
mod core_wire;
#[path = "../handshake/kind.rs"]
#[allow(dead_code)]
mod kind;
#[path = "../conversation/load.rs"]
mod load;
#[path = "../conversation/scenario.rs"]
mod scenario;
#[path = "../conversation/written.rs"]
mod written;

mod batching;
mod budget;
mod cancel_safety;
mod close_codes;
mod closing;
mod fairness;
mod faults;
mod futures_are_send;
mod keepalive;
mod lingering;
mod messages;
mod opening;
mod parts;
mod pings;
mod refusals;
mod sending;
mod split_cancel_safety;
mod split_closing;
mod split_news;
mod split_storm;
mod split_turns;
mod split_under_load;
mod split_writers;
mod timeouts;
mod waking;
