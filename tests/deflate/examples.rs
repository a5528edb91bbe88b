//! The examples of RFC 7692 7.2.3.

use support::chunked::{Scenario, Seen};
use support::wire::{FIN, Role, TEXT, frame, parse};
use tidewire::{Config, Outgoing};

use super::link::{RSV1, agree, agreed, compressed, take};

const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
const HELLO_AGAIN: [u8; 5] = [0xf2, 0x00, 0x11, 0x00, 0x00];

#[test]
fn what_rfc_7692_shows_is_received_as_it_says() {
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    let is_final = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let two_blocks = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    for role in Role::BOTH {
        for (payload, cuts) in
            [(&HELLO[..], &[][..]), (&HELLO, &[3]), (&stored, &[]), (&is_final, &[]), (&two_blocks, &[])]
        {
            // What follows may refer to it.
            let bytes = [
                compressed(role, TEXT, payload, cuts),
                compressed(role, TEXT, &HELLO_AGAIN, &[]),
                compressed(role, TEXT, &[0x00], &[]),
                frame(role, FIN | TEXT, "raw"),
            ]
            .concat();
            let prepare = |connection: &mut _| agree(connection, agreed("permessage-deflate"));
            let outcome = Scenario::new(role, &bytes).after(&prepare).run();
            outcome.assert_open(&[
                Seen::text("Hello"),
                Seen::text("Hello"),
                Seen::text(""),
                Seen::text("raw"),
            ]);
        }
    }
}

#[test]
fn what_rfc_7692_shows_is_sent_as_it_says() {
    for role in Role::BOTH {
        for (offer, second) in [
            ("permessage-deflate", &HELLO_AGAIN[..]),
            ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", &HELLO[..]),
        ] {
            let mut connection = role.connection(Config::new()).with_agreement(agreed(offer));
            for text in ["Hello", "Hello", ""] {
                connection.send(Outgoing::from(text).with_compression(true)).expect("open");
            }
            connection.send("Hello").expect("open");
            let frames = parse(role, &take(&mut connection));
            let frames: Vec<_> = frames.iter().map(|frame| (frame.first, &frame.payload[..])).collect();
            let first = FIN | RSV1 | TEXT;
            assert_eq!(
                frames,
                [
                    (first, &HELLO[..]),
                    (first, second),
                    (first, &[0x00]),
                    // Shorter than what is worth it.
                    (FIN | TEXT, b"Hello")
                ]
            );
        }
    }
}
