//! What hostile peers cost both adapters in bytes of heap, counted exactly: streams, buffers, futures and all.
//!
//! Counted is what one thread allocates and frees; a reallocation counts as if the old and the new block both live for a moment.
//! Not counted are the one read buffer of 64 KiB that the thread keeps for all its connections, which is there before and after
//! every measurement, the runtime, the streams and the peer's bytes.
//!
//! Shows the figures with `cargo test --features blocking,tokio --test memory adapter_memory -- --nocapture`.

use core::cell::RefCell;
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Wake;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::task::{LocalSet, spawn_local, yield_now};
use tidewire::{ClientRequest, Config, Connection, Error, Event, Input, ServerHandshake, blocking, tokio};

use support::counting::{Meter, live};

const KIB: usize = 1024;
const MAX_PEAK: usize = 256 * KIB;
const MAX_RETAINED: usize = 4 * KIB;
const MILLION: usize = 1_000_000;

/// What a peer sends: some bytes, others many times, and then nothing more.
#[derive(Default)]
struct Peer {
    head: Vec<u8>,
    unit: Vec<u8>,
    count: usize,
    /// How much of all that was read.
    at: usize,
    /// The longest read; no limit if it is 0.
    read_len: usize,
    /// The stream takes what is written.
    accepts: bool,
    /// The transport breaks when everything was read; otherwise nothing more happens.
    breaks: bool,
    /// What is written is the request of a client, and accepted.
    is_server: bool,
    /// What the thread had allocated when everything was read.
    live_at_end: Option<usize>,
}

/// A stream in memory, for both adapters.
#[derive(Clone)]
struct Memory(Rc<RefCell<Peer>>);

impl Memory {
    fn new(peer: Peer) -> Self {
        Self(Rc::new(RefCell::new(peer)))
    }
}

impl Read for Memory {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let peer = &mut *self.0.borrow_mut();
        let all = peer.head.len() + peer.unit.len() * peer.count;
        let max_len = if peer.read_len == 0 { usize::MAX } else { peer.read_len };
        let mut done = 0;
        while done < space.len().min(max_len) && peer.at < all {
            let rest = match peer.at.checked_sub(peer.head.len()) {
                None => &peer.head[peer.at..],
                Some(at) => &peer.unit[at % peer.unit.len()..],
            };
            let len = rest.len().min(space.len().min(max_len) - done);
            space[done..done + len].copy_from_slice(&rest[..len]);
            done += len;
            peer.at += len;
        }
        if done == 0 {
            peer.live_at_end = Some(live());
            let kind = if peer.breaks { ErrorKind::ConnectionReset } else { ErrorKind::WouldBlock };
            return Err(kind.into());
        }
        Ok(done)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let peer = &mut *self.0.borrow_mut();
        if !peer.accepts {
            return Err(ErrorKind::WouldBlock.into());
        }
        if peer.is_server {
            let request = str::from_utf8(bytes).expect("in one piece");
            let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
            let key = tidewire::accept_key(key.expect("a request"));
            for line in [ANSWER, &key, "\r\n\r\n"] {
                peer.head.extend_from_slice(line.as_bytes());
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl blocking::Stream for Memory {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Pending where the blocking stream would block; nobody has to be woken, since the tests poll by hand.
fn poll<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

impl AsyncRead for Memory {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = self.get_mut().read(space.initialize_unfilled());
        poll(read).map_ok(|len| space.advance(len))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        poll(self.get_mut().write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Clone, Copy, Debug)]
enum Adapter {
    Blocking,
    Tokio,
}

impl Adapter {
    const BOTH: [Self; 2] = [Self::Blocking, Self::Tokio];

    /// Receives pings, all of them, and then until the peer falls silent unless there were any.
    fn receive(self, stream: Memory, connection: Connection, has_pings: bool) {
        let pings = if has_pings { stream.0.borrow().count } else { 0 };
        match self {
            Self::Blocking => {
                let mut socket = blocking::WebSocket::from_parts(stream, connection, Input::new());
                for _ in 0..pings {
                    assert!(matches!(socket.recv_ref(), Ok(Some((Event::Ping(_), _)))));
                }
                assert!(has_pings || matches!(socket.recv_ref(), Err(Error::Io(_))));
            }
            Self::Tokio => {
                let mut socket = tokio::WebSocket::from_parts(stream, connection, Input::new());
                for _ in 0..pings {
                    let event = poll_once(socket.recv_ref());
                    assert!(matches!(event, Poll::Ready(Ok(Some((Event::Ping(_), _))))));
                }
                assert!(has_pings || poll_once(socket.recv_ref()).is_pending());
            }
        }
    }

    /// Waits for the rest of a request.
    fn accept(self, stream: Memory) {
        let handshake = ServerHandshake::new(quiet());
        match self {
            Self::Blocking => {
                assert!(matches!(blocking::Incoming::receive(stream, handshake), Err(Error::Io(_))));
            }
            Self::Tokio => assert!(poll_once(tokio::Incoming::receive(stream, handshake)).is_pending()),
        }
    }

    /// Waits for the rest of a response.
    fn connect(self, stream: Memory, request: &ClientRequest) {
        match self {
            Self::Blocking => assert!(matches!(blocking::client(stream, request), Err(Error::Io(_)))),
            Self::Tokio => assert!(poll_once(tokio::client(stream, request)).is_pending()),
        }
    }

    /// Reads from a peer that is silent, which leaves a read buffer with the thread.
    fn warm_up(self) {
        let stream = Memory::new(Peer { breaks: matches!(self, Self::Blocking), ..Peer::default() });
        self.receive(stream, Connection::server(quiet()), false);
    }

    /// Measures what `run` does with `peer`, shows the figures, and checks them.
    fn measure(self, what: &str, peer: impl Fn() -> Peer, run: impl Fn(Self, Memory)) {
        let runtime = ::tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime");
        let _entered = runtime.enter();
        let stream = || Memory::new(Peer { breaks: matches!(self, Self::Blocking), ..peer() });
        // Once with little of it: whatever is made only once on a thread is made here.
        let warm = stream();
        let count = warm.0.borrow().count.min(1000);
        warm.0.borrow_mut().count = count;
        run(self, warm);
        let stream = stream();
        self.warm_up();

        let meter = Meter::new();
        run(self, stream.clone());
        let peak = meter.peak();
        self.warm_up();
        let retained = meter.retained();

        let live_at_end = stream.0.borrow().live_at_end;
        let waiting = live_at_end.map(|live| meter.retained_at(live));
        println!("{what}, {self:?}: peak {peak}, while waiting {waiting:?}, after the drop {retained}");
        assert!(peak <= MAX_PEAK, "{what}, {self:?}: peak {peak}");
        assert!(retained <= MAX_RETAINED, "{what}, {self:?}: retained {retained}");
        if stream.0.borrow().accepts {
            let waiting = waiting.expect("everything was read");
            assert!(waiting <= MAX_RETAINED, "{what}, {self:?}: while waiting {waiting}");
        }
    }
}

/// The defaults without keepalive.
fn quiet() -> Config {
    Config::new().without_keepalive()
}

/// Polls until nobody asks for another turn.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    let mut future = pin!(future);
    TURN.with(|(turn, waker)| {
        loop {
            turn.0.store(false, Relaxed);
            let polled = future.as_mut().poll(&mut Context::from_waker(waker));
            if polled.is_ready() || !turn.0.load(Relaxed) {
                return polled;
            }
        }
    })
}

/// Another turn is asked for.
struct Turn(AtomicBool);

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

std::thread_local! {
    static TURN: (Arc<Turn>, Waker) = {
        let turn = Arc::new(Turn(AtomicBool::new(false)));
        (Arc::clone(&turn), Waker::from(turn))
    };
}

/// A role, how to open a connection in it, and what a frame to it has: the mask bit and a masking key.
struct Role {
    name: &'static str,
    open: fn(Config) -> Connection,
    mask: u8,
    key: &'static [u8],
}

const ROLES: [Role; 2] = [
    Role { name: "server", open: Connection::server, mask: 0x80, key: &[0; 4] },
    Role { name: "client", open: |config| Connection::client(config, [7; 32]), mask: 0, key: &[] },
];

#[test]
fn a_million_pings_from_a_peer_that_never_reads() {
    for adapter in Adapter::BOTH {
        for Role { name, open, mask, key } in ROLES {
            let ping = [&[0x89, mask | 4], key, b"ping"].concat();
            let peer = || Peer { unit: ping.clone(), count: MILLION, ..Peer::default() };
            let run = |adapter: Adapter, stream| {
                adapter.receive(stream, open(quiet().with_write_timeout(None)), true)
            };
            adapter.measure(&format!("a million pings to a {name}"), peer, run);
        }
    }
}

#[test]
fn a_header_that_announces_two_to_the_power_of_62_bytes() {
    let config = quiet().with_max_frame_len(usize::MAX).with_max_message_len(usize::MAX);
    for adapter in Adapter::BOTH {
        for opcode in [1, 2] {
            for Role { name, open, mask, key } in ROLES {
                let header = [&[0x80 | opcode, mask | 127][..], &(1_u64 << 62).to_be_bytes(), key].concat();
                // A little of it does arrive.
                let peer = || Peer { head: [&header[..], &[b'x'; 1000]].concat(), ..Peer::default() };
                let run = |adapter: Adapter, stream| adapter.receive(stream, open(config), false);
                adapter.measure(&format!("2^62 bytes announced to a {name}, opcode {opcode}"), peer, run);
            }
        }
    }
}

#[test]
fn a_million_empty_fragments() {
    for adapter in Adapter::BOTH {
        for opcode in [1, 2] {
            for Role { name, open, mask, key } in ROLES {
                let peer = || Peer {
                    head: [&[opcode, mask], key].concat(),
                    unit: [&[0, mask], key].concat(),
                    count: MILLION,
                    accepts: true,
                    ..Peer::default()
                };
                let run = |adapter: Adapter, stream| adapter.receive(stream, open(quiet()), false);
                adapter.measure(&format!("empty fragments to a {name}, opcode {opcode}"), peer, run);
            }
        }
    }
}

#[test]
fn a_handshake_that_dribbles() {
    let request = ClientRequest::new("ws://example.org/").expect("valid");
    for adapter in Adapter::BOTH {
        let line = format!("X: {}\r\n", "y".repeat(90)).into_bytes();
        let dribble = |start: &str| Peer {
            head: start.into(),
            unit: line.clone(),
            count: 90,
            read_len: 1,
            accepts: true,
            ..Peer::default()
        };
        let peer = || dribble("GET / HTTP/1.1\r\nHost: example.org\r\n");
        adapter.measure("a dribbled request", peer, Adapter::accept);
        let peer = || dribble("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n");
        adapter.measure("a dribbled response", peer, |adapter, stream| adapter.connect(stream, &request));
    }
}

#[test]
fn a_connection_that_waits_in_the_middle_of_something_holds_what_has_arrived() {
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    // The beginning of a binary frame of 100 bytes, and of a head.
    let begun = [&[0x82, 0x80 | 100, 0, 0, 0, 0][..], &[7; 20]].concat();
    let stream = || Memory::new(Peer { head: begun.clone(), ..Peer::default() });
    let head = || Memory::new(Peer { head: b"GET / HTTP/1.1\r\nHost: ".to_vec(), ..Peer::default() });
    Adapter::Tokio.warm_up();
    let streams: Vec<_> = (0..50).map(|_| (stream(), head())).collect();
    let meter = Meter::new();
    let sockets: Vec<_> = streams
        .into_iter()
        .map(|(stream, head)| {
            let connection = Connection::server(quiet());
            let mut socket = tokio::WebSocket::from_parts(stream, connection, Input::new());
            assert!(poll_once(socket.recv()).is_pending());
            let mut opening = Box::pin(tokio::accept(head));
            assert!(opening.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            (socket, opening)
        })
        .collect();
    let each = meter.retained() / sockets.len();
    println!("a connection in the middle of a frame and one in the middle of a head: {each}");
    assert!(each <= 4 * KIB, "{each}");
}

#[test]
fn a_frame_as_long_as_the_limit_that_never_ends() {
    for adapter in Adapter::BOTH {
        for opcode in [1, 2] {
            for Role { name, open, mask, key } in ROLES {
                let header = [&[0x80 | opcode, mask | 127][..], &(16_u64 << 20).to_be_bytes(), key].concat();
                let peer =
                    || Peer { head: [&header[..], &[b'x'; 1000]].concat(), accepts: true, ..Peer::default() };
                let run = |adapter: Adapter, stream| adapter.receive(stream, open(quiet()), false);
                adapter.measure(&format!("16 MiB announced to a {name}, opcode {opcode}"), peer, run);
            }
        }
    }
}

#[test]
fn a_connection_that_rests_after_a_large_message_holds_nothing_of_it() {
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    Adapter::Tokio.warm_up();
    for opcode in [1, 2] {
        let header = [&[0x80 | opcode, 0x80 | 127][..], &(8_u64 << 20).to_be_bytes(), &[0; 4]].concat();
        let head = [header, vec![b'x'; 8 << 20]].concat();
        let stream = Memory::new(Peer { head, accepts: true, ..Peer::default() });
        let meter = Meter::new();
        let connection = Connection::server(quiet());
        let retained = runtime.block_on(async {
            let mut socket = tokio::WebSocket::from_parts(stream, connection, Input::new());
            assert!(matches!(socket.recv_ref().await, Ok(Some(_))));
            // Nothing else has a deadline.
            assert!(::tokio::time::timeout(Duration::from_secs(11), socket.recv_ref()).await.is_err());
            meter.retained()
        });
        println!("at rest after 8 MiB, opcode {opcode}: {retained}");
        assert!(retained <= MAX_RETAINED, "{retained}");
    }
}

#[test]
fn connections_that_rest_after_they_have_sent_a_large_message_hold_nothing_of_it() {
    const COUNT: usize = 20;
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    Adapter::Tokio.warm_up();
    for Role { name, open, .. } in ROLES {
        for len in [5000, 100_000, 1 << 20] {
            for is_split in [false, true] {
                let message = vec![7; len];
                let each = LocalSet::new().block_on(&runtime, async {
                    let mut resting: Vec<_> = Vec::with_capacity(COUNT);
                    for _ in 0..COUNT {
                        let stream = Memory::new(Peer { accepts: true, ..Peer::default() });
                        let mut socket = tokio::WebSocket::from_parts(stream, open(quiet()), Input::new());
                        resting.push(if is_split {
                            let (mut reader, writer) = socket.split();
                            let resting = spawn_local(async move { reader.recv().await.map(drop) });
                            yield_now().await;
                            // It leaves in one go, while the reader waits.
                            writer.send(&message[..]).await.expect("sent");
                            (resting, Some(writer))
                        } else {
                            socket.send(&message[..]).await.expect("sent");
                            (spawn_local(async move { socket.recv().await.map(drop) }), None)
                        });
                    }
                    ::tokio::time::sleep(Duration::from_secs(11)).await;
                    // What the thread keeps for all is not counted: what is freed with most of them is.
                    let before = live();
                    for (resting, writer) in resting.drain(5..) {
                        resting.abort();
                        assert!(resting.await.expect_err("it waits").is_cancelled());
                        drop(writer);
                    }
                    before.saturating_sub(live()) / (COUNT - 5)
                });
                println!("a {name} at rest after it sent {len}, split {is_split}: {each}");
                assert!(each <= MAX_RETAINED, "{name}, {len}, split {is_split}: {each}");
            }
        }
    }
}

/// A message in one frame, of `len` bytes that are ASCII once they are unmasked.
fn frame(opcode: u8, mask: u8, key: &[u8], len: usize) -> Vec<u8> {
    let extended_len = (len as u64).to_be_bytes();
    let (short_len, extended_len) = match len {
        ..=125 => (len as u8, &extended_len[8..]),
        126..=0xFFFF => (126, &extended_len[6..]),
        _ => (127, &extended_len[..]),
    };
    [&[0x80 | opcode, mask | short_len], extended_len, key, &vec![b'e'; len]].concat()
}

/// Echoes one message from where it lies.
fn echo(event: Option<(Event<'_>, tidewire::Queue<'_>)>) {
    match event {
        Some((Event::Text(text), mut output)) => output.queue(text).expect("room"),
        Some((Event::Binary(payload), mut output)) => output.queue(payload).expect("room"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn connections_that_echoed_a_message_share_its_storage() {
    const COUNT: usize = 200;
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _entered = runtime.enter();
    for (len, is_lent) in [30_000, 1 << 20].into_iter().flat_map(|len| [(len, true), (len, false)]) {
        let unit = frame(2, 0x80, &[0; 4], len);
        let stream = || Memory::new(Peer { unit: unit.clone(), count: 1, accepts: true, ..Peer::default() });
        let streams: Vec<_> = (0..COUNT).map(|_| stream()).collect();
        let mut sockets: Vec<_> = Vec::with_capacity(COUNT);
        let meter = Meter::new();
        let mut for_all = 0;
        for stream in streams {
            let connection = Connection::server(Config::new());
            let mut socket = tokio::WebSocket::from_parts(stream, connection, Input::new());
            if is_lent {
                let Poll::Ready(Ok(event)) = poll_once(socket.recv_ref()) else { panic!("no message") };
                echo(event);
            } else {
                let Poll::Ready(Ok(Some(message))) = poll_once(socket.recv()) else { panic!("no message") };
                assert!(matches!(poll_once(socket.feed(message)), Poll::Ready(Ok(()))));
            }
            assert!(poll_once(socket.recv_ref()).is_pending());
            sockets.push(socket);
            if sockets.len() == 1 {
                for_all = meter.retained();
            }
        }
        let each = (meter.retained() - for_all) / (COUNT - 1);
        println!("after an echo of {len}, lent {is_lent}: {each}, and {for_all} for all");
        assert!(each <= MAX_RETAINED, "{each}");
        assert!(for_all <= 2 * len.max(64 * KIB) + 4 * KIB, "{for_all}");
    }
}

#[test]
fn a_blocked_thread_that_finds_nothing_to_read_frees_what_a_long_message_has_left() {
    const LEN: usize = 1 << 20;
    for Role { name, open, mask, key } in ROLES {
        for opcode in [1, 2] {
            let unit = frame(opcode, mask, key, LEN);
            let message = vec![b's'; LEN];
            Adapter::Blocking.warm_up();
            let meter = Meter::new();
            let peer = Peer { unit, count: 1, accepts: true, ..Peer::default() };
            let unit_len = peer.unit.capacity();
            let stream = Memory::new(peer);
            let mut socket = blocking::WebSocket::from_parts(stream, open(quiet()), Input::new());
            assert!(matches!(socket.recv_ref(), Ok(Some((Event::Text(_) | Event::Binary(_), _)))));
            socket.send(&message).expect("written");
            let before = meter.retained();
            assert!(matches!(socket.try_recv(), Ok(Poll::Pending)));
            let after = meter.retained();
            println!("blocking, {name}, opcode {opcode}: {before} before, {after} after, {unit_len}");
            assert!(before >= LEN / 2 && after <= MAX_RETAINED, "{before} before, {after} after");
        }
    }
}

#[test]
fn an_echo_in_steady_state_allocates_nothing() {
    const COUNT: usize = 50;
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _entered = runtime.enter();
    for Role { name, open, mask, key } in ROLES {
        for (opcode, len) in
            [1, 2].into_iter().flat_map(|opcode| [16, 1000, 30_000, 300_000].map(|len| (opcode, len)))
        {
            let unit = frame(opcode, mask, key, len);
            let stream = || Memory::new(Peer { unit: unit.clone(), accepts: true, ..Peer::default() });
            let config = Config::new();

            // One message after the other: the thread has all the storage while nothing comes.
            let peer = stream();
            let mut socket = tokio::WebSocket::from_parts(peer.clone(), open(config), Input::new());
            let mut echoes = || {
                for _ in 0..COUNT {
                    assert!(poll_once(socket.recv_ref()).is_pending());
                    peer.0.borrow_mut().count += 1;
                    let Poll::Ready(Ok(event)) = poll_once(socket.recv_ref()) else { panic!("no message") };
                    echo(event);
                }
            };
            echoes();
            let meter = Meter::new();
            echoes();
            assert_eq!(meter.allocations(), 0, "tokio, {name}, opcode {opcode}, {len}");

            // As many as a read brings at once.
            let peer = stream();
            peer.0.borrow_mut().count = 5 * COUNT;
            let mut socket = blocking::WebSocket::from_parts(peer, open(config), Input::new());
            let mut echoes = || {
                for _ in 0..COUNT {
                    socket.ready().expect("written");
                    echo(socket.recv_ref().expect("a message"));
                }
                socket.flush().expect("written");
            };
            // Until the output has been as long as it gets.
            (0..4).for_each(|_| echoes());
            let meter = Meter::new();
            echoes();
            assert_eq!(meter.allocations(), 0, "blocking, {name}, opcode {opcode}, {len}");
        }
    }
}

#[test]
fn a_writer_in_steady_state_allocates_nothing_and_leaves_no_storage_behind() {
    const COUNT: usize = 20;
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _entered = runtime.enter();
    for Role { name, open, .. } in ROLES {
        for len in [16, 1000, 30_000, 300_000] {
            let message = vec![7; len];
            let mut halves: Vec<_> = (0..COUNT)
                .map(|_| {
                    let stream = Memory::new(Peer { accepts: true, ..Peer::default() });
                    tokio::WebSocket::from_parts(stream, open(quiet()), Input::new()).split()
                })
                .collect();
            // The readers wait meanwhile.
            for (reader, _) in &mut halves {
                assert!(poll_once(reader.recv()).is_pending());
            }
            let send = || {
                for (_, writer) in &halves {
                    assert!(matches!(poll_once(writer.send(&message[..])), Poll::Ready(Ok(()))));
                }
            };
            // Until the thread has storage to lend.
            send();
            let meter = Meter::new();
            send();
            assert_eq!(meter.allocations(), 0, "{name}, {len}");
            // What a connection holds it frees.
            let before = live();
            halves.truncate(1);
            let each = (before - live()) / (COUNT - 1);
            println!("a {name} whose writer has sent {len}: {each}");
            assert!(each <= MAX_RETAINED, "{name}, {len}: {each}");
        }
    }
}

#[test]
fn an_owned_message_in_steady_state_takes_at_most_one_allocation_and_two_from_4_kib_on() {
    const COUNT: usize = 50;
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _entered = runtime.enter();
    for Role { name, open, mask, key } in ROLES {
        for (opcode, len) in [1, 2]
            .into_iter()
            .flat_map(|opcode| [16, 1000, 4095, 4096, 65_536, 300_000].map(|len| (opcode, len)))
        {
            let limit = if len < 4096 { COUNT } else { 2 * COUNT };
            let stream = || Memory::new(Peer { unit: frame(opcode, mask, key, len), ..Peer::default() });

            // One message after the other.
            let peer = stream();
            let config = Config::new();
            let mut socket = tokio::WebSocket::from_parts(peer.clone(), open(config), Input::new());
            let mut receive = || {
                for _ in 0..COUNT {
                    assert!(poll_once(socket.recv()).is_pending());
                    peer.0.borrow_mut().count += 1;
                    let Poll::Ready(Ok(Some(message))) = poll_once(socket.recv()) else {
                        panic!("no message")
                    };
                    assert_eq!(message.len(), len);
                }
            };
            receive();
            let meter = Meter::new();
            receive();
            let allocations = meter.allocations();
            assert!(allocations <= limit, "tokio, {name}, opcode {opcode}, {len}: {allocations}");

            // As many as a read brings at once.
            let peer = stream();
            peer.0.borrow_mut().count = 5 * COUNT;
            let mut socket = blocking::WebSocket::from_parts(peer, open(config), Input::new());
            let mut receive = || {
                for _ in 0..COUNT {
                    let Ok(Some(message)) = socket.recv() else { panic!("no message") };
                    assert_eq!(message.len(), len);
                }
            };
            // Until a message has come in two reads.
            (0..4).for_each(|_| receive());
            let meter = Meter::new();
            receive();
            let allocations = meter.allocations();
            assert!(allocations <= limit, "blocking, {name}, opcode {opcode}, {len}: {allocations}");
        }
    }
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: ";

/// Opens a connection, and returns what it holds.
fn opened<S>(open: impl FnOnce(Memory, &ClientRequest) -> S, is_client: bool) -> usize {
    let request = ClientRequest::new("ws://example.org/").expect("valid");
    let mut head = Vec::with_capacity(1000);
    if !is_client {
        head.extend_from_slice(REQUEST.as_bytes());
    }
    let stream = Memory::new(Peer { head, accepts: true, is_server: is_client, ..Peer::default() });
    let meter = Meter::new();
    let _socket = open(stream, &request);
    meter.retained()
}

#[test]
fn a_connection_that_has_just_opened_holds_no_storage() {
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _entered = runtime.enter();
    for (is_client, is_first) in [(false, true), (false, false), (true, true), (true, false)] {
        let blocking = opened(
            |stream, request| {
                if is_client { blocking::client(stream, request) } else { blocking::accept(stream) }
                    .expect("open")
            },
            is_client,
        );
        let tokio = opened(
            |stream, request| {
                let polled = if is_client {
                    poll_once(tokio::client(stream, request))
                } else {
                    poll_once(tokio::accept(stream))
                };
                let Poll::Ready(Ok(socket)) = polled else { panic!("it does not open") };
                socket
            },
            is_client,
        );
        println!("just opened, client {is_client}: {blocking} with threads, {tokio} with tokio");
        // What a thread keeps for all its connections it has from the first one.
        if !is_first {
            assert!(blocking.max(tokio) <= MAX_RETAINED, "client {is_client}: {blocking}, {tokio}");
        }
    }
}
