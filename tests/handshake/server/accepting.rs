//! What is accepted, and what follows from it (RFC 6455 4.2.2).

use tidewire::{Config, Event, Input, Origins, ServerHandshake, State, accept_key};

use crate::server::accepted;
use support::handshake::{REQUEST, drain, failure, kind, replaced, serve, with};

#[test]
fn the_example_of_rfc_6455_1_3_is_accepted() {
    assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let request = accepted(&with(
        REQUEST,
        "Origin: http://server.example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n",
    ));
    assert_eq!(request.target(), "/chat");
    assert_eq!(request.host(), "server.example.com");
    assert_eq!(request.origin(), Some("http://server.example.com"));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["chat", "superchat"]);
    let mut connection = request.accept(Some("chat"), &[]).expect("accepted");
    assert_eq!(
        String::from_utf8_lossy(&drain(&mut connection)),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    );
    assert_eq!(connection.state(), State::Open);
}

#[test]
fn frames_follow_the_answer_in_the_same_output() {
    let mut connection =
        accepted(&with(REQUEST, "")).accept(None, &[("Set-Cookie", "a=\u{e9}")]).expect("accepted");
    connection.send("Hello").expect("sent");
    assert!(drain(&mut connection).ends_with(b"xOo=\r\nSet-Cookie: a=\xC3\xA9\r\n\r\n\x81\x05Hello"));
}

#[test]
fn frames_that_came_with_the_request_are_received() {
    let mut input = Input::new();
    input.extend_from_slice(&[with(REQUEST, "").as_bytes(), b"\x81\x82\0\0\0\0Hi"].concat());
    let mut handshake = ServerHandshake::new(Config::new());
    let request = handshake.receive(&mut input).expect("valid").expect("complete");
    assert!(handshake.receive(&mut input).expect("once").is_none());
    let mut connection = request.accept(None, &[]).expect("accepted");
    assert!(matches!(connection.receive(&mut input), Ok(Some(Event::Text(text))) if &*text == "Hi"));
}

#[test]
fn header_names_and_tokens_are_compared_without_regard_to_case_and_order() {
    let request = accepted(
        "GET / HTTP/1.1\r\nsec-websocket-version:13\r\nSEC-WEBSOCKET-KEY:\t dGhlIHNhbXBsZSBub25jZQ== \t\r\n\
         connection: keep-alive , uPGRADE,\r\nUPGRADE: WebSocket\r\nhOST: h\r\nx-other:\r\n\r\n",
    );
    assert_eq!(request.header("X-OTHER"), Some(""));
    assert_eq!(request.header("x-missing"), None);
    assert_eq!(request.headers().next(), Some(("sec-websocket-version", &b"13"[..])));
}

#[test]
fn lists_go_on_over_repeated_headers() {
    accepted(&replaced(REQUEST, "Connection", "Connection: keep-alive\r\nConnection: x, upgrade\r\n"));
    accepted(&replaced(REQUEST, "Upgrade", "Upgrade: h2c, foo/1\r\nUpgrade: websocket\r\n"));
    let request =
        accepted(&with(REQUEST, "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: ,b ,\tc\r\n"));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn values_of_other_headers_may_hold_any_text() {
    let request = accepted(&with(REQUEST, "Cookie: caf\u{e9}=\"(a);\"\r\n"));
    assert_eq!(request.header("cookie"), Some("caf\u{e9}=\"(a);\""));
}

#[test]
fn a_header_that_is_not_utf8_is_reached_as_bytes_alone() {
    let head = [REQUEST.as_bytes(), b"Cookie: caf\xE9\r\nCookie: b\r\n\r\n"].concat();
    let outcome = serve(Config::new(), &Origins::same(), &head, false);
    let request = outcome.result.expect("accepted").expect("complete");
    assert_eq!(request.header("Cookie"), None);
    let cookies = request.headers().filter(|(name, _)| *name == "Cookie").map(|(_, value)| value);
    assert_eq!(cookies.collect::<Vec<_>>(), [&b"caf\xE9"[..], b"b"]);
}

#[test]
fn a_target_is_a_path_and_perhaps_a_query() {
    for (target, path, query) in [
        ("/", "/", None),
        ("/?", "/", None),
        ("/a?b=c&d", "/a", Some("b=c&d")),
        ("/a??b?", "/a", Some("?b?")),
        ("/a??", "/a", Some("?")),
        ("http://other?a", "/", Some("a")),
        ("http://other/b?", "/b", None),
    ] {
        let request = accepted(&with(&REQUEST.replace("/chat", target), ""));
        assert_eq!((request.path(), request.query()), (path, query), "{target}");
    }
}

#[test]
fn the_subprotocol_is_one_that_the_client_offers() {
    let request =
        || accepted(&with(REQUEST, "Sec-WebSocket-Protocol: soap, wamp\r\nSec-WebSocket-Protocol: mqtt\r\n"));
    assert_eq!(request().choose_subprotocol(&["mqtt", "soap"]), Some("mqtt"));
    assert_eq!(request().choose_subprotocol(&["MQTT", "wamp"]), Some("wamp"));
    assert_eq!(request().choose_subprotocol(&["other"]), None);
    assert_eq!(request().choose_subprotocol(&[]), None);
    for subprotocol in ["other", "", "SOAP", "soap, wamp", "a\r\nb: c"] {
        let error = request().accept(Some(subprotocol), &[]).expect_err("not offered");
        assert_eq!(kind(error.reason()), "UnofferedSubprotocol");
    }
    // RFC 6455 4.2.2: without one there is no header, not even an empty one.
    let answer = drain(&mut request().accept(None, &[]).expect("accepted"));
    assert!(!String::from_utf8_lossy(&answer).contains("Protocol:"));
}

#[test]
fn the_server_prefers_its_own_first_subprotocol_among_those_that_are_offered() {
    let offering = "Sec-WebSocket-Protocol: soap, wamp\r\nSec-WebSocket-Protocol: mqtt\r\n";
    for (supported, lines, chosen) in [
        (&["mqtt", "soap"][..], offering, Some("mqtt")),
        (&["MQTT", "wamp", "soap"], offering, Some("wamp")),
        (&["so", "soapy", "other"], offering, None),
        (&[], offering, None),
        (&["mqtt"], "", None),
    ] {
        // The longest way for the places in the head: an absolute URI without a path.
        for target in ["/chat", "http://other?"] {
            let mut input = Input::new();
            input.extend_from_slice(with(&REQUEST.replace("/chat", target), lines).as_bytes());
            let mut handshake =
                ServerHandshake::new(Config::new()).with_subprotocols(supported).expect("tokens");
            let request = handshake.receive(&mut input).expect("valid").expect("complete");
            assert_eq!(request.subprotocol(), chosen, "{supported:?}");
        }
    }
    for name in ["", "a b", "a,b", "a/b", "\"a\"", "a\r\nb", "\u{e9}"] {
        let handshake = ServerHandshake::new(Config::new()).with_subprotocols(&["ok", name]);
        assert_eq!(failure(handshake), "InvalidSubprotocol", "{name:?}");
    }
}

#[test]
fn a_key_is_answered_as_it_was_sent_whatever_its_pad_bits() {
    let mut answers = Vec::new();
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".chars() {
        let key = format!("AQIDBAUGBwgJCgsMDQ4PE{last}==");
        let line = format!("Sec-WebSocket-Key: {key}\r\n");
        let request = accepted(&replaced(REQUEST, "Sec-WebSocket-Key", &line));
        let answer = drain(&mut request.accept(None, &[]).expect("accepted"));
        let accept = format!("\r\nSec-WebSocket-Accept: {}\r\n\r\n", accept_key(&key));
        assert!(answer.ends_with(accept.as_bytes()), "{key}");
        answers.push(answer);
    }
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 64, "the text of the key counts, not the bytes that it stands for");
}
