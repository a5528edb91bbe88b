//! [`Connection`]: a receiver, a sender and their deadlines, from the opening handshake to the end of the transport.
//!
//! ```text
//!                close() sent            Close frame received
//!        Open ------------------> Closing -----------------------+
//!          |                         |                           v
//!          | Close frame received, answered at once           Closed: drain the output, then
//!          +------------------------------------------------> - server, or failed: shut the write side down,
//!          | ProtocolError: Close frame queued                  discard until EOF, close_timeout or 1 MiB
//!          +------------------------------------------------> - client: await EOF or close_timeout
//!          | EOF, TimedOut
//!          +------------------------------------------------> - close the transport
//! ```

pub(crate) mod compare;
#[cfg(feature = "deflate")]
pub(crate) mod deflate;
#[cfg(not(feature = "deflate"))]
#[path = "connection/no_deflate.rs"]
pub(crate) mod deflate;
pub(crate) mod event;
pub(crate) mod excerpt;
pub(crate) mod input;
pub(crate) mod message;
pub(crate) mod outgoing;
pub(crate) mod output;
pub(crate) mod receiver;
pub(crate) mod round_trip;
pub(crate) mod sender;
pub(crate) mod state;
pub(crate) mod timer;
pub(crate) mod traffic;

use core::time::Duration;

use crate::config::deflate::Agreement;
use crate::connection::event::{Event, Ready};
use crate::connection::input::Input;
use crate::connection::outgoing::Outgoing;
use crate::connection::output::Output;
use crate::connection::receiver::Receiver;
use crate::connection::sender::Sender;
use crate::connection::state::{Ending, State, TransportAction};
use crate::connection::traffic::Traffic;
use crate::wire::mask::Keys;
use crate::{CloseBody, Config, ProtocolError, SendError, TimedOut, Timestamp};

/// A WebSocket connection after its opening handshake, without I/O, clock or randomness of its own.
///
/// Its user reads the transport into an [`Input`], takes events from [`receive`](Self::receive) until there are none, writes
/// [`output`](Self::output) to the transport, and does what [`transport_action`](Self::transport_action) says; before waiting,
/// it asks [`poll_timeout`](Self::poll_timeout) how long to wait. Pings and Close frames are answered without help.
///
/// ```
/// use tidewire::{Config, Connection, Event, Input};
///
/// let mut client = Connection::client(Config::new(), [7; 32]);
/// let mut server = Connection::server(Config::new());
///
/// client.send("Hello")?;
/// let mut input = Input::new();
/// input.extend_from_slice(client.output().chunk());
/// match server.receive(&mut input)? {
///     Some(Event::Text(text)) => server.send(text)?,
///     other => panic!("unexpected {other:?}"),
/// }
/// assert_eq!(server.output().chunk(), b"\x81\x05Hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    pub(crate) receiver: Receiver,
    pub(crate) sender: Sender,
}

/// Which side of the connection this is.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    Server,
    /// With the seed of its masking keys.
    Client([u8; 32]),
}

impl Connection {
    /// The server's side of a connection whose opening handshake is done, by whatever library.
    #[must_use]
    pub fn server(config: Config) -> Self {
        Self::open(Role::Server, config, None, Output::new())
    }

    /// The client's side of a connection whose opening handshake is done, by whatever library.
    ///
    /// `seed` must come from a strong source of entropy and be used once: the masking keys are derived from it (RFC 6455 5.3).
    #[must_use]
    pub fn client(config: Config, seed: [u8; 32]) -> Self {
        Self::open(Role::Client(seed), config, None, Output::new())
    }

    /// What the opening handshake agreed on, if another library did it: messages may be compressed from now on. Without this none is.
    ///
    /// ```
    /// use tidewire::handshake::negotiate;
    /// use tidewire::{Config, Connection, Deflate};
    ///
    /// let mut connection = Connection::server(Config::new());
    /// if let Some(agreement) = negotiate::deflate(&Deflate::new(), &["permessage-deflate"])? {
    ///     // The answer gets `Sec-WebSocket-Extensions` with the value `agreement.to_string()`.
    ///     connection = connection.with_agreement(agreement);
    /// }
    /// # Ok::<(), tidewire::HandshakeError>(())
    /// ```
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn with_agreement(mut self, agreement: Agreement) -> Self {
        self.agree(Some(agreement));
        self
    }

    fn agree(&mut self, agreement: Option<Agreement>) {
        self.receiver.agree(agreement);
        self.sender.agree(agreement);
    }

    /// What was agreed on for compression (RFC 7692); `None` if nothing was.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn agreement(&self) -> Option<Agreement> {
        self.receiver.agreement()
    }

    /// An open connection that owes the peer `output` already.
    pub(crate) fn open(role: Role, config: Config, agreement: Option<Agreement>, output: Output) -> Self {
        let (is_server, keys) = match role {
            Role::Server => (true, None),
            Role::Client(seed) => (false, Some(Keys::new(seed))),
        };
        let (receiver, sender) = (Receiver::new(is_server, &config), Sender::new(keys, &config, output));
        let mut connection = Self { receiver, sender };
        connection.agree(agreement);
        connection
    }

    /// A connection that was over before it began: it delivers the HTTP answer in `output` and ends the transport.
    pub(crate) fn refused(config: Config, output: Output) -> Self {
        Self { receiver: Receiver::refused(&config), sender: Sender::refused(&config, output) }
    }

    /// Decodes up to the next event, which [`Input::lend`] lends, and queues the reply that it asks for.
    ///
    /// `Ok(None)` means that there is no event now: write the output and read more. [`receive`](Self::receive) does the same and
    /// lends at once; this one is for loops that do I/O and return an event.
    ///
    /// # Errors
    /// A [`ProtocolError`], then and ever after; the Close frame that tells the peer is in the output.
    #[inline]
    pub fn advance(&mut self, input: &mut Input) -> Result<Option<Ready>, ProtocolError> {
        self.receiver.advance(input, |reply| self.sender.reply(reply))
    }

    /// The next event, lent from `input`; its reply is queued.
    ///
    /// `Ok(None)` means that there is no event now: write the output and read more.
    ///
    /// # Errors
    /// A [`ProtocolError`], then and ever after; the Close frame that tells the peer is in the output.
    // An event that is returned through memory is copied in other pieces than it was written in, for which the processor waits: always
    // inlined, this takes 8 ns for a short message and not 17.
    #[inline(always)]
    pub fn receive<'i>(&mut self, input: &'i mut Input) -> Result<Option<Event<'i>>, ProtocolError> {
        let Self { receiver, sender } = self;
        let Some(ready) = receiver.next(input, |reply| sender.reply(reply))? else { return Ok(None) };
        match receiver.lend(input, ready) {
            Ok(event) => Ok(Some(event)),
            // The input of that text stays borrowed, as far as the compiler can tell.
            Err(_) => receiver.next(&mut Input::new(), |reply| sender.reply(reply)).map(|_| None),
        }
    }

    /// Queues a message as one frame.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`UnfinishedMessage`](SendError::UnfinishedMessage) or
    /// [`OutputFull`](SendError::OutputFull); nothing is queued then.
    #[inline]
    pub fn send<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), SendError> {
        self.sender.send(message)
    }

    /// Queues a fragment of a message; `last` ends the message (RFC 6455 5.4). Control frames may go between fragments.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`MixedFragments`](SendError::MixedFragments) or
    /// [`OutputFull`](SendError::OutputFull); nothing is queued then.
    pub fn send_fragment<'m>(&mut self, part: impl Into<Outgoing<'m>>, last: bool) -> Result<(), SendError> {
        self.sender.send_fragment(part, last)
    }

    /// Queues a ping (RFC 6455 5.5.2). The pong comes as an event, and [`round_trip_time`](Self::round_trip_time) tells how long it took.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`PingTooLong`](SendError::PingTooLong) above 125 bytes, or
    /// [`OutputFull`](SendError::OutputFull); nothing is queued then.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.sender.ping(payload)
    }

    /// Queues a Close frame, which begins the closing handshake (RFC 6455 7.1.2). Does nothing the second time.
    ///
    /// `body` is a [`CloseCode`](crate::CloseCode), a code and a reason, a [`CloseFrame`](crate::CloseFrame), or `None`. Receiving goes on
    /// until the peer's Close frame arrives.
    ///
    /// ```
    /// use tidewire::{CloseCode, Config, Connection};
    ///
    /// let mut server = Connection::server(Config::new());
    /// server.close((CloseCode::GOING_AWAY, "restarting"));
    /// assert_eq!(server.output().chunk(), b"\x88\x0C\x03\xE9restarting");
    /// ```
    pub fn close(&mut self, body: impl Into<CloseBody>) {
        self.sender.close(body);
    }

    /// The bytes owed to the peer: write them to the transport.
    pub fn output(&mut self) -> &mut Output {
        self.sender.output()
    }

    /// True while the output is below [`Config::high_water_len`]: a good moment to send.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, as it stands; ask again before every wait.
    ///
    /// Deadlines that have no beginning yet begin at `now`.
    pub fn poll_timeout(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.receiver.poll_timeout(now, &mut self.sender)
    }

    /// Does what is due at `now`: sends a keepalive ping, or gives the peer up. Calling it too early does nothing.
    ///
    /// Process what has arrived first, so that a busy caller does not take its own delay for the peer's.
    ///
    /// # Errors
    /// [`TimedOut`], then and ever after.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), TimedOut> {
        self.receiver.handle_timeout(now, &mut self.sender)
    }

    /// What to do with the transport once the output is written.
    #[must_use]
    pub fn transport_action(&self) -> TransportAction {
        self.receiver.transport_action(&self.sender)
    }

    /// Where the connection is between open and closed.
    #[must_use]
    pub fn state(&self) -> State {
        self.receiver.state(&self.sender)
    }

    /// True when nothing more is received.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state() == State::Closed
    }

    /// How the connection ended; `None` until it has.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.receiver.ending(&self.sender)
    }

    /// The deadline that ended the connection, if one did.
    #[must_use]
    pub fn timed_out(&self) -> Option<TimedOut> {
        self.receiver.timed_out()
    }

    /// How long the peer took to answer the last ping that it answered, keepalive pings included.
    #[must_use]
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.sender.round_trip_time()
    }

    /// What was received so far, for metrics.
    #[must_use]
    pub fn received(&self) -> Traffic {
        self.receiver.received()
    }

    /// What was sent so far, for metrics.
    #[must_use]
    pub fn sent(&self) -> Traffic {
        self.sender.sent()
    }

    /// How long the connection has been open: the time from the first moment that it was told, by
    /// [`poll_timeout`](Self::poll_timeout) or [`handle_timeout`](Self::handle_timeout). Zero before that.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Duration {
        self.sender.age(now)
    }

    /// Gives back the heap that is not needed while nothing is owed. Keepalive does so with every ping.
    pub fn release(&mut self) {
        self.sender.release();
    }

    /// The two halves, for two threads or tasks: what [`Receiver::advance`] asks for goes to [`Sender::reply`].
    #[must_use]
    pub fn split(self) -> (Receiver, Sender) {
        (self.receiver, self.sender)
    }

    /// The reverse of [`split`](Self::split).
    #[must_use]
    pub fn reunite(receiver: Receiver, sender: Sender) -> Self {
        Self { receiver, sender }
    }
}
