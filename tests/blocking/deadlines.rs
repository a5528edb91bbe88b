//! Deadlines in real time: short ones, and only what comes of them is looked at.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use tidewire::blocking::{Incoming, Stream, WebSocket, client_with};
use tidewire::{
    ClientRequest, CloseCode, Config, Error, Event, HandshakeError, Input, SendError, ServerHandshake, State,
    TimedOut,
};

use crate::http::{accepting, parse_answer, request};
use support::blocking_stream::{Call, Scripted};
use support::wire::{self, CLOSE, FIN, Length, PING, Role};

const SHORT: Duration = Duration::from_millis(30);

fn open(stream: &Scripted, role: Role, config: Config) -> WebSocket<Scripted> {
    WebSocket::from_parts(stream.clone(), role.connection(config), Input::new())
}

fn config() -> Config {
    Config::new().with_open_timeout(SHORT).with_close_timeout(SHORT).with_write_timeout(SHORT)
}

/// A stream that takes whatever is written and gets rid of nothing, as TLS may over a peer that does not read.
struct Hoarding(Scripted);

impl Read for Hoarding {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.0.read(space)
    }
}

impl Write for Hoarding {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        // Longer than any timeout here.
        std::thread::sleep(SHORT);
        Err(ErrorKind::WouldBlock.into())
    }
}

impl Stream for Hoarding {
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
fn a_stream_that_takes_everything_and_gets_rid_of_nothing_times_out() {
    for role in Role::BOTH {
        let open = || {
            let stream = Hoarding(Scripted::new([]).without_end());
            WebSocket::from_parts(stream, role.connection(config()), Input::new())
        };
        let mut socket = open();
        let sent = socket.send("x");
        assert!(matches!(sent, Err(Error::TimedOut(TimedOut::Write))), "{sent:?}");
        let mut socket = open();
        socket.queue("x").expect("room");
        let received = socket.recv();
        assert!(matches!(received, Err(Error::TimedOut(TimedOut::Write))), "{received:?}");
    }
}

#[test]
fn a_request_that_is_late_is_answered_408() {
    for arrived in ["", "GET / HTTP/1.1\r\nHost: exa"] {
        let stream = Scripted::new(arrived).without_end();
        let result = Incoming::receive(stream.clone(), ServerHandshake::new(config()));
        assert!(matches!(result, Err(Error::TimedOut(TimedOut::Open))), "{result:?}");
        let answer = stream.take_written();
        assert_eq!(stream.shutdowns(), [answer.len()]);
        assert_eq!(parse_answer(&answer).0, 408);
    }
}

#[test]
fn a_request_that_dribbles_is_late_too() {
    // A byte now and then, so that hardly any read times out.
    let stream = Scripted::new(request("")).with_lens(1, usize::MAX);
    let stream = stream.with_pauses(Duration::from_millis(3), Duration::ZERO);
    let result = Incoming::receive(stream.clone(), ServerHandshake::new(config()));
    assert!(matches!(result, Err(Error::TimedOut(TimedOut::Open))), "{result:?}");
    assert_eq!(parse_answer(&stream.take_written()).0, 408);
}

#[test]
fn a_response_that_is_late_ends_the_handshake() -> Result<(), Error> {
    let request = ClientRequest::new("ws://example.org/")?;
    let silent = Scripted::new([]).without_end();
    let deaf = accepting("", b"").with_room(10);
    let dribbling =
        accepting("", b"").with_lens(1, usize::MAX).with_pauses(Duration::from_millis(3), Duration::ZERO);
    for stream in [silent, deaf, dribbling] {
        let result = client_with(stream, &request, config());
        assert!(matches!(result, Err(Error::TimedOut(TimedOut::Open))), "{result:?}");
    }
    Ok(())
}

#[test]
fn a_refusal_whose_body_is_late_is_still_a_refusal() -> Result<(), Error> {
    let stream = Scripted::new("HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\ntry again").without_end();
    match client_with(stream, &ClientRequest::new("ws://example.org/")?, config()) {
        Err(Error::Handshake(HandshakeError::Refused(response))) => {
            assert_eq!((response.status(), response.body()), (503, &b"try again"[..]));
        }
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[test]
fn a_peer_that_does_not_answer_a_ping_is_given_up() {
    for role in Role::BOTH {
        let stream = Scripted::new([]).without_end();
        let mut socket = open(&stream, role, config().with_keepalive(SHORT, SHORT));
        for _ in 0..3 {
            assert!(matches!(socket.recv(), Err(Error::TimedOut(TimedOut::Keepalive))));
        }
        let frames = wire::parse(role, &stream.take_written());
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].first, FIN | PING);
        assert_eq!(
            (socket.state(), socket.ending().map(|closure| closure.code())),
            (State::Closed, Some(1006))
        );
    }
}

#[test]
fn a_peer_that_answers_pings_is_kept() -> Result<(), Error> {
    for role in Role::BOTH {
        let mut pings = 0;
        let stream = Scripted::new([]).without_end().with_peer(move |written| {
            pings += 1;
            let ping = wire::parse(role, written).remove(0);
            let pong = wire::pong(role, ping.payload);
            if pings < 5 { pong } else { [pong, wire::text(role, "five pings")].concat() }
        });
        let mut socket = open(&stream, role, config().with_keepalive(SHORT, SHORT));
        assert_eq!(socket.recv()?, Some("five pings".into()));
        assert!(socket.round_trip_time().is_some());
    }
    Ok(())
}

#[test]
fn a_peer_that_dribbles_a_byte_now_and_then_is_given_up() {
    for role in Role::BOTH {
        let header = wire::header(FIN | wire::BINARY, Length::Eight(1 << 20), role.key());
        let stream = Scripted::new([header, vec![0; 100_000]].concat());
        let stream = stream.with_lens(1, usize::MAX).with_pauses(Duration::from_millis(3), Duration::ZERO);
        let mut socket = open(&stream, role, config().with_keepalive(SHORT, SHORT));
        assert!(matches!(socket.recv(), Err(Error::TimedOut(TimedOut::Keepalive))));
    }
}

#[test]
fn a_peer_that_does_not_read_ends_every_method_that_writes() {
    type Method = fn(&mut WebSocket<Scripted>) -> Result<(), Error>;
    let methods: [(&str, Method); 6] = [
        ("flush", WebSocket::flush),
        ("ready", WebSocket::ready),
        ("feed", |socket| socket.feed("more")),
        ("send", |socket| socket.send("more")),
        ("ping", |socket| socket.ping(b"")),
        ("recv", |socket| socket.recv().map(drop)),
    ];
    for role in Role::BOTH {
        for (name, method) in methods {
            let stream = Scripted::new([]).without_end().with_room(100);
            let mut socket = open(&stream, role, config());
            socket.queue(&[1; 100_000]).expect("open");
            let result = method(&mut socket);
            assert!(matches!(result, Err(Error::TimedOut(TimedOut::Write))), "{name}: {result:?}");
            assert!(matches!(socket.recv(), Err(Error::TimedOut(TimedOut::Write))), "{name}");
            assert_eq!(stream.state().written.len(), 100);
        }
    }
}

#[test]
fn a_peer_that_reads_slowly_is_not_given_up() -> Result<(), Error> {
    for role in Role::BOTH {
        let stream = Scripted::new([]).with_lens(1, 200).with_pauses(Duration::ZERO, SHORT / 10);
        let mut socket = open(&stream, role, config().with_min_progress(200));
        socket.send(&[1; 10_000])?;
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 1);
    }
    Ok(())
}

#[test]
fn a_peer_that_does_not_answer_a_close_frame_is_given_up() {
    for role in Role::BOTH {
        let stream = Scripted::new([]).without_end();
        let mut socket = open(&stream, role, config());
        let result = socket.close(CloseCode::NORMAL);
        assert!(matches!(result, Err(Error::TimedOut(TimedOut::Close))), "{result:?}");
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 1);
    }
}

#[test]
fn a_peer_that_does_not_end_the_transport_is_left_without_an_error() -> Result<(), Error> {
    for role in Role::BOTH {
        let stream = Scripted::new(wire::close(role, 1000, "")).without_end();
        let mut socket = open(&stream, role, config());
        assert_eq!(socket.recv()?, None);
        assert!(socket.ending().is_some_and(|closure| closure.is_clean()));
        let frames = wire::parse(role, &stream.take_written());
        assert_eq!(frames.iter().map(|frame| frame.first).collect::<Vec<_>>(), [FIN | CLOSE]);
    }
    Ok(())
}

#[test]
fn no_call_may_last_longer_than_the_next_deadline() -> Result<(), Error> {
    for role in Role::BOTH {
        let stream = Scripted::new(wire::ping(role, "p")).without_end();
        let limit = Duration::from_millis(40);
        let mut socket = open(&stream, role, config().with_keepalive(limit, limit));
        assert!(matches!(socket.recv_ref()?, Some((Event::Ping(_), _))));
        assert!(socket.recv().is_err());
        for call in &stream.state().calls {
            if let Call::ReadTimeout(timeout) | Call::WriteTimeout(timeout) = call {
                assert!(timeout.is_some_and(|timeout| timeout <= limit), "{call:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn without_deadlines_a_read_waits_for_ever() -> Result<(), Error> {
    let config = Config::new().with_write_timeout(None).with_close_timeout(None).without_keepalive();
    for role in Role::BOTH {
        let stream = Scripted::new(wire::text(role, "Hello"));
        let mut socket = open(&stream, role, config);
        assert_eq!(socket.recv()?, Some("Hello".into()));
        assert!(stream.state().calls.contains(&Call::ReadTimeout(None)));
    }
    Ok(())
}

#[test]
fn what_is_left_after_the_peers_close_frame_has_the_close_timeout() {
    type Method = fn(&mut WebSocket<Scripted>) -> Result<(), Error>;
    let methods: [Method; 4] =
        [WebSocket::flush, WebSocket::ready, |socket| socket.recv().map(drop), |socket| socket.close(None)];
    for role in Role::BOTH {
        for (index, method) in methods.into_iter().enumerate() {
            // Nothing else ends it: the write timeout is longer.
            let config = Config::new().with_close_timeout(SHORT).with_write_timeout(SHORT * 20);
            let stream = Scripted::new(wire::close(role, 1000, "")).without_end().with_room(100);
            let mut socket = open(&stream, role, config);
            socket.queue(vec![1; 100_000]).expect("open");
            assert!(matches!(socket.recv_ref(), Ok(Some((Event::Close(_), _)))));
            let result = method(&mut socket);
            match index {
                0 | 1 => {
                    assert!(matches!(result, Err(Error::Send(SendError::Closed))), "{role:?}: {result:?}")
                }
                _ => assert!(result.is_ok(), "{role:?}: {result:?}"),
            }
            let state = stream.state();
            assert!(state.idle[1] < SHORT * 10, "{role:?}: {:?}", state.idle);
        }
    }
}
