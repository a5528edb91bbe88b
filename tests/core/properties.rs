//! What holds for every stream of bytes and every conversation, tried with random ones.

use proptest::collection::vec;
use proptest::prelude::*;
use tidewire::{CloseCode, CloseFrame, Config, ProtocolError, State};

use crate::link::{Cut, Pair};
use crate::model;
use crate::splits::frames::{self, cases, encode, role};
use support::chunked::{Scenario, Seen};
use support::wire::{self, CLOSE, FIN, Frame, PONG, Role};

fn payload(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), 0..max), 1 => (max..40 * max).prop_map(wire::noise)]
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn valid_streams_are_received_and_answered_as_they_were_meant(role in role(), (frames, events) in frames::valid()) {
        let outcome = Scenario::new(role, &encode(role, &frames)).run();
        let answer = |event: &Seen| match event {
            Seen::Ping(payload) => Some(Frame::new(FIN | PONG, payload)),
            Seen::Close(None) => Some(Frame::new(FIN | CLOSE, "")),
            Seen::Close(Some((code, reason))) => Some(Frame::new(FIN | CLOSE, wire::close_body(*code, reason))),
            _ => None,
        };
        let output: Vec<_> = events.iter().filter_map(answer).collect();
        prop_assert!(outcome.events == events && outcome.error.is_none());
        prop_assert_eq!(outcome.output, output);
    }

    #[test]
    fn broken_streams_come_to_what_the_model_says((role, bytes) in frames::mutated(), eof in any::<bool>()) {
        assert_agreement(role, &bytes, eof);
    }

    #[test]
    fn noise_comes_to_what_the_model_says(role in role(), bytes in vec(any::<u8>(), 0..100), eof in any::<bool>()) {
        assert_agreement(role, &bytes, eof);
    }
}

/// Under every chunking, `bytes` come to what the model says.
fn assert_agreement(role: Role, bytes: &[u8], eof: bool) {
    let config = Config::new().with_max_frame_len(6_000).with_max_message_len(7_000);
    let scenario = Scenario::new(role, bytes).with_config(config);
    let outcome = if eof { scenario.then_eof().run() } else { scenario.run() };
    let (events, mut error) = model::receive(role, &config, bytes);
    if eof && error.is_none() && !matches!(events.last(), Some(Seen::Close(_))) {
        error = Some(ProtocolError::UnexpectedEof);
    }
    assert_eq!((&outcome.events, outcome.error), (&events, error), "{role:?}, {bytes:?}");
    let is_over = error.is_some() || matches!(events.last(), Some(Seen::Close(_)));
    assert_eq!((outcome.state == State::Closed, outcome.closure.is_some()), (is_over, is_over));
}

/// What a program does with its connection.
#[derive(Clone, Debug)]
enum Action {
    Text(String),
    Binary(Vec<u8>),
    Owned(Vec<u8>),
    Fragment(Vec<u8>, bool),
    Prepared(Vec<u8>),
    Ping(Vec<u8>),
    Release,
    Close(u16, String),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => any::<String>().prop_map(Action::Text),
        4 => payload(300).prop_map(Action::Binary),
        4 => payload(300).prop_map(Action::Owned),
        6 => (payload(100), any::<bool>()).prop_map(|(part, last)| Action::Fragment(part, last)),
        2 => payload(300).prop_map(Action::Prepared),
        3 => vec(any::<u8>(), 0..130).prop_map(Action::Ping),
        1 => Just(Action::Release),
        1 => (3000u16..5000, any::<String>()).prop_map(|(code, reason)| Action::Close(code, reason)),
    ]
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn what_one_side_sends_the_other_receives_in_order(
        actions in vec((any::<bool>(), action(), 0usize..4), 0..30),
        seed in any::<u64>(),
        high_water_len in prop_oneof![Just(64 * 1024), 1usize..2000],
    ) {
        let config = Config::new().with_high_water_len(high_water_len);
        let mut pair = Pair::new(config, Cut::Random(seed));
        // What each side has sent: the messages that are whole, the one that is not, the pings and the Close frame.
        let mut sent: [(Vec<Seen>, Vec<u8>); 2] = Default::default();
        let mut pings = [0, 0];
        for (from_server, action, steps) in actions {
            let from = usize::from(from_server);
            let connection = &mut pair.sides()[from].connection;
            let (whole, part) = &mut sent[from];
            match action {
                Action::Text(text) => {
                    if connection.send(&text).is_ok() {
                        whole.push(Seen::Text(text));
                    }
                }
                Action::Binary(payload) => {
                    if connection.send(&payload).is_ok() {
                        whole.push(Seen::Binary(payload));
                    }
                }
                Action::Owned(payload) => {
                    if connection.send(payload.clone()).is_ok() {
                        whole.push(Seen::Binary(payload));
                    }
                }
                Action::Prepared(payload) => {
                    if connection.send(&tidewire::Prepared::new(&payload)).is_ok() {
                        whole.push(Seen::Binary(payload));
                    }
                }
                Action::Fragment(payload, last) => {
                    if connection.send_fragment(&payload, last).is_ok() {
                        part.extend(payload);
                        if last {
                            whole.push(Seen::Binary(core::mem::take(part)));
                        }
                    }
                }
                Action::Ping(payload) => {
                    if connection.ping(&payload).is_ok() {
                        whole.push(Seen::ping(&payload));
                        pings[from] += 1;
                    }
                }
                Action::Release => connection.release(),
                Action::Close(code, reason) => {
                    if connection.state() == State::Open {
                        let frame = CloseFrame::new(CloseCode::new(code).expect("private"), &reason);
                        whole.push(Seen::close(code, frame.reason()));
                        connection.close(frame);
                    }
                }
            }
            for _ in 0..steps {
                pair.step();
            }
        }
        pair.drive();
        let closed = pair.sides().map(|side| side.connection.state() == State::Closed);
        prop_assert_eq!(closed[0], closed[1]);
        for (to, side) in pair.sides().into_iter().enumerate() {
            prop_assert_eq!((side.error, side.timed_out), (None, None));
            let from = 1 - to;
            let received: Vec<_> =
                side.events.iter().filter(|event| !matches!(event, Seen::Pong(_))).cloned().collect();
            // The last one may be the answer to our own Close frame, which its sender did not think of.
            let (expected, _) = &sent[from];
            let echo = received.len() - expected.len().min(received.len());
            prop_assert!(received.starts_with(expected), "{:?}\n{:?}", received, expected);
            prop_assert!(echo == 0 || (echo == 1 && matches!(received.last(), Some(Seen::Close(_)))));
            let pongs = side.events.len() - received.len();
            prop_assert!(pongs <= pings[to]);
            if !closed[0] && high_water_len > 2000 {
                prop_assert_eq!(pongs, pings[to]);
            }
        }
    }
}
