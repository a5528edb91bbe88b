//! Whom a request is for, and what for.

use super::head::Headers;
use super::uri::{Authority, split_authority};
use crate::HandshakeError;

/// The host and, as it was sent, the resource (RFC 6455 4.2.1).
pub(super) struct Target<'i> {
    pub(super) host: &'i str,
    /// Begins with a slash unless the path is empty.
    pub(super) path_and_query: &'i str,
}

impl<'i> Target<'i> {
    pub(super) fn new(target: &'i str, headers: &Headers<'_, 'i>) -> Result<Self, HandshakeError> {
        let host = headers.single_text("Host").ok_or(HandshakeError::InvalidHost)?;
        Authority::parse(host).map_err(|_| HandshakeError::InvalidHost)?;
        if !is_visible(target) {
            return Err(HandshakeError::InvalidTarget);
        }
        if target.starts_with('/') {
            return Ok(Self { host, path_and_query: target });
        }
        // RFC 6455 4.2.1: or an absolute HTTP/HTTPS URI; RFC 9112 3.2.2: its host is then the one that counts.
        let (scheme, rest) = target.split_once("://").ok_or(HandshakeError::InvalidTarget)?;
        let (host, path_and_query) = split_authority(rest);
        let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        if !is_http || Authority::parse(host).is_err() {
            return Err(HandshakeError::InvalidTarget);
        }
        Ok(Self { host, path_and_query })
    }
}

/// True if nothing in a request-target can end the line or hide in a log.
///
/// RFC 3986 allows fewer characters. Clients send JSON in a query as it is, and browsers leave `[]^|{}` and others unencoded.
fn is_visible(target: &str) -> bool {
    target.bytes().all(|byte| byte.is_ascii_graphic())
        || target.chars().all(|c| !c.is_control() && !c.is_whitespace())
}
