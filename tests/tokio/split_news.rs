//! What a writer queues concerns a reader that waits in another task: it is written, and its deadlines begin.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidewire::tokio::{Reader, Writer};
use tidewire::{CloseCode, Config, Error, Event, Message, TimedOut};
use tokio::task::{JoinHandle, spawn};
use tokio::time::{Instant, sleep};

use support::tokio_stream::{Cut, Script, Stream, block_on};
use support::tokio_wire::{CLOSE, PING, PONG, Role, TEXT, frame};

const WRITE: Duration = Duration::from_secs(9);
const CLOSING: Duration = Duration::from_secs(4);
/// How long the reader waits before anything happens.
const LULL: Duration = Duration::from_secs(100);

/// Without keepalive, whose pings would wake the reader some time.
fn quiet() -> Config {
    Config::new().without_keepalive().with_write_timeout(WRITE).with_close_timeout(CLOSING)
}

/// Everything that queues something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Queue,
    Feed,
    Send,
    QueueFragment,
    SendFragment,
    Ping,
    QueueClose,
    Close,
    PollClose,
    /// Its writer is dropped in the middle of a message.
    Abandon,
}

impl Way {
    const ALL: [Self; 10] = [
        Self::Queue,
        Self::Feed,
        Self::Send,
        Self::QueueFragment,
        Self::SendFragment,
        Self::Ping,
        Self::QueueClose,
        Self::Close,
        Self::PollClose,
        Self::Abandon,
    ];

    fn closes(self) -> bool {
        matches!(self, Self::QueueClose | Self::Close | Self::PollClose | Self::Abandon)
    }

    /// The first bytes of the frames that it makes.
    fn frames(self) -> &'static [u8] {
        match self {
            Self::Queue | Self::Feed | Self::Send => &[TEXT],
            Self::QueueFragment | Self::SendFragment => &[0x01],
            Self::Ping => &[PING],
            Self::QueueClose | Self::Close | Self::PollClose => &[CLOSE],
            Self::Abandon => &[0x01, CLOSE],
        }
    }

    /// Goes this way as far as `cut` allows.
    async fn go(self, mut writer: Writer<Stream>, mut cut: Cut) -> Option<Writer<Stream>> {
        match self {
            Self::Queue => writer.queue("news").unwrap(),
            Self::Feed => ran(cut.run(writer.feed("news")).await),
            Self::Send => ran(cut.run(writer.send("news")).await),
            Self::QueueFragment => writer.queue_fragment("news", false).unwrap(),
            Self::SendFragment => ran(cut.run(writer.send_fragment("news", false)).await),
            Self::Ping => ran(cut.run(writer.ping(b"news")).await),
            Self::QueueClose => writer.queue_close(CloseCode::NORMAL),
            Self::Close => ran(cut.run(writer.close(CloseCode::NORMAL)).await),
            Self::PollClose => ran(cut.run(poll_fn(|cx| writer.poll_close(cx))).await),
            Self::Abandon => {
                writer.queue_fragment("news", false).unwrap();
                return None;
            }
        }
        Some(writer)
    }
}

fn ran(result: Option<Result<(), Error>>) {
    // Dropped, or done.
    result.unwrap_or(Ok(())).unwrap();
}

type Received = (Reader<Stream>, Result<Option<Message>, Error>, Instant);

/// Receives in a task of its own.
fn reading(mut reader: Reader<Stream>) -> JoinHandle<Received> {
    spawn(async move {
        let received = reader.recv().await;
        (reader, received, Instant::now())
    })
}

#[test]
fn what_is_queued_leaves_at_once_and_arms_the_close_deadline() {
    for role in Role::BOTH {
        for way in Way::ALL {
            for (script, cut) in [
                (Script::SMOOTH, Cut::NEVER),
                (Script::SMOOTH.with_pending(), Cut::NEVER),
                (Script::BYTEWISE, Cut::NEVER),
                (Script::BYTEWISE, Cut::EVERY),
            ] {
                for is_dropped in [false, true] {
                    block_on(async {
                        let what = format!("{role:?} {way:?} {script:?} {cut:?} {is_dropped}");
                        let (socket, peer) = role.socket(quiet(), script);
                        let (reader, writer) = socket.split();
                        let other = writer.clone();
                        let reading = reading(reader);
                        sleep(LULL).await;
                        let begun = Instant::now();
                        let kept = way.go(writer, cut).await.filter(|_| !is_dropped);
                        sleep(Duration::from_millis(1)).await;
                        let is_fragmented = matches!(way, Way::QueueFragment | Way::SendFragment);
                        let frames: Vec<_> = role.frames(&peer.log()).iter().map(|frame| frame.0).collect();
                        if is_fragmented && is_dropped {
                            // The message was abandoned.
                            assert_eq!(frames, [0x01, CLOSE], "{what}");
                        } else {
                            assert_eq!(frames, way.frames(), "{what}");
                        }
                        if way.closes() || is_fragmented && is_dropped {
                            let (_, received, at) = reading.await.unwrap();
                            assert!(
                                matches!(received, Err(Error::TimedOut(TimedOut::Close))),
                                "{what}: {received:?}"
                            );
                            assert_eq!(at - begun, CLOSING, "{what}");
                        } else {
                            assert!(!reading.is_finished(), "{what}");
                            reading.abort();
                        }
                        drop((kept, other));
                    });
                }
            }
        }
    }
}

#[test]
fn what_is_queued_and_cannot_leave_arms_the_write_deadline() {
    for role in Role::BOTH {
        for way in Way::ALL {
            for is_dropped in [false, true] {
                block_on(async {
                    let (socket, _peer) = role.socket(quiet(), Script::SMOOTH.with_capacity(1));
                    let (reader, writer) = socket.split();
                    let reading = reading(reader);
                    sleep(LULL).await;
                    let begun = Instant::now();
                    let kept = way.go(writer, Cut::EVERY).await.filter(|_| !is_dropped);
                    let (_, received, at) = reading.await.unwrap();
                    assert!(
                        matches!(received, Err(Error::TimedOut(TimedOut::Write))),
                        "{role:?} {way:?}: {received:?}"
                    );
                    assert_eq!(at - begun, WRITE, "{role:?} {way:?}");
                    drop(kept);
                });
            }
        }
    }
}

#[test]
fn a_close_behind_other_output_has_its_deadline_from_when_it_is_written() {
    for role in Role::BOTH {
        for way in Way::ALL.into_iter().filter(|way| way.closes()) {
            // Also without a write deadline, which would wake the reader.
            for config in [quiet().with_write_timeout(LULL), quiet().with_write_timeout(None)] {
                block_on(async {
                    let (socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(5));
                    let (reader, writer) = socket.split();
                    let reading = reading(reader);
                    sleep(LULL).await;
                    writer.queue("something long").unwrap();
                    sleep(Duration::from_secs(1)).await;
                    let kept = way.go(writer, Cut::EVERY).await;
                    sleep(2 * CLOSING).await;
                    let begun = Instant::now();
                    while !peer.read().is_empty() {
                        tokio::task::yield_now().await;
                        tokio::task::yield_now().await;
                    }
                    let (_, received, at) = reading.await.unwrap();
                    assert!(
                        matches!(received, Err(Error::TimedOut(TimedOut::Close))),
                        "{role:?} {way:?}: {received:?}"
                    );
                    assert_eq!(at - begun, CLOSING, "{role:?} {way:?}");
                    drop(kept);
                });
            }
        }
    }
}

/// Counts how often the future is polled.
async fn counted<F: Future>(polls: Arc<AtomicUsize>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(cx)
    })
    .await
}

/// Lets the other tasks have their turns.
async fn turns() {
    sleep(Duration::from_millis(1)).await;
}

#[test]
fn the_reader_is_woken_once_for_what_it_has_to_write() {
    for role in Role::BOTH {
        block_on(async {
            let (socket, peer) =
                role.socket(quiet().with_write_timeout(None), Script::SMOOTH.with_capacity(60));
            let (mut reader, writer) = socket.split();
            let polls = Arc::<AtomicUsize>::default();
            let count = {
                let polls = Arc::clone(&polls);
                move || polls.swap(0, Ordering::Relaxed)
            };
            let reading = spawn(counted(polls, async move { reader.recv().await.map(drop) }));
            turns().await;
            count();
            // Three messages leave in one write.
            for _ in 0..3 {
                writer.queue("0123").unwrap();
            }
            turns().await;
            assert_eq!((count(), peer.writes().len()), (1, 1), "{role:?}");
            // A caller that writes by itself needs nobody.
            writer.send("0123").await.unwrap();
            writer.ping(b"").await.unwrap();
            writer.flush().await.unwrap();
            turns().await;
            assert_eq!((count(), peer.writes().len()), (0, 3), "{role:?}");
            assert_eq!(role.frames(&peer.read()).len(), 5);
            // Whoever has to wait tells the reader, for its deadlines; more behind it is no news.
            let other = writer.clone();
            let sending = spawn(async move { other.send(vec![0; 100]).await });
            turns().await;
            assert!(count() <= 2, "{role:?}");
            for _ in 0..100 {
                writer.queue("0123").unwrap();
                writer.feed("0123").await.unwrap();
                turns().await;
            }
            assert_eq!(count(), 0, "{role:?}");
            while !peer.read().is_empty() {
                turns().await;
            }
            sending.await.unwrap().unwrap();
            assert_eq!(writer.queued_len(), 0);
            reading.abort();
        });
    }
}

#[test]
fn a_ping_of_a_writer_is_measured_from_when_it_is_written() {
    for role in Role::BOTH {
        // Queued and left to the reader, or written by its writer.
        for cut in [Cut::EVERY, Cut::NEVER] {
            // Where there is room, and behind what the peer takes its time to read.
            for is_blocked in [false, true] {
                block_on(async {
                    let script = Script::SMOOTH.with_capacity(if is_blocked { 3 } else { 100 });
                    let (socket, peer) = role.socket(quiet().with_write_timeout(LULL), script);
                    let (mut reader, writer) = socket.split();
                    let reading = spawn(async move {
                        let pong = reader.recv_ref().await.unwrap();
                        assert!(matches!(pong, Some(Event::Pong(b"news"))), "{pong:?}");
                        reader.round_trip_time()
                    });
                    sleep(LULL).await;
                    let pinging = spawn(Way::Ping.go(writer, cut));
                    sleep(Duration::from_secs(7)).await;
                    let mut written = Vec::new();
                    loop {
                        let read = peer.read();
                        if read.is_empty() {
                            break;
                        }
                        written.extend(read);
                        turns_now().await;
                    }
                    assert_eq!(role.frames(&written), [frame(PING, "news")]);
                    sleep(Duration::from_secs(3)).await;
                    peer.send(role.frame(PONG, "news"));
                    let measured = Duration::from_secs(if is_blocked { 3 } else { 10 });
                    assert_eq!(reading.await.unwrap(), Some(measured), "{role:?} {cut:?} {is_blocked}");
                    pinging.await.unwrap();
                });
            }
        }
    }
}

/// Lets the other tasks have their turns, without any time.
async fn turns_now() {
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
}
