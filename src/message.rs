//! What is received: [`Event`] with [`Text`] and [`Payload`] (lent), and [`Message`] (owned).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use bytes::Bytes;

use crate::input::Input;
use crate::{CloseFrame, Outgoing};

/// What the peer did, lent from the [`Input`].
///
/// Pings and Close frames are answered already when they are reported.
#[non_exhaustive]
pub enum Event<'i> {
    /// A text message.
    Text(Text<'i>),
    /// A binary message.
    Binary(Payload<'i>),
    /// A ping and its payload; the pong is queued.
    Ping(&'i [u8]),
    /// A pong and its payload, asked for or not (RFC 6455 5.5.3).
    Pong(&'i [u8]),
    /// The peer's Close frame: the last event. `None` when it had no body.
    Close(Option<CloseFrame>),
}

impl Event<'_> {
    /// The message as an owned value; `None` for control frames.
    #[must_use]
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::Text(text) => Some(Message::Text(text.into_string())),
            Self::Binary(payload) => Some(Message::Binary(payload.into_bytes())),
            _ => None,
        }
    }
}

/// A text message, lent; it dereferences to `str`.
pub struct Text<'i>(TextStorage<'i>);

enum TextStorage<'i> {
    Lent(&'i str),
    Assembled(&'i mut String),
}

impl<'i> Text<'i> {
    pub(crate) fn lent(text: &'i str) -> Self {
        Self(TextStorage::Lent(text))
    }

    pub(crate) fn assembled(text: &'i mut String) -> Self {
        Self(TextStorage::Assembled(text))
    }

    /// The text as an owned value: without a copy when it was put together from several reads or fragments.
    #[must_use]
    pub fn into_string(self) -> String {
        match self.0 {
            TextStorage::Lent(text) => String::from(text),
            TextStorage::Assembled(text) if text.len() >= text.capacity() / 2 => core::mem::take(text),
            TextStorage::Assembled(text) => String::from(text.as_str()),
        }
    }
}

impl Deref for Text<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        match &self.0 {
            TextStorage::Lent(text) => text,
            TextStorage::Assembled(text) => text,
        }
    }
}

/// The payload of a binary message, lent; it dereferences to `[u8]`.
pub struct Payload<'i>(PayloadStorage<'i>);

enum PayloadStorage<'i> {
    Lent(&'i [u8]),
    /// The message fills the storage of the input, which may be given away.
    Whole(&'i mut Input),
}

impl<'i> Payload<'i> {
    pub(crate) fn lent(payload: &'i [u8]) -> Self {
        Self(PayloadStorage::Lent(payload))
    }

    pub(crate) fn whole(input: &'i mut Input) -> Self {
        Self(PayloadStorage::Whole(input))
    }

    /// The payload as an owned value: without a copy when it fills at least half of the memory that it lies in.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            PayloadStorage::Lent(payload) => Bytes::copy_from_slice(payload),
            PayloadStorage::Whole(input) => {
                let range = input.message_range();
                Bytes::from(input.take_storage()).slice(range)
            }
        }
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            PayloadStorage::Lent(payload) => payload,
            PayloadStorage::Whole(input) => input.message(),
        }
    }
}

impl<'m> From<Text<'m>> for Outgoing<'m> {
    fn from(text: Text<'m>) -> Self {
        match text.0 {
            TextStorage::Lent(text) => text.into(),
            TextStorage::Assembled(_) => text.into_string().into(),
        }
    }
}

impl<'m> From<Payload<'m>> for Outgoing<'m> {
    fn from(payload: Payload<'m>) -> Self {
        match payload.0 {
            PayloadStorage::Lent(payload) => payload.into(),
            PayloadStorage::Whole(_) => payload.into_bytes().into(),
        }
    }
}

/// A message as an owned value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
}

impl Message {
    /// The length of the payload in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// True when the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The payload.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(payload) => payload,
        }
    }

    /// The text; `None` for a binary message.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Message {
    fn from(payload: Vec<u8>) -> Self {
        Self::Binary(payload.into())
    }
}

impl From<Bytes> for Message {
    fn from(payload: Bytes) -> Self {
        Self::Binary(payload)
    }
}

// `Debug` shows lengths, never payloads.

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Binary(payload) => payload.fmt(f),
            Self::Ping(payload) => write!(f, "Ping({} bytes)", payload.len()),
            Self::Pong(payload) => write!(f, "Pong({} bytes)", payload.len()),
            Self::Close(frame) => f.debug_tuple("Close").field(frame).finish(),
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len())
    }
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.as_text().is_some() { "Text" } else { "Binary" };
        write!(f, "{kind}({} bytes)", self.len())
    }
}
