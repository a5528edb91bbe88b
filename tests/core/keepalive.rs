//! A ping every interval, and a peer that shows no life after one is given up.

use core::time::Duration;

use tidewire::{Config, Input, State, TimedOut, Timestamp, TransportAction};

use support::chunked::Seen;
use support::clock::{Clocked, quiet, secs};
use support::wire::{self, BINARY, FIN, Length, Role, TEXT};

/// What the first keepalive ping carries.
const KEEPALIVE_PAYLOAD: [u8; 4] = [0; 4];

/// A ping every 10 s, with 4 s to answer.
fn config() -> Config {
    Config::new().with_keepalive(secs(10), secs(4))
}

#[test]
fn is_on_unless_it_is_turned_off() {
    for role in Role::BOTH {
        // Setting a limit turns nothing off.
        for config in [Config::new(), Config::new().with_max_message_len(1)] {
            let mut it = Clocked::new(role, config);
            assert_eq!(it.deadline(), Some(20.0));
            assert_eq!(it.at(20.0), Ok(()));
            it.write_ping();
            assert_eq!(it.at(40.0), Err(TimedOut::Keepalive));
        }
        let mut it = Clocked::new(role, quiet());
        assert_eq!(it.deadline(), None);
        assert_eq!(it.at(1e6), Ok(()));
        assert_eq!(it.write(), []);
    }
}

#[test]
fn progress_of_no_bytes_is_none() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config().with_min_progress(0));
        assert_eq!(it.at(10.0), Ok(()));
        it.write_ping();
        assert_eq!(it.at(14.0), Err(TimedOut::Keepalive));
    }
}

#[test]
fn the_round_trip_begins_when_the_ping_is_written() {
    for role in Role::BOTH {
        for is_keepalive in [false, true] {
            let config = if is_keepalive { config() } else { quiet() };
            let mut it = Clocked::new(role, config.with_write_timeout(None));
            if is_keepalive {
                it.at(10.0).expect("a ping");
            } else {
                it.at(1.0).expect("nothing");
                it.connection.ping(b"own").expect("room");
            }
            // It waits in the output, and then half of it does.
            it.at(20.0).expect("nothing");
            it.write_some(1);
            it.at(30.0).expect("nothing");
            it.write_rest();
            it.at(30.5).expect("nothing");
            let payload: &[u8] = if is_keepalive { &KEEPALIVE_PAYLOAD } else { b"own" };
            it.receive(&wire::pong(role, payload));
            assert_eq!(it.connection.round_trip_time(), Some(Duration::from_millis(500)), "{is_keepalive}");
        }
    }
}

#[test]
fn a_ping_goes_out_every_interval_while_the_peer_answers() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        let mut payloads = Vec::new();
        for round in 1..=5 {
            let due = f64::from(round) * 10.0;
            assert_eq!(it.deadline(), Some(due));
            assert_eq!(it.at(due - 0.001), Ok(()), "too early is no time at all");
            assert_eq!(it.write(), []);
            assert_eq!(it.at(due), Ok(()));
            let payload = it.write_ping();
            assert_eq!(it.deadline(), Some(due + 4.0));
            assert_eq!(it.receive(&wire::pong(role, &payload)), [Seen::pong(&payload)]);
            assert_eq!(it.at(due + 4.0), Ok(()));
            assert_eq!(it.write(), []);
            payloads.push(payload);
        }
        payloads.dedup();
        assert_eq!(payloads.len(), 5, "each ping is told from the one before");
    }
}

#[test]
fn the_interval_counts_from_ping_to_ping_also_when_the_timeout_is_longer() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, Config::new().with_keepalive(secs(5), secs(20)));
        for round in 1..=6 {
            let due = f64::from(round) * 5.0;
            assert_eq!(it.at(due), Ok(()));
            let payload = it.write_ping();
            it.receive(&wire::pong(role, payload));
        }
    }
}

#[test]
fn a_silent_peer_is_given_up_and_stays_so() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        assert_eq!(it.at(10.0), Ok(()));
        it.write_ping();
        assert_eq!(it.at(13.999), Ok(()));
        assert_eq!(it.connection.timed_out(), None);
        assert_eq!(it.at(14.0), Err(TimedOut::Keepalive));
        assert_eq!(it.connection.timed_out(), Some(TimedOut::Keepalive));
        assert_eq!(it.connection.state(), State::Closed);
        assert_eq!(it.connection.transport_action(), TransportAction::Close);
        assert_eq!(it.deadline(), None);
        let closure = it.connection.ending().expect("closed");
        assert_eq!((closure.code(), closure.is_clean()), (1006, false));
        // Too late.
        assert_eq!(it.receive(&wire::text(role, "here!")), []);
        assert_eq!(it.at(20.0), Err(TimedOut::Keepalive));
    }
}

#[test]
fn any_complete_frame_shows_life() {
    for role in Role::BOTH {
        let signs = [
            wire::text(role, "x"),
            wire::binary(role, ""),
            wire::frame(role, TEXT, "fragment"),
            wire::ping(role, ""),
            wire::pong(role, "unsolicited"),
        ];
        for sign in signs {
            let mut it = Clocked::new(role, config());
            assert_eq!(it.at(10.0), Ok(()));
            it.write();
            it.receive(&sign);
            it.write();
            assert_eq!(it.at(14.0), Ok(()));
            assert_eq!(it.deadline(), Some(20.0));
        }
    }
}

#[test]
fn a_frame_before_the_ping_shows_nothing() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        it.receive(&wire::text(role, "early"));
        assert_eq!(it.at(10.0), Ok(()));
        it.write();
        assert_eq!(it.at(14.0), Err(TimedOut::Keepalive));
    }
}

#[test]
fn progress_of_a_large_frame_shows_life_and_a_dribble_does_not() {
    for role in Role::BOTH {
        for opcode in [FIN | BINARY, FIN | TEXT] {
            for (len, alive) in [(999, false), (1000, true)] {
                let mut it = Clocked::new(role, config().with_min_progress(1000));
                it.receive(&wire::header(opcode, Length::Eight(1_000_000), role.key().map(|_| [0; 4])));
                it.receive(&[b'x'; 5000]);
                assert_eq!(it.at(10.0), Ok(()));
                it.write();
                // In pieces, or byte by byte.
                it.receive(&vec![b'x'; len / 2]);
                (0..len - len / 2).for_each(|_| drop(it.receive(b"x")));
                assert_eq!(it.at(14.0).is_ok(), alive, "{role:?}, {len}");
            }
        }
    }
}

#[test]
fn one_byte_every_second_is_no_life() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        it.receive(&wire::header(FIN | BINARY, Length::Eight(1_000_000), role.key()));
        for second in 1..14 {
            it.receive(b"x");
            assert_eq!(it.at(f64::from(second)), Ok(()));
            it.write();
        }
        assert_eq!(it.at(14.0), Err(TimedOut::Keepalive));
    }
}

#[test]
fn a_header_byte_by_byte_is_no_life() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config().with_min_progress(1));
        assert_eq!(it.at(10.0), Ok(()));
        it.write();
        it.receive(&wire::binary(role, "x")[..1]);
        assert_eq!(it.at(14.0), Err(TimedOut::Keepalive));
    }
}

#[test]
fn a_ping_that_is_due_while_the_output_is_full_is_queued_behind_it() {
    for role in Role::BOTH {
        let config = config().with_high_water_len(100).with_write_timeout(None);
        let mut it = Clocked::new(role, config);
        it.connection.send(&[0; 500]).expect("room");
        let owed = it.connection.output().len();
        assert_eq!(it.at(10.0), Ok(()));
        assert!(it.connection.output().len() > owed, "one more can never be much");
        let frames = it.write();
        assert_eq!(frames.iter().map(|frame| frame.first).collect::<Vec<_>>(), [0x82, 0x89]);
        it.receive(&wire::pong(role, &frames[1].payload));
        assert_eq!(it.at(14.0), Ok(()));
        assert_eq!(it.deadline(), Some(20.0));
    }
}

#[test]
fn the_wait_for_life_begins_when_the_ping_is_written() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config().with_write_timeout(secs(60)));
        assert_eq!(it.at(10.0), Ok(()));
        // Not yet: only the write deadline runs.
        assert_eq!(it.deadline(), Some(70.0));
        assert_eq!(it.at(30.0), Ok(()));
        it.write_ping();
        assert_eq!(it.deadline(), Some(34.0));
        assert_eq!(it.at(34.0), Err(TimedOut::Keepalive));
    }
}

#[test]
fn the_wait_for_life_begins_with_the_last_byte_of_the_ping_whatever_is_behind_it() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config().with_write_timeout(None));
        it.connection.send("before").expect("room");
        let before = it.connection.output().len();
        assert_eq!(it.at(10.0), Ok(()));
        let ping = it.connection.output().len() - before;
        it.connection.send("behind").expect("room");
        it.write_some(before + ping - 1);
        assert_eq!(it.deadline(), None, "half a ping has no answer");
        it.at(11.0).expect("nothing");
        it.write_some(1);
        assert_eq!(it.deadline(), Some(15.0));
        assert_eq!(it.at(15.0), Err(TimedOut::Keepalive));
    }
}

#[test]
fn life_that_was_not_looked_at_still_counts() {
    for role in Role::BOTH {
        let at = |secs| Timestamp::from(Duration::from_secs(secs));
        // With the timeout shorter than the interval, the next ping is not due yet; else it goes out at once.
        for (timeout, pings) in [(4, 0), (10, 1)] {
            let config = Config::new().with_keepalive(secs(10), secs(timeout)).with_min_progress(1000);
            for alive in [999, 1000] {
                let (mut connection, mut input) = (role.connection(config), Input::new());
                let header = wire::header(FIN | BINARY, Length::Eight(1_000_000), role.key());
                input.extend_from_slice(&header);
                assert!(matches!(connection.receive(&mut input), Ok(None)));
                assert_eq!(connection.poll_timeout(at(0)), Some(at(10)));
                assert_eq!(connection.handle_timeout(at(10)), Ok(()));
                let ping = connection.output().len();
                connection.output().advance(ping);
                assert_eq!(connection.poll_timeout(at(10)), Some(at(10 + timeout)));
                input.extend_from_slice(&vec![0; alive]);
                assert!(matches!(connection.receive(&mut input), Ok(None)));
                let expected = if alive < 1000 { Err(TimedOut::Keepalive) } else { Ok(()) };
                assert_eq!(connection.handle_timeout(at(10 + timeout)), expected);
                let owed = if alive < 1000 { 0 } else { pings * ping };
                assert_eq!(connection.output().len(), owed, "{role:?}, {timeout}, {alive}");
            }
        }
    }
}

#[test]
fn a_ping_that_is_owed_does_not_follow_our_close_frame() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config().with_high_water_len(100));
        it.connection.send(&[0; 500]).expect("room");
        assert_eq!(it.at(10.0), Ok(()));
        it.connection.close(None);
        let frames = it.write();
        assert_eq!(frames.iter().map(|frame| frame.first).collect::<Vec<_>>(), [0x82, 0x89, 0x88]);
    }
}

#[test]
fn ends_with_the_open_state() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config().with_close_timeout(secs(100)));
        it.connection.close(None);
        it.write();
        assert_eq!(it.deadline(), Some(100.0));
        assert_eq!(it.at(50.0), Ok(()));
        assert_eq!(it.write(), []);
    }
}

#[test]
fn a_late_clock_sends_one_ping_and_not_all_that_were_missed() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        assert_eq!(it.at(1000.0), Ok(()));
        it.write_ping();
        assert_eq!(it.deadline(), Some(1004.0));
    }
}

#[test]
fn a_pong_that_comes_before_its_ping_has_left_ends_nothing() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        it.connection.ping(b"own").expect("room");
        it.receive(&wire::pong(role, "own"));
        assert_eq!(it.connection.round_trip_time(), None);
        it.write();
        it.at(1.0).expect("early");
        it.receive(&wire::pong(role, "own"));
        assert_eq!(it.connection.round_trip_time(), Some(Duration::from_secs(1)));
    }
}

#[test]
fn the_round_trip_is_measured_from_ping_to_pong() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        assert_eq!(it.connection.round_trip_time(), None);
        it.connection.ping(b"own").expect("room");
        it.write();
        // A pong for something else ends nothing.
        it.at(1.0).expect("early");
        it.receive(&wire::pong(role, "other"));
        assert_eq!(it.connection.round_trip_time(), None);
        it.at(1.5).expect("early");
        it.receive(&wire::pong(role, "own"));
        assert_eq!(it.connection.round_trip_time(), Some(Duration::from_millis(1500)));
        // Nor does one that differs in a few bits.
        it.connection.ping(&[1]).expect("room");
        it.write();
        for other in [[0], [4], [0x81]] {
            it.at(2.0).expect("early");
            it.receive(&wire::pong(role, other));
            assert_eq!(it.connection.round_trip_time(), Some(Duration::from_millis(1500)));
        }
        // Keepalive pings are measured too.
        it.at(10.0).expect("a ping");
        let payload = it.write_ping();
        it.at(10.25).expect("early");
        it.receive(&wire::pong(role, &payload));
        assert_eq!(it.connection.round_trip_time(), Some(Duration::from_millis(250)));
        // A duplicate does not change that.
        it.at(11.0).expect("early");
        it.receive(&wire::pong(role, &payload));
        assert_eq!(it.connection.round_trip_time(), Some(Duration::from_millis(250)));
    }
}
