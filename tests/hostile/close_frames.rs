//! Close frames: every code there is, and reasons of every length.

use bytes::Buf;
use tidewire::{CloseCode, CloseFrame, Config, Event, Input, ProtocolError};

use support::wire::{self, CLOSE, FIN, Frame, PING, PONG, Role};

fn take_frames(role: Role, connection: &mut tidewire::Connection) -> Vec<Frame> {
    let output = connection.output();
    wire::parse(role, &output.copy_to_bytes(output.remaining()))
}

#[test]
fn every_code_is_echoed_or_fails_with_1002() {
    for role in Role::BOTH {
        for code in 0..=u16::MAX {
            let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
            input.extend_from_slice(&wire::close(role, code, "why"));
            let result = connection.receive(&mut input);
            // RFC 6455 7.4.1 and 7.4.2, and the IANA registry.
            let answer = if matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                match result {
                    Ok(Some(Event::Close(Some(frame)))) => {
                        assert_eq!((u16::from(frame.code()), frame.reason()), (code, "why"));
                    }
                    other => panic!("{code}: {other:?}"),
                }
                wire::close_body(code, "why")
            } else {
                assert_eq!(result.err(), Some(ProtocolError::InvalidCloseCode(code)));
                wire::close_body(1002, format!("close code {code} must not be sent"))
            };
            assert_eq!(take_frames(role, &mut connection), [Frame::new(FIN | CLOSE, answer)]);
        }
    }
}

#[test]
fn nothing_is_sent_but_what_was_given_whatever_its_length() {
    for role in Role::BOTH {
        for len in 0..=130 {
            let payload = wire::noise(len);
            let reason: String = ('!'..='~').cycle().take(len).collect();
            let mut connection = role.connection(Config::new());
            let is_ping = connection.ping(&payload).is_ok();
            assert_eq!(is_ping, len <= 125);
            connection.close(CloseFrame::new(CloseCode::NORMAL, &reason));
            let close = Frame::new(FIN | CLOSE, wire::close_body(1000, &reason[..len.min(123)]));
            let ping = is_ping.then(|| Frame::new(FIN | PING, &payload));
            let expected: Vec<_> = ping.into_iter().chain([close]).collect();
            assert_eq!(take_frames(role, &mut connection), expected);

            // What is sent back is what was received, of the same length.
            if len <= 123 {
                let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
                let close = wire::close(role, 1000, &reason);
                input.extend_from_slice(&[wire::ping(role, &payload), close].concat());
                while let Ok(Some(_)) = connection.receive(&mut input) {}
                let body = wire::close_body(1000, &reason);
                let expected = [Frame::new(FIN | PONG, &payload), Frame::new(FIN | CLOSE, body)];
                assert_eq!(take_frames(role, &mut connection), expected);
            }
        }
    }
}
