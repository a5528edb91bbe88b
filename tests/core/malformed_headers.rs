//! A header that breaks a rule fails the connection with 1002, before any of its payload is there.

use tidewire::ProtocolError;

use support::chunked::{Seen, receive_all};
use support::wire::{self, BINARY, CLOSE, CONTINUATION, FIN, KEY, Length, PING, PONG, Role, TEXT};

/// Receives a message and then a header, which fails with `error`.
#[track_caller]
fn refused(role: Role, header: &[u8], error: ProtocolError) {
    let bytes = [&wire::text(role, "before"), header].concat();
    receive_all(role, &bytes).assert_failed(&[Seen::text("before")], error);
}

#[test]
fn reserved_opcodes() {
    for role in Role::BOTH {
        for opcode in (0x3..=0x7).chain(0xB..=0xF) {
            for fin in [0, FIN] {
                for length in [Length::Short(0), Length::Short(125), Length::Eight(u64::MAX)] {
                    let header = wire::header(fin | opcode, length, role.key());
                    // RFC 6455 5.2: the second byte is all that has to be there.
                    refused(role, &header[..2], ProtocolError::ReservedOpCode(opcode));
                }
            }
        }
    }
}

#[test]
fn reserved_bits() {
    for role in Role::BOTH {
        for bits in 1..8u8 {
            for first in [FIN | TEXT, FIN | BINARY, TEXT, FIN | CLOSE, FIN | PING, FIN | PONG, CONTINUATION] {
                let header = wire::header(bits << 4 | first, Length::Short(100), role.key());
                refused(role, &header, ProtocolError::ReservedBit(bits.leading_zeros() as u8 - 4));
            }
        }
    }
}

#[test]
fn the_wrong_direction_of_masking() {
    for first in [FIN | TEXT, FIN | BINARY, TEXT, FIN | CLOSE, FIN | PING, FIN | PONG] {
        for length in [Length::Short(0), Length::Short(125)] {
            // RFC 6455 5.1: a server fails the connection on an unmasked frame, a client on a masked one.
            refused(Role::Server, &wire::header(first, length, None), ProtocolError::UnmaskedFrame);
            refused(Role::Client, &wire::header(first, length, Some(KEY)), ProtocolError::MaskedFrame);
            refused(Role::Client, &wire::header(first, length, Some([0; 4])), ProtocolError::MaskedFrame);
        }
    }
}

#[test]
fn fragmented_control_frames() {
    for role in Role::BOTH {
        for opcode in [CLOSE, PING, PONG] {
            // RFC 6455 5.5: control frames are never fragmented.
            let header = wire::header(opcode, Length::Short(0), role.key());
            refused(role, &header[..2], ProtocolError::FragmentedControlFrame);
        }
    }
}

#[test]
fn control_frames_longer_than_125_bytes() {
    for role in Role::BOTH {
        for opcode in [CLOSE, PING, PONG] {
            // RFC 6455 5.5: the longer forms are refused whatever the length in them.
            for length in [Length::Two(126), Length::Two(5), Length::Eight(126), Length::Eight(u64::MAX)] {
                let header = wire::header(FIN | opcode, length, role.key());
                refused(role, &header[..2], ProtocolError::ControlFrameTooLong);
            }
        }
    }
}

#[test]
fn a_continuation_without_a_message() {
    for role in Role::BOTH {
        for fin in [0, FIN] {
            let header = wire::header(fin | CONTINUATION, Length::Short(9), role.key());
            refused(role, &header, ProtocolError::UnexpectedContinuation);
        }
    }
}

#[test]
fn a_new_message_inside_a_fragmented_one() {
    for role in Role::BOTH {
        for outer in [TEXT, BINARY] {
            for inner in [TEXT, BINARY, FIN | TEXT, FIN | BINARY] {
                // RFC 6455 5.4: fragments of different messages are not interleaved.
                let start = wire::frame(role, outer, "start");
                let header = wire::header(inner, Length::Short(1), role.key());
                refused(role, &[start, header].concat(), ProtocolError::UnfinishedMessage);
            }
        }
    }
}
