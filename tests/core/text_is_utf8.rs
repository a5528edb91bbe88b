//! RFC 6455 5.6 and 8.1: a text message as a whole is UTF-8, and one that is not fails as soon as that shows.

use tidewire::ProtocolError;

use support::chunked::{Seen, receive_all};
use support::wire::{self, CONTINUATION, FIN, Length, Role, TEXT};

const VALID: [&str; 8] = [
    "κόσμε",
    "\0\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
    "\u{d7ff}\u{e000}\u{fffd}\u{feff}",
    "a\u{300}é",
    "日本語",
    "🦀🌊",
    "plain",
    "",
];

/// Each is wrong at its last byte, and not before.
const INVALID: [&[u8]; 19] = [
    b"\x80",
    b"\xBF",
    b"a\x80",
    b"\xC0",
    b"\xC1",
    b"\xC3\x28",
    b"\xE0\x9F",
    b"\xE0\x80",
    b"\xE2\x82\x28",
    b"\xE2\x28",
    b"\xED\xA0",
    b"\xED\xBF",
    b"\xF0\x8F",
    b"\xF0\x9F\xA6\x41",
    b"\xF4\x90",
    b"\xF5",
    b"\xFE",
    b"\xFF",
    b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0",
];

/// A message in two fragments.
fn two_fragments(role: Role, payload: &[u8], cut: usize) -> Vec<u8> {
    let (first, second) = payload.split_at(cut);
    [wire::frame(role, TEXT, first), wire::frame(role, FIN | CONTINUATION, second)].concat()
}

/// The beginning of a frame that announces `missing` bytes more than the payload that is there.
fn unfinished(role: Role, first: u8, payload: &[u8], missing: usize) -> Vec<u8> {
    let mut bytes = wire::header(first, Length::minimal(payload.len() + missing), role.key());
    bytes.extend(wire::masked(payload, role.key()));
    bytes
}

#[test]
fn valid_text_passes_however_it_is_cut() {
    for role in Role::BOTH {
        for text in VALID {
            receive_all(role, &wire::text(role, text)).assert_open(&[Seen::text(text)]);
            for cut in 0..=text.len() {
                receive_all(role, &two_fragments(role, text.as_bytes(), cut))
                    .assert_open(&[Seen::text(text)]);
            }
        }
    }
}

#[test]
fn every_character_of_every_length_passes_in_fragments_of_one_byte() {
    let text = "aß€🦀".repeat(3);
    for role in Role::BOTH {
        let mut bytes = wire::frame(role, TEXT, "");
        for byte in text.bytes() {
            bytes.extend(wire::frame(role, CONTINUATION, [byte]));
        }
        bytes.extend(wire::frame(role, FIN | CONTINUATION, ""));
        receive_all(role, &bytes).assert_open(&[Seen::text(&text)]);
    }
}

#[test]
fn invalid_text_fails_in_a_whole_frame_and_in_fragments() {
    for role in Role::BOTH {
        for invalid in INVALID {
            let payload = [invalid, b" and more"].concat();
            let bytes = [wire::text(role, "ok"), wire::frame(role, FIN | TEXT, &payload)].concat();
            receive_all(role, &bytes).assert_failed(&[Seen::text("ok")], ProtocolError::InvalidUtf8);
            for cut in 0..=payload.len() {
                let bytes = two_fragments(role, &payload, cut);
                receive_all(role, &bytes).assert_failed(&[], ProtocolError::InvalidUtf8);
            }
        }
    }
}

#[test]
fn invalid_text_fails_at_the_wrong_byte_in_the_middle_of_a_frame() {
    for role in Role::BOTH {
        for invalid in INVALID {
            for before in ["", "valid ", "€"] {
                let payload = [before.as_bytes(), invalid].concat();
                // One byte earlier nothing is wrong yet.
                let almost = &payload[..payload.len() - 1];
                for first in [TEXT, FIN | TEXT] {
                    receive_all(role, &unfinished(role, first, almost, 100)).assert_open(&[]);
                    let bytes = unfinished(role, first, &payload, 99);
                    receive_all(role, &bytes).assert_failed(&[], ProtocolError::InvalidUtf8);
                }
            }
        }
    }
}

#[test]
fn a_message_may_not_end_inside_a_character() {
    for role in Role::BOTH {
        for character in ["ß", "€", "🦀"] {
            for len in 1..character.len() {
                let payload = [b"text ", &character.as_bytes()[..len]].concat();
                let whole = wire::frame(role, FIN | TEXT, &payload);
                receive_all(role, &whole).assert_failed(&[], ProtocolError::InvalidUtf8);
                // A fragment may, and the last one shows that it was the end, even when it is empty.
                let open = wire::frame(role, TEXT, &payload);
                receive_all(role, &open).assert_open(&[]);
                let bytes = [open, wire::frame(role, FIN | CONTINUATION, "")].concat();
                receive_all(role, &bytes).assert_failed(&[], ProtocolError::InvalidUtf8);
            }
        }
    }
}

#[test]
fn a_character_is_not_completed_by_the_next_message() {
    for role in Role::BOTH {
        let [head @ .., tail] = "€".as_bytes() else { unreachable!("three bytes") };
        let bytes = [wire::frame(role, FIN | TEXT, head), wire::frame(role, FIN | TEXT, [*tail])].concat();
        receive_all(role, &bytes).assert_failed(&[], ProtocolError::InvalidUtf8);
    }
}

#[test]
fn binary_messages_are_not_validated() {
    for role in Role::BOTH {
        for invalid in INVALID {
            receive_all(role, &wire::binary(role, invalid)).assert_open(&[Seen::binary(invalid)]);
        }
    }
}

#[test]
fn long_text_agrees_with_the_standard_library() {
    // Around the tiles of 16 KiB in which text is validated, and around reads of 64 KiB.
    let lens = [(16_385, "plain ASCII "), (16_383, "ß"), (16_384, "€"), (16_385, "🦀"), (40_000, "aß€🦀")];
    for (len, pattern) in [lens.as_slice(), &[(200 * 1024, "plain ASCII "), (200 * 1024, "aß€🦀")]].concat()
    {
        for role in Role::BOTH {
            let mut text = pattern.repeat(len / pattern.len());
            text.push_str(&"-".repeat(len - text.len()));
            receive_all(role, &wire::text(role, &text)).assert_open(&[Seen::text(&text)]);
        }
    }
}

#[test]
fn one_wrong_byte_anywhere_in_long_text_is_found() {
    let text = "aß€🦀".repeat(4_000);
    for at in [0, 1, 2, 3, 5, 9, 16_383, 16_384, 16_385, 32_767, 32_768, text.len() - 1] {
        let mut payload = text.clone().into_bytes();
        payload[at] = 0xFF;
        assert!(core::str::from_utf8(&payload).is_err());
        for role in Role::BOTH {
            let bytes = wire::frame(role, FIN | TEXT, &payload);
            receive_all(role, &bytes).assert_failed(&[], ProtocolError::InvalidUtf8);
        }
    }
}
