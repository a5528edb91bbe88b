//! How bytes are cut makes no difference, whether they are valid or not; and the mutations make one.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tidewire::{HandshakeError, ProtocolError};

use crate::splits::connection::{Start, Trace, trace, whole};
use crate::splits::frames::{self, cases, encode, role};
use crate::splits::heads;
use support::chunked::Seen;
use support::handshake::NONCE;
use support::wire::Role;

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn valid_frames_come_to_the_same_however_they_are_cut(role in role(), (frames, events) in frames::valid(), eof: bool) {
        let trace = trace(Start::Open(role), &encode(role, &frames), eof);
        let is_closed = matches!(events.last(), Some(Seen::Close(_)));
        prop_assert_eq!(trace.error, (eof && !is_closed).then_some(ProtocolError::UnexpectedEof));
        prop_assert!(trace.events == events);
    }

    #[test]
    fn mutated_frames_come_to_the_same_however_they_are_cut((role, bytes) in frames::mutated(), eof: bool) {
        trace(Start::Open(role), &bytes, eof);
    }

    #[test]
    fn valid_heads_and_frames_come_to_the_same_however_they_are_cut(
        (role, bytes) in role().prop_flat_map(|role| (Just(role), heads::valid(role))),
        eof: bool,
    ) {
        let trace = trace(Start::opening(role), &bytes, eof);
        prop_assert!(matches!(trace.opened, None | Some(Ok(_) | Err(HandshakeError::Refused(_)))), "{:?}", trace.opened);
        prop_assert!(matches!(trace.error, None | Some(ProtocolError::UnexpectedEof)));
    }

    #[test]
    fn mutated_heads_and_frames_come_to_the_same_however_they_are_cut(
        (role, bytes) in role().prop_flat_map(|role| (Just(role), heads::mutated(role))),
        eof: bool,
    ) {
        trace(Start::opening(role), &bytes, eof);
    }
}

const SAMPLES: usize = 4000;

/// How often each error comes of such bytes, by name.
fn count(
    strategy: impl Strategy<Value = (Start, Vec<u8>)>,
    error: impl Fn(Trace) -> Option<String>,
) -> (usize, BTreeMap<String, usize>) {
    let mut runner = TestRunner::deterministic();
    let (mut passed, mut errors) = (0, BTreeMap::new());
    for _ in 0..SAMPLES {
        let (start, bytes) = strategy.new_tree(&mut runner).expect("a value").current();
        match error(whole(start, &bytes, false)) {
            None => passed += 1,
            Some(error) => {
                let name = error.split(['(', ' ']).next().expect("a name");
                *errors.entry(name.to_owned()).or_default() += 1;
            }
        }
    }
    (passed, errors)
}

/// Not all of the mutations break something, and those that do break everything that can be broken.
#[track_caller]
fn assert_reaches((passed, errors): (usize, BTreeMap<String, usize>), expected: &[&str]) {
    assert!((SAMPLES / 5..SAMPLES * 3 / 5).contains(&passed), "{passed} passed, {errors:?}");
    let names: Vec<_> = errors.keys().map(String::as_str).collect();
    assert_eq!(names, expected, "{errors:?}");
    assert!(errors.values().all(|&count| count < (SAMPLES - passed) / 2), "{errors:?}");
}

#[test]
fn mutated_frames_reach_every_protocol_error() {
    let mutated = frames::mutated().prop_map(|(role, bytes)| (Start::Open(role), bytes));
    let error = |trace: Trace| trace.error.map(|error| format!("{error:?}"));
    assert_reaches(
        count(mutated, error),
        &[
            "ControlFrameTooLong",
            "FragmentedControlFrame",
            "FrameTooLong",
            "InvalidCloseBody",
            "InvalidCloseCode",
            "InvalidCloseReason",
            "InvalidUtf8",
            "LengthOutOfRange",
            "MaskedFrame",
            "MessageTooLong",
            "NonMinimalLength",
            "ReservedBit",
            "ReservedOpCode",
            "UnexpectedContinuation",
            "UnfinishedMessage",
            "UnmaskedFrame",
        ],
    );
}

#[test]
fn mutated_requests_reach_every_error_of_a_server() {
    let mutated = heads::mutated(Role::Server).prop_map(|bytes| (Start::Server, bytes));
    let error = |trace: Trace| trace.opened?.err().map(|error| format!("{error:?}"));
    assert_reaches(
        count(mutated, error),
        &[
            "HeadTooLong",
            "InvalidConnection",
            "InvalidExtensions",
            "InvalidHost",
            "InvalidKey",
            "InvalidSubprotocols",
            "InvalidTarget",
            "InvalidUpgrade",
            "InvalidVersion",
            "MalformedHead",
            "MethodNotGet",
            "OriginNotAllowed",
            "RequestBody",
            "RequestLineTooLong",
            "TooManyHeaders",
            "UnexpectedTls",
            "UnsupportedHttpVersion",
            "UnsupportedVersion",
            "UpgradeRequired",
        ],
    );
}

#[test]
fn mutated_responses_reach_every_error_of_a_client() {
    let mutated = heads::mutated(Role::Client).prop_map(|bytes| (Start::Client(NONCE), bytes));
    let error = |trace: Trace| trace.opened?.err().map(|error| format!("{error:?}"));
    assert_reaches(
        count(mutated, error),
        &[
            "HeadTooLong",
            "InvalidAccept",
            "InvalidConnection",
            "InvalidContentLength",
            "InvalidUpgrade",
            "MalformedHead",
            "Refused",
            "TooManyHeaders",
            "UnexpectedExtension",
            "UnexpectedSubprotocol",
            "UnexpectedTls",
            "UnsupportedHttpVersion",
        ],
    );
}
