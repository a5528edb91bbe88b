//! The opening handshake of a request that an HTTP library has read, over HTTP/1.1 or as extended CONNECT (RFC 8441, RFC 9220).

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use ::http::header::{self, HeaderName, HeaderValue};
use ::http::{HeaderMap, Method, StatusCode, Uri, Version};

use super::head::Headers;
use super::{accept_value, answer, rules, trim};
use crate::{Connection, Culprit, HandshakeError, InvalidResponse, Output, Request, ServerHandshake};

/// Over HTTP/1.1 and HTTP/2 the same rules hold, and the same types.
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl ServerHandshake {
    /// Judges a request that an HTTP library has read; any number of them.
    ///
    /// All rules of [`receive`](Self::receive) hold. Over HTTP/2 and HTTP/3 the request is an extended CONNECT (RFC 8441), which has neither a
    /// key nor `Upgrade`. `protocol` is its `:protocol`, which libraries keep beside the request: hyper has it as an extension of the type
    /// `hyper::ext::Protocol`. Over HTTP/1.1 it is not looked at.
    ///
    /// The limits on the length of a head and on its headers are those of the library, and so is the time that a request may take:
    /// [`Config::max_head_len`](crate::Config::max_head_len), `max_headers` and `open_timeout` do not count here.
    ///
    /// # Errors
    /// Whatever is wrong with the request. The error converts into the answer, a `Response<String>`.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tidewire::{Accepted, Config, ServerHandshake};
    ///
    /// fn upgrade(request: &Request<()>) -> Result<(Response<()>, Accepted), Response<String>> {
    ///     let handshake = ServerHandshake::new(Config::new());
    ///     let request = handshake.receive_http(request, None)?;
    ///     Ok(request.accept_http(request.subprotocol())?)
    /// }
    ///
    /// let request = Request::get("/chat")
    ///     .header("Host", "example.com")
    ///     .header("Upgrade", "websocket")
    ///     .header("Connection", "Upgrade")
    ///     .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    ///     .header("Sec-WebSocket-Version", "13");
    /// let (response, accepted) = upgrade(&request.body(())?).expect("valid");
    /// assert_eq!(response.status(), 101);
    ///
    /// let refusal = upgrade(&Request::get("/").header("Host", "example.com").body(())?).expect_err("no WebSocket");
    /// assert_eq!((refusal.status().as_u16(), &refusal.headers()["Upgrade"]), (426, &"websocket".parse()?));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn receive_http<B>(
        &self,
        request: &::http::Request<B>,
        protocol: Option<&str>,
    ) -> Result<Request, HandshakeError> {
        let (method, version) = (request.method(), request.version());
        self.receive_head(method, version, request.uri(), request.headers(), protocol)
    }

    fn receive_head(
        &self,
        method: &Method,
        version: Version,
        uri: &Uri,
        headers: &HeaderMap,
        protocol: Option<&str>,
    ) -> Result<Request, HandshakeError> {
        let lines = lines(headers);
        let head = head(&lines);
        let headers = Headers::new(&head, &lines);
        let target;
        let asked = match version {
            Version::HTTP_11 => {
                target = uri.to_string();
                rules::upgrade(method.as_str(), &target, &headers)?
            }
            Version::HTTP_2 | Version::HTTP_3 => rules::connect(
                method.as_str(),
                protocol,
                uri.scheme_str(),
                uri.authority().map(|authority| authority.as_str()),
                uri.path_and_query().map(|path| path.as_str()).unwrap_or_default(),
                &headers,
            )?,
            // RFC 6455 4.2.1: an HTTP/1.1 or higher request.
            other => {
                let version = alloc::format!("{other:?}");
                return Err(HandshakeError::UnsupportedHttpVersion(Culprit::text(version)));
            }
        };
        Request::new(self.config, asked, &headers, &self.origins, &self.subprotocols)
    }
}

/// The headers as a parser of HTTP/1.1 gives them.
fn lines(headers: &HeaderMap) -> Vec<httparse::Header<'_>> {
    // RFC 9110 5.5: whitespace around a value is no part of it.
    let lines = headers.iter().map(|(name, value)| (name.as_str(), trim(value.as_bytes())));
    lines.map(|(name, value)| httparse::Header { name, value }).collect()
}

/// The lines of a head, the first one empty. A `HeaderValue` holds no line ends.
fn head(lines: &[httparse::Header<'_>]) -> Vec<u8> {
    let mut head = Vec::from(b"\n");
    for line in lines {
        for part in [line.name.as_bytes(), b":", line.value, b"\n"] {
            head.extend_from_slice(part);
        }
    }
    head
}

impl Request {
    /// Accepts a request of [`ServerHandshake::receive_http`], with a subprotocol: the response for the HTTP library to send, and what opens the
    /// connection once it has handed over the stream.
    ///
    /// The status is 101, or 200 over HTTP/2. Add headers of your own to the response, such as `Set-Cookie`, but neither a
    /// `Sec-WebSocket-Extensions` nor a body.
    ///
    /// # Errors
    /// [`UnofferedSubprotocol`](InvalidResponse::UnofferedSubprotocol) if the client did not offer it. [`subprotocol`](Self::subprotocol) is always
    /// one that it did.
    ///
    /// ```
    /// # fn example(request: tidewire::Request) -> Result<http::Response<()>, tidewire::InvalidResponse> {
    /// let (response, accepted) = request.accept_http(request.subprotocol())?;
    /// // Keep `accepted` for the upgraded stream.
    /// # drop(accepted);
    /// # Ok(response)
    /// # }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "http")))]
    pub fn accept_http(
        &self,
        subprotocol: Option<&str>,
    ) -> Result<(::http::Response<()>, Accepted), InvalidResponse> {
        self.check_subprotocol(subprotocol)?;
        let mut response = ::http::Response::new(());
        if let Some(key) = &self.key {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            insert(headers, header::SEC_WEBSOCKET_ACCEPT, &accept_value(key))?;
        }
        if let Some(name) = subprotocol {
            insert(response.headers_mut(), header::SEC_WEBSOCKET_PROTOCOL, name.as_bytes())?;
        }
        if let Some(agreement) = &self.agreement {
            let extension = agreement.to_string();
            insert(response.headers_mut(), header::SEC_WEBSOCKET_EXTENSIONS, extension.as_bytes())?;
        }
        let connection = self.open(Output::new());
        Ok((response, Accepted { connection, subprotocol: subprotocol.map(Box::from) }))
    }
}

/// Inserts a value, which is a token or base64.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) -> Result<(), InvalidResponse> {
    match HeaderValue::from_bytes(value) {
        Ok(value) => {
            headers.insert(name, value);
            Ok(())
        }
        Err(_) => Err(InvalidResponse::InvalidHeaderValue(Culprit::text(name))),
    }
}

/// A request that is accepted, and whose stream the HTTP library has still to hand over.
///
/// The adapters' [`from_accepted`](crate::tokio::WebSocket::from_accepted) opens it.
#[derive(Debug)]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub struct Accepted {
    connection: Connection,
    subprotocol: Option<Box<str>>,
}

impl Accepted {
    /// The subprotocol in use.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The connection alone, for use without an adapter. It owes the client nothing yet.
    #[must_use]
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn into_parts(self) -> (Connection, Option<Box<str>>) {
        (self.connection, self.subprotocol)
    }
}

/// The answer where the application asked for one that must not be sent: 500.
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl From<InvalidResponse> for ::http::Response<String> {
    fn from(_: InvalidResponse) -> Self {
        refusal(StatusCode::INTERNAL_SERVER_ERROR, answer::FAILED)
    }
}

/// The answer to a request that is refused: its status, its headers, and a line of fixed text.
///
/// `String` is a body for hyper and for axum. Nothing of the request is reflected. An error that no request leads to becomes 500.
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl From<HandshakeError> for ::http::Response<String> {
    fn from(error: HandshakeError) -> Self {
        let status = match &error {
            HandshakeError::Refused(_) => None,
            error => error.status().and_then(|status| StatusCode::from_u16(status).ok()),
        };
        let text = if answer::is_without_body(&error) { "" } else { error.rule() };
        let mut response = refusal(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), text);
        for (name, value) in answer::failure_headers(&error) {
            if let Ok(name) = HeaderName::try_from(*name) {
                response.headers_mut().insert(name, HeaderValue::from_static(value));
            }
        }
        response
    }
}

/// A response with a line of text, or without a body.
fn refusal(status: StatusCode, text: &str) -> ::http::Response<String> {
    let mut response = ::http::Response::new(String::new());
    *response.status_mut() = status;
    if !text.is_empty() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        *response.body_mut() = text.to_string() + "\n";
    }
    response
}
