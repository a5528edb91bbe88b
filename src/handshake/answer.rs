//! The HTTP answers that a server gives.

use alloc::format;

use crate::{HandshakeError, Output};

/// An answer that ends the connection.
pub(super) fn refusal(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Output {
    let mut output = Output::new();
    output.push(format!("HTTP/1.1 {status} {}\r\nConnection: close\r\n", reason(status)).as_bytes());
    output.push(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    push_headers(&mut output, headers);
    output.push(b"\r\n");
    output.push(body);
    output
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

pub(super) fn push_headers(output: &mut Output, headers: &[(&str, &str)]) {
    for (name, value) in headers {
        output.push(format!("{name}: {value}\r\n").as_bytes());
    }
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
