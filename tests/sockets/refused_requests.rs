//! A client whose request is refused while it sends on gets the whole HTTP answer.

use std::net::TcpStream;
use std::thread;

use tidewire::{Config, Error, HandshakeError};

use crate::adapter::Adapter;
use crate::raw::{Heard, ends, pair, request, write_then_listen};

const TIMES: usize = 100;

/// Sends a request and much more, each time to a server of its own.
fn check(
    lines: &str,
    zeros_len: usize,
    serve: impl Fn(TcpStream) -> Result<(), Error> + Copy + Send + 'static,
    examine: impl Fn(Result<(), Error>, &str, &str),
) {
    for _ in 0..TIMES {
        let (client, server) = pair();
        let serving = thread::spawn(move || serve(server));
        let heard = write_then_listen(client, &request(lines), zeros_len);
        let result = serving.join().expect("no panic");
        let (head, body) = split(&heard);
        let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
        assert_eq!(len, body.len().to_string(), "the whole body");
        if zeros_len < 1 << 20 {
            assert!(heard.wrote_all && heard.has_ended, "an orderly end and no reset");
        }
        examine(result, head, body);
    }
}

fn split(heard: &Heard) -> (&str, &str) {
    str::from_utf8(&heard.bytes).expect("text").split_once("\r\n\r\n").expect("a whole head")
}

/// Fewer bytes than the server discards, and endlessly many.
const ZEROS_LENS: [usize; 2] = [700 << 10, usize::MAX];

#[test]
fn a_request_from_a_foreign_origin_gets_its_403() {
    for adapter in Adapter::BOTH {
        for zeros_len in ZEROS_LENS {
            let serve = move |stream| adapter.serve(stream, Config::new());
            let examine = move |result: Result<(), Error>, head: &str, body: &str| {
                let is_refused = matches!(result, Err(Error::Handshake(HandshakeError::OriginNotAllowed(_))));
                assert!(is_refused, "{adapter:?}: {result:?}");
                assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
                assert_eq!(body, "origin not allowed\n");
            };
            ends(move || check("Origin: http://elsewhere.org\r\n", zeros_len, serve, examine));
        }
    }
}

#[test]
fn a_request_that_the_application_rejects_gets_its_answer() {
    for adapter in Adapter::BOTH {
        for zeros_len in ZEROS_LENS {
            let serve = move |stream| adapter.reject(stream, 403, b"not for you");
            let examine = |result: Result<(), Error>, head: &str, body: &str| {
                result.expect("rejected as asked for");
                assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
                assert_eq!(body, "not for you");
            };
            ends(move || check("", zeros_len, serve, examine));
        }
    }
}
