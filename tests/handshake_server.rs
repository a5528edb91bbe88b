//! The server's part of the opening handshake: what it accepts, what it refuses, and with which answer (RFC 6455 4.2).

mod handshake;

use core::time::Duration;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Buf;
use handshake::{REQUEST, drain, replaced, serve, with};
use tidewire::{
    Config, Event, HandshakeError, Input, InvalidResponse, Origins, Request, ServerHandshake, State,
    TimedOut, Timestamp, Transport, accept_key,
};

#[track_caller]
fn accepted(head: &str) -> Request {
    let bytes = [head.as_bytes(), b"\x81\x80then"].concat();
    let outcome = serve(Config::new(), &Origins::SameOrigin, &bytes, false);
    assert_eq!(outcome.unread, b"\x81\x80then", "early frames stay in the input");
    assert_eq!(outcome.output, b"", "the answer is the application's");
    outcome.result.expect("accepted").expect("complete")
}

#[track_caller]
fn refused(head: &str, error: HandshakeError) {
    refused_by(Config::new(), head, error);
}

/// Asserts the error, and all of the answer.
#[track_caller]
fn refused_by(config: Config, head: &str, error: HandshakeError) {
    let outcome = serve(config, &Origins::SameOrigin, &[head.as_bytes(), b"more"].concat(), false);
    assert_eq!(outcome.result.expect_err("refused"), error, "{head}");
    assert_eq!(String::from_utf8_lossy(&outcome.output), answer(&error));
}

fn answer(error: &HandshakeError) -> String {
    let (status_line, headers) = match error.status() {
        Some(400) => ("400 Bad Request", ""),
        Some(403) => ("403 Forbidden", ""),
        Some(405) => ("405 Method Not Allowed", "Allow: GET\r\n"),
        Some(408) => ("408 Request Timeout", ""),
        Some(426) => (
            "426 Upgrade Required",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        ),
        Some(431) => ("431 Request Header Fields Too Large", ""),
        Some(505) => ("505 HTTP Version Not Supported", ""),
        other => panic!("unexpected {other:?}"),
    };
    let body = format!("{error}\n");
    let len = body.len();
    format!(
        "HTTP/1.1 {status_line}\r\nConnection: close\r\nContent-Length: {len}\r\nContent-Type: text/plain\r\n{headers}\r\n{body}"
    )
}

#[test]
fn the_example_of_rfc_6455_1_3_is_accepted() {
    assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let request = accepted(&with(
        REQUEST,
        "Origin: http://server.example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n",
    ));
    assert_eq!(request.target(), "/chat");
    assert_eq!(request.host(), "server.example.com");
    assert_eq!(request.origin(), Some("http://server.example.com"));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["chat", "superchat"]);
    let mut connection = request.accept(Some("chat"), &[]).expect("accepted");
    assert_eq!(
        String::from_utf8_lossy(&drain(&mut connection)),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    );
    assert_eq!(connection.state(), State::Open);
}

#[test]
fn frames_follow_the_answer_in_the_same_output() {
    let mut connection =
        accepted(&with(REQUEST, "")).accept(None, &[("Set-Cookie", "a=b")]).expect("accepted");
    connection.send("Hello").expect("sent");
    assert!(drain(&mut connection).ends_with(b"xOo=\r\nSet-Cookie: a=b\r\n\r\n\x81\x05Hello"));
}

#[test]
fn frames_that_came_with_the_request_are_received() {
    let mut input = Input::new();
    input.extend_from_slice(&[with(REQUEST, "").as_bytes(), b"\x81\x82\0\0\0\0Hi"].concat());
    let mut handshake = ServerHandshake::new(Config::new());
    let request = handshake.receive(&mut input).expect("valid").expect("complete");
    assert!(handshake.receive(&mut input).expect("once").is_none());
    let mut connection = request.accept(None, &[]).expect("accepted");
    assert!(matches!(connection.receive(&mut input), Ok(Some(Event::Text(text))) if &*text == "Hi"));
}

#[test]
fn header_names_and_tokens_are_compared_without_regard_to_case_and_order() {
    let request = accepted(
        "GET / HTTP/1.1\r\nsec-websocket-version:13\r\nSEC-WEBSOCKET-KEY:\t dGhlIHNhbXBsZSBub25jZQ== \t\r\n\
         connection: keep-alive , uPGRADE,\r\nUPGRADE: WebSocket\r\nhOST: h\r\nx-other:\r\n\r\n",
    );
    assert_eq!(request.header("X-OTHER"), Some(&b""[..]));
    assert_eq!(request.header("x-missing"), None);
    assert_eq!(request.headers().next(), Some(("sec-websocket-version", &b"13"[..])));
}

#[test]
fn lists_go_on_over_repeated_headers() {
    accepted(&replaced(REQUEST, "Connection", "Connection: keep-alive\r\nConnection: x, upgrade\r\n"));
    accepted(&replaced(REQUEST, "Upgrade", "Upgrade: h2c, foo/1\r\nUpgrade: websocket\r\n"));
    let request =
        accepted(&with(REQUEST, "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: ,b ,\tc\r\n"));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn a_head_that_breaks_the_grammar_is_refused() {
    for head in [
        // Line ends, at once: nothing has to follow.
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.1\rHost",
        "GET / HTTP/1.1\r\r",
        "GET / HTTP/1.1\r\nHost: h\n",
        "GET / HTTP/1.1\r\nHost: h\r\n\n",
        "\r\n",
        "\n",
        "GET /\0",
        "GET / HTTP/1.1\r\nHost: \0",
        // The request line.
        "GET  / HTTP/1.1\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n",
        "GET /\t HTTP/1.1\r\n\r\n",
        "GET /\u{7f} HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET / HTTP/1.x\r\n\r\n",
        "GET / http/1.1\r\n\r\n",
        "GET / HTTP/11\r\n\r\n",
        "GET / \r\n\r\n",
        "GET /\r\n\r\n",
        "GET\r\n\r\n",
        " GET / HTTP/1.1\r\n\r\n",
        "G(T / HTTP/1.1\r\n\r\n",
        "GET HTTP/1.1\r\n\r\n",
    ] {
        refused(head, HandshakeError::MalformedHead);
    }
    for line in [
        "X : a",
        " X: a",
        "X: a\r\n b",
        "X: a\r\n\tb",
        ": a",
        "X",
        "X(: a",
        "X: \x01",
        "X: \x7f",
        "X\u{e9}: a",
    ] {
        refused(&with(REQUEST, &format!("{line}\r\n")), HandshakeError::MalformedHead);
        refused(&format!("GET / HTTP/1.1\r\n{line}\r\n\r\n"), HandshakeError::MalformedHead);
    }
}

#[test]
fn values_of_other_headers_may_hold_any_text() {
    let request = accepted(&with(REQUEST, "Cookie: caf\u{e9}=\"(a);\"\r\n"));
    assert_eq!(request.header("cookie"), Some("caf\u{e9}=\"(a);\"".as_bytes()));
}

#[test]
fn only_get_and_http_1_1_are_supported() {
    for method in ["POST", "HEAD", "OPTIONS", "get", "GE", "GETS", "CONNECT"] {
        refused(&with(&REQUEST.replace("GET", method), ""), HandshakeError::MethodNotGet);
    }
    for version in ["HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTP/3.0"] {
        refused(&with(&REQUEST.replace("HTTP/1.1", version), ""), HandshakeError::UnsupportedHttpVersion);
    }
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HandshakeError::UnsupportedHttpVersion);
}

#[test]
fn the_target_is_a_path_or_an_absolute_http_uri() {
    for (target, resource_name, path, host) in [
        ("/", "/", "/", "server.example.com"),
        ("//a/../b?c?d", "//a/../b?c?d", "//a/../b", "server.example.com"),
        ("/%0d%0a%zz%", "/%0d%0a%zz%", "/%0d%0a%zz%", "server.example.com"),
        ("/a[]^|{}`\\'?", "/a[]^|{}`\\'", "/a[]^|{}`\\'", "server.example.com"),
        ("http://other:81", "/", "/", "other:81"),
        ("HTTPS://other?a", "/?a", "/", "other"),
        ("http://[::1]/a?b", "/a?b", "/a", "[::1]"),
    ] {
        let request = accepted(&with(&REQUEST.replace("/chat", target), ""));
        assert_eq!(request.target(), resource_name);
        assert_eq!(request.path(), path);
        assert_eq!(request.host(), host);
    }
    for target in [
        "*",
        "server.example.com:80",
        "chat",
        "?a",
        "/#",
        "/<script>",
        "/\"",
        "/\u{e9}",
        "ftp://h/",
        "ws://h/",
        "http:///a",
        "http://user@h/",
        "http://h:x/",
        "http:/h",
    ] {
        refused(&with(&REQUEST.replace("/chat", target), ""), HandshakeError::InvalidTarget);
    }
}

#[test]
fn host_stands_once_and_is_valid() {
    for host in ["h", "a-b.example", "1.2.3.4:8080", "[::1]", "[2001:db8::1]:65535", "h:", "a%20b", "H_1"] {
        assert_eq!(accepted(&replaced(REQUEST, "Host", &format!("Host: {host}\r\n"))).host(), host);
    }
    refused(&replaced(REQUEST, "Host", ""), HandshakeError::InvalidHost);
    refused(&with(REQUEST, "Host: server.example.com\r\n"), HandshakeError::InvalidHost);
    for host in [
        "", ":80", "[::", "[::1", "::1", "[g::1]", "[::1]x", "[::1]80", "[v1.a]", "[]", "a b", "a/b", "a?b",
        "a#b", "a@b", "a,b@", "h:x", "h:+80", "h:65536", "h:0", "h:80:80", "h%", "h%2", "h%gg", "\u{e9}",
        "a\\b", "a<b",
    ] {
        refused(&replaced(REQUEST, "Host", &format!("Host: {host}\r\n")), HandshakeError::InvalidHost);
    }
}

#[test]
fn a_request_with_a_body_is_refused() {
    accepted(&with(REQUEST, "Content-Length: 0\r\n"));
    for line in [
        "Content-Length: 4",
        "Content-Length: 00",
        "Content-Length:",
        "Content-Length: -1",
        "Content-Length: 0, 0",
        "Content-Length: 0\r\nContent-Length: 4",
        "Transfer-Encoding: chunked",
        "transfer-encoding: identity",
        "Transfer-Encoding:",
    ] {
        refused(&with(REQUEST, &format!("{line}\r\n")), HandshakeError::RequestBody);
    }
}

#[test]
fn upgrade_contains_websocket() {
    for lines in [
        "",
        "Upgrade:\r\n",
        "Upgrade: h2c\r\n",
        "Upgrade: websockets\r\n",
        "Upgrade: web socket\r\n",
        "Upgrade: websocket/13\r\n",
        "Upgrade: \"websocket\"\r\n",
        "Upgrade: websocket, a b\r\n",
        "Upgrade: websocket, /\r\n",
        "Upgrade: websocket, a/\r\n",
        "Upgrade: websocket, /1\r\n",
        "Upgrade: websocket; a\r\n",
        "Upgrade: websocket, \u{e9}\r\n",
    ] {
        refused(&replaced(REQUEST, "Upgrade", lines), HandshakeError::InvalidUpgrade);
    }
}

#[test]
fn connection_contains_upgrade() {
    for lines in [
        "",
        "Connection:\r\n",
        "Connection: close\r\n",
        "Connection: Upgrade-Insecure\r\n",
        "Connection: \"Upgrade\"\r\n",
        "Connection: Upgrade; a\r\n",
        "Connection: Upgrade, a/1\r\n",
    ] {
        refused(&replaced(REQUEST, "Connection", lines), HandshakeError::InvalidConnection);
    }
}

#[test]
fn other_versions_are_told_the_supported_one() {
    refused(&replaced(REQUEST, "Sec-WebSocket-Version", ""), HandshakeError::UnsupportedVersion);
    for version in ["0", "8", "12", "14", "99", "100", "255"] {
        let line = format!("Sec-WebSocket-Version: {version}\r\n");
        refused(&replaced(REQUEST, "Sec-WebSocket-Version", &line), HandshakeError::UnsupportedVersion);
    }
    // Drafts without a version, whose key is another.
    let hixie = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key1: 1 2\r\n\r\n";
    refused(hixie, HandshakeError::UnsupportedVersion);
}

#[test]
fn malformed_versions_are_refused() {
    for version in ["", "013", "00", "+13", "-1", "256", "1000", "13.0", "13, 8", "x", "1 3", "\u{e9}"] {
        let line = format!("Sec-WebSocket-Version: {version}\r\n");
        refused(&replaced(REQUEST, "Sec-WebSocket-Version", &line), HandshakeError::InvalidVersion);
    }
    refused(&with(REQUEST, "Sec-WebSocket-Version: 13\r\n"), HandshakeError::InvalidVersion);
}

#[test]
fn the_key_stands_once_and_is_16_bytes_of_base64() {
    // RFC 6455 4.1 and its erratum 3150: pad bits that are not zero.
    accepted(&replaced(REQUEST, "Sec-WebSocket-Key", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==\r\n"));
    refused(&replaced(REQUEST, "Sec-WebSocket-Key", ""), HandshakeError::InvalidKey);
    refused(&with(REQUEST, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), HandshakeError::InvalidKey);
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZWE=",
        "dGhlIHNhbXBsZSBub25jZWFh",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25j====",
        "dGhlIHNhbXBsZSB-b25jZQ==",
        "dGhlIHNhbXBs ZSBub25jZQ==",
        "=GhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ==, a",
        "\u{e9}GhlIHNhbXBsZSBub25jZQ==",
    ] {
        let line = format!("Sec-WebSocket-Key: {key}\r\n");
        refused(&replaced(REQUEST, "Sec-WebSocket-Key", &line), HandshakeError::InvalidKey);
    }
}

#[test]
fn subprotocols_are_different_tokens() {
    for value in [
        "",
        ",",
        " , ,",
        "a b",
        "a,a",
        "\"a\"",
        "a;b",
        "a/b",
        "a, b, a",
        "\u{e9}",
        "a\r\nSec-WebSocket-Protocol: a",
    ] {
        let line = format!("Sec-WebSocket-Protocol: {value}\r\n");
        refused(&with(REQUEST, &line), HandshakeError::InvalidSubprotocols);
    }
    assert_eq!(accepted(&with(REQUEST, "Sec-WebSocket-Protocol: a, A\r\n")).subprotocols().count(), 2);
    assert_eq!(accepted(&with(REQUEST, "")).subprotocols().count(), 0);
}

#[test]
fn extensions_follow_their_grammar_and_none_is_accepted() {
    for value in [
        "foo",
        "permessage-deflate; client_max_window_bits",
        "a;b=c;d=\"e\" , f ; g = \"h\\i\"",
        ",constructor,,__proto__;constructor=1,",
        "a\r\nSec-WebSocket-Extensions:\r\nSec-WebSocket-Extensions: b; c",
    ] {
        let request = accepted(&with(REQUEST, &format!("Sec-WebSocket-Extensions: {value}\r\n")));
        let answer = drain(&mut request.accept(None, &[]).expect("accepted"));
        assert!(!String::from_utf8_lossy(&answer).contains("Extensions"));
    }
    for value in [
        "",
        ",",
        "a b",
        "a;",
        "a;;b",
        "a=b",
        ";a",
        "a;b=",
        "a;b=,c",
        "a;b=\"",
        "a;b=\"\"",
        "a;b=\"c d\"",
        "a;b=\"c\"d",
        "a;b=c d",
        "a;b=\"\\\"",
        "a;b=\"\\\\\"",
        "a;b=\"c\\\\d\"",
        "a;b=\"\\\"\"",
        "a,\"b\"",
        "\u{e9}",
        "a;b=\"\u{e9}\"",
        "a;b=c=d",
        "a,;b",
    ] {
        let line = format!("Sec-WebSocket-Extensions: {value}\r\n");
        refused(&with(REQUEST, &line), HandshakeError::InvalidExtensions);
    }
}

#[test]
fn hostile_lists_are_read_in_linear_time() {
    let unclosed = format!("Sec-WebSocket-Extensions: a; b=\"{}\r\n", "\\c".repeat(1 << 17));
    let spaces = format!("Sec-WebSocket-Protocol: b{}x\r\n", " ".repeat(1 << 18));
    let empty = format!("Sec-WebSocket-Extensions: {}\r\n", ",".repeat(1 << 18));
    let many = format!("Sec-WebSocket-Extensions: {}a;\r\n", "a;b=\"\\c\",".repeat(1 << 15));
    let names: String = (0..1 << 15).map(|number| format!("{number},")).collect();
    let repeated = format!("Sec-WebSocket-Protocol: {names}7\r\n");
    for (line, error) in [
        (unclosed, HandshakeError::InvalidExtensions),
        (spaces, HandshakeError::InvalidSubprotocols),
        (empty, HandshakeError::InvalidExtensions),
        (many, HandshakeError::InvalidExtensions),
        (repeated, HandshakeError::InvalidSubprotocols),
    ] {
        let mut input = Input::new();
        input.extend_from_slice(with(REQUEST, &line).as_bytes());
        let mut handshake = ServerHandshake::new(Config::new().with_max_head_len(1 << 20));
        assert_eq!(handshake.receive(&mut input).expect_err("refused"), error);
    }
}

#[test]
fn the_length_of_the_head_is_limited_as_it_arrives() {
    let head = with(REQUEST, "");
    let config = Config::new().with_max_head_len(head.len());
    assert!(matches!(serve(config, &Origins::SameOrigin, head.as_bytes(), false).result, Ok(Some(_))));
    refused_by(config.with_max_head_len(head.len() - 1), &head, HandshakeError::HeadTooLong);
    refused_by(Config::new(), &format!("GET /{}", "a".repeat(16 << 10)), HandshakeError::HeadTooLong);
    refused_by(Config::new().with_max_head_len(0), "G", HandshakeError::HeadTooLong);
}

#[test]
fn the_number_of_headers_is_limited_as_they_arrive() {
    let config = Config::new().with_max_headers(6);
    let head = with(REQUEST, "A:\r\n");
    assert!(matches!(serve(config, &Origins::SameOrigin, head.as_bytes(), false).result, Ok(Some(_))));
    refused_by(config, &format!("{REQUEST}A:\r\nB:\r\n"), HandshakeError::TooManyHeaders);
    refused(&format!("GET / HTTP/1.1\r\n{}", "a:b\r\n".repeat(101)), HandshakeError::TooManyHeaders);
    // None of the headers beyond the limit is dropped, and none of them decides.
    let filler = "a:b\r\n".repeat(2000);
    refused(&format!("GET / HTTP/1.1\r\n{filler}Upgrade: websocket\r\n\r\n"), HandshakeError::TooManyHeaders);
}

#[test]
fn a_foreign_origin_is_answered_with_403() {
    refused(&with(REQUEST, "Origin: https://evil.net\r\n"), HandshakeError::OriginNotAllowed);
    let same = "Origin: http://server.example.com\r\n";
    refused(&with(REQUEST, &same.repeat(2)), HandshakeError::OriginNotAllowed);
    let absolute = REQUEST.replace("/chat", "http://other/");
    refused(&with(&absolute, same), HandshakeError::OriginNotAllowed);
    accepted(&with(&absolute, "Origin: http://other\r\n"));
}

#[test]
fn nothing_of_a_request_is_reflected() {
    let head = "GET /<secret> HTTP/1.1\r\nHost: <secret>\r\nX: <secret>\r\n\r\n";
    let outcome = serve(Config::new(), &Origins::SameOrigin, head.as_bytes(), false);
    assert!(!String::from_utf8_lossy(&outcome.output).contains("secret"));
    let request = accepted(&with(&REQUEST.replace("/chat", "/chat?secret"), "Cookie: secret\r\n"));
    assert_eq!(format!("{request:?}"), r#"Request { host: "server.example.com", path: "/chat", .. }"#);
    let config = Config::new();
    let mut handshake = ServerHandshake::new(config).with_origins(Origins::Any);
    let shown = format!("ServerHandshake {{ config: {config:?}, origins: Any, outcome: None, .. }}");
    assert_eq!(format!("{handshake:?}"), shown);
    let mut input = Input::new();
    input.extend_from_slice(head.as_bytes());
    handshake.receive(&mut input).expect_err("refused");
    assert_eq!(format!("{handshake:?}"), shown.replace("outcome: None", "outcome: Some(Err(InvalidHost))"));
}

#[test]
fn the_end_of_the_transport_before_the_end_of_the_head_is_an_error() {
    let head = with(REQUEST, "");
    for len in [1, 20, head.len() - 1] {
        let outcome = serve(Config::new(), &Origins::SameOrigin, &head.as_bytes()[..len], true);
        assert_eq!(outcome.result.expect_err("refused"), HandshakeError::UnexpectedEof);
        assert_eq!(outcome.output, b"");
    }
    assert!(matches!(serve(Config::new(), &Origins::SameOrigin, head.as_bytes(), true).result, Ok(Some(_))));
    let mut input = Input::new();
    input.set_eof();
    assert_eq!(
        ServerHandshake::new(Config::new()).receive(&mut input).expect_err("refused"),
        HandshakeError::UnexpectedEof
    );
}

#[test]
fn an_incomplete_head_waits() {
    let outcome = serve(Config::new(), &Origins::SameOrigin, REQUEST.as_bytes(), false);
    assert!(matches!(outcome.result, Ok(None)));
}

#[test]
fn a_late_request_is_answered_with_408() {
    let config = Config::new().with_open_timeout(Duration::from_secs(3));
    let mut handshake = ServerHandshake::new(config);
    let start = Timestamp::from_micros(5);
    let deadline = start + Duration::from_secs(3);
    assert_eq!(handshake.poll_timeout(start), Some(deadline));
    let mut input = Input::new();
    input.extend_from_slice(REQUEST.as_bytes());
    assert!(handshake.receive(&mut input).expect("so far").is_none());
    // Bytes that arrive do not move the deadline.
    assert_eq!(handshake.poll_timeout(start + Duration::from_secs(2)), Some(deadline));
    assert_eq!(handshake.handle_timeout(start + Duration::from_secs(2)), Ok(()));
    assert_eq!(handshake.handle_timeout(deadline), Err(TimedOut::Open));
    assert_eq!(handshake.poll_timeout(deadline), None);
    assert_eq!(handshake.handle_timeout(deadline), Ok(()));
    input.extend_from_slice(b"\r\n");
    assert_eq!(handshake.receive(&mut input).expect_err("late"), HandshakeError::TimedOut);
    assert_eq!(drain(&mut handshake.into_refusal()), answer(&HandshakeError::TimedOut).into_bytes());
}

#[test]
fn a_request_in_time_ends_the_deadline() {
    let mut handshake = ServerHandshake::new(Config::new());
    let deadline = handshake.poll_timeout(Timestamp::default()).expect("on");
    let mut input = Input::new();
    input.extend_from_slice(with(REQUEST, "").as_bytes());
    assert!(handshake.receive(&mut input).expect("valid").is_some());
    assert_eq!(handshake.poll_timeout(deadline), None);
    assert_eq!(handshake.handle_timeout(deadline), Ok(()));
    let mut endless = ServerHandshake::new(Config::new().with_open_timeout(None));
    assert_eq!(endless.poll_timeout(Timestamp::default()), None);
}

#[test]
fn a_refusal_is_delivered_before_the_transport_is_closed() {
    let mut input = Input::new();
    input.extend_from_slice(b"POST / HTTP/1.1\r\n\r\nbody");
    let mut handshake = ServerHandshake::new(Config::new());
    assert_eq!(handshake.receive(&mut input).expect_err("refused"), HandshakeError::MethodNotGet);
    let answer = handshake.output().chunk().to_vec();
    let mut connection = handshake.into_refusal();
    assert_eq!(drain(&mut connection), answer);
    assert_eq!(connection.transport_action(), Transport::ShutdownWrite);
    input.extend_from_slice(b"\x81\x80then");
    assert!(matches!(connection.receive(&mut input), Ok(None)));
    assert_eq!(input.unread(), b"");
    input.set_eof();
    assert!(matches!(connection.receive(&mut input), Ok(None)));
    assert_eq!(connection.transport_action(), Transport::Close);
    assert_eq!(drain(&mut connection), b"");
}

#[test]
fn an_application_rejects_with_an_answer_of_its_own() {
    let request = accepted(&with(REQUEST, ""));
    let mut connection =
        request.reject(401, &[("WWW-Authenticate", "Basic realm=\"x\"")], b"who are you?").expect("rejected");
    assert_eq!(
        String::from_utf8_lossy(&drain(&mut connection)),
        "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 12\r\n\
         WWW-Authenticate: Basic realm=\"x\"\r\n\r\nwho are you?"
    );
    assert_eq!(connection.transport_action(), Transport::ShutdownWrite);
    assert!(connection.send("Hello").is_err());
    let mut connection = request.reject(599, &[], b"").expect("rejected");
    assert_eq!(drain(&mut connection), b"HTTP/1.1 599 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    for status in [0, 100, 101, 200, 299, 304, 600, u16::MAX] {
        assert_eq!(request.reject(status, &[], b"").err(), Some(InvalidResponse::InvalidStatus), "{status}");
    }
}

#[test]
fn a_refusal_names_its_status_if_the_name_is_known() {
    let request = accepted(&with(REQUEST, ""));
    for status in (300..=599).filter(|&status| status != 304) {
        let name = match status {
            301 => "Moved Permanently",
            302 => "Found",
            303 => "See Other",
            307 => "Temporary Redirect",
            308 => "Permanent Redirect",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            426 => "Upgrade Required",
            429 => "Too Many Requests",
            431 => "Request Header Fields Too Large",
            500 => "Internal Server Error",
            503 => "Service Unavailable",
            505 => "HTTP Version Not Supported",
            _ => "",
        };
        let answer = drain(&mut request.reject(status, &[], b"").expect("rejected"));
        // RFC 9112 4: the space stands also where no name follows.
        let expected = format!("HTTP/1.1 {status} {name}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(String::from_utf8_lossy(&answer), expected);
    }
}

#[test]
fn an_answer_holds_no_header_that_would_break_it() {
    let request = accepted(&with(REQUEST, ""));
    for (name, value, error) in [
        ("", "a", InvalidResponse::InvalidHeaderName),
        ("a b", "a", InvalidResponse::InvalidHeaderName),
        ("a:", "a", InvalidResponse::InvalidHeaderName),
        ("a\r\nb", "a", InvalidResponse::InvalidHeaderName),
        ("\u{e9}", "a", InvalidResponse::InvalidHeaderName),
        ("a", "b\r\nc: d", InvalidResponse::InvalidHeaderValue),
        ("a", "b\nc", InvalidResponse::InvalidHeaderValue),
        ("a", "b\0", InvalidResponse::InvalidHeaderValue),
        ("a", "\x7f", InvalidResponse::InvalidHeaderValue),
        ("a", "\u{e9}", InvalidResponse::InvalidHeaderValue),
        ("upgrade", "a", InvalidResponse::ReservedHeader),
        ("CONNECTION", "a", InvalidResponse::ReservedHeader),
        ("Content-Length", "4", InvalidResponse::ReservedHeader),
        ("Transfer-Encoding", "chunked", InvalidResponse::ReservedHeader),
        ("sec-websocket-accept", "a", InvalidResponse::ReservedHeader),
        ("Sec-WebSocket-Extensions", "a", InvalidResponse::ReservedHeader),
        ("Sec-WebSocket-Anything", "a", InvalidResponse::ReservedHeader),
    ] {
        assert_eq!(
            request.accept(None, &[("Ok", "1"), (name, value)]).err(),
            Some(error),
            "{name:?}: {value:?}"
        );
        assert_eq!(request.reject(404, &[("Ok", "1"), (name, value)], b"").err(), Some(error));
    }
}

#[test]
fn the_subprotocol_is_one_that_the_client_offers() {
    let request =
        accepted(&with(REQUEST, "Sec-WebSocket-Protocol: soap, wamp\r\nSec-WebSocket-Protocol: mqtt\r\n"));
    assert_eq!(request.choose_subprotocol(&["mqtt", "soap"]), Some("mqtt"));
    assert_eq!(request.choose_subprotocol(&["MQTT", "wamp"]), Some("wamp"));
    assert_eq!(request.choose_subprotocol(&["other"]), None);
    assert_eq!(request.choose_subprotocol(&[]), None);
    for subprotocol in ["other", "", "SOAP", "soap, wamp", "a\r\nb: c"] {
        assert_eq!(request.accept(Some(subprotocol), &[]).err(), Some(InvalidResponse::UnofferedSubprotocol));
    }
    // RFC 6455 4.2.2: without one there is no header, not even an empty one.
    let answer = drain(&mut request.accept(None, &[]).expect("accepted"));
    assert!(!String::from_utf8_lossy(&answer).contains("Protocol:"));
}

/// RFC 9110 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What comes of a request with each byte between two pieces of it, which is the same under every chunking.
fn with_every_byte(before: &str, after: &str, expected: impl Fn(u8) -> Result<(), HandshakeError>) {
    for byte in 0..=u8::MAX {
        let head = [before.as_bytes(), &[byte], after.as_bytes()].concat();
        let result = serve(Config::new(), &Origins::SameOrigin, &head, false).result;
        let result =
            result.map(|request| assert!(request.is_some(), "{byte:#04x} between {before:?} and {after:?}"));
        assert_eq!(result, expected(byte), "{byte:#04x} between {before:?} and {after:?}");
    }
}

#[test]
fn every_byte_in_a_request_line_has_one_outcome() {
    let after_method = &REQUEST["GET".len()..];
    with_every_byte("G", &with(&format!("T{after_method}"), ""), |byte| match byte {
        b'E' => Ok(()),
        _ if is_token_byte(byte) => Err(HandshakeError::MethodNotGet),
        _ => Err(HandshakeError::MalformedHead),
    });
    let after_target = &REQUEST["GET /chat".len()..];
    with_every_byte("GET /c", &with(&format!("t{after_target}"), ""), |byte| match byte {
        b'"' | b'#' | b'<' | b'>' => Err(HandshakeError::InvalidTarget),
        b'!'..=b'~' => Ok(()),
        _ => Err(HandshakeError::MalformedHead),
    });
    let after_version = &REQUEST["GET /chat HTTP/1.1".len()..];
    with_every_byte("GET /chat HTTP/1.", &with(after_version, ""), |byte| match byte {
        b'1' => Ok(()),
        b'0'..=b'9' => Err(HandshakeError::UnsupportedHttpVersion),
        _ => Err(HandshakeError::MalformedHead),
    });
}

#[test]
fn every_byte_in_a_header_has_one_outcome() {
    with_every_byte(&format!("{REQUEST}A"), "B: c\r\n\r\n", |byte| {
        if is_token_byte(byte) || byte == b':' { Ok(()) } else { Err(HandshakeError::MalformedHead) }
    });
    with_every_byte(&format!("{REQUEST}A: b"), "c\r\n\r\n", |byte| match byte {
        b'\t' | b' '..=b'~' | 0x80.. => Ok(()),
        _ => Err(HandshakeError::MalformedHead),
    });
}

#[test]
fn every_byte_in_a_list_has_one_outcome() {
    // Each with the separators that may stand there as well.
    for (before, after, separators, error) in [
        ("Upgrade: a", "b", ",/", HandshakeError::InvalidUpgrade),
        ("Connection: a", "b", ",", HandshakeError::InvalidConnection),
        ("Sec-WebSocket-Protocol: a", "b", ",", HandshakeError::InvalidSubprotocols),
        ("Sec-WebSocket-Extensions: a", "b", ",;", HandshakeError::InvalidExtensions),
        ("Sec-WebSocket-Extensions: x;a", "b", ",;=", HandshakeError::InvalidExtensions),
        ("Sec-WebSocket-Extensions: x;y=a", "b", ",;", HandshakeError::InvalidExtensions),
        ("Sec-WebSocket-Extensions: x;y=\"a", "b\"", "\\", HandshakeError::InvalidExtensions),
    ] {
        with_every_byte(&format!("{REQUEST}{before}"), &format!("{after}\r\n\r\n"), |byte| match byte {
            _ if is_token_byte(byte) || separators.as_bytes().contains(&byte) => Ok(()),
            b'\t' | b' '..=b'~' | 0x80.. => Err(error.clone()),
            _ => Err(HandshakeError::MalformedHead),
        });
    }
}

#[test]
fn headers_that_decide_are_utf8() {
    for (name, value, error) in [
        ("Host", "server.example.com", HandshakeError::InvalidHost),
        ("Upgrade", "websocket, ", HandshakeError::InvalidUpgrade),
        ("Connection", "Upgrade, ", HandshakeError::InvalidConnection),
        ("Sec-WebSocket-Version", "13", HandshakeError::InvalidVersion),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", HandshakeError::InvalidKey),
        ("Sec-WebSocket-Protocol", "a", HandshakeError::InvalidSubprotocols),
        ("Sec-WebSocket-Extensions", "a", HandshakeError::InvalidExtensions),
        ("Origin", "http://server.example.com", HandshakeError::OriginNotAllowed),
    ] {
        let is_in_head = REQUEST.contains(&format!("{name}:"));
        let head = if is_in_head { replaced(REQUEST, name, "") } else { with(REQUEST, "") };
        let head = &head.as_bytes()[..head.len() - 2];
        // The beginning of a character without its end.
        for wrong in [b"\xE2\x82".as_slice(), b"\xFF"] {
            let line = [name.as_bytes(), b": ", value.as_bytes(), wrong, b"\r\n\r\n"].concat();
            for origins in [Origins::SameOrigin, Origins::Any] {
                let outcome = serve(Config::new(), &origins, &[head, &line].concat(), false);
                assert_eq!(outcome.result.expect_err("refused"), error);
                assert_eq!(outcome.output, answer(&error).into_bytes());
            }
        }
    }
}

#[test]
fn every_version_but_13_is_unsupported_and_every_other_number_is_none() {
    for number in 0..=300 {
        let request = |version: &str| {
            replaced(REQUEST, "Sec-WebSocket-Version", &format!("Sec-WebSocket-Version: {version}\r\n"))
        };
        match number {
            13 => drop(accepted(&request("13"))),
            // RFC 6455 4.3: from 0 to 255, without leading zeros.
            0..=255 => refused(&request(&number.to_string()), HandshakeError::UnsupportedVersion),
            _ => refused(&request(&number.to_string()), HandshakeError::InvalidVersion),
        }
        refused(&request(&format!("0{number}")), HandshakeError::InvalidVersion);
    }
}

#[test]
fn a_key_of_any_length_but_16_bytes_is_refused() {
    let request =
        |key: &str| replaced(REQUEST, "Sec-WebSocket-Key", &format!("Sec-WebSocket-Key: {key}\r\n"));
    for len in 0..=48 {
        let key = Base64Display::new(&[0x5A; 48][..len], &STANDARD).to_string();
        match len {
            16 => drop(accepted(&request(&key))),
            _ => refused(&request(&key), HandshakeError::InvalidKey),
        }
    }
}

#[test]
fn a_key_is_answered_as_it_was_sent_whatever_its_pad_bits() {
    let mut answers = Vec::new();
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".chars() {
        let key = format!("AQIDBAUGBwgJCgsMDQ4PE{last}==");
        let line = format!("Sec-WebSocket-Key: {key}\r\n");
        let request = accepted(&replaced(REQUEST, "Sec-WebSocket-Key", &line));
        let answer = drain(&mut request.accept(None, &[]).expect("accepted"));
        let accept = format!("\r\nSec-WebSocket-Accept: {}\r\n\r\n", accept_key(&key));
        assert!(answer.ends_with(accept.as_bytes()), "{key}");
        answers.push(answer);
    }
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 64, "the text of the key counts, not the bytes that it stands for");
}
