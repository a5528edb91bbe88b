//! [`Inbox`]: the receiving side, and everything that blocks in a read.

use core::mem;
use core::task::{Poll, ready};
use core::time::Duration;
use std::io;

use super::Stream;
use super::outbox::{Access, Outbox, write_some};
use super::timeout::{SHORTEST, Timeout, read, until};
use crate::adapter::events::Life;
use crate::adapter::pool::{PooledInput, free_long, is_long};
use crate::adapter::{Delivery, advance, message};
use crate::{Error, Event, Message, Ready, Receiver, Reply, Timestamp, TransportAction};

/// How long somebody who also has to read waits for room to write, and the other way round.
const SHORT: Duration = Duration::from_millis(10);

/// How long a thread that has nothing to do keeps what a large message has left behind.
const REST: Duration = Duration::from_secs(10);

/// The way to the stream, to read from as well.
pub(super) trait ReadAccess: Access {
    fn read<R>(&mut self, run: impl FnOnce(&mut dyn Stream) -> R) -> R;
}

fn shut_down(access: &mut impl ReadAccess) {
    if !mem::replace(&mut access.outbox().sending().delivery.is_shut, true) {
        // An error means that the transport has ended, which reading shows as well.
        let _ = access.read(|stream| stream.shutdown_write());
    }
}

/// The receiving side, but for the input, from which events are lent.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) receiver: Receiver,
    pub(super) life: Life,
    reading: Timeout,
    /// Something was left when the output was last written: for want of room, or of time.
    is_behind: bool,
    /// The longest read, for when somebody else may change the deadlines meanwhile.
    max_wait: Duration,
}

impl Inbox {
    pub(super) fn new(receiver: Receiver, life: Life, max_wait: Duration) -> Self {
        Self { receiver, life, reading: Timeout::default(), is_behind: false, max_wait }
    }

    /// The next event; `None` when the transport has ended. Pending when there is none by `limit`.
    // Always inlined, as `Connection::receive` is and for the same reason.
    #[inline(always)]
    pub(super) fn receive<'i>(
        &mut self,
        pooled: &'i mut PooledInput,
        access: &mut impl ReadAccess,
        limit: &mut Limit,
    ) -> Poll<Result<Option<Event<'i>>, Error>> {
        let ready = match pooled.get().and_then(|input| self.receiver.message_frame(input)) {
            Some(ready) => ready,
            None => match self.advance(pooled, access, limit) {
                Poll::Ready(Ok(Some(ready))) => ready,
                Poll::Ready(Ok(None)) => return Poll::Ready(Ok(None)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            },
        };
        match self.receiver.lend(pooled.input(), ready) {
            Ok(event) => Poll::Ready(Ok(Some(event))),
            // Whatever is read from now on is discarded at once.
            Err(_) => self.advance(&mut PooledInput::new(), access, limit).map_ok(|_| None),
        }
    }

    /// The next message; `None` when the transport has ended. Pending when there is none by `limit`.
    pub(super) fn receive_message(
        &mut self,
        pooled: &mut PooledInput,
        access: &mut impl ReadAccess,
        limit: &mut Limit,
    ) -> Poll<Result<Option<Message>, Error>> {
        loop {
            let Some(event) = ready!(self.receive(pooled, access, limit))? else {
                return Poll::Ready(Ok(None));
            };
            if let Some(message) = message(event)? {
                return Poll::Ready(Ok(Some(message)));
            }
        }
    }

    /// Runs the connection until an event is ready, to be lent by the receiver, or until the transport has ended.
    fn advance(
        &mut self,
        pooled: &mut PooledInput,
        access: &mut impl ReadAccess,
        limit: &mut Limit,
    ) -> Poll<Result<Option<Ready>, Error>> {
        let short = if limit.at.is_some() { SHORTEST } else { SHORT };
        loop {
            let reply = |reply: Reply<'_>| access.outbox().sending().delivery.sender.reply(reply);
            if let Some(ready) = advance(&mut self.receiver, pooled, reply) {
                if ready.is_control() {
                    self.send_reply(access, short);
                }
                return Poll::Ready(Ok(Some(ready)));
            }
            self.is_behind = write_some(access, short);
            let outbox = access.outbox();
            let mut sending = outbox.sending();
            let moment = sending.moment(outbox.now());
            let action = sending.delivery.transport_action(&mut self.receiver, || moment);
            drop(sending);
            match action {
                TransportAction::KeepOpen | TransportAction::AwaitEof => {}
                TransportAction::ShutdownWrite => shut_down(access),
                TransportAction::Close => {
                    let ended = access.outbox().sending().delivery.end(&self.receiver);
                    // The peer sees the end even if the stream is kept.
                    shut_down(access);
                    return Poll::Ready(self.end(ended, access).map(|()| None));
                }
            }
            if limit.is_past(access.outbox()) {
                return Poll::Pending;
            }
            limit.has_read = true;
            match self.read(pooled, access, limit.at) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    let read = access.outbox().sending().delivery.read_failed(&self.receiver, pooled, error);
                    if read.is_err() {
                        return Poll::Ready(self.end(read, access).map(|()| None));
                    }
                }
                Poll::Pending => self.handle_timeout(access.outbox()),
            }
        }
    }

    /// The transport has ended, which the subscriber is told once.
    fn end(&mut self, ended: Result<(), Error>, access: &impl Access) -> Result<(), Error> {
        if self.life.is_open() {
            let sending = access.outbox().sending();
            let Delivery { sender, is_timeout_told, .. } = &sending.delivery;
            let (ending, is_told) = (self.receiver.ending(sender), *is_timeout_told);
            drop(sending);
            self.life.end(ending.as_ref(), ended.as_ref().err(), is_told);
        }
        ended
    }

    /// Sends the reply to a control frame at once, however long the caller takes to come back.
    fn send_reply(&mut self, access: &mut impl Access, short: Duration) {
        let outbox = access.outbox();
        let mut sending = outbox.sending();
        sending.delivery.hear(&self.receiver);
        self.receiver.poll_timeout(outbox.now(), &mut sending.delivery.sender);
        drop(sending);
        // While the peer takes nothing, the next read waits for room.
        if !self.is_behind {
            self.is_behind = write_some(access, short);
        }
    }

    /// Does what is due; that a deadline has passed shows in the transport action.
    fn handle_timeout(&mut self, outbox: &Outbox) {
        let mut sending = outbox.sending();
        let now = outbox.now();
        // While somebody writes, time stands still for the deadlines: nobody knows how much went since.
        let moment = sending.moment(now);
        let _ = self.receiver.handle_timeout(moment, &mut sending.delivery.sender);
        free_long(sending.delivery.sender.storage());
    }

    fn read(
        &mut self,
        pooled: &mut PooledInput,
        access: &mut impl ReadAccess,
        limit: Option<Timestamp>,
    ) -> Poll<io::Result<()>> {
        let outbox = access.outbox();
        let mut sending = outbox.sending();
        let now = outbox.now();
        let moment = sending.moment(now);
        let deadline = self.receiver.poll_timeout(moment, &mut sending.delivery.sender);
        let mut wait = until(deadline, now).min(self.max_wait);
        if sending.is_writing() {
            // No deadline passes before that write ends.
            wait = wait.max(SHORT);
        }
        if is_long(pooled, sending.delivery.sender.storage()) {
            wait = wait.min(REST);
        }
        if sending.delivery.sender.owes() {
            wait = wait.min(if self.is_behind { Duration::ZERO } else { SHORT });
        }
        drop(sending);
        wait = wait.min(until(limit, now));
        if pooled.is_eof() {
            // There is nothing to read, but perhaps something to write.
            std::thread::sleep(SHORT.min(wait.max(SHORTEST)));
            return Poll::Pending;
        }
        access.read(|stream| read(stream, &mut self.reading, wait, pooled))
    }
}

/// When a call comes to nothing that may: after one read at least.
pub(super) struct Limit {
    at: Option<Timestamp>,
    has_read: bool,
}

impl Limit {
    pub(super) fn none() -> Self {
        Self { at: None, has_read: false }
    }

    pub(super) fn at(at: Timestamp) -> Self {
        Self { at: Some(at), has_read: false }
    }

    fn is_past(&self, outbox: &Outbox) -> bool {
        self.has_read && self.at.is_some_and(|at| at <= outbox.now())
    }
}

/// What a call comes to that has no limit.
#[inline(always)]
pub(super) fn unlimited<T>(polled: Poll<T>) -> T {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("without a limit it waits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Connection, TimedOut};

    #[test]
    fn a_peer_is_judged_by_the_moment_for_which_it_is_known_how_much_it_has_taken() {
        let (receiver, sender) = Connection::server(Config::new()).split();
        let mut outbox = Outbox::new(sender, &receiver);
        let mut inbox = Inbox::new(receiver, Life::default(), Duration::MAX);
        let now = outbox.now();
        let sender = &mut outbox.sending_mut().delivery.sender;
        sender.send("unread").expect("open");
        inbox.receiver.poll_timeout(now, sender);
        outbox.age(Duration::from_secs(3600));
        inbox.handle_timeout(&outbox);
        assert_eq!(inbox.receiver.timed_out(), None);
        outbox.end_write();
        inbox.handle_timeout(&outbox);
        assert_eq!(inbox.receiver.timed_out(), Some(TimedOut::Write));
    }
}
