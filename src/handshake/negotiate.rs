//! What client and server agree on, on plain strings: origins, subprotocols and extensions.
//!
//! Nothing here depends on HTTP/1.1, so that servers of HTTP/2 and HTTP/3 (RFC 8441, RFC 9220) and web frameworks, which read
//! the request themselves, follow the same rules.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::alphabet::TOKEN;
use super::{elements, is_token};
use crate::{Culprit, HandshakeError};

#[cfg(feature = "deflate")]
pub(crate) mod deflate;
#[cfg(not(feature = "deflate"))]
#[path = "negotiate/no_deflate.rs"]
pub(crate) mod deflate;
mod origins;

#[cfg(feature = "deflate")]
#[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
pub use deflate::{deflate, deflate_offer, deflate_response};
pub use origins::Origins;

/// The subprotocols in the lines of `Sec-WebSocket-Protocol`, in the client's order of preference (RFC 6455 11.3.4).
///
/// # Errors
/// [`InvalidSubprotocols`](HandshakeError::InvalidSubprotocols) if one is not a token or is repeated, or if there is none in spite of
/// the header.
pub fn subprotocols<'v>(lines: &[&'v str]) -> Result<Vec<&'v str>, HandshakeError> {
    offered_subprotocols(lines.iter().map(|line| line.as_bytes()))
}

pub(super) fn offered_subprotocols<'v>(
    lines: impl Iterator<Item = &'v [u8]> + Clone,
) -> Result<Vec<&'v str>, HandshakeError> {
    if lines.clone().next().is_none() {
        return Ok(Vec::new());
    }
    let offered = lines.clone().flat_map(elements).map(token).collect::<Option<Vec<_>>>();
    // RFC 6455 4.1: all unique; 4.3: 1#token.
    let offered = offered.filter(|offered| !offered.is_empty() && are_unique(offered));
    offered.ok_or_else(|| HandshakeError::InvalidSubprotocols(Culprit::lines(lines)))
}

fn are_unique(names: &[&str]) -> bool {
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1])
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
    Extensions { line, rest: Scanner(line), after_comma: true }
}

/// The iterator that [`extensions`] returns.
#[derive(Clone, Debug)]
pub struct Extensions<'v> {
    line: &'v str,
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
        Some(extension.ok_or_else(|| HandshakeError::InvalidExtensions(Culprit::text(self.line))))
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
