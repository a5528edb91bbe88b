//! What a client is told that is refused.

use tidewire::{ClientHandshake, Config, HandshakeError, Input, Timestamp};

use crate::client::{failed, opened, plain, refused};
use support::handshake::{NONCE, RESPONSE, connect, with};

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
fn a_refusal_may_be_in_http_1_0() {
    for status in [200, 403] {
        assert_eq!(refused(&format!("HTTP/1.0 {status} \r\n\r\n"), true).status(), status);
    }
}

#[test]
fn any_other_status_is_a_refusal() {
    let head = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\n";
    let response = refused(&format!("{head}helloand more"), false);
    assert_eq!((response.status(), response.body()), (401, &b"hello"[..]));
    assert_eq!(response.header("www-authenticate"), Some("Basic"));
    assert_eq!(response.subprotocol(), None);
    let error = HandshakeError::Refused(response.into());
    assert_eq!(
        (error.status(), error.to_string().as_str()),
        (Some(401), "the server answered with status 401: \"hello\"")
    );
    // The first line that says something, escaped and cut, or where to go instead.
    let long = "x".repeat(100);
    for (status, header, body, shown) in [
        (400, "A: b", "", ""),
        (400, "A: b", "\r\n \n", ""),
        (400, "A: b", "\r\nmissing \x1b[31msubprotocol\r\nmore", ": \"missing \\u{1b}[31msubprotocol\""),
        (400, "A: b", &long, &format!(": \"{}\"…", "x".repeat(64))),
        (301, "Location: wss://other/chat?token=secret", "moved", ", and names \"wss://other/chat\""),
    ] {
        let head = format!("HTTP/1.1 {status} \r\n{header}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let sentence = HandshakeError::Refused(refused(&head, false).into()).to_string();
        assert_eq!(sentence, format!("the server answered with status {status}{shown}"));
    }
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
        // RFC 9112 6.3: repeated, it still is one number.
        ("Content-Length: 3, 3", "abcd", false, "abc"),
        ("Content-Length: 3\r\nContent-Length: 03", "abcd", false, "abc"),
        ("Content-Length: 99999999999999999999999999", "abc", true, "abc"),
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
fn a_refusal_without_a_valid_length_is_discarded() {
    for lines in [
        "Content-Length: x",
        "Content-Length:",
        "Content-Length: +3",
        "Content-Length: -3",
        "Content-Length: 3,",
        "Content-Length: 3, 4",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 0x3",
        "Content-Length: \u{663}",
    ] {
        failed(&plain(), &format!("HTTP/1.1 400 Bad\r\n{lines}\r\n\r\nabc"), "InvalidContentLength");
        // RFC 9112 6.3: where it says nothing about the body, nobody looks at it.
        for status in ["204 None", "304 Not Modified", "400 Bad\r\nTransfer-Encoding: chunked"] {
            let head = format!("HTTP/1.1 {status}\r\n{lines}\r\n\r\n0\r\n\r\n");
            assert_eq!(refused(&head, false).body(), b"");
        }
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
fn a_refusal_of_the_version_tells_which_are_supported() {
    let head = "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8, 7\r\nsec-websocket-version: 25\r\n\
        Content-Length: 0\r\n\r\n";
    let response = refused(head, false);
    let is_version = |name: &str| name.eq_ignore_ascii_case("Sec-WebSocket-Version");
    let versions = response.headers().filter(|(name, _)| is_version(name)).map(|(_, value)| value);
    assert_eq!(versions.collect::<Vec<_>>(), [&b"8, 7"[..], b"25"]);
}

#[test]
fn interim_responses_are_skipped() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let response = opened(&plain(), &format!("{interim}{}", with(RESPONSE, "")));
    assert_eq!(response.header("link"), None);
    // All heads share the limit.
    failed(&plain(), &"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), "HeadTooLong");
    // Wherever the lines of the next one end.
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    for len in 0..40 {
        let response = RESPONSE.replace("Switching Protocols", &"x".repeat(len));
        opened(&plain(), &format!("{interim}{}", with(&response, "")));
    }
}
