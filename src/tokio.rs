//! The tokio adapter, feature `tokio`: a [`WebSocket`] over any `AsyncRead + AsyncWrite`.
//!
//! It moves bytes between a stream and the sans-IO core and does nothing else: keepalive, timeouts, the answers to pings and
//! Close frames and the closing of the transport come from the [`Connection`] and need no help. Timers run while
//! somebody is in `recv`, `send`, `flush` or another waiting method, in a runtime with time enabled.

mod link;
mod open;
mod split;

use core::future::poll_fn;
use core::task::{Context, Poll};
use core::time::Duration;
use std::boxed::Box;

use ::tokio::io::{AsyncRead, AsyncWrite};

use self::link::Link;
pub use self::open::{Incoming, accept, client, client_with, connect};
pub use self::split::{Reader, Writer};
use crate::adapter::Negotiated;
use crate::{
    CloseFrame, Closure, Connection, Error, Event, Input, Message, Outgoing, Request, Response, Sender, State,
};

/// A WebSocket connection over a stream.
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
    link: Link<S>,
    connection: Connection,
    input: Input,
    negotiated: Option<Box<Negotiated>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    fn new(link: Link<S>, connection: Connection, input: Input, negotiated: Option<Negotiated>) -> Self {
        Self { link, connection, input, negotiated: negotiated.map(Box::new) }
    }

    /// A connection from its parts: after an opening handshake that another library did, with what was read beyond it in `input`.
    #[must_use]
    pub fn from_parts(stream: S, connection: Connection, input: Input) -> Self {
        Self::new(Link::new(stream), connection, input, None)
    }

    /// The stream, the connection and what was read and not consumed.
    #[must_use]
    pub fn into_parts(self) -> (S, Connection, Input) {
        (self.link.stream, self.connection, self.input)
    }

    /// The next message; `None` when the connection has been closed, by whichever side: [`closed_with`](Self::closed_with) tells how.
    ///
    /// What is queued is written before this waits, so a loop of `recv` and [`feed`](Self::feed) answers all messages of one
    /// read with one write. It goes on reading while the write is blocked.
    ///
    /// # Errors
    /// [`Protocol`](Error::Protocol), [`TimedOut`](Error::TimedOut), [`Io`](Error::Io). What was received before is delivered first,
    /// and after an error of the peer it has been told.
    ///
    /// # Cancel safety
    /// Cancel safe: no message is lost.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        while let Some((event, _)) = self.recv_ref().await? {
            if let Some(message) = event.into_message() {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// The next event, lent, with the sender beside it: an echo needs no allocation. `None` when the connection has been closed.
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
    ///         Some((Event::Text(text), sender)) => sender.send(text)?,
    ///         Some((Event::Binary(payload), sender)) => sender.send(payload)?,
    ///         Some(_) => {}
    ///         None => return Ok(()),
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn recv_ref(&mut self) -> Result<Option<(Event<'_>, &mut Sender)>, Error> {
        let Self { link, connection: Connection { receiver, sender }, input, .. } = self;
        let ready = poll_fn(|cx| link.poll_advance(receiver, sender, input, cx)).await?;
        Ok(ready.map(|ready| (input.lend(ready), sender)))
    }

    /// Waits until the output is below the high-water mark; then [`queue`](Self::queue) has room.
    ///
    /// Nothing is read meanwhile: where the peer may be blocked writing as well, use [`split`](Self::split).
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`TimedOut`](Error::TimedOut).
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ready(&mut self) -> Result<(), Error> {
        let rest = self.connection.sender.ready_len();
        poll_fn(|cx| self.poll_flush(rest, cx)).await
    }

    /// Queues a message without writing it: the next waiting method does.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub fn queue<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        Ok(self.connection.send(message)?)
    }

    /// [`ready`](Self::ready), then [`queue`](Self::queue).
    ///
    /// # Errors
    /// As these two.
    ///
    /// # Cancel safety
    /// When the future is dropped, the message is not queued.
    pub async fn feed<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        let message = message.into();
        self.ready().await?;
        self.queue(message)
    }

    /// [`feed`](Self::feed), then [`flush`](Self::flush).
    ///
    /// Nothing is read meanwhile: where the peer may be blocked writing as well, use [`split`](Self::split).
    ///
    /// # Errors
    /// As these two.
    ///
    /// # Cancel safety
    /// When the future is dropped, the message is queued whole or not at all.
    pub async fn send<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Cancel safe: what is not written stays queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_flush(0, cx)).await
    }

    /// Sends a ping. The pong is an event, and [`round_trip_time`](Self::round_trip_time) tells how long it took.
    ///
    /// # Errors
    /// As [`Sender::ping`] and [`flush`](Self::flush).
    ///
    /// # Cancel safety
    /// When the future is dropped, the ping is queued.
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.connection.ping(payload)?;
        self.connection.sender.measure(self.link.now());
        self.flush().await
    }

    /// Closes the connection: sends a Close frame, discards the messages that are still under way, and waits until the
    /// transport has ended or the close timeout is over (RFC 6455 7.1.2). [`closed_with`](Self::closed_with) tells how it ended.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// When the future is dropped, the Close frame is queued; [`recv`](Self::recv) or another `close` goes on.
    pub async fn close(&mut self, frame: impl Into<Option<CloseFrame>>) -> Result<(), Error> {
        self.connection.close(frame);
        while self.recv_ref().await?.is_some() {}
        Ok(())
    }

    /// The sender, to queue fragments or prepared messages.
    pub fn sender(&mut self) -> &mut Sender {
        &mut self.connection.sender
    }

    /// The two halves, for two tasks.
    #[must_use]
    pub fn split(self) -> (Reader<S>, Writer<S>) {
        split::split(self)
    }

    /// The stream.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.link.stream
    }

    /// Where the connection is between open and closed.
    #[must_use]
    pub fn state(&self) -> State {
        self.connection.state()
    }

    /// How the connection ended; `None` until it has.
    #[must_use]
    pub fn closed_with(&self) -> Option<Closure> {
        self.connection.closed_with()
    }

    /// How long the peer took to answer the last ping that it answered, keepalive pings included.
    #[must_use]
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.connection.round_trip_time()
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.connection.sender.queued_len()
    }

    /// The subprotocol that the opening handshake settled on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.negotiated.as_ref()?.subprotocol()
    }

    /// The client's request, on a server.
    #[must_use]
    pub fn request(&self) -> Option<&Request> {
        self.negotiated.as_ref()?.request()
    }

    /// The server's response, on a client.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        self.negotiated.as_ref()?.response()
    }

    fn poll_flush(&mut self, rest: usize, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Connection { receiver, sender } = &mut self.connection;
        self.link.poll_flush(rest, Some(receiver), sender, cx)
    }
}
