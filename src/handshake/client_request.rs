//! [`ClientRequest`]: what a client asks for.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::negotiate::deflate::deflate_offer;
use super::uri::Uri;
use super::{check_header, is_token};
use crate::config::deflate::Deflate;
use crate::{Culprit, InvalidRequest, Output};

/// What a client asks for: a URI, subprotocols, and headers of its own.
///
/// ```
/// use tidewire::ClientRequest;
///
/// let request = ClientRequest::new("wss://example.com/chat")?
///     .with_subprotocol("wamp.2.json")?
///     .with_header("Authorization", "Bearer ...")?;
/// assert_eq!(request.uri().host(), "example.com");
/// # Ok::<(), tidewire::InvalidRequest>(())
/// ```
#[derive(Clone)]
pub struct ClientRequest {
    uri: Uri,
    subprotocols: Vec<String>,
    /// As they are sent.
    headers: String,
    has_origin: bool,
}

impl ClientRequest {
    /// Asks for the resource of a `ws` or `wss` URI.
    ///
    /// # Errors
    /// Those of [`Uri`], whichever part is wrong.
    pub fn new(uri: &str) -> Result<Self, InvalidRequest> {
        Ok(Self { uri: uri.parse()?, subprotocols: Vec::new(), headers: String::new(), has_origin: false })
    }

    /// Adds a header, such as `Authorization`, `Cookie` or `Origin`.
    ///
    /// # Errors
    /// - [`InvalidHeaderName`](InvalidRequest::InvalidHeaderName) if the name is not a token
    /// - [`InvalidHeaderValue`](InvalidRequest::InvalidHeaderValue) if the value holds a control character, such as a line end
    /// - [`ReservedHeader`](InvalidRequest::ReservedHeader) if the handshake itself writes this header
    /// - [`RepeatedOrigin`](InvalidRequest::RepeatedOrigin) for a second `Origin`
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, InvalidRequest> {
        check_header(name, value)?;
        let is_origin = name.eq_ignore_ascii_case("Origin");
        if is_origin && self.has_origin {
            return Err(InvalidRequest::RepeatedOrigin);
        }
        self.has_origin |= is_origin;
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        Ok(self)
    }

    /// Offers a subprotocol; the one that is preferred comes first (RFC 6455 1.9).
    ///
    /// # Errors
    /// - [`InvalidSubprotocol`](InvalidRequest::InvalidSubprotocol) if the name is not a token
    /// - [`RepeatedSubprotocol`](InvalidRequest::RepeatedSubprotocol) if it is offered already
    pub fn with_subprotocol(mut self, name: &str) -> Result<Self, InvalidRequest> {
        // RFC 6455 4.1: non-empty tokens, and all unique.
        if !is_token(name.as_bytes()) {
            return Err(InvalidRequest::InvalidSubprotocol(Culprit::text(name)));
        }
        if self.subprotocols.iter().any(|offered| offered == name) {
            return Err(InvalidRequest::RepeatedSubprotocol(Culprit::text(name)));
        }
        self.subprotocols.push(name.into());
        Ok(self)
    }

    /// The URI, which tells where to connect to.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(super) fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The head to send (RFC 6455 4.1).
    pub(super) fn encode(&self, key: &[u8], deflate: Option<&Deflate>) -> Output {
        let subprotocols = match &self.subprotocols[..] {
            [] => String::new(),
            offered => format!("Sec-WebSocket-Protocol: {}\r\n", offered.join(", ")),
        };
        let extensions = match deflate {
            Some(deflate) => format!("Sec-WebSocket-Extensions: {}\r\n", deflate_offer(deflate)),
            None => String::new(),
        };
        let head = [
            b"GET ",
            self.uri.resource_name().as_bytes(),
            b" HTTP/1.1\r\nHost: ",
            self.uri.authority().as_bytes(),
            b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ",
            key,
            b"\r\nSec-WebSocket-Version: 13\r\n",
            subprotocols.as_bytes(),
            extensions.as_bytes(),
            self.headers.as_bytes(),
            b"\r\n",
        ]
        .concat();
        Output::of(head)
    }
}

/// Without the headers and the query, which often hold secrets.
impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("uri", &self.uri)
            .field("subprotocols", &self.subprotocols)
            .finish_non_exhaustive()
    }
}
