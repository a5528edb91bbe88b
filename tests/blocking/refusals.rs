//! Requests that are refused: the HTTP answer is written whole before the write side is shut down.

use tidewire::blocking::{Incoming, accept};
use tidewire::{Config, Error, ServerHandshake};

use crate::http::{parse_answer, request};
use support::blocking_stream::Scripted;

#[test]
fn a_request_that_breaks_a_rule_gets_its_answer_before_the_end() {
    let valid = request("");
    let requests = [
        ("NONSENSE\r\n\r\n".to_owned(), 400),
        (valid.replacen("GET", "PUT", 1), 405),
        (valid.replacen("HTTP/1.1", "HTTP/1.0", 1), 505),
        (valid.replace("Version: 13", "Version: 8"), 426),
        (valid.replace("Upgrade: websocket", "Upgrade: h2c"), 426),
        (request("Origin: http://elsewhere.org\r\n"), 403),
        (request(&format!("X: {}\r\n", "x".repeat(20_000))), 431),
        (request(&"X: x\r\n".repeat(101)), 431),
    ];
    for (request, status) in requests {
        for (read_len, write_len) in [(usize::MAX, usize::MAX), (100, 1), (4096, 17)] {
            // The client is not done sending when it is refused.
            let incoming = [request.as_bytes(), &[b'x'; 10_000]].concat();
            let stream = Scripted::new(incoming.clone()).with_lens(read_len, write_len);
            let result = accept(stream.clone());
            assert!(
                matches!(&result, Err(Error::Handshake(error)) if error.status() == Some(status)),
                "{status}: {result:?}"
            );
            assert_eq!(stream.state().read, incoming.len(), "{status}: everything is read");
            let answer = stream.take_written();
            assert_eq!(stream.shutdowns(), [answer.len()]);
            let (got, head, body) = parse_answer(&answer);
            assert_eq!(got, status);
            assert!(head.contains("\r\nConnection: close"), "{head}");
            assert!(!body.is_empty());
        }
    }
}

#[test]
fn what_the_application_rejects_gets_its_answer_before_the_end() -> Result<(), Error> {
    for write_len in [usize::MAX, 1, 17] {
        let incoming = [request("").as_bytes(), &[b'x'; 10_000]].concat();
        let stream = Scripted::new(incoming.clone()).with_lens(50, write_len);
        let incoming_request = Incoming::receive(stream.clone(), ServerHandshake::new(Config::new()))?;
        incoming_request.reject(401, &[("WWW-Authenticate", "Basic")], b"who are you?")?;
        assert_eq!(stream.state().read, incoming.len());
        let answer = stream.take_written();
        assert_eq!(stream.shutdowns(), [answer.len()]);
        let (status, head, body) = parse_answer(&answer);
        assert_eq!((status, body.as_str()), (401, "who are you?"));
        assert!(head.contains("\r\nWWW-Authenticate: Basic"), "{head}");
    }
    Ok(())
}

#[test]
fn a_refused_client_that_never_ends_is_left_after_a_mebibyte() {
    let incoming = [b"NONSENSE\r\n\r\n", &vec![b'x'; 3 << 20][..]].concat();
    let stream = Scripted::new(incoming).without_end();
    let result = accept(stream.clone());
    assert!(matches!(result, Err(Error::Handshake(_))), "{result:?}");
    let read = stream.state().read;
    assert!((1 << 20..(1 << 20) + (256 << 10)).contains(&read), "{read}");
    parse_answer(&stream.take_written());
}
