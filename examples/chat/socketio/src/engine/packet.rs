//! One packet: a digit for its type, and what it holds.

use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use thiserror::Error;

/// Clients pad; others need not.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A packet as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'p> {
    /// The handshake, which only a server sends.
    Open(&'p str),
    /// The session ends.
    Close,
    /// A heartbeat of the server, or the probe of an upgrade.
    Ping(&'p str),
    /// The answer to a ping.
    Pong(&'p str),
    /// What the session is for.
    Message(Message<'p>),
    /// From now on the WebSocket is the transport.
    Upgrade,
    /// Nothing; it ends a poll.
    Noop,
}

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'m> {
    /// Text.
    Text(&'m str),
    /// Binary.
    Binary(Bytes),
}

/// A packet that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidPacket {
    /// Without a type.
    #[error("a packet is empty")]
    Empty,
    /// A type that the protocol has not.
    #[error("a packet has an unknown type")]
    UnknownType,
    /// Data in a packet that has none.
    #[error("a packet has data that its type does not allow")]
    UnexpectedData,
    /// A binary packet of long-polling that cannot be decoded.
    #[error("a binary packet is not base64")]
    InvalidBase64,
}

impl<'p> Packet<'p> {
    /// The packet in a text message of a WebSocket.
    ///
    /// # Errors
    /// [`InvalidPacket`], except `InvalidBase64`.
    pub fn decode(text: &'p str) -> Result<Self, InvalidPacket> {
        let kind = text.chars().next().ok_or(InvalidPacket::Empty)?;
        let data = &text[kind.len_utf8()..];
        let alone = |packet| if data.is_empty() { Ok(packet) } else { Err(InvalidPacket::UnexpectedData) };
        match kind {
            '0' => Ok(Self::Open(data)),
            '1' => alone(Self::Close),
            '2' => Ok(Self::Ping(data)),
            '3' => Ok(Self::Pong(data)),
            '4' => Ok(Self::Message(Message::Text(data))),
            '5' => alone(Self::Upgrade),
            '6' => alone(Self::Noop),
            _ => Err(InvalidPacket::UnknownType),
        }
    }

    /// The packet in a part of a long-polling payload, where `b` and base64 stand for a binary message.
    ///
    /// # Errors
    /// [`InvalidPacket`].
    pub fn decode_polling(text: &'p str) -> Result<Self, InvalidPacket> {
        let Some(base64) = text.strip_prefix('b') else { return Self::decode(text) };
        let payload = BASE64.decode(base64).map_err(|_| InvalidPacket::InvalidBase64)?;
        Ok(Self::Message(Message::Binary(payload.into())))
    }
}

/// A packet that is ready to be sent, to one client or to many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// The type and the data.
    Text(Arc<str>),
    /// A binary message: payload alone.
    Binary(Bytes),
}

impl Encoded {
    /// A text message.
    #[must_use]
    pub fn message(text: &str) -> Self {
        let mut packet = String::with_capacity(1 + text.len());
        packet.push('4');
        packet.push_str(text);
        Self::Text(packet.into())
    }

    /// A packet of a type and constant data.
    pub(crate) fn control(packet: &str) -> Self {
        Self::Text(packet.into())
    }

    /// How many bytes it has, without base64.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(payload) => payload.len(),
        }
    }
}

impl From<Message<'_>> for Encoded {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::message(text),
            Message::Binary(payload) => Self::Binary(payload),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_decoded() {
        assert_eq!(Packet::decode("0{}"), Ok(Packet::Open("{}")));
        assert_eq!(Packet::decode("1"), Ok(Packet::Close));
        assert_eq!(Packet::decode("2probe"), Ok(Packet::Ping("probe")));
        assert_eq!(Packet::decode("3"), Ok(Packet::Pong("")));
        assert_eq!(Packet::decode("4é"), Ok(Packet::Message(Message::Text("é"))));
        assert_eq!(Packet::decode("4"), Ok(Packet::Message(Message::Text(""))));
        assert_eq!(Packet::decode("5"), Ok(Packet::Upgrade));
        assert_eq!(Packet::decode("6"), Ok(Packet::Noop));
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        assert_eq!(Packet::decode(""), Err(InvalidPacket::Empty));
        for text in ["7", "abc", "é", " 4", "\u{1e}", "bAQID"] {
            assert_eq!(Packet::decode(text), Err(InvalidPacket::UnknownType), "{text}");
        }
        for text in ["1x", "5x", "6x"] {
            assert_eq!(Packet::decode(text), Err(InvalidPacket::UnexpectedData), "{text}");
        }
    }

    #[test]
    fn binary_is_base64_in_long_polling_alone() {
        let binary = |bytes: &'static [u8]| Ok(Packet::Message(Message::Binary(Bytes::from_static(bytes))));
        assert_eq!(Packet::decode_polling("bAQIDBA=="), binary(&[1, 2, 3, 4]));
        assert_eq!(Packet::decode_polling("bAQIDBA"), binary(&[1, 2, 3, 4]));
        assert_eq!(Packet::decode_polling("b"), binary(&[]));
        assert_eq!(Packet::decode_polling("4b"), Ok(Packet::Message(Message::Text("b"))));
        for text in ["bA", "b!!!!", "b====", "bAQ==ID", "bé"] {
            assert_eq!(Packet::decode_polling(text), Err(InvalidPacket::InvalidBase64), "{text}");
        }
    }
}
