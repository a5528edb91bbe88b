//! [`Inbox`]: from reads to events, and the futures of `recv_ref` and `recv`.
//!
//! The futures are written by hand so that they are always inlined. Otherwise an event is returned through memory, and copied in other pieces than
//! it was written in. The processor waits for that longer than all the rest takes.

use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::task::yield_now;

use super::driver::Driver;
use crate::adapter::events::Life;
use crate::adapter::pool::PooledInput;
use crate::adapter::{Delivery, Queue, advance, message};
use crate::{Error, Event, Message, Ready, Receiver};

/// An event that is ready, to be lent by the receiver, or the end of the transport.
type Advanced = Result<Option<Ready>, Error>;

/// The receiving side of a connection, but for the input, from which events are lent.
#[derive(Debug)]
pub(super) struct Inbox<A> {
    pub(super) receiver: Receiver,
    pub(super) life: Life,
    turn: Turn,
    /// An error or the end was yielded as an item of a stream.
    #[cfg(feature = "futures")]
    pub(super) is_exhausted: bool,
    pub(super) access: A,
}

/// The way to the stream and the sending side: whole, or shared by two halves.
pub(super) trait Access {
    type Stream: AsyncRead + AsyncWrite + Unpin;

    /// An event, with what else the caller may use meanwhile.
    type Lent<'r>
    where
        Self: 'r;

    /// Does something that may be pending: then the task of `cx` is woken.
    fn run<R>(
        &mut self,
        cx: &mut Context<'_>,
        run: impl FnOnce(&mut Driver<Self::Stream>, &mut Context<'_>) -> R,
    ) -> R;

    fn lend<'r>(&'r mut self, event: Event<'r>) -> Self::Lent<'r>;
}

impl<S: AsyncRead + AsyncWrite + Unpin> Access for Driver<S> {
    type Stream = S;

    type Lent<'r>
        = (Event<'r>, Queue<'r>)
    where
        S: 'r;

    #[inline(always)]
    fn run<R>(&mut self, cx: &mut Context<'_>, run: impl FnOnce(&mut Self, &mut Context<'_>) -> R) -> R {
        run(self, cx)
    }

    #[inline(always)]
    fn lend<'r>(&'r mut self, event: Event<'r>) -> Self::Lent<'r> {
        (event, Queue::new(&mut self.delivery.sender))
    }
}

/// What is left of a socket's turn: how much it may do until it has to let other tasks run.
///
/// It belongs to the socket, since a future is made anew for each message.
#[derive(Debug)]
struct Turn {
    events: u8,
    reads: u8,
}

impl Turn {
    const WHOLE: Self = Self { events: 128, reads: 8 };

    /// The turn is over: the task is woken behind the others, and after the runtime has looked for sockets that are ready. Woken at once, it
    /// would have dozens of turns before that.
    #[cold]
    #[inline(never)]
    fn end<R>(&mut self, cx: &mut Context<'_>) -> Poll<R> {
        *self = Self::WHOLE;
        let _ = pin!(yield_now()).poll(cx);
        Poll::Pending
    }
}

impl<A> Inbox<A> {
    pub(super) fn new(receiver: Receiver, life: Life, access: A) -> Self {
        Self {
            receiver,
            life,
            turn: Turn::WHOLE,
            #[cfg(feature = "futures")]
            is_exhausted: false,
            access,
        }
    }
}

impl<A: Access> Inbox<A> {
    /// The next event, to be lent by the receiver; `None` when the transport has ended.
    #[inline(always)]
    fn poll_event(&mut self, pooled: &mut PooledInput, cx: &mut Context<'_>) -> Poll<Advanced> {
        if self.turn.events == 0 {
            return self.turn.end(cx);
        }
        self.turn.events -= 1;
        // A shorter way to a message that has arrived.
        if let Some(input) = pooled.get()
            && input.has_unread()
            && let Some(ready) = self.receiver.message_frame(input)
        {
            return Poll::Ready(Ok(Some(ready)));
        }
        self.poll_advance(pooled, cx)
    }

    /// Runs the connection until an event is ready, or until the transport has ended.
    fn poll_advance(&mut self, pooled: &mut PooledInput, cx: &mut Context<'_>) -> Poll<Advanced> {
        let Self { receiver, turn, access, .. } = self;
        loop {
            let reply =
                |reply: crate::Reply<'_>| access.run(cx, |driver, _| driver.delivery.sender.reply(reply));
            // A write error waits: what the peer has said counts for more than that it does not listen.
            if let Some(ready) = advance(receiver, pooled, reply) {
                if ready.is_control() {
                    access.run(cx, |driver, cx| driver.send_reply(receiver, cx));
                }
                return Poll::Ready(Ok(Some(ready)));
            }
            if turn.reads == 0 {
                return turn.end(cx);
            }
            match access.run(cx, |driver, cx| driver.poll_transfer(receiver, pooled, cx)) {
                Poll::Ready(Ok(true)) => turn.reads -= 1,
                Poll::Ready(ended) => return Poll::Ready(self.end(ended, cx)),
                Poll::Pending => {
                    *turn = Turn::WHOLE;
                    return Poll::Pending;
                }
            }
        }
    }

    /// The transport has ended, which the subscriber is told once.
    #[cold]
    #[inline(never)]
    fn end(&mut self, ended: Result<bool, Error>, cx: &mut Context<'_>) -> Advanced {
        let Self { receiver, life, access, .. } = self;
        if life.is_open() {
            let (ending, is_told) = access.run(cx, |driver, _| {
                let Delivery { sender, is_timeout_told, .. } = &driver.delivery;
                (receiver.ending(sender), *is_timeout_told)
            });
            life.end(ending.as_ref(), ended.as_ref().err(), is_told);
        }
        ended.map(|_| None)
    }

    /// The next message; `None` when the transport has ended.
    #[inline(always)]
    pub(super) fn poll_message(
        &mut self,
        pooled: &mut PooledInput,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        loop {
            let Some(ready) = ready!(self.poll_event(pooled, cx))? else { return Poll::Ready(Ok(None)) };
            if ready.is_control() {
                continue;
            }
            if let Ok(event) = self.receiver.lend(pooled.input(), ready) {
                return Poll::Ready(message(event));
            }
        }
    }
}

#[cfg(feature = "futures")]
impl<A: Access> Inbox<A> {
    /// The next message as an item of a stream: an error comes once.
    pub(super) fn poll_item(
        &mut self,
        pooled: &mut PooledInput,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        if self.is_exhausted {
            return Poll::Ready(None);
        }
        let item = ready!(self.poll_message(pooled, cx)).transpose();
        self.is_exhausted = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

/// The future of `recv_ref`.
pub(super) struct RecvRef<'r, A> {
    /// `None` when the future is ready.
    pub(super) inbox: Option<&'r mut Inbox<A>>,
    /// `None` also when what is there would be discarded, since the connection has failed.
    pub(super) pooled: Option<&'r mut PooledInput>,
}

impl<A: Access> RecvRef<'_, A> {
    /// Runs a connection that has failed to its end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let inbox = self.inbox.as_mut().expect("a future that is ready is not polled again");
        // Whatever is read is discarded at once.
        let ended = ready!(inbox.poll_advance(&mut PooledInput::new(), cx));
        Poll::Ready(ended.map(drop))
    }
}

impl<'r, A: Access> Future for RecvRef<'r, A> {
    type Output = Result<Option<A::Lent<'r>>, Error>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(pooled) = this.pooled.take() else { return this.poll_end(cx).map_ok(|()| None) };
        let inbox = this.inbox.take().expect("a future that is ready is not polled again");
        // In so many words: with `?` or `map`, a short message takes half a nanosecond more.
        let ready = match inbox.poll_event(pooled, cx) {
            Poll::Ready(Ok(Some(ready))) => ready,
            Poll::Ready(Ok(None)) => return Poll::Ready(Ok(None)),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {
                (this.inbox, this.pooled) = (Some(inbox), Some(pooled));
                return Poll::Pending;
            }
        };
        match inbox.receiver.lend(pooled.input(), ready) {
            Ok(event) => Poll::Ready(Ok(Some(inbox.access.lend(event)))),
            Err(_) => {
                this.inbox = Some(inbox);
                this.poll_end(cx).map_ok(|()| None)
            }
        }
    }
}

/// The future of `recv`.
pub(super) struct Recv<'r, A> {
    pub(super) inbox: &'r mut Inbox<A>,
    pub(super) pooled: &'r mut PooledInput,
}

impl<A: Access> Future for Recv<'_, A> {
    type Output = Result<Option<Message>, Error>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { inbox, pooled } = self.get_mut();
        inbox.poll_message(pooled, cx)
    }
}

#[cfg(test)]
mod tests {
    use core::task::Waker;
    use std::io;
    use std::vec::Vec;

    use ::tokio::io::ReadBuf;

    use super::super::transport::Transport;
    use super::*;
    use crate::{Config, Connection};

    const LEN: usize = 1 << 20;

    /// A binary message, in many reads.
    #[derive(Debug)]
    struct Stream {
        header: Vec<u8>,
        reads: usize,
    }

    impl AsyncRead for Stream {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            space: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.reads += 1;
            let header = core::mem::take(&mut self.header);
            let len = space.remaining().min(1000);
            space.put_slice(if header.is_empty() { &[7; 1000][..len] } else { &header });
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Stream {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Counts the reads under one lock.
    struct Counted {
        driver: Driver<Stream>,
        most: usize,
    }

    impl Access for Counted {
        type Stream = Stream;

        type Lent<'r> = Event<'r>;

        fn run<R>(
            &mut self,
            cx: &mut Context<'_>,
            run: impl FnOnce(&mut Driver<Stream>, &mut Context<'_>) -> R,
        ) -> R {
            let before = self.driver.transport.stream.reads;
            let result = run(&mut self.driver, cx);
            self.most = self.most.max(self.driver.transport.stream.reads - before);
            result
        }

        fn lend<'r>(&'r mut self, event: Event<'r>) -> Self::Lent<'r> {
            event
        }
    }

    #[test]
    fn the_way_to_the_stream_is_free_between_two_reads_of_a_message() {
        // A final binary frame of eight bytes of length (RFC 6455 5.2).
        let header = [&[0x82, 127][..], &(LEN as u64).to_be_bytes()].concat();
        let (receiver, sender) = Connection::client(Config::new(), [7; 32]).split();
        let transport = Transport::new(Stream { header, reads: 0 }, sender.told());
        let driver = Driver { transport, delivery: Delivery::new(sender) };
        let (mut inbox, mut pooled) =
            (Inbox::new(receiver, Life::default(), Counted { driver, most: 0 }), PooledInput::new());
        let mut cx = Context::from_waker(Waker::noop());
        let message = loop {
            if let Poll::Ready(message) = inbox.poll_message(&mut pooled, &mut cx) {
                break message.expect("a message");
            }
        };
        assert_eq!(message.map(|message| message.len()), Some(LEN));
        let Counted { driver, most } = inbox.access;
        assert_eq!(most, 1);
        assert!(driver.transport.stream.reads > LEN / 1000);
    }
}
