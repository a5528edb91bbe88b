//! [`Proxy`]: what stands between a client and its server.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::str::FromStr;

use crate::handshake::client_request::{basic_auth, percent_decode};
use crate::handshake::uri::{Authority, split_authority};
use crate::{Culprit, InvalidRequest, Uri};

pub(crate) use tunnel::Tunnel;

mod tunnel;

/// A proxy that opens a tunnel to the server: `http://`, `https://` (HTTP CONNECT over TLS), `socks5://` or `socks5h://`.
///
/// The proxy resolves the server's name, also with `socks5://`. A user name and a password stand in the URI, percent-encoded where they need
/// to be.
///
/// ```
/// use tidewire::Proxy;
///
/// let proxy: Proxy = "socks5h://ada:secret@proxy.example:1080".parse()?;
/// assert_eq!(format!("{proxy:?}"), "Proxy(socks5://proxy.example:1080)");
/// # Ok::<(), tidewire::InvalidRequest>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: Kind,
    host: String,
    port: u16,
    credentials: Option<Credentials>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Https,
    Socks5,
}

#[derive(Clone, PartialEq, Eq)]
struct Credentials {
    user: String,
    password: String,
}

impl Proxy {
    /// The host of the proxy; an IPv6 address stands without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port of the proxy: 80, 443 or 1080 unless it was given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// True if the proxy itself is spoken to over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.kind == Kind::Https
    }

    /// What the environment says for `uri`, as curl reads it: `HTTPS_PROXY` for `wss`, `HTTP_PROXY` for `ws`, then `ALL_PROXY`, unless
    /// `NO_PROXY` lists the host. Lower-case names come first. `lookup` returns the value of a variable.
    ///
    /// # Errors
    /// [`InvalidProxy`](InvalidRequest::InvalidProxy) for a value that is no proxy.
    pub(crate) fn from_env(
        uri: &Uri,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, InvalidRequest> {
        let either = |name: &str| {
            let values = [name.to_ascii_lowercase(), String::from(name)].map(|name| lookup(&name));
            values.into_iter().flatten().find(|value| !value.is_empty())
        };
        if either("NO_PROXY").is_some_and(|list| is_excepted(uri, &list)) {
            return Ok(None);
        }
        let own = match uri.is_secure() {
            true => either("HTTPS_PROXY"),
            // A CGI program finds a header `Proxy` of its client in the upper-case variable.
            false if lookup("REQUEST_METHOD").is_some() => lookup("http_proxy"),
            false => either("HTTP_PROXY"),
        };
        let Some(value) = own.or_else(|| either("ALL_PROXY")) else { return Ok(None) };
        // Many leave the scheme out.
        let proxy = if value.contains("://") { value.parse() } else { format!("http://{value}").parse() };
        proxy.map(Some)
    }
}

/// True if a list such as `localhost,.example.com,10.0.0.1:8080` has the host of `uri`.
fn is_excepted(uri: &Uri, list: &str) -> bool {
    let (host, port) = (uri.host(), uri.port());
    list.split([',', ' ']).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        let (name, entry_port) = match entry.rsplit_once(':') {
            Some((name, digits)) if entry.parse::<Ipv6Addr>().is_err() => (name, digits.parse().ok()),
            _ => (entry, None),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']').trim_start_matches("*.");
        let name = name.trim_start_matches('.');
        let is_same = match (name.parse::<IpAddr>(), host.parse::<IpAddr>()) {
            (Ok(entry), Ok(host)) => entry == host,
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
            // A name and all below it.
            (Err(_), Err(_)) => host.len().checked_sub(name.len()).is_some_and(|at| {
                let (before, end) = host.as_bytes().split_at(at);
                end.eq_ignore_ascii_case(name.as_bytes()) && (at == 0 || before.ends_with(b"."))
            }),
        };
        !name.is_empty() && is_same && entry_port.is_none_or(|entry: u16| entry == port)
    })
}

impl FromStr for Proxy {
    type Err = InvalidRequest;

    /// # Errors
    /// `InvalidProxy` for another scheme or a path, `InvalidHost`, `InvalidPort`, and `InvalidCredentials`.
    fn from_str(uri: &str) -> Result<Self, InvalidRequest> {
        let invalid = || {
            // No user name is shown.
            let start = uri.split([':', '/', '@', '?', '#']).next().unwrap_or_default();
            InvalidRequest::InvalidProxy(Culprit::text(start))
        };
        let (scheme, rest) = uri.split_once("://").ok_or_else(invalid)?;
        let (kind, default_port) = match &*scheme.to_ascii_lowercase() {
            "http" => (Kind::Http, 80),
            "https" => (Kind::Https, 443),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            _ => return Err(invalid()),
        };
        let (authority, path) = split_authority(rest);
        if !matches!(path, "" | "/") {
            return Err(invalid());
        }
        let (userinfo, authority) = match authority.rsplit_once('@') {
            Some((userinfo, authority)) => (Some(userinfo), authority),
            None => (None, authority),
        };
        let Authority { host, port } = Authority::parse(authority)?;
        let credentials = match userinfo {
            Some(userinfo) => {
                Some(Credentials::parse(userinfo, kind).ok_or(InvalidRequest::InvalidCredentials)?)
            }
            None => None,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').into();
        Ok(Self { kind, host, port: port.unwrap_or(default_port), credentials })
    }
}

impl Credentials {
    fn parse(userinfo: &str, kind: Kind) -> Option<Self> {
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let (user, password) = (percent_decode(user)?, percent_decode(password)?);
        let is_valid = match kind {
            Kind::Http | Kind::Https => basic_auth(&user, &password).is_some(),
            // RFC 1929 2: from 1 to 255 bytes.
            Kind::Socks5 => (1..=255).contains(&user.len()) && (1..=255).contains(&password.len()),
        };
        is_valid.then_some(Self { user, password })
    }
}

/// Without the credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            Kind::Http => "http",
            Kind::Https => "https",
            Kind::Socks5 => "socks5",
        };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "Proxy({scheme}://{open}{}{close}:{})", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_proxy_is_read_from_its_uri_and_shows_no_secret() {
        for (uri, host, port, is_secure) in [
            ("http://proxy", "proxy", 80, false),
            ("HTTPS://proxy/", "proxy", 443, true),
            ("socks5h://[::1]:9", "::1", 9, false),
            ("socks5://u:p@10.0.0.1", "10.0.0.1", 1080, false),
        ] {
            let proxy: Proxy = uri.parse().expect(uri);
            assert_eq!((proxy.host(), proxy.port(), proxy.is_secure()), (host, port, is_secure));
            let debug = format!("{proxy:?}");
            assert!(debug.contains(host) && !debug.contains("u:p"), "{debug}");
        }
        // RFC 1929 2: from 1 to 255 bytes each.
        let long = "x".repeat(256);
        for (userinfo, is_valid) in [
            (format!("u:{}", &long[1..]), true),
            (format!("{}:p", &long[1..]), true),
            (format!("u:{long}"), false),
            (format!("{long}:p"), false),
            ("u".into(), false),
            (":p".into(), false),
        ] {
            assert_eq!(format!("socks5://{userinfo}@p").parse::<Proxy>().is_ok(), is_valid, "{userinfo}");
        }
        for uri in [
            "proxy:80",
            "socks4://p",
            "http://p/path",
            "http://",
            "http://p:0",
            "http://a%zz@p",
            "http://a%0a@p",
            "socks5://@p",
        ] {
            let error = uri.parse::<Proxy>().expect_err(uri);
            assert!(!error.to_string().contains("a%"), "{error}");
        }
    }

    #[test]
    fn the_environment_names_a_proxy_for_some_hosts() {
        let named = |uri: &str, variables: &[(&str, &str)]| {
            let variables: HashMap<_, _> = variables.iter().copied().collect();
            let lookup = |name: &str| variables.get(name).map(|value| String::from(*value));
            let proxy = Proxy::from_env(&uri.parse().expect("a URI"), lookup).expect("valid");
            proxy.map(|proxy| String::from(proxy.host()))
        };
        let all = [("HTTPS_PROXY", "http://s"), ("HTTP_PROXY", "p:3128"), ("ALL_PROXY", "socks5://a")];
        assert_eq!(named("wss://h/", &all).as_deref(), Some("s"));
        assert_eq!(named("ws://h/", &all).as_deref(), Some("p"));
        assert_eq!(named("ws://h/", &all[2..]).as_deref(), Some("a"));
        assert_eq!(named("wss://h/", &[("https_proxy", "http://low"), all[0]]).as_deref(), Some("low"));
        assert_eq!(named("ws://h/", &[]), None);
        assert_eq!(named("ws://h/", &[("HTTP_PROXY", "")]), None);
        // A header `Proxy` of somebody's request.
        assert_eq!(named("ws://h/", &[("HTTP_PROXY", "http://evil"), ("REQUEST_METHOD", "GET")]), None);
        for (uri, list, is_excepted) in [
            ("ws://example.com/", "example.com", true),
            ("ws://www.example.com/", "example.com", true),
            ("ws://www.example.com/", ".example.com", true),
            ("ws://www.example.com/", "*.example.com", true),
            ("ws://EXAMPLE.com/", "other, Example.COM", true),
            ("ws://badexample.com/", "example.com", false),
            ("ws://example.com/", "www.example.com", false),
            ("ws://example.com:81/", "example.com:81", true),
            ("ws://example.com/", "example.com:81", false),
            ("ws://10.0.0.1/", "10.0.0.1", true),
            ("ws://10.0.0.1/", "0.0.1", false),
            ("ws://[::1]:9/", "::1", true),
            ("ws://[::1]:9/", "[::1]:9", true),
            ("ws://anything/", "*", true),
            ("ws://anything/", ",", false),
        ] {
            let found = named(uri, &[("ALL_PROXY", "http://p"), ("NO_PROXY", list)]);
            assert_eq!(found.is_none(), is_excepted, "{uri} {list}");
        }
        let broken = Proxy::from_env(&"ws://h/".parse().expect("a URI"), |name| {
            (name == "ALL_PROXY").then(|| "ftp://p".into())
        });
        assert!(matches!(broken, Err(InvalidRequest::InvalidProxy(_))));
    }
}
