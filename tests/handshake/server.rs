//! The server's part of the opening handshake: what it accepts, what it refuses, and with which answer (RFC 6455 4.2).

mod accepting;
mod every_byte;
mod headers;
mod refusal_sentences;
mod refusing;
mod request_limits;
mod request_line;

use support::handshake::{failure, serve};
use tidewire::{Config, Origins, Request};

#[track_caller]
fn accepted(head: &str) -> Request {
    let bytes = [head.as_bytes(), b"\x81\x80then"].concat();
    let outcome = serve(Config::new(), &Origins::same(), &bytes, false);
    assert_eq!(outcome.unread, b"\x81\x80then", "early frames stay in the input");
    assert_eq!(outcome.output, b"", "the answer is the application's");
    outcome.result.expect("accepted").expect("complete")
}

#[track_caller]
fn refused(head: &str, kind: &str) {
    refused_by(Config::new(), head, kind);
}

/// Asserts the error, and all of the answer.
#[track_caller]
fn refused_by(config: Config, head: &str, kind: &str) {
    let outcome = serve(config, &Origins::same(), &[head.as_bytes(), b"more"].concat(), false);
    assert_eq!(failure(outcome.result), kind, "{head}");
    assert_eq!(String::from_utf8_lossy(&outcome.output), answer(kind), "{head}");
}

/// The answer to an error, which is the same whatever was asked for.
fn answer(kind: &str) -> String {
    let (status_line, headers, body) = match kind {
        "MalformedHead" => ("400 Bad Request", "", "malformed HTTP head"),
        "UnexpectedTls" => ("400 Bad Request", "", "TLS record instead of an HTTP head"),
        "InvalidTarget" => ("400 Bad Request", "", "invalid request-target"),
        "InvalidHost" => ("400 Bad Request", "", "missing, repeated or malformed Host"),
        "RequestBody" => ("400 Bad Request", "", "request with a body"),
        "InvalidUpgrade" => ("400 Bad Request", "", "malformed Upgrade"),
        "InvalidConnection" => ("400 Bad Request", "", "Connection lacks Upgrade"),
        "InvalidVersion" => (
            "400 Bad Request",
            "Sec-WebSocket-Version: 13\r\n",
            "repeated or malformed Sec-WebSocket-Version",
        ),
        "InvalidKey" => ("400 Bad Request", "", "missing, repeated or malformed Sec-WebSocket-Key"),
        "InvalidSubprotocols" => ("400 Bad Request", "", "malformed Sec-WebSocket-Protocol"),
        "InvalidExtensions" => ("400 Bad Request", "", "malformed Sec-WebSocket-Extensions"),
        "OriginNotAllowed" => ("403 Forbidden", "", "origin not allowed"),
        "MethodNotGet" => ("405 Method Not Allowed", "Allow: GET\r\n", "method other than GET"),
        "TimedOut" => ("408 Request Timeout", "", "the opening handshake took too long"),
        "RequestLineTooLong" => ("414 URI Too Long", "", "request line longer than the limit"),
        "UpgradeRequired" => (
            "426 Upgrade Required",
            "Connection: Upgrade\r\nUpgrade: websocket\r\n",
            "this is a WebSocket server: Upgrade must be websocket",
        ),
        "UnsupportedVersion" => (
            "426 Upgrade Required",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            "WebSocket version other than 13",
        ),
        "HeadTooLong" => ("431 Request Header Fields Too Large", "", "HTTP head longer than the limit"),
        "TooManyHeaders" => ("431 Request Header Fields Too Large", "", "more HTTP headers than the limit"),
        "UnsupportedHttpVersion" => ("505 HTTP Version Not Supported", "", "HTTP version other than 1.1"),
        other => panic!("unexpected {other}"),
    };
    let len = body.len() + 1;
    format!(
        "HTTP/1.1 {status_line}\r\nConnection: close\r\nContent-Length: {len}\r\nContent-Type: text/plain\r\n{headers}\r\n{body}\n"
    )
}
