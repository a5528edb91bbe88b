//! What a connection makes of a stream of bytes.

use bytes::Buf;
use tidewire::{
    Closure, Config, Connection, Event, Input, Message, Output, ProtocolError, Receiver, Sender, State,
    Transport,
};

use crate::{Cuts, Data, Heap, Model};

/// An event as an owned value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl Seen {
    fn lent(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text((*text).into()),
            Event::Binary(payload) => Self::Binary((*payload).into()),
            Event::Ping(payload) => Self::Ping(payload.into()),
            Event::Pong(payload) => Self::Pong(payload.into()),
            Event::Close(frame) => {
                Self::Close(frame.map(|frame| (frame.code().into(), frame.reason().into())))
            }
            other => panic!("an event of a new kind: {other:?}"),
        }
    }

    fn taken(event: Event<'_>) -> Self {
        match event {
            Event::Text(_) | Event::Binary(_) => event.into_message().expect("a message").into(),
            other => Self::lent(other),
        }
    }
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        Self::lent(event)
    }
}

impl From<Message> for Seen {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text),
            Message::Binary(payload) => Self::Binary(payload.into()),
        }
    }
}

/// Takes everything out of `output`.
pub fn drain(output: &mut Output) -> Vec<u8> {
    let mut bytes = Vec::new();
    while output.has_remaining() {
        let chunk = output.chunk();
        assert!(!chunk.is_empty(), "an output that owes bytes shows some");
        bytes.extend_from_slice(chunk);
        let len = chunk.len();
        output.advance(len);
    }
    bytes
}

/// What a connection made of all the bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub events: Vec<Seen>,
    pub error: Option<ProtocolError>,
    pub output: Vec<u8>,
    pub state: State,
    pub closure: Option<Closure>,
    pub transport: Transport,
}

/// Bits of a target's first byte: what is done differently.
mod flag {
    pub(super) const EOF: u8 = 1;
    pub(super) const SMALL_LIMITS: u8 = 2;
    pub(super) const DRAIN_LATE: u8 = 4;
    pub(super) const ADVANCE: u8 = 8;
    pub(super) const TAKE: u8 = 16;
    pub(super) const SPACE: u8 = 32;
    pub(super) const SPLIT: u8 = 64;
    pub(super) const SHRINK: u8 = 128;
}

/// Compares what a connection makes of bytes in chunks with what it makes of all at once, and that with the model.
pub fn check_receive(is_server: bool, data: &[u8]) {
    let mut data = Data(data);
    let (flags, cuts) = (data.byte(), data.cuts());
    let mut config = Config::new();
    if flags & flag::SMALL_LIMITS != 0 {
        config = config.with_max_frame_len(300).with_max_message_len(400).with_high_water_len(40);
    }
    let run = Run { is_server, config, bytes: data.0 };
    let whole = run.receive(Cuts::WHOLE, flags & (flag::EOF | flag::DRAIN_LATE));
    run.check(&whole, flags);
    assert_eq!(run.receive(cuts, flags), whole);
}

struct Run<'d> {
    is_server: bool,
    config: Config,
    bytes: &'d [u8],
}

impl Run<'_> {
    fn connection(&self, is_server: bool) -> Connection {
        if is_server { Connection::server(self.config) } else { Connection::client(self.config, [7; 32]) }
    }

    fn receive(&self, cuts: Cuts<'_>, flags: u8) -> Outcome {
        let heap = Heap::new();
        let mut peer = Peer::new(self.connection(self.is_server), flags);
        for chunk in cuts.of(self.bytes) {
            peer.read(chunk);
            peer.receive();
            // What was announced does not count, only what arrived.
            heap.assert_at_most((256 << 10) + 64 * self.bytes.len());
        }
        if flags & flag::EOF != 0 {
            peer.input.set_eof();
            peer.receive();
        }
        peer.outcome()
    }

    /// Compares `whole` with the model.
    fn check(&self, whole: &Outcome, flags: u8) {
        let model = Model::new(self.is_server, &self.config, self.bytes, flags & flag::EOF != 0);
        assert_eq!((&whole.events, whole.error), (&model.events, model.error));
        let state = if model.is_closed() { State::Closed } else { State::Open };
        assert_eq!(whole.state, state);
        assert_eq!(whole.closure.is_some(), model.is_closed());

        // The peer understands what it is told.
        let output = Model::new(!self.is_server, &Config::new(), &whole.output, false);
        assert_eq!(output.error, None, "in {output:?}");
        let replies = self.replies(&model);
        if flags & flag::DRAIN_LATE == 0 {
            assert_eq!(output.events, replies);
        } else {
            // The high-water mark may drop pongs, but changes neither their order nor anything else.
            let mut replies = replies.iter();
            assert!(output.events.iter().all(|event| replies.any(|reply| reply == event)));
            let told = model.error != Some(ProtocolError::UnexpectedEof) && model.is_closed();
            assert_eq!(matches!(output.events.last(), Some(Seen::Close(_))), told);
        }
    }

    /// What the peer is owed for the events and the error.
    fn replies(&self, model: &Model) -> Vec<Seen> {
        let replies = model.events.iter().filter_map(|event| match event {
            Seen::Ping(payload) => Some(Seen::Pong(payload.clone())),
            Seen::Close(frame) => Some(Seen::Close(frame.clone())),
            _ => None,
        });
        let failure = model.error.and_then(|error| {
            let code = error.close_code()?;
            Some(Seen::Close(Some((code.into(), error.to_string()))))
        });
        replies.chain(failure).collect()
    }
}

struct Peer {
    halves: Option<(Receiver, Sender)>,
    input: Input,
    flags: u8,
    events: Vec<Seen>,
    error: Option<ProtocolError>,
    output: Vec<u8>,
}

impl Peer {
    fn new(connection: Connection, flags: u8) -> Self {
        Self {
            halves: Some(connection.split()),
            input: Input::new(),
            flags,
            events: Vec::new(),
            error: None,
            output: Vec::new(),
        }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn read(&mut self, mut chunk: &[u8]) {
        if !self.has(flag::SPACE) {
            return self.input.extend_from_slice(chunk);
        }
        while !chunk.is_empty() {
            let space = self.input.space();
            let len = chunk.len().min(space.len());
            space[..len].copy_from_slice(&chunk[..len]);
            self.input.filled(len);
            chunk = &chunk[len..];
        }
    }

    /// Receives until there is nothing more.
    fn receive(&mut self) {
        loop {
            let received = if self.has(flag::SPLIT) { self.step_halves() } else { self.step() };
            if !self.has(flag::DRAIN_LATE) {
                self.drain();
            }
            match received {
                Ok(Some(event)) => self.events.push(event),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(*self.error.get_or_insert(error), error, "an error is sticky");
                    break;
                }
            }
        }
        if self.has(flag::SHRINK) {
            self.input.shrink();
            if let Some(storage) = self.input.release() {
                self.input.adopt(storage);
            }
        }
    }

    fn step(&mut self) -> Result<Option<Seen>, ProtocolError> {
        let (receiver, sender) = self.halves.take().expect("put back below");
        let mut connection = Connection::reunite(receiver, sender);
        let event = if self.has(flag::ADVANCE) {
            connection.advance(&mut self.input).map(|ready| ready.map(|ready| self.input.lend(ready)))
        } else {
            connection.receive(&mut self.input)
        };
        let seen = if self.flags & flag::TAKE != 0 { Seen::taken } else { Seen::lent };
        let seen = event.map(|event| event.map(seen));
        self.halves = Some(connection.split());
        seen
    }

    fn step_halves(&mut self) -> Result<Option<Seen>, ProtocolError> {
        let (receiver, sender) = self.halves.as_mut().expect("as above");
        let ready = receiver.advance(&mut self.input);
        if let Some(reply) = receiver.take_reply(&self.input) {
            sender.reply(reply);
        }
        Ok(ready?.map(|ready| Seen::lent(self.input.lend(ready))))
    }

    fn drain(&mut self) {
        let (_, sender) = self.halves.as_mut().expect("as above");
        self.output.extend(drain(sender.output()));
    }

    fn outcome(mut self) -> Outcome {
        self.drain();
        let (receiver, sender) = self.halves.expect("as above");
        let connection = Connection::reunite(receiver, sender);
        Outcome {
            events: self.events,
            error: self.error,
            output: self.output,
            state: connection.state(),
            closure: connection.closed_with(),
            transport: connection.transport_action(),
        }
    }
}
