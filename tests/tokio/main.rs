//! The tokio adapter over scripted streams and a simulated clock, one behaviour per module.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod async_connecting;
mod async_deadlines;
mod async_end_of_stream;
mod async_held_back;
mod async_read_errors;
mod async_split_unread;
mod batching;
mod budget;
mod cancel_safety;
mod close_codes;
mod counters;
mod either_side_closes;
mod fairness;
mod faults;
mod futures_are_send;
mod invalid_text;
mod lingering;
mod message_lengths;
mod opening_handshake;
mod pings;
mod refused_clients;
mod room;
mod shutting_down;
mod silent_peers;
mod split_cancel_safety;
mod split_end;
mod split_news;
mod split_turns;
mod split_wakes;
mod split_writers;
mod storm_of_tasks;
#[cfg(feature = "futures")]
mod streams_and_sinks;
mod taken_apart;
mod tasks_under_load;
mod timeouts;
mod turns;
mod waking;
mod ways_to_send;

/// As the example `broadcast` has it.
#[path = "../../examples/room/mod.rs"]
mod example_room;
