//! What is sent: [`Outgoing`] (anything that can be), and [`Prepared`] (encoded once, sent to many).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use bytes::Bytes;

use crate::frame::Header;
use crate::message::{DataKind, Message};
use crate::output::Chained;

/// Anything that can be sent as a message or as a fragment of one: text from `&str`, `String` and [`Text`](crate::Text), binary from
/// byte slices, `Vec<u8>`, `Bytes` and [`Payload`](crate::Payload), either from [`Message`].
///
/// Owned values are sent without a copy where the role and the length allow it; borrowed ones are copied once.
#[derive(Clone)]
pub struct Outgoing<'m> {
    kind: DataKind,
    payload: OutgoingPayload<'m>,
}

#[derive(Clone)]
// With a tag of its own, which is asked for several times on the way of a message; without, it is made of the storage's capacity each time.
#[repr(u64)]
pub(crate) enum OutgoingPayload<'m> {
    Borrowed(&'m [u8]),
    Shared(&'m Bytes),
    Owned(Chained),
}

impl<'m> Outgoing<'m> {
    #[inline]
    fn borrowed(kind: DataKind, payload: &'m [u8]) -> Self {
        Self { kind, payload: OutgoingPayload::Borrowed(payload) }
    }

    fn owned(kind: DataKind, payload: impl Into<Bytes>) -> Self {
        Self { kind, payload: OutgoingPayload::Owned(Chained::Shared(payload.into())) }
    }

    /// The binary payload `range` of the storage of an input.
    pub(crate) fn stored(storage: Vec<u8>, range: Range<usize>) -> Self {
        Self { kind: DataKind::Binary, payload: OutgoingPayload::Owned(Chained::Stored(storage, range)) }
    }

    #[inline]
    pub(crate) fn kind(&self) -> DataKind {
        self.kind
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.payload {
            OutgoingPayload::Borrowed(payload) => payload,
            OutgoingPayload::Shared(payload) => payload,
            OutgoingPayload::Owned(payload) => payload,
        }
    }

    #[inline]
    pub(crate) fn into_payload(self) -> OutgoingPayload<'m> {
        self.payload
    }
}

impl<'m> From<&'m str> for Outgoing<'m> {
    fn from(text: &'m str) -> Self {
        Self::borrowed(DataKind::Text, text.as_bytes())
    }
}

impl<'m> From<&'m String> for Outgoing<'m> {
    fn from(text: &'m String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Outgoing<'_> {
    fn from(text: String) -> Self {
        Self::owned(DataKind::Text, text)
    }
}

impl<'m> From<Cow<'m, str>> for Outgoing<'m> {
    fn from(text: Cow<'m, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl<'m> From<&'m [u8]> for Outgoing<'m> {
    fn from(payload: &'m [u8]) -> Self {
        Self::borrowed(DataKind::Binary, payload)
    }
}

impl<'m, const N: usize> From<&'m [u8; N]> for Outgoing<'m> {
    fn from(payload: &'m [u8; N]) -> Self {
        payload.as_slice().into()
    }
}

impl<'m> From<&'m Vec<u8>> for Outgoing<'m> {
    fn from(payload: &'m Vec<u8>) -> Self {
        payload.as_slice().into()
    }
}

impl From<Vec<u8>> for Outgoing<'_> {
    fn from(payload: Vec<u8>) -> Self {
        Self::owned(DataKind::Binary, payload)
    }
}

impl From<Bytes> for Outgoing<'_> {
    fn from(payload: Bytes) -> Self {
        Self::owned(DataKind::Binary, payload)
    }
}

impl<'m> From<&'m Bytes> for Outgoing<'m> {
    fn from(payload: &'m Bytes) -> Self {
        Self { kind: DataKind::Binary, payload: OutgoingPayload::Shared(payload) }
    }
}

impl From<Message> for Outgoing<'_> {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => text.into(),
            Message::Binary(payload) => payload.into(),
        }
    }
}

impl<'m> From<&'m Message> for Outgoing<'m> {
    fn from(message: &'m Message) -> Self {
        match message {
            Message::Text(text) => text.into(),
            Message::Binary(payload) => payload.into(),
        }
    }
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing::{:?}({} bytes)", self.kind, self.as_bytes().len())
    }
}

/// A message encoded once, to be sent to many peers with [`send_prepared`](crate::Connection::send_prepared).
///
/// Servers share the bytes: a long message is not copied per peer, a short one is copied like any other. A client, which
/// needs a masking key of its own for every frame, makes a masked copy (RFC 6455 5.3).
///
/// ```
/// use tidewire::{Config, Connection, Prepared};
///
/// let news = Prepared::new("extra, extra");
/// let mut peers = [Connection::server(Config::new()), Connection::server(Config::new())];
/// for peer in &mut peers {
///     peer.send_prepared(&news)?;
/// }
/// # Ok::<(), tidewire::SendError>(())
/// ```
#[derive(Clone)]
pub struct Prepared {
    frame: Bytes,
    header_len: usize,
    kind: DataKind,
}

impl Prepared {
    /// Encodes `message`.
    #[must_use]
    pub fn new<'m>(message: impl Into<Outgoing<'m>>) -> Self {
        let message = message.into();
        let payload = message.as_bytes();
        let mut header = [0; Header::MAX_LEN];
        let header_len = Header::new(message.kind().opcode(), payload.len() as u64).encode(&mut header);
        let mut frame = Vec::with_capacity(header_len + payload.len());
        frame.extend_from_slice(&header[..header_len]);
        frame.extend_from_slice(payload);
        Self { frame: frame.into(), header_len, kind: message.kind() }
    }

    /// The unmasked frame, as a server sends it.
    pub(crate) fn frame(&self) -> &Bytes {
        &self.frame
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.frame[self.header_len..]
    }

    pub(crate) fn message(&self) -> Outgoing<'_> {
        Outgoing::borrowed(self.kind, self.payload())
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared::{:?}({} bytes)", self.kind, self.payload().len())
    }
}
