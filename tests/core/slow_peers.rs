//! A peer that does not read, does not answer a Close frame or does not end the transport is not waited for for ever.

use core::time::Duration;

use tidewire::{
    CloseCode, Config, Input, ProtocolError, SendError, State, TimedOut, Timestamp, TransportAction,
};

use support::clock::{Clocked, quiet, secs};
use support::wire::{self, FIN, Role, TEXT};

/// 30 s to write, 10 s to close: the defaults, spelled out, without keepalive.
fn config() -> Config {
    quiet().with_write_timeout(secs(30)).with_close_timeout(secs(10))
}

#[test]
fn output_that_the_transport_accepts_none_of_times_out() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        assert_eq!(it.at(100.0), Ok(()), "nothing is owed");
        it.connection.send("unread").expect("room");
        assert_eq!(it.deadline(), Some(130.0));
        assert_eq!(it.at(129.9), Ok(()));
        assert_eq!(it.at(130.0), Err(TimedOut::Write));
        assert_eq!(
            (it.connection.state(), it.connection.transport_action()),
            (State::Closed, TransportAction::Close)
        );
        assert_eq!(it.connection.timed_out(), Some(TimedOut::Write));
        assert_eq!(it.deadline(), None);
    }
}

#[test]
fn a_peer_that_reads_starts_the_wait_anew() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config().with_min_progress(10));
        it.connection.send(&[0; 1000]).expect("room");
        for step in 0..10 {
            let now = f64::from(step) * 20.0;
            assert_eq!(it.at(now), Ok(()));
            it.write_some(10);
            assert_eq!(it.deadline(), Some(now + 30.0));
        }
        it.write_rest();
        assert_eq!(it.deadline(), None);
        assert_eq!(it.at(1000.0), Ok(()));
    }
}

#[test]
fn a_pong_that_is_held_back_is_owed() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config().with_high_water_len(100));
        it.connection.send(&[0; 500]).expect("room");
        it.receive(&wire::ping(role, "held back"));
        it.at(5.0).expect("nothing");
        it.write_rest();
        // Nobody has looked at the output since.
        assert_eq!(it.deadline(), Some(35.0));
        assert_eq!(it.at(35.0), Err(TimedOut::Write));
    }
}

#[test]
fn a_pong_that_is_not_owed_any_more_stalls_nothing() {
    for role in Role::BOTH {
        let at = |secs| Timestamp::from(Duration::from_secs(secs));
        let config = config().with_high_water_len(0).with_close_timeout(None);
        let (mut connection, mut input) = (role.connection(config), Input::new());
        connection.close(None);
        let close = connection.output().len();
        connection.output().advance(close);
        input.extend_from_slice(&wire::ping(role, "held back"));
        assert!(matches!(connection.receive(&mut input), Ok(Some(_))));
        assert_eq!(connection.poll_timeout(at(0)), Some(at(30)));
        // RFC 6455 5.5.2: after the peer's Close frame no ping is answered.
        input.extend_from_slice(&wire::close(role, 1000, ""));
        assert!(matches!(connection.receive(&mut input), Ok(Some(_))));
        assert_eq!(connection.handle_timeout(at(30)), Ok(()));
        assert_eq!(connection.timed_out(), None);
    }
}

#[test]
fn a_peer_that_reads_a_byte_now_and_then_times_out() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config().with_min_progress(10));
        it.connection.send(&[0; 1000]).expect("room");
        for second in 0..9 {
            assert_eq!(it.at(f64::from(second)), Ok(()));
            it.write_some(1);
            assert_eq!(it.deadline(), Some(30.0));
        }
        assert_eq!(it.at(30.0), Err(TimedOut::Write));
    }
}

#[test]
fn the_last_bytes_are_enough_however_few() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        it.connection.send("end").expect("room");
        assert_eq!(it.deadline(), Some(30.0));
        assert_eq!(it.at(29.0), Ok(()));
        it.write_rest();
        it.connection.send("more").expect("room");
        assert_eq!(it.deadline(), Some(59.0));
    }
}

#[test]
fn more_to_send_does_not_prolong_the_wait() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        for second in 0..30 {
            it.connection.send("more").expect("room");
            assert_eq!(it.at(f64::from(second)), Ok(()));
        }
        assert_eq!(it.at(30.0), Err(TimedOut::Write));
    }
}

#[test]
fn progress_that_was_not_looked_at_still_counts() {
    for role in Role::BOTH {
        let at = |secs| Timestamp::from(Duration::from_secs(secs));
        let mut connection = role.connection(config());
        connection.send(&[0; 2000]).expect("room");
        assert_eq!(connection.poll_timeout(at(0)), Some(at(30)));
        connection.output().advance(1024);
        assert_eq!(connection.handle_timeout(at(30)), Ok(()));
        assert_eq!(connection.poll_timeout(at(30)), Some(at(60)));
    }
}

#[test]
fn progress_still_counts_after_a_release() {
    for role in Role::BOTH {
        let at = |secs| Timestamp::from(Duration::from_secs(secs));
        let mut connection = role.connection(config());
        connection.send(&[0; 1000]).expect("room");
        assert_eq!(connection.poll_timeout(at(0)), Some(at(30)));
        let all = connection.output().len();
        connection.output().advance(all);
        connection.release();
        connection.send(&[0; 1000]).expect("room");
        assert_eq!(connection.poll_timeout(at(10)), Some(at(40)));
    }
}

#[test]
fn a_close_frame_that_is_never_answered_times_out() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        it.at(5.0).expect("nothing");
        it.connection.close(CloseCode::NORMAL);
        // The peer cannot answer what is not written: only the write deadline runs.
        assert_eq!(it.deadline(), Some(35.0));
        it.at(7.0).expect("nothing");
        it.write();
        assert_eq!(it.deadline(), Some(17.0));
        // Neither messages nor pings make it longer.
        it.at(16.0).expect("nothing");
        it.receive(&[wire::text(role, "late"), wire::ping(role, "")].concat());
        it.write();
        assert_eq!(it.deadline(), Some(17.0));
        assert_eq!(it.at(17.0), Err(TimedOut::Close));
        assert_eq!(it.connection.transport_action(), TransportAction::Close);
        let closure = it.connection.ending().expect("closed");
        assert_eq!((closure.code(), closure.is_clean()), (1006, false));
        assert_eq!(closure.sent(), Some(CloseCode::NORMAL));
    }
}

#[test]
fn after_the_closing_handshake_the_transport_is_closed_without_an_error() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        it.receive(&wire::close(role, 1000, ""));
        it.write();
        let action =
            if role == Role::Server { TransportAction::ShutdownWrite } else { TransportAction::AwaitEof };
        assert_eq!(it.connection.transport_action(), action);
        // The server, which reads until the client has ended its side, waits longer.
        let timeout = if role == Role::Server { 10.0 } else { 2.0 };
        assert_eq!(it.deadline(), Some(timeout));
        assert_eq!(it.at(timeout - 0.1), Ok(()));
        assert_eq!(it.connection.transport_action(), action);
        assert_eq!(it.at(timeout), Ok(()));
        assert_eq!((it.connection.transport_action(), it.deadline()), (TransportAction::Close, None));
        assert_eq!(it.connection.timed_out(), None);
        assert!(it.connection.ending().expect("closed").is_clean());
    }
}

#[test]
fn a_client_waits_two_seconds_at_most_for_the_server_to_end_the_transport() {
    for (close_timeout, waits) in [(None, 2), (Some(secs(1)), 1), (Some(secs(100)), 2)] {
        for is_first in [true, false] {
            let mut it = Clocked::new(Role::Client, config().with_close_timeout(close_timeout));
            it.at(50.0).expect("nothing");
            if is_first {
                it.connection.close(CloseCode::NORMAL);
                it.write();
                assert_eq!(it.deadline(), close_timeout.map(|timeout| 50.0 + timeout.as_secs_f64()));
            }
            it.receive(&wire::close(Role::Client, 1000, ""));
            if !is_first {
                // What is owed has its own deadline, and the wait for the end has not begun.
                it.at(50.5).expect("nothing");
                it.write();
            }
            let end = it.deadline().expect("a deadline");
            let begun = if is_first || waits == 1 { 50.0 } else { 50.5 };
            assert_eq!(end, begun + f64::from(waits), "{close_timeout:?}, {is_first}");
            assert_eq!(it.at(end), Ok(()));
            assert_eq!(it.connection.transport_action(), TransportAction::Close);
        }
    }
}

#[test]
fn after_a_protocol_error_the_transport_is_closed_and_the_error_stays() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        it.receive(&wire::frame(role, FIN | TEXT, [0xFF]));
        assert_eq!(it.write().len(), 1);
        assert_eq!(it.connection.transport_action(), TransportAction::ShutdownWrite);
        assert_eq!(it.at(10.0), Ok(()));
        assert_eq!(it.connection.transport_action(), TransportAction::Close);
        let error = it.connection.receive(&mut Input::new()).err();
        assert_eq!(error, Some(ProtocolError::InvalidUtf8));
    }
}

#[test]
fn a_protocol_error_is_for_ever_also_when_the_peer_does_not_read_its_close_frame() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config().with_write_timeout(secs(3)));
        it.receive(&wire::frame(role, FIN | TEXT, [0xFF]));
        assert_eq!(it.at(3.0), Err(TimedOut::Write));
        let error = it.connection.receive(&mut Input::new()).err();
        assert_eq!(error, Some(ProtocolError::InvalidUtf8), "{role:?}");
    }
}

#[test]
fn once_the_transport_is_to_be_closed_time_does_nothing_more() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        it.receive(&wire::frame(role, FIN | TEXT, [0xFF]));
        // The Close frame is never written; the shorter deadline ends the wait.
        assert_eq!(it.deadline(), Some(10.0));
        assert_eq!(it.at(10.0), Ok(()));
        assert_eq!((it.connection.transport_action(), it.deadline()), (TransportAction::Close, None));
        assert_eq!(it.at(100.0), Ok(()), "{role:?}");
        assert_eq!(it.connection.timed_out(), None);
    }
}

#[test]
fn a_lost_transport_has_no_deadlines() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        it.connection.send("unread").expect("room");
        it.set_eof();
        assert_eq!(it.deadline(), None);
        assert_eq!(it.at(1000.0), Ok(()));
    }
}

#[test]
fn nothing_can_be_sent_after_a_timeout() {
    for role in Role::BOTH {
        let mut it = Clocked::new(role, config());
        it.connection.send("unread").expect("room");
        it.deadline();
        assert_eq!(it.at(30.0), Err(TimedOut::Write));
        assert_eq!(it.connection.send("more"), Err(SendError::Closed), "{role:?}");
        assert_eq!(it.connection.ping(b""), Err(SendError::Closed));
    }
}

#[test]
fn timers_that_are_off_never_fire() {
    for role in Role::BOTH {
        let config = quiet().with_write_timeout(None).with_close_timeout(Duration::ZERO);
        let mut it = Clocked::new(role, config);
        it.connection.send("unread").expect("room");
        assert_eq!(it.deadline(), None);
        assert_eq!(it.at(1e6), Ok(()));
        it.write();
        it.connection.close(None);
        it.write();
        assert_eq!(it.deadline(), None);
        assert_eq!(it.at(2e6), Ok(()));
        assert_eq!(it.connection.state(), State::Closing);
    }
}

#[test]
fn deadlines_begin_when_they_are_first_asked_for() {
    for role in Role::BOTH {
        let config = config().with_keepalive(secs(10), secs(4));
        let mut connection = role.connection(config);
        let at = |secs: u64| Timestamp::from(Duration::from_secs(secs));
        // Nobody asked yet, so nothing is due, however late it is.
        assert_eq!(connection.handle_timeout(at(500)), Ok(()));
        assert!(connection.output().is_empty());
        assert_eq!(connection.poll_timeout(at(1000)), Some(at(1010)));
        assert_eq!(connection.poll_timeout(at(1005)), Some(at(1010)), "asking again changes nothing");
        connection.send("x").expect("room");
        assert_eq!(connection.handle_timeout(at(1009)), Ok(()));
        assert_eq!(connection.handle_timeout(at(1010)), Ok(()));
    }
}
