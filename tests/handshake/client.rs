//! The client's part of the opening handshake: what it sends, and which responses open a connection (RFC 6455 3 and 4.1).

mod failure_sentences;
mod first_frames;
mod refused;
mod request;
mod response;
mod response_limits;

use bytes::Buf;
use support::handshake::{NONCE, connect, failure};
use tidewire::{ClientHandshake, ClientRequest, Config, HandshakeError, Response, State};

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
fn failed(request: &ClientRequest, head: &str, kind: &str) {
    let outcome = connect(Config::new(), request, &[head.as_bytes(), b"more"].concat(), false);
    assert_eq!(failure(outcome.result), kind, "{head}");
    assert_eq!(outcome.output, b"");
}

#[track_caller]
fn refused(bytes: &str, eof: bool) -> Response {
    match connect(Config::new(), &plain(), bytes.as_bytes(), eof).result.expect_err("refused") {
        HandshakeError::Refused(response) => *response,
        other => panic!("unexpected {other:?}"),
    }
}
