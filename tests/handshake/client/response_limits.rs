//! How long a response may be and how long it may take.

use core::time::Duration;

use tidewire::{ClientHandshake, Config, Input, TimedOut, Timestamp};

use crate::client::plain;
use support::handshake::{NONCE, RESPONSE, connect, failure, with};

#[test]
fn the_head_of_a_response_is_limited_as_it_arrives() {
    let head = with(RESPONSE, "");
    let run = |config: Config, bytes: &str| {
        let result = connect(config, &plain(), bytes.as_bytes(), false).result;
        assert!(!matches!(result, Ok(None)));
        failure(result)
    };
    let config = Config::new().with_max_head_len(head.len()).with_max_headers(3);
    assert_eq!(run(config, &head), "nothing");
    assert_eq!(run(config.with_max_head_len(head.len() - 1), &head), "HeadTooLong");
    assert_eq!(run(config.with_max_headers(2), RESPONSE), "TooManyHeaders");
    let endless = format!("HTTP/1.1 101 {}", "a".repeat(16 << 10));
    assert_eq!(run(Config::new(), &endless), "HeadTooLong");
}

#[test]
fn the_end_of_the_transport_before_the_end_of_the_head_is_an_error() {
    for len in [1, 20, RESPONSE.len()] {
        let outcome = connect(Config::new(), &plain(), &RESPONSE.as_bytes()[..len], true);
        assert_eq!(failure(outcome.result), "UnexpectedEof");
    }
}

#[test]
fn a_late_response_is_a_timeout() {
    let mut handshake = ClientHandshake::new(Config::new(), &plain(), NONCE, [7; 32]);
    let start = Timestamp::from_micros(5);
    let deadline = start + Duration::from_secs(10);
    assert_eq!(handshake.poll_timeout(start), Some(deadline));
    assert_eq!(handshake.poll_timeout(start + Duration::from_secs(9)), Some(deadline));
    assert_eq!(handshake.handle_timeout(start + Duration::from_secs(9)), Ok(()));
    assert_eq!(handshake.handle_timeout(deadline), Err(TimedOut::Open));
    assert_eq!(handshake.handle_timeout(deadline), Ok(()));
    assert_eq!(handshake.poll_timeout(deadline), None);
    let mut input = Input::new();
    input.extend_from_slice(with(RESPONSE, "").as_bytes());
    assert_eq!(failure(handshake.receive(&mut input)), "TimedOut");
}
