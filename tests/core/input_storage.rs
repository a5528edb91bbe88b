//! The storage of an input: where reads go, and who owns it.

use tidewire::{Config, Connection, Event, Input};

use support::wire::{self, BINARY, CONTINUATION, FIN, Role, TEXT};

/// Reads once: as much of `bytes` as the space takes. Returns how much that was.
fn read(input: &mut Input, bytes: &[u8]) -> usize {
    let space = input.space();
    let len = space.len().min(bytes.len());
    space[..len].copy_from_slice(&bytes[..len]);
    input.filled(len);
    len
}

fn advance(connection: &mut Connection, input: &mut Input) -> Option<usize> {
    match connection.receive(input).expect("valid") {
        Some(Event::Binary(payload)) => Some(payload.len()),
        Some(Event::Text(text)) => Some(text.len()),
        Some(other) => panic!("unexpected {other:?}"),
        None => None,
    }
}

#[test]
fn the_space_ends_where_a_long_message_ends() {
    for role in Role::BOTH {
        for (begin, begin_len) in [(vec![], 0), (wire::frame(role, BINARY, "begin"), 5)] {
            for len in [200_000, 1 << 20] {
                let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
                let opcode = if begin.is_empty() { BINARY } else { CONTINUATION };
                let message = [begin.clone(), wire::frame(role, FIN | opcode, wire::noise(len))].concat();
                let bytes = [message.clone(), wire::binary(role, "next")].concat();
                let mut at = read(&mut input, &bytes[..1000]);
                while at < message.len() {
                    assert_eq!(advance(&mut connection, &mut input), None);
                    let missing = message.len() - at;
                    let len = read(&mut input, &bytes[at..]);
                    assert!(len <= missing, "{len} of {missing}");
                    at += len;
                }
                assert_eq!(advance(&mut connection, &mut input), Some(begin_len + len));
                let storage_len = input.release().map_or(0, |storage| storage.len());
                assert!(storage_len <= message.len(), "{storage_len}");
            }
        }
    }
}

#[test]
fn a_long_message_is_read_at_once_after_one_of_its_length() {
    for role in Role::BOTH {
        for len in [64 * 1024, 100_000, 1 << 20] {
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            let message = wire::binary(role, wire::noise(len));
            let bytes = message.repeat(3);
            let mut at = 0;
            while advance(&mut connection, &mut input).is_none() {
                at += read(&mut input, &bytes[at..]);
            }
            for end in [2, 3].map(|count| count * message.len()) {
                at += read(&mut input, &bytes[at..]);
                assert_eq!(at, end, "{role:?}, {len}");
                assert_eq!(advance(&mut connection, &mut input), Some(len));
            }
        }
    }
}

#[test]
fn what_follows_a_fragment_is_read_with_it() {
    for role in Role::BOTH {
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        let fragment = wire::frame(role, BINARY, wire::noise(30_000));
        let bytes = [fragment, wire::frame(role, FIN | CONTINUATION, "end")].concat();
        read(&mut input, &bytes[..1000]);
        assert_eq!(advance(&mut connection, &mut input), None);
        assert_eq!(read(&mut input, &bytes[1000..]), bytes.len() - 1000);
        assert_eq!(advance(&mut connection, &mut input), Some(30_003));
    }
}

#[test]
fn a_message_is_read_alone_when_it_lacks_more_than_16_kib() {
    for role in Role::BOTH {
        for (missing, is_alone) in [(16 * 1024, false), (16 * 1024 + 1, true)] {
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            let frame = wire::binary(role, wire::noise(20_000));
            input.extend_from_slice(&frame[..frame.len() - missing]);
            assert_eq!(advance(&mut connection, &mut input), None);
            assert_eq!(input.space().len() == missing, is_alone, "{role:?}, {missing}");
            assert!(input.space().len() >= missing);
        }
    }
}

fn storage_len(input: &Input) -> usize {
    let shown = format!("{input:?}");
    let (_, len) = shown.split_once("storage_len: ").expect("shown");
    len.split(',').next().and_then(|len| len.parse().ok()).expect("a number")
}

/// The length of the storage once there is room for a read.
fn storage_len_with_room(input: &mut Input) -> usize {
    let room = input.space().len();
    assert!(room >= 32 * 1024, "{room}");
    storage_len(input)
}

/// A binary frame of `len` bytes, header included.
fn frame_of(role: Role, first: u8, len: usize) -> Vec<u8> {
    wire::frame(role, first, wire::noise(len - header_len(role)))
}

/// The length of a header with two bytes of length.
fn header_len(role: Role) -> usize {
    if role == Role::Server { 8 } else { 4 }
}

#[test]
fn unread_bytes_move_only_over_as_many_that_are_consumed() {
    for role in Role::BOTH {
        // Otherwise the storage grows to twice what is in it.
        for (consumed, len) in [(20_000, 65_536), (19_999, 2 * 39_999)] {
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            input.extend_from_slice(&frame_of(role, FIN | BINARY, consumed));
            let unread = frame_of(role, FIN | BINARY, 20_000);
            input.extend_from_slice(&unread);
            assert!(advance(&mut connection, &mut input).is_some());
            assert_eq!(storage_len_with_room(&mut input), len, "{role:?}, {consumed}");
            assert_eq!(input.unread(), unread);
        }
        // The same between a message under way and what follows it.
        let header_len = header_len(role);
        for (unread_len, len) in [(60, 65_536), (61, 2 * (32_761 + 60 - header_len) + header_len)] {
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            input.extend_from_slice(&frame_of(role, BINARY, 32_700));
            let consumed = wire::ping(role, vec![b'p'; if role == Role::Server { 54 } else { 58 }]);
            let unread = &wire::ping(role, [b'p'; 125])[..unread_len];
            input.extend_from_slice(&[&consumed, unread].concat());
            assert_eq!(consumed.len(), 60);
            assert!(matches!(connection.receive(&mut input), Ok(Some(Event::Ping(_)))));
            assert_eq!(storage_len_with_room(&mut input), len, "{role:?}, {unread_len}");
            assert_eq!(input.unread(), unread);
        }
    }
}

#[test]
fn a_message_under_way_moves_only_over_as_much_as_is_consumed() {
    for role in Role::BOTH {
        for (message_len, len) in [(16_500, 65_536), (16_501, 65_536 + 16_500)] {
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            let header_len = header_len(role);
            let parts = [
                frame_of(role, FIN | BINARY, 16_500 - header_len),
                frame_of(role, BINARY, header_len + message_len),
            ];
            input.extend_from_slice(&parts.concat());
            assert!(advance(&mut connection, &mut input).is_some());
            assert_eq!(advance(&mut connection, &mut input), None);
            assert_eq!(storage_len_with_room(&mut input), len, "{role:?}, {message_len}");
            input.extend_from_slice(&wire::frame(role, FIN | CONTINUATION, ""));
            match connection.receive(&mut input) {
                Ok(Some(Event::Binary(payload))) => assert_eq!(*payload, wire::noise(message_len)),
                other => panic!("unexpected {other:?}"),
            }
        }
    }
}

#[test]
fn a_payload_stays_where_it_was_read_and_the_next_read_follows_it() {
    for role in Role::BOTH {
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        let start = input.space().as_ptr().addr();
        let fragment = wire::frame(role, BINARY, "abc");
        input.extend_from_slice(&[fragment.clone(), wire::ping(role, "between")].concat());
        assert!(matches!(connection.receive(&mut input), Ok(Some(Event::Ping(_)))));
        assert_eq!(advance(&mut connection, &mut input), None);
        assert_eq!(input.space().as_ptr().addr(), start + fragment.len());
    }
}

#[test]
fn there_is_always_space() {
    for role in Role::BOTH {
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        let bytes = [wire::frame(role, TEXT, "t".repeat(100_000)), wire::ping(role, "p")].concat();
        for chunk in bytes.repeat(1).chunks(777) {
            assert!(!input.space().is_empty());
            input.extend_from_slice(chunk);
            assert!(!input.space().is_empty());
            while let Ok(Some(_)) = connection.receive(&mut input) {}
            assert!(!input.space().is_empty());
        }
    }
}

#[test]
fn filling_nothing_or_too_much_does_not_panic() {
    let mut input = Input::new();
    input.filled(0);
    input.filled(usize::MAX);
    assert_eq!(input.unread(), b"");
    let len = input.space().len();
    input.filled(usize::MAX);
    assert_eq!(input.unread().len(), len);
    assert!(!input.space().is_empty());
}

#[test]
fn what_is_buffered_is_not_released() {
    for role in Role::BOTH {
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        assert!(input.release().is_none(), "a new input has nothing");
        // Unread bytes.
        let whole = wire::binary(role, "whole");
        input.extend_from_slice(&whole[..3]);
        assert!(input.release().is_none());
        assert_eq!(advance(&mut connection, &mut input), None);
        assert!(input.release().is_none());
        input.extend_from_slice(&whole[3..]);
        assert_eq!(advance(&mut connection, &mut input), Some(5));
        // Nothing.
        let storage = input.release().expect("storage");
        assert!(input.release().is_none());
        // A message under way.
        input.adopt(storage);
        input.extend_from_slice(&wire::frame(role, BINARY, "first "));
        assert_eq!(advance(&mut connection, &mut input), None);
        assert!(input.release().is_none());
        input.shrink();
        input.extend_from_slice(&wire::frame(role, FIN | CONTINUATION, "last"));
        assert_eq!(advance(&mut connection, &mut input), Some(10));
        assert!(input.release().is_some());
    }
}

#[test]
fn storage_may_be_released_inside_a_text_message_and_a_frame() {
    for role in Role::BOTH {
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        let bytes = [wire::frame(role, TEXT, "ab€"), wire::frame(role, FIN | CONTINUATION, "cd")].concat();
        let mut text = None;
        for byte in bytes {
            input.extend_from_slice(&[byte]);
            match connection.receive(&mut input).expect("valid") {
                Some(Event::Text(whole)) => text = Some(whole.into_string()),
                Some(other) => panic!("unexpected {other:?}"),
                None => {}
            }
            drop(input.release());
            input.shrink();
        }
        assert_eq!(text.as_deref(), Some("ab€cd"));
    }
}

#[test]
fn adopted_storage_is_used_whatever_it_holds() {
    for role in Role::BOTH {
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        input.adopt(vec![0xFF; 100_000]);
        assert_eq!(input.unread(), b"");
        assert_eq!(input.space().len(), 100_000);
        input.extend_from_slice(&wire::binary(role, "fresh"));
        // What is there already is not replaced, unless by more.
        let address = input.unread().as_ptr();
        input.adopt(vec![0; 10]);
        input.adopt(vec![0; 100_000]);
        assert_eq!(input.unread().as_ptr(), address);
        assert_eq!(advance(&mut connection, &mut input), Some(5));
        assert_eq!(input.release().map(|storage| storage.len()), Some(100_000));
        // Any length will do.
        for len in [0, 1, 10] {
            input.adopt(vec![0xFF; len]);
            input.extend_from_slice(&wire::binary(role, vec![b'x'; 500]));
            assert_eq!(advance(&mut connection, &mut input), Some(500));
            drop(input.release());
        }
    }
}

#[test]
fn what_a_large_message_left_behind_is_given_back() {
    for role in Role::BOTH {
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        input.extend_from_slice(&wire::binary(role, wire::noise(300_000)));
        assert_eq!(advance(&mut connection, &mut input), Some(300_000));
        input.shrink();
        assert!(input.release().is_none(), "more than one read is given back");
        input.extend_from_slice(&wire::binary(role, wire::noise(300)));
        assert_eq!(advance(&mut connection, &mut input), Some(300));
        input.shrink();
        assert_eq!(input.release().map(|storage| storage.len()), Some(64 * 1024), "one read is kept");
    }
}

#[test]
fn little_that_is_buffered_moves_out_of_what_a_large_message_left_behind() {
    for role in Role::BOTH {
        let header_len = header_len(role);
        for (left_behind, message_len, len) in
            [(65_537, 4000, 4096), (65_537, 4001, 65_537), (65_536, 4000, 65_536)]
        {
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            input.adopt(vec![0xFF; left_behind]);
            // A message under way, and 96 bytes of the next frame.
            input.extend_from_slice(&frame_of(role, BINARY, header_len + message_len));
            assert_eq!(advance(&mut connection, &mut input), None);
            let next = wire::frame(role, FIN | CONTINUATION, [b'n'; 100]);
            input.extend_from_slice(&next[..96]);
            input.shrink();
            assert_eq!(storage_len(&input), len, "{role:?}, {left_behind}, {message_len}");
            input.extend_from_slice(&next[96..]);
            match connection.receive(&mut input) {
                Ok(Some(Event::Binary(payload))) => {
                    assert_eq!(*payload, [wire::noise(message_len), vec![b'n'; 100]].concat());
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }
}

#[test]
fn an_unfinished_message_is_forgotten_when_the_connection_ends() {
    for role in Role::BOTH {
        for opcode in [TEXT, BINARY] {
            for end in [wire::close(role, 1000, ""), vec![0xFF, 0xFF]] {
                let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
                input.extend_from_slice(&wire::frame(role, opcode, "never whole"));
                assert_eq!(advance(&mut connection, &mut input), None);
                input.extend_from_slice(&end);
                let _ = connection.receive(&mut input);
                let _ = connection.receive(&mut input);
                assert!(input.release().is_some(), "{role:?}");
                assert!(format!("{input:?}").contains("message_len: 0"));
            }
        }
    }
}

#[test]
fn the_end_is_remembered() {
    let mut input = Input::new();
    assert!(!input.is_eof());
    input.set_eof();
    input.shrink();
    assert!(input.is_eof() && input.release().is_none() && input.is_eof());
}

#[test]
fn a_claim_of_more_than_the_room_counts_as_all_of_it() {
    for role in Role::BOTH {
        // In an empty input, behind something unread, and in the middle of a long message, whose end is the end of the room.
        let header = wire::header(FIN | BINARY, wire::Length::Eight(1 << 20), role.key());
        for (before, is_begun) in [(vec![], false), (wire::text(role, "unread"), false), (header, true)] {
            for excess in [1, 1 << 20, usize::MAX] {
                let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
                // Storage in which another connection has left something.
                input.adopt(vec![b'x'; 1 << 21]);
                input.extend_from_slice(&before);
                if is_begun {
                    assert!(matches!(connection.receive(&mut input), Ok(None)));
                }
                let unread = input.unread().len();
                let space = input.space();
                space.fill(b'o');
                let len = space.len();
                input.filled(len.saturating_add(excess));
                assert_eq!(input.unread().len(), unread + len, "{role:?}");
                assert!(input.unread()[unread..].iter().all(|byte| *byte == b'o'), "{role:?}");
            }
        }
    }
}
