//! Where a redirect leads (RFC 9110 15.4), and what of a request may follow it there.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::{ClientRequest, Response, Uri};

/// The request to make after a `response` that redirects; `None` if it does not, or not to where a request may go.
///
/// Credentials do not leave their origin, and `wss` never becomes `ws`.
pub(crate) fn redirected(request: &ClientRequest, response: &Response) -> Option<ClientRequest> {
    if !matches!(response.status(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let from = request.uri();
    let to: Uri = resolve(from, response.header("Location")?)?.parse().ok()?;
    if from.is_secure() && !to.is_secure() {
        return None;
    }
    // RFC 6454 4: scheme, host and port.
    let is_same = from.is_secure() == to.is_secure()
        && from.port() == to.port()
        && from.host().eq_ignore_ascii_case(to.host());
    Some(request.redirected(to, is_same))
}

/// RFC 3986 5.2: what a reference stands for, seen from `base`; with the schemes of WebSocket where it names those of HTTP.
fn resolve(base: &Uri, reference: &str) -> Option<String> {
    // RFC 9110 10.2.2: a fragment is for whoever shows the resource.
    let reference = reference.split('#').next().unwrap_or_default();
    let scheme = if base.is_secure() { "wss" } else { "ws" };
    let here = format!("{scheme}://{}", base.authority());
    if let Some((scheme, rest)) = reference.split_once("://")
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    {
        return match &*scheme.to_ascii_lowercase() {
            "ws" | "http" => Some(format!("ws://{rest}")),
            "wss" | "https" => Some(format!("wss://{rest}")),
            _ => None,
        };
    }
    let path = base.resource_name().split('?').next().unwrap_or("/");
    match reference.as_bytes() {
        [b'/', b'/', ..] => Some(format!("{scheme}:{reference}")),
        [b'/', ..] => Some(format!("{here}{}", normal(reference))),
        [b'?', ..] => Some(format!("{here}{path}{reference}")),
        [] => Some(format!("{here}{}", base.resource_name())),
        _ => {
            let directory = &path[..=path.rfind('/').unwrap_or(0)];
            Some(format!("{here}{}", normal(&format!("{directory}{reference}"))))
        }
    }
}

/// RFC 3986 5.2.4: without the segments "." and "..".
fn normal(path_and_query: &str) -> String {
    let (path, query) = match path_and_query.find('?') {
        Some(at) => path_and_query.split_at(at),
        None => (path_and_query, ""),
    };
    let mut segments = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." | ".." => {
                if segment == ".." {
                    segments.pop();
                }
            }
            segment => segments.push(segment),
        }
    }
    // A path that ends with such a segment is a directory.
    if matches!(path.rsplit('/').next(), Some("." | "..")) {
        segments.push("");
    }
    format!("/{}{query}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClientHandshake, Config, HandshakeError, Input};

    #[test]
    fn wss_never_becomes_ws() {
        for (from, location, expected) in [
            ("wss://example.com/a", "http://example.com/b", None),
            ("wss://example.com/a", "ws://example.com/b", None),
            ("wss://example.com/a", "https://other.org/b", Some("wss://other.org/b")),
            ("wss://example.com/a", "/b", Some("wss://example.com/b")),
            ("ws://example.com/a", "https://example.com/b", Some("wss://example.com/b")),
        ] {
            let request = ClientRequest::new(from).expect("a URI");
            let mut input = Input::new();
            input.extend_from_slice(format!("HTTP/1.1 302 \r\nLocation: {location}\r\n").as_bytes());
            input.extend_from_slice(b"Content-Length: 0\r\n\r\n");
            let answered =
                ClientHandshake::new(Config::new(), &request, [0; 16], [0; 32]).receive(&mut input);
            let Err(HandshakeError::Refused(response)) = answered else { panic!("{location}: no refusal") };
            let next = redirected(&request, &response);
            let next = next.map(|next| format!("{}", next.uri()));
            assert_eq!(next.as_deref(), expected, "{from} to {location}");
        }
    }

    #[test]
    fn a_reference_is_resolved_against_the_uri_of_the_request() {
        let base = "ws://example.com:81/a/b?q=1".parse().expect("a URI");
        for (reference, expected) in [
            ("wss://other.org/x?y", "wss://other.org/x?y"),
            ("HTTPS://other.org", "wss://other.org"),
            ("http://other.org:8080/#part", "ws://other.org:8080/"),
            ("//other.org/x", "ws://other.org/x"),
            ("/x/./y/../z?q=../1", "ws://example.com:81/x/z?q=../1"),
            ("c", "ws://example.com:81/a/c"),
            ("../c/", "ws://example.com:81/c/"),
            ("../../../c", "ws://example.com:81/c"),
            (".", "ws://example.com:81/a/"),
            ("?r=2", "ws://example.com:81/a/b?r=2"),
            ("", "ws://example.com:81/a/b?q=1"),
            ("c?to=http://x", "ws://example.com:81/a/c?to=http://x"),
        ] {
            assert_eq!(resolve(&base, reference).as_deref(), Some(expected), "{reference}");
        }
        for reference in ["ftp://other.org/", "file:///etc/passwd", "javascript://x"] {
            assert_eq!(resolve(&base, reference), None, "{reference}");
        }
    }
}
