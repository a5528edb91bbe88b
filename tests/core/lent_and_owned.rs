//! A message lent from the input and the same message as an owned value are equal; memory changes hands only when that pays.

use bytes::{Buf, Bytes};
use tidewire::{Config, Connection, Event, Input, Message};

use support::wire::{self, BINARY, CONTINUATION, FIN, Frame, Role, TEXT};

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
            let ready = connection.advance(&mut input).expect("valid").expect("an event");
            assert!(ready.is_control());
            assert_eq!(input.lend(ready).into_message(), None);
        }
    }
}

#[test]
fn messages_are_no_control_frames() {
    for role in Role::BOTH {
        for opcode in [TEXT, BINARY] {
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            let parts = [wire::frame(role, opcode, "a"), wire::frame(role, FIN | CONTINUATION, "b")].concat();
            for bytes in [wire::frame(role, FIN | opcode, "ab"), parts] {
                input.extend_from_slice(&bytes);
                let ready = connection.advance(&mut input).expect("valid").expect("an event");
                assert!(!ready.is_control());
            }
        }
    }
}

#[test]
fn what_follows_a_payload_stays_when_that_is_sent_or_owned() {
    let (first, second) = (wire::noise(2_000_000), wire::noise(900_000));
    for role in Role::BOTH {
        let frame = wire::binary(role, &second);
        for behind_len in [0, 1, 500_000] {
            let bytes = [&wire::binary(role, &first), &frame[..behind_len]].concat();
            for is_sent in [true, false] {
                let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
                input.adopt(vec![0; bytes.len()]);
                input.extend_from_slice(&bytes);
                let Ok(Some(Event::Binary(payload))) = connection.receive(&mut input) else {
                    panic!("no message")
                };
                if is_sent {
                    connection.send(payload).expect("room");
                    let frames = wire::parse(role, connection.output().chunk());
                    assert!(frames.len() == 1 && frames[0].payload == first);
                } else {
                    assert!(payload.into_bytes() == first);
                }
                assert_eq!(input.unread(), &frame[..behind_len]);
                input.extend_from_slice(&frame[behind_len..]);
                match connection.receive(&mut input) {
                    Ok(Some(Event::Binary(payload))) => assert!(*payload == second),
                    other => panic!("unexpected {other:?}"),
                }
            }
        }
    }
}

#[test]
fn an_assembled_text_is_given_away_without_a_copy() {
    for role in Role::BOTH {
        for len in [10, 1_000, 64 << 10, 1 << 20, 6_000_000] {
            let text = "x".repeat(len / 2);
            let parts =
                [wire::frame(role, TEXT, &text), wire::frame(role, FIN | CONTINUATION, &text)].concat();
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            // And the next one of its length too.
            for _ in 0..2 {
                input.extend_from_slice(&parts);
                let Ok(Some(Event::Text(lent))) = connection.receive(&mut input) else { panic!("no text") };
                let address = lent.as_ptr();
                let owned = lent.into_string();
                assert_eq!((owned.as_ptr(), owned.len()), (address, len), "{role:?}, {len}");
            }
        }
    }
}

#[test]
fn an_assembled_text_is_copied_out_of_memory_that_it_does_not_half_fill() {
    for role in Role::BOTH {
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        for (len, is_copied) in [(5_000_000, false), (2_499_998, true), (2_500_000, false), (1_000_000, true)]
        {
            let text = "x".repeat(len / 2);
            let parts = [wire::frame(role, TEXT, &text), wire::frame(role, FIN | CONTINUATION, &text)];
            // The memory that a longer message has left behind.
            input.extend_from_slice(
                &[wire::frame(role, TEXT, vec![b'y'; 5_000_000]), wire::frame(role, FIN, "")].concat(),
            );
            assert!(matches!(connection.receive(&mut input), Ok(Some(Event::Text(_)))));
            input.extend_from_slice(&parts.concat());
            let Ok(Some(Event::Text(lent))) = connection.receive(&mut input) else { panic!("no text") };
            let address = lent.as_ptr();
            let owned = lent.into_string();
            assert_eq!((owned.len(), owned.as_ptr() != address), (len, is_copied), "{role:?}, {len}");
        }
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

#[test]
fn whatever_is_lent_can_be_sent_by_value_and_by_reference() {
    for (opcode, len) in [(TEXT, 100), (TEXT, 50_000), (BINARY, 100), (BINARY, 50_000)] {
        let payload = vec![b'x'; len];
        let whole = wire::frame(Role::Server, FIN | opcode, &payload);
        let (first, last) = payload.split_at(len / 2);
        let parts =
            [wire::frame(Role::Server, opcode, first), wire::frame(Role::Server, FIN | CONTINUATION, last)];
        for bytes in [whole, parts.concat()] {
            let (mut server, mut input) = (Connection::server(Config::new()), Input::new());
            input.extend_from_slice(&bytes);
            match server.receive(&mut input) {
                Ok(Some(Event::Text(text))) => {
                    server.send(&text).expect("room");
                    server.send(text).expect("room");
                }
                Ok(Some(Event::Binary(payload))) => {
                    server.send(&payload).expect("room");
                    server.send(payload).expect("room");
                }
                other => panic!("unexpected {other:?}"),
            }
            let output = server.output();
            let frames = wire::parse(Role::Server, &output.copy_to_bytes(output.remaining()));
            assert!(frames == vec![Frame::new(FIN | opcode, &payload); 2], "{opcode}, {len}");
        }
    }
}

fn move_all(from: &mut Connection, to: &mut Input) {
    let output = from.output();
    while output.has_remaining() {
        to.extend_from_slice(output.chunk());
        output.advance(output.chunk().len());
    }
}

#[test]
fn debug_output_of_a_connection_shows_neither_payloads_nor_keys() {
    for role in Role::BOTH {
        let secret = "hunter2";
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        connection.send(secret).expect("room");
        input.extend_from_slice(&[wire::text(role, secret), wire::ping(role, secret)].concat());
        let mut shown = format!("{connection:?} {input:?}");
        shown += &format!("{:?}", connection.output());
        while let Ok(Some(event)) = connection.receive(&mut input) {
            drop(event);
            shown += &format!("{connection:?}");
        }
        shown += &format!("{input:?} {:?}", connection.output());
        assert!(!shown.contains(secret), "{shown}");
        assert!(!shown.contains("[7, 7"), "{shown}");
    }
}
