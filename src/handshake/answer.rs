//! The HTTP answers that a server gives.

use alloc::format;
use alloc::vec::Vec;

use super::accept_value;
use crate::{HandshakeError, Output};

/// The answer that opens the connection (RFC 6455 4.2.2).
pub(super) fn acceptance(key: &[u8], subprotocol: Option<&str>, headers: &[(&str, &str)]) -> Output {
    const START: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: ";

    let accept = accept_value(key);
    let subprotocol = subprotocol.map(|name| ("Sec-WebSocket-Protocol", name));
    let headers_len = headers_len(subprotocol.as_slice()) + headers_len(headers);
    let mut head = Vec::with_capacity(START.len() + accept.len() + 2 + headers_len + 2);
    head.extend_from_slice(START);
    head.extend_from_slice(&accept);
    head.extend_from_slice(b"\r\n");
    push_headers(&mut head, subprotocol.as_slice());
    push_headers(&mut head, headers);
    head.extend_from_slice(b"\r\n");
    Output::of(head)
}

/// An answer that ends the connection.
pub(super) fn refusal(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Output {
    let start = format!("HTTP/1.1 {status} {}\r\nConnection: close\r\n", reason(status));
    let mut answer = start.into_bytes();
    answer.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    push_headers(&mut answer, headers);
    answer.extend_from_slice(b"\r\n");
    answer.extend_from_slice(body);
    Output::of(answer)
}

/// The answer to a handshake that failed; empty if there is nobody to answer.
///
/// All of its text is fixed: nothing of the request is reflected.
pub(super) fn failure(error: &HandshakeError) -> Output {
    let Some(status) = error.status() else { return Output::new() };
    let headers: &[_] = match error {
        HandshakeError::MethodNotGet => &[("Allow", "GET")],
        // RFC 6455 4.4: tell the supported versions; RFC 9110 7.8: `Upgrade` is named in `Connection`.
        HandshakeError::UnsupportedVersion => {
            &[("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
        }
        _ => &[],
    };
    let content_type = ("Content-Type", "text/plain");
    refusal(status, &[&[content_type], headers].concat(), format!("{error}\n").as_bytes())
}

fn push_headers(head: &mut Vec<u8>, headers: &[(&str, &str)]) {
    for (name, value) in headers {
        for part in [name, ": ", value, "\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
    }
}

/// How much [`push_headers`] pushes.
fn headers_len(headers: &[(&str, &str)]) -> usize {
    headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum()
}

/// The reason phrase, which RFC 9112 4 allows to be empty.
fn reason(status: u16) -> &'static str {
    match status {
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
    }
}
