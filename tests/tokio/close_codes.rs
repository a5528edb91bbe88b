//! How `recv` tells the end by the peer's code: an orderly end is `None`, a refusal an error, and both stay what they are.

use std::future::poll_fn;
use std::time::Duration;

use tidewire::tokio::{Reader, WebSocket};
use tidewire::{CloseCode, CloseFrame, Config, Error, Event, SendError, State};
use tokio::task::spawn;
use tokio::time::{Instant, sleep};

use support::tokio_stream::{Script, Stream, block_on};
use support::tokio_wire::{CLOSE, Role, TEXT, close_body};

/// What this side sends first, if anything, what the peer sends, and whether that is an error.
const CASES: [(Option<Option<u16>>, Option<u16>, bool); 19] = [
    (None, None, false),
    (None, Some(1000), false),
    (None, Some(1001), false),
    (None, Some(1002), true),
    (None, Some(1003), true),
    (None, Some(1007), true),
    (None, Some(1008), true),
    (None, Some(1009), true),
    (None, Some(1011), true),
    (None, Some(1012), true),
    (None, Some(3000), true),
    (None, Some(4999), true),
    (Some(None), None, false),
    (Some(None), Some(1011), true),
    (Some(Some(1000)), Some(1000), false),
    (Some(Some(1000)), Some(1008), true),
    (Some(Some(4000)), Some(4000), false),
    (Some(Some(4000)), Some(4001), true),
    (Some(Some(1011)), Some(1001), false),
];

fn body(code: Option<u16>) -> Option<CloseFrame> {
    code.map(|code| CloseCode::try_from(code).unwrap().into())
}

/// Checks an end, whichever method tells it.
fn check<T>(what: &str, ended: Result<Option<T>, Error>, code: Option<u16>, is_error: bool) {
    match ended {
        Ok(None) => assert!(!is_error, "{what}"),
        Ok(Some(_)) => panic!("{what}: a message"),
        Err(Error::ClosedByPeer(frame)) => {
            assert!(is_error, "{what}: {frame}");
            assert_eq!((Some(u16::from(frame.code())), frame.reason()), (code, "why"), "{what}");
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

/// Checks what is sent too late: what the peer has said is the reason.
fn check_late(what: &str, sent: Result<(), Error>, code: Option<u16>, is_error: bool) {
    match sent {
        Err(Error::Send(SendError::Closed)) => assert!(!is_error, "{what}: the peer has said why"),
        sent => check(what, sent.map(Some), code, is_error),
    }
}

async fn check_socket(what: &str, socket: &mut WebSocket<Stream>, code: Option<u16>, is_error: bool) {
    for _ in 0..200 {
        check(what, socket.recv().await, code, is_error);
        check(what, socket.recv_ref().await, code, is_error);
        check(what, poll_fn(|cx| socket.poll_recv(cx)).await, code, is_error);
        // Whatever the code is, the closing handshake was complete.
        socket.close(CloseCode::NORMAL).await.unwrap();
    }
    check_late(what, socket.send("late").await, code, is_error);
    check_late(what, socket.feed("late").await, code, is_error);
    check_late(what, socket.ping(b"late").await, code, is_error);
    check_late(what, socket.send_fragment("late", true).await, code, is_error);
    assert_eq!(socket.queue("late"), Err(SendError::Closed), "{what}");
}

async fn check_reader(what: &str, reader: &mut Reader<Stream>, code: Option<u16>, is_error: bool) {
    for _ in 0..200 {
        check(what, reader.recv().await, code, is_error);
        check(what, reader.recv_ref().await, code, is_error);
        check(what, poll_fn(|cx| reader.poll_recv(cx)).await, code, is_error);
    }
}

#[test]
fn the_code_of_the_peer_tells_a_refusal_from_an_orderly_end() {
    for role in Role::BOTH {
        for script in [Script::SMOOTH, Script::BYTEWISE] {
            for (first, code, is_error) in CASES {
                let what = format!("{role:?} {first:?} {code:?}");
                let open = || {
                    let (socket, peer) = role.socket(Config::new(), script);
                    let body = code.map(|code| close_body(code, "why")).unwrap_or_default();
                    peer.send([role.frame(TEXT, "last"), role.frame(CLOSE, body)].concat());
                    peer.end();
                    (socket, peer)
                };
                block_on(async {
                    for method in 0..4 {
                        let (mut socket, _peer) = open();
                        if let Some(first) = first {
                            socket.queue_close(body(first));
                        }
                        match method {
                            // The event comes first.
                            0 => {
                                assert!(matches!(socket.recv_ref().await, Ok(Some((Event::Text(_), _)))));
                                assert!(matches!(socket.recv_ref().await, Ok(Some((Event::Close(_), _)))));
                            }
                            1 => assert_eq!(socket.recv().await.unwrap(), Some("last".into())),
                            2 => assert!(poll_fn(|cx| socket.poll_recv(cx)).await.unwrap().is_some()),
                            _ => socket.close(body(first.unwrap_or(Some(1000)))).await.unwrap(),
                        }
                        if method < 3 || first.is_some() {
                            check_socket(&what, &mut socket, code, is_error).await;
                        }
                        let (socket, _peer) = open();
                        let (mut reader, writer) = socket.split();
                        if let Some(first) = first {
                            writer.close(body(first)).await.unwrap();
                        }
                        match method {
                            0 => {
                                assert!(matches!(reader.recv_ref().await, Ok(Some(Event::Text(_)))));
                                assert!(matches!(reader.recv_ref().await, Ok(Some(Event::Close(_)))));
                            }
                            _ => assert_eq!(reader.recv().await.unwrap(), Some("last".into())),
                        }
                        check_reader(&what, &mut reader, code, is_error).await;
                        check_late(&what, writer.send("late").await, code, is_error);
                        check_late(&what, writer.feed("late").await, code, is_error);
                        check_late(&what, writer.ping(b"late").await, code, is_error);
                        check_late(&what, writer.send_fragment("late", true).await, code, is_error);
                        assert_eq!(writer.queue("late"), Err(SendError::Closed), "{what}");
                        writer.close(CloseCode::NORMAL).await.unwrap();
                        assert_eq!((reader.state(), writer.state()), (State::Closed, State::Closed));
                        // Together again it is still the same end.
                        let mut socket = reader.reunite(writer).unwrap();
                        check_socket(&what, &mut socket, code, is_error).await;
                    }
                });
            }
        }
    }
}

#[test]
fn after_the_closing_handshake_a_client_waits_two_seconds_for_the_end() {
    // The close timeout, and how long the client and the server wait.
    for (timeout, client, server) in [(10, 2, 10), (1, 1, 1)] {
        for role in Role::BOTH {
            for by_peer in [false, true] {
                for is_split in [false, true] {
                    for is_talking in [false, true] {
                        let config = Config::new()
                            .without_keepalive()
                            .with_close_timeout(Duration::from_secs(timeout));
                        let (mut socket, peer) = role.socket(config, Script::SMOOTH);
                        block_on(async {
                            let talking = spawn(async move {
                                if !by_peer {
                                    peer.more_than(0).await;
                                }
                                // The answer lets one second pass.
                                sleep(Duration::from_secs(timeout) / 2).await;
                                peer.send(role.close_frame(1000, ""));
                                let mut talks = tokio::time::interval(Duration::from_millis(100));
                                while is_talking && !peer.is_gone() {
                                    talks.tick().await;
                                    peer.send(role.frame(TEXT, "and another thing"));
                                }
                                std::future::pending::<()>().await;
                            });
                            let begun = Instant::now();
                            if is_split {
                                let (mut reader, writer) = socket.split();
                                let receiving = spawn(async move { reader.recv().await });
                                if !by_peer {
                                    writer.close(CloseCode::NORMAL).await.unwrap();
                                }
                                assert_eq!(receiving.await.unwrap().unwrap(), None);
                            } else if by_peer {
                                assert_eq!(socket.recv().await.unwrap(), None);
                            } else {
                                socket.close(CloseCode::NORMAL).await.unwrap();
                            }
                            let answered = Duration::from_secs(timeout) / 2;
                            let waited = if role == Role::Client { client } else { server };
                            // Our own Close frame began the wait, or the peer's.
                            let whole = Duration::from_secs(waited);
                            let from_start = Duration::from_secs(timeout);
                            let expected =
                                if by_peer { answered + whole } else { from_start.min(answered + whole) };
                            assert_eq!(
                                begun.elapsed(),
                                expected,
                                "{role:?} {timeout} {by_peer} {is_split} {is_talking}"
                            );
                            talking.abort();
                        });
                    }
                }
            }
        }
    }
}
