//! What holds for every stream of bytes and every conversation, tried with random ones.

use proptest::collection::vec;
use proptest::prelude::*;
use tidewire::{CloseCode, CloseFrame, Config, ProtocolError, State};

use crate::model;
use crate::pair::{Cut, Pair};
use crate::scenario::{Scenario, Seen};
use crate::wire::{self, BINARY, CONTINUATION, FIN, Role, TEXT};

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

/// What a well-behaved peer sends.
#[derive(Clone, Debug)]
enum Step {
    Text(Vec<String>),
    Binary(Vec<Vec<u8>>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn payload(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), 0..max), 1 => (max..40 * max).prop_map(wire::noise)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        vec(any::<String>(), 1..4).prop_map(Step::Text),
        vec(payload(200), 1..4).prop_map(Step::Binary),
        vec(any::<u8>(), 0..=125).prop_map(Step::Ping),
        vec(any::<u8>(), 0..=125).prop_map(Step::Pong),
    ]
}

/// The frames of the steps, and what they have to become.
fn encode(role: Role, steps: &[Step]) -> (Vec<u8>, Vec<Seen>) {
    let (mut bytes, mut events) = (Vec::new(), Vec::new());
    let fragments = |bytes: &mut Vec<u8>, opcode, parts: &[&[u8]]| {
        for (i, part) in parts.iter().enumerate() {
            let opcode = if i == 0 { opcode } else { CONTINUATION };
            let fin = if i + 1 == parts.len() { FIN } else { 0 };
            bytes.extend(wire::frame(role, fin | opcode, part));
        }
    };
    for step in steps {
        match step {
            Step::Text(parts) => {
                fragments(&mut bytes, TEXT, &parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>());
                events.push(Seen::Text(parts.concat()));
            }
            Step::Binary(parts) => {
                fragments(&mut bytes, BINARY, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
                events.push(Seen::Binary(parts.concat()));
            }
            Step::Ping(payload) => {
                bytes.extend(wire::ping(role, payload));
                events.push(Seen::ping(payload));
            }
            Step::Pong(payload) => {
                bytes.extend(wire::pong(role, payload));
                events.push(Seen::pong(payload));
            }
        }
    }
    (bytes, events)
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn valid_streams_are_received_as_they_were_meant(role in role(), steps in vec(step(), 0..6)) {
        let (bytes, events) = encode(role, &steps);
        let outcome = Scenario::new(role, &bytes).run();
        prop_assert!(outcome.events == events && outcome.error.is_none());
        let pongs: Vec<_> = steps.iter().filter(|step| matches!(step, Step::Ping(_))).collect();
        prop_assert_eq!(outcome.output.len(), pongs.len());
    }

    #[test]
    fn broken_streams_come_to_what_the_model_says(
        role in role(),
        steps in vec(step(), 1..4),
        end in prop_oneof![Just(None), (0u16..5100, vec(any::<u8>(), 0..10)).prop_map(Some)],
        changes in vec(change(), 0..4),
        eof in any::<bool>(),
    ) {
        let (mut bytes, _) = encode(role, &steps);
        if let Some((code, reason)) = end {
            bytes.extend(wire::close(role, code, reason));
        }
        changes.iter().for_each(|change| change.apply(&mut bytes));
        assert_agreement(role, &bytes, eof);
    }

    #[test]
    fn noise_comes_to_what_the_model_says(role in role(), bytes in vec(any::<u8>(), 0..100), eof in any::<bool>()) {
        assert_agreement(role, &bytes, eof);
    }
}

/// Something that goes wrong on the way.
#[derive(Clone, Debug)]
enum Change {
    Flip(prop::sample::Index, u8),
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Truncate(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), 0u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        1 => at().prop_map(Change::Remove),
        1 => at().prop_map(Change::Truncate),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        // Mostly headers and short frames, where there is something to break.
        let len = bytes.len().min(300);
        match self {
            Self::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
            Self::Set(at, byte) => bytes[at.index(len)] = *byte,
            Self::Insert(at, byte) => bytes.insert(at.index(len), *byte),
            Self::Remove(at) => _ = bytes.remove(at.index(len)),
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
        }
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
                    if connection.send_prepared(&tidewire::Prepared::new(&payload)).is_ok() {
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
