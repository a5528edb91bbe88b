//! Closing from the writer while the reader waits, and a Close frame that meets a write under way.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use tidewire::blocking::Stream;
use tidewire::{CloseCode, CloseFrame, Config, Error, Event, Party, SendError, State, TimedOut};

use crate::pairs::{Socket, ends, open};
use support::blocking_stream::{Scripted, wait_until};
use support::wire::{self, CLOSE, FIN, Role};

#[test]
fn the_writer_closes_while_the_reader_waits() {
    fn test<S: Socket>(role: Role)
    where
        for<'s> &'s S: Stream,
    {
        let (near, far) = S::pair();
        let far_role = if role == Role::Client { Role::Server } else { Role::Client };
        let (mut reader, writer) = open(near, role, Config::new()).split();
        let reading = thread::spawn(move || {
            let result = reader.recv();
            (reader, result)
        });
        let mut far = open(far, far_role, Config::new());
        let answering = thread::spawn(move || {
            let result = far.recv();
            (far.ending(), result)
        });
        thread::sleep(Duration::from_millis(2));
        writer.close(CloseFrame::new(CloseCode::GOING_AWAY, "bye")).expect("open");
        assert_eq!(writer.queue("late"), Err(SendError::Closed));
        let (reader, result) = reading.join().expect("no panic");
        assert!(matches!(result, Ok(None)), "{result:?}");
        assert_eq!(reader.state(), State::Closed);
        let closure = reader.ending().expect("closed");
        assert_eq!((closure.initiator(), closure.is_clean(), closure.code()), (Party::Local, true, 1001));
        drop((reader, writer));
        let (closure, result) = answering.join().expect("no panic");
        assert!(matches!(result, Ok(None)), "{result:?}");
        assert_eq!(closure.map(|closure| (closure.initiator(), closure.code())), Some((Party::Peer, 1001)));
    }
    ends(|| Role::BOTH.into_iter().for_each(test::<TcpStream>));
    ends(|| Role::BOTH.into_iter().for_each(test::<UnixStream>));
}

#[test]
fn a_peer_that_does_not_answer_the_writers_close_frame_ends_the_reader() {
    fn test<S: Socket>(role: Role)
    where
        for<'s> &'s S: Stream,
    {
        let (near, peer) = S::pair();
        let config = Config::new().with_close_timeout(Duration::from_millis(40));
        let (mut reader, writer) = open(near, role, config).split();
        let reading = thread::spawn(move || reader.recv());
        thread::sleep(Duration::from_millis(2));
        writer.close(CloseCode::NORMAL).expect("open");
        let result = reading.join().expect("no panic");
        assert!(matches!(result, Err(Error::TimedOut(TimedOut::Close))), "{result:?}");
        drop(peer);
    }
    ends(|| Role::BOTH.into_iter().for_each(test::<TcpStream>));
    ends(|| Role::BOTH.into_iter().for_each(test::<UnixStream>));
}

/// A stream over which a long message takes many slow writes.
fn slow(incoming: Vec<u8>) -> Scripted {
    Scripted::new(incoming)
        .without_end()
        .with_lens(usize::MAX, 16 << 10)
        .with_pauses(Duration::ZERO, Duration::from_millis(2))
}

const LONG: usize = 512 << 10;

#[test]
fn a_close_frame_that_arrives_during_a_write_does_not_cut_it_short() {
    fn test(role: Role) {
        let stream = slow(Vec::new());
        let (mut reader, writer) = open(stream.clone(), role, Config::new()).split();
        let sending = thread::spawn(move || writer.send(vec![1; LONG]));
        wait_until(|| !stream.state().written.is_empty());
        stream.arrive(&wire::close(role, 1000, "bye"));
        assert!(matches!(reader.recv_ref(), Ok(Some(Event::Close(Some(_))))));
        let handle = stream.clone();
        // The peer ends the transport when it has our Close frame.
        let peer = thread::spawn(move || {
            wait_until(|| handle.state().written.len() > LONG + 10);
            handle.end();
        });
        assert!(matches!(reader.recv_ref(), Ok(None)));
        peer.join().expect("no panic");
        let _ = sending.join().expect("no panic");
        let written = stream.take_written();
        assert!(stream.shutdowns().iter().all(|len| *len == written.len()), "not before the last byte");
        let frames = wire::parse(role, &written);
        assert_eq!(frames.len(), 2);
        assert_eq!((frames[0].payload.len(), frames[1].first), (LONG, FIN | CLOSE));
    }
    ends(|| Role::BOTH.into_iter().for_each(test));
}

#[test]
fn a_broken_rule_during_a_write_does_not_cut_it_short() {
    fn test(role: Role) {
        let stream = slow(Vec::new());
        let (mut reader, writer) = open(stream.clone(), role, Config::new()).split();
        let sending = thread::spawn(move || writer.send(vec![1; LONG]));
        wait_until(|| !stream.state().written.is_empty());
        stream.arrive(&[0xF3, 0]);
        let handle = stream.clone();
        let peer = thread::spawn(move || {
            wait_until(|| !handle.shutdowns().is_empty());
            handle.end();
        });
        assert!(matches!(reader.recv(), Err(Error::Protocol(_))));
        peer.join().expect("no panic");
        let _ = sending.join().expect("no panic");
        let written = stream.take_written();
        assert_eq!(stream.shutdowns(), [written.len()], "only after the last byte");
        let frames = wire::parse(role, &written);
        assert_eq!(frames.len(), 2);
        assert_eq!((frames[0].payload.len(), frames[1].first), (LONG, FIN | CLOSE));
    }
    ends(|| Role::BOTH.into_iter().for_each(test));
}
