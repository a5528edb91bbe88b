//! Reading, writing and waiting: everything that can block.
//!
//! The halves of a connection share an [`Outbox`]. It is locked only to queue and to take, never while something blocks. Whoever writes to
//! the stream has it alone meanwhile, and the reader never waits for that: see [`Access`].

use core::mem;
use core::task::{Poll, ready};
use core::time::Duration;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Stream;
use super::timeout::{SHORTEST, Timeout, read, write};
use crate::adapter::{Handle, Handles, Opening, Outlet, REST, advance, lock, message};
use crate::pool::{self, Inlet};
use crate::timer::Deadline;
use crate::{
    Error, Event, Message, Outgoing, Ready, Receiver, Reply, SendError, Sender, TimedOut, Timestamp,
    TransportAction,
};

/// How long somebody who also has to read waits for room to write, and the other way round.
const SHORT: Duration = Duration::from_millis(10);

/// The longest write. A kernel holds a long one until its timeout, and tells only then how much of it went.
const MAX_WRITE: Duration = Duration::from_secs(1);

/// The sending side, and the connection's clock.
#[derive(Debug)]
pub(super) struct Outbox {
    start: Instant,
    /// The moment of the start: not the first if another clock has told the connection moments before.
    first: Timestamp,
    sending: Mutex<Sending>,
    write_timeout: Duration,
    min_progress: usize,
}

#[derive(Debug)]
pub(super) struct Sending {
    pub(super) outlet: Outlet,
    pub(super) handles: Handles,
    /// A write is under way since then. How much was written is known for that moment.
    writing_since: Option<Timestamp>,
    /// So many bytes have gone all the way through the stream.
    flushed: u64,
    /// Nobody reads any more, or somebody else has the connection.
    pub(super) is_gone: bool,
}

/// The way to the stream to write to: whole, or shared by the halves.
pub(super) trait Access {
    fn outbox(&self) -> &Outbox;

    /// Lends the stream to write to. While somebody else has it, it waits if it `may_wait`; `None` when it does not, or the stream is gone.
    fn write<R>(
        &mut self,
        may_wait: bool,
        run: impl FnOnce(&Outbox, &mut dyn Stream, &mut Timeout) -> R,
    ) -> Option<R>;
}

/// And to the stream to read from.
pub(super) trait ReadAccess: Access {
    fn read<R>(&mut self, run: impl FnOnce(&mut dyn Stream) -> R) -> R;
}

impl Outbox {
    /// The clock goes on from the latest moment that `sender` was told.
    pub(super) fn new(sender: Sender, receiver: &Receiver) -> Self {
        let timing = receiver.timing();
        Self {
            start: Instant::now(),
            first: sender.told(),
            sending: Mutex::new(Sending::new(Outlet::new(sender))),
            write_timeout: timing.write_timeout.duration().unwrap_or(Duration::MAX),
            min_progress: timing.min_progress as usize,
        }
    }

    /// What the time is.
    pub(super) fn now(&self) -> Timestamp {
        self.first + self.start.elapsed()
    }

    pub(super) fn sending(&self) -> MutexGuard<'_, Sending> {
        lock(&self.sending)
    }

    pub(super) fn sending_mut(&mut self) -> &mut Sending {
        self.sending.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn into_sending(self) -> Sending {
        let mut sending = self.sending.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What fails here shows when there is something to write.
        let _ = sending.recover();
        sending
    }

    /// Nobody reads any more.
    pub(super) fn give_up(&self) {
        let mut sending = self.sending();
        sending.outlet.give_up();
        sending.is_gone = true;
    }

    /// From now on nobody writes any more who is not writing already.
    pub(super) fn retire(&self) {
        self.sending().is_gone = true;
    }

    /// Takes everything and leaves what sends nothing any more. Only for the caller who has the stream to write to.
    pub(super) fn take(&self) -> Self {
        let mut sending = self.sending();
        // What fails here shows when there is something to write.
        let _ = sending.recover();
        let (outlet, flushed) = (sending.outlet.take(), sending.flushed);
        drop(sending);
        self.give_up();
        Self { sending: Mutex::new(Sending { flushed, ..Sending::new(outlet) }), ..*self }
    }

    /// The longest write: a fraction of the time after which a peer is given up that takes nothing.
    fn max_write(&self) -> Duration {
        MAX_WRITE.min(self.write_timeout / 4)
    }

    /// One write, of at most `wait`, by the caller who has the stream to write to. What is written up to the position `end`, or
    /// everything, goes all the way through the stream.
    fn write_once(
        &self,
        stream: &mut dyn Stream,
        timeout: &mut Timeout,
        wait: Duration,
        end: u64,
    ) -> Poll<Result<(), Error>> {
        let mut sending = self.sending();
        sending.recover()?;
        sending.outlet.check()?;
        sending.outlet.sender.unflushed = true;
        let now = self.now();
        sending.writing_since = Some(now);
        // The output is out of the sender while the write blocks, so that others can queue.
        let mut output = sending.outlet.sender.take_output(now);
        drop(sending);
        let written = write(stream, timeout, wait, &mut output, end);
        let mut sending = self.sending();
        sending.writing_since = None;
        let is_flushed =
            matches!(written, Poll::Ready(Ok(()))) && (output.is_empty() || output.written() >= end);
        if is_flushed {
            sending.flushed = output.written();
        }
        let sender = &mut sending.outlet.sender;
        sender.unflushed = !is_flushed || !output.is_empty();
        sender.put_back_output(output);
        sender.wrote(now);
        written.map_err(|error| sending.outlet.write_failed(&error))
    }
}

impl Sending {
    fn new(outlet: Outlet) -> Self {
        Self { outlet, handles: Handles::default(), writing_since: None, flushed: 0, is_gone: false }
    }

    /// Fails if the last one who wrote has panicked: nobody knows how much went, so nothing may follow. Only for the caller who has the
    /// stream to write to.
    fn recover(&mut self) -> Result<(), Error> {
        match self.writing_since.take() {
            Some(_) => Err(self.outlet.write_failed(&io::ErrorKind::Other.into())),
            None => Ok(()),
        }
    }

    pub(super) fn queue_fragment(
        &mut self,
        handle: Handle,
        part: Outgoing<'_>,
        last: bool,
    ) -> Result<(), SendError> {
        self.handles.queue_fragment(handle, &mut self.outlet.sender, part, last)
    }

    /// The moment for which it is known how much was written: the one by which a peer may be judged.
    fn moment(&self, now: Timestamp) -> Timestamp {
        self.writing_since.unwrap_or(now)
    }
}

/// How far somebody writes.
#[derive(Clone, Copy)]
pub(super) enum Goal {
    /// Until at most so many bytes are left.
    Room(usize),
    /// Until everything that is queued now has gone all the way through the stream.
    Flushed,
}

/// Queues something as soon as the output is below the high-water mark.
pub(super) fn ready_then(
    access: &mut impl Access,
    receiver: Option<&mut Receiver>,
    queue: impl FnOnce(&mut Sending) -> Result<(), SendError>,
) -> Result<(), Error> {
    let rest = access.outbox().sending().outlet.sender.ready_len();
    flush(access, Goal::Room(rest), receiver, queue)
}

/// Writes as far as `goal` says. Then it does `last` before anybody else can queue.
///
/// The write deadline is kept meanwhile: that of `receiver`, if it is here.
pub(super) fn flush(
    access: &mut impl Access,
    goal: Goal,
    mut receiver: Option<&mut Receiver>,
    last: impl FnOnce(&mut Sending) -> Result<(), SendError>,
) -> Result<(), Error> {
    let mut progress = Progress::new(access.outbox().now());
    let mut end = None;
    loop {
        let outbox = access.outbox();
        let mut sending = outbox.sending();
        sending.outlet.check()?;
        let (is_there, end) = match goal {
            Goal::Room(rest) => (sending.outlet.sender.queued_len() <= rest, u64::MAX),
            Goal::Flushed => {
                // Others may go on queueing for ever.
                let end = *end.get_or_insert_with(|| sending.outlet.sender.end_of_output());
                (!sending.outlet.sender.owes() || sending.flushed >= end, end)
            }
        };
        if is_there {
            return last(&mut sending).map_err(|error| sending.outlet.explain(error));
        }
        if sending.is_gone {
            return Err(SendError::Closed.into());
        }
        let mut wait = outbox.max_write();
        let now = outbox.now();
        if let Some(receiver) = &mut receiver {
            wait = wait.min(until(receiver.poll_firm_timeout(now, &sending.outlet.sender), now));
        } else if progress.is_stalled(&sending, outbox, now) {
            // The rest stays queued, so that the reader's deadline passes as well.
            return Err(TimedOut::Write.into());
        }
        drop(sending);
        let written =
            access.write(true, |outbox, stream, timeout| outbox.write_once(stream, timeout, wait, end));
        let Some(written) = written else { return Err(SendError::Closed.into()) };
        let is_pending = written.is_pending();
        if let Poll::Ready(written) = written {
            written?;
        }
        // A peer that takes a little every time puts nothing off.
        if (is_pending || wait.is_zero())
            && let Some(receiver) = &mut receiver
        {
            let outbox = access.outbox();
            outbox.sending().outlet.handle_firm_timeout(receiver, outbox.now());
        }
    }
}

/// What a writer without the connection's timers has seen of the peer's progress.
struct Progress {
    /// What has to be written by the write deadline.
    goal: u64,
    since: Timestamp,
}

impl Progress {
    fn new(now: Timestamp) -> Self {
        Self { goal: 0, since: now }
    }

    /// True when less than [`min_progress`](crate::Config::min_progress) was written within the write timeout.
    fn is_stalled(&mut self, sending: &Sending, outbox: &Outbox, now: Timestamp) -> bool {
        let sender = &sending.outlet.sender;
        let written = sender.written();
        if written < self.goal {
            return sending.moment(now).duration_since(self.since) >= outbox.write_timeout;
        }
        self.goal = written + sender.queued_len().clamp(1, outbox.min_progress) as u64;
        self.since = now;
        false
    }
}

/// Writes as much as goes in a short time, unless somebody else is writing; true if that left something.
fn write_some(access: &mut impl Access, short: Duration) -> bool {
    let start = Instant::now();
    while access.outbox().sending().outlet.sender.owes() && start.elapsed() < short {
        // An error waits: what the peer has said counts for more than that it does not listen.
        let written = access
            .write(false, |outbox, stream, timeout| outbox.write_once(stream, timeout, short, u64::MAX));
        if written.is_none() {
            return false;
        }
    }
    access.outbox().sending().outlet.sender.owes()
}

fn shut_down(access: &mut impl ReadAccess) {
    if !mem::replace(&mut access.outbox().sending().outlet.is_shut, true) {
        // An error means that the transport has ended, which reading shows as well.
        let _ = access.read(|stream| stream.shutdown_write());
    }
}

/// The receiving side, but for the input, from which events are lent.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) receiver: Receiver,
    reading: Timeout,
    /// Something was left when the output was last written: for want of room, or of time.
    is_behind: bool,
    /// The longest read, for when somebody else may change the deadlines meanwhile.
    max_wait: Duration,
    /// When storage that a large message has left behind is given back.
    rest: Deadline,
}

impl Inbox {
    pub(super) fn new(receiver: Receiver, max_wait: Duration) -> Self {
        Self { receiver, reading: Timeout::default(), is_behind: false, max_wait, rest: Deadline::NONE }
    }

    /// As if the connection had had nothing to do for long enough to give storage back.
    #[cfg(test)]
    pub(super) fn age(&mut self) {
        assert!(self.rest.get().is_some(), "it does not rest");
        self.rest.clear();
        self.rest.poll(Timestamp::default(), Some(Duration::ZERO));
    }

    /// The next event; `None` when the transport has ended. Pending when there is none by `limit`.
    // Always inlined, as `Connection::receive` is and for the same reason.
    #[inline(always)]
    pub(super) fn receive<'i>(
        &mut self,
        inlet: &'i mut Inlet,
        access: &mut impl ReadAccess,
        limit: &mut Limit,
    ) -> Poll<Result<Option<Event<'i>>, Error>> {
        let ready = match inlet.get().and_then(|input| self.receiver.message_frame(input)) {
            Some(ready) => ready,
            None => match self.advance(inlet, access, limit) {
                Poll::Ready(Ok(Some(ready))) => ready,
                Poll::Ready(Ok(None)) => return Poll::Ready(Ok(None)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            },
        };
        match self.receiver.lend(inlet.input(), ready) {
            Ok(event) => Poll::Ready(Ok(Some(event))),
            // Whatever is read from now on is discarded at once.
            Err(_) => self.advance(&mut Inlet::new(), access, limit).map_ok(|_| None),
        }
    }

    /// The next message; `None` when the transport has ended. Pending when there is none by `limit`.
    pub(super) fn receive_message(
        &mut self,
        inlet: &mut Inlet,
        access: &mut impl ReadAccess,
        limit: &mut Limit,
    ) -> Poll<Result<Option<Message>, Error>> {
        loop {
            if let Some(input) = inlet.get()
                && let Some(message) = self.receiver.copy_message_frame(input)
            {
                return Poll::Ready(Ok(Some(message)));
            }
            let Some(event) = ready!(self.receive(inlet, access, limit))? else {
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
        inlet: &mut Inlet,
        access: &mut impl ReadAccess,
        limit: &mut Limit,
    ) -> Poll<Result<Option<Ready>, Error>> {
        let short = if limit.at.is_some() { SHORTEST } else { SHORT };
        loop {
            let reply = |reply: Reply<'_>| access.outbox().sending().outlet.sender.reply(reply);
            if let Some(ready) = advance(&mut self.receiver, inlet, reply) {
                if ready.is_control() {
                    self.send_reply(access, short);
                }
                return Poll::Ready(Ok(Some(ready)));
            }
            self.is_behind = write_some(access, short);
            let outbox = access.outbox();
            let mut sending = outbox.sending();
            let moment = sending.moment(outbox.now());
            let action = sending.outlet.transport_action(&mut self.receiver, || moment);
            drop(sending);
            match action {
                TransportAction::KeepOpen | TransportAction::AwaitEof => {}
                TransportAction::ShutdownWrite => shut_down(access),
                TransportAction::Close => {
                    let ended = access.outbox().sending().outlet.end(&self.receiver);
                    // The peer sees the end even if the stream is kept.
                    shut_down(access);
                    return Poll::Ready(ended.map(|()| None));
                }
            }
            if limit.is_past(access.outbox()) {
                return Poll::Pending;
            }
            limit.has_read = true;
            match self.read(inlet, access, limit.at) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    access.outbox().sending().outlet.read_failed(&self.receiver, inlet, error)?;
                }
                Poll::Pending => self.handle_timeout(inlet, access.outbox()),
            }
        }
    }

    /// Sends the reply to a control frame at once, however long the caller takes to come back.
    fn send_reply(&mut self, access: &mut impl Access, short: Duration) {
        let outbox = access.outbox();
        let mut sending = outbox.sending();
        sending.outlet.hear(&self.receiver);
        self.receiver.poll_timeout(outbox.now(), &mut sending.outlet.sender);
        drop(sending);
        // While the peer takes nothing, the next read waits for room.
        if !self.is_behind {
            self.is_behind = write_some(access, short);
        }
    }

    /// Does what is due; that a deadline has passed shows in the transport action.
    fn handle_timeout(&mut self, inlet: &mut Inlet, outbox: &Outbox) {
        let mut sending = outbox.sending();
        let now = outbox.now();
        // While somebody writes, time stands still for the deadlines: nobody knows how much went since.
        let moment = sending.moment(now);
        let _ = self.receiver.handle_timeout(moment, &mut sending.outlet.sender);
        if self.rest.is_due(now) {
            self.rest.clear();
            sending.outlet.shrink(inlet);
        }
    }

    fn read(
        &mut self,
        inlet: &mut Inlet,
        access: &mut impl ReadAccess,
        limit: Option<Timestamp>,
    ) -> Poll<io::Result<()>> {
        let outbox = access.outbox();
        let mut sending = outbox.sending();
        let now = outbox.now();
        let moment = sending.moment(now);
        let deadline = self.receiver.poll_timeout(moment, &mut sending.outlet.sender);
        sending.outlet.return_storage(inlet);
        if sending.outlet.is_swollen(inlet) {
            self.rest.poll(now, Some(REST));
        }
        let mut wait = until(deadline, now).min(self.max_wait);
        if sending.writing_since.is_some() {
            // No deadline passes before that write ends.
            wait = wait.max(SHORT);
        }
        if sending.outlet.sender.owes() {
            wait = wait.min(if self.is_behind { Duration::ZERO } else { SHORT });
        }
        drop(sending);
        wait = wait.min(until(self.rest.get(), now)).min(until(limit, now));
        if inlet.is_eof() {
            // There is nothing to read, but perhaps something to write.
            std::thread::sleep(SHORT.min(wait.max(SHORTEST)));
            return Poll::Pending;
        }
        access.read(|stream| read(stream, &mut self.reading, wait, inlet))
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

fn until(deadline: Option<Timestamp>, now: Timestamp) -> Duration {
    deadline.map_or(Duration::MAX, |deadline| deadline.duration_since(now))
}

/// Runs an opening handshake to its end.
pub(super) fn open<H: Opening>(
    stream: &mut dyn Stream,
    handshake: &mut H,
    inlet: &mut Inlet,
) -> Result<H::Opened, Error> {
    stream.set_blocking()?;
    let start = Instant::now();
    let (mut reading, mut writing) = (Timeout::default(), Timeout::default());
    let mut unflushed = false;
    loop {
        if let Some(opened) = handshake.receive(pool::supply(inlet, None))? {
            pool::collect(inlet, None);
            return Ok(opened);
        }
        let now = start.elapsed().into();
        let wait = until(handshake.poll_timeout(now), now);
        if wait.is_zero() {
            handshake.handle_timeout(now)?;
        } else if unflushed || !handshake.output().is_empty() {
            let wait = wait.min(MAX_WRITE);
            unflushed = !write(stream, &mut writing, wait, handshake.output(), u64::MAX)?.is_ready();
        } else {
            let _ = read(stream, &mut reading, wait, inlet)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Connection};

    #[test]
    fn a_peer_is_judged_by_the_moment_for_which_it_is_known_how_much_it_has_taken() {
        let (receiver, sender) = Connection::server(Config::new()).split();
        let mut outbox = Outbox::new(sender, &receiver);
        let (mut inbox, mut inlet) = (Inbox::new(receiver, Duration::MAX), Inlet::new());
        let now = outbox.now();
        let sending = outbox.sending_mut();
        sending.outlet.sender.send("unread").expect("open");
        sending.writing_since = Some(now);
        inbox.receiver.poll_timeout(now, &mut sending.outlet.sender);
        let mut progress = Progress::new(now);
        assert!(!progress.is_stalled(&outbox.sending(), &outbox, now));

        // A write goes on that has begun an hour ago.
        outbox.first = outbox.first + Duration::from_secs(3600);
        let now = outbox.now();
        inbox.handle_timeout(&mut inlet, &outbox);
        assert_eq!(inbox.receiver.timed_out(), None);
        assert!(!progress.is_stalled(&outbox.sending(), &outbox, now));

        // It has ended, and nothing went.
        outbox.sending_mut().writing_since = None;
        assert!(progress.is_stalled(&outbox.sending(), &outbox, now));
        inbox.handle_timeout(&mut inlet, &outbox);
        assert_eq!(inbox.receiver.timed_out(), Some(TimedOut::Write));
    }
}
