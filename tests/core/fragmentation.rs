//! RFC 6455 5.4: a message is the fragments of it, one after the other.

use tidewire::ProtocolError;

use support::chunked::{Seen, receive_all};
use support::wire::{self, BINARY, CONTINUATION, FIN, Role, TEXT};

/// A message in fragments, as its peer sends it to `role`.
fn fragments(role: Role, opcode: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let opcode = if i == 0 { opcode } else { CONTINUATION };
        let fin = if i + 1 == parts.len() { FIN } else { 0 };
        bytes.extend(wire::frame(role, fin | opcode, part));
    }
    bytes
}

#[test]
fn fragments_are_joined_wherever_they_are_cut_and_however_many_are_empty() {
    let messages: [&[&[u8]]; 10] = [
        &[b"a"],
        &[b"a", b"b"],
        &[b"", b"ab"],
        &[b"ab", b""],
        &[b"", b""],
        &[b"", b"", b"", b""],
        &[b"a", b"", b"", b"b", b""],
        &[b"", b"", b"abc", b"", b"d"],
        &[&[b'x'; 125], &[b'y'; 126], &[b'z'; 300]],
        &[b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"],
    ];
    for role in Role::BOTH {
        for parts in messages {
            let whole = parts.concat();
            let text = String::from_utf8(whole.clone()).expect("ASCII");
            let binary = fragments(role, BINARY, parts);
            receive_all(role, &binary).assert_open(&[Seen::Binary(whole)]);
            receive_all(role, &fragments(role, TEXT, parts)).assert_open(&[Seen::Text(text)]);
        }
    }
}

#[test]
fn messages_follow_each_other_without_traces() {
    for role in Role::BOTH {
        let bytes = [
            fragments(role, BINARY, &[b"first", b" message"]),
            fragments(role, TEXT, &[b"sec", b"ond"]),
            wire::binary(role, ""),
            fragments(role, TEXT, &[b"", b""]),
            wire::text(role, "fifth"),
            fragments(role, BINARY, &[b"", b"sixth"]),
        ]
        .concat();
        receive_all(role, &bytes).assert_open(&[
            Seen::binary("first message"),
            Seen::text("second"),
            Seen::binary(""),
            Seen::text(""),
            Seen::text("fifth"),
            Seen::binary("sixth"),
        ]);
    }
}

#[test]
fn every_fragment_of_a_client_has_a_key_of_its_own() {
    let parts: [(u8, &[u8], [u8; 4]); 3] =
        [(BINARY, b"abcde", [1, 2, 3, 4]), (CONTINUATION, b"fgh", [0; 4]), (FIN, b"ij", [9, 8, 7, 6])];
    let mut bytes = Vec::new();
    for (first, payload, key) in parts {
        bytes.extend(wire::header(first, wire::Length::minimal(payload.len()), Some(key)));
        bytes.extend(wire::masked(payload, Some(key)));
    }
    receive_all(Role::Server, &bytes).assert_open(&[Seen::binary("abcdefghij")]);
}

#[test]
fn a_large_message_is_joined_from_large_and_small_fragments() {
    let payload = wire::noise(200_000);
    for role in Role::BOTH {
        let (mut parts, mut rest) = (Vec::new(), payload.as_slice());
        for len in [1, 70_000, 5, 0, 16_384, 16_385, 40_000, 3].into_iter().chain([usize::MAX]) {
            let (part, after) = rest.split_at(len.min(rest.len()));
            parts.push(part);
            rest = after;
        }
        let bytes = [fragments(role, BINARY, &parts), wire::binary(role, "after")].concat();
        receive_all(role, &bytes).assert_open(&[Seen::Binary(payload.clone()), Seen::binary("after")]);
    }
}

#[test]
fn an_unfinished_message_is_never_delivered() {
    for role in Role::BOTH {
        for opcode in [TEXT, BINARY] {
            let bytes =
                [wire::frame(role, opcode, "never"), wire::frame(role, CONTINUATION, "ends")].concat();
            receive_all(role, &bytes).assert_open(&[]);
        }
    }
}

#[test]
fn a_continuation_after_the_last_fragment_fails() {
    for role in Role::BOTH {
        let message = fragments(role, BINARY, &[b"a", b"b"]);
        let bytes = [message, wire::frame(role, FIN | CONTINUATION, "c")].concat();
        receive_all(role, &bytes).assert_failed(&[Seen::binary("ab")], ProtocolError::UnexpectedContinuation);
    }
}
