//! [`Output`]: the bytes that are owed to the peer.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, Bytes};

/// A shared payload at least this long is chained; a shorter one is cheaper to copy behind its header.
pub(crate) const CHAIN_LEN: usize = 4 << 10;

/// The storage that an output keeps while it is in use; more goes back as soon as it is written.
const KEEP_LEN: usize = 64 << 10;

/// The bytes that are owed to the peer, in order: drain them into the transport through [`bytes::Buf`].
///
/// Small frames are coalesced, so that many of them leave in one write; large payloads that are owned are chained behind
/// their headers untouched, for a vectored write. A partial write advances a cursor and moves nothing.
///
/// ```
/// use bytes::Buf;
/// use tidewire::{Config, Connection};
///
/// let mut connection = Connection::server(Config::new());
/// connection.send("Hello")?;
/// let output = connection.output();
/// assert_eq!(output.chunk(), b"\x81\x05Hello");
/// output.advance(7);
/// assert!(!output.has_remaining());
/// # Ok::<(), tidewire::SendError>(())
/// ```
#[derive(Default)]
pub struct Output {
    /// Headers and copied payloads; what is written already ends at `cursor`.
    coalesced: Vec<u8>,
    cursor: usize,
    /// Chained payloads, each with the position in `coalesced` that it goes before.
    #[expect(clippy::box_collection, reason = "a quarter of the size, and most connections chain nothing")]
    chain: Option<Box<VecDeque<Chained>>>,
    /// The bytes in `chain`, and those that were taken to be written.
    elsewhere_len: usize,
    /// How many bytes the transport has accepted so far, to tell a stalled one.
    written: u64,
}

struct Chained {
    position: usize,
    payload: Bytes,
}

impl Output {
    pub(crate) const fn new() -> Self {
        Self { coalesced: Vec::new(), cursor: 0, chain: None, elsewhere_len: 0, written: 0 }
    }

    /// How many bytes are owed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.coalesced.len() - self.cursor + self.elsewhere_len
    }

    /// True when nothing is owed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.coalesced.extend_from_slice(bytes);
    }

    /// Chains a payload that is long, and copies one that is not.
    pub(crate) fn push_shared(&mut self, payload: &Bytes) {
        if payload.len() >= CHAIN_LEN {
            self.chain(payload.clone());
        } else {
            self.push(payload);
        }
    }

    /// The coalesced bytes, to append to.
    #[inline]
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        // What is written makes room when it is at least as long as what has to move.
        if self.coalesced.len() >= CHAIN_LEN && self.cursor >= self.coalesced.len() - self.cursor {
            self.make_room();
        }
        &mut self.coalesced
    }

    fn make_room(&mut self) {
        self.coalesced.drain(..self.cursor);
        for chained in self.chain.iter_mut().flat_map(|chain| chain.iter_mut()) {
            chained.position -= self.cursor;
        }
        self.cursor = 0;
    }

    fn chain(&mut self, payload: Bytes) {
        self.elsewhere_len += payload.len();
        self.chain.get_or_insert_default().push_back(Chained { position: self.coalesced.len(), payload });
    }

    /// Forgets everything: the transport is gone.
    pub(crate) fn clear(&mut self) {
        *self = Self { written: self.written, ..Self::new() };
    }

    /// What is owed, to be written elsewhere while more is queued here. It counts here until it is [put back](Self::put_back).
    #[cfg(feature = "blocking")]
    pub(crate) fn take(&mut self) -> Self {
        let mut left = Self::new();
        (left.elsewhere_len, left.written) = (self.len(), self.written);
        core::mem::replace(self, left)
    }

    /// Puts what is left of what was [taken](Self::take) in front of what was queued meanwhile.
    #[cfg(feature = "blocking")]
    pub(crate) fn put_back(&mut self, taken: Self) {
        let later = core::mem::replace(self, taken);
        let mut from = 0;
        for chained in later.chain.into_iter().flat_map(|chain| chain.into_iter()) {
            self.tail().extend_from_slice(&later.coalesced[from..chained.position]);
            self.chain(chained.payload);
            from = chained.position;
        }
        self.tail().extend_from_slice(&later.coalesced[from..]);
    }

    /// Gives the heap back, if nothing is owed.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            self.clear();
        }
    }

    /// The coalesced bytes that go before the first chained payload.
    fn head(&self) -> &[u8] {
        let end = self.front().map_or(self.coalesced.len(), |chained| chained.position);
        &self.coalesced[self.cursor..end]
    }

    fn front(&self) -> Option<&Chained> {
        self.chain.as_ref()?.front()
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        match (self.head(), self.front()) {
            ([], Some(chained)) => &chained.payload,
            (head, _) => head,
        }
    }

    /// # Panics
    /// When `n` is more than [`remaining`](Buf::remaining).
    fn advance(&mut self, mut n: usize) {
        assert!(n <= self.len(), "cannot advance beyond what is owed");
        self.written += n as u64;
        loop {
            let head_len = self.head().len();
            self.cursor += n.min(head_len);
            if n < head_len {
                return;
            }
            n -= head_len;
            let Some(chained) = self.chain.as_mut().and_then(|chain| chain.front_mut()) else { break };
            if n < chained.payload.len() {
                chained.payload.advance(n);
                self.elsewhere_len -= n;
                return;
            }
            n -= chained.payload.len();
            self.elsewhere_len -= chained.payload.len();
            self.chain.as_mut().and_then(|chain| chain.pop_front());
        }
        // Everything is written.
        self.cursor = 0;
        self.coalesced.clear();
        if self.coalesced.capacity() > KEEP_LEN {
            self.coalesced = Vec::new();
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let mut from = self.cursor;
        let chained = self.chain.iter().flat_map(|chain| chain.iter());
        let pairs = chained.flat_map(|chained| {
            let before = &self.coalesced[from..chained.position];
            from = chained.position;
            [before, &chained.payload]
        });
        let last =
            self.chain.as_ref().and_then(|chain| chain.back()).map_or(self.cursor, |last| last.position);
        let all = pairs.chain([&self.coalesced[last..]]).filter(|bytes| !bytes.is_empty());
        let mut count = 0;
        for (slot, bytes) in slices.iter_mut().zip(all) {
            *slot = std::io::IoSlice::new(bytes);
            count += 1;
        }
        count
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("len", &self.len()).finish()
    }
}

#[cfg(all(test, feature = "blocking"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_still_counts_and_goes_before_what_is_queued_meanwhile() {
        let mut output = Output::new();
        output.push(b"first");
        output.advance(2);
        let mut taken = Output::take(&mut output);
        output.push(b"second");
        assert_eq!((output.len(), output.written(), output.chunk()), (9, 2, &b"second"[..]));
        taken.advance(1);
        output.put_back(taken);
        assert_eq!((output.len(), output.written(), output.chunk()), (8, 3, &b"stsecond"[..]));
    }
}
