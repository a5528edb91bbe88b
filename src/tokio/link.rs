//! The stream, its clock and its timer ([`Link`]), with the sending side ([`Both`]): everything that can be pending.

use core::future::poll_fn;
use core::mem;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use std::io;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::task::unconstrained;
use ::tokio::time::Instant;

use super::alarm::Alarm;
use crate::adapter::pool::PooledInput;
use crate::adapter::{Opening, Outlet, drain, fill};
use crate::connection::timer::Deadline;
use crate::{CloseCode, Error, Outgoing, Output, Receiver, Timestamp, TransportAction};

/// A stream with a clock and a timer.
#[derive(Debug)]
pub(super) struct Link<S> {
    pub(super) stream: S,
    clock: Clock,
    alarm: Alarm,
    /// How many writes may follow each other: for halves only one, since others wait for them.
    max_writes: usize,
    /// There would have been more.
    is_cut: bool,
    /// So many bytes have gone all the way through the stream.
    flushed: u64,
}

/// How far somebody writes.
#[derive(Clone, Copy)]
pub(super) enum Goal {
    /// Until at most so many bytes are left.
    Room(usize),
    /// Until everything up to this position of the output has gone all the way through the stream.
    Flushed(u64),
}

impl Goal {
    pub(super) const ALL: Self = Self::Flushed(u64::MAX);
}

/// Tells the moments of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
    /// The moment of the start: not the first if another clock has told the connection moments before.
    first: Timestamp,
}

impl Clock {
    fn now(self) -> Timestamp {
        self.first + self.start.elapsed()
    }

    pub(super) fn instant(self, at: Timestamp) -> Instant {
        self.start + at.duration_since(self.first)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// `first` is the moment that it is now.
    pub(super) fn new(stream: S, first: Timestamp) -> Self {
        let clock = Clock { start: Instant::now(), first };
        Self { stream, clock, alarm: Alarm::new(), max_writes: usize::MAX, is_cut: false, flushed: 0 }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn poll_read(
        &mut self,
        inlet: &mut PooledInput,
        output: Option<&mut Output>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        fill(inlet, output, |space| {
            let mut space = ReadBuf::new(space);
            Pin::new(&mut self.stream).poll_read(cx, &mut space).map_ok(|()| space.filled().len())
        })
    }

    #[inline(always)]
    fn poll_write(
        &mut self,
        output: &mut Output,
        goal: Goal,
        unflushed: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut stream = Pin::new(&mut self.stream);
        let mut writes = 0;
        let rest = match goal {
            Goal::Room(rest) => rest,
            // Others may go on queueing for ever.
            Goal::Flushed(end) => usize::try_from(output.end().saturating_sub(end)).unwrap_or(usize::MAX),
        };
        while output.len() > rest {
            if writes == self.max_writes {
                self.is_cut = true;
                return Poll::Pending;
            }
            writes += 1;
            ready!(drain(output, |slices| match slices {
                [slice] => stream.as_mut().poll_write(cx, slice),
                slices => stream.as_mut().poll_write_vectored(cx, slices),
            }))?;
            *unflushed = true;
        }
        if *unflushed && let Goal::Flushed(_) = goal {
            ready!(stream.poll_flush(cx))?;
            *unflushed = false;
            self.flushed = output.written();
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when `deadline` has passed, or earlier.
    fn poll_sleep(&mut self, deadline: Deadline, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline.get() else { return Poll::Pending };
        self.alarm.poll(self.clock, deadline, cx)
    }
}

/// A stream and what is owed to it.
#[derive(Debug)]
pub(super) struct Both<S> {
    pub(super) link: Link<S>,
    pub(super) outlet: Outlet,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Both<S> {
    /// Writes what is owed, reads once and keeps the deadlines; false when the transport has ended.
    pub(super) fn poll_transfer(
        &mut self,
        receiver: &mut Receiver,
        inlet: &mut PooledInput,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, Error>> {
        if !receiver.is_settled(&self.outlet.sender)
            && let Poll::Ready(ended) = self.poll_settle(receiver, cx)
        {
            return Poll::Ready(ended.map(|()| false));
        }
        let read = match self.poll_read(inlet, cx) {
            Poll::Ready(read) => read,
            Poll::Pending => match ready!(self.poll_wait(receiver, inlet, cx)) {
                Some(read) => read,
                None => return Poll::Ready(Ok(true)),
            },
        };
        match read {
            Ok(()) => Poll::Ready(Ok(true)),
            Err(error) => Poll::Ready(self.outlet.read_failed(receiver, inlet, error).map(|()| true)),
        }
    }

    fn poll_read(&mut self, inlet: &mut PooledInput, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // After the end there is nothing to read, but perhaps something to write.
        if inlet.is_eof() {
            return Poll::Pending;
        }
        self.link.poll_read(inlet, Some(self.outlet.sender.storage()), cx)
    }

    /// Waits for the next deadline and does what is due then, unless there was something to read all the same.
    fn poll_wait(
        &mut self,
        receiver: &mut Receiver,
        inlet: &mut PooledInput,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<()>>> {
        let sender = &mut self.outlet.sender;
        // As a rule there is nothing that would need the time.
        let deadline = match receiver.resting_timeout(sender) {
            Some(deadline) => deadline,
            None => receiver.poll_timeout(self.link.now(), sender).into(),
        };
        ready!(self.link.poll_sleep(deadline, cx));
        // The stream says that there is nothing to read and no room also when the task has used its budget up. What lies in it counts first.
        if deadline.is_due(self.link.now())
            && let Poll::Ready(read) = unbudgeted(cx, |cx| {
                self.poll_owed(cx);
                self.poll_read(inlet, cx)
            })
        {
            return Poll::Ready(Some(read));
        }
        // A timeout shows in the transport action.
        let _ = receiver.handle_timeout(self.link.now(), &mut self.outlet.sender);
        Poll::Ready(None)
    }

    /// Writes what is owed, and ends what is over: ready when the transport has ended.
    // Never inlined: most reads pass by.
    #[inline(never)]
    fn poll_settle(&mut self, receiver: &mut Receiver, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_owed(cx);
        let Self { link, outlet } = self;
        match outlet.transport_action(receiver, || link.now()) {
            TransportAction::KeepOpen | TransportAction::AwaitEof => Poll::Pending,
            TransportAction::ShutdownWrite => {
                self.poll_shutdown(cx);
                Poll::Pending
            }
            TransportAction::Close => {
                let ended = outlet.end(receiver);
                // The peer sees the end even if the stream is kept.
                self.poll_shutdown(cx);
                Poll::Ready(ended)
            }
        }
    }

    /// Writes what is owed as far as there is room; that it fails shows later.
    fn poll_owed(&mut self, cx: &mut Context<'_>) {
        if self.outlet.check().is_ok() {
            let _ = self.poll_drain(Goal::ALL, cx);
        }
    }

    /// Sends the reply to a control frame at once, however long the caller takes to come back.
    pub(super) fn send_reply(&mut self, receiver: &mut Receiver, cx: &mut Context<'_>) {
        receiver.poll_timeout(self.link.now(), &mut self.outlet.sender);
        self.outlet.hear(receiver);
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
        let sender = &self.outlet.sender;
        let is_there = match goal {
            Goal::Room(rest) => sender.queued_len() <= rest,
            Goal::Flushed(end) => !sender.owes() || self.link.flushed >= end,
        };
        if is_there && !self.outlet.is_broken() {
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
        let end = *end.get_or_insert_with(|| self.outlet.sender.end_of_output());
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
            self.outlet.check()?;
            if self.poll_drain(goal, cx).is_ready() {
                return Poll::Ready(self.outlet.check());
            }
            let Some(receiver) = receiver.as_deref_mut() else { return Poll::Pending };
            let deadline = receiver.poll_firm_timeout(self.link.now(), &self.outlet.sender);
            ready!(self.link.poll_sleep(deadline.into(), cx));
            // As in `poll_wait`: there may be room although the task has used its budget up.
            let _ = unbudgeted(cx, |cx| self.poll_drain(goal, cx));
            self.outlet.handle_firm_timeout(receiver, self.link.now());
        }
    }

    /// Writes until [`queue`](Outlet::queue) has room.
    #[inline]
    pub(super) fn poll_ready(
        &mut self,
        receiver: Option<&mut Receiver>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        self.poll_flush(Goal::Room(self.outlet.sender.ready_len()), receiver, cx)
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
            Some(message) => self.outlet.queue(message).map_err(|error| self.outlet.explain(error)),
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
            Some(payload) => self.outlet.sender.ping(payload).map_err(|error| self.outlet.explain(error)),
            None => Ok(()),
        })
    }

    /// Queues a Close frame unless one is queued already, and writes it.
    pub(super) fn poll_close(
        &mut self,
        receiver: Option<&mut Receiver>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        self.outlet.sender.close(CloseCode::NORMAL);
        self.poll_flush(Goal::ALL, receiver, cx)
    }

    /// Writes what is owed as far as `goal` says, or fails for good.
    #[inline(always)]
    fn poll_drain(&mut self, goal: Goal, cx: &mut Context<'_>) -> Poll<()> {
        // A round trip begins with the write, however long that lasts.
        let began = self.outlet.sender.has_ping().then(|| self.link.now());
        let (output, unflushed) = self.outlet.sender.output_to_flush();
        let polled = self.link.poll_write(output, goal, unflushed, cx);
        if let Some(began) = began {
            // A ping may be written whose message is not.
            self.outlet.sender.wrote(began);
        }
        if let Err(error) = ready!(polled) {
            // Which the outlet remembers.
            let _ = self.outlet.write_failed(&error);
        }
        if self.outlet.sender.can_catch_up() { self.poll_catch_up(goal, cx) } else { Poll::Ready(()) }
    }

    /// Writes a pong that the high-water mark held back.
    #[cold]
    #[inline(never)]
    fn poll_catch_up(&mut self, goal: Goal, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_drain(goal, cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) {
        if !self.outlet.is_shut {
            // An error means that the transport has ended, which reading shows as well.
            self.outlet.is_shut = Pin::new(&mut self.link.stream).poll_shutdown(cx).is_ready();
        }
    }
}

impl<S> Both<S> {
    /// Takes everything, and leaves `stream` and what takes nothing any more.
    pub(super) fn take(&mut self, stream: S) -> Self {
        let link = Link { alarm: Alarm::new(), stream, ..self.link };
        Self { link: mem::replace(&mut self.link, link), outlet: self.outlet.take() }
    }

    /// The same with another kind of stream, and so many writes at once.
    pub(super) fn map<T>(self, max_writes: usize, map: impl FnOnce(S) -> T) -> Both<T> {
        let Self { link: Link { stream, clock, alarm, is_cut, flushed, .. }, outlet } = self;
        let link = Link { stream: map(stream), clock, alarm, max_writes, is_cut, flushed };
        Both { link, outlet }
    }

    /// True if there would have been more to write, which whoever wrote has to come back for.
    pub(super) fn take_cut(&mut self) -> bool {
        mem::take(&mut self.link.is_cut)
    }

    /// What the halves have to know of: the receiving one, so that its timers and its next write do.
    pub(super) fn news(&self) -> News {
        let sender = &self.outlet.sender;
        let is_broken = self.outlet.is_broken();
        News { owes: sender.owes(), is_closing: sender.is_closing(), is_broken }
    }
}

/// See [`Both::news`].
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

/// Polls once without regard to the budget of the task.
fn unbudgeted<R>(cx: &mut Context<'_>, poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
    pin!(unconstrained(poll_fn(poll))).poll(cx)
}

/// Runs an opening handshake to its end.
pub(super) async fn open<S, H>(
    stream: &mut S,
    handshake: &mut H,
    inlet: &mut PooledInput,
) -> Result<H::Opened, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Opening,
{
    let mut link = Link::new(stream, Timestamp::default());
    let mut unflushed = false;
    poll_fn(|cx| {
        loop {
            if let Some(opened) = handshake.receive(inlet.borrow())? {
                inlet.give_back();
                return Poll::Ready(Ok(opened));
            }
            // Reading goes on while there is no room to write.
            let _ = link.poll_write(handshake.output(), Goal::ALL, &mut unflushed, cx)?;
            if link.poll_read(inlet, None, cx)?.is_pending() {
                let deadline = handshake.poll_timeout(link.now());
                ready!(link.poll_sleep(deadline.into(), cx));
                if unbudgeted(cx, |cx| link.poll_read(inlet, None, cx))?.is_pending() {
                    handshake.handle_timeout(link.now())?;
                }
            }
        }
    })
    .await
}
