//! Compressed messages of every form (RFC 7692 6 and 7.2.2), however they are cut.

use support::chunked::{Outcome, Scenario, Seen};
use support::deflate::{Blocks, TAIL, json};
use support::wire::{BINARY, CONTINUATION, FIN, PING, Role, TEXT, frame, ping};
use tidewire::{Config, Connection, Event, Input, ProtocolError};

use super::link::{RSV1, agree, agreed, compressed};

const TAKEOVER: &str = "permessage-deflate";
const NO_TAKEOVER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// What becomes of these bytes, under every chunking, whole and in parts.
fn received(role: Role, offer: &str, bytes: &[u8]) -> Outcome {
    let prepare = |connection: &mut _| agree(connection, agreed(offer));
    Scenario::new(role, bytes).after(&prepare).run()
}

#[test]
fn blocks_of_every_type_are_inflated_wherever_bfinal_is_set() {
    let stored = |is_final| Blocks::new().stored("Hello, ", is_final);
    let messages = [
        stored(false).stored("world", false).end(),
        // RFC 7692 7.2.3.4: an empty block follows a final one.
        stored(true).stored("world", true).end(),
        stored(false).fixed("world", &[], false).end(),
        stored(false).fixed("wor", &[], false).fixed("ld", &[], false).end(),
        stored(false).stored("", false).stored("world", false).stored("", false).end(),
        // No empty block after the final one: all is there.
        stored(false).stored("world", true).bytes(),
        stored(true).stored("world", true).bytes(),
        Blocks::new().fixed("Hello, world", &[], true).bytes(),
    ];
    for role in Role::BOTH {
        for offer in [TAKEOVER, NO_TAKEOVER] {
            for message in &messages {
                let mut bytes = Vec::new();
                for cuts in [&[][..], &[3], &[0, 1, 0]] {
                    bytes.extend(compressed(role, TEXT, message, cuts));
                }
                // After BFINAL the next one is inflated like any other.
                bytes.extend(compressed(role, TEXT, &Blocks::new().fixed("next", &[], false).end(), &[]));
                let hello = Seen::text("Hello, world");
                received(role, offer, &bytes).assert_open(&[
                    hello.clone(),
                    hello.clone(),
                    hello,
                    Seen::text("next"),
                ]);
            }
        }
    }
}

#[test]
fn the_window_reaches_back_over_messages_and_final_blocks() {
    for role in Role::BOTH {
        for is_final in [false, true] {
            // Three bytes from six back: "abc", out of the message before.
            let first = Blocks::new().fixed("abcdef", &[], is_final).end();
            let second = Blocks::new().fixed("", &[6], is_final).fixed("!", &[], is_final).end();
            let bytes =
                [compressed(role, BINARY, &first, &[]), compressed(role, BINARY, &second, &[1])].concat();
            received(role, TAKEOVER, &bytes).assert_open(&[Seen::binary("abcdef"), Seen::binary("abc!")]);
            received(role, NO_TAKEOVER, &bytes)
                .assert_failed(&[Seen::binary("abcdef")], ProtocolError::InvalidDeflate);
        }
    }
}

#[test]
fn fragments_are_cut_anywhere_with_control_frames_between() {
    let text = json(1, 300);
    let message = Blocks::new().stored(&text[..100], false).fixed(&text[100..], &[], false).end();
    for role in Role::BOTH {
        for at in [0, 1, 4, 5, 104, 106, message.len() - 1, message.len()] {
            let frames = [
                frame(role, RSV1 | TEXT, &message[..at]),
                ping(role, "between"),
                frame(role, CONTINUATION, ""),
                frame(role, FIN | CONTINUATION, &message[at..]),
            ]
            .concat();
            received(role, TAKEOVER, &frames).assert_open(&[Seen::ping("between"), Seen::text(&text)]);
        }
    }
}

#[test]
fn an_empty_message_is_a_zero_byte_or_an_empty_block() {
    for role in Role::BOTH {
        for empty in [&[0x00][..], &Blocks::new().stored("", false).end(), &[0x02, 0x00], &[0x03, 0x00]] {
            let bytes = [compressed(role, TEXT, empty, &[]), compressed(role, BINARY, empty, &[0])].concat();
            received(role, TAKEOVER, &bytes).assert_open(&[Seen::text(""), Seen::binary("")]);
        }
    }
}

#[test]
fn rsv1_is_allowed_on_a_first_fragment_alone_and_only_where_it_was_agreed() {
    let hello = Blocks::new().fixed("Hello", &[], false).end();
    for role in Role::BOTH {
        let first = frame(role, RSV1 | TEXT, &hello);
        let continued = [first, frame(role, FIN | RSV1 | CONTINUATION, "")].concat();
        let plain = [frame(role, TEXT, "Hel"), frame(role, FIN | RSV1 | CONTINUATION, "lo")].concat();
        for bytes in [continued, plain, frame(role, FIN | RSV1 | PING, ""), frame(role, FIN | RSV1 | 0x8, "")]
        {
            received(role, TAKEOVER, &bytes).assert_failed(&[], ProtocolError::ReservedBit(1));
        }
        for (bits, bit) in [(0x20, 2), (0x10, 3), (0x30, 2)] {
            let bytes = frame(role, FIN | RSV1 | bits | TEXT, &hello);
            received(role, TAKEOVER, &bytes).assert_failed(&[], ProtocolError::ReservedBit(bit));
        }
        let outcome = Scenario::new(role, &compressed(role, TEXT, &hello, &[])).run();
        outcome.assert_failed(&[], ProtocolError::ReservedBit(1));
    }
}

#[test]
fn a_message_that_is_no_deflate_or_is_cut_short_is_refused() {
    let fine = Blocks::new().fixed("a message of some length", &[], false).end();
    let with_tail = [&fine[..], &TAIL].concat();
    let too_far = Blocks::new().fixed("abc", &[4], false).end();
    let reserved_type = Blocks::new().bits(6, 3).end();
    let wrong_check = [0x00, 0x05, 0x00, 0xfa, 0xfe, b'H'];
    let short_block = Blocks::new().stored("Hello", false).bytes();
    let broken: [&[u8]; 9] = [
        &[],
        &fine[..fine.len() - 1],
        &fine[..fine.len() / 2],
        &with_tail,
        &too_far,
        &reserved_type,
        &wrong_check,
        &short_block[..7],
        &short_block,
    ];
    for role in Role::BOTH {
        for (n, payload) in broken.iter().enumerate() {
            for kind in [TEXT, BINARY] {
                for cuts in [&[][..], &[payload.len() / 2]] {
                    let bytes =
                        [frame(role, FIN | TEXT, "before"), compressed(role, kind, payload, cuts)].concat();
                    let outcome = received(role, TAKEOVER, &bytes);
                    assert_eq!(outcome.error, Some(ProtocolError::InvalidDeflate), "{n}");
                    outcome.assert_failed(&[Seen::text("before")], ProtocolError::InvalidDeflate);
                    assert_eq!(ProtocolError::InvalidDeflate.close_code().map(u16::from), Some(1007));
                }
            }
        }
    }
}

#[test]
fn compressed_text_fails_at_its_first_wrong_byte() {
    for role in Role::BOTH {
        // No second fragment comes.
        for text in [&b"wrong \xFF"[..], b"\xC0\x80", b"\xE2\x82x"] {
            let bytes = frame(role, RSV1 | TEXT, Blocks::new().stored(text, false).bytes());
            received(role, TAKEOVER, &bytes).assert_failed(&[], ProtocolError::InvalidUtf8);
        }
        // The same as binary is fine.
        let message = Blocks::new().stored(b"\xFF", false).end();
        received(role, TAKEOVER, &compressed(role, BINARY, &message, &[]))
            .assert_open(&[Seen::binary(b"\xFF")]);
        // A character may lie in two fragments, but not end with the message.
        let euro = "\u{20ac}".as_bytes();
        let half = Blocks::new().stored(&euro[..2], false).bytes();
        let rest = Blocks::new().stored(&euro[2..], false).end();
        let whole = [frame(role, RSV1 | TEXT, &half), frame(role, FIN | CONTINUATION, &rest)].concat();
        received(role, TAKEOVER, &whole).assert_open(&[Seen::text("\u{20ac}")]);
        let cut = compressed(role, TEXT, &Blocks::new().stored(&euro[..2], false).end(), &[]);
        received(role, TAKEOVER, &cut).assert_failed(&[], ProtocolError::InvalidUtf8);
    }
}

#[test]
fn a_long_message_is_delivered_in_parts_before_another_byte_comes() {
    // 20 copies of 258 bytes for each byte that arrives: one frame is many parts.
    let mut zeros = Blocks::new().fixed([0], &[], false).bits(0, 1).bits(1, 2);
    for _ in 0..2000 {
        // RFC 1951 3.2.6: 285 is 258 bytes, from one back.
        zeros = zeros.bits(0b1010_0011, 8).bits(0, 5);
    }
    let zeros = zeros.bits(0, 7).end();
    for role in Role::BOTH {
        for cuts in [&[][..], &[zeros.len() / 2]] {
            let config = Config::new().with_parts(true);
            let mut connection = role.connection(config).with_agreement(agreed(TAKEOVER));
            let mut input = Input::new();
            input.extend_from_slice(&compressed(role, BINARY, &zeros, cuts));
            let (mut len, mut parts, mut is_over) = (0, 0, false);
            while !input.unread().is_empty() {
                let event = connection.receive(&mut input).expect("valid");
                let Some(Event::BinaryPart(part)) = event else { panic!("{event:?}") };
                assert!(part.len() <= 16 << 10 && part.iter().all(|&byte| byte == 0));
                (len, parts, is_over) = (len + part.len(), parts + 1, part.is_last());
            }
            assert_eq!((len, is_over), (1 + 2000 * 258, true));
            assert!(parts >= len / (16 << 10));
        }
    }
}

/// More connections than there are engines, whose messages come in turns.
#[test]
fn connections_that_share_engines_do_not_mix_their_windows() {
    for role in Role::BOTH {
        let mut connections: Vec<_> = (0..40)
            .map(|n| {
                let peer = if role == Role::Server { Role::Client } else { Role::Server };
                let offer = if n % 4 == 3 { NO_TAKEOVER } else { TAKEOVER };
                let pair =
                    [peer, role].map(|role| role.connection(Config::new()).with_agreement(agreed(offer)));
                (pair, Input::new())
            })
            .collect();
        for round in 0..12 {
            for (n, ([sender, receiver], input)) in connections.iter_mut().enumerate() {
                if (n + round) % 3 == 0 {
                    continue;
                }
                let text = json(n, 200 + 100 * (round % 5));
                sender.send(&text).expect("open");
                let bytes = super::link::take(sender);
                assert!(bytes.len() < text.len());
                input.extend_from_slice(&bytes);
                match receiver.receive(input) {
                    Ok(Some(Event::Text(received))) => assert_eq!(received, text),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn the_state_of_a_connection_is_told() {
    let plain = Connection::server(Config::new());
    assert_eq!(plain.agreement(), None);
    let agreement = agreed("permessage-deflate; server_max_window_bits=9; client_no_context_takeover");
    let connection = plain.with_agreement(agreement);
    assert_eq!(connection.agreement(), Some(agreement));
    let (receiver, sender) = connection.split();
    assert_eq!((receiver.agreement(), sender.agreement()), (Some(agreement), Some(agreement)));
    assert_eq!((agreement.server_max_window_bits(), agreement.client_max_window_bits()), (9, 15));
    assert!(agreement.client_no_context_takeover() && !agreement.server_no_context_takeover());
}

#[test]
fn noise_that_claims_to_be_compressed_has_a_documented_outcome() {
    for role in Role::BOTH {
        for seed in 0..400 {
            let noise = support::wire::noise(seed);
            // Valid at first, and then anything.
            let start = Blocks::new().stored("valid", false).bytes();
            for payload in [&noise[..], &[&start[..], &noise].concat()] {
                let mut connection = role.connection(Config::new()).with_agreement(agreed(TAKEOVER));
                for cuts in [&[][..], &[seed / 3, seed / 3]] {
                    let mut input = Input::new();
                    input.extend_from_slice(&compressed(role, BINARY, payload, cuts));
                    match connection.receive(&mut input) {
                        Ok(Some(Event::Binary(_))) | Err(ProtocolError::InvalidDeflate) => {}
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn a_reference_beyond_the_agreed_window_is_refused_whichever_engine_inflates_it() {
    for role in Role::BOTH {
        let offer = "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9";
        let first = compressed(role, BINARY, &Blocks::new().stored(json(1, 700), false).end(), &[]);
        for (distance, is_within) in [(512, true), (513, false), (700, false)] {
            let second = Blocks::new().fixed("", &[distance], false).end();
            let bytes = [&first[..], &compressed(role, BINARY, &second, &[])].concat();
            let outcome = received(role, offer, &bytes);
            assert_eq!(outcome.events.len(), if is_within { 2 } else { 1 }, "{distance}");
            assert_eq!(outcome.error, (!is_within).then_some(ProtocolError::InvalidDeflate), "{distance}");
        }
    }
}

#[test]
fn the_first_of_two_violations_counts_however_the_bytes_are_cut() {
    let wrong_text = Blocks::new().stored([b'x', 0xFF], false).bytes();
    let no_deflate = Blocks::new().bits(6, 3).bytes();
    let both = [&wrong_text[..], &no_deflate].concat();
    for role in Role::BOTH {
        for cuts in [&[][..], &[wrong_text.len()]] {
            let bytes = compressed(role, TEXT, &both, cuts);
            received(role, TAKEOVER, &bytes).assert_failed(&[], ProtocolError::InvalidUtf8);
            // With the wrong byte within the limit, and then behind it.
            for (max, error) in
                [(2, ProtocolError::InvalidUtf8), (1, ProtocolError::MessageTooLong { len: 2, max: 1 })]
            {
                let long = [&wrong_text[..], &Blocks::new().stored("yy", false).end()].concat();
                let bytes = compressed(role, TEXT, &long, cuts);
                let prepare = |connection: &mut _| agree(connection, agreed(TAKEOVER));
                let config = Config::new().with_max_message_len(max);
                let outcome = Scenario::new(role, &bytes).with_config(config).after(&prepare).run();
                outcome.assert_failed(&[], error);
            }
        }
    }
}

#[test]
fn what_was_taken_from_the_end_is_no_text() {
    for role in Role::BOTH {
        // A stored block that lacks four bytes more than a message has, which ends where a tile of text does or before.
        for len in [10, (16 << 10) - 5, (16 << 10) - 4, (16 << 10) - 3, 16 << 10] {
            let mut short = Blocks::new().stored(vec![b'x'; len + 4], false).bytes();
            short.truncate(short.len() - 4);
            for cuts in [&[][..], &[10]] {
                let bytes = compressed(role, BINARY, &short, cuts);
                let mut connection = role.connection(Config::new()).with_agreement(agreed(TAKEOVER));
                let mut input = Input::new();
                input.extend_from_slice(&bytes);
                let outcome = connection.receive(&mut input).map(|event| event.is_some());
                assert_eq!(outcome, Err(ProtocolError::InvalidDeflate), "{len}");
            }
        }
    }
}

#[test]
fn a_message_of_no_bytes_is_refused_after_a_final_block_too() {
    let last = Blocks::new().fixed("Hello", &[], true).bytes();
    for role in Role::BOTH {
        let bytes = [compressed(role, TEXT, &last, &[]), compressed(role, TEXT, &[], &[])].concat();
        received(role, TAKEOVER, &bytes).assert_failed(&[Seen::text("Hello")], ProtocolError::InvalidDeflate);
    }
}

#[test]
fn text_that_waits_behind_a_full_tile_comes_without_another_byte() {
    // 62 copies of 258 bytes in a final block, which ends with a byte. A tile is full in the middle of the last copy.
    let start = Blocks::new().stored([b'x'; 500], false).bits(1, 1).bits(1, 2);
    let copies = (0..62).fold(start, |blocks, _| blocks.bits(0b1010_0011, 8).bits(0, 5));
    let message = copies.bits(0, 7).bytes();
    for role in Role::BOTH {
        for config in [Config::new(), Config::new().with_parts(true)] {
            let mut connection = role.connection(config).with_agreement(agreed(TAKEOVER));
            let mut input = Input::new();
            input.extend_from_slice(&compressed(role, BINARY, &message, &[]));
            let mut len = 0;
            while let Some(event) = connection.receive(&mut input).expect("valid") {
                len += match event {
                    Event::Binary(payload) => payload.len(),
                    Event::BinaryPart(part) => part.len(),
                    other => panic!("{other:?}"),
                };
            }
            assert_eq!(len, 500 + 62 * 258);
        }
    }
}

#[test]
fn a_frame_begins_when_16_kib_of_it_wait_and_then_all_of_them_is_delivered() {
    let enough = 16 << 10;
    for role in Role::BOTH {
        let header_len = if role == Role::Server { 14 } else { 10 };
        let config = Config::new().with_parts(true);
        for (copies, text_len) in [(0, 65_535), (100_000, 65_535 + 258)] {
            // Text as it is, and 258 bytes for 13 bits.
            let stored = Blocks::new().stored(vec![b'x'; 65_535], false).bits(0, 1).bits(1, 2);
            let start =
                if copies == 0 { stored } else { Blocks::new().fixed("x", &[], false).bits(0, 1).bits(1, 2) };
            let long = (0..copies).fold(start, |blocks, _| blocks.bits(0b1010_0011, 8).bits(0, 5));
            let bytes = compressed(role, BINARY, &long.bits(0, 7).end(), &[]);
            assert!(bytes.len() > 1 << 16);
            for len in [enough - 1, enough, enough + 700] {
                let mut connection = role.connection(config).with_agreement(agreed(TAKEOVER));
                let mut input = Input::new();
                input.extend_from_slice(&bytes[..header_len + len]);
                let mut text = 0;
                while let Some(event) = connection.receive(&mut input).expect("valid") {
                    let Event::BinaryPart(part) = event else { panic!("{event:?}") };
                    text += part.len();
                }
                // What comes of all these bytes, but for those of which the rest is missing.
                let all = if copies == 0 { (len - 5).min(text_len) } else { (len * 8 - 20) / 13 * 258 };
                assert_eq!(text > 0, len >= enough, "{len}");
                assert!(len < enough || (all..all + 600).contains(&text), "{text} of {len}: {all}");
            }
        }
    }
}

#[test]
fn what_a_side_receives_is_governed_by_the_parameters_of_the_other() {
    let first = Blocks::new().fixed("abcdef", &[], false).end();
    let second = Blocks::new().fixed("", &[6], false).end();
    for role in Role::BOTH {
        let bytes = [compressed(role, BINARY, &first, &[]), compressed(role, BINARY, &second, &[])].concat();
        for (offer, is_server) in [
            ("permessage-deflate; client_no_context_takeover", true),
            ("permessage-deflate; server_no_context_takeover", false),
        ] {
            let outcome = received(role, offer, &bytes);
            let is_refused = (role == Role::Server) == is_server;
            assert_eq!(outcome.error, is_refused.then_some(ProtocolError::InvalidDeflate), "{offer}");
        }
    }
}

#[test]
fn an_input_shows_how_much_of_a_message_is_inflated() {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::new()).with_agreement(agreed(TAKEOVER));
        let mut input = Input::new();
        let first = Blocks::new().fixed("secret", &[], false).bytes();
        input.extend_from_slice(&frame(role, RSV1 | BINARY, &first));
        assert!(matches!(connection.receive(&mut input), Ok(None)));
        let shown = format!("{input:?}");
        assert!(shown.contains("message_len: 6,"), "{shown}");
    }
}
