//! The tokio adapter over scripted streams and a simulated clock, one behaviour per module.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod batching;
mod budget;
mod cancel_safety;
mod close_codes;
mod either_side_closes;
mod fairness;
mod faults;
mod futures_are_send;
mod lingering;
mod message_lengths;
mod opening_handshake;
mod pings;
mod refused_clients;
mod silent_peers;
mod split_cancel_safety;
mod split_end;
mod split_news;
mod split_turns;
mod split_writers;
mod storm_of_tasks;
mod taken_apart;
mod tasks_under_load;
mod timeouts;
mod waking;
mod ways_to_send;
