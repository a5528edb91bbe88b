//! [`Output`]: the bytes that are owed to the peer.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, Bytes};

use crate::wire::frame::{Header, OpCode};
use crate::wire::mask;

/// A shared payload at least this long is chained; a shorter one is cheaper to copy behind its header.
pub(crate) const CHAIN_LEN: usize = 4 << 10;

/// A frame that many connections share is chained from here on: it is in the caches when it is written, and a copy for each is not.
pub(crate) const SHARE_LEN: usize = 256;

/// The bytes that are owed to the peer, in order.
///
/// Write [`chunk`](Self::chunk) to the transport and [`advance`](Self::advance) by what it took, until the output is empty. It is a
/// [`bytes::Buf`] as well.
///
/// Small frames are coalesced, so that many of them leave in one write; large payloads that are owned are chained behind
/// their headers untouched, for a vectored write. A partial write advances a cursor and moves nothing.
///
/// ```
/// use tidewire::{Config, Connection};
///
/// let mut connection = Connection::server(Config::new());
/// connection.send("Hello")?;
/// let output = connection.output();
/// assert_eq!(output.chunk(), b"\x81\x05Hello");
/// output.advance(7);
/// assert!(output.is_empty());
/// # Ok::<(), tidewire::SendError>(())
/// ```
#[derive(Default)]
pub struct Output {
    /// Headers and copied payloads. Initialised once, when it is allocated.
    coalesced: Box<[u8]>,
    /// What is owed of it.
    cursor: usize,
    end: usize,
    /// Chained payloads, each with the position in `coalesced` that it goes before.
    chain: Option<Box<Chain>>,
    /// The bytes in `chain`, and those that were taken to be written.
    elsewhere_len: usize,
    /// How many bytes the transport has accepted so far, to tell a stalled one.
    written: u64,
}

/// What only a connection with long messages has.
#[derive(Default)]
struct Chain(VecDeque<Link>);

/// A payload, and the position in `coalesced` that it goes before.
struct Link {
    position: usize,
    payload: Bytes,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An output that owes `bytes`.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self { end: bytes.len(), coalesced: bytes.into(), ..Self::new() }
    }

    /// How many bytes are owed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.cursor + self.elsewhere_len
    }

    /// True when nothing is owed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next bytes to write; empty when nothing is owed.
    ///
    /// Pass them to the transport, and what it takes of them to [`advance`](Self::advance).
    #[inline]
    #[must_use]
    pub fn chunk(&self) -> &[u8] {
        match self.front() {
            Some(link) if link.position == self.cursor => &link.payload,
            Some(link) => &self.coalesced[self.cursor..link.position],
            None => &self.coalesced[self.cursor..self.end],
        }
    }

    /// Fills `slices` with the next bytes to write, in order, for a vectored write. Returns how many are filled.
    #[cfg(feature = "std")]
    pub fn chunks_vectored<'o>(&'o self, slices: &mut [std::io::IoSlice<'o>]) -> usize {
        let mut from = self.cursor;
        let links = self.chain.iter().flat_map(|chain| chain.0.iter());
        let pairs = links.flat_map(|link| {
            let before = &self.coalesced[from..link.position];
            from = link.position;
            [before, &link.payload]
        });
        let last = self.chain.as_ref().and_then(|chain| chain.0.back());
        let last = last.map_or(self.cursor, |last| last.position);
        let all = pairs.chain([&self.coalesced[last..self.end]]).filter(|bytes| !bytes.is_empty());
        let mut count = 0;
        for (slot, bytes) in slices.iter_mut().zip(all) {
            *slot = std::io::IoSlice::new(bytes);
            count += 1;
        }
        count
    }

    /// The transport has taken the next `n` bytes.
    ///
    /// # Panics
    /// When `n` is more than [`len`](Self::len).
    #[inline]
    pub fn advance(&mut self, n: usize) {
        assert!(n <= self.len(), "cannot advance beyond what is owed");
        self.written += n as u64;
        let missing = if self.chain.is_none() { Some(n) } else { self.advance_chain(n) };
        let Some(missing) = missing else { return };
        self.cursor += missing;
        if self.cursor == self.end {
            // Everything is written.
            (self.cursor, self.end) = (0, 0);
        }
    }

    /// The position at which it ends: how many bytes the transport will have accepted then.
    #[cfg(feature = "tokio")]
    pub(crate) fn end(&self) -> u64 {
        self.written + self.len() as u64
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        copy(&mut self.coalesced[self.end..][..bytes.len()], bytes);
        self.end += bytes.len();
    }

    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn storage_len(&self) -> usize {
        self.coalesced.len()
    }

    /// Takes over storage where there is none.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn set_storage(&mut self, storage: Box<[u8]>) {
        self.coalesced = storage;
    }

    /// Gives the storage back if nothing is in it.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn release_storage(&mut self) -> Option<Box<[u8]>> {
        if self.elsewhere_len == 0 {
            self.chain = None;
        }
        (self.end == 0 && self.storage_len() > 0).then(|| core::mem::take(&mut self.coalesced))
    }

    /// Queues a frame, masked with `key` (RFC 6455 5.3) if there is one.
    // What is rare is called last and in a function of its own, here and by the sender: so the rest has no registers to save, which would
    // take half of the time of a short frame.
    #[inline(always)]
    pub(crate) fn push_frame(&mut self, opcode: OpCode, fin: bool, key: Option<[u8; 4]>, payload: &[u8]) {
        let header = Header { fin, mask: key, ..Header::new(opcode, payload.len() as u64) };
        match (self.claim(header, payload.len()), key) {
            (Some(place), Some(key)) => mask::copy(place, payload, key),
            (Some(place), None) => copy(place, payload),
            (None, _) => self.push_frame_anew(opcode, fin, key, payload),
        }
    }

    #[cold]
    #[inline(never)]
    fn push_frame_anew(&mut self, opcode: OpCode, fin: bool, key: Option<[u8; 4]>, payload: &[u8]) {
        self.make_room(Header::MAX_LEN + payload.len());
        self.push_frame(opcode, fin, key, payload);
    }

    /// Queues a frame with any header.
    pub(crate) fn push_frame_with(&mut self, header: Header, payload: &[u8]) {
        self.make_room(Header::MAX_LEN + payload.len());
        match (self.claim(header, payload.len()), header.mask) {
            (Some(place), Some(key)) => mask::copy(place, payload, key),
            (Some(place), None) => copy(place, payload),
            (None, _) => {}
        }
    }

    /// Queues a header, and `len` bytes behind it for the caller to write; `None` without enough room.
    #[inline(always)]
    fn claim(&mut self, header: Header, len: usize) -> Option<&mut [u8]> {
        let room = self.coalesced.get_mut(self.end..)?;
        let header_len = header.encode(room.first_chunk_mut()?);
        let place = room.get_mut(header_len..)?.get_mut(..len)?;
        self.end += header_len + len;
        Some(place)
    }

    /// Makes room for `len` bytes. What is owed moves to the beginning if what is written is at least as long. Else it moves to storage with room
    /// for as much again. So all moves together cost no more than what was queued.
    fn make_room(&mut self, len: usize) {
        if len <= self.coalesced.len() - self.end {
            return;
        }
        let owed = self.end - self.cursor;
        if owed <= self.cursor && len <= self.coalesced.len() - owed {
            self.coalesced.copy_within(self.cursor..self.end, 0);
        } else {
            let mut storage = vec![0; owed + owed.max(len)];
            copy(&mut storage[..owed], &self.coalesced[self.cursor..self.end]);
            self.coalesced = storage.into();
        }
        for link in self.chain.iter_mut().flat_map(|chain| chain.0.iter_mut()) {
            link.position -= self.cursor;
        }
        (self.cursor, self.end) = (0, owed);
    }

    /// Queues a frame whose payload stays where it lies.
    pub(crate) fn push_chained(&mut self, header: Header, payload: Bytes) {
        self.make_room(Header::MAX_LEN);
        self.claim(header, 0);
        self.chain(payload);
    }

    /// Queues a payload where it lies.
    pub(crate) fn chain(&mut self, payload: Bytes) {
        self.elsewhere_len += payload.len();
        let link = Link { position: self.end, payload };
        self.chain.get_or_insert_default().0.push_back(link);
    }

    /// All of it, when nothing is chained.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn coalesced(&self) -> Option<&[u8]> {
        (self.elsewhere_len == 0).then(|| &self.coalesced[self.cursor..self.end])
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
        for link in later.chain.into_iter().flat_map(|chain| chain.0) {
            self.push(&later.coalesced[from..link.position]);
            self.chain(link.payload);
            from = link.position;
        }
        self.push(&later.coalesced[from..later.end]);
    }

    /// Gives the heap back, if nothing is owed.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            self.clear();
        }
    }

    /// Advances as far as chained payloads are among the next `missing` bytes, and returns how many are left behind them; `None`
    /// within a payload.
    #[inline(never)]
    fn advance_chain(&mut self, mut missing: usize) -> Option<usize> {
        while let Some(link) = self.chain.as_mut().and_then(|chain| chain.0.front_mut()) {
            let (head_len, payload_len) = (link.position - self.cursor, link.payload.len());
            if missing < head_len {
                break;
            }
            self.cursor = link.position;
            missing -= head_len;
            self.elsewhere_len -= missing.min(payload_len);
            if missing < payload_len {
                link.payload.advance(missing);
                return None;
            }
            missing -= payload_len;
            self.chain.as_mut().and_then(|chain| chain.0.pop_front());
        }
        Some(missing)
    }

    fn front(&self) -> Option<&Link> {
        self.chain.as_ref()?.0.front()
    }
}

/// Copies `bytes` to `place`, which is as long.
///
/// A common C library copies some KiB and more with a string instruction. That takes some processors much longer where the destination
/// lies a few bytes further into its page than the source does, as a payload behind a header does. No tile is long enough for it.
#[inline]
fn copy(place: &mut [u8], bytes: &[u8]) {
    const TILE_LEN: usize = 2 << 10;
    if bytes.len() <= TILE_LEN {
        place.copy_from_slice(bytes);
    } else {
        copy_tiles(place, bytes, TILE_LEN);
    }
}

#[inline(never)]
fn copy_tiles(place: &mut [u8], bytes: &[u8], tile_len: usize) {
    for (place, tile) in place.chunks_mut(tile_len).zip(bytes.chunks(tile_len)) {
        place.copy_from_slice(tile);
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.chunk()
    }

    #[inline]
    fn advance(&mut self, n: usize) {
        self.advance(n);
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'o>(&'o self, slices: &mut [std::io::IoSlice<'o>]) -> usize {
        self.chunks_vectored(slices)
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
