//! The blocking adapter, feature `blocking`: a [`WebSocket`] over any [`Stream`], for threads.
//!
//! It moves bytes between a stream and the sans-IO core, and does nothing else. Keepalive, timeouts, the answers to pings and Close frames, and
//! the closing of the transport come from the [`Connection`] and need no help.
//!
//! Timers run while a thread is in `recv`, `send`, `flush` or another method that waits.
//!
//! The guide shows how to do [without tokio](crate::guide::without_tokio).

mod connect;
mod inbox;
mod open;
mod outbox;
mod pair;
mod reconnecting;
mod split;
mod stream;
mod timeout;
#[cfg(feature = "rustls")]
mod tls;
mod writer;

use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

pub use self::connect::{Connector, connect};
use self::inbox::{Inbox, Limit, ReadAccess, unlimited};
pub use self::open::{Incoming, accept, accept_with, client, client_with};
use self::outbox::{Access, Goal, Outbox, Sending, flush, ready_then};
pub use self::pair::{PairStream, pair};
pub use self::reconnecting::Reconnecting;
pub use self::split::Reader;
pub use self::stream::{ClientStream, Stream, Untimed};
use self::timeout::Timeout;
#[cfg(feature = "rustls")]
#[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
pub use self::tls::TlsStream;
pub use self::writer::Writer;
#[cfg(feature = "http")]
use crate::Accepted;
#[cfg(feature = "deflate")]
use crate::Agreement;
use crate::adapter::events::Life;
use crate::adapter::pool::PooledInput;
use crate::adapter::{Negotiated, Queue};
use crate::{
    CloseBody, Connection, Ending, Error, Event, Input, Message, Outgoing, Response, SendError, State,
    Traffic,
};

/// A WebSocket connection over a stream.
///
/// | | waits | writes |
/// |---|---|---|
/// | `queue` | no: an error when the output is full | no: the next method that waits does |
/// | `ready` | for room | what makes room |
/// | `feed` | for room, then queues | what makes room |
/// | `send` | until its message is written | everything |
/// | `flush` | until everything is written | everything |
///
/// None of these reads. Two peers that only send wait for each other until the write timeout: to send and receive at once,
/// [`split`](Self::split) the socket.
///
/// ```
/// use std::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let uri = format!("ws://{}/", listener.local_addr()?);
/// let server = std::thread::spawn(move || {
///     let mut socket = tidewire::blocking::accept(listener.accept()?.0)?;
///     while let Some(message) = socket.recv()? {
///         socket.send(message)?;
///     }
///     Ok::<(), tidewire::Error>(())
/// });
///
/// let mut socket = tidewire::blocking::connect(&uri)?;
/// socket.send("Hello")?;
/// assert_eq!(socket.recv()?, Some("Hello".into()));
/// socket.close(tidewire::CloseCode::NORMAL)?;
/// server.join().expect("no panic")?;
/// # Ok::<(), tidewire::Error>(())
/// ```
#[derive(Debug)]
pub struct WebSocket<S> {
    inbox: Inbox,
    pooled: PooledInput,
    unshared: Unshared<S>,
    negotiated: Option<Arc<Negotiated>>,
}

/// A stream that nobody shares, and the sending side.
#[derive(Debug)]
struct Unshared<S> {
    stream: S,
    writing: Timeout,
    outbox: Outbox,
}

impl<S: Stream> Access for Unshared<S> {
    fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    fn write<R>(
        &mut self,
        _: bool,
        run: impl FnOnce(&Outbox, &mut dyn Stream, &mut Timeout) -> R,
    ) -> Option<R> {
        Some(run(&self.outbox, &mut self.stream, &mut self.writing))
    }
}

impl<S: Stream> ReadAccess for Unshared<S> {
    fn read<R>(&mut self, run: impl FnOnce(&mut dyn Stream) -> R) -> R {
        run(&mut self.stream)
    }
}

impl<S: Stream> WebSocket<S> {
    fn new(stream: S, connection: Connection, pooled: PooledInput, negotiated: Option<Negotiated>) -> Self {
        let (receiver, sender) = connection.split();
        let outbox = Outbox::new(sender, &receiver);
        let unshared = Unshared { stream, writing: Timeout::default(), outbox };
        let inbox = Inbox::new(receiver, Life::default(), Duration::MAX);
        Self { inbox, pooled, unshared, negotiated: negotiated.map(Arc::new) }
    }

    /// A connection from its parts: after an opening handshake that another library did, with what was read beyond it in `input`.
    ///
    /// The clock goes on from the latest moment that `connection` was told, so its deadlines stand. A non-blocking socket is made blocking.
    #[must_use]
    pub fn from_parts(mut stream: S, connection: Connection, input: Input) -> Self {
        // What fails here shows when the stream does not wait.
        let _ = stream.set_blocking();
        let mut socket = Self::new(stream, connection, input.into(), None);
        socket.begin();
        socket
    }

    /// Tells the subscriber that the connection is open, if it is.
    fn begin(&mut self) {
        if self.state() == State::Open {
            let subprotocol = self.negotiated.as_ref().and_then(|negotiated| negotiated.subprotocol());
            self.inbox.life.begin(&self.inbox.receiver, subprotocol);
        }
    }

    /// The connection of a request that an HTTP library has read: `stream` is what it upgraded, and `input` holds what it has read beyond the
    /// request.
    ///
    /// [`subprotocol`](Self::subprotocol) and the agreement on compression are those of the answer. A non-blocking socket is made blocking. The guide on
    /// [frameworks](crate::guide::frameworks) has the whole of it.
    #[cfg(feature = "http")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http")))]
    #[must_use]
    pub fn from_accepted(mut stream: S, accepted: Accepted, input: Input) -> Self {
        // What fails here shows when the stream does not wait.
        let _ = stream.set_blocking();
        let (connection, subprotocol) = accepted.into_parts();
        Self::new(stream, connection, input.into(), subprotocol.map(Negotiated::Server))
    }

    /// The stream, the connection and what was read and not consumed.
    ///
    /// The connection has been told the time, so its deadlines stand: [`from_parts`](Self::from_parts) goes on with them.
    #[must_use]
    pub fn into_parts(self) -> (S, Connection, Input) {
        let Self { mut inbox, pooled, unshared: Unshared { stream, mut outbox, .. }, .. } = self;
        inbox.life.leave();
        let now = outbox.now();
        outbox.sending_mut().delivery.sender.measure(now);
        let sender = outbox.into_sending().delivery.sender;
        (stream, Connection::reunite(inbox.receiver, sender), pooled.into())
    }

    /// The next message; `None` when the connection has been closed: [`ending`](Self::ending) tells how.
    ///
    /// It is `None` when the transport has ended and the peer's Close frame had the code 1000 or 1001, no code, or the code that this side
    /// sent first. Any other code is the error [`ClosedByPeer`](Error::ClosedByPeer), now and in every later call. So a refusal is not mistaken
    /// for a normal end.
    ///
    /// What is queued is written before this waits, so a loop of `recv` and [`feed`](Self::feed) answers all messages of one
    /// read with one write. It goes on reading while the write is blocked.
    ///
    /// Text that came in several reads may keep a buffer of up to twice its length.
    ///
    /// # Errors
    /// - [`Protocol`](Error::Protocol), [`TimedOut`](Error::TimedOut), [`Io`](Error::Io) or [`ClosedByPeer`](Error::ClosedByPeer). What
    ///   was received before is delivered first, and after an error of the peer it has been told. The error comes when the transport has
    ///   ended, at most the close timeout later.
    /// - `Io` of the kind `Unsupported` where messages are delivered [in parts](crate::Config::with_parts): take them from
    ///   [`recv_ref`](Self::recv_ref). Also where the stream does not wait as its timeouts say.
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        unlimited(self.inbox.receive_message(&mut self.pooled, &mut self.unshared, &mut Limit::none()))
    }

    /// [`recv`](Self::recv), for at most `timeout`: `Pending` when no message came in that time, and nothing is lost.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Poll<Option<Message>>, Error> {
        let mut limit = Limit::at(self.unshared.outbox.now() + timeout);
        transpose(self.inbox.receive_message(&mut self.pooled, &mut self.unshared, &mut limit))
    }

    /// A message that has been read already, or else what one read brings, which lasts about a millisecond. `Pending` if there is none.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Poll<Option<Message>>, Error> {
        self.recv_timeout(Duration::ZERO)
    }

    /// The next event, lent, with a [`Queue`] beside it: an echo needs no allocation. `None` when the connection has been closed.
    ///
    /// The peer's Close frame is an event of its own; after it this ends as [`recv`](Self::recv) does.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// ```no_run
    /// # fn example(mut socket: tidewire::blocking::WebSocket<std::net::TcpStream>) -> Result<(), tidewire::Error> {
    /// use tidewire::Event;
    ///
    /// loop {
    ///     // As long as the peer does not read, neither do we.
    ///     socket.ready()?;
    ///     match socket.recv_ref()? {
    ///         Some((Event::Text(text), mut output)) => output.queue(text)?,
    ///         Some((Event::Binary(payload), mut output)) => output.queue(payload)?,
    ///         Some(_) => {}
    ///         None => return Ok(()),
    ///     }
    /// }
    /// # }
    /// ```
    #[inline(always)]
    pub fn recv_ref(&mut self) -> Result<Option<(Event<'_>, Queue<'_>)>, Error> {
        let event = unlimited(self.inbox.receive(&mut self.pooled, &mut self.unshared, &mut Limit::none()))?;
        let sender = &mut self.unshared.outbox.sending_mut().delivery.sender;
        Ok(event.map(|event| (event, Queue::new(sender))))
    }

    /// Waits until the output is below the high-water mark; then [`queue`](Self::queue) has room.
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`TimedOut`](Error::TimedOut), and [`Closed`](SendError::Closed) when the end of the connection has been
    /// received, or [`ClosedByPeer`](Error::ClosedByPeer) if the peer has said why.
    pub fn ready(&mut self) -> Result<(), Error> {
        self.ready_then(|_| Ok(()))
    }

    fn ready_then(&mut self, queue: impl FnOnce(&mut Sending) -> Result<(), SendError>) -> Result<(), Error> {
        ready_then(&mut self.unshared, Some(&mut self.inbox.receiver), queue)
    }

    /// Queues a message without writing it: the next method that waits does.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`UnfinishedMessage`](SendError::UnfinishedMessage) or
    /// [`OutputFull`](SendError::OutputFull); nothing is queued then.
    pub fn queue<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), SendError> {
        self.unshared.outbox.sending_mut().delivery.queue(message.into())
    }

    /// Queues a fragment of a message without writing it; `last` ends the message (RFC 6455 5.4).
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`MixedFragments`](SendError::MixedFragments) or [`OutputFull`](SendError::OutputFull); nothing
    /// is queued then.
    pub fn queue_fragment<'m>(&mut self, part: impl Into<Outgoing<'m>>, last: bool) -> Result<(), SendError> {
        self.unshared.outbox.sending_mut().delivery.sender.send_fragment(part, last)
    }

    /// Queues a Close frame without waiting, which begins the closing handshake (RFC 6455 7.1.2). Does nothing the second time.
    ///
    /// Messages go on arriving until the peer's Close frame does. [`close`](Self::close) discards them.
    pub fn queue_close(&mut self, body: impl Into<CloseBody>) {
        self.unshared.outbox.sending_mut().delivery.sender.close(body);
    }

    /// [`ready`](Self::ready), then [`queue`](Self::queue): it never finds the output full.
    ///
    /// # Errors
    /// As these two.
    pub fn feed<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        let message = message.into();
        self.ready_then(|sending| sending.delivery.sender.send(message))
    }

    /// [`feed`](Self::feed), then [`flush`](Self::flush). When that fails, the peer may have received the message or not.
    ///
    /// # Errors
    /// As these two.
    pub fn send<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        self.feed(message)?;
        self.flush()
    }

    /// [`ready`](Self::ready), [`queue_fragment`](Self::queue_fragment), then [`flush`](Self::flush).
    ///
    /// # Errors
    /// As these three.
    pub fn send_fragment<'m>(&mut self, part: impl Into<Outgoing<'m>>, last: bool) -> Result<(), Error> {
        let part = part.into();
        self.ready_then(|sending| sending.delivery.sender.send_fragment(part, last))?;
        self.flush()
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn flush(&mut self) -> Result<(), Error> {
        flush(&mut self.unshared, Goal::Flushed, Some(&mut self.inbox.receiver), |_| Ok(()))
    }

    /// Sends a ping (RFC 6455 5.5.2) as soon as there is room. The pong is an event, and [`round_trip_time`](Self::round_trip_time) tells
    /// how long it took.
    ///
    /// # Errors
    /// [`PingTooLong`](SendError::PingTooLong) above 125 bytes, and as [`send`](Self::send).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.ready_then(|sending| sending.delivery.sender.ping(payload))?;
        self.flush()
    }

    /// Closes the connection: sends a Close frame, discards the messages that are still under way, and waits until the
    /// transport has ended or the close timeout is over (RFC 6455 7.1.2). [`ending`](Self::ending) tells how it ended.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), but whatever code the peer answers with is no error.
    pub fn close(&mut self, body: impl Into<CloseBody>) -> Result<(), Error> {
        self.unshared.outbox.sending_mut().delivery.sender.close(body);
        loop {
            match self.recv_ref() {
                Ok(Some(_)) => {}
                Ok(None) | Err(Error::ClosedByPeer(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// The two halves, for two threads and more: for streams that can be read and written through a shared reference, as sockets can.
    #[must_use]
    pub fn split(self) -> (Reader<S>, Writer<S>)
    where
        for<'s> &'s S: Stream,
    {
        split::split(self)
    }

    /// The stream.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.unshared.stream
    }

    /// True while the output is below [`Config::high_water_len`](crate::Config::high_water_len): a good moment to queue.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.unshared.outbox.sending().delivery.sender.is_ready()
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.unshared.outbox.sending().delivery.sender.queued_len()
    }

    /// False also when the stream has failed, which the state tells only later.
    fn is_open(&self) -> bool {
        self.state() == State::Open && self.unshared.outbox.sending().delivery.state() == State::Open
    }

    /// Where the connection is between open and closed.
    #[must_use]
    pub fn state(&self) -> State {
        self.inbox.receiver.state(&self.unshared.outbox.sending().delivery.sender)
    }

    /// How the connection ended; `None` until it has.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.inbox.receiver.ending(&self.unshared.outbox.sending().delivery.sender)
    }

    /// What was received so far, for metrics: see the guide on [operating](crate::guide::operating).
    #[must_use]
    pub fn received(&self) -> Traffic {
        self.inbox.receiver.received()
    }

    /// What was queued so far, for metrics; [`queued_len`](Self::queued_len) tells how much of it waits.
    #[must_use]
    pub fn sent(&self) -> Traffic {
        self.unshared.outbox.sending().delivery.sender.sent()
    }

    /// How long the connection has been open.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.unshared.outbox.sender_age()
    }

    /// How long the peer took to answer the last ping that it answered, keepalive pings included.
    #[must_use]
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.unshared.outbox.sending().delivery.sender.round_trip_time()
    }

    /// What the opening handshake agreed on for compression (RFC 7692); `None` if nothing.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn agreement(&self) -> Option<Agreement> {
        self.inbox.receiver.agreement()
    }

    /// The subprotocol that the opening handshake settled on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.negotiated.as_ref()?.subprotocol()
    }

    /// The server's response, on a client. A server looks at the request with [`Incoming`].
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        self.negotiated.as_ref()?.response()
    }
}

fn transpose<T>(polled: Poll<Result<T, Error>>) -> Result<Poll<T>, Error> {
    match polled {
        Poll::Ready(result) => result.map(Poll::Ready),
        Poll::Pending => Ok(Poll::Pending),
    }
}
