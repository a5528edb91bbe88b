//! What the opening handshake allocates, and what a connection keeps of it.

use core::mem::size_of;

use support::counting::Meter;
use support::handshake::{NONCE, REQUEST, RESPONSE, with};
use tidewire::{ClientHandshake, ClientRequest, Config, Input, Request, Response, ServerHandshake};

fn input(bytes: &str) -> Input {
    let mut input = Input::new();
    input.extend_from_slice(bytes.as_bytes());
    input
}

/// Asserts how many blocks a request takes. What stays is its head, the host, the target and the subprotocol.
#[track_caller]
fn received(head: &str, allocations: usize) -> Request {
    let mut input = input(head);
    let meter = Meter::new();
    let request = ServerHandshake::new(Config::new()).receive(&mut input).expect("valid").expect("complete");
    let kept = [request.host(), request.target(), request.subprotocol().unwrap_or_default()];
    let kept_len = head.len() + kept.map(str::len).iter().sum::<usize>();
    assert_eq!((meter.allocations(), meter.retained()), (allocations, kept_len));
    request
}

/// Asserts that the answer to a request is one more block, of its own length, and all that stays.
#[track_caller]
fn accepted(head: &str, allocations: usize, subprotocol: Option<&str>, headers: &[(&str, &str)]) {
    let mut input = input(head);
    let meter = Meter::new();
    let request = ServerHandshake::new(Config::new()).receive(&mut input).expect("valid").expect("complete");
    let mut connection = request.accept(subprotocol, headers).expect("accepted");
    assert_eq!((meter.allocations(), meter.retained()), (allocations + 1, connection.output().len()));
}

#[test]
fn what_is_kept_is_small() {
    assert!(size_of::<Request>() <= size_of::<Config>() + 112, "{}", size_of::<Request>());
    assert!(size_of::<Response>() <= 48, "{}", size_of::<Response>());
}

#[test]
fn a_server_allocates_the_head_the_host_the_target_and_the_answer() {
    let head = with(REQUEST, "Origin: http://server.example.com\r\nCookie: a=b\r\n");
    received(&head, 3);
    accepted(&head, 3, None, &[]);
    accepted(&head, 3, None, &[("Server", "tides"), ("Set-Cookie", "")]);
}

#[test]
fn subprotocols_are_compared_in_two_more_blocks() {
    let head = with(REQUEST, "Sec-WebSocket-Protocol: a, b, c\r\n");
    received(&head, 5);
    accepted(&head, 5, Some("c"), &[("Server", "tides")]);
}

#[test]
fn only_unusually_many_headers_take_memory_while_they_are_checked() {
    let filler = |lines: usize| "A: b\r\n".repeat(lines - REQUEST.lines().count());
    assert_eq!(received(&with(REQUEST, &filler(32)), 3).headers().count(), 31);
    assert_eq!(received(&with(REQUEST, &filler(33)), 4).headers().count(), 32);
}

#[test]
fn an_absolute_uri_takes_no_more_than_a_path() {
    for (target, host, resource_name) in [
        ("http://other", "other", "/"),
        ("http://other?", "other", "/"),
        ("https://other:81?a?", "other:81", "/?a?"),
        ("http://[::1]/?", "[::1]", "/"),
        ("http://other/a:b?c", "other", "/a:b?c"),
    ] {
        let head = with(&REQUEST.replace("/chat", target), "");
        let request = received(&head, 3);
        assert_eq!((request.host(), request.target()), (host, resource_name));
        assert_eq!(request.headers().next(), Some(("Host", &b"server.example.com"[..])));
        accepted(&head, 3, None, &[]);
    }
}

#[test]
fn a_client_allocates_the_request_the_head_and_the_seed_of_its_keys() {
    let request = ClientRequest::new("ws://server.example.com/chat").expect("valid");
    let head = with(RESPONSE, "Server: tides\r\n");
    // Of an interim response nothing is kept.
    for interim in ["", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"] {
        let mut input = input(&format!("{interim}{head}"));
        let meter = Meter::new();
        let mut handshake = ClientHandshake::new(Config::new(), &request, NONCE, [7; 32]);
        assert_eq!((meter.allocations(), meter.retained()), (1, handshake.output().len()));
        let request_len = handshake.output().len();
        let opened = handshake.receive(&mut input).expect("valid").expect("complete");
        drop(handshake);
        let seed_len = 32;
        assert_eq!((meter.allocations(), meter.retained()), (3, request_len + head.len() + seed_len));
        drop(opened);
    }
}
