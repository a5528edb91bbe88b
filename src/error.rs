//! One error type per party to blame, and the one table from violation to close code or HTTP status.

use thiserror::Error;

use crate::CloseCode;

/// The peer broke the protocol, and the connection has failed (RFC 6455 7.1.7).
///
/// The Close frame with [`close_code`](Self::close_code) is already queued in the output. The error is sticky: it is
/// returned again by every later call, and no byte is processed after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// An opcode that RFC 6455 5.2 reserves.
    #[error("reserved opcode {0:#x}")]
    ReservedOpCode(u8),
    /// A reserved bit is set and no extension gives it a meaning (RFC 6455 5.2).
    #[error("reserved bit set")]
    ReservedBit,
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
    /// A frame longer than [`Config::max_frame_len`](crate::Config::max_frame_len) (RFC 6455 10.4).
    #[error("frame longer than the limit")]
    FrameTooLong,
    /// A message longer than [`Config::max_message_len`](crate::Config::max_message_len) (RFC 6455 10.4).
    #[error("message longer than the limit")]
    MessageTooLong,
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
            Self::InvalidUtf8 | Self::InvalidCloseReason => Some(CloseCode::INVALID_PAYLOAD_DATA),
            Self::FrameTooLong | Self::MessageTooLong => Some(CloseCode::MESSAGE_TOO_BIG),
            _ => Some(CloseCode::PROTOCOL_ERROR),
        }
    }
}

/// The caller asked for what cannot be sent now; nothing was sent, and the connection is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SendError {
    /// A Close frame was sent, or the connection has ended; nothing may follow (RFC 6455 5.5.1).
    #[error("the connection is closing or closed")]
    Closed,
    /// The output holds as much as [`Config::max_output_len`](crate::Config::max_output_len) allows. Write it to the
    /// transport and try again.
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
