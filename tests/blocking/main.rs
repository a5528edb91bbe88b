//! The blocking adapter, one behaviour per file: over a scripted stream in memory, and its halves over real sockets.
#![cfg(feature = "blocking")]

#[cfg(unix)]
mod clocks;
mod close_codes;
mod closing;
mod control_frames;
mod deadlines;
mod failures;
mod interruptions;
mod messages;
mod opening;
mod parts;
mod queueing;
mod queues;
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
mod split_storm;
#[cfg(unix)]
mod split_under_load;
mod types_are_send;
#[cfg(unix)]
mod waiting;
#[cfg(unix)]
mod writers;

mod player;
mod scenarios;

#[cfg(unix)]
mod duplex;
mod http;
#[cfg(unix)]
mod pairs;
mod stream;
#[path = "../core/wire.rs"]
#[allow(dead_code)]
mod wire;
use self::wire as core_wire;
#[cfg(unix)]
#[path = "../handshake/kind.rs"]
#[allow(dead_code)]
mod kind;
#[path = "../conversation/load.rs"]
mod load;
#[path = "../conversation/scenario.rs"]
mod scenario;
#[path = "../conversation/written.rs"]
mod written;
