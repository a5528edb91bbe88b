//! The tokio adapter, feature `tokio`: a [`WebSocket`] over any `AsyncRead + AsyncWrite`.
//!
//! It moves bytes between a stream and the sans-IO core and does nothing else: keepalive, timeouts, the answers to pings and
//! Close frames and the closing of the transport come from the [`Connection`] and need no help. Timers run while
//! somebody is in `recv`, `send`, `flush` or another waiting method, in a runtime with time enabled.

mod link;
mod open;
mod split;

use core::future::poll_fn;
use core::time::Duration;
use std::boxed::Box;

use ::tokio::io::{AsyncRead, AsyncWrite};

use self::link::Link;
pub use self::open::{Incoming, accept, client, client_with, connect};
pub use self::split::{Reader, Writer};
use crate::adapter::{Negotiated, Outlet, message, receiving_methods, sending_methods, whole_methods};
use crate::{
    CloseFrame, Closure, Connection, Error, Event, Input, Message, Outgoing, Receiver, Response, Sender,
    State, Timestamp,
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
    receiver: Receiver,
    outlet: Outlet,
    input: Input,
    negotiated: Option<Box<Negotiated>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    fn new(stream: S, connection: Connection, input: Input, negotiated: Option<Negotiated>) -> Self {
        let (receiver, sender) = connection.split();
        Self {
            link: Link::new(stream),
            receiver,
            outlet: Outlet::new(sender),
            input,
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
        (self.link.stream, Connection::reunite(self.receiver, self.outlet.sender), self.input)
    }

    /// The next message; `None` when the connection has been closed, by whichever side: [`closed_with`](Self::closed_with) tells how.
    ///
    /// What is queued is written before this waits, so a loop of `recv` and [`feed`](Self::feed) answers all messages of one
    /// read with one write. It goes on reading while the write is blocked.
    ///
    /// # Errors
    /// [`Protocol`](Error::Protocol), [`TimedOut`](Error::TimedOut), [`Io`](Error::Io). What was received before is delivered first,
    /// and after an error of the peer it has been told. `Io` of the kind `Unsupported` where messages are delivered
    /// [in parts](crate::Config::with_parts): take them from [`recv_ref`](Self::recv_ref).
    ///
    /// # Cancel safety
    /// Cancel safe: no message is lost.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        while let Some((event, _)) = self.recv_ref().await? {
            if let Some(message) = message(event)? {
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
        let Self { link, receiver, outlet, input, .. } = self;
        let ready = match receiver.message_frame(input) {
            Some(ready) => Some(ready),
            None => poll_fn(|cx| link.poll_advance(receiver, outlet, input, cx)).await?,
        };
        let Some(ready) = ready else { return Ok(None) };
        match receiver.lend(input, ready) {
            Ok(event) => Ok(Some((event, &mut outlet.sender))),
            Err(_) => {
                // What is left in the input would be discarded.
                let mut rest = Box::new(Input::new());
                poll_fn(|cx| link.poll_advance(receiver, outlet, &mut rest, cx)).await?;
                Ok(None)
            }
        }
    }

    sending_methods!(async, .await, "# Cancel safety");
    receiving_methods!();
    whole_methods!(async, .await, "# Cancel safety");

    /// The sender, to queue fragments or prepared messages.
    pub fn sender(&mut self) -> &mut Sender {
        &mut self.outlet.sender
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

    /// How many bytes wait to be written.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.outlet.sender.queued_len()
    }

    fn with_halves<R>(&self, read: impl FnOnce(&Receiver, &Sender) -> R) -> R {
        read(&self.receiver, &self.outlet.sender)
    }

    fn with_sender<R>(&mut self, queue: impl FnOnce(&mut Sender) -> R) -> R {
        queue(self.sender())
    }

    fn now(&self) -> Timestamp {
        self.link.now()
    }

    async fn flush_to(&mut self, rest: usize) -> Result<(), Error> {
        let Self { link, receiver, outlet, .. } = self;
        poll_fn(|cx| link.poll_flush(rest, Some(receiver), outlet, cx)).await
    }
}
