//! Waiting costs no calls: neither to a stream that does not wait as its timeouts say, nor to set timeouts again and again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tidewire::blocking::{Incoming, Stream, WebSocket, accept, client};
use tidewire::{ClientRequest, Config, Error, Event, Input, Message, ServerHandshake};

use crate::http::{accepting, key, request, response};
use crate::pairs::{Socket, ends, open};
use support::blocking_stream::{Call, Scripted, wait_until};
use support::wire::{self, CONTINUATION, FIN, Role, TEXT};

/// A stream that in so many calls in a row came to nothing before it should does not wait.
const MAX_EARLY: usize = 16;

fn count(stream: &Scripted, is_it: impl Fn(&Call) -> bool) -> usize {
    stream.state().calls.iter().filter(|call| is_it(call)).count()
}

#[track_caller]
fn assert_does_not_wait<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(&result, Err(Error::Io(error)) if error.kind() == ErrorKind::Unsupported), "{result:?}");
}

/// A stream that counts its reads.
struct Counted<S>(S, Arc<AtomicUsize>);

impl<S: Read> Read for Counted<S> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.read(space)
    }
}

impl<S: Write> Write for Counted<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<S: Stream> Stream for Counted<S> {
    fn set_blocking(&mut self) -> io::Result<()> {
        self.0.set_blocking()
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown_write()
    }
}

#[test]
fn a_non_blocking_socket_is_made_blocking() {
    type Open = fn(Counted<TcpStream>) -> Result<WebSocket<Counted<TcpStream>>, Error>;
    let ways: [(Role, Open); 3] = [
        (Role::Server, |stream| accept(stream)),
        (Role::Client, |stream| client(stream, &ClientRequest::new("ws://example.org/")?)),
        (Role::Server, |stream| {
            Ok(WebSocket::from_parts(stream, Role::Server.connection(Config::new()), Input::new()))
        }),
    ];
    for (index, (role, way)) in ways.into_iter().enumerate() {
        ends(move || {
            let (near, mut peer) = TcpStream::pair();
            near.set_nonblocking(true).expect("a socket");
            let reads = Arc::new(AtomicUsize::new(0));
            let stream = Counted(near, Arc::clone(&reads));
            let opening = thread::spawn(move || {
                let mut socket = way(stream)?;
                let message = socket.recv()?;
                // More than the buffers of both sockets hold.
                socket.send(vec![1; 8 << 20])?;
                Ok::<_, Error>(message)
            });
            // What does not wait has read very often by then.
            thread::sleep(Duration::from_millis(30));
            match index {
                0 => peer.write_all(request("").as_bytes()).expect("open"),
                1 => {
                    let mut request = vec![0; 4096];
                    let len = peer.read(&mut request).expect("a request");
                    let key = key(&request[..len]).expect("in one piece");
                    peer.write_all(response(key, "").as_bytes()).expect("open");
                }
                _ => {}
            }
            thread::sleep(Duration::from_millis(30));
            peer.write_all(&wire::text(role, "Hello")).expect("open");
            thread::sleep(Duration::from_millis(30));
            let mut rest = Vec::new();
            peer.read_to_end(&mut rest).expect("an orderly end");
            assert!(rest.len() > 8 << 20);
            let message = opening.join().expect("no panic").expect("open");
            assert_eq!(message, Some("Hello".into()));
            assert!(reads.load(Ordering::Relaxed) <= 6, "{reads:?}");
        });
    }
}

#[test]
fn a_stream_that_does_not_wait_for_what_comes_is_an_error() {
    for role in Role::BOTH {
        let stream = || Scripted::new([]).without_end().impatient();
        let reads = |stream: &Scripted| count(stream, |call| matches!(call, Call::Read));
        let silent = stream();
        let mut socket = open(silent.clone(), role, Config::new());
        assert_does_not_wait(socket.recv());
        assert_eq!(reads(&silent), MAX_EARLY, "{role:?}");
        // However often it is asked.
        for _ in 0..300 {
            assert!(matches!(socket.recv(), Err(Error::Io(_))));
        }
        assert_eq!(reads(&silent), MAX_EARLY, "{role:?}");

        let silent = stream();
        let mut socket = open(silent.clone(), role, Config::new());
        assert_does_not_wait(socket.recv_timeout(Duration::from_secs(5)));
        assert_does_not_wait(open(stream(), role, Config::new()).recv_ref().map(|event| event.is_some()));
        assert!(matches!(open(stream(), role, Config::new()).close(None), Err(Error::Io(_))));
        let (mut reader, _writer) = open(stream(), role, Config::new()).split();
        assert_does_not_wait(reader.recv());
    }
}

#[test]
fn a_stream_that_does_not_wait_for_room_is_an_error() {
    for role in Role::BOTH {
        let stream = || Scripted::new([]).without_end().with_room(10).impatient();
        let writes = |stream: &Scripted| count(stream, |call| matches!(call, Call::Write));
        type Method = fn(&mut WebSocket<Scripted>) -> Result<(), Error>;
        let methods: [Method; 4] =
            [WebSocket::flush, WebSocket::ready, |socket| socket.send("more"), |socket| socket.ping(b"")];
        for method in methods {
            let full = stream();
            let mut socket = open(full.clone(), role, Config::new());
            socket.queue(vec![1; 100_000]).expect("open");
            assert_does_not_wait(method(&mut socket));
            assert_eq!(writes(&full), 1 + MAX_EARLY, "{role:?}");
        }
        let full = stream();
        let (_reader, writer) = open(full.clone(), role, Config::new()).split();
        assert_does_not_wait(writer.send("more than ten bytes"));
        assert_eq!(writes(&full), 1 + MAX_EARLY, "{role:?}");
    }
}

/// A stream that never gets rid of what it holds back, and says so at once.
struct Unflushed(Scripted);

impl Read for Unflushed {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.0.read(space)
    }
}

impl Write for Unflushed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        Err(ErrorKind::WouldBlock.into())
    }
}

impl Stream for Unflushed {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown_write()
    }
}

#[test]
fn a_stream_that_does_not_wait_to_flush_is_an_error() {
    for role in Role::BOTH {
        let stream = Scripted::new([]).without_end();
        let mut socket = open(Unflushed(stream.clone()), role, Config::new());
        assert_does_not_wait(socket.send("Hello"));
        assert_eq!(count(&stream, |call| matches!(call, Call::Flush)), MAX_EARLY);
    }
}

#[test]
fn a_stream_that_does_not_wait_is_an_error_of_the_opening_handshake() -> Result<(), Error> {
    let calls = |stream: &Scripted| count(stream, |call| matches!(call, Call::Read | Call::Write));
    let client_request = ClientRequest::new("ws://example.org/")?;
    let silent = || Scripted::new([]).without_end().impatient();
    // A server that learns of it then tries to tell the client.
    let refused = 2 * MAX_EARLY;
    let stream = silent();
    assert_does_not_wait(Incoming::receive(stream.clone(), ServerHandshake::new(Config::new())).map(drop));
    assert!(calls(&stream) <= refused);
    let stream = silent();
    assert_does_not_wait(accept(stream.clone()).map(drop));
    assert!(calls(&stream) <= refused);
    let stream = silent();
    assert_does_not_wait(client(stream.clone(), &client_request).map(drop));
    assert_eq!(calls(&stream), 1 + MAX_EARLY);
    // And where the request or the answer finds no room.
    let stream = accepting("", b"").with_room(10).impatient();
    assert_does_not_wait(client(stream.clone(), &client_request).map(drop));
    assert_eq!(calls(&stream), 1 + MAX_EARLY);
    let stream = Scripted::new(request("")).without_end().with_room(10).impatient();
    assert_does_not_wait(accept(stream.clone()).map(drop));
    assert!(calls(&stream) <= 2 + refused);
    Ok(())
}

#[test]
fn signals_do_not_count_and_neither_does_what_brings_something() {
    use ErrorKind::{Interrupted, TimedOut, WouldBlock};
    for role in Role::BOTH {
        let early = [[WouldBlock; MAX_EARLY - 2].to_vec(), vec![TimedOut], vec![Interrupted; 1000]].concat();
        let stream = || Scripted::new(wire::text(role, "Hello")).without_end();
        let mut socket = open(stream().with_obstacles(&early), role, Config::new());
        assert_eq!(socket.recv().expect("a message"), Some("Hello".into()));
        socket.send("Hello").expect("room");
        // From the beginning again.
        let handle = socket.get_ref().clone().with_obstacles(&early);
        handle.arrive(&wire::text(role, "again"));
        assert_eq!(socket.recv().expect("a message"), Some("again".into()));
        socket.send("again").expect("room");
        // A signal between them is no excuse either.
        let mixed = [Interrupted, WouldBlock, Interrupted].repeat(MAX_EARLY);
        assert_does_not_wait(open(stream().with_obstacles(&mixed), role, Config::new()).recv());
        assert_does_not_wait(open(stream().with_obstacles(&mixed), role, Config::new()).send("Hello"));
    }
}

#[test]
fn what_is_asked_not_to_wait_does_not_wait() {
    for role in Role::BOTH {
        let stream = Scripted::new([]).without_end().impatient();
        let mut socket = open(stream.clone(), role, Config::new());
        for _ in 0..300 {
            assert!(matches!(socket.try_recv(), Ok(Poll::Pending)));
        }
        stream.arrive(&wire::text(role, "Hello"));
        assert_eq!(socket.try_recv().expect("a message"), Poll::Ready(Some("Hello".into())));
    }
}

const MESSAGES: usize = 1000;

/// How many timeouts were set.
fn timeouts(stream: &Scripted) -> usize {
    count(stream, |call| matches!(call, Call::ReadTimeout(_) | Call::WriteTimeout(_)))
}

/// A peer that sends one message after the other, each of which is a read of its own.
fn flow(message: &[u8]) -> Scripted {
    Scripted::new(message.repeat(MESSAGES)).without_end().with_lens(message.len(), usize::MAX)
}

#[test]
fn a_steady_flow_sets_no_timeouts() {
    type Step = fn(&mut WebSocket<Scripted>) -> Result<(), Error>;
    let steps: [(&str, Step); 7] = [
        ("recv and send", |socket| {
            let message = socket.recv()?.expect("open");
            socket.send(message)
        }),
        ("recv and feed", |socket| {
            let message = socket.recv()?.expect("open");
            socket.feed(message)
        }),
        ("recv and feed much", |socket| {
            assert!(socket.recv()?.is_some());
            socket.feed(vec![1; 100_000])
        }),
        ("recv_timeout and send", |socket| {
            let Poll::Ready(Some(message)) = socket.recv_timeout(Duration::from_secs(1))? else {
                panic!("no message")
            };
            socket.send(message)
        }),
        ("try_recv and send", |socket| {
            let Poll::Ready(Some(message)) = socket.try_recv()? else { panic!("no message") };
            socket.send(message)
        }),
        ("recv_ref and queue", |socket| {
            loop {
                match socket.recv_ref()?.expect("open") {
                    (Event::Text(text), mut output) => return Ok(output.queue(text)?),
                    (Event::Binary(payload), mut output) => return Ok(output.queue(payload)?),
                    _ => {}
                }
            }
        }),
        ("recv and ping", |socket| {
            assert!(socket.recv()?.is_some());
            socket.ping(b"ping")
        }),
    ];
    for role in Role::BOTH {
        let plain = wire::text(role, "Hello");
        let with_ping = [wire::ping(role, "ping"), wire::text(role, "Hello")].concat();
        let in_fragments =
            [wire::frame(role, TEXT, "Hel"), wire::frame(role, FIN | CONTINUATION, "lo")].concat();
        for message in [plain, with_ping, in_fragments] {
            for (name, step) in steps {
                let stream = flow(&message);
                let mut socket = open(stream.clone(), role, Config::new());
                for _ in 0..MESSAGES {
                    step(&mut socket).expect("open");
                }
                let timeouts = timeouts(&stream);
                assert!(timeouts <= 4, "{role:?}, {name}, {}: {timeouts}", message.len());
            }
            let stream = flow(&message);
            let (mut reader, writer) = open(stream.clone(), role, Config::new()).split();
            for n in 0..MESSAGES {
                let message = reader.recv().expect("open").expect("open");
                if n % 2 == 0 { writer.send(message) } else { writer.feed(message) }.expect("open");
            }
            let timeouts = timeouts(&stream);
            assert!(timeouts <= 4, "{role:?}, halves, {}: {timeouts}", message.len());
        }
    }
}

#[test]
fn a_steady_flow_between_threads_sets_no_timeouts() {
    ends(|| {
        for role in Role::BOTH {
            let stream = flow(&wire::binary(role, [7; 1000]));
            let (mut reader, writer) = open(stream.clone(), role, Config::new()).split();
            let (give, take) = std::sync::mpsc::sync_channel(8);
            let writing = thread::spawn(move || {
                while let Ok(message) = take.recv() {
                    let message: Message = message;
                    writer.send(message).expect("open");
                }
                writer
            });
            for _ in 0..MESSAGES {
                give.send(reader.recv().expect("open").expect("open")).expect("a writer");
            }
            drop(give);
            writing.join().expect("no panic");
            let timeouts = timeouts(&stream);
            assert!(timeouts <= 8, "{role:?}: {timeouts}");
        }
    });
}

#[test]
fn a_reader_beside_a_write_that_blocks_is_no_busy_loop() {
    ends(|| {
        for role in Role::BOTH {
            let stream = Scripted::new([]).without_end().with_room(0);
            let timeout = Duration::from_millis(400);
            // The reader has a deadline of its own soon after the first write has begun.
            let config = Config::new()
                .with_write_timeout(timeout * 4)
                .with_keepalive(timeout / 16, Duration::from_secs(60));
            let (mut reader, writer) = open(stream.clone(), role, config).split();
            let reading = thread::spawn(move || reader.recv());
            let sending = thread::spawn(move || writer.send("Hello"));
            wait_until(|| stream.state().idle[1] >= timeout);
            stream.give_room(usize::MAX);
            sending.join().expect("no panic").expect("room");
            stream.arrive(&wire::text(role, "Hello"));
            reading.join().expect("no panic").expect("open");
            let reads = count(&stream, |call| matches!(call, Call::Read));
            // It looks every 10 ms.
            let most = 15 + stream.state().idle[1].as_millis() as usize / 10;
            assert!(reads <= most, "{role:?}: {reads} and not {most}");
        }
    });
}
