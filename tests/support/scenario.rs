//! Conversations of every kind, to be disturbed by the tests of both adapters, and what has to hold for them whatever happens.

use std::io::ErrorKind;

use tidewire::{Error, HandshakeError, ProtocolError, SendError, accept_key};

use crate::wire::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Role, TEXT, binary, close, frame, ping, pong, text,
};
use crate::written::Written;

/// What the socket under test does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    Accept,
    AcceptInTwoSteps,
    Reject,
    /// A request of another version, which is answered with 426.
    Outdated,
    Connect,
    Echo,
    EchoInFragments,
    Pings,
    Close,
    /// The peer breaks a rule while it is sending, and has to learn that.
    Linger,
    Batches,
    Prepared,
    Halves,
}

/// The scenarios and the roles that play them.
pub const SCENARIOS: [(Scenario, &[Role]); 13] = [
    (Scenario::Accept, &[Role::Server]),
    (Scenario::AcceptInTwoSteps, &[Role::Server]),
    (Scenario::Reject, &[Role::Server]),
    (Scenario::Outdated, &[Role::Server]),
    (Scenario::Connect, &[Role::Client]),
    (Scenario::Echo, &Role::BOTH),
    (Scenario::EchoInFragments, &Role::BOTH),
    (Scenario::Pings, &Role::BOTH),
    (Scenario::Close, &Role::BOTH),
    (Scenario::Linger, &Role::BOTH),
    (Scenario::Batches, &Role::BOTH),
    (Scenario::Prepared, &Role::BOTH),
    (Scenario::Halves, &Role::BOTH),
];

/// Everything that can be seen of a scenario that was played.
#[derive(Debug)]
pub struct Outcome {
    /// The messages, and the pongs where they count.
    pub received: Vec<Vec<u8>>,
    /// What methods failed with before the end, and the end itself.
    pub errors: Vec<Error>,
    pub written: Written,
    /// How many data frames a method has said to be written.
    pub vouched: usize,
    /// How many messages the bytes make that were read.
    pub readable: usize,
    /// It has come to what was to go wrong.
    pub is_upset: bool,
}

impl Scenario {
    /// True if the messages are so long that they have to be cut coarsely.
    pub fn is_long(self) -> bool {
        matches!(self, Self::EchoInFragments | Self::Prepared)
    }

    /// What the peer says of its own accord once the connection is open.
    fn says(self, role: Role) -> Vec<u8> {
        let small = |n: u8| {
            let ping = if n.is_multiple_of(3) { ping(role, [n]) } else { Vec::new() };
            [binary(role, vec![n; 10 * usize::from(n)]), ping].concat()
        };
        let close = close(role, 1000, "done");
        match self {
            Self::Accept | Self::AcceptInTwoSteps | Self::Connect | Self::Echo => {
                [(0..6).flat_map(small).collect(), close].concat()
            }
            Self::EchoInFragments => [
                frame(role, BINARY, vec![1; 2500]),
                ping(role, "between"),
                frame(role, CONTINUATION, vec![2; 3000]),
                frame(role, FIN | CONTINUATION, vec![3; 2500]),
                frame(role, TEXT, &"\u{20ac}".as_bytes()[..1]),
                frame(role, FIN | CONTINUATION, &"\u{20ac}".as_bytes()[1..]),
                close,
            ]
            .concat(),
            Self::Close => [text(role, "late"), ping(role, "late")].concat(),
            Self::Linger => [text(role, "fine"), frame(role, 0x83, "reserved"), vec![0; 300]].concat(),
            Self::Halves => (0..4).flat_map(|n| binary(role, [n; 40])).collect(),
            Self::Reject | Self::Outdated | Self::Pings | Self::Batches | Self::Prepared => Vec::new(),
        }
    }

    /// The head with which the peer opens the connection; empty if it does not.
    fn request(self) -> String {
        let version = match self {
            Self::Accept | Self::AcceptInTwoSteps | Self::Reject => 13,
            Self::Outdated => 8,
            _ => return String::new(),
        };
        format!(
            "GET /chat HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: {version}\r\n\
             Sec-WebSocket-Protocol: v1, v2\r\n\r\n"
        )
    }

    /// How many messages are complete in the first `len` bytes that the peer has sent to a socket which has written `log`.
    pub fn count_messages(self, role: Role, len: usize, log: &[u8]) -> usize {
        let head = if self == Self::Connect { response(log).unwrap_or_default() } else { self.request() };
        let mut says = self.says(role);
        says.truncate(len.saturating_sub(head.len()));
        let is_last = |first: u8| first & FIN != 0 && matches!(first & 0xF, TEXT | BINARY | CONTINUATION);
        Written::new(says).frames().filter(|(first, _)| is_last(*first)).count()
    }

    /// True for what the scenario comes to when nothing goes wrong.
    fn ends_with(self, error: &Error) -> bool {
        match self {
            Self::Outdated => matches!(error, Error::Handshake(HandshakeError::UnsupportedVersion(_))),
            Self::Linger => matches!(error, Error::Protocol(ProtocolError::ReservedOpCode(3))),
            _ => false,
        }
    }
}

/// The peer: opens the connection, says what it has to say, and answers pings and the Close frame.
pub struct Attendant {
    scenario: Scenario,
    role: Role,
    /// A client has to ask before it is spoken to.
    is_open: bool,
    answered: usize,
}

impl Attendant {
    pub fn new(scenario: Scenario, role: Role) -> Self {
        Self { scenario, role, is_open: scenario != Scenario::Connect, answered: 0 }
    }

    /// What it says first.
    pub fn greeting(&self) -> Vec<u8> {
        let says = if self.is_open { self.scenario.says(self.role) } else { Vec::new() };
        [self.scenario.request().into_bytes(), says].concat()
    }

    /// What it says to a socket that has written `log` so far, and whether it ends then.
    pub fn answer(&mut self, log: &[u8]) -> (Vec<u8>, bool) {
        let mut says = Vec::new();
        if !self.is_open
            && let Some(head) = response(log)
        {
            self.is_open = true;
            says.extend([head.into_bytes(), self.scenario.says(self.role)].concat());
        }
        for (first, payload) in Written::new(log.to_vec()).frames().skip(self.answered) {
            self.answered += 1;
            match first & 0xF {
                PING => says.extend(pong(self.role, payload)),
                CLOSE => {
                    says.extend(close(self.role, 1000, "done"));
                    return (says, true);
                }
                _ => {}
            }
        }
        (says, false)
    }
}

/// The answer to the request in `log`, once that is complete.
fn response(log: &[u8]) -> Option<String> {
    let end = log.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = str::from_utf8(&log[..end]).ok()?;
    let accept = accept_key(head.split("Sec-WebSocket-Key: ").nth(1)?.lines().next()?);
    Some(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ))
}

impl Outcome {
    /// Nothing went wrong, or nobody noticed.
    #[track_caller]
    pub fn assert_same(&self, scenario: Scenario, whole: &Self) {
        assert!(self.errors.iter().all(|error| scenario.ends_with(error)), "{self:?}");
        assert_eq!((&self.received, self.vouched), (&whole.received, whole.vouched));
        assert_eq!(self.written, whole.written);
    }

    /// What was sent is the beginning of what would have been, with at most the last frame cut, and holds all that was said to be written.
    #[track_caller]
    pub fn assert_start(&self, whole: &Self) {
        assert!(self.written.is_start_of(&whole.written), "{self:?}");
        assert!(whole.received.starts_with(&self.received), "{self:?}");
        let data = self.written.frames().filter(|(first, _)| first & 0x8 == 0).count();
        assert!(data >= self.vouched, "{self:?}");
    }

    /// The stream failed with one of these errors, or ended if `eof`.
    #[track_caller]
    pub fn assert_failed(&self, scenario: Scenario, whole: &Self, kinds: &[ErrorKind], eof: bool) {
        self.assert_start(whole);
        for error in &self.errors {
            let is_documented = match error {
                Error::Io(error) => kinds.contains(&error.kind()),
                Error::Protocol(ProtocolError::UnexpectedEof) => eof,
                Error::Handshake(HandshakeError::UnexpectedEof | HandshakeError::NoAnswer) => eof,
                // What only queues does not tell why nothing is sent any more.
                Error::Send(SendError::Closed) if scenario == Scenario::EchoInFragments => true,
                // The reader has seen the end, and the writer hears of it.
                Error::Send(SendError::Closed) => eof && scenario == Scenario::Halves,
                _ => false,
            };
            assert!(is_documented || scenario.ends_with(error), "{self:?}");
        }
        if !matches!(scenario, Scenario::Pings | Scenario::Close) {
            assert_eq!(self.received.len(), self.readable, "what had arrived is delivered: {self:?}");
        }
        if self.errors.iter().all(|error| scenario.ends_with(error)) {
            // A fault that nobody hears of concerns only answers to a peer that has closed.
            assert_eq!(self.received, whole.received);
            let lost = whole.written.frames().skip(self.written.frames().count());
            let lost: Vec<_> = lost.map(|(first, _)| first & 0xF).collect();
            assert!(lost.iter().all(|opcode| matches!(*opcode, PONG | CLOSE)), "{lost:?}");
        }
    }
}

/// Where a test panics, in a table of many runs.
#[derive(Debug)]
pub struct Place<P: std::fmt::Debug>(pub P);

impl<P: std::fmt::Debug> Drop for Place<P> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}", self.0);
        }
    }
}
