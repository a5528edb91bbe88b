//! RFC 6455 5.5.2 and 5.5.3: every ping gets its pong, unless so much is owed that only the newest does.

use bytes::Buf;
use tidewire::{Config, Connection, Input};

use support::chunked::receive_all;
use support::wire::{self, FIN, Frame, PONG, Role};

fn take_frames(role: Role, connection: &mut Connection) -> Vec<Frame> {
    let mut bytes = Vec::new();
    // What the high-water mark held back comes after what was written.
    while connection.output().has_remaining() {
        let output = connection.output();
        bytes.extend(output.copy_to_bytes(output.remaining()));
    }
    wire::parse(role, &bytes)
}

fn pongs<'p>(payloads: impl IntoIterator<Item = &'p str>) -> Vec<Frame> {
    payloads.into_iter().map(|payload| Frame::new(FIN | PONG, payload)).collect()
}

fn receive_ping(connection: &mut Connection, input: &mut Input, role: Role, payload: &str) {
    input.extend_from_slice(&wire::ping(role, payload));
    assert!(matches!(connection.receive(input), Ok(Some(_))));
}

#[test]
fn ten_pings_in_one_read_get_ten_pongs_in_order() {
    let payloads = ["0", "1", "2", "", "4", "5", "6", "7", "8", "9"];
    for role in Role::BOTH {
        let bytes: Vec<_> = payloads.iter().flat_map(|payload| wire::ping(role, payload)).collect();
        let outcome = receive_all(role, &bytes);
        assert_eq!(outcome.output, pongs(payloads));

        // And without draining in between.
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        input.extend_from_slice(&bytes);
        while let Ok(Some(_)) = connection.receive(&mut input) {}
        assert_eq!(take_frames(role, &mut connection), pongs(payloads));
    }
}

#[test]
fn above_the_high_water_mark_only_the_newest_is_kept() {
    for role in Role::BOTH {
        let config = Config::new().with_high_water_len(1000);
        let (mut connection, mut input) = (role.connection(config), Input::new());
        connection.send(&[0; 2000]).expect("room");
        assert!(!connection.is_ready());
        let full = connection.output().len();
        for payload in ["1", "2", "3", "4"] {
            receive_ping(&mut connection, &mut input, role, payload);
            assert_eq!(connection.output().len(), full);
        }
        connection.output().advance(full);
        assert!(connection.is_ready());
        // RFC 6455 5.5.3: a pong for the most recent ping suffices.
        assert_eq!(take_frames(role, &mut connection), pongs(["4"]));
        receive_ping(&mut connection, &mut input, role, "5");
        assert_eq!(take_frames(role, &mut connection), pongs(["5"]));
    }
}

#[test]
fn the_high_water_mark_has_room_for_the_pong_and_the_longest_header() {
    for role in Role::BOTH {
        for (high_water_len, answered) in [(100 + 14 + 1, ["1", "2"].as_slice()), (100 + 14, &["2"])] {
            let config = Config::new().with_high_water_len(high_water_len);
            let (mut connection, mut input) = (role.connection(config), Input::new());
            let header_len = if role == Role::Client { 6 } else { 2 };
            connection.send(&vec![0; 100 - header_len]).expect("room");
            assert_eq!(connection.output().len(), 100);
            // Neither is looked for in between; the first one fits, or else the second one replaces it.
            receive_ping(&mut connection, &mut input, role, "1");
            receive_ping(&mut connection, &mut input, role, "2");
            let frames = take_frames(role, &mut connection);
            assert_eq!(frames[1..], pongs(answered.iter().copied()), "{role:?}, {high_water_len}");
        }
    }
}

#[test]
fn a_pong_that_was_held_back_never_follows_a_newer_one() {
    for role in Role::BOTH {
        let config = Config::new().with_high_water_len(1000);
        let (mut connection, mut input) = (role.connection(config), Input::new());
        connection.send(&[0; 2000]).expect("room");
        receive_ping(&mut connection, &mut input, role, "old");
        let output = connection.output();
        output.advance(output.remaining());
        // Before anybody looked at the output again.
        receive_ping(&mut connection, &mut input, role, "new");
        let frames = take_frames(role, &mut connection);
        assert!(frames == pongs(["new"]) || frames == pongs(["old", "new"]), "{role:?}: {frames:?}");
    }
}

#[test]
fn whatever_the_high_water_mark_is() {
    for role in Role::BOTH {
        for high_water_len in [0, 1, 2, 16, 139, usize::MAX] {
            let config = Config::new().with_high_water_len(high_water_len);
            let (mut connection, mut input) = (role.connection(config), Input::new());
            receive_ping(&mut connection, &mut input, role, "there?");
            assert_eq!(take_frames(role, &mut connection), pongs(["there?"]), "{role:?}, {high_water_len}");
        }
    }
}

#[test]
fn a_ping_flood_owes_no_more_than_the_high_water_mark() {
    for role in Role::BOTH {
        let config = Config::new().with_high_water_len(500);
        let (mut connection, mut input) = (role.connection(config), Input::new());
        for i in 0..1000 {
            receive_ping(&mut connection, &mut input, role, &i.to_string());
            assert!(connection.output().len() <= 500 + 139);
        }
        let frames = take_frames(role, &mut connection);
        assert_eq!(frames.first(), Some(&Frame::new(FIN | PONG, "0")));
        assert_eq!(frames.last(), Some(&Frame::new(FIN | PONG, "999")));
    }
}

#[test]
fn a_pong_goes_between_our_own_fragments() {
    for role in Role::BOTH {
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        connection.send_fragment("a", false).expect("room");
        receive_ping(&mut connection, &mut input, role, "p");
        connection.send_fragment("b", true).expect("room");
        let expected = [Frame::new(0x01, "a"), Frame::new(FIN | PONG, "p"), Frame::new(FIN, "b")];
        assert_eq!(take_frames(role, &mut connection), expected);
    }
}

#[test]
fn a_full_output_still_answers() {
    for role in Role::BOTH {
        // The limit is for messages: what the protocol owes has no part in it.
        let config = Config::new().with_max_output_len(50).with_high_water_len(50);
        let (mut connection, mut input) = (role.connection(config), Input::new());
        let fill = |connection: &mut Connection| {
            connection.send(&[0; 50]).expect("room");
            assert_eq!(connection.send("x"), Err(tidewire::SendError::OutputFull));
        };
        fill(&mut connection);
        receive_ping(&mut connection, &mut input, role, "p");
        let expected = [Frame::new(0x82, [0; 50]), Frame::new(FIN | PONG, "p")];
        assert_eq!(take_frames(role, &mut connection), expected);
        fill(&mut connection);
        input.extend_from_slice(&wire::close(role, 1000, ""));
        assert!(matches!(connection.receive(&mut input), Ok(Some(_))));
        let expected = [Frame::new(0x82, [0; 50]), Frame::new(0x88, 1000u16.to_be_bytes())];
        assert_eq!(take_frames(role, &mut connection), expected);
    }
}
