//! The client's handshake against the server's, and both against arbitrary bytes.

use bytes::Buf;
use proptest::prelude::*;
use support::handshake::{self, NONCE, RESPONSE, chunkings, connect};
use tidewire::{ClientHandshake, ClientRequest, Config, HandshakeError, Input, Origins, ServerHandshake};

fn plain() -> ClientRequest {
    ClientRequest::new("ws://server.example.com/chat").expect("valid")
}

fn sent(request: &ClientRequest) -> String {
    let mut handshake = ClientHandshake::new(Config::new(), request, NONCE, [7; 32]);
    String::from_utf8_lossy(handshake.output().chunk()).into_owned()
}

#[test]
fn client_and_server_agree_under_every_chunking() {
    let request = ClientRequest::new("wss://example.com:444/chat?room=1")
        .and_then(|request| request.with_header("Origin", "https://example.com:444"))
        .and_then(|request| request.with_subprotocol("a"))
        .and_then(|request| request.with_subprotocol("b"))
        .expect("valid");
    let asked = sent(&request);
    for chunks in chunkings(asked.as_bytes()) {
        let mut server = ServerHandshake::new(Config::new());
        let mut input = Input::new();
        let mut received = None;
        for chunk in chunks {
            assert!(received.is_none());
            input.extend_from_slice(chunk);
            received = server.receive(&mut input).expect("valid");
        }
        let received = received.expect("complete");
        assert_eq!((received.target(), received.host()), ("/chat?room=1", "example.com:444"));
        let chosen = received.choose_subprotocol(&["b", "a"]);
        let mut server = received.accept(chosen, &[]).expect("accepted");
        server.send("Hi").expect("sent");
        let outcome = connect(Config::new(), &request, server.output().chunk(), false);
        assert_eq!(outcome.unread, b"\x81\x02Hi");
        let (_, response) = outcome.result.expect("opened").expect("complete");
        assert_eq!(response.subprotocol(), Some("b"));
    }
}

#[test]
fn a_client_reads_what_a_server_refuses_with() {
    let mut server = ServerHandshake::new(Config::new())
        .with_origins(Origins::list(&["https://example.com"]).expect("valid"));
    let request = plain().with_header("Origin", "https://evil.net").expect("valid");
    let mut input = Input::new();
    input.extend_from_slice(sent(&request).as_bytes());
    let error = server.receive(&mut input).expect_err("refused");
    let outcome = connect(Config::new(), &request, server.output().chunk(), false);
    let Err(HandshakeError::Refused(response)) = outcome.result else { panic!("refused") };
    assert_eq!(Some(response.status()), error.status());
    assert_eq!(response.body(), b"origin not allowed\n");
}

#[test]
fn a_client_is_told_how_to_authenticate_where_to_go_and_when_to_come_back() {
    for (status, name, value) in [
        (301, "Location", "wss://elsewhere.example/chat"),
        (302, "Location", "/other"),
        (303, "Location", "/other"),
        (307, "Location", "/other"),
        (308, "Location", "/other"),
        (401, "WWW-Authenticate", "Bearer realm=\"tides\""),
        (403, "X-Reason", "low tide"),
        (404, "X-Reason", "no such place"),
        (407, "Proxy-Authenticate", "Basic realm=\"gate\""),
        (503, "Retry-After", "5"),
    ] {
        let mut server = ServerHandshake::new(Config::new());
        let mut input = Input::new();
        input.extend_from_slice(sent(&plain()).as_bytes());
        let request = server.receive(&mut input).expect("valid").expect("complete");
        let mut refusal = request.reject(status, &[(name, value)], b"because").expect("allowed");
        let outcome = connect(Config::new(), &plain(), refusal.output().chunk(), false);
        let Err(HandshakeError::Refused(response)) = outcome.result else { panic!("{status}") };
        assert_eq!((response.status(), response.body()), (status, &b"because"[..]));
        assert_eq!(response.header(name), Some(value));
    }
}

/// Bytes, and pieces of heads, in any order.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..8),
        proptest::sample::select(vec![
            "GET / HTTP/1.1\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n",
            "HTTP/1.1 100 \r\n\r\n",
            "HTTP/1.1 400 \r\n",
            "Host: h\r\n",
            "Upgrade: websocket\r\n",
            "Connection: Upgrade\r\n",
            "Sec-WebSocket-Version: 13\r\n",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
            "Sec-WebSocket-Protocol: ",
            "Sec-WebSocket-Extensions: a; b=\"",
            "Transfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\n",
            "Origin: http://h",
            "\r\n",
            "\r\n\r\n5\r\n",
            "\\\"",
            ",",
        ])
        .prop_map(|piece| piece.into()),
    ];
    let head = prop_oneof![
        Just(""),
        Just("GET / HTTP/1.1\r\n"),
        Just(handshake::REQUEST),
        Just(RESPONSE),
        Just("HTTP/1.1 400 \r\n")
    ];
    (head, proptest::collection::vec(piece, 0..16))
        .prop_map(|(head, pieces)| [head.as_bytes(), &pieces.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// No panic, the same outcome for every chunking, and an answer exactly to those errors that a request can lead to.
    #[test]
    fn any_bytes_have_a_documented_outcome(bytes in hostile(), eof: bool) {
        let outcome = handshake::serve(Config::new(), &Origins::same(), &bytes, eof);
        match outcome.result {
            Err(error) => prop_assert_eq!(error.status().is_some(), outcome.output.starts_with(b"HTTP/1.1 4")
                || outcome.output.starts_with(b"HTTP/1.1 505")),
            Ok(_) => prop_assert!(outcome.output.is_empty() && bytes.ends_with(&outcome.unread)),
        }
        let outcome = connect(Config::new(), &plain(), &bytes, eof);
        prop_assert!(outcome.output.is_empty());
        prop_assert!(outcome.result.is_err() || bytes.ends_with(&outcome.unread));
    }
}
