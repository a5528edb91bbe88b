//! The closing handshake's data: [`CloseCode`], [`CloseFrame`] and [`CloseBody`] (RFC 6455 5.5.1 and 7.4).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU16;

use crate::{InvalidCloseCode, ProtocolError};

/// Why a connection is closed: a code that may stand in a Close frame (RFC 6455 7.4).
///
/// 1005, 1006 and 1015 report what happened locally and never travel, so there is no value for them:
/// [`Ending::code`](crate::Ending::code) tells them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(NonZeroU16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self::known(1000);
    /// 1001: the endpoint goes away, as a server that shuts down or a page that is left.
    pub const GOING_AWAY: Self = Self::known(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self::known(1002);
    /// 1003: the peer sent a type of data that this endpoint does not accept.
    pub const UNSUPPORTED_DATA: Self = Self::known(1003);
    /// 1007: the data did not fit the type of its message, as text that is not UTF-8.
    pub const INVALID_PAYLOAD_DATA: Self = Self::known(1007);
    /// 1008: a message broke a policy of this endpoint.
    pub const POLICY_VIOLATION: Self = Self::known(1008);
    /// 1009: a frame or message is too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self::known(1009);
    /// 1010: the client wanted an extension that the server did not negotiate; the reason lists it.
    pub const MANDATORY_EXTENSION: Self = Self::known(1010);
    /// 1011: the server met an unexpected condition.
    pub const INTERNAL_ERROR: Self = Self::known(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self::known(1012);
    /// 1013: the service is overloaded; try again later.
    pub const TRY_AGAIN_LATER: Self = Self::known(1013);
    /// 1014: a gateway got an invalid answer from upstream.
    pub const BAD_GATEWAY: Self = Self::known(1014);

    /// A code from its number; `None` when it must not stand in a Close frame.
    ///
    /// Allowed are 1000-1003 and 1007-1014 (RFC 6455 7.4.1 and the IANA registry), 3000-3999 (registered) and
    /// 4000-4999 (private use).
    ///
    /// ```
    /// use tidewire::CloseCode;
    /// assert_eq!(CloseCode::new(1000), Some(CloseCode::NORMAL));
    /// assert_eq!(CloseCode::new(1006), None);
    /// ```
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match (code, NonZeroU16::new(code)) {
            (1000..=1003 | 1007..=1014 | 3000..=4999, Some(code)) => Some(Self(code)),
            _ => None,
        }
    }

    /// What RFC 6455 7.4.1 and the IANA registry call it.
    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NORMAL => "normal closure",
            Self::GOING_AWAY => "going away",
            Self::PROTOCOL_ERROR => "protocol error",
            Self::UNSUPPORTED_DATA => "unsupported data",
            Self::INVALID_PAYLOAD_DATA => "invalid payload data",
            Self::POLICY_VIOLATION => "policy violation",
            Self::MESSAGE_TOO_BIG => "message too big",
            Self::MANDATORY_EXTENSION => "mandatory extension",
            Self::INTERNAL_ERROR => "internal error",
            Self::SERVICE_RESTART => "service restart",
            Self::TRY_AGAIN_LATER => "try again later",
            Self::BAD_GATEWAY => "bad gateway",
            _ => return None,
        })
    }

    const fn known(code: u16) -> Self {
        match Self::new(code) {
            Some(code) => code,
            None => panic!("a code that must not stand in a Close frame"),
        }
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0.get()
    }
}

/// As [`CloseCode::new`].
///
/// ```
/// use tidewire::CloseCode;
/// assert_eq!(CloseCode::try_from(4000).map(u16::from), Ok(4000));
/// assert_eq!(CloseCode::try_from(1006).unwrap_err().to_string(), "close code 1006 must not be sent");
/// ```
impl TryFrom<u16> for CloseCode {
    type Error = InvalidCloseCode;

    fn try_from(code: u16) -> Result<Self, InvalidCloseCode> {
        Self::new(code).ok_or(InvalidCloseCode(code))
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

/// The number, and the name if it has one.
///
/// ```
/// use tidewire::CloseCode;
/// assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001 (going away)");
/// assert_eq!(CloseCode::new(4000).unwrap().to_string(), "4000");
/// ```
impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

/// The body of a Close frame: a code and a reason (RFC 6455 5.5.1).
///
/// RFC 6455 5.5.1 asks that the reason, which may help with debugging, is not shown to end users.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CloseFrame {
    code: CloseCode,
    reason: Box<str>,
}

impl CloseFrame {
    /// The longest reason in bytes: a control frame less the code.
    pub const MAX_REASON_LEN: usize = 123;

    /// A Close frame; a reason longer than 123 bytes is cut at a character boundary.
    ///
    /// ```
    /// use tidewire::{CloseCode, CloseFrame};
    /// let frame = CloseFrame::new(CloseCode::NORMAL, &"€".repeat(50));
    /// assert_eq!(frame.reason().len(), 123);
    /// ```
    #[must_use]
    pub fn new(code: CloseCode, reason: &str) -> Self {
        let mut len = reason.len().min(Self::MAX_REASON_LEN);
        while !reason.is_char_boundary(len) {
            len -= 1;
        }
        Self { code, reason: reason[..len].into() }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason; often empty.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Reads the payload of a Close frame; `None` when it is empty.
    pub(crate) fn decode(payload: &[u8]) -> Result<Option<Self>, ProtocolError> {
        // RFC 6455 5.5.1: the body, if there is one, begins with a two-byte code.
        let (code, reason) = match payload {
            [] => return Ok(None),
            [_] => return Err(ProtocolError::InvalidCloseBody),
            [a, b, reason @ ..] => (u16::from_be_bytes([*a, *b]), reason),
        };
        let code = CloseCode::new(code).ok_or(ProtocolError::InvalidCloseCode(code))?;
        let reason = core::str::from_utf8(reason).map_err(|_| ProtocolError::InvalidCloseReason)?;
        Ok(Some(Self { code, reason: reason.into() }))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(2 + self.reason.len());
        payload.extend_from_slice(&u16::from(self.code).to_be_bytes());
        payload.extend_from_slice(self.reason.as_bytes());
        payload
    }
}

impl From<CloseCode> for CloseFrame {
    fn from(code: CloseCode) -> Self {
        Self::new(code, "")
    }
}

/// The code, and the reason if there is one, escaped: it may hold anything that the peer wrote.
///
/// ```
/// use tidewire::{CloseCode, CloseFrame};
/// let frame = CloseFrame::new(CloseCode::GOING_AWAY, "restarting");
/// assert_eq!(frame.to_string(), "1001 (going away): \"restarting\"");
/// ```
impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            "" => write!(f, "{}", self.code),
            reason => write!(f, "{}: {reason:?}", self.code),
        }
    }
}

/// What `close` takes: a code, a code and a reason, a [`CloseFrame`], or nothing.
///
/// A reason longer than 123 bytes is cut at a character boundary. Without a body the peer learns no code, and reports 1005
/// (RFC 6455 7.1.5).
///
/// ```
/// use tidewire::{CloseBody, CloseCode, CloseFrame, Config, Connection};
///
/// # fn example(connection: &mut Connection, frame: CloseFrame) {
/// connection.close(CloseCode::NORMAL);
/// connection.close((CloseCode::POLICY_VIOLATION, "too many messages"));
/// connection.close(frame);
/// connection.close(CloseBody::EMPTY);
/// connection.close(None);
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CloseBody(Option<CloseFrame>);

impl CloseBody {
    /// No code and no reason.
    pub const EMPTY: Self = Self(None);

    pub(crate) fn frame(&self) -> Option<&CloseFrame> {
        self.0.as_ref()
    }
}

impl From<CloseCode> for CloseBody {
    fn from(code: CloseCode) -> Self {
        Self(Some(code.into()))
    }
}

impl From<(CloseCode, &str)> for CloseBody {
    fn from((code, reason): (CloseCode, &str)) -> Self {
        Self(Some(CloseFrame::new(code, reason)))
    }
}

impl From<(CloseCode, String)> for CloseBody {
    fn from((code, reason): (CloseCode, String)) -> Self {
        (code, reason.as_str()).into()
    }
}

impl From<(CloseCode, &String)> for CloseBody {
    fn from((code, reason): (CloseCode, &String)) -> Self {
        (code, reason.as_str()).into()
    }
}

impl From<CloseFrame> for CloseBody {
    fn from(frame: CloseFrame) -> Self {
        Self(Some(frame))
    }
}

impl From<&CloseFrame> for CloseBody {
    fn from(frame: &CloseFrame) -> Self {
        frame.clone().into()
    }
}

impl From<Option<CloseFrame>> for CloseBody {
    fn from(frame: Option<CloseFrame>) -> Self {
        Self(frame)
    }
}
