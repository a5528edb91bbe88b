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

    /// RFC 6455 4.2.1: or an absolute HTTP/HTTPS URI; RFC 9112 3.2.2: its host is then the one that counts.
    fn absolute(target: &'i str) -> Option<Self> {
        let (scheme, rest) = target.split_once("://")?;
        let (host, path_and_query) = split_authority(rest);
        let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        (is_http && Authority::parse(host).is_ok()).then_some(Self { host, path_and_query })
    }
}

/// RFC 9112 3.2: one valid `Host`.
pub(super) fn host<'i>(headers: &Headers<'_, 'i>) -> Result<&'i str, HandshakeError> {
    let host = headers.single_text("Host").filter(|host| Authority::parse(host).is_ok());
    host.ok_or_else(|| HandshakeError::InvalidHost(Culprit::line(headers.values("Host"))))
}

/// True if nothing in a request-target can end the line or hide in a log.
///
/// RFC 3986 allows fewer characters. Clients send JSON in a query as it is, and browsers leave `[]^|{}` and others unencoded.
fn is_visible(target: &str) -> bool {
    target.bytes().all(|byte| byte.is_ascii_graphic())
        || target.chars().all(|c| !c.is_control() && !c.is_whitespace())
}
