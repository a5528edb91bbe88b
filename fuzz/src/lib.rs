//! What the targets share: how bytes are cut into reads, what a connection makes of them, and what it should.

mod heap;
mod model;
mod run;

pub use heap::Heap;
pub use model::{Model, frame};
pub use run::{Outcome, Seen, check_receive, drain};

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
}

/// Lengths that repeat; 0 stands for all that is left, and so does a list without lengths.
#[derive(Clone, Copy)]
pub struct Cuts<'d>(&'d [u8]);

impl<'d> Cuts<'d> {
    /// Nothing is cut.
    pub const WHOLE: Cuts<'static> = Cuts(&[]);

    /// Cuts `bytes`; no part is empty.
    pub fn of<'b>(self, mut bytes: &'b [u8]) -> impl Iterator<Item = &'b [u8]> + use<'b, 'd> {
        let mut lens = self.0.iter().cycle();
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
