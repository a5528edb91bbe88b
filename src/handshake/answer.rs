//! The HTTP answers that a server gives.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::accept_value;
use crate::config::deflate::Agreement;
use crate::{Culprit, HandshakeError, Output};

/// The answer that opens the connection (RFC 6455 4.2.2).
pub(super) fn acceptance(
    key: &[u8],
    subprotocol: Option<&str>,
    agreement: Option<Agreement>,
    headers: &[(&str, &str)],
) -> Output {
    const START: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: ";

    let accept = accept_value(key);
    let subprotocol = subprotocol.map(|name| ("Sec-WebSocket-Protocol", name));
    let agreement = agreement.map(|agreement| agreement.to_string());
    let extension = agreement.as_ref().map(|agreement| ("Sec-WebSocket-Extensions", agreement.as_str()));
    let lists = [subprotocol.as_slice(), extension.as_slice(), headers];
    let headers_len: usize = lists.into_iter().map(headers_len).sum();
    let mut head = Vec::with_capacity(START.len() + accept.len() + 2 + headers_len + 2);
    head.extend_from_slice(START);
    head.extend_from_slice(&accept);
    head.extend_from_slice(b"\r\n");
    for headers in lists {
        push_headers(&mut head, headers);
    }
    head.extend_from_slice(b"\r\n");
    Output::of(head)
}

/// An answer that ends the connection.
pub(super) fn refusal(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Output {
    let mut answer = refusal_start(status);
    answer.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    push_headers(&mut answer, headers);
    answer.extend_from_slice(b"\r\n");
    answer.extend_from_slice(body);
    Output::of(answer)
}

fn refusal_start(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} {}\r\nConnection: close\r\n", reason(status)).into_bytes()
}

/// The answer to a handshake that failed; empty if there is nobody to answer.
///
/// All of its text is fixed: nothing of the request is reflected.
pub(super) fn failure(error: &HandshakeError) -> Output {
    let Some(status) = error.status() else { return Output::new() };
    let headers = failure_headers(error);
    // RFC 9110 8.6: nor has it to tell the length that it would have.
    if is_without_body(error) {
        let mut answer = refusal_start(status);
        push_headers(&mut answer, headers);
        answer.extend_from_slice(b"\r\n");
        return Output::of(answer);
    }
    let content_type = ("Content-Type", "text/plain");
    refusal(status, &[&[content_type], headers].concat(), format!("{}\n", error.rule()).as_bytes())
}

/// What the client is told where the application asked for an answer that must not be sent.
pub(super) const FAILED: &str = "the server failed to answer";

/// What the client may need for another try.
pub(super) fn failure_headers(error: &HandshakeError) -> &'static [(&'static str, &'static str)] {
    match error {
        // RFC 9110 15.5.6: tell the methods that are allowed.
        HandshakeError::MethodNotGet(_) => &[("Allow", "GET")],
        HandshakeError::MethodNotConnect(_) => &[("Allow", "CONNECT")],
        // RFC 9110 15.5.22: tell the protocol that is required; 7.8: `Upgrade` is named in `Connection`.
        HandshakeError::UpgradeRequired(_) => &[("Connection", "Upgrade"), ("Upgrade", "websocket")],
        // RFC 6455 4.4: tell the supported versions.
        HandshakeError::UnsupportedVersion(_) => {
            &[("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
        }
        HandshakeError::InvalidVersion(_) => &[("Sec-WebSocket-Version", "13")],
        _ => &[],
    }
}

/// RFC 9110 9.3.2: an answer to HEAD has no body.
pub(super) fn is_without_body(error: &HandshakeError) -> bool {
    matches!(
        error,
        HandshakeError::MethodNotGet(method) | HandshakeError::MethodNotConnect(method)
            if *method == Culprit::text("HEAD")
    )
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
        414 => "URI Too Long",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
