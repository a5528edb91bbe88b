//! What hostile peers, idle connections and opening handshakes cost in bytes of heap, counted exactly.

#[cfg(all(feature = "blocking", feature = "tokio"))]
mod adapter_memory;
#[cfg(feature = "deflate")]
mod compressed;
mod core_memory;
<<<<<<< HEAD
#[cfg(feature = "tokio")]
mod fan_out;
=======
#[cfg(feature = "futures")]
mod forwarding;
>>>>>>> a3d6062 (tokio: implement `Stream` and `Sink` behind the feature `futures`)
mod handshake_cost;

/// As the example `broadcast` has it.
#[cfg(feature = "tokio")]
#[allow(dead_code, reason = "the test needs less of it")]
#[path = "../../examples/room/mod.rs"]
mod room;

#[global_allocator]
static COUNTING: support::counting::Counting = support::counting::Counting;
