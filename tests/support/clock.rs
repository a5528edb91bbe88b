//! A connection and a clock that the test moves.

use core::time::Duration;

use bytes::Buf;
use tidewire::{Config, Connection, Input, TimedOut, Timestamp};

use crate::chunked::Seen;
use crate::wire::{self, Frame, Role};

pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The defaults without keepalive.
pub fn quiet() -> Config {
    Config::new().without_keepalive()
}

pub struct Clocked {
    pub connection: Connection,
    pub role: Role,
    input: Input,
    now: Timestamp,
}

impl Clocked {
    /// At second 0, with the deadlines armed as far as they can be.
    pub fn new(role: Role, config: Config) -> Self {
        let mut it = Self {
            connection: role.connection(config),
            role,
            input: Input::new(),
            now: Timestamp::from_micros(0),
        };
        it.deadline();
        it
    }

    /// The next deadline, in seconds from the start.
    pub fn deadline(&mut self) -> Option<f64> {
        let deadline = self.connection.poll_timeout(self.now)?;
        Some(deadline.duration_since(Timestamp::from_micros(0)).as_secs_f64())
    }

    /// Moves the clock to `at` seconds from the start, and does what is due; deadlines are looked at before and after.
    pub fn at(&mut self, at: f64) -> Result<(), TimedOut> {
        self.deadline();
        self.now = Timestamp::from(Duration::from_secs_f64(at));
        let result = self.connection.handle_timeout(self.now);
        // Once is enough: again at the same time nothing happens, or the same.
        let owed = self.connection.output().len();
        assert_eq!(self.connection.handle_timeout(self.now), result);
        assert_eq!(self.connection.output().len(), owed);
        self.deadline();
        result
    }

    pub fn receive(&mut self, bytes: &[u8]) -> Vec<Seen> {
        self.input.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Ok(Some(event)) = self.connection.receive(&mut self.input) {
            events.push(Seen::from(event));
        }
        self.deadline();
        events
    }

    pub fn set_eof(&mut self) {
        self.input.set_eof();
        self.receive(b"");
    }

    /// Everything that is owed, written at once.
    pub fn write(&mut self) -> Vec<Frame> {
        let mut bytes = Vec::new();
        while self.connection.output().has_remaining() {
            let output = self.connection.output();
            bytes.extend(output.copy_to_bytes(output.remaining()));
        }
        self.deadline();
        wire::parse(self.role, &bytes)
    }

    /// The transport accepts `len` bytes.
    pub fn write_some(&mut self, len: usize) {
        self.connection.output().advance(len);
        self.deadline();
    }

    /// The rest of what was written in part.
    pub fn write_rest(&mut self) {
        let len = self.connection.output().len();
        self.write_some(len);
    }

    /// The payload of the one ping that is owed.
    #[track_caller]
    pub fn write_ping(&mut self) -> Vec<u8> {
        match self.write().as_slice() {
            [Frame { first: 0x89, payload }] => payload.clone(),
            other => panic!("not a ping: {other:?}"),
        }
    }
}
