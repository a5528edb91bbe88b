//! [`Writer`]: the sending half of a connection, for as many threads as want to send.

use core::fmt;
use std::sync::Arc;

use super::Stream;
use super::outbox::{Access, Goal, Outbox, Sending, flush, ready_then};
use super::split::Shared;
use super::timeout::Timeout;
#[cfg(feature = "deflate")]
use crate::Agreement;
use crate::adapter::Handle;
use crate::{CloseBody, Error, Outgoing, Response, SendError, Sender, State, Traffic};

/// The sending half of a [`WebSocket`](super::WebSocket): clone it for everyone who sends.
///
/// A message that is sent in fragments belongs to the writer that began it. Until it ends, others fail with
/// [`UnfinishedMessage`](SendError::UnfinishedMessage), and dropping that writer closes the connection with 1011. Dropping any other writer
/// does nothing.
pub struct Writer<S> {
    shared: Arc<Shared<S>>,
    handle: Handle,
}

impl<S> Writer<S> {
    pub(super) fn new(shared: Arc<Shared<S>>, handle: Handle) -> Self {
        Self { shared, handle }
    }

    pub(super) fn is_of(&self, shared: &Arc<Shared<S>>) -> bool {
        Arc::ptr_eq(&self.shared, shared)
    }
}

impl<S> Writer<S>
where
    for<'s> &'s S: Stream,
{
    /// Waits until the output is below the high-water mark; then [`queue`](Self::queue) has room, unless another writer takes it first.
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`TimedOut`](Error::TimedOut), and [`Closed`](SendError::Closed) when the end of the connection has been
    /// received or the [`Reader`](super::Reader) is gone. [`ClosedByPeer`](Error::ClosedByPeer) if the peer has said why.
    pub fn ready(&self) -> Result<(), Error> {
        self.ready_then(|_| Ok(()))
    }

    /// The message leaves with the next `flush`, `send` or returning read: a thread that waits in the [`Reader`](super::Reader) is not woken.
    ///
    /// It is queued without waiting.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`UnfinishedMessage`](SendError::UnfinishedMessage) or
    /// [`OutputFull`](SendError::OutputFull); nothing is queued then.
    pub fn queue<'m>(&self, message: impl Into<Outgoing<'m>>) -> Result<(), SendError> {
        let message = message.into();
        self.shared.outbox.sending().delivery.queue(message)
    }

    /// The fragment leaves with the next `flush`, `send` or returning read: a thread that waits in the [`Reader`](super::Reader) is not
    /// woken.
    ///
    /// It is queued without waiting; `last` ends the message (RFC 6455 5.4).
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`UnfinishedMessage`](SendError::UnfinishedMessage) while another writer sends fragments,
    /// [`MixedFragments`](SendError::MixedFragments) or [`OutputFull`](SendError::OutputFull); nothing is queued then.
    pub fn queue_fragment<'m>(&self, part: impl Into<Outgoing<'m>>, last: bool) -> Result<(), SendError> {
        let part = part.into();
        self.shared.outbox.sending().queue_fragment(self.handle, part, last)
    }

    /// The Close frame leaves with the next `flush`, `send` or returning read: a thread that waits in the [`Reader`](super::Reader) is not
    /// woken.
    ///
    /// It is queued without waiting, and begins the closing handshake (RFC 6455 7.1.2). Does nothing the second time.
    pub fn queue_close(&self, body: impl Into<CloseBody>) {
        let body = body.into();
        self.shared.outbox.sending().delivery.sender.close(body);
    }

    /// The message leaves with the next `flush`, `send` or returning read: a thread that waits in the [`Reader`](super::Reader) is not woken.
    ///
    /// This is [`ready`](Self::ready) and [`queue`](Self::queue) in one: however many writers there are, it never finds the output full.
    ///
    /// # Errors
    /// As these two.
    pub fn feed<'m>(&self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        let message = message.into();
        self.ready_then(|sending| sending.delivery.queue(message))
    }

    /// [`feed`](Self::feed), then [`flush`](Self::flush). When that fails, the peer may have received the message or not.
    ///
    /// # Errors
    /// As these two.
    pub fn send<'m>(&self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        self.feed(message)?;
        self.flush()
    }

    /// [`ready`](Self::ready), [`queue_fragment`](Self::queue_fragment), then [`flush`](Self::flush).
    ///
    /// # Errors
    /// As these three.
    pub fn send_fragment<'m>(&self, part: impl Into<Outgoing<'m>>, last: bool) -> Result<(), Error> {
        let part = part.into();
        self.ready_then(|sending| sending.queue_fragment(self.handle, part, last))?;
        self.flush()
    }

    /// Writes everything that is queued by now.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn flush(&self) -> Result<(), Error> {
        flush(&mut &*self.shared, Goal::Flushed, None, |_| Ok(()))
    }

    /// Sends a ping (RFC 6455 5.5.2) as soon as there is room. The pong is an event of the reader, and its `round_trip_time` tells how long
    /// it took.
    ///
    /// # Errors
    /// [`PingTooLong`](SendError::PingTooLong) above 125 bytes, and as [`send`](Self::send).
    pub fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.ready_then(|sending| sending.delivery.sender.ping(payload))?;
        self.flush()
    }

    /// Sends a Close frame; the [`Reader`](super::Reader) then receives what is still under way, and the end.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn close(&self, body: impl Into<CloseBody>) -> Result<(), Error> {
        self.queue_close(body);
        self.flush()
    }

    /// Where the connection is between open and closed, as far as a writer can tell.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.outbox.sending().delivery.state()
    }

    /// True while the output is below [`Config::high_water_len`](crate::Config::high_water_len): a good moment to queue.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.look(Sender::is_ready)
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.look(Sender::queued_len)
    }

    /// What was queued so far by all writers, for metrics; nothing when the reader is gone.
    #[must_use]
    pub fn sent(&self) -> Traffic {
        self.look(Sender::sent)
    }

    /// What the opening handshake agreed on for compression (RFC 7692); `None` if nothing, or when the reader is gone.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn agreement(&self) -> Option<Agreement> {
        self.look(Sender::agreement)
    }

    /// The subprotocol that the opening handshake settled on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.negotiated.as_ref()?.subprotocol()
    }

    /// The server's response, on a client.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        self.shared.negotiated.as_ref()?.response()
    }

    fn look<R>(&self, look: impl FnOnce(&Sender) -> R) -> R {
        look(&self.shared.outbox.sending().delivery.sender)
    }

    fn ready_then(&self, queue: impl FnOnce(&mut Sending) -> Result<(), SendError>) -> Result<(), Error> {
        ready_then(&mut &*self.shared, None, queue)
    }
}

/// A writer only writes.
impl<S> Access for &Shared<S>
where
    for<'s> &'s S: Stream,
{
    fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    fn write<R>(
        &mut self,
        may_wait: bool,
        run: impl FnOnce(&Outbox, &mut dyn Stream, &mut Timeout) -> R,
    ) -> Option<R> {
        Shared::<S>::write(self, may_wait, run)
    }
}

impl<S> Clone for Writer<S> {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        let handle = shared.outbox.sending().handles.add();
        Self::new(shared, handle)
    }
}

impl<S> Drop for Writer<S> {
    fn drop(&mut self) {
        let Sending { delivery, handles, .. } = &mut *self.shared.outbox.sending();
        handles.remove(self.handle, &mut delivery.sender);
    }
}

impl<S> fmt::Debug for Writer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
