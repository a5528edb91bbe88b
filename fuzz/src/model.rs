//! RFC 6455 5 and 8.1 once more, naively: all bytes at once, no state between reads, nothing fast.

use tidewire::{CloseCode, Config, ProtocolError};

use crate::Seen;

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What a receiver should make of a stream of bytes.
#[derive(Debug, Default)]
pub struct Model {
    pub events: Vec<Seen>,
    pub error: Option<ProtocolError>,
    /// The type and the bytes of the message under way.
    message: Option<(u8, Vec<u8>)>,
}

impl Model {
    pub fn new(is_server: bool, config: &Config, mut bytes: &[u8], eof: bool) -> Self {
        let mut model = Self::default();
        while !model.is_closed() {
            match model.frame(is_server, config, bytes) {
                Ok(Some(len)) => bytes = &bytes[len..],
                Ok(None) if eof => model.error = Some(ProtocolError::UnexpectedEof),
                Ok(None) => break,
                Err(error) => model.error = Some(error),
            }
        }
        model
    }

    /// True if nothing that follows is looked at.
    pub fn is_closed(&self) -> bool {
        self.error.is_some() || matches!(self.events.last(), Some(Seen::Close(_)))
    }

    /// Reads the frame at the start of `bytes` and returns its length; `None` if it is not complete.
    fn frame(
        &mut self,
        is_server: bool,
        config: &Config,
        bytes: &[u8],
    ) -> Result<Option<usize>, ProtocolError> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let (fin, opcode) = (first & FIN != 0, first & 0x0F);
        match opcode {
            0..=2 => {}
            CLOSE..=PONG if !fin => return Err(ProtocolError::FragmentedControlFrame),
            CLOSE..=PONG if second & 0x7F > 125 => return Err(ProtocolError::ControlFrameTooLong),
            CLOSE..=PONG => {}
            _ => return Err(ProtocolError::ReservedOpCode(opcode)),
        }
        let (len_len, min_len) = match second & 0x7F {
            126 => (2, 126),
            127 => (8, 0x1_0000),
            _ => (0, 0),
        };
        if rest.len() < len_len {
            return Ok(None);
        }
        let (len, rest) = rest.split_at(len_len);
        let len = len.iter().fold(0, |len, &byte| len << 8 | u64::from(byte));
        let len = if len_len == 0 { u64::from(second & 0x7F) } else { len };
        if len >> 63 != 0 {
            return Err(ProtocolError::LengthOutOfRange);
        }
        if len < min_len {
            return Err(ProtocolError::NonMinimalLength);
        }
        let is_masked = second & 0x80 != 0;
        let key_len = if is_masked { 4 } else { 0 };
        if rest.len() < key_len {
            return Ok(None);
        }
        let (key, rest) = rest.split_at(key_len);
        if first & 0x70 != 0 {
            return Err(ProtocolError::ReservedBit((first & 0x70).leading_zeros() as u8));
        }
        match (is_server, is_masked) {
            (true, false) => return Err(ProtocolError::UnmaskedFrame),
            (false, true) => return Err(ProtocolError::MaskedFrame),
            _ => {}
        }
        let is_control = opcode >= CLOSE;
        if !is_control {
            match (opcode, &self.message) {
                (CONTINUATION, None) => return Err(ProtocolError::UnexpectedContinuation),
                (CONTINUATION, Some(_)) => {}
                (_, Some(_)) => return Err(ProtocolError::UnfinishedMessage),
                (_, None) => self.message = Some((opcode, Vec::new())),
            }
            if let Some(max) = config.max_frame_len().filter(|&max| len > max as u64) {
                return Err(ProtocolError::FrameTooLong { len, max });
            }
            let so_far = self.message.as_ref().map_or(0, |(_, message)| message.len());
            let (sum, max) = (len + so_far as u64, config.max_message_len());
            if sum > max as u64 {
                return Err(ProtocolError::MessageTooLong { len: sum, max });
            }
        }
        let arrived = rest.len().min(usize::try_from(len).unwrap_or(usize::MAX));
        let is_whole = arrived as u64 == len;
        let mut payload = rest[..arrived].to_vec();
        payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        if !is_control {
            self.data(payload, is_whole && fin)?;
        } else if is_whole {
            self.control(opcode, payload)?;
        }
        Ok(is_whole.then_some(bytes.len() - rest.len() + arrived))
    }

    fn data(&mut self, payload: Vec<u8>, is_complete: bool) -> Result<(), ProtocolError> {
        let Some((kind, message)) = &mut self.message else {
            unreachable!("there is one in every data frame")
        };
        message.extend(payload);
        let text = if *kind == TEXT { str::from_utf8(message) } else { Ok("") };
        match text {
            Err(error) if is_complete || error.error_len().is_some() => {
                return Err(ProtocolError::InvalidUtf8);
            }
            _ if !is_complete => return Ok(()),
            _ => {}
        }
        let (kind, message) = self.message.take().expect("as above");
        self.events.push(match String::from_utf8(message) {
            Ok(text) if kind == TEXT => Seen::Text(text),
            Ok(text) => Seen::Binary(text.into()),
            Err(error) => Seen::Binary(error.into_bytes()),
        });
        Ok(())
    }

    fn control(&mut self, opcode: u8, payload: Vec<u8>) -> Result<(), ProtocolError> {
        self.events.push(match opcode {
            PING => Seen::Ping(payload),
            PONG => Seen::Pong(payload),
            _ => Seen::Close(Self::close(&payload)?),
        });
        Ok(())
    }

    fn close(payload: &[u8]) -> Result<Option<(u16, String)>, ProtocolError> {
        let (code, reason) = match payload {
            [] => return Ok(None),
            [_] => return Err(ProtocolError::InvalidCloseBody),
            [a, b, reason @ ..] => (u16::from(*a) << 8 | u16::from(*b), reason),
        };
        // RFC 6455 7.4 and the IANA registry.
        let may_be_sent = match code {
            1004..=1006 | 1015 => false,
            1000..=1014 | 3000..=4999 => true,
            _ => false,
        };
        assert_eq!(CloseCode::new(code).is_some(), may_be_sent);
        if !may_be_sent {
            return Err(ProtocolError::InvalidCloseCode(code));
        }
        let reason = str::from_utf8(reason).map_err(|_| ProtocolError::InvalidCloseReason)?;
        Ok(Some((code, reason.into())))
    }
}

/// A frame with `first` as its first byte, masked if there is a key.
pub fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    let masked = if key.is_some() { 0x80 } else { 0 };
    match payload.len() {
        len @ ..126 => frame.push(masked | len as u8),
        len @ ..0x1_0000 => {
            frame.push(masked | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(masked | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(key.into_iter().flatten());
    let key = key.unwrap_or_default();
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}
