//! Writers: as many as there are threads that send, whose messages stay whole.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tidewire::blocking::{Reader, Stream, WebSocket, Writer, accept, client};
use tidewire::{ClientRequest, CloseCode, Config, Error, Event, Input, SendError, State};

use crate::http::{accepting, request};
use crate::pairs::{Socket, ends, open};
use support::blocking_stream::{Scripted, wait_until};
use support::wire::{self, BINARY, CLOSE, CONTINUATION, FIN, Frame, Role, TEXT};

fn halves(role: Role) -> (Scripted, Reader<Scripted>, Writer<Scripted>) {
    let stream = Scripted::new([]).without_end();
    let (reader, writer) = open(stream.clone(), role, Config::new()).split();
    (stream, reader, writer)
}

fn is_closed(result: &Result<(), Error>) -> bool {
    matches!(result, Err(Error::Send(SendError::Closed)))
}

fn is_unfinished(result: &Result<(), Error>) -> bool {
    matches!(result, Err(Error::Send(SendError::UnfinishedMessage)))
}

#[test]
fn messages_of_many_threads_arrive_whole_and_each_threads_in_order() {
    const THREADS: u8 = 8;
    const ROUNDS: u8 = 60;
    ends(|| {
        for role in Role::BOTH {
            let stream = Scripted::new([]).without_end().with_lens(usize::MAX, 777);
            let (mut reader, writer) = open(stream.clone(), role, Config::new()).split();
            let reading = thread::spawn(move || {
                let result = reader.recv();
                (reader, result)
            });
            let writers: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let writer = writer.clone();
                    thread::spawn(move || {
                        for round in 0..ROUNDS {
                            let payload = vec![thread; 2 + usize::from(round) * 40];
                            match (thread + round) % 6 {
                                0 => writer.send(&payload)?,
                                1 => writer.feed(payload)?,
                                2 => writer.send(payload)?,
                                3 => writer.queue(payload)?,
                                4 => {
                                    writer.ready()?;
                                    writer.queue(payload)?;
                                }
                                _ => {
                                    writer.ping(&[thread])?;
                                    writer.send(payload)?;
                                }
                            }
                        }
                        writer.flush()
                    })
                })
                .collect();
            for writer in writers {
                writer.join().expect("no panic").expect("open");
            }
            stream.arrive(&wire::text(role, "done"));
            let (_reader, result) = reading.join().expect("no panic");
            assert_eq!(result.expect("open"), Some("done".into()));
            assert_eq!(stream.state().most_writes, 1);
            let mut rounds = [0; THREADS as usize];
            for frame in wire::parse(role, &stream.take_written()) {
                let Some(&thread) = frame.payload.first().filter(|_| frame.first == FIN | BINARY) else {
                    continue;
                };
                let round = &mut rounds[usize::from(thread)];
                assert_eq!(frame.payload, vec![thread; 2 + *round * 40], "thread {thread}, message {round}");
                *round += 1;
            }
            assert_eq!(rounds, [usize::from(ROUNDS); THREADS as usize]);
        }
    });
}

#[test]
fn a_message_in_fragments_belongs_to_its_writer() {
    for role in Role::BOTH {
        let (stream, _reader, writer) = halves(role);
        let (owner, other) = (writer.clone(), writer.clone());
        for (owner, other) in [(&owner, &other), (&writer, &owner), (&other, &writer)] {
            owner.send_fragment("frag", false).expect("open");
            for other in [other, &other.clone(), &owner.clone()] {
                assert_eq!(other.queue("whole"), Err(SendError::UnfinishedMessage));
                assert_eq!(other.queue_fragment("ment", true), Err(SendError::UnfinishedMessage));
                assert!(is_unfinished(&other.send("whole")));
                assert!(is_unfinished(&other.feed("whole")));
                assert!(is_unfinished(&other.send_fragment("ment", true)));
                // Control frames may go between.
                other.ping(b"ping").expect("open");
            }
            assert_eq!(owner.queue("whole"), Err(SendError::UnfinishedMessage));
            owner.queue_fragment("men", false).expect("open");
            owner.send_fragment("t", true).expect("open");
            let frames = wire::parse(role, &stream.take_written());
            let data: Vec<_> = frames.into_iter().filter(|frame| frame.first & 0x08 == 0).collect();
            let expected = [
                Frame::new(TEXT, "frag"),
                Frame::new(CONTINUATION, "men"),
                Frame::new(FIN | CONTINUATION, "t"),
            ];
            assert_eq!(data, expected);
        }
        other.send("whole").expect("nobody sends fragments");
    }
}

#[test]
fn dropping_a_writer_in_the_middle_of_its_message_closes_with_1011() {
    for role in Role::BOTH {
        let (stream, mut reader, writer) = halves(role);
        let owner = writer.clone();
        owner.send_fragment("frag", false).expect("open");
        // Any other does nothing.
        drop(writer.clone());
        drop(owner.clone());
        assert_eq!((writer.state(), writer.queued_len()), (State::Open, 0));
        stream.take_written();
        drop(owner);
        assert_eq!(writer.state(), State::Closing);
        assert_eq!(writer.queue("late"), Err(SendError::Closed));
        assert!(stream.take_written().is_empty(), "the reader writes it");
        stream.arrive(&wire::text(role, "Hello"));
        assert_eq!(reader.recv().expect("open"), Some("Hello".into()));
        assert!(matches!(reader.try_recv(), Ok(std::task::Poll::Pending)));
        let body = wire::close_body(1011, "");
        assert_eq!(wire::parse(role, &stream.take_written()), [Frame::new(FIN | CLOSE, &body)]);
        stream.arrive(&wire::frame(role, FIN | CLOSE, body));
        stream.end();
        assert!(matches!(reader.recv(), Ok(None)), "the peer repeats our code");
        writer.flush().expect("an orderly end");
    }
}

#[test]
fn dropping_a_writer_after_its_message_or_before_does_nothing() {
    for role in Role::BOTH {
        let (stream, reader, writer) = halves(role);
        let owner = writer.clone();
        owner.send_fragment("frag", false).expect("open");
        owner.send_fragment("ment", true).expect("open");
        // Now another one's message is under way.
        writer.send_fragment("frag", false).expect("open");
        drop(owner);
        writer.send_fragment("ment", true).expect("open");
        drop(writer);
        assert_eq!(reader.state(), State::Open);
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 4);
    }
}

#[test]
fn a_fragmented_message_goes_on_when_the_socket_is_split_and_when_it_is_whole_again() {
    for role in Role::BOTH {
        // Whoever has begun it: the writer that reunites, a clone that is still there, or one that is gone.
        for who in 0..2 {
            let stream = Scripted::new([]).without_end();
            let mut socket = open(stream.clone(), role, Config::new());
            socket.send_fragment("1", false).expect("open");
            let (reader, writer) = socket.split();
            let other = writer.clone();
            assert!(is_unfinished(&other.send_fragment("x", false)));
            writer.send_fragment("2", false).expect("it goes on");
            if who == 1 {
                writer.send_fragment("3", true).expect("it goes on");
                other.send_fragment("1", false).expect("nobody sends fragments");
                other.queue_fragment("2", false).expect("it goes on");
            }
            let mut socket = reader.reunite(writer).expect("of one connection");
            assert!(is_closed(&other.send_fragment("x", true)));
            assert_eq!(other.queue_fragment("x", true), Err(SendError::Closed));
            drop(other);
            assert_eq!(socket.state(), State::Open);
            assert_eq!(socket.queue("whole"), Err(SendError::UnfinishedMessage));
            socket.send_fragment("3", false).expect("it goes on");
            // And once more.
            let (reader, writer) = socket.split();
            writer.send_fragment("4", true).expect("it goes on");
            let mut socket = reader.reunite(writer).expect("of one connection");
            socket.send("whole").expect("nobody sends fragments");
            let frames = wire::parse(role, &stream.take_written());
            let payloads: Vec<_> = frames.iter().map(|frame| frame.payload.as_slice()).collect();
            let expected: &[&[u8]] = match who {
                0 => &[b"1", b"2", b"3", b"4", b"whole"],
                _ => &[b"1", b"2", b"3", b"1", b"2", b"3", b"4", b"whole"],
            };
            assert_eq!(payloads, expected);
        }
    }
}

#[test]
fn feed_never_finds_the_output_full_however_many_writers_there_are() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 40;
    ends(|| {
        for (role, high_water) in
            [(Role::Server, 1000), (Role::Client, 1000), (Role::Server, 1), (Role::Server, 0)]
        {
            let stream = Scripted::new([]).without_end().with_lens(usize::MAX, 5000);
            // The limit of the output is the high-water mark.
            let config = Config::new().with_high_water_len(high_water).with_max_output_len(0);
            let (reader, writer) = open(stream.clone(), role, config).split();
            let writers: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let writer = writer.clone();
                    thread::spawn(move || {
                        for n in 0..ROUNDS {
                            match (thread + n) % 3 {
                                0 => writer.send(vec![1; 700])?,
                                _ => writer.feed(vec![1; 700])?,
                            }
                        }
                        Ok::<_, Error>(())
                    })
                })
                .collect();
            for writer in writers {
                writer.join().expect("no panic").expect("never full");
            }
            writer.flush().expect("open");
            assert_eq!(wire::parse(role, &stream.take_written()).len(), THREADS * ROUNDS);
            drop(reader);
        }
    });
}

#[test]
fn a_send_ends_with_its_own_message_however_much_others_queue() {
    for (role, write_len, holds_back) in
        [(Role::Client, usize::MAX, false), (Role::Server, 300, false), (Role::Server, 300, true)]
    {
        ends(move || {
            let stream = Scripted::new([]).without_end().with_lens(usize::MAX, write_len);
            let stream = stream.holding_back(holds_back);
            let (_reader, writer) = open(stream.clone(), role, Config::new()).split();
            let other = writer.clone();
            // With every write comes more to write than it took.
            let count = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&count);
            let stream = stream.with_peer(move |_| {
                counted.fetch_add(1, Ordering::Relaxed);
                let _ = other.queue(vec![1; 400]);
                Vec::new()
            });
            for _ in 0..10 {
                writer.send("mine").expect("open");
                let written = &stream.state().written;
                assert!(written.len() < 200_000, "it goes on and on");
            }
            assert!(count.load(Ordering::Relaxed) < 1000);
            // The peer holds a writer.
            stream.with_peer(|_| Vec::new());
        });
    }
}

#[test]
fn halves_know_what_was_settled_and_where_the_connection_is() -> Result<(), Error> {
    let stream = accepting("Sec-WebSocket-Protocol: v2\r\nX-Tide: high\r\n", b"");
    let wanted = ClientRequest::new("ws://example.org/")?.with_subprotocol("v2")?;
    let (reader, writer) = client(stream.clone(), &wanted)?.split();
    let other = writer.clone();
    for subprotocol in [reader.subprotocol(), writer.subprotocol(), other.subprotocol()] {
        assert_eq!(subprotocol, Some("v2"));
    }
    for response in [reader.response(), writer.response(), other.response()] {
        assert_eq!(response.map(tidewire::Response::status), Some(101));
    }
    let socket = reader.reunite(writer).expect("of one connection");
    assert_eq!((socket.subprotocol(), socket.response().is_some()), (Some("v2"), true));
    // A clone that is left behind still knows.
    assert_eq!((other.subprotocol(), other.response().is_some()), (Some("v2"), true));
    assert_eq!((other.state(), other.queued_len(), other.is_ready()), (State::Closed, 0, true));

    let (reader, writer) = accept(Scripted::new(request("")).without_end())?.split();
    assert!(reader.subprotocol().is_none() && writer.subprotocol().is_none());
    assert!(reader.response().is_none() && writer.response().is_none());

    for role in Role::BOTH {
        let stream = Scripted::new([]).without_end();
        let config = Config::new().with_high_water_len(1000);
        let (mut reader, writer) = open(stream.clone(), role, config).split();
        assert_eq!((reader.state(), writer.state(), writer.is_ready()), (State::Open, State::Open, true));
        writer.queue(&[1; 999])?;
        assert!(!writer.is_ready() && writer.queued_len() > 999);
        writer.ready()?;
        assert!(writer.is_ready());
        writer.close(CloseCode::NORMAL)?;
        assert_eq!((reader.state(), writer.state()), (State::Closing, State::Closing));
        assert!(reader.ending().is_none());
        stream.arrive(&wire::close(role, 1000, ""));
        assert!(matches!(reader.recv_ref()?, Some(Event::Close(_))));
        assert_eq!((reader.state(), writer.state()), (State::Closed, State::Closed));
        stream.end();
        assert!(reader.recv()?.is_none());
        assert_eq!((reader.state(), writer.state()), (State::Closed, State::Closed));
        assert!(reader.ending().is_some_and(|ending| ending.is_clean()));
    }
    Ok(())
}

/// A stream that panics in its next write, or in the one after that.
#[derive(Debug)]
struct Panicking(Scripted, AtomicUsize);

impl Panicking {
    fn new(stream: &Scripted, writes: usize) -> Self {
        Self(stream.clone(), AtomicUsize::new(writes))
    }
}

impl Read for &Panicking {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(space)
    }
}

impl Write for &Panicking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(self.1.fetch_sub(1, Ordering::Relaxed) != 1, "the stream panics");
        (&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&self.0).flush()
    }
}

impl Stream for &Panicking {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (&self.0).set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (&self.0).set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        (&self.0).shutdown_write()
    }
}

impl Read for Panicking {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        (&*self).read(space)
    }
}

impl Write for Panicking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

impl Stream for Panicking {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (&*self).set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (&*self).set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        (&*self).shutdown_write()
    }
}

fn panics<T>(run: impl FnOnce() -> T) {
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
}

#[test]
fn after_a_stream_that_panics_in_a_write_nothing_follows_what_was_cut_off() {
    for role in Role::BOTH {
        // In the first write, and in the middle of a message.
        for writes in [1, 2] {
            let scripted = || Scripted::new([]).without_end().with_lens(usize::MAX, 100);
            let stream = scripted();
            let mut socket = open(Panicking::new(&stream, writes), role, Config::new());
            panics(|| socket.send(vec![1; 1000]));
            let written = stream.state().written.len();
            assert!(matches!(socket.send("more"), Err(Error::Io(_) | Error::Send(SendError::Closed))));
            assert!(socket.flush().is_err());
            assert_eq!((stream.state().written.len(), socket.queued_len()), (written, 0), "{role:?}");

            let stream = scripted();
            let (mut reader, writer) = open(Panicking::new(&stream, writes), role, Config::new()).split();
            let other = writer.clone();
            panics(|| writer.send(vec![1; 1000]));
            let written = stream.state().written.len();
            for writer in [&writer, &other] {
                let result = writer.send("more");
                assert!(matches!(result, Err(Error::Io(_) | Error::Send(SendError::Closed))), "{result:?}");
                assert_eq!((stream.state().written.len(), writer.queued_len()), (written, 0), "{role:?}");
            }
            // Reading goes on, and so does the time.
            stream.arrive(&wire::text(role, "Hello"));
            assert_eq!(reader.recv().expect("open"), Some("Hello".into()));
            stream.end();
            assert!(reader.recv().is_err());
            drop((reader, writer));
            assert_eq!(stream.handles(), 1, "the stream is dropped");
            drop(other);
        }
    }
}

#[test]
fn time_goes_on_for_the_reader_after_a_writer_has_panicked() {
    for role in Role::BOTH {
        ends(move || {
            let stream = Scripted::new([]).without_end();
            let short = Duration::from_millis(30);
            let config = Config::new().with_keepalive(short, short).with_write_timeout(short);
            let (mut reader, writer) = open(Panicking::new(&stream, 1), role, config).split();
            panics(|| writer.send("Hello"));
            assert!(matches!(reader.recv(), Err(Error::TimedOut(_) | Error::Io(_))));
        });
    }
}

#[test]
fn after_a_stream_that_panics_the_halves_can_be_reunited() {
    for role in Role::BOTH {
        let stream = Scripted::new(wire::text(role, "Hello")).without_end();
        let (reader, writer) = open(Panicking::new(&stream, 1), role, Config::new()).split();
        panics(|| writer.send("lost"));
        let mut socket = reader.reunite(writer).expect("of one connection");
        assert!(socket.send("more").is_err());
        assert_eq!(socket.recv().expect("open"), Some("Hello".into()));
        assert!(stream.take_written().is_empty());
    }
}

#[test]
fn writers_over_a_socket_in_threads_of_their_own() {
    const THREADS: u8 = 4;
    ends(|| {
        let (near, far) = std::net::TcpStream::pair();
        let (mut reader, writer) = open(near, Role::Server, Config::new()).split();
        let reading = thread::spawn(move || {
            let result = reader.recv();
            (reader, result)
        });
        let writers: Vec<_> = (0..THREADS)
            .map(|n| {
                let writer = writer.clone();
                thread::spawn(move || (0..20).try_for_each(|_| writer.send(vec![n; 100_000])))
            })
            .collect();
        let mut peer = WebSocket::from_parts(far, Role::Client.connection(Config::new()), Input::new());
        let mut counts = [0; THREADS as usize];
        for _ in 0..20 * usize::from(THREADS) {
            let message = peer.recv().expect("open").expect("open").into_bytes();
            assert_eq!(message, vec![message[0]; 100_000]);
            counts[usize::from(message[0])] += 1;
        }
        assert_eq!(counts, [20; THREADS as usize]);
        for writer in writers {
            writer.join().expect("no panic").expect("open");
        }
        peer.close(CloseCode::NORMAL).expect("open");
        let (reader, result) = reading.join().expect("no panic");
        assert!(matches!(result, Ok(None)), "{result:?}");
        drop(reader);
        wait_until(|| writer.state() == State::Closed);
    });
}
