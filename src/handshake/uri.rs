//! [`Uri`]: where a WebSocket server is (RFC 6455 3), and the authorities in `Host` and `Origin`.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use super::alphabet::{Alphabet, NAME, RESOURCE};
use crate::{Culprit, InvalidRequest};

/// A `ws` or `wss` URI (RFC 6455 3).
///
/// Non-ASCII hosts are written in their ASCII form (IDNA), and other non-ASCII characters percent-encoded.
///
/// ```
/// use tidewire::Uri;
///
/// let uri: Uri = "wss://example.com/chat?room=1".parse()?;
/// assert!(uri.is_secure());
/// assert_eq!((uri.host(), uri.port()), ("example.com", 443));
/// assert_eq!(uri.resource_name(), "/chat?room=1");
/// # Ok::<(), tidewire::InvalidRequest>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    secure: bool,
    /// As in the `Host` header: the host, and the port if it is not the default.
    authority: Box<str>,
    /// The length of the host in `authority`, brackets included.
    host_len: usize,
    port: u16,
    resource_name: Box<str>,
    /// Of an IPv6 address (RFC 6874): the network interface.
    zone: Option<Box<str>>,
}

impl Uri {
    /// True for `wss`, which is spoken over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host to connect to; an IPv6 address stands without its brackets, and without a zone.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = &self.authority[..self.host_len];
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The host as the system's resolver takes it: with the zone of a link-local IPv6 address, as in `fe80::1%eth0`.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn scoped_host(&self) -> Cow<'_, str> {
        match &self.zone {
            Some(zone) => format!("{}%{zone}", self.host()).into(),
            None => self.host().into(),
        }
    }

    /// The port to connect to: 80 or, for `wss`, 443 unless the URI has another.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host and, unless it is the default, the port: the value of the `Host` header.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path, `/` if it is empty, and the query if there is one.
    #[must_use]
    pub fn resource_name(&self) -> &str {
        &self.resource_name
    }
}

impl FromStr for Uri {
    type Err = InvalidRequest;

    /// # Errors
    /// `InvalidScheme`, `InvalidHost`, `InvalidPort`, `UnexpectedUserInfo`, `UnexpectedFragment` or `InvalidResourceName`,
    /// whichever part is wrong.
    fn from_str(uri: &str) -> Result<Self, InvalidRequest> {
        let invalid_scheme = || {
            // Neither a user name nor a query is shown.
            let start = uri.split([':', '/', '@', '?', '#']).next().unwrap_or_default();
            InvalidRequest::InvalidScheme(Culprit::text(start))
        };
        let (scheme, rest) = uri.split_once("://").ok_or_else(invalid_scheme)?;
        let secure = scheme.eq_ignore_ascii_case("wss");
        if !secure && !scheme.eq_ignore_ascii_case("ws") {
            return Err(invalid_scheme());
        }
        // RFC 6455 3: fragments are not used on these URIs.
        if rest.contains('#') {
            return Err(InvalidRequest::UnexpectedFragment);
        }
        let (authority, path_and_query) = split_authority(rest);
        let (authority, zone) = split_zone(authority);
        let Authority { host, port } = Authority::parse(&authority)?;
        if let Some(character) = unencoded(path_and_query, &RESOURCE) {
            return Err(InvalidRequest::InvalidResourceName(character));
        }
        let default_port = if secure { 443 } else { 80 };
        Ok(Self {
            secure,
            authority: match port {
                Some(port) if port != default_port => format!("{host}:{port}").into(),
                _ => host.into(),
            },
            host_len: host.len(),
            port: port.unwrap_or(default_port),
            resource_name: resource_name(path_and_query),
            zone,
        })
    }
}

impl TryFrom<&str> for Uri {
    type Error = InvalidRequest;

    fn try_from(uri: &str) -> Result<Self, InvalidRequest> {
        uri.parse()
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority, self.resource_name)
    }
}

/// Without the query, which often holds a secret.
impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "Uri({scheme}://{}{})", self.authority, path(&self.resource_name))
    }
}

/// A host and a port (RFC 3986 3.2).
pub(crate) struct Authority<'a> {
    /// With the brackets of an IPv6 address.
    pub(crate) host: &'a str,
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    pub(crate) fn parse(authority: &'a str) -> Result<Self, InvalidRequest> {
        if authority.as_bytes().contains(&b'@') {
            return Err(InvalidRequest::UnexpectedUserInfo);
        }
        let host_len = if authority.starts_with('[') {
            authority.find(']').map_or(0, |bracket| bracket + 1)
        } else {
            authority.bytes().position(|byte| byte == b':').unwrap_or(authority.len())
        };
        let (host, port) = authority.split_at(host_len);
        let valid = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && unencoded(host, &NAME).is_none(),
        };
        if !valid {
            return Err(InvalidRequest::InvalidHost(Culprit::text(host)));
        }
        // RFC 3986 3.2.3: a port without digits stands for the default.
        if matches!(port, "" | ":") {
            return Ok(Self { host, port: None });
        }
        let digits = port.strip_prefix(':').filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
        match digits.and_then(|digits| digits.parse().ok()) {
            Some(port @ 1..) => Ok(Self { host, port: Some(port) }),
            _ => Err(InvalidRequest::InvalidPort(Culprit::text(port.strip_prefix(':').unwrap_or(port)))),
        }
    }
}

/// RFC 6874 2: takes the zone out of `[address%25zone]`. RFC 6874 4: it means nothing to the server, so it is not sent.
fn split_zone(authority: &str) -> (Cow<'_, str>, Option<Box<str>>) {
    let split = || {
        let (address, rest) = authority.strip_prefix('[')?.split_once("%25")?;
        let (zone, port) = rest.split_once(']')?;
        let is_valid = !zone.is_empty()
            && zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        is_valid.then(|| (Cow::Owned(format!("[{address}]{port}")), Some(zone.into())))
    };
    split().unwrap_or((Cow::Borrowed(authority), None))
}

/// Splits what follows `scheme://` behind the authority.
pub(crate) fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

/// RFC 6455 3: "/" for an empty path, and a query only if it is not empty.
pub(super) fn resource_name(path_and_query: &str) -> Box<str> {
    let slash = if path_and_query.starts_with('/') { "" } else { "/" };
    let resource_name = match path_and_query.strip_suffix('?') {
        Some(path) if !path.contains('?') => path,
        _ => path_and_query,
    };
    [slash, resource_name].concat().into()
}

/// The path of a resource name.
pub(super) fn path(resource_name: &str) -> &str {
    resource_name.split('?').next().unwrap_or_default()
}

/// The first character that is neither allowed as it is nor percent-encoded.
fn unencoded(mut rest: &str, allowed: &Alphabet) -> Option<char> {
    loop {
        rest = &rest[allowed.prefix_len(rest.as_bytes())..];
        match rest.as_bytes() {
            [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest = &rest[3..],
            _ => return rest.chars().next(),
        }
    }
}
