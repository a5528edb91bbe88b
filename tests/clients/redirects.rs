//! Redirects: followed only when asked, up to a maximum, and without credentials to another origin.

use std::io::{Read, Write};
use std::net::TcpStream;

use tidewire::{ClientRequest, Error, HandshakeError};

use crate::adapter::{Adapter, Way, echo_tcp, listen};

/// The head of a request.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("ASCII")
}

fn answer(stream: &mut TcpStream, status: u16, location: &str) {
    let answer = format!("HTTP/1.1 {status} x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).expect("a client");
}

fn refused(error: &Error) -> Option<u16> {
    match error {
        Error::Handshake(HandshakeError::Refused(response)) => Some(response.status()),
        _ => None,
    }
}

#[test]
fn a_redirect_is_followed_when_asked_and_credentials_stay() {
    for adapter in Adapter::BOTH {
        for (status, to_other) in [(301, false), (302, true), (307, false), (308, true)] {
            let (target, serving) = listen(|listener| {
                let mut stream = listener.accept().expect("a client").0;
                // Looked at, and still there for the server.
                let mut seen = [0; 2000];
                let len = stream.peek(&mut seen).expect("a head");
                stream.set_nodelay(true).expect("a socket");
                let _ = &mut stream;
                echo_tcp(stream).expect("a client");
                String::from_utf8_lossy(&seen[..len]).into_owned()
            });
            let (port, redirecting) = listen(move |listener| {
                let mut stream = listener.accept().expect("a client").0;
                let first = head(&mut stream);
                let to = if to_other {
                    format!("ws://127.0.0.1:{target}/there?x=1#part")
                } else {
                    "/there?x=1".into()
                };
                answer(&mut stream, status, &to);
                drop(stream);
                if to_other {
                    return first;
                }
                let mut stream = listener.accept().expect("once more").0;
                let second = head(&mut stream);
                assert!(second.starts_with("GET /there?x=1 "), "{second}");
                assert!(
                    second.contains("Authorization: Bearer token") && second.contains("X-Key: 7"),
                    "{second}"
                );
                answer(&mut stream, 302, &format!("http://127.0.0.1:{target}/there?x=1"));
                first
            });
            let request = ClientRequest::new(&format!("ws://127.0.0.1:{port}/here"))
                .and_then(|request| request.with_bearer_token("token"))
                .and_then(|request| request.with_cookie("a", "b"))
                .and_then(|request| request.with_header("X-Key", "7"))
                .and_then(|request| request.with_user_agent("tides"))
                .expect("valid");
            let way = Way { redirects: 2, ..Way::default() };
            adapter.talk(&way, request, &["Hello".into()]).expect("open");
            assert!(redirecting.join().expect("no panic").contains("Authorization: Bearer token"));
            let seen = serving.join().expect("no panic");
            assert!(seen.starts_with("GET /there?x=1 ") && seen.contains("User-Agent: tides"), "{seen}");
            for secret in ["Authorization", "Cookie", "X-Key"] {
                assert!(!seen.contains(secret), "{seen}");
            }
        }
    }
}

#[test]
fn a_redirect_that_is_not_followed_is_an_error_and_loops_end() {
    for adapter in Adapter::BOTH {
        for (redirects, location) in [
            (0, "/again"),
            (3, "/again"),
            (5, "ftp://127.0.0.1/"),
            (5, "ws://user@127.0.0.1/"),
            (5, "ws://"),
            (5, "http://[::1"),
        ] {
            let (port, redirecting) = listen(move |listener| {
                let mut count = 0;
                listener.set_nonblocking(false).expect("a socket");
                // The last connection is that of the test itself.
                for stream in listener.incoming() {
                    let mut stream = stream.expect("a client");
                    if !head(&mut stream).contains("Upgrade: websocket") {
                        break;
                    }
                    count += 1;
                    answer(&mut stream, 302, location);
                }
                count
            });
            let request = ClientRequest::new(&format!("ws://127.0.0.1:{port}/")).expect("a URI");
            let way = Way { redirects, ..Way::default() };
            let error = adapter.talk(&way, request, &[]).expect_err("an error");
            assert_eq!(refused(&error), Some(302), "{error}");
            let mut last = TcpStream::connect(("127.0.0.1", port)).expect("a listener");
            last.write_all(b"enough\r\n\r\n").expect("a listener");
            let expected = if location == "/again" { redirects + 1 } else { 1 };
            assert_eq!(redirecting.join().expect("no panic"), expected);
        }
    }
}
