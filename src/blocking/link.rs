//! Reading, writing and waiting: everything that can block.
//!
//! The halves of a connection share an [`Outbox`]. Its sender is locked only to queue and to take, never while something blocks;
//! whoever writes to the stream holds the lock of `writing`, for which the reader never waits.

use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Buf;

use super::Stream;
use crate::adapter::{Opening, Outlet, REST, lock};
use crate::{
    Connection, Error, Input, Output, Ready, Receiver, Sender, TimedOut, Timestamp, Transport, pool,
};

/// How long somebody who also has to read waits for room to write, and the other way round.
const SHORT: Duration = Duration::from_millis(10);

/// How many pieces of the output go into one vectored write.
const MAX_SLICES: usize = 16;

/// The sending side.
#[derive(Debug)]
pub(super) struct Outbox {
    /// When the connection's clock began.
    start: Instant,
    outlet: Mutex<Outlet>,
    writing: Mutex<Writing>,
    write_timeout: Option<Duration>,
}

#[derive(Debug, Default)]
struct Writing {
    timeout: Timeout,
    /// The stream may hold back what was written.
    unflushed: bool,
}

/// The receiving side.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) receiver: Receiver,
    pub(super) input: Input,
    timeout: Timeout,
    write_is_shut: bool,
    left: Left,
    /// The longest read, for when somebody else may change the deadlines meanwhile.
    pub(super) max_wait: Option<Duration>,
}

/// What was not written before a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// Or only what somebody else is writing.
    Nothing,
    /// There was no more time.
    Some,
    NoRoom,
}

/// The timeout that a stream has; `None` before the first one is set.
#[derive(Debug, Default)]
struct Timeout(Option<Option<Duration>>);

impl Timeout {
    /// Sees that a call lasts at most `wanted`, and calls the system only when that takes a new timeout: somewhat shorter does as well.
    fn set(
        &mut self,
        wanted: Option<Duration>,
        apply: impl FnOnce(Option<Duration>) -> io::Result<()>,
    ) -> io::Result<()> {
        // The system takes zero for an error.
        let wanted = wanted.map(|wanted| wanted.max(Duration::from_millis(1)));
        let serves = match (self.0, wanted) {
            (Some(Some(set)), Some(wanted)) => set <= wanted && set >= wanted / 2,
            (set, wanted) => set == Some(wanted),
        };
        if !serves {
            apply(wanted)?;
            self.0 = Some(wanted);
        }
        Ok(())
    }
}

/// The two sides of a connection.
pub(super) fn sides(connection: Connection, input: Input) -> (Inbox, Outbox) {
    let (receiver, sender) = connection.split();
    let outbox = Outbox {
        start: Instant::now(),
        outlet: Mutex::new(Outlet::new(sender)),
        writing: Mutex::default(),
        write_timeout: receiver.write_timeout(),
    };
    let timeout = Timeout::default();
    (Inbox { receiver, input, timeout, write_is_shut: false, left: Left::Nothing, max_wait: None }, outbox)
}

impl Outbox {
    pub(super) fn now(&self) -> Timestamp {
        self.start.elapsed().into()
    }

    fn until(&self, deadline: Option<Timestamp>) -> Option<Duration> {
        Some(deadline?.duration_since(self.now()))
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
            self.outlet().check()?;
            if !self.owes_more_than(rest) {
                return Ok(());
            }
            let timeout = match &mut inbox {
                Some(inbox) => {
                    self.until(inbox.receiver.poll_firm_timeout(self.now(), &self.outlet().sender))
                }
                None => self.write_timeout,
            };
            if self.write_once(stream, &mut lock(&self.writing), timeout)? {
                progressed_at = Instant::now();
            } else if let Some(inbox) = &mut inbox {
                let outlet = &mut *self.outlet();
                if let Err(timed_out) = inbox.receiver.handle_firm_timeout(self.now(), &mut outlet.sender) {
                    outlet.write_timed_out(timed_out);
                }
            } else if self.write_timeout.is_some_and(|timeout| progressed_at.elapsed() >= timeout) {
                // The rest stays queued, so that the reader's deadline passes as well.
                return Err(TimedOut::Write.into());
            }
        }
    }

    fn owes_more_than(&self, rest: usize) -> bool {
        let len = self.outlet().sender.output().len();
        len > rest || (rest == 0 && lock(&self.writing).unflushed)
    }

    /// Writes as much as goes in a short time, unless somebody else is writing.
    fn write_some<T: Stream>(&self, stream: &mut T) -> Left {
        let start = Instant::now();
        loop {
            let Ok(mut writing) = self.writing.try_lock() else { return Left::Nothing };
            if !self.outlet().sender.owes() && !writing.unflushed {
                return Left::Nothing;
            }
            match self.write_once(stream, &mut writing, Some(SHORT)) {
                Ok(true) if start.elapsed() < SHORT => {}
                Ok(true) => return Left::Some,
                // An error waits: what the peer has said counts for more than that it does not listen.
                Ok(false) | Err(_) => return Left::NoRoom,
            }
        }
    }

    /// One write; false when there was no room.
    fn write_once<T: Stream>(
        &self,
        stream: &mut T,
        writing: &mut Writing,
        timeout: Option<Duration>,
    ) -> Result<bool, Error> {
        self.outlet().check()?;
        let mut write = || {
            writing.timeout.set(timeout, |timeout| stream.set_write_timeout(timeout))?;
            // The output is out of the sender while the write blocks, so that others can queue.
            let mut output = self.outlet().sender.output().take();
            writing.unflushed = true;
            let written = write(stream, &mut output);
            self.outlet().sender.output().put_back(output);
            written?;
            if !self.outlet().sender.owes() {
                stream.flush()?;
                writing.unflushed = false;
            }
            Ok(())
        };
        goes_on(write()).map_err(|error| {
            writing.unflushed = false;
            self.outlet().write_failed(&error)
        })
    }

    /// True while the stream may hold back what was written, or somebody is writing.
    fn is_unflushed(&self) -> bool {
        self.writing.try_lock().map_or(true, |writing| writing.unflushed) && !self.outlet().is_broken()
    }
}

impl Inbox {
    /// Runs the connection until an event is ready, or until the transport has ended.
    pub(super) fn advance<T: Stream>(
        &mut self,
        stream: &mut T,
        outbox: &Outbox,
    ) -> Result<Option<Ready>, Error> {
        loop {
            let advanced = self.receiver.advance(&mut self.input);
            if let Some(reply) = self.receiver.take_reply(&self.input) {
                outbox.outlet().sender.reply(reply);
            }
            if let Ok(Some(ready)) = advanced {
                if ready.is_control() && self.left != Left::NoRoom {
                    // The reply leaves at once, however long the caller takes to come back.
                    self.receiver.poll_timeout(outbox.now(), &mut outbox.outlet().sender);
                    self.left = outbox.write_some(stream);
                }
                return Ok(Some(ready));
            }
            self.left = outbox.write_some(stream);
            let unflushed = outbox.is_unflushed();
            let action = outbox.outlet().transport_action(&mut self.receiver, unflushed, || outbox.now());
            match action {
                Transport::KeepOpen | Transport::AwaitEof => {}
                Transport::ShutdownWrite => self.shutdown_write(stream),
                Transport::Close => {
                    let ended = outbox.outlet().end(&self.receiver, advanced.err());
                    // The peer sees the end even if the stream is kept.
                    self.shutdown_write(stream);
                    return ended.map(|()| None);
                }
            }
            match goes_on(self.read(stream, outbox)) {
                Ok(true) => {}
                Ok(false) => {
                    // A timeout shows in the transport action.
                    let _ = self.receiver.handle_timeout(outbox.now(), &mut outbox.outlet().sender);
                    self.input.shrink();
                }
                Err(error) => outbox.outlet().read_failed(&self.receiver, &mut self.input, error)?,
            }
        }
    }

    fn read<T: Stream>(&mut self, stream: &mut T, outbox: &Outbox) -> io::Result<()> {
        let deadline = self.receiver.poll_timeout(outbox.now(), &mut outbox.outlet().sender);
        let owes = outbox.outlet().sender.owes();
        let writes_too = match self.left {
            Left::Some => Some(Duration::ZERO),
            _ => (owes || outbox.is_unflushed()).then_some(SHORT),
        };
        let rest = self.input.is_swollen().then_some(REST);
        let timeouts = [outbox.until(deadline).or(rest), self.max_wait, writes_too];
        if self.input.is_eof() {
            // There is nothing to read, but somebody is still writing.
            std::thread::sleep(SHORT);
            return Err(ErrorKind::WouldBlock.into());
        }
        let timeout = timeouts.into_iter().flatten().min();
        self.timeout.set(timeout, |timeout| stream.set_read_timeout(timeout))?;
        read(stream, &mut self.input)
    }

    fn shutdown_write<T: Stream>(&mut self, stream: &mut T) {
        if !self.write_is_shut {
            self.write_is_shut = true;
            // An error means that the transport has ended, which reading shows as well.
            let _ = stream.shutdown_write();
        }
    }
}

/// Runs an opening handshake to its end.
pub(super) fn open<T: Stream, H: Opening>(
    stream: &mut T,
    handshake: &mut H,
    input: &mut Input,
) -> Result<H::Opened, Error> {
    let start = Instant::now();
    let now = || Timestamp::from(start.elapsed());
    let (mut read_timeout, mut writing) = (Timeout::default(), Writing::default());
    loop {
        if let Some(opened) = handshake.receive(input)? {
            return Ok(opened);
        }
        let wait = handshake.poll_timeout(now()).map(|deadline| deadline.duration_since(now()));
        if wait == Some(Duration::ZERO) {
            handshake.handle_timeout(now())?;
            continue;
        }
        goes_on(if handshake.output().has_remaining() || writing.unflushed {
            writing.unflushed = true;
            let timed = writing.timeout.set(wait, |timeout| stream.set_write_timeout(timeout));
            timed
                .and_then(|()| write(stream, handshake.output()))
                .and_then(|()| stream.flush())
                .map(|()| writing.unflushed = false)
        } else {
            let timed = read_timeout.set(wait, |timeout| stream.set_read_timeout(timeout));
            timed.and_then(|()| read(stream, input))
        })?;
    }
}

/// True if an operation got on, false if its timeout passed before.
fn goes_on(result: io::Result<()>) -> io::Result<bool> {
    match result.map_err(|error| (error.kind(), error)) {
        Ok(()) | Err((ErrorKind::Interrupted, _)) => Ok(true),
        Err((ErrorKind::WouldBlock | ErrorKind::TimedOut, _)) => Ok(false),
        Err((_, error)) => Err(error),
    }
}

fn read<T: Stream>(stream: &mut T, input: &mut Input) -> io::Result<()> {
    pool::supply(input);
    match stream.read(input.space()) {
        Ok(0) => input.set_eof(),
        Ok(len) => input.filled(len),
        Err(error) => {
            pool::collect(input);
            return Err(error);
        }
    }
    Ok(())
}

fn write<T: Stream>(stream: &mut T, output: &mut Output) -> io::Result<()> {
    if !output.has_remaining() {
        return Ok(());
    }
    let chunk = output.chunk();
    let written = if chunk.len() < output.remaining() {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let count = output.chunks_vectored(&mut slices);
        stream.write_vectored(&slices[..count])?
    } else {
        stream.write(chunk)?
    };
    if written == 0 {
        return Err(ErrorKind::WriteZero.into());
    }
    output.advance(written.min(output.remaining()));
    Ok(())
}
