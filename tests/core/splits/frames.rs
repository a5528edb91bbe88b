//! Streams of frames: what well-behaved peers send, and what becomes of that when something goes wrong on the way.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::RngSeed;

use support::chunked::Seen;
use support::wire::{self, BINARY, CLOSE, CONTINUATION, FIN, Length, PING, PONG, Role, TEXT};

/// A frame to be sent, right or wrong.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    first: u8,
    length: Length,
    /// It is masked where it must not be, or not where it must.
    has_wrong_mask: bool,
    key: [u8; 4],
    payload: Vec<u8>,
}

/// Frames, and the events that they make.
pub(crate) type Stream = (Vec<Frame>, Vec<Seen>);

/// The same cases every time; with `TIDEWIRE_ROUNDS` that many times as many, and others every time.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let rounds = std::env::var("TIDEWIRE_ROUNDS").ok().map(|rounds| rounds.parse::<u32>().expect("a number"));
    ProptestConfig {
        cases: cases * rounds.unwrap_or(1),
        rng_seed: if rounds.is_some() { RngSeed::Random } else { RngSeed::Fixed(6455) },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

pub(crate) fn role() -> impl Strategy<Value = Role> {
    select(&Role::BOTH[..])
}

/// The frames as bytes to a connection with this role.
pub(crate) fn encode(to: Role, frames: &[Frame]) -> Vec<u8> {
    let encode = |frame: &Frame| {
        let key = ((to == Role::Server) != frame.has_wrong_mask).then_some(frame.key);
        [wire::header(frame.first, frame.length, key), wire::masked(&frame.payload, key)].concat()
    };
    frames.iter().flat_map(encode).collect()
}

/// Messages of every kind and class of length, whole and in fragments, with control frames around and inside them; perhaps a Close frame
/// in the end.
pub(crate) fn valid() -> impl Strategy<Value = Stream> {
    let code = prop_oneof![select(vec![1000, 1001, 1003, 1007, 1014]), 3000..5000u16];
    let body = prop_oneof![1 => Just(Vec::new()), 4 => close_body(code)];
    (vec(step(), 0..5), option::of(close(body)))
        .prop_map(|(steps, close)| stream(steps.into_iter().chain(close)))
}

/// What is no longer as it was meant, most of the time.
pub(crate) fn mutated() -> impl Strategy<Value = (Role, Vec<u8>)> {
    let body = prop_oneof![1 => vec(any::<u8>(), 0..3), 1 => close_body(0..5100u16)];
    let headers = vec((any::<Index>(), header_change()), 0..2);
    let parts = (role(), vec(step(), 1..5), option::weighted(0.3, close(body)), headers, byte_changes());
    parts.prop_map(|(role, steps, close, headers, bytes)| {
        let (mut frames, _) = stream(steps.into_iter().chain(close));
        for (at, change) in headers {
            let at = at.index(frames.len());
            change.apply(&mut frames, at);
        }
        let mut encoded = encode(role, &frames);
        bytes.iter().for_each(|change| change.apply(&mut encoded));
        (role, encoded)
    })
}

fn stream(steps: impl Iterator<Item = Step>) -> Stream {
    let mut stream = Stream::default();
    steps.for_each(|step| step.append_to(&mut stream));
    stream
}

/// A message or a control frame.
#[derive(Clone, Debug)]
struct Step {
    opcode: u8,
    parts: Vec<Vec<u8>>,
    /// What is sent behind the first fragments.
    controls: Vec<(u8, Vec<u8>)>,
    key: [u8; 4],
}

impl Step {
    fn single(opcode: u8, payload: Vec<u8>, key: [u8; 4]) -> Self {
        Self { opcode, parts: vec![payload], controls: Vec::new(), key }
    }

    fn append_to(self, (frames, events): &mut Stream) {
        let mut controls = self.controls.into_iter();
        let message = seen(self.opcode, self.parts.concat());
        let last = self.parts.len() - 1;
        for (i, part) in self.parts.into_iter().enumerate() {
            let opcode = if i == 0 { self.opcode } else { CONTINUATION };
            frames.push(Frame::new(if i == last { FIN } else { 0 } | opcode, self.key, part));
            if i < last
                && let Some((opcode, payload)) = controls.next()
            {
                frames.push(Frame::new(FIN | opcode, self.key, payload.clone()));
                events.push(seen(opcode, payload));
            }
        }
        events.push(message);
    }
}

impl Frame {
    fn new(first: u8, key: [u8; 4], payload: Vec<u8>) -> Self {
        Self { first, length: Length::minimal(payload.len()), has_wrong_mask: false, key, payload }
    }
}

/// The event that a frame or a message makes; of a Close frame that is wrong, none that counts.
fn seen(opcode: u8, payload: Vec<u8>) -> Seen {
    match (opcode, &payload[..]) {
        (TEXT, _) => Seen::Text(String::from_utf8(payload).expect("text")),
        (PING, _) => Seen::Ping(payload),
        (PONG, _) => Seen::Pong(payload),
        (CLOSE, [a, b, reason @ ..]) => {
            Seen::close(u16::from_be_bytes([*a, *b]), &String::from_utf8_lossy(reason))
        }
        (CLOSE, _) => Seen::Close(None),
        _ => Seen::Binary(payload),
    }
}

fn step() -> impl Strategy<Value = Step> {
    let message = prop_oneof![
        1 => text().prop_map(|text| (TEXT, text.into_bytes())),
        1 => len().prop_map(|len| (BINARY, wire::noise(len))),
    ];
    let message = (message, vec(any::<Index>(), 0..4), vec(control(), 0..3), any::<[u8; 4]>());
    let message = message.prop_map(|((opcode, payload), cuts, controls, key)| {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
        cuts.sort_unstable();
        // Also inside a character, and with nothing between two of them.
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([payload.len()]);
        let parts = starts.zip(ends).map(|(start, end)| payload[start..end].to_vec()).collect();
        Step { opcode, parts, controls, key }
    });
    let control = (control(), any::<[u8; 4]>());
    let control = control.prop_map(|((opcode, payload), key)| Step::single(opcode, payload, key));
    prop_oneof![3 => message, 1 => control]
}

fn text() -> impl Strategy<Value = String> {
    let characters =
        select("a\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}".chars().collect::<Vec<_>>());
    prop_oneof![any::<String>(), vec(characters, 0..80).prop_map(String::from_iter)]
}

/// The classes of RFC 6455 5.2 and their bounds; the longest ones seldom, since they take long.
fn len() -> impl Strategy<Value = usize> {
    prop_oneof![20 => 0..=200usize, 10 => 124..=127usize, 3 => 200..3000usize, 1 => 65535..=65536usize]
}

fn control() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let payload = prop_oneof![3 => vec(any::<u8>(), 0..10), 1 => vec(any::<u8>(), 124..=125)];
    (select(vec![PING, PONG]), payload)
}

fn close(body: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Step> {
    (body, any::<[u8; 4]>()).prop_map(|(body, key)| Step::single(CLOSE, body, key))
}

fn close_body(code: impl Strategy<Value = u16>) -> impl Strategy<Value = Vec<u8>> {
    (code, "\\PC{0,20}").prop_map(|(code, reason)| wire::close_body(code, reason))
}

/// A change of one frame's header, or of the order of frames.
#[derive(Clone, Debug)]
enum HeaderChange {
    Fin,
    Reserved(u8),
    OpCode(u8),
    Mask,
    /// A length that is not minimal, or not that of the payload.
    Length(Length),
    LengthOff(i8),
    Repeat,
    Remove,
    Swap(Index),
}

fn header_change() -> impl Strategy<Value = HeaderChange> {
    let length = prop_oneof![
        (0..=125u8).prop_map(Length::Short),
        any::<u16>().prop_map(Length::Two),
        any::<u64>().prop_map(Length::Eight),
        (0..65_536u64).prop_map(Length::Eight),
        Just(Length::Eight(65_536)),
    ];
    prop_oneof![
        3 => Just(HeaderChange::Fin),
        1 => (4..7u8).prop_map(|bit| HeaderChange::Reserved(1 << bit)),
        3 => (0..16u8).prop_map(HeaderChange::OpCode),
        1 => Just(HeaderChange::Mask),
        2 => length.prop_map(HeaderChange::Length),
        2 => (-2..=2i8).prop_map(HeaderChange::LengthOff),
        2 => Just(HeaderChange::Repeat),
        2 => Just(HeaderChange::Remove),
        2 => any::<Index>().prop_map(HeaderChange::Swap),
    ]
}

impl HeaderChange {
    fn apply(&self, frames: &mut Vec<Frame>, at: usize) {
        let len = frames.len();
        let frame = &mut frames[at];
        match self {
            Self::Fin => frame.first ^= FIN,
            Self::Reserved(bit) => frame.first ^= bit,
            Self::OpCode(opcode) => frame.first = frame.first & 0xF0 | opcode,
            Self::Mask => frame.has_wrong_mask = true,
            Self::Length(length) => frame.length = *length,
            Self::LengthOff(off) => {
                frame.length = Length::minimal(frame.payload.len().saturating_add_signed((*off).into()));
            }
            Self::Repeat => {
                let again = frame.clone();
                frames.insert(at, again);
            }
            Self::Remove if len > 1 => _ = frames.remove(at),
            Self::Remove => {}
            Self::Swap(other) => frames.swap(at, other.index(len)),
        }
    }
}

/// Something that goes wrong with the bytes.
#[derive(Clone, Debug)]
pub(crate) enum ByteChange {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    /// So many bytes stand there twice.
    Repeat(Index, usize),
    Truncate(Index),
}

pub(crate) fn byte_changes() -> impl Strategy<Value = Vec<ByteChange>> {
    let at = any::<Index>;
    let change = prop_oneof![
        4 => (at(), 0..8u8).prop_map(|(at, bit)| ByteChange::Flip(at, bit)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| ByteChange::Set(at, byte)),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| ByteChange::Insert(at, byte)),
        1 => at().prop_map(ByteChange::Remove),
        1 => (at(), 1..20usize).prop_map(|(at, len)| ByteChange::Repeat(at, len)),
        1 => at().prop_map(ByteChange::Truncate),
    ];
    vec(change, 0..3)
}

impl ByteChange {
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        // Mostly headers and short frames, where there is something to break.
        let len = bytes.len().min(600);
        match self {
            Self::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
            Self::Set(at, byte) => bytes[at.index(len)] = *byte,
            Self::Insert(at, byte) => bytes.insert(at.index(len), *byte),
            Self::Remove(at) => _ = bytes.remove(at.index(len)),
            Self::Repeat(at, count) => {
                let at = at.index(len);
                let again = bytes[at..bytes.len().min(at + count)].to_vec();
                bytes.splice(at..at, again);
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}
