//! Which responses open a connection (RFC 6455 4.1).

use tidewire::Config;

use crate::client::{failed, opened, plain};
use support::handshake::{RESPONSE, connect, failure, replaced, with};

#[test]
fn a_valid_response_opens_the_connection() {
    let response = opened(&plain(), &with(RESPONSE, "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n"));
    assert_eq!(response.subprotocol(), None);
    assert_eq!(response.header("set-cookie"), Some("a=b"));
    assert_eq!(response.headers().filter(|(name, _)| *name == "Set-Cookie").count(), 2);
    opened(
        &plain(),
        "HTTP/1.1 101 \r\nsec-websocket-accept: \t s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t\r\n\
         CONNECTION: keep-alive, upgrade\r\nupgrade: WebSocket\r\nX: caf\u{e9}\r\n\r\n",
    );
    // RFC 9112 4 wants a space before a reason, even an empty one; some servers leave both out.
    opened(&plain(), &with(&RESPONSE.replace("101 Switching Protocols", "101"), ""));
    opened(&plain(), &replaced(RESPONSE, "Connection", "Connection: keep-alive\r\nConnection: Upgrade\r\n"));
}

#[test]
fn a_malformed_response_fails() {
    for head in [
        "HTTP/1.1 101 Switching\n",
        "HTTP/1.1 101 Switching\rProtocols",
        "HTTP/1.1 101 A\r\nB: c\n",
        "\r\n",
        "\0",
        "HTTP/1.1 99 A\r\n\r\n",
        "HTTP/1.1 099 A\r\n\r\n",
        "HTTP/1.1 1010 A\r\n\r\n",
        "HTTP/1.1  101 A\r\n\r\n",
        "HTTP/1.1 101 A\x01\r\n\r\n",
        "HTTP/1.1 abc A\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1x 101 A\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
    ] {
        failed(&plain(), head, "MalformedHead");
    }
    for line in ["X : a", " X: a", "X: a\r\n b", ": a", "X", "X(: a", "X: \x01"] {
        failed(&plain(), &with(RESPONSE, &format!("{line}\r\n")), "MalformedHead");
    }
    for version in ["HTTP/1.0", "HTTP/2.0", "HTTP/1.2"] {
        failed(&plain(), &with(&RESPONSE.replace("HTTP/1.1", version), ""), "UnsupportedHttpVersion");
    }
}

#[test]
fn upgrade_is_websocket_and_nothing_else() {
    for lines in [
        "",
        "Upgrade:\r\n",
        "Upgrade: h2c\r\n",
        "Upgrade: websocket, h2c\r\n",
        "Upgrade: websocket/13\r\n",
        "Upgrade: websocket\r\nUpgrade: h2c\r\n",
    ] {
        failed(&plain(), &replaced(RESPONSE, "Upgrade", lines), "InvalidUpgrade");
    }
}

#[test]
fn connection_contains_upgrade() {
    for lines in [
        "",
        "Connection:\r\n",
        "Connection: keep-alive\r\n",
        "Connection: Upgrades\r\n",
        "Connection: a Upgrade\r\n",
    ] {
        failed(&plain(), &replaced(RESPONSE, "Connection", lines), "InvalidConnection");
    }
}

#[test]
fn the_response_accepts_the_key_of_this_request() {
    for accept in [
        "",
        "s3pplmbitxaq9kygzzhzrbk+xoo=",
        "S3PPLMBITXAQ9KYGZZHZRBK+XOO=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo= a",
        "\"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\"",
        "dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        let line = format!("Sec-WebSocket-Accept: {accept}\r\n");
        failed(&plain(), &replaced(RESPONSE, "Sec-WebSocket-Accept", &line), "InvalidAccept");
    }
    failed(&plain(), &replaced(RESPONSE, "Sec-WebSocket-Accept", ""), "InvalidAccept");
    let again = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    failed(&plain(), &with(RESPONSE, again), "InvalidAccept");
}

#[test]
fn every_character_of_the_accept_value_counts() {
    let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    for at in 0..accept.len() {
        for replacement in *b"aAzZ09+/= " {
            let mut wrong = accept.as_bytes().to_vec();
            if wrong[at] == replacement {
                continue;
            }
            wrong[at] = replacement;
            let wrong = String::from_utf8(wrong).expect("ASCII");
            let line = format!("Sec-WebSocket-Accept: {wrong}\r\n");
            let head = replaced(RESPONSE, "Sec-WebSocket-Accept", &line);
            failed(&plain(), &head, "InvalidAccept");
        }
    }
}

#[test]
fn no_extension_is_accepted_that_was_not_offered() {
    for value in
        ["permessage-deflate", "permessage-deflate; server_max_window_bits=99", "", "\"", "constructor"]
    {
        let line = format!("Sec-WebSocket-Extensions: {value}\r\n");
        failed(&plain(), &with(RESPONSE, &line), "UnexpectedExtension");
    }
}

#[test]
fn the_subprotocol_is_one_that_was_offered() {
    let request =
        plain().with_subprotocol("a").and_then(|request| request.with_subprotocol("b")).expect("valid");
    let response = opened(&request, &with(RESPONSE, "Sec-WebSocket-Protocol: b\r\n"));
    assert_eq!(response.subprotocol(), Some("b"));
    assert_eq!(opened(&request, &with(RESPONSE, "")).subprotocol(), None);
    for value in [
        "",
        "c",
        "A",
        "a, b",
        "a,",
        "\"a\"",
        "a\r\nSec-WebSocket-Protocol: a",
        "a\r\nSec-WebSocket-Protocol:",
    ] {
        let line = format!("Sec-WebSocket-Protocol: {value}\r\n");
        failed(&request, &with(RESPONSE, &line), "UnexpectedSubprotocol");
    }
    failed(&plain(), &with(RESPONSE, "Sec-WebSocket-Protocol: a\r\n"), "UnexpectedSubprotocol");
}

#[test]
fn headers_that_decide_are_utf8() {
    let request = plain().with_subprotocol("a").expect("valid");
    for (name, value, error) in [
        ("Upgrade", "websocket", "InvalidUpgrade"),
        ("Connection", "Upgrade, ", "InvalidConnection"),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "InvalidAccept"),
        ("Sec-WebSocket-Protocol", "a", "UnexpectedSubprotocol"),
        ("Sec-WebSocket-Extensions", "a", "UnexpectedExtension"),
    ] {
        let is_in_head = RESPONSE.contains(&format!("{name}:"));
        let head = if is_in_head { replaced(RESPONSE, name, "") } else { with(RESPONSE, "") };
        let head = &head.as_bytes()[..head.len() - 2];
        for wrong in [b"\xE2\x82".as_slice(), b"\xFF"] {
            let line = [name.as_bytes(), b": ", value.as_bytes(), wrong, b"\r\n\r\n"].concat();
            let outcome = connect(Config::new(), &request, &[head, &line].concat(), false);
            assert_eq!(failure(outcome.result), error);
            assert_eq!(outcome.output, b"");
        }
    }
}

#[test]
fn every_byte_in_a_response_has_one_outcome() {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_text = |byte: u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
    let check = |before: &str, after: &str, byte: u8, is_valid: bool, error: &str| {
        let head = [before.as_bytes(), &[byte], after.as_bytes()].concat();
        let result = connect(Config::new(), &plain(), &head, false).result;
        assert!(!matches!(result, Ok(None)));
        assert_eq!(
            failure(result),
            if is_valid { "nothing" } else { error },
            "{byte:#04x} between {before:?} and {after:?}"
        );
    };
    let after_status = &with(RESPONSE, "")["HTTP/1.1 101 Sw".len()..];
    for byte in 0..=u8::MAX {
        check("HTTP/1.1 101 S", after_status, byte, is_text(byte), "MalformedHead");
        let is_name = is_token(byte) || byte == b':';
        check(&format!("{RESPONSE}A"), "B: c\r\n\r\n", byte, is_name, "MalformedHead");
        check(&format!("{RESPONSE}A: b"), "c\r\n\r\n", byte, is_text(byte), "MalformedHead");
        if is_text(byte) {
            let is_list = is_token(byte) || byte == b',';
            let before = format!("{RESPONSE}Connection: a");
            check(&before, "b\r\n\r\n", byte, is_list, "InvalidConnection");
            let before = format!("{RESPONSE}Upgrade: a");
            check(&before, "b\r\n\r\n", byte, false, "InvalidUpgrade");
        }
    }
}
