//! Heads that are too long, never end or end too early, in either role.

use core::fmt::Debug;

use tidewire::{ClientHandshake, ClientRequest, Config, HandshakeError, Input, Origins, ServerHandshake};

use support::counting::Meter;
use support::handshake::{NONCE, REQUEST, RESPONSE, connect, failure, kind, replaced, serve, with};
use support::wire::Role;

const KIB: usize = 1024;

fn plain() -> ClientRequest {
    ClientRequest::new("ws://server.example.com/chat").expect("valid")
}

/// Reads `start` and then `unit` again and again, at most `read_len` bytes at once, until it fails; returns how much was read.
fn read_until_it_fails<T: Debug>(
    start: &str,
    unit: &str,
    read_len: usize,
    mut receive: impl FnMut(&mut Input) -> Result<Option<T>, HandshakeError>,
) -> (usize, HandshakeError) {
    let mut input = Input::new();
    let mut bytes = start.bytes().chain(unit.bytes().cycle());
    let mut count = 0;
    loop {
        let space = input.space();
        let len = space.len().min(read_len);
        space[..len].fill_with(|| bytes.next().expect("endless"));
        input.filled(len);
        count += len;
        match receive(&mut input) {
            Ok(None) => assert!(count <= 64 * KIB, "it never fails"),
            Ok(Some(opened)) => panic!("{opened:?}"),
            Err(error) => return (count, error),
        }
    }
}

#[test]
fn an_endless_head_fails_at_the_byte_that_exceeds_a_limit() {
    let cases = [
        // One line, and one header, that never ends.
        ("", "a", 16 * KIB + 1, "HeadTooLong"),
        ("X: ", "y", 16 * KIB + 1, "HeadTooLong"),
        ("X: y\r\nZ", "z", 16 * KIB + 1, "HeadTooLong"),
        // Headers without end, and without a blank line: the 101st shows at its own end.
        ("", "a:b\r\n", 101 * 5, "TooManyHeaders"),
        ("", "a: 234567890\r\n", 101 * 14, "TooManyHeaders"),
    ];
    for role in Role::BOTH {
        let first_line = match role {
            Role::Server => "GET / HTTP/1.1\r\n",
            Role::Client => "HTTP/1.1 101 Switching Protocols\r\n",
        };
        for (start, unit, len, error) in &cases {
            let start = format!("{first_line}{start}");
            let len = if *error == "HeadTooLong" { *len } else { first_line.len() + len };
            // However much each read brings, up to all of it at once.
            for read_len in [1, 7, 1000, usize::MAX] {
                let meter = Meter::new();
                let (count, failed) = match role {
                    Role::Server => {
                        let mut handshake = ServerHandshake::new(Config::new());
                        read_until_it_fails(&start, unit, read_len, |input| handshake.receive(input))
                    }
                    Role::Client => {
                        let mut handshake = ClientHandshake::new(Config::new(), &plain(), NONCE, [7; 32]);
                        read_until_it_fails(&start, unit, read_len, |input| handshake.receive(input))
                    }
                };
                assert_eq!(kind(&failed), *error);
                assert_eq!(count, len.next_multiple_of(read_len.min(64 * KIB)), "{role:?}, {unit}");
                assert!(meter.peak() <= 68 * KIB, "one read and little else, not {}", meter.peak());
                assert_eq!(meter.retained(), 0);
            }
        }
    }
}

#[test]
fn an_end_at_any_byte_of_a_head_is_an_error_and_answered_with_nothing() {
    let (request, response) = (with(REQUEST, ""), with(RESPONSE, ""));
    for len in 0..request.len() {
        let outcome = serve(Config::new(), &Origins::same(), &request.as_bytes()[..len], true);
        assert_eq!(failure(outcome.result), "UnexpectedEof", "{len}");
        assert_eq!(outcome.output, b"");
    }
    for len in 0..response.len() {
        let outcome = connect(Config::new(), &plain(), &response.as_bytes()[..len], true);
        let expected = if len == 0 { "NoAnswer" } else { "UnexpectedEof" };
        assert_eq!(failure(outcome.result), expected, "{len}");
        assert_eq!(outcome.output, b"");
    }
}

#[test]
fn an_accept_that_was_made_of_something_else_is_wrong() {
    // The SHA-1 digests, in base64 unless noted, of
    for accept in [
        "WJfwerbIozKsJXHxxI0JTO1SQgU=",             // the key and the GUID in lower case
        "CAV2rT4szLbzEtluVJbfjB7GFPY=",             // the key in lower case
        "hHLtf2V1k8aDQZfNjw3Ia1hCwt0=",             // the key alone
        "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=",             // the GUID alone
        "xytUlkF2rVz2XzwONMCug9nn1qA=",             // the key, a space and the GUID
        "M1zPZW4D3ct/efBYkO0H53BwfUY=",             // both with a line end
        "BXhwxM0SZasKmCD9S4BfpPmCnEw=",             // the nonce and the GUID
        "b37a4f2cc0624f1690f64606cf385945b2bec4ea", // the right text, in hexadecimal
    ] {
        let head = replaced(RESPONSE, "Sec-WebSocket-Accept", &format!("Sec-WebSocket-Accept: {accept}\r\n"));
        let outcome = connect(Config::new(), &plain(), head.as_bytes(), false);
        assert_eq!(failure(outcome.result), "InvalidAccept", "{accept}");
    }
}

/// `head` with `bytes` in its `index`th line, at three places of each part.
fn insertions<'h>(head: &'h str, index: usize, bytes: &'h [u8]) -> impl Iterator<Item = (bool, Vec<u8>)> {
    let lines: Vec<_> = head.split_inclusive("\r\n").collect();
    let line = lines[index];
    let (colon, end) = (line.find(':').expect("a header"), line.len() - 2);
    let places = [0, colon / 2, colon, colon + 2, (colon + 2 + end) / 2, end];
    places.into_iter().map(move |at| {
        let changed = [&line.as_bytes()[..at], bytes, &line.as_bytes()[at..]].concat();
        let before = lines[..index].concat();
        (at <= colon, [before.as_bytes(), &changed, lines[index + 1..].concat().as_bytes()].concat())
    })
}

#[test]
fn bytes_above_0x7f_are_refused_where_they_decide_and_carried_elsewhere() {
    let others = "Origin: http://server.example.com\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x\r\nCookie: a=b\r\n";
    let request = with(REQUEST, others);
    let response = with(RESPONSE, "Sec-WebSocket-Protocol: chat\r\nSet-Cookie: a=b\r\n");
    let asked = plain().with_subprotocol("chat").expect("a token");
    let text: Vec<Vec<u8>> =
        (0x80..=0xFF).map(|byte| vec![byte]).chain(["\u{e9}", "\u{1f980}"].map(|text| text.into())).collect();
    for bytes in &text {
        for index in 1..request.lines().count() - 1 {
            for (is_name, head) in insertions(&request, index, bytes) {
                let mut input = Input::new();
                input.extend_from_slice(&head);
                let mut handshake =
                    ServerHandshake::new(Config::new()).with_subprotocols(&["chat"]).expect("a token");
                let is_cookie = request.lines().nth(index).is_some_and(|line| line.starts_with("Cookie"));
                match handshake.receive(&mut input) {
                    Err(error) => {
                        assert!(is_name || !is_cookie, "{error}");
                        assert!(matches!(error.status(), Some(400 | 403)), "{error}");
                    }
                    Ok(received) => {
                        let received = received.expect("complete");
                        assert!(!is_name && is_cookie, "{received:?}");
                        // Whatever it is asked for.
                        assert_eq!(received.header("Cookie").is_some(), core::str::from_utf8(&head).is_ok());
                        assert_eq!(received.subprotocol(), Some("chat"));
                        received.accept(Some("chat"), &[]).expect("offered");
                    }
                }
            }
        }
        for index in 1..response.lines().count() - 1 {
            for (is_name, head) in insertions(&response, index, bytes) {
                let mut input = Input::new();
                input.extend_from_slice(&head);
                let mut handshake = ClientHandshake::new(Config::new(), &asked, NONCE, [7; 32]);
                let is_cookie =
                    response.lines().nth(index).is_some_and(|line| line.starts_with("Set-Cookie"));
                assert_eq!(handshake.receive(&mut input).is_ok(), !is_name && is_cookie);
            }
        }
    }
}

#[test]
fn handshakes_of_drafts_are_answered_with_426() {
    for head in [
        "GET /demo HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nHost: example.com\r\n\
         Origin: http://example.com\r\nWebSocket-Protocol: sample\r\n\r\n",
        "GET /demo HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nSec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n\
         Origin: http://example.com\r\n\r\n^n:ds[4U",
    ] {
        // Frames of these drafts may follow at once, one with a length that never ends.
        for frames in [&b""[..], b"\x00Hello\xFF", &[0x80; 1000]] {
            let outcome = serve(Config::new(), &Origins::same(), &[head.as_bytes(), frames].concat(), false);
            assert_eq!(outcome.result.err().and_then(|error| error.status()), Some(426));
            assert!(outcome.output.starts_with(b"HTTP/1.1 426 Upgrade Required\r\n"));
        }
    }
}

#[test]
fn a_target_that_names_another_host_is_reported_and_nothing_more() {
    for (target, host) in
        [("http://internal/", "internal"), ("http://169.254.169.254/latest?a", "169.254.169.254")]
    {
        let head = with(&REQUEST.replace("/chat", target), "");
        let outcome = serve(Config::new(), &Origins::same(), head.as_bytes(), false);
        assert_eq!(outcome.output, b"");
        let request = outcome.result.expect("accepted").expect("complete");
        assert_eq!(request.host(), host);
        assert_eq!(request.header("Host"), Some("server.example.com"));
        // A page of either host is not at both.
        let from = |origin: &str| {
            let head = with(&REQUEST.replace("/chat", target), &format!("Origin: http://{origin}\r\n"));
            failure(serve(Config::new(), &Origins::same(), head.as_bytes(), false).result)
        };
        assert_eq!(from("server.example.com"), "OriginNotAllowed");
        assert_eq!(from(host), "nothing");
    }
}
