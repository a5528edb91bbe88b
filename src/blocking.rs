//! The blocking adapter, feature `blocking`: a [`WebSocket`] over any [`Stream`], for threads.
//!
//! It moves bytes between a stream and the sans-IO core and does nothing else: keepalive, timeouts, the answers to pings and
//! Close frames and the closing of the transport come from the [`Connection`] and need no help. Timers run while
//! somebody is in `recv`, `send`, `flush` or another method that waits.

mod link;
mod open;
mod split;
mod stream;

use core::time::Duration;
use std::boxed::Box;

use self::link::{Deadlines, Inbox, Outbox};
pub use self::open::{Incoming, accept, client, client_with, connect};
pub use self::split::{Reader, Writer};
pub use self::stream::{Stream, Untimed};
use crate::adapter::Negotiated;
use crate::{
    CloseFrame, Closure, Connection, Error, Event, Input, Message, Outgoing, Request, Response, Sender, State,
};

/// A WebSocket connection over a stream.
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
    stream: S,
    inbox: Inbox,
    outbox: Outbox,
    negotiated: Option<Box<Negotiated>>,
}

impl<S: Stream> WebSocket<S> {
    fn new(stream: S, connection: Connection, input: Input, negotiated: Option<Negotiated>) -> Self {
        let (receiver, sender) = connection.split();
        Self {
            stream,
            inbox: Inbox::new(receiver, input),
            outbox: Outbox::new(sender),
            negotiated: negotiated.map(Box::new),
        }
    }

    /// A connection from its parts: after an opening handshake that another library did, with what was read beyond it in `input`.
    #[must_use]
    pub fn from_parts(stream: S, connection: Connection, input: Input) -> Self {
        Self::new(stream, connection, input, None)
    }

    /// The stream, the connection and what was read and not consumed.
    #[must_use]
    pub fn into_parts(self) -> (S, Connection, Input) {
        (self.stream, Connection::reunite(self.inbox.receiver, self.outbox.into_sender()), self.inbox.input)
    }

    /// The next message; `None` when the connection has been closed, by whichever side: [`closed_with`](Self::closed_with) tells how.
    ///
    /// What is queued is written before this waits, so a loop of `recv` and [`feed`](Self::feed) answers all messages of one
    /// read with one write. It goes on reading while the write is blocked.
    ///
    /// # Errors
    /// [`Protocol`](Error::Protocol), [`TimedOut`](Error::TimedOut), [`Io`](Error::Io). What was received before is delivered first,
    /// and after an error of the peer it has been told.
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        while let Some((event, _)) = self.recv_ref()? {
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
    /// ```no_run
    /// # fn example(mut socket: tidewire::blocking::WebSocket<std::net::TcpStream>) -> Result<(), tidewire::Error> {
    /// use tidewire::Event;
    ///
    /// loop {
    ///     // As long as the peer does not read, neither do we.
    ///     socket.ready()?;
    ///     match socket.recv_ref()? {
    ///         Some((Event::Text(text), sender)) => sender.send(text)?,
    ///         Some((Event::Binary(payload), sender)) => sender.send(payload)?,
    ///         Some(_) => {}
    ///         None => return Ok(()),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn recv_ref(&mut self) -> Result<Option<(Event<'_>, &mut Sender)>, Error> {
        let Self { stream, inbox, outbox, .. } = self;
        let ready = inbox.advance(stream, outbox)?;
        Ok(ready.map(|ready| (inbox.input.lend(ready), outbox.sender_mut())))
    }

    /// Waits until the output is below the high-water mark; then [`queue`](Self::queue) has room.
    ///
    /// Nothing is read meanwhile: where the peer may be blocked writing as well, use [`split`](Self::split).
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`TimedOut`](Error::TimedOut).
    pub fn ready(&mut self) -> Result<(), Error> {
        let rest = self.sender().ready_len();
        self.flush_to(rest)
    }

    /// Queues a message without writing it: the next method that waits does.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub fn queue<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        Ok(self.sender().send(message)?)
    }

    /// [`ready`](Self::ready), then [`queue`](Self::queue).
    ///
    /// # Errors
    /// As these two.
    pub fn feed<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        let message = message.into();
        self.ready()?;
        self.queue(message)
    }

    /// [`feed`](Self::feed), then [`flush`](Self::flush).
    ///
    /// Nothing is read meanwhile: where the peer may be blocked writing as well, use [`split`](Self::split).
    ///
    /// # Errors
    /// As these two.
    pub fn send<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        self.feed(message)?;
        self.flush()
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn flush(&mut self) -> Result<(), Error> {
        self.flush_to(0)
    }

    /// Sends a ping. The pong is an event, and [`round_trip_time`](Self::round_trip_time) tells how long it took.
    ///
    /// # Errors
    /// As [`Sender::ping`] and [`flush`](Self::flush).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.outbox.ping(payload)?;
        self.flush()
    }

    /// Closes the connection: sends a Close frame, discards the messages that are still under way, and waits until the
    /// transport has ended or the close timeout is over (RFC 6455 7.1.2). [`closed_with`](Self::closed_with) tells how it ended.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn close(&mut self, frame: impl Into<Option<CloseFrame>>) -> Result<(), Error> {
        self.sender().close(frame);
        while self.recv_ref()?.is_some() {}
        Ok(())
    }

    /// The sender, to queue fragments or prepared messages.
    pub fn sender(&mut self) -> &mut Sender {
        self.outbox.sender_mut()
    }

    /// The two halves, for two threads: for streams that can be read and written through a shared reference, as sockets can.
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
        &self.stream
    }

    /// Where the connection is between open and closed.
    #[must_use]
    pub fn state(&self) -> State {
        self.inbox.receiver.state(&self.outbox.sender())
    }

    /// How the connection ended; `None` until it has.
    #[must_use]
    pub fn closed_with(&self) -> Option<Closure> {
        self.inbox.receiver.closed_with(&self.outbox.sender())
    }

    /// How long the peer took to answer the last ping that it answered, keepalive pings included.
    #[must_use]
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.outbox.sender().round_trip_time()
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.outbox.sender().queued_len()
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

    fn flush_to(&mut self, rest: usize) -> Result<(), Error> {
        self.outbox.flush(&mut self.stream, rest, Deadlines::Of(&mut self.inbox))
    }
}
