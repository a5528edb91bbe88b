//! What an application is given and passes on, as a path from a link: no character of it adds anything to a head.

use bytes::Buf;
use tidewire::{ClientHandshake, ClientRequest, Config, Input, InvalidRequest, Request, ServerHandshake};

use support::handshake::{NONCE, REQUEST, drain, kind, with};

/// All that fit into a byte, and some that become a line end or a NUL when they are cut to one, or when somebody normalises them.
fn characters() -> impl Iterator<Item = char> {
    ('\0'..='\u{FF}')
        .chain("\u{10A}\u{10D}\u{120}\u{100}\u{560A}\u{560D}\u{85}\u{2028}\u{2029}\u{FF1A}".chars())
}

/// RFC 9110 5.5: what stands in the value of a header.
fn is_value_text(c: char) -> bool {
    c == '\t' || !c.is_control()
}

/// Asserts that `head` is one head with this first line and so many headers, and nothing else.
#[track_caller]
fn assert_one_head(head: &[u8], first_line: &str, headers: usize) {
    let text = core::str::from_utf8(head).expect("UTF-8");
    let lines: Vec<_> = text.strip_suffix("\r\n\r\n").expect("a blank line ends it").split("\r\n").collect();
    assert_eq!((lines[0], lines.len()), (first_line, 1 + headers), "{text:?}");
    let is_visible = |c: char| c == '\t' || !c.is_control();
    assert!(lines.iter().all(|line| !line.is_empty() && line.chars().all(is_visible)), "{text:?}");
    assert!(lines[1..].iter().all(|line| line.split_once(": ").is_some()), "{text:?}");
}

#[test]
fn no_character_in_any_part_of_a_request_adds_anything_to_it() {
    type Make = fn(char) -> Result<ClientRequest, InvalidRequest>;
    let parts: [(&str, usize, Make); 9] = [
        ("host", 5, |c| ClientRequest::new(&format!("ws://a{c}b/chat"))),
        ("port", 5, |c| ClientRequest::new(&format!("ws://a:8{c}0/chat"))),
        ("path", 5, |c| ClientRequest::new(&format!("ws://a/x{c}y"))),
        ("query", 5, |c| ClientRequest::new(&format!("ws://a/x?y{c}z"))),
        ("name", 6, |c| ClientRequest::new("ws://a/")?.with_header(&format!("X{c}Y"), "z")),
        ("value", 6, |c| ClientRequest::new("ws://a/")?.with_header("Authorization", &format!("x{c}y"))),
        ("origin", 6, |c| ClientRequest::new("ws://a/")?.with_header("Origin", &format!("http://x{c}y"))),
        ("agent", 6, |c| ClientRequest::new("ws://a/")?.with_header("User-Agent", &format!("x/1{c}"))),
        ("subprotocol", 6, |c| ClientRequest::new("ws://a/")?.with_subprotocol(&format!("x{c}y"))),
    ];
    for (part, headers, make) in parts {
        for c in characters() {
            let Ok(request) = make(c) else { continue };
            let is_value = matches!(part, "value" | "origin" | "agent");
            assert!(c.is_ascii_graphic() || (is_value && is_value_text(c)), "{part}: {c:?} passes");
            let mut handshake = ClientHandshake::new(Config::new(), &request, NONCE, [7; 32]);
            let first_line = format!("GET {} HTTP/1.1", request.uri().resource_name());
            assert_eq!(first_line.split(' ').count(), 3);
            assert_one_head(handshake.output().chunk(), &first_line, headers);
        }
    }
}

#[test]
fn what_is_percent_encoded_stays_so() {
    let target = "/%0d%0aX:%20y?%00%0A%20HTTP/1.1%0d%0a";
    let request = ClientRequest::new(&format!("ws://server.example.com{target}")).expect("valid");
    let mut handshake = ClientHandshake::new(Config::new(), &request, NONCE, [7; 32]);
    assert_one_head(handshake.output().chunk(), &format!("GET {target} HTTP/1.1"), 5);
    // Nor does a server decode it.
    let mut input = Input::new();
    input.extend_from_slice(handshake.output().chunk());
    let received = ServerHandshake::new(Config::new()).receive(&mut input);
    let received = received.expect("valid").expect("complete");
    assert_eq!((received.target(), received.path()), (target, "/%0d%0aX:%20y"));
}

fn received(lines: &str) -> Request {
    let mut input = Input::new();
    input.extend_from_slice(with(REQUEST, lines).as_bytes());
    ServerHandshake::new(Config::new()).receive(&mut input).expect("valid").expect("complete")
}

#[test]
fn no_character_in_any_part_of_an_answer_adds_anything_to_it() {
    let request = || received("Sec-WebSocket-Protocol: xy\r\n");
    for c in characters() {
        let (name, value) = (format!("X{c}Y"), format!("x{c}y"));
        for headers in [[(name.as_str(), "z")], [("Location", value.as_str())], [("Set-Cookie", &value)]] {
            let is_safe = c.is_ascii_graphic() || (headers[0].0 != name && is_value_text(c));
            if let Ok(mut connection) = request().accept(Some("xy"), &headers) {
                assert!(is_safe, "{c:?} passes");
                assert_one_head(&drain(&mut connection), "HTTP/1.1 101 Switching Protocols", 5);
            }
            if let Ok(mut connection) = request().reject(302, &headers, b"") {
                assert!(is_safe, "{c:?} passes");
                assert_one_head(&drain(&mut connection), "HTTP/1.1 302 Found", 3);
            }
        }
        // A subprotocol is one that the client offers, and this is none.
        let refused = request().accept(Some(&value), &[]).expect_err("not offered");
        assert_eq!(kind(refused.reason()), "UnofferedSubprotocol", "{c:?}");
    }
}

#[test]
fn a_subprotocol_that_is_echoed_is_a_token() {
    for c in characters().filter(|&c| !matches!(c, '\r' | '\n' | '\0')) {
        let request = || {
            let mut input = Input::new();
            input.extend_from_slice(with(REQUEST, &format!("Sec-WebSocket-Protocol: x{c}y\r\n")).as_bytes());
            ServerHandshake::new(Config::new()).receive(&mut input).ok().flatten()
        };
        let Some(offering) = request() else { continue };
        for name in offering.subprotocols() {
            let mut connection = request().expect("again").accept(Some(name), &[]).expect("offered");
            assert_one_head(&drain(&mut connection), "HTTP/1.1 101 Switching Protocols", 4);
            assert!(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~,".contains(c), "{c:?} passes");
        }
    }
}
