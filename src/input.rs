//! [`Input`]: the peer's bytes that the protocol has not consumed yet, and the message that is being put together.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

/// How much room a read gets.
pub(crate) const READ_LEN: usize = 64 << 10;

/// What is buffered while nothing comes moves to storage of its own length if it is not longer than this.
const LITTLE_LEN: usize = 4 << 10;

/// A message that lacks more than this, or is at least as long as a read, is read to exactly its end, so that it lies alone in the storage.
const LARGE_LEN: usize = 16 << 10;

/// The peer's bytes, apart from the protocol's state: an event borrows the input while the connection stays free to send.
///
/// A new input holds nothing on the heap. It grows with the bytes that arrive, never with a length that was announced.
///
/// ```
/// # fn read(space: &mut [u8]) -> usize { space[..2].copy_from_slice(&[0x89, 0x00]); 2 }
/// use tidewire::{Config, Connection, Event, Input};
///
/// let mut connection = Connection::client(Config::new(), [7; 32]);
/// let mut input = Input::new();
/// let n = read(input.space());
/// input.filled(n);
/// assert!(matches!(connection.receive(&mut input)?, Some(Event::Ping(b""))));
/// # Ok::<(), tidewire::ProtocolError>(())
/// ```
pub struct Input {
    /// Initialised once, when it is allocated: reads overwrite it.
    storage: Vec<u8>,
    /// The binary message under way, unmasked and contiguous, in `storage` and not behind `start`; 0 and 0 when there is none.
    message_start: usize,
    message_end: usize,
    /// What has arrived and is not consumed, in `storage`.
    start: usize,
    end: usize,
    /// The length of the payload that ends at `start` and may be lent.
    lent_len: usize,
    /// How long the next read may be: not beyond the end of a long message whose payload stays where it is read.
    max_read_len: usize,
    /// The text message under way.
    text: String,
    eof: bool,
    /// The message under way is complete: it may be lent now and is forgotten at the next `advance`.
    complete: bool,
    /// The storage has held more than one read since a read last found it empty.
    long: bool,
}

impl Input {
    /// An empty input, without heap.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            storage: Vec::new(),
            message_start: 0,
            message_end: 0,
            start: 0,
            end: 0,
            lent_len: 0,
            max_read_len: usize::MAX,
            text: String::new(),
            eof: false,
            complete: false,
            long: false,
        }
    }

    /// Where to read the transport into; never empty. Tell how much was read with [`filled`](Self::filled).
    ///
    /// Its length is chosen so that a long message ends where the room ends.
    pub fn space(&mut self) -> &mut [u8] {
        if !self.has_room() {
            self.make_room();
        }
        self.room()
    }

    /// As [`space`](Self::space); without room, `supply` is asked before any is made.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    #[inline(always)]
    pub(crate) fn space_with(&mut self, supply: impl FnOnce(&mut Self)) -> &mut [u8] {
        if !self.has_room() {
            supply(self);
            return self.space();
        }
        self.room()
    }

    #[inline]
    fn room(&mut self) -> &mut [u8] {
        let end = self.storage.len().min(self.end.saturating_add(self.max_read_len));
        &mut self.storage[self.end..end]
    }

    /// The first `n` bytes of [`space`](Self::space) now hold what was read.
    pub fn filled(&mut self, n: usize) {
        if self.long {
            self.long = self.held_len() > 0;
        }
        self.end = self.end.saturating_add(n).min(self.storage.len());
        self.long |= self.end > READ_LEN;
    }

    /// Appends bytes that were read elsewhere.
    pub fn extend_from_slice(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let (now, later) = bytes.split_at(bytes.len().min(space.len()));
            space[..now.len()].copy_from_slice(now);
            self.filled(now.len());
            bytes = later;
        }
    }

    /// The peer has ended its side of the transport: nothing follows what is here.
    pub fn set_eof(&mut self) {
        self.eof = true;
    }

    /// True when the peer has ended its side of the transport.
    #[must_use]
    pub fn is_eof(&self) -> bool {
        self.eof
    }

    /// The bytes that are not consumed yet.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }

    #[cfg(any(feature = "blocking", feature = "tokio"))]
    #[inline]
    pub(crate) fn has_unread(&self) -> bool {
        self.start != self.end
    }

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
        let held_len = self.held_len();
        if self.storage.len() > READ_LEN && held_len <= LITTLE_LEN {
            drop(self.move_to(alloc::vec![0; held_len]));
        }
    }

    /// True when [`shrink`](Self::shrink) may have something to give back.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn is_swollen(&self) -> bool {
        self.text.capacity() > 0 || self.storage.len() > READ_LEN
    }

    /// True when it has nothing that a new one has not, but for storage.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    #[inline]
    pub(crate) fn is_blank(&mut self) -> bool {
        self.retire();
        let is_set = self.eof | self.long | (self.max_read_len != usize::MAX);
        !is_set && !self.has_message() && !self.has_unread() && self.text.capacity() == 0
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

    /// True if the storage has held more than one read since a read last found it empty.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn was_long(&self) -> bool {
        self.long
    }

    /// True when the storage has to grow for the next read.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn is_full(&self) -> bool {
        self.storage.len() - self.held_len() < self.min_read_len()
    }

    /// Takes over storage where there is none.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn set_storage(&mut self, storage: Vec<u8>) {
        self.storage = storage;
    }

    /// The storage and everything in it.
    pub(crate) fn take_storage(&mut self) -> Vec<u8> {
        (self.start, self.end, self.lent_len) = (0, 0, 0);
        (self.message_start, self.message_end, self.complete) = (0, 0, false);
        core::mem::take(&mut self.storage)
    }

    /// The storage, with what is read in it; what is unread stays here.
    pub(crate) fn give_storage(&mut self) -> Vec<u8> {
        let unread = self.unread().to_vec();
        let given = self.take_storage();
        self.end = unread.len();
        self.storage = unread;
        given
    }

    /// Sees to it that the binary payload `range` of the storage can be given away together with it; false if too much else is in it.
    #[inline]
    pub(crate) fn can_give(&mut self, range: Range<usize>) -> bool {
        // The payload fills at least half of the storage, and next to nothing is unread, which would have to move.
        let can = range.end >= range.start + LARGE_LEN
            && range.len() >= self.storage.capacity() / 2
            && self.end - self.start <= range.len() / 4;
        if can {
            (self.message_start, self.message_end, self.complete) = (range.start, range.end, true);
        }
        can
    }

    /// The binary payload `range` of the storage.
    #[inline]
    pub(crate) fn payload(&self, range: Range<usize>) -> &[u8] {
        self.storage.get(range).unwrap_or_default()
    }

    /// The binary message, and where it lies in the storage.
    pub(crate) fn message(&self) -> &[u8] {
        &self.storage[self.message_range()]
    }

    pub(crate) fn message_range(&self) -> Range<usize> {
        self.message_start..self.message_end
    }

    /// The payload that ends where the unread bytes begin.
    #[inline]
    pub(crate) fn lent(&self) -> &[u8] {
        self.storage.get(self.lent_range()).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn lent_range(&self) -> Range<usize> {
        self.start.saturating_sub(self.lent_len)..self.start
    }

    #[inline]
    pub(crate) fn unread_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.start..self.end]
    }

    #[inline]
    pub(crate) fn consume(&mut self, len: usize) {
        self.start = self.start.saturating_add(len).min(self.end);
    }

    /// Consumes `len` bytes that may be lent.
    #[inline]
    pub(crate) fn consume_lent(&mut self, len: usize) {
        self.consume(len);
        self.lent_len = len;
    }

    /// Consumes a header, and a payload that may be lent; both are there.
    #[inline(always)]
    pub(crate) fn consume_frame(&mut self, header_len: usize, len: usize) {
        self.start = self.end.min(self.start + header_len + len);
        self.lent_len = len;
    }

    /// Moves the next `len` bytes from the unread ones to the end of the binary message under way.
    pub(crate) fn keep(&mut self, len: usize) {
        let len = len.min(self.unread().len());
        if !self.has_message() {
            (self.message_start, self.message_end) = (self.start, self.start);
        } else if self.message_end != self.start {
            self.storage.copy_within(self.start..self.start + len, self.message_end);
        }
        self.message_end += len;
        self.start += len;
        self.close_gap();
    }

    /// The next `len` unread bytes and the text message under way.
    pub(crate) fn text_parts(&mut self, len: usize) -> (&mut [u8], &mut String) {
        let len = len.min(self.unread().len());
        (&mut self.storage[self.start..self.start + len], &mut self.text)
    }

    /// The text message under way.
    pub(crate) fn text(&mut self) -> &mut String {
        &mut self.text
    }

    /// The part of a text message that is to be lent.
    pub(crate) fn part(&self) -> &str {
        if self.complete { &self.text } else { "" }
    }

    /// How much a message lacks whose payload stays where it is read; 0 when the next read may take whatever comes.
    #[inline]
    pub(crate) fn set_missing(&mut self, len: usize) {
        let is_long = len > LARGE_LEN || self.message_range().len() + len >= READ_LEN;
        self.max_read_len = if is_long && len > 0 { len } else { usize::MAX };
    }

    pub(crate) fn set_complete(&mut self) {
        self.complete = true;
    }

    #[inline]
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// What was lent is over.
    #[inline]
    pub(crate) fn retire(&mut self) {
        self.lent_len = 0;
        if self.complete {
            self.complete = false;
            self.discard_message();
        }
    }

    pub(crate) fn discard_message(&mut self) {
        (self.message_start, self.message_end, self.max_read_len) = (0, 0, usize::MAX);
        self.text.clear();
    }

    fn held_len(&self) -> usize {
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

    fn has_message(&self) -> bool {
        self.message_start != self.message_end
    }

    /// With nothing unread, the next read follows what is kept.
    fn close_gap(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (self.message_end, self.message_end);
        }
    }

    /// How much room the next read wants at least.
    fn min_read_len(&self) -> usize {
        self.max_read_len.min(READ_LEN / 2)
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
    fn make_room(&mut self) {
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
}

impl Default for Input {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("unread_len", &(self.end - self.start))
            .field("message_len", &(self.message_end - self.message_start + self.text.len()))
            .field("storage_len", &self.storage.len())
            .field("eof", &self.eof)
            .finish()
    }
}

#[cfg(all(test, feature = "blocking"))]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn storage_is_full_with_less_than_half_a_read_of_room_and_swollen_beyond_one() {
        let mut input = Input::new();
        assert!(input.is_full() && !input.is_swollen());
        input.adopt(vec![0; READ_LEN]);
        assert!(!input.is_full() && !input.is_swollen());
        input.extend_from_slice(&[0; READ_LEN / 2]);
        assert!(!input.is_full());
        input.extend_from_slice(&[0]);
        assert!(input.is_full());
        // Unless that is more than the frame under way lacks.
        input.set_missing(READ_LEN / 2);
        assert!(input.is_full());
        input.set_missing(READ_LEN / 2 - 1);
        assert!(!input.is_full());
        input.adopt(vec![0; READ_LEN + 1]);
        assert!(input.is_swollen());
    }

    #[test]
    fn storage_that_has_held_more_than_one_read_was_long_until_the_next_short_one() {
        let mut input = Input::new();
        input.adopt(vec![0; 2 * READ_LEN]);
        input.filled(READ_LEN);
        assert!(!input.was_long());
        input.filled(1);
        assert!(input.was_long());
        input.consume(READ_LEN);
        input.filled(1);
        assert!(input.was_long(), "something is buffered still");
        input.consume(2);
        assert!(input.was_long());
        input.space();
        input.filled(1);
        assert!(!input.was_long());
    }
}
