//! The reader answers pings and Close frames, whatever the writer does.

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tidewire::blocking::Stream;
use tidewire::{Config, Error, Event, ProtocolError, SendError, State, TimedOut};

use crate::pairs::{Socket, ends, open};
use support::wire::{self, BINARY, CLOSE, FIN, Frame, PONG, Role, TEXT};

/// More than the buffers of both sockets hold.
const BLOCKS: usize = 24 << 20;

/// Reads exactly one frame with a short header.
fn read_frame(peer: &mut impl Read, role: Role) -> Frame {
    let mut header = vec![0; 2 + if role == Role::Client { 4 } else { 0 }];
    peer.read_exact(&mut header).expect("a header");
    let mut payload = vec![0; usize::from(header[1] & 0x7F)];
    peer.read_exact(&mut payload).expect("a payload");
    wire::parse(role, &[header, payload].concat()).remove(0)
}

#[test]
fn a_ping_is_answered_after_the_write_that_blocks() {
    fn test<S: Socket>(role: Role)
    where
        for<'s> &'s S: Stream,
    {
        let (near, mut peer) = S::pair();
        let (mut reader, writer) = open(near, role, Config::new()).split();
        let sending = thread::spawn(move || writer.send(vec![1; BLOCKS]).map(|()| writer));
        let (seen, is_seen) = mpsc::channel();
        let reading = thread::spawn(move || {
            while let Some(event) = reader.recv_ref()? {
                if matches!(event, Event::Ping(b"ping")) {
                    seen.send(()).expect("the test waits");
                }
            }
            Ok::<_, Error>(())
        });
        let mut message = vec![0; 10 + if role == Role::Client { 4 } else { 0 } + BLOCKS];
        peer.read_exact(&mut message[..1]).expect("the message has begun");
        peer.write_all(&wire::ping(role, "ping")).expect("room");
        // No more of the message is read before the ping has arrived.
        is_seen.recv().expect("the ping arrives while the writer is blocked");
        peer.read_exact(&mut message[1..]).expect("the message");
        let frames = wire::parse(role, &message);
        assert_eq!((frames[0].first, frames[0].payload.len()), (FIN | BINARY, BLOCKS));
        assert_eq!(read_frame(&mut peer, role), Frame::new(FIN | PONG, "ping"));
        peer.write_all(&wire::close(role, 1000, "")).expect("room");
        assert_eq!(read_frame(&mut peer, role), Frame::new(FIN | CLOSE, wire::close_body(1000, "")));
        drop(peer);
        reading.join().expect("no panic").expect("a clean end");
        drop(sending.join().expect("no panic").expect("sent"));
    }
    ends(|| test::<TcpStream>(Role::Server));
    ends(|| test::<UnixStream>(Role::Client));
}

#[test]
fn dropping_the_writer_closes_nothing() {
    fn test<S: Socket>(role: Role)
    where
        for<'s> &'s S: Stream,
    {
        let (near, mut peer) = S::pair();
        let (mut reader, writer) = open(near, role, Config::new()).split();
        writer.send("last words").expect("open");
        drop(writer);
        assert_eq!(read_frame(&mut peer, role), Frame::new(FIN | TEXT, "last words"));
        peer.write_all(&wire::ping(role, "p")).expect("open");
        peer.write_all(&wire::text(role, "still here")).expect("open");
        assert_eq!(reader.recv().expect("open"), Some("still here".into()));
        assert_eq!(reader.state(), State::Open);
        assert_eq!(read_frame(&mut peer, role), Frame::new(FIN | PONG, "p"));
        peer.write_all(&wire::close(role, 1000, "")).expect("open");
        let reading = thread::spawn(move || reader.recv());
        assert_eq!(read_frame(&mut peer, role).first, FIN | CLOSE);
        drop(peer);
        assert!(matches!(reading.join().expect("no panic"), Ok(None)));
    }
    ends(|| Role::BOTH.into_iter().for_each(test::<TcpStream>));
    ends(|| Role::BOTH.into_iter().for_each(test::<UnixStream>));
}

#[test]
fn dropping_a_writer_leaves_the_others_and_dropping_the_reader_ends_the_transport() {
    fn test<S: Socket>(role: Role)
    where
        for<'s> &'s S: Stream,
    {
        let (near, mut peer) = S::pair();
        let (reader, writer) = open(near, role, Config::new()).split();
        drop(writer.clone());
        writer.send("alone").expect("open");
        assert_eq!(read_frame(&mut peer, role), Frame::new(FIN | TEXT, "alone"));
        writer.queue_fragment("part", true).expect("open");
        assert!(writer.queued_len() > 0);
        writer.flush().expect("open");
        assert_eq!(writer.queued_len(), 0);
        assert_eq!(read_frame(&mut peer, role), Frame::new(FIN | TEXT, "part"));
        writer.queue(&[7; 1000]).expect("open");
        drop(reader);
        assert_eq!((writer.queued_len(), writer.is_ready()), (0, true));
        assert_eq!(writer.queue("late"), Err(SendError::Closed));
        for result in
            [writer.send("late"), writer.feed("late"), writer.flush(), writer.ready(), writer.ping(b"")]
        {
            assert!(matches!(result, Err(Error::Send(SendError::Closed))), "{result:?}");
        }
        assert_eq!(peer.read(&mut [0; 1]).expect("an orderly end"), 0);
    }
    ends(|| Role::BOTH.into_iter().for_each(test::<TcpStream>));
    ends(|| Role::BOTH.into_iter().for_each(test::<UnixStream>));
}

#[test]
fn a_peer_that_does_not_read_ends_the_writer_and_then_the_reader() {
    fn test<S: Socket>(role: Role)
    where
        for<'s> &'s S: Stream,
    {
        let (near, peer) = S::pair();
        let short = Duration::from_millis(40);
        let config = Config::new().with_write_timeout(short).with_close_timeout(short);
        let (mut reader, writer) = open(near, role, config).split();
        let reading = thread::spawn(move || reader.recv());
        let result = writer.send(vec![1; BLOCKS]);
        assert!(matches!(result, Err(Error::TimedOut(TimedOut::Write))), "{result:?}");
        let result = reading.join().expect("no panic");
        assert!(matches!(result, Err(Error::TimedOut(TimedOut::Write))), "{result:?}");
        drop(peer);
    }
    ends(|| Role::BOTH.into_iter().for_each(test::<TcpStream>));
    ends(|| Role::BOTH.into_iter().for_each(test::<UnixStream>));
}

#[test]
fn the_reader_sees_the_end_while_the_writer_is_blocked() {
    fn test<S: Socket>(shutdown: fn(&S))
    where
        for<'s> &'s S: Stream,
    {
        let (near, mut peer) = S::pair();
        let config = Config::new().with_write_timeout(None);
        let (mut reader, writer) = open(near, Role::Server, config).split();
        let sending = thread::spawn(move || {
            let result = writer.send(vec![1; BLOCKS]);
            (writer, result)
        });
        // The message is on its way, and the writer holds on to the stream until somebody reads or the stream breaks.
        peer.read_exact(&mut [0; 10]).expect("a header");
        shutdown(&peer);
        assert!(matches!(reader.recv(), Err(Error::Protocol(ProtocolError::UnexpectedEof))));
        drop(peer);
        let (writer, result) = sending.join().expect("no panic");
        for result in [result, writer.send("late"), writer.flush()] {
            assert!(matches!(result, Err(Error::Io(_) | Error::Send(SendError::Closed))), "{result:?}");
        }
    }
    ends(|| test::<TcpStream>(|peer| peer.shutdown(Shutdown::Write).expect("open")));
    ends(|| test::<UnixStream>(|peer| peer.shutdown(Shutdown::Write).expect("open")));
}
