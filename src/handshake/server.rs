//! [`ServerHandshake`]: the server's part of the opening handshake (RFC 6455 4.2).

use alloc::boxed::Box;
use core::fmt;

use super::head::{RawHead, Slots};
use super::request::Request;
use super::rules;
use super::scan::Scan;
use super::{answer, is_token, negotiate::Origins};
use crate::connection::Connection;
use crate::connection::timer::{Deadline, Timestamp};
use crate::{Config, Culprit, HandshakeError, Input, InvalidResponse, Output, TimedOut};

/// Reads a client's opening handshake, and answers it if it is wrong.
///
/// ```
/// use tidewire::{Config, Input, ServerHandshake};
///
/// let mut handshake = ServerHandshake::new(Config::new()).with_subprotocols(&["chat.v2", "chat.v1"])?;
/// // Read the transport into the input until there is a request.
/// let mut input = Input::new();
/// input.extend_from_slice(b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
/// input.extend_from_slice(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
/// let request = handshake.receive(&mut input)?.expect("complete");
///
/// let mut connection = match request.path() {
///     "/chat" => {
///         let subprotocol = request.subprotocol().map(String::from);
///         request.accept(subprotocol.as_deref(), &[])?
///     }
///     _ => request.reject(404, &[], b"not here")?,
/// };
/// // Write the output to the transport, and go on with the connection.
/// assert!(!connection.output().is_empty());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct ServerHandshake {
    pub(super) config: Config,
    pub(super) origins: Origins,
    pub(super) subprotocols: Box<[Box<str>]>,
    output: Output,
    scan: Scan,
    /// The first bytes have arrived, and none of them or an empty line was skipped.
    has_begun: bool,
    deadline: Deadline,
    outcome: Option<Result<(), HandshakeError>>,
}

impl ServerHandshake {
    /// A handshake that lets browsers connect from the same origin.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            origins: Origins::same(),
            subprotocols: Box::default(),
            output: Output::new(),
            scan: Scan::new(&config),
            has_begun: false,
            deadline: Deadline::NONE,
            outcome: None,
        }
    }

    /// From which origins browsers may connect.
    #[must_use]
    pub fn with_origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// The subprotocols that the server speaks, the one that it prefers first.
    ///
    /// [`Request::subprotocol`] is then the first of them that the client offers.
    ///
    /// # Errors
    /// [`InvalidSubprotocol`](InvalidResponse::InvalidSubprotocol) if a name is not a token.
    pub fn with_subprotocols(mut self, names: &[&str]) -> Result<Self, InvalidResponse> {
        // RFC 6455 4.3: a token, as in the client's offer.
        if let Some(name) = names.iter().find(|name| !is_token(name.as_bytes())) {
            return Err(InvalidResponse::InvalidSubprotocol(Culprit::text(name)));
        }
        self.subprotocols = names.iter().map(|&name| name.into()).collect();
        Ok(self)
    }

    /// Reads the request, if all of it has arrived; once.
    ///
    /// Exactly the request is consumed: frames that follow it stay in `input`.
    ///
    /// # Errors
    /// Whatever is wrong with the request. The HTTP answer is then in the [`output`](Self::output), and
    /// [`into_refusal`](Self::into_refusal) delivers it. The error is sticky.
    pub fn receive(&mut self, input: &mut Input) -> Result<Option<Request>, HandshakeError> {
        if let Some(outcome) = &self.outcome {
            return outcome.clone().map(|()| None);
        }
        self.skip_empty_line(input);
        let read = |head: RawHead<'_>| {
            let mut slots = Slots::new();
            let (method, target, headers) = head.into_request(&mut slots)?;
            let asked = rules::upgrade(method, target, &headers)?;
            Request::new(self.config, asked, &headers, &self.origins, &self.subprotocols)
        };
        let request = match self.scan.receive(input, read) {
            // RFC 9112 3: a target that is too long has a status of its own.
            Err(HandshakeError::HeadTooLong { limit }) if self.scan.is_in_first_line() => {
                Err(HandshakeError::RequestLineTooLong { limit })
            }
            request => request,
        };
        match &request {
            Ok(None) => {}
            Ok(Some(_)) => self.outcome = Some(Ok(())),
            Err(error) => self.fail(error),
        }
        request
    }

    /// The bytes that are owed to the client: after an error, the whole HTTP answer.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); the first call starts the clock.
    pub fn poll_timeout(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.outcome.is_some() { None } else { self.deadline.poll(now, self.config.open_timeout()) }
    }

    /// Gives up if the request is late.
    ///
    /// # Errors
    /// [`TimedOut::Open`] if it is; the HTTP answer, 408, is then in the [`output`](Self::output).
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), TimedOut> {
        if self.poll_timeout(now).is_none() || !self.deadline.is_due(now) {
            return Ok(());
        }
        self.fail(&HandshakeError::TimedOut);
        Err(TimedOut::Open)
    }

    /// What delivers the answer after an error or a timeout: a connection that is over, and closes the transport such that
    /// the client can read the answer.
    #[must_use]
    pub fn into_refusal(self) -> Connection {
        Connection::refused(self.config, self.output)
    }

    /// RFC 9112 2.2: an empty line before the request line is ignored; one is enough.
    fn skip_empty_line(&mut self, input: &mut Input) {
        if !self.has_begun && input.unread().len() >= 2 {
            self.has_begun = true;
            if input.unread().starts_with(b"\r\n") {
                input.consume(2);
            }
        }
    }

    fn fail(&mut self, error: &HandshakeError) {
        self.output = answer::failure(error);
        self.outcome = Some(Err(error.clone()));
    }
}

impl fmt::Debug for ServerHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandshake")
            .field("config", &self.config)
            .field("origins", &self.origins)
            .field("subprotocols", &self.subprotocols)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}
