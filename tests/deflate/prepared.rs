//! A [`Prepared`] message is compressed once, for every peer whose window allows it.

use support::deflate::{Inflater, json};
use support::wire::{FIN, Role, TEXT, parse};
use tidewire::{Agreement, Config, Connection, Deflate, Event, Input, Outgoing, Prepared};

use super::link::{RSV1, agreed, take};

const OFFERS: [&str; 6] = [
    "permessage-deflate",
    "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; server_max_window_bits=12; server_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; server_max_window_bits=11; client_max_window_bits=11",
    "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8",
];

fn pair(role: Role, agreement: Option<Agreement>) -> [Connection; 2] {
    let peer = if role == Role::Server { Role::Client } else { Role::Server };
    [role, peer].map(|role| {
        let connection = role.connection(Config::new());
        match agreement {
            Some(agreement) => connection.with_agreement(agreement),
            None => connection,
        }
    })
}

#[test]
fn it_goes_to_every_peer_between_messages_of_its_own() {
    for role in Role::BOTH {
        let mut peers: Vec<_> = OFFERS
            .iter()
            .map(|offer| Some(agreed(offer)))
            .chain([None])
            .map(|it| (pair(role, it), Input::new()))
            .collect();
        for round in 0..4 {
            // Long enough to be shared, and not.
            let news = json(round, if round % 2 == 0 { 700 } else { 40_000 });
            let prepared = Prepared::new(&news);
            for (n, ([sender, receiver], input)) in peers.iter_mut().enumerate() {
                let own = json(n, 500);
                sender.send(&own).expect("open");
                sender.send(&prepared.clone()).expect("open");
                sender.send(&own).expect("open");
                input.extend_from_slice(&take(sender));
                for expected in [&own, &news, &own] {
                    match receiver.receive(input) {
                        Ok(Some(Event::Text(text))) => assert_eq!(text, *expected),
                        other => panic!("{n}: {other:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn one_compressed_form_is_for_all_whose_window_is_large_enough() {
    let news = json(1, 2000);
    for role in Role::BOTH {
        let prepared = Prepared::new(&news);
        let mut forms = Vec::new();
        for (n, offer) in OFFERS.iter().enumerate() {
            let [mut sender, _] = pair(role, Some(agreed(offer)));
            // Not at the beginning of the stream.
            sender.send(&json(n, 900)).expect("open");
            take(&mut sender);
            sender.send(&prepared).expect("open");
            let frames = parse(role, &take(&mut sender));
            let [frame] = &frames[..] else { panic!("{} frames", frames.len()) };
            if n < 4 {
                assert_eq!(frame.first, FIN | RSV1 | TEXT);
                forms.push(frame.payload.clone());
            } else {
                assert_eq!((frame.first, &frame.payload[..]), (FIN | TEXT, news.as_bytes()), "{offer}");
            }
        }
        assert!(forms.windows(2).all(|pair| pair[0] == pair[1]));
        // It refers to nothing before itself, and to nothing further back than 12 bits.
        let mut inflater = Inflater::new(false);
        assert_eq!(inflater.message(&forms[0]), news.as_bytes());
        assert!(inflater.max_distance <= 1 << 12);
    }
}

#[test]
fn it_keeps_its_wish_and_its_length_counts() {
    let agreement = agreed("permessage-deflate");
    for role in Role::BOTH {
        let [mut sender, _] = pair(role, Some(agreement));
        for (message, is_compressed) in [
            (Prepared::new("short"), false),
            (Prepared::new(Outgoing::from(json(1, 300)).with_compression(false)), false),
            (Prepared::new(Outgoing::from("aaaaaaaaaaaaaaaaaaaa").with_compression(true)), true),
            (Prepared::new(json(1, 300)), true),
            (Prepared::new(support::wire::noise(300)), false),
        ] {
            sender.send(&message).expect("open");
            assert_eq!(parse(role, &take(&mut sender))[0].first & RSV1 != 0, is_compressed, "{message:?}");
        }
        // As a fragment it is compressed like any other.
        sender.send_fragment(&Prepared::new("one fragment of two,"), false).expect("open");
        sender.send_fragment(&Prepared::new(" and the other"), true).expect("open");
        assert_eq!(parse(role, &take(&mut sender))[0].first, RSV1 | TEXT);
    }
    assert_eq!(Deflate::new(), Deflate::default());
}

#[test]
fn it_is_sent_as_it_is_unless_it_gets_shorter() {
    for role in Role::BOTH {
        let mut are_equal = 0;
        for len in 1..200 {
            let text = &json(1, 200)[..len];
            let forms = [
                Outgoing::from(text),
                Outgoing::from(&Prepared::new(Outgoing::from(text).with_compression(true))),
            ]
            .map(|message| {
                let [mut sender, _] = pair(role, Some(agreed(OFFERS[1])));
                sender.send(message.with_compression(true)).expect("open");
                let frame = &parse(role, &take(&mut sender))[0];
                (frame.payload.len(), frame.first & RSV1 != 0)
            });
            are_equal += u32::from(forms[0].0 == len);
            assert_eq!(forms[1], if forms[0].0 < len { forms[0] } else { (len, false) }, "{len}");
        }
        assert!(are_equal > 0);
    }
}
