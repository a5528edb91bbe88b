//! What a client asks for, and what it refuses to ask for (RFC 6455 3 and 4.1).

use tidewire::{ClientHandshake, ClientRequest, Config, Uri};

use crate::client::{opened, plain, sent};
use support::handshake::{NONCE, REQUEST, RESPONSE, failure, with};

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
        ("", "InvalidScheme"),
        ("example.com", "InvalidScheme"),
        ("http://h/", "InvalidScheme"),
        ("ws:/h/", "InvalidScheme"),
        (" ws://h/", "InvalidScheme"),
        ("wsss://h/", "InvalidScheme"),
        ("ws://", "InvalidHost"),
        ("ws:///a", "InvalidHost"),
        ("ws://:80/", "InvalidHost"),
        ("ws://a b/", "InvalidHost"),
        ("ws://a\r\nX: y/", "InvalidHost"),
        ("ws://\u{e9}/", "InvalidHost"),
        ("ws://a%0/", "InvalidHost"),
        ("ws://a\\b/", "InvalidHost"),
        ("ws://::1/", "InvalidHost"),
        ("ws://[::1/", "InvalidHost"),
        ("ws://[1.2.3.4]/", "InvalidHost"),
        ("ws://h:x/", "InvalidPort"),
        ("ws://h:+1/", "InvalidPort"),
        ("ws://h:65536/", "InvalidPort"),
        ("ws://h:0/", "InvalidPort"),
        ("ws://h:99999999999999999999/", "InvalidPort"),
        ("ws://h:1:2/", "InvalidPort"),
        ("ws://[::1]x/", "InvalidPort"),
        ("ws://u@h/", "UnexpectedUserInfo"),
        ("ws://u:p@h:80/", "UnexpectedUserInfo"),
        ("ws://h/#", "UnexpectedFragment"),
        ("ws://h#a", "UnexpectedFragment"),
        ("ws://h/a?b#c", "UnexpectedFragment"),
        ("ws://h/a b", "InvalidResourceName"),
        ("ws://h/ HTTP/1.1\r\nX: y", "InvalidResourceName"),
        ("ws://h/a\0", "InvalidResourceName"),
        ("ws://h/\u{e9}", "InvalidResourceName"),
        ("ws://h/?\u{e9}", "InvalidResourceName"),
        ("ws://h/%", "InvalidResourceName"),
        ("ws://h/%2", "InvalidResourceName"),
        ("ws://h/%gg", "InvalidResourceName"),
        ("ws://h/%\u{e9}", "InvalidResourceName"),
        ("ws://h/<a>", "InvalidResourceName"),
        ("ws://h/?a=\"b\"", "InvalidResourceName"),
        ("ws://h/a\\b", "InvalidResourceName"),
    ] {
        assert_eq!(failure(ClientRequest::new(uri)), error, "{uri:?}");
    }
}

#[test]
fn a_header_that_would_break_the_request_is_refused() {
    for (name, value, error) in [
        ("", "a", "InvalidHeaderName"),
        ("a ", "a", "InvalidHeaderName"),
        ("a:b", "a", "InvalidHeaderName"),
        ("a\r\nb", "a", "InvalidHeaderName"),
        ("\u{e9}", "a", "InvalidHeaderName"),
        ("a", "b\r\nc: d", "InvalidHeaderValue"),
        ("a", "b\rc", "InvalidHeaderValue"),
        ("a", "b\nc", "InvalidHeaderValue"),
        ("a", "\0", "InvalidHeaderValue"),
        ("a", "\u{1b}", "InvalidHeaderValue"),
        ("a", "\u{7f}", "InvalidHeaderValue"),
        ("a", "\u{85}", "InvalidHeaderValue"),
        ("origin", "b\r\n", "InvalidHeaderValue"),
        ("HOST", "a", "ReservedHeader"),
        ("upgrade", "a", "ReservedHeader"),
        ("Connection", "a", "ReservedHeader"),
        ("content-length", "0", "ReservedHeader"),
        ("Transfer-Encoding", "chunked", "ReservedHeader"),
        ("Sec-WebSocket-Key", "a", "ReservedHeader"),
        ("sec-websocket-extensions", "a", "ReservedHeader"),
        ("Sec-WebSocket-", "a", "ReservedHeader"),
    ] {
        assert_eq!(failure(plain().with_header(name, value)), error, "{name:?}: {value:?}");
    }
    let request = plain().with_header("Origin", "http://a").expect("valid");
    assert_eq!(failure(request.with_header("ORIGIN", "http://b")), "RepeatedOrigin");
    assert!(plain().with_header("Sec-WebSocket", "a").is_ok());
}

#[test]
fn subprotocols_are_different_tokens() {
    for name in ["", "a b", "a,b", "a/b", "\"a\"", "a\r\nb", "\u{e9}", "a;", "a="] {
        assert_eq!(failure(plain().with_subprotocol(name)), "InvalidSubprotocol", "{name:?}");
    }
    let request = plain().with_subprotocol("v1.!#$%&'*+-^_`|~").expect("valid");
    assert_eq!(failure(request.clone().with_subprotocol("v1.!#$%&'*+-^_`|~")), "RepeatedSubprotocol");
    assert!(request.with_subprotocol("V1.!#$%&'*+-^_`|~").is_ok());
}

#[test]
fn every_byte_of_what_a_client_asks_for_is_checked() {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    // RFC 3986 3.3 and 3.4; a percent sign needs two digits, and a number sign begins a fragment.
    let is_in_uri = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?".contains(c);
    for c in ('\0'..='\u{ff}').chain(['\u{17f}', '\u{212a}', '\u{ff41}', '\u{1f980}']) {
        let check = |failed: String, is_valid: bool, error: &str| {
            assert_eq!(failed, if is_valid { "nothing" } else { error }, "{c:?}");
        };
        let text = format!("x{c}y");
        check(failure(plain().with_subprotocol(&text)), is_token(c), "InvalidSubprotocol");
        check(failure(plain().with_header(&text, "")), is_token(c), "InvalidHeaderName");
        let is_text = c == '\t' || !c.is_control();
        check(failure(plain().with_header("x", &text)), is_text, "InvalidHeaderValue");
        let error = if c == '#' { "UnexpectedFragment" } else { "InvalidResourceName" };
        check(failure(ClientRequest::new(&format!("ws://h/{text}"))), is_in_uri(c), error);
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

#[test]
fn the_zone_of_an_address_is_not_sent() {
    let request = ClientRequest::new("ws://[fe80::1%25eth0]:81/x").expect("a URI");
    assert_eq!((request.uri().host(), request.uri().port()), ("fe80::1", 81));
    assert!(sent(&request).contains("\r\nHost: [fe80::1]:81\r\n"));
    for uri in
        ["ws://[fe80::1%eth0]/", "ws://[fe80::1%25]/", "ws://[fe80::1%25a/b]/", "ws://[1.2.3.4%25eth0]/"]
    {
        assert!(uri.parse::<Uri>().is_err(), "{uri}");
    }
}
