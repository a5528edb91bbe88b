//! [`Input`]: the peer's bytes that the protocol has not consumed yet, and the message that is being put together.

mod storage;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

/// How much room a read gets.
pub(crate) const READ_LEN: usize = 64 << 10;

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
    /// The binary message under way, if it was compressed: what lies in `storage` is too short for it.
    inflated: Vec<u8>,
    eof: bool,
    /// The message under way is complete: it may be lent now and is forgotten at the next `advance`.
    complete: bool,
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
            inflated: Vec::new(),
            eof: false,
            complete: false,
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

    #[inline]
    fn room(&mut self) -> &mut [u8] {
        let end = self.storage.len().min(self.end.saturating_add(self.max_read_len));
        &mut self.storage[self.end..end]
    }

    /// The first `n` bytes of [`space`](Self::space) now hold what was read. A larger `n` than there was space counts as all of it.
    pub fn filled(&mut self, n: usize) {
        // Storage is not cleared: beyond the space there may be bytes of another connection.
        self.end = self.storage.len().min(self.end.saturating_add(n.min(self.max_read_len)));
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

    /// The text message under way, with room for `len` bytes more. It takes no more memory than a message of `max_len`.
    pub(crate) fn text_with_room(&mut self, len: usize, max_len: usize) -> &mut String {
        if self.text.is_empty() && self.inflated.capacity() > self.text.capacity() {
            // A binary message has left longer memory behind. One is enough for both.
            self.text = String::from_utf8(core::mem::take(&mut self.inflated)).unwrap_or_default();
        }
        let additional = growth(self.text.len(), self.text.capacity(), len, max_len);
        self.text.reserve_exact(additional);
        &mut self.text
    }

    /// Appends to a binary message that was compressed. It takes no more memory than a message of `max_len`.
    pub(crate) fn push_inflated(&mut self, bytes: &[u8], max_len: usize) {
        if self.inflated.is_empty() && self.text.capacity() > self.inflated.capacity() {
            self.inflated = core::mem::take(&mut self.text).into_bytes();
        }
        let additional = growth(self.inflated.len(), self.inflated.capacity(), bytes.len(), max_len);
        self.inflated.reserve_exact(additional);
        self.inflated.extend_from_slice(bytes);
    }

    /// True when something of a compressed message has been inflated.
    pub(crate) fn has_inflated(&self) -> bool {
        self.inflated_len() > 0
    }

    pub(crate) fn inflated_len(&self) -> usize {
        self.text.len() + self.inflated.len()
    }

    /// The binary message, or the part of one, that is to be lent and was compressed.
    pub(crate) fn inflated(&self) -> &[u8] {
        if self.complete { &self.inflated } else { &[] }
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
        self.inflated.clear();
    }

    /// Forgets the message under way and its memory: no other one follows.
    pub(crate) fn free_message(&mut self) {
        self.discard_message();
        (self.text, self.inflated) = (String::new(), Vec::new());
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
}

/// How many bytes to reserve for `len` more: twice as many as there are, but no more than `max_len` in all unless they are needed.
///
/// While memory moves it is there twice. So the step to `max_len` is made from no more than half of it.
fn growth(held: usize, capacity: usize, len: usize, max_len: usize) -> usize {
    // Up to three bytes of a character may have waited for its end. They count, too.
    let needed = (held + len + 3).min(max_len.max(held + len));
    if needed <= capacity {
        return 0;
    }
    let half = max_len / 2;
    let wanted = if needed > half { max_len } else { capacity.saturating_mul(2).min(half) };
    needed.max(wanted) - held
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
            .field(
                "message_len",
                &(self.message_end - self.message_start + self.text.len() + self.inflated.len()),
            )
            .field("storage_len", &self.storage.len())
            .field("eof", &self.eof)
            .finish()
    }
}
