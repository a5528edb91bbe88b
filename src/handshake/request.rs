//! [`Request`]: a valid opening handshake that waits for the server's answer.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::alphabet::{BASE64, TOKEN};
use super::head::{Head, Headers, RawHead, Slots};
use super::target::{self, Target};
use super::uri::{path, resource_name};
use super::{answer, check_header, elements, is_token, negotiate};
use crate::config::deflate::{Agreement, Deflate};
use crate::connection::{Connection, Role};
use crate::{Config, Culprit, HandshakeError, InvalidResponse, Origins, UnsendableAnswer};

/// A client's request for a connection: valid, from an allowed origin, and not answered yet (RFC 6455 4.2.1).
///
/// Answer it once, with [`accept`](Self::accept) or [`reject`](Self::reject). Each returns the connection to go on with.
/// [`ServerHandshake`](crate::ServerHandshake) has an example.
pub struct Request {
    config: Config,
    head: Head,
    host: Box<str>,
    resource_name: Box<str>,
    key: [u8; KEY_LEN],
    subprotocol: Option<Box<str>>,
    agreement: Option<Agreement>,
}

impl Request {
    pub(super) fn new(
        config: Config,
        head: RawHead<'_>,
        origins: &Origins,
        supported: &[Box<str>],
    ) -> Result<Self, HandshakeError> {
        let mut slots = Slots::new();
        let (method, target, headers) = head.into_request(&mut slots)?;
        // RFC 9112 3.2: a request without a valid `Host` is answered with 400, whatever its method.
        let host = target::host(&headers)?;
        if method != "GET" {
            return Err(HandshakeError::MethodNotGet(Culprit::text(method)));
        }
        let Target { host, path_and_query } = Target::new(target, host)?;
        check_body(&headers)?;
        check_upgrade(&headers)?;
        check_version(&headers)?;
        let key = headers.single("Sec-WebSocket-Key").ok().flatten().and_then(key);
        let key = key
            .ok_or_else(|| HandshakeError::InvalidKey(Culprit::line(headers.values("Sec-WebSocket-Key"))))?;
        let offered = negotiate::offered_subprotocols(headers.values("Sec-WebSocket-Protocol"))?;
        let chosen =
            supported.iter().find_map(|name| offered.iter().copied().find(|&other| other == &**name));
        let agreement = agree(&headers, config.deflate.as_ref())?;
        check_origin(&headers, origins, host)?;
        Ok(Self {
            config,
            head: headers.head(),
            host: host.into(),
            resource_name: resource_name(path_and_query),
            key,
            subprotocol: chosen.map(Box::from),
            agreement,
        })
    }

    /// Opens the connection, with a subprotocol and further headers, such as `Set-Cookie`.
    ///
    /// The answer is in the connection's output, and messages may follow at once.
    ///
    /// # Errors
    /// An [`UnsendableAnswer`], whose [`into_refusal`](UnsendableAnswer::into_refusal) tells the client:
    /// - [`UnofferedSubprotocol`](InvalidResponse::UnofferedSubprotocol) if the client did not offer it
    /// - [`InvalidHeaderName`](InvalidResponse::InvalidHeaderName), [`InvalidHeaderValue`](InvalidResponse::InvalidHeaderValue)
    ///   or [`ReservedHeader`](InvalidResponse::ReservedHeader) if a header must not be sent
    pub fn accept(
        self,
        subprotocol: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<Connection, UnsendableAnswer> {
        match check_headers(headers).and_then(|()| self.check_subprotocol(subprotocol)) {
            Ok(()) => {
                let answer = answer::acceptance(&self.key, subprotocol, self.agreement, headers);
                Ok(Connection::open(Role::Server, self.config, self.agreement, answer))
            }
            Err(reason) => Err(UnsendableAnswer::new(self.config, reason)),
        }
    }

    /// Refuses the connection with an HTTP answer of the application's own (RFC 6455 4.2.2), such as 401, 404 or a redirect.
    ///
    /// `Connection: close` and `Content-Length` are added. The connection that is returned is over; it is there to deliver the answer.
    ///
    /// # Errors
    /// An [`UnsendableAnswer`], whose [`into_refusal`](UnsendableAnswer::into_refusal) tells the client:
    /// - [`InvalidStatus`](InvalidResponse::InvalidStatus) unless it is 300 to 599; 304, which has no body, is not allowed either
    /// - [`InvalidHeaderName`](InvalidResponse::InvalidHeaderName), [`InvalidHeaderValue`](InvalidResponse::InvalidHeaderValue)
    ///   or [`ReservedHeader`](InvalidResponse::ReservedHeader) if a header must not be sent
    pub fn reject(
        self,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Connection, UnsendableAnswer> {
        match check_status(status).and_then(|()| check_headers(headers)) {
            Ok(()) => Ok(Connection::refused(self.config, answer::refusal(status, headers, body))),
            Err(reason) => Err(UnsendableAnswer::new(self.config, reason)),
        }
    }

    /// What the client asks for: the path and, if there is one, the query, percent-encoded as they were sent (RFC 6455 3).
    #[must_use]
    pub fn target(&self) -> &str {
        &self.resource_name
    }

    /// The path in [`target`](Self::target).
    #[must_use]
    pub fn path(&self) -> &str {
        path(self.target())
    }

    /// The query in [`target`](Self::target), without its question mark; `None` if it is missing or empty.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target().split_once('?').map(|(_, query)| query)
    }

    /// The host, and the port if it was sent, that the client believes to speak to.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The origin of the page that a browser connects for; others may send any or none (RFC 6455 10.1).
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.header("Origin")
    }

    /// The subprotocols that the client offers, in its order of preference.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        let names = self.head.values("Sec-WebSocket-Protocol").flat_map(elements);
        names.filter_map(|name| core::str::from_utf8(name).ok())
    }

    /// The first of the server's own subprotocols that the client offers; see
    /// [`ServerHandshake::with_subprotocols`](crate::ServerHandshake::with_subprotocols).
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The first of the `supported` subprotocols, in the server's order of preference, that the client offers.
    #[must_use]
    pub fn choose_subprotocol<'s>(&self, supported: &[&'s str]) -> Option<&'s str> {
        negotiate::choose_subprotocol(&self.subprotocols().collect::<Vec<_>>(), supported)
    }

    /// What is agreed on for compression (RFC 7692) if this is accepted; `None` if nothing is.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn agreement(&self) -> Option<Agreement> {
        self.agreement
    }

    /// The first header with this name, which is compared without regard to case.
    ///
    /// `None` also if it is not UTF-8: [`headers`](Self::headers) tells the bytes.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.value_text(name)
    }

    /// All headers in order, their values as bytes.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.head.iter()
    }

    /// RFC 6455 4.2.2: one of those that the client offers.
    fn check_subprotocol(&self, subprotocol: Option<&str>) -> Result<(), InvalidResponse> {
        match subprotocol {
            Some(name) if !self.subprotocols().any(|offered| offered == name) => {
                Err(InvalidResponse::UnofferedSubprotocol(Culprit::text(name)))
            }
            _ => Ok(()),
        }
    }
}

/// Without the query and the headers, which often hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("host", &self.host())
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

/// RFC 9110 15: a final status that is not a success, and has a body.
fn check_status(status: u16) -> Result<(), InvalidResponse> {
    let is_valid = (300..=599).contains(&status) && status != 304;
    if is_valid { Ok(()) } else { Err(InvalidResponse::InvalidStatus(status)) }
}

fn check_headers(headers: &[(&str, &str)]) -> Result<(), InvalidResponse> {
    Ok(headers.iter().try_for_each(|(name, value)| check_header(name, value))?)
}

/// A body would be taken for frames here and for a request by a proxy, so there must be none.
fn check_body(headers: &Headers<'_, '_>) -> Result<(), HandshakeError> {
    let len = headers.values("Content-Length").find(|len| *len != b"0");
    let coding = headers.values("Transfer-Encoding").next();
    let lines = [("Content-Length", len), ("Transfer-Encoding", coding)];
    match lines.into_iter().find_map(|(name, value)| Some((name, value?))) {
        None => Ok(()),
        Some((name, value)) => {
            Err(HandshakeError::RequestBody(Culprit::text([name.as_bytes(), b": ", value].concat())))
        }
    }
}

/// RFC 6455 4.2.1: `Upgrade` contains "websocket", and `Connection` the token "Upgrade".
fn check_upgrade(headers: &Headers<'_, '_>) -> Result<(), HandshakeError> {
    match headers.lists("Upgrade", "websocket", is_product) {
        Ok(true) => {}
        // RFC 9110 15.5.22: the client, perhaps a browser that shows a page, learns what it needs.
        Ok(false) => return Err(HandshakeError::UpgradeRequired(headers.culprit("Upgrade"))),
        Err(_) => return Err(HandshakeError::InvalidUpgrade(headers.culprit("Upgrade"))),
    }
    // Who asks for WebSocket and forgets this knows what is needed: the request is wrong, and 400 says so.
    match headers.lists("Connection", "Upgrade", is_token) {
        Ok(true) => Ok(()),
        _ => Err(HandshakeError::InvalidConnection(headers.culprit("Connection"))),
    }
}

/// RFC 6455 4.2.1 and 4.4: version 13.
fn check_version(headers: &Headers<'_, '_>) -> Result<(), HandshakeError> {
    let culprit = || Culprit::line(headers.values("Sec-WebSocket-Version"));
    match headers.single("Sec-WebSocket-Version") {
        Ok(Some(b"13")) => Ok(()),
        Ok(Some(version)) if is_version(version) => Err(HandshakeError::UnsupportedVersion(culprit())),
        Ok(None) => Err(HandshakeError::UnsupportedVersion(culprit())),
        _ => Err(HandshakeError::InvalidVersion(culprit())),
    }
}

/// RFC 6455 4.3: 0 to 255, without leading zeros.
fn is_version(version: &[u8]) -> bool {
    let number = core::str::from_utf8(version).ok().and_then(|version| version.parse::<u8>().ok());
    number.is_some() && (version == b"0" || !version.starts_with(b"0") && !version.starts_with(b"+"))
}

/// RFC 6455 9.1: a header that breaks the grammar fails the handshake, whatever extensions are supported. RFC 7692 5: the first offer that is
/// acceptable counts.
fn agree(headers: &Headers<'_, '_>, deflate: Option<&Deflate>) -> Result<Option<Agreement>, HandshakeError> {
    let culprit = || HandshakeError::InvalidExtensions(headers.culprit("Sec-WebSocket-Extensions"));
    let (mut has_lines, mut is_empty, mut agreement) = (false, true, None);
    for line in headers.values("Sec-WebSocket-Extensions") {
        has_lines = true;
        let line = core::str::from_utf8(line).map_err(|_| culprit())?;
        for extension in negotiate::extensions(line) {
            let extension = extension?;
            is_empty = false;
            agreement = agreement.or_else(|| negotiate::deflate::accept(deflate?, &extension));
        }
    }
    if has_lines == is_empty { Err(culprit()) } else { Ok(agreement) }
}

/// RFC 6455 4.2.2 and 10.2: a browser's origin, which stands once and is text whatever is allowed.
fn check_origin(headers: &Headers<'_, '_>, origins: &Origins, host: &str) -> Result<(), HandshakeError> {
    let is_allowed = match headers.single("Origin") {
        Ok(None) => true,
        Ok(Some(origin)) => core::str::from_utf8(origin).is_ok_and(|origin| origins.allows(origin, host)),
        Err(_) => false,
    };
    if is_allowed {
        Ok(())
    } else {
        Err(HandshakeError::OriginNotAllowed(headers.culprit("Origin").at(host)))
    }
}

/// The length of a `Sec-WebSocket-Key`.
const KEY_LEN: usize = 24;

/// RFC 6455 4.2.1: the base64 form of 16 bytes, whose last digit may hold any pad bits (erratum 3150).
fn key(value: &[u8]) -> Option<[u8; KEY_LEN]> {
    let key: [u8; KEY_LEN] = value.try_into().ok()?;
    matches!(&key, [digits @ .., b'=', b'='] if BASE64.has_all(digits)).then_some(key)
}

/// RFC 9110 7.8: a protocol, perhaps with a version.
fn is_product(text: &[u8]) -> bool {
    match text.split_at(TOKEN.prefix_len(text)) {
        ([], _) => false,
        (_, [b'/', version @ ..]) => is_token(version),
        (_, rest) => rest.is_empty(),
    }
}
