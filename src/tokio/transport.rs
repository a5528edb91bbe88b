//! [`Transport`]: a stream with its clock and its timer, and the opening handshake over it.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use std::io;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::task::unconstrained;
use ::tokio::time::Instant;

use super::alarm::Alarm;
use crate::adapter::pool::PooledInput;
use crate::adapter::{Opening, drain, fill};
use crate::connection::timer::Deadline;
use crate::{Error, Output, Timestamp};

/// A stream with a clock and a timer.
#[derive(Debug)]
pub(super) struct Transport<S> {
    pub(super) stream: S,
    pub(super) clock: Clock,
    pub(super) alarm: Alarm,
    /// How many writes may follow each other: for halves only one, since others wait for them.
    pub(super) max_writes: usize,
    /// There would have been more.
    pub(super) is_cut: bool,
    /// So many bytes have gone all the way through the stream.
    pub(super) flushed: u64,
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

impl<S: AsyncRead + AsyncWrite + Unpin> Transport<S> {
    /// `first` is the moment that it is now.
    pub(super) fn new(stream: S, first: Timestamp) -> Self {
        let clock = Clock { start: Instant::now(), first };
        Self { stream, clock, alarm: Alarm::new(), max_writes: usize::MAX, is_cut: false, flushed: 0 }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn poll_read(
        &mut self,
        pooled: &mut PooledInput,
        output: Option<&mut Output>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        fill(pooled, output, |space| {
            let mut space = ReadBuf::new(space);
            Pin::new(&mut self.stream).poll_read(cx, &mut space).map_ok(|()| space.filled().len())
        })
    }

    #[inline(always)]
    pub(super) fn poll_write(
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
    pub(super) fn poll_sleep(&mut self, deadline: Deadline, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline.get() else { return Poll::Pending };
        self.alarm.poll(self.clock, deadline, cx)
    }
}

/// Polls once without regard to the budget of the task.
pub(super) fn unbudgeted<R>(cx: &mut Context<'_>, poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
    pin!(unconstrained(poll_fn(poll))).poll(cx)
}

/// Runs an opening handshake to its end.
pub(super) async fn open<S, H>(
    stream: &mut S,
    handshake: &mut H,
    pooled: &mut PooledInput,
) -> Result<H::Opened, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Opening,
{
    let mut transport = Transport::new(stream, Timestamp::default());
    let mut unflushed = false;
    let mut failed = None;
    poll_fn(|cx| {
        loop {
            if let Some(opened) = handshake.receive(pooled.borrow()).map_err(Into::into)? {
                pooled.give_back();
                return Poll::Ready(Ok(opened));
            }
            // Reading goes on while there is no room to write.
            if failed.is_none()
                && let Poll::Ready(Err(error)) =
                    transport.poll_write(handshake.output(), Goal::ALL, &mut unflushed, cx)
            {
                failed = Some(error);
            }
            // Nor does a failed write hide an answer that has arrived.
            if let Some(error) = failed.take() {
                let has_read = matches!(transport.poll_read(pooled, None, cx), Poll::Ready(Ok(())));
                if !has_read || pooled.is_eof() {
                    return Poll::Ready(Err(error.into()));
                }
                failed = Some(error);
                continue;
            }
            if transport.poll_read(pooled, None, cx)?.is_pending() {
                let deadline = handshake.poll_timeout(transport.now());
                ready!(transport.poll_sleep(deadline.into(), cx));
                if unbudgeted(cx, |cx| transport.poll_read(pooled, None, cx))?.is_pending() {
                    handshake.handle_timeout(transport.now())?;
                }
            }
        }
    })
    .await
}
