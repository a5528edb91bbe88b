//! RFC 6455 10.4: limits are inclusive, and hold at the header, before any payload is kept.

use bytes::Buf;
use tidewire::{Config, Input, ProtocolError};

use support::chunked::{Outcome, Scenario, Seen};
use support::wire::{self, BINARY, CONTINUATION, FIN, Length, Role, TEXT};

fn receive(role: Role, config: Config, parts: &[Vec<u8>]) -> Outcome {
    Scenario::new(role, &parts.concat()).with_config(config).run()
}

#[test]
fn a_frame_as_long_as_the_limit_passes_and_one_byte_more_fails_at_the_header() {
    for role in Role::BOTH {
        for limit in [0, 1, 125, 126, 1000, 65535, 65536] {
            let config = Config::new().with_max_frame_len(limit);
            let payload = wire::noise(limit);
            receive(role, config, &[wire::binary(role, &payload)]).assert_open(&[Seen::binary(&payload)]);
            for first in [TEXT, FIN | TEXT, BINARY, FIN | BINARY] {
                let header = wire::header(first, Length::minimal(limit + 1), role.key());
                let error = ProtocolError::FrameTooLong { len: limit as u64 + 1, max: limit };
                receive(role, config, &[header]).assert_failed(&[], error);
            }
        }
    }
}

#[test]
fn a_message_as_long_as_the_limit_passes_and_one_byte_more_fails_at_the_header() {
    for role in Role::BOTH {
        for limit in [0, 1, 125, 126, 1000] {
            let config = Config::new().with_max_message_len(limit);
            let text = "t".repeat(limit);
            receive(role, config, &[wire::text(role, &text)]).assert_open(&[Seen::text(&text)]);
            let header = wire::header(FIN | TEXT, Length::minimal(limit + 1), role.key());
            let error = ProtocolError::MessageTooLong { len: limit as u64 + 1, max: limit };
            receive(role, config, &[header]).assert_failed(&[], error);
        }
    }
}

#[test]
fn the_message_limit_counts_all_fragments_together() {
    let config = Config::new().with_max_message_len(10);
    for role in Role::BOTH {
        for (opcode, message) in [(TEXT, Seen::text("0123456789")), (BINARY, Seen::binary("0123456789"))] {
            let start = [wire::frame(role, opcode, "0123"), wire::frame(role, CONTINUATION, "4567")].concat();
            let empty = wire::frame(role, FIN | CONTINUATION, "");
            let rest = wire::frame(role, CONTINUATION, "89");
            let outcome = receive(role, config, &[start.clone(), rest, empty]);
            outcome.assert_open(core::slice::from_ref(&message));
            for fin in [0, FIN] {
                let header = wire::header(fin | CONTINUATION, Length::Short(3), role.key());
                let outcome = receive(role, config, &[start.clone(), header]);
                outcome.assert_failed(&[], ProtocolError::MessageTooLong { len: 11, max: 10 });
            }
        }
    }
}

#[test]
fn the_frame_limit_holds_for_each_fragment_and_the_message_may_be_longer() {
    let config = Config::new().with_max_frame_len(4);
    for role in Role::BOTH {
        let start = [wire::frame(role, BINARY, "0123"), wire::frame(role, CONTINUATION, "4567")].concat();
        let outcome = receive(role, config, &[start.clone(), wire::frame(role, FIN | CONTINUATION, "89")]);
        outcome.assert_open(&[Seen::binary("0123456789")]);
        let header = wire::header(FIN | CONTINUATION, Length::Short(5), role.key());
        let error = ProtocolError::FrameTooLong { len: 5, max: 4 };
        receive(role, config, &[start, header]).assert_failed(&[], error);
    }
}

#[test]
fn every_message_starts_counting_anew() {
    let config = Config::new().with_max_message_len(4);
    for role in Role::BOTH {
        let bytes = [
            wire::binary(role, "full"),
            wire::frame(role, TEXT, "al"),
            wire::frame(role, FIN | CONTINUATION, "so"),
            wire::binary(role, "this"),
        ];
        let events = [Seen::binary("full"), Seen::text("also"), Seen::binary("this")];
        receive(role, config, &bytes).assert_open(&events);
    }
}

#[test]
fn control_frames_do_not_count() {
    let config = Config::new().with_max_frame_len(2).with_max_message_len(2);
    for role in Role::BOTH {
        let bytes = [
            wire::frame(role, BINARY, "ab"),
            wire::ping(role, [b'p'; 125]),
            wire::frame(role, FIN | CONTINUATION, ""),
        ];
        receive(role, config, &bytes).assert_open(&[Seen::ping([b'p'; 125]), Seen::binary("ab")]);
    }
}

#[test]
fn the_sum_of_the_fragments_cannot_overflow() {
    let config = Config::new().with_max_frame_len(usize::MAX).with_max_message_len(usize::MAX);
    for role in Role::BOTH {
        // Two lengths whose sum crosses 2^63, and with one more 2^64.
        let huge = wire::header(CONTINUATION, Length::Eight(i64::MAX as u64), role.key());
        let start = wire::frame(role, BINARY, "a");
        receive(role, config, &[start.clone(), huge.clone()]).assert_open(&[]);
        let config = config.with_max_message_len(i64::MAX as usize);
        let error = ProtocolError::MessageTooLong { len: 1 << 63, max: i64::MAX as usize };
        receive(role, config, &[start, huge]).assert_failed(&[], error);
    }
}

#[test]
fn the_default_is_64_mib_for_a_message_in_one_frame_or_many() {
    for role in Role::BOTH {
        let above = ProtocolError::MessageTooLong { len: (64 << 20) + 1, max: 64 << 20 };
        for (len, error) in [(64 << 20, None), ((64 << 20) + 1, Some(above))] {
            let whole = wire::header(FIN | BINARY, Length::Eight(len), role.key());
            assert_eq!(receive(role, Config::new(), &[whole]).error, error);
            let fragments = [
                wire::frame(role, BINARY, "x"),
                wire::header(CONTINUATION, Length::Eight(len - 1), role.key()),
            ];
            assert_eq!(receive(role, Config::new(), &fragments).error, error);
        }
        // What one end of a connection sends with the defaults, the other accepts.
        let (mut near, mut far) = (role.connection(Config::new()), Input::new());
        near.send(vec![7; 17 << 20]).expect("room");
        while near.output().has_remaining() {
            far.extend_from_slice(near.output().chunk());
            let len = near.output().chunk().len();
            near.output().advance(len);
        }
        let peer = if role == Role::Client { Role::Server } else { Role::Client };
        let event = peer
            .connection(Config::new())
            .receive(&mut far)
            .map(|event| event.and_then(|event| event.into_message()));
        assert_eq!(event.expect("valid").map(|message| message.len()), Some(17 << 20));
    }
}
