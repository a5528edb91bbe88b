//! The connection's clock: when it begins, what it measures, and that deadlines survive a change of hands.

use std::thread;
use std::time::{Duration, Instant};

use tidewire::blocking::WebSocket;
use tidewire::{CloseCode, Config, Connection, Error, Event, Input, TimedOut, Timestamp};

use crate::pairs::{ends, open};
use support::blocking_stream::{Call, Scripted, wait_until};
use support::wire::{self, FIN, PING, Role};

const SHORT: Duration = Duration::from_millis(40);
const LONG: Duration = Duration::from_secs(3600);

fn read_timeouts(calls: &[Call]) -> Vec<Duration> {
    let timeout = |call: &Call| if let Call::ReadTimeout(timeout) = call { *timeout } else { None };
    calls.iter().filter_map(timeout).collect()
}

/// How long each read may have lasted.
fn waits(stream: &Scripted) -> Vec<Duration> {
    let mut last = Duration::MAX;
    let mut waits = Vec::new();
    for call in &stream.state().calls {
        match call {
            Call::ReadTimeout(timeout) => last = timeout.unwrap_or(Duration::MAX),
            Call::Read => waits.push(last),
            _ => {}
        }
    }
    waits
}

#[test]
fn a_client_waits_at_most_two_seconds_for_the_end_of_the_transport() {
    let limit = Duration::from_secs(2);
    let short = Duration::from_millis(500);
    for (config, limit) in [(Config::new(), limit), (Config::new().with_close_timeout(short), short)] {
        for is_ours in [false, true] {
            for halves in [false, true] {
                ends(move || {
                    let role = Role::Client;
                    let stream = Scripted::new(wire::close(role, 1000, "")).without_end();
                    let mut socket = open(stream.clone(), role, config);
                    if is_ours {
                        socket.queue_close(CloseCode::NORMAL);
                    }
                    let closing = thread::spawn(move || {
                        if halves {
                            let (mut reader, _writer) = socket.split();
                            reader.recv().map(drop)
                        } else {
                            socket.close(None)
                        }
                    });
                    // The first read brings the Close frame, and the next one waits for the end.
                    wait_until(|| waits(&stream).len() > 1);
                    let waits = waits(&stream);
                    assert!(waits[1..].iter().all(|wait| *wait <= limit), "{waits:?}");
                    stream.end();
                    closing.join().expect("no panic").expect("an orderly end");
                });
            }
        }
    }
}

/// Answers a ping at once.
fn answering(role: Role) -> Scripted {
    let mut written = Vec::new();
    let mut is_answered = false;
    Scripted::new([]).without_end().with_peer(move |bytes| {
        written.extend_from_slice(bytes);
        let len = if role == Role::Client { 6 + 4 } else { 2 + 4 };
        if is_answered || written.len() < len {
            return Vec::new();
        }
        is_answered = true;
        let ping = wire::parse(role, &written[..len]).remove(0);
        assert_eq!((ping.first, &ping.payload[..]), (FIN | PING, &b"ping"[..]));
        wire::pong(role, ping.payload)
    })
}

#[test]
fn a_round_trip_begins_when_the_ping_is_written() {
    for role in Role::BOTH {
        let stream = answering(role).with_room(0);
        stream.arrive(&wire::text(role, "Hello"));
        let mut socket = open(stream.clone(), role, Config::new());
        let (_, mut queue) = socket.recv_ref().expect("open").expect("open");
        queue.ping(b"ping").expect("open");
        // It finds no room for some time.
        assert!(socket.recv_timeout(SHORT).is_ok_and(|polled| polled.is_pending()));
        let before = Instant::now();
        stream.give_room(usize::MAX);
        assert!(matches!(socket.recv_ref(), Ok(Some((Event::Pong(b"ping"), _)))));
        let time = socket.round_trip_time().expect("a pong");
        assert!(time <= before.elapsed(), "{role:?}: {time:?}");
    }
}

#[test]
fn a_round_trip_of_a_writer_begins_when_the_ping_is_written() {
    for role in Role::BOTH {
        ends(move || {
            let stream = answering(role).with_room(0);
            let (mut reader, writer) = open(stream.clone(), role, Config::new()).split();
            let pinging = thread::spawn(move || writer.ping(b"ping"));
            wait_until(|| stream.state().calls.contains(&Call::Write));
            thread::sleep(SHORT);
            let reading = thread::spawn(move || {
                assert!(matches!(reader.recv_ref(), Ok(Some(Event::Pong(b"ping")))));
                reader
            });
            let before = Instant::now();
            stream.give_room(usize::MAX);
            let reader = reading.join().expect("no panic");
            pinging.join().expect("no panic").expect("open");
            // The write may have begun long before it found room, and ended only when the pong had arrived.
            if let Some(time) = reader.round_trip_time() {
                assert!(time <= before.elapsed() + SHORT * 2, "{role:?}: {time:?}");
            }
        });
    }
}

#[test]
fn a_pong_that_comes_while_the_write_of_its_ping_goes_on_ends_the_round_trip() {
    for role in Role::BOTH {
        ends(move || {
            let stream = answering(role).with_kernel(1000, 100_000);
            stream.arrive(&wire::text(role, "Hello"));
            let mut socket = open(stream.clone(), role, Config::new());
            let (_, mut queue) = socket.recv_ref().expect("open").expect("open");
            queue.ping(b"ping").expect("open");
            queue.queue(vec![1; 50_000]).expect("open");
            let (mut reader, writer) = socket.split();
            let flushing = thread::spawn(move || {
                writer.flush().expect("the peer reads");
                writer
            });
            wait_until(|| !stream.state().written.is_empty());
            assert!(matches!(reader.recv_ref(), Ok(Some(Event::Pong(b"ping")))));
            assert!(reader.round_trip_time().is_some(), "{role:?}");
            flushing.join().expect("no panic");
            assert!(reader.round_trip_time().is_some(), "{role:?}");
        });
    }
}

/// A moment of another clock, 31 years after it began.
const FAR: Timestamp = Timestamp::from_micros(1_000_000_000_000_000);

/// A connection that has been in other hands until then.
fn used(role: Role, config: Config, use_it: fn(&mut Connection)) -> Connection {
    let mut connection = role.connection(config);
    use_it(&mut connection);
    connection.poll_timeout(FAR);
    connection
}

#[test]
fn deadlines_of_another_clock_still_pass() {
    type Use = fn(&mut Connection);
    let unlimited = Config::new().with_write_timeout(None).with_close_timeout(None);
    let unlimited = unlimited.without_keepalive();
    let cases: [(TimedOut, Config, Use); 3] = [
        (TimedOut::Keepalive, unlimited.with_keepalive(SHORT, SHORT), |_| ()),
        (TimedOut::Write, unlimited.with_write_timeout(SHORT), |connection| {
            connection.send(vec![1; 1000]).expect("open");
        }),
        (TimedOut::Close, unlimited.with_close_timeout(SHORT), |connection| {
            connection.close(CloseCode::NORMAL);
            let len = connection.output().len();
            connection.output().advance(len);
        }),
    ];
    for role in Role::BOTH {
        for (expected, config, use_it) in cases {
            for halves in [false, true] {
                ends(move || {
                    let stream = Scripted::new([]).without_end();
                    let stream = if expected == TimedOut::Write { stream.with_room(0) } else { stream };
                    let connection = used(role, config, use_it);
                    let mut socket = WebSocket::from_parts(stream, connection, Input::new());
                    let result = if halves {
                        let (mut reader, _writer) = socket.split();
                        reader.recv()
                    } else {
                        socket.recv()
                    };
                    assert!(
                        matches!(result, Err(Error::TimedOut(timed_out)) if timed_out == expected),
                        "{role:?}, {expected:?}: {result:?}"
                    );
                });
            }
        }
    }
}

#[test]
fn deadlines_stand_where_they_were_after_a_change_of_hands() {
    type Use = fn(&mut WebSocket<Scripted>);
    let unlimited = Config::new().with_write_timeout(None).with_close_timeout(None);
    let unlimited = unlimited.without_keepalive();
    let cases: [(Config, usize, Use); 3] = [
        (unlimited.with_keepalive(LONG, LONG), usize::MAX, |_| ()),
        (unlimited.with_write_timeout(LONG), 0, |socket| socket.queue("unread").expect("open")),
        (unlimited.with_close_timeout(LONG), usize::MAX, |socket| socket.queue_close(CloseCode::NORMAL)),
    ];
    for role in Role::BOTH {
        for (config, room, use_it) in cases {
            let stream = Scripted::new([]).without_end().with_room(room);
            let mut socket = open(stream, role, config);
            use_it(&mut socket);
            let mut deadline = None;
            for hand in 0..4 {
                assert!(socket.recv_timeout(SHORT / 4).is_ok_and(|polled| polled.is_pending()));
                let (stream, mut connection, input) = socket.into_parts();
                // A deadline that is set already does not begin anew, whatever the time is said to be.
                let found = connection.poll_timeout(Timestamp::default()).expect("armed");
                assert_eq!(*deadline.get_or_insert(found), found, "{role:?}, {hand}");
                socket = WebSocket::from_parts(stream, connection, input);
                if hand == 1 {
                    let (reader, writer) = socket.split();
                    socket = reader.reunite(writer).expect("of one connection");
                }
            }
        }
    }
}

#[test]
fn the_time_goes_on_after_a_change_of_hands() {
    let interval = Duration::from_millis(400);
    for role in Role::BOTH {
        let stream = Scripted::new([]).without_end();
        let config = Config::new().with_keepalive(interval, LONG);
        let mut socket = open(stream.clone(), role, config);
        // Half of the interval passes, in parts.
        for _ in 0..4 {
            assert!(socket.try_recv().is_ok_and(|polled| polled.is_pending()));
            // Also while nobody asks.
            thread::sleep(interval / 8);
            let (stream, connection, input) = socket.into_parts();
            socket = WebSocket::from_parts(stream, connection, input);
        }
        stream.state().calls.clear();
        assert!(socket.recv_timeout(LONG / 3600 / 4).is_ok_and(|polled| polled.is_pending()));
        let timeouts = read_timeouts(&stream.state().calls);
        assert!(timeouts[0] <= interval / 2, "{role:?}: {timeouts:?}");
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 1, "a ping");
    }
}

#[test]
fn no_progress_at_all_means_one_byte() {
    for role in Role::BOTH {
        let config = Config::new().with_min_progress(0);
        assert_eq!(config.min_progress(), 1);
        // A peer that is silent is given up.
        let stream = Scripted::new([]).without_end();
        let mut socket = open(stream, role, config.with_keepalive(SHORT, SHORT));
        assert!(matches!(socket.recv(), Err(Error::TimedOut(TimedOut::Keepalive))));
        // And one that does not read, by both halves and by the whole.
        let config = config.with_write_timeout(SHORT);
        let stream = Scripted::new([]).without_end().with_room(0);
        assert!(matches!(
            open(stream.clone(), role, config).send("unread"),
            Err(Error::TimedOut(TimedOut::Write))
        ));
        let (_reader, writer) = open(stream, role, config).split();
        assert!(matches!(writer.send("unread"), Err(Error::TimedOut(TimedOut::Write))));
        // A byte now and then is enough.
        let config = config.with_write_timeout(SHORT * 5);
        let stream = Scripted::new([]).without_end().with_lens(1, 1).with_pauses(Duration::ZERO, SHORT / 4);
        open(stream, role, config).send(vec![1; 40]).expect("the peer reads");
    }
}

#[test]
fn a_reader_without_a_close_timeout_looks_after_the_write_timeout() {
    for role in Role::BOTH {
        ends(move || {
            let stream = Scripted::new([]).without_end().with_room(0);
            let config = Config::new().without_keepalive().with_close_timeout(None);
            let (mut reader, writer) = open(stream.clone(), role, config.with_write_timeout(SHORT)).split();
            let reading = thread::spawn(move || reader.recv());
            // It waits, and nothing is owed.
            wait_until(|| stream.state().calls.contains(&Call::Read));
            assert!(matches!(writer.send("unread"), Err(Error::TimedOut(TimedOut::Write))));
            let result = reading.join().expect("no panic");
            assert!(matches!(result, Err(Error::TimedOut(TimedOut::Write))), "{role:?}: {result:?}");
        });
    }
}
