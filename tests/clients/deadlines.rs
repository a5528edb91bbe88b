//! One deadline for everything that opens a connection, and what counts when it is over.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tidewire::{ClientRequest, Config, Error, HandshakeError, TimedOut};

use crate::adapter::{Adapter, Way, listen};

fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if !matches!(stream.read(&mut byte), Ok(1)) {
            break;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("ASCII")
}

fn way(limit: Duration) -> Way {
    Way { config: Some(Config::new().with_open_timeout(limit)), ..Way::default() }
}

#[test]
fn a_loop_of_redirects_ends_with_the_deadline() {
    for adapter in Adapter::BOTH {
        let (port, redirecting) = listen(|listener| {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a client");
                if head(&mut stream).contains("enough") {
                    break;
                }
                let _ = stream.write_all(b"HTTP/1.1 302 x\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
            }
        });
        let request = ClientRequest::new(&format!("ws://127.0.0.1:{port}/")).expect("a URI");
        let way = Way { redirects: 10_000, ..way(Duration::from_millis(200)) };
        let start = Instant::now();
        let error = adapter.talk(&way, request, &[]).expect_err("no end");
        let elapsed = start.elapsed();
        let mut last = TcpStream::connect(("127.0.0.1", port)).expect("a listener");
        last.write_all(b"enough\r\n\r\n").expect("a listener");
        redirecting.join().expect("no panic");
        assert!(matches!(error, Error::TimedOut(TimedOut::Open)), "{adapter:?}: {error:?}");
        assert!(elapsed < Duration::from_millis(1500), "{adapter:?}: {elapsed:?}");
    }
}

/// The body of the redirect takes all of the time, and none is left to follow it.
#[test]
fn a_redirect_is_not_followed_when_the_time_is_over() {
    for adapter in Adapter::BOTH {
        let (port, serving) = listen(|listener| {
            let mut stream = listener.accept().expect("a client").0;
            head(&mut stream);
            let answer = b"HTTP/1.1 302 x\r\nLocation: /again\r\nContent-Length: 9\r\n\r\nhalf";
            stream.write_all(answer).expect("a client");
            let _ = stream.read_to_end(&mut Vec::new());
            // The last connection is that of the test itself.
            head(&mut listener.accept().expect("a client").0)
        });
        let request = ClientRequest::new(&format!("ws://127.0.0.1:{port}/")).expect("a URI");
        let way = Way { redirects: 5, ..way(Duration::from_millis(100)) };
        let error = adapter.talk(&way, request, &[]).expect_err("late");
        assert!(matches!(error, Error::TimedOut(TimedOut::Open)), "{adapter:?}: {error:?}");
        let mut last = TcpStream::connect(("127.0.0.1", port)).expect("a listener");
        last.write_all(b"enough\r\n\r\n").expect("a listener");
        assert!(serving.join().expect("no panic").starts_with("enough"), "{adapter:?}");
    }
}

#[test]
fn a_refusal_counts_even_if_its_body_is_late() {
    for adapter in Adapter::BOTH {
        for _ in 0..30 {
            let (port, serving) = listen(|listener| {
                let mut stream = listener.accept().expect("a client").0;
                head(&mut stream);
                stream.write_all(b"HTTP/1.1 403 x\r\nContent-Length: 9\r\n\r\nhalf").expect("a client");
                let _ = stream.read_to_end(&mut Vec::new());
            });
            let request = ClientRequest::new(&format!("ws://127.0.0.1:{port}/")).expect("a URI");
            let error = adapter.talk(&way(Duration::from_millis(30)), request, &[]).expect_err("403");
            let Error::Handshake(HandshakeError::Refused(response)) = error else {
                panic!("{adapter:?}: {error:?}")
            };
            assert_eq!((response.status(), response.body()), (403, &b"half"[..]));
            serving.join().expect("no panic");
        }
    }
}

/// What follows the proxy's answer in one packet is the server's.
#[test]
fn what_comes_with_the_answer_of_a_proxy_is_kept() {
    for adapter in Adapter::BOTH {
        let (port, proxying) = listen(|listener| {
            let mut stream = listener.accept().expect("a client").0;
            head(&mut stream);
            let answer = b"HTTP/1.1 200 x\r\n\r\nHTTP/1.1 503 x\r\nContent-Length: 4\r\n\r\nbusy";
            stream.write_all(answer).expect("a client");
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let request = ClientRequest::new("ws://nowhere.invalid/").expect("a URI");
        let proxy = format!("http://127.0.0.1:{port}").parse().expect("a proxy");
        let way = Way { proxy: Some(proxy), ..Way::default() };
        let error = adapter.talk(&way, request, &[]).expect_err("503");
        let Error::Handshake(HandshakeError::Refused(response)) = error else { panic!("{error:?}") };
        assert_eq!((response.status(), response.body()), (503, &b"busy"[..]));
        proxying.join().expect("no panic");
    }
}

/// An alert of TLS, in the packet of the proxy's answer: had it been lost, the client would wait.
#[cfg(feature = "rustls")]
#[test]
fn what_comes_with_the_answer_of_a_proxy_is_kept_for_tls() {
    for adapter in Adapter::BOTH {
        let (port, proxying) = listen(|listener| {
            let mut stream = listener.accept().expect("a client").0;
            head(&mut stream);
            stream.write_all(b"HTTP/1.1 200 x\r\n\r\n\x15\x03\x03\0\x02\x02\x28").expect("a client");
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let request = ClientRequest::new("wss://nowhere.invalid/").expect("a URI");
        let proxy = format!("http://127.0.0.1:{port}").parse().expect("a proxy");
        let way = Way { proxy: Some(proxy), ..way(Duration::from_secs(5)) };
        let error = adapter.talk(&way, request, &[]).expect_err("an alert");
        let Error::Tls(cause) = &error else { panic!("{adapter:?}: {error:?}") };
        let cause = cause.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        assert!(matches!(cause, Some(rustls::Error::AlertReceived(_))), "{cause:?}");
        proxying.join().expect("no panic");
    }
}
