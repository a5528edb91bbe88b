//! A peer that floods has its turn and no more: other tasks run after at most 128 events or 8 reads.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use tidewire::tokio::{Reader, WebSocket};
use tidewire::{CloseCode, Config, Event, Input};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::{spawn, yield_now};

use support::tokio_stream::{Script, block_on, once};
use support::tokio_wire::{BINARY, PING, PONG, Role, TEXT};

const MAX_EVENTS: usize = 128;
const MAX_READS: usize = 8;

/// A stream that always has something to read.
#[derive(Debug)]
struct Flood {
    head: Vec<u8>,
    /// What every read brings.
    bytes: Vec<u8>,
    reads: Arc<AtomicUsize>,
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads.fetch_add(1, Relaxed);
        let head = std::mem::take(&mut self.head);
        space.put_slice(if head.is_empty() { &self.bytes } else { &head });
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    EmptyMessages,
    Messages,
    Pings,
    Pongs,
    EmptyFragments,
    /// The same, delivered in parts.
    EmptyParts,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::EmptyMessages,
        Self::Messages,
        Self::Pings,
        Self::Pongs,
        Self::EmptyFragments,
        Self::EmptyParts,
    ];

    fn unit(self, role: Role) -> Vec<u8> {
        match self {
            Self::EmptyMessages => role.frame(TEXT, ""),
            Self::Messages => role.frame(BINARY, [7; 20]),
            Self::Pings => role.frame(PING, "?"),
            Self::Pongs => role.frame(PONG, "?"),
            Self::EmptyFragments | Self::EmptyParts => role.frame(0, ""),
        }
    }

    fn is_fragmented(self) -> bool {
        matches!(self, Self::EmptyFragments | Self::EmptyParts)
    }

    /// A flood of it, `count` to a read, and how many reads there were.
    fn socket(self, role: Role, count: usize) -> (WebSocket<Flood>, Arc<AtomicUsize>) {
        let reads = Arc::<AtomicUsize>::default();
        let head = if self.is_fragmented() { role.frame(0x01, "") } else { Vec::new() };
        let flood = Flood { head, bytes: self.unit(role).repeat(count), reads: Arc::clone(&reads) };
        let config = Config::new()
            .without_keepalive()
            .with_write_timeout(None)
            .with_close_timeout(None)
            .with_parts(self == Self::EmptyParts);
        (WebSocket::from_parts(flood, role.connection(config), Input::new()), reads)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Recv,
    RecvRef,
    PollRecv,
    Close,
}

impl Method {
    const ALL: [Self; 4] = [Self::Recv, Self::RecvRef, Self::PollRecv, Self::Close];

    /// Receives for ever; every event takes a future of its own.
    async fn run(self, mut socket: WebSocket<Flood>, events: Arc<AtomicUsize>) {
        loop {
            match self {
                Self::Recv => assert!(socket.recv().await.unwrap().is_some()),
                Self::RecvRef => assert!(socket.recv_ref().await.unwrap().is_some()),
                Self::PollRecv => assert!(poll_fn(|cx| socket.poll_recv(cx)).await.unwrap().is_some()),
                Self::Close => socket.close(CloseCode::NORMAL).await.unwrap(),
            }
            events.fetch_add(1, Relaxed);
        }
    }

    async fn run_half(self, mut reader: Reader<Flood>, events: Arc<AtomicUsize>) {
        loop {
            match self {
                Self::Recv => assert!(reader.recv().await.unwrap().is_some()),
                Self::RecvRef => assert!(reader.recv_ref().await.unwrap().is_some()),
                _ => assert!(poll_fn(|cx| reader.poll_recv(cx)).await.unwrap().is_some()),
            }
            events.fetch_add(1, Relaxed);
        }
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

/// Every poll of `receiving` ends after its turn, and asks for another.
fn check(
    what: &str,
    kind: Kind,
    count: usize,
    reads: &AtomicUsize,
    events: &AtomicUsize,
    receiving: impl Future,
) {
    const POLLS: usize = 100;
    let flag = Arc::<Flag>::default();
    let waker = Waker::from(Arc::clone(&flag));
    let mut receiving = pin!(receiving);
    for _ in 1..=POLLS {
        let before = (reads.load(Relaxed), events.load(Relaxed));
        assert!(receiving.as_mut().poll(&mut Context::from_waker(&waker)).is_pending(), "{what}");
        assert!(flag.0.swap(false, Relaxed), "{what}: nobody wakes it");
        let (read, received) = (reads.load(Relaxed) - before.0, events.load(Relaxed) - before.1);
        assert!(read <= MAX_READS && received <= MAX_EVENTS, "{what}: {read} {received}");
    }
    // Also what is no event for the caller counts, as far as it is one: an empty fragment is not.
    let reads = reads.load(Relaxed);
    if !kind.is_fragmented() {
        assert!(reads <= POLLS * MAX_EVENTS / count + 2, "{what}: {reads} reads");
    }
    assert!(reads >= POLLS * MAX_EVENTS.min(MAX_READS * count) / count / 2, "{what}: {reads} reads");
}

#[test]
fn a_flood_has_its_turn_and_no_more() {
    for role in Role::BOTH {
        for kind in Kind::ALL {
            // One to a read, some, and many.
            for count in [1, 10, 1000] {
                for method in Method::ALL {
                    if kind == Kind::EmptyParts && matches!(method, Method::Recv | Method::PollRecv) {
                        continue;
                    }
                    let what = format!("{role:?} {kind:?} {count} {method:?}");
                    let events = Arc::<AtomicUsize>::default();
                    let (socket, reads) = kind.socket(role, count);
                    check(&what, kind, count, &reads, &events, method.run(socket, Arc::clone(&events)));
                    if method != Method::Close {
                        let (socket, reads) = kind.socket(role, count);
                        let (reader, _writer) = socket.split();
                        let events = Arc::<AtomicUsize>::default();
                        let receiving = method.run_half(reader, Arc::clone(&events));
                        check(&format!("{what}, split"), kind, count, &reads, &events, receiving);
                    }
                }
            }
        }
    }
}

/// Goes to the end of the queue.
async fn queued() {
    let mut is_queued = false;
    poll_fn(|cx| {
        if is_queued {
            return Poll::Ready(());
        }
        is_queued = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn another_task_has_its_turns_meanwhile() {
    for role in Role::BOTH {
        for kind in [Kind::EmptyMessages, Kind::Pings, Kind::Pongs, Kind::EmptyFragments] {
            for is_split in [false, true] {
                let (socket, reads) = kind.socket(role, 1000);
                let events = Arc::<AtomicUsize>::default();
                block_on(async {
                    let receiving = if is_split {
                        let (reader, writer) = socket.split();
                        let receiving = Method::Recv.run_half(reader, events);
                        spawn(async move {
                            receiving.await;
                            drop(writer);
                        })
                    } else {
                        spawn(Method::Recv.run(socket, events))
                    };
                    // In the queue of the runtime, as whoever was woken; and behind its driver, which tells which sockets are ready.
                    for is_queued in [true, false] {
                        let reads = Arc::clone(&reads);
                        let other = spawn(async move {
                            for _ in 0..100 {
                                let before = reads.load(Relaxed);
                                if is_queued {
                                    queued().await
                                } else {
                                    yield_now().await
                                }
                                let read = reads.load(Relaxed) - before;
                                // The runtime looks between two turns of everybody.
                                let limit = if is_queued { MAX_READS } else { 2 * MAX_READS };
                                assert!(read <= limit, "{role:?} {kind:?} {is_queued}: {read}");
                            }
                        });
                        other.await.unwrap();
                    }
                    receiving.abort();
                    assert!(receiving.await.unwrap_err().is_cancelled());
                });
            }
        }
    }
}

#[test]
fn nothing_is_lost_at_the_end_of_a_turn() {
    for role in Role::BOTH {
        for max_read in [1, 7, 1000, usize::MAX] {
            for is_split in [false, true] {
                let (mut socket, peer) =
                    role.socket(Config::new(), Script::SMOOTH.with_steps(max_read, 1000));
                for n in 0..500_u16 {
                    peer.send(role.frame(BINARY, n.to_be_bytes()));
                    peer.send(role.frame(if n % 2 == 0 { PING } else { PONG }, n.to_be_bytes()));
                }
                let mut pendings = 0;
                block_on(async {
                    // The future is dropped whenever it is pending.
                    if is_split {
                        let (mut reader, _writer) = socket.split();
                        let expected = (0..500_u16).flat_map(|n| [(n, true), (n, false)]);
                        for (n, is_message) in expected {
                            let event = loop {
                                if let Some(event) = once(reader.recv_ref()).await {
                                    break event.unwrap().unwrap();
                                }
                                pendings += 1;
                            };
                            let (payload, is_data) = match &event {
                                Event::Binary(payload) => (&payload[..], true),
                                Event::Ping(payload) | Event::Pong(payload) => (*payload, false),
                                other => panic!("{other:?}"),
                            };
                            assert_eq!((payload, is_data), (&n.to_be_bytes()[..], is_message));
                        }
                    } else {
                        for n in 0..500_u16 {
                            let message = loop {
                                if let Some(message) = once(socket.recv()).await {
                                    break message.unwrap().unwrap();
                                }
                                pendings += 1;
                            };
                            assert_eq!(message.as_bytes(), n.to_be_bytes(), "{role:?} {max_read}");
                        }
                    }
                });
                assert!(pendings > 0, "{role:?} {max_read}");
                if !is_split {
                    assert!(role.frames(&peer.log()).len() <= 250);
                }
            }
        }
    }
}
