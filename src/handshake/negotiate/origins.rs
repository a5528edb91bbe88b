//! [`Origins`]: whose pages a browser may connect.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::super::uri::Authority;
use crate::InvalidOrigin;

/// From which origins a browser may connect (RFC 6455 4.2.2 and 10.2).
///
/// A browser lets every page connect to every server, with the user's cookies, and tells the server the page's origin. A server
/// that does not look at it lets foreign pages act for its users. A client that is no browser sends no `Origin`, or any it likes.
///
/// ```
/// use tidewire::Origins;
///
/// let origins = Origins::list(&["https://example.com", "https://*.example.org"])?;
/// assert!(origins.allows("https://example.com", "backend.internal:8080"));
/// assert!(origins.allows("https://app.example.org", "backend.internal:8080"));
/// assert!(!origins.allows("https://example.com.evil.net", "example.com.evil.net"));
/// # Ok::<(), tidewire::InvalidOrigin>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Allowed);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Allowed {
    #[default]
    Same,
    SameForwarded,
    Any,
    /// Each of them can match.
    Listed(Vec<Box<str>>),
}

/// Pages from files. Browsers send this or `null` for them.
const FILE: &str = "file://";

impl Origins {
    /// The host and the port of the origin are those of the request; the default.
    ///
    /// The scheme is not compared, since behind a proxy that ends TLS it is not known. Behind a proxy that rewrites `Host` nothing is
    /// the same origin: use a [`list`](Self::list) there, or [`same_forwarded`](Self::same_forwarded).
    #[must_use]
    pub const fn same() -> Self {
        Self(Allowed::Same)
    }

    /// The host and the port of the origin are those of `X-Forwarded-Host`: for servers that are reached only through a proxy that rewrites `Host`
    /// and sets that header.
    ///
    /// Where several proxies have added a value, the last one counts: that of the nearest proxy. What the client sent itself stands before it.
    /// Without the header, `Host` counts. nginx sets it, with the port, by `proxy_set_header X-Forwarded-Host $http_host`.
    ///
    /// ```
    /// use tidewire::{Config, Origins, ServerHandshake};
    ///
    /// let handshake = ServerHandshake::new(Config::new()).with_origins(Origins::same_forwarded());
    /// ```
    #[must_use]
    pub const fn same_forwarded() -> Self {
        Self(Allowed::SameForwarded)
    }

    /// Any origin: for services that look at no cookie and no other authority that a browser adds by itself.
    #[must_use]
    pub const fn any() -> Self {
        Self(Allowed::Any)
    }

    /// One of these: each a scheme, a host in ASCII and, unless it is the scheme's default, a port.
    ///
    /// - `https://example.com` is that host alone.
    /// - `https://*.example.com` is any host below it, over one or more labels, and never `example.com` itself.
    /// - `file://` is a page from a file, in those browsers that send it.
    ///
    /// `null` never is in a list, since it stands for any sandboxed page.
    ///
    /// # Errors
    /// [`InvalidOrigin`] for an entry that can match nothing, such as `example.com`, `https://example.com/` or `*`.
    pub fn list(origins: &[impl AsRef<str>]) -> Result<Self, InvalidOrigin> {
        let listed = origins.iter().map(AsRef::as_ref).map(|entry| match check(entry) {
            Ok(()) => Ok(entry.into()),
            Err(hint) => Err(InvalidOrigin::new(entry, hint)),
        });
        listed.collect::<Result<_, _>>().map(|listed| Self(Allowed::Listed(listed)))
    }

    /// True if a request with this `Origin` may pass; `host` is its `Host` header or `:authority`, and for
    /// [`same_forwarded`](Self::same_forwarded) its `X-Forwarded-Host`.
    #[must_use]
    pub fn allows(&self, origin: &str, host: &str) -> bool {
        match &self.0 {
            Allowed::Same | Allowed::SameForwarded => {
                Origin::parse(origin).is_some_and(|origin| origin.is_at(host))
            }
            Allowed::Any => true,
            Allowed::Listed(list) if origin == FILE => list.iter().any(|entry| **entry == *FILE),
            Allowed::Listed(list) => Origin::parse(origin).is_some_and(|origin| {
                list.iter().filter_map(|entry| Origin::parse(entry)).any(|entry| entry.includes(&origin))
            }),
        }
    }

    /// True if `X-Forwarded-Host` counts in place of `Host`.
    pub(in crate::handshake) fn are_forwarded(&self) -> bool {
        self.0 == Allowed::SameForwarded
    }
}

/// Tells why an entry can match no origin.
fn check(entry: &str) -> Result<(), &'static str> {
    match entry {
        FILE => return Ok(()),
        "*" => return Err("for every origin there is `Origins::any()`"),
        "null" => return Err("it stands for any sandboxed page, and no list allows it"),
        _ if !entry.contains("://") => return Err("it has no scheme, as in `https://example.com`"),
        _ => {}
    }
    let origin =
        Origin::parse(entry).ok_or("an origin is a scheme, a host and perhaps a port, without a slash")?;
    let name = origin.host.strip_prefix("*.").unwrap_or(origin.host);
    if name.contains('*') || (name != origin.host && !is_domain(name)) {
        return Err("a star stands only in `*.` before a domain");
    }
    Ok(())
}

/// A serialized origin (RFC 6454 6.2), or an entry of a list.
struct Origin<'o> {
    scheme: &'o str,
    host: &'o str,
    /// The scheme's default if there is none; `None` if the default is not known either.
    port: Option<u16>,
}

impl<'o> Origin<'o> {
    fn parse(origin: &'o str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://").filter(|(scheme, _)| is_scheme(scheme))?;
        let Authority { host, port } = Authority::parse(authority).ok()?;
        Some(Self { scheme, host, port: port.or_else(|| default_port(scheme)) })
    }

    /// True if this entry of a list stands for `origin`.
    fn includes(&self, origin: &Self) -> bool {
        let has_host = match self.host.strip_prefix("*.") {
            Some(domain) => is_below(origin.host, domain),
            None => origin.host.eq_ignore_ascii_case(self.host),
        };
        has_host && origin.scheme.eq_ignore_ascii_case(self.scheme) && origin.port == self.port
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

/// RFC 3986 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// True if `host` is `domain` behind one or more labels.
fn is_below(host: &str, domain: &str) -> bool {
    let labels = host.len().checked_sub(domain.len()).and_then(|len| host.get(..len)?.strip_suffix('.'));
    labels.is_some_and(is_dotted) && host[host.len() - domain.len()..].eq_ignore_ascii_case(domain)
}

/// True for a name below which there can be others: not for an address.
fn is_domain(text: &str) -> bool {
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    is_dotted(text) && !text.rsplit('.').next().is_some_and(is_number)
}

/// True for labels of letters, digits, hyphens and underscores, with dots between them.
fn is_dotted(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.split('.').all(|label| !label.is_empty() && label.bytes().all(is_letter))
}
