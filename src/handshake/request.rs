//! [`Request`]: a valid opening handshake that waits for the server's answer.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::head::{Head, Headers};
use super::rules::{self, Asked, Key};
use super::target::Target;
use super::uri::{path, resource_name};
use super::{answer, check_header, elements, negotiate};
use crate::config::deflate::Agreement;
use crate::connection::{Connection, Role};
use crate::{Config, Culprit, HandshakeError, InvalidResponse, Origins, Output, UnsendableAnswer};

/// A client's request for a connection: valid, from an allowed origin, and not answered yet (RFC 6455 4.2.1).
///
/// Answer it once, with [`accept`](Self::accept) or [`reject`](Self::reject). Each returns the connection to go on with.
/// [`ServerHandshake`](crate::ServerHandshake) has an example.
///
/// A request that an HTTP framework has read is answered through it: see
/// [`ServerHandshake::receive_http`](crate::ServerHandshake::receive_http).
pub struct Request {
    config: Config,
    head: Head,
    host: Box<str>,
    resource_name: Box<str>,
    /// `None` over HTTP/2, which has none.
    pub(super) key: Option<Key>,
    subprotocol: Option<Box<str>>,
    pub(super) agreement: Option<Agreement>,
}

impl Request {
    /// Judges the rest of a head: what holds whichever way the client asked.
    pub(super) fn new(
        config: Config,
        asked: Asked<'_>,
        headers: &Headers<'_, '_>,
        origins: &Origins,
        supported: &[Box<str>],
    ) -> Result<Self, HandshakeError> {
        let Asked { target: Target { host, path_and_query }, key } = asked;
        let offered = negotiate::offered_subprotocols(headers.values("Sec-WebSocket-Protocol"))?;
        let chosen =
            supported.iter().find_map(|name| offered.iter().copied().find(|&other| other == &**name));
        let agreement = rules::agree(headers, config.deflate.as_ref())?;
        rules::check_origin(headers, origins, host)?;
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
                // Over HTTP/2 the answer is no bytes of this stream.
                let answer = match &self.key {
                    Some(key) => answer::acceptance(key, subprotocol, self.agreement, headers),
                    None => Output::new(),
                };
                Ok(self.open(answer))
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

    /// The connection that this asks for, which owes the client `answer`.
    pub(super) fn open(&self, answer: Output) -> Connection {
        Connection::open(Role::Server, self.config, self.agreement, answer)
    }

    /// RFC 6455 4.2.2: one of those that the client offers.
    pub(super) fn check_subprotocol(&self, subprotocol: Option<&str>) -> Result<(), InvalidResponse> {
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
