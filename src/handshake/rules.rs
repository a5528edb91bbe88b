//! The rules of a request's head, whoever parsed it (RFC 6455 4.2.1).

use super::alphabet::{BASE64, TOKEN};
use super::head::Headers;
use super::target::{self, Target};
use super::{elements, is_token, negotiate};
use crate::config::deflate::{Agreement, Deflate};
use crate::{Culprit, HandshakeError, Origins};

/// What a client asks for, in either way.
pub(super) struct Asked<'i> {
    pub(super) target: Target<'i>,
    /// `None` over HTTP/2, which has none.
    pub(super) key: Option<Key>,
}

/// The value of a `Sec-WebSocket-Key`.
pub(super) type Key = [u8; 24];

/// What a request of HTTP/1.1 asks for.
pub(super) fn upgrade<'i>(
    method: &str,
    target: &'i str,
    headers: &Headers<'_, 'i>,
) -> Result<Asked<'i>, HandshakeError> {
    // RFC 9112 3.2: a request without a valid `Host` is answered with 400, whatever its method.
    let host = target::host(headers)?;
    if method != "GET" {
        return Err(HandshakeError::MethodNotGet(Culprit::text(method)));
    }
    let target = Target::new(target, host)?;
    check_body(headers)?;
    check_upgrade(headers)?;
    check_version(headers)?;
    let key = headers.single("Sec-WebSocket-Key").ok().flatten().and_then(key);
    let key =
        key.ok_or_else(|| HandshakeError::InvalidKey(Culprit::line(headers.values("Sec-WebSocket-Key"))))?;
    Ok(Asked { target, key: Some(key) })
}

/// What an extended CONNECT asks for (RFC 8441 5).
#[cfg(feature = "http")]
pub(super) fn connect<'i>(
    method: &str,
    protocol: Option<&str>,
    scheme: Option<&str>,
    authority: Option<&'i str>,
    path_and_query: &'i str,
    headers: &Headers<'_, 'i>,
) -> Result<Asked<'i>, HandshakeError> {
    if method != "CONNECT" {
        return Err(HandshakeError::MethodNotConnect(Culprit::text(method)));
    }
    if protocol != Some("websocket") {
        let protocol = protocol.map(str::as_bytes);
        return Err(HandshakeError::UnsupportedProtocol(Culprit::line(protocol.into_iter())));
    }
    let target = Target::connect(scheme, path_and_query, target::authority(authority, headers)?)?;
    check_body(headers)?;
    check_version(headers).map_err(|error| match error {
        // RFC 9110 15.5.22: 426 names an `Upgrade`, which RFC 9113 8.2.2 forbids.
        HandshakeError::UnsupportedVersion(version) => HandshakeError::InvalidVersion(version),
        error => error,
    })?;
    Ok(Asked { target, key: None })
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
pub(super) fn agree(
    headers: &Headers<'_, '_>,
    deflate: Option<&Deflate>,
) -> Result<Option<Agreement>, HandshakeError> {
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
pub(super) fn check_origin(
    headers: &Headers<'_, '_>,
    origins: &Origins,
    host: &str,
) -> Result<(), HandshakeError> {
    let forwarded = if origins.are_forwarded() { headers.values("X-Forwarded-Host").last() } else { None };
    let host = match forwarded {
        // A proxy adds its value behind those that it was sent. One that is no text is no host.
        Some(line) => core::str::from_utf8(elements(line).last().unwrap_or_default()).unwrap_or_default(),
        None => host,
    };
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

/// RFC 6455 4.2.1: the base64 form of 16 bytes, whose last digit may hold any pad bits (erratum 3150).
fn key(value: &[u8]) -> Option<Key> {
    let key: Key = value.try_into().ok()?;
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
