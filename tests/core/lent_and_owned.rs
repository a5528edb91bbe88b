//! A message lent from the input and the same message as an owned value are equal; memory changes hands only when that pays.

use bytes::Bytes;
use tidewire::{Config, Connection, Event, Input, Message};

use crate::wire::{self, BINARY, CONTINUATION, FIN, Role, TEXT};

/// The one message in `bytes`, read in chunks of `read_len`.
fn message(role: Role, bytes: &[u8], read_len: usize) -> (Message, Input) {
    let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
    for chunk in bytes.chunks(read_len) {
        input.extend_from_slice(chunk);
        if let Some(event) = connection.receive(&mut input).expect("valid") {
            return (event.into_message().expect("a message"), input);
        }
    }
    panic!("no message")
}

#[test]
fn into_message_equals_what_was_sent() {
    for role in Role::BOTH {
        for len in [0, 1, 125, 1000, 16_383, 16_384, 40_000, 65_536, 200_000] {
            let payload = wire::noise(len);
            let text = "t".repeat(len);
            for read_len in [usize::MAX, 1000, 65_536] {
                let (whole, _) = message(role, &wire::binary(role, &payload), read_len);
                assert_eq!(whole, Message::from(payload.clone()));
                assert_eq!((whole.len(), whole.is_empty(), whole.as_text()), (len, len == 0, None));
                assert_eq!(whole.as_bytes(), payload);
                let (whole, _) = message(role, &wire::text(role, &text), read_len);
                assert_eq!(whole, Message::from(text.as_str()));
                assert_eq!((whole.as_bytes(), whole.as_text()), (text.as_bytes(), Some(text.as_str())));
            }
            let (first, second) = payload.split_at(len / 3);
            let parts =
                [wire::frame(role, BINARY, first), wire::frame(role, FIN | CONTINUATION, second)].concat();
            assert_eq!(message(role, &parts, 5000).0, Message::from(Bytes::from(payload.clone())));
        }
    }
}

#[test]
fn control_frames_are_no_messages() {
    for role in Role::BOTH {
        let bytes = [wire::ping(role, "a"), wire::pong(role, "b"), wire::close(role, 1000, "c")].concat();
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        input.extend_from_slice(&bytes);
        for _ in 0..3 {
            let event = connection.receive(&mut input).expect("valid").expect("an event");
            assert_eq!(event.into_message(), None);
        }
    }
}

#[test]
fn the_storage_is_given_away_only_when_the_payload_fills_at_least_half_of_it() {
    for role in Role::BOTH {
        // Alone in 64 KiB of storage: half of it and more is handed over, less is copied.
        for (len, is_given) in
            [(1_000, false), (20_000, false), (32_000, false), (40_000, true), (60_000, true)]
        {
            let (owned, mut input) = message(role, &wire::binary(role, wire::noise(len)), usize::MAX);
            assert_eq!(owned.len(), len);
            assert_eq!(input.release().is_none(), is_given, "{len}");
        }
        // With more behind it nothing is given away.
        let bytes = [wire::binary(role, wire::noise(50_000)), wire::text(role, "more")].concat();
        let (_, mut input) = message(role, &bytes, usize::MAX);
        assert!(!input.unread().is_empty());
        assert!(input.release().is_none());
    }
}

#[test]
fn an_assembled_text_is_given_away_without_a_copy() {
    for role in Role::BOTH {
        let text = "x".repeat(3000);
        let parts = [wire::frame(role, TEXT, &text), wire::frame(role, FIN | CONTINUATION, &text)].concat();
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        input.extend_from_slice(&parts);
        let Ok(Some(Event::Text(lent))) = connection.receive(&mut input) else { panic!("no text") };
        let address = lent.as_ptr();
        let owned = lent.into_string();
        assert_eq!((owned.as_ptr(), owned.len()), (address, 6000));
    }
}

#[test]
fn what_was_taken_leaves_no_trace_in_the_messages_after_it() {
    for role in Role::BOTH {
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        for len in [50_000, 10, 70_000, 0, 20_000, 65_536, 1, 100_000] {
            for opcode in [TEXT, BINARY] {
                let payload = "p".repeat(len).into_bytes();
                let (first, second) = payload.split_at(len / 2);
                let bytes = [
                    wire::frame(role, FIN | opcode, &payload),
                    wire::frame(role, opcode, first),
                    wire::frame(role, FIN | CONTINUATION, second),
                ]
                .concat();
                let mut seen = 0;
                for chunk in bytes.chunks(30_000) {
                    input.extend_from_slice(chunk);
                    while let Some(event) = connection.receive(&mut input).expect("valid") {
                        let owned = event.into_message().expect("a message");
                        assert!(owned.as_bytes() == payload, "{len}");
                        seen += 1;
                    }
                }
                assert_eq!(seen, 2);
            }
        }
    }
}

#[test]
fn a_lent_message_can_be_sent_back_from_where_it_lies() {
    let (mut client, mut server) =
        (Connection::client(Config::new(), [1; 32]), Connection::server(Config::new()));
    let (mut to_client, mut to_server) = (Input::new(), Input::new());
    for len in [0, 100, 20_000, 60_000, 70_000] {
        client.send(&wire::noise(len)).expect("room");
        move_all(&mut client, &mut to_server);
        match server.receive(&mut to_server) {
            Ok(Some(Event::Binary(payload))) => server.send(payload).expect("room"),
            other => panic!("unexpected {other:?}"),
        }
        move_all(&mut server, &mut to_client);
        match client.receive(&mut to_client) {
            Ok(Some(Event::Binary(payload))) => assert_eq!(&*payload, wire::noise(len)),
            other => panic!("unexpected {other:?}"),
        }
    }
}

fn move_all(from: &mut Connection, to: &mut Input) {
    use bytes::Buf;
    let output = from.output();
    while output.has_remaining() {
        to.extend_from_slice(output.chunk());
        output.advance(output.chunk().len());
    }
}

#[test]
fn debug_output_shows_neither_payloads_nor_keys() {
    for role in Role::BOTH {
        let secret = "hunter2";
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        connection.send(secret).expect("room");
        input.extend_from_slice(&[wire::text(role, secret), wire::ping(role, secret)].concat());
        let mut shown = format!("{connection:?} {input:?}");
        shown += &format!("{:?}", connection.output());
        while let Ok(Some(event)) = connection.receive(&mut input) {
            shown += &format!("{event:?}");
        }
        shown += &format!("{:?} {:?}", Message::from(secret), Message::from(secret.as_bytes().to_vec()));
        shown += &format!("{:?} {:?}", tidewire::Outgoing::from(secret), tidewire::Prepared::new(secret));
        assert!(!shown.contains(secret), "{shown}");
        assert!(!shown.contains("[7, 7"), "{shown}");
    }
}
