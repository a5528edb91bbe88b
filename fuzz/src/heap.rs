//! Counts the bytes of heap in use, to bound what a peer can make grow.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The heap in use since this was made.
pub struct Heap(usize);

impl Heap {
    /// The storage of an input for one read.
    pub const READ_LEN: usize = 64 << 10;
    /// What is on the heap besides: the generator of masking keys, a late pong, the peer's Close frame.
    pub const LITTLE_LEN: usize = 1 << 10;

    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let live = LIVE.load(Relaxed);
        PEAK.store(live, Relaxed);
        Self(live)
    }

    /// Asserts that no more than `len` bytes were added.
    #[track_caller]
    pub fn assert_at_most(&self, len: usize) {
        let used = LIVE.load(Relaxed).saturating_sub(self.0);
        assert!(used <= len, "{used} bytes of heap are in use instead of {len}");
    }

    /// Asserts that there never were more than `len` since the last such call; storage counts twice while it moves.
    #[track_caller]
    pub fn assert_peak_at_most(&self, len: usize) {
        let peak = PEAK.swap(LIVE.load(Relaxed), Relaxed).saturating_sub(self.0);
        assert!(peak <= len, "{peak} bytes of heap were in use instead of {len}");
    }
}
