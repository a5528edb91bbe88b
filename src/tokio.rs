//! The tokio adapter, feature `tokio`: a [`WebSocket`] over any `AsyncRead + AsyncWrite`.
//!
//! It moves bytes between a stream and the sans-IO core, and does nothing else. Keepalive, timeouts, the answers to pings and Close frames, and
//! the closing of the transport come from the [`Connection`] and need no help.
//!
//! Timers run while a task is in `recv`, `send`, `flush` or another method that waits. The runtime needs time enabled.
//!
//! The guide begins with a [first server](crate::guide::first_server) and a [first client](crate::guide::first_client).

mod alarm;
mod connect;
mod driver;
#[cfg(feature = "futures")]
mod futures;
mod inbox;
mod open;
mod pair;
mod reconnecting;
mod shared;
mod split;
mod stream;
mod transport;
mod writer;

use core::future::poll_fn;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;

use ::tokio::io::{AsyncRead, AsyncWrite};

pub use self::connect::{Connector, connect};
use self::driver::Driver;
use self::inbox::{Inbox, Recv, RecvRef};
pub use self::open::{Incoming, accept, accept_with, client, client_with};
pub use self::pair::pair;
pub use self::reconnecting::Reconnecting;
pub use self::split::Reader;
pub use self::stream::ClientStream;
use self::transport::{Goal, Transport};
pub use self::writer::Writer;
#[cfg(feature = "http")]
use crate::Accepted;
#[cfg(feature = "deflate")]
use crate::Agreement;
use crate::adapter::events::Life;
use crate::adapter::pool::PooledInput;
use crate::adapter::{Delivery, Negotiated, Queue};
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
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let (near, far) = tokio::io::duplex(1024);
/// let server = tokio::spawn(async {
///     let mut socket = tidewire::tokio::accept(far).await?;
///     while let Some(message) = socket.recv().await? {
///         socket.send(message).await?;
///     }
///     Ok::<(), tidewire::Error>(())
/// });
///
/// let request = tidewire::ClientRequest::new("ws://example.org/")?;
/// let mut socket = tidewire::tokio::client(near, &request).await?;
/// socket.send("Hello").await?;
/// assert_eq!(socket.recv().await?, Some("Hello".into()));
/// socket.close(tidewire::CloseCode::NORMAL).await?;
/// server.await.expect("no panic")?;
/// # Ok::<(), tidewire::Error>(()) })?;
/// # Ok::<(), tidewire::Error>(())
/// ```
#[derive(Debug)]
pub struct WebSocket<S> {
    inbox: Inbox<Driver<S>>,
    pooled: PooledInput,
    negotiated: Option<Arc<Negotiated>>,
    #[cfg(feature = "futures")]
    tasks: futures::Tasks,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    fn new(stream: S, connection: Connection, pooled: PooledInput, negotiated: Option<Negotiated>) -> Self {
        let (receiver, sender) = connection.split();
        let driver =
            Driver { transport: Transport::new(stream, sender.told()), delivery: Delivery::new(sender) };
        let inbox = Inbox::new(receiver, Life::default(), driver);
        Self::from_inbox(inbox, pooled, negotiated.map(Arc::new))
    }

    fn from_inbox(inbox: Inbox<Driver<S>>, pooled: PooledInput, negotiated: Option<Arc<Negotiated>>) -> Self {
        Self {
            inbox,
            pooled,
            negotiated,
            #[cfg(feature = "futures")]
            tasks: futures::Tasks::default(),
        }
    }

    /// A connection from its parts: after an opening handshake that another library did, with what was read beyond it in `input`.
    ///
    /// The clock goes on from the latest moment that `connection` was told, so its deadlines stand.
    #[must_use]
    pub fn from_parts(stream: S, connection: Connection, input: Input) -> Self {
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
    /// [`subprotocol`](Self::subprotocol) and the agreement on compression are those of the answer. The guide on
    /// [frameworks](crate::guide::frameworks) has the whole of it.
    #[cfg(feature = "http")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http")))]
    #[must_use]
    pub fn from_accepted(stream: S, accepted: Accepted, input: Input) -> Self {
        let (connection, subprotocol) = accepted.into_parts();
        Self::new(stream, connection, input.into(), subprotocol.map(Negotiated::Server))
    }

    /// The stream, the connection and what was read and not consumed.
    ///
    /// The connection has been told the time, so its deadlines stand: [`from_parts`](Self::from_parts) goes on with them.
    #[must_use]
    pub fn into_parts(self) -> (S, Connection, Input) {
        let Inbox { receiver, mut life, access: Driver { transport, mut delivery }, .. } = self.inbox;
        life.leave();
        delivery.sender.measure(transport.now());
        (transport.stream, Connection::reunite(receiver, delivery.sender), self.pooled.into())
    }

    /// The next message; `None` when the connection has been closed: [`ending`](Self::ending) tells how.
    ///
    /// It is `None` when the transport has ended and the peer's Close frame had the code 1000 or 1001, no code, or the code that this side
    /// sent first. Any other code is the error [`ClosedByPeer`](Error::ClosedByPeer), now and in every later call. So a refusal is not mistaken
    /// for a normal end.
    ///
    /// What is queued is written before this waits, so a loop of `recv` and [`feed`](Self::feed) answers all messages of one
    /// read with one write. It goes on reading while the write is blocked. After 128 events or 8 reads in a row it lets other tasks run.
    ///
    /// Text that came in several reads may keep a buffer of up to twice its length.
    ///
    /// # Errors
    /// - [`Protocol`](Error::Protocol), [`TimedOut`](Error::TimedOut), [`Io`](Error::Io) or [`ClosedByPeer`](Error::ClosedByPeer). What
    ///   was received before is delivered first, and after an error of the peer it has been told. The error comes when the transport has
    ///   ended, at most the close timeout later.
    /// - `Io` of the kind `Unsupported` where messages are delivered [in parts](crate::Config::with_parts): take them from
    ///   [`recv_ref`](Self::recv_ref).
    ///
    /// # Cancel safety
    /// Cancel safe: no message is lost.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> {
        Recv { inbox: &mut self.inbox, pooled: &mut self.pooled }
    }

    /// The next event, lent, with a [`Queue`] beside it: an echo needs no allocation. `None` when the connection has been closed.
    ///
    /// The peer's Close frame is an event of its own; after it this ends as [`recv`](Self::recv) does.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Cancel safe: no event is lost.
    ///
    /// ```no_run
    /// # async fn example(mut socket: tidewire::tokio::WebSocket<tokio::net::TcpStream>) -> Result<(), tidewire::Error> {
    /// use tidewire::Event;
    ///
    /// loop {
    ///     // As long as the peer does not read, neither do we.
    ///     socket.ready().await?;
    ///     match socket.recv_ref().await? {
    ///         Some((Event::Text(text), mut output)) => output.queue(text)?,
    ///         Some((Event::Binary(payload), mut output)) => output.queue(payload)?,
    ///         Some(_) => {}
    ///         None => return Ok(()),
    ///     }
    /// }
    /// # }
    /// ```
    #[inline]
    pub fn recv_ref(&mut self) -> impl Future<Output = Result<Option<(Event<'_>, Queue<'_>)>, Error>> {
        RecvRef { inbox: Some(&mut self.inbox), pooled: Some(&mut self.pooled) }
    }

    /// Waits until the output is below the high-water mark; then [`queue`](Self::queue) has room.
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`TimedOut`](Error::TimedOut), and [`Closed`](SendError::Closed) when the connection has ended before all was
    /// written, or [`ClosedByPeer`](Error::ClosedByPeer) if the peer has said why.
    ///
    /// After an orderly end there is nothing to wait for, and `queue` tells that it is over.
    ///
    /// # Cancel safety
    /// Cancel safe.
    #[inline]
    pub fn ready(&mut self) -> impl Future<Output = Result<(), Error>> {
        poll_fn(|cx| self.poll_ready(cx))
    }

    /// Queues a message without waiting: the next method that waits writes it.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`UnfinishedMessage`](SendError::UnfinishedMessage) or
    /// [`OutputFull`](SendError::OutputFull); nothing is queued then.
    #[inline]
    pub fn queue<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), SendError> {
        self.inbox.access.delivery.queue(message)
    }

    /// Queues a fragment of a message without waiting; `last` ends the message (RFC 6455 5.4).
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`MixedFragments`](SendError::MixedFragments) or [`OutputFull`](SendError::OutputFull); nothing
    /// is queued then.
    pub fn queue_fragment<'m>(&mut self, part: impl Into<Outgoing<'m>>, last: bool) -> Result<(), SendError> {
        self.inbox.access.delivery.sender.send_fragment(part, last)
    }

    /// Queues a Close frame without waiting, which begins the closing handshake (RFC 6455 7.1.2). Does nothing the second time.
    ///
    /// Messages go on arriving until the peer's Close frame does. [`close`](Self::close) discards them.
    pub fn queue_close(&mut self, body: impl Into<CloseBody>) {
        self.inbox.access.delivery.sender.close(body);
    }

    /// [`ready`](Self::ready), then [`queue`](Self::queue): it never finds the output full.
    ///
    /// # Errors
    /// As these two.
    ///
    /// # Cancel safety
    /// When the future is dropped before it is ready, the message is not queued.
    #[inline]
    pub fn feed<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> impl Future<Output = Result<(), Error>> {
        let mut message = Some(message.into());
        poll_fn(move |cx| {
            let Inbox { receiver, access, .. } = &mut self.inbox;
            access.poll_feed(&mut message, Some(receiver), cx)
        })
    }

    /// [`feed`](Self::feed), then [`flush`](Self::flush).
    ///
    /// # Errors
    /// As these two.
    ///
    /// # Cancel safety
    /// When the future is dropped, the message may be queued or not, and nothing tells which; it is never queued in part. Where that
    /// matters, use `feed` and then `flush`.
    #[inline]
    pub fn send<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> impl Future<Output = Result<(), Error>> {
        let mut message = Some(message.into());
        poll_fn(move |cx| {
            let Inbox { receiver, access, .. } = &mut self.inbox;
            ready!(access.poll_feed(&mut message, Some(receiver), cx))?;
            access.poll_flush(Goal::ALL, Some(receiver), cx)
        })
    }

    /// [`ready`](Self::ready), [`queue_fragment`](Self::queue_fragment), then [`flush`](Self::flush).
    ///
    /// # Errors
    /// As these three.
    ///
    /// # Cancel safety
    /// As [`send`](Self::send), for the fragment.
    pub async fn send_fragment<'m>(
        &mut self,
        part: impl Into<Outgoing<'m>>,
        last: bool,
    ) -> Result<(), Error> {
        let part = part.into();
        self.ready().await?;
        let delivery = &mut self.inbox.access.delivery;
        delivery.sender.send_fragment(part, last).map_err(|error| delivery.explain(error))?;
        self.flush().await
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Cancel safe: what is not written stays queued.
    #[inline]
    pub fn flush(&mut self) -> impl Future<Output = Result<(), Error>> {
        poll_fn(|cx| self.poll_flush(cx))
    }

    /// Sends a ping (RFC 6455 5.5.2) as soon as there is room. The pong is an event, and [`round_trip_time`](Self::round_trip_time) tells
    /// how long it took.
    ///
    /// # Errors
    /// [`PingTooLong`](SendError::PingTooLong) above 125 bytes, and as [`send`](Self::send).
    ///
    /// # Cancel safety
    /// As [`send`](Self::send), for the ping.
    pub fn ping(&mut self, payload: &[u8]) -> impl Future<Output = Result<(), Error>> {
        let mut payload = Some(payload);
        poll_fn(move |cx| {
            let Inbox { receiver, access, .. } = &mut self.inbox;
            ready!(access.poll_ping(&mut payload, Some(receiver), cx))?;
            access.poll_flush(Goal::ALL, Some(receiver), cx)
        })
    }

    /// Closes the connection: sends a Close frame, discards the messages that are still under way, and waits until the
    /// transport has ended or the close timeout is over (RFC 6455 7.1.2). [`ending`](Self::ending) tells how it ended.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), but whatever code the peer answers with is no error.
    ///
    /// # Cancel safety
    /// When the future is dropped after its first poll, the Close frame is queued; [`recv`](Self::recv) or another `close` goes on.
    pub async fn close(&mut self, body: impl Into<CloseBody>) -> Result<(), Error> {
        self.inbox.access.delivery.sender.close(body);
        loop {
            match self.recv_ref().await {
                Ok(Some(_)) => {}
                Ok(None) | Err(Error::ClosedByPeer(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// [`recv`](Self::recv), for a future written by hand.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.inbox.poll_message(&mut self.pooled, cx)
    }

    /// [`ready`](Self::ready), for a future written by hand.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    #[inline]
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Inbox { receiver, access, .. } = &mut self.inbox;
        access.poll_ready(Some(receiver), cx)
    }

    /// [`flush`](Self::flush), for a future written by hand.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    #[inline]
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Inbox { receiver, access, .. } = &mut self.inbox;
        access.poll_flush(Goal::ALL, Some(receiver), cx)
    }

    /// Queues a Close frame with 1000, unless one is queued already, and writes everything that is queued. It never reads.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Inbox { receiver, access, .. } = &mut self.inbox;
        access.poll_close(Some(receiver), cx)
    }

    /// The two halves, for two tasks and more.
    #[must_use]
    pub fn split(self) -> (Reader<S>, Writer<S>) {
        split::split(self)
    }

    /// The stream.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inbox.access.transport.stream
    }

    /// True while the output is below [`Config::high_water_len`](crate::Config::high_water_len): a good moment to queue.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.inbox.access.delivery.sender.is_ready()
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.inbox.access.delivery.sender.queued_len()
    }

    /// False also when the stream has failed, which the state tells only later.
    fn is_open(&self) -> bool {
        self.state() == State::Open && self.inbox.access.delivery.state() == State::Open
    }

    /// Where the connection is between open and closed.
    #[must_use]
    pub fn state(&self) -> State {
        self.inbox.receiver.state(&self.inbox.access.delivery.sender)
    }

    /// How the connection ended; `None` until it has.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.inbox.receiver.ending(&self.inbox.access.delivery.sender)
    }

    /// What was received so far, for metrics: see the guide on [operating](crate::guide::operating).
    #[must_use]
    pub fn received(&self) -> Traffic {
        self.inbox.receiver.received()
    }

    /// What was queued so far, for metrics; [`queued_len`](Self::queued_len) tells how much of it waits.
    #[must_use]
    pub fn sent(&self) -> Traffic {
        self.inbox.access.delivery.sender.sent()
    }

    /// How long the connection has been open.
    #[must_use]
    pub fn age(&self) -> Duration {
        let Driver { transport, delivery } = &self.inbox.access;
        delivery.sender.age(transport.now())
    }

    /// How long the peer took to answer the last ping that it answered, keepalive pings included.
    #[must_use]
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.inbox.access.delivery.sender.round_trip_time()
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
