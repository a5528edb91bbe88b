//! Every byte, where a byte decides.

use tidewire::{Config, HandshakeError, Origins};

use crate::handshake::{REQUEST, serve, with};

/// RFC 9110 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What comes of a request with each byte between two pieces of it, which is the same under every chunking.
fn with_every_byte(before: &str, after: &str, expected: impl Fn(u8) -> Result<(), HandshakeError>) {
    for byte in 0..=u8::MAX {
        let head = [before.as_bytes(), &[byte], after.as_bytes()].concat();
        let result = serve(Config::new(), &Origins::same(), &head, false).result;
        let result =
            result.map(|request| assert!(request.is_some(), "{byte:#04x} between {before:?} and {after:?}"));
        assert_eq!(result, expected(byte), "{byte:#04x} between {before:?} and {after:?}");
    }
}

#[test]
fn every_byte_in_a_request_line_has_one_outcome() {
    let after_method = &REQUEST["GET".len()..];
    with_every_byte("G", &with(&format!("T{after_method}"), ""), |byte| match byte {
        b'E' => Ok(()),
        _ if is_token_byte(byte) => Err(HandshakeError::MethodNotGet),
        _ => Err(HandshakeError::MalformedHead),
    });
    let after_target = &REQUEST["GET /chat".len()..];
    with_every_byte("GET /c", &with(&format!("t{after_target}"), ""), |byte| match byte {
        // What ends a word or a line is not visible; beyond ASCII a byte alone is no text.
        b'!'..=b'~' => Ok(()),
        _ => Err(HandshakeError::MalformedHead),
    });
    let after_version = &REQUEST["GET /chat HTTP/1.1".len()..];
    with_every_byte("GET /chat HTTP/1.", &with(after_version, ""), |byte| match byte {
        b'1' => Ok(()),
        b'0'..=b'9' => Err(HandshakeError::UnsupportedHttpVersion),
        _ => Err(HandshakeError::MalformedHead),
    });
}

#[test]
fn every_byte_in_a_header_has_one_outcome() {
    with_every_byte(&format!("{REQUEST}A"), "B: c\r\n\r\n", |byte| {
        if is_token_byte(byte) || byte == b':' { Ok(()) } else { Err(HandshakeError::MalformedHead) }
    });
    with_every_byte(&format!("{REQUEST}A: b"), "c\r\n\r\n", |byte| match byte {
        b'\t' | b' '..=b'~' | 0x80.. => Ok(()),
        _ => Err(HandshakeError::MalformedHead),
    });
}

#[test]
fn every_byte_in_a_list_has_one_outcome() {
    // Each with the separators that may stand there as well.
    for (before, after, separators, error) in [
        ("Upgrade: a", "b", ",/", HandshakeError::InvalidUpgrade),
        ("Connection: a", "b", ",", HandshakeError::InvalidConnection),
        ("Sec-WebSocket-Protocol: a", "b", ",", HandshakeError::InvalidSubprotocols),
        ("Sec-WebSocket-Extensions: a", "b", ",;", HandshakeError::InvalidExtensions),
        ("Sec-WebSocket-Extensions: x;a", "b", ",;=", HandshakeError::InvalidExtensions),
        ("Sec-WebSocket-Extensions: x;y=a", "b", ",;", HandshakeError::InvalidExtensions),
        ("Sec-WebSocket-Extensions: x;y=\"a", "b\"", "\\", HandshakeError::InvalidExtensions),
    ] {
        with_every_byte(&format!("{REQUEST}{before}"), &format!("{after}\r\n\r\n"), |byte| match byte {
            _ if is_token_byte(byte) || separators.as_bytes().contains(&byte) => Ok(()),
            b'\t' | b' '..=b'~' | 0x80.. => Err(error.clone()),
            _ => Err(HandshakeError::MalformedHead),
        });
    }
}
