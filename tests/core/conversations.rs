//! A client and a server that talk to each other agree on everything.

use tidewire::{CloseCode, CloseFrame, Config, Party, ProtocolError, SendError, State, TimedOut};

use crate::link::{Cut, Pair};
use support::chunked::Seen;
use support::clock::secs;
use support::wire;

const CUTS: [Cut; 4] = [Cut::Whole, Cut::ByteByByte, Cut::Random(1), Cut::Random(2)];

#[test]
fn messages_both_ways_arrive_in_order() -> Result<(), SendError> {
    for cut in CUTS {
        let mut pair = Pair::new(Config::new(), cut);
        let mut expected = Vec::new();
        for len in [0, 1, 125, 126, 5000, 20_000] {
            for side in pair.sides() {
                side.connection.send("t".repeat(len))?;
                side.connection.send(wire::noise(len))?;
                side.connection.send_fragment(&wire::noise(len), false)?;
                side.connection.send_fragment(&wire::noise(len), true)?;
            }
            expected.push(Seen::Text("t".repeat(len)));
            expected.push(Seen::Binary(wire::noise(len)));
            expected.push(Seen::Binary(wire::noise(len).repeat(2)));
        }
        pair.drive();
        for side in pair.sides() {
            assert!(side.events == expected, "{cut:?}");
            assert_eq!((side.error, side.connection.state()), (None, State::Open));
        }
    }
    Ok(())
}

#[test]
fn either_side_closes_and_both_know_how() {
    for cut in CUTS {
        for client_closes in [true, false] {
            let mut pair = Pair::new(Config::new(), cut);
            pair.client.connection.send("last").expect("room");
            pair.server.connection.send("last").expect("room");
            let [client, server] = pair.sides();
            let (first, second) = if client_closes { (client, server) } else { (server, client) };
            first.connection.close(CloseFrame::new(CloseCode::GOING_AWAY, "bye"));
            let _ = second.connection.send("crossing");
            pair.drive();
            assert!(pair.is_over(), "without any deadline");
            let [client, server] = pair.sides();
            let (first, second) = if client_closes { (client, server) } else { (server, client) };
            assert_eq!(first.events[1], Seen::text("crossing"));
            for (side, initiator) in [(first, Party::Local), (second, Party::Peer)] {
                assert_eq!(side.events.last(), Some(&Seen::close(1001, "bye")));
                assert_eq!((side.error, side.timed_out), (None, None));
                let closure = side.connection.ending().expect("closed");
                assert_eq!(
                    (closure.initiator(), closure.code(), closure.is_clean()),
                    (initiator, 1001, true)
                );
            }
        }
    }
}

#[test]
fn both_sides_close_at_once() {
    for cut in CUTS {
        let mut pair = Pair::new(Config::new(), cut);
        pair.client.connection.close(CloseCode::NORMAL);
        pair.server.connection.close(CloseCode::GOING_AWAY);
        pair.drive();
        assert!(pair.is_over());
        for (side, code) in pair.sides().into_iter().zip([1001, 1000]) {
            assert_eq!(side.events, [Seen::close(code, "")]);
            let closure = side.connection.ending().expect("closed");
            assert_eq!((closure.initiator(), closure.code(), closure.is_clean()), (Party::Local, code, true));
        }
    }
}

#[test]
fn a_side_that_breaks_a_limit_learns_why() {
    for cut in CUTS {
        let mut pair = Pair::new(Config::new().with_max_message_len(100), cut);
        pair.client.connection.send_fragment(b"start", false).expect("room");
        // More than the limit, and then more than the peer will ever look at.
        for _ in 0..5 {
            pair.client.connection.send_fragment(&[0; 5000], false).expect("room");
        }
        pair.drive();
        assert_eq!(pair.server.error, Some(ProtocolError::MessageTooLong { len: 5005, max: 100 }));
        assert_eq!(
            pair.client.events,
            [Seen::close(1009, "message longer than the limit of 100 bytes: it has at least 5005")]
        );
        assert!(pair.client.connection.ending().expect("closed").is_clean());
        assert!(pair.is_over(), "{cut:?}");
    }
}

#[test]
fn keepalive_keeps_an_idle_pair_alive_and_measures_it() {
    for cut in [Cut::Whole, Cut::Random(3)] {
        let mut pair = Pair::new(Config::new().with_keepalive(secs(20), secs(5)), cut);
        for _ in 0..40 {
            assert!(pair.tick());
        }
        // Half of the ticks end a wait for life, and both sides are in step.
        assert_eq!(pair.now.duration_since(tidewire::Timestamp::from_micros(0)), secs(405));
        for side in pair.sides() {
            assert_eq!(side.connection.state(), State::Open);
            assert!(side.events.len() >= 38);
            assert!(side.connection.round_trip_time().is_some());
        }
    }
}

#[test]
fn a_peer_that_stops_reading_is_given_up() {
    for cut in [Cut::Whole, Cut::Random(4)] {
        let config = Config::new().with_keepalive(secs(20), secs(5)).with_write_timeout(secs(3));
        let mut pair = Pair::new(config, cut);
        pair.client.reads = false;
        pair.server.connection.send("unread").expect("room");
        while pair.server.timed_out.is_none() {
            assert!(pair.tick());
        }
        assert_eq!(pair.server.timed_out, Some(TimedOut::Write));
        assert_eq!(pair.now.duration_since(tidewire::Timestamp::from_micros(0)), secs(3));
    }
}

#[test]
fn a_peer_that_never_answers_a_close_frame_is_given_up() {
    let mut pair = Pair::new(Config::new(), Cut::Whole);
    pair.server.connection.close(CloseCode::NORMAL);
    // The frame is on its way, and nobody reads it.
    assert!(pair.step());
    let mut server = Pair::new(Config::new(), Cut::Whole).server;
    core::mem::swap(&mut server, &mut pair.server);
    let start = pair.now;
    let deadline = server.connection.poll_timeout(start).expect("a deadline");
    assert_eq!(deadline.duration_since(start), secs(10));
    assert_eq!(server.connection.handle_timeout(deadline), Err(TimedOut::Close));
}

#[test]
fn every_deadline_ends_a_pair_that_was_abandoned() {
    for closes in [true, false] {
        let config = Config::new();
        let mut pair = Pair::new(config, Cut::Whole);
        (pair.client.reads, pair.server.reads) = (false, false);
        if closes {
            pair.client.connection.close(None);
        }
        let mut ticks = 0;
        while pair.tick() {
            ticks += 1;
            assert!(ticks < 100, "deadlines without an end");
        }
        assert!(pair.is_over());
        assert!(pair.now.duration_since(tidewire::Timestamp::from_micros(0)) <= secs(60));
    }
}
