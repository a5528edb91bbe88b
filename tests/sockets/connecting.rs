//! `connect`, and how it fails.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::thread;

use std::time::Duration;

use tidewire::{ClientRequest, Config, Error, HandshakeError, InvalidRequest, TimedOut, blocking};

use crate::adapter::Adapter;
use crate::raw::ends;

#[test]
fn a_client_and_a_server_talk() {
    for adapter in Adapter::BOTH {
        let answer = ends(move || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = listener.local_addr().expect("bound").port();
            let echo = thread::spawn(move || {
                let mut socket = blocking::accept(listener.accept()?.0)?;
                while let Some(message) = socket.recv()? {
                    socket.send(message)?;
                }
                Ok::<_, Error>(())
            });
            // The name may stand for addresses at which nobody listens.
            let answer = adapter.connect(&format!("ws://localhost:{port}/")).expect("open");
            echo.join().expect("no panic").expect("open");
            answer
        });
        assert_eq!(answer, Some("Hello".into()), "{adapter:?}");
    }
}

#[cfg(not(feature = "rustls"))]
#[test]
fn tls_is_left_to_others() {
    for adapter in Adapter::BOTH {
        for uri in ["wss://127.0.0.1/", "WSS://nowhere.invalid:1/x"] {
            let result = adapter.connect(uri);
            assert!(matches!(result, Err(Error::TlsNeeded)), "{adapter:?}: {result:?}");
        }
    }
}

#[test]
fn another_scheme_is_refused_before_anything_is_resolved() {
    for adapter in Adapter::BOTH {
        let result = adapter.connect("http://127.0.0.1/");
        assert!(matches!(result, Err(Error::InvalidRequest(InvalidRequest::InvalidScheme(_)))), "{result:?}");
    }
}

#[test]
fn a_port_at_which_nobody_listens_is_an_error_of_the_transport() {
    for adapter in Adapter::BOTH {
        // A port of our own that is free again could be taken by another test.
        let result = adapter.connect("ws://127.0.0.1:1/");
        assert!(
            matches!(&result, Err(Error::Io(error)) if error.kind() == ErrorKind::ConnectionRefused),
            "{adapter:?}: {result:?}"
        );
    }
}

#[test]
fn an_error_names_the_server_that_cannot_be_reached() {
    for adapter in Adapter::BOTH {
        for (uri, server) in [
            ("ws://127.0.0.1:1/", "127.0.0.1 at port 1"),
            ("ws://[::1]:1/", "::1 at port 1"),
            ("ws://nowhere.invalid/", "nowhere.invalid at port 80"),
        ] {
            let error = adapter.connect(uri).expect_err("nobody there").to_string();
            assert!(error.starts_with(&format!("cannot connect to {server}: ")), "{adapter:?}: {error}");
        }
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up_after_the_open_timeout() {
    for adapter in Adapter::BOTH {
        // It listens, so that the connection is made, and accepts nobody.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let request = ClientRequest::new(&format!("ws://{}/", listener.local_addr().expect("bound")));
        let config = Config::new().with_open_timeout(Duration::from_millis(30));
        let result = adapter.connect_with(request.expect("valid"), config);
        assert!(matches!(result, Err(Error::TimedOut(TimedOut::Open))), "{adapter:?}: {result:?}");
    }
}

#[test]
fn an_answer_other_than_101_is_a_refusal_with_all_that_was_said() {
    let answers = [
        ("HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nContent-Length: 9\r\n\r\ntry again", 503),
        (
            "HTTP/1.1 200 OK\r\nRetry-After: 5\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntry\r\n6\r\n again\r\n0\r\n\r\n",
            200,
        ),
        ("HTTP/1.0 404 Not Found\r\nRetry-After: 5\r\n\r\ntry again", 404),
    ];
    for adapter in Adapter::BOTH {
        for (answer, status) in answers {
            let result = ends(move || {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
                let address = listener.local_addr().expect("bound");
                let server = thread::spawn(move || {
                    let (mut stream, _) = listener.accept().expect("a client");
                    read_request(&mut stream);
                    stream.write_all(answer.as_bytes()).expect("open");
                });
                let result = adapter.connect(&format!("ws://{address}/"));
                server.join().expect("no panic");
                result
            });
            match result {
                Err(Error::Handshake(HandshakeError::Refused(response))) => {
                    assert_eq!((response.status(), response.body()), (status, &b"try again"[..]));
                    assert_eq!(response.header("retry-after"), Some("5"));
                }
                other => panic!("{adapter:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_redirect_is_an_answer_and_nobody_follows_it() {
    for adapter in Adapter::BOTH {
        for status in [301, 302, 303, 307, 308] {
            let result = ends(move || {
                let [listener, elsewhere] =
                    [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
                let [address, other] =
                    [&listener, &elsewhere].map(|listener| listener.local_addr().expect("bound"));
                let server = thread::spawn(move || {
                    let (mut stream, _) = listener.accept().expect("a client");
                    read_request(&mut stream);
                    let answer =
                        format!("HTTP/1.1 {status} \r\nLocation: ws://{other}/\r\nContent-Length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).expect("open");
                    let mut more = Vec::new();
                    stream.read_to_end(&mut more).expect("an orderly end");
                    assert_eq!(more, b"");
                });
                let result = adapter.connect(&format!("ws://{address}/"));
                server.join().expect("no panic");
                elsewhere.set_nonblocking(true).expect("a socket");
                let visit = elsewhere.accept().err().map(|error| error.kind());
                assert_eq!(visit, Some(ErrorKind::WouldBlock), "{adapter:?}");
                result
            });
            match result {
                Err(Error::Handshake(HandshakeError::Refused(response))) => {
                    assert_eq!(response.status(), status);
                }
                other => panic!("{adapter:?}: {other:?}"),
            }
        }
    }
}

fn read_request(stream: &mut impl Read) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a request");
        head.extend(byte);
    }
}
