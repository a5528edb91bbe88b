//! One error type per party to blame, and the one table from violation to close code or HTTP status.

use thiserror::Error;

use crate::CloseCode;
#[cfg(any(feature = "blocking", feature = "tokio"))]
use crate::CloseFrame;

mod culprit;
mod handshake;

pub use culprit::Culprit;
pub use handshake::{HandshakeError, InvalidOrigin, InvalidRequest, InvalidResponse};

/// The peer broke the protocol or a limit, and the connection has failed (RFC 6455 7.1.7).
///
/// The Close frame with [`close_code`](Self::close_code) is already queued in the output. The error is sticky: it is
/// returned again by every later call, and no byte is processed after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
// With a tag that fills a word, events that share their place with an error are copied in words: see `Event`.
#[repr(u64)]
pub enum ProtocolError {
    /// An opcode that RFC 6455 5.2 reserves.
    #[error("reserved opcode {0:#x}")]
    ReservedOpCode(u8),
    /// RSV1, RSV2 or RSV3, the first that is set, and no extension gives it a meaning (RFC 6455 5.2).
    ///
    /// RSV1 is what a peer sets that compresses without having agreed on it.
    #[error("RSV{0} set without an extension that defines it")]
    ReservedBit(u8),
    /// A control frame without FIN (RFC 6455 5.5).
    #[error("fragmented control frame")]
    FragmentedControlFrame,
    /// A control frame with more than 125 bytes of payload (RFC 6455 5.5).
    #[error("control frame longer than 125 bytes")]
    ControlFrameTooLong,
    /// A payload length in more bytes than it needs (RFC 6455 5.2).
    #[error("payload length not in its minimal form")]
    NonMinimalLength,
    /// A payload length of 2^63 or more (RFC 6455 5.2).
    #[error("payload length with its most significant bit set")]
    LengthOutOfRange,
    /// A client's frame without a mask (RFC 6455 5.1).
    #[error("unmasked frame from a client")]
    UnmaskedFrame,
    /// A server's frame with a mask (RFC 6455 5.1).
    #[error("masked frame from a server")]
    MaskedFrame,
    /// A continuation frame while no message is under way (RFC 6455 5.4).
    #[error("continuation frame without a message")]
    UnexpectedContinuation,
    /// A new message before the last fragment of the one under way (RFC 6455 5.4).
    #[error("new message inside a fragmented one")]
    UnfinishedMessage,
    /// A Close frame whose body is one byte long (RFC 6455 5.5.1).
    #[error("close frame with a body of one byte")]
    InvalidCloseBody,
    /// A Close frame with a code that must not be sent (RFC 6455 7.4).
    #[error("close code {0} must not be sent")]
    InvalidCloseCode(u16),
    /// A Close frame whose reason is not UTF-8 (RFC 6455 5.5.1).
    #[error("close reason is not UTF-8")]
    InvalidCloseReason,
    /// A text message that is not UTF-8 (RFC 6455 8.1).
    #[error("text message is not UTF-8")]
    InvalidUtf8,
    /// A frame longer than [`Config::max_frame_len`](crate::Config::max_frame_len), where that is set (RFC 6455 10.4).
    #[error("frame longer than the limit of {max} bytes: {len}")]
    FrameTooLong {
        /// The length that its header announced.
        len: u64,
        /// The limit.
        max: usize,
    },
    /// A message longer than [`Config::max_message_len`](crate::Config::max_message_len) (RFC 6455 10.4).
    #[error("message longer than the limit of {max} bytes: it has at least {len}")]
    MessageTooLong {
        /// The length so far, with that of the frame under way, which its header announces. Of a compressed message it is what was inflated.
        len: u64,
        /// The limit.
        max: usize,
    },
    /// A compressed message that is no DEFLATE, or that ends before its data does (RFC 7692 7.2.2).
    #[error("compressed message cannot be inflated")]
    InvalidDeflate,
    /// The transport ended before a Close frame arrived (RFC 6455 7.1.5: 1006); nothing is sent.
    #[error("the transport ended without a close frame")]
    UnexpectedEof,
}

impl ProtocolError {
    /// The code of the Close frame that the peer gets; `None` for [`UnexpectedEof`](Self::UnexpectedEof), after
    /// which there is nobody to tell.
    #[must_use]
    pub const fn close_code(self) -> Option<CloseCode> {
        match self {
            Self::UnexpectedEof => None,
            Self::InvalidUtf8 | Self::InvalidCloseReason | Self::InvalidDeflate => {
                Some(CloseCode::INVALID_PAYLOAD_DATA)
            }
            Self::FrameTooLong { .. } | Self::MessageTooLong { .. } => Some(CloseCode::MESSAGE_TOO_BIG),
            _ => Some(CloseCode::PROTOCOL_ERROR),
        }
    }
}

/// A number that is no [`CloseCode`]: it must not stand in a Close frame (RFC 6455 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("close code {0} must not be sent")]
pub struct InvalidCloseCode(pub u16);

/// The caller asked for what cannot be sent now; nothing was sent, and the connection is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SendError {
    /// A Close frame was sent, or the connection has ended; nothing may follow (RFC 6455 5.5.1). Receiving tells why.
    #[error("the connection is closing or closed")]
    Closed,
    /// As much is queued already as [`Config::max_output_len`](crate::Config::max_output_len) allows. Write it to the transport and try
    /// again.
    #[error("the output is full")]
    OutputFull,
    /// A whole message while one is being sent in fragments (RFC 6455 5.4).
    #[error("a message is being sent in fragments")]
    UnfinishedMessage,
    /// A fragment of another type than the first one of its message (RFC 6455 5.4).
    #[error("fragments of one message must have one type")]
    MixedFragments,
    /// The payload of a ping is longer than 125 bytes (RFC 6455 5.5).
    #[error("the payload of a ping is limited to 125 bytes")]
    PingTooLong,
}

/// A deadline passed: the peer was too slow, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum TimedOut {
    /// The opening handshake took longer than [`Config::open_timeout`](crate::Config::open_timeout).
    #[error("the opening handshake took too long")]
    Open,
    /// The peer showed no life after a keepalive ping; see [`Config::keepalive`](crate::Config::keepalive).
    #[error("the peer does not answer")]
    Keepalive,
    /// The transport accepted no output for [`Config::write_timeout`](crate::Config::write_timeout).
    #[error("the peer does not read")]
    Write,
    /// The peer did not answer a Close frame within [`Config::close_timeout`](crate::Config::close_timeout).
    #[error("the closing handshake took too long")]
    Close,
}

/// A proxy opened no tunnel to the server.
#[cfg(any(feature = "blocking", feature = "tokio"))]
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// It wants a user name and a password, or others than it got: 407 or 401, or the refusal of RFC 1929.
    #[error("the proxy wants a user name and a password, or others")]
    AuthenticationRequired,
    /// An HTTP proxy answered with this status.
    #[error("the proxy refused with status {0}")]
    Refused(u16),
    /// A SOCKS proxy did not reach the server: a code of RFC 1928 6, such as 5 for a connection that was refused.
    #[error("the proxy did not reach the server: {}", socks_reply(*.0))]
    Unreachable(u8),
    /// An answer that is neither HTTP nor SOCKS 5, or is longer than the limits.
    #[error("the proxy's answer cannot be read: {0}")]
    InvalidAnswer(Culprit),
    /// It ended the transport before its answer was complete.
    #[error("the proxy ended the transport without an answer")]
    UnexpectedEof,
}

/// RFC 1928 6.
#[cfg(any(feature = "blocking", feature = "tokio"))]
fn socks_reply(code: u8) -> &'static str {
    match code {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "time to live expired",
        7 => "command not supported",
        8 => "type of address not supported",
        _ => "unknown code",
    }
}

/// Why an operation of an adapter failed.
#[cfg(any(feature = "blocking", feature = "tokio"))]
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The transport failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The peer broke the protocol or a limit. It has been told, unless it had ended the transport.
    #[error("the connection has failed: {0}")]
    Protocol(ProtocolError),
    /// The peer closed the connection with a code other than 1000, 1001 or the one that this side sent first.
    #[error("the peer closed the connection with {0}")]
    ClosedByPeer(CloseFrame),
    /// What was to be sent cannot be sent now; the connection is as it was.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A deadline passed.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// The opening handshake failed.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The proxy opened no tunnel.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// TLS failed: the certificate is not valid for the host, or is of nobody who is trusted, or the two sides have nothing in common.
    #[error("TLS failed: {0}")]
    Tls(std::io::Error),
    /// The client's request cannot be made.
    #[error(transparent)]
    InvalidRequest(#[from] InvalidRequest),
    /// The server's answer cannot be given; the client got a 500.
    #[error(transparent)]
    InvalidResponse(#[from] InvalidResponse),
    /// `connect` was given a `wss` URI, or an `https` proxy, and the feature `rustls` is off. Turn it on, or pass a TLS stream to `client`.
    #[error("wss needs the feature `rustls`, or a TLS stream that is passed to `client`")]
    TlsNeeded,
}

#[cfg(any(feature = "blocking", feature = "tokio"))]
impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}
