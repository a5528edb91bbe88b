//! The stream, its clock and its timer: everything that can be pending.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::boxed::Box;
use std::io::{self, IoSlice};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::time::{Instant, Sleep};
use bytes::Buf;

use crate::adapter::{Breakage, Broken, Opening, outcome};
use crate::{Error, Input, Output, Ready, Receiver, Sender, State, Timestamp, Transport, pool};

/// How many pieces of the output go into one vectored write.
const MAX_SLICES: usize = 16;

#[derive(Debug)]
pub(super) struct Link<S> {
    pub(super) stream: S,
    /// When the connection's clock began.
    start: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    /// The stream may hold back what was written.
    unflushed: bool,
    write_is_shut: bool,
    /// Why the stream accepts no more.
    broken: Breakage,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(super) fn new(stream: S) -> Self {
        let start = Instant::now();
        Self {
            stream,
            start,
            sleep: None,
            unflushed: false,
            write_is_shut: false,
            broken: Breakage::default(),
        }
    }

    /// Runs an opening handshake to its end.
    pub(super) fn poll_open<H: Opening>(
        &mut self,
        handshake: &mut H,
        input: &mut Input,
        cx: &mut Context<'_>,
    ) -> Poll<Result<H::Opened, Error>> {
        loop {
            if let Some(opened) = handshake.receive(input)? {
                return Poll::Ready(Ok(opened));
            }
            if let Poll::Ready(Err(error)) = self.poll_write(handshake.output(), 0, cx) {
                return Poll::Ready(Err(error.into()));
            }
            match self.poll_read(input, cx) {
                Poll::Ready(Ok(())) => continue,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => {}
            }
            let deadline = handshake.poll_timeout(self.now());
            ready!(self.poll_sleep(deadline, cx));
            handshake.handle_timeout(self.now())?;
        }
    }

    /// Runs the connection until an event is ready, or until the transport has ended.
    pub(super) fn poll_advance(
        &mut self,
        receiver: &mut Receiver,
        sender: &mut Sender,
        input: &mut Input,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Ready>, Error>> {
        loop {
            let advanced = receiver.advance(input);
            if let Some(reply) = receiver.take_reply(input) {
                sender.reply(reply);
            }
            // A write error waits: what the peer has said counts for more than that it does not listen.
            if let Ok(Some(ready)) = advanced {
                if ready.is_control() {
                    // The reply leaves at once, however long the caller takes to come back.
                    receiver.poll_timeout(self.now(), sender);
                    let _ = self.poll_drain(sender, cx);
                }
                return Poll::Ready(Ok(Some(ready)));
            }
            let _ = self.poll_drain(sender, cx);
            if sender.owes() || sender.is_closing() {
                // A peer that always has something to say does not put these off. A timeout shows in the transport action.
                let now = self.now();
                receiver.poll_firm_timeout(now, sender);
                let _ = receiver.handle_firm_timeout(now, sender);
            }
            match receiver.transport_action(sender) {
                Transport::KeepOpen | Transport::AwaitEof => {}
                // What the stream holds back goes first, as long as there is time.
                _ if self.unflushed && !self.broken.is_some() && !receiver.is_over(sender) => {}
                Transport::ShutdownWrite => self.poll_shutdown(cx),
                Transport::Close => {
                    let broken = self.broken.break_off(Broken::ended(receiver, advanced.err()), sender);
                    // The peer sees the end even if the stream is kept.
                    self.poll_shutdown(cx);
                    return Poll::Ready(outcome(receiver, advanced.err(), broken).map(|()| None));
                }
            }
            // After the end there is nothing to read, but perhaps something to write.
            let read = if input.is_eof() { Poll::Pending } else { self.poll_read(input, cx) };
            match read {
                Poll::Ready(Ok(())) => continue,
                Poll::Ready(Err(error)) => {
                    self.broken.break_off(Broken::Io(error.kind()), sender);
                    input.set_eof();
                    // After the end a reset is as good as an orderly end.
                    if receiver.state(sender) != State::Closed {
                        return Poll::Ready(Err(error.into()));
                    }
                }
                Poll::Pending => {
                    let deadline = receiver.poll_timeout(self.now(), sender);
                    ready!(self.poll_sleep(deadline, cx));
                    // A timeout shows in the transport action.
                    let _ = receiver.handle_timeout(self.now(), sender);
                    input.shrink();
                }
            }
        }
    }

    /// Writes until at most `rest` bytes of output are left, and all the way through the stream if that is none.
    ///
    /// The write deadline is kept meanwhile, if the half that has it is here.
    pub(super) fn poll_flush(
        &mut self,
        rest: usize,
        mut receiver: Option<&mut Receiver>,
        sender: &mut Sender,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        loop {
            self.broken.check(sender)?;
            match self.poll_write(sender.output(), rest, cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(error)) => {
                    let broken = self.broken.break_off(Broken::Io(error.kind()), sender);
                    return Poll::Ready(Err(broken.into()));
                }
                Poll::Pending => {}
            }
            let Some(receiver) = receiver.as_deref_mut() else { return Poll::Pending };
            let deadline = receiver.poll_firm_timeout(self.now(), sender);
            ready!(self.poll_sleep(deadline, cx));
            if let Err(timed_out) = receiver.handle_firm_timeout(self.now(), sender) {
                self.broken.break_off(Broken::TimedOut(timed_out), sender);
            }
        }
    }

    fn poll_drain(&mut self, sender: &mut Sender, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_flush(0, None, sender, cx)
    }

    fn poll_read(&mut self, input: &mut Input, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pool::supply(input);
        let mut space = ReadBuf::new(input.space());
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut space);
        let len = space.filled().len();
        match polled {
            Poll::Ready(Ok(())) if len == 0 => input.set_eof(),
            Poll::Ready(Ok(())) => input.filled(len),
            Poll::Ready(Err(_)) | Poll::Pending => pool::collect(input),
        }
        polled
    }

    fn poll_write(&mut self, output: &mut Output, rest: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = Pin::new(&mut self.stream);
        while output.remaining() > rest {
            let chunk = output.chunk();
            let written = if chunk.len() < output.remaining() && stream.is_write_vectored() {
                let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                let count = output.chunks_vectored(&mut slices);
                ready!(stream.as_mut().poll_write_vectored(cx, &slices[..count]))?
            } else {
                ready!(stream.as_mut().poll_write(cx, chunk))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            output.advance(written.min(output.remaining()));
            self.unflushed = true;
        }
        if rest == 0 && self.unflushed {
            ready!(stream.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) {
        if !self.write_is_shut {
            // An error means that the transport has ended, which reading shows as well.
            self.write_is_shut = Pin::new(&mut self.stream).poll_shutdown(cx).is_ready();
        }
    }

    /// Ready when `deadline` has passed, or earlier: the timer is not moved for a deadline that was put off.
    fn poll_sleep(&mut self, deadline: Option<Timestamp>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let at = self.start + deadline.duration_since(Timestamp::default());
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(::tokio::time::sleep_until(at)));
        if sleep.is_elapsed() || at < sleep.deadline() {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.start.elapsed().into()
    }
}
