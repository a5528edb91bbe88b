//! [`Reader`] and [`Writer`]: the two halves of a connection, for two tasks.

use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex};
use std::task::Wake;

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::WebSocket;
use super::link::Link;
use crate::adapter::lock;
use crate::{CloseFrame, Closure, Error, Event, Input, Message, Outgoing, Ready, Receiver, Sender, State};

/// What the halves share. The lock is held while something is polled and never while somebody waits.
#[derive(Debug)]
struct Shared<S> {
    both: Mutex<Both<S>>,
    waiting: Arc<Waiting>,
    /// Wakes whichever half waits: the stream remembers one waker per direction, and both halves may write.
    waker: Waker,
}

#[derive(Debug)]
struct Both<S> {
    link: Link<S>,
    sender: Sender,
}

/// The halves that wait: one slot each, so that neither loses the other's wake-up.
#[derive(Debug, Default)]
struct Waiting {
    reader: Mutex<Option<Waker>>,
    writer: Mutex<Option<Waker>>,
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        wake(&self.reader);
        wake(&self.writer);
    }
}

fn wake(slot: &Mutex<Option<Waker>>) {
    let waker = lock(slot).take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn wait(slot: &Mutex<Option<Waker>>, cx: &Context<'_>) {
    *lock(slot) = Some(cx.waker().clone());
}

pub(super) fn split<S>(socket: WebSocket<S>) -> (Reader<S>, Writer<S>) {
    let (receiver, sender) = socket.connection.split();
    let waiting = Arc::new(Waiting::default());
    let waker = Waker::from(Arc::clone(&waiting));
    let shared = Arc::new(Shared { both: Mutex::new(Both { link: socket.link, sender }), waiting, waker });
    let reader = Reader { receiver, input: socket.input, shared: Arc::clone(&shared) };
    (reader, Writer { shared })
}

/// The receiving half of a [`WebSocket`]: it answers pings and Close frames, and the timers run while it is in
/// [`recv`](Self::recv).
///
/// Without it there are no pongs, no deadlines and no closing handshake: keep receiving while the [`Writer`] is in use.
#[derive(Debug)]
pub struct Reader<S> {
    receiver: Receiver,
    input: Input,
    shared: Arc<Shared<S>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    /// The next message; `None` when the connection has been closed, by whichever side.
    ///
    /// # Errors
    /// [`Protocol`](Error::Protocol), [`TimedOut`](Error::TimedOut), [`Io`](Error::Io).
    ///
    /// # Cancel safety
    /// Cancel safe: no message is lost.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        while let Some(event) = self.recv_ref().await? {
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
    ///
    /// # Cancel safety
    /// Cancel safe: no event is lost.
    pub async fn recv_ref(&mut self) -> Result<Option<Event<'_>>, Error> {
        let ready = poll_fn(|cx| self.poll_advance(cx)).await?;
        Ok(ready.map(|ready| self.input.lend(ready)))
    }

    /// Where the connection is between open and closed.
    #[must_use]
    pub fn state(&self) -> State {
        self.receiver.state(&lock(&self.shared.both).sender)
    }

    /// How long the peer took to answer the last ping that it answered, keepalive pings included.
    #[must_use]
    pub fn round_trip_time(&self) -> Option<Duration> {
        lock(&self.shared.both).sender.round_trip_time()
    }

    /// How the connection ended; `None` until it has.
    #[must_use]
    pub fn closed_with(&self) -> Option<Closure> {
        self.receiver.closed_with(&lock(&self.shared.both).sender)
    }

    fn poll_advance(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Ready>, Error>> {
        let Shared { both, waiting, waker } = &*self.shared;
        wait(&waiting.reader, cx);
        let mut both = lock(both);
        let Both { link, sender } = &mut *both;
        let polled =
            link.poll_advance(&mut self.receiver, sender, &mut self.input, &mut Context::from_waker(waker));
        drop(both);
        if matches!(polled, Poll::Ready(Ok(None) | Err(_))) {
            // The end concerns the writer, too.
            wake(&waiting.writer);
        }
        polled
    }
}

impl<S> Drop for Reader<S> {
    fn drop(&mut self) {
        wake(&self.shared.waiting.writer);
    }
}

/// The sending half of a [`WebSocket`]. Dropping it closes nothing.
#[derive(Debug)]
pub struct Writer<S> {
    shared: Arc<Shared<S>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Writer<S> {
    /// Waits until the output is below the high-water mark; then [`queue`](Self::queue) has room.
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`TimedOut`](Error::TimedOut), and [`SendError::Closed`](crate::SendError::Closed) when the [`Reader`] has
    /// seen the end of the connection.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ready(&mut self) -> Result<(), Error> {
        poll_fn(|cx| {
            let rest = lock(&self.shared.both).sender.ready_len();
            self.poll_flush(rest, cx)
        })
        .await
    }

    /// Queues a message without writing it.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub fn queue<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        Ok(lock(&self.shared.both).sender.send(message)?)
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

    /// Sends a ping; the [`Reader`] receives the pong.
    ///
    /// # Errors
    /// As [`Sender::ping`] and [`flush`](Self::flush).
    ///
    /// # Cancel safety
    /// When the future is dropped, the ping is queued.
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        {
            let Both { link, sender } = &mut *lock(&self.shared.both);
            sender.ping(payload)?;
            sender.measure(link.now());
        }
        self.flush().await
    }

    /// Sends a Close frame; the [`Reader`] then receives what is still under way, and the end.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    ///
    /// # Cancel safety
    /// When the future is dropped, the Close frame is queued.
    pub async fn close(&mut self, frame: impl Into<Option<CloseFrame>>) -> Result<(), Error> {
        lock(&self.shared.both).sender.close(frame);
        let flushed = self.flush().await;
        // The reader has a deadline to set.
        wake(&self.shared.waiting.reader);
        flushed
    }

    /// Lends the sender, to queue fragments or prepared messages.
    pub fn with_sender<R>(&mut self, queue: impl FnOnce(&mut Sender) -> R) -> R {
        queue(&mut lock(&self.shared.both).sender)
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        lock(&self.shared.both).sender.queued_len()
    }

    fn poll_flush(&mut self, rest: usize, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        let Shared { both, waiting, waker } = &*self.shared;
        wait(&waiting.writer, cx);
        let mut both = lock(both);
        let Both { link, sender } = &mut *both;
        let polled = link.poll_flush(rest, None, sender, &mut Context::from_waker(waker));
        drop(both);
        if polled.is_pending() {
            // The reader's timers have a write to watch.
            wake(&waiting.reader);
        }
        polled
    }
}
