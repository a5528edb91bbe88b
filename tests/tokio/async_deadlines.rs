//! The write deadline and the close deadline hold in every method that waits, and not a moment before they have passed for good.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use tidewire::tokio::WebSocket;
use tidewire::{CloseCode, Config, Error, TimedOut};
use tokio::time::{Instant, advance};

use support::tokio_stream::{Script, Stream, block_on, once};
use support::tokio_wire::{CLOSE, Role, TEXT, close_body, frame};

const WRITE: Duration = Duration::from_secs(9);

/// Without any other deadline.
fn config() -> Config {
    let config = Config::new().without_keepalive().with_close_timeout(None);
    config.with_write_timeout(WRITE).with_high_water_len(64)
}

type Waiting<'s> = Pin<Box<dyn Future<Output = Result<(), Error>> + 's>>;

#[test]
fn a_peer_that_does_not_read_ends_every_method_that_writes() {
    type Method = fn(&mut WebSocket<Stream>) -> Waiting<'_>;
    let methods: [(&str, Method); 11] = [
        ("ready", |socket| Box::pin(socket.ready())),
        ("flush", |socket| Box::pin(socket.flush())),
        ("feed", |socket| Box::pin(socket.feed("more"))),
        ("send", |socket| Box::pin(socket.send("more"))),
        ("send_fragment", |socket| Box::pin(socket.send_fragment("more", false))),
        ("ping", |socket| Box::pin(socket.ping(b""))),
        ("recv", |socket| Box::pin(async { socket.recv().await.map(drop) })),
        ("recv_ref", |socket| Box::pin(async { socket.recv_ref().await.map(drop) })),
        ("poll_ready", |socket| Box::pin(poll_fn(|cx| socket.poll_ready(cx)))),
        ("poll_flush", |socket| Box::pin(poll_fn(|cx| socket.poll_flush(cx)))),
        ("poll_close", |socket| Box::pin(poll_fn(|cx| socket.poll_close(cx)))),
    ];
    // Above the high-water mark, and below it: then only what sends or writes everything waits.
    for (role, len) in Role::BOTH.into_iter().flat_map(|role| [(role, 1000), (role, 50)]) {
        for (name, method) in methods {
            if len == 50 && ["ready", "feed", "poll_ready"].contains(&name) {
                continue;
            }
            let (mut socket, _peer) = role.socket(config(), Script::SMOOTH.with_capacity(5));
            socket.queue(vec![7; len]).unwrap();
            block_on(async {
                let begun = Instant::now();
                // From the second time on it fails at once, and for the same reason.
                for _ in 0..3 {
                    let result = method(&mut socket).await;
                    let is_timeout = matches!(result, Err(Error::TimedOut(TimedOut::Write)));
                    assert!(is_timeout, "{role:?}, {name}, {len}: {result:?}");
                    assert_eq!(begun.elapsed(), WRITE, "{role:?}, {name}, {len}");
                }
            });
        }
    }
}

#[test]
fn every_method_of_a_writer_tells_why_nothing_goes_any_more() {
    for role in Role::BOTH {
        let (mut socket, _peer) = role.socket(config(), Script::SMOOTH.with_capacity(5));
        socket.queue([7; 1000]).unwrap();
        let (mut reader, mut writer) = socket.split();
        block_on(async {
            assert!(matches!(reader.recv().await, Err(Error::TimedOut(TimedOut::Write))));
            let results = [
                writer.ready().await,
                writer.flush().await,
                writer.feed("more").await,
                writer.send("more").await,
                writer.send_fragment("more", false).await,
                writer.ping(b"").await,
                writer.close(None).await,
                poll_fn(|cx| writer.poll_ready(cx)).await,
                poll_fn(|cx| writer.poll_flush(cx)).await,
                poll_fn(|cx| writer.poll_close(cx)).await,
            ];
            let is_timeout =
                |result: &Result<(), Error>| matches!(result, Err(Error::TimedOut(TimedOut::Write)));
            assert!(results.iter().all(is_timeout), "{role:?}: {results:?}");
        });
    }
}

/// How many messages a busy task may find before a deadline counts that passed meanwhile.
const PATIENCE: usize = 128;

#[test]
fn a_task_that_is_busy_again_and_again_finds_what_came_in_time() {
    for role in Role::BOTH {
        let message = role.frame(TEXT, "came in time");
        // One read for each message.
        let script = Script::SMOOTH.with_capacity(5).with_steps(message.len(), usize::MAX);
        let (mut socket, peer) = role.socket(config().with_min_progress(1), script);
        socket.queue([7; 100]).unwrap();
        block_on(async {
            for _ in 0..4 {
                // It waits for room, with a deadline that passes while its task is busy.
                assert!(once(socket.recv()).await.is_none());
                peer.send(message.repeat(PATIENCE - 28));
                advance(WRITE * 2).await;
                for n in 0..PATIENCE - 28 {
                    let received = socket.recv().await;
                    assert!(matches!(&received, Ok(Some(_))), "{role:?}, {n}: {received:?}");
                }
                // The peer takes a little, and the deadline begins anew.
                assert_eq!(peer.read().len(), 5);
                assert!(once(socket.recv()).await.is_none());
            }
        });
    }
}

#[test]
fn a_flood_does_not_put_off_a_deadline_that_has_come_to_the_moment() {
    for role in Role::BOTH {
        for early in [Duration::from_millis(1), Duration::ZERO] {
            let message = role.frame(TEXT, "flood");
            let script = Script::SMOOTH.with_capacity(5).with_steps(message.len(), usize::MAX);
            let (mut socket, peer) = role.socket(config(), script);
            socket.queue([7; 100]).unwrap();
            peer.send(message.repeat(PATIENCE * 3));
            block_on(async {
                assert!(matches!(socket.recv().await, Ok(Some(_))));
                advance(WRITE - early).await;
                let mut count = 0;
                let ended = loop {
                    match socket.recv().await {
                        Ok(Some(_)) => count += 1,
                        ended => break ended,
                    }
                };
                assert!(matches!(ended, Err(Error::TimedOut(TimedOut::Write))), "{role:?}: {ended:?}");
                let most = if early.is_zero() { PATIENCE + 1 } else { PATIENCE * 3 };
                assert!(count <= most && count >= PATIENCE - 1, "{role:?}, {early:?}: {count}");
            });
        }
    }
}

#[test]
fn nothing_is_called_any_more_after_the_end() {
    for role in Role::BOTH {
        for is_split in [false, true] {
            let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH);
            socket.queue_close(CloseCode::NORMAL);
            peer.send(role.close_frame(1000, ""));
            peer.end();
            block_on(async {
                if is_split {
                    let (mut reader, writer) = socket.split();
                    assert_eq!(reader.recv().await.unwrap(), None);
                    let operations = peer.operations();
                    for _ in 0..3 {
                        assert_eq!(reader.recv().await.unwrap(), None);
                        writer.flush().await.unwrap();
                    }
                    assert_eq!(peer.operations(), operations, "{role:?}");
                } else {
                    assert_eq!(socket.recv().await.unwrap(), None);
                    let operations = peer.operations();
                    for _ in 0..3 {
                        assert_eq!(socket.recv().await.unwrap(), None);
                        socket.close(None).await.unwrap();
                        socket.flush().await.unwrap();
                    }
                    assert_eq!(peer.operations(), operations, "{role:?}");
                }
            });
            assert_eq!(role.frames(&peer.log()), [frame(CLOSE, close_body(1000, ""))]);
        }
    }
}
