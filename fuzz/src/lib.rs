//! What the targets share: how bytes are cut into reads, what a connection makes of them, and what it should.

use std::borrow::Cow;

mod deflate;
mod head;
mod heap;
mod model;
mod run;

pub use deflate::{RSV1, TAIL, agreement, append, compressed_stream, frames};
pub use head::Lines;
pub use heap::Heap;
pub use model::{Model, frame};
pub use run::{Outcome, Run, Seen, check_receive, connection, drain, flag};

/// The parameters at the beginning of a target's data, and the bytes that follow them.
pub struct Data<'d>(pub &'d [u8]);

impl<'d> Data<'d> {
    /// The next byte; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        self.slice(1).first().copied().unwrap_or_default()
    }

    /// The next `len` bytes, or as many as there are.
    pub fn slice(&mut self, len: usize) -> &'d [u8] {
        let (slice, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        slice
    }

    /// The next four bytes.
    pub fn key(&mut self) -> [u8; 4] {
        [(); 4].map(|()| self.byte())
    }

    /// The lengths that something is cut into: a byte that counts them, and a byte for each.
    pub fn cuts(&mut self) -> Cuts<'d> {
        let count = self.byte();
        Cuts(self.slice(count.into()))
    }

    /// The rest as what a peer sends: the bytes as they are, or frames that are made from them if the next one is odd.
    pub fn stream(&mut self, to_server: bool) -> Cow<'d, [u8]> {
        let (is_made, key) = (self.byte() & 1 != 0, [0x37, 0xFA, 0x21, 0x3D]);
        if !is_made {
            return self.slice(usize::MAX).into();
        }
        let mut stream = Vec::new();
        while !self.0.is_empty() && stream.len() < MAX_MADE_LEN {
            let (first, twist, len) = (self.byte(), self.byte(), self.byte());
            // Mostly what may come; any other first byte now and then.
            let first = FIRST_BYTES.get(usize::from(first) % 12).copied().unwrap_or(first);
            let repeat = match twist % 16 {
                15 => 300,
                14 => 3,
                _ => 1,
            };
            let is_masked = to_server != (twist >= 0xF8);
            let payload = self.slice(len.into()).repeat(repeat);
            stream.extend(frame(first, is_masked.then_some(key), &payload));
        }
        stream.into()
    }
}

/// Frames are made until there is so much.
const MAX_MADE_LEN: usize = 128 << 10;

/// Text, binary, their fragments and the ends of these, and control frames.
const FIRST_BYTES: [u8; 10] = [0x81, 0x82, 0x01, 0x02, 0x00, 0x00, 0x80, 0x89, 0x8A, 0x88];

/// Into how many parts something long is cut at most, but for what is left.
const MAX_PARTS: usize = 2000;

/// Lengths that repeat, [`MAX_PARTS`] in all; 0 stands for all that is left, and so does a list without lengths.
#[derive(Clone, Copy)]
pub struct Cuts<'d>(&'d [u8]);

impl<'d> Cuts<'d> {
    /// Nothing is cut.
    pub const WHOLE: Cuts<'static> = Cuts(&[]);

    /// Cuts `bytes`; no part is empty.
    pub fn of<'b>(self, mut bytes: &'b [u8]) -> impl Iterator<Item = &'b [u8]> + use<'b, 'd> {
        let mut lens = self.0.iter().cycle().take(MAX_PARTS);
        std::iter::from_fn(move || {
            let len = match lens.next() {
                None | Some(0) => bytes.len(),
                Some(&len) => bytes.len().min(len.into()),
            };
            let (part, rest) = bytes.split_at(len);
            bytes = rest;
            (!part.is_empty()).then_some(part)
        })
    }
}
