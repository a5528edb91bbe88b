//! Reads that end where it hurts, and messages in very many pieces.

use tidewire::{Config, Event, Input};

use crate::counting::Meter;
use crate::wire::{self, BINARY, CONTINUATION, FIN, Length, Role, TEXT};

#[test]
fn a_payload_is_unmasked_whatever_the_reads_are() {
    const LEN: usize = 300;
    let text = "abcdefghij".repeat(LEN / 10);
    for key in [[0x37, 0xfa, 0x21, 0x3d], [0xFF; 4], [0, 0, 0, 1]] {
        for first in [FIN | TEXT, FIN | BINARY] {
            let header = wire::header(first, Length::Two(LEN as u16), Some(key));
            let payload = wire::masked(text.as_bytes(), Some(key));
            // 3 and then 255 bytes once overflowed an offset.
            for start in 0..=9 {
                for second in [0, 1, 2, 3, 4, 5, 7, 8, 9, 127, 128, 252, 253, 254, 255, 256, 257, 258] {
                    let (mut connection, mut input) = (Role::Server.connection(Config::new()), Input::new());
                    let (early, late) = payload.split_at(start + second);
                    for read in [&header, &early[..start], &early[start..]] {
                        input.extend_from_slice(read);
                        assert!(matches!(connection.receive(&mut input), Ok(None)));
                    }
                    input.extend_from_slice(late);
                    match connection.receive(&mut input) {
                        Ok(Some(Event::Text(received))) if first == FIN | TEXT => assert_eq!(*received, text),
                        Ok(Some(Event::Binary(received))) => assert_eq!(*received, *text.as_bytes()),
                        other => panic!("{start}, {second}: {other:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn text_in_half_a_million_fragments_is_validated_once_and_kept_in_one_piece() {
    // 4.5 MB in fragments of 9 bytes, most of which begin and end inside a character.
    let text = "aß€🦀".repeat(450_000);
    for role in Role::BOTH {
        let mut bytes = Vec::new();
        let mut chunks = text.as_bytes().chunks(9).peekable();
        let mut first = TEXT;
        while let Some(chunk) = chunks.next() {
            let fin = if chunks.peek().is_none() { FIN } else { 0 };
            bytes.extend(wire::frame(role, fin | first, chunk));
            first = CONTINUATION;
        }
        let meter = Meter::new();
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        let mut received = false;
        for read in bytes.chunks(60_000) {
            assert!(!received);
            input.extend_from_slice(read);
            match connection.receive(&mut input) {
                Ok(None) => {}
                Ok(Some(Event::Text(whole))) => received = *whole == *text,
                other => panic!("{other:?}"),
            }
        }
        assert!(received);
        assert!(meter.allocations() <= 30, "none for a fragment, but {}", meter.allocations());
        assert!(meter.peak() <= 3 * text.len(), "{}", meter.peak());
    }
}
