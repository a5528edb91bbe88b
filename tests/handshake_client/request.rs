//! What a client asks for, and what it refuses to ask for (RFC 6455 3 and 4.1).

use tidewire::{ClientHandshake, ClientRequest, Config, InvalidRequest, Uri};

use crate::handshake::{NONCE, REQUEST, RESPONSE, with};
use crate::{opened, plain, sent};

#[test]
fn the_request_of_rfc_6455_1_3_is_sent() {
    assert_eq!(
        sent(&plain()),
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    let request = plain()
        .with_header("Origin", "http://example.com")
        .and_then(|request| request.with_subprotocol("chat"))
        .and_then(|request| request.with_header("Cookie", "a=b\t; c=\"d\u{e9}\""))
        .and_then(|request| request.with_subprotocol("superchat"))
        .expect("valid");
    assert_eq!(
        sent(&request),
        with(
            REQUEST,
            "Sec-WebSocket-Protocol: chat, superchat\r\nOrigin: http://example.com\r\nCookie: a=b\t; c=\"d\u{e9}\"\r\n"
        )
    );
}

#[test]
fn a_uri_tells_where_to_connect_and_what_to_ask_for() {
    for (uri, secure, host, port, authority, resource_name) in [
        ("ws://example.com", false, "example.com", 80, "example.com", "/"),
        ("WSS://Example.com", true, "Example.com", 443, "Example.com", "/"),
        ("ws://h:80/a", false, "h", 80, "h", "/a"),
        ("wss://h:80/a", true, "h", 80, "h:80", "/a"),
        ("ws://h:443", false, "h", 443, "h:443", "/"),
        ("wss://h:00443", true, "h", 443, "h", "/"),
        ("ws://h:/a", false, "h", 80, "h", "/a"),
        ("ws://h:65535?q", false, "h", 65535, "h:65535", "/?q"),
        ("ws://h/a?", false, "h", 80, "h", "/a"),
        ("ws://h?", false, "h", 80, "h", "/"),
        ("ws://h/a??", false, "h", 80, "h", "/a??"),
        (
            "ws://h//a:b@c/%23;d=e?/?:@!$&'()*+,;=-._~",
            false,
            "h",
            80,
            "h",
            "//a:b@c/%23;d=e?/?:@!$&'()*+,;=-._~",
        ),
        ("ws://h/.well-known/../x", false, "h", 80, "h", "/.well-known/../x"),
        ("ws://[::1]", false, "::1", 80, "[::1]", "/"),
        ("ws://[2001:DB8::1.2.3.4]:81/", false, "2001:DB8::1.2.3.4", 81, "[2001:DB8::1.2.3.4]:81", "/"),
        ("ws://127.0.0.1:9001/", false, "127.0.0.1", 9001, "127.0.0.1:9001", "/"),
    ] {
        let parsed = Uri::try_from(uri).expect(uri);
        assert_eq!((parsed.is_secure(), parsed.host(), parsed.port()), (secure, host, port), "{uri}");
        assert_eq!((parsed.authority(), parsed.resource_name()), (authority, resource_name), "{uri}");
        assert_eq!(parsed.to_string().parse().as_ref(), Ok(&parsed));
        let request = ClientRequest::new(uri).expect(uri);
        assert_eq!(request.uri(), &parsed);
        assert!(
            sent(&request).starts_with(&format!("GET {resource_name} HTTP/1.1\r\nHost: {authority}\r\n"))
        );
    }
}

#[test]
fn an_invalid_uri_is_refused_before_anything_is_sent() {
    for (uri, error) in [
        ("", InvalidRequest::InvalidScheme),
        ("example.com", InvalidRequest::InvalidScheme),
        ("http://h/", InvalidRequest::InvalidScheme),
        ("ws:/h/", InvalidRequest::InvalidScheme),
        (" ws://h/", InvalidRequest::InvalidScheme),
        ("wsss://h/", InvalidRequest::InvalidScheme),
        ("ws://", InvalidRequest::InvalidHost),
        ("ws:///a", InvalidRequest::InvalidHost),
        ("ws://:80/", InvalidRequest::InvalidHost),
        ("ws://a b/", InvalidRequest::InvalidHost),
        ("ws://a\r\nX: y/", InvalidRequest::InvalidHost),
        ("ws://\u{e9}/", InvalidRequest::InvalidHost),
        ("ws://a%0/", InvalidRequest::InvalidHost),
        ("ws://a\\b/", InvalidRequest::InvalidHost),
        ("ws://::1/", InvalidRequest::InvalidHost),
        ("ws://[::1/", InvalidRequest::InvalidHost),
        ("ws://[::1%25eth0]/", InvalidRequest::InvalidHost),
        ("ws://[1.2.3.4]/", InvalidRequest::InvalidHost),
        ("ws://h:x/", InvalidRequest::InvalidPort),
        ("ws://h:+1/", InvalidRequest::InvalidPort),
        ("ws://h:65536/", InvalidRequest::InvalidPort),
        ("ws://h:0/", InvalidRequest::InvalidPort),
        ("ws://h:99999999999999999999/", InvalidRequest::InvalidPort),
        ("ws://h:1:2/", InvalidRequest::InvalidPort),
        ("ws://[::1]x/", InvalidRequest::InvalidPort),
        ("ws://u@h/", InvalidRequest::UnexpectedUserInfo),
        ("ws://u:p@h:80/", InvalidRequest::UnexpectedUserInfo),
        ("ws://h/#", InvalidRequest::UnexpectedFragment),
        ("ws://h#a", InvalidRequest::UnexpectedFragment),
        ("ws://h/a?b#c", InvalidRequest::UnexpectedFragment),
        ("ws://h/a b", InvalidRequest::InvalidResourceName),
        ("ws://h/ HTTP/1.1\r\nX: y", InvalidRequest::InvalidResourceName),
        ("ws://h/a\0", InvalidRequest::InvalidResourceName),
        ("ws://h/\u{e9}", InvalidRequest::InvalidResourceName),
        ("ws://h/?\u{e9}", InvalidRequest::InvalidResourceName),
        ("ws://h/%", InvalidRequest::InvalidResourceName),
        ("ws://h/%2", InvalidRequest::InvalidResourceName),
        ("ws://h/%gg", InvalidRequest::InvalidResourceName),
        ("ws://h/%\u{e9}", InvalidRequest::InvalidResourceName),
        ("ws://h/<a>", InvalidRequest::InvalidResourceName),
        ("ws://h/?a=\"b\"", InvalidRequest::InvalidResourceName),
        ("ws://h/a\\b", InvalidRequest::InvalidResourceName),
    ] {
        assert_eq!(ClientRequest::new(uri).err(), Some(error), "{uri:?}");
    }
}

#[test]
fn a_header_that_would_break_the_request_is_refused() {
    for (name, value, error) in [
        ("", "a", InvalidRequest::InvalidHeaderName),
        ("a ", "a", InvalidRequest::InvalidHeaderName),
        ("a:b", "a", InvalidRequest::InvalidHeaderName),
        ("a\r\nb", "a", InvalidRequest::InvalidHeaderName),
        ("\u{e9}", "a", InvalidRequest::InvalidHeaderName),
        ("a", "b\r\nc: d", InvalidRequest::InvalidHeaderValue),
        ("a", "b\rc", InvalidRequest::InvalidHeaderValue),
        ("a", "b\nc", InvalidRequest::InvalidHeaderValue),
        ("a", "\0", InvalidRequest::InvalidHeaderValue),
        ("a", "\u{1b}", InvalidRequest::InvalidHeaderValue),
        ("a", "\u{7f}", InvalidRequest::InvalidHeaderValue),
        ("a", "\u{85}", InvalidRequest::InvalidHeaderValue),
        ("origin", "b\r\n", InvalidRequest::InvalidHeaderValue),
        ("HOST", "a", InvalidRequest::ReservedHeader),
        ("upgrade", "a", InvalidRequest::ReservedHeader),
        ("Connection", "a", InvalidRequest::ReservedHeader),
        ("content-length", "0", InvalidRequest::ReservedHeader),
        ("Transfer-Encoding", "chunked", InvalidRequest::ReservedHeader),
        ("Sec-WebSocket-Key", "a", InvalidRequest::ReservedHeader),
        ("sec-websocket-extensions", "a", InvalidRequest::ReservedHeader),
        ("Sec-WebSocket-", "a", InvalidRequest::ReservedHeader),
    ] {
        assert_eq!(plain().with_header(name, value).err(), Some(error), "{name:?}: {value:?}");
    }
    let request = plain().with_header("Origin", "http://a").expect("valid");
    assert_eq!(request.with_header("ORIGIN", "http://b").err(), Some(InvalidRequest::RepeatedOrigin));
    assert!(plain().with_header("Sec-WebSocket", "a").is_ok());
}

#[test]
fn subprotocols_are_different_tokens() {
    for name in ["", "a b", "a,b", "a/b", "\"a\"", "a\r\nb", "\u{e9}", "a;", "a="] {
        assert_eq!(
            plain().with_subprotocol(name).err(),
            Some(InvalidRequest::InvalidSubprotocol),
            "{name:?}"
        );
    }
    let request = plain().with_subprotocol("v1.!#$%&'*+-^_`|~").expect("valid");
    assert_eq!(
        request.clone().with_subprotocol("v1.!#$%&'*+-^_`|~").err(),
        Some(InvalidRequest::RepeatedSubprotocol)
    );
    assert!(request.with_subprotocol("V1.!#$%&'*+-^_`|~").is_ok());
}

#[test]
fn every_byte_of_what_a_client_asks_for_is_checked() {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    // RFC 3986 3.3 and 3.4; a percent sign needs two digits, and a number sign begins a fragment.
    let is_in_uri = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?".contains(c);
    for c in ('\0'..='\u{ff}').chain(['\u{17f}', '\u{212a}', '\u{ff41}', '\u{1f980}']) {
        let subprotocol = plain().with_subprotocol(&format!("x{c}y")).err();
        assert_eq!(subprotocol, (!is_token(c)).then_some(InvalidRequest::InvalidSubprotocol), "{c:?}");
        let name = plain().with_header(&format!("x{c}y"), "").err();
        assert_eq!(name, (!is_token(c)).then_some(InvalidRequest::InvalidHeaderName), "{c:?}");
        let value = plain().with_header("x", &format!("x{c}y")).err();
        let is_text = c == '\t' || !c.is_control();
        assert_eq!(value, (!is_text).then_some(InvalidRequest::InvalidHeaderValue), "{c:?}");
        let uri = ClientRequest::new(&format!("ws://h/x{c}y")).err();
        let error =
            if c == '#' { InvalidRequest::UnexpectedFragment } else { InvalidRequest::InvalidResourceName };
        assert_eq!(uri, (!is_in_uri(c)).then_some(error), "{c:?}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let request = ClientRequest::new("ws://h/chat?token=secret").expect("valid");
    let request = request.with_header("Authorization", "secret").expect("valid");
    let request = request.with_subprotocol("a").expect("valid");
    let handshake = ClientHandshake::new(Config::new(), &request, NONCE, [7; 32]);
    let response = opened(&request, &with(RESPONSE, "Set-Cookie: secret\r\n"));
    assert_eq!(format!("{:?}", request.uri()), "Uri(ws://h/chat)");
    assert_eq!(format!("{request:?}"), r#"ClientRequest { uri: Uri(ws://h/chat), subprotocols: ["a"], .. }"#);
    let config = Config::new();
    assert_eq!(
        format!("{handshake:?}"),
        format!(r#"ClientHandshake {{ config: {config:?}, subprotocols: ["a"], outcome: None, .. }}"#)
    );
    assert_eq!(format!("{response:?}"), "Response { status: 101, .. }");
    let secure = Uri::try_from("wss://h:81/?secret").expect("valid");
    assert_eq!(format!("{secure:?} {secure}"), "Uri(wss://h:81/) wss://h:81/?secret");
}
