//! A confused caller gets wrong answers at most, never a panic.

use bytes::Buf;
use tidewire::{Config, Input, Ready, Timestamp};

use support::chunked::Seen;
use support::wire::{self, BINARY, CONTINUATION, FIN, Rng, Role, TEXT};

fn frames(role: Role) -> Vec<Vec<u8>> {
    vec![
        wire::text(role, "text"),
        wire::binary(role, wire::noise(40_000)),
        wire::ping(role, "ping"),
        wire::frame(role, BINARY, wire::noise(20_000)),
        wire::pong(role, [0xFF; 100]),
        wire::frame(role, CONTINUATION, wire::noise(30_000)),
        wire::frame(role, FIN | CONTINUATION, "end"),
        wire::frame(role, TEXT, "frag"),
        wire::frame(role, FIN | CONTINUATION, "ment"),
        wire::binary(role, ""),
    ]
}

#[test]
fn an_old_ready_lends_something_harmless() {
    for role in Role::BOTH {
        for len in [1, 5, 1000, 30_000, 100_000] {
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            let mut old: Vec<Ready> = Vec::new();
            let mut rng = Rng::new(len as u64);
            for chunk in frames(role).concat().chunks(len) {
                input.extend_from_slice(chunk);
                while let Ok(ready) = connection.advance(&mut input) {
                    for &old in &old {
                        let _ = Seen::from(input.lend(old));
                    }
                    if !old.is_empty() {
                        let old = old[rng.next() as usize % old.len()];
                        match rng.next() % 4 {
                            0 => drop(input.lend(old).into_message()),
                            1 => drop(input.release()),
                            2 => input.shrink(),
                            _ => {
                                input.space();
                            }
                        }
                    }
                    match ready {
                        Some(ready) => old.push(ready),
                        None => break,
                    }
                }
                let output = connection.output();
                output.advance(output.remaining());
            }
            let mut empty = Input::new();
            for old in old {
                let event = Seen::from(empty.lend(old));
                let nothing =
                    [Seen::text(""), Seen::binary(""), Seen::ping(""), Seen::pong(""), Seen::Close(None)];
                assert!(nothing.contains(&event));
            }
        }
    }
}

#[test]
fn an_old_ready_is_empty_once_advance_found_nothing() {
    for role in Role::BOTH {
        for (bytes, nothing) in [
            (wire::text(role, "x"), Seen::text("")),
            (wire::binary(role, "x"), Seen::binary("")),
            (wire::ping(role, "x"), Seen::ping("")),
            (wire::pong(role, "x"), Seen::pong("")),
        ] {
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            input.extend_from_slice(&bytes);
            let ready = connection.advance(&mut input).expect("valid").expect("an event");
            assert_eq!(connection.advance(&mut input), Ok(None));
            assert_eq!(Seen::from(input.lend(ready)), nothing);
        }
    }
}

#[test]
fn inputs_that_are_mixed_up_do_not_panic() {
    for role in Role::BOTH {
        for seed in 0..30 {
            let mut rng = Rng::new(seed);
            let mut connections = [role.connection(Config::new()), role.connection(Config::new())];
            let mut inputs = [Input::new(), Input::new(), Input::new()];
            let bytes = frames(role).concat();
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(rng.len(rest.len()));
                rest = after;
                let input = &mut inputs[rng.next() as usize % 3];
                input.extend_from_slice(chunk);
                let connection = &mut connections[rng.next() as usize % 2];
                while let Ok(Some(event)) = connection.receive(input) {
                    drop(event.into_message());
                }
                let other = &mut inputs[rng.next() as usize % 3];
                let ready = connection.advance(other);
                if let Ok(Some(ready)) = ready {
                    drop(inputs[rng.next() as usize % 3].lend(ready).into_message());
                }
            }
        }
    }
}

#[test]
fn a_clock_that_goes_backwards_or_to_its_end_does_not_panic() {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::new());
        for micros in [u64::MAX, 0, u64::MAX - 1, 5, u64::MAX, 1 << 63, 0] {
            let now = Timestamp::from_micros(micros);
            let _ = connection.poll_timeout(now);
            let _ = connection.handle_timeout(now);
            connection.output();
        }
        connection.close(None);
        for micros in [u64::MAX, 0] {
            let _ = connection.poll_timeout(Timestamp::from_micros(micros));
            let _ = connection.handle_timeout(Timestamp::from_micros(micros));
        }
    }
}

#[test]
fn an_old_ready_lends_nothing_of_a_message_under_way() {
    for kind in [TEXT, BINARY] {
        for role in Role::BOTH {
            let mut connection = role.connection(Config::new());
            let mut input = Input::new();
            let whole = [wire::frame(role, kind, b"a"), wire::frame(role, FIN | CONTINUATION, b"b")].concat();
            input.extend_from_slice(&whole);
            let old = connection.advance(&mut input).expect("valid").expect("complete");
            assert!(input.lend(old).into_message().is_some_and(|message| message.len() == 2));
            input.extend_from_slice(&wire::frame(role, kind, [b'c'; 40_000]));
            assert_eq!(connection.advance(&mut input).expect("valid"), None);
            assert!(input.lend(old).into_message().is_some_and(|message| message.is_empty()));
            input.extend_from_slice(&wire::frame(role, FIN | CONTINUATION, b"d"));
            let event = connection.receive(&mut input).expect("valid").expect("complete");
            assert!(event.into_message().is_some_and(|message| message.len() == 40_001));
        }
    }
}
