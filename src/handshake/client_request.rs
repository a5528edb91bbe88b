//! [`ClientRequest`]: what a client asks for.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

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
    /// RFC 6265 5.4: all of them stand in one header.
    cookies: String,
    has_origin: bool,
    has_authorization: bool,
}

impl ClientRequest {
    /// Asks for the resource of a `ws` or `wss` URI.
    ///
    /// # Errors
    /// Those of [`Uri`], whichever part is wrong.
    pub fn new(uri: &str) -> Result<Self, InvalidRequest> {
        Ok(Self::from(uri.parse::<Uri>()?))
    }

    /// As [`new`](Self::new), for a URI that may hold a user name and a password, as in `wss://name:password@example.com/`: they become basic
    /// authorization.
    ///
    /// # Errors
    /// Those of [`Uri`], and [`InvalidCredentials`](InvalidRequest::InvalidCredentials).
    ///
    /// ```
    /// use tidewire::ClientRequest;
    ///
    /// let request = ClientRequest::new_with_userinfo("wss://ada:pass%20word@example.com/")?;
    /// assert_eq!(request.uri().to_string(), "wss://example.com/");
    /// # Ok::<(), tidewire::InvalidRequest>(())
    /// ```
    pub fn new_with_userinfo(uri: &str) -> Result<Self, InvalidRequest> {
        let Some((userinfo, uri)) = split_userinfo(uri) else { return Self::new(uri) };
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let decode = |text| percent_decode(text).ok_or(InvalidRequest::InvalidCredentials);
        Self::new(&uri)?.with_basic_auth(&decode(user)?, &decode(password)?)
    }

    /// Adds a header, such as `Authorization`, `Cookie` or `Origin`.
    ///
    /// # Errors
    /// - [`InvalidHeaderName`](InvalidRequest::InvalidHeaderName) if the name is not a token
    /// - [`InvalidHeaderValue`](InvalidRequest::InvalidHeaderValue) if the value holds a control character, such as a line end
    /// - [`ReservedHeader`](InvalidRequest::ReservedHeader) if the handshake itself writes this header
    /// - [`RepeatedOrigin`](InvalidRequest::RepeatedOrigin) for a second `Origin`
    /// - [`RepeatedAuthorization`](InvalidRequest::RepeatedAuthorization) for a second `Authorization`
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, InvalidRequest> {
        check_header(name, value)?;
        let is_origin = name.eq_ignore_ascii_case("Origin");
        if is_origin && self.has_origin {
            return Err(InvalidRequest::RepeatedOrigin);
        }
        let is_authorization = name.eq_ignore_ascii_case("Authorization");
        if is_authorization && self.has_authorization {
            return Err(InvalidRequest::RepeatedAuthorization);
        }
        self.has_origin |= is_origin;
        self.has_authorization |= is_authorization;
        if name.eq_ignore_ascii_case("Cookie") {
            self.push_cookie(value);
        } else {
            self.headers.push_str(&format!("{name}: {value}\r\n"));
        }
        Ok(self)
    }

    /// `Authorization` with a user name and a password (RFC 7617).
    ///
    /// # Errors
    /// [`InvalidCredentials`](InvalidRequest::InvalidCredentials) for a colon in the name or a control character in either, and
    /// [`RepeatedAuthorization`](InvalidRequest::RepeatedAuthorization).
    pub fn with_basic_auth(self, user: &str, password: &str) -> Result<Self, InvalidRequest> {
        let value = basic_auth(user, password).ok_or(InvalidRequest::InvalidCredentials)?;
        self.with_header("Authorization", &value)
    }

    /// `Authorization` with a token (RFC 6750).
    ///
    /// # Errors
    /// [`InvalidCredentials`](InvalidRequest::InvalidCredentials) for a token that is empty or holds whitespace or a control character, and
    /// [`RepeatedAuthorization`](InvalidRequest::RepeatedAuthorization).
    pub fn with_bearer_token(self, token: &str) -> Result<Self, InvalidRequest> {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidRequest::InvalidCredentials);
        }
        self.with_header("Authorization", &format!("Bearer {token}"))
    }

    /// Adds a cookie (RFC 6265 4.2).
    ///
    /// # Errors
    /// [`InvalidCookie`](InvalidRequest::InvalidCookie) if the name is not a token, or the value holds whitespace, a quote, a comma, a
    /// semicolon, a backslash or what is not ASCII.
    pub fn with_cookie(mut self, name: &str, value: &str) -> Result<Self, InvalidRequest> {
        // RFC 6265 4.1.1: cookie-octet.
        let is_octet = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
        if !is_token(name.as_bytes()) || !value.bytes().all(is_octet) {
            return Err(InvalidRequest::InvalidCookie(Culprit::text(name)));
        }
        self.push_cookie(&format!("{name}={value}"));
        Ok(self)
    }

    /// `User-Agent`: none is sent without this.
    ///
    /// # Errors
    /// As [`with_header`](Self::with_header).
    pub fn with_user_agent(self, value: &str) -> Result<Self, InvalidRequest> {
        self.with_header("User-Agent", value)
    }

    /// `Origin`, for servers that want one: browsers send it, and other clients need not (RFC 6455 10.2).
    ///
    /// # Errors
    /// As [`with_header`](Self::with_header).
    pub fn with_origin(self, origin: &str) -> Result<Self, InvalidRequest> {
        self.with_header("Origin", origin)
    }

    fn push_cookie(&mut self, cookie: &str) {
        if !self.cookies.is_empty() {
            self.cookies.push_str("; ");
        }
        self.cookies.push_str(cookie);
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

    /// The same request for another URI. To another origin goes nothing that may be a credential: only what names the client.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn redirected(&self, uri: Uri, is_same_origin: bool) -> Self {
        let mut request = Self { uri, ..self.clone() };
        if !is_same_origin {
            const HARMLESS: [&str; 3] = ["Origin", "User-Agent", "Accept-Language"];

            let is_harmless = |line: &&str| {
                let name = line.split(':').next().unwrap_or_default();
                HARMLESS.iter().any(|harmless| name.eq_ignore_ascii_case(harmless))
            };
            request.headers = self.headers.split_inclusive("\r\n").filter(is_harmless).collect();
            request.cookies.clear();
            request.has_authorization = false;
        }
        request
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
        let cookies = match &self.cookies[..] {
            "" => String::new(),
            cookies => format!("Cookie: {cookies}\r\n"),
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
            cookies.as_bytes(),
            b"\r\n",
        ]
        .concat();
        Output::of(head)
    }
}

impl From<Uri> for ClientRequest {
    fn from(uri: Uri) -> Self {
        Self {
            uri,
            subprotocols: Vec::new(),
            headers: String::new(),
            cookies: String::new(),
            has_origin: false,
            has_authorization: false,
        }
    }
}

/// The value of a header with a user name and a password (RFC 7617 2).
pub(crate) fn basic_auth(user: &str, password: &str) -> Option<String> {
    let is_valid = |text: &str| !text.chars().any(char::is_control);
    if user.contains(':') || !is_valid(user) || !is_valid(password) {
        return None;
    }
    let credentials = format!("{user}:{password}");
    let mut text = alloc::vec![0; credentials.len().div_ceil(3) * 4];
    STANDARD.encode_slice(credentials, &mut text).ok()?;
    Some(format!("Basic {}", String::from_utf8(text).ok()?))
}

/// The user name and password of a URI, and the URI without them.
fn split_userinfo(uri: &str) -> Option<(&str, String)> {
    let (scheme, rest) = uri.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (userinfo, host) = rest[..end].rsplit_once('@')?;
    Some((userinfo, format!("{scheme}://{host}{}", &rest[end..])))
}

/// RFC 3986 2.1: what a user name or a password stands for.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'%' => {
                let (digits, after) = rest.split_first_chunk::<2>()?;
                rest = after;
                let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
                (high? << 4 | low?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
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
