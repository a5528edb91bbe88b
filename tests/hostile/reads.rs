//! Reads that end where it hurts, and messages in very many pieces.

use tidewire::{Config, Event, Input};

use support::counting::Meter;
use support::wire::{self, BINARY, CONTINUATION, FIN, Length, Role, TEXT};

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

#[test]
fn a_message_of_64_mib_in_fragments_of_64_bytes_is_put_together_once() {
    const LEN: usize = 64 << 20;
    // So many come in each read.
    const COUNT: usize = 1024;
    for role in Role::BOTH {
        let fragments = |first: u8, last: u8| {
            let between = wire::frame(role, CONTINUATION, [7; 64]).repeat(COUNT - 2);
            [wire::frame(role, first, [7; 64]), between, wire::frame(role, last, [7; 64])].concat()
        };
        let reads = LEN / (64 * COUNT);
        let between = fragments(CONTINUATION, CONTINUATION);
        let (start, end) = (fragments(BINARY, CONTINUATION), fragments(CONTINUATION, FIN | CONTINUATION));
        let meter = Meter::new();
        let (mut connection, mut input) =
            (role.connection(Config::new().with_max_message_len(LEN)), Input::new());
        let mut received = None;
        for read in 1..=reads {
            input.extend_from_slice(match read {
                1 => &start,
                _ if read == reads => &end,
                _ => &between,
            });
            match connection.receive(&mut input) {
                Ok(None) => assert!(read < reads),
                Ok(Some(Event::Binary(whole))) => received = Some((read, whole.len())),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(received, Some((reads, LEN)));
        assert!(meter.allocations() <= 40, "none for a fragment, but {}", meter.allocations());
        assert!(meter.peak() <= 3 * LEN, "{}", meter.peak());
    }
}

#[test]
fn a_million_pongs_cost_nothing() {
    for role in Role::BOTH {
        let pongs = wire::pong(role, "late").repeat(1000);
        let meter = Meter::new();
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        for _ in 0..1000 {
            input.extend_from_slice(&pongs);
            let mut count = 0;
            while let Some(event) = connection.receive(&mut input).expect("allowed") {
                assert!(matches!(event, Event::Pong(b"late", ..)));
                count += 1;
            }
            assert_eq!(count, 1000);
            assert_eq!(connection.output().len(), 0, "a pong is not answered");
        }
        assert!(meter.allocations() <= 10, "none for a pong, but {}", meter.allocations());
        assert!(meter.peak() <= 68 << 10, "one read and little else, not {}", meter.peak());
    }
}
