//! Limits hold for what is delivered, while it is inflated (RFC 6455 10.4).

use std::time::Duration;

use support::chunked::{Scenario, Seen};
use support::deflate::Blocks;
use support::wire::{BINARY, CONTINUATION, FIN, Role, TEXT, frame};
use tidewire::{Config, Connection, Input, ProtocolError, Timestamp};

use super::link::{RSV1, agree, agreed, compressed, take};

const MAX: usize = 40_000;

fn too_long() -> ProtocolError {
    ProtocolError::MessageTooLong { len: MAX as u64 + 1, max: MAX }
}

/// A message of `len` bytes, in stored blocks.
fn stored(len: usize) -> Vec<u8> {
    let text = vec![b'x'; len];
    text.chunks(60_000).fold(Blocks::new(), |blocks, text| blocks.stored(text, false)).end()
}

/// A message of `1 + 258 * copies` bytes, a thousandth as long.
pub(crate) fn bomb(copies: usize) -> Vec<u8> {
    let start = Blocks::new().fixed("x", &[], false).bits(0, 1).bits(1, 2);
    (0..copies).fold(start, |blocks, _| blocks.bits(0b1010_0011, 8).bits(0, 5)).bits(0, 7).end()
}

#[test]
fn a_message_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    for role in Role::BOTH {
        let config = Config::new().with_max_message_len(MAX);
        let prepare = |connection: &mut _| agree(connection, agreed("permessage-deflate"));
        for kind in [TEXT, BINARY] {
            for cuts in [&[][..], &[10, 20_000]] {
                // The compressed form is longer than the limit.
                let bytes = compressed(role, kind, &stored(MAX), cuts);
                assert!(bytes.len() > MAX);
                let whole = "x".repeat(MAX);
                let seen = if kind == TEXT { Seen::text(&whole) } else { Seen::binary(&whole) };
                Scenario::new(role, &bytes).with_config(config).after(&prepare).run().assert_open(&[seen]);

                let bytes = compressed(role, kind, &stored(MAX + 1), cuts);
                let outcome = Scenario::new(role, &bytes).with_config(config).after(&prepare).run();
                assert_eq!((outcome.events, outcome.error), (vec![], Some(too_long())));
            }
        }
        // Each message has the whole limit, and so has an empty one none of it.
        let none = Config::new().with_max_message_len(0);
        let bytes = compressed(role, TEXT, &[0x00], &[]);
        Scenario::new(role, &bytes).with_config(none).after(&prepare).run().assert_open(&[Seen::text("")]);
    }
}

#[test]
fn a_bomb_fails_with_1009_at_the_byte_that_exceeds_the_limit() {
    for role in Role::BOTH {
        let config = Config::new().with_max_message_len(MAX);
        let bomb = bomb(250_000);
        for cuts in [&[][..], &[100], &[60, 300]] {
            let mut connection = role.connection(config).with_agreement(agreed("permessage-deflate"));
            let mut input = Input::new();
            // 64 MiB, of which the first kilobyte is enough.
            input.extend_from_slice(&compressed(role, BINARY, &bomb, cuts)[..20_000]);
            let received = connection.receive(&mut input).map(|event| event.is_some());
            assert_eq!(received, Err(too_long()));
            assert_eq!(too_long().close_code().map(u16::from), Some(1009));
        }
    }
}

#[test]
fn compressed_bytes_count_against_the_frame_limit() {
    for role in Role::BOTH {
        let config = Config::new().with_max_frame_len(100);
        let prepare = |connection: &mut _| agree(connection, agreed("permessage-deflate"));
        let message = bomb(100);
        assert!((101..300).contains(&message.len()), "{}", message.len());
        let bytes = compressed(role, BINARY, &message, &[]);
        let outcome = Scenario::new(role, &bytes).with_config(config).after(&prepare).run();
        let error = ProtocolError::FrameTooLong { len: message.len() as u64, max: 100 };
        assert_eq!((outcome.events, outcome.error), (vec![], Some(error)));
        let bytes = compressed(role, BINARY, &message, &[100]);
        let outcome = Scenario::new(role, &bytes).with_config(config).after(&prepare).run();
        assert_eq!(outcome.events.len(), 1);
    }
}

#[test]
fn a_peer_that_ends_its_stream_all_the_time_makes_no_work_without_end() {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::new()).with_agreement(agreed("permessage-deflate"));
        let mut input = Input::new();
        // A full window, and then final blocks of two bytes each: every one would have the window told again.
        let window = compressed(role, BINARY, &stored(40_000), &[]);
        input.extend_from_slice(&window);
        assert!(matches!(connection.receive(&mut input), Ok(Some(_))));
        let finals: Vec<u8> = [0x03, 0x00].repeat(8_000);
        input.extend_from_slice(&compressed(role, BINARY, &finals, &[]));
        assert_eq!(connection.receive(&mut input).map(|_| ()), Err(ProtocolError::InvalidDeflate));

        // As much as is allowed, and a little more: 64 KiB, and 128 for each byte.
        for (len, is_fine) in [(247, true), (246, false)] {
            let mut connection = role.connection(Config::new()).with_agreement(agreed("permessage-deflate"));
            input.extend_from_slice(&window);
            let finals =
                [&[0x03, 0x00].repeat(2), &Blocks::new().stored(vec![7; len], true).bytes()[..]].concat();
            let message = [&finals[..], &[0x00]].concat();
            input.extend_from_slice(&compressed(role, BINARY, &message, &[]));
            assert!(matches!(connection.receive(&mut input), Ok(Some(_))));
            assert_eq!(connection.receive(&mut input).is_ok(), is_fine, "{len}");
            let _ = connection.receive(&mut input);
        }

        // A few are fine, as a peer makes them that knows no other way to flush.
        let mut input = Input::new();
        let mut connection = role.connection(Config::new()).with_agreement(agreed("permessage-deflate"));
        let blocks = (0..20).fold(Blocks::new(), |blocks, _| blocks.stored([7; 2000], true)).end();
        for _ in 0..3 {
            input.extend_from_slice(&compressed(role, BINARY, &blocks, &[]));
            assert!(matches!(connection.receive(&mut input), Ok(Some(_))));
        }
        // And so are short ones while the window is full.
        let short = Blocks::new().fixed("Hello", &[], true).fixed("", &[], true).end();
        input.extend_from_slice(&window);
        input.extend_from_slice(&compressed(role, BINARY, &short, &[]));
        assert!(matches!(connection.receive(&mut input), Ok(Some(_))));
        assert!(
            matches!(connection.receive(&mut input), Ok(Some(tidewire::Event::Binary(payload))) if payload == b"Hello")
        );
    }
}

#[test]
fn empty_blocks_and_fragments_cost_nothing() {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::new()).with_agreement(agreed("permessage-deflate"));
        let mut input = Input::new();
        input.extend_from_slice(&frame(role, RSV1 | BINARY, ""));
        let empty = Blocks::new().stored("", false).bytes();
        for _ in 0..10_000 {
            input.extend_from_slice(&frame(role, CONTINUATION, ""));
            input.extend_from_slice(&frame(role, CONTINUATION, &empty));
            assert!(matches!(connection.receive(&mut input), Ok(None)));
        }
        input.extend_from_slice(&frame(role, FIN | CONTINUATION, [0x00]));
        assert!(
            matches!(connection.receive(&mut input), Ok(Some(tidewire::Event::Binary(payload))) if payload.is_empty())
        );
    }
}

#[test]
fn a_frame_that_arrives_slowly_shows_life() {
    let interval = Duration::from_secs(20);
    let config = Config::new().with_keepalive(interval, interval);
    for role in Role::BOTH {
        // Too little, what waits, and what is inflated before the frame is whole.
        for (len, lives) in [(100, false), (3000, true), (20_000, true)] {
            for parts in [false, true] {
                let config = config.with_parts(parts);
                let mut connection = role.connection(config).with_agreement(agreed("permessage-deflate"));
                let mut now = Timestamp::default();
                let mut wait = |connection: &mut Connection| {
                    now = connection.poll_timeout(now).expect("a deadline");
                    connection.handle_timeout(now)
                };
                assert_eq!(wait(&mut connection), Ok(()));
                assert!(!take(&mut connection).is_empty(), "a ping");
                let mut input = Input::new();
                for byte in &compressed(role, BINARY, &stored(40_000), &[])[..len] {
                    input.extend_from_slice(&[*byte]);
                    while let Some(event) = connection.receive(&mut input).expect("valid") {
                        assert!(parts, "{event:?}");
                    }
                }
                assert_eq!(wait(&mut connection).is_ok(), lives, "{len}");
            }
        }
    }
}
