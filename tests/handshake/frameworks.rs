//! Requests that an HTTP library has read. Those of HTTP/1.1 are compared with their bytes wherever a head is served.

use http::{HeaderName, HeaderValue, Request, Response, Version};
use support::handshake::{REQUEST, failure, kind, with};
use support::http::request;
use tidewire::{Config, HandshakeError, Origins, ServerHandshake, State};

/// A valid extended CONNECT, with the headers that RFC 8441 5.1 shows.
fn connect() -> Request<()> {
    Request::connect("https://server.example.com/chat?room=1")
        .version(Version::HTTP_2)
        .header("sec-websocket-protocol", "chat, superchat")
        .header("sec-websocket-extensions", "permessage-deflate")
        .header("sec-websocket-version", "13")
        .header("origin", "http://server.example.com")
        .body(())
        .expect("valid")
}

fn receive(request: &Request<()>) -> Result<tidewire::Request, HandshakeError> {
    ServerHandshake::new(Config::new()).receive_http(request, Some("websocket"))
}

#[test]
fn an_extended_connect_is_answered_with_200_and_neither_key_nor_upgrade() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let mut request = connect();
        *request.version_mut() = version;
        let request = receive(&request).expect("valid");
        assert_eq!((request.target(), request.host()), ("/chat?room=1", "server.example.com"));
        assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
        assert_eq!(request.origin(), Some("http://server.example.com"));
        assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["chat", "superchat"]);
        let (response, accepted) = request.accept_http(Some("superchat")).expect("offered");
        assert_eq!(response.status(), 200);
        let headers: Vec<_> = response.headers().iter().map(|(name, value)| (name.as_str(), value)).collect();
        assert_eq!(headers, [("sec-websocket-protocol", &HeaderValue::from_static("superchat"))]);
        assert_eq!(accepted.subprotocol(), Some("superchat"));
        let mut connection = accepted.into_connection();
        assert_eq!((connection.state(), connection.output().len()), (State::Open, 0));
        // An answer in the bytes of HTTP/1.1 would be taken for frames.
        assert_eq!(request.accept(None, &[]).expect("accepted").output().len(), 0);
    }
}

#[cfg(feature = "deflate")]
#[test]
fn compression_is_agreed_on_over_http_2_as_well() {
    use tidewire::Deflate;

    let handshake = ServerHandshake::new(Config::new().with_deflate(Deflate::new()));
    let request = handshake.receive_http(&connect(), Some("websocket")).expect("valid");
    let agreement = request.agreement().expect("agreed");
    let (response, accepted) = request.accept_http(None).expect("accepted");
    assert_eq!(response.headers()["sec-websocket-extensions"], agreement.to_string());
    assert_eq!(accepted.into_connection().agreement(), Some(agreement));
}

#[test]
fn a_key_over_http_2_is_not_looked_at() {
    let mut request = connect();
    request.headers_mut().append("sec-websocket-key", HeaderValue::from_static("foo"));
    assert!(receive(&request).is_ok());
}

#[test]
fn an_extended_connect_has_the_rules_of_rfc_8441_and_of_rfc_6455() {
    let check = |change: &dyn Fn(&mut Request<()>), expected: &str, status: u16| {
        let mut request = connect();
        change(&mut request);
        let error = receive(&request).expect_err("refused");
        assert_eq!((kind(&error).as_str(), error.status()), (expected, Some(status)), "{request:?}");
        let response = Response::<String>::from(error);
        assert_eq!(response.status(), status);
        // RFC 9113 8.2.2.
        assert!(
            !response.headers().contains_key("upgrade") && !response.headers().contains_key("connection")
        );
        response
    };
    let with_header = |name: &'static str, value: &'static [u8]| {
        move |request: &mut Request<()>| {
            request.headers_mut().append(name, HeaderValue::from_bytes(value).expect("valid"));
        }
    };
    let with_uri =
        |uri: &'static str| move |request: &mut Request<()>| *request.uri_mut() = uri.parse().expect("valid");

    for method in ["GET", "HEAD", "POST", "connect"] {
        let change = |request: &mut Request<()>| *request.method_mut() = method.parse().expect("a method");
        let response = check(&change, "MethodNotConnect", 405);
        assert_eq!(response.headers()["allow"], "CONNECT");
        assert_eq!(response.body().is_empty(), method == "HEAD");
    }
    // A path, and a host that is one.
    check(&with_uri("server.example.com:443"), "InvalidTarget", 400);
    check(&with_uri("ftp://server.example.com/chat"), "InvalidTarget", 400);
    check(&with_uri("/chat"), "InvalidHost", 400);
    check(&with_uri("https://user@server.example.com/"), "InvalidHost", 400);
    check(&with_header("host", b"other.example.com"), "InvalidHost", 400);
    check(&with_header("host", b"\xFF"), "InvalidHost", 400);
    check(&with_header("content-length", b"4"), "RequestBody", 400);
    // RFC 9110 15.5.22: 426 would name an `Upgrade`, and there is none.
    for version in ["12", "", "013"] {
        let change = |request: &mut Request<()>| {
            request.headers_mut().insert("sec-websocket-version", HeaderValue::from_static(version));
        };
        let response = check(&change, "InvalidVersion", 400);
        assert_eq!(response.headers()["sec-websocket-version"], "13");
    }
    let change = |request: &mut Request<()>| drop(request.headers_mut().remove("sec-websocket-version"));
    check(&change, "InvalidVersion", 400);
    check(&with_header("sec-websocket-version", b"13"), "InvalidVersion", 400);
    check(&with_header("sec-websocket-protocol", b"chat"), "InvalidSubprotocols", 400);
    check(&with_header("sec-websocket-extensions", b"a;"), "InvalidExtensions", 400);
    check(&with_header("origin", b"http://server.example.com"), "OriginNotAllowed", 403);
    let change = |request: &mut Request<()>| {
        request.headers_mut().insert("origin", HeaderValue::from_static("https://evil.net"));
    };
    check(&change, "OriginNotAllowed", 403);

    // A `Host` that says the same harms nobody.
    let mut request = connect();
    with_header("host", b"server.example.com")(&mut request);
    assert!(receive(&request).is_ok());
}

#[test]
fn a_connect_for_another_protocol_is_answered_with_501() {
    let handshake = ServerHandshake::new(Config::new());
    for protocol in [None, Some(""), Some("WebSocket"), Some("websocket2"), Some("connect-udp")] {
        let error = handshake.receive_http(&connect(), protocol).expect_err("refused");
        assert_eq!((kind(&error).as_str(), error.status()), ("UnsupportedProtocol", Some(501)));
        let shown = protocol.map_or_else(|| "missing".into(), |protocol| format!("{protocol:?}"));
        assert_eq!(error.to_string(), format!("`:protocol` must be \"websocket\": it is {shown}"));
    }
    // Over HTTP/1.1 there is no such thing.
    let request = request(with(REQUEST, "").as_bytes()).expect("a request");
    assert!(handshake.receive_http(&request, Some("connect-udp")).is_ok());
}

#[test]
fn one_handshake_judges_any_number_of_requests() {
    let handshake = ServerHandshake::new(Config::new()).with_subprotocols(&["chat"]).expect("a token");
    let good =
        request(with(REQUEST, "Sec-WebSocket-Protocol: mqtt, chat\r\n").as_bytes()).expect("a request");
    let bad = request(with(REQUEST, "Origin: https://evil.net\r\n").as_bytes()).expect("a request");
    for _ in 0..3 {
        assert_eq!(handshake.receive_http(&good, None).expect("valid").subprotocol(), Some("chat"));
        assert_eq!(failure(handshake.receive_http(&bad, None)), "OriginNotAllowed");
        assert_eq!(
            handshake.receive_http(&connect(), Some("websocket")).expect("valid").subprotocol(),
            Some("chat")
        );
    }
}

#[test]
fn a_subprotocol_that_is_not_offered_is_not_accepted() {
    let request = receive(&connect()).expect("valid");
    for name in ["mqtt", "", "chat, superchat", "caf\u{e9}", "a\r\nb: c"] {
        let accepted = request.accept_http(Some(name));
        let answer = Response::<String>::from(accepted.as_ref().expect_err(name).clone());
        assert_eq!(answer.status(), 500);
        assert!(!answer.body().is_empty() && (name.is_empty() || !answer.body().contains(name)));
        assert_eq!(failure(accepted), "UnofferedSubprotocol");
    }
    assert_eq!(request.accept_http(None).expect("accepted").1.subprotocol(), None);
}

#[test]
fn no_value_of_a_header_can_panic() {
    let names = [
        "host",
        "upgrade",
        "connection",
        "content-length",
        "transfer-encoding",
        "sec-websocket-version",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
        "origin",
        "x-forwarded-host",
        "cookie",
    ];
    let values = [
        &b""[..],
        b"\xFF",
        b"caf\xE9",
        b"\xE2\x82",
        b" \t",
        b"a\tb",
        b":",
        b",",
        b"\"",
        b"13 ",
        b"a=\xF0\x9F",
    ];
    for origins in [Origins::same(), Origins::same_forwarded(), Origins::any()] {
        let handshake = ServerHandshake::new(Config::new()).with_origins(origins);
        for name in names {
            for value in values {
                for mut request in [connect(), request(with(REQUEST, "").as_bytes()).expect("a request")] {
                    let value = HeaderValue::from_bytes(value).expect("valid");
                    request.headers_mut().insert(HeaderName::from_static(name), value.clone());
                    match handshake.receive_http(&request, Some("websocket")) {
                        Ok(request) => {
                            let trimmed = value.as_bytes().trim_ascii();
                            assert!(
                                request.headers().any(|header| header == (name, trimmed)),
                                "{name}: {value:?}"
                            );
                            request.accept_http(None).expect("accepted");
                        }
                        Err(error) => assert!(Response::<String>::from(error).status().is_client_error()),
                    }
                }
            }
        }
    }
}

#[test]
fn an_error_that_no_request_leads_to_is_the_servers_own() {
    for error in [HandshakeError::UnexpectedEof, HandshakeError::NoAnswer] {
        assert_eq!(Response::<String>::from(error).status(), 500);
    }
    assert_eq!(Response::<String>::from(HandshakeError::TimedOut).status(), 408);
}

#[test]
fn older_versions_of_http_are_refused() {
    for version in [Version::HTTP_09, Version::HTTP_10] {
        for mut request in [connect(), request(with(REQUEST, "").as_bytes()).expect("a request")] {
            *request.version_mut() = version;
            let error = receive(&request).expect_err("refused");
            assert_eq!((kind(&error).as_str(), error.status()), ("UnsupportedHttpVersion", Some(505)));
        }
    }
}
