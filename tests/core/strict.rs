//! RFC 6455 5 and 8.1 in every cell: each value that a byte or a length can have, each cut, and the one outcome that it has.

use bytes::Buf;
use tidewire::{CloseCode, Config, Input, ProtocolError, SendError};

use support::chunked::{Scenario, Seen, receive_all};
use support::wire::{self, BINARY, CLOSE, CONTINUATION, FIN, Frame, KEY, Length, PING, PONG, Role, TEXT};

/// Receives everything at once: for more cases than there is time for every chunking.
#[derive(Default)]
struct AtOnce {
    storage: Option<Vec<u8>>,
}

impl AtOnce {
    fn receive(&mut self, role: Role, bytes: &[u8]) -> (Vec<Seen>, Option<ProtocolError>, Vec<Frame>) {
        self.receive_with(Config::new(), role, &[bytes])
    }

    fn receive_with(
        &mut self,
        config: Config,
        role: Role,
        reads: &[&[u8]],
    ) -> (Vec<Seen>, Option<ProtocolError>, Vec<Frame>) {
        let (mut connection, mut input) = (role.connection(config), Input::new());
        if let Some(storage) = self.storage.take() {
            input.adopt(storage);
        }
        let (mut events, mut error) = (Vec::new(), None);
        for read in reads {
            input.extend_from_slice(read);
            loop {
                match connection.receive(&mut input) {
                    Ok(Some(event)) => events.push(Seen::from(event)),
                    Ok(None) => break,
                    Err(failed) => {
                        error = Some(failed);
                        break;
                    }
                }
            }
        }
        let output = connection.output();
        let frames = wire::parse(role, &output.copy_to_bytes(output.remaining()));
        self.storage = input.release();
        (events, error, frames)
    }
}

/// The Close frame that tells the peer how it failed.
fn told(error: ProtocolError) -> Vec<Frame> {
    let code = error.close_code().expect("there is somebody to tell");
    vec![Frame::new(FIN | CLOSE, wire::close_body(code.into(), error.to_string()))]
}

/// What an empty frame comes to behind the first fragment, "start", of a message of the type `under_way`, if there is one.
fn judge(
    role: Role,
    first: u8,
    is_masked: bool,
    under_way: Option<u8>,
) -> Result<Option<Seen>, ProtocolError> {
    let (fin, reserved, opcode) = (first & FIN != 0, first & 0x70, first & 0x0F);
    match (opcode, under_way) {
        (0x3..=0x7 | 0xB..=0xF, _) => Err(ProtocolError::ReservedOpCode(opcode)),
        (CLOSE | PING | PONG, _) if !fin => Err(ProtocolError::FragmentedControlFrame),
        _ if reserved != 0 => Err(ProtocolError::ReservedBit(reserved.leading_zeros() as u8)),
        _ if role == Role::Server && !is_masked => Err(ProtocolError::UnmaskedFrame),
        _ if role == Role::Client && is_masked => Err(ProtocolError::MaskedFrame),
        (CLOSE, _) => Ok(Some(Seen::Close(None))),
        (PING, _) => Ok(Some(Seen::ping(""))),
        (PONG, _) => Ok(Some(Seen::pong(""))),
        (CONTINUATION, None) => Err(ProtocolError::UnexpectedContinuation),
        (TEXT | BINARY, Some(_)) => Err(ProtocolError::UnfinishedMessage),
        _ if !fin => Ok(None),
        (CONTINUATION, Some(TEXT)) => Ok(Some(Seen::text("start"))),
        (CONTINUATION, Some(_)) => Ok(Some(Seen::binary("start"))),
        (TEXT, None) => Ok(Some(Seen::text(""))),
        _ => Ok(Some(Seen::binary(""))),
    }
}

#[test]
fn every_first_byte_has_one_outcome_with_and_without_a_mask_in_and_out_of_a_message() {
    for role in Role::BOTH {
        for under_way in [None, Some(TEXT), Some(BINARY)] {
            let start = under_way.map(|opcode| wire::frame(role, opcode, "start")).unwrap_or_default();
            for (first, key) in (0..=u8::MAX).flat_map(|first| [(first, None), (first, Some(KEY))]) {
                let bytes = [start.clone(), wire::header(first, Length::Short(0), key)].concat();
                let outcome = receive_all(role, &bytes);
                let (event, error) = match judge(role, first, key.is_some(), under_way) {
                    Ok(event) => (event, None),
                    Err(error) => (None, Some(error)),
                };
                let owed = match (&event, error) {
                    (Some(Seen::Close(_)), _) => vec![Frame::new(FIN | CLOSE, "")],
                    (Some(Seen::Ping(_)), _) => vec![Frame::new(FIN | PONG, "")],
                    (_, Some(error)) => told(error),
                    _ => vec![],
                };
                let context = format!("{role:?}, {first:#04x}, {key:?}, {under_way:?}");
                assert_eq!((outcome.events, outcome.error), (Vec::from_iter(event), error), "{context}");
                assert_eq!(outcome.output, owed, "{context}");
            }
        }
    }
}

#[test]
fn every_length_of_every_control_frame_has_one_outcome() {
    let mut at_once = AtOnce::default();
    for role in Role::BOTH {
        for len in 0..=125 {
            let payload = wire::noise(len);
            let ping = at_once.receive(role, &wire::ping(role, &payload));
            assert_eq!(ping, (vec![Seen::ping(&payload)], None, vec![Frame::new(FIN | PONG, &payload)]));
            let pong = at_once.receive(role, &wire::pong(role, &payload));
            assert_eq!(pong, (vec![Seen::pong(&payload)], None, vec![]));

            let body = [b"\x0F\xA0".as_slice(), &[b'r'; 123]].concat();
            let body = &body[..len];
            let close = at_once.receive(role, &wire::frame(role, FIN | CLOSE, body));
            let event = match len {
                0 => Seen::Close(None),
                1 => {
                    let error = ProtocolError::InvalidCloseBody;
                    assert_eq!(close, (vec![], Some(error), told(error)));
                    continue;
                }
                _ => Seen::close(4000, &"r".repeat(len - 2)),
            };
            assert_eq!(close, (vec![event], None, vec![Frame::new(FIN | CLOSE, body)]));
        }
        for (opcode, len) in [CLOSE, PING, PONG].into_iter().flat_map(|opcode| [(opcode, 126), (opcode, 127)])
        {
            let header = wire::header(FIN | opcode, Length::Short(len), role.key());
            let error = ProtocolError::ControlFrameTooLong;
            assert_eq!(at_once.receive(role, &header[..2]), (vec![], Some(error), told(error)));
        }
    }
}

#[test]
fn every_length_has_one_form_and_is_read_as_it_is_meant() {
    let mut at_once = AtOnce::default();
    let two = (0..=u16::MAX).map(Length::Two);
    let around = |power: u64| [power - 1, power, power + 1].map(Length::Eight);
    let eight = (0..64).flat_map(|bit| around(1 << bit)).chain([Length::Eight(u64::MAX)]);
    for length in two.chain(eight) {
        let (len, error) = match length {
            Length::Two(len @ ..126) => (len.into(), Some(ProtocolError::NonMinimalLength)),
            Length::Eight(len @ ..65536) => (len, Some(ProtocolError::NonMinimalLength)),
            Length::Eight(len @ 0x8000_0000_0000_0000..) => (len, Some(ProtocolError::LengthOutOfRange)),
            Length::Two(len) => (len.into(), None),
            Length::Eight(len) => (len, None),
            Length::Short(_) => unreachable!("no other form is tried"),
        };
        for role in Role::BOTH {
            let header = wire::header(FIN | BINARY, length, role.key());
            let mut judge = |max_frame_len: u64| {
                let config = Config::new().with_max_message_len(usize::MAX);
                let config = config.with_max_frame_len(usize::try_from(max_frame_len).expect("64 bits"));
                let (events, error, _) = at_once.receive_with(config, role, &[&header]);
                assert_eq!(events, []);
                error
            };
            // The limit tells which length was read.
            assert_eq!(judge(len), error, "{role:?}, {length:?}");
            if error.is_none() {
                let error = ProtocolError::FrameTooLong { len, max: len as usize - 1 };
                assert_eq!(judge(len - 1), Some(error), "{role:?}, {length:?}");
            }
        }
    }
}

#[test]
fn a_reason_is_utf8_up_to_its_last_byte() {
    let mut at_once = AtOnce::default();
    let reason = "aß€🦀".repeat(12);
    for role in Role::BOTH {
        let mut receive = |reason: &[u8]| at_once.receive(role, &wire::close(role, 1000, reason));
        let failed =
            (vec![], Some(ProtocolError::InvalidCloseReason), told(ProtocolError::InvalidCloseReason));
        for len in 0..=reason.len() {
            match reason.get(..len) {
                Some(whole) => assert_eq!(receive(whole.as_bytes()).0, [Seen::close(1000, whole)]),
                None => assert_eq!(receive(&reason.as_bytes()[..len]), failed, "{role:?}, {len}"),
            }
        }
        for at in 0..reason.len() {
            let mut wrong = reason.clone().into_bytes();
            wrong[at] = 0xFF;
            assert_eq!(receive(&wrong), failed, "{role:?}, {at}");
        }
    }
}

/// The bytes at which the rules of UTF-8 change: whatever is between two of them is judged as they are.
const CORNERS: [u8; 20] = [
    0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1,
    0xF4, 0xF5, 0xFF,
];

/// Every sequence of up to three corners, and those of four that begin as a character of four bytes.
fn sequences() -> Vec<Vec<u8>> {
    let longer = |sequences: &[Vec<u8>]| -> Vec<Vec<u8>> {
        sequences.iter().flat_map(|start| CORNERS.map(|byte| [start.as_slice(), &[byte]].concat())).collect()
    };
    let one = longer(&[vec![]]);
    let two = longer(&one);
    let three = longer(&two);
    let four = longer(&three).into_iter().filter(|bytes| matches!(bytes[0], 0xF0 | 0xF1 | 0xF4)).collect();
    [one, two, three, four].concat()
}

#[test]
fn text_is_judged_as_the_standard_library_does_at_every_cut() {
    let mut at_once = AtOnce::default();
    for bytes in sequences() {
        let (events, error, owed) = match core::str::from_utf8(&bytes) {
            Ok(text) => (vec![Seen::text(text)], None, vec![]),
            Err(_) => (vec![], Some(ProtocolError::InvalidUtf8), told(ProtocolError::InvalidUtf8)),
        };
        let expected = (events, error, owed);
        for role in Role::BOTH {
            let whole = wire::frame(role, FIN | TEXT, &bytes);
            assert_eq!(at_once.receive(role, &whole), expected, "{role:?}, {bytes:x?}");
            for cut in 0..=bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                let parts = [wire::frame(role, TEXT, head), wire::frame(role, FIN | CONTINUATION, tail)];
                let context = format!("{role:?}, {head:x?} {tail:x?}");
                assert_eq!(at_once.receive(role, &parts.concat()), expected, "in fragments: {context}");
                let (first, second) = whole.split_at(whole.len() - tail.len());
                let reads = at_once.receive_with(Config::new(), role, &[first, second]);
                assert_eq!(reads, expected, "in reads: {context}");
            }
        }
    }
}

#[test]
fn whatever_frame_follows_the_peers_close_frame_is_ignored() {
    for role in Role::BOTH {
        let close = wire::close(role, 1000, "first");
        let expected = receive_all(role, &close);
        for (first, key) in (0..=u8::MAX).flat_map(|first| [(first, None), (first, Some(KEY))]) {
            let late = wire::header(first, Length::Short(2), key);
            let bytes = [close.as_slice(), &late, b"\x03\xE8"].concat();
            assert_eq!(receive_all(role, &bytes), expected, "{role:?}, {first:#04x}");
        }
    }
}

/// Every way to break the protocol while the transport is there, with 100 bytes as the limit of a frame and 150 of a message.
fn violations(role: Role) -> Vec<(Vec<u8>, ProtocolError)> {
    let (wrong_key, wrong_mask) = match role {
        Role::Server => (None, ProtocolError::UnmaskedFrame),
        Role::Client => (Some(KEY), ProtocolError::MaskedFrame),
    };
    let frame = |first, payload: &[u8]| wire::frame(role, first, payload);
    let header = |length| wire::header(FIN | BINARY, length, role.key());
    vec![
        (frame(FIN | 0x3, b"x"), ProtocolError::ReservedOpCode(3)),
        (frame(FIN | 0x40 | TEXT, b"x"), ProtocolError::ReservedBit(1)),
        (frame(PING, b"x"), ProtocolError::FragmentedControlFrame),
        (frame(FIN | PING, &[b'x'; 126]), ProtocolError::ControlFrameTooLong),
        (header(Length::Two(125)), ProtocolError::NonMinimalLength),
        (header(Length::Eight(u64::MAX)), ProtocolError::LengthOutOfRange),
        (wire::header(FIN | TEXT, Length::Short(0), wrong_key), wrong_mask),
        (frame(FIN | CONTINUATION, b"x"), ProtocolError::UnexpectedContinuation),
        ([frame(TEXT, b"x"), frame(FIN | TEXT, b"x")].concat(), ProtocolError::UnfinishedMessage),
        (frame(FIN | CLOSE, b"x"), ProtocolError::InvalidCloseBody),
        (wire::close(role, 1005, ""), ProtocolError::InvalidCloseCode(1005)),
        (wire::close(role, 1000, b"\xFF"), ProtocolError::InvalidCloseReason),
        (frame(FIN | TEXT, b"\xFF"), ProtocolError::InvalidUtf8),
        (frame(FIN | BINARY, &[0; 101]), ProtocolError::FrameTooLong { len: 101, max: 100 }),
        (
            [frame(BINARY, &[0; 100]), frame(FIN, &[0; 51])].concat(),
            ProtocolError::MessageTooLong { len: 151, max: 150 },
        ),
    ]
}

#[test]
fn whatever_follows_a_violation_is_ignored() {
    let config = Config::new().with_max_frame_len(100).with_max_message_len(150);
    for role in Role::BOTH {
        let late = [
            wire::text(role, "late"),
            wire::ping(role, "late"),
            wire::pong(role, "late"),
            // RFC 6455 7.1.7: not even a Close frame is processed any more.
            wire::close(role, 1000, "late"),
        ];
        for (violation, error) in violations(role) {
            let bytes = [wire::text(role, "before"), violation, late.concat()].concat();
            let outcome = Scenario::new(role, &bytes).with_config(config).run();
            outcome.assert_failed(&[Seen::text("before")], error);
            assert_eq!(outcome.output, told(error), "{role:?}");
        }
    }
}

#[test]
fn a_close_frame_of_either_side_breaks_off_a_message_that_is_being_sent() {
    for role in Role::BOTH {
        for peer_closes in [false, true] {
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            connection.send_fragment("part", false).expect("room");
            if peer_closes {
                input.extend_from_slice(&wire::close(role, 1001, ""));
                assert!(matches!(connection.receive(&mut input), Ok(Some(_))));
            } else {
                connection.close(CloseCode::GOING_AWAY);
            }
            // RFC 6455 6.1: sending is for the open state, and a message is not finished in another.
            assert_eq!(connection.send_fragment("rest", true), Err(SendError::Closed));
            let output = connection.output();
            let frames = wire::parse(role, &output.copy_to_bytes(output.remaining()));
            let close = Frame::new(FIN | CLOSE, wire::close_body(1001, ""));
            assert_eq!(frames, [Frame::new(TEXT, "part"), close], "{role:?}, {peer_closes}");
        }
    }
}

#[test]
fn what_is_sent_does_not_change_with_what_it_was_made_of() {
    for role in Role::BOTH {
        for len in [5, 100_000] {
            let mut payload = wire::noise(len);
            let original = Frame::new(FIN | BINARY, &payload);
            let mut connection = role.connection(Config::new());
            connection.send(&payload).expect("room");
            let output = connection.output();
            let mut sent = output.copy_to_bytes(3).to_vec();
            // RFC 6455 10.3: from its first byte on, a frame stays as it is.
            payload.fill(b'x');
            sent.extend(output.copy_to_bytes(output.remaining()));
            assert_eq!(wire::parse(role, &sent), [original], "{role:?}");
        }
    }
}
