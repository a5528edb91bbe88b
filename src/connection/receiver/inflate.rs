//! From compressed frames to events, or to parts of them (RFC 7692 6.2 and 7.2.2).

use super::Receiver;
use super::decode::{Frame, PartialMessage};
use crate::ProtocolError;
use crate::connection::deflate::{Inflated, Progress};
use crate::connection::event::{Kind, Ready};
use crate::connection::input::Input;
use crate::connection::message::DataKind;
use crate::wire::mask;

/// A message that has begun to inflate keeps an engine to its end. So a frame begins when it is whole, or when this much of it is there.
const ENOUGH_LEN: usize = 16 << 10;

impl Receiver {
    /// Takes what is there of a data frame of a compressed message; returns the message that it completes, or the next part.
    pub(super) fn inflate(
        &mut self,
        mut frame: Frame,
        mut message: PartialMessage,
        input: &mut Input,
    ) -> Result<Option<Ready>, ProtocolError> {
        let Some(inflation) = &mut self.inflation else { return Ok(None) };
        let Progress { unmasked_len, inflated_len } = inflation.progress();
        let len = frame.missing.min(input.unread().len());
        let is_whole = len == frame.missing;
        let arrived = input.unread_mut().get_mut(*unmasked_len..len).unwrap_or_default();
        mask::apply(arrived, frame.key);
        frame.key = mask::rotate(frame.key, arrived.len());
        self.timers.bytes(arrived.len());
        *unmasked_len = len;
        // More may come of what was inflated last.
        let is_pending = *inflated_len > 0;
        let is_end = is_whole && frame.fin;
        let mut is_complete = !is_whole && len < ENOUGH_LEN && !is_pending;
        while !is_complete {
            is_complete = self.inflate_tile(&mut frame, &mut message, is_end, input)?;
            if self.parts && input.has_inflated() {
                break;
            }
        }
        self.message = Some(message);
        if !is_whole || !is_complete {
            self.frame = Some(frame);
            return Ok(self.inflated_part(message.kind, false, input));
        }
        self.timers.frame();
        if !frame.fin {
            return Ok(self.inflated_part(message.kind, false, input));
        }
        if let Some(inflation) = &mut self.inflation {
            inflation.end_message();
        }
        // RFC 6455 8.1: a message may not end inside a character.
        self.utf8.finish().map_err(|_| ProtocolError::InvalidUtf8)?;
        self.message = None;
        self.received.messages += 1;
        if self.parts {
            return Ok(self.inflated_part(message.kind, true, input));
        }
        self.received.count_payload(message.len);
        input.set_complete();
        Ok(Some(Ready(match message.kind {
            DataKind::Text => Kind::AssembledText,
            DataKind::Binary => Kind::InflatedBinary,
        })))
    }

    /// Inflates what fills a tile at most; true when all that is there has been.
    fn inflate_tile(
        &mut self,
        frame: &mut Frame,
        message: &mut PartialMessage,
        is_end: bool,
        input: &mut Input,
    ) -> Result<bool, ProtocolError> {
        let Some(inflation) = &mut self.inflation else { return Ok(true) };
        // RFC 6455 10.4: the limit holds for what is delivered, and while it is inflated.
        let max = self.max_message_len;
        let max_len = max.saturating_sub(message.len);
        let &mut Progress { unmasked_len, inflated_len } = inflation.progress();
        let compressed = input.unread().get(inflated_len..unmasked_len).unwrap_or_default();
        let Inflated { taken, text, is_complete } = inflation.inflate(compressed, is_end, max_len);
        // What comes first counts first, however the bytes were cut.
        let (within, beyond) = text.split_at(text.len().min(max_len));
        message.len += within.len();
        match message.kind {
            DataKind::Binary => input.push_inflated(within, max),
            DataKind::Text => {
                let into = input.text_with_room(within.len(), max);
                self.utf8.push(within, into).map_err(|_| ProtocolError::InvalidUtf8)?;
            }
        }
        if !beyond.is_empty() {
            return Err(ProtocolError::MessageTooLong { len: max as u64 + 1, max });
        }
        let is_complete = is_complete.map_err(|_| ProtocolError::InvalidDeflate)?;
        // While more comes of the last byte it stays unread, so that nobody waits for another one first.
        let inflated_len = inflated_len + taken;
        let done = if is_complete { inflated_len } else { inflated_len.saturating_sub(1) };
        input.consume(done);
        frame.missing -= done;
        *inflation.progress() =
            Progress { unmasked_len: unmasked_len - done, inflated_len: inflated_len - done };
        Ok(is_complete)
    }

    /// What was inflated since the last part, where messages are delivered in parts.
    fn inflated_part(&mut self, kind: DataKind, is_last: bool, input: &mut Input) -> Option<Ready> {
        if !self.parts || !is_last && !input.has_inflated() {
            return None;
        }
        self.received.count_payload(input.inflated_len());
        input.set_complete();
        Some(Ready(match (kind, is_last) {
            (DataKind::Text, false) => Kind::TextPart,
            (DataKind::Text, true) => Kind::LastTextPart,
            (DataKind::Binary, false) => Kind::InflatedPart,
            (DataKind::Binary, true) => Kind::LastInflatedPart,
        }))
    }
}
