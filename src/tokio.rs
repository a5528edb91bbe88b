//! The tokio adapter, feature `tokio`: a [`WebSocket`] over any `AsyncRead + AsyncWrite`.
//!
//! It moves bytes between a stream and the sans-IO core and does nothing else: keepalive, timeouts, the answers to pings and
//! Close frames and the closing of the transport come from the [`Connection`] and need no help. Timers run while
//! somebody is in `recv`, `send`, `flush` or another waiting method, in a runtime with time enabled.

mod alarm;
mod link;
mod open;
mod receive;
mod split;

use core::future::poll_fn;
use core::task::{Context, Poll};
use core::time::Duration;
use std::boxed::Box;

use ::tokio::io::{AsyncRead, AsyncWrite};

use self::link::Link;
pub use self::open::{Incoming, accept, client, client_with, connect};
use self::receive::{Advanced, Receiving, Recv, RecvRef};
pub use self::split::{Reader, Writer};
use crate::adapter::{Negotiated, Outlet, receiving_methods, sending_methods, whole_methods};
use crate::pool::Inlet;
use crate::{
    CloseBody, Connection, Ending, Error, Event, Input, Message, Outgoing, Receiver, Response, Sender, State,
    Timestamp,
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
    whole: Whole<S>,
    inlet: Inlet,
    negotiated: Option<Box<Negotiated>>,
}

/// A connection, but for the input.
#[derive(Debug)]
struct Whole<S> {
    link: Link<S>,
    receiver: Receiver,
    outlet: Outlet,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiving for Whole<S> {
    type Lent<'r>
        = (Event<'r>, &'r mut Sender)
    where
        S: 'r;

    fn receiver(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    fn poll_advance(&mut self, inlet: &mut Inlet, cx: &mut Context<'_>) -> Poll<Advanced> {
        self.link.poll_advance(&mut self.receiver, &mut self.outlet, inlet, cx)
    }

    fn lend<'r>(&'r mut self, event: Event<'r>) -> Self::Lent<'r> {
        (event, &mut self.outlet.sender)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    fn new(stream: S, connection: Connection, inlet: Inlet, negotiated: Option<Negotiated>) -> Self {
        let (receiver, sender) = connection.split();
        let whole = Whole { link: Link::new(stream), receiver, outlet: Outlet::new(sender) };
        Self { whole, inlet, negotiated: negotiated.map(Box::new) }
    }

    /// A connection from its parts: after an opening handshake that another library did, with what was read beyond it in `input`.
    #[must_use]
    pub fn from_parts(stream: S, connection: Connection, input: Input) -> Self {
        Self::new(stream, connection, input.into(), None)
    }

    /// The stream, the connection and what was read and not consumed.
    #[must_use]
    pub fn into_parts(self) -> (S, Connection, Input) {
        let Whole { link, receiver, outlet } = self.whole;
        (link.stream, Connection::reunite(receiver, outlet.sender), self.inlet.into())
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
    ///
    /// # Cancel safety
    /// Cancel safe: no message is lost.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> {
        Recv { receiving: &mut self.whole, inlet: &mut self.inlet }
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
    #[inline]
    pub fn recv_ref(&mut self) -> impl Future<Output = Result<Option<(Event<'_>, &mut Sender)>, Error>> {
        RecvRef { receiving: Some(&mut self.whole), inlet: Some(&mut self.inlet) }
    }

    sending_methods!(impl Future<Output = Result<(), Error>>, async, .await, "# Cancel safety");
    receiving_methods!();
    whole_methods!(async, .await, "# Cancel safety");

    /// The sender, to queue fragments or prepared messages.
    pub fn sender(&mut self) -> &mut Sender {
        &mut self.whole.outlet.sender
    }

    /// The two halves, for two tasks.
    #[must_use]
    pub fn split(self) -> (Reader<S>, Writer<S>) {
        split::split(self)
    }

    /// The stream.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.whole.link.stream
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.whole.outlet.sender.queued_len()
    }

    fn with_halves<R>(&self, read: impl FnOnce(&Receiver, &Sender) -> R) -> R {
        read(&self.whole.receiver, &self.whole.outlet.sender)
    }

    fn with_sender<R>(&mut self, queue: impl FnOnce(&mut Sender) -> R) -> R {
        queue(self.sender())
    }

    fn now(&self) -> Timestamp {
        self.whole.link.now()
    }

    #[inline]
    fn flush_to(&mut self, rest: usize) -> impl Future<Output = Result<(), Error>> {
        let whole = &mut self.whole;
        poll_fn(move |cx| {
            let Whole { link, receiver, outlet } = &mut *whole;
            link.poll_flush(rest, Some(receiver), outlet, cx)
        })
    }
}
