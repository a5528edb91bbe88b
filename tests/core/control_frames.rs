//! RFC 6455 5.4 and 5.5: control frames carry up to 125 bytes and may come between fragments.

use support::chunked::{Seen, receive_all};
use support::wire::{self, BINARY, CONTINUATION, FIN, Frame, PONG, Role, TEXT};

#[test]
fn carry_up_to_125_bytes() {
    for role in Role::BOTH {
        for len in [0, 1, 124, 125] {
            let payload = wire::noise(len);
            let outcome = receive_all(role, &wire::ping(role, &payload));
            outcome.assert_open(&[Seen::ping(&payload)]);
            assert_eq!(outcome.output, [Frame::new(FIN | PONG, &payload)]);
            receive_all(role, &wire::pong(role, &payload)).assert_open(&[Seen::pong(&payload)]);
        }
    }
}

#[test]
fn come_between_fragments_and_leave_the_message_whole() {
    for role in Role::BOTH {
        for (first, message) in [(TEXT, Seen::text("abcdef")), (BINARY, Seen::binary("abcdef"))] {
            let bytes = [
                wire::frame(role, first, "ab"),
                wire::ping(role, "1"),
                wire::frame(role, CONTINUATION, "cd"),
                wire::pong(role, "2"),
                wire::ping(role, ""),
                wire::frame(role, FIN | CONTINUATION, "ef"),
                wire::ping(role, "3"),
            ]
            .concat();
            let outcome = receive_all(role, &bytes);
            let controls = [Seen::ping("1"), Seen::pong("2"), Seen::ping("")];
            outcome.assert_open(&[controls.as_slice(), &[message, Seen::ping("3")]].concat());
            assert_eq!(outcome.output, ["1", "", "3"].map(|payload| Frame::new(FIN | PONG, payload)));
        }
    }
}

#[test]
fn come_inside_a_character_that_is_split_over_fragments() {
    for role in Role::BOTH {
        let [a, b, c] = *"€".as_bytes() else { unreachable!("three bytes") };
        let bytes = [
            wire::frame(role, TEXT, [a]),
            wire::ping(role, [0xFF]),
            wire::frame(role, CONTINUATION, [b]),
            wire::pong(role, [0xC3]),
            wire::frame(role, FIN | CONTINUATION, [c]),
        ]
        .concat();
        receive_all(role, &bytes).assert_open(&[Seen::ping([0xFF]), Seen::pong([0xC3]), Seen::text("€")]);
    }
}

#[test]
fn an_unsolicited_pong_is_reported_and_not_answered() {
    for role in Role::BOTH {
        // RFC 6455 5.5.3: a response to an unsolicited pong is not expected.
        let bytes = [wire::pong(role, "why"), wire::pong(role, "why"), wire::pong(role, "")].concat();
        let outcome = receive_all(role, &bytes);
        outcome.assert_open(&[Seen::pong("why"), Seen::pong("why"), Seen::pong("")]);
        assert_eq!(outcome.output, []);
    }
}
