//! RFC 6455 5.5.1 and 7.4: which bodies a Close frame may have, and what the answer is.

use tidewire::{CloseBody, CloseCode, CloseFrame, InvalidCloseCode, ProtocolError};

use support::chunked::{Seen, receive_all};
use support::wire::{self, CLOSE, FIN, Frame, Role};

#[test]
fn a_valid_code_is_reported_and_echoed_with_its_reason() {
    let codes = [1000..=1003, 1007..=1014, 3000..=3001, 3999..=4000, 4999..=4999];
    for role in Role::BOTH {
        for code in codes.iter().cloned().flatten() {
            for reason in ["", "bye", "grün 🌊"] {
                let outcome = receive_all(role, &wire::close(role, code, reason));
                assert_eq!((outcome.events, outcome.error), (vec![Seen::close(code, reason)], None));
                assert_eq!(outcome.output, [Frame::new(FIN | CLOSE, wire::close_body(code, reason))]);
                assert_eq!(outcome.closure.map(|closure| closure.code()), Some(code));
            }
        }
    }
}

#[test]
fn a_code_that_must_not_be_sent_fails_with_1002() {
    let codes =
        [0..=1, 999..=999, 1004..=1006, 1015..=1016, 1100..=1100, 2000..=2000, 2999..=2999, 5000..=5000];
    for role in Role::BOTH {
        for code in codes.iter().cloned().flatten().chain([65535]) {
            for reason in ["", "reason"] {
                let bytes = [wire::text(role, "before"), wire::close(role, code, reason)].concat();
                let error = ProtocolError::InvalidCloseCode(code);
                receive_all(role, &bytes).assert_failed(&[Seen::text("before")], error);
            }
        }
    }
}

#[test]
fn the_type_knows_the_same_codes() {
    for code in 0..=u16::MAX {
        // RFC 6455 7.4.1, 7.4.2 and the IANA registry.
        let valid = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        assert_eq!(CloseCode::new(code).map(u16::from), valid.then_some(code));
    }
}

#[test]
fn an_empty_body_is_answered_with_an_empty_body() {
    for role in Role::BOTH {
        let outcome = receive_all(role, &wire::frame(role, FIN | CLOSE, ""));
        assert_eq!((outcome.events, outcome.error), (vec![Seen::Close(None)], None));
        assert_eq!(outcome.output, [Frame::new(FIN | CLOSE, "")]);
        let closure = outcome.closure.expect("closed");
        assert_eq!((closure.code(), closure.received(), closure.is_clean()), (1005, None, true));
    }
}

#[test]
fn a_body_of_one_byte_fails_with_1002() {
    for role in Role::BOTH {
        for byte in [0, 3, 0xFF] {
            let bytes = wire::frame(role, FIN | CLOSE, [byte]);
            receive_all(role, &bytes).assert_failed(&[], ProtocolError::InvalidCloseBody);
        }
    }
}

#[test]
fn a_reason_of_123_bytes_passes() {
    for role in Role::BOTH {
        let reason = "r".repeat(123);
        let outcome = receive_all(role, &wire::close(role, 1000, &reason));
        assert_eq!(outcome.events, [Seen::close(1000, &reason)]);
        assert_eq!(outcome.output, [Frame::new(FIN | CLOSE, wire::close_body(1000, &reason))]);
    }
}

#[test]
fn a_reason_that_is_not_utf8_fails_with_1007() {
    for role in Role::BOTH {
        for reason in
            [b"\xFF".as_slice(), b"a\x80", b"\xE2\x82", b"\xED\xA0\x80", b"\xC0\xAF", b"\xF4\x90\x80\x80"]
        {
            let bytes = wire::close(role, 1000, reason);
            receive_all(role, &bytes).assert_failed(&[], ProtocolError::InvalidCloseReason);
        }
    }
}

#[test]
fn a_reason_to_send_is_cut_at_a_character_boundary() {
    for (reason, len) in
        [("x".repeat(123), 123), ("x".repeat(124), 123), ("€".repeat(42), 123), ("🦀".repeat(40), 120)]
    {
        let frame = CloseFrame::new(CloseCode::GOING_AWAY, &reason);
        assert_eq!((frame.code(), frame.reason()), (CloseCode::GOING_AWAY, &reason[..len]));
        for role in Role::BOTH {
            let outcome =
                support::chunked::Scenario::new(role, b"").after(&|it| it.close(frame.clone())).run();
            assert_eq!(outcome.output, [Frame::new(FIN | CLOSE, wire::close_body(1001, &reason[..len]))]);
        }
    }
}

#[test]
fn close_takes_a_code_a_reason_a_frame_or_nothing() {
    let frame = CloseFrame::new(CloseCode::GOING_AWAY, "bye");
    let long = "€".repeat(50);
    for role in Role::BOTH {
        let sent = |body: CloseBody| {
            let outcome =
                support::chunked::Scenario::new(role, b"").after(&|it| it.close(body.clone())).run();
            assert_eq!(outcome.output.len(), 1);
            assert_eq!(outcome.output[0].first, FIN | CLOSE);
            outcome.output[0].payload.clone()
        };
        assert_eq!(sent(CloseCode::GOING_AWAY.into()), wire::close_body(1001, ""));
        assert_eq!(sent((CloseCode::GOING_AWAY, "bye").into()), wire::close_body(1001, "bye"));
        assert_eq!(sent((CloseCode::GOING_AWAY, String::from("bye")).into()), wire::close_body(1001, "bye"));
        assert_eq!(sent((CloseCode::GOING_AWAY, &String::from("bye")).into()), wire::close_body(1001, "bye"));
        assert_eq!(sent((CloseCode::GOING_AWAY, &*long).into()), wire::close_body(1001, &long[..123]));
        assert_eq!(sent(frame.clone().into()), wire::close_body(1001, "bye"));
        assert_eq!(sent((&frame).into()), wire::close_body(1001, "bye"));
        assert_eq!(sent(Some(frame.clone()).into()), wire::close_body(1001, "bye"));
        assert_eq!(sent(None.into()), []);
        assert_eq!(sent(CloseBody::EMPTY), []);
        assert_eq!(sent(CloseBody::default()), []);

        // Nothing more has to be said of the type.
        let mut it = role.connection(tidewire::Config::new());
        it.close(None);
        assert_eq!(it.output().len(), if role == Role::Client { 6 } else { 2 });
    }
}

#[test]
fn codes_are_made_from_numbers_and_a_number_that_is_none_is_told() {
    for number in 0..=u16::MAX {
        let code = CloseCode::try_from(number);
        assert_eq!(code.ok(), CloseCode::new(number));
        match code {
            Ok(code) => assert_eq!(u16::from(code), number),
            Err(error) => {
                assert_eq!(error, InvalidCloseCode(number));
                assert_eq!(error.to_string(), format!("close code {number} must not be sent"));
            }
        }
    }
}

#[test]
fn codes_show_their_numbers_and_names() {
    let names = [
        (1000, "normal closure"),
        (1001, "going away"),
        (1002, "protocol error"),
        (1003, "unsupported data"),
        (1007, "invalid payload data"),
        (1008, "policy violation"),
        (1009, "message too big"),
        (1010, "mandatory extension"),
        (1011, "internal error"),
        (1012, "service restart"),
        (1013, "try again later"),
        (1014, "bad gateway"),
    ];
    for number in 0..=u16::MAX {
        let Ok(code) = CloseCode::try_from(number) else { continue };
        let shown = match names.iter().find(|(named, _)| *named == number) {
            Some((_, name)) => format!("{number} ({name})"),
            None => number.to_string(),
        };
        assert_eq!(code.to_string(), shown);
        assert_eq!(CloseFrame::from(code).to_string(), shown);
        assert_eq!(CloseFrame::new(code, "a\"\n").to_string(), format!("{shown}: \"a\\\"\\n\""));
    }
}

#[test]
fn an_error_names_the_limit_and_the_length() {
    let table = [
        (ProtocolError::FrameTooLong { len: 11, max: 10 }, "frame longer than the limit of 10 bytes: 11"),
        (
            ProtocolError::MessageTooLong { len: 11, max: 10 },
            "message longer than the limit of 10 bytes: it has at least 11",
        ),
        (ProtocolError::ReservedBit(1), "RSV1 set without an extension that defines it"),
        (ProtocolError::ReservedOpCode(11), "reserved opcode 0xb"),
        (ProtocolError::InvalidCloseCode(1005), "close code 1005 must not be sent"),
    ];
    for (error, sentence) in table {
        assert_eq!(error.to_string(), sentence);
    }
}

#[test]
fn every_error_tells_its_code_and_its_cause() {
    // RFC 6455 7.4.1: 1007 for data that does not fit its type, 1009 for what is too big, 1002 for the rest.
    let table = [
        (ProtocolError::ReservedOpCode(3), Some(1002)),
        (ProtocolError::ReservedBit(3), Some(1002)),
        (ProtocolError::FragmentedControlFrame, Some(1002)),
        (ProtocolError::ControlFrameTooLong, Some(1002)),
        (ProtocolError::NonMinimalLength, Some(1002)),
        (ProtocolError::LengthOutOfRange, Some(1002)),
        (ProtocolError::UnmaskedFrame, Some(1002)),
        (ProtocolError::MaskedFrame, Some(1002)),
        (ProtocolError::UnexpectedContinuation, Some(1002)),
        (ProtocolError::UnfinishedMessage, Some(1002)),
        (ProtocolError::InvalidCloseBody, Some(1002)),
        (ProtocolError::InvalidCloseCode(1005), Some(1002)),
        (ProtocolError::InvalidCloseReason, Some(1007)),
        (ProtocolError::InvalidUtf8, Some(1007)),
        (ProtocolError::FrameTooLong { len: u64::MAX, max: usize::MAX }, Some(1009)),
        (ProtocolError::MessageTooLong { len: u64::MAX, max: usize::MAX }, Some(1009)),
        (ProtocolError::UnexpectedEof, None),
    ];
    for (error, code) in table {
        assert_eq!(error.close_code().map(u16::from), code, "{error:?}");
        assert!(error.to_string().len() <= CloseFrame::MAX_REASON_LEN);
    }
}
