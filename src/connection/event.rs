//! What is received, lent from the input: [`Event`] with [`Text`], [`Payload`] and [`Part`], and the [`Reply`] that it asks for.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use bytes::Bytes;

use crate::connection::compare::{compare_with_bytes, compare_with_text};
use crate::connection::excerpt::Excerpt;
use crate::connection::input::Input;
use crate::connection::message::DataKind;
use crate::wire::utf8;
use crate::{CloseFrame, Message, Outgoing, ProtocolError};

/// What the peer did, lent from the [`Input`].
///
/// Pings and Close frames are answered already when they are reported.
#[non_exhaustive]
// With a tag of its own that fills a word, an event is copied in words. Left to itself, the compiler puts the tag where the flag of a
// part is, and copies at odd offsets, for which the processor waits: 8 ns for each event.
#[repr(u64)]
pub enum Event<'i> {
    /// A text message.
    Text(Text<'i>),
    /// A binary message.
    Binary(Payload<'i>),
    /// The next part of a text message, where [`Config::with_parts`](crate::Config::with_parts) asks for it: whole characters.
    TextPart(Part<'i, str>),
    /// The next part of a binary message, likewise.
    BinaryPart(Part<'i, [u8]>),
    /// A ping and its payload; the pong is queued.
    Ping(&'i [u8]),
    /// A pong and its payload, asked for or not (RFC 6455 5.5.3).
    Pong(&'i [u8]),
    /// The peer's Close frame: the last event. `None` when it had no body.
    Close(Option<CloseFrame>),
}

impl Event<'_> {
    /// The message as an owned value; `None` for control frames, and for parts of a message.
    #[inline]
    #[must_use]
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::Text(text) => Some(Message::Text(text.into_string())),
            Self::Binary(payload) => Some(Message::Binary(payload.into_bytes())),
            _ => None,
        }
    }
}

/// A message longer than this leaves no memory for the next one. A shorter binary one is copied, which takes less time than to clear
/// other memory to read into.
const COPY_LEN: usize = 1 << 20;

/// A text message, lent; it dereferences to `str` and can be compared and printed like one.
pub struct Text<'i>(TextStorage<'i>);

enum TextStorage<'i> {
    Lent(&'i str),
    Assembled(&'i mut String),
}

impl<'i> Text<'i> {
    pub(crate) fn lent(text: &'i str) -> Self {
        Self(TextStorage::Lent(text))
    }

    fn compared(&self) -> Option<&str> {
        Some(self)
    }

    /// The text as an owned value: without a copy when it arrived in several reads or fragments and fills at least half of the memory
    /// that it was put together in.
    #[must_use]
    pub fn into_string(self) -> String {
        match self.0 {
            TextStorage::Lent(text) => String::from(text),
            TextStorage::Assembled(text) if text.len() < text.capacity() / 2 => String::from(text.as_str()),
            TextStorage::Assembled(text) => {
                // The next one is as long, as a rule.
                let next_len = if text.len() > COPY_LEN { 0 } else { text.len() };
                core::mem::replace(text, String::with_capacity(next_len))
            }
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

/// The payload of a binary message, lent; it dereferences to `[u8]` and can be compared like one.
#[derive(Clone, Copy)]
pub struct Payload<'i>(&'i [u8]);

impl Payload<'_> {
    fn compared(&self) -> Option<&[u8]> {
        Some(self)
    }

    /// A copy of the payload, in one allocation.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self.0)
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.0
    }
}

/// A part of a message, lent: never empty unless it is the last; it dereferences to `str` or `[u8]`.
///
/// ```
/// # fn echo(event: tidewire::Event<'_>, sender: &mut tidewire::Sender) -> Result<(), tidewire::SendError> {
/// use tidewire::Event;
///
/// match event {
///     Event::TextPart(part) => sender.send_fragment(&*part, part.is_last()),
///     Event::BinaryPart(part) => sender.send_fragment(&*part, part.is_last()),
///     _ => Ok(()),
/// }
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Part<'i, T: ?Sized> {
    payload: &'i T,
    is_last: bool,
}

impl<T: ?Sized> Part<'_, T> {
    /// True if the message ends with this part.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.is_last
    }
}

impl<T: ?Sized> Deref for Part<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.payload
    }
}

/// An event is ready to be [lent](Input::lend).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Ready(pub(crate) Kind);

impl Ready {
    /// True for a ping, a pong or a Close frame; false for a message or a part of one.
    #[must_use]
    pub fn is_control(self) -> bool {
        matches!(self.0, Kind::Ping | Kind::Pong | Kind::Close)
    }
}

/// What an event is, and where its payload lies in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// A word: where an error shares the place of a single byte, the compiler puts a word of the event together from parts, as below.
#[repr(u64)]
pub(crate) enum Kind {
    /// A message that came whole in one frame: it lies just before the unread bytes.
    Text,
    Binary,
    /// A message that was put together from several reads or fragments.
    AssembledText,
    AssembledBinary,
    /// A binary message that was compressed.
    InflatedBinary,
    TextPart,
    LastTextPart,
    BinaryPart,
    LastBinaryPart,
    InflatedPart,
    LastInflatedPart,
    Ping,
    Pong,
    Close,
}

impl From<DataKind> for Kind {
    #[inline]
    fn from(kind: DataKind) -> Self {
        match kind {
            DataKind::Text => Self::Text,
            DataKind::Binary => Self::Binary,
        }
    }
}

/// What the [`Sender`](crate::Sender) has to know of the peer's last frame: pass it to [`Sender::reply`](crate::Sender::reply).
#[must_use]
pub struct Reply<'i>(pub(crate) ReplyKind<'i>);

pub(crate) enum ReplyKind<'i> {
    /// A ping, to be answered.
    Ping(&'i [u8]),
    /// A pong, which may end the measurement of a round trip.
    Pong(&'i [u8]),
    /// A Close frame, to be echoed.
    Close(&'i [u8]),
    /// The connection has failed.
    Failed(ProtocolError),
}

impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            ReplyKind::Ping(_) => "Reply::Ping",
            ReplyKind::Pong(_) => "Reply::Pong",
            ReplyKind::Close(_) => "Reply::Close",
            ReplyKind::Failed(_) => "Reply::Failed",
        })
    }
}

impl Input {
    /// The event that `ready` stands for, lent until the next call of `advance` or [`space`](Self::space).
    ///
    /// `ready` comes from the last [`advance`](crate::Connection::advance) with this input; with an older one the event is empty.
    #[inline]
    pub fn lend(&mut self, ready: Ready) -> Event<'_> {
        match ready.0 {
            Kind::Binary => Event::Binary(Payload(self.lent())),
            kind => self.lend_any(kind),
        }
    }

    fn lend_any(&mut self, kind: Kind) -> Event<'_> {
        match kind {
            // Of a message under way nothing is lent before it is complete.
            Kind::AssembledText if self.is_complete() => {
                Event::Text(Text(TextStorage::Assembled(self.text())))
            }
            Kind::AssembledBinary if self.is_complete() => Event::Binary(Payload(self.message())),
            Kind::Text | Kind::AssembledText => {
                Event::Text(Text::lent(utf8::decode(self.lent()).unwrap_or_default()))
            }
            Kind::Binary | Kind::AssembledBinary => Event::Binary(Payload(self.lent())),
            Kind::InflatedBinary => Event::Binary(Payload(self.inflated())),
            Kind::TextPart | Kind::LastTextPart => {
                Event::TextPart(Part { payload: self.part(), is_last: kind == Kind::LastTextPart })
            }
            Kind::BinaryPart | Kind::LastBinaryPart => {
                Event::BinaryPart(Part { payload: self.lent(), is_last: kind == Kind::LastBinaryPart })
            }
            Kind::InflatedPart | Kind::LastInflatedPart => {
                Event::BinaryPart(Part { payload: self.inflated(), is_last: kind == Kind::LastInflatedPart })
            }
            Kind::Ping => Event::Ping(self.lent()),
            Kind::Pong => Event::Pong(self.lent()),
            Kind::Close => Event::Close(CloseFrame::decode(self.lent()).unwrap_or_default()),
        }
    }
}

impl<'m> From<Text<'m>> for Outgoing<'m> {
    fn from(text: Text<'m>) -> Self {
        match text.0 {
            TextStorage::Lent(text) => text.into(),
            // To copy it costs less than to have the next one ask for memory again.
            TextStorage::Assembled(text) => text.as_str().into(),
        }
    }
}

impl<'m> From<Payload<'m>> for Outgoing<'m> {
    fn from(payload: Payload<'m>) -> Self {
        payload.0.into()
    }
}

impl<'m> From<&'m Text<'_>> for Outgoing<'m> {
    fn from(text: &'m Text<'_>) -> Self {
        (&**text).into()
    }
}

impl<'m> From<&'m Payload<'_>> for Outgoing<'m> {
    fn from(payload: &'m Payload<'_>) -> Self {
        (&**payload).into()
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        self
    }
}

impl AsRef<[u8]> for Payload<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl<T: ?Sized> AsRef<T> for Part<'_, T> {
    fn as_ref(&self) -> &T {
        self.payload
    }
}

compare_with_text!(Text<'_>, Text::compared);
compare_with_bytes!(Payload<'_>, Payload::compared);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

// `Debug` shows the content, cut at 64 characters.

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Binary(payload) => write!(f, "Binary({:?})", Excerpt::binary(payload)),
            Self::TextPart(part) => write!(f, "Text{part:?}"),
            Self::BinaryPart(part) => write!(f, "Binary{part:?}"),
            Self::Ping(payload) => write!(f, "Ping({:?})", Excerpt::binary(payload)),
            Self::Pong(payload) => write!(f, "Pong({:?})", Excerpt::binary(payload)),
            Self::Close(frame) => f.debug_tuple("Close").field(frame).finish(),
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({:?})", Excerpt::text(self))
    }
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({:?})", Excerpt::binary(self))
    }
}

impl fmt::Debug for Part<'_, str> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({:?}, is_last: {})", Excerpt::text(self), self.is_last)
    }
}

impl fmt::Debug for Part<'_, [u8]> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({:?}, is_last: {})", Excerpt::binary(self), self.is_last)
    }
}
