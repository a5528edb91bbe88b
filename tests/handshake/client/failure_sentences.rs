//! What somebody reads whose connection failed: the culprit is named.

use std::error::Error;

use tidewire::{ClientRequest, Config};

use crate::client::plain;
use support::handshake::{RESPONSE, connect, failure, replaced, with};

#[track_caller]
fn sentence(bytes: &[u8]) -> String {
    let request = plain().with_subprotocol("v1").expect("a token");
    let error = connect(Config::new(), &request, bytes, false).result.expect_err("failed");
    assert!(error.source().is_none(), "all of it is in the sentence");
    error.to_string()
}

#[test]
fn an_error_names_the_header_and_what_it_was() {
    let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    for (name, lines, expected) in [
        ("Upgrade", "", r#"`Upgrade` must be "websocket": it is missing"#),
        ("Upgrade", "Upgrade: h2c\r\n", r#"`Upgrade` must be "websocket": it is "h2c""#),
        (
            "Connection",
            "Connection: keep-alive\r\n",
            r#"`Connection` must list "Upgrade": it is "keep-alive""#,
        ),
        ("Sec-WebSocket-Accept", "", "`Sec-WebSocket-Accept` must answer the client's key: it is missing"),
        (
            "Sec-WebSocket-Accept",
            &format!("Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Accept: {accept}\r\n"),
            "`Sec-WebSocket-Accept` must answer the client's key: it is repeated",
        ),
        (
            "Sec-WebSocket-Accept",
            "Sec-WebSocket-Accept: AAAA\r\n",
            r#"`Sec-WebSocket-Accept` must answer the client's key: it is "AAAA""#,
        ),
    ] {
        assert_eq!(sentence(replaced(RESPONSE, name, lines).as_bytes()), expected);
    }
    for (lines, expected) in [
        ("Sec-WebSocket-Protocol: v2\r\n", r#"the server chose the subprotocol "v2", which was not offered"#),
        (
            "Sec-WebSocket-Protocol: v1\r\nSec-WebSocket-Protocol: v2\r\n",
            r#"the server chose the subprotocol "v1, v2", which was not offered"#,
        ),
        (
            "Sec-WebSocket-Extensions: x-none\r\n",
            r#"the server chose the extension "x-none", which was not offered"#,
        ),
    ] {
        assert_eq!(sentence(with(RESPONSE, lines).as_bytes()), expected);
    }
}

#[test]
fn an_error_shows_the_version_the_limit_and_what_is_no_head() {
    assert_eq!(
        sentence(with(&RESPONSE.replace("HTTP/1.1", "HTTP/1.0"), "").as_bytes()),
        r#"the HTTP version is "HTTP/1.0", not "HTTP/1.1""#
    );
    assert_eq!(
        sentence(b"SSH-2.0-OpenSSH_9.0\r\n\r\n"),
        r#"the HTTP head is malformed: it begins with "SSH-2.0-OpenSSH_9.0""#
    );
    assert_eq!(
        sentence(b"HTTP/1.1 403 No\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        r#"`Content-Length` must be one number: it is "1, 2""#
    );
    // Interim responses share the limit, which is the one that is told.
    let many = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
    assert_eq!(sentence(many.as_bytes()), "the HTTP head is longer than the limit of 16384 bytes");
}

#[test]
fn a_server_that_speaks_tls_on_a_plain_connection_is_noticed() {
    // Alerts, which most servers send for a plain request, and the beginning of a ServerHello.
    for record in [
        &b"\x15\x03\x01\x00\x02\x02\x46"[..],
        b"\x15\x03\x03\x00\x02\x02\x0A",
        b"\x16\x03\x03\x00\x7A\x02\x00\x00\x76\x03\x03",
    ] {
        assert_eq!(
            sentence(record),
            "the peer perhaps speaks TLS: its first bytes are no HTTP head, but a TLS record"
        );
    }
    assert_eq!(failure(connect(Config::new(), &plain(), b"\x14\x03\x03\x00", false).result), "MalformedHead");
}

#[test]
fn what_must_not_be_asked_for_is_named() {
    for (uri, expected) in [
        ("http://h/", r#"the URI begins with "http", not with "ws://" or "wss://""#),
        ("h.example/secret", r#"the URI begins with "h.example", not with "ws://" or "wss://""#),
        ("ws://a b/", r#"the host in the URI is missing or malformed: it is "a b""#),
        ("ws:///", r#"the host in the URI is missing or malformed: it is """#),
        ("ws://h:65536/", r#"the port in the URI must be from 1 to 65535: it is "65536""#),
        ("ws://u:secret@h/", "the URI holds a user name, which belongs into an `Authorization` header"),
        ("ws://h/#a", "the URI has a fragment: a \"#\" in it is written as \"%23\""),
        ("ws://h/?secret=\u{e9}", "the URI's path or query holds '\u{e9}', which must be percent-encoded"),
        ("ws://h/a%2", "the URI's path or query holds '%', which must be percent-encoded"),
        ("ws://h/a%2g", "the URI's path or query holds '%', which must be percent-encoded"),
        ("ws://h/a%g2", "the URI's path or query holds '%', which must be percent-encoded"),
        ("ws://h/a\n", r"the URI's path or query holds '\n', which must be percent-encoded"),
    ] {
        assert_eq!(ClientRequest::new(uri).expect_err(uri).to_string(), expected);
    }
    let request =
        plain().with_subprotocol("v1").and_then(|request| request.with_header("Origin", "http://a"));
    let request = || request.clone().expect("valid");
    for (result, expected) in [
        (request().with_header("a b", ""), r#"the header name "a b" is not a token"#),
        (
            request().with_header("Cookie", "secret\0"),
            r#"the value of the header "Cookie" holds a control character"#,
        ),
        (request().with_header("host", "h"), r#"the handshake itself writes the header "host""#),
        (request().with_header("Origin", "http://b"), "`Origin` is set already, and must not be repeated"),
        (request().with_subprotocol("v 2"), r#"the subprotocol "v 2" is not a token"#),
        (request().with_subprotocol("v1"), r#"the subprotocol "v1" is offered already"#),
    ] {
        assert_eq!(result.expect_err("refused").to_string(), expected);
    }
}
