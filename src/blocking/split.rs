//! [`Reader`] and [`Writer`]: the two halves of a connection, for two threads.

use core::time::Duration;
use std::sync::Arc;

use super::link::{Inbox, Outbox};
use super::{Stream, WebSocket};
use crate::adapter::{message, receiving_methods, sending_methods};
use crate::pool::Inlet;
use crate::{CloseBody, Ending, Error, Event, Message, Outgoing, Receiver, Sender, State, Timestamp};

#[derive(Debug)]
struct Shared<S> {
    stream: S,
    outbox: Outbox,
}

pub(super) fn split<S>(socket: WebSocket<S>) -> (Reader<S>, Writer<S>) {
    let WebSocket { stream, mut inbox, inlet, outbox, .. } = socket;
    // The writer may set deadlines while the reader waits: a Close frame is looked after at most one close timeout late.
    inbox.max_wait = inbox.receiver.close_timeout().unwrap_or(Duration::MAX);
    let shared = Arc::new(Shared { stream, outbox });
    (Reader { inbox, inlet, shared: Arc::clone(&shared) }, Writer { shared })
}

/// The receiving half of a [`WebSocket`]: it answers pings and Close frames, and the timers run while it is in
/// [`recv`](Self::recv).
///
/// Without it there are no pongs, no deadlines and no closing handshake: keep receiving while the [`Writer`] is in use.
#[derive(Debug)]
pub struct Reader<S> {
    inbox: Inbox,
    inlet: Inlet,
    shared: Arc<Shared<S>>,
}

impl<S> Reader<S>
where
    for<'s> &'s S: Stream,
{
    /// The next message; `None` when the connection has been closed, by whichever side.
    ///
    /// # Errors
    /// [`Protocol`](Error::Protocol), [`TimedOut`](Error::TimedOut), [`Io`](Error::Io). `Io` of the kind `Unsupported` where messages are
    /// delivered [in parts](crate::Config::with_parts): take them from [`recv_ref`](Self::recv_ref).
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        loop {
            if let Some(input) = self.inlet.get()
                && let Some(message) = self.inbox.receiver.copy_message_frame(input)
            {
                return Ok(Some(message));
            }
            let Some(event) = self.recv_ref()? else { return Ok(None) };
            if let Some(message) = message(event)? {
                return Ok(Some(message));
            }
        }
    }

    /// The next event, lent; `None` when the connection has been closed, by whichever side.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    #[inline(always)]
    pub fn recv_ref(&mut self) -> Result<Option<Event<'_>>, Error> {
        let Shared { stream, outbox } = &*self.shared;
        self.inbox.receive(&mut self.inlet, &mut &*stream, outbox)
    }

    receiving_methods!();

    fn with_halves<R>(&self, read: impl FnOnce(&Receiver, &Sender) -> R) -> R {
        read(&self.inbox.receiver, &self.shared.outbox.outlet().sender)
    }
}

/// The sending half of a [`WebSocket`]. Dropping it closes nothing.
#[derive(Debug)]
pub struct Writer<S> {
    shared: Arc<Shared<S>>,
}

impl<S> Writer<S>
where
    for<'s> &'s S: Stream,
{
    sending_methods!(Result<(), Error>);

    /// Sends a Close frame; the [`Reader`] then receives what is still under way, and the end.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn close(&mut self, body: impl Into<CloseBody>) -> Result<(), Error> {
        self.with_sender(|sender| sender.close(body));
        self.flush()
    }

    /// Lends the sender, to queue fragments or prepared messages.
    pub fn with_sender<R>(&mut self, queue: impl FnOnce(&mut Sender) -> R) -> R {
        queue(&mut self.shared.outbox.outlet().sender)
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.shared.outbox.outlet().sender.queued_len()
    }

    fn now(&self) -> Timestamp {
        self.shared.outbox.now()
    }

    fn flush_to(&mut self, rest: usize) -> Result<(), Error> {
        let Shared { stream, outbox } = &*self.shared;
        outbox.flush(&mut &*stream, rest, None)
    }
}
