//! What client and server agree on, on plain strings: origins, subprotocols and extensions.
//!
//! Nothing here depends on HTTP/1.1, so that servers of HTTP/2 and HTTP/3 (RFC 8441, RFC 9220) and web frameworks, which read
//! the request themselves, follow the same rules.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::alphabet::TOKEN;
use super::uri::Authority;
use super::{elements, is_token};
use crate::HandshakeError;

/// From which origins a browser may connect (RFC 6455 4.2.2 and 10.2).
///
/// A browser lets every page connect to every server, with the user's cookies, and tells the server the page's origin: a server
/// that does not look at it lets foreign pages act for its users. What is not a browser sends no `Origin`, or any it likes.
///
/// ```
/// use tidewire::Origins;
///
/// let origins = Origins::list(&["https://example.com"]);
/// assert!(origins.allows("https://example.com", "backend.internal:8080"));
/// assert!(!origins.allows("https://example.com.evil.net", "example.com.evil.net"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// The host and the port of the origin are those of the request; the default.
    ///
    /// The scheme is not compared, since behind a proxy that ends TLS it is not known. Behind a proxy that rewrites `Host` nothing is
    /// the same origin: use a [`list`](Self::list) there.
    #[default]
    SameOrigin,
    /// One of these, as `https://example.com`; `null`, which stands for any sandboxed page, never is.
    List(Vec<String>),
    /// Any origin: for services that look at no cookie and no other authority that a browser adds by itself.
    Any,
}

impl Origins {
    /// The origins in a list, each as a scheme, a host and, unless it is the scheme's default, a port.
    #[must_use]
    pub fn list(origins: &[&str]) -> Self {
        Self::List(origins.iter().map(|&origin| origin.into()).collect())
    }

    /// True if a request with this `Origin` may pass; `host` is its `Host` header or `:authority`.
    #[must_use]
    pub fn allows(&self, origin: &str, host: &str) -> bool {
        match self {
            Self::SameOrigin => Origin::parse(origin).is_some_and(|origin| origin.is_at(host)),
            Self::List(list) => Origin::parse(origin).is_some_and(|origin| {
                list.iter().filter_map(|listed| Origin::parse(listed)).any(|listed| listed.is_same(&origin))
            }),
            Self::Any => true,
        }
    }
}

/// A serialized origin (RFC 6454 6.2).
struct Origin<'o> {
    scheme: &'o str,
    host: &'o str,
    /// The scheme's default if there is none; `None` if the default is not known either.
    port: Option<u16>,
}

impl<'o> Origin<'o> {
    fn parse(origin: &'o str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        let Authority { host, port } = Authority::parse(authority).ok()?;
        Some(Self { scheme, host, port: port.or_else(|| default_port(scheme)) })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
    }

    /// True if `host`, whose port defaults to that of the origin's scheme, is where the origin is.
    fn is_at(&self, host: &str) -> bool {
        let Some(default_port) = default_port(self.scheme) else { return false };
        Authority::parse(host).is_ok_and(|authority| {
            authority.host.eq_ignore_ascii_case(self.host)
                && self.port == Some(authority.port.unwrap_or(default_port))
        })
    }
}

/// RFC 6455 10.2 has browsers send `http` and `https`. Clients on phones derive the origin from the URI, as `wss://example.com`.
fn default_port(scheme: &str) -> Option<u16> {
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    match scheme {
        _ if is("http") || is("ws") => Some(80),
        _ if is("https") || is("wss") => Some(443),
        _ => None,
    }
}

/// The subprotocols in the lines of `Sec-WebSocket-Protocol`, in the client's order of preference (RFC 6455 11.3.4).
///
/// # Errors
/// [`InvalidSubprotocols`](HandshakeError::InvalidSubprotocols) if one is not a token or is repeated, or if there is none in spite of
/// the header.
pub fn subprotocols<'v>(lines: &[&'v str]) -> Result<Vec<&'v str>, HandshakeError> {
    offered_subprotocols(lines.iter().map(|line| line.as_bytes()))
}

pub(super) fn offered_subprotocols<'v>(
    lines: impl Iterator<Item = &'v [u8]>,
) -> Result<Vec<&'v str>, HandshakeError> {
    let mut lines = lines.peekable();
    let has_lines = lines.peek().is_some();
    let offered = lines.flat_map(elements).map(token).collect::<Option<Vec<_>>>();
    let offered = offered.ok_or(HandshakeError::InvalidSubprotocols)?;
    let mut sorted = offered.clone();
    sorted.sort_unstable();
    // RFC 6455 4.1: all unique; 4.3: 1#token.
    let valid = sorted.windows(2).all(|pair| pair[0] != pair[1]) && offered.is_empty() != has_lines;
    if valid { Ok(offered) } else { Err(HandshakeError::InvalidSubprotocols) }
}

fn token(text: &[u8]) -> Option<&str> {
    if is_token(text) { core::str::from_utf8(text).ok() } else { None }
}

/// The first of the `supported` subprotocols, in the server's order of preference, that the client offers.
///
/// ```
/// use tidewire::handshake::negotiate;
///
/// let offered = negotiate::subprotocols(&["soap, wamp", "mqtt"])?;
/// assert_eq!(negotiate::choose_subprotocol(&offered, &["mqtt", "soap"]), Some("mqtt"));
/// # Ok::<(), tidewire::HandshakeError>(())
/// ```
#[must_use]
pub fn choose_subprotocol<'s>(offered: &[&str], supported: &[&'s str]) -> Option<&'s str> {
    supported.iter().copied().find(|name| offered.contains(name))
}

/// The extensions in one line of `Sec-WebSocket-Extensions`, in order (RFC 6455 9.1).
///
/// Each item is an extension, or [`InvalidExtensions`](HandshakeError::InvalidExtensions) where the line breaks the grammar;
/// that is the last one.
///
/// ```
/// use tidewire::handshake::negotiate;
///
/// for extension in negotiate::extensions("foo; bar=\"7\"; baz, foo") {
///     let extension = extension?;
///     assert_eq!(extension.name(), "foo");
/// }
/// # Ok::<(), tidewire::HandshakeError>(())
/// ```
#[must_use]
pub fn extensions(line: &str) -> Extensions<'_> {
    Extensions { rest: Scanner(line), after_comma: true }
}

/// The iterator that [`extensions`] returns.
#[derive(Clone, Debug)]
pub struct Extensions<'v> {
    rest: Scanner<'v>,
    /// An extension may follow: at the beginning too.
    after_comma: bool,
}

impl<'v> Iterator for Extensions<'v> {
    type Item = Result<Extension<'v>, HandshakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        // RFC 2616 2.1: empty elements are allowed.
        while self.rest.skip(',') {
            self.after_comma = true;
        }
        if self.rest.is_empty() {
            return None;
        }
        let extension = if self.after_comma { self.rest.extension() } else { None };
        self.after_comma = false;
        if extension.is_none() {
            self.rest = Scanner("");
        }
        Some(extension.ok_or(HandshakeError::InvalidExtensions))
    }
}

/// An extension that is offered or accepted, with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension<'v> {
    name: &'v str,
    /// As they were sent, and known to be well-formed.
    parameters: &'v str,
}

impl<'v> Extension<'v> {
    /// The extension's name.
    #[must_use]
    pub fn name(&self) -> &'v str {
        self.name
    }

    /// The parameters in order; a value that was quoted is unquoted.
    pub fn parameters(&self) -> impl Iterator<Item = (&'v str, Option<Cow<'v, str>>)> + use<'v> {
        let mut rest = Scanner(self.parameters);
        core::iter::from_fn(move || if rest.skip(';') { rest.parameter() } else { None })
    }
}

/// Reads the grammar of RFC 6455 9.1 from left to right, each character once.
#[derive(Clone, Debug)]
struct Scanner<'v>(&'v str);

impl<'v> Scanner<'v> {
    fn extension(&mut self) -> Option<Extension<'v>> {
        let name = self.token()?;
        let all = self.0;
        while self.skip(';') {
            self.parameter()?;
        }
        Some(Extension { name, parameters: &all[..all.len() - self.0.len()] })
    }

    fn parameter(&mut self) -> Option<(&'v str, Option<Cow<'v, str>>)> {
        let name = self.token()?;
        let value = if self.skip('=') { Some(self.value()?) } else { None };
        Some((name, value))
    }

    fn value(&mut self) -> Option<Cow<'v, str>> {
        if !self.skip('"') {
            return self.token().map(Cow::Borrowed);
        }
        let end = self.0.find('"')?;
        let quoted = &self.0[..end];
        self.0 = &self.0[end + 1..];
        let value =
            if quoted.contains('\\') { Cow::Owned(quoted.replace('\\', "")) } else { Cow::Borrowed(quoted) };
        // RFC 6455 9.1: after unescaping, the value is a token. A token holds no backslash and no quote, so each backslash here
        // escapes what follows it, which is neither.
        let is_valid = is_token(value.as_bytes()) && !quoted.contains(r"\\") && !quoted.ends_with('\\');
        is_valid.then_some(value)
    }

    fn token(&mut self) -> Option<&'v str> {
        self.skip_space();
        let len = TOKEN.prefix_len(self.0.as_bytes());
        let (token, rest) = self.0.split_at(len);
        self.0 = rest;
        (len > 0).then_some(token)
    }

    /// Skips whitespace, and then `separator` if it follows.
    fn skip(&mut self, separator: char) -> bool {
        self.skip_space();
        let rest = self.0.strip_prefix(separator);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
