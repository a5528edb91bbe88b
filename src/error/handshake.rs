//! [`HandshakeError`] and what cannot be asked or answered in an opening handshake.

use alloc::boxed::Box;
use core::fmt;

use thiserror::Error;

use super::Culprit;
use crate::handshake::Response;

/// The opening handshake failed: there is no connection (RFC 6455 4.1 and 4.2).
///
/// A server's answer with [`status`](Self::status) is already in its output. The error is sticky. Its sentence may show a part of
/// what the peer sent; the answer never does.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// A head that breaks the grammar of HTTP/1.1, or one of its lines does not end in CR LF.
    #[error("the HTTP head is malformed: it begins with {0}")]
    MalformedHead(Culprit),
    /// The first bytes are those of a TLS record: one side speaks TLS and the other does not.
    #[error("the peer perhaps speaks TLS: its first bytes are no HTTP head, but a TLS record")]
    UnexpectedTls,
    /// A request line longer than [`Config::max_head_len`](crate::Config::max_head_len).
    #[error("the request line is longer than the limit of {limit} bytes for the HTTP head")]
    RequestLineTooLong {
        /// In bytes.
        limit: usize,
    },
    /// A head longer than [`Config::max_head_len`](crate::Config::max_head_len).
    #[error("the HTTP head is longer than the limit of {limit} bytes")]
    HeadTooLong {
        /// In bytes.
        limit: usize,
    },
    /// More headers than [`Config::max_headers`](crate::Config::max_headers).
    #[error("the HTTP head has more headers than the limit of {limit}")]
    TooManyHeaders {
        /// The highest number that is allowed.
        limit: usize,
    },
    /// A version other than HTTP/1.1.
    #[error("the HTTP version is {0}, not \"HTTP/1.1\"")]
    UnsupportedHttpVersion(Culprit),
    /// A request with another method than GET.
    #[error("the method is {0}, not \"GET\"")]
    MethodNotGet(Culprit),
    /// A request over HTTP/2 or HTTP/3 with another method than CONNECT (RFC 8441 4).
    #[error("the method is {0}, not \"CONNECT\", which opens WebSocket over HTTP/2")]
    MethodNotConnect(Culprit),
    /// A CONNECT over HTTP/2 or HTTP/3 whose `:protocol` is missing or not `websocket` (RFC 8441 5).
    #[error("`:protocol` must be \"websocket\": it is {0}")]
    UnsupportedProtocol(Culprit),
    /// A request-target that is neither a path nor an absolute `http` or `https` URI. Its query is not shown.
    #[error("the request-target {0} is neither a path nor an http URI")]
    InvalidTarget(Culprit),
    /// `Host` is missing, repeated or malformed. Over HTTP/2 it is `:authority`, from which a `Host` must not differ.
    #[error("`Host` must stand once and name a host: it is {0}")]
    InvalidHost(Culprit),
    /// A request with a body: a `Content-Length` other than 0, or any `Transfer-Encoding`.
    #[error("the request has a body, announced by {0}")]
    RequestBody(Culprit),
    /// A request that does not ask for WebSocket: `Upgrade` is missing, or lists other protocols.
    #[error("the request does not ask for WebSocket: `Upgrade` is {0}")]
    UpgradeRequired(Culprit),
    /// `Upgrade` is malformed, or in a response is not `websocket`.
    #[error("`Upgrade` must be \"websocket\": it is {0}")]
    InvalidUpgrade(Culprit),
    /// `Connection` lacks the token `Upgrade`, or is malformed.
    #[error("`Connection` must list \"Upgrade\": it is {0}")]
    InvalidConnection(Culprit),
    /// `Sec-WebSocket-Version` is missing or not 13.
    #[error("`Sec-WebSocket-Version` must be \"13\": it is {0}")]
    UnsupportedVersion(Culprit),
    /// `Sec-WebSocket-Version` is repeated or no version. Over HTTP/2, which has no status 426, it is missing or not 13.
    #[error("`Sec-WebSocket-Version` must be the number 13, and stand once: it is {0}")]
    InvalidVersion(Culprit),
    /// `Sec-WebSocket-Key` is missing, repeated, or not 16 bytes in base64.
    #[error("`Sec-WebSocket-Key` must be 16 bytes in base64: it is {0}")]
    InvalidKey(Culprit),
    /// `Sec-WebSocket-Protocol` in a request is no list of different tokens.
    #[error("`Sec-WebSocket-Protocol` must list different tokens: it is {0}")]
    InvalidSubprotocols(Culprit),
    /// `Sec-WebSocket-Extensions` breaks its grammar (RFC 6455 9.1).
    #[error("`Sec-WebSocket-Extensions` must list extensions with their parameters: it is {0}")]
    InvalidExtensions(Culprit),
    /// The server's [`Origins`](crate::Origins) do not allow this one.
    ///
    /// Behind a proxy that rewrites `Host` no page is from the same origin: a list of origins is needed there, or
    /// [`Origins::same_forwarded`](crate::Origins::same_forwarded).
    #[error(
        "the server does not allow the origin {0}; behind a proxy that rewrites `Host`, it needs a list of origins"
    )]
    OriginNotAllowed(Culprit),
    /// The request or the response took longer than [`Config::open_timeout`](crate::Config::open_timeout); `handle_timeout`
    /// reported it as [`TimedOut::Open`](crate::TimedOut::Open).
    #[error("the opening handshake took too long")]
    TimedOut,
    /// The server answered with another status than 101.
    #[error("the server answered with status {}{}", .0.status(), Detail(.0))]
    Refused(Box<Response>),
    /// A response that is no 101, and whose `Content-Length` is no number or several ones.
    #[error("`Content-Length` must be one number: it is {0}")]
    InvalidContentLength(Culprit),
    /// `Sec-WebSocket-Accept` is missing, repeated, or does not answer the client's key.
    #[error("`Sec-WebSocket-Accept` must answer the client's key: it is {0}")]
    InvalidAccept(Culprit),
    /// A response with a subprotocol that was not offered, or with more than one.
    #[error("the server chose the subprotocol {0}, which was not offered")]
    UnexpectedSubprotocol(Culprit),
    /// A response with an extension that was not offered.
    #[error("the server chose the extension {0}, which was not offered")]
    UnexpectedExtension(Culprit),
    /// The transport ended before the head was complete; nothing is sent.
    #[error("the transport ended during the opening handshake")]
    UnexpectedEof,
    /// The server ended the transport without a word, as many do that expect TLS.
    #[error("the server ended the transport without an answer: perhaps it expects TLS")]
    NoAnswer,
}

impl HandshakeError {
    /// The status of the server's HTTP answer: the one that a server gives to this error, or that a client got.
    ///
    /// `None` if a request does not lead to this error, or if nobody is left to answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::MalformedHead(_)
            | Self::UnexpectedTls
            | Self::InvalidTarget(_)
            | Self::InvalidHost(_)
            | Self::RequestBody(_)
            | Self::InvalidUpgrade(_)
            | Self::InvalidConnection(_)
            | Self::InvalidVersion(_)
            | Self::InvalidKey(_)
            | Self::InvalidSubprotocols(_)
            | Self::InvalidExtensions(_) => Some(400),
            Self::OriginNotAllowed(_) => Some(403),
            Self::MethodNotGet(_) | Self::MethodNotConnect(_) => Some(405),
            Self::TimedOut => Some(408),
            Self::RequestLineTooLong { .. } => Some(414),
            Self::UpgradeRequired(_) | Self::UnsupportedVersion(_) => Some(426),
            Self::HeadTooLong { .. } | Self::TooManyHeaders { .. } => Some(431),
            // RFC 9220 3: for a protocol that is not supported.
            Self::UnsupportedProtocol(_) => Some(501),
            Self::UnsupportedHttpVersion(_) => Some(505),
            Self::Refused(response) => Some(response.status()),
            Self::InvalidContentLength(_)
            | Self::InvalidAccept(_)
            | Self::UnexpectedSubprotocol(_)
            | Self::UnexpectedExtension(_)
            | Self::UnexpectedEof
            | Self::NoAnswer => None,
        }
    }

    /// What was broken, without anything that the peer sent.
    pub(crate) const fn rule(&self) -> &'static str {
        match self {
            Self::MalformedHead(_) => "malformed HTTP head",
            Self::UnexpectedTls => "TLS record instead of an HTTP head",
            Self::RequestLineTooLong { .. } => "request line longer than the limit",
            Self::HeadTooLong { .. } => "HTTP head longer than the limit",
            Self::TooManyHeaders { .. } => "more HTTP headers than the limit",
            Self::UnsupportedHttpVersion(_) => "HTTP version other than 1.1",
            Self::MethodNotGet(_) => "method other than GET",
            Self::MethodNotConnect(_) => "method other than CONNECT",
            Self::UnsupportedProtocol(_) => ":protocol other than websocket",
            Self::InvalidTarget(_) => "invalid request-target",
            Self::InvalidHost(_) => "missing, repeated or malformed Host",
            Self::RequestBody(_) => "request with a body",
            Self::UpgradeRequired(_) => "this is a WebSocket server: Upgrade must be websocket",
            Self::InvalidUpgrade(_) => "malformed Upgrade",
            Self::InvalidConnection(_) => "Connection lacks Upgrade",
            Self::UnsupportedVersion(_) => "WebSocket version other than 13",
            Self::InvalidVersion(_) => "repeated or malformed Sec-WebSocket-Version",
            Self::InvalidKey(_) => "missing, repeated or malformed Sec-WebSocket-Key",
            Self::InvalidSubprotocols(_) => "malformed Sec-WebSocket-Protocol",
            Self::InvalidExtensions(_) => "malformed Sec-WebSocket-Extensions",
            Self::OriginNotAllowed(_) => "origin not allowed",
            Self::TimedOut => "the opening handshake took too long",
            Self::Refused(_) => "answer other than 101",
            Self::InvalidContentLength(_) => "malformed Content-Length",
            Self::InvalidAccept(_) => "missing or wrong Sec-WebSocket-Accept",
            Self::UnexpectedSubprotocol(_) => "subprotocol that was not offered",
            Self::UnexpectedExtension(_) => "extension that was not offered",
            Self::UnexpectedEof | Self::NoAnswer => "end of the transport in the opening handshake",
        }
    }
}

/// What a refusal says besides its status: where to go instead, or the first line of its body.
struct Detail<'r>(&'r Response);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the query, which often holds a secret.
        if let Some(location) = self.0.header("Location").and_then(|location| location.split('?').next()) {
            return write!(f, ", and names {}", Culprit::text(location));
        }
        match self.0.body().split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty())
        {
            Some(line) => write!(f, ": {}", Culprit::text(line)),
            None => Ok(()),
        }
    }
}

/// A client asked for what must not be sent; nothing was.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// The URI does not begin with `ws://` or `wss://`.
    #[error("the URI begins with {0}, not with \"ws://\" or \"wss://\"")]
    InvalidScheme(Culprit),
    /// The URI's host is missing or malformed, as an IPv6 address without brackets.
    #[error("the host in the URI is missing or malformed: it is {0}")]
    InvalidHost(Culprit),
    /// The URI's port is not a number from 1 to 65535.
    #[error("the port in the URI must be from 1 to 65535: it is {0}")]
    InvalidPort(Culprit),
    /// The URI holds a user name; send an `Authorization` header instead.
    #[error("the URI holds a user name, which belongs into an `Authorization` header")]
    UnexpectedUserInfo,
    /// The URI has a fragment (RFC 6455 3).
    #[error("the URI has a fragment: a \"#\" in it is written as \"%23\"")]
    UnexpectedFragment,
    /// The URI's path or query holds a character that must be percent-encoded.
    #[error("the URI's path or query holds {0:?}, which must be percent-encoded")]
    InvalidResourceName(char),
    /// The name of a header is not a token.
    #[error("the header name {0} is not a token")]
    InvalidHeaderName(Culprit),
    /// The value of this header holds a control character.
    #[error("the value of the header {0} holds a control character")]
    InvalidHeaderValue(Culprit),
    /// A header that only the handshake itself may write.
    #[error("the handshake itself writes the header {0}")]
    ReservedHeader(Culprit),
    /// A user name, password or token that cannot stand in a header; it is not shown.
    #[error("the user name, password or token holds a character that must not stand there")]
    InvalidCredentials,
    /// The name or value of this cookie holds a character that must not stand there (RFC 6265 4.1.1).
    #[error(
        "the cookie {0} has a name that is no token, or a value with a character that must not stand there"
    )]
    InvalidCookie(Culprit),
    /// A proxy that is no `http`, `https`, `socks5` or `socks5h` URI with nothing behind its port.
    #[error("the proxy begins with {0}: it must be an http, https, socks5 or socks5h URI without a path")]
    InvalidProxy(Culprit),
    /// A second `Authorization`.
    #[error("`Authorization` is set already, and must not be repeated")]
    RepeatedAuthorization,
    /// A second `Origin`.
    #[error("`Origin` is set already, and must not be repeated")]
    RepeatedOrigin,
    /// The name of a subprotocol is not a token (RFC 6455 4.1).
    #[error("the subprotocol {0} is not a token")]
    InvalidSubprotocol(Culprit),
    /// A subprotocol that is offered twice (RFC 6455 4.1).
    #[error("the subprotocol {0} is offered already")]
    RepeatedSubprotocol(Culprit),
}

/// A server's application asked for an answer that must not be sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum InvalidResponse {
    /// The subprotocol is none of those that the client offers (RFC 6455 4.2.2).
    #[error("the client does not offer the subprotocol {0}")]
    UnofferedSubprotocol(Culprit),
    /// The name of a subprotocol is not a token (RFC 6455 4.3).
    #[error("the subprotocol {0} is not a token")]
    InvalidSubprotocol(Culprit),
    /// The status of a refusal is not from 300 to 599, or is 304.
    #[error("the status {0} does not refuse a connection")]
    InvalidStatus(u16),
    /// The name of a header is not a token.
    #[error("the header name {0} is not a token")]
    InvalidHeaderName(Culprit),
    /// The value of this header holds a control character.
    #[error("the value of the header {0} holds a control character")]
    InvalidHeaderValue(Culprit),
    /// A header that only the handshake itself may write.
    #[error("the handshake itself writes the header {0}")]
    ReservedHeader(Culprit),
}

/// An entry in a list of [`Origins`](crate::Origins) that can match nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
#[error("{entry} matches no origin: {hint}")]
pub struct InvalidOrigin {
    entry: Culprit,
    hint: &'static str,
}

impl InvalidOrigin {
    pub(crate) fn new(entry: &str, hint: &'static str) -> Self {
        Self { entry: Culprit::text(entry), hint }
    }
}
