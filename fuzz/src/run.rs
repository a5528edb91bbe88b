//! What a connection makes of a stream of bytes.

use bytes::Buf;
use tidewire::{
    Config, Connection, Ending, Event, Input, Message, Output, ProtocolError, Receiver, Sender, State,
    TransportAction,
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

    /// How long the payload is; without the code of a Close frame.
    pub fn payload_len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Close(Some((_, text))) => text.len(),
            Self::Binary(payload) | Self::Ping(payload) | Self::Pong(payload) => payload.len(),
            Self::Close(None) => 0,
        }
    }

    fn heap_len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Close(Some((_, text))) => text.capacity(),
            Self::Binary(payload) | Self::Ping(payload) | Self::Pong(payload) => payload.capacity(),
            Self::Close(None) => 0,
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
    pub closure: Option<Ending>,
    pub transport: TransportAction,
}

/// Bits of a target's first byte: what is done differently.
pub mod flag {
    pub const EOF: u8 = 1;
    pub const SMALL_LIMITS: u8 = 2;
    pub const DRAIN_LATE: u8 = 4;
    pub const ADVANCE: u8 = 8;
    pub const TAKE: u8 = 16;
    pub const SPACE: u8 = 32;
    pub const SPLIT: u8 = 64;
    pub const SHRINK: u8 = 128;
}

/// Compares what a connection makes of bytes in chunks with what it makes of all at once, and that with the model.
pub fn check_receive(is_server: bool, data: &[u8]) {
    let mut data = Data(data);
    let (flags, cuts) = (data.byte(), data.cuts());
    let bytes = data.stream(is_server);
    let run = Run { is_server, config: config(flags), bytes: &bytes };
    let whole = run.receive(Cuts::WHOLE, flags & (flag::EOF | flag::DRAIN_LATE));
    run.check(&whole, flags);
    assert_eq!(run.receive(cuts, flags), whole);
}

fn config(flags: u8) -> Config {
    let config = Config::new();
    if flags & flag::SMALL_LIMITS == 0 {
        return config;
    }
    config.with_max_frame_len(300).with_max_message_len(400).with_high_water_len(40)
}

pub fn connection(is_server: bool, config: Config) -> Connection {
    if is_server { Connection::server(config) } else { Connection::client(config, [7; 32]) }
}

/// A stream of bytes, and who receives it.
#[derive(Clone, Copy)]
pub struct Run<'d> {
    pub is_server: bool,
    pub config: Config,
    pub bytes: &'d [u8],
}

impl Run<'_> {
    pub fn receive(&self, cuts: Cuts<'_>, flags: u8) -> Outcome {
        let heap = Heap::new();
        let mut peer = Peer::new(connection(self.is_server, self.config), flags);
        let mut arrived = 0;
        for chunk in cuts.of(self.bytes) {
            peer.read(chunk);
            peer.receive();
            arrived += chunk.len();
            // What was announced does not count, only what arrived; output that is not drained may have grown to twice its length.
            let buffers = Heap::READ_LEN + 2 * self.config.high_water_len() + Heap::LITTLE_LEN;
            heap.assert_at_most(buffers + 2 * arrived + peer.recorded_len());
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
    /// The heap that `events` hold.
    events_len: usize,
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
            events_len: 0,
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
                Ok(Some(event)) => {
                    self.events_len += event.heap_len();
                    self.events.push(event);
                }
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
        let ready = receiver.advance(&mut self.input, |reply| sender.reply(reply));
        Ok(ready?.map(|ready| Seen::lent(self.input.lend(ready))))
    }

    /// The heap that is used for what was seen.
    fn recorded_len(&self) -> usize {
        self.events.capacity() * size_of::<Seen>() + self.events_len + self.output.capacity()
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
            closure: connection.ending(),
            transport: connection.transport_action(),
        }
    }
}
