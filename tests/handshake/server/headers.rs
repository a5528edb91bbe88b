//! The headers that decide, one by one (RFC 6455 4.2.1).

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use tidewire::{Config, Origins};

use crate::server::{accepted, answer, refused};
use support::handshake::{REQUEST, drain, failure, replaced, serve, with};

#[test]
fn host_stands_once_and_is_valid() {
    for host in ["h", "a-b.example", "1.2.3.4:8080", "[::1]", "[2001:db8::1]:65535", "h:", "a%20b", "H_1"] {
        assert_eq!(accepted(&replaced(REQUEST, "Host", &format!("Host: {host}\r\n"))).host(), host);
    }
    refused(&replaced(REQUEST, "Host", ""), "InvalidHost");
    refused(&with(REQUEST, "Host: server.example.com\r\n"), "InvalidHost");
    for host in [
        "", ":80", "[::", "[::1", "::1", "[g::1]", "[::1]x", "[::1]80", "[v1.a]", "[]", "a b", "a/b", "a?b",
        "a#b", "a@b", "a,b@", "h:x", "h:+80", "h:65536", "h:0", "h:80:80", "h%", "h%2", "h%gg", "\u{e9}",
        "a\\b", "a<b",
    ] {
        refused(&replaced(REQUEST, "Host", &format!("Host: {host}\r\n")), "InvalidHost");
    }
}

#[test]
fn a_request_with_a_body_is_refused() {
    accepted(&with(REQUEST, "Content-Length: 0\r\n"));
    for line in [
        "Content-Length: 4",
        "Content-Length: 00",
        "Content-Length:",
        "Content-Length: -1",
        "Content-Length: 0, 0",
        "Content-Length: 0\r\nContent-Length: 4",
        "Transfer-Encoding: chunked",
        "transfer-encoding: identity",
        "Transfer-Encoding:",
    ] {
        refused(&with(REQUEST, &format!("{line}\r\n")), "RequestBody");
    }
}

#[test]
fn a_request_that_asks_for_no_websocket_is_told_to_upgrade() {
    for lines in [
        "",
        "Upgrade:\r\n",
        "Upgrade: h2c\r\n",
        "Upgrade: h2c, TLS/1.2\r\nUpgrade: IRC/6.9\r\n",
        "Upgrade: websockets\r\n",
        "Upgrade: websocket/13\r\n",
    ] {
        refused(&replaced(REQUEST, "Upgrade", lines), "UpgradeRequired");
    }
    // As a browser asks for a page.
    refused(
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nAccept: text/html\r\n\r\n",
        "UpgradeRequired",
    );
}

#[test]
fn upgrade_contains_websocket() {
    for lines in [
        "Upgrade: web socket\r\n",
        "Upgrade: \"websocket\"\r\n",
        "Upgrade: websocket, a b\r\n",
        "Upgrade: websocket, /\r\n",
        "Upgrade: websocket, a/\r\n",
        "Upgrade: websocket, /1\r\n",
        "Upgrade: websocket; a\r\n",
        "Upgrade: websocket, \u{e9}\r\n",
    ] {
        refused(&replaced(REQUEST, "Upgrade", lines), "InvalidUpgrade");
    }
}

#[test]
fn connection_contains_upgrade() {
    for lines in [
        "",
        "Connection:\r\n",
        "Connection: close\r\n",
        "Connection: Upgrade-Insecure\r\n",
        "Connection: \"Upgrade\"\r\n",
        "Connection: Upgrade; a\r\n",
        "Connection: Upgrade, a/1\r\n",
    ] {
        refused(&replaced(REQUEST, "Connection", lines), "InvalidConnection");
    }
}

#[test]
fn other_versions_are_told_the_supported_one() {
    refused(&replaced(REQUEST, "Sec-WebSocket-Version", ""), "UnsupportedVersion");
    for version in ["0", "8", "12", "14", "99", "100", "255"] {
        let line = format!("Sec-WebSocket-Version: {version}\r\n");
        refused(&replaced(REQUEST, "Sec-WebSocket-Version", &line), "UnsupportedVersion");
    }
    // Drafts without a version, whose key is another.
    let hixie = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key1: 1 2\r\n\r\n";
    refused(hixie, "UnsupportedVersion");
}

#[test]
fn malformed_versions_are_refused() {
    for version in ["", "013", "00", "+13", "-1", "256", "1000", "13.0", "13, 8", "x", "1 3", "\u{e9}"] {
        let line = format!("Sec-WebSocket-Version: {version}\r\n");
        refused(&replaced(REQUEST, "Sec-WebSocket-Version", &line), "InvalidVersion");
    }
    refused(&with(REQUEST, "Sec-WebSocket-Version: 13\r\n"), "InvalidVersion");
}

#[test]
fn every_version_but_13_is_unsupported_and_every_other_number_is_none() {
    for number in 0..=300 {
        let request = |version: &str| {
            replaced(REQUEST, "Sec-WebSocket-Version", &format!("Sec-WebSocket-Version: {version}\r\n"))
        };
        match number {
            13 => drop(accepted(&request("13"))),
            // RFC 6455 4.3: from 0 to 255, without leading zeros.
            0..=255 => refused(&request(&number.to_string()), "UnsupportedVersion"),
            _ => refused(&request(&number.to_string()), "InvalidVersion"),
        }
        refused(&request(&format!("0{number}")), "InvalidVersion");
    }
}

#[test]
fn the_key_stands_once_and_is_16_bytes_of_base64() {
    // RFC 6455 4.1 and its erratum 3150: pad bits that are not zero.
    accepted(&replaced(REQUEST, "Sec-WebSocket-Key", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==\r\n"));
    refused(&replaced(REQUEST, "Sec-WebSocket-Key", ""), "InvalidKey");
    refused(&with(REQUEST, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), "InvalidKey");
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZWE=",
        "dGhlIHNhbXBsZSBub25jZWFh",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25j====",
        "dGhlIHNhbXBsZSB-b25jZQ==",
        "dGhlIHNhbXBs ZSBub25jZQ==",
        "=GhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ==, a",
        "\u{e9}GhlIHNhbXBsZSBub25jZQ==",
    ] {
        let line = format!("Sec-WebSocket-Key: {key}\r\n");
        refused(&replaced(REQUEST, "Sec-WebSocket-Key", &line), "InvalidKey");
    }
}

#[test]
fn a_key_of_any_length_but_16_bytes_is_refused() {
    let request =
        |key: &str| replaced(REQUEST, "Sec-WebSocket-Key", &format!("Sec-WebSocket-Key: {key}\r\n"));
    for len in 0..=48 {
        let key = Base64Display::new(&[0x5A; 48][..len], &STANDARD).to_string();
        match len {
            16 => drop(accepted(&request(&key))),
            _ => refused(&request(&key), "InvalidKey"),
        }
    }
}

#[test]
fn subprotocols_are_different_tokens() {
    for value in [
        "",
        ",",
        " , ,",
        "a b",
        "a,a",
        "\"a\"",
        "a;b",
        "a/b",
        "a, b, a",
        "\u{e9}",
        "a\r\nSec-WebSocket-Protocol: a",
    ] {
        let line = format!("Sec-WebSocket-Protocol: {value}\r\n");
        refused(&with(REQUEST, &line), "InvalidSubprotocols");
    }
    assert_eq!(accepted(&with(REQUEST, "Sec-WebSocket-Protocol: a, A\r\n")).subprotocols().count(), 2);
    assert_eq!(accepted(&with(REQUEST, "")).subprotocols().count(), 0);
}

#[test]
fn extensions_follow_their_grammar_and_none_is_accepted() {
    for value in [
        "foo",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "a;b=c;d=\"e\" , f ; g = \"h\\i\"",
        ",constructor,,__proto__;constructor=1,",
        "a\r\nSec-WebSocket-Extensions:\r\nSec-WebSocket-Extensions: b; c",
    ] {
        let request = accepted(&with(REQUEST, &format!("Sec-WebSocket-Extensions: {value}\r\n")));
        let answer = drain(&mut request.accept(None, &[]).expect("accepted"));
        assert!(!String::from_utf8_lossy(&answer).contains("Extensions"));
    }
    for value in [
        "",
        ",",
        "a b",
        "a;",
        "a;;b",
        "a=b",
        ";a",
        "a;b=",
        "a;b=,c",
        "a;b=\"",
        "a;b=\"\"",
        "a;b=\"c d\"",
        "a;b=\"c\"d",
        "a;b=c d",
        "a;b=\"\\\"",
        "a;b=\"\\\\\"",
        "a;b=\"c\\\\d\"",
        "a;b=\"\\\"\"",
        "a,\"b\"",
        "\u{e9}",
        "a;b=\"\u{e9}\"",
        "a;b=c=d",
        "a,;b",
    ] {
        let line = format!("Sec-WebSocket-Extensions: {value}\r\n");
        refused(&with(REQUEST, &line), "InvalidExtensions");
    }
}

#[test]
fn headers_that_decide_are_utf8() {
    for (name, value, error) in [
        ("Host", "server.example.com", "InvalidHost"),
        ("Upgrade", "websocket, ", "InvalidUpgrade"),
        ("Connection", "Upgrade, ", "InvalidConnection"),
        ("Sec-WebSocket-Version", "13", "InvalidVersion"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "InvalidKey"),
        ("Sec-WebSocket-Protocol", "a", "InvalidSubprotocols"),
        ("Sec-WebSocket-Extensions", "a", "InvalidExtensions"),
        ("Origin", "http://server.example.com", "OriginNotAllowed"),
    ] {
        let is_in_head = REQUEST.contains(&format!("{name}:"));
        let head = if is_in_head { replaced(REQUEST, name, "") } else { with(REQUEST, "") };
        let head = &head.as_bytes()[..head.len() - 2];
        // The beginning of a character without its end.
        for wrong in [b"\xE2\x82".as_slice(), b"\xFF"] {
            let line = [name.as_bytes(), b": ", value.as_bytes(), wrong, b"\r\n\r\n"].concat();
            for origins in [Origins::same(), Origins::any()] {
                let outcome = serve(Config::new(), &origins, &[head, &line].concat(), false);
                assert_eq!(failure(outcome.result), error);
                assert_eq!(outcome.output, answer(error).into_bytes());
            }
        }
    }
}
