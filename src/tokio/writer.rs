//! [`Writer`]: the sending half of a connection, for as many tasks as want to send.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, ready};
use std::sync::Arc;

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::driver::Driver;
use super::shared::{Shareable, Shared, Waiter};
#[cfg(feature = "deflate")]
use crate::Agreement;
#[cfg(feature = "futures")]
use crate::Message;
use crate::adapter::{Delivery, Handle, Handles};
use crate::{CloseBody, Error, Outgoing, Response, SendError, Sender, State, Traffic};

/// The sending half of a [`WebSocket`](super::WebSocket): clone it for everyone who sends.
///
/// A message that is sent in fragments belongs to the writer that began it. Until it ends, others fail with
/// [`UnfinishedMessage`](SendError::UnfinishedMessage), and dropping that writer closes the connection with 1011. Dropping any other writer
/// does nothing.
pub struct Writer<S> {
    shared: Arc<Shared<S>>,
    handle: Handle,
    /// Its place among those that wait, between two calls of `poll_` methods.
    key: Option<u64>,
    /// How far it flushes, between two calls of [`poll_flush`](Self::poll_flush).
    end: Option<u64>,
    /// What is sent next may go beyond the output limit.
    #[cfg(feature = "futures")]
    pub(super) is_room_promised: bool,
}

impl<S> Writer<S> {
    pub(super) fn new(shared: Arc<Shared<S>>, handle: Handle) -> Self {
        Self {
            shared,
            handle,
            key: None,
            end: None,
            #[cfg(feature = "futures")]
            is_room_promised: false,
        }
    }

    pub(super) fn is_of(&self, shared: &Arc<Shared<S>>) -> bool {
        Arc::ptr_eq(&self.shared, shared)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Writer<S> {
    /// Waits until the output is below the high-water mark; then [`queue`](Self::queue) has room, unless another writer takes it first.
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`TimedOut`](Error::TimedOut), and [`Closed`](SendError::Closed) when the connection has ended before all was
    /// written, or the [`Reader`](super::Reader) is gone. [`ClosedByPeer`](Error::ClosedByPeer) if the peer has said why.
    ///
    /// After an orderly end there is nothing to wait for, and `queue` tells that it is over.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ready(&self) -> Result<(), Error> {
        self.wait(|driver, _, cx| driver.poll_ready(None, cx)).await
    }

    /// Queues a message without waiting. It wakes the reader, which writes the message.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`UnfinishedMessage`](SendError::UnfinishedMessage) or
    /// [`OutputFull`](SendError::OutputFull); nothing is queued then.
    pub fn queue<'m>(&self, message: impl Into<Outgoing<'m>>) -> Result<(), SendError> {
        let message = message.into();
        self.shared.run(|driver, _| driver.delivery.queue(message))
    }

    /// Queues a fragment of a message without waiting; `last` ends the message (RFC 6455 5.4).
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`UnfinishedMessage`](SendError::UnfinishedMessage) while another writer sends fragments,
    /// [`MixedFragments`](SendError::MixedFragments) or [`OutputFull`](SendError::OutputFull); nothing is queued then.
    pub fn queue_fragment<'m>(&self, part: impl Into<Outgoing<'m>>, last: bool) -> Result<(), SendError> {
        let part = part.into();
        self.shared.run(|driver, handles| {
            handles.queue_fragment(self.handle, &mut driver.delivery.sender, part, last)
        })
    }

    /// Queues a Close frame without waiting, which begins the closing handshake (RFC 6455 7.1.2). Does nothing the second time.
    pub fn queue_close(&self, body: impl Into<CloseBody>) {
        let body = body.into();
        self.shared.run(|driver, _| driver.delivery.sender.close(body));
    }

    /// [`ready`](Self::ready) and [`queue`](Self::queue) in one: however many writers there are, it never finds the output full.
    ///
    /// # Errors
    /// As these two.
    ///
    /// # Cancel safety
    /// When the future is dropped before it is ready, the message is not queued.
    pub async fn feed<'m>(&self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        let mut message = Some(message.into());
        self.wait(|driver, _, cx| driver.poll_feed(&mut message, None, cx)).await
    }

    /// [`feed`](Self::feed), then [`flush`](Self::flush).
    ///
    /// # Errors
    /// As these two.
    ///
    /// # Cancel safety
    /// When the future is dropped, the message may be queued or not, and nothing tells which; it is never queued in part. Where that
    /// matters, use `feed` and then `flush`.
    pub async fn send<'m>(&self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        let (mut message, mut end) = (Some(message.into()), None);
        self.wait(|driver, _, cx| {
            ready!(driver.poll_feed(&mut message, None, cx))?;
            driver.poll_flush_to(&mut end, cx)
        })
        .await
    }

    /// [`ready`](Self::ready), [`queue_fragment`](Self::queue_fragment), then [`flush`](Self::flush).
    ///
    /// # Errors
    /// As these three.
    ///
    /// # Cancel safety
    /// As [`send`](Self::send), for the fragment.
    pub async fn send_fragment<'m>(&self, part: impl Into<Outgoing<'m>>, last: bool) -> Result<(), Error> {
        let (mut part, mut end) = (Some(part.into()), None);
        self.wait(|driver, handles, cx| {
            if part.is_some() {
                ready!(driver.poll_ready(None, cx))?;
            }
            if let Some(part) = part.take() {
                let queued = handles.queue_fragment(self.handle, &mut driver.delivery.sender, part, last);
                queued.map_err(|error| driver.delivery.explain(error))?;
            }
            driver.poll_flush_to(&mut end, cx)
        })
        .await
    }

    /// Writes everything that is queued by now.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Cancel safe: what is not written stays queued.
    pub async fn flush(&self) -> Result<(), Error> {
        let mut end = None;
        self.wait(|driver, _, cx| driver.poll_flush_to(&mut end, cx)).await
    }

    /// Sends a ping (RFC 6455 5.5.2) as soon as there is room. The pong is an event of the reader, and its `round_trip_time` tells how long
    /// it took.
    ///
    /// # Errors
    /// [`PingTooLong`](SendError::PingTooLong) above 125 bytes, and as [`send`](Self::send).
    ///
    /// # Cancel safety
    /// As [`send`](Self::send), for the ping.
    pub async fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        let (mut payload, mut end) = (Some(payload), None);
        self.wait(|driver, _, cx| {
            ready!(driver.poll_ping(&mut payload, None, cx))?;
            driver.poll_flush_to(&mut end, cx)
        })
        .await
    }

    /// Sends a Close frame; the [`Reader`](super::Reader) then receives what is still under way, and the end.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    ///
    /// # Cancel safety
    /// When the future is dropped after its first poll, the Close frame is queued.
    pub async fn close(&self, body: impl Into<CloseBody>) -> Result<(), Error> {
        self.queue_close(body);
        self.flush().await
    }

    /// [`ready`](Self::ready), for a future written by hand.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Waiter::poll_at(&self.shared, &mut self.key, cx, |driver, _, cx| driver.poll_ready(None, cx))
    }

    /// [`flush`](Self::flush), for a future written by hand.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { shared, key, end, .. } = self;
        let polled = Waiter::poll_at(shared, key, cx, |driver, _, cx| driver.poll_flush_to(end, cx));
        if polled.is_ready() {
            *end = None;
        }
        polled
    }

    /// Queues a Close frame with 1000, unless one is queued already, and writes everything that is queued.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Waiter::poll_at(&self.shared, &mut self.key, cx, |driver, _, cx| driver.poll_close(None, cx))
    }

    /// Queues a message, beyond the output limit if room was promised.
    #[cfg(feature = "futures")]
    pub(super) fn start_send(&mut self, message: Message) -> Result<(), Error> {
        // A flush that was given up would end before this message.
        self.end = None;
        let is_promised = core::mem::take(&mut self.is_room_promised);
        self.shared.run(|driver, _| driver.delivery.start_send(message, is_promised))
    }

    /// Where the connection is between open and closed, as far as a writer can tell.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.look(Delivery::state)
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
        self.shared.look(|delivery| look(&delivery.sender))
    }

    async fn wait<R>(
        &self,
        mut run: impl FnMut(&mut Driver<Shareable<S>>, &mut Handles, &mut Context<'_>) -> Poll<R>,
    ) -> R {
        let mut waiter = Waiter::new(&self.shared);
        poll_fn(|cx| waiter.poll(cx, &mut run)).await
    }
}

impl<S> Clone for Writer<S> {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        let handle = shared.add_handle();
        Self::new(shared, handle)
    }
}

impl<S> Drop for Writer<S> {
    fn drop(&mut self) {
        self.shared.remove_handle(self.handle, &mut self.key);
    }
}

impl<S> fmt::Debug for Writer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
