//! A client and a server, joined by a link that cuts the bytes anew and a clock that the test moves.

use std::collections::VecDeque;

use bytes::Buf;
use tidewire::{Config, Connection, Input, ProtocolError, TimedOut, Timestamp, TransportAction};

use support::chunked::Seen;
use support::wire::{Rng, Role};

/// No test needs more steps than this.
const MAX_STEPS: usize = 1_000_000;

pub(crate) struct Pair {
    pub(crate) client: Side,
    pub(crate) server: Side,
    pub(crate) now: Timestamp,
    link: Link,
}

/// How the link cuts what it carries.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    Whole,
    ByteByByte,
    Random(u64),
}

struct Link {
    cut: Cut,
    rng: Rng,
}

pub(crate) struct Side {
    pub(crate) connection: Connection,
    pub(crate) events: Vec<Seen>,
    pub(crate) error: Option<ProtocolError>,
    pub(crate) timed_out: Option<TimedOut>,
    /// False while this side reads nothing.
    pub(crate) reads: bool,
    input: Input,
    /// What is on its way to this side.
    wire: VecDeque<u8>,
    /// Behind that, the peer has ended its side of the transport.
    peer_ended: bool,
    ended: Ended,
}

/// What this side did with the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    No,
    Write,
    Both,
}

impl Pair {
    pub(crate) fn new(config: Config, cut: Cut) -> Self {
        let seed = if let Cut::Random(seed) = cut { seed } else { 0 };
        Self {
            client: Side::new(Role::Client, config),
            server: Side::new(Role::Server, config),
            now: Timestamp::from_micros(0),
            link: Link { cut, rng: Rng::new(seed) },
        }
    }

    pub(crate) fn sides(&mut self) -> [&mut Side; 2] {
        [&mut self.client, &mut self.server]
    }

    /// Each side writes once and reads once; false when neither did anything.
    pub(crate) fn step(&mut self) -> bool {
        let Self { client, server, link, .. } = self;
        let wrote = client.write(server, link) | server.write(client, link);
        wrote | client.read(link) | server.read(link)
    }

    /// Steps until nothing happens any more without the clock.
    pub(crate) fn drive(&mut self) {
        for _ in 0..MAX_STEPS {
            if !self.step() {
                return;
            }
        }
        panic!("the two never come to rest");
    }

    /// Drives, then moves the clock to the next deadline; false when there is none.
    pub(crate) fn tick(&mut self) -> bool {
        self.drive();
        let now = self.now;
        let deadlines = self.sides().map(|side| side.connection.poll_timeout(now));
        let Some(next) = deadlines.into_iter().flatten().min() else { return false };
        self.now = next;
        for side in self.sides() {
            if let Err(timed_out) = side.connection.handle_timeout(next) {
                side.timed_out = Some(timed_out);
            }
        }
        self.drive();
        true
    }

    /// Both sides have ended the transport.
    pub(crate) fn is_over(&self) -> bool {
        self.client.ended == Ended::Both && self.server.ended == Ended::Both
    }
}

impl Link {
    fn len(&mut self, max: usize) -> usize {
        match self.cut {
            Cut::Whole => max,
            Cut::ByteByByte => max.min(1),
            Cut::Random(_) if max == 0 => 0,
            Cut::Random(_) => self.rng.len(max),
        }
    }
}

impl Side {
    fn new(role: Role, config: Config) -> Self {
        Self {
            connection: role.connection(config),
            events: Vec::new(),
            error: None,
            timed_out: None,
            reads: true,
            input: Input::new(),
            wire: VecDeque::new(),
            peer_ended: false,
            ended: Ended::No,
        }
    }

    /// Writes some of the output, and ends the transport as the connection says.
    fn write(&mut self, peer: &mut Self, link: &mut Link) -> bool {
        // A socket takes no more than its buffer, and nothing while its peer does not read.
        let room = if peer.reads { 100_000 } else { 0 };
        let output = self.connection.output();
        let len = link.len(output.chunk().len().min(room));
        if self.ended == Ended::No && len > 0 {
            peer.wire.extend(&output.chunk()[..len]);
            output.advance(len);
            return true;
        }
        let ended = match self.connection.transport_action() {
            TransportAction::KeepOpen | TransportAction::AwaitEof => self.ended,
            TransportAction::ShutdownWrite if self.ended == Ended::Both => Ended::Both,
            TransportAction::ShutdownWrite => Ended::Write,
            TransportAction::Close => Ended::Both,
        };
        let changed = ended != self.ended;
        self.ended = ended;
        peer.peer_ended |= ended != Ended::No;
        changed
    }

    fn read(&mut self, link: &mut Link) -> bool {
        if self.ended == Ended::Both || !self.reads {
            return false;
        }
        let len = link.len(self.wire.len());
        let is_news = len > 0 || (self.peer_ended && !self.input.is_eof());
        let bytes: Vec<u8> = self.wire.drain(..len).collect();
        self.input.extend_from_slice(&bytes);
        if self.peer_ended && self.wire.is_empty() {
            self.input.set_eof();
        }
        loop {
            match self.connection.receive(&mut self.input) {
                Ok(Some(event)) => self.events.push(event.into()),
                Ok(None) => break,
                Err(error) => {
                    self.error = Some(error);
                    break;
                }
            }
        }
        is_news
    }
}
