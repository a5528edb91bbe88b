//! The client's part of the opening handshake: what it sends, and which responses open a connection (RFC 6455 3 and 4.1).

mod handshake;

use core::time::Duration;

use bytes::Buf;
use handshake::{NONCE, RESPONSE, connect, replaced, with};
use tidewire::{
    ClientHandshake, ClientRequest, Config, Event, HandshakeError, Input, InvalidRequest, Response, State,
    TimedOut, Timestamp, Uri,
};

fn plain() -> ClientRequest {
    ClientRequest::new("ws://server.example.com/chat").expect("valid")
}

fn sent(request: &ClientRequest) -> String {
    let mut handshake = ClientHandshake::new(Config::new(), request, NONCE, [7; 32]);
    String::from_utf8_lossy(handshake.output().chunk()).into_owned()
}

#[track_caller]
fn opened(request: &ClientRequest, head: &str) -> Response {
    let bytes = [head.as_bytes(), b"\x81\x02Hi"].concat();
    let outcome = connect(Config::new(), request, &bytes, false);
    assert_eq!(outcome.unread, b"\x81\x02Hi", "early frames stay in the input");
    let (connection, response) = outcome.result.expect("opened").expect("complete");
    assert_eq!(connection.state(), State::Open);
    assert_eq!(response.status(), 101);
    assert_eq!(response.body(), b"");
    response
}

/// Asserts the error, and that nothing is sent after the request.
#[track_caller]
fn failed(request: &ClientRequest, head: &str, error: HandshakeError) {
    let outcome = connect(Config::new(), request, &[head.as_bytes(), b"more"].concat(), false);
    assert_eq!(outcome.result.expect_err("failed"), error, "{head}");
    assert_eq!(outcome.output, b"");
}

#[track_caller]
fn refused(bytes: &str, eof: bool) -> Response {
    match connect(Config::new(), &plain(), bytes.as_bytes(), eof).result.expect_err("refused") {
        HandshakeError::Refused(response) => *response,
        other => panic!("unexpected {other:?}"),
    }
}

#[test]
fn the_request_of_rfc_6455_1_3_is_sent() {
    assert_eq!(
        sent(&plain()),
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    let request = plain()
        .with_header("Origin", "http://example.com")
        .and_then(|request| request.with_subprotocol("chat"))
        .and_then(|request| request.with_header("Cookie", "a=b\t; c=\"d\""))
        .and_then(|request| request.with_subprotocol("superchat"))
        .expect("valid");
    assert_eq!(
        sent(&request),
        with(
            handshake::REQUEST,
            "Sec-WebSocket-Protocol: chat, superchat\r\nOrigin: http://example.com\r\nCookie: a=b\t; c=\"d\"\r\n"
        )
    );
}

#[test]
fn a_uri_tells_where_to_connect_and_what_to_ask_for() {
    for (uri, secure, host, port, authority, resource_name) in [
        ("ws://example.com", false, "example.com", 80, "example.com", "/"),
        ("WSS://Example.com", true, "Example.com", 443, "Example.com", "/"),
        ("ws://h:80/a", false, "h", 80, "h", "/a"),
        ("wss://h:80/a", true, "h", 80, "h:80", "/a"),
        ("ws://h:443", false, "h", 443, "h:443", "/"),
        ("wss://h:00443", true, "h", 443, "h", "/"),
        ("ws://h:/a", false, "h", 80, "h", "/a"),
        ("ws://h:65535?q", false, "h", 65535, "h:65535", "/?q"),
        ("ws://h/a?", false, "h", 80, "h", "/a"),
        ("ws://h?", false, "h", 80, "h", "/"),
        ("ws://h/a??", false, "h", 80, "h", "/a??"),
        (
            "ws://h//a:b@c/%23;d=e?/?:@!$&'()*+,;=-._~",
            false,
            "h",
            80,
            "h",
            "//a:b@c/%23;d=e?/?:@!$&'()*+,;=-._~",
        ),
        ("ws://h/.well-known/../x", false, "h", 80, "h", "/.well-known/../x"),
        ("ws://[::1]", false, "::1", 80, "[::1]", "/"),
        ("ws://[2001:DB8::1.2.3.4]:81/", false, "2001:DB8::1.2.3.4", 81, "[2001:DB8::1.2.3.4]:81", "/"),
        ("ws://127.0.0.1:9001/", false, "127.0.0.1", 9001, "127.0.0.1:9001", "/"),
    ] {
        let parsed = Uri::try_from(uri).expect(uri);
        assert_eq!((parsed.is_secure(), parsed.host(), parsed.port()), (secure, host, port), "{uri}");
        assert_eq!((parsed.authority(), parsed.resource_name()), (authority, resource_name), "{uri}");
        assert_eq!(parsed.to_string().parse().as_ref(), Ok(&parsed));
        let request = ClientRequest::new(uri).expect(uri);
        assert_eq!(request.uri(), &parsed);
        assert!(
            sent(&request).starts_with(&format!("GET {resource_name} HTTP/1.1\r\nHost: {authority}\r\n"))
        );
    }
}

#[test]
fn an_invalid_uri_is_refused_before_anything_is_sent() {
    for (uri, error) in [
        ("", InvalidRequest::InvalidScheme),
        ("example.com", InvalidRequest::InvalidScheme),
        ("http://h/", InvalidRequest::InvalidScheme),
        ("ws:/h/", InvalidRequest::InvalidScheme),
        (" ws://h/", InvalidRequest::InvalidScheme),
        ("wsss://h/", InvalidRequest::InvalidScheme),
        ("ws://", InvalidRequest::InvalidHost),
        ("ws:///a", InvalidRequest::InvalidHost),
        ("ws://:80/", InvalidRequest::InvalidHost),
        ("ws://a b/", InvalidRequest::InvalidHost),
        ("ws://a\r\nX: y/", InvalidRequest::InvalidHost),
        ("ws://\u{e9}/", InvalidRequest::InvalidHost),
        ("ws://a%0/", InvalidRequest::InvalidHost),
        ("ws://a\\b/", InvalidRequest::InvalidHost),
        ("ws://::1/", InvalidRequest::InvalidHost),
        ("ws://[::1/", InvalidRequest::InvalidHost),
        ("ws://[::1%25eth0]/", InvalidRequest::InvalidHost),
        ("ws://[1.2.3.4]/", InvalidRequest::InvalidHost),
        ("ws://h:x/", InvalidRequest::InvalidPort),
        ("ws://h:+1/", InvalidRequest::InvalidPort),
        ("ws://h:65536/", InvalidRequest::InvalidPort),
        ("ws://h:0/", InvalidRequest::InvalidPort),
        ("ws://h:99999999999999999999/", InvalidRequest::InvalidPort),
        ("ws://h:1:2/", InvalidRequest::InvalidPort),
        ("ws://[::1]x/", InvalidRequest::InvalidPort),
        ("ws://u@h/", InvalidRequest::UnexpectedUserInfo),
        ("ws://u:p@h:80/", InvalidRequest::UnexpectedUserInfo),
        ("ws://h/#", InvalidRequest::UnexpectedFragment),
        ("ws://h#a", InvalidRequest::UnexpectedFragment),
        ("ws://h/a?b#c", InvalidRequest::UnexpectedFragment),
        ("ws://h/a b", InvalidRequest::InvalidResourceName),
        ("ws://h/ HTTP/1.1\r\nX: y", InvalidRequest::InvalidResourceName),
        ("ws://h/a\0", InvalidRequest::InvalidResourceName),
        ("ws://h/\u{e9}", InvalidRequest::InvalidResourceName),
        ("ws://h/?\u{e9}", InvalidRequest::InvalidResourceName),
        ("ws://h/%", InvalidRequest::InvalidResourceName),
        ("ws://h/%2", InvalidRequest::InvalidResourceName),
        ("ws://h/%gg", InvalidRequest::InvalidResourceName),
        ("ws://h/%\u{e9}", InvalidRequest::InvalidResourceName),
        ("ws://h/<a>", InvalidRequest::InvalidResourceName),
        ("ws://h/?a=\"b\"", InvalidRequest::InvalidResourceName),
        ("ws://h/a\\b", InvalidRequest::InvalidResourceName),
    ] {
        assert_eq!(ClientRequest::new(uri).err(), Some(error), "{uri:?}");
    }
}

#[test]
fn a_header_that_would_break_the_request_is_refused() {
    for (name, value, error) in [
        ("", "a", InvalidRequest::InvalidHeaderName),
        ("a ", "a", InvalidRequest::InvalidHeaderName),
        ("a:b", "a", InvalidRequest::InvalidHeaderName),
        ("a\r\nb", "a", InvalidRequest::InvalidHeaderName),
        ("\u{e9}", "a", InvalidRequest::InvalidHeaderName),
        ("a", "b\r\nc: d", InvalidRequest::InvalidHeaderValue),
        ("a", "b\rc", InvalidRequest::InvalidHeaderValue),
        ("a", "b\nc", InvalidRequest::InvalidHeaderValue),
        ("a", "\0", InvalidRequest::InvalidHeaderValue),
        ("a", "\u{1b}", InvalidRequest::InvalidHeaderValue),
        ("a", "\u{e9}", InvalidRequest::InvalidHeaderValue),
        ("origin", "b\r\n", InvalidRequest::InvalidHeaderValue),
        ("HOST", "a", InvalidRequest::ReservedHeader),
        ("upgrade", "a", InvalidRequest::ReservedHeader),
        ("Connection", "a", InvalidRequest::ReservedHeader),
        ("content-length", "0", InvalidRequest::ReservedHeader),
        ("Transfer-Encoding", "chunked", InvalidRequest::ReservedHeader),
        ("Sec-WebSocket-Key", "a", InvalidRequest::ReservedHeader),
        ("sec-websocket-extensions", "a", InvalidRequest::ReservedHeader),
        ("Sec-WebSocket-", "a", InvalidRequest::ReservedHeader),
    ] {
        assert_eq!(plain().with_header(name, value).err(), Some(error), "{name:?}: {value:?}");
    }
    let request = plain().with_header("Origin", "http://a").expect("valid");
    assert_eq!(request.with_header("ORIGIN", "http://b").err(), Some(InvalidRequest::RepeatedOrigin));
    assert!(plain().with_header("Sec-WebSocket", "a").is_ok());
}

#[test]
fn subprotocols_are_different_tokens() {
    for name in ["", "a b", "a,b", "a/b", "\"a\"", "a\r\nb", "\u{e9}", "a;", "a="] {
        assert_eq!(
            plain().with_subprotocol(name).err(),
            Some(InvalidRequest::InvalidSubprotocol),
            "{name:?}"
        );
    }
    let request = plain().with_subprotocol("v1.!#$%&'*+-^_`|~").expect("valid");
    assert_eq!(
        request.clone().with_subprotocol("v1.!#$%&'*+-^_`|~").err(),
        Some(InvalidRequest::RepeatedSubprotocol)
    );
    assert!(request.with_subprotocol("V1.!#$%&'*+-^_`|~").is_ok());
}

#[test]
fn a_valid_response_opens_the_connection() {
    let response = opened(&plain(), &with(RESPONSE, "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n"));
    assert_eq!(response.subprotocol(), None);
    assert_eq!(response.header("set-cookie"), Some(&b"a=b"[..]));
    assert_eq!(response.headers().filter(|(name, _)| *name == "Set-Cookie").count(), 2);
    opened(
        &plain(),
        "HTTP/1.1 101 \r\nsec-websocket-accept: \t s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t\r\n\
         CONNECTION: keep-alive, upgrade\r\nupgrade: WebSocket\r\nX: caf\u{e9}\r\n\r\n",
    );
    opened(&plain(), &replaced(RESPONSE, "Connection", "Connection: keep-alive\r\nConnection: Upgrade\r\n"));
}

#[test]
fn frames_that_came_with_the_response_are_received() {
    let mut handshake = ClientHandshake::new(Config::new(), &plain(), NONCE, [7; 32]);
    let mut input = Input::new();
    input.extend_from_slice(&[with(RESPONSE, "").as_bytes(), b"\x81\x02Hi"].concat());
    let (mut connection, _) = handshake.receive(&mut input).expect("valid").expect("complete");
    assert!(matches!(connection.receive(&mut input), Ok(Some(Event::Text(text))) if &*text == "Hi"));
    assert!(handshake.receive(&mut input).expect("once").is_none());
}

#[test]
fn what_is_left_of_the_request_is_sent_before_the_first_frame() {
    let mut handshake = ClientHandshake::new(Config::new(), &plain(), NONCE, [7; 32]);
    let len = handshake.output().len();
    handshake.output().advance(len - 2);
    let mut input = Input::new();
    input.extend_from_slice(with(RESPONSE, "").as_bytes());
    let (mut connection, _) = handshake.receive(&mut input).expect("valid").expect("complete");
    connection.send("Hi").expect("sent");
    assert!(connection.output().chunk().starts_with(b"\r\n\x81\x82"));
}

#[test]
fn a_malformed_response_fails() {
    for head in [
        "HTTP/1.1 101 Switching\n",
        "HTTP/1.1 101 Switching\rProtocols",
        "HTTP/1.1 101 A\r\nB: c\n",
        "\r\n",
        "\0",
        "HTTP/1.1 101\r\n\r\n",
        "HTTP/1.1 99 A\r\n\r\n",
        "HTTP/1.1 099 A\r\n\r\n",
        "HTTP/1.1 1010 A\r\n\r\n",
        "HTTP/1.1  101 A\r\n\r\n",
        "HTTP/1.1 101 A\x01\r\n\r\n",
        "HTTP/1.1 abc A\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1x 101 A\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
    ] {
        failed(&plain(), head, HandshakeError::MalformedHead);
    }
    for line in ["X : a", " X: a", "X: a\r\n b", ": a", "X", "X(: a", "X: \x01"] {
        failed(&plain(), &with(RESPONSE, &format!("{line}\r\n")), HandshakeError::MalformedHead);
    }
    for version in ["HTTP/1.0", "HTTP/2.0", "HTTP/1.2"] {
        failed(
            &plain(),
            &with(&RESPONSE.replace("HTTP/1.1", version), ""),
            HandshakeError::UnsupportedHttpVersion,
        );
    }
}

#[test]
fn upgrade_is_websocket_and_nothing_else() {
    for lines in [
        "",
        "Upgrade:\r\n",
        "Upgrade: h2c\r\n",
        "Upgrade: websocket, h2c\r\n",
        "Upgrade: websocket/13\r\n",
        "Upgrade: websocket\r\nUpgrade: h2c\r\n",
    ] {
        failed(&plain(), &replaced(RESPONSE, "Upgrade", lines), HandshakeError::InvalidUpgrade);
    }
}

#[test]
fn connection_contains_upgrade() {
    for lines in [
        "",
        "Connection:\r\n",
        "Connection: keep-alive\r\n",
        "Connection: Upgrades\r\n",
        "Connection: a Upgrade\r\n",
    ] {
        failed(&plain(), &replaced(RESPONSE, "Connection", lines), HandshakeError::InvalidConnection);
    }
}

#[test]
fn the_response_accepts_the_key_of_this_request() {
    for accept in [
        "",
        "s3pplmbitxaq9kygzzhzrbk+xoo=",
        "S3PPLMBITXAQ9KYGZZHZRBK+XOO=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo= a",
        "\"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\"",
        "dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        let line = format!("Sec-WebSocket-Accept: {accept}\r\n");
        failed(&plain(), &replaced(RESPONSE, "Sec-WebSocket-Accept", &line), HandshakeError::InvalidAccept);
    }
    failed(&plain(), &replaced(RESPONSE, "Sec-WebSocket-Accept", ""), HandshakeError::InvalidAccept);
    let again = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    failed(&plain(), &with(RESPONSE, again), HandshakeError::InvalidAccept);
}

#[test]
fn no_extension_is_accepted_that_was_not_offered() {
    for value in
        ["permessage-deflate", "permessage-deflate; server_max_window_bits=99", "", "\"", "constructor"]
    {
        let line = format!("Sec-WebSocket-Extensions: {value}\r\n");
        failed(&plain(), &with(RESPONSE, &line), HandshakeError::UnexpectedExtension);
    }
}

#[test]
fn the_subprotocol_is_one_that_was_offered() {
    let request =
        plain().with_subprotocol("a").and_then(|request| request.with_subprotocol("b")).expect("valid");
    let response = opened(&request, &with(RESPONSE, "Sec-WebSocket-Protocol: b\r\n"));
    assert_eq!(response.subprotocol(), Some("b"));
    assert_eq!(opened(&request, &with(RESPONSE, "")).subprotocol(), None);
    for value in [
        "",
        "c",
        "A",
        "a, b",
        "a,",
        "\"a\"",
        "a\r\nSec-WebSocket-Protocol: a",
        "a\r\nSec-WebSocket-Protocol:",
    ] {
        let line = format!("Sec-WebSocket-Protocol: {value}\r\n");
        failed(&request, &with(RESPONSE, &line), HandshakeError::UnexpectedSubprotocol);
    }
    failed(&plain(), &with(RESPONSE, "Sec-WebSocket-Protocol: a\r\n"), HandshakeError::UnexpectedSubprotocol);
}

#[test]
fn any_other_status_is_a_refusal() {
    let head = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\n";
    let response = refused(&format!("{head}helloand more"), false);
    assert_eq!((response.status(), response.body()), (401, &b"hello"[..]));
    assert_eq!(response.header("www-authenticate"), Some(&b"Basic"[..]));
    assert_eq!(response.subprotocol(), None);
    let error = HandshakeError::Refused(response.into());
    assert_eq!(
        (error.status(), error.to_string().as_str()),
        (Some(401), "the server answered with status 401")
    );
    for status in [200, 302, 404, 426, 500, 999] {
        // A refusal, even if all else is as it should be.
        let head = with(&RESPONSE.replace("101", &status.to_string()), "Content-Length: 0\r\n");
        assert_eq!(refused(&head, false).status(), status);
    }
    assert_eq!(refused("HTTP/1.0 503 \r\n\r\nbusy", true).body(), b"busy");
}

#[test]
fn the_body_of_a_refusal_ends_where_http_says() {
    let long = "x".repeat(5000);
    for (headers, body, eof, expected) in [
        ("Content-Length: 0", "", false, ""),
        ("Content-Length: 3", "abcd", false, "abc"),
        ("Content-Length: 3", "ab", true, "ab"),
        ("Content-Length: 99999999999999", &long, false, &long[..4096]),
        ("Content-Length: x", "abc", true, "abc"),
        ("A: b", "abc", true, "abc"),
        ("A: b", "", true, ""),
        ("A: b", &long, false, &long[..4096]),
        ("Transfer-Encoding: Chunked", "3\r\nabc\r\n002;x=\"y\"\r\nde\r\n0\r\nT: u\r\n\r\n", false, "abcde"),
        ("Transfer-Encoding: gzip, chunked\r\nContent-Length: 1", "1\r\na\r\n0\r\n\r\n", false, "a"),
        ("Transfer-Encoding: chunked", "3\r\nab", true, "ab"),
        ("Transfer-Encoding: chunked", "3\r\nabcd", false, "abc"),
        ("Transfer-Encoding: chunked", "x", false, ""),
        ("Transfer-Encoding: chunked", "ffffffffffffffff\r\nabc", true, "abc"),
        ("Transfer-Encoding: chunked", &format!("1;{long}\r\na"), false, ""),
        // The line with the size of a chunk has at most 64 bytes.
        ("Transfer-Encoding: chunked", &format!("1;{}\r\na\r\n0\r\n", &long[..60]), false, "a"),
        ("Transfer-Encoding: chunked", &format!("1;{}", &long[..62]), false, ""),
        ("Transfer-Encoding: chunked", &format!("1000\r\n{long}"), false, &long[..4096]),
        ("Transfer-Encoding: gzip\r\nContent-Length: 1", "abc", true, "abc"),
    ] {
        let response = refused(&format!("HTTP/1.1 400 Bad\r\n{headers}\r\n\r\n{body}"), eof);
        assert_eq!(response.body(), expected.as_bytes(), "{headers} {body}");
    }
    assert_eq!(refused("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", false).body(), b"");
    // More is to come.
    for waiting in
        ["Content-Length: 3\r\n\r\nab", &format!("Transfer-Encoding: chunked\r\n\r\n1;{}", &long[..61])]
    {
        let bytes = format!("HTTP/1.1 400 Bad\r\n{waiting}");
        assert!(matches!(connect(Config::new(), &plain(), bytes.as_bytes(), false).result, Ok(None)));
    }
}

#[test]
fn a_late_body_of_a_refusal_is_left_out() {
    let mut handshake = ClientHandshake::new(Config::new(), &plain(), NONCE, [7; 32]);
    let mut input = Input::new();
    input.extend_from_slice(b"HTTP/1.1 400 Bad\r\nContent-Length: 3\r\n\r\nab");
    let deadline = handshake.poll_timeout(Timestamp::default()).expect("on");
    assert!(handshake.receive(&mut input).expect("so far").is_none());
    assert_eq!(handshake.handle_timeout(deadline), Ok(()));
    let Err(HandshakeError::Refused(response)) = handshake.receive(&mut input) else { panic!("refused") };
    assert_eq!((response.status(), response.body()), (400, &b"ab"[..]));
    assert_eq!(handshake.poll_timeout(deadline), None);
}

#[test]
fn interim_responses_are_skipped() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let response = opened(&plain(), &format!("{interim}{}", with(RESPONSE, "")));
    assert_eq!(response.header("link"), None);
    // All heads share the limit.
    failed(&plain(), &"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), HandshakeError::HeadTooLong);
}

#[test]
fn the_head_of_a_response_is_limited_as_it_arrives() {
    let head = with(RESPONSE, "");
    let run = |config: Config, bytes: &str| {
        connect(config, &plain(), bytes.as_bytes(), false).result.map(|some| some.is_some())
    };
    let config = Config::new().with_max_head_len(head.len()).with_max_headers(3);
    assert_eq!(run(config, &head), Ok(true));
    assert_eq!(run(config.with_max_head_len(head.len() - 1), &head), Err(HandshakeError::HeadTooLong));
    assert_eq!(run(config.with_max_headers(2), RESPONSE), Err(HandshakeError::TooManyHeaders));
    let endless = format!("HTTP/1.1 101 {}", "a".repeat(16 << 10));
    assert_eq!(run(Config::new(), &endless), Err(HandshakeError::HeadTooLong));
}

#[test]
fn the_end_of_the_transport_before_the_end_of_the_head_is_an_error() {
    for len in [1, 20, RESPONSE.len()] {
        let outcome = connect(Config::new(), &plain(), &RESPONSE.as_bytes()[..len], true);
        assert_eq!(outcome.result.expect_err("failed"), HandshakeError::UnexpectedEof);
    }
}

#[test]
fn a_late_response_is_a_timeout() {
    let mut handshake = ClientHandshake::new(Config::new(), &plain(), NONCE, [7; 32]);
    let start = Timestamp::from_micros(5);
    let deadline = start + Duration::from_secs(10);
    assert_eq!(handshake.poll_timeout(start), Some(deadline));
    assert_eq!(handshake.poll_timeout(start + Duration::from_secs(9)), Some(deadline));
    assert_eq!(handshake.handle_timeout(start + Duration::from_secs(9)), Ok(()));
    assert_eq!(handshake.handle_timeout(deadline), Err(TimedOut::Open));
    assert_eq!(handshake.handle_timeout(deadline), Ok(()));
    assert_eq!(handshake.poll_timeout(deadline), None);
    let mut input = Input::new();
    input.extend_from_slice(with(RESPONSE, "").as_bytes());
    assert_eq!(handshake.receive(&mut input).expect_err("late"), HandshakeError::TimedOut);
}

#[test]
fn secrets_are_not_shown() {
    let request = ClientRequest::new("ws://h/chat?token=secret").expect("valid");
    let request = request.with_header("Authorization", "secret").expect("valid");
    let request = request.with_subprotocol("a").expect("valid");
    let handshake = ClientHandshake::new(Config::new(), &request, NONCE, [7; 32]);
    let response = opened(&request, &with(RESPONSE, "Set-Cookie: secret\r\n"));
    assert_eq!(format!("{:?}", request.uri()), "Uri(ws://h/chat)");
    assert_eq!(format!("{request:?}"), r#"ClientRequest { uri: Uri(ws://h/chat), subprotocols: ["a"], .. }"#);
    let config = Config::new();
    assert_eq!(
        format!("{handshake:?}"),
        format!(r#"ClientHandshake {{ config: {config:?}, subprotocols: ["a"], outcome: None, .. }}"#)
    );
    assert_eq!(format!("{response:?}"), "Response { status: 101, .. }");
    let secure = Uri::try_from("wss://h:81/?secret").expect("valid");
    assert_eq!(format!("{secure:?} {secure}"), "Uri(wss://h:81/) wss://h:81/?secret");
}

#[test]
fn nothing_follows_the_request_until_the_response_is_complete() {
    let mut handshake = ClientHandshake::new(Config::new(), &plain(), NONCE, [7; 32]);
    let len = handshake.output().len();
    handshake.output().advance(len);
    let head = with(RESPONSE, "");
    let mut input = Input::new();
    for (at, byte) in head.bytes().enumerate() {
        input.extend_from_slice(&[byte]);
        let opened = handshake.receive(&mut input).expect("valid");
        assert_eq!((opened.is_some(), handshake.output().len()), (at + 1 == head.len(), 0), "{at}");
        if let Some((mut connection, _)) = opened {
            assert_eq!(connection.output().len(), 0);
        }
    }
}

#[test]
fn every_byte_of_what_a_client_asks_for_is_checked() {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    // RFC 3986 3.3 and 3.4; a percent sign needs two digits, and a number sign begins a fragment.
    let is_in_uri = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?".contains(c);
    for c in ('\0'..='\u{ff}').chain(['\u{17f}', '\u{212a}', '\u{ff41}', '\u{1f980}']) {
        let subprotocol = plain().with_subprotocol(&format!("x{c}y")).err();
        assert_eq!(subprotocol, (!is_token(c)).then_some(InvalidRequest::InvalidSubprotocol), "{c:?}");
        let name = plain().with_header(&format!("x{c}y"), "").err();
        assert_eq!(name, (!is_token(c)).then_some(InvalidRequest::InvalidHeaderName), "{c:?}");
        let value = plain().with_header("x", &format!("x{c}y")).err();
        let is_text = c == '\t' || (' '..='~').contains(&c);
        assert_eq!(value, (!is_text).then_some(InvalidRequest::InvalidHeaderValue), "{c:?}");
        let uri = ClientRequest::new(&format!("ws://h/x{c}y")).err();
        let error =
            if c == '#' { InvalidRequest::UnexpectedFragment } else { InvalidRequest::InvalidResourceName };
        assert_eq!(uri, (!is_in_uri(c)).then_some(error), "{c:?}");
    }
}

#[test]
fn every_status_but_101_opens_nothing() {
    for status in 100..=999 {
        // All else is as it should be.
        let head = with(&RESPONSE.replace("101", &status.to_string()), "Content-Length: 0\r\n");
        let result = connect(Config::new(), &plain(), head.as_bytes(), false).result;
        match (status, result) {
            (101, Ok(Some(_))) | (100 | 102..=199, Ok(None)) => {}
            (200.., Err(HandshakeError::Refused(response))) => assert_eq!(response.status(), status),
            (_, other) => panic!("{status}: {:?}", other.map(|opened| opened.is_some())),
        }
    }
}

#[test]
fn every_character_of_the_accept_value_counts() {
    let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    for at in 0..accept.len() {
        for replacement in *b"aAzZ09+/= " {
            let mut wrong = accept.as_bytes().to_vec();
            if wrong[at] == replacement {
                continue;
            }
            wrong[at] = replacement;
            let wrong = String::from_utf8(wrong).expect("ASCII");
            let line = format!("Sec-WebSocket-Accept: {wrong}\r\n");
            let head = replaced(RESPONSE, "Sec-WebSocket-Accept", &line);
            failed(&plain(), &head, HandshakeError::InvalidAccept);
        }
    }
}

#[test]
fn headers_that_decide_are_utf8() {
    let request = plain().with_subprotocol("a").expect("valid");
    for (name, value, error) in [
        ("Upgrade", "websocket", HandshakeError::InvalidUpgrade),
        ("Connection", "Upgrade, ", HandshakeError::InvalidConnection),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", HandshakeError::InvalidAccept),
        ("Sec-WebSocket-Protocol", "a", HandshakeError::UnexpectedSubprotocol),
        ("Sec-WebSocket-Extensions", "a", HandshakeError::UnexpectedExtension),
    ] {
        let is_in_head = RESPONSE.contains(&format!("{name}:"));
        let head = if is_in_head { replaced(RESPONSE, name, "") } else { with(RESPONSE, "") };
        let head = &head.as_bytes()[..head.len() - 2];
        for wrong in [b"\xE2\x82".as_slice(), b"\xFF"] {
            let line = [name.as_bytes(), b": ", value.as_bytes(), wrong, b"\r\n\r\n"].concat();
            let outcome = connect(Config::new(), &request, &[head, &line].concat(), false);
            assert_eq!(outcome.result.expect_err("failed"), error);
            assert_eq!(outcome.output, b"");
        }
    }
}

#[test]
fn every_byte_in_a_response_has_one_outcome() {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_text = |byte: u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
    let check = |before: &str, after: &str, byte: u8, is_valid: bool, error: HandshakeError| {
        let head = [before.as_bytes(), &[byte], after.as_bytes()].concat();
        let result = connect(Config::new(), &plain(), &head, false).result.map(|opened| opened.is_some());
        let expected = if is_valid { Ok(true) } else { Err(error) };
        assert_eq!(result, expected, "{byte:#04x} between {before:?} and {after:?}");
    };
    let after_status = &with(RESPONSE, "")["HTTP/1.1 101 Sw".len()..];
    for byte in 0..=u8::MAX {
        check("HTTP/1.1 101 S", after_status, byte, is_text(byte), HandshakeError::MalformedHead);
        let is_name = is_token(byte) || byte == b':';
        check(&format!("{RESPONSE}A"), "B: c\r\n\r\n", byte, is_name, HandshakeError::MalformedHead);
        check(&format!("{RESPONSE}A: b"), "c\r\n\r\n", byte, is_text(byte), HandshakeError::MalformedHead);
        if is_text(byte) {
            let is_list = is_token(byte) || byte == b',';
            let before = format!("{RESPONSE}Connection: a");
            check(&before, "b\r\n\r\n", byte, is_list, HandshakeError::InvalidConnection);
            let before = format!("{RESPONSE}Upgrade: a");
            check(&before, "b\r\n\r\n", byte, false, HandshakeError::InvalidUpgrade);
        }
    }
}

#[test]
fn a_refusal_of_the_version_tells_which_are_supported() {
    let head = "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8, 7\r\nsec-websocket-version: 25\r\n\
        Content-Length: 0\r\n\r\n";
    let response = refused(head, false);
    let is_version = |name: &str| name.eq_ignore_ascii_case("Sec-WebSocket-Version");
    let versions = response.headers().filter(|(name, _)| is_version(name)).map(|(_, value)| value);
    assert_eq!(versions.collect::<Vec<_>>(), [&b"8, 7"[..], b"25"]);
}
