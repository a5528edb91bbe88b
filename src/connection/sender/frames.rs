//! From messages to the bytes of their frames: masked by a client, compressed where it was agreed, copied or chained.

use alloc::boxed::Box;

use bytes::Bytes;

use super::Sender;
use crate::connection::deflate::Deflater;
use crate::connection::outgoing::{Outgoing, OutgoingPayload, Prepared};
use crate::connection::output::{CHAIN_LEN, SHARE_LEN};
use crate::wire::frame::{Header, OpCode};
use crate::wire::mask::Keys;

impl Sender {
    /// True if a message begins compressed: by its own wish, or else by its length. A first fragment tells no length.
    pub(super) fn compresses(&self, message: &Outgoing<'_>, is_whole: bool) -> bool {
        let Some(compression) = &self.compression else { return false };
        match message.compression() {
            Some(wish) => wish,
            None => !is_whole || compression.is_worth(message.as_bytes().len()),
        }
    }

    /// Queues a whole message where compression was agreed on.
    #[inline(never)]
    pub(super) fn push_agreed(&mut self, message: Outgoing<'_>) {
        let opcode = message.kind().opcode();
        if !self.compresses(&message, true) {
            return self.push_message(opcode, true, message);
        }
        let Some(compression) = &mut self.compression else { return };
        if let OutgoingPayload::Prepared(prepared) = message.payload() {
            match compression.prepared(prepared.compressed(), prepared.payload()) {
                Some(compressed) => {
                    self.sent.count_frame(true, prepared.payload().len());
                    self.push_shared_compressed(opcode, compressed);
                }
                None => self.push_message(opcode, true, message),
            }
            return;
        }
        match compression.compress_message(message.as_bytes(), message.compression() == Some(true)) {
            Some(deflater) => {
                self.sent.count_frame(true, message.as_bytes().len());
                self.push_compressed(opcode, true, deflater.compressed());
                self.give_back(deflater);
            }
            None => self.push_message(opcode, true, message),
        }
    }

    /// Queues a fragment of a message that is compressed.
    pub(super) fn push_compressed_fragment(&mut self, opcode: OpCode, last: bool, payload: &[u8]) {
        let Some(compression) = &mut self.compression else { return };
        let deflater = compression.compress_fragment(payload, last);
        self.sent.count_frame(last, payload.len());
        self.push_compressed(opcode, last, deflater.compressed());
        self.give_back(deflater);
    }

    fn give_back(&mut self, deflater: Box<Deflater>) {
        if let Some(compression) = &mut self.compression {
            compression.give_back(deflater);
        }
    }

    /// RFC 7692 6: RSV1 tells a compressed message, on its first frame alone.
    fn push_compressed(&mut self, opcode: OpCode, fin: bool, payload: &[u8]) {
        let header = Header {
            fin,
            rsv1: opcode != OpCode::Continuation,
            mask: self.keys.as_mut().map(Keys::next_or_refill),
            ..Header::new(opcode, payload.len() as u64)
        };
        self.output.push_frame_with(header, payload);
    }

    /// Queues a message that many share, in one frame.
    fn push_shared_compressed(&mut self, opcode: OpCode, payload: &Bytes) {
        if self.copies(payload) {
            self.push_compressed(opcode, true, payload);
        } else {
            let header = Header { rsv1: true, ..Header::new(opcode, payload.len() as u64) };
            self.output.push_chained(header, payload.clone());
        }
    }

    #[inline(always)]
    pub(super) fn push_message(&mut self, opcode: OpCode, fin: bool, message: Outgoing<'_>) {
        match message.into_payload() {
            OutgoingPayload::Borrowed(payload) => self.push(opcode, fin, payload),
            OutgoingPayload::Shared(payload) => self.push_shared(opcode, fin, payload),
            OutgoingPayload::Owned(payload) => self.push_owned(opcode, fin, payload),
            OutgoingPayload::Prepared(prepared) => self.push_prepared(opcode, fin, prepared),
        }
    }

    #[inline(always)]
    fn push_shared(&mut self, opcode: OpCode, fin: bool, payload: &Bytes) {
        if self.copies(payload) {
            self.push(opcode, fin, payload);
        } else {
            self.push_chained(opcode, fin, payload.clone());
        }
    }

    #[inline(always)]
    fn push_owned(&mut self, opcode: OpCode, fin: bool, payload: Bytes) {
        if self.copies(&payload) {
            self.push(opcode, fin, &payload);
        } else {
            self.push_chained(opcode, fin, payload);
        }
    }

    #[inline(never)]
    fn push_prepared(&mut self, opcode: OpCode, fin: bool, prepared: &Prepared) {
        // RFC 6455 5.4: the header of a fragment is another than that of the whole message.
        let is_whole = fin && opcode != OpCode::Continuation;
        let frame = prepared.frame();
        if is_whole && self.keys.is_none() {
            self.sent.count_frame(true, prepared.payload().len());
            if frame.len() < SHARE_LEN { self.output.push(frame) } else { self.output.chain(frame.clone()) }
        } else if self.copies(frame) {
            self.push(opcode, fin, prepared.payload());
        } else {
            self.push_chained(opcode, fin, prepared.shared_payload());
        }
    }

    #[inline(never)]
    fn push_chained(&mut self, opcode: OpCode, fin: bool, payload: Bytes) {
        self.sent.count_frame(fin, payload.len());
        let header = Header { fin, ..Header::new(opcode, payload.len() as u64) };
        self.output.push_chained(header, payload);
    }

    /// True for a payload that needs a mask, or is short.
    #[inline]
    fn copies(&self, payload: &[u8]) -> bool {
        self.keys.is_some() || payload.len() < CHAIN_LEN
    }

    /// Queues a data frame with a copy of its payload.
    #[inline(always)]
    fn push(&mut self, opcode: OpCode, fin: bool, payload: &[u8]) {
        match self.keys {
            None => self.push_unmasked(opcode, fin, payload),
            Some(_) => self.push_masked(opcode, fin, payload),
        }
    }

    #[inline(never)]
    fn push_unmasked(&mut self, opcode: OpCode, fin: bool, payload: &[u8]) {
        self.sent.count_frame(fin, payload.len());
        self.output.push_frame(opcode, fin, None, payload);
    }

    #[inline(never)]
    fn push_masked(&mut self, opcode: OpCode, fin: bool, payload: &[u8]) {
        match self.keys.as_mut().and_then(Keys::next) {
            Some(key) => {
                self.sent.count_frame(fin, payload.len());
                self.output.push_frame(opcode, fin, Some(key), payload);
            }
            None => self.push_masked_anew(opcode, fin, payload),
        }
    }

    #[cold]
    #[inline(never)]
    fn push_masked_anew(&mut self, opcode: OpCode, fin: bool, payload: &[u8]) {
        if let Some(keys) = &mut self.keys {
            keys.refill();
        }
        self.push_masked(opcode, fin, payload);
    }
}
