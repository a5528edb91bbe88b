//! The counters of a connection. That those of what is received tell what was delivered is asserted wherever bytes are received, under every
//! chunking and in parts: see `support::chunked`.

use std::time::Duration;

use support::wire::{self, CONTINUATION, FIN, Role, TEXT};
use tidewire::{Bytes, CloseCode, Config, Connection, Input, Prepared, SendError, Timestamp, Traffic};

fn counts(traffic: Traffic) -> (u64, u64, u64) {
    (traffic.messages, traffic.payload_len, traffic.pings)
}

#[test]
fn whatever_a_message_is_made_of_it_counts_with_its_payload() {
    for role in Role::BOTH {
        for len in [0, 1, 125, 126, 5_000, 70_000] {
            let payload = vec![b'x'; len];
            let mut connection = role.connection(Config::new().with_max_output_len(usize::MAX));
            connection.send(&*payload).expect("open");
            connection.send(payload.clone()).expect("open");
            connection.send(&Bytes::from(payload.clone())).expect("open");
            connection.send(&Prepared::new(&*payload)).expect("open");
            connection.send(str::from_utf8(&payload).expect("ASCII")).expect("open");
            assert_eq!(counts(connection.sent()), (5, 5 * len as u64, 0), "{role:?} {len}");
        }
    }
}

#[test]
fn fragments_count_one_by_one_and_their_message_once() {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::new());
        connection.send_fragment(b"one", false).expect("open");
        assert_eq!(counts(connection.sent()), (0, 3, 0));
        connection.send_fragment(&Prepared::new(b"two"), false).expect("open");
        connection.ping(b"between").expect("open");
        assert_eq!(counts(connection.sent()), (0, 6, 1));
        connection.send_fragment(Bytes::from(vec![3; 5_000]), true).expect("open");
        assert_eq!(counts(connection.sent()), (1, 5_006, 1));
    }
}

#[test]
fn what_is_refused_does_not_count() {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::new().with_high_water_len(0).with_max_output_len(1));
        connection.send("Hello").expect("open");
        let sent = connection.sent();
        assert_eq!(connection.send("full"), Err(SendError::OutputFull));
        assert_eq!(connection.ping(b"full"), Err(SendError::OutputFull));
        connection.close(CloseCode::NORMAL);
        assert_eq!(connection.send("closed"), Err(SendError::Closed));
        assert_eq!(connection.send_fragment("closed", true), Err(SendError::Closed));
        assert_eq!(connection.sent(), sent);
    }
}

#[test]
fn pongs_and_close_frames_count_nowhere() {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::new());
        let mut input = Input::new();
        input.extend_from_slice(&wire::ping(role, "ping"));
        input.extend_from_slice(&wire::pong(role, "pong"));
        input.extend_from_slice(&wire::close(role, 1000, "bye"));
        while connection.receive(&mut input).expect("valid").is_some() {}
        assert!(!connection.output().is_empty());
        assert_eq!((counts(connection.sent()), counts(connection.received())), ((0, 0, 0), (0, 0, 1)));
    }
}

#[test]
fn a_text_that_fails_the_connection_was_no_message() {
    for role in Role::BOTH {
        for lends in [false, true] {
            let mut connection = role.connection(Config::new());
            let mut input = Input::new();
            input.extend_from_slice(&wire::text(role, "fine"));
            input.extend_from_slice(&wire::frame(role, FIN | TEXT, b"wrong \xFF"));
            while match lends {
                true => connection.receive(&mut input).map(|event| event.is_some()),
                false => connection.advance(&mut input).map(|ready| ready.is_some()),
            } == Ok(true)
            {}
            assert_eq!(counts(connection.received()), (1, 4, 0), "{role:?}");
            connection.receive(&mut input).expect_err("it has failed");
            assert_eq!(counts(connection.received()), (1, 4, 0), "{role:?}");
        }
    }
}

#[test]
fn a_message_in_fragments_counts_when_it_is_complete() {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::new());
        let mut input = Input::new();
        input.extend_from_slice(&wire::frame(role, TEXT, "frag"));
        assert!(connection.receive(&mut input).expect("valid").is_none());
        assert_eq!(counts(connection.received()), (0, 0, 0));
        input.extend_from_slice(&wire::frame(role, FIN | CONTINUATION, "ment"));
        assert!(connection.receive(&mut input).expect("valid").is_some());
        assert_eq!(counts(connection.received()), (1, 8, 0));
    }
}

#[test]
fn keepalive_pings_count_and_age_begins_with_the_first_moment() {
    let at = |secs: u64| Timestamp::from_micros(secs * 1_000_000);
    for role in Role::BOTH {
        let config = Config::new().with_keepalive(Duration::from_secs(20), Duration::from_secs(15));
        let mut connection: Connection = role.connection(config);
        assert_eq!(connection.age(at(50)), Duration::ZERO, "nobody has told the time");
        assert_eq!(connection.poll_timeout(at(100)), Some(at(120)));
        assert_eq!(counts(connection.sent()), (0, 0, 0));
        connection.handle_timeout(at(120)).expect("in time");
        assert_eq!(counts(connection.sent()), (0, 0, 1));
        assert_eq!(connection.age(at(120)), Duration::from_secs(20));
        // The halves keep what they have counted.
        let (receiver, sender) = connection.split();
        assert_eq!((counts(receiver.received()), counts(sender.sent())), ((0, 0, 0), (0, 0, 1)));
        assert_eq!(Connection::reunite(receiver, sender).age(at(130)), Duration::from_secs(30));
    }
}
