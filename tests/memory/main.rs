//! What hostile peers, idle connections and opening handshakes cost in bytes of heap, counted exactly.

#[cfg(all(feature = "blocking", feature = "tokio"))]
mod adapter_memory;
#[cfg(feature = "deflate")]
mod compressed;
mod core_memory;
mod handshake_cost;

#[global_allocator]
static COUNTING: support::counting::Counting = support::counting::Counting;
