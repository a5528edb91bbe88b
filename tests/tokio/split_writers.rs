//! Many writers: none is forgotten, none stays behind, and their fragments do not mix.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tidewire::tokio::{Writer, accept_with, client_with};
use tidewire::{ClientRequest, CloseCode, Config, Error, SendError, ServerHandshake, State, TimedOut};
use tokio::task::spawn;
use tokio::time::{Instant, sleep};

use support::load::watched;
use support::tokio_stream::{Fault, Script, Stream, block_on, once};
use support::tokio_wire::{CLOSE, PING, Role, TEXT, close_body, frame};

/// Without any deadline, which would wake those who were forgotten.
fn untimed() -> Config {
    Config::new()
        .without_keepalive()
        .with_write_timeout(None)
        .with_close_timeout(None)
        .with_high_water_len(64)
}

fn is_closed<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Send(SendError::Closed)))
}

/// Everything that a writer can do fails, and leaves nothing behind.
async fn fails(mut writer: Writer<Stream>, what: &str) {
    assert_eq!(writer.queue("late"), Err(SendError::Closed), "{what}");
    assert_eq!(writer.queue_fragment("late", false), Err(SendError::Closed), "{what}");
    writer.queue_close(None);
    assert_eq!((writer.queued_len(), writer.state()), (0, State::Closed), "{what}");
    let mut errors = Vec::new();
    errors.push(writer.feed("late").await);
    errors.push(writer.send("late").await);
    errors.push(writer.send_fragment("late", true).await);
    errors.push(writer.ping(b"late").await);
    errors.push(writer.ready().await);
    errors.push(writer.flush().await);
    errors.push(writer.close(None).await);
    errors.push(poll_fn(|cx| writer.poll_ready(cx)).await);
    errors.push(poll_fn(|cx| writer.poll_flush(cx)).await);
    errors.push(poll_fn(|cx| writer.poll_close(cx)).await);
    assert!(errors.iter().all(Result::is_err), "{what}: {errors:?}");
    assert_eq!(writer.queued_len(), 0, "{what}");
}

#[test]
fn everything_fails_once_nobody_reads() {
    for role in Role::BOTH {
        block_on(async {
            let open = |fault| {
                let script = Script::SMOOTH.with_capacity(5);
                let script = if fault { script.with_fault(2, Fault::Reset) } else { script };
                let (socket, peer) = role.socket(untimed(), script);
                let (reader, writer) = socket.split();
                (reader, writer.clone(), writer, peer)
            };
            // The reader is dropped, in the middle of a message or not.
            for is_fragmented in [false, true] {
                let (reader, writer, other, peer) = open(false);
                if is_fragmented {
                    other.queue_fragment("begun", false).unwrap();
                }
                drop(reader);
                assert!(peer.is_shut());
                fails(writer.clone(), "dropped").await;
                drop(other);
                assert_eq!(writer.queued_len(), 0);
            }
            // The halves are reunited.
            let (reader, writer, other, _peer) = open(false);
            let socket = reader.reunite(other).unwrap();
            fails(writer, "reunited").await;
            assert_eq!(socket.state(), State::Open);
            // The stream has failed.
            let (_reader, writer, other, _peer) = open(true);
            assert!(matches!(other.send([7; 100]).await, Err(Error::Io(_))));
            fails(writer, "failed").await;
        });
    }
}

#[test]
fn after_an_orderly_end_flush_and_close_succeed_and_nothing_is_sent() {
    for role in Role::BOTH {
        block_on(async {
            let (socket, peer) = role.socket(untimed(), Script::SMOOTH);
            let (mut reader, mut writer) = socket.split();
            writer.close((CloseCode::NORMAL, "bye")).await.unwrap();
            assert_eq!((writer.state(), reader.state()), (State::Closing, State::Closing));
            peer.send(role.close_frame(1000, ""));
            peer.end();
            assert_eq!(reader.recv().await.unwrap(), None);
            assert_eq!((writer.state(), reader.state()), (State::Closed, State::Closed));
            writer.ready().await.unwrap();
            writer.flush().await.unwrap();
            writer.close(CloseCode::GOING_AWAY).await.unwrap();
            poll_fn(|cx| writer.poll_ready(cx)).await.unwrap();
            poll_fn(|cx| writer.poll_close(cx)).await.unwrap();
            poll_fn(|cx| writer.poll_flush(cx)).await.unwrap();
            for result in
                [writer.send("late").await, writer.feed("late").await, writer.send_fragment("", true).await]
            {
                assert!(is_closed(result));
            }
            assert!(is_closed(writer.ping(b"").await));
            assert_eq!(writer.queue("late"), Err(SendError::Closed));
            assert_eq!(writer.queue_fragment("late", true), Err(SendError::Closed));
            assert_eq!(role.frames(&peer.log()), [frame(CLOSE, close_body(1000, "bye"))]);
        });
    }
}

#[test]
fn the_end_of_the_reader_wakes_writers_in_other_tasks() {
    for role in Role::BOTH {
        block_on(async {
            let (socket, _peer) = role.socket(untimed(), Script::SMOOTH.with_capacity(5));
            let (reader, writer) = socket.split();
            let sending: Vec<_> = (0..3)
                .map(|_| {
                    let writer = writer.clone();
                    spawn(async move { writer.send([7; 100]).await })
                })
                .collect();
            sleep(Duration::from_secs(1)).await;
            drop(reader);
            for sending in sending {
                assert!(is_closed(sending.await.unwrap()), "{role:?}");
            }
        });
    }
}

#[test]
fn the_reader_that_receives_the_end_wakes_the_writers() {
    for role in Role::BOTH {
        // The stream ends, or the peer breaks the protocol and then ends.
        for bytes in [Vec::new(), role.frame(0x83, "?")] {
            let (socket, peer) = role.socket(untimed(), Script::SMOOTH.with_capacity(5));
            let (mut reader, writer) = socket.split();
            let (flag, waker) = Flag::new();
            let mut cx = Context::from_waker(&waker);
            let mut sending = pin!(writer.send([7; 100]));
            assert!(sending.as_mut().poll(&mut cx).is_pending());
            assert!(reader.poll_recv(&mut Context::from_waker(Waker::noop())).is_pending());
            peer.send(bytes);
            peer.end();
            // It looks before the reader does, and finds nothing new.
            assert!(sending.as_mut().poll(&mut cx).is_pending());
            flag.woken();
            while reader.poll_recv(&mut Context::from_waker(Waker::noop())).is_pending() {
                assert!(!peer.read().is_empty(), "{role:?}: the rest goes first");
            }
            assert!(flag.woken() > 0, "{role:?}");
            assert!(sending.as_mut().poll(&mut cx).is_ready());
        }
    }
}

#[test]
fn whoever_finds_the_stream_broken_wakes_the_writers_that_wait() {
    for role in Role::BOTH {
        for by_reader in [false, true] {
            for fault in [Fault::Reset, Fault::WriteZero] {
                block_on(async {
                    let (socket, peer) = role.socket(untimed(), Script::SMOOTH.with_capacity(5));
                    let (mut reader, writer) = socket.split();
                    let (stuck, other) = (writer.clone(), writer);
                    let sending = spawn(async move { stuck.send([7; 100]).await });
                    sleep(Duration::from_secs(1)).await;
                    assert!(!sending.is_finished());
                    peer.fail(fault);
                    if by_reader {
                        assert!(once(reader.recv()).await.is_none());
                    } else {
                        assert!(matches!(other.flush().await, Err(Error::Io(_))), "{role:?}");
                    }
                    let sent = sending.await.unwrap();
                    assert!(matches!(sent, Err(Error::Io(_))), "{role:?} {by_reader}: {sent:?}");
                });
            }
        }
    }
}

/// A task that owns a writer and belongs to whoever can wake it: a dropped waker may be its last.
struct Task(#[allow(dead_code, reason = "it is dropped")] Mutex<Option<Writer<Stream>>>);

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

impl Task {
    fn waker(writer: Writer<Stream>) -> Waker {
        Waker::from(Arc::new(Self(Mutex::new(Some(writer)))))
    }
}

#[test]
fn a_waker_that_is_dropped_may_own_a_writer() {
    watched(|_| {
        for role in Role::BOTH {
            let (socket, _peer) = role.socket(untimed(), Script::SMOOTH.with_capacity(5));
            let (mut reader, writer) = socket.split();
            let mut noop = Context::from_waker(Waker::noop());
            // In the reader's place, with a message under way, of which the reader is told.
            let owner = writer.clone();
            owner.queue_fragment("begun", false).unwrap();
            let waker = Task::waker(owner);
            assert!(reader.poll_recv(&mut Context::from_waker(&waker)).is_pending());
            drop(waker);
            assert!(reader.poll_recv(&mut noop).is_pending());
            assert_eq!(writer.state(), State::Closing, "1011");
            // In a writer's place.
            let mut owner = writer.clone();
            assert!(owner.poll_flush(&mut noop).is_pending());
            let waker = Task::waker(owner);
            let mut flushing = pin!(writer.flush());
            assert!(flushing.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            drop(waker);
            assert!(flushing.as_mut().poll(&mut noop).is_pending());
        }
    });
}

/// A call that waits.
type Waiting<'w> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'w>>;

/// Counts its wakers by its references.
#[derive(Default)]
struct Flag(Mutex<usize>);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        *self.0.lock().unwrap() += 1;
    }
}

impl Flag {
    fn new() -> (Arc<Self>, Waker) {
        let flag = Arc::<Self>::default();
        (Arc::clone(&flag), Waker::from(flag))
    }

    fn woken(&self) -> usize {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[test]
fn no_waker_is_left_behind() {
    for role in Role::BOTH {
        let (socket, peer) = role.socket(untimed(), Script::SMOOTH.with_capacity(5));
        let (mut reader, mut writer) = socket.split();
        let (flag, waker) = Flag::new();
        let wakers = || Arc::strong_count(&flag) - 2;
        let mut cx = Context::from_waker(&waker);
        writer.queue([7; 100]).unwrap();
        // A future that is dropped, whichever it is.
        for _ in 0..3 {
            let other = writer.clone();
            {
                let mut futures: Vec<Waiting<'_>> = vec![
                    Box::pin(other.ready()),
                    Box::pin(other.flush()),
                    Box::pin(other.feed("x")),
                    Box::pin(other.send("x")),
                    Box::pin(other.send_fragment("x", true)),
                    Box::pin(other.ping(b"")),
                ];
                let count = futures.len();
                for future in &mut futures {
                    // However often they are polled.
                    (0..10).for_each(|_| assert!(future.as_mut().poll(&mut cx).is_pending()));
                }
                assert_eq!(wakers(), count, "{role:?}");
            }
            assert_eq!(wakers(), 0, "{role:?}: dropped");
        }
        // A place that `poll_` methods share, until one is ready or the writer is dropped.
        let mut other = writer.clone();
        for _ in 0..10 {
            assert!(other.poll_ready(&mut cx).is_pending() && other.poll_flush(&mut cx).is_pending());
            assert!(writer.poll_flush(&mut cx).is_pending());
        }
        assert_eq!(wakers(), 2);
        drop(other);
        assert_eq!(wakers(), 1);
        // Another task goes on with this one.
        let (second, second_waker) = Flag::new();
        assert!(writer.poll_flush(&mut Context::from_waker(&second_waker)).is_pending());
        assert_eq!((wakers(), Arc::strong_count(&second)), (0, 3));
        while writer.poll_flush(&mut Context::from_waker(&second_waker)).is_pending() {
            peer.read();
            assert_eq!((flag.woken(), second.woken()), (0, 1), "{role:?}");
        }
        assert_eq!(Arc::strong_count(&second), 2);
        // The reader, when it is gone.
        assert!(reader.poll_recv(&mut cx).is_pending());
        assert_eq!(wakers(), 1);
        drop(reader);
        assert_eq!(wakers(), 0, "{role:?}: the reader is gone");
        assert!(is_closed(match writer.poll_ready(&mut cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }));
        let (socket, _peer) = role.socket(untimed(), Script::SMOOTH);
        let (mut reader, writer) = socket.split();
        let _other = writer.clone();
        assert!(reader.poll_recv(&mut cx).is_pending());
        let _socket = reader.reunite(writer).unwrap();
        assert_eq!(wakers(), 0, "{role:?}: reunited");
    }
}

#[test]
fn all_that_wait_are_woken_and_get_on_in_turn() {
    for role in Role::BOTH {
        for script in [Script::SMOOTH.with_capacity(50), Script::SMOOTH.with_capacity(50).with_pending()] {
            block_on(async {
                let (socket, peer) = role.socket(untimed(), script);
                let (mut reader, writer) = socket.split();
                let tasks: Vec<_> = (0..50_u8)
                    .map(|n| {
                        let writer = writer.clone();
                        spawn(async move {
                            for _ in 0..20 {
                                match n % 3 {
                                    0 => writer.send([n; 30]).await?,
                                    1 => writer.feed([n; 30]).await?,
                                    _ => {
                                        writer.send_fragment([n; 20], false).await.or_else(unfinished)?;
                                        writer.ping(&[n]).await?;
                                    }
                                }
                            }
                            writer.flush().await
                        })
                    })
                    .collect();
                let reading = spawn(async move { reader.recv().await });
                let peering = spawn(async move {
                    loop {
                        sleep(Duration::from_millis(1)).await;
                        peer.read();
                    }
                });
                for task in tasks {
                    match task.await.unwrap() {
                        // A writer that began a message has closed the connection by its end.
                        Ok(()) | Err(Error::Send(SendError::Closed | SendError::UnfinishedMessage)) => {}
                        Err(error) => panic!("{role:?}: {error}"),
                    }
                }
                peering.abort();
                reading.abort();
            });
        }
    }
}

fn unfinished(error: Error) -> Result<(), Error> {
    if matches!(error, Error::Send(SendError::UnfinishedMessage)) { Ok(()) } else { Err(error) }
}

#[test]
fn however_many_feed_the_output_is_never_full() {
    for role in Role::BOTH {
        for limit in [0, 64, 100] {
            block_on(async {
                let config = untimed().with_max_output_len(limit);
                let (socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(20));
                let (mut reader, writer) = socket.split();
                let tasks: Vec<_> = (0..20_u8)
                    .map(|n| {
                        let writer = writer.clone();
                        spawn(async move {
                            for len in [1, 1000, 0, 50, 200] {
                                match n % 2 {
                                    0 => writer.feed(vec![n; len]).await?,
                                    _ => writer.send(vec![n; len]).await?,
                                }
                            }
                            Ok::<(), Error>(())
                        })
                    })
                    .collect();
                let reading = spawn(async move { reader.recv().await });
                let log = peer.clone();
                let peering = spawn(async move {
                    loop {
                        sleep(Duration::from_millis(1)).await;
                        peer.read();
                    }
                });
                for task in tasks {
                    task.await.unwrap().unwrap_or_else(|error| panic!("{role:?} {limit}: {error}"));
                }
                writer.flush().await.unwrap();
                assert_eq!(role.frames(&log.log()).len(), 100);
                peering.abort();
                reading.abort();
            });
        }
    }
}

#[test]
fn a_flush_ends_with_what_was_queued_when_it_began() {
    for role in Role::BOTH {
        for method in 0..5 {
            let (socket, peer) = role.socket(untimed(), Script::SMOOTH.with_capacity(20));
            let (_reader, writer) = socket.split();
            let (other, mut own) = (writer.clone(), writer.clone());
            writer.queue([1; 50]).unwrap();
            let flushing: Waiting<'_> = match method {
                0 => Box::pin(writer.flush()),
                1 => Box::pin(writer.send("mine")),
                2 => Box::pin(writer.send_fragment("mine", true)),
                3 => Box::pin(writer.ping(b"mine")),
                _ => Box::pin(poll_fn(|cx| own.poll_flush(cx))),
            };
            let mut flushing = flushing;
            let (_flag, waker) = Flag::new();
            let mut written = 0;
            // Others queue as much as the peer takes.
            while flushing.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                other.queue([2; 20]).unwrap();
                written += peer.read().len();
                assert!(written < 1000, "{role:?} {method}: it goes on and on");
            }
            assert!(written >= 50 - 20 && other.queued_len() > 0, "{role:?} {method}: {written}");
        }
    }
}

#[test]
fn a_writer_over_a_stream_that_wakes_at_once_does_not_spin() {
    for role in Role::BOTH {
        let (socket, _peer) = role.socket(untimed(), Script::SMOOTH.with_pendings(100));
        let (_reader, writer) = socket.split();
        let (flag, waker) = Flag::new();
        writer.queue("x").unwrap();
        let mut flushing = pin!(writer.flush());
        let mut polls = 0;
        // A write and a flush, each a hundred times pending; a poll may ask twice.
        while flushing.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            polls += 1;
            assert!(flag.woken() > 0, "{role:?}: the stream has woken it");
        }
        assert!((100..=200).contains(&polls), "{role:?}: {polls}");
    }
}

#[test]
fn a_message_in_fragments_belongs_to_the_writer_that_began_it() {
    for role in Role::BOTH {
        block_on(async {
            let (socket, peer) = role.socket(untimed(), Script::SMOOTH);
            let (_reader, writer) = socket.split();
            let other = writer.clone();
            writer.send_fragment("a", false).await.unwrap();
            for result in [
                other.queue("x"),
                other.queue_fragment("x", false),
                other.queue_fragment("x", true),
                writer.clone().queue_fragment("x", true),
                writer.queue("x"),
            ] {
                assert_eq!(result, Err(SendError::UnfinishedMessage), "{role:?}");
            }
            for result in [other.feed("x").await, other.send("x").await, other.send_fragment("x", true).await]
            {
                assert!(matches!(result, Err(Error::Send(SendError::UnfinishedMessage))), "{result:?}");
            }
            // Pings go between, and other writers come and go.
            other.ping(b"?").await.unwrap();
            drop(other);
            assert!(matches!(
                writer.send_fragment(b"b", true).await,
                Err(Error::Send(SendError::MixedFragments))
            ));
            writer.queue_fragment("b", true).unwrap();
            // The next message belongs to somebody else.
            let other = writer.clone();
            other.queue_fragment(b"c", false).unwrap();
            assert_eq!(writer.queue_fragment("x", true), Err(SendError::UnfinishedMessage));
            other.send_fragment(b"d", true).await.unwrap();
            drop(other);
            writer.send("e").await.unwrap();
            assert_eq!(writer.state(), State::Open);
            let expected = [
                frame(0x01, "a"),
                frame(PING, "?"),
                frame(0x80, "b"),
                frame(0x02, "c"),
                frame(0x80, "d"),
                frame(TEXT, "e"),
            ];
            assert_eq!(role.frames(&peer.log()), expected);
        });
    }
}

#[test]
fn a_message_under_way_outlives_split_and_reunite() {
    for role in Role::BOTH {
        for by_other in [false, true] {
            block_on(async {
                let (mut socket, peer) = role.socket(untimed(), Script::SMOOTH);
                socket.send_fragment("a", false).await.unwrap();
                let (reader, writer) = socket.split();
                assert_eq!(writer.clone().queue_fragment("x", true), Err(SendError::UnfinishedMessage));
                writer.send_fragment("b", by_other).await.unwrap();
                let other = writer.clone();
                if by_other {
                    other.send_fragment("c", false).await.unwrap();
                }
                let mut socket = reader.reunite(writer).unwrap();
                drop(other);
                assert!(matches!(socket.send("x").await, Err(Error::Send(SendError::UnfinishedMessage))));
                socket.send_fragment("d", true).await.unwrap();
                socket.send("e").await.unwrap();
                let firsts: Vec<_> = role.frames(&peer.log()).iter().map(|frame| frame.0).collect();
                let expected: &[u8] =
                    if by_other { &[0x01, 0x80, 0x01, 0x80, TEXT] } else { &[0x01, 0, 0x80, TEXT] };
                assert_eq!(firsts, expected, "{role:?}");
            });
        }
    }
}

#[test]
fn reunite_keeps_everything_and_ends_the_other_writers() {
    for role in Role::BOTH {
        block_on(async {
            let config = untimed()
                .with_keepalive(Duration::from_secs(20), Duration::from_secs(15))
                .with_write_timeout(Duration::from_secs(9));
            let (socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(5));
            let (mut reader, writer) = socket.split();
            peer.send([role.frame(TEXT, "one"), role.frame(TEXT, "two"), role.frame(0x01, "th")].concat());
            assert_eq!(reader.recv().await.unwrap(), Some("one".into()));
            // Two that wait, one of them in its task.
            let (other, mut third) = (writer.clone(), writer.clone());
            let sending = spawn(async move { other.send([7; 100]).await });
            sleep(Duration::from_secs(1)).await;
            assert!(third.poll_flush(&mut Context::from_waker(Waker::noop())).is_pending());
            // Its write deadline begins here.
            let begun = Instant::now();
            assert_eq!(reader.recv().await.unwrap(), Some("two".into()));
            assert!(once(reader.recv()).await.is_none());
            sleep(Duration::from_secs(4)).await;
            let mut socket = reader.reunite(writer).unwrap();
            assert!(is_closed(sending.await.unwrap()), "{role:?}");
            assert_eq!(begun.elapsed(), Duration::from_secs(4), "it is woken at once");
            fails(third, "reunited").await;
            assert_eq!((socket.state(), socket.queued_len() > 80), (State::Open, true));
            peer.send(role.frame(0x80, "ree"));
            assert_eq!(socket.recv().await.unwrap(), Some("three".into()));
            let ended = socket.recv().await;
            assert!(matches!(ended, Err(Error::TimedOut(TimedOut::Write))), "{role:?}: {ended:?}");
            assert_eq!(begun.elapsed(), Duration::from_secs(9), "{role:?}");
        });
    }
}

#[test]
fn halves_of_two_connections_are_given_back() {
    for role in Role::BOTH {
        block_on(async {
            let (first, first_peer) = role.socket(untimed(), Script::SMOOTH);
            let (second, second_peer) = role.socket(untimed(), Script::SMOOTH);
            let (first_reader, first_writer) = first.split();
            let (second_reader, second_writer) = second.split();
            first_writer.queue_fragment("a", false).unwrap();
            let error = first_reader.reunite(second_writer).unwrap_err();
            assert_eq!(error.to_string(), "the halves are of different connections");
            let (first_reader, second_writer) = error.into_halves();
            let mut first = first_reader.reunite(first_writer).unwrap();
            let mut second = second_reader.reunite(second_writer).unwrap();
            first.send_fragment("b", true).await.unwrap();
            second.send("c").await.unwrap();
            assert_eq!(role.frames(&first_peer.log()), [frame(0x01, "a"), frame(0x80, "b")]);
            assert_eq!(role.frames(&second_peer.log()), [frame(TEXT, "c")]);
        });
    }
}

#[test]
fn poll_close_queues_1000_once_and_reads_nothing() {
    for role in Role::BOTH {
        for code in [None, Some(CloseCode::GOING_AWAY)] {
            for is_split in [false, true] {
                block_on(async {
                    let (mut socket, peer) = role.socket(untimed(), Script::SMOOTH.with_capacity(2));
                    peer.send(role.frame(TEXT, "unread"));
                    let sent = code.unwrap_or(CloseCode::NORMAL);
                    let reading = async {
                        for _ in 0..20 {
                            peer.read();
                            sleep(Duration::from_millis(1)).await;
                        }
                    };
                    if is_split {
                        let (mut reader, mut writer) = socket.split();
                        if let Some(code) = code {
                            writer.queue_close(code);
                        }
                        let (closed, ()) = tokio::join!(poll_fn(|cx| writer.poll_close(cx)), reading);
                        closed.unwrap();
                        poll_fn(|cx| writer.poll_close(cx)).await.unwrap();
                        assert_eq!(peer.read_len(), 0);
                        assert_eq!(reader.recv().await.unwrap(), Some("unread".into()));
                    } else {
                        if let Some(code) = code {
                            socket.queue_close(code);
                        }
                        let (closed, ()) = tokio::join!(poll_fn(|cx| socket.poll_close(cx)), reading);
                        closed.unwrap();
                        poll_fn(|cx| socket.poll_close(cx)).await.unwrap();
                        assert_eq!(peer.read_len(), 0);
                        assert_eq!(socket.recv().await.unwrap(), Some("unread".into()));
                    }
                    let body = close_body(sent.into(), "");
                    assert_eq!(role.frames(&peer.log()), [frame(CLOSE, body)], "{role:?} {is_split}");
                });
            }
        }
    }
}

#[test]
fn the_halves_tell_what_the_socket_would() {
    block_on(async {
        let config = untimed();
        let (near, far) = tokio::io::duplex(1 << 10);
        let request = ClientRequest::new("ws://example.org/").unwrap().with_subprotocol("v2.tide").unwrap();
        let handshake = ServerHandshake::new(config).with_subprotocols(&["v2.tide"]).unwrap();
        let (client, server) = tokio::join!(client_with(near, &request, config), accept_with(far, handshake));
        for (socket, is_client) in [(client.unwrap(), true), (server.unwrap(), false)] {
            assert_eq!((socket.subprotocol(), socket.response().is_some()), (Some("v2.tide"), is_client));
            let (reader, writer) = socket.split();
            let other = writer.clone();
            for subprotocol in [reader.subprotocol(), writer.subprotocol(), other.subprotocol()] {
                assert_eq!(subprotocol, Some("v2.tide"));
            }
            for response in [reader.response(), writer.response(), other.response()] {
                assert_eq!(response.map(|response| response.status()), is_client.then_some(101));
            }
            assert!(writer.is_ready() && reader.state() == State::Open && writer.state() == State::Open);
            other.queue([7; 64]).unwrap();
            assert!(!writer.is_ready() && writer.queued_len() > 64);
            other.queue_close(None);
            assert_eq!((reader.state(), writer.state()), (State::Closing, State::Closing));
            assert_eq!((reader.ending(), reader.round_trip_time()), (None, None));
            let socket = reader.reunite(writer).unwrap();
            assert_eq!((other.state(), other.is_ready(), other.queued_len()), (State::Closed, true, 0));
            assert_eq!((socket.state(), socket.is_ready()), (State::Closing, false));
            assert_eq!((socket.subprotocol(), socket.response().is_some()), (Some("v2.tide"), is_client));
        }
    });
}
