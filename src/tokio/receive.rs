//! The futures of `recv_ref` and `recv`, for a whole connection and for its receiving half.
//!
//! They are written by hand so that they are always inlined: an event that is returned through memory is copied in other pieces than it
//! was written in, for which the processor waits longer than all the rest takes.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use crate::adapter::message;
use crate::pool::Inlet;
use crate::{Error, Event, Message, Ready, Receiver};

/// An event that is ready, to be lent by the receiver, or the end of the transport.
pub(super) type Advanced = Result<Option<Ready>, Error>;

/// Everything that receiving takes but the input, from which events are lent.
pub(super) trait Receiving {
    /// An event, with what else the caller may use meanwhile.
    type Lent<'r>
    where
        Self: 'r;

    fn receiver(&mut self) -> &mut Receiver;

    /// Runs the connection until an event is ready, to be lent by the receiver, or until the transport has ended.
    fn poll_advance(&mut self, inlet: &mut Inlet, cx: &mut Context<'_>)
    -> Poll<Result<Option<Ready>, Error>>;

    fn lend<'r>(&'r mut self, event: Event<'r>) -> Self::Lent<'r>;

    /// As [`poll_advance`](Self::poll_advance), with a shorter way to a message that has arrived.
    #[inline(always)]
    fn poll_ready(&mut self, inlet: &mut Inlet, cx: &mut Context<'_>) -> Poll<Result<Option<Ready>, Error>> {
        if let Some(input) = inlet.get()
            && input.has_unread()
            && let Some(ready) = self.receiver().message_frame(input)
        {
            return Poll::Ready(Ok(Some(ready)));
        }
        self.poll_advance(inlet, cx)
    }
}

/// The future of `recv_ref`.
pub(super) struct RecvRef<'r, R> {
    /// `None` when the future is ready.
    pub(super) receiving: Option<&'r mut R>,
    /// `None` also when what is there would be discarded, since the connection has failed.
    pub(super) inlet: Option<&'r mut Inlet>,
}

impl<R: Receiving> RecvRef<'_, R> {
    /// Runs a connection that has failed to its end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let receiving = self.receiving.as_mut().expect("a future that is ready is not polled again");
        // Whatever is read is discarded at once.
        let ended = ready!(receiving.poll_advance(&mut Inlet::new(), cx));
        Poll::Ready(ended.map(drop))
    }
}

impl<'r, R: Receiving> Future for RecvRef<'r, R> {
    type Output = Result<Option<R::Lent<'r>>, Error>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(inlet) = this.inlet.take() else { return this.poll_end(cx).map_ok(|()| None) };
        let receiving = this.receiving.take().expect("a future that is ready is not polled again");
        // In so many words: with `?` or `map`, a short message takes half a nanosecond more.
        let ready = match receiving.poll_ready(inlet, cx) {
            Poll::Ready(Ok(Some(ready))) => ready,
            Poll::Ready(Ok(None)) => return Poll::Ready(Ok(None)),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {
                (this.receiving, this.inlet) = (Some(receiving), Some(inlet));
                return Poll::Pending;
            }
        };
        match receiving.receiver().lend(inlet.input(), ready) {
            Ok(event) => Poll::Ready(Ok(Some(receiving.lend(event)))),
            Err(_) => {
                this.receiving = Some(receiving);
                this.poll_end(cx).map_ok(|()| None)
            }
        }
    }
}

/// The future of `recv`.
pub(super) struct Recv<'r, R> {
    pub(super) receiving: &'r mut R,
    pub(super) inlet: &'r mut Inlet,
}

impl<R: Receiving> Future for Recv<'_, R> {
    type Output = Result<Option<Message>, Error>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { receiving, inlet } = self.get_mut();
        loop {
            if let Some(input) = inlet.get()
                && let Some(message) = receiving.receiver().copy_message_frame(input)
            {
                return Poll::Ready(Ok(Some(message)));
            }
            let Some(ready) = ready!(receiving.poll_ready(inlet, cx))? else { return Poll::Ready(Ok(None)) };
            if ready.is_control() {
                continue;
            }
            if let Ok(event) = receiving.receiver().lend(inlet.input(), ready) {
                return Poll::Ready(message(event));
            }
        }
    }
}
