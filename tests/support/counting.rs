//! An allocator that counts, exactly and per thread, so that tests run side by side.
//!
//! A reallocation counts as if the old and the new block both live for a moment, which is the worst case.
#![allow(unsafe_code, reason = "an allocator")]

use core::cell::Cell;
use std::alloc::{GlobalAlloc, Layout, System};

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// To be the `#[global_allocator]` of a program.
pub struct Counting;

impl Counting {
    fn add(len: usize) {
        let live = LIVE.get().wrapping_add(len);
        LIVE.set(live);
        // What another thread allocated and this one frees may make `live` wrap below zero.
        if (live as isize) > PEAK.get() as isize {
            PEAK.set(live);
        }
        COUNT.set(COUNT.get() + 1);
    }

    fn sub(len: usize) {
        LIVE.set(LIVE.get().wrapping_sub(len));
    }
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        Self::sub(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        Self::add(new_size);
        Self::sub(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(block, layout, new_size) }
    }
}

/// What this thread allocated since the meter was made.
pub struct Meter {
    live: usize,
    count: usize,
}

impl Meter {
    pub fn new() -> Self {
        PEAK.set(LIVE.get());
        Self { live: LIVE.get(), count: COUNT.get() }
    }

    /// The most bytes at once.
    pub fn peak(&self) -> usize {
        PEAK.get().wrapping_sub(self.live)
    }

    /// The bytes that are still allocated.
    pub fn retained(&self) -> usize {
        self.retained_at(live())
    }

    /// The bytes that were still allocated when there were `live` of them on this thread; none if more were freed than allocated.
    pub fn retained_at(&self, live: usize) -> usize {
        usize::try_from(live.wrapping_sub(self.live) as isize).unwrap_or(0)
    }

    pub fn allocations(&self) -> usize {
        COUNT.get() - self.count
    }

    /// Shows a figure with `--nocapture`, without counting what that takes.
    pub fn report(&self, what: &str) {
        let (peak, retained, count) = (self.peak(), self.retained(), self.allocations());
        let saved = (LIVE.get(), PEAK.get(), COUNT.get());
        eprintln!("{what}: peak {peak}, retained {retained}, allocations {count}");
        LIVE.set(saved.0);
        PEAK.set(saved.1);
        COUNT.set(saved.2);
    }
}

/// How many bytes this thread has allocated, less those that it has freed.
pub fn live() -> usize {
    LIVE.get()
}
