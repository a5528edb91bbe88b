//! [`TlsStream`] call by call: over a stream that does as it is told, to a peer in the same thread.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{sleep, spawn, yield_now};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ServerConnection};
use tidewire::blocking::{Stream, TlsStream};

use crate::tls::{Authority, server};

/// What a write comes to.
#[derive(Clone, Copy)]
enum Written {
    All,
    /// A byte, after a while.
    Slowly(Duration),
    /// Everything, after a while.
    Late(Duration),
    /// Everything, when the gate is open.
    Gated,
    Failed(ErrorKind),
}

struct State {
    peer: ServerConnection,
    /// What the peer makes of what it gets.
    verdict: Result<(), rustls::Error>,
    /// On its way from the peer.
    arriving: Vec<u8>,
    reads: usize,
    max_read_len: usize,
    /// What the next write comes to, and those after it.
    next_write: Option<Written>,
    writes: Written,
    read_timeouts: Vec<Option<Duration>>,
    is_blocking: bool,
}

#[derive(Clone)]
struct Below {
    state: Arc<Mutex<State>>,
    gate: Arc<Mutex<()>>,
}

impl Below {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    /// What the peer has received since the last time.
    fn heard(&self) -> Vec<u8> {
        let mut heard = Vec::new();
        let _ = self.state().peer.reader().read_to_end(&mut heard);
        heard
    }

    fn say(&self, text: &str) {
        self.state().peer.writer().write_all(text.as_bytes()).expect("memory");
    }
}

impl Read for &Below {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let state = &mut *self.state();
        state.reads += 1;
        while state.peer.wants_write() {
            state.peer.write_tls(&mut state.arriving)?;
        }
        let len = space.len().min(state.arriving.len()).min(state.max_read_len);
        if len == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        space[..len].copy_from_slice(&state.arriving[..len]);
        state.arriving.drain(..len);
        Ok(len)
    }
}

impl Write for &Below {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        if matches!(state.next_write, Some(Written::Gated)) {
            state.next_write = None;
            drop(state);
            let _open = self.gate.lock();
            state = self.state();
        }
        let state = &mut *state;
        let len = match state.next_write.take().unwrap_or(state.writes) {
            Written::All | Written::Gated => bytes.len(),
            Written::Slowly(time) => {
                sleep(time);
                1
            }
            Written::Late(time) => {
                sleep(time);
                bytes.len()
            }
            Written::Failed(kind) => return Err(kind.into()),
        };
        let mut records = &bytes[..len];
        while !records.is_empty() && state.verdict.is_ok() {
            state.peer.read_tls(&mut records)?;
            state.verdict = state.peer.process_new_packets().map(drop);
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for &Below {
    fn set_blocking(&mut self) -> io::Result<()> {
        self.state().is_blocking = true;
        Ok(())
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.state().read_timeouts.push(timeout);
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client, before its handshake.
fn closed() -> (TlsStream, Below) {
    let authority = Authority::new();
    let peer = ServerConnection::new(server(authority.certify(&["localhost"], |_| {}))).expect("settings");
    let state = Arc::new(Mutex::new(State {
        peer,
        verdict: Ok(()),
        arriving: Vec::new(),
        reads: 0,
        max_read_len: usize::MAX,
        next_write: None,
        writes: Written::All,
        read_timeouts: Vec::new(),
        is_blocking: false,
    }));
    let below = Below { state, gate: Arc::default() };
    let name = ServerName::try_from("localhost").expect("a name");
    (TlsStream::client(below.clone(), name, authority.client()).expect("settings"), below)
}

/// The same behind its handshake.
fn open() -> (TlsStream, Below) {
    let (tls, below) = closed();
    assert_eq!(read(&tls).expect_err("nothing to read").kind(), ErrorKind::WouldBlock);
    assert!(!below.state().peer.is_handshaking());
    (tls, below)
}

fn read(mut tls: &TlsStream) -> io::Result<String> {
    let mut space = [0; 100];
    let len = tls.read(&mut space)?;
    Ok(String::from_utf8(space[..len].to_vec()).expect("text"))
}

fn write(mut tls: &TlsStream, text: &str) -> io::Result<usize> {
    tls.write(text.as_bytes())
}

fn flush(mut tls: &TlsStream) -> Result<(), ErrorKind> {
    tls.flush().map_err(|error| error.kind())
}

#[test]
fn nothing_is_read_before_what_the_handshake_has_to_say_has_left() {
    // The first message of the client, and the last.
    for flights in [0, 1] {
        let (tls, below) = closed();
        below.state().next_write = (flights > 0).then_some(Written::All);
        below.state().writes = Written::Failed(ErrorKind::WouldBlock);
        for _ in 0..2 {
            assert_eq!(read(&tls).expect_err("no room").kind(), ErrorKind::WouldBlock);
            assert_eq!(below.state().reads, flights);
        }
    }
}

#[test]
fn a_write_goes_on_after_a_signal_and_fails_with_the_stream() {
    let (tls, below) = open();
    below.state().next_write = Some(Written::Failed(ErrorKind::Interrupted));
    assert_eq!(write(&tls, "Hello").expect("open"), 5);
    assert_eq!(below.heard(), b"Hello");
    below.state().next_write = Some(Written::Failed(ErrorKind::BrokenPipe));
    assert_eq!(write(&tls, "Hello").expect_err("broken").kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_write_that_takes_its_time_is_taken_and_a_flush_goes_on_with_it() {
    let (tls, below) = open();
    Stream::set_write_timeout(&mut &tls, Some(Duration::from_millis(10))).expect("a stream");
    let long = "x".repeat(5000);
    below.state().writes = Written::Slowly(Duration::from_millis(3));
    assert_eq!(write(&tls, &long).expect("open"), 5000);
    assert!(below.heard().is_empty());
    // Nothing more is taken before that has left.
    assert_eq!(write(&tls, "more").expect_err("no room").kind(), ErrorKind::WouldBlock);
    assert_eq!(flush(&tls), Err(ErrorKind::WouldBlock));
    // In the end it took too long, and it has left.
    below.state().writes = Written::Late(Duration::from_millis(11));
    assert_eq!(flush(&tls), Ok(()));
    assert_eq!(below.heard(), long.as_bytes());
}

/// RFC 8446 4.6.3: who is asked for new keys has to answer. Here the answer has room, or none, or nobody listens any more.
#[test]
fn what_the_peer_has_said_is_read_whatever_comes_of_the_answer_of_tls() {
    for writes in
        [Written::All, Written::Failed(ErrorKind::WouldBlock), Written::Failed(ErrorKind::BrokenPipe)]
    {
        let (tls, below) = open();
        below.state().peer.refresh_traffic_keys().expect("open");
        below.say("news");
        below.state().writes = writes;
        assert_eq!(read(&tls).expect("open"), "news");
        // What is written later is encrypted with the new keys.
        below.state().writes = Written::All;
        assert_eq!(write(&tls, "Hello").expect("open"), 5);
        assert_eq!(below.heard(), b"Hello");
        assert_eq!(below.state().verdict, Ok(()));
    }
}

#[test]
fn a_read_waits_for_nobody_who_writes() {
    let (tls, below) = open();
    let tls = Arc::new(tls);
    let closed = below.gate.lock();
    below.state().next_write = Some(Written::Gated);
    let writing = Arc::clone(&tls);
    let writing = spawn(move || write(&writing, "Hello"));
    while below.state().next_write.is_some() {
        yield_now();
    }
    below.say("news");
    let (sender, receiver) = channel();
    spawn(move || sender.send(read(&tls)));
    // Only there to tell a hang from a slow machine.
    let news = receiver.recv_timeout(Duration::from_secs(10)).expect("it waits for the writer");
    assert_eq!(news.expect("open"), "news");
    drop(closed);
    assert_eq!(writing.join().expect("no panic").expect("open"), 5);
    assert_eq!(below.heard(), b"Hello");
}

#[test]
fn the_peer_learns_why_its_record_was_refused() {
    let (tls, below) = open();
    // A record of application data, as far as its header tells.
    below.state().arriving.extend([&[23, 3, 3, 0, 40][..], &[7; 40]].concat());
    assert_eq!(read(&tls).expect_err("nonsense").kind(), ErrorKind::InvalidData);
    let alert = rustls::Error::AlertReceived(AlertDescription::BadRecordMac);
    assert_eq!(below.state().verdict, Err(alert));
}

#[test]
fn all_the_reads_that_a_record_takes_share_the_time_of_one() {
    const TIMEOUT: Duration = Duration::from_secs(10);

    for timeout in [None, Some(TIMEOUT)] {
        let (tls, below) = open();
        Stream::set_read_timeout(&mut &tls, timeout).expect("a stream");
        below.say("news");
        let former_reads = {
            let mut state = below.state();
            (state.max_read_len, state.read_timeouts) = (4, Vec::new());
            state.reads
        };
        assert_eq!(read(&tls).expect("open"), "news");
        let state = below.state();
        let reads = state.reads - former_reads;
        assert!(reads > 3, "{reads}");
        // From the second read on what is left, and then what the caller had set.
        assert_eq!(state.read_timeouts.len(), 2 * (reads - 1));
        for pair in state.read_timeouts.chunks(2) {
            assert_eq!((pair[0].is_some(), pair[1]), (timeout.is_some(), timeout));
            assert!(pair[0] < timeout || timeout.is_none(), "{pair:?}");
        }
    }
}

#[test]
fn a_stream_below_is_set_to_block() {
    let (tls, below) = closed();
    Stream::set_blocking(&mut &tls).expect("a stream");
    assert!(below.state().is_blocking);
    assert!(format!("{tls:?}").starts_with("TlsStream"));
}
