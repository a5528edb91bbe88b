//! What comes before the first frame, and with the response.

use bytes::Buf;
use tidewire::{ClientHandshake, Config, Event, Input};

use crate::client::plain;
use support::handshake::{NONCE, RESPONSE, with};

#[test]
fn nothing_follows_the_request_until_the_response_is_complete() {
    let mut handshake = ClientHandshake::new(Config::new(), &plain(), NONCE, [7; 32]);
    let len = handshake.output().len();
    handshake.output().advance(len);
    let head = with(RESPONSE, "");
    let mut input = Input::new();
    for (at, byte) in head.bytes().enumerate() {
        input.extend_from_slice(&[byte]);
        let opened = handshake.receive(&mut input).expect("valid");
        assert_eq!((opened.is_some(), handshake.output().len()), (at + 1 == head.len(), 0), "{at}");
        if let Some((mut connection, _)) = opened {
            assert_eq!(connection.output().len(), 0);
        }
    }
}

#[test]
fn what_is_left_of_the_request_is_sent_before_the_first_frame() {
    let mut handshake = ClientHandshake::new(Config::new(), &plain(), NONCE, [7; 32]);
    let len = handshake.output().len();
    handshake.output().advance(len - 2);
    let mut input = Input::new();
    input.extend_from_slice(with(RESPONSE, "").as_bytes());
    let (mut connection, _) = handshake.receive(&mut input).expect("valid").expect("complete");
    connection.send("Hi").expect("sent");
    assert!(connection.output().chunk().starts_with(b"\r\n\x81\x82"));
}

#[test]
fn frames_that_came_with_the_response_are_received() {
    let mut handshake = ClientHandshake::new(Config::new(), &plain(), NONCE, [7; 32]);
    let mut input = Input::new();
    input.extend_from_slice(&[with(RESPONSE, "").as_bytes(), b"\x81\x02Hi"].concat());
    let (mut connection, _) = handshake.receive(&mut input).expect("valid").expect("complete");
    assert!(matches!(connection.receive(&mut input), Ok(Some(Event::Text(text))) if &*text == "Hi"));
    assert!(handshake.receive(&mut input).expect("once").is_none());
}
