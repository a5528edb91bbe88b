//! Reading, writing and waiting: everything that can block.
//!
//! The halves of a connection share an [`Outbox`]. Its sender is locked only to queue and to take, never while something blocks;
//! whoever writes to the stream holds the lock of `writing`, for which the reader never waits.
//!
//! What came to nothing in the time that it had is [`Poll::Pending`], and a wait of [`Duration::MAX`] has no end.

use core::mem;
use core::task::{Poll, ready};
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Stream;
use crate::adapter::{Opening, Outlet, REST, advance, drain, fill, lock};
use crate::pool::{self, Inlet};
use crate::{
    Connection, Error, Event, Output, Ready, Receiver, Reply, Sender, TimedOut, Timestamp, TransportAction,
};

/// How long somebody who also has to read waits for room to write, and the other way round.
const SHORT: Duration = Duration::from_millis(10);

/// The sending side.
#[derive(Debug)]
pub(super) struct Outbox {
    /// When the connection's clock began.
    start: Instant,
    outlet: Mutex<Outlet>,
    writing: Mutex<Timeout>,
    write_timeout: Duration,
}

/// The receiving side, but for the input, from which events are lent.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) receiver: Receiver,
    reading: Timeout,
    /// Something was left when the output was last written: for want of room, or of time.
    is_behind: bool,
    /// The longest read, for when somebody else may change the deadlines meanwhile.
    pub(super) max_wait: Duration,
}

/// The two sides of a connection.
pub(super) fn sides(connection: Connection) -> (Inbox, Outbox) {
    let (receiver, sender) = connection.split();
    let outbox = Outbox {
        start: Instant::now(),
        outlet: Mutex::new(Outlet::new(sender)),
        writing: Mutex::default(),
        write_timeout: receiver.write_timeout().unwrap_or(Duration::MAX),
    };
    let reading = Timeout::default();
    let max_wait = Duration::MAX;
    (Inbox { receiver, reading, is_behind: false, max_wait }, outbox)
}

impl Outbox {
    pub(super) fn now(&self) -> Timestamp {
        self.start.elapsed().into()
    }

    pub(super) fn outlet(&self) -> MutexGuard<'_, Outlet> {
        lock(&self.outlet)
    }

    pub(super) fn sender_mut(&mut self) -> &mut Sender {
        &mut self.outlet.get_mut().unwrap_or_else(PoisonError::into_inner).sender
    }

    pub(super) fn into_sender(self) -> Sender {
        self.outlet.into_inner().unwrap_or_else(PoisonError::into_inner).sender
    }

    /// Writes until at most `rest` bytes of output are left, and all the way through the stream if that is none.
    ///
    /// The write deadline is kept meanwhile: the one of `inbox`, if it is here.
    pub(super) fn flush<T: Stream>(
        &self,
        stream: &mut T,
        rest: usize,
        mut inbox: Option<&mut Inbox>,
    ) -> Result<(), Error> {
        let mut progressed_at = Instant::now();
        loop {
            // Whoever else queues while this one has the lock leaves the writing to this one, so it looks again.
            let mut outlet = self.outlet();
            outlet.check()?;
            if outlet.sender.queued_len() <= rest && (rest > 0 || !outlet.sender.owes()) {
                return Ok(());
            }
            let now = self.now();
            let wait = match &mut inbox {
                Some(inbox) => until(inbox.receiver.poll_firm_timeout(now, &outlet.sender), now),
                None => self.write_timeout,
            };
            drop(outlet);
            let written = self.write_once(stream, &mut lock(&self.writing), wait)?;
            match &mut inbox {
                _ if written.is_ready() => progressed_at = Instant::now(),
                Some(inbox) => self.outlet().handle_firm_timeout(&mut inbox.receiver, self.now()),
                // The rest stays queued, so that the reader's deadline passes as well.
                None if progressed_at.elapsed() >= self.write_timeout => return Err(TimedOut::Write.into()),
                None => {}
            }
        }
    }

    /// Writes as much as goes in a short time, unless somebody else is writing; true if that left something.
    fn write_some<T: Stream>(&self, stream: &mut T) -> bool {
        let start = Instant::now();
        while self.outlet().sender.owes() && start.elapsed() < SHORT {
            let Ok(mut writing) = self.writing.try_lock() else { return false };
            // An error waits: what the peer has said counts for more than that it does not listen.
            let _ = self.write_once(stream, &mut writing, SHORT);
        }
        self.outlet().sender.owes()
    }

    /// One write, of at most `wait`, by whoever has the lock of `writing`.
    fn write_once<T: Stream>(
        &self,
        stream: &mut T,
        writing: &mut Timeout,
        wait: Duration,
    ) -> Poll<Result<(), Error>> {
        let mut outlet = self.outlet();
        outlet.check()?;
        outlet.sender.unflushed = true;
        // The output is out of the sender while the write blocks, so that others can queue.
        let mut output = outlet.sender.output().take();
        drop(outlet);
        let written = write(stream, writing, wait, &mut output);
        let mut outlet = self.outlet();
        outlet.sender.unflushed = !output.is_empty() || !matches!(written, Poll::Ready(Ok(())));
        outlet.sender.output().put_back(output);
        written.map_err(|error| outlet.write_failed(&error))
    }

    fn shut_down<T: Stream>(&self, stream: &mut T) {
        if !mem::replace(&mut self.outlet().is_shut, true) {
            // An error means that the transport has ended, which reading shows as well.
            let _ = stream.shutdown_write();
        }
    }
}

impl Inbox {
    /// The next event; `None` when the transport has ended.
    // Always inlined, as `Connection::receive` is and for the same reason.
    #[inline(always)]
    pub(super) fn receive<'i, T: Stream>(
        &mut self,
        inlet: &'i mut Inlet,
        stream: &mut T,
        outbox: &Outbox,
    ) -> Result<Option<Event<'i>>, Error> {
        let ready = match inlet.get().and_then(|input| self.receiver.message_frame(input)) {
            Some(ready) => Some(ready),
            None => self.advance(inlet, stream, outbox)?,
        };
        let Some(ready) = ready else { return Ok(None) };
        match self.receiver.lend(inlet.input(), ready) {
            Ok(event) => Ok(Some(event)),
            // Whatever is read from now on is discarded at once.
            Err(_) => self.advance(&mut Inlet::new(), stream, outbox).map(|_| None),
        }
    }

    /// Runs the connection until an event is ready, to be lent by the receiver, or until the transport has ended.
    fn advance<T: Stream>(
        &mut self,
        inlet: &mut Inlet,
        stream: &mut T,
        outbox: &Outbox,
    ) -> Result<Option<Ready>, Error> {
        loop {
            let queue = |reply: Reply<'_>| outbox.outlet().sender.reply(reply);
            if let Some(ready) = advance(&mut self.receiver, inlet, queue) {
                if ready.is_control() && !self.is_behind {
                    // The reply leaves at once, however long the caller takes to come back.
                    self.receiver.poll_timeout(outbox.now(), &mut outbox.outlet().sender);
                    self.is_behind = outbox.write_some(stream);
                }
                return Ok(Some(ready));
            }
            self.is_behind = outbox.write_some(stream);
            let action = outbox.outlet().transport_action(&mut self.receiver, || outbox.now());
            match action {
                TransportAction::KeepOpen | TransportAction::AwaitEof => {}
                TransportAction::ShutdownWrite => outbox.shut_down(stream),
                TransportAction::Close => {
                    let ended = outbox.outlet().end(&self.receiver);
                    // The peer sees the end even if the stream is kept.
                    outbox.shut_down(stream);
                    return ended.map(|()| None);
                }
            }
            match self.read(inlet, stream, outbox) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    outbox.outlet().read_failed(&self.receiver, inlet, error)?;
                }
                Poll::Pending => {
                    // A timeout shows in the transport action.
                    let mut outlet = outbox.outlet();
                    let _ = self.receiver.handle_timeout(outbox.now(), &mut outlet.sender);
                    outlet.shrink(inlet);
                }
            }
        }
    }

    fn read<T: Stream>(
        &mut self,
        inlet: &mut Inlet,
        stream: &mut T,
        outbox: &Outbox,
    ) -> Poll<io::Result<()>> {
        let mut outlet = outbox.outlet();
        let now = outbox.now();
        let deadline = self.receiver.poll_timeout(now, &mut outlet.sender);
        outlet.return_storage(inlet);
        let rest = outlet.is_swollen(inlet).then(|| now + REST);
        let mut wait = until(deadline.into_iter().chain(rest).min(), now).min(self.max_wait);
        if outlet.sender.owes() {
            wait = wait.min(if self.is_behind { Duration::ZERO } else { SHORT });
        }
        drop(outlet);
        if inlet.is_eof() {
            // There is nothing to read, but perhaps something to write.
            std::thread::sleep(SHORT);
            return Poll::Pending;
        }
        read(stream, &mut self.reading, wait, inlet)
    }
}

/// Runs an opening handshake to its end.
pub(super) fn open<T: Stream, H: Opening>(
    stream: &mut T,
    handshake: &mut H,
    inlet: &mut Inlet,
) -> Result<H::Opened, Error> {
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
            unflushed = !write(stream, &mut writing, wait, handshake.output())?.is_ready();
        } else {
            let _ = read(stream, &mut reading, wait, inlet)?;
        }
    }
}

fn until(deadline: Option<Timestamp>, now: Timestamp) -> Duration {
    deadline.map_or(Duration::MAX, |deadline| deadline.duration_since(now))
}

/// The timeout that a stream has in one direction; zero before the first one is set.
#[derive(Debug, Default)]
struct Timeout(Duration);

impl Timeout {
    /// Sees that a call lasts at most `wait`, and calls the system only when that takes a new timeout: somewhat shorter does as well.
    fn set(
        &mut self,
        wait: Duration,
        apply: impl FnOnce(Option<Duration>) -> io::Result<()>,
    ) -> io::Result<()> {
        // The system takes zero for an error.
        let wait = wait.max(Duration::from_millis(1));
        if self.0 > wait || self.0 < wait / 2 {
            apply((wait < Duration::MAX).then_some(wait))?;
            self.0 = wait;
        }
        Ok(())
    }
}

/// One read, of at most `wait`.
fn read<T: Stream>(
    stream: &mut T,
    timeout: &mut Timeout,
    wait: Duration,
    inlet: &mut Inlet,
) -> Poll<io::Result<()>> {
    timeout.set(wait, |timeout| stream.set_read_timeout(timeout))?;
    fill(inlet, None, |space| poll(stream.read(space)))
}

/// One write, of at most `wait`, and all the way through the stream if that was the last of `output`.
fn write<T: Stream>(
    stream: &mut T,
    timeout: &mut Timeout,
    wait: Duration,
    output: &mut Output,
) -> Poll<io::Result<()>> {
    timeout.set(wait, |timeout| stream.set_write_timeout(timeout))?;
    if !output.is_empty() {
        let drained = drain(output, |slices| match slices {
            [slice] => poll(stream.write(slice)),
            slices => poll(stream.write_vectored(slices)),
        });
        ready!(drained)?;
    }
    if output.is_empty() { poll(stream.flush()) } else { Poll::Ready(Ok(())) }
}

/// A call that came to nothing, because its timeout passed or a signal came, is pending.
fn poll<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    use ErrorKind::{Interrupted, TimedOut, WouldBlock};
    match result {
        Err(error) if matches!(error.kind(), Interrupted | WouldBlock | TimedOut) => Poll::Pending,
        result => Poll::Ready(result),
    }
}
