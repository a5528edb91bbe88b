//! [`Request`]: a valid opening handshake that waits for the server's answer.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::head::{Head, RawHead};
use super::uri::{Authority, path, resource_name, split_authority};
use super::{accept_key, answer, check_header, elements, is_token, negotiate};
use crate::connection::{Connection, Role};
use crate::{Config, HandshakeError, InvalidResponse, Origins, Output};

/// RFC 6455 erratum 3150: the bits that pad a key need not be zero.
static KEY: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// A client's request for a connection: valid, from an allowed origin, and not answered yet (RFC 6455 4.2.1).
///
/// Answer it with [`accept`](Self::accept) or [`reject`](Self::reject), each of which returns the connection to go on with.
/// [`ServerHandshake`](crate::ServerHandshake) has an example.
pub struct Request {
    config: Config,
    head: Head,
    host: Box<str>,
    resource_name: Box<str>,
    key: Box<str>,
}

impl Request {
    pub(super) fn new(config: Config, head: RawHead, origins: &Origins) -> Result<Self, HandshakeError> {
        let (head, target) = head.into_request()?;
        let (host, resource_name) = locate(&head, &target)?;
        check_body(&head)?;
        // RFC 6455 4.2.1: `Upgrade` contains "websocket", and `Connection` the token "Upgrade".
        if !head.lists("Upgrade", "websocket", is_product) {
            return Err(HandshakeError::InvalidUpgrade);
        }
        if !head.lists("Connection", "Upgrade", is_token) {
            return Err(HandshakeError::InvalidConnection);
        }
        check_version(&head)?;
        let key = head.single("Sec-WebSocket-Key").ok().flatten().filter(|key| is_key(key));
        let key = key.ok_or(HandshakeError::InvalidKey)?.into();
        let lines = head.lines("Sec-WebSocket-Protocol").ok_or(HandshakeError::InvalidSubprotocols)?;
        negotiate::subprotocols(&lines)?;
        check_extensions(&head)?;
        let origin = head.single("Origin").map_err(|_| HandshakeError::OriginNotAllowed)?;
        if origin.is_some_and(|origin| !origins.allows(origin, &host)) {
            return Err(HandshakeError::OriginNotAllowed);
        }
        Ok(Self { config, head, host, resource_name: resource_name.into(), key })
    }

    /// Opens the connection, with a subprotocol and further headers, such as `Set-Cookie`.
    ///
    /// The answer is in the connection's output, and messages may follow at once.
    ///
    /// # Errors
    /// - [`UnofferedSubprotocol`](InvalidResponse::UnofferedSubprotocol) if the client did not offer it
    /// - [`InvalidHeaderName`](InvalidResponse::InvalidHeaderName), [`InvalidHeaderValue`](InvalidResponse::InvalidHeaderValue)
    ///   or [`ReservedHeader`](InvalidResponse::ReservedHeader) if a header must not be sent
    pub fn accept(
        &self,
        subprotocol: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<Connection, InvalidResponse> {
        check_headers(headers)?;
        let mut output = Output::new();
        output.push(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
        answer::push_headers(&mut output, &[("Sec-WebSocket-Accept", &accept_key(&self.key))]);
        if let Some(subprotocol) = subprotocol {
            // RFC 6455 4.2.2: one of those that the client offers.
            if !self.subprotocols().any(|offered| offered == subprotocol) {
                return Err(InvalidResponse::UnofferedSubprotocol);
            }
            answer::push_headers(&mut output, &[("Sec-WebSocket-Protocol", subprotocol)]);
        }
        answer::push_headers(&mut output, headers);
        output.push(b"\r\n");
        Ok(Connection::open(Role::Server, self.config, output))
    }

    /// Refuses the connection with an HTTP answer of the application's own (RFC 6455 4.2.2), such as 401, 404 or a redirect.
    ///
    /// `Connection: close` and `Content-Length` are added. The connection that is returned is over; it is there to deliver the answer.
    ///
    /// # Errors
    /// - [`InvalidStatus`](InvalidResponse::InvalidStatus) unless it is 300 to 599; 304, which has no body, is not allowed either
    /// - [`InvalidHeaderName`](InvalidResponse::InvalidHeaderName), [`InvalidHeaderValue`](InvalidResponse::InvalidHeaderValue)
    ///   or [`ReservedHeader`](InvalidResponse::ReservedHeader) if a header must not be sent
    pub fn reject(
        &self,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Connection, InvalidResponse> {
        if !(300..=599).contains(&status) || status == 304 {
            return Err(InvalidResponse::InvalidStatus);
        }
        check_headers(headers)?;
        Ok(Connection::refused(self.config, answer::refusal(status, headers, body)))
    }

    /// What the client asks for: the path and, if there is one, the query, percent-encoded as they were sent (RFC 6455 3).
    #[must_use]
    pub fn target(&self) -> &str {
        &self.resource_name
    }

    /// The path in [`target`](Self::target).
    #[must_use]
    pub fn path(&self) -> &str {
        path(&self.resource_name)
    }

    /// The host, and the port if it was sent, that the client believes to speak to.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The origin of the page that a browser connects for; others may send any or none (RFC 6455 10.1).
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.head.single("Origin").ok().flatten()
    }

    /// The subprotocols that the client offers, in its order of preference.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        elements(self.head.lines("Sec-WebSocket-Protocol").unwrap_or_default())
    }

    /// The first of the `supported` subprotocols, in the server's order of preference, that the client offers.
    #[must_use]
    pub fn choose_subprotocol<'s>(&self, supported: &[&'s str]) -> Option<&'s str> {
        negotiate::choose_subprotocol(&self.subprotocols().collect::<Vec<_>>(), supported)
    }

    /// The first header with this name, which is compared without regard to case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.head.values(name).next()
    }

    /// All headers in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.head.iter()
    }
}

/// Without the query and the headers, which often hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("host", &self.host)
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

fn check_headers(headers: &[(&str, &str)]) -> Result<(), InvalidResponse> {
    Ok(headers.iter().try_for_each(|(name, value)| check_header(name, value))?)
}

/// The host and the resource name that the request is for.
fn locate(head: &Head, target: &str) -> Result<(Box<str>, String), HandshakeError> {
    let header = head.single("Host").ok().flatten().ok_or(HandshakeError::InvalidHost)?;
    Authority::parse(header).map_err(|_| HandshakeError::InvalidHost)?;
    if !target.bytes().all(is_target_byte) {
        return Err(HandshakeError::InvalidTarget);
    }
    if target.starts_with('/') {
        return Ok((header.into(), resource_name(target)));
    }
    // RFC 6455 4.2.1: or an absolute HTTP/HTTPS URI; RFC 9112 3.2.2: its host is then the one that counts.
    let (scheme, rest) = target.split_once("://").ok_or(HandshakeError::InvalidTarget)?;
    let (authority, path_and_query) = split_authority(rest);
    let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    if !is_http || Authority::parse(authority).is_err() {
        return Err(HandshakeError::InvalidTarget);
    }
    Ok((authority.into(), resource_name(path_and_query)))
}

/// What stands in a request-target: more than RFC 3986 allows, since browsers leave `[]^|{}`, the backslash, the backtick and a
/// percent sign as they are.
fn is_target_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"#<>".contains(&byte)
}

/// A body would be taken for frames here and for a request by a proxy, so there must be none.
fn check_body(head: &Head) -> Result<(), HandshakeError> {
    let has_body = head.values("Content-Length").any(|len| len != b"0");
    let has_coding = head.values("Transfer-Encoding").next().is_some();
    if has_body || has_coding { Err(HandshakeError::RequestBody) } else { Ok(()) }
}

/// RFC 6455 4.2.1 and 4.4: version 13.
fn check_version(head: &Head) -> Result<(), HandshakeError> {
    match head.single("Sec-WebSocket-Version").map_err(|_| HandshakeError::InvalidVersion)? {
        Some("13") => Ok(()),
        // RFC 6455 4.3: 0 to 255, without leading zeros.
        Some(version)
            if version.starts_with(['+', '0']) && version != "0" || version.parse::<u8>().is_err() =>
        {
            Err(HandshakeError::InvalidVersion)
        }
        _ => Err(HandshakeError::UnsupportedVersion),
    }
}

/// RFC 6455 9.1: a header that breaks the grammar fails the handshake, whatever extensions are supported.
fn check_extensions(head: &Head) -> Result<(), HandshakeError> {
    let lines = head.lines("Sec-WebSocket-Extensions").ok_or(HandshakeError::InvalidExtensions)?;
    let mut is_empty = true;
    for extension in lines.iter().flat_map(|line| negotiate::extensions(line)) {
        extension?;
        is_empty = false;
    }
    if lines.is_empty() == is_empty { Ok(()) } else { Err(HandshakeError::InvalidExtensions) }
}

/// RFC 6455 4.2.1: the base64 form of 16 bytes.
fn is_key(key: &str) -> bool {
    // The decoder wants room for whole groups of three.
    KEY.decode_slice(key, &mut [0; 18]) == Ok(16)
}

/// RFC 9110 7.8: a protocol, perhaps with a version.
fn is_product(text: &str) -> bool {
    text.split_once('/').map_or_else(|| is_token(text), |(name, version)| is_token(name) && is_token(version))
}
