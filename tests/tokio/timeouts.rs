//! A peer that does not read, or does not answer a Close frame, is given up in time.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tidewire::tokio::WebSocket;
use tidewire::{CloseCode, Config, Connection, Error, Event, Input, SendError, State, TimedOut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

use support::tokio_stream::{Script, Stream, block_on, scripted};
use support::tokio_wire::{CLOSE, PING, Role, TEXT, close_body, frame};

const WRITE: Duration = Duration::from_secs(9);
const CLOSING: Duration = Duration::from_secs(4);

fn config() -> Config {
    Config::new().with_write_timeout(WRITE).with_close_timeout(CLOSING)
}

fn is_write_timeout<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::TimedOut(TimedOut::Write))), "{result:?}");
}

#[test]
fn a_send_to_a_peer_that_does_not_read_times_out() {
    for role in Role::BOTH {
        let (mut socket, _peer) = role.socket(config(), Script::SMOOTH.with_capacity(100));
        block_on(async {
            let begun = Instant::now();
            is_write_timeout(socket.send(vec![0; 1000]).await);
            assert_eq!(begun.elapsed(), WRITE, "{role:?}");
        });
        assert_eq!(socket.state(), State::Closed);
    }
}

/// A stream that takes whatever is written and gets rid of nothing, as TLS may over a peer that does not read.
struct Hoarding(Stream);

impl AsyncRead for Hoarding {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, space)
    }
}

impl AsyncWrite for Hoarding {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[test]
fn a_stream_that_takes_everything_and_gets_rid_of_nothing_times_out() {
    for role in Role::BOTH {
        let open = || {
            let (stream, peer) = scripted(Script::SMOOTH);
            (WebSocket::from_parts(Hoarding(stream), role.connection(config()), Input::new()), peer)
        };
        block_on(async {
            let (mut socket, _peer) = open();
            let begun = Instant::now();
            is_write_timeout(socket.send("x").await);
            assert_eq!(begun.elapsed(), WRITE, "{role:?}, sending");
            is_write_timeout(socket.recv().await);

            let (mut socket, _peer) = open();
            let begun = Instant::now();
            socket.queue("x").unwrap();
            is_write_timeout(socket.recv().await);
            assert_eq!(begun.elapsed(), WRITE, "{role:?}, receiving");

            let (socket, _peer) = open();
            let (mut reader, writer) = socket.split();
            let begun = Instant::now();
            let (received, sent) = tokio::join!(reader.recv(), writer.send("x"));
            is_write_timeout(received);
            is_write_timeout(sent);
            assert_eq!(begun.elapsed(), WRITE, "{role:?}, in halves");
        });
    }
}

#[test]
fn after_a_write_timeout_every_method_fails_at_once() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(config(), Script::SMOOTH.with_capacity(100));
        block_on(async {
            is_write_timeout(socket.send(vec![0; 1000]).await);
            let begun = Instant::now();
            for _ in 0..2 {
                assert!(socket.flush().await.is_err());
                assert!(socket.send("x").await.is_err());
                assert!(socket.ping(b"x").await.is_err());
                is_write_timeout(socket.recv().await);
                is_write_timeout(socket.close(None).await);
            }
            assert_eq!(begun.elapsed(), Duration::ZERO);
            // Also when there is room again: half a frame is followed by nothing.
            peer.read();
            assert!(socket.flush().await.is_err());
            assert_eq!(peer.read(), []);
        });
    }
}

#[test]
fn a_peer_that_reads_a_little_now_and_then_is_waited_for() {
    for role in Role::BOTH {
        let (mut socket, peer) =
            role.socket(config().with_min_progress(100), Script::SMOOTH.with_capacity(100));
        block_on(async {
            let reading = async {
                let mut len = 0;
                while len < 2000 {
                    sleep(WRITE - Duration::from_secs(1)).await;
                    len += peer.read().len();
                }
            };
            let (sent, ()) = tokio::join!(socket.send(vec![0; 2000]), reading);
            sent.unwrap();
        });
    }
}

#[test]
fn a_peer_that_pings_but_never_reads_times_out() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(config(), Script::SMOOTH.with_capacity(20));
        block_on(async {
            let begun = Instant::now();
            let pinging = async {
                loop {
                    peer.send(role.frame(PING, "are you there?"));
                    sleep(Duration::from_secs(1)).await;
                }
            };
            tokio::select! {
                received = socket.recv() => is_write_timeout(received),
                () = pinging => {}
            }
            // What fits is written in the first second.
            let elapsed = begun.elapsed();
            assert!(elapsed >= WRITE && elapsed <= WRITE + Duration::from_secs(2), "{role:?}: {elapsed:?}");
        });
        assert!(socket.queued_len() < 100, "{role:?}");
    }
}

#[test]
fn a_ping_flood_costs_the_high_water_mark_and_no_more() {
    for role in Role::BOTH {
        let config = config().with_high_water_len(1000).with_write_timeout(None);
        let (mut socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(0));
        for n in 0..10_000_u16 {
            peer.send(role.frame(PING, n.to_be_bytes()));
        }
        peer.send(role.frame(TEXT, "end"));
        assert_eq!(block_on(socket.recv()).unwrap(), Some("end".into()));
        assert!(socket.queued_len() <= 1000, "{role:?}: {}", socket.queued_len());
    }
}

#[test]
fn a_close_that_the_peer_never_answers_times_out() {
    for role in Role::BOTH {
        for script in [Script::SMOOTH, Script::BYTEWISE] {
            let (mut socket, peer) = role.socket(config(), script);
            block_on(async {
                let begun = Instant::now();
                for _ in 0..2 {
                    let closed = socket.close(CloseCode::GOING_AWAY).await;
                    assert!(matches!(closed, Err(Error::TimedOut(TimedOut::Close))), "{closed:?}");
                    assert_eq!(begun.elapsed(), CLOSING, "{role:?}");
                }
                let received = socket.recv().await;
                assert!(matches!(received, Err(Error::TimedOut(TimedOut::Close))), "{received:?}");
            });
            assert_eq!(role.frames(&peer.log()), [frame(CLOSE, close_body(1001, ""))]);
            assert_eq!(socket.ending().unwrap().code(), 1006);
        }
    }
}

#[test]
fn a_close_that_cannot_even_be_written_times_out() {
    for role in Role::BOTH {
        let (mut socket, _peer) = role.socket(config(), Script::SMOOTH.with_capacity(2));
        block_on(async {
            let begun = Instant::now();
            is_write_timeout(socket.close(CloseCode::NORMAL).await);
            assert_eq!(begun.elapsed(), WRITE, "{role:?}");
        });
    }
}

#[test]
fn a_peer_that_goes_on_talking_does_not_put_off_the_end_of_a_close() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(config(), Script::SMOOTH);
        block_on(async {
            let begun = Instant::now();
            let talking = async {
                loop {
                    peer.send(role.frame(TEXT, "and another thing"));
                    sleep(Duration::from_millis(100)).await;
                }
            };
            tokio::select! {
                closed = socket.close(CloseCode::NORMAL) => {
                    assert!(matches!(closed, Err(Error::TimedOut(TimedOut::Close))), "{closed:?}");
                }
                () = talking => {}
            }
            assert_eq!(begun.elapsed(), CLOSING, "{role:?}");
        });
    }
}

#[test]
fn timeouts_that_are_off_never_end_anything() {
    for role in Role::BOTH {
        let config = Config::new().with_write_timeout(None).with_close_timeout(None);
        let (mut socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(2));
        block_on(async {
            let day = Duration::from_secs(24 * 3600);
            assert!(tokio::time::timeout(day, socket.send("hello")).await.is_err());
            assert!(tokio::time::timeout(day, socket.close(None)).await.is_err());
            let answering = async {
                sleep(day).await;
                let mut written = Vec::new();
                while !written.contains(&CLOSE) {
                    written.extend(peer.read());
                    sleep(Duration::from_secs(1)).await;
                }
                peer.send(role.close_frame(1000, ""));
                peer.end();
                // A server still owes the end of its side, and a client the rest of its frame.
                while !peer.is_shut() && !peer.read().is_empty() {
                    sleep(Duration::from_secs(1)).await;
                }
            };
            let (closed, ()) = tokio::join!(socket.close(None), answering);
            closed.unwrap();
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_does_not_put_off_the_end_of_a_close() {
    // Read as frames, this byte for ever is binary messages of two bytes; there is always something to read.
    let flood = tokio::io::join(tokio::io::repeat(0x82), tokio::io::sink());
    let mut socket = WebSocket::from_parts(flood, Connection::server(config()), Input::new());
    let begun = Instant::now();
    let clock = tokio::spawn(async {
        for _ in 0..5 {
            tokio::time::advance(CLOSING / 4).await;
        }
        // Other tasks have their turns meanwhile.
        for _ in 0..1_000_000 {
            tokio::task::yield_now().await;
        }
    });
    tokio::select! {
        closed = socket.close(CloseCode::NORMAL) => {
            assert!(matches!(closed, Err(Error::TimedOut(TimedOut::Close))), "{closed:?}");
        }
        _ = clock => panic!("the deadline passed and nobody noticed"),
    }
    assert!(begun.elapsed() >= CLOSING && begun.elapsed() < 2 * CLOSING);
}

#[test]
fn what_is_left_after_the_peers_close_frame_is_not_waited_for_for_ever() {
    for role in Role::BOTH {
        for write_timeout in [None, Some(10 * CLOSING)] {
            for method in 0..4 {
                let config = config().with_write_timeout(write_timeout).with_high_water_len(10);
                let (mut socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(10));
                socket.queue([7; 1000]).unwrap();
                peer.send(role.close_frame(1000, ""));
                block_on(async {
                    assert!(matches!(socket.recv_ref().await, Ok(Some((Event::Close(_), _)))));
                    let begun = Instant::now();
                    let ended = match method {
                        0 => socket.flush().await,
                        1 => socket.ready().await,
                        2 => poll_fn(|cx| socket.poll_close(cx)).await,
                        _ => socket.feed("more").await,
                    };
                    assert!(matches!(ended, Err(Error::Send(SendError::Closed))), "{role:?}: {ended:?}");
                    assert_eq!(begun.elapsed(), CLOSING, "{role:?} {method}");
                    assert_eq!(socket.recv().await.unwrap(), None, "the peer has closed in order");
                    assert_eq!(socket.queued_len(), 0);
                });
            }
        }
    }
}
