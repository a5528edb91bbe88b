//! What is sent: [`Outgoing`] (anything that can be), and [`Prepared`] (encoded once, sent to many).

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::connection::deflate::PreparedOnce;
use crate::connection::excerpt::Excerpt;
use crate::connection::message::{DataKind, Message};
use crate::connection::output::CHAIN_LEN;
use crate::wire::frame::Header;

/// Anything that can be sent as a message or as a fragment of one.
///
/// Text comes from `&str`, `String`, `Box<str>`, `Arc<str>`, `Cow<str>` and [`Text`](crate::Text). Binary comes from byte slices, arrays,
/// `Vec<u8>`, `Box<[u8]>`, `Arc<[u8]>`, `Cow<[u8]>`, `Bytes` and [`Payload`](crate::Payload). A [`Message`] or a `&Prepared` is either.
///
/// Borrowed values are copied once. A server sends a long owned one without a copy, and shares a long `Arc`, `Bytes` or [`Prepared`] even
/// where it is borrowed.
///
/// ```
/// use tidewire::{Config, Connection, Prepared};
///
/// let mut server = Connection::server(Config::new());
/// server.send("Hello")?;
/// server.send([1, 2, 3])?;
/// server.send(&Prepared::new("to many"))?;
/// # Ok::<(), tidewire::SendError>(())
/// ```
#[derive(Clone)]
pub struct Outgoing<'m> {
    kind: DataKind,
    /// Whether it is to be compressed; `None` leaves it to the connection.
    compression: Option<bool>,
    payload: OutgoingPayload<'m>,
}

#[derive(Clone)]
// With a tag of its own, which is asked for several times on the way of a message; without, it is made of the storage's capacity each time.
#[repr(u64)]
pub(crate) enum OutgoingPayload<'m> {
    Borrowed(&'m [u8]),
    Shared(&'m Bytes),
    Owned(Bytes),
    Prepared(&'m Prepared),
}

impl<'m> Outgoing<'m> {
    #[inline]
    fn borrowed(kind: DataKind, payload: &'m [u8]) -> Self {
        Self { kind, compression: None, payload: OutgoingPayload::Borrowed(payload) }
    }

    #[inline]
    fn owned(kind: DataKind, payload: Bytes) -> Self {
        Self { kind, compression: None, payload: OutgoingPayload::Owned(payload) }
    }

    /// Whether this message is compressed (RFC 7692), where compression was agreed on at all. Without this it is if it is long enough, and
    /// gets shorter.
    ///
    /// Use `false` for what must not share a window with text that an attacker can choose, and for what is compressed already. The first
    /// fragment decides for a whole message.
    ///
    /// ```
    /// use tidewire::{Config, Connection, Outgoing};
    ///
    /// let mut server = Connection::server(Config::new());
    /// server.send(Outgoing::from("token=...").with_compression(false))?;
    /// # Ok::<(), tidewire::SendError>(())
    /// ```
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn with_compression(mut self, compression: bool) -> Self {
        self.compression = Some(compression);
        self
    }

    pub(crate) fn compression(&self) -> Option<bool> {
        self.compression
    }

    pub(crate) fn payload(&self) -> &OutgoingPayload<'m> {
        &self.payload
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
            OutgoingPayload::Prepared(prepared) => prepared.payload(),
        }
    }

    #[inline]
    pub(crate) fn into_payload(self) -> OutgoingPayload<'m> {
        self.payload
    }
}

// Text.

impl<'m> From<&'m str> for Outgoing<'m> {
    #[inline]
    fn from(text: &'m str) -> Self {
        Self::borrowed(DataKind::Text, text.as_bytes())
    }
}

impl<'m> From<&&'m str> for Outgoing<'m> {
    fn from(text: &&'m str) -> Self {
        (*text).into()
    }
}

impl<'m> From<&'m String> for Outgoing<'m> {
    fn from(text: &'m String) -> Self {
        text.as_str().into()
    }
}

impl<'m> From<&'m Arc<str>> for Outgoing<'m> {
    fn from(text: &'m Arc<str>) -> Self {
        // A short one is copied anyway.
        if text.len() < CHAIN_LEN { (&**text).into() } else { Arc::clone(text).into() }
    }
}

impl From<String> for Outgoing<'_> {
    fn from(text: String) -> Self {
        Self::owned(DataKind::Text, text.into())
    }
}

impl From<Box<str>> for Outgoing<'_> {
    fn from(text: Box<str>) -> Self {
        text.into_string().into()
    }
}

impl From<Arc<str>> for Outgoing<'_> {
    fn from(text: Arc<str>) -> Self {
        Self::owned(DataKind::Text, Bytes::from_owner(Arc::<[u8]>::from(text)))
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

impl<'m> From<&'m Cow<'_, str>> for Outgoing<'m> {
    fn from(text: &'m Cow<'_, str>) -> Self {
        (&**text).into()
    }
}

// Binary.

impl<'m> From<&'m [u8]> for Outgoing<'m> {
    #[inline]
    fn from(payload: &'m [u8]) -> Self {
        Self::borrowed(DataKind::Binary, payload)
    }
}

impl<'m> From<&&'m [u8]> for Outgoing<'m> {
    fn from(payload: &&'m [u8]) -> Self {
        (*payload).into()
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

impl<'m> From<&'m Arc<[u8]>> for Outgoing<'m> {
    fn from(payload: &'m Arc<[u8]>) -> Self {
        if payload.len() < CHAIN_LEN { (&**payload).into() } else { Arc::clone(payload).into() }
    }
}

impl<'m> From<&'m Bytes> for Outgoing<'m> {
    #[inline]
    fn from(payload: &'m Bytes) -> Self {
        Self { kind: DataKind::Binary, compression: None, payload: OutgoingPayload::Shared(payload) }
    }
}

impl<const N: usize> From<[u8; N]> for Outgoing<'_> {
    fn from(payload: [u8; N]) -> Self {
        Self::owned(DataKind::Binary, Bytes::copy_from_slice(&payload))
    }
}

impl From<Vec<u8>> for Outgoing<'_> {
    fn from(payload: Vec<u8>) -> Self {
        Self::owned(DataKind::Binary, payload.into())
    }
}

impl From<Box<[u8]>> for Outgoing<'_> {
    fn from(payload: Box<[u8]>) -> Self {
        Self::owned(DataKind::Binary, payload.into())
    }
}

impl From<Arc<[u8]>> for Outgoing<'_> {
    fn from(payload: Arc<[u8]>) -> Self {
        Self::owned(DataKind::Binary, Bytes::from_owner(payload))
    }
}

impl From<Bytes> for Outgoing<'_> {
    #[inline]
    fn from(payload: Bytes) -> Self {
        Self::owned(DataKind::Binary, payload)
    }
}

impl<'m> From<Cow<'m, [u8]>> for Outgoing<'m> {
    fn from(payload: Cow<'m, [u8]>) -> Self {
        match payload {
            Cow::Borrowed(payload) => payload.into(),
            Cow::Owned(payload) => payload.into(),
        }
    }
}

impl<'m> From<&'m Cow<'_, [u8]>> for Outgoing<'m> {
    fn from(payload: &'m Cow<'_, [u8]>) -> Self {
        (&**payload).into()
    }
}

// Either.

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

impl<'m> From<&'m Prepared> for Outgoing<'m> {
    fn from(prepared: &'m Prepared) -> Self {
        let payload = OutgoingPayload::Prepared(prepared);
        Self { kind: prepared.kind, compression: prepared.compression, payload }
    }
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing::{:?}({:?})", self.kind, Excerpt::new(self.kind, self.as_bytes()))
    }
}

/// A message encoded once, to be sent to many peers: [`send`](crate::Connection::send) takes a `&Prepared` like any other message.
///
/// Servers share the bytes: a long message is not copied per peer, a short one is copied like any other. A client makes a masked copy, since
/// every frame needs a masking key of its own (RFC 6455 5.3).
///
/// Where compression was agreed on (RFC 7692), it is compressed for the first peer, and the others share that too. A peer whose window is
/// smaller than 12 bits gets it as it is.
///
/// The guide shows a whole [broadcast](crate::guide::broadcast).
///
/// ```
/// use tidewire::{Config, Connection, Prepared};
///
/// let news = Prepared::new("extra, extra");
/// let mut peers = [Connection::server(Config::new()), Connection::server(Config::new())];
/// for peer in &mut peers {
///     peer.send(&news)?;
/// }
/// # Ok::<(), tidewire::SendError>(())
/// ```
#[derive(Clone)]
pub struct Prepared {
    frame: Bytes,
    header_len: usize,
    kind: DataKind,
    compression: Option<bool>,
    compressed: PreparedOnce,
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
        Self {
            frame: frame.into(),
            header_len,
            kind: message.kind(),
            compression: message.compression(),
            compressed: PreparedOnce::default(),
        }
    }

    /// The unmasked frame, as a server sends the whole message.
    pub(crate) fn frame(&self) -> &Bytes {
        &self.frame
    }

    pub(crate) fn compressed(&self) -> &PreparedOnce {
        &self.compressed
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.frame[self.header_len..]
    }

    /// The payload, in the memory of the frame.
    pub(crate) fn shared_payload(&self) -> Bytes {
        self.frame.slice(self.header_len..)
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared::{:?}({:?})", self.kind, Excerpt::new(self.kind, self.payload()))
    }
}
