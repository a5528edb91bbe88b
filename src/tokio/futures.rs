//! [`Stream`] and [`Sink`] for sockets and halves, feature `futures`.

use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use ::tokio::io::{AsyncRead, AsyncWrite};
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

use super::shared::Waiting;
use super::{Reader, WebSocket, Writer};
use crate::{Error, Message};

/// The next messages, as [`recv`](WebSocket::recv) returns them. An error comes once, and then `None`.
///
/// `StreamExt::split` takes a socket apart for two tasks, too. [`WebSocket::split`] does without a lock around all of it, and its
/// [`Writer`] is `Clone`.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use std::pin::pin;
/// use futures_core::Stream;
/// use tidewire::{Config, tokio::pair};
///
/// let (mut client, mut server) = pair(Config::new());
/// client.send("Hello").await?;
/// let next = std::future::poll_fn(|cx| pin!(&mut server).poll_next(cx));
/// assert_eq!(next.await.transpose()?, Some("Hello".into()));
/// # Ok::<(), tidewire::Error>(()) })?;
/// # Ok::<(), tidewire::Error>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "futures")))]
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { inbox, pooled, tasks, .. } = self.get_mut();
        let Both { waiting, waker } = tasks.both();
        waiting.wait_reader(cx.waker());
        let before = inbox.access.news();
        let polled = inbox.poll_item(pooled, &mut Context::from_waker(waker));
        if inbox.access.news().is_for_writers(before) {
            waiting.wake_writers();
        }
        polled
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "futures")))]
impl<S: AsyncRead + AsyncWrite + Unpin> FusedStream for WebSocket<S> {
    fn is_terminated(&self) -> bool {
        self.inbox.is_exhausted
    }
}

/// As [`poll_ready`](WebSocket::poll_ready), [`queue`](WebSocket::queue), [`poll_flush`](WebSocket::poll_flush) and
/// [`poll_close`](WebSocket::poll_close).
///
/// A message that follows a ready `poll_ready` never finds the output full. Nothing of this reads. So after `SinkExt::close`, receive
/// until there is nothing more: the peer's answer comes there.
#[cfg_attr(docsrs, doc(cfg(feature = "futures")))]
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        let polled = this.poll_sink(cx, Self::poll_ready);
        this.tasks.is_room_promised = matches!(polled, Poll::Ready(Ok(())));
        polled
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let Self { inbox, tasks, .. } = self.get_mut();
        inbox.access.delivery.start_send(message, mem::take(&mut tasks.is_room_promised))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_sink(cx, Self::poll_flush)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_sink(cx, Self::poll_close)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Polls for the task that sends, and wakes the one that receives if it has to hear of something.
    fn poll_sink<R>(
        &mut self,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let mut tasks = mem::take(&mut self.tasks);
        tasks.wait_sender(cx.waker());
        let before = self.inbox.access.news();
        let polled = poll(self, &mut Context::from_waker(&tasks.both().waker));
        if self.inbox.access.news().is_for_reader(before) {
            tasks.both().waiting.wake_reader();
        }
        self.tasks = tasks;
        polled
    }
}

/// The next messages, as [`recv`](Reader::recv) returns them. An error comes once, and then `None`.
#[cfg_attr(docsrs, doc(cfg(feature = "futures")))]
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for Reader<S> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { inbox, pooled } = self.get_mut();
        inbox.poll_item(pooled, cx)
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "futures")))]
impl<S: AsyncRead + AsyncWrite + Unpin> FusedStream for Reader<S> {
    fn is_terminated(&self) -> bool {
        self.inbox.is_exhausted
    }
}

/// As [`poll_ready`](Writer::poll_ready), [`queue`](Writer::queue), [`poll_flush`](Writer::poll_flush) and
/// [`poll_close`](Writer::poll_close).
///
/// A message that follows a ready `poll_ready` never finds the output full. Each clone may go beyond the output limit by one message. It
/// fails with [`UnfinishedMessage`](crate::SendError::UnfinishedMessage) while another writer sends fragments.
#[cfg_attr(docsrs, doc(cfg(feature = "futures")))]
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for Writer<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        let polled = Self::poll_ready(this, cx);
        this.is_room_promised = matches!(polled, Poll::Ready(Ok(())));
        polled
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.get_mut().start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Self::poll_flush(self.get_mut(), cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Self::poll_close(self.get_mut(), cx)
    }
}

/// The tasks that use a socket as a [`Stream`] and as a [`Sink`]: two after `StreamExt::split`.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    both: Option<Both>,
    /// The place of the task that sends.
    key: Option<u64>,
    /// What is sent next may go beyond the output limit.
    is_room_promised: bool,
}

/// Whoever receives also writes what is owed, and whoever sends sets the timer. A stream and a timer remember one waker each. So they get one
/// that wakes both tasks.
#[derive(Debug)]
struct Both {
    waiting: Arc<Waiting>,
    waker: Waker,
}

impl Tasks {
    fn both(&mut self) -> &Both {
        self.both.get_or_insert_with(|| {
            let waiting = Arc::<Waiting>::default();
            Both { waker: Waker::from(Arc::clone(&waiting)), waiting }
        })
    }

    fn wait_sender(&mut self, waker: &Waker) {
        let mut key = self.key.take();
        self.both().waiting.add(&mut key, waker);
        self.key = key;
    }
}
