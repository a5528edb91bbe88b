//! Every byte, where a byte decides.

use tidewire::{Config, Origins};

use support::handshake::{REQUEST, failure, serve, with};

/// RFC 9110 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Which error comes of a request with each byte between two pieces of it, which is the same under every chunking.
fn with_every_byte(before: &str, after: &str, expected: impl Fn(u8) -> &'static str) {
    for byte in 0..=u8::MAX {
        let head = [before.as_bytes(), &[byte], after.as_bytes()].concat();
        let result = serve(Config::new(), &Origins::same(), &head, false).result;
        assert!(!matches!(result, Ok(None)), "{byte:#04x} between {before:?} and {after:?}");
        assert_eq!(failure(result), expected(byte), "{byte:#04x} between {before:?} and {after:?}");
    }
}

#[test]
fn every_byte_in_a_request_line_has_one_outcome() {
    let after_method = &REQUEST["GET".len()..];
    with_every_byte("G", &with(&format!("T{after_method}"), ""), |byte| match byte {
        b'E' => "nothing",
        _ if is_token_byte(byte) => "MethodNotGet",
        _ => "MalformedHead",
    });
    let after_target = &REQUEST["GET /chat".len()..];
    with_every_byte("GET /c", &with(&format!("t{after_target}"), ""), |byte| match byte {
        // What ends a word or a line is not visible; beyond ASCII a byte alone is no text.
        b'!'..=b'~' => "nothing",
        _ => "MalformedHead",
    });
    let after_version = &REQUEST["GET /chat HTTP/1.1".len()..];
    with_every_byte("GET /chat HTTP/1.", &with(after_version, ""), |byte| match byte {
        b'1' => "nothing",
        b'0'..=b'9' => "UnsupportedHttpVersion",
        _ => "MalformedHead",
    });
}

#[test]
fn every_byte_in_a_header_has_one_outcome() {
    with_every_byte(&format!("{REQUEST}A"), "B: c\r\n\r\n", |byte| {
        if is_token_byte(byte) || byte == b':' { "nothing" } else { "MalformedHead" }
    });
    with_every_byte(&format!("{REQUEST}A: b"), "c\r\n\r\n", |byte| match byte {
        b'\t' | b' '..=b'~' | 0x80.. => "nothing",
        _ => "MalformedHead",
    });
}

#[test]
fn every_byte_in_a_list_has_one_outcome() {
    // Each with the separators that may stand there as well.
    for (before, after, separators, error) in [
        ("Upgrade: a", "b", ",/", "InvalidUpgrade"),
        ("Connection: a", "b", ",", "InvalidConnection"),
        ("Sec-WebSocket-Protocol: a", "b", ",", "InvalidSubprotocols"),
        ("Sec-WebSocket-Extensions: a", "b", ",;", "InvalidExtensions"),
        ("Sec-WebSocket-Extensions: x;a", "b", ",;=", "InvalidExtensions"),
        ("Sec-WebSocket-Extensions: x;y=a", "b", ",;", "InvalidExtensions"),
        ("Sec-WebSocket-Extensions: x;y=\"a", "b\"", "\\", "InvalidExtensions"),
    ] {
        with_every_byte(&format!("{REQUEST}{before}"), &format!("{after}\r\n\r\n"), |byte| match byte {
            _ if is_token_byte(byte) || separators.as_bytes().contains(&byte) => "nothing",
            b'\t' | b' '..=b'~' | 0x80.. => error,
            _ => "MalformedHead",
        });
    }
}
