//! What an operator reads about a request that failed: the culprit is named, and no more of the request than that.

use std::error::Error;

use tidewire::{Config, Origins, ServerHandshake};

use support::handshake::{REQUEST, replaced, serve, with};

#[track_caller]
fn sentence(head: &str) -> String {
    let error = serve(Config::new(), &Origins::same(), head.as_bytes(), false).result.expect_err("refused");
    assert!(error.source().is_none(), "all of it is in the sentence");
    error.to_string()
}

#[test]
fn an_error_names_the_header_and_what_it_was() {
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    for (name, lines, expected) in [
        ("Host", "", "`Host` must stand once and name a host: it is missing"),
        ("Host", "Host: a\r\nHost: b\r\n", "`Host` must stand once and name a host: it is repeated"),
        ("Host", "Host: a b\r\n", r#"`Host` must stand once and name a host: it is "a b""#),
        ("Upgrade", "", "the request does not ask for WebSocket: `Upgrade` is missing"),
        (
            "Upgrade",
            "Upgrade: h2c\r\nUpgrade: IRC/6.9\r\n",
            r#"the request does not ask for WebSocket: `Upgrade` is "h2c, IRC/6.9""#,
        ),
        ("Upgrade", "Upgrade: websocket;\r\n", r#"`Upgrade` must be "websocket": it is "websocket;""#),
        ("Connection", "", r#"`Connection` must list "Upgrade": it is missing"#),
        (
            "Connection",
            "Connection: keep-alive\r\n",
            r#"`Connection` must list "Upgrade": it is "keep-alive""#,
        ),
        ("Sec-WebSocket-Version", "", r#"`Sec-WebSocket-Version` must be "13": it is missing"#),
        (
            "Sec-WebSocket-Version",
            "Sec-WebSocket-Version: 8\r\n",
            r#"`Sec-WebSocket-Version` must be "13": it is "8""#,
        ),
        (
            "Sec-WebSocket-Version",
            "Sec-WebSocket-Version: 013\r\n",
            r#"`Sec-WebSocket-Version` must be the number 13, and stand once: it is "013""#,
        ),
        (
            "Sec-WebSocket-Key",
            &format!("Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Key: {key}\r\n"),
            "`Sec-WebSocket-Key` must be 16 bytes in base64: it is repeated",
        ),
        (
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Key: \u{1f980}\r\n",
            "`Sec-WebSocket-Key` must be 16 bytes in base64: it is \"\u{1f980}\"",
        ),
    ] {
        assert_eq!(sentence(&replaced(REQUEST, name, lines)), expected);
    }
    for (lines, expected) in [
        (
            "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n",
            r#"`Sec-WebSocket-Protocol` must list different tokens: it is "a, a""#,
        ),
        (
            "Sec-WebSocket-Extensions: a;\r\n",
            r#"`Sec-WebSocket-Extensions` must list extensions with their parameters: it is "a;""#,
        ),
        (
            "Sec-WebSocket-Extensions:\r\n",
            r#"`Sec-WebSocket-Extensions` must list extensions with their parameters: it is """#,
        ),
        ("Content-Length: 4\r\n", r#"the request has a body, announced by "Content-Length: 4""#),
        (
            "Transfer-Encoding: chunked\r\n",
            r#"the request has a body, announced by "Transfer-Encoding: chunked""#,
        ),
    ] {
        assert_eq!(sentence(&with(REQUEST, lines)), expected);
    }
}

#[test]
fn an_error_names_the_origin_and_the_host() {
    let remedy = "behind a proxy that rewrites `Host`, it needs a list of origins";
    for (lines, shown) in [
        ("Origin: https://evil.net\r\n", r#""https://evil.net" at the host "server.example.com""#),
        ("Origin: null\r\n", r#""null" at the host "server.example.com""#),
        ("Origin: a\r\nOrigin: b\r\n", r#""a, b" at the host "server.example.com""#),
    ] {
        let expected = format!("the server does not allow the origin {shown}; {remedy}");
        assert_eq!(sentence(&with(REQUEST, lines)), expected);
    }
}

#[test]
fn an_error_names_the_method_the_version_the_target_and_the_limit() {
    for (from, to, expected) in [
        ("GET", "POST", r#"the method is "POST", not "GET""#),
        ("HTTP/1.1", "HTTP/1.0", r#"the HTTP version is "HTTP/1.0", not "HTTP/1.1""#),
        ("HTTP/1.1", "HTTP/2.0", r#"the HTTP version is "HTTP/2.0", not "HTTP/1.1""#),
        ("HTTP/1.1", "SPDY/3", r#"the HTTP head is malformed: it begins with "GET /chat SPDY/3""#),
        ("/chat", "chat", r#"the request-target "chat" is neither a path nor an http URI"#),
        // A query may hold a secret, whatever is wrong.
        ("/chat", "chat?secret", r#"the request-target "chat" is neither a path nor an http URI"#),
        ("/chat", "/chat?sec ret", r#"the HTTP head is malformed: it begins with "GET /chat""#),
    ] {
        assert_eq!(sentence(&with(&REQUEST.replace(from, to), "")), expected);
    }
    let config = Config::new().with_max_head_len(100).with_max_headers(2);
    for (head, expected) in [
        (
            format!("GET /{}", "a".repeat(100)),
            "the request line is longer than the limit of 100 bytes for the HTTP head",
        ),
        (
            format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(100)),
            "the HTTP head is longer than the limit of 100 bytes",
        ),
        ("GET / HTTP/1.1\r\nA:\r\nB:\r\nC:\r\n".into(), "the HTTP head has more headers than the limit of 2"),
    ] {
        let error = serve(config, &Origins::same(), head.as_bytes(), false).result.expect_err("refused");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn what_is_shown_is_short_and_harmless() {
    let line = format!("Connection: {}\r\n", "a\u{1b}".repeat(100).replace('\u{1b}', "\u{85}\u{202e}"));
    let shown = sentence(&replaced(REQUEST, "Connection", &line));
    assert_eq!(shown.matches(r"a\u{85}\u{202e}").count(), 21, "{shown}");
    assert!(shown.ends_with("\"a\"…") || shown.ends_with("a\"…"), "{shown}");
    assert!(shown.chars().all(|c| c.is_ascii_graphic() || c == ' ' || c == '…'), "{shown}");
    assert_eq!(sentence("\u{1b}[31m\"\n"), r#"the HTTP head is malformed: it begins with "\u{1b}[31m\"""#);
}

#[test]
fn a_client_that_speaks_tls_to_a_plain_port_is_noticed() {
    // The beginnings of a ClientHello, and of alerts.
    for record in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"[..],
        b"\x16\x03\x03\x00\xC8\x01\x00\x00\xC4\x03\x03",
        b"\x15\x03\x01\x00\x02\x02\x46",
    ] {
        let outcome = serve(Config::new(), &Origins::same(), record, false);
        assert_eq!(
            outcome.result.expect_err("refused").to_string(),
            "the peer perhaps speaks TLS: its first bytes are no HTTP head, but a TLS record"
        );
        assert_eq!(outcome.output, crate::server::answer("UnexpectedTls").into_bytes());
    }
    // Not the version of TLS, not a record that comes first, and not the first bytes.
    for other in [&b"\x16\x02\x01\x00"[..], b"\x17\x03\x01\x00", b"G\x16\x03\x01\x00"] {
        let outcome = serve(Config::new(), &Origins::same(), other, false);
        assert_eq!(support::handshake::failure(outcome.result), "MalformedHead");
    }
}

#[test]
fn what_an_application_asks_for_is_named() {
    let subprotocol =
        ServerHandshake::new(Config::new()).with_subprotocols(&["a", "b c"]).expect_err("no token");
    assert_eq!(subprotocol.to_string(), r#"the subprotocol "b c" is not a token"#);
    let request = || crate::server::accepted(&with(REQUEST, ""));
    for (answered, expected) in [
        (request().accept(Some("v9"), &[]), r#"the client does not offer the subprotocol "v9""#),
        (request().reject(200, &[], b""), "the status 200 does not refuse a connection"),
        (request().accept(None, &[("a b", "")]), r#"the header name "a b" is not a token"#),
        (
            request().accept(None, &[("Upgrade", "h2c")]),
            r#"the handshake itself writes the header "Upgrade""#,
        ),
        (
            request().accept(None, &[("Cookie", "secret\n")]),
            r#"the value of the header "Cookie" holds a control character"#,
        ),
    ] {
        let error = answered.expect_err("not sent");
        assert_eq!(error.to_string(), "the answer cannot be sent, so the client gets 500");
        assert_eq!(error.source().expect("the reason").to_string(), expected);
    }
}
