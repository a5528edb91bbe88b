//! The blocking adapter, one behaviour per file: over a scripted stream in memory, and its halves over real sockets.

mod answers;
#[cfg(unix)]
mod blocking_counters;
mod clocks;
mod closing;
// The backlog is set with a socket of tokio.
#[cfg(all(unix, feature = "tokio"))]
mod connecting;
mod deadlines;
#[cfg(unix)]
mod end_of_stream;
mod failures;
mod handed_over;
#[cfg(unix)]
mod held_back;
#[cfg(unix)]
mod idle;
mod interruptions;
mod memory_pair;
mod messages;
mod opening;
mod opening_waits;
mod orderly_end;
mod panics;
mod parts;
#[cfg(unix)]
mod progress;
mod queueing;
mod queues;
mod read_errors;
#[cfg(unix)]
mod reader_gone;
mod reading_while_blocked;
#[cfg(unix)]
mod receiving;
mod refusals;
#[cfg(unix)]
mod reunite;
#[cfg(unix)]
mod slow_kernel;
#[cfg(unix)]
mod split_bounds;
#[cfg(unix)]
mod split_closing;
#[cfg(unix)]
mod split_replies;
#[cfg(unix)]
mod split_unread;
#[cfg(unix)]
mod storm_of_threads;
#[cfg(unix)]
mod threads_under_load;
mod types_are_send;
#[cfg(unix)]
mod waiting;
#[cfg(unix)]
mod writers;

#[cfg(unix)]
mod duplex;
mod http;
#[cfg(unix)]
mod pairs;
