//! Bytes behind an answer that ended the matter: they are neither frames nor another request or response.

use tidewire::{
    ClientRequest, Config, Connection, HandshakeError, Input, Origins, SendError, ServerHandshake, State,
    TransportAction,
};

use support::handshake::{REQUEST, RESPONSE, connect, drain, failure, kind, replaced, with};
use support::wire::{self, Role};

/// Reads `refused` and everything that could follow, in reads of `read_len` bytes; returns the error, and the connection that
/// delivers the answer.
fn refuse(refused: &str, read_len: usize) -> (HandshakeError, Connection, Input) {
    let follows = [with(REQUEST, "").as_bytes(), &wire::text(Role::Server, "smuggled"), &[0xFF; 20]].concat();
    let bytes = [refused.as_bytes(), &follows].concat();
    let (mut handshake, mut input) = (ServerHandshake::new(Config::new()), Input::new());
    let mut failed = None;
    for read in bytes.chunks(read_len) {
        input.extend_from_slice(read);
        match handshake.receive(&mut input) {
            Ok(None) => assert_eq!(failed, None),
            Ok(Some(request)) => panic!("{refused} leads to {request:?}"),
            Err(error) => {
                assert_eq!(*failed.get_or_insert_with(|| error.clone()), error, "the first one, for ever")
            }
        }
    }
    (failed.expect("refused"), handshake.into_refusal(), input)
}

#[test]
fn nothing_behind_a_refused_request_is_looked_at() {
    let version = replaced(REQUEST, "Sec-WebSocket-Version", "Sec-WebSocket-Version: 12\r\n");
    let hidden = "GET /admin HTTP/1.1\r\nHost: server.example.com\r\n\r\n";
    for (refused, error, status) in [
        (with(REQUEST, "Content-Length: 52\r\n") + hidden, "RequestBody", 400),
        (with(REQUEST, "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", "RequestBody", 400),
        (with(REQUEST, "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), "RequestBody", 400),
        (with(REQUEST, "Transfer-Encoding : chunked\r\n"), "MalformedHead", 400),
        (with(REQUEST, "Content-Length: 0\r\n Content-Length: 52\r\n"), "MalformedHead", 400),
        (version, "UnsupportedVersion", 426),
        (with(REQUEST, "Origin: https://evil.net\r\n"), "OriginNotAllowed", 403),
        (with(&REQUEST.replace("GET", "POST"), ""), "MethodNotGet", 405),
        (replaced(REQUEST, "Upgrade", "Upgrade: websocket2\r\n"), "UpgradeRequired", 426),
        (replaced(REQUEST, "Upgrade", ""), "UpgradeRequired", 426),
        (replaced(REQUEST, "Upgrade", "Upgrade: websocket, /\r\n"), "InvalidUpgrade", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), "UnsupportedHttpVersion", 505),
        ("\u{16}\u{3}\u{1}\0".into(), "UnexpectedTls", 400),
    ] {
        for read_len in [usize::MAX, 100, 1] {
            let (failed, mut connection, mut input) = refuse(&refused, read_len);
            assert_eq!((kind(&failed).as_str(), failed.status()), (error, Some(status)));

            // One answer, which says that it is the last.
            let answer = drain(&mut connection);
            let answer = core::str::from_utf8(&answer).expect("text");
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert_eq!(answer.matches("HTTP/1.").count(), 1, "{answer}");
            assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");

            // And a connection that never was open.
            for late in [b"".as_slice(), with(REQUEST, "").as_bytes(), &wire::ping(Role::Server, "late")] {
                input.extend_from_slice(late);
                assert!(matches!(connection.receive(&mut input), Ok(None)));
                assert_eq!((connection.state(), connection.output().len()), (State::Closed, 0));
                assert_eq!(input.unread(), b"");
            }
            assert_eq!(connection.send("x"), Err(SendError::Closed));
            assert_eq!(connection.ping(b"x"), Err(SendError::Closed));
            connection.close(None);
            assert_eq!(connection.transport_action(), TransportAction::ShutdownWrite);
            assert_eq!(connection.output().len(), 0);
            input.set_eof();
            assert!(matches!(connection.receive(&mut input), Ok(None)));
            assert_eq!(connection.transport_action(), TransportAction::Close);
        }
    }
}

#[test]
fn nothing_behind_another_answer_than_101_opens_a_connection() {
    let request = ClientRequest::new("ws://server.example.com/chat").expect("valid");
    let request = request.with_header("Authorization", "Bearer secret").expect("valid");
    let opened = [with(RESPONSE, "").as_bytes(), &wire::text(Role::Client, "smuggled")].concat();
    for status in [200, 204, 206, 301, 302, 304, 307, 308, 400, 401, 403, 407, 426, 431, 500, 503, 599] {
        // A redirect is an answer as any other: nobody follows it, least of all with the credentials.
        let lines = "Location: ws://evil.net/\r\nContent-Length: 0\r\n";
        for head in [RESPONSE.replace("101", &status.to_string()), format!("HTTP/1.1 {status} \r\n")] {
            let bytes = [with(&head, lines).as_bytes(), &opened].concat();
            let outcome = connect(Config::new(), &request, &bytes, false);
            match outcome.result {
                Err(HandshakeError::Refused(response)) => {
                    assert_eq!((response.status(), response.body()), (status, &b""[..]));
                    assert_eq!(response.header("Location"), Some("ws://evil.net/"));
                }
                other => panic!("{status}: {:?}", other.map(|opened| opened.is_some())),
            }
            assert_eq!(outcome.output, b"", "nothing is sent after the request");
        }
    }
}

#[test]
fn a_length_in_a_101_makes_no_body() {
    // RFC 9110 15.2: what follows the head of an interim response is not its body.
    let request = ClientRequest::new("ws://server.example.com/chat").expect("valid");
    let frame = wire::text(Role::Client, "Hello");
    for line in ["Content-Length: 7\r\n", "Transfer-Encoding: chunked\r\n"] {
        let bytes = [with(RESPONSE, line).as_bytes(), &frame].concat();
        let outcome = connect(Config::new(), &request, &bytes, false);
        assert!(outcome.result.is_ok_and(|opened| opened.is_some()));
        assert_eq!(outcome.unread, frame);
    }
}

#[test]
fn nobody_is_let_in_by_repeating_what_was_refused() {
    // The second head is in order, but the first one was the request.
    let bad = replaced(REQUEST, "Sec-WebSocket-Key", "Sec-WebSocket-Key: short\r\n");
    let outcome = support::handshake::serve(
        Config::new(),
        &Origins::any(),
        &[bad, with(REQUEST, "")].concat().into_bytes(),
        true,
    );
    assert_eq!(failure(outcome.result), "InvalidKey");
    assert!(outcome.output.starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
}
