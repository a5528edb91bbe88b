//! What is sent is read by a strict decoder, and by the other side (RFC 7692 6 and 7.2.1).

use proptest::prelude::*;
use support::deflate::{Inflater, json};
use support::wire::{BINARY, CONTINUATION, FIN, Frame, Role, TEXT, noise, parse};
use tidewire::{Config, Deflate, Event, Input, Outgoing, Prepared};

use super::link::{RSV1, agreed, agreed_with, take, widest};

/// The messages that frames make: the type, the text, and whether it was compressed.
fn messages(frames: &[Frame], inflater: &mut Inflater) -> Vec<(u8, Vec<u8>, bool)> {
    let mut found: Vec<(u8, Vec<u8>, bool)> = Vec::new();
    for Frame { first, payload } in frames {
        match first & 0xF {
            CONTINUATION => {
                assert_eq!(first & RSV1, 0, "RFC 7692 6: on the first frame alone");
                found.last_mut().expect("a first fragment").1.extend_from_slice(payload);
            }
            kind => found.push((kind, payload.clone(), first & RSV1 != 0)),
        }
        if first & FIN != 0
            && let Some((_, payload, true)) = found.last_mut()
        {
            *payload = inflater.message(payload);
        }
    }
    found
}

#[derive(Clone, Debug)]
struct Sent {
    text: String,
    how: How,
    wish: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Whole,
    Prepared,
    Fragments(usize),
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let how = prop_oneof![
        4 => Just(How::Whole),
        2 => Just(How::Prepared),
        2 => (1_usize..1200).prop_map(How::Fragments)
    ];
    let text = prop_oneof![
        6 => (0_usize..50, 0_usize..3000).prop_map(|(seed, len)| json(seed, len)),
        1 => (0_usize..3000).prop_map(|len| noise(len).iter().map(|byte| char::from(byte % 90 + 33)).collect()),
        1 => (0_usize..90_000).prop_map(|len| "x".repeat(len)),
    ];
    (text, how, prop::option::weighted(0.3, any::<bool>())).prop_map(|(text, how, wish)| Sent {
        text,
        how,
        wish,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_sent_is_valid_within_the_agreed_window(
        sent in prop::collection::vec(any_sent(), 1..12),
        bits in 8_u8..=15,
        level in 1_u8..=9,
        takeover in any::<bool>(),
        is_server in any::<bool>(),
    ) {
        let role = if is_server { Role::Server } else { Role::Client };
        let peer = if is_server { Role::Client } else { Role::Server };
        let side = if is_server { "server" } else { "client" };
        let mut offer = format!("permessage-deflate; {side}_max_window_bits={bits}");
        if !takeover {
            offer.push_str(&format!("; {side}_no_context_takeover"));
        }
        let agreement = agreed_with(&widest().with_level(level), &offer);
        let mut connection = role.connection(Config::new()).with_agreement(agreement);
        let mut receiver = peer.connection(Config::new()).with_agreement(agreement);
        let (mut inflater, mut input) = (Inflater::new(takeover), Input::new());
        for Sent { text, how, wish } in &sent {
            let wished = |text| {
                let message = Outgoing::from(text);
                match *wish {
                    Some(wish) => message.with_compression(wish),
                    None => message,
                }
            };
            match how {
                How::Whole => connection.send(wished(text.as_str())).expect("open"),
                How::Prepared => connection.send(&Prepared::new(wished(text.as_str()))).expect("open"),
                How::Fragments(len) => {
                    for part in text.as_bytes().chunks(*len) {
                        let part = std::str::from_utf8(part).expect("ASCII");
                        connection.send_fragment(wished(part), false).expect("open");
                    }
                    connection.send_fragment(wished(""), true).expect("open");
                }
            }
            let bytes = take(&mut connection);
            let found = messages(&parse(role, &bytes), &mut inflater);
            let [(TEXT, plain, is_compressed)] = &found[..] else { panic!("{} messages", found.len()) };
            prop_assert_eq!(&String::from_utf8_lossy(plain), text);
            let is_worth = text.len() >= 64 || matches!(how, How::Fragments(_));
            // What does not get shorter is sent as it is, unless it says otherwise.
            prop_assert!(!is_compressed || wish.unwrap_or(is_worth));
            let must = *wish == Some(true) && *how != How::Prepared && !text.is_empty();
            prop_assert!(*is_compressed || !must);
            prop_assert!(inflater.max_distance <= 1 << bits, "{} at {bits} bits", inflater.max_distance);

            input.extend_from_slice(&bytes);
            match receiver.receive(&mut input) {
                Ok(Some(Event::Text(received))) => prop_assert_eq!(received, text.as_str()),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_window_of_eight_bits_is_answered_and_kept() {
    let agreement = agreed("permessage-deflate; server_max_window_bits=8; client_max_window_bits=8");
    for role in Role::BOTH {
        for level in 1..=9 {
            let deflate = widest().with_level(level);
            let agreement = agreed_with(
                &deflate,
                "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8",
            );
            let mut connection = role.connection(Config::new()).with_agreement(agreement);
            let mut inflater = Inflater::new(true);
            for seed in 0..10 {
                // What repeats lies 260 to 700 bytes back too.
                let text = json(seed, 255).repeat(3);
                connection.send(&text).expect("open");
                let found = messages(&parse(role, &take(&mut connection)), &mut inflater);
                assert_eq!(found, [(TEXT, text.into_bytes(), true)]);
            }
            assert!((100..=256).contains(&inflater.max_distance), "{}", inflater.max_distance);
        }
    }
    assert_eq!(
        agreement.to_string(),
        "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8"
    );
}

#[test]
fn takeover_refers_to_former_messages_and_its_absence_does_not() {
    let text = json(3, 1000);
    for role in Role::BOTH {
        for (offer, shrinks) in [
            ("permessage-deflate", true),
            ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", false),
        ] {
            let mut connection = role.connection(Config::new()).with_agreement(agreed(offer));
            let lens = [0, 1, 2].map(|_| {
                connection.send(&text).expect("open");
                take(&mut connection).len()
            });
            assert!(lens[0] < text.len() / 2);
            assert_eq!([lens[1] < 60, lens[2] < 60], [shrinks, shrinks], "{lens:?}");
            assert!(shrinks || lens == [lens[0]; 3]);
        }
        // A side may do without on its own.
        let alone = Deflate::new().with_takeover(false).with_peer_takeover(false);
        let agreement = agreed_with(&alone, "permessage-deflate");
        assert_eq!(
            agreement.to_string(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        );
    }
}

#[test]
fn short_messages_and_those_that_would_grow_go_as_they_are() {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::new()).with_agreement(agreed("permessage-deflate"));
        let mut inflater = Inflater::new(true);
        let random = noise(2000);
        let sends: [(Outgoing<'_>, bool); 6] = [
            ("short".into(), false),
            (Outgoing::from("short, and compressed all the same, short").with_compression(true), true),
            ((&random).into(), false),
            (Outgoing::from(json(1, 500)).with_compression(false), false),
            (json(1, 500).into(), true),
            // The window is right after what was tried and not sent.
            (json(1, 500).into(), true),
        ];
        for (message, is_compressed) in sends {
            connection.send(message).expect("open");
            let found = messages(&parse(role, &take(&mut connection)), &mut inflater);
            assert_eq!(found[0].2, is_compressed);
        }
        let least = agreed_with(&Deflate::new().with_min_len(10), "permessage-deflate");
        let mut connection = role.connection(Config::new()).with_agreement(least);
        for (text, is_compressed) in [("aaaaaaaaa", false), ("aaaaaaaaaa", true)] {
            connection.send(text).expect("open");
            assert_eq!(parse(role, &take(&mut connection))[0].first & RSV1 != 0, is_compressed);
        }
    }
}

#[test]
fn the_first_fragment_decides_for_the_whole_message() {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::new()).with_agreement(agreed("permessage-deflate"));
        let part = Outgoing::from("part").with_compression(false);
        connection.send_fragment(part, false).expect("open");
        connection.send_fragment(Outgoing::from(json(1, 300)).with_compression(true), true).expect("open");
        connection.send_fragment(b"part", false).expect("open");
        connection.send_fragment(Outgoing::from(b"s").with_compression(false), false).expect("open");
        connection.send_fragment(b"", true).expect("open");
        let mut inflater = Inflater::new(true);
        let found = messages(&parse(role, &take(&mut connection)), &mut inflater);
        let plain = [b"part", json(1, 300).as_bytes()].concat();
        assert_eq!(found, [(TEXT, plain, false), (BINARY, b"parts".to_vec(), true)]);
    }
}

#[test]
fn a_window_outlives_the_engine_that_filled_it() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let text = json(5, 3000);
    for role in Role::BOTH {
        for bits in [9, 12, 15] {
            let offer =
                format!("permessage-deflate; server_max_window_bits={bits}; client_max_window_bits={bits}");
            // More connections than engines may wait: each gets one that knows another's window, or a new one.
            let mut connections: Vec<_> = (0..2 * threads + 1)
                .map(|_| (role.connection(Config::new()).with_agreement(agreed(&offer)), Inflater::new(true)))
                .collect();
            for (n, said) in [&text[..], &text[2800..], &text[2800..]].iter().enumerate() {
                for (connection, inflater) in &mut connections {
                    connection.send(*said).expect("open");
                    let bytes = take(connection);
                    assert!(n == 0 || bytes.len() < 40, "{bits} bits: {}", bytes.len());
                    let found = messages(&parse(role, &bytes), inflater);
                    assert_eq!(found, [(TEXT, said.as_bytes().to_vec(), true)]);
                }
            }
        }
    }
}

#[test]
fn blocks_are_long_enough_to_be_worth_their_codes() {
    let text = json(9, 60_000);
    for role in Role::BOTH {
        for bits in [9, 12, 15] {
            let offer =
                format!("permessage-deflate; server_max_window_bits={bits}; client_max_window_bits={bits}");
            let mut connection = role.connection(Config::new()).with_agreement(agreed(&offer));
            connection.send(&text).expect("open");
            let mut inflater = Inflater::new(true);
            assert_eq!(messages(&parse(role, &take(&mut connection)), &mut inflater).len(), 1);
            // Each has 2,000 symbols and more.
            assert!(inflater.blocks <= 12, "{bits} bits: {}", inflater.blocks);
        }
    }
}
