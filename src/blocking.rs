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

use self::link::{Inbox, Outbox};
pub use self::open::{Incoming, accept, client, client_with, connect};
pub use self::split::{Reader, Writer};
pub use self::stream::{Stream, Untimed};
use crate::adapter::{Negotiated, message, receiving_methods, sending_methods, whole_methods};
use crate::pool::Inlet;
use crate::{
    CloseBody, Connection, Ending, Error, Event, Input, Message, Outgoing, Receiver, Response, Sender, State,
    Timestamp,
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
    inlet: Inlet,
    outbox: Outbox,
    negotiated: Option<Box<Negotiated>>,
}

impl<S: Stream> WebSocket<S> {
    fn new(stream: S, connection: Connection, inlet: Inlet, negotiated: Option<Negotiated>) -> Self {
        let (inbox, outbox) = link::sides(connection);
        Self { stream, inbox, inlet, outbox, negotiated: negotiated.map(Box::new) }
    }

    /// A connection from its parts: after an opening handshake that another library did, with what was read beyond it in `input`.
    #[must_use]
    pub fn from_parts(stream: S, connection: Connection, input: Input) -> Self {
        Self::new(stream, connection, input.into(), None)
    }

    /// The stream, the connection and what was read and not consumed.
    #[must_use]
    pub fn into_parts(self) -> (S, Connection, Input) {
        (self.stream, Connection::reunite(self.inbox.receiver, self.outbox.into_sender()), self.inlet.into())
    }

    /// The next message; `None` when the connection has been closed, by whichever side: [`ending`](Self::ending) tells how.
    ///
    /// What is queued is written before this waits, so a loop of `recv` and [`feed`](Self::feed) answers all messages of one
    /// read with one write. It goes on reading while the write is blocked.
    ///
    /// A binary message of 64 KiB or more, or text that came in several reads, has the memory that it was put together in as a rule, at most
    /// twice its length.
    ///
    /// # Errors
    /// [`Protocol`](Error::Protocol), [`TimedOut`](Error::TimedOut), [`Io`](Error::Io). What was received before is delivered first,
    /// and after an error of the peer it has been told. `Io` of the kind `Unsupported` where messages are delivered
    /// [in parts](crate::Config::with_parts): take them from [`recv_ref`](Self::recv_ref).
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        loop {
            if let Some(input) = self.inlet.get()
                && let Some(message) = self.inbox.receiver.copy_message_frame(input)
            {
                return Ok(Some(message));
            }
            let Some((event, _)) = self.recv_ref()? else { return Ok(None) };
            if let Some(message) = message(event)? {
                return Ok(Some(message));
            }
        }
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
    #[inline(always)]
    pub fn recv_ref(&mut self) -> Result<Option<(Event<'_>, &mut Sender)>, Error> {
        let Self { stream, inbox, inlet, outbox, .. } = self;
        let event = inbox.receive(inlet, stream, outbox)?;
        Ok(event.map(|event| (event, outbox.sender_mut())))
    }

    sending_methods!(Result<(), Error>);
    receiving_methods!();
    whole_methods!();

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

    /// How many bytes wait to be written.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.outbox.outlet().sender.queued_len()
    }

    fn with_halves<R>(&self, read: impl FnOnce(&Receiver, &Sender) -> R) -> R {
        read(&self.inbox.receiver, &self.outbox.outlet().sender)
    }

    fn with_sender<R>(&mut self, queue: impl FnOnce(&mut Sender) -> R) -> R {
        queue(self.sender())
    }

    fn now(&self) -> Timestamp {
        self.outbox.now()
    }

    fn flush_to(&mut self, rest: usize) -> Result<(), Error> {
        self.outbox.flush(&mut self.stream, rest, Some(&mut self.inbox))
    }
}
