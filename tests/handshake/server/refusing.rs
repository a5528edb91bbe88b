//! How a request is refused, by the library and by the application (RFC 6455 4.2.2 and 4.4).

use std::error::Error;

use bytes::Buf;
use tidewire::{
    Config, Connection, Input, Origins, Request, ServerHandshake, TransportAction, UnsendableAnswer,
};

use crate::server::{accepted, answer, refused};
use support::handshake::{REQUEST, drain, failure, kind, serve, with};

fn request() -> Request {
    let mut input = Input::new();
    input.extend_from_slice(with(REQUEST, "").as_bytes());
    ServerHandshake::new(Config::new()).receive(&mut input).expect("valid").expect("complete")
}

/// The kind of the reason; the client gets the one answer that there is in this case.
#[track_caller]
fn unsendable(answered: Result<Connection, UnsendableAnswer>) -> String {
    let error = answered.expect_err("not sent");
    let reason = error.reason().clone();
    assert_eq!(error.source().map(ToString::to_string), Some(reason.to_string()));
    assert!(!error.to_string().contains(&reason.to_string()));
    let mut connection = error.into_refusal();
    assert_eq!(
        String::from_utf8_lossy(&drain(&mut connection)),
        "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 28\r\n\
         Content-Type: text/plain\r\n\r\nthe server failed to answer\n"
    );
    assert_eq!(connection.transport_action(), TransportAction::ShutdownWrite);
    kind(&reason)
}

#[test]
fn a_foreign_origin_is_answered_with_403() {
    refused(&with(REQUEST, "Origin: https://evil.net\r\n"), "OriginNotAllowed");
    let same = "Origin: http://server.example.com\r\n";
    refused(&with(REQUEST, &same.repeat(2)), "OriginNotAllowed");
    let absolute = REQUEST.replace("/chat", "http://other/");
    refused(&with(&absolute, same), "OriginNotAllowed");
    accepted(&with(&absolute, "Origin: http://other\r\n"));
}

#[test]
fn nothing_of_a_request_is_reflected() {
    let head = "GET /<secret> HTTP/1.1\r\nHost: <secret>\r\nX: <secret>\r\n\r\n";
    let outcome = serve(Config::new(), &Origins::same(), head.as_bytes(), false);
    assert!(!String::from_utf8_lossy(&outcome.output).contains("secret"));
    let request = accepted(&with(&REQUEST.replace("/chat", "/chat?secret"), "Cookie: secret\r\n"));
    assert_eq!(format!("{request:?}"), r#"Request { host: "server.example.com", path: "/chat", .. }"#);
    let config = Config::new();
    let mut handshake = ServerHandshake::new(config).with_origins(Origins::any());
    let shown = format!(
        "ServerHandshake {{ config: {config:?}, origins: Origins(Any), subprotocols: [], outcome: None, .. }}"
    );
    assert_eq!(format!("{handshake:?}"), shown);
    let mut input = Input::new();
    input.extend_from_slice(head.as_bytes());
    handshake.receive(&mut input).expect_err("refused");
    assert_eq!(
        format!("{handshake:?}"),
        shown.replace("outcome: None", "outcome: Some(Err(InvalidHost(\"<secret>\")))")
    );
}

#[test]
fn no_error_reflects_anything_of_its_request() {
    let absolute = REQUEST.replace("/chat", "http://secret/");
    for (head, kind) in [
        ("secret\r\n\r\n".to_owned(), "MalformedHead"),
        ("\u{16}\u{3}\u{1}secret\0".into(), "UnexpectedTls"),
        (format!("GET /{}", "secret".repeat(3000)), "RequestLineTooLong"),
        (format!("{REQUEST}X: {}", "secret".repeat(3000)), "HeadTooLong"),
        (REQUEST.to_owned() + &"secret:\r\n".repeat(100), "TooManyHeaders"),
        (with(&REQUEST.replace("HTTP/1.1", "HTTP/2.9"), "X: secret\r\n"), "UnsupportedHttpVersion"),
        (with(&REQUEST.replace("GET", "secret"), ""), "MethodNotGet"),
        (with(&REQUEST.replace("/chat", "secret"), ""), "InvalidTarget"),
        (with(&REQUEST.replace("server.example", "secret secret"), ""), "InvalidHost"),
        (with(REQUEST, "Content-Length: secret\r\n"), "RequestBody"),
        (with(&REQUEST.replace(": websocket", ": secret"), ""), "UpgradeRequired"),
        (with(&REQUEST.replace(": websocket", ": secret secret"), ""), "InvalidUpgrade"),
        (with(&REQUEST.replace(": Upgrade", ": secret"), ""), "InvalidConnection"),
        (with(&REQUEST.replace(": 13", ": 234"), ""), "UnsupportedVersion"),
        (with(&REQUEST.replace(": 13", ": secret"), ""), "InvalidVersion"),
        (with(&REQUEST.replace("ZQ==", "secret"), ""), "InvalidKey"),
        (with(REQUEST, "Sec-WebSocket-Protocol: secret secret\r\n"), "InvalidSubprotocols"),
        (with(REQUEST, "Sec-WebSocket-Extensions: secret secret\r\n"), "InvalidExtensions"),
        (with(&absolute, "Origin: https://secret.net\r\n"), "OriginNotAllowed"),
    ] {
        // All of the answer is compared.
        refused(&head, kind);
        assert!(
            !answer(kind).contains("secret")
                && !answer(kind).contains("2.9")
                && !answer(kind).contains("234")
        );
    }
}

#[test]
fn a_refusal_is_delivered_before_the_transport_is_closed() {
    let mut input = Input::new();
    input.extend_from_slice(b"POST / HTTP/1.1\r\nHost: h\r\n\r\nbody");
    let mut handshake = ServerHandshake::new(Config::new());
    assert_eq!(failure(handshake.receive(&mut input)), "MethodNotGet");
    let answer = handshake.output().chunk().to_vec();
    let mut connection = handshake.into_refusal();
    assert_eq!(drain(&mut connection), answer);
    assert_eq!(connection.transport_action(), TransportAction::ShutdownWrite);
    input.extend_from_slice(b"\x81\x80then");
    assert!(matches!(connection.receive(&mut input), Ok(None)));
    assert_eq!(input.unread(), b"");
    input.set_eof();
    assert!(matches!(connection.receive(&mut input), Ok(None)));
    assert_eq!(connection.transport_action(), TransportAction::Close);
    assert_eq!(drain(&mut connection), b"");
}

#[test]
fn an_application_rejects_with_an_answer_of_its_own() {
    let mut connection = request()
        .reject(401, &[("WWW-Authenticate", "Basic realm=\"x\"")], b"who are you?")
        .expect("rejected");
    assert_eq!(
        String::from_utf8_lossy(&drain(&mut connection)),
        "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 12\r\n\
         WWW-Authenticate: Basic realm=\"x\"\r\n\r\nwho are you?"
    );
    assert_eq!(connection.transport_action(), TransportAction::ShutdownWrite);
    assert!(connection.send("Hello").is_err());
    let mut connection = request().reject(599, &[], b"").expect("rejected");
    assert_eq!(drain(&mut connection), b"HTTP/1.1 599 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    for status in [0, 100, 101, 200, 299, 304, 600, u16::MAX] {
        assert_eq!(unsendable(request().reject(status, &[], b"")), "InvalidStatus", "{status}");
    }
}

#[test]
fn a_refusal_names_its_status_if_the_name_is_known() {
    for status in (300..=599).filter(|&status| status != 304) {
        let name = match status {
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
        };
        let answer = drain(&mut request().reject(status, &[], b"").expect("rejected"));
        // RFC 9112 4: the space stands also where no name follows.
        let expected = format!("HTTP/1.1 {status} {name}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(String::from_utf8_lossy(&answer), expected);
    }
}

#[test]
fn an_answer_holds_no_header_that_would_break_it() {
    for (name, value, error) in [
        ("", "a", "InvalidHeaderName"),
        ("a b", "a", "InvalidHeaderName"),
        ("a:", "a", "InvalidHeaderName"),
        ("a\r\nb", "a", "InvalidHeaderName"),
        ("\u{e9}", "a", "InvalidHeaderName"),
        ("a", "b\r\nc: d", "InvalidHeaderValue"),
        ("a", "b\nc", "InvalidHeaderValue"),
        ("a", "b\0", "InvalidHeaderValue"),
        ("a", "\x7f", "InvalidHeaderValue"),
        ("a", "\u{85}", "InvalidHeaderValue"),
        ("upgrade", "a", "ReservedHeader"),
        ("CONNECTION", "a", "ReservedHeader"),
        ("Content-Length", "4", "ReservedHeader"),
        ("Transfer-Encoding", "chunked", "ReservedHeader"),
        ("sec-websocket-accept", "a", "ReservedHeader"),
        ("Sec-WebSocket-Extensions", "a", "ReservedHeader"),
        ("Sec-WebSocket-Anything", "a", "ReservedHeader"),
    ] {
        let headers = [("Ok", "1"), (name, value)];
        assert_eq!(unsendable(request().accept(None, &headers)), error, "{name:?}: {value:?}");
        assert_eq!(unsendable(request().reject(404, &headers, b"")), error);
    }
}
