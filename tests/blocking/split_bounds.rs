//! What the halves hold is bounded, also while a write is under way.

use std::thread;
use std::time::Duration;

use tidewire::{Config, Error, Event, TimedOut};

use crate::pairs::{ends, open};
use support::blocking_stream::{Call, Scripted, wait_until};
use support::wire::{self, BINARY, FIN, Role};

/// A pong with 125 bytes, as `role` sends it.
fn pong_len(role: Role) -> usize {
    2 + 125 + if role == Role::Client { 4 } else { 0 }
}

#[test]
fn a_ping_flood_during_short_writes_is_bounded_by_the_high_water_mark() {
    const PINGS: usize = 20_000;
    const HIGH_WATER: usize = 64 << 10;

    fn test(role: Role) {
        let pings = wire::ping(role, [b'p'; 125]).repeat(PINGS);
        // The peer reads ten bytes now and then, and never stops pinging.
        let stream = Scripted::new(pings).without_end().with_lens(usize::MAX, 10);
        let stream = stream.with_pauses(Duration::ZERO, Duration::from_millis(1));
        let config = Config::new().with_close_timeout(Duration::from_millis(20));
        let (mut reader, writer) = open(stream.clone(), role, config).split();
        let sending = thread::spawn(move || {
            writer.send(&[1; 100_000]).expect("open");
            writer.flush().expect("open");
        });
        wait_until(|| !stream.state().written.is_empty());
        for _ in 0..PINGS {
            assert!(matches!(reader.recv_ref(), Ok(Some(Event::Ping(_)))));
        }
        // Now the peer reads all that has come together.
        let stream = stream.with_lens(usize::MAX, usize::MAX);
        sending.join().expect("no panic");
        let frames = wire::parse(role, &stream.take_written());
        assert_eq!(frames[0].first, FIN | BINARY);
        let pongs = frames.len() - 1;
        assert!(pongs > 0, "the newest at least");
        assert!(pongs * pong_len(role) <= 2 * HIGH_WATER, "{pongs} pongs");
    }
    ends(|| Role::BOTH.into_iter().for_each(test));
}

#[test]
fn a_writer_whose_peer_takes_nothing_gives_up_without_a_reader() {
    let short = Duration::from_millis(20);
    let stream = Scripted::new([]).without_end().with_room(0);
    let config = Config::new().with_write_timeout(short);
    let (_reader, writer) = open(stream.clone(), Role::Server, config).split();
    let result = writer.send("unread");
    assert!(matches!(result, Err(Error::TimedOut(TimedOut::Write))), "{result:?}");
    // It looks up several times meanwhile, and never waits longer.
    let timeouts: Vec<_> = stream.state().calls.iter().filter_map(Call::write_timeout).collect();
    assert!(!timeouts.is_empty() && timeouts.iter().all(|timeout| *timeout <= short / 4), "{timeouts:?}");
}

#[test]
fn a_reader_looks_up_once_per_close_timeout() {
    let close_timeout = Duration::from_secs(7);
    let stream = Scripted::new(wire::text(Role::Server, "Hello")).without_end();
    let config = Config::new().with_close_timeout(close_timeout);
    let (mut reader, _writer) = open(stream.clone(), Role::Server, config).split();
    assert!(matches!(reader.recv_ref(), Ok(Some(Event::Text(_)))));
    let is_short =
        |call: &Call| matches!(call, Call::ReadTimeout(Some(timeout)) if *timeout <= close_timeout);
    assert!(stream.state().calls.iter().any(is_short));
}
