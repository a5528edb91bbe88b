//! A client that is refused gets the whole HTTP answer, and then the end of the stream.

use std::time::Duration;

use tidewire::tokio::{Incoming, accept};
use tidewire::{Config, Error, HandshakeError, ServerHandshake, TimedOut};
use tokio::time::{Instant, sleep};

use support::kind::kind;
use support::tokio_stream::{Peer, Script, block_on, scripted};

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Reads slowly until the end of the stream; the body is as long as announced.
async fn answer(peer: &Peer) -> String {
    let mut answer = Vec::new();
    while !peer.is_shut() {
        sleep(Duration::from_millis(1)).await;
        answer.extend(peer.read());
    }
    answer.extend(peer.read());
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head} {body}");
    answer
}

#[test]
fn a_request_that_breaks_a_rule_gets_its_whole_answer_before_the_end() {
    let origin = "Origin: https://evil.example\r\n\r\n";
    let cases = [
        ("GET / HTTP/1.0\r\n\r\n".into(), "UnsupportedHttpVersion", 505),
        ("nonsense\r\n\r\n".into(), "MalformedHead", 400),
        (REQUEST.replace("GET", "POST"), "MethodNotGet", 405),
        (REQUEST.replace(": 13", ": 8"), "UnsupportedVersion", 426),
        (REQUEST.replace("ZQ==", "ZQ="), "InvalidKey", 400),
        (REQUEST.replacen("\r\n\r\n", &format!("\r\n{origin}"), 1), "OriginNotAllowed", 403),
        (format!("GET /{} HTTP/1.1\r\n", "x".repeat(20_000)), "RequestLineTooLong", 414),
    ];
    for (request, expected, status) in cases {
        for script in Script::ALL {
            let (stream, peer) = scripted(script.with_capacity(11));
            block_on(async {
                peer.send(&request);
                let reading = async {
                    let answer = answer(&peer).await;
                    // The client ends its side, which is what the server has waited for.
                    peer.end();
                    answer
                };
                let (refused, answer) = tokio::join!(accept(stream), reading);
                match refused {
                    Err(Error::Handshake(error)) => assert_eq!(kind(&error), expected),
                    other => panic!("{other:?}"),
                }
                assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            });
        }
    }
}

#[test]
fn an_application_rejects_with_an_answer_of_its_own() {
    for script in Script::ALL {
        let (stream, peer) = scripted(script.with_capacity(17));
        block_on(async {
            peer.send(REQUEST);
            let serving = async {
                let incoming = Incoming::receive(stream, ServerHandshake::new(Config::new())).await?;
                assert_eq!(incoming.request().target(), "/chat");
                incoming.reject(404, &[("X-Tide", "low")], b"no such place").await
            };
            let reading = async {
                let answer = answer(&peer).await;
                peer.end();
                answer
            };
            let (rejected, answer) = tokio::join!(serving, reading);
            rejected.unwrap();
            assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
            assert!(answer.contains("\r\nX-Tide: low\r\n") && answer.ends_with("\r\n\r\nno such place"));
        });
    }
}

#[test]
fn an_answer_that_must_not_be_sent_is_the_applications_error() {
    for (status, headers, expected) in
        [(200, ("X-Tide", "low"), "InvalidStatus"), (404, ("Content-Length", "5"), "ReservedHeader")]
    {
        let (stream, peer) = scripted(Script::SMOOTH);
        peer.send(REQUEST);
        peer.end();
        let rejected = block_on(async {
            let incoming = Incoming::receive(stream, ServerHandshake::new(Config::new())).await.unwrap();
            incoming.reject(status, &[headers], b"").await
        });
        match rejected {
            Err(Error::InvalidResponse(error)) => assert_eq!(kind(&error), expected),
            other => panic!("{other:?}"),
        }
        assert!(peer.read().starts_with(b"HTTP/1.1 500 Internal Server Error\r\n"));
    }
}

#[test]
fn a_late_request_is_answered_with_408() {
    // Silence, and a dribble that never ends.
    for dribble in [false, true] {
        let config = Config::new().with_open_timeout(Duration::from_secs(5));
        let (stream, peer) = scripted(Script::SMOOTH);
        block_on(async {
            let begun = Instant::now();
            let dribbling = async {
                for byte in REQUEST.bytes().filter(|_| dribble) {
                    sleep(Duration::from_secs(1)).await;
                    peer.send([byte]);
                }
                std::future::pending::<()>().await;
            };
            let reading = async {
                let answer = answer(&peer).await;
                assert_eq!(begun.elapsed().as_secs(), 5);
                peer.end();
                answer
            };
            let serving =
                async { tokio::join!(Incoming::receive(stream, ServerHandshake::new(config)), reading) };
            let (refused, answer) = tokio::select! {
                both = serving => both,
                () = dribbling => unreachable!(),
            };
            assert!(matches!(refused, Err(Error::TimedOut(TimedOut::Open))), "{refused:?}");
            assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
        });
    }
}

#[test]
fn a_refused_client_that_never_ends_is_given_the_close_timeout() {
    for script in [Script::SMOOTH, Script::BYTEWISE] {
        let config = Config::new().with_close_timeout(Duration::from_secs(4));
        let (stream, peer) = scripted(script);
        peer.send("GET / HTTP/1.0\r\n\r\n");
        block_on(async {
            let begun = Instant::now();
            assert!(Incoming::receive(stream, ServerHandshake::new(config)).await.is_err());
            assert_eq!(begun.elapsed(), Duration::from_secs(4));
            assert!(answer(&peer).await.starts_with("HTTP/1.1 505 "));
        });
    }
}

#[test]
fn a_refused_client_that_never_reads_is_given_the_write_timeout() {
    // It may even have ended its side.
    for ends in [false, true] {
        let config = Config::new().with_write_timeout(Duration::from_secs(6));
        let (stream, peer) = scripted(Script::SMOOTH.with_capacity(10));
        peer.send("GET / HTTP/1.0\r\n\r\n");
        if ends {
            peer.end();
        }
        block_on(async {
            let begun = Instant::now();
            let refused = Incoming::receive(stream, ServerHandshake::new(config)).await.map(drop);
            assert!(matches!(refused, Err(Error::Handshake(_))), "{refused:?}");
            assert!(begun.elapsed() <= Duration::from_secs(10));
        });
        assert_eq!(peer.log().len(), 10);
    }
}

#[test]
fn a_refused_client_that_goes_on_sending_is_read_to_the_end_but_not_for_ever() {
    for (sent, read) in [(100_000, 100_000), (3 << 20, 2 << 20)] {
        let (stream, peer) = scripted(Script::SMOOTH);
        peer.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
        peer.send(vec![b'x'; sent]);
        block_on(async {
            let ending = async {
                peer.shut().await;
                peer.end();
            };
            let (refused, ()) = tokio::join!(accept(stream), ending);
            assert!(matches!(refused, Err(Error::Handshake(HandshakeError::MethodNotGet(_)))), "{refused:?}");
        });
        assert!(peer.read_len() >= sent.min(1 << 20) && peer.read_len() <= read + 100, "{}", peer.read_len());
        assert!(peer.log().starts_with(b"HTTP/1.1 405 "));
    }
}
