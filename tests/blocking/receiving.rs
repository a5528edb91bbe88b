//! `recv_timeout` and `try_recv`: how long they wait, and that they lose nothing.

use std::task::Poll;
use std::time::Duration;

use tidewire::blocking::{Reader, WebSocket, Writer};
use tidewire::{Config, Error, Event, Message, ProtocolError, TimedOut};

use crate::pairs::open;
use support::blocking_stream::{Call, Fault, Scripted};
use support::wire::{self, BINARY, CONTINUATION, FIN, Frame, PING, PONG, Role, TEXT};

const SHORT: Duration = Duration::from_millis(30);

/// A whole socket, or the halves of one.
enum Either {
    Whole(Box<WebSocket<Scripted>>),
    Halves(Box<Reader<Scripted>>, Writer<Scripted>),
}

impl Either {
    /// For both roles, whole and in halves, over a stream each.
    fn each(stream: impl Fn(Role) -> Scripted, config: Config, test: impl Fn(Role, &Scripted, Self)) {
        for role in Role::BOTH {
            let whole = stream(role);
            test(role, &whole, Self::Whole(Box::new(open(whole.clone(), role, config))));
            let halves = stream(role);
            let (reader, writer) = open(halves.clone(), role, config).split();
            test(role, &halves, Self::Halves(Box::new(reader), writer));
        }
    }

    fn recv(&mut self) -> Result<Option<Message>, Error> {
        match self {
            Self::Whole(socket) => socket.recv(),
            Self::Halves(reader, _) => reader.recv(),
        }
    }

    fn recv_timeout(&mut self, timeout: Duration) -> Result<Poll<Option<Message>>, Error> {
        match self {
            Self::Whole(socket) => socket.recv_timeout(timeout),
            Self::Halves(reader, _) => reader.recv_timeout(timeout),
        }
    }

    fn try_recv(&mut self) -> Result<Poll<Option<Message>>, Error> {
        match self {
            Self::Whole(socket) => socket.try_recv(),
            Self::Halves(reader, _) => reader.try_recv(),
        }
    }

    fn queue(&mut self, message: &[u8]) {
        match self {
            Self::Whole(socket) => socket.queue(message),
            Self::Halves(_, writer) => writer.queue(message),
        }
        .expect("open");
    }

    #[track_caller]
    fn assert_pending(&mut self) {
        for result in [self.try_recv(), self.recv_timeout(SHORT / 10), self.recv_timeout(Duration::ZERO)] {
            assert!(matches!(result, Ok(Poll::Pending)), "{result:?}");
        }
    }
}

fn silent(_: Role) -> Scripted {
    Scripted::new([]).without_end()
}

fn reads(stream: &Scripted) -> usize {
    stream.state().calls.iter().filter(|call| **call == Call::Read).count()
}

#[test]
fn nothing_is_lost_when_nothing_came_in_time() {
    Either::each(silent, Config::new(), |role, stream, mut socket| {
        let message = [
            wire::frame(role, TEXT, "He"),
            wire::ping(role, "ping"),
            wire::frame(role, FIN | CONTINUATION, "llo"),
        ];
        for (method, message) in
            [message.concat(), message.concat(), message.concat()].into_iter().enumerate()
        {
            for piece in message.chunks(3) {
                socket.assert_pending();
                stream.arrive(piece);
            }
            let message = match method {
                0 => socket.recv().map(Poll::Ready),
                1 => socket.recv_timeout(Duration::from_secs(60)),
                _ => socket.try_recv(),
            };
            assert_eq!(message.expect("open"), Poll::Ready(Some("Hello".into())));
        }
        let pongs = wire::parse(role, &stream.take_written());
        assert_eq!(pongs, vec![Frame::new(FIN | PONG, "ping"); 3]);
    });
}

#[test]
fn a_long_message_comes_in_many_attempts() {
    Either::each(silent, Config::new(), |role, stream, mut socket| {
        let payload = wire::noise(300_000);
        for piece in wire::binary(role, &payload).chunks(50_000) {
            assert!(matches!(socket.try_recv(), Ok(Poll::Pending)));
            stream.arrive(piece);
        }
        loop {
            if let Poll::Ready(message) = socket.try_recv().expect("open") {
                assert_eq!(message, Some(payload.into()));
                break;
            }
        }
    });
}

#[test]
fn what_was_read_already_is_found_without_a_read() {
    let stream = |role| {
        let messages =
            [wire::text(role, "1"), wire::binary(role, "2"), wire::ping(role, ""), wire::text(role, "3")];
        Scripted::new(messages.concat()).without_end()
    };
    Either::each(stream, Config::new(), |_, stream, mut socket| {
        assert_eq!(socket.try_recv().expect("open"), Poll::Ready(Some("1".into())));
        assert_eq!(reads(stream), 1);
        assert_eq!(socket.try_recv().expect("open"), Poll::Ready(Some(b"2".to_vec().into())));
        assert_eq!(socket.recv_timeout(SHORT).expect("open"), Poll::Ready(Some("3".into())));
        assert_eq!(reads(stream), 1);
        // One read, and a short one.
        assert!(matches!(socket.try_recv(), Ok(Poll::Pending)));
        assert_eq!(reads(stream), 2);
        let state = stream.state();
        let last = state.calls.iter().rev().find(|call| matches!(call, Call::ReadTimeout(_)));
        assert_eq!(last, Some(&Call::ReadTimeout(Some(Duration::from_millis(1)))));
    });
}

#[test]
fn a_flood_of_what_is_no_message_does_not_put_the_limit_off() {
    type Flood = fn(Role) -> Vec<u8>;
    let floods: [Flood; 4] = [
        |role| wire::ping(role, "").repeat(100_000),
        |role| wire::pong(role, "").repeat(100_000),
        |role| [wire::frame(role, TEXT, ""), wire::frame(role, CONTINUATION, "").repeat(100_000)].concat(),
        // A message that never ends.
        |role| {
            let header = wire::header(FIN | BINARY, wire::Length::Eight(1 << 24), role.key());
            [header, vec![0; 400_000]].concat()
        },
    ];
    for flood in floods {
        let stream = move |role| {
            let stream = Scripted::new(flood(role)).without_end().with_lens(600, usize::MAX);
            stream.with_pauses(Duration::from_millis(1), Duration::ZERO)
        };
        Either::each(stream, Config::new(), |role, stream, mut socket| {
            assert!(matches!(socket.try_recv(), Ok(Poll::Pending)), "{role:?}");
            assert_eq!(reads(stream), 1);
            assert!(matches!(socket.recv_timeout(SHORT), Ok(Poll::Pending)), "{role:?}");
            assert!(reads(stream) <= 2 + SHORT.as_millis() as usize);
            assert!(matches!(socket.recv_timeout(SHORT), Ok(Poll::Pending)), "{role:?}");
        });
    }
}

/// Calls until something comes of it.
#[track_caller]
fn insist(socket: &mut Either, is_try: bool) -> Result<Option<Message>, Error> {
    for _ in 0..10_000 {
        let result = if is_try { socket.try_recv() } else { socket.recv_timeout(SHORT / 10) };
        match result? {
            Poll::Ready(message) => return Ok(message),
            Poll::Pending => {}
        }
    }
    panic!("nothing comes of it");
}

#[test]
fn deadlines_pass_however_short_the_attempts_are() {
    for is_try in [true, false] {
        let quiet = Config::new().without_keepalive();
        Either::each(silent, quiet.with_keepalive(SHORT, SHORT), |role, stream, mut socket| {
            let result = insist(&mut socket, is_try);
            assert!(matches!(result, Err(Error::TimedOut(TimedOut::Keepalive))), "{role:?}: {result:?}");
            let frames = wire::parse(role, &stream.take_written());
            assert_eq!((frames.len(), frames[0].first), (1, FIN | PING));
        });
        let deaf = |_| Scripted::new([]).without_end().with_room(10);
        Either::each(deaf, quiet.with_write_timeout(SHORT), |role, _, mut socket| {
            socket.queue(&[1; 100_000]);
            let result = insist(&mut socket, is_try);
            assert!(matches!(result, Err(Error::TimedOut(TimedOut::Write))), "{role:?}: {result:?}");
        });
        Either::each(silent, quiet.with_close_timeout(SHORT), |role, _, mut socket| {
            match &mut socket {
                Either::Whole(socket) => socket.queue_close(None),
                Either::Halves(_, writer) => writer.queue_close(None),
            }
            let result = insist(&mut socket, is_try);
            assert!(matches!(result, Err(Error::TimedOut(TimedOut::Close))), "{role:?}: {result:?}");
        });
    }
}

#[test]
fn a_peer_that_answers_pings_is_kept_by_short_attempts() {
    let stream = |role| {
        let mut pings = 0;
        Scripted::new([]).without_end().with_peer(move |written| {
            pings += 1;
            let pong = wire::pong(role, wire::parse(role, written).remove(0).payload);
            if pings < 4 { pong } else { [pong, wire::text(role, "four pings")].concat() }
        })
    };
    let config = Config::new().with_keepalive(SHORT, Duration::from_secs(60));
    Either::each(stream, config, |_, _, mut socket| {
        assert_eq!(insist(&mut socket, true).expect("open"), Some("four pings".into()));
    });
}

#[test]
fn the_end_and_errors_come_through_and_stay() {
    let stream = |role| Scripted::new(wire::close(role, 1000, ""));
    Either::each(stream, Config::new(), |_, _, mut socket| {
        for _ in 0..2 {
            assert_eq!(insist(&mut socket, true).expect("an orderly end"), None);
            assert_eq!(insist(&mut socket, false).expect("an orderly end"), None);
            assert_eq!(socket.recv().expect("an orderly end"), None);
        }
    });
    let stream = |_| Scripted::new([]);
    Either::each(stream, Config::new(), |_, _, mut socket| {
        for _ in 0..2 {
            for result in [insist(&mut socket, true), insist(&mut socket, false), socket.recv()] {
                assert!(matches!(result, Err(Error::Protocol(ProtocolError::UnexpectedEof))));
            }
        }
    });
    let stream =
        |role| Scripted::new([wire::text(role, "one"), wire::frame(role, FIN | TEXT, [0xFF])].concat());
    Either::each(stream, Config::new(), |role, stream, mut socket| {
        assert_eq!(insist(&mut socket, true).expect("open"), Some("one".into()));
        for _ in 0..2 {
            for result in [insist(&mut socket, true), insist(&mut socket, false), socket.recv()] {
                assert!(matches!(result, Err(Error::Protocol(ProtocolError::InvalidUtf8))));
            }
        }
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 1, "the peer has been told");
    });
    let kind = std::io::ErrorKind::ConnectionReset;
    let stream = |_| Scripted::new([]).without_end().with_fault(1, Fault::Error(kind));
    Either::each(stream, Config::new(), |_, _, mut socket| {
        for _ in 0..2 {
            for result in [insist(&mut socket, true), insist(&mut socket, false), socket.recv()] {
                assert!(matches!(result, Err(Error::Io(error)) if error.kind() == kind));
            }
        }
    });
}

#[test]
fn messages_in_parts_are_refused_and_their_parts_are_events() {
    let stream =
        |role| Scripted::new([wire::text(role, "one"), wire::text(role, "two")].concat()).without_end();
    Either::each(stream, Config::new().with_parts(true), |_, _, mut socket| {
        let result = socket.try_recv();
        assert!(
            matches!(&result, Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::Unsupported),
            "{result:?}"
        );
        let event = match &mut socket {
            Either::Whole(socket) => socket.recv_ref().expect("open").map(|(event, _)| event),
            Either::Halves(reader, _) => reader.recv_ref().expect("open"),
        };
        assert!(matches!(event, Some(Event::TextPart(_))), "{event:?}");
    });
}

#[test]
fn an_attempt_without_an_end_is_a_recv() {
    let stream = |role| Scripted::new(wire::text(role, "Hello")).without_end();
    Either::each(stream, Config::new(), |_, _, mut socket| {
        assert_eq!(socket.recv_timeout(Duration::MAX).expect("open"), Poll::Ready(Some("Hello".into())));
    });
}

#[test]
fn what_is_queued_leaves_with_an_attempt() {
    Either::each(silent, Config::new(), |role, stream, mut socket| {
        socket.queue(&[1; 10]);
        assert!(matches!(socket.try_recv(), Ok(Poll::Pending)));
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 1);
    });
}
