//! A client that connects again: after what, and until when.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tidewire::{
    Backoff, ClientRequest, CloseCode, Error, HandshakeError, State, blocking, tokio as asynchronous,
};

use crate::adapter::{Adapter, block_on, listen};

/// What a server does with one client.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// Receives a subscription, answers it, and ends TCP without a word.
    Cut,
    Close(u16),
    /// An HTTP answer.
    Refuse(u16),
}

fn serve(listener: &TcpListener, turn: Turn, number: usize) {
    let mut stream = listener.accept().expect("a client").0;
    if let Turn::Refuse(status) = turn {
        read_head(&mut stream);
        let answer = format!("HTTP/1.1 {status} x\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).expect("a client");
        return;
    }
    let cut = stream.try_clone().expect("a socket");
    let mut socket = blocking::accept(stream).expect("open");
    assert_eq!(socket.recv().expect("open"), Some("subscribe".into()));
    socket.send(format!("news {number}")).expect("open");
    match turn {
        Turn::Cut => {
            let _ = cut.shutdown(std::net::Shutdown::Both);
        }
        Turn::Close(code) => socket.close(CloseCode::new(code).expect("a code")).expect("a client"),
        Turn::Refuse(_) => {}
    }
}

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
}

/// No delay is worth waiting for.
fn hasty() -> Backoff {
    Backoff::new().with_max_first(Duration::ZERO).with_delays(Duration::ZERO, Duration::ZERO)
}

/// Subscribes on every connection until there are no more: what was received, how it ended, and whether it stays so.
fn follow(
    adapter: Adapter,
    port: u16,
    is_retried: Option<fn(&Error) -> bool>,
) -> (Vec<String>, Result<(), Error>) {
    let request = ClientRequest::new(&format!("ws://127.0.0.1:{port}/")).expect("a URI");
    let mut news = Vec::new();
    match adapter {
        Adapter::Blocking => {
            let mut feed = blocking::Connector::new().reconnecting(request).with_backoff(hasty());
            if let Some(is_retried) = is_retried {
                feed = feed.with_retry(is_retried);
            }
            let end = loop {
                match feed.next() {
                    Ok(Some(socket)) => {
                        let _ = socket.send("subscribe");
                        while let Ok(Some(message)) = socket.recv() {
                            news.push(message.as_text().unwrap_or_default().to_owned());
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            assert!(matches!(feed.next(), Ok(None)));
            (news, end)
        }
        Adapter::Tokio => block_on(async {
            let mut feed = asynchronous::Connector::new().reconnecting(request).with_backoff(hasty());
            if let Some(is_retried) = is_retried {
                feed = feed.with_retry(is_retried);
            }
            let end = loop {
                match feed.next().await {
                    Ok(Some(socket)) => {
                        let _ = socket.send("subscribe").await;
                        while let Ok(Some(message)) = socket.recv().await {
                            news.push(message.as_text().unwrap_or_default().to_owned());
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            assert!(matches!(feed.next().await, Ok(None)));
            (news, end)
        }),
    }
}

fn served(
    adapter: Adapter,
    turns: &'static [Turn],
    is_retried: Option<fn(&Error) -> bool>,
) -> (Vec<String>, Result<(), Error>) {
    let (port, serving) = listen(move |listener| {
        for (number, turn) in turns.iter().enumerate() {
            serve(&listener, *turn, number);
        }
    });
    let followed = follow(adapter, port, is_retried);
    serving.join().expect("no panic");
    followed
}

#[test]
fn a_client_follows_a_server_that_fails_and_comes_back() {
    const TURNS: [Turn; 8] = [
        Turn::Cut,
        Turn::Close(1012),
        Turn::Refuse(503),
        Turn::Close(1001),
        Turn::Refuse(429),
        Turn::Close(1013),
        Turn::Close(1011),
        Turn::Close(1000),
    ];
    for adapter in Adapter::BOTH {
        let (news, end) = served(adapter, &TURNS, None);
        end.expect("closed for good");
        assert_eq!(news, ["news 0", "news 1", "news 3", "news 5", "news 6", "news 7"]);
    }
}

#[test]
fn a_refusal_is_the_end_unless_the_caller_decides_otherwise() {
    for adapter in Adapter::BOTH {
        for status in [401, 403, 404] {
            let (port, serving) = listen(move |listener| serve(&listener, Turn::Refuse(status), 0));
            let (news, end) = follow(adapter, port, None);
            serving.join().expect("no panic");
            let Err(Error::Handshake(HandshakeError::Refused(response))) = end else { panic!("{end:?}") };
            assert_eq!((news.len(), response.status()), (0, status));
        }
        let (_, end) = served(adapter, &[Turn::Cut, Turn::Close(1008)], None);
        assert!(
            matches!(end, Err(Error::ClosedByPeer(frame)) if frame.code() == CloseCode::POLICY_VIOLATION)
        );

        let follows_1008: fn(&Error) -> bool = |error| matches!(error, Error::ClosedByPeer(_));
        let (news, end) =
            served(adapter, &[Turn::Close(1008), Turn::Close(1008), Turn::Refuse(503)], Some(follows_1008));
        assert_eq!(news, ["news 0", "news 1"]);
        assert!(matches!(end, Err(Error::Handshake(HandshakeError::Refused(_)))));
    }
}

#[test]
fn a_connection_that_is_open_is_returned_again() {
    for adapter in Adapter::BOTH {
        let count = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::clone(&count);
        let (port, serving) = listen(move |listener| {
            let mut socket = blocking::accept(listener.accept().expect("a client").0).expect("open");
            accepted.fetch_add(1, Ordering::SeqCst);
            while let Ok(Some(_)) = socket.recv() {}
        });
        let request = ClientRequest::new(&format!("ws://127.0.0.1:{port}/")).expect("a URI");
        match adapter {
            Adapter::Blocking => {
                let mut feed = blocking::Connector::new().reconnecting(request);
                for _ in 0..3 {
                    feed.next().expect("open").expect("a connection").send("x").expect("open");
                }
                assert!(feed.last_error().is_none());
                feed.next().expect("open").expect("a connection").close(None).expect("open");
                assert!(feed.next().expect("its own close").is_none());
            }
            Adapter::Tokio => block_on(async {
                let mut feed = asynchronous::Connector::new().reconnecting(request);
                for _ in 0..3 {
                    feed.next().await.expect("open").expect("a connection").send("x").await.expect("open");
                }
                feed.next().await.expect("open").expect("a connection").close(None).await.expect("open");
                assert!(feed.next().await.expect("its own close").is_none());
            }),
        }
        serving.join().expect("no panic");
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}

/// The state does not tell yet: nobody has read since.
#[test]
fn a_connection_on_which_sending_has_failed_is_not_returned_again() {
    for adapter in Adapter::BOTH {
        let (port, serving) = listen(|listener| {
            // What it leaves unread makes an end of TCP a reset.
            drop(blocking::accept(listener.accept().expect("a client").0).expect("open"));
            let mut second = blocking::accept(listener.accept().expect("a client").0).expect("open");
            while let Ok(Some(_)) = second.recv() {}
        });
        let request = ClientRequest::new(&format!("ws://127.0.0.1:{port}/")).expect("a URI");
        match adapter {
            Adapter::Blocking => {
                let mut feed = blocking::Connector::new().reconnecting(request).with_backoff(hasty());
                let socket = feed.next().expect("open").expect("a connection");
                while socket.send("x").is_ok() {}
                assert_eq!(socket.state(), State::Open);
                feed.next().expect("open").expect("a connection").send("x").expect("a new connection");
            }
            Adapter::Tokio => block_on(async {
                let mut feed = asynchronous::Connector::new().reconnecting(request).with_backoff(hasty());
                let socket = feed.next().await.expect("open").expect("a connection");
                while socket.send("x").await.is_ok() {}
                assert_eq!(socket.state(), State::Open);
                feed.next().await.expect("open").expect("a connection").send("x").await.expect("a new one");
            }),
        }
        serving.join().expect("no panic");
    }
}

#[test]
fn the_last_error_is_why_the_last_try_failed() {
    fn name(error: Option<&Error>) -> &'static str {
        match error {
            None => "none",
            Some(Error::ClosedByPeer(_)) => "closed",
            Some(Error::Handshake(HandshakeError::Refused(_))) => "refused",
            Some(_) => "another",
        }
    }

    for adapter in Adapter::BOTH {
        let (port, serving) = listen(|listener| {
            for turn in [Turn::Close(1012), Turn::Refuse(503), Turn::Close(1012), Turn::Close(1000)] {
                serve(&listener, turn, 0);
            }
        });
        let request = ClientRequest::new(&format!("ws://127.0.0.1:{port}/")).expect("a URI");
        let mut names = Vec::new();
        match adapter {
            Adapter::Blocking => {
                let mut feed = blocking::Connector::new().reconnecting(request).with_backoff(hasty());
                while let Some(socket) = feed.next().expect("closed for good") {
                    socket.send("subscribe").expect("open");
                    while let Ok(Some(_)) = socket.recv() {}
                    names.push(name(feed.last_error()));
                }
            }
            Adapter::Tokio => block_on(async {
                let mut feed = asynchronous::Connector::new().reconnecting(request).with_backoff(hasty());
                while let Some(socket) = feed.next().await.expect("closed for good") {
                    socket.send("subscribe").await.expect("open");
                    while let Ok(Some(_)) = socket.recv().await {}
                    names.push(name(feed.last_error()));
                }
            }),
        }
        serving.join().expect("no panic");
        assert_eq!(names, ["none", "refused", "closed"]);
    }
}

#[test]
fn the_pause_before_another_try_is_that_of_the_backoff() {
    const PAUSE: Duration = Duration::from_millis(300);

    for adapter in Adapter::BOTH {
        let (port, serving) = listen(|listener| {
            for turn in [Turn::Cut, Turn::Cut, Turn::Close(1000)] {
                serve(&listener, turn, 0);
            }
        });
        let request = ClientRequest::new(&format!("ws://127.0.0.1:{port}/")).expect("a URI");
        let backoff = hasty().with_delays(PAUSE, PAUSE);
        let start = Instant::now();
        match adapter {
            Adapter::Blocking => {
                let mut feed = blocking::Connector::new().reconnecting(request).with_backoff(backoff);
                while let Some(socket) = feed.next().expect("closed for good") {
                    socket.send("subscribe").expect("open");
                    while let Ok(Some(_)) = socket.recv() {}
                }
            }
            Adapter::Tokio => block_on(async {
                let mut feed = asynchronous::Connector::new().reconnecting(request).with_backoff(backoff);
                while let Some(socket) = feed.next().await.expect("closed for good") {
                    socket.send("subscribe").await.expect("open");
                    while let Ok(Some(_)) = socket.recv().await {}
                }
            }),
        }
        serving.join().expect("no panic");
        // The first one is random, and here nothing.
        assert!(start.elapsed() >= PAUSE, "{adapter:?}");
    }
}
