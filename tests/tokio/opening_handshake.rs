//! The opening handshake through every kind of stream, in both roles.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tidewire::tokio::{Incoming, accept, client, client_with};
use tidewire::{
    ClientRequest, Config, Error, HandshakeError, Origins, ServerHandshake, State, TimedOut, accept_key,
};
use tokio::time::{Instant, sleep};

use support::kind::kind;
use support::tokio_stream::{Peer, Script, Stream, block_on, linked, once, scripted};
use support::tokio_wire::{Role, TEXT, frame};

/// The sample handshake of RFC 6455 1.3.
const REQUEST: &str = "GET /chat?tide=high HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: v1.chat, v2.chat\r\n\r\n";

const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

fn request() -> ClientRequest {
    ClientRequest::new("ws://example.org/chat?tide=high").unwrap()
}

/// Waits for a client's request and returns the head.
async fn head(peer: &Peer) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        sleep(Duration::from_millis(1)).await;
        head.extend(peer.read());
    }
    String::from_utf8(head).unwrap()
}

/// A server's answer to the request in `head`.
fn response(head: &str, headers: &str) -> String {
    let key = head.split("Sec-WebSocket-Key: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let accept = accept_key(key);
    let accept: &str = accept.as_ref();
    format!("{}{headers}\r\n", RESPONSE.replace("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", accept))
}

#[test]
fn client_and_server_open_a_connection_through_every_kind_of_stream() {
    for near in Script::ALL {
        for far in Script::ALL {
            let (near, far) = linked(near.with_capacity(10), far.with_capacity(10));
            block_on(async {
                let request = request();
                let (client, server) = tokio::join!(client(near, &request), accept(far));
                let (mut client, mut server) = (client.unwrap(), server.unwrap());
                assert_eq!(client.response().unwrap().status(), 101);
                assert!(server.response().is_none());
                assert_eq!((client.state(), server.state()), (State::Open, State::Open));
                let (sent, received) = tokio::join!(client.send("to"), server.recv());
                assert_eq!((sent.unwrap(), received.unwrap()), ((), Some("to".into())));
                let (sent, received) = tokio::join!(server.send("fro"), client.recv());
                assert_eq!((sent.unwrap(), received.unwrap()), ((), Some("fro".into())));
                let (closed, received) = tokio::join!(client.close(None), async {
                    let received = server.recv().await;
                    drop(server);
                    received
                });
                assert_eq!((closed.unwrap(), received.unwrap()), ((), None));
            });
        }
    }
}

#[test]
fn subprotocol_and_headers_are_settled_by_both() {
    for script in Script::ALL {
        let (near, far) = linked(script, script);
        block_on(async {
            let request = request()
                .with_subprotocol("v1.chat")
                .and_then(|request| request.with_subprotocol("v2.chat"))
                .and_then(|request| request.with_header("Authorization", "Bearer moon"))
                .unwrap();
            let serving = async {
                let incoming = Incoming::receive(far, ServerHandshake::new(Config::new())).await?;
                assert_eq!(incoming.request().target(), "/chat?tide=high");
                assert_eq!(incoming.request().header("authorization"), Some("Bearer moon"));
                assert!(incoming.get_ref().operations() > 0);
                let subprotocol = incoming.request().choose_subprotocol(&["v2.chat", "v1.chat"]);
                incoming.accept(subprotocol, &[("Server", "tides"), ("Set-Cookie", "a=b")]).await
            };
            let (client, server) = tokio::join!(client(near, &request), serving);
            let (client, server) = (client.unwrap(), server.unwrap());
            assert_eq!((client.subprotocol(), server.subprotocol()), (Some("v2.chat"), Some("v2.chat")));
            assert_eq!(client.response().unwrap().header("server"), Some("tides"));
            assert_eq!(client.response().unwrap().header("set-cookie"), Some("a=b"));
        });
    }
}

#[test]
fn the_server_answers_the_sample_of_the_rfc() {
    for script in Script::ALL {
        let (stream, peer) = scripted(script);
        peer.send(REQUEST);
        block_on(async {
            let incoming = Incoming::receive(stream, ServerHandshake::new(Config::new())).await.unwrap();
            assert_eq!(peer.log(), [], "nothing is answered before the application has decided");
            let socket = incoming.accept(Some("v2.chat"), &[]).await.unwrap();
            assert_eq!(socket.queued_len(), 0, "the answer has left");
        });
        let answer = format!("{RESPONSE}Sec-WebSocket-Protocol: v2.chat\r\n\r\n");
        assert_eq!(String::from_utf8(peer.log()).unwrap(), answer);
    }
}

#[test]
fn frames_in_the_same_read_as_the_request_are_not_lost() {
    for script in Script::ALL {
        let (stream, peer) = scripted(script);
        let early = [Role::Server.frame(TEXT, "early"), Role::Server.frame(TEXT, "bird")].concat();
        peer.send([REQUEST.as_bytes(), &early].concat());
        block_on(async {
            let mut socket = accept(stream).await.unwrap();
            assert_eq!(socket.recv().await.unwrap(), Some("early".into()));
            assert_eq!(socket.recv().await.unwrap(), Some("bird".into()));
        });
    }
}

#[test]
fn frames_in_the_same_read_as_the_response_are_not_lost() {
    for script in Script::ALL {
        let (stream, peer) = scripted(script);
        block_on(async {
            let serving = async {
                let response = response(&head(&peer).await, "");
                let early = [Role::Client.frame(TEXT, "early"), Role::Client.frame(TEXT, "bird")].concat();
                peer.send([response.as_bytes(), &early].concat());
            };
            let request = request();
            let (socket, ()) = tokio::join!(client(stream, &request), serving);
            let mut socket = socket.unwrap();
            assert_eq!(socket.recv().await.unwrap(), Some("early".into()));
            assert_eq!(socket.recv().await.unwrap(), Some("bird".into()));
            socket.send("worm").await.unwrap();
        });
        assert_eq!(Role::Client.frames(&peer.read()), [frame(TEXT, "worm")]);
    }
}

#[test]
fn two_clients_use_different_nonces_and_masking_keys() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (stream, peer) = scripted(Script::SMOOTH);
        block_on(async {
            let serving = async {
                let head = head(&peer).await;
                peer.send(response(&head, ""));
                head
            };
            let request = request();
            let (socket, head) = tokio::join!(client(stream, &request), serving);
            socket.unwrap().send("the same").await.unwrap();
            seen.push((head, peer.read()));
        });
    }
    assert!(seen[0].0 != seen[1].0 && seen[0].1 != seen[1].1);
}

#[test]
fn a_client_learns_why_it_was_refused() {
    for script in Script::ALL {
        let (stream, peer) = scripted(script);
        block_on(async {
            let serving = async {
                head(&peer).await;
                peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nX-Tide: low\r\n\r\nebb");
                peer.end();
            };
            let request = request();
            let (refused, ()) = tokio::join!(client(stream, &request), serving);
            match refused {
                Err(Error::Handshake(HandshakeError::Refused(response))) => {
                    assert_eq!((response.status(), response.body()), (403, &b"ebb"[..]));
                    assert_eq!(response.header("x-tide"), Some("low"));
                }
                other => panic!("{other:?}"),
            }
        });
        assert!(peer.is_shut(), "the stream is gone with the error");
    }
}

#[test]
fn a_wrong_answer_is_an_error_of_the_client() {
    let cases = [
        (RESPONSE.to_owned() + "\r\n", "InvalidAccept"),
        ("HTTP/1.1 101 \r\n\r\n".into(), "InvalidUpgrade"),
        ("SSH-2.0-OpenSSH_9.0\r\n\r\n".into(), "MalformedHead"),
    ];
    for (answer, expected) in cases {
        for script in Script::ALL {
            let (stream, peer) = scripted(script);
            peer.send(&answer);
            match block_on(client(stream, &request())) {
                Err(Error::Handshake(error)) => assert_eq!(kind(&error), expected),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn an_end_of_the_stream_is_an_error_of_either_side() {
    for script in Script::ALL {
        let (near, peer) = scripted(script);
        peer.send("HTTP/1.1 101");
        peer.end();
        let result = block_on(client(near, &request())).map(drop);
        assert!(matches!(result, Err(Error::Handshake(HandshakeError::UnexpectedEof))), "{result:?}");
        let (far, peer) = scripted(script);
        peer.send("GET / HTT");
        peer.end();
        let result = block_on(accept(far)).map(drop);
        assert!(matches!(result, Err(Error::Handshake(HandshakeError::UnexpectedEof))), "{result:?}");
        assert_eq!(peer.log(), [], "there is nobody to answer");
    }
}

#[test]
fn an_unsuitable_answer_is_an_error_of_the_application() {
    for (subprotocol, header, expected) in [
        (Some("v3.chat"), ("Server", "tides"), "UnofferedSubprotocol"),
        (None, ("Upgrade", "h2c"), "ReservedHeader"),
        (None, ("Ser ver", "x"), "InvalidHeaderName"),
        (None, ("Server", "a\r\nb"), "InvalidHeaderValue"),
    ] {
        let (stream, peer) = scripted(Script::SMOOTH);
        peer.send(REQUEST);
        peer.end();
        let accepted = block_on(async {
            let incoming = Incoming::receive(stream, ServerHandshake::new(Config::new())).await.unwrap();
            incoming.accept(subprotocol, &[header]).await
        });
        match accepted {
            Err(Error::InvalidResponse(error)) => assert_eq!(kind(&error), expected),
            other => panic!("{other:?}"),
        }
        assert!(peer.read().starts_with(b"HTTP/1.1 500 Internal Server Error\r\n"));
    }
}

#[test]
fn a_client_waits_no_longer_than_the_open_timeout() {
    let timeout = Duration::from_secs(7);
    let config = Config::new().with_open_timeout(timeout);
    // Nothing at all, nothing but dribble, and a server that does not even read.
    for (dribble, capacity) in [(false, usize::MAX), (true, usize::MAX), (false, 9)] {
        let (stream, peer) = scripted(Script::SMOOTH.with_capacity(capacity));
        block_on(async {
            let begun = Instant::now();
            let dribbling = async {
                for byte in RESPONSE.bytes().filter(|_| dribble) {
                    sleep(Duration::from_secs(1)).await;
                    peer.send([byte]);
                }
                std::future::pending::<()>().await;
            };
            let request = request();
            tokio::select! {
                result = client_with(stream, &request, config) => {
                    assert!(matches!(result, Err(Error::TimedOut(TimedOut::Open))), "{result:?}");
                }
                () = dribbling => {}
            }
            assert_eq!(begun.elapsed(), timeout);
        });
    }
}

#[test]
fn connect_refuses_a_uri_that_needs_tls_or_is_none() {
    let error = |uri| block_on(tidewire::tokio::connect(uri)).unwrap_err().to_string();
    assert_eq!(error("http://localhost/"), "the URI begins with \"http\", not with \"ws://\" or \"wss://\"");
    if !cfg!(feature = "rustls") {
        let sentence = "wss needs the feature `rustls`, or a TLS stream that is passed to `client`";
        assert_eq!(error("wss://localhost/"), sentence);
    }
}

#[tokio::test]
async fn connect_opens_a_connection_over_tcp() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let uri = format!("ws://{address}/");
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        let handshake = ServerHandshake::new(Config::new()).with_origins(Origins::any());
        let mut socket = Incoming::receive(stream, handshake).await?.accept(None, &[]).await?;
        while let Some(message) = socket.recv().await? {
            socket.send(message).await?;
        }
        Ok::<_, Error>(socket.ending())
    };
    let asking = async {
        let mut socket = tidewire::tokio::connect(&uri).await?;
        assert_eq!(socket.get_ref().peer_addr()?, address);
        socket.send("Hello").await?;
        assert_eq!(socket.recv().await?, Some("Hello".into()));
        socket.close(tidewire::CloseCode::NORMAL).await?;
        Ok::<_, Error>(socket.ending())
    };
    let both = async { tokio::join!(serving, asking) };
    let (served, asked) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
    assert!(served.unwrap().unwrap().is_clean() && asked.unwrap().unwrap().is_clean());
}

#[test]
fn an_opening_that_is_dropped_drops_the_stream() {
    let request = request();
    let dropped = async |open: &dyn Fn(Stream) -> Pin<Box<dyn Future<Output = bool>>>| {
        for is_polled in [false, true] {
            let (stream, peer) = scripted(Script::SMOOTH);
            let opening = open(stream);
            if is_polled {
                assert!(once(opening).await.is_none());
            } else {
                drop(opening);
            }
            assert!(peer.is_shut());
        }
    };
    block_on(async {
        dropped(&|stream| {
            let request = request.clone();
            Box::pin(async move { client(stream, &request).await.is_ok() })
        })
        .await;
        dropped(&|stream| Box::pin(async { accept(stream).await.is_ok() })).await;
        dropped(&|stream| {
            let handshake = ServerHandshake::new(Config::new());
            Box::pin(async { Incoming::receive(stream, handshake).await.is_ok() })
        })
        .await;
    });
}
