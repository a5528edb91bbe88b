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
use crate::adapter::{Breakage, Broken, Opening, lock, outcome};
use crate::{
    Error, Input, Output, Ready, Receiver, SendError, Sender, State, TimedOut, Timestamp, Transport, pool,
};

/// How long somebody who also has to read waits for room to write, and the other way round.
const SHORT: Duration = Duration::from_millis(10);

/// How many pieces of the output go into one vectored write.
const MAX_SLICES: usize = 16;

/// The sending side.
#[derive(Debug)]
pub(super) struct Outbox {
    clock: Clock,
    sender: Mutex<Sender>,
    writing: Mutex<Writing>,
    /// Why the stream accepts no more.
    broken: Mutex<Breakage>,
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
    /// There was no room for what is owed since the last read.
    is_stuck: bool,
    /// The longest read, for when somebody else may change the deadlines meanwhile.
    pub(super) max_wait: Option<Duration>,
}

/// When the connection's clock began.
#[derive(Clone, Copy, Debug)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> Timestamp {
        self.0.elapsed().into()
    }

    /// How long it is until `deadline`.
    fn until(self, deadline: Timestamp) -> Duration {
        deadline.duration_since(self.now())
    }
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

fn has_timed_out(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

impl Outbox {
    pub(super) fn new(sender: Sender) -> Self {
        Self {
            clock: Clock(Instant::now()),
            sender: Mutex::new(sender),
            writing: Mutex::default(),
            broken: Mutex::default(),
        }
    }

    pub(super) fn sender(&self) -> MutexGuard<'_, Sender> {
        lock(&self.sender)
    }

    pub(super) fn sender_mut(&mut self) -> &mut Sender {
        self.sender.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn into_sender(self) -> Sender {
        self.sender.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ping(&self, payload: &[u8]) -> Result<(), SendError> {
        let mut sender = self.sender();
        sender.ping(payload)?;
        sender.measure(self.clock.now());
        Ok(())
    }

    /// Writes until at most `rest` bytes of output are left, and all the way through the stream if that is none.
    ///
    /// The write deadline is kept meanwhile.
    pub(super) fn flush<T: Stream>(
        &self,
        stream: &mut T,
        rest: usize,
        mut deadlines: Deadlines<'_>,
    ) -> Result<(), Error> {
        let mut progressed_at = Instant::now();
        loop {
            // Whoever else queues while this one has the lock leaves the writing to this one, so it looks again.
            lock(&self.broken).check(&mut self.sender())?;
            if !self.owes_more_than(rest) {
                return Ok(());
            }
            let timeout = match &mut deadlines {
                Deadlines::Of(inbox) => inbox.wait_firm(self),
                Deadlines::Write(timeout) => *timeout,
            };
            if self.write_once(stream, &mut lock(&self.writing), timeout)? {
                progressed_at = Instant::now();
                continue;
            }
            match &mut deadlines {
                Deadlines::Of(inbox) => {
                    if let Err(timed_out) = inbox.handle_firm_timeout(self) {
                        self.break_off(Broken::TimedOut(timed_out));
                    }
                }
                // The rest stays queued, so that the reader's deadline passes as well.
                Deadlines::Write(Some(timeout)) if progressed_at.elapsed() >= *timeout => {
                    return Err(TimedOut::Write.into());
                }
                Deadlines::Write(_) => {}
            }
        }
    }

    fn owes_more_than(&self, rest: usize) -> bool {
        let len = self.sender().output().len();
        len > rest || (rest == 0 && lock(&self.writing).unflushed)
    }

    /// Writes as much as goes without waiting long, unless somebody else is writing; false if there was no room.
    fn write_some<T: Stream>(&self, stream: &mut T) -> bool {
        loop {
            let Ok(mut writing) = self.writing.try_lock() else { return true };
            if !self.sender().owes() && !writing.unflushed {
                return true;
            }
            // An error waits: what the peer has said counts for more than that it does not listen.
            if !matches!(self.write_once(stream, &mut writing, Some(SHORT)), Ok(true)) {
                return false;
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
        lock(&self.broken).check(&mut self.sender())?;
        match self.write_taken(stream, writing, timeout) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) if has_timed_out(&error) => Ok(false),
            Err(error) => {
                writing.unflushed = false;
                Err(self.break_off(Broken::Io(error.kind())).into())
            }
        }
    }

    fn write_taken<T: Stream>(
        &self,
        stream: &mut T,
        writing: &mut Writing,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        writing.timeout.set(timeout, |timeout| stream.set_write_timeout(timeout))?;
        // The output is out of the sender while the write blocks, so that others can queue.
        let mut output = self.sender().output().take();
        writing.unflushed = true;
        let written = write(stream, &mut output);
        self.sender().output().put_back(output);
        written?;
        let rest = self.sender().output().len();
        if rest == 0 {
            stream.flush()?;
            writing.unflushed = false;
        }
        Ok(())
    }

    fn break_off(&self, reason: Broken) -> Broken {
        lock(&self.broken).break_off(reason, &mut self.sender())
    }

    /// True while the stream may hold back what was written, or somebody is writing.
    fn is_unflushed(&self) -> bool {
        self.writing.try_lock().map_or(true, |writing| writing.unflushed) && !self.is_broken()
    }

    fn is_broken(&self) -> bool {
        lock(&self.broken).is_some()
    }
}

/// What ends a flush that does not get on: the write deadline, as
pub(super) enum Deadlines<'a> {
    /// this inbox has it,
    Of(&'a mut Inbox),
    /// or as this timeout makes it.
    Write(Option<Duration>),
}

impl Inbox {
    pub(super) fn new(receiver: Receiver, input: Input) -> Self {
        let timeout = Timeout::default();
        Self { receiver, input, timeout, write_is_shut: false, is_stuck: false, max_wait: None }
    }

    /// Runs the connection until an event is ready, or until the transport has ended.
    pub(super) fn advance<T: Stream>(
        &mut self,
        stream: &mut T,
        outbox: &Outbox,
    ) -> Result<Option<Ready>, Error> {
        loop {
            let advanced = self.receiver.advance(&mut self.input);
            if let Some(reply) = self.receiver.take_reply(&self.input) {
                outbox.sender().reply(reply);
            }
            if let Ok(Some(ready)) = advanced {
                if ready.is_control() && !self.is_stuck {
                    // The reply leaves at once, however long the caller takes to come back.
                    self.wait(outbox);
                    self.is_stuck = !outbox.write_some(stream);
                }
                return Ok(Some(ready));
            }
            self.is_stuck = !outbox.write_some(stream);
            if outbox.sender().owes() || outbox.sender().is_closing() {
                // A peer that always has something to say does not put these off. A timeout shows in the transport action.
                self.wait_firm(outbox);
                let _ = self.handle_firm_timeout(outbox);
            }
            let action = self.receiver.transport_action(&outbox.sender());
            match action {
                Transport::KeepOpen | Transport::AwaitEof => {}
                // What the stream holds back goes first, as long as there is time.
                _ if outbox.is_unflushed() && !self.receiver.is_over(&outbox.sender()) => {}
                Transport::ShutdownWrite => self.shutdown_write(stream),
                Transport::Close => {
                    let broken = outbox.break_off(Broken::ended(&self.receiver, advanced.err()));
                    // The peer sees the end even if the stream is kept.
                    self.shutdown_write(stream);
                    return outcome(&self.receiver, advanced.err(), broken).map(|()| None);
                }
            }
            match self.read(stream, outbox) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if has_timed_out(&error) => {
                    // A timeout shows in the transport action.
                    let _ = self.handle_timeout(outbox);
                    self.input.shrink();
                }
                Err(error) => {
                    outbox.break_off(Broken::Io(error.kind()));
                    self.input.set_eof();
                    // After the end a reset is as good as an orderly end.
                    if self.receiver.state(&outbox.sender()) != State::Closed {
                        return Err(error.into());
                    }
                }
            }
        }
    }

    /// Runs an opening handshake to its end.
    pub(super) fn open<T: Stream, H: Opening>(
        stream: &mut T,
        handshake: &mut H,
        input: &mut Input,
    ) -> Result<H::Opened, Error> {
        let clock = Clock(Instant::now());
        let (mut read_timeout, mut writing) = (Timeout::default(), Writing::default());
        loop {
            if let Some(opened) = handshake.receive(input)? {
                return Ok(opened);
            }
            let wait = handshake.poll_timeout(clock.now()).map(|deadline| clock.until(deadline));
            let result = if handshake.output().has_remaining() || writing.unflushed {
                writing.timeout.set(wait, |timeout| stream.set_write_timeout(timeout))?;
                writing.unflushed = true;
                write(stream, handshake.output())
                    .and_then(|()| stream.flush())
                    .map(|()| writing.unflushed = false)
            } else {
                read_timeout.set(wait, |timeout| stream.set_read_timeout(timeout))?;
                read(stream, input)
            };
            match result {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if has_timed_out(&error) => handshake.handle_timeout(clock.now())?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How long there is until the next deadline.
    fn wait(&mut self, outbox: &Outbox) -> Option<Duration> {
        let deadline = self.receiver.poll_timeout(outbox.clock.now(), &mut outbox.sender())?;
        Some(outbox.clock.until(deadline))
    }

    fn handle_timeout(&mut self, outbox: &Outbox) -> Result<(), TimedOut> {
        self.receiver.handle_timeout(outbox.clock.now(), &mut outbox.sender())
    }

    fn wait_firm(&mut self, outbox: &Outbox) -> Option<Duration> {
        let deadline = self.receiver.poll_firm_timeout(outbox.clock.now(), &outbox.sender())?;
        Some(outbox.clock.until(deadline))
    }

    fn handle_firm_timeout(&mut self, outbox: &Outbox) -> Result<(), TimedOut> {
        self.receiver.handle_firm_timeout(outbox.clock.now(), &mut outbox.sender())
    }

    fn read<T: Stream>(&mut self, stream: &mut T, outbox: &Outbox) -> io::Result<()> {
        let owes = outbox.sender().owes();
        let writes_too = (owes || outbox.is_unflushed()).then_some(SHORT);
        let wait = [self.wait(outbox), self.max_wait, writes_too].into_iter().flatten().min();
        if self.input.is_eof() {
            // There is nothing to read, but somebody is still writing.
            std::thread::sleep(SHORT);
            return Err(ErrorKind::WouldBlock.into());
        }
        self.timeout.set(wait, |timeout| stream.set_read_timeout(timeout))?;
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
