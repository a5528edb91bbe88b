//! How long a request may be and how long it may take (RFC 6455 10.4).

use core::time::Duration;

use tidewire::{Config, Input, Origins, ServerHandshake, TimedOut, Timestamp};

use crate::server::{accepted, answer, refused, refused_by};
use support::handshake::{REQUEST, drain, failure, serve, with};

#[test]
fn hostile_lists_are_read_in_linear_time() {
    let unclosed = format!("Sec-WebSocket-Extensions: a; b=\"{}\r\n", "\\c".repeat(1 << 17));
    let spaces = format!("Sec-WebSocket-Protocol: b{}x\r\n", " ".repeat(1 << 18));
    let empty = format!("Sec-WebSocket-Extensions: {}\r\n", ",".repeat(1 << 18));
    let many = format!("Sec-WebSocket-Extensions: {}a;\r\n", "a;b=\"\\c\",".repeat(1 << 15));
    let names: String = (0..1 << 15).map(|number| format!("{number},")).collect();
    let repeated = format!("Sec-WebSocket-Protocol: {names}7\r\n");
    for (line, error) in [
        (unclosed, "InvalidExtensions"),
        (spaces, "InvalidSubprotocols"),
        (empty, "InvalidExtensions"),
        (many, "InvalidExtensions"),
        (repeated, "InvalidSubprotocols"),
    ] {
        let mut input = Input::new();
        input.extend_from_slice(with(REQUEST, &line).as_bytes());
        let mut handshake = ServerHandshake::new(Config::new().with_max_head_len(1 << 20));
        assert_eq!(failure(handshake.receive(&mut input)), error);
    }
}

#[test]
fn the_length_of_the_head_is_limited_as_it_arrives() {
    let head = with(REQUEST, "");
    let config = Config::new().with_max_head_len(head.len());
    assert!(matches!(serve(config, &Origins::same(), head.as_bytes(), false).result, Ok(Some(_))));
    refused_by(config.with_max_head_len(head.len() - 1), &head, "HeadTooLong");
    refused_by(Config::new().with_max_head_len(head.len() / 2), &head, "HeadTooLong");
}

#[test]
fn a_request_line_beyond_the_limit_is_too_long_for_its_target() {
    let line = |len: usize| format!("GET /{} HTTP/1.1\r\n", "a".repeat(len - "GET / HTTP/1.1\r\n".len()));
    // RFC 9112 3: lines of 8000 bytes at least are supported.
    accepted(&format!("{}{}", line(8002), &with(REQUEST, "")["GET /chat HTTP/1.1\r\n".len()..]));
    let config = Config::new().with_max_head_len(100);
    refused_by(config, &line(100), "HeadTooLong");
    refused_by(config, &line(101), "RequestLineTooLong");
    refused_by(Config::new(), &format!("GET /{}", "a".repeat(16 << 10)), "RequestLineTooLong");
    refused_by(Config::new().with_max_head_len(0), "G", "RequestLineTooLong");
}

#[test]
fn the_number_of_headers_is_limited_as_they_arrive() {
    let config = Config::new().with_max_headers(6);
    let head = with(REQUEST, "A:\r\n");
    assert!(matches!(serve(config, &Origins::same(), head.as_bytes(), false).result, Ok(Some(_))));
    refused_by(config, &format!("{REQUEST}A:\r\nB:\r\n"), "TooManyHeaders");
    refused(&format!("GET / HTTP/1.1\r\n{}", "a:b\r\n".repeat(101)), "TooManyHeaders");
    // None of the headers beyond the limit is dropped, and none of them decides.
    let filler = "a:b\r\n".repeat(2000);
    refused(&format!("GET / HTTP/1.1\r\n{filler}Upgrade: websocket\r\n\r\n"), "TooManyHeaders");
}

#[test]
fn the_end_of_the_transport_before_the_end_of_the_head_is_an_error() {
    let head = with(REQUEST, "");
    for len in [1, 20, head.len() - 1] {
        let outcome = serve(Config::new(), &Origins::same(), &head.as_bytes()[..len], true);
        assert_eq!(failure(outcome.result), "UnexpectedEof");
        assert_eq!(outcome.output, b"");
    }
    assert!(matches!(serve(Config::new(), &Origins::same(), head.as_bytes(), true).result, Ok(Some(_))));
    let mut input = Input::new();
    input.set_eof();
    assert_eq!(failure(ServerHandshake::new(Config::new()).receive(&mut input)), "UnexpectedEof");
}

#[test]
fn an_incomplete_head_waits() {
    let outcome = serve(Config::new(), &Origins::same(), REQUEST.as_bytes(), false);
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
    assert_eq!(failure(handshake.receive(&mut input)), "TimedOut");
    assert_eq!(drain(&mut handshake.into_refusal()), answer("TimedOut").into_bytes());
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
