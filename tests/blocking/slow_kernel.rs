//! A kernel holds a long write until its timeout and tells only then how much of it went: no deadline judges a peer by less than that.

use std::thread;
use std::time::Duration;

use tidewire::blocking::{Reader, WebSocket, Writer};
use tidewire::{CloseCode, Config, Error, Message, TimedOut};

use crate::pairs::{ends, open};
use support::blocking_stream::{Scripted, wait_until};
use support::wire::{self, Role};

const WRITE_TIMEOUT: Duration = Duration::from_millis(400);

/// A message that the peer needs four times as long for.
const LONG: usize = 640_000;
const RATE: usize = 400_000;
const CAPACITY: usize = 20_000;

fn config() -> Config {
    Config::new().with_write_timeout(WRITE_TIMEOUT).with_close_timeout(WRITE_TIMEOUT / 2)
}

/// A peer that reads steadily and answers when it has read so many messages of [`LONG`] bytes, headers and all.
fn steady(role: Role, count: usize) -> Scripted {
    let header_len = if role == Role::Client { 14 } else { 10 };
    let mut missing = count * (header_len + LONG);
    Scripted::new([]).without_end().with_kernel(CAPACITY, RATE).with_peer(move |written| {
        let was_missing = missing > 0;
        missing = missing.saturating_sub(written.len());
        if was_missing && missing == 0 { wire::text(role, "all of it") } else { Vec::new() }
    })
}

fn deaf(room: usize) -> Scripted {
    Scripted::new([]).without_end().with_kernel(room, 0)
}

fn lens(stream: &Scripted, role: Role) -> Vec<usize> {
    wire::parse(role, &stream.take_written()).iter().map(|frame| frame.payload.len()).collect()
}

fn is_write_timeout<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::TimedOut(TimedOut::Write)))
}

/// The peer is given up after about one timeout, and not after several: what calls have waited for nothing tells.
#[track_caller]
fn assert_waited_once(stream: &Scripted) {
    let state = stream.state();
    let [read, write] = state.idle;
    // A read and a write may wait at the same time, in two threads. A busy machine waits in other places as well.
    assert!(read.max(write) >= WRITE_TIMEOUT / 8, "{read:?}, {write:?}");
    assert!(write < WRITE_TIMEOUT * 3 / 2, "{write:?}");
    assert!(read < WRITE_TIMEOUT * 2, "{read:?}");
    assert_eq!(state.most_writes, 1, "one write at a time");
}

#[test]
fn a_long_message_to_a_peer_that_reads_steadily_arrives_from_a_half() {
    fn test(role: Role) {
        let stream = steady(role, 1);
        let (mut reader, writer) = open(stream.clone(), role, config()).split();
        let reading = thread::spawn(move || {
            let message = reader.recv();
            (reader, message)
        });
        let result = writer.send(vec![1; LONG]);
        assert!(result.is_ok(), "{role:?}: {result:?}");
        let (reader, message) = reading.join().expect("no panic");
        assert!(matches!(&message, Ok(Some(Message::Text(_)))), "{role:?}: {message:?}");
        assert_eq!(lens(&stream, role), [LONG]);
        drop(reader);
    }
    let tests = Role::BOTH.map(|role| thread::spawn(move || ends(move || test(role))));
    tests.into_iter().for_each(|test| test.join().expect("no panic"));
}

#[test]
fn a_long_message_to_a_peer_that_reads_steadily_arrives_from_a_whole_socket() {
    type Send = fn(&mut WebSocket<Scripted>) -> Result<(), Error>;
    let ways: [Send; 3] = [
        |socket| socket.send(vec![1; LONG]),
        |socket| {
            socket.queue(vec![1; LONG])?;
            socket.feed("")?;
            socket.flush()
        },
        // Written while it waits to read.
        |socket| Ok(socket.queue(vec![1; LONG])?),
    ];
    let tests = Role::BOTH.into_iter().flat_map(|role| ways.map(|way| (role, way)));
    let tests: Vec<_> = tests
        .map(|(role, way)| {
            thread::spawn(move || {
                ends(move || {
                    let stream = steady(role, 1);
                    let mut socket = open(stream.clone(), role, config());
                    way(&mut socket).expect("the peer reads");
                    assert_eq!(socket.recv().expect("the peer reads"), Some("all of it".into()));
                    assert_eq!(lens(&stream, role)[0], LONG);
                });
            })
        })
        .collect();
    tests.into_iter().for_each(|test| test.join().expect("no panic"));
}

#[test]
fn several_writers_share_a_peer_that_reads_steadily() {
    const WRITERS: usize = 4;
    ends(|| {
        let role = Role::Server;
        let stream = steady(role, WRITERS);
        let (mut reader, writer) = open(stream.clone(), role, config()).split();
        let reading = thread::spawn(move || {
            let message = reader.recv();
            (reader, message)
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let writer = writer.clone();
                thread::spawn(move || writer.send(vec![1; LONG]))
            })
            .collect();
        for writer in writers {
            writer.join().expect("no panic").expect("the peer reads");
        }
        let (_reader, message) = reading.join().expect("no panic");
        assert!(matches!(&message, Ok(Some(Message::Text(_)))), "{message:?}");
        assert_eq!(lens(&stream, role), [LONG; WRITERS]);
        assert_eq!(stream.state().most_writes, 1);
    });
}

#[test]
fn a_peer_that_never_reads_is_noticed_by_a_whole_socket_after_one_timeout() {
    type Method = fn(&mut WebSocket<Scripted>) -> Result<(), Error>;
    let methods: [Method; 6] = [
        WebSocket::flush,
        WebSocket::ready,
        |socket| socket.feed("more"),
        |socket| socket.send("more"),
        |socket| socket.recv().map(drop),
        |socket| socket.recv_ref().map(drop),
    ];
    for role in Role::BOTH {
        let tests = methods.map(|method| {
            thread::spawn(move || {
                let stream = deaf(1000);
                let mut socket = open(stream.clone(), role, config());
                socket.queue(vec![1; LONG]).expect("open");
                let result = method(&mut socket);
                assert!(is_write_timeout(&result), "{role:?}: {result:?}");
                assert_waited_once(&stream);
            })
        });
        tests.into_iter().for_each(|test| test.join().expect("no panic"));
    }
}

/// What becomes of a message, and of the reader meanwhile.
fn send(stream: &Scripted, role: Role, writers: usize) -> (Vec<Result<(), Error>>, Result<(), Error>) {
    let (mut reader, writer) = open(stream.clone(), role, config()).split();
    let reading = thread::spawn(move || {
        let result = reader.recv().map(drop);
        (reader, result)
    });
    let writers: Vec<_> = (0..writers)
        .map(|_| {
            let writer = writer.clone();
            thread::spawn(move || writer.send(vec![1; LONG]))
        })
        .collect();
    let results = writers.into_iter().map(|writer| writer.join().expect("no panic")).collect();
    (results, reading.join().expect("no panic").1)
}

#[test]
fn a_peer_that_never_reads_is_noticed_by_the_halves_after_one_timeout() {
    for (role, writers) in [(Role::Client, 1), (Role::Server, 1), (Role::Server, 4)] {
        ends(move || {
            let stream = deaf(1000);
            let (sent, received) = send(&stream, role, writers);
            for result in sent {
                // Whoever waits for his turn meanwhile learns that there is nobody any more.
                assert!(is_write_timeout(&result), "{role:?}: {result:?}");
            }
            assert!(is_write_timeout(&received), "{role:?}: {received:?}");
            assert_waited_once(&stream);
        });
    }
}

#[test]
fn a_peer_that_reads_less_than_progress_is_given_up() {
    // A byte every 10 ms; and some bytes in every millisecond, but less than is wanted.
    for (rate, min_progress) in [(100, 1024), (10_000, 100_000)] {
        for role in Role::BOTH {
            let config = config().with_min_progress(min_progress);
            let stream = move || Scripted::new([]).without_end().with_kernel(100, rate);
            type Method = fn(&mut WebSocket<Scripted>) -> Result<(), Error>;
            let methods: [Method; 2] = [|socket| socket.send(""), |socket| socket.recv().map(drop)];
            let whole = methods.map(|method| {
                thread::spawn(move || {
                    ends(move || {
                        let mut socket = open(stream(), role, config);
                        socket.queue(vec![1; LONG]).expect("open");
                        let result = method(&mut socket);
                        assert!(is_write_timeout(&result), "{rate}, {role:?}: {result:?}");
                    });
                })
            });
            ends(move || {
                let (reader, writer) = open(stream(), role, config).split();
                let (reader, sent) = send_beside(reader, &writer);
                assert!(is_write_timeout(&sent), "{rate}, {role:?}: {sent:?}");
                assert!(is_write_timeout(&reader), "{rate}, {role:?}: {reader:?}");
            });
            whole.into_iter().for_each(|test| test.join().expect("no panic"));
        }
    }
}

fn send_beside(
    mut reader: Reader<Scripted>,
    writer: &Writer<Scripted>,
) -> (Result<(), Error>, Result<(), Error>) {
    let reading = thread::spawn(move || {
        let result = reader.recv().map(drop);
        (reader, result)
    });
    let sent = writer.send(vec![1; LONG]);
    (reading.join().expect("no panic").1, sent)
}

#[test]
fn a_writer_in_a_write_is_not_judged_by_what_was_known_before() {
    fn test(role: Role) {
        // Each write lasts as long as it may and takes a little: the reader looks many times meanwhile.
        let config = config().with_min_progress(1);
        let stream = Scripted::new([]).without_end().with_kernel(64, 640);
        let (mut reader, writer) = open(stream.clone(), role, config).split();
        let reading = thread::spawn(move || {
            let result = reader.recv();
            (reader, result)
        });
        writer.send(vec![1; 1200]).expect("the peer reads");
        // The writer's Close frame finds the peer still there.
        stream.arrive(&wire::close(role, 1000, ""));
        stream.end();
        let (_reader, result) = reading.join().expect("no panic");
        assert!(matches!(result, Ok(None)), "{role:?}: {result:?}");
    }
    let tests = Role::BOTH.map(|role| thread::spawn(move || ends(move || test(role))));
    tests.into_iter().for_each(|test| test.join().expect("no panic"));
}

#[test]
fn a_close_frame_behind_a_long_message_waits_for_its_turn() {
    fn test(role: Role) {
        // The close timeout is shorter than the message takes, and begins with the Close frame.
        let stream = steady(role, 2);
        let (mut reader, writer) = open(stream.clone(), role, config()).split();
        let reading = thread::spawn(move || {
            let result = reader.recv();
            (reader, result)
        });
        writer.queue(vec![1; LONG]).expect("open");
        writer.close(CloseCode::NORMAL).expect("the peer reads");
        wait_until(|| stream.state().written.len() > LONG);
        stream.arrive(&wire::close(role, 1000, ""));
        stream.end();
        let (_reader, result) = reading.join().expect("no panic");
        assert!(matches!(result, Ok(None)), "{role:?}: {result:?}");
        assert_eq!(lens(&stream, role), [LONG, 2]);
    }
    let tests = Role::BOTH.map(|role| thread::spawn(move || ends(move || test(role))));
    tests.into_iter().for_each(|test| test.join().expect("no panic"));
}
