//! In place of `deflate.rs` where the feature is off: nothing is ever agreed on, so none of these exists.

use alloc::boxed::Box;

use bytes::Bytes;

use crate::config::deflate::Agreement;

pub(crate) enum Inflation {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidDeflate;

pub(crate) struct Progress {
    pub(crate) unmasked_len: usize,
    pub(crate) inflated_len: usize,
}

pub(crate) struct Inflated<'t> {
    pub(crate) taken: usize,
    pub(crate) text: &'t [u8],
    pub(crate) is_complete: Result<bool, InvalidDeflate>,
}

impl Inflation {
    pub(crate) fn new(agreement: Agreement, _: bool) -> Self {
        match agreement {}
    }

    pub(crate) fn progress(&mut self) -> &mut Progress {
        match *self {}
    }

    pub(crate) fn inflate(&mut self, _: &[u8], _: bool, _: usize) -> Inflated<'_> {
        match *self {}
    }

    pub(crate) fn end_message(&mut self) {
        match *self {}
    }

    pub(crate) fn abandon(&mut self) {
        match *self {}
    }
}

pub(crate) enum Compression {}

pub(crate) enum Deflater {}

impl Deflater {
    pub(crate) fn compressed(&self) -> &[u8] {
        match *self {}
    }
}

impl Compression {
    pub(crate) fn new(agreement: Agreement, _: bool) -> Self {
        match agreement {}
    }

    pub(crate) fn is_worth(&self, _: usize) -> bool {
        match *self {}
    }

    pub(crate) fn compress_message(&mut self, _: &[u8], _: bool) -> Option<Box<Deflater>> {
        match *self {}
    }

    pub(crate) fn compress_fragment(&mut self, _: &[u8], _: bool) -> Box<Deflater> {
        match *self {}
    }

    pub(crate) fn abandon(&mut self) {
        match *self {}
    }

    pub(crate) fn give_back(&mut self, _: Box<Deflater>) {
        match *self {}
    }

    pub(crate) fn prepared<'p>(&mut self, _: &'p PreparedOnce, _: &[u8]) -> Option<&'p Bytes> {
        match *self {}
    }
}

#[derive(Clone, Default)]
pub(crate) struct PreparedOnce(());
