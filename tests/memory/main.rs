//! What hostile peers, idle connections and opening handshakes cost in bytes of heap, counted exactly.

#[cfg(all(feature = "blocking", feature = "tokio"))]
mod adapter_memory;
#[cfg(feature = "deflate")]
mod compressed;
mod core_memory;
#[cfg(feature = "tokio")]
mod fan_out;
#[cfg(feature = "futures")]
mod forwarding;
mod handshake_cost;

/// As the example `broadcast` has it.
#[cfg(feature = "tokio")]
#[allow(dead_code, reason = "the test needs less of it")]
#[path = "../../examples/room/mod.rs"]
mod room;

#[global_allocator]
static COUNTING: support::counting::Counting = support::counting::Counting;
