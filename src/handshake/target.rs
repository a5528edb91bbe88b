//! Whom a request is for, and what for.

use super::head::Headers;
use super::uri::{Authority, path, split_authority};
use crate::{Culprit, HandshakeError};

/// The host and, as it was sent, the resource (RFC 6455 4.2.1).
pub(super) struct Target<'i> {
    pub(super) host: &'i str,
    /// Begins with a slash unless the path is empty.
    pub(super) path_and_query: &'i str,
}

impl<'i> Target<'i> {
    /// `host` is the value of the header.
    pub(super) fn new(target: &'i str, host: &'i str) -> Result<Self, HandshakeError> {
        let read = if target.starts_with('/') {
            Some(Self { host, path_and_query: target })
        } else {
            Self::absolute(target)
        };
        // The query often holds a secret.
        let culprit = || HandshakeError::InvalidTarget(Culprit::text(path(target)));
        read.filter(|_| is_visible(target)).ok_or_else(culprit)
    }

    /// RFC 8441 4: `:scheme`, the path and the query that `:path` has, and `:authority` as the host.
    #[cfg(feature = "http")]
    pub(super) fn connect(
        scheme: Option<&str>,
        path_and_query: &'i str,
        host: &'i str,
    ) -> Result<Self, HandshakeError> {
        // RFC 8441 5: `https` stands for `wss`, and `http` for `ws`.
        if scheme.is_none_or(is_http) && path_and_query.starts_with('/') {
            Self::new(path_and_query, host)
        } else {
            Err(HandshakeError::InvalidTarget(Culprit::text(path(path_and_query))))
        }
    }

    /// RFC 6455 4.2.1: or an absolute HTTP/HTTPS URI; RFC 9112 3.2.2: its host is then the one that counts.
    fn absolute(target: &'i str) -> Option<Self> {
        let (scheme, rest) = target.split_once("://")?;
        let (host, path_and_query) = split_authority(rest);
        (is_http(scheme) && Authority::parse(host).is_ok()).then_some(Self { host, path_and_query })
    }
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// RFC 9112 3.2: one valid `Host`.
pub(super) fn host<'i>(headers: &Headers<'_, 'i>) -> Result<&'i str, HandshakeError> {
    let host = headers.single_text("Host").filter(|host| Authority::parse(host).is_ok());
    host.ok_or_else(|| HandshakeError::InvalidHost(Culprit::line(headers.values("Host"))))
}

/// RFC 9113 8.3.1: one valid `:authority`, and no `Host` that differs from it.
#[cfg(feature = "http")]
pub(super) fn authority<'i>(
    authority: Option<&'i str>,
    headers: &Headers<'_, '_>,
) -> Result<&'i str, HandshakeError> {
    let valid = authority.filter(|authority| Authority::parse(authority).is_ok());
    match (valid, headers.values("Host").find(|host| Some(*host) != authority.map(str::as_bytes))) {
        (Some(authority), None) => Ok(authority),
        (_, Some(other)) => Err(HandshakeError::InvalidHost(Culprit::text(other))),
        (None, None) => {
            Err(HandshakeError::InvalidHost(Culprit::line(authority.map(str::as_bytes).into_iter())))
        }
    }
}

/// True if nothing in a request-target can end a line. Whoever prints it escapes what has no width or turns the direction of text.
///
/// RFC 3986 allows fewer characters. Clients send JSON in a query as it is, and browsers leave `[]^|{}` and others unencoded.
fn is_visible(target: &str) -> bool {
    target.bytes().all(|byte| byte.is_ascii_graphic())
        || target.chars().all(|c| !c.is_control() && !c.is_whitespace())
}
