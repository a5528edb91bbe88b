//! One side of a connection without I/O: what it makes of bytes does not depend on how they are cut, nor on how its output is taken.

use std::mem;

use bytes::Buf;
use tidewire::{
    ClientHandshake, ClientRequest, Config, Connection, Ending, Event, HandshakeError, Input, Output,
    ProtocolError, Request, Response, ServerHandshake, TransportAction,
};

use support::chunked::Seen;
use support::handshake::{NONCE, chunkings};
use support::wire::Role;

/// Where a connection begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// With frames.
    Open(Role),
    /// With the opening handshake, on a server.
    Server,
    /// The same, on a client with this nonce.
    Client([u8; 16]),
}

impl Start {
    pub(crate) fn opening(role: Role) -> Self {
        match role {
            Role::Server => Self::Server,
            Role::Client => Self::Client(NONCE),
        }
    }
}

/// Everything that can be seen of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    /// What came of the opening handshake, if something did.
    pub(crate) opened: Option<Result<Opened, HandshakeError>>,
    pub(crate) events: Vec<Seen>,
    pub(crate) error: Option<ProtocolError>,
    pub(crate) output: Vec<u8>,
    pub(crate) closure: Option<Ending>,
    transport: Option<TransportAction>,
}

/// What the peer's head said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The target and the host, or the subprotocol.
    essence: [Option<String>; 2],
    headers: Vec<(String, Vec<u8>)>,
}

impl From<&Request> for Opened {
    fn from(request: &Request) -> Self {
        Self {
            essence: [Some(request.target().to_owned()), Some(request.host().to_owned())],
            headers: request.headers().map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
        }
    }
}

impl From<&Response> for Opened {
    fn from(response: &Response) -> Self {
        Self {
            essence: [response.subprotocol().map(str::to_owned), None],
            headers: response.headers().map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
        }
    }
}

/// Limits that what is valid keeps, and what is mutated does not always.
pub(crate) fn config() -> Config {
    Config::new()
        .with_max_frame_len(65_536)
        .with_max_message_len(65_536)
        .with_max_head_len(2500)
        .with_max_headers(16)
}

pub(crate) fn client_request() -> ClientRequest {
    let request = ClientRequest::new("ws://server.example.com/chat").expect("valid");
    request.with_subprotocol("chat").expect("valid")
}

/// What a program sends back: messages so short that their echoes stay below the high-water mark, above which a pong may replace
/// another one.
pub(crate) fn echo(event: &Event<'_>) -> Option<Vec<u8>> {
    match event {
        Event::Text(text) if text.len() <= 1000 => Some(text.as_bytes().to_vec()),
        Event::Binary(payload) if payload.len() <= 1000 => Some(payload.to_vec()),
        _ => None,
    }
}

/// How the transport takes the output.
#[derive(Clone, Copy, Debug)]
enum Drain {
    /// All of it after every call.
    All,
    /// A few bytes after every call.
    Few,
}

enum Stage {
    Server(ServerHandshake),
    Client(ClientHandshake),
    Open(Connection),
}

struct Run {
    stage: Stage,
    input: Input,
    drain: Drain,
    trace: Trace,
}

impl Run {
    fn new(start: Start, drain: Drain) -> Self {
        let stage = match start {
            Start::Open(role) => Stage::Open(role.connection(config())),
            Start::Server => Stage::Server(ServerHandshake::new(config())),
            Start::Client(nonce) => {
                Stage::Client(ClientHandshake::new(config(), &client_request(), nonce, [7; 32]))
            }
        };
        Self { stage, input: Input::new(), drain, trace: Trace::default() }
    }

    /// Takes all that comes of the input, and output after every call.
    fn receive(&mut self) {
        while self.step() {
            self.take_output(self.drain);
        }
        self.take_output(self.drain);
    }

    /// True if there may be more to come.
    fn step(&mut self) -> bool {
        let Self { stage, input, trace, .. } = self;
        match stage {
            Stage::Server(handshake) => match handshake.receive(input) {
                Ok(None) => return false,
                Ok(Some(request)) => {
                    trace.opened = Some(Ok((&request).into()));
                    *stage = Stage::Open(request.accept(None, &[]).expect("an answer"));
                }
                Err(error) => {
                    trace.opened = Some(Err(error));
                    let handshake = mem::replace(handshake, ServerHandshake::new(config()));
                    *stage = Stage::Open(handshake.into_refusal());
                }
            },
            Stage::Client(handshake) => match handshake.receive(input) {
                Ok(None) => return false,
                Ok(Some((connection, response))) => {
                    trace.opened = Some(Ok((&response).into()));
                    *stage = Stage::Open(connection);
                }
                Err(error) => {
                    trace.opened = Some(Err(error));
                    return false;
                }
            },
            Stage::Open(connection) => match connection.receive(input) {
                Ok(None) => return false,
                Ok(Some(event)) => {
                    if let Some(echo) = echo(&event) {
                        connection.send(&echo).expect("open");
                    }
                    trace.events.push(event.into());
                }
                Err(error) => {
                    let is_news = trace.error.is_none();
                    assert!(is_news || trace.error == Some(error), "the same error for ever");
                    trace.error = Some(error);
                    return is_news;
                }
            },
        }
        true
    }

    fn take_output(&mut self, drain: Drain) {
        let output = self.output();
        let len = if let Drain::Few = drain { output.len().min(3) } else { output.len() };
        let taken = output.copy_to_bytes(len);
        self.trace.output.extend(taken);
    }

    fn output(&mut self) -> &mut Output {
        match &mut self.stage {
            Stage::Server(handshake) => handshake.output(),
            Stage::Client(handshake) => handshake.output(),
            Stage::Open(connection) => connection.output(),
        }
    }

    fn into_trace(mut self, eof: bool) -> Trace {
        self.take_output(Drain::All);
        if eof {
            // What was not written before the end is lost, so it is.
            self.input.set_eof();
            self.receive();
            self.take_output(Drain::All);
        }
        if let Stage::Open(connection) = &self.stage {
            self.trace.closure = connection.ending();
            self.trace.transport = Some(connection.transport_action());
        }
        self.trace
    }
}

fn run(start: Start, chunks: &[&[u8]], drain: Drain, eof: bool) -> Trace {
    let mut run = Run::new(start, drain);
    run.receive();
    for chunk in chunks {
        run.input.extend_from_slice(chunk);
        run.receive();
    }
    run.into_trace(eof)
}

/// What comes of the bytes when they arrive at once.
pub(crate) fn whole(start: Start, bytes: &[u8], eof: bool) -> Trace {
    run(start, &[bytes], Drain::All, eof)
}

/// What comes of the bytes, however they are cut.
pub(crate) fn trace(start: Start, bytes: &[u8], eof: bool) -> Trace {
    let expected = whole(start, bytes, eof);
    for chunks in chunkings(bytes) {
        for drain in [Drain::All, Drain::Few] {
            let trace = run(start, &chunks, drain, eof);
            if trace != expected {
                let lens: Vec<_> = chunks.iter().map(|chunk| chunk.len()).collect();
                panic!(
                    "{start:?} {drain:?} {eof} {lens:?} of {bytes:?}:\n{trace:?}\ninstead of\n{expected:?}"
                );
            }
        }
    }
    expected
}
