//! [`Driver`]: moves bytes between a stream and a connection, and keeps the deadlines: everything that can be pending.

use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::alarm::Alarm;
use super::transport::{Goal, Transport, unbudgeted};
use crate::adapter::pool::PooledInput;
use crate::adapter::{Delivery, events};
use crate::{CloseCode, Error, Outgoing, Receiver, TransportAction};

/// A stream and what is owed to it.
#[derive(Debug)]
pub(super) struct Driver<S> {
    pub(super) transport: Transport<S>,
    pub(super) delivery: Delivery,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Writes what is owed, reads once and keeps the deadlines; false when the transport has ended.
    pub(super) fn poll_transfer(
        &mut self,
        receiver: &mut Receiver,
        pooled: &mut PooledInput,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, Error>> {
        if !receiver.is_settled(&self.delivery.sender)
            && let Poll::Ready(ended) = self.poll_settle(receiver, cx)
        {
            return Poll::Ready(ended.map(|()| false));
        }
        let read = match self.poll_read(pooled, cx) {
            Poll::Ready(read) => read,
            Poll::Pending => match ready!(self.poll_wait(receiver, pooled, cx)) {
                Some(read) => read,
                None => return Poll::Ready(Ok(true)),
            },
        };
        match read {
            Ok(()) => Poll::Ready(Ok(true)),
            Err(error) => Poll::Ready(self.delivery.read_failed(receiver, pooled, error).map(|()| true)),
        }
    }

    fn poll_read(&mut self, pooled: &mut PooledInput, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // After the end there is nothing to read, but perhaps something to write.
        if pooled.is_eof() {
            return Poll::Pending;
        }
        self.transport.poll_read(pooled, Some(self.delivery.sender.storage()), cx)
    }

    /// Waits for the next deadline and does what is due then, unless there was something to read all the same.
    fn poll_wait(
        &mut self,
        receiver: &mut Receiver,
        pooled: &mut PooledInput,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<()>>> {
        let sender = &mut self.delivery.sender;
        // As a rule there is nothing that would need the time.
        let deadline = match receiver.resting_timeout(sender) {
            Some(deadline) => deadline,
            None => receiver.poll_timeout(self.transport.now(), sender).into(),
        };
        ready!(self.transport.poll_sleep(deadline, cx));
        // The stream says that there is nothing to read and no room also when the task has used its budget up. What lies in it counts first.
        if deadline.is_due(self.transport.now())
            && let Poll::Ready(read) = unbudgeted(cx, |cx| {
                self.poll_owed(cx);
                self.poll_read(pooled, cx)
            })
        {
            return Poll::Ready(Some(read));
        }
        // A timeout shows in the transport action.
        let _ = receiver.handle_timeout(self.transport.now(), &mut self.delivery.sender);
        Poll::Ready(None)
    }

    /// Writes what is owed, and ends what is over: ready when the transport has ended.
    // Never inlined: most reads pass by.
    #[inline(never)]
    fn poll_settle(&mut self, receiver: &mut Receiver, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_owed(cx);
        let Self { transport, delivery } = self;
        match delivery.transport_action(receiver, || transport.now()) {
            TransportAction::KeepOpen | TransportAction::AwaitEof => Poll::Pending,
            TransportAction::ShutdownWrite => {
                self.poll_shutdown(cx);
                Poll::Pending
            }
            TransportAction::Close => {
                let ended = delivery.end(receiver);
                // The peer sees the end even if the stream is kept.
                self.poll_shutdown(cx);
                Poll::Ready(ended)
            }
        }
    }

    /// Writes what is owed as far as there is room; that it fails shows later.
    fn poll_owed(&mut self, cx: &mut Context<'_>) {
        if self.delivery.check().is_ok() {
            let _ = self.poll_drain(Goal::ALL, cx);
        }
    }

    /// Sends the reply to a control frame at once, however long the caller takes to come back.
    pub(super) fn send_reply(&mut self, receiver: &mut Receiver, cx: &mut Context<'_>) {
        receiver.poll_timeout(self.transport.now(), &mut self.delivery.sender);
        self.delivery.hear(receiver);
        let _ = self.poll_flush(Goal::ALL, None, cx);
    }

    /// Writes as far as `goal` says.
    ///
    /// The write deadline is kept meanwhile, if the half that has it is here.
    #[inline]
    pub(super) fn poll_flush(
        &mut self,
        goal: Goal,
        receiver: Option<&mut Receiver>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let sender = &self.delivery.sender;
        let is_there = match goal {
            Goal::Room(rest) => sender.queued_len() <= rest,
            Goal::Flushed(end) => !sender.owes() || self.transport.flushed >= end,
        };
        if is_there && !self.delivery.is_broken() {
            return Poll::Ready(Ok(()));
        }
        self.poll_flush_owed(goal, receiver, cx)
    }

    /// Writes what is queued when this is first called, at the position `end` from then on.
    pub(super) fn poll_flush_to(
        &mut self,
        end: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let end = *end.get_or_insert_with(|| self.delivery.sender.end_of_output());
        self.poll_flush(Goal::Flushed(end), None, cx)
    }

    // Never inlined, so that `poll_flush` always is.
    #[inline(never)]
    fn poll_flush_owed(
        &mut self,
        goal: Goal,
        mut receiver: Option<&mut Receiver>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        loop {
            self.delivery.check()?;
            if self.poll_drain(goal, cx).is_ready() {
                return Poll::Ready(self.delivery.check());
            }
            let Some(receiver) = receiver.as_deref_mut() else { return Poll::Pending };
            let deadline = receiver.poll_firm_timeout(self.transport.now(), &self.delivery.sender);
            ready!(self.transport.poll_sleep(deadline.into(), cx));
            // As in `poll_wait`: there may be room although the task has used its budget up.
            let _ = unbudgeted(cx, |cx| self.poll_drain(goal, cx));
            if let Some(timed_out) = self.delivery.handle_firm_timeout(receiver, self.transport.now()) {
                events::timed_out(receiver.is_server(), timed_out);
            }
        }
    }

    /// Writes until [`queue`](Delivery::queue) has room.
    #[inline]
    pub(super) fn poll_ready(
        &mut self,
        receiver: Option<&mut Receiver>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        self.poll_flush(Goal::Room(self.delivery.sender.ready_len()), receiver, cx)
    }

    /// Queues `message` as soon as there is room; it is `None` then.
    pub(super) fn poll_feed(
        &mut self,
        message: &mut Option<Outgoing<'_>>,
        receiver: Option<&mut Receiver>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if message.is_some() {
            ready!(self.poll_ready(receiver, cx))?;
        }
        Poll::Ready(match message.take() {
            Some(message) => self.delivery.queue(message).map_err(|error| self.delivery.explain(error)),
            None => Ok(()),
        })
    }

    /// Queues a ping as soon as there is room, once.
    pub(super) fn poll_ping(
        &mut self,
        payload: &mut Option<&[u8]>,
        receiver: Option<&mut Receiver>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if payload.is_some() {
            ready!(self.poll_ready(receiver, cx))?;
        }
        Poll::Ready(match payload.take() {
            Some(payload) => self.delivery.sender.ping(payload).map_err(|error| self.delivery.explain(error)),
            None => Ok(()),
        })
    }

    /// Queues a Close frame unless one is queued already, and writes it.
    pub(super) fn poll_close(
        &mut self,
        receiver: Option<&mut Receiver>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        self.delivery.sender.close(CloseCode::NORMAL);
        self.poll_flush(Goal::ALL, receiver, cx)
    }

    /// Writes what is owed as far as `goal` says, or fails for good.
    #[inline(always)]
    fn poll_drain(&mut self, goal: Goal, cx: &mut Context<'_>) -> Poll<()> {
        // A round trip begins with the write, however long that lasts.
        let began = self.delivery.sender.has_ping().then(|| self.transport.now());
        let (output, unflushed) = self.delivery.sender.output_to_flush();
        let polled = self.transport.poll_write(output, goal, unflushed, cx);
        if let Some(began) = began {
            // A ping may be written whose message is not.
            self.delivery.sender.wrote(began);
        }
        if let Err(error) = ready!(polled) {
            // Which the delivery remembers.
            let _ = self.delivery.write_failed(&error);
        }
        if self.delivery.sender.can_catch_up() { self.poll_catch_up(goal, cx) } else { Poll::Ready(()) }
    }

    /// Writes a pong that the high-water mark held back.
    #[cold]
    #[inline(never)]
    fn poll_catch_up(&mut self, goal: Goal, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_drain(goal, cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) {
        if !self.delivery.is_shut {
            // An error means that the transport has ended, which reading shows as well.
            self.delivery.is_shut = Pin::new(&mut self.transport.stream).poll_shutdown(cx).is_ready();
        }
    }
}

impl<S> Driver<S> {
    /// Takes everything, and leaves `stream` and what takes nothing any more.
    pub(super) fn take(&mut self, stream: S) -> Self {
        let transport = Transport { alarm: Alarm::new(), stream, ..self.transport };
        Self { transport: mem::replace(&mut self.transport, transport), delivery: self.delivery.take() }
    }

    /// The same with another kind of stream, and so many writes at once.
    pub(super) fn map<T>(self, max_writes: usize, map: impl FnOnce(S) -> T) -> Driver<T> {
        let Self { transport: Transport { stream, clock, alarm, is_cut, flushed, .. }, delivery } = self;
        let transport = Transport { stream: map(stream), clock, alarm, max_writes, is_cut, flushed };
        Driver { transport, delivery }
    }

    /// True if there would have been more to write, which whoever wrote has to come back for.
    pub(super) fn take_cut(&mut self) -> bool {
        mem::take(&mut self.transport.is_cut)
    }

    /// What the halves have to know of: the receiving one, so that its timers and its next write do.
    pub(super) fn news(&self) -> News {
        let sender = &self.delivery.sender;
        let is_broken = self.delivery.is_broken();
        News { owes: sender.owes(), is_closing: sender.is_closing(), is_broken }
    }
}

/// See [`Driver::news`].
#[derive(Clone, Copy)]
pub(super) struct News {
    owes: bool,
    is_closing: bool,
    is_broken: bool,
}

impl News {
    /// True if the reader has to hear of something since `before`.
    pub(super) fn is_for_reader(self, before: Self) -> bool {
        self.owes & !before.owes | self.is_closing & !before.is_closing
    }

    /// True if the writers have to: the connection has ended, or the stream takes no more and perhaps wakes nobody for that.
    pub(super) fn is_for_writers(self, before: Self) -> bool {
        self.is_broken & !before.is_broken
    }
}
