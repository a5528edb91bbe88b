//! [`Reader`] and [`Writer`]: the two halves of a connection, for two tasks.

use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex};
use std::task::Wake;

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::link::Link;
use super::receive::{Advanced, Receiving, Recv, RecvRef};
use super::{WebSocket, Whole};
use crate::adapter::{Outlet, lock, receiving_methods, sending_methods};
use crate::pool::Inlet;
use crate::{CloseBody, Ending, Error, Event, Message, Outgoing, Receiver, Sender, State, Timestamp};

/// What the halves share. The lock is held while something is polled and never while somebody waits.
#[derive(Debug)]
struct Shared<S> {
    both: Mutex<Both<S>>,
    waiting: Arc<Waiting>,
    /// Wakes whichever half waits: the stream remembers one waker per direction, and both halves may write.
    waker: Waker,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    fn poll_advance(&self, receiver: &mut Receiver, inlet: &mut Inlet, cx: &Context<'_>) -> Poll<Advanced> {
        wait(&self.waiting.reader, cx);
        let mut both = lock(&self.both);
        let Both { link, outlet } = &mut *both;
        let polled = link.poll_advance(receiver, outlet, inlet, &mut Context::from_waker(&self.waker));
        drop(both);
        if matches!(polled, Poll::Ready(Ok(None) | Err(_))) {
            // The end concerns the writer, too.
            wake(&self.waiting.writer);
        }
        polled
    }

    fn poll_flush(&self, rest: usize, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        wait(&self.waiting.writer, cx);
        let mut both = lock(&self.both);
        let Both { link, outlet } = &mut *both;
        let polled = link.poll_flush(rest, None, outlet, &mut Context::from_waker(&self.waker));
        drop(both);
        if polled.is_pending() {
            // The reader's timers have a write to watch.
            wake(&self.waiting.reader);
        }
        polled
    }
}

#[derive(Debug)]
struct Both<S> {
    link: Link<S>,
    outlet: Outlet,
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
    let WebSocket { whole: Whole { link, receiver, outlet }, inlet, .. } = socket;
    let waiting = Arc::new(Waiting::default());
    let waker = Waker::from(Arc::clone(&waiting));
    let shared = Arc::new(Shared { both: Mutex::new(Both { link, outlet }), waiting, waker });
    (Reader { half: Half { receiver, shared: Arc::clone(&shared) }, inlet }, Writer { shared })
}

/// The receiving half of a [`WebSocket`]: it answers pings and Close frames, and the timers run while it is in
/// [`recv`](Self::recv).
///
/// Without it there are no pongs, no deadlines and no closing handshake: keep receiving while the [`Writer`] is in use.
#[derive(Debug)]
pub struct Reader<S> {
    half: Half<S>,
    inlet: Inlet,
}

/// A receiving half, but for the input.
#[derive(Debug)]
struct Half<S> {
    receiver: Receiver,
    shared: Arc<Shared<S>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiving for Half<S> {
    type Lent<'r>
        = Event<'r>
    where
        S: 'r;

    fn receiver(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    fn poll_advance(&mut self, inlet: &mut Inlet, cx: &mut Context<'_>) -> Poll<Advanced> {
        self.shared.poll_advance(&mut self.receiver, inlet, cx)
    }

    fn lend<'r>(&'r mut self, event: Event<'r>) -> Self::Lent<'r> {
        event
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    /// The next message; `None` when the connection has been closed, by whichever side.
    ///
    /// # Errors
    /// [`Protocol`](Error::Protocol), [`TimedOut`](Error::TimedOut), [`Io`](Error::Io). `Io` of the kind `Unsupported` where messages are
    /// delivered [in parts](crate::Config::with_parts): take them from [`recv_ref`](Self::recv_ref).
    ///
    /// # Cancel safety
    /// Cancel safe: no message is lost.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> {
        Recv { receiving: &mut self.half, inlet: &mut self.inlet }
    }

    /// The next event, lent; `None` when the connection has been closed, by whichever side.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Cancel safe: no event is lost.
    #[inline]
    pub fn recv_ref(&mut self) -> impl Future<Output = Result<Option<Event<'_>>, Error>> {
        RecvRef { receiving: Some(&mut self.half), inlet: Some(&mut self.inlet) }
    }

    receiving_methods!();

    fn with_halves<R>(&self, read: impl FnOnce(&Receiver, &Sender) -> R) -> R {
        read(&self.half.receiver, &lock(&self.half.shared.both).outlet.sender)
    }
}

impl<S> Drop for Half<S> {
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
    sending_methods!(impl Future<Output = Result<(), Error>>, async, .await, "# Cancel safety");

    /// Sends a Close frame; the [`Reader`] then receives what is still under way, and the end.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    ///
    /// # Cancel safety
    /// When the future is dropped, the Close frame is queued.
    pub async fn close(&mut self, body: impl Into<CloseBody>) -> Result<(), Error> {
        self.with_sender(|sender| sender.close(body));
        let flushed = self.flush().await;
        // The reader has a deadline to set.
        wake(&self.shared.waiting.reader);
        flushed
    }

    /// Lends the sender, to queue fragments or prepared messages.
    pub fn with_sender<R>(&mut self, queue: impl FnOnce(&mut Sender) -> R) -> R {
        queue(&mut lock(&self.shared.both).outlet.sender)
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        lock(&self.shared.both).outlet.sender.queued_len()
    }

    fn now(&self) -> Timestamp {
        lock(&self.shared.both).link.now()
    }

    #[inline]
    fn flush_to(&mut self, rest: usize) -> impl Future<Output = Result<(), Error>> {
        poll_fn(move |cx| self.shared.poll_flush(rest, cx))
    }
}
