//! The wire level: opcodes and frame headers (RFC 6455 5.2), without state and without allocation.
//!
//! [`Header::decode`] checks what a header can be checked for on its own. What depends on the role, on the
//! limits or on the frames before it is checked by the [`Connection`](crate::Connection).

use crate::ProtocolError;

/// What a frame carries (RFC 6455 5.2 and 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OpCode {
    /// A further fragment of the message that is under way.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// A ping, to be answered with a pong.
    Ping = 0x9,
    /// A pong.
    Pong = 0xA,
}

impl OpCode {
    /// Reads an opcode from the low four bits of `bits`; `None` for a reserved one.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits & 0x0F {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }

    /// True for Close, Ping and Pong (RFC 6455 5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// The header of a frame (RFC 6455 5.2).
///
/// ```
/// use tidewire::frame::{Header, OpCode};
///
/// let frame = [0x81, 0x05, b'H', b'e', b'l', b'l', b'o'];
/// let (header, len) = Header::decode(&frame)?.expect("complete");
/// assert_eq!(header, Header::new(OpCode::Text, 5));
/// assert_eq!(&frame[len..], b"Hello");
/// # Ok::<(), tidewire::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// This is the last fragment of its message.
    pub fin: bool,
    /// The first reserved bit.
    pub rsv1: bool,
    /// The second reserved bit.
    pub rsv2: bool,
    /// The third reserved bit.
    pub rsv3: bool,
    /// What the frame carries.
    pub opcode: OpCode,
    /// The masking key; a client's frame has one, a server's has none (RFC 6455 5.1).
    pub mask: Option<[u8; 4]>,
    /// The length of the payload in bytes, below 2^63.
    pub payload_len: u64,
}

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2: u8 = 0x20;
const RSV3: u8 = 0x10;
const MASK: u8 = 0x80;

/// The first byte of a message in one frame.
const TEXT_MESSAGE: u8 = FIN | OpCode::Text as u8;
const BINARY_MESSAGE: u8 = FIN | OpCode::Binary as u8;

impl Header {
    /// The longest header in bytes: two, an eight-byte length and a masking key.
    pub const MAX_LEN: usize = 14;

    /// The longest payload of a control frame in bytes (RFC 6455 5.5).
    pub const MAX_CONTROL_PAYLOAD_LEN: usize = 125;

    /// The header of an unmasked, unfragmented frame.
    #[must_use]
    pub const fn new(opcode: OpCode, payload_len: u64) -> Self {
        Self { fin: true, rsv1: false, rsv2: false, rsv3: false, opcode, mask: None, payload_len }
    }

    /// Reads the header at the start of `bytes` and tells how many bytes it took; `None` when there are too few.
    ///
    /// # Errors
    /// [`ReservedOpCode`](ProtocolError::ReservedOpCode), [`FragmentedControlFrame`](ProtocolError::FragmentedControlFrame),
    /// [`ControlFrameTooLong`](ProtocolError::ControlFrameTooLong), [`NonMinimalLength`](ProtocolError::NonMinimalLength) and
    /// [`LengthOutOfRange`](ProtocolError::LengthOutOfRange), each as soon as the bytes that show it are there.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let Some(opcode) = OpCode::from_bits(first) else {
            // RFC 6455 5.2: an unknown opcode fails the connection.
            return Err(ProtocolError::ReservedOpCode(first & 0x0F));
        };
        let fin = first & FIN != 0;
        let short = second & !MASK;
        if opcode.is_control() {
            // RFC 6455 5.5: control frames have at most 125 bytes of payload and are never fragmented.
            if !fin {
                return Err(ProtocolError::FragmentedControlFrame);
            }
            if usize::from(short) > Self::MAX_CONTROL_PAYLOAD_LEN {
                return Err(ProtocolError::ControlFrameTooLong);
            }
        }
        let (payload_len, rest) = match short {
            126 => {
                let Some((len, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from(u16::from_be_bytes(*len)), rest)
            }
            127 => {
                let Some((len, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from_be_bytes(*len), rest)
            }
            _ => (u64::from(short), rest),
        };
        // RFC 6455 5.2: the most significant bit must be 0, and the minimal number of bytes must be used.
        if payload_len > i64::MAX as u64 {
            return Err(ProtocolError::LengthOutOfRange);
        }
        if (short == 126 && payload_len < 126) || (short == 127 && payload_len <= 0xFFFF) {
            return Err(ProtocolError::NonMinimalLength);
        }
        let (mask, rest) = if second & MASK == 0 {
            (None, rest)
        } else {
            let Some((key, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (Some(*key), rest)
        };
        let header = Self {
            fin,
            rsv1: first & RSV1 != 0,
            rsv2: first & RSV2 != 0,
            rsv3: first & RSV3 != 0,
            opcode,
            mask,
            payload_len,
        };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// As [`decode`](Self::decode), for the common case alone: the header of a message in one frame of less than 64 KiB, from a
    /// peer whose frames are `masked` or not. Where it is anything else, or flawed, it is for `decode` to tell.
    #[inline]
    pub(crate) fn decode_message(bytes: &[u8], masked: bool) -> Option<(OpCode, usize, usize)> {
        let &[first, second, ref rest @ ..] = bytes else { return None };
        let opcode = match first {
            TEXT_MESSAGE => OpCode::Text,
            BINARY_MESSAGE => OpCode::Binary,
            _ => return None,
        };
        let (key_len, mask) = if masked { (4, MASK) } else { (0, 0) };
        match second ^ mask {
            len @ 0..126 => Some((opcode, 2 + key_len, usize::from(len))),
            126 => {
                let len = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
                (len >= 126).then_some((opcode, 4 + key_len, len))
            }
            _ => None,
        }
    }

    /// Writes the header to the start of `bytes`, with the length in its minimal form, and tells how many bytes it took.
    ///
    /// The length is cut to 63 bits, which no payload in memory exceeds.
    #[inline]
    pub fn encode(&self, bytes: &mut [u8; Self::MAX_LEN]) -> usize {
        let (start, len) = self.encode_start();
        bytes[..start.len()].copy_from_slice(&start);
        let Some(key) = self.mask else { return len };
        bytes[len..len + 4].copy_from_slice(&key);
        len + 4
    }

    /// What goes before the masking key, and how many bytes of it there are.
    #[inline]
    fn encode_start(&self) -> ([u8; 10], usize) {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let first = flag(self.fin, FIN)
            | flag(self.rsv1, RSV1)
            | flag(self.rsv2, RSV2)
            | flag(self.rsv3, RSV3)
            | self.opcode as u8;
        let payload_len = self.payload_len & i64::MAX as u64;
        // RFC 6455 5.2: the length in the minimal number of bytes, the most significant one first.
        let (short, extended, len) = match payload_len {
            0..126 => (payload_len as u8, 0, 2),
            126..=0xFFFF => (126, payload_len << 48, 4),
            _ => (127, payload_len, 10),
        };
        let second = short | flag(self.mask.is_some(), MASK);
        let [a, b, c, d, e, f, g, h] = extended.to_be_bytes();
        ([first, second, a, b, c, d, e, f, g, h], len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_survives_a_round_trip_and_no_prefix_of_it_decodes() {
        for payload_len in [0, 1, 125, 126, 127, 65535, 65536, 1 << 32, i64::MAX as u64] {
            for bits in 0..32u8 {
                for opcode in [OpCode::Continuation, OpCode::Text, OpCode::Binary] {
                    let header = Header {
                        fin: bits & 1 != 0,
                        rsv1: bits & 2 != 0,
                        rsv2: bits & 4 != 0,
                        rsv3: bits & 8 != 0,
                        opcode,
                        mask: (bits & 16 != 0).then_some([1, 2, 3, 4]),
                        payload_len,
                    };
                    let mut bytes = [0; Header::MAX_LEN];
                    let len = header.encode(&mut bytes);
                    for n in 0..len {
                        assert_eq!(Header::decode(&bytes[..n]), Ok(None));
                    }
                    assert_eq!(Header::decode(&bytes), Ok(Some((header, len))));
                }
            }
        }
    }

    #[test]
    fn a_message_in_one_short_frame_is_decoded_alike_in_both_ways() {
        let mut found = 0;
        for (first, second) in
            (0..=u8::MAX).flat_map(|first| (0..=u8::MAX).map(move |second| (first, second)))
        {
            for extended in [[0, 0], [0, 125], [0, 126], [0xFF, 0xFF]] {
                let bytes = [&[first, second], &extended[..], &[0; 10]].concat();
                for (bytes, masked) in
                    (0..bytes.len()).flat_map(|n| [true, false].map(|masked| (&bytes[..n], masked)))
                {
                    let Some((opcode, header_len, len)) = Header::decode_message(bytes, masked) else {
                        continue;
                    };
                    found += 1;
                    if bytes.len() < header_len {
                        continue;
                    }
                    let mask = masked.then_some([0; 4]).map(|_| {
                        let mut key = [0; 4];
                        key.copy_from_slice(&bytes[header_len - 4..header_len]);
                        key
                    });
                    let header = Header { mask, ..Header::new(opcode, len as u64) };
                    assert_eq!(Header::decode(bytes), Ok(Some((header, header_len))));
                }
            }
        }
        // Of both types, with and without a key, 126 short lengths and 2 extended ones, however much of the rest is there.
        assert_eq!(found, 2 * 2 * (126 * 4 * 12 + 2 * 10));
    }

    #[test]
    fn a_bad_header_is_refused_as_soon_as_it_shows() {
        assert_eq!(Header::decode(&[0x83, 0x00]), Err(ProtocolError::ReservedOpCode(3)));
        assert_eq!(Header::decode(&[0x8F, 0x00]), Err(ProtocolError::ReservedOpCode(15)));
        assert_eq!(Header::decode(&[0x09, 0x00]), Err(ProtocolError::FragmentedControlFrame));
        assert_eq!(Header::decode(&[0x88, 0x7E]), Err(ProtocolError::ControlFrameTooLong));
        assert_eq!(Header::decode(&[0x8A, 0xFF]), Err(ProtocolError::ControlFrameTooLong));
        assert_eq!(Header::decode(&[0x82, 126, 0, 125]), Err(ProtocolError::NonMinimalLength));
        assert_eq!(
            Header::decode(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]),
            Err(ProtocolError::NonMinimalLength)
        );
        assert_eq!(
            Header::decode(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            Err(ProtocolError::LengthOutOfRange)
        );
    }
}
