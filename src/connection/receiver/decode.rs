//! From frames to events, or to parts of them: fragmentation, limits, UTF-8 (RFC 6455 5.4 to 5.6 and 8.1).

use alloc::boxed::Box;

use super::{End, Receiver, ReplyDue, Status};
use crate::connection::event::{Kind, Ready};
use crate::connection::input::Input;
use crate::connection::message::DataKind;
use crate::wire::frame::{Header, OpCode};
use crate::wire::mask;
use crate::{CloseFrame, ProtocolError};

/// As much text as is unmasked, validated and copied at once is still in the first-level cache for the next of these.
const TEXT_LEN: usize = 8 << 10;

#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) opcode: OpCode,
    pub(super) fin: bool,
    /// Some of the payload has been taken already.
    pub(super) begun: bool,
    /// The masking key for the next byte of the payload; zero for none.
    pub(super) key: [u8; 4],
    pub(super) missing: usize,
}

#[derive(Clone, Copy)]
pub(super) struct PartialMessage {
    pub(super) kind: DataKind,
    /// The length of the message including the whole frame under way. Of a compressed message, what was inflated.
    pub(super) len: usize,
    pub(super) compressed: bool,
}

impl Receiver {
    /// Takes a message that lies whole in the input, in one frame: the common case, which [`step`](Self::step) would find as well. Its
    /// text is not yet validated.
    // Always inlined, with a short mask: a call costs a short message a tenth of its time.
    #[inline(always)]
    pub(crate) fn message_frame(&mut self, input: &mut Input) -> Option<Ready> {
        input.retire();
        if !self.is_usual() {
            return None;
        }
        let unread = input.unread_mut();
        let (opcode, header_len, len) = self.message_header(unread)?;
        let (header, payload) = unread.get_mut(..header_len + len)?.split_at_mut(header_len);
        self.received.count_message(len);
        if self.is_server {
            mask::apply(payload, *header.last_chunk()?);
        }
        input.consume_frame(header_len, len);
        self.timers.frame();
        Some(Ready(if opcode == OpCode::Text { Kind::Text } else { Kind::Binary }))
    }

    /// True where a frame begins that may be a whole message.
    #[inline(always)]
    fn is_usual(&self) -> bool {
        matches!(self.status, Status::Open) && !self.parts && self.frame.is_none() && self.message.is_none()
    }

    /// The opcode, the length of the header and that of the payload of a message in one frame.
    #[inline(always)]
    fn message_header(&self, unread: &[u8]) -> Option<(OpCode, usize, usize)> {
        let (opcode, header_len, len) = Header::decode_message(unread, self.is_server)?;
        if len > self.max_frame_len || len > self.max_message_len {
            return None;
        }
        Some((opcode, header_len, len))
    }

    /// Goes on to the next event. The text of a whole frame is not yet validated.
    pub(super) fn step(&mut self, input: &mut Input) -> Result<Option<Ready>, ProtocolError> {
        input.retire();
        match self.status {
            Status::Open => match self.decode(input) {
                Ok(ready) => Ok(ready),
                Err(error) => {
                    self.discard(input);
                    Err(self.fail(error))
                }
            },
            Status::Closed | Status::Failed | Status::Ended => {
                self.discard(input);
                self.failed().map_or(Ok(None), Err)
            }
        }
    }

    fn decode(&mut self, input: &mut Input) -> Result<Option<Ready>, ProtocolError> {
        loop {
            let frame = match self.frame.take() {
                Some(frame) => frame,
                None => match Header::decode(input.unread())? {
                    Some((header, len)) => {
                        input.consume(len);
                        self.begin(header)?
                    }
                    None => return self.starve(input),
                },
            };
            let ready = if frame.opcode.is_control() {
                self.control(frame, input)?
            } else {
                self.data(frame, input)?
            };
            if ready.is_some() {
                return Ok(ready);
            }
            if self.frame.is_some() {
                return self.starve(input);
            }
        }
    }

    /// Checks a header before any of its payload is looked at.
    fn begin(&mut self, header: Header) -> Result<Frame, ProtocolError> {
        // RFC 7692 6: RSV1 tells a compressed message, on its first frame alone.
        let is_first = matches!(header.opcode, OpCode::Text | OpCode::Binary);
        let compressed = header.rsv1 && is_first && self.inflation.is_some();
        // RFC 6455 5.2: the reserved bits are 0 unless an extension was negotiated.
        let reserved = [header.rsv1 && !compressed, header.rsv2, header.rsv3];
        if let Some(bit) = (1..).zip(reserved).find_map(|(n, set)| set.then_some(n)) {
            return Err(ProtocolError::ReservedBit(bit));
        }
        // RFC 6455 5.1: a client masks every frame, a server none.
        match (self.is_server, header.mask) {
            (true, None) => return Err(ProtocolError::UnmaskedFrame),
            (false, Some(_)) => return Err(ProtocolError::MaskedFrame),
            _ => {}
        }
        let Header { opcode, fin, mask, payload_len, .. } = header;
        // What is longer than memory has addresses for is above every limit of a message, and no control frame.
        let missing = usize::try_from(payload_len).unwrap_or(usize::MAX);
        if !opcode.is_control() {
            self.begin_fragment(opcode, payload_len, missing, compressed)?;
        }
        let key = mask.unwrap_or_default();
        Ok(Frame { opcode, fin, begun: false, key, missing })
    }

    /// `frame_len` is `payload_len`, as far as there are addresses.
    fn begin_fragment(
        &mut self,
        opcode: OpCode,
        payload_len: u64,
        frame_len: usize,
        compressed: bool,
    ) -> Result<(), ProtocolError> {
        // RFC 6455 5.4: fragments of different messages are not interleaved.
        let PartialMessage { kind, len, compressed } = match (opcode, self.message) {
            (OpCode::Continuation, Some(message)) => message,
            (OpCode::Continuation, None) => return Err(ProtocolError::UnexpectedContinuation),
            (_, Some(_)) => return Err(ProtocolError::UnfinishedMessage),
            (OpCode::Text, None) => PartialMessage { kind: DataKind::Text, len: 0, compressed },
            (OpCode::Binary | OpCode::Close | OpCode::Ping | OpCode::Pong, None) => {
                PartialMessage { kind: DataKind::Binary, len: 0, compressed }
            }
        };
        // RFC 6455 10.4: the limits hold before anything is kept.
        let max = self.max_frame_len;
        if payload_len > max as u64 {
            return Err(ProtocolError::FrameTooLong { len: payload_len, max });
        }
        if compressed {
            // How long the message is shows when it is inflated.
            self.message = Some(PartialMessage { kind, len, compressed });
            return Ok(());
        }
        let max = self.max_message_len;
        let sum = payload_len.saturating_add(len as u64);
        if sum > max as u64 {
            return Err(ProtocolError::MessageTooLong { len: sum, max });
        }
        let len = frame_len.saturating_add(len);
        self.message = Some(PartialMessage { kind, len, compressed });
        Ok(())
    }

    /// Takes a control frame if it is complete.
    fn control(&mut self, frame: Frame, input: &mut Input) -> Result<Option<Ready>, ProtocolError> {
        let Some(payload) = input.unread_mut().get_mut(..frame.missing) else {
            self.frame = Some(frame);
            return Ok(None);
        };
        mask::apply(payload, frame.key);
        input.consume_lent(frame.missing);
        self.timers.frame();
        let (kind, reply) = match frame.opcode {
            OpCode::Ping => {
                self.received.pings += 1;
                (Kind::Ping, ReplyDue::Ping)
            }
            OpCode::Pong => (Kind::Pong, ReplyDue::Pong),
            OpCode::Close | OpCode::Continuation | OpCode::Text | OpCode::Binary => {
                self.end = Some(Box::new(End::Close(CloseFrame::decode(input.lent())?)));
                self.stop(Status::Closed);
                (Kind::Close, ReplyDue::Close)
            }
        };
        self.reply = Some(reply);
        Ok(Some(Ready(kind)))
    }

    /// Takes what is there of a data frame; returns the message that it completes.
    fn data(&mut self, mut frame: Frame, input: &mut Input) -> Result<Option<Ready>, ProtocolError> {
        let Some(message) = self.message else { return Ok(None) };
        if message.compressed {
            return self.inflate(frame, message, input);
        }
        let data_kind = message.kind;
        let len = frame.missing.min(input.unread().len());
        let is_whole = len == frame.missing;
        if self.parts {
            return self.part(frame, data_kind, len, input);
        }
        if is_whole && frame.fin && !frame.begun && frame.opcode != OpCode::Continuation {
            // The common case: a message in one frame, complete in the input.
            mask::apply(&mut input.unread_mut()[..len], frame.key);
            input.consume_lent(len);
            self.timers.frame();
            self.received.count_message(len);
            self.message = None;
            return Ok(Some(Ready(data_kind.into())));
        }
        match data_kind {
            DataKind::Binary => {
                mask::apply(&mut input.unread_mut()[..len], frame.key);
                input.keep(len);
            }
            DataKind::Text => self.text(frame.key, len, input)?,
        }
        if !is_whole {
            frame.begun = true;
            frame.key = mask::rotate(frame.key, len);
            frame.missing -= len;
            // Text is copied as it is validated, so it does not matter where it is read.
            let is_last = data_kind == DataKind::Binary && frame.fin;
            input.set_missing(if is_last { frame.missing } else { 0 });
            self.timers.bytes(len);
            self.frame = Some(frame);
            return Ok(None);
        }
        input.set_missing(0);
        self.timers.frame();
        if !frame.fin {
            return Ok(None);
        }
        // RFC 6455 8.1: a message may not end inside a character.
        self.utf8.finish().map_err(|_| ProtocolError::InvalidUtf8)?;
        self.message = None;
        self.received.count_message(message.len);
        input.set_complete();
        Ok(Some(Ready(match data_kind {
            DataKind::Text => Kind::AssembledText,
            DataKind::Binary => Kind::AssembledBinary,
        })))
    }

    /// Takes `len` bytes of a data frame as a part of its message; returns it unless it is empty and others follow.
    fn part(
        &mut self,
        mut frame: Frame,
        kind: DataKind,
        len: usize,
        input: &mut Input,
    ) -> Result<Option<Ready>, ProtocolError> {
        match kind {
            DataKind::Binary => {
                mask::apply(&mut input.unread_mut()[..len], frame.key);
                input.consume_lent(len);
            }
            DataKind::Text => self.text(frame.key, len, input)?,
        }
        if len < frame.missing {
            frame.key = mask::rotate(frame.key, len);
            frame.missing -= len;
            self.timers.bytes(len);
            self.frame = Some(frame);
        } else {
            self.timers.frame();
        }
        let is_last = self.frame.is_none() && frame.fin;
        if is_last {
            // RFC 6455 8.1: a message may not end inside a character.
            self.utf8.finish().map_err(|_| ProtocolError::InvalidUtf8)?;
            self.message = None;
            self.received.messages += 1;
        }
        let (kind, part_len) = match (kind, is_last) {
            (DataKind::Text, false) => (Kind::TextPart, input.text().len()),
            (DataKind::Text, true) => (Kind::LastTextPart, input.text().len()),
            (DataKind::Binary, false) => (Kind::BinaryPart, len),
            (DataKind::Binary, true) => (Kind::LastBinaryPart, len),
        };
        if part_len == 0 && !is_last {
            return Ok(None);
        }
        self.received.count_payload(part_len);
        if let Kind::TextPart | Kind::LastTextPart = kind {
            input.set_complete();
        }
        Ok(Some(Ready(kind)))
    }

    /// Unmasks, validates and copies the next `len` bytes of a text message.
    fn text(&mut self, key: [u8; 4], len: usize, input: &mut Input) -> Result<(), ProtocolError> {
        let (payload, text) = input.text_parts(len);
        text.reserve(len);
        for tile in payload.chunks_mut(TEXT_LEN) {
            mask::apply(tile, key);
            self.utf8.push(tile, text).map_err(|_| ProtocolError::InvalidUtf8)?;
        }
        input.consume(len);
        Ok(())
    }

    /// Nothing more can be decoded now.
    fn starve(&mut self, input: &Input) -> Result<Option<Ready>, ProtocolError> {
        // RFC 6455 7.2.1: the loss of the transport fails the connection.
        if input.is_eof() { Err(ProtocolError::UnexpectedEof) } else { Ok(None) }
    }
}
