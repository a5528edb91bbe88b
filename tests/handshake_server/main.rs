//! The server's part of the opening handshake: what it accepts, what it refuses, and with which answer (RFC 6455 4.2).

#[path = "../handshake/mod.rs"]
mod handshake;

mod accepting;
mod every_byte;
mod headers;
mod limits;
mod refusing;
mod request_line;

use handshake::serve;
use tidewire::{Config, HandshakeError, Origins, Request};

#[track_caller]
fn accepted(head: &str) -> Request {
    let bytes = [head.as_bytes(), b"\x81\x80then"].concat();
    let outcome = serve(Config::new(), &Origins::same(), &bytes, false);
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
    let outcome = serve(config, &Origins::same(), &[head.as_bytes(), b"more"].concat(), false);
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
