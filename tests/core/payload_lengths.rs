//! RFC 6455 5.2: a payload length has three forms, and only the shortest one that fits is right.

use bytes::Buf;
use tidewire::{Config, ProtocolError, SendError};

use support::chunked::{Seen, receive_all};
use support::wire::{self, BINARY, FIN, Frame, Length, Role, TEXT};

const BOUNDARIES: [usize; 8] = [0, 1, 125, 126, 127, 65535, 65536, 65537];

#[test]
fn every_length_is_received() {
    for role in Role::BOTH {
        for len in BOUNDARIES {
            let payload = wire::noise(len);
            receive_all(role, &wire::binary(role, &payload)).assert_open(&[Seen::Binary(payload)]);
            let text = "x".repeat(len);
            receive_all(role, &wire::text(role, &text)).assert_open(&[Seen::Text(text)]);
        }
    }
}

#[test]
fn every_length_is_sent_in_its_shortest_form() -> Result<(), SendError> {
    for role in Role::BOTH {
        for len in BOUNDARIES {
            let mut connection = role.connection(Config::new());
            connection.send(&wire::noise(len))?;
            connection.send(wire::noise(len))?;
            connection.send("y".repeat(len))?;
            let output = connection.output();
            // `parse` refuses every other form.
            let frames = wire::parse(role, &output.copy_to_bytes(output.remaining()));
            let binary = Frame::new(FIN | BINARY, wire::noise(len));
            assert_eq!(frames, [binary.clone(), binary, Frame::new(FIN | TEXT, "y".repeat(len))]);
        }
    }
    Ok(())
}

#[test]
fn a_longer_form_than_needed_is_refused_at_the_header() {
    let lengths = [
        Length::Two(0),
        Length::Two(1),
        Length::Two(125),
        Length::Eight(0),
        Length::Eight(125),
        Length::Eight(126),
        Length::Eight(65535),
    ];
    refused_at_the_header(&lengths, ProtocolError::NonMinimalLength);
}

#[test]
fn a_length_with_its_most_significant_bit_set_is_refused_at_the_header() {
    let lengths = [Length::Eight(1 << 63), Length::Eight((1 << 63) + 5), Length::Eight(u64::MAX)];
    refused_at_the_header(&lengths, ProtocolError::LengthOutOfRange);
}

fn refused_at_the_header(lengths: &[Length], error: ProtocolError) {
    for role in Role::BOTH {
        for &length in lengths {
            // The key that would follow is not needed to see the error.
            let header = wire::header(FIN | BINARY, length, role.key());
            let key_len = role.key().map_or(0, |key| key.len());
            let bytes = [wire::text(role, "before"), header[..header.len() - key_len].to_vec()].concat();
            receive_all(role, &bytes).assert_failed(&[Seen::text("before")], error);
        }
    }
}
