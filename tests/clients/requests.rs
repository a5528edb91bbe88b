//! Credentials, cookies and the other headers that a client's request may have.

use tidewire::{ClientHandshake, ClientRequest, Config, InvalidRequest};

fn head(request: &ClientRequest) -> String {
    let mut handshake = ClientHandshake::new(Config::new(), request, [0; 16], [0; 32]);
    String::from_utf8(handshake.output().chunk().to_vec()).expect("ASCII")
}

fn plain() -> ClientRequest {
    ClientRequest::new("wss://example.com/").expect("a URI")
}

#[test]
fn credentials_and_cookies_become_one_header_each() {
    let request = plain()
        .with_basic_auth("ada", "pass: w\u{f6}rd")
        .and_then(|request| request.with_cookie("a", "1"))
        .and_then(|request| request.with_header("Cookie", "b=2; c=3"))
        .and_then(|request| request.with_cookie("d", ""))
        .and_then(|request| request.with_user_agent("tides/1"))
        .and_then(|request| request.with_origin("https://example.com"))
        .expect("valid");
    let head = head(&request);
    // RFC 7617 2.1: UTF-8.
    assert!(head.contains("\r\nAuthorization: Basic YWRhOnBhc3M6IHfDtnJk\r\n"), "{head}");
    assert!(head.contains("\r\nCookie: a=1; b=2; c=3; d=\r\n"), "{head}");
    assert!(head.contains("\r\nUser-Agent: tides/1\r\nOrigin: https://example.com\r\n"), "{head}");
    let bearer = plain().with_bearer_token("abc.def-_~+/=").expect("valid");
    assert!(self::head(&bearer).contains("\r\nAuthorization: Bearer abc.def-_~+/=\r\n"));
    for secret in ["YWRh", "a=1", "abc.def"] {
        assert!(!format!("{request:?}{bearer:?}").contains(secret));
    }
}

#[test]
fn what_would_break_a_header_is_refused() {
    use InvalidRequest::{InvalidCookie, InvalidCredentials, RepeatedAuthorization, RepeatedOrigin};

    for (user, password) in [("a:b", "c"), ("a\n", "c"), ("a", "c\0")] {
        assert_eq!(plain().with_basic_auth(user, password).err(), Some(InvalidCredentials));
    }
    for token in ["", "a b", "a\r\nb", "\u{e9}"] {
        assert_eq!(plain().with_bearer_token(token).err(), Some(InvalidCredentials));
    }
    for (name, value) in [("", "v"), ("a b", "v"), ("a", "v;w"), ("a", "v w"), ("a", "\r\n"), ("a", "\"v\"")]
    {
        assert!(matches!(plain().with_cookie(name, value).err(), Some(InvalidCookie(_))), "{name}={value}");
    }
    let twice = plain().with_bearer_token("t").and_then(|request| request.with_basic_auth("a", "b"));
    assert_eq!(twice.err(), Some(RepeatedAuthorization));
    let twice =
        plain().with_origin("https://a").and_then(|request| request.with_header("origin", "https://b"));
    assert_eq!(twice.err(), Some(RepeatedOrigin));
}

#[test]
fn a_user_name_in_the_uri_counts_only_when_asked() {
    let uri = "wss://ada%40home:p%3Aw@example.com:444/path?q=a@b";
    assert_eq!(ClientRequest::new(uri).err(), Some(InvalidRequest::UnexpectedUserInfo));
    let request = ClientRequest::new_with_userinfo(uri).expect("valid");
    assert_eq!(request.uri().to_string(), "wss://example.com:444/path?q=a@b");
    assert!(head(&request).contains("\r\nAuthorization: Basic YWRhQGhvbWU6cDp3\r\n"));
    let without = ClientRequest::new_with_userinfo("ws://example.com/?a@b").expect("valid");
    assert!(!head(&without).contains("Authorization"));
    for uri in ["ws://a%3Ab@h/", "ws://a%0D%0A@h/", "ws://a%f@h/", "ws://a%zz@h/", "ws://%ff@h/"] {
        assert_eq!(
            ClientRequest::new_with_userinfo(uri).err(),
            Some(InvalidRequest::InvalidCredentials),
            "{uri}"
        );
    }
}
