//! Without its reader a connection is over: writers fail, what was queued is freed, and the stream is dropped.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use tidewire::blocking::{Stream, Writer};
use tidewire::{CloseCode, Config, Error, SendError, State};

use crate::pairs::{Socket, ends, open};
use support::blocking_stream::{Scripted, wait_until};
use support::wire::{self, Role};

#[track_caller]
fn assert_is_over<S>(writer: &Writer<S>)
where
    for<'s> &'s S: Stream,
{
    for _ in 0..2 {
        assert_eq!(writer.queue("late"), Err(SendError::Closed));
        assert_eq!(writer.queue_fragment("late", false), Err(SendError::Closed));
        writer.queue_close(CloseCode::NORMAL);
        assert_eq!((writer.state(), writer.queued_len(), writer.is_ready()), (State::Closed, 0, true));
        for result in [
            writer.send("late"),
            writer.feed("late"),
            writer.send_fragment("late", true),
            writer.ping(b"late"),
            writer.flush(),
            writer.ready(),
            writer.close(CloseCode::NORMAL),
        ] {
            assert!(matches!(result, Err(Error::Send(SendError::Closed))), "{result:?}");
        }
        assert_eq!(writer.queued_len(), 0);
    }
}

#[test]
fn writers_fail_and_the_stream_is_dropped_while_they_live() {
    for role in Role::BOTH {
        let stream = Scripted::new([]).without_end().with_room(10);
        let (reader, writer) = open(stream.clone(), role, Config::new()).split();
        let other = writer.clone();
        writer.queue(vec![1; 100_000]).expect("open");
        other.queue_fragment("frag", false).expect("open");
        drop(reader);
        assert_eq!(stream.handles(), 1);
        assert_is_over(&writer);
        assert_is_over(&other);
        // In the middle of its message.
        drop(other);
        assert_is_over(&writer.clone());
        assert!(stream.take_written().is_empty());
    }
}

#[test]
fn a_writer_that_is_in_a_write_at_that_moment_fails_and_drops_the_stream() {
    for role in Role::BOTH {
        ends(move || {
            let stream = Scripted::new([]).without_end().with_room(10);
            let config = Config::new().with_write_timeout(Duration::from_millis(400));
            let (reader, writer) = open(stream.clone(), role, config).split();
            let (first, second) = (writer.clone(), writer.clone());
            let sending = [first, second].map(|writer| thread::spawn(move || writer.send(vec![1; 100_000])));
            wait_until(|| stream.state().written.len() == 10);
            drop(reader);
            for sending in sending {
                let result = sending.join().expect("no panic");
                assert!(matches!(result, Err(Error::Send(SendError::Closed))), "{result:?}");
            }
            assert_eq!(stream.handles(), 1);
            assert_is_over(&writer);
            assert_eq!(stream.take_written().len(), 10);
        });
    }
}

#[test]
fn the_peer_sees_the_end_while_a_writer_is_in_a_write() {
    fn test<S: Socket>(role: Role)
    where
        for<'s> &'s S: Stream,
    {
        let (near, mut peer) = S::pair();
        let (reader, writer) = open(near, role, Config::new()).split();
        let sending = {
            let writer = writer.clone();
            thread::spawn(move || writer.send(vec![1; 24 << 20]))
        };
        peer.read_exact(&mut [0; 100]).expect("the message has begun");
        drop(reader);
        let result = sending.join().expect("no panic");
        assert!(matches!(result, Err(Error::Send(SendError::Closed))), "{result:?}");
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).expect("an orderly end");
        assert!(rest.len() < 24 << 20);
        assert_is_over(&writer);
    }
    ends(|| Role::BOTH.into_iter().for_each(test::<TcpStream>));
    ends(|| Role::BOTH.into_iter().for_each(test::<UnixStream>));
}

#[test]
fn it_is_dropped_while_many_write() {
    ends(|| {
        for round in 0..50 {
            let stream = Scripted::new(wire::text(Role::Server, "Hello")).without_end();
            let stream = stream.with_lens(usize::MAX, 50);
            let (mut reader, writer) = open(stream.clone(), Role::Server, Config::new()).split();
            let sending = [0; 3].map(|_| {
                let writer = writer.clone();
                thread::spawn(move || while writer.send(vec![1; 200]).is_ok() {})
            });
            assert!(matches!(reader.recv(), Ok(Some(_))));
            thread::sleep(Duration::from_micros(round * 20));
            drop(reader);
            for sending in sending {
                sending.join().expect("no panic");
            }
            assert_eq!(stream.handles(), 1, "round {round}");
            assert_is_over(&writer);
        }
    });
}
