//! [`Reader`] and [`Writer`]: the two halves of a connection, for two threads.

use core::time::Duration;
use std::sync::Arc;

use super::link::{Deadlines, Inbox, Outbox};
use super::{Stream, WebSocket};
use crate::{CloseFrame, Closure, Error, Event, Message, Outgoing, Sender, State};

#[derive(Debug)]
struct Shared<S> {
    stream: S,
    outbox: Outbox,
}

pub(super) fn split<S>(socket: WebSocket<S>) -> (Reader<S>, Writer<S>) {
    let WebSocket { stream, mut inbox, outbox, .. } = socket;
    // The writer may set deadlines while the reader waits: a Close frame is looked after at most one close timeout late.
    inbox.max_wait = inbox.receiver.close_timeout();
    let write_timeout = inbox.receiver.write_timeout();
    let shared = Arc::new(Shared { stream, outbox });
    (Reader { inbox, shared: Arc::clone(&shared) }, Writer { shared, write_timeout })
}

/// The receiving half of a [`WebSocket`]: it answers pings and Close frames, and the timers run while it is in
/// [`recv`](Self::recv).
///
/// Without it there are no pongs, no deadlines and no closing handshake: keep receiving while the [`Writer`] is in use.
#[derive(Debug)]
pub struct Reader<S> {
    inbox: Inbox,
    shared: Arc<Shared<S>>,
}

impl<S> Reader<S>
where
    for<'s> &'s S: Stream,
{
    /// The next message; `None` when the connection has been closed, by whichever side.
    ///
    /// # Errors
    /// [`Protocol`](Error::Protocol), [`TimedOut`](Error::TimedOut), [`Io`](Error::Io).
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        while let Some(event) = self.recv_ref()? {
            if let Some(message) = event.into_message() {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// The next event, lent; `None` when the connection has been closed, by whichever side.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_ref(&mut self) -> Result<Option<Event<'_>>, Error> {
        let Shared { stream, outbox } = &*self.shared;
        let ready = self.inbox.advance(&mut &*stream, outbox)?;
        Ok(ready.map(|ready| self.inbox.input.lend(ready)))
    }

    /// Where the connection is between open and closed.
    #[must_use]
    pub fn state(&self) -> State {
        self.inbox.receiver.state(&self.shared.outbox.sender())
    }

    /// How long the peer took to answer the last ping that it answered, keepalive pings included.
    #[must_use]
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.shared.outbox.sender().round_trip_time()
    }

    /// How the connection ended; `None` until it has.
    #[must_use]
    pub fn closed_with(&self) -> Option<Closure> {
        self.inbox.receiver.closed_with(&self.shared.outbox.sender())
    }
}

/// The sending half of a [`WebSocket`]. Dropping it closes nothing.
#[derive(Debug)]
pub struct Writer<S> {
    shared: Arc<Shared<S>>,
    write_timeout: Option<Duration>,
}

impl<S> Writer<S>
where
    for<'s> &'s S: Stream,
{
    /// Waits until the output is below the high-water mark; then [`queue`](Self::queue) has room.
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`TimedOut`](Error::TimedOut), and [`SendError::Closed`](crate::SendError::Closed) when the [`Reader`] has
    /// seen the end of the connection.
    pub fn ready(&mut self) -> Result<(), Error> {
        let rest = self.shared.outbox.sender().ready_len();
        self.flush_to(rest)
    }

    /// Queues a message without writing it.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub fn queue<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        Ok(self.shared.outbox.sender().send(message)?)
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

    /// Sends a ping; the [`Reader`] receives the pong.
    ///
    /// # Errors
    /// As [`Sender::ping`] and [`flush`](Self::flush).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.shared.outbox.ping(payload)?;
        self.flush()
    }

    /// Sends a Close frame; the [`Reader`] then receives what is still under way, and the end.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn close(&mut self, frame: impl Into<Option<CloseFrame>>) -> Result<(), Error> {
        self.shared.outbox.sender().close(frame);
        self.flush()
    }

    /// Lends the sender, to queue fragments or prepared messages.
    pub fn with_sender<R>(&mut self, queue: impl FnOnce(&mut Sender) -> R) -> R {
        queue(&mut self.shared.outbox.sender())
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.shared.outbox.sender().queued_len()
    }

    fn flush_to(&mut self, rest: usize) -> Result<(), Error> {
        let Shared { stream, outbox } = &*self.shared;
        outbox.flush(&mut &*stream, rest, Deadlines::Write(self.write_timeout))
    }
}
