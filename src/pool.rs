//! Storage shared by the connections of a thread: one that waits holds little more than what has arrived.

use core::cell::RefCell;
use std::thread::LocalKey;
use std::vec::Vec;

use crate::Input;
#[cfg(feature = "tokio")]
use crate::Output;

/// How many pieces of storage a thread keeps of either kind: enough for connections that are in the middle of a message.
const MAX_PIECES: usize = 4;

type Pool = RefCell<Vec<Vec<u8>>>;

std::thread_local! {
    /// For a read or a few each.
    static READS: Pool = const { RefCell::new(Vec::new()) };
    #[cfg(feature = "tokio")]
    static WRITES: Pool = const { RefCell::new(Vec::new()) };
}

/// Lends storage to an input that is about to be read into.
pub(crate) fn supply(input: &mut Input) {
    if !input.has_storage()
        && let Some(storage) = take(&READS)
    {
        input.adopt(storage);
    }
}

/// Takes storage back from an input in which little is buffered, unless it is very long.
pub(crate) fn collect(input: &mut Input) {
    if let Some(storage) = input.release_read() {
        put(&READS, storage);
    }
}

/// Lends storage to an output that something may be queued in.
#[cfg(feature = "tokio")]
pub(crate) fn supply_output(output: &mut Output) {
    if !output.has_storage()
        && let Some(storage) = take(&WRITES)
    {
        output.adopt(storage);
    }
}

/// Takes the storage back from an output that is written.
#[cfg(feature = "tokio")]
pub(crate) fn collect_output(output: &mut Output) {
    if let Some(storage) = output.release_storage() {
        put(&WRITES, storage);
    }
}

fn take(pool: &'static LocalKey<Pool>) -> Option<Vec<u8>> {
    // A thread that is ending has no pool any more; then a connection allocates for itself.
    pool.try_with(|pool| pool.borrow_mut().pop()).ok().flatten()
}

fn put(pool: &'static LocalKey<Pool>, storage: Vec<u8>) {
    // What does not fit is freed.
    let _ = pool.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < MAX_PIECES {
            pool.push(storage);
        }
    });
}
