//! [`Reader`]: the receiving half of a connection, and how the halves part and meet.

use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::inbox::{Inbox, Recv, RecvRef};
use super::shared::{ReaderShare, Shared};
use super::{WebSocket, Writer};
#[cfg(feature = "deflate")]
use crate::Agreement;
use crate::adapter::pool::PooledInput;
use crate::adapter::{Handle, ReuniteError};
use crate::{Ending, Error, Event, Message, Response, Sender, State, Traffic};

pub(super) fn split<S>(socket: WebSocket<S>) -> (Reader<S>, Writer<S>) {
    let WebSocket { inbox: Inbox { receiver, life, access, .. }, pooled, negotiated, .. } = socket;
    let shared = Arc::new(Shared::new(access, negotiated));
    let reader = Reader { inbox: Inbox::new(receiver, life, ReaderShare(Arc::clone(&shared))), pooled };
    (reader, Writer::new(shared, Handle::default()))
}

/// The receiving half of a [`WebSocket`]: it answers pings and Close frames, and the timers run while it is in
/// [`recv`](Self::recv).
///
/// Without it there are no pongs, no deadlines and no closing handshake: keep receiving while a [`Writer`] is in use. Dropping it ends
/// the connection: the stream is dropped, and writers fail with [`SendError::Closed`](crate::SendError::Closed).
#[derive(Debug)]
pub struct Reader<S> {
    pub(super) inbox: Inbox<ReaderShare<S>>,
    pub(super) pooled: PooledInput,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    /// The next message; `None` when the connection has been closed. As [`WebSocket::recv`].
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    ///
    /// # Cancel safety
    /// Cancel safe: no message is lost.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> {
        Recv { inbox: &mut self.inbox, pooled: &mut self.pooled }
    }

    /// The next event, lent; `None` when the connection has been closed. As [`WebSocket::recv_ref`], but a [`Writer`] is what sends.
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    ///
    /// # Cancel safety
    /// Cancel safe: no event is lost.
    #[inline]
    pub fn recv_ref(&mut self) -> impl Future<Output = Result<Option<Event<'_>>, Error>> {
        RecvRef { inbox: Some(&mut self.inbox), pooled: Some(&mut self.pooled) }
    }

    /// [`recv`](Self::recv), for a future written by hand.
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.inbox.poll_message(&mut self.pooled, cx)
    }

    /// Puts the halves together again, whatever other writers there are: these fail with
    /// [`SendError::Closed`](crate::SendError::Closed) from now on.
    ///
    /// # Errors
    /// [`ReuniteError`], with both halves in it, when they are of two connections.
    pub fn reunite(self, writer: Writer<S>) -> Result<WebSocket<S>, ReuniteError<(Self, Writer<S>)>> {
        if !writer.is_of(&self.inbox.access.0) {
            return Err(ReuniteError::new((self, writer)));
        }
        let Self { inbox: Inbox { receiver, life, access, .. }, pooled } = self;
        let driver = access.0.take();
        let negotiated = access.0.negotiated.clone();
        Ok(WebSocket::from_inbox(Inbox::new(receiver, life, driver), pooled, negotiated))
    }

    /// Where the connection is between open and closed.
    #[must_use]
    pub fn state(&self) -> State {
        let receiver = &self.inbox.receiver;
        self.look(|sender| receiver.state(sender))
    }

    /// How the connection ended; `None` until it has.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        let receiver = &self.inbox.receiver;
        self.look(|sender| receiver.ending(sender))
    }

    /// What was received so far, for metrics: see the guide on [operating](crate::guide::operating).
    #[must_use]
    pub fn received(&self) -> Traffic {
        self.inbox.receiver.received()
    }

    /// What was queued so far by all writers, for metrics.
    #[must_use]
    pub fn sent(&self) -> Traffic {
        self.look(Sender::sent)
    }

    /// How long the connection has been open.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.inbox.access.0.age()
    }

    /// How long the peer took to answer the last ping that it answered, keepalive pings included.
    #[must_use]
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.look(Sender::round_trip_time)
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
        self.inbox.access.0.negotiated.as_ref()?.subprotocol()
    }

    /// The server's response, on a client.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        self.inbox.access.0.negotiated.as_ref()?.response()
    }

    fn look<R>(&self, look: impl FnOnce(&Sender) -> R) -> R {
        self.inbox.access.0.look(|delivery| look(&delivery.sender))
    }
}
