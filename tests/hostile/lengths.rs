//! Lengths that are announced: they are compared with limits, and nothing is added to them or allocated for them.

use tidewire::{Config, Input, ProtocolError};

use support::chunked::{Scenario, Seen, receive_all};
use support::counting::Meter;
use support::wire::{self, BINARY, CONTINUATION, FIN, KEY, Length, PING, Role, TEXT};

const KIB: usize = 1024;

/// Where integers of 32 and 64 bits, with and without a sign, and with a header or a terminator added, come to an end.
const HUGE: [u64; 19] = [
    (1 << 31) - 14,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 14,
    (1 << 32) - 4,
    (1 << 32) - 1,
    1 << 32,
    (1 << 32) + 5,
    1 << 62,
    (1 << 63) - 14,
    (1 << 63) - 2,
    (1 << 63) - 1,
    1 << 63,
    (1 << 63) + 5,
    u64::MAX - 13,
    u64::MAX - 9,
    u64::MAX - 4,
    u64::MAX - 1,
    u64::MAX,
];

/// A text message, and then a message or its last fragment with a header that announces `len` bytes, of which 4 arrive.
fn announcing(role: Role, first: u8, len: u64) -> Vec<u8> {
    let start = if first & 0xF == CONTINUATION { wire::frame(role, BINARY, "a") } else { Vec::new() };
    let header = wire::header(first, Length::Eight(len), role.key());
    [wire::text(role, "before"), start, header, wire::masked(b"some", role.key())].concat()
}

#[test]
fn a_huge_length_fails_at_its_header_or_is_waited_for() {
    let unlimited = Config::new().with_max_frame_len(usize::MAX).with_max_message_len(usize::MAX);
    for role in Role::BOTH {
        for first in [FIN | BINARY, TEXT, CONTINUATION, FIN | CONTINUATION] {
            for len in HUGE {
                let bytes = announcing(role, first, len);
                let before = [Seen::text("before")];
                let is_out_of_range = len > i64::MAX as u64;
                let so_far = u64::from(first & 0xF == CONTINUATION);
                let error = match is_out_of_range {
                    true => ProtocolError::LengthOutOfRange,
                    false => ProtocolError::MessageTooLong { len: so_far + len, max: 64 << 20 },
                };
                receive_all(role, &bytes).assert_failed(&before, error);
                let outcome = Scenario::new(role, &bytes).with_config(unlimited).run();
                match is_out_of_range {
                    true => outcome.assert_failed(&before, error),
                    // A length that no memory holds is as good as one above the limit.
                    false if usize::try_from(so_far + len).is_err() => {
                        let above = ProtocolError::MessageTooLong { len: so_far + len, max: usize::MAX };
                        outcome.assert_failed(&before, above);
                    }
                    false => outcome.assert_open(&before),
                }
            }
        }
    }
}

#[test]
fn what_a_header_shows_fails_before_any_payload_arrives() {
    let long = [Length::Eight(16 << 20), Length::Eight(251 << 20)];
    for role in Role::BOTH {
        let other_key = if role == Role::Server { None } else { Some(KEY) };
        let other_error = match role {
            Role::Server => ProtocolError::UnmaskedFrame,
            Role::Client => ProtocolError::MaskedFrame,
        };
        for length in long {
            for (first, key, error) in [
                (FIN | BINARY | 0x40, role.key(), ProtocolError::ReservedBit(1)),
                (FIN | TEXT | 0x20, role.key(), ProtocolError::ReservedBit(2)),
                (BINARY | 0x10, role.key(), ProtocolError::ReservedBit(3)),
                (FIN | BINARY, other_key, other_error),
                (TEXT, other_key, other_error),
                (FIN | PING, role.key(), ProtocolError::ControlFrameTooLong),
                (FIN | 0x3, role.key(), ProtocolError::ReservedOpCode(3)),
                (CONTINUATION, role.key(), ProtocolError::UnexpectedContinuation),
            ] {
                let header = wire::header(first, length, key);
                receive_all(role, &header).assert_failed(&[], error);

                let meter = Meter::new();
                let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
                input.extend_from_slice(&header);
                assert_eq!(connection.receive(&mut input).err(), Some(error));
                assert!(meter.peak() <= 65 * KIB, "one read and the Close frame, not {}", meter.peak());
                drop((connection, input));
                assert_eq!(meter.retained(), 0);
            }
        }
    }
}

#[test]
fn a_pong_of_a_thousand_bytes_fails_at_its_second_byte() {
    for role in Role::BOTH {
        let pong = wire::pong(role, [b'p'; 1000]);
        for len in [2, pong.len()] {
            receive_all(role, &pong[..len]).assert_failed(&[], ProtocolError::ControlFrameTooLong);
        }
    }
}

#[test]
fn a_compressed_bomb_is_not_inflated() {
    // A block of deflate, 64 KiB of zeros in 83 bytes, 16 times.
    let start = [0xEC, 0xC1, 0x01, 0x01, 0, 0, 0, 0x80, 0x90, 0xFE, 0xAF, 0xEE, 0x08, 0x0A];
    let bomb = [&start[..], &[0; 63], &[0x6A, 0, 0, 0, 0xFF, 0xFF]].concat().repeat(16);
    for role in Role::BOTH {
        for first in [FIN | TEXT, FIN | BINARY, TEXT, BINARY] {
            let whole = wire::frame(role, 0x40 | first, &bomb);
            receive_all(role, &whole).assert_failed(&[], ProtocolError::ReservedBit(1));
            // Nor may a later fragment claim to be compressed.
            for last in [CONTINUATION, FIN | CONTINUATION] {
                let fragments = [
                    wire::text(role, "plain"),
                    wire::frame(role, first & !FIN, "start"),
                    wire::frame(role, 0x40 | last, &bomb),
                ];
                let outcome = receive_all(role, &fragments.concat());
                outcome.assert_failed(&[Seen::text("plain")], ProtocolError::ReservedBit(1));
            }
        }
    }
}

#[test]
fn an_endless_message_costs_its_limit_and_fails_with_the_fragment_that_exceeds_it() {
    const LIMIT: usize = 1000 * KIB;
    let config = Config::new().with_max_message_len(LIMIT);
    for role in Role::BOTH {
        for opcode in [TEXT, BINARY] {
            let fragment = wire::frame(role, CONTINUATION, [b'x'; KIB]);
            let start = wire::frame(role, opcode, "");
            let meter = Meter::new();
            let (mut connection, mut input) = (role.connection(config), Input::new());
            input.extend_from_slice(&start);
            let mut count = 0;
            let error = loop {
                match connection.receive(&mut input) {
                    Ok(Some(event)) => panic!("never whole: {event:?}"),
                    Ok(None) => input.extend_from_slice(&fragment),
                    Err(error) => break error,
                }
                count += 1;
            };
            let above = ProtocolError::MessageTooLong { len: (LIMIT + KIB) as u64, max: LIMIT };
            assert_eq!((error, count), (above, 1001));
            assert!(meter.peak() <= 3 * LIMIT + 128 * KIB, "{}", meter.peak());
            // What had arrived is forgotten, and given back with the next quiet moment.
            input.shrink();
            assert!(meter.retained() <= 65 * KIB, "{}", meter.retained());
        }
    }
}
