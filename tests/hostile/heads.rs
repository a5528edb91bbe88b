//! Heads that are too long, never end or end too early, in either role.

use core::fmt::Debug;

use tidewire::{ClientHandshake, ClientRequest, Config, HandshakeError, Input, Origins, ServerHandshake};

use crate::counting::Meter;
use crate::handshake::{NONCE, REQUEST, RESPONSE, connect, failure, kind, replaced, serve, with};
use crate::wire::Role;

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
        assert_eq!(failure(outcome.result), "UnexpectedEof", "{len}");
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
