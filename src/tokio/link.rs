//! The stream, its clock and its timer: everything that can be pending.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::time::Instant;

use super::alarm::Alarm;
use super::receive::Advanced;
use crate::adapter::{Opening, Outlet, REST, advance, drain, fill};
use crate::pool::{self, Inlet};
use crate::timer::Deadline;
use crate::{Error, Output, Receiver, Timestamp, TransportAction};

#[derive(Debug)]
pub(super) struct Link<S> {
    pub(super) stream: S,
    /// When the connection's clock began.
    start: Instant,
    alarm: Alarm,
    /// When storage that a large message has left behind is given back.
    rest: Deadline,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, start: Instant::now(), alarm: Alarm::new(), rest: Deadline::NONE }
    }

    /// Runs the connection until an event is ready or the transport has ended.
    pub(super) fn poll_advance(
        &mut self,
        receiver: &mut Receiver,
        outlet: &mut Outlet,
        inlet: &mut Inlet,
        cx: &mut Context<'_>,
    ) -> Poll<Advanced> {
        loop {
            // A write error waits: what the peer has said counts for more than that it does not listen.
            if let Some(ready) = advance(receiver, inlet, |reply| outlet.sender.reply(reply)) {
                if ready.is_control() {
                    // The reply leaves at once, however long the caller takes to come back.
                    receiver.poll_timeout(self.now(), &mut outlet.sender);
                    let _ = self.poll_flush(0, None, outlet, cx);
                }
                return Poll::Ready(Ok(Some(ready)));
            }
            if !receiver.is_settled(&outlet.sender)
                && let Poll::Ready(ended) = self.poll_settle(receiver, outlet, cx)
            {
                return Poll::Ready(ended.map(|()| None));
            }
            outlet.return_storage(inlet);
            // After the end there is nothing to read, but perhaps something to write.
            let read = if inlet.is_eof() {
                Poll::Pending
            } else {
                self.poll_read(inlet, Some(outlet.sender.storage()), cx)
            };
            match read {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => outlet.read_failed(receiver, inlet, error)?,
                Poll::Pending => {
                    // As a rule there is nothing that would need the time.
                    let deadline = match receiver.resting_timeout(&outlet.sender) {
                        Some(deadline) => deadline,
                        None => receiver.poll_timeout(self.now(), &mut outlet.sender).into(),
                    };
                    let rest = self.rest(outlet.is_swollen(inlet));
                    ready!(self.poll_sleep(deadline.min(rest), cx));
                    // A timeout shows in the transport action.
                    let _ = receiver.handle_timeout(self.now(), &mut outlet.sender);
                    outlet.shrink(inlet);
                    self.rest.clear();
                }
            }
        }
    }

    /// Writes what is owed, and ends what is over: ready when the transport has ended.
    // Never inlined: most reads pass by.
    #[inline(never)]
    fn poll_settle(
        &mut self,
        receiver: &mut Receiver,
        outlet: &mut Outlet,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if outlet.check().is_ok() {
            let _ = self.poll_drain(0, outlet, cx);
        }
        match outlet.transport_action(receiver, || self.now()) {
            TransportAction::KeepOpen | TransportAction::AwaitEof => Poll::Pending,
            TransportAction::ShutdownWrite => {
                self.poll_shutdown(outlet, cx);
                Poll::Pending
            }
            TransportAction::Close => {
                let ended = outlet.end(receiver);
                // The peer sees the end even if the stream is kept.
                self.poll_shutdown(outlet, cx);
                Poll::Ready(ended)
            }
        }
    }

    /// Writes until at most `rest` bytes of output are left, and all the way through the stream if that is none.
    ///
    /// The write deadline is kept meanwhile, if the half that has it is here.
    #[inline]
    pub(super) fn poll_flush(
        &mut self,
        rest: usize,
        receiver: Option<&mut Receiver>,
        outlet: &mut Outlet,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if outlet.is_flushed(rest) {
            return Poll::Ready(Ok(()));
        }
        self.poll_flush_owed(rest, receiver, outlet, cx)
    }

    // Never inlined, so that `poll_flush` always is.
    #[inline(never)]
    fn poll_flush_owed(
        &mut self,
        rest: usize,
        mut receiver: Option<&mut Receiver>,
        outlet: &mut Outlet,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        loop {
            outlet.check()?;
            if self.poll_drain(rest, outlet, cx).is_ready() {
                return Poll::Ready(outlet.check());
            }
            let Some(receiver) = receiver.as_deref_mut() else { return Poll::Pending };
            let deadline = receiver.poll_firm_timeout(self.now(), &outlet.sender);
            ready!(self.poll_sleep(deadline.into(), cx));
            outlet.handle_firm_timeout(receiver, self.now());
        }
    }

    /// Writes what is owed down to `rest`, or fails for good.
    #[inline(always)]
    fn poll_drain(&mut self, rest: usize, outlet: &mut Outlet, cx: &mut Context<'_>) -> Poll<()> {
        let (output, unflushed) = outlet.sender.output_to_flush();
        if let Err(error) = ready!(self.poll_write(output, rest, unflushed, cx)) {
            // Which the outlet remembers.
            let _ = outlet.write_failed(&error);
        }
        Poll::Ready(())
    }

    fn poll_read(
        &mut self,
        inlet: &mut Inlet,
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
        rest: usize,
        unflushed: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut stream = Pin::new(&mut self.stream);
        while output.len() > rest {
            ready!(drain(output, |slices| match slices {
                [slice] => stream.as_mut().poll_write(cx, slice),
                slices => stream.as_mut().poll_write_vectored(cx, slices),
            }))?;
            *unflushed = true;
        }
        if rest == 0 && *unflushed {
            ready!(stream.poll_flush(cx))?;
            *unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, outlet: &mut Outlet, cx: &mut Context<'_>) {
        if !outlet.is_shut {
            // An error means that the transport has ended, which reading shows as well.
            outlet.is_shut = Pin::new(&mut self.stream).poll_shutdown(cx).is_ready();
        }
    }

    /// When storage that a large message has left behind is given back.
    fn rest(&mut self, is_swollen: bool) -> Deadline {
        if is_swollen && self.rest == Deadline::NONE {
            let now = self.now();
            self.rest.poll(now, Some(REST));
        }
        self.rest
    }

    /// Ready when `deadline` has passed, or earlier.
    fn poll_sleep(&mut self, deadline: Deadline, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline.get() else { return Poll::Pending };
        self.alarm.poll(self.start, deadline, cx)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.start.elapsed().into()
    }
}

/// Runs an opening handshake to its end.
pub(super) async fn open<S, H>(
    stream: &mut S,
    handshake: &mut H,
    inlet: &mut Inlet,
) -> Result<H::Opened, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Opening,
{
    let mut link = Link::new(stream);
    let mut unflushed = false;
    poll_fn(|cx| {
        loop {
            if let Some(opened) = handshake.receive(pool::supply(inlet, None))? {
                pool::collect(inlet, None);
                return Poll::Ready(Ok(opened));
            }
            // Reading goes on while there is no room to write.
            let _ = link.poll_write(handshake.output(), 0, &mut unflushed, cx)?;
            if link.poll_read(inlet, None, cx)?.is_pending() {
                let deadline = handshake.poll_timeout(link.now());
                ready!(link.poll_sleep(deadline.into(), cx));
                handshake.handle_timeout(link.now())?;
            }
        }
    })
    .await
}
