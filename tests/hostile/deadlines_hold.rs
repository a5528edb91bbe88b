//! Whatever the peer sends, however it reads and whatever the application does: each deadline ends a connection when it has passed, and
//! not before.

use core::time::Duration;

use bytes::Buf;
use proptest::collection::vec;
use proptest::prelude::*;
use tidewire::frame::{Header, OpCode};
use tidewire::{Config, Connection, Input, State, TimedOut, Timestamp};

use support::wire::{self, BINARY, FIN, Length, Role};

// In seconds, and bytes.
const INTERVAL: u64 = 10;
const PONG: u64 = 4;
const WRITE: u64 = 7;
const CLOSE: u64 = 5;
const MIN_PROGRESS: usize = 1000;

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    /// The application.
    Send(usize),
    Close,
    /// The transport accepts so much of what is owed.
    Accept(usize),
    /// The peer: frames, and bytes of one that never ends, behind which no other one can come.
    Text,
    Ping(usize),
    Dribble(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..=8_u64).prop_map(Step::Wait),
        2 => (0..1000_usize).prop_map(Step::Send),
        1 => Just(Step::Close),
        4 => (1..1500_usize).prop_map(Step::Accept),
        1 => Just(Step::Text),
        4 => (0..=125_usize).prop_map(Step::Ping),
        1 => (1..600_usize).prop_map(Step::Dribble),
    ]
}

/// A connection, its clock, and what an observer of the transport knows.
struct Run {
    role: Role,
    connection: Connection,
    input: Input,
    now: u64,
    /// What the transport has accepted, and when each byte of it.
    accepted: Vec<u8>,
    accepted_at: Vec<u64>,
    /// What came from the peer since each moment: frames, and bytes of the one that never ends.
    frames: Vec<u64>,
    dribble: Vec<(u64, usize)>,
    /// Since when something is owed, and how much has to be accepted in all to count as progress.
    stuck: Option<(u64, usize)>,
}

impl Run {
    fn new(role: Role) -> Self {
        let config = Config::new()
            .with_keepalive(Duration::from_secs(INTERVAL), Duration::from_secs(PONG))
            .with_write_timeout(Duration::from_secs(WRITE))
            .with_close_timeout(Duration::from_secs(CLOSE))
            .with_min_progress(MIN_PROGRESS)
            .with_high_water_len(300);
        let mut run = Self {
            role,
            connection: role.connection(config),
            input: Input::new(),
            now: 0,
            accepted: Vec::new(),
            accepted_at: Vec::new(),
            frames: Vec::new(),
            dribble: Vec::new(),
            stuck: None,
        };
        run.look();
        run
    }

    fn timestamp(&self) -> Timestamp {
        Duration::from_secs(self.now).into()
    }

    /// As an adapter does before every wait.
    fn look(&mut self) {
        let owed = self.connection.output().remaining();
        let now = self.timestamp();
        self.connection.poll_timeout(now);
        match self.stuck {
            _ if owed == 0 => self.stuck = None,
            Some((_, goal)) if self.accepted.len() < goal => {}
            _ => self.stuck = Some((self.now, self.accepted.len() + owed.min(MIN_PROGRESS))),
        }
    }

    /// Takes a step; returns the deadline that has passed with it.
    fn step(&mut self, step: &Step) -> Option<TimedOut> {
        let mut timed_out = None;
        match *step {
            Step::Wait(seconds) => {
                self.now += seconds;
                timed_out = self.connection.handle_timeout(self.timestamp()).err();
            }
            Step::Send(len) => self.connection.send(vec![0; len]).unwrap_or_default(),
            Step::Close => self.connection.close(None),
            Step::Accept(len) => {
                let output = self.connection.output();
                let len = len.min(output.chunk().len());
                if len > 0 {
                    self.accepted.extend_from_slice(&output.chunk()[..len]);
                    output.advance(len);
                    self.accepted_at.resize(self.accepted.len(), self.now);
                }
            }
            Step::Text if self.dribble.is_empty() => self.receive(&wire::text(self.role, "text")),
            Step::Ping(len) if self.dribble.is_empty() => {
                self.receive(&wire::ping(self.role, vec![b'p'; len]));
            }
            Step::Dribble(len) | Step::Ping(len) => {
                if self.dribble.is_empty() {
                    let key = self.role.key().map(|_| [0; 4]);
                    let header = wire::header(FIN | BINARY, Length::Eight(16 << 20), key);
                    self.input.extend_from_slice(&header);
                }
                self.dribble.push((self.now, len));
                self.input.extend_from_slice(&vec![0; len]);
                assert!(matches!(self.connection.receive(&mut self.input), Ok(None)));
            }
            Step::Text => {}
        }
        self.look();
        timed_out
    }

    fn receive(&mut self, frame: &[u8]) {
        self.input.extend_from_slice(frame);
        if let Ok(Some(_)) = self.connection.receive(&mut self.input) {
            self.frames.push(self.now);
        }
    }

    /// When the last byte was accepted of the last frame of a kind.
    fn last(&self, opcode: OpCode) -> Option<u64> {
        let (mut at, mut last) = (0, None);
        while let Ok(Some((header, len))) = Header::decode(&self.accepted[at..]) {
            let end = at + len + header.payload_len as usize;
            let Some(accepted_at) = self.accepted_at.get(end - 1) else { break };
            if header.opcode == opcode {
                last = Some(*accepted_at);
            }
            at = end;
        }
        last
    }

    /// True if the peer showed life later than at `moment`.
    fn lives_after(&self, moment: u64) -> bool {
        let dribble = self.dribble.iter().filter(|(at, _)| *at > moment).map(|(_, len)| len);
        self.frames.iter().any(|&at| at > moment) || dribble.sum::<usize>() >= MIN_PROGRESS
    }

    /// Asserts that it was time, if it was time.
    fn check(&self, timed_out: Option<TimedOut>) {
        let close_accepted = self.last(OpCode::Close);
        match timed_out {
            Some(TimedOut::Keepalive) => {
                let asked = self.last(OpCode::Ping).expect("a whole ping");
                assert!(asked + PONG <= self.now, "asked at {asked}, given up at {}", self.now);
                assert!(!self.lives_after(asked), "it lives");
            }
            Some(TimedOut::Write) => {
                let (since, _) = self.stuck.expect("something is owed");
                assert!(since + WRITE <= self.now, "stuck since {since}, given up at {}", self.now);
            }
            Some(TimedOut::Close) => {
                let closed = close_accepted.expect("a whole Close frame");
                assert!(closed + CLOSE <= self.now, "closed at {closed}, given up at {}", self.now);
            }
            Some(other) => panic!("{other:?}"),
            None => {
                let stuck = self.stuck.is_some_and(|(since, _)| since + WRITE <= self.now);
                let unanswered = close_accepted.is_some_and(|closed| closed + CLOSE <= self.now);
                assert!(!stuck && !unanswered, "at {}, stuck {stuck}, unanswered {unanswered}", self.now);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn every_deadline_is_kept_to_the_second(is_server: bool, steps in vec(step(), 0..150)) {
        let mut run = Run::new(if is_server { Role::Server } else { Role::Client });
        for step in &steps {
            let timed_out = run.step(step);
            if matches!(step, Step::Wait(_)) {
                run.check(timed_out);
            }
            if timed_out.is_some() {
                prop_assert_eq!(run.connection.state(), State::Closed);
                return Ok(());
            }
        }
        // In the end it falls silent, and reads to the end.
        for _ in 0..INTERVAL + PONG + CLOSE {
            while run.connection.output().has_remaining() {
                run.step(&Step::Accept(usize::MAX));
            }
            let timed_out = run.step(&Step::Wait(1));
            run.check(timed_out);
            if timed_out.is_some() {
                return Ok(());
            }
        }
        prop_assert!(false, "a silent peer is never given up");
    }
}
