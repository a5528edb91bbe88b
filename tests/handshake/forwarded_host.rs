//! `X-Forwarded-Host` in place of `Host`, for servers that ask for it.

use support::handshake::{REQUEST, failure, serve, with};
use tidewire::{Config, Origins};

/// How a page at `https://example.com` is refused behind a proxy that sends these lines, if it is.
fn knock(origins: &Origins, lines: &[u8]) -> String {
    let head = with(REQUEST, "Origin: https://example.com\r\n");
    let head = [&head.as_bytes()[..head.len() - 2], lines, b"\r\n"].concat();
    failure(serve(Config::new(), origins, &head, false).result)
}

#[test]
fn a_forwarded_host_counts_only_when_it_is_asked_for() {
    let line = b"X-Forwarded-Host: example.com\r\n";
    assert_eq!(knock(&Origins::same_forwarded(), line), "nothing");
    assert_eq!(knock(&Origins::same_forwarded(), b"x-forwarded-host:EXAMPLE.com:443\r\n"), "nothing");
    assert_eq!(knock(&Origins::same(), line), "OriginNotAllowed");
    let list = Origins::list(&["https://other.example"]).expect("valid");
    assert_eq!(knock(&list, line), "OriginNotAllowed");
    // The host that the request names is told as it is.
    let head = with(REQUEST, "X-Forwarded-Host: example.com\r\n");
    let outcome = serve(Config::new(), &Origins::same_forwarded(), head.as_bytes(), false);
    assert_eq!(outcome.result.expect("valid").expect("complete").host(), "server.example.com");
}

#[test]
fn without_a_forwarded_host_the_host_counts() {
    let from = |origin: &str| {
        let head = with(REQUEST, &format!("Origin: {origin}\r\n"));
        failure(serve(Config::new(), &Origins::same_forwarded(), head.as_bytes(), false).result)
    };
    assert_eq!(from("http://server.example.com"), "nothing");
    assert_eq!(from("http://example.com"), "OriginNotAllowed");
}

#[test]
fn the_nearest_proxy_adds_the_last_value() {
    for (lines, expected) in [
        ("X-Forwarded-Host: evil.net, example.com\r\n", "nothing"),
        ("X-Forwarded-Host: evil.net\r\nX-Forwarded-Host: example.com\r\n", "nothing"),
        ("X-Forwarded-Host: a, b\r\nX-Forwarded-Host: c,\texample.com ,\r\n", "nothing"),
        // What the client says of itself stands before it.
        ("X-Forwarded-Host: example.com, evil.net\r\n", "OriginNotAllowed"),
        ("X-Forwarded-Host: example.com\r\nX-Forwarded-Host: evil.net\r\n", "OriginNotAllowed"),
        ("X-Forwarded-Host: evil.net\r\nX-Forwarded-Host: example.com, internal\r\n", "OriginNotAllowed"),
    ] {
        assert_eq!(knock(&Origins::same_forwarded(), lines.as_bytes()), expected, "{lines}");
    }
}

#[test]
fn a_hostile_forwarded_host_lets_nobody_in() {
    for value in [
        &b""[..],
        b",",
        b" , ,",
        b"example.com/",
        b"https://example.com",
        b"example.com:8443",
        b"example.com:80",
        b"example.com.",
        b"user@example.com",
        b"example.com example.com",
        b"example.com;evil.net",
        b"\"example.com\"",
        b"*",
        b"null",
        b"example.com\xFF",
        b"caf\xE9, \xE2\x82",
        b"[::1",
    ] {
        let line = [b"X-Forwarded-Host: ", value, b"\r\n"].concat();
        let shown = String::from_utf8_lossy(&line);
        assert_eq!(knock(&Origins::same_forwarded(), &line), "OriginNotAllowed", "{shown}");
        // Nor does an empty line bring back the host before it.
        let lines = [b"X-Forwarded-Host: example.com\r\n", &line[..]].concat();
        assert_eq!(knock(&Origins::same_forwarded(), &lines), "OriginNotAllowed", "{shown}");
    }
}
