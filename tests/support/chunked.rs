//! One stream of bytes, received by one connection under every chunking, which must not make a difference.

use bytes::Buf;
use tidewire::{Config, Connection, Ending, Event, Input, ProtocolError, State, TransportAction};

use crate::wire::{self, Frame, Rng, Role};

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
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub fn binary(payload: impl AsRef<[u8]>) -> Self {
        Self::Binary(payload.as_ref().into())
    }

    pub fn ping(payload: impl AsRef<[u8]>) -> Self {
        Self::Ping(payload.as_ref().into())
    }

    pub fn pong(payload: impl AsRef<[u8]>) -> Self {
        Self::Pong(payload.as_ref().into())
    }

    pub fn close(code: u16, reason: &str) -> Self {
        Self::Close(Some((code, reason.into())))
    }
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::text(&text),
            Event::Binary(payload) => Self::binary(&*payload),
            Event::Ping(payload) => Self::ping(payload),
            Event::Pong(payload) => Self::pong(payload),
            Event::Close(frame) => {
                Self::Close(frame.map(|frame| (frame.code().into(), frame.reason().into())))
            }
            other => panic!("an event of a new kind: {other:?}"),
        }
    }
}

/// What a connection made of all the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub events: Vec<Seen>,
    pub error: Option<ProtocolError>,
    pub output: Vec<Frame>,
    pub state: State,
    pub closure: Option<Ending>,
    pub transport: TransportAction,
}

impl Outcome {
    /// Asserts that these events were delivered, and that the connection is still open.
    #[track_caller]
    pub fn assert_open(&self, events: &[Seen]) {
        assert_eq!((self.events.as_slice(), self.error, self.state), (events, None, State::Open));
    }

    /// Asserts that these events were delivered before `error`, and that the last frame is the Close frame that tells the peer.
    #[track_caller]
    pub fn assert_failed(&self, events: &[Seen], error: ProtocolError) {
        assert_eq!((self.events.as_slice(), self.error, self.state), (events, Some(error), State::Closed));
        let body = error.close_code().map(|code| wire::close_body(code.into(), error.to_string()));
        let closes: Vec<_> = self.output.iter().filter(|frame| frame.first == 0x88).collect();
        assert_eq!(
            closes,
            body.iter().map(|body| Frame::new(0x88, body)).collect::<Vec<_>>().iter().collect::<Vec<_>>()
        );
        let closure = self.closure.as_ref().expect("a closure");
        assert_eq!((closure.code(), closure.received(), closure.is_clean()), (1006, None, false));
        assert_eq!(closure.sent(), error.close_code());
    }
}

/// Bytes for a connection, and how the connection is prepared for them.
pub struct Scenario<'s> {
    role: Role,
    config: Config,
    bytes: &'s [u8],
    eof: bool,
    prepare: &'s dyn Fn(&mut Connection),
}

/// All at once, every two-way split, byte by byte and at random.
pub fn receive_all(role: Role, bytes: &[u8]) -> Outcome {
    Scenario::new(role, bytes).run()
}

impl<'s> Scenario<'s> {
    pub fn new(role: Role, bytes: &'s [u8]) -> Self {
        Self { role, config: Config::new(), bytes, eof: false, prepare: &|_| {} }
    }

    pub fn with_config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// The bytes arrive after `prepare`, whose own output counts.
    pub fn after(self, prepare: &'s dyn Fn(&mut Connection)) -> Self {
        Self { prepare, ..self }
    }

    /// The transport ends after the bytes.
    pub fn then_eof(self) -> Self {
        Self { eof: true, ..self }
    }

    /// Runs every chunking and asserts that all come to the same.
    pub fn run(&self) -> Outcome {
        let mut storage = None;
        let expected = self.run_one(Chunking::Whole, Reads::Copied, &mut storage);
        for chunking in Chunking::all(self.bytes.len()) {
            for reads in [Reads::Copied, Reads::IntoSpace, Reads::InParts] {
                let outcome = self.run_one(chunking, reads, &mut storage);
                assert!(
                    outcome == expected,
                    "{:?}, {chunking:?}, {reads:?}: {outcome:?}\ninstead of {expected:?}",
                    self.role
                );
            }
        }
        expected
    }

    /// One run, in the `storage` that the run before has left, if it has.
    fn run_one(&self, chunking: Chunking, reads: Reads, storage: &mut Option<Vec<u8>>) -> Outcome {
        let mut run = Run {
            connection: self.role.connection(self.config.with_parts(matches!(reads, Reads::InParts))),
            input: Input::new(),
            reads,
            events: Vec::new(),
            part: Vec::new(),
            error: None,
            output: Vec::new(),
        };
        if let Some(storage) = storage.take() {
            run.input.adopt(storage);
        }
        (self.prepare)(&mut run.connection);
        run.receive();
        for chunk in chunking.chunks(self.bytes) {
            run.read(chunk);
        }
        if self.eof {
            run.input.set_eof();
            run.receive();
        }
        let outcome = Outcome {
            events: run.events.clone(),
            error: run.error,
            output: wire::parse(self.role, &run.output),
            state: run.connection.state(),
            closure: run.connection.ending(),
            transport: run.connection.transport_action(),
        };
        run.assert_counted();
        assert_eq!(run.connection.is_closed(), outcome.state == State::Closed);
        if outcome.state == State::Closed {
            run.assert_deaf(self.role);
        }
        *storage = run.input.release();
        outcome
    }
}

struct Run {
    connection: Connection,
    input: Input,
    reads: Reads,
    events: Vec<Seen>,
    /// The parts of the message under way.
    part: Vec<u8>,
    error: Option<ProtocolError>,
    output: Vec<u8>,
}

impl Run {
    fn read(&mut self, mut chunk: &[u8]) {
        match self.reads {
            Reads::Copied | Reads::InParts => {
                self.input.extend_from_slice(chunk);
                self.receive();
            }
            Reads::IntoSpace => {
                while !chunk.is_empty() {
                    let space = self.input.space();
                    let (now, later) = chunk.split_at(chunk.len().min(space.len()));
                    assert!(!now.is_empty(), "there is always room to read");
                    space[..now.len()].copy_from_slice(now);
                    self.input.filled(now.len());
                    chunk = later;
                    self.receive();
                }
            }
        }
    }

    /// Takes every event, and drains the output after every call.
    fn receive(&mut self) {
        loop {
            // Half of the runs use `receive` and half its two parts.
            let result = match self.reads {
                Reads::Copied => self.connection.receive(&mut self.input).map(|event| event.map(Seen::from)),
                Reads::InParts => match self.receive_part() {
                    Ok(Some(None)) => continue,
                    result => result.map(Option::flatten),
                },
                Reads::IntoSpace => {
                    let ready = self.connection.advance(&mut self.input);
                    ready.map(|ready| ready.map(|ready| Seen::from(self.input.lend(ready))))
                }
            };
            self.drain();
            match result {
                Ok(Some(event)) => {
                    assert_eq!(self.error, None, "an event after an error");
                    self.events.push(event);
                }
                Ok(None) => return assert_eq!(self.error, None, "an error is for ever"),
                Err(error) if self.error.is_none() => self.error = Some(error),
                Err(error) => return assert_eq!(self.error, Some(error), "the same error for ever"),
            }
        }
    }

    /// The next event, with the parts of a message joined; `Some(None)` if another part follows.
    fn receive_part(&mut self) -> Result<Option<Option<Seen>>, ProtocolError> {
        let Some(event) = self.connection.receive(&mut self.input)? else { return Ok(None) };
        let (part, is_last) = match &event {
            Event::TextPart(part) => (part.as_bytes(), part.is_last()),
            Event::BinaryPart(part) => (&**part, part.is_last()),
            Event::Text(_) | Event::Binary(_) => panic!("a whole message among parts"),
            _ => return Ok(Some(Some(event.into()))),
        };
        assert!(is_last || !part.is_empty(), "an empty part in the middle");
        self.part.extend_from_slice(part);
        let is_text = matches!(event, Event::TextPart(_));
        Ok(Some(is_last.then(|| match core::mem::take(&mut self.part) {
            text if is_text => Seen::Text(String::from_utf8(text).expect("UTF-8")),
            payload => Seen::Binary(payload),
        })))
    }

    fn drain(&mut self) {
        let output = self.connection.output();
        while output.has_remaining() {
            let len = output.chunk().len();
            self.output.extend_from_slice(output.chunk());
            output.advance(len);
        }
    }

    /// The counters tell what was delivered.
    fn assert_counted(&self) {
        let (mut messages, mut payload_len, mut pings) = (0, self.part.len(), 0);
        for event in &self.events {
            match event {
                Seen::Text(text) => (messages, payload_len) = (messages + 1, payload_len + text.len()),
                Seen::Binary(payload) => {
                    (messages, payload_len) = (messages + 1, payload_len + payload.len())
                }
                Seen::Ping(_) => pings += 1,
                Seen::Pong(_) | Seen::Close(_) => {}
            }
        }
        let received = self.connection.received();
        assert_eq!(
            (received.messages, received.payload_len, received.pings),
            (messages, payload_len as u64, pings)
        );
    }

    /// RFC 6455 7.1.7 and 5.5.1: nothing is processed or said after the end.
    fn assert_deaf(&mut self, role: Role) {
        let (events, output) = (self.events.len(), self.output.len());
        let late = [
            wire::text(role, "late"),
            wire::ping(role, "late"),
            wire::close(role, 1000, "late"),
            vec![0xFF; 20],
        ];
        for bytes in late {
            self.read(&bytes);
        }
        assert_eq!(
            (self.events.len(), self.output.len()),
            (events, output),
            "something happened after the end"
        );
        assert!(self.input.unread().is_empty(), "what is late is discarded");
    }
}

/// How the bytes get into the input.
#[derive(Clone, Copy, Debug)]
enum Reads {
    Copied,
    IntoSpace,
    /// Copied, with messages delivered in parts.
    InParts,
}

#[derive(Clone, Copy, Debug)]
pub enum Chunking {
    Whole,
    SplitAt(usize),
    ByteByByte,
    Random(u64),
}

impl Chunking {
    fn all(len: usize) -> impl Iterator<Item = Self> {
        // A long input is split inside the header and at the end.
        let is_split = move |at: &usize| len <= 4096 || *at <= 16 || len - at <= 2;
        let splits = (1..len).filter(is_split).map(Self::SplitAt);
        let random = (1..=if len <= 4096 { 4 } else { 2 }).map(Self::Random);
        [Self::Whole, Self::ByteByByte].into_iter().chain(splits).chain(random)
    }

    pub fn chunks(self, mut bytes: &[u8]) -> Vec<&[u8]> {
        let mut chunks = Vec::new();
        match self {
            Self::Whole => chunks.push(bytes),
            Self::SplitAt(at) => chunks.extend([&bytes[..at], &bytes[at..]]),
            Self::ByteByByte => chunks.extend(bytes.chunks(1)),
            Self::Random(seed) => {
                let mut rng = Rng::new(seed);
                while !bytes.is_empty() {
                    let (chunk, rest) = bytes.split_at(rng.len(bytes.len()));
                    chunks.push(chunk);
                    bytes = rest;
                }
            }
        }
        chunks
    }
}
