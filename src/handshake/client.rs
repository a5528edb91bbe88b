//! [`ClientHandshake`]: the client's part of the opening handshake (RFC 6455 4.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::client_request::ClientRequest;
use super::head::{Headers, RawHead, Slots};
use super::response::{Refusal, Response};
use super::scan::Scan;
use super::{accept_value, base64, is_same, is_token, negotiate};
use crate::config::deflate::{Agreement, Deflate};
use crate::connection::timer::{Deadline, Timestamp};
use crate::connection::{Connection, Role};
use crate::{Config, Culprit, HandshakeError, Input, Output, TimedOut};

/// Sends a client's opening handshake and reads the server's.
///
/// ```
/// use tidewire::{ClientHandshake, ClientRequest, Config, Input};
///
/// // The nonce and the seed come from the operating system's random numbers, new ones for each connection.
/// let (nonce, seed) = (*b"the sample nonce", [7; 32]);
/// let request = ClientRequest::new("ws://example.com/")?;
/// let mut handshake = ClientHandshake::new(Config::new(), &request, nonce, seed);
/// // Write the output to the transport, and read that into the input, until there is a connection.
/// assert!(!handshake.output().is_empty());
/// let mut input = Input::new();
/// input.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
/// input.extend_from_slice(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
/// let (connection, response) = handshake.receive(&mut input)?.expect("complete");
/// assert_eq!(response.subprotocol(), None);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct ClientHandshake {
    config: Config,
    seed: [u8; 32],
    owed: Owed,
    output: Output,
    scan: Scan,
    refusal: Option<Refusal>,
    deadline: Deadline,
    outcome: Option<Result<(), HandshakeError>>,
}

impl ClientHandshake {
    /// Begins the handshake: the request is in the [`output`](Self::output).
    ///
    /// `nonce` and `seed` must be random and new for each connection: the one keeps caches from answering for the server, of the
    /// other come the masking keys (RFC 6455 4.1 and 10.3).
    #[must_use]
    pub fn new(config: Config, request: &ClientRequest, nonce: [u8; 16], seed: [u8; 32]) -> Self {
        let key: [u8; 24] = base64(&nonce);
        Self {
            config,
            seed,
            owed: Owed {
                accept: accept_value(&key),
                subprotocols: request.subprotocols().into(),
                deflate: config.deflate,
            },
            output: request.encode(&key, config.deflate.as_ref()),
            scan: Scan::new(&config),
            refusal: None,
            deadline: Deadline::NONE,
            outcome: None,
        }
    }

    /// Reads the response, if all of it has arrived, and returns the open connection; once.
    ///
    /// Exactly the response is consumed: frames that follow it stay in `input`.
    ///
    /// # Errors
    /// Whatever is wrong with the response; [`Refused`](HandshakeError::Refused) if it is in order but not a 101. The error is
    /// sticky.
    pub fn receive(&mut self, input: &mut Input) -> Result<Option<(Connection, Response)>, HandshakeError> {
        if let Some(outcome) = &self.outcome {
            return outcome.clone().map(|()| None);
        }
        match self.read(input) {
            Ok(None) => Ok(None),
            Ok(Some((response, agreement))) => {
                self.outcome = Some(Ok(()));
                let output = core::mem::take(&mut self.output);
                let connection = Connection::open(Role::Client(self.seed), self.config, agreement, output);
                Ok(Some((connection, response)))
            }
            Err(error) => {
                self.outcome = Some(Err(error.clone()));
                Err(error)
            }
        }
    }

    /// The bytes that are owed to the server.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); the first call starts the clock.
    pub fn poll_timeout(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.outcome.is_some() { None } else { self.deadline.poll(now, self.config.open_timeout()) }
    }

    /// Gives up if the response is late.
    ///
    /// A refusal of which only the body is late is no timeout: [`receive`](Self::receive) returns it without the rest.
    ///
    /// # Errors
    /// [`TimedOut::Open`] if it is.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), TimedOut> {
        if self.poll_timeout(now).is_none() || !self.deadline.is_due(now) {
            return Ok(());
        }
        let refusal = self.refusal.take();
        let result = if refusal.is_some() { Ok(()) } else { Err(TimedOut::Open) };
        self.outcome = Some(Err(refusal.map_or(HandshakeError::TimedOut, refused)));
        result
    }

    /// Reads a response that opens the connection.
    fn read(&mut self, input: &mut Input) -> Result<Option<(Response, Option<Agreement>)>, HandshakeError> {
        while self.refusal.is_none() {
            let received = self.scan.receive(input, |head| self.owed.compare(head));
            if matches!(received, Err(HandshakeError::UnexpectedEof)) && input.unread().is_empty() {
                return Err(HandshakeError::NoAnswer);
            }
            match received? {
                None => return Ok(None),
                Some(Answer::Accepted(response, agreement)) => return Ok(Some((response, agreement))),
                Some(Answer::Interim) => {}
                Some(Answer::Refused(refusal)) => self.refusal = Some(refusal),
            }
        }
        match self.refusal.take_if(|refusal| refusal.receive(input)) {
            Some(refusal) => Err(refused(refusal)),
            None => Ok(None),
        }
    }
}

/// What a server's head says.
enum Answer {
    Accepted(Response, Option<Agreement>),
    /// RFC 9110 15.2: another head follows.
    Interim,
    /// RFC 6455 4.1: any other response is handled as HTTP wants it.
    Refused(Refusal),
}

/// What the server owes to this request if it accepts.
struct Owed {
    /// The value of `Sec-WebSocket-Accept`.
    accept: [u8; 28],
    /// One of these, or none.
    subprotocols: Vec<String>,
    /// What was offered for compression.
    deflate: Option<Deflate>,
}

impl Owed {
    fn compare(&self, head: RawHead<'_>) -> Result<Answer, HandshakeError> {
        let mut slots = Slots::new();
        let (version, status, headers) = head.into_response(&mut slots)?;
        // What is not HTTP/1.1 can refuse a connection but not open one.
        if version == 0 && status < 200 {
            return Err(HandshakeError::UnsupportedHttpVersion(Culprit::text("HTTP/1.0")));
        }
        match status {
            101 => {
                let agreement = self.check(&headers)?;
                Ok(Answer::Accepted(Response::new(status, &headers), agreement))
            }
            100..=199 => Ok(Answer::Interim),
            _ => Refusal::new(status, &headers).map(Answer::Refused),
        }
    }

    /// RFC 6455 4.1: what a response must have to open the connection.
    fn check(&self, headers: &Headers<'_, '_>) -> Result<Option<Agreement>, HandshakeError> {
        let is_websocket = |element: &[u8]| is_same(element, b"websocket");
        if headers.lists("Upgrade", "websocket", is_websocket) != Ok(true) {
            return Err(HandshakeError::InvalidUpgrade(headers.culprit("Upgrade")));
        }
        if headers.lists("Connection", "Upgrade", is_token) != Ok(true) {
            return Err(HandshakeError::InvalidConnection(headers.culprit("Connection")));
        }
        if !matches!(headers.single("Sec-WebSocket-Accept"), Ok(Some(accept)) if accept == self.accept) {
            let culprit = Culprit::line(headers.values("Sec-WebSocket-Accept"));
            return Err(HandshakeError::InvalidAccept(culprit));
        }
        let agreement = self.agree(headers)?;
        match headers.single("Sec-WebSocket-Protocol") {
            Ok(None) => Ok(agreement),
            Ok(Some(name)) if self.subprotocols.iter().any(|offered| offered.as_bytes() == name) => {
                Ok(agreement)
            }
            _ => Err(HandshakeError::UnexpectedSubprotocol(headers.culprit("Sec-WebSocket-Protocol"))),
        }
    }
}

impl Owed {
    /// RFC 6455 9.1: an extension that was not offered fails the handshake. So does an answer that does not fit what was (RFC 7692 5.1).
    fn agree(&self, headers: &Headers<'_, '_>) -> Result<Option<Agreement>, HandshakeError> {
        let unexpected = || HandshakeError::UnexpectedExtension(headers.culprit("Sec-WebSocket-Extensions"));
        let lines = headers.values("Sec-WebSocket-Extensions").map(core::str::from_utf8);
        let lines = lines.collect::<Result<Vec<_>, _>>().map_err(|_| unexpected())?;
        match &self.deflate {
            _ if lines.is_empty() => Ok(None),
            None => Err(unexpected()),
            Some(deflate) => negotiate::deflate::deflate_response(deflate, &lines),
        }
    }
}

/// Without the seed.
impl fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("config", &self.config)
            .field("subprotocols", &self.owed.subprotocols)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

fn refused(refusal: Refusal) -> HandshakeError {
    HandshakeError::Refused(refusal.into_response().into())
}
