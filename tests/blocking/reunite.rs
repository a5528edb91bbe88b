//! `reunite`: the halves become one again with all that they had, whatever clones there are.

use std::thread;
use std::time::Duration;

use tidewire::blocking::Writer;
use tidewire::{CloseCode, Config, Error, SendError, State};

use crate::pairs::{ends, open};
use support::blocking_stream::{Call, Scripted, wait_until};
use support::wire::{self, Role};

#[track_caller]
fn assert_is_gone(writer: &Writer<Scripted>) {
    for result in [
        writer.send("late"),
        writer.feed("late"),
        writer.flush(),
        writer.ready(),
        writer.ping(b""),
        writer.send_fragment("late", true),
        writer.close(CloseCode::NORMAL),
    ] {
        assert!(matches!(result, Err(Error::Send(SendError::Closed))), "{result:?}");
    }
    assert_eq!(writer.queue("late"), Err(SendError::Closed));
    assert_eq!(writer.queue_fragment("late", true), Err(SendError::Closed));
    writer.queue_close(CloseCode::NORMAL);
    assert_eq!((writer.state(), writer.queued_len()), (State::Closed, 0));
}

#[test]
fn everything_survives_and_clones_have_nothing_to_say_any_more() {
    for role in Role::BOTH {
        let incoming = [wire::pong(role, "ping"), wire::text(role, "one"), wire::text(role, "two")].concat();
        let cut = incoming.len() - 2;
        let stream = Scripted::new([]).without_end();
        let (mut reader, writer) = open(stream.clone(), role, Config::new()).split();
        let other = writer.clone();
        writer.ping(b"ping").expect("open");
        stream.arrive(&incoming[..cut]);
        assert_eq!(reader.recv().expect("open"), Some("one".into()));
        let round_trip_time = reader.round_trip_time();
        assert!(round_trip_time.is_some());
        stream.take_written();
        other.queue("queued").expect("open");
        let mut socket = reader.reunite(writer).expect("of one connection");
        assert_is_gone(&other);
        assert_is_gone(&other.clone());
        drop(other);
        assert_eq!((socket.state(), socket.ending()), (State::Open, None));
        assert_eq!(socket.round_trip_time(), round_trip_time);
        assert!(socket.queued_len() > 0);
        stream.arrive(&incoming[cut..]);
        assert_eq!(socket.recv().expect("open"), Some("two".into()));
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 1, "what a clone had queued");
        // As often as it is wanted.
        let (reader, writer) = socket.split();
        writer.send("again").expect("open");
        let mut socket = reader.reunite(writer).expect("of one connection");
        stream.arrive(&wire::close(role, 1000, ""));
        stream.end();
        socket.close(CloseCode::NORMAL).expect("open");
        drop(socket);
        assert_eq!(stream.handles(), 1, "nobody else has the stream");
    }
}

#[test]
fn halves_of_two_connections_come_back_both() {
    for role in Role::BOTH {
        let [first, second] = [0; 2].map(|_| Scripted::new(wire::text(role, "Hello")).without_end());
        let (reader, writer) = open(first.clone(), role, Config::new()).split();
        let (other_reader, other_writer) = open(second.clone(), role, Config::new()).split();
        let error = reader.reunite(other_writer).expect_err("of two connections");
        assert_eq!(error.to_string(), "the halves are of different connections");
        let (mut reader, other_writer) = error.into_halves();
        assert_eq!(reader.recv().expect("open"), Some("Hello".into()));
        other_writer.send("second").expect("open");
        writer.send("first").expect("open");
        assert_eq!(wire::parse(role, &first.take_written())[0].payload, b"first");
        assert_eq!(wire::parse(role, &second.take_written())[0].payload, b"second");
        // A clone is as good as the first.
        let mut socket = reader.reunite(writer.clone()).expect("of one connection");
        socket.send("first").expect("open");
        assert_is_gone(&writer);
        other_reader.reunite(other_writer).expect("of one connection").send("second").expect("open");
    }
}

#[test]
fn a_clone_that_is_in_a_write_ends_and_its_message_survives() {
    for role in Role::BOTH {
        ends(move || {
            let stream = Scripted::new([]).without_end().with_room(10);
            let config = Config::new().with_write_timeout(Duration::from_millis(400));
            let (reader, writer) = open(stream.clone(), role, config).split();
            let other = writer.clone();
            let sending = thread::spawn(move || (other.send(vec![1; 10_000]), other));
            wait_until(|| stream.state().written.len() == 10);
            let mut socket = reader.reunite(writer).expect("of one connection");
            let (result, other) = sending.join().expect("no panic");
            assert!(matches!(result, Err(Error::Send(SendError::Closed))), "{result:?}");
            assert_is_gone(&other);
            stream.give_room(usize::MAX);
            socket.send("more").expect("room");
            let frames = wire::parse(role, &stream.take_written());
            assert_eq!(frames.iter().map(|frame| frame.payload.len()).collect::<Vec<_>>(), [10_000, 4]);
            assert_eq!(stream.state().most_writes, 1);
        });
    }
}

#[test]
fn it_waits_for_one_write_and_not_for_all_that_a_clone_has_to_say() {
    for role in Role::BOTH {
        ends(move || {
            const LEN: usize = 10_000;
            // A thousand writes, which follow each other at once.
            let pause = Duration::from_millis(5);
            let stream = Scripted::new([]).without_end().with_lens(usize::MAX, 10);
            let stream = stream.with_pauses(Duration::ZERO, pause);
            let (reader, writer) = open(stream.clone(), role, Config::new()).split();
            let clones = [writer.clone(), writer.clone(), writer.clone()];
            let sending = clones.map(|writer| thread::spawn(move || writer.send(vec![1; LEN])));
            wait_until(|| stream.state().written.len() > 30);
            let calls =
                |stream: &Scripted| stream.state().calls.iter().filter(|call| **call == Call::Write).count();
            let before = calls(&stream);
            let mut socket = reader.reunite(writer).expect("of one connection");
            let during = calls(&stream) - before;
            // One for each of the clones at most, and what was missed before it came to that.
            assert!(during <= 20, "{role:?}: {during} writes");
            for result in sending.map(|sending| sending.join().expect("no panic")) {
                assert!(matches!(result, Err(Error::Send(SendError::Closed))), "{result:?}");
            }
            let stream = stream.with_lens(usize::MAX, usize::MAX);
            socket.flush().expect("open");
            assert_eq!(wire::parse(role, &stream.take_written()).len(), 3);
        });
    }
}
