//! The storage of an [`Input`]: how it grows, and how it changes hands.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Input, READ_LEN};

/// What is buffered while nothing comes moves to storage of its own length if it is not longer than this.
const LITTLE_LEN: usize = 4 << 10;

impl Input {
    /// Gives the storage back when nothing is buffered, for another input to [`adopt`](Self::adopt).
    pub fn release(&mut self) -> Option<Vec<u8>> {
        self.retire();
        (self.held_len() == 0 && !self.storage.is_empty()).then(|| self.move_to(Vec::new()))
    }

    /// Takes over storage that another input released, if it is longer than what is here, and returns the one that is not needed.
    ///
    /// All of its length is used for reading, whatever it holds.
    pub fn adopt(&mut self, storage: Vec<u8>) -> Vec<u8> {
        if storage.len() <= self.storage.len() {
            return storage;
        }
        if self.storage.is_empty() {
            return core::mem::replace(&mut self.storage, storage);
        }
        self.retire();
        self.move_to(storage)
    }

    /// Gives back what a large message left behind: the text, and storage beyond one read of 64 KiB in which little is buffered.
    pub fn shrink(&mut self) {
        self.retire();
        if self.text.is_empty() {
            self.text = String::new();
        }
        if self.inflated.is_empty() {
            self.inflated = Vec::new();
        }
        let held_len = self.held_len();
        if self.storage.len() > READ_LEN && held_len <= LITTLE_LEN {
            drop(self.move_to(alloc::vec![0; held_len]));
        }
    }

    /// True when it has nothing that a new one has not, but for empty buffers.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    #[inline]
    pub(crate) fn is_blank(&mut self) -> bool {
        self.retire();
        let is_set = self.eof | (self.max_read_len != usize::MAX);
        !is_set && self.held_len() == 0 && !self.has_inflated()
    }

    /// Gives the storage back unless much is buffered; what little is buffered moves to storage of its own length.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    #[inline]
    pub(crate) fn release_read(&mut self) -> Option<Vec<u8>> {
        self.retire();
        match self.held_len() {
            0 => Some(self.take_storage()),
            held_len @ ..=LITTLE_LEN => Some(self.move_to(alloc::vec![0; held_len])),
            _ => None,
        }
    }

    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn storage_len(&self) -> usize {
        self.storage.len()
    }

    /// How much heap it has, in bytes.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn heap_len(&self) -> usize {
        self.storage.len() + self.text.capacity() + self.inflated.capacity()
    }

    /// The storage and everything in it.
    pub(crate) fn take_storage(&mut self) -> Vec<u8> {
        (self.start, self.end, self.lent_len) = (0, 0, 0);
        (self.message_start, self.message_end, self.complete) = (0, 0, false);
        core::mem::take(&mut self.storage)
    }

    /// True when there is room for a read behind what is buffered.
    #[inline]
    pub(crate) fn has_room(&mut self) -> bool {
        self.retire();
        self.close_gap();
        self.storage.len() - self.end >= self.min_read_len()
    }

    /// Makes room for a read.
    #[cold]
    #[inline(never)]
    pub(super) fn make_room(&mut self) {
        let enough = self.min_read_len();
        self.compact();
        if self.storage.len() - self.end >= enough {
            return;
        }
        // Growing at most doubles what has arrived, whatever was announced.
        let held = self.end - self.message_start;
        let len = held.saturating_mul(2).max(READ_LEN).saturating_add(self.message_start);
        // The end of a long message is enough: then the next one of its length is read alone too, and nothing moves.
        let len = len.min(self.end.saturating_add(self.max_read_len));
        self.storage.reserve_exact(len - self.storage.len());
        self.storage.resize(len, 0);
    }

    /// How much room the next read wants at least.
    fn min_read_len(&self) -> usize {
        self.max_read_len.min(READ_LEN / 2)
    }

    /// Closes the gaps that consumed bytes have left, each when it is at least as long as what has to move: then all moves
    /// together cost no more than the bytes that arrived.
    fn compact(&mut self) {
        if !self.has_message() {
            (self.message_start, self.message_end) = (0, 0);
        }
        let unread_len = self.end - self.start;
        if unread_len <= self.start - self.message_end {
            self.storage.copy_within(self.start..self.end, self.message_end);
            self.start = self.message_end;
            self.end = self.start + unread_len;
        }
        let held = self.end - self.message_start;
        if held <= self.message_start {
            self.storage.copy_within(self.message_start..self.end, 0);
            self.end -= self.message_start;
            self.start -= self.message_start;
            self.message_end -= self.message_start;
            self.message_start = 0;
        }
    }

    pub(super) fn held_len(&self) -> usize {
        self.message_range().len() + (self.end - self.start)
    }

    /// Moves what is buffered to the beginning of `storage`, which is long enough, and returns the former storage.
    fn move_to(&mut self, mut storage: Vec<u8>) -> Vec<u8> {
        if self.held_len() == 0 {
            let former = self.take_storage();
            self.storage = storage;
            return former;
        }
        let (message, unread) = (self.message(), self.unread());
        let (message_len, held_len) = (message.len(), message.len() + unread.len());
        storage[..message_len].copy_from_slice(message);
        storage[message_len..held_len].copy_from_slice(unread);
        (self.message_start, self.message_end) = (0, message_len);
        (self.start, self.end, self.lent_len) = (message_len, held_len, 0);
        core::mem::replace(&mut self.storage, storage)
    }
}

#[cfg(all(test, feature = "blocking"))]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_has_ended_or_expects_more_is_not_blank() {
        for (is_eof, is_announced) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut input = Input::new();
            if is_eof {
                input.set_eof();
            }
            if is_announced {
                input.set_missing(READ_LEN);
            }
            assert_eq!(input.is_blank(), !is_eof && !is_announced);
        }
    }
}
