//! Read storage shared by the connections of a thread: one that waits holds little more than what has arrived.

use core::cell::RefCell;
use std::vec::Vec;

use crate::Input;

/// How many buffers of 64 KiB a thread keeps: enough for connections that are in the middle of a message.
const MAX_BUFFERS: usize = 4;

std::thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Lends storage to an input that is about to be read into.
pub(crate) fn supply(input: &mut Input) {
    if !input.has_storage() {
        // A thread that is ending has no pool any more; then the input allocates for itself.
        if let Ok(Some(storage)) = POOL.try_with(|pool| pool.borrow_mut().pop()) {
            input.adopt(storage);
        }
    }
}

/// Takes the storage of one read back from an input in which little is buffered.
pub(crate) fn collect(input: &mut Input) {
    let Some(storage) = input.release_read() else { return };
    // What does not fit is freed.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < MAX_BUFFERS {
            pool.push(storage);
        }
    });
}
