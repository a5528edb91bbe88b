//! [`Outbox`]: what is queued, and everything that blocks in a write.
//!
//! The halves of a connection share it. It is locked only to queue and to take, never while something blocks. Whoever writes to
//! the stream has it alone meanwhile, and the reader never waits for that: see [`Access`].

use core::task::Poll;
use core::time::Duration;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Stream;
use super::timeout::{Timeout, until, write};
use crate::adapter::{Delivery, Handle, Handles, events, lock};
use crate::{Error, Outgoing, Receiver, SendError, Sender, TimedOut, Timestamp};

/// The longest write. A kernel holds a long one until its timeout, and tells only then how much of it went.
pub(super) const MAX_WRITE: Duration = Duration::from_secs(1);

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
    pub(super) delivery: Delivery,
    pub(super) handles: Handles,
    /// A write is under way since then. How much was written is known for that moment.
    writing_since: Option<Timestamp>,
    /// So many bytes have gone all the way through the stream.
    flushed: u64,
    /// Nobody reads any more, or somebody else has the connection.
    pub(super) is_gone: bool,
}

/// The way to the stream to write to: unshared, or shared by the halves.
pub(super) trait Access {
    fn outbox(&self) -> &Outbox;

    /// Lends the stream to write to. While somebody else has it, it waits if it `may_wait`; `None` when it does not, or the stream is gone.
    fn write<R>(
        &mut self,
        may_wait: bool,
        run: impl FnOnce(&Outbox, &mut dyn Stream, &mut Timeout) -> R,
    ) -> Option<R>;
}

impl Outbox {
    /// The clock goes on from the latest moment that `sender` was told.
    pub(super) fn new(sender: Sender, receiver: &Receiver) -> Self {
        let timing = receiver.timing();
        Self {
            start: Instant::now(),
            first: sender.told(),
            sending: Mutex::new(Sending::new(Delivery::new(sender))),
            write_timeout: timing.write_timeout.duration().unwrap_or(Duration::MAX),
            min_progress: timing.min_progress as usize,
        }
    }

    /// What the time is.
    pub(super) fn now(&self) -> Timestamp {
        self.first + self.start.elapsed()
    }

    /// How long the connection has been open.
    pub(super) fn sender_age(&self) -> Duration {
        self.sending().delivery.sender.age(self.now())
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

    /// As if a write had been going on for so long.
    #[cfg(test)]
    pub(super) fn age(&mut self, by: Duration) {
        self.sending_mut().writing_since = Some(self.now());
        self.first = self.first + by;
    }

    /// As if that write had taken nothing.
    #[cfg(test)]
    pub(super) fn end_write(&mut self) {
        self.sending_mut().writing_since = None;
    }

    /// Nobody reads any more.
    pub(super) fn give_up(&self) {
        let mut sending = self.sending();
        sending.delivery.give_up();
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
        let delivery = sending.delivery.take();
        drop(sending);
        self.give_up();
        Self { sending: Mutex::new(Sending::new(delivery)), ..*self }
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
        sending.delivery.check()?;
        sending.delivery.sender.unflushed = true;
        let now = self.now();
        sending.writing_since = Some(now);
        // The output is out of the sender while the write blocks, so that others can queue.
        let mut output = sending.delivery.sender.take_output(now);
        drop(sending);
        let written = write(stream, timeout, wait, &mut output, end);
        let mut sending = self.sending();
        sending.writing_since = None;
        let is_flushed =
            matches!(written, Poll::Ready(Ok(()))) && (output.is_empty() || output.written() >= end);
        if is_flushed {
            sending.flushed = output.written();
        }
        let sender = &mut sending.delivery.sender;
        sender.unflushed = !is_flushed;
        sender.put_back_output(output);
        sender.wrote(now);
        written.map_err(|error| sending.delivery.write_failed(&error))
    }
}

impl Sending {
    fn new(delivery: Delivery) -> Self {
        Self { delivery, handles: Handles::default(), writing_since: None, flushed: 0, is_gone: false }
    }

    /// Fails if the last one who wrote has panicked: nobody knows how much went, so nothing may follow. Only for the caller who has the
    /// stream to write to.
    fn recover(&mut self) -> Result<(), Error> {
        match self.writing_since.take() {
            Some(_) => Err(self.delivery.write_failed(&io::ErrorKind::Other.into())),
            None => Ok(()),
        }
    }

    pub(super) fn queue_fragment(
        &mut self,
        handle: Handle,
        part: Outgoing<'_>,
        last: bool,
    ) -> Result<(), SendError> {
        self.handles.queue_fragment(handle, &mut self.delivery.sender, part, last)
    }

    /// True when everything up to the position `end` has gone all the way through the stream.
    fn is_flushed(&self, end: u64) -> bool {
        !self.delivery.sender.owes() || self.flushed >= end
    }

    pub(super) fn is_writing(&self) -> bool {
        self.writing_since.is_some()
    }

    /// The moment for which it is known how much was written: the one by which a peer may be judged.
    pub(super) fn moment(&self, now: Timestamp) -> Timestamp {
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
    let rest = access.outbox().sending().delivery.sender.ready_len();
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
        sending.delivery.check()?;
        let (is_there, end) = match goal {
            Goal::Room(rest) => (sending.delivery.sender.queued_len() <= rest, u64::MAX),
            Goal::Flushed => {
                // Others may go on queueing for ever.
                let end = *end.get_or_insert_with(|| sending.delivery.sender.end_of_output());
                (sending.is_flushed(end), end)
            }
        };
        if is_there {
            return last(&mut sending).map_err(|error| sending.delivery.explain(error));
        }
        if sending.is_gone {
            return Err(SendError::Closed.into());
        }
        let mut wait = outbox.max_write();
        let now = outbox.now();
        if let Some(receiver) = &mut receiver {
            wait = wait.min(until(receiver.poll_firm_timeout(now, &sending.delivery.sender), now));
        } else if progress.is_stalled(&sending, outbox, now) {
            // The rest stays queued, so that the reader's deadline passes as well.
            return Err(TimedOut::Write.into());
        }
        drop(sending);
        let written =
            access.write(true, |outbox, stream, timeout| outbox.write_once(stream, timeout, wait, end));
        // The stream is gone. Perhaps the reader has written everything first.
        let Some(written) = written else { continue };
        let is_pending = written.is_pending();
        if let Poll::Ready(written) = written {
            written?;
        }
        // A peer that takes a little every time puts nothing off.
        if (is_pending || wait.is_zero())
            && let Some(receiver) = &mut receiver
        {
            let outbox = access.outbox();
            let news = outbox.sending().delivery.handle_firm_timeout(receiver, outbox.now());
            if let Some(timed_out) = news {
                events::timed_out(receiver.is_server(), timed_out);
            }
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
        let sender = &sending.delivery.sender;
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
pub(super) fn write_some(access: &mut impl Access, short: Duration) -> bool {
    let start = Instant::now();
    while access.outbox().sending().delivery.sender.owes() && start.elapsed() < short {
        // An error waits: what the peer has said counts for more than that it does not listen.
        let written = access
            .write(false, |outbox, stream, timeout| outbox.write_once(stream, timeout, short, u64::MAX));
        if written.is_none() {
            return false;
        }
    }
    access.outbox().sending().delivery.sender.owes()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::{Config, Connection};

    /// A stream that takes the start of each write, and counts what it is asked for.
    #[derive(Default)]
    struct Partial {
        max_len: usize,
        /// A flush comes to nothing.
        is_stuck: bool,
        flushes: usize,
    }

    impl Partial {
        fn new(max_len: usize) -> Self {
            Self { max_len, ..Self::default() }
        }
    }

    impl Read for Partial {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            unreachable!("nobody reads")
        }
    }

    impl Write for Partial {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len().min(self.max_len))
        }

        fn flush(&mut self) -> io::Result<()> {
            self.flushes += 1;
            if self.is_stuck { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        }
    }

    impl Stream for Partial {
        fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
            Ok(())
        }

        fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
            Ok(())
        }

        fn shutdown_write(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn outbox() -> (Receiver, Outbox) {
        let (receiver, sender) = Connection::server(Config::new()).split();
        let outbox = Outbox::new(sender, &receiver);
        (receiver, outbox)
    }

    /// Queues a message; returns where it ends.
    fn queue(outbox: &Outbox, message: &str) -> u64 {
        let sender = &mut outbox.sending().delivery.sender;
        sender.send(message).expect("open");
        sender.end_of_output()
    }

    fn write_up_to(outbox: &Outbox, stream: &mut Partial, end: u64) -> Poll<Result<(), Error>> {
        outbox.write_once(stream, &mut Timeout::default(), Duration::ZERO, end)
    }

    /// Which of these positions are flushed.
    fn are_flushed<const N: usize>(outbox: &Outbox, ends: [u64; N]) -> [bool; N] {
        ends.map(|end| outbox.sending().is_flushed(end))
    }

    #[test]
    fn what_a_partial_write_took_is_flushed_only_with_the_stream() {
        let (_receiver, outbox) = outbox();
        // Two writers wait, each for its own message. The stream takes one and a half.
        let ends = ["first", "second"].map(|message| queue(&outbox, message));
        let mut stream = Partial::new(ends[0] as usize + 1);
        assert!(matches!(write_up_to(&outbox, &mut stream, ends[1]), Poll::Ready(Ok(()))));
        assert_eq!((stream.flushes, are_flushed(&outbox, ends)), (0, [false; 2]));
        assert!(matches!(write_up_to(&outbox, &mut stream, ends[1]), Poll::Ready(Ok(()))));
        assert_eq!((stream.flushes, are_flushed(&outbox, ends)), (1, [true; 2]));
        assert!(!outbox.sending().delivery.sender.owes());
    }

    #[test]
    fn who_waits_for_the_first_message_does_not_wait_for_the_second() {
        let (_receiver, outbox) = outbox();
        let ends = ["first", "second"].map(|message| queue(&outbox, message));
        let mut stream = Partial::new(ends[0] as usize);
        assert!(matches!(write_up_to(&outbox, &mut stream, ends[0]), Poll::Ready(Ok(()))));
        assert_eq!((stream.flushes, are_flushed(&outbox, ends)), (1, [true, false]));
    }

    #[test]
    fn what_a_stream_took_and_did_not_flush_is_still_owed() {
        let (_receiver, outbox) = outbox();
        let end = queue(&outbox, "held back");
        let mut stream = Partial { is_stuck: true, ..Partial::new(usize::MAX) };
        assert!(write_up_to(&outbox, &mut stream, end).is_pending());
        assert_eq!(outbox.sending().delivery.sender.queued_len(), 0);
        assert_eq!(are_flushed(&outbox, [end]), [false]);
        stream.is_stuck = false;
        assert!(matches!(write_up_to(&outbox, &mut stream, end), Poll::Ready(Ok(()))));
        assert_eq!(are_flushed(&outbox, [end]), [true]);
    }

    #[test]
    fn a_flush_that_failed_is_made_up_for_before_anything_else_is_written() {
        let (_receiver, outbox) = outbox();
        let ends = ["first", "second"].map(|message| queue(&outbox, message));
        let mut stream = Partial { is_stuck: true, ..Partial::new(ends[0] as usize) };
        assert!(write_up_to(&outbox, &mut stream, ends[0]).is_pending());
        stream.is_stuck = false;
        assert!(matches!(write_up_to(&outbox, &mut stream, ends[0]), Poll::Ready(Ok(()))));
        assert_eq!(are_flushed(&outbox, ends), [true, false]);
        assert_eq!(outbox.sending().delivery.sender.queued_len() as u64, ends[1] - ends[0]);
    }

    /// A stream that is gone by the time that it is free: the reader had it before, and ended.
    struct Gone {
        outbox: Outbox,
        receiver: Receiver,
        /// The reader has written everything first.
        is_written: bool,
    }

    impl Access for Gone {
        fn outbox(&self) -> &Outbox {
            &self.outbox
        }

        fn write<R>(
            &mut self,
            _: bool,
            _: impl FnOnce(&Outbox, &mut dyn Stream, &mut Timeout) -> R,
        ) -> Option<R> {
            if self.is_written {
                let written = write_up_to(&self.outbox, &mut Partial::new(usize::MAX), u64::MAX);
                assert!(matches!(written, Poll::Ready(Ok(()))));
            }
            // The closing handshake is done, and the reader is dropped.
            self.outbox.sending().delivery.end(&self.receiver).expect("clean");
            self.outbox.give_up();
            None
        }
    }

    #[test]
    fn a_writer_that_comes_too_late_fails_only_if_something_was_left() {
        for is_written in [false, true] {
            for goal in [Goal::Flushed, Goal::Room(0)] {
                let (receiver, outbox) = outbox();
                queue(&outbox, "last");
                let mut gone = Gone { outbox, receiver, is_written };
                let flushed = flush(&mut gone, goal, None, |_| Ok(()));
                if is_written {
                    assert!(flushed.is_ok(), "{flushed:?}");
                } else {
                    assert!(matches!(flushed, Err(Error::Send(SendError::Closed))), "{flushed:?}");
                }
            }
        }
    }

    #[test]
    fn a_peer_has_not_stalled_while_nobody_knows_how_much_it_has_taken() {
        let (_receiver, mut outbox) = outbox();
        outbox.sending_mut().delivery.sender.send("unread").expect("open");
        let mut progress = Progress::new(outbox.now());
        let mut is_stalled = |outbox: &Outbox| progress.is_stalled(&outbox.sending(), outbox, outbox.now());
        assert!(!is_stalled(&outbox));
        outbox.age(Duration::from_secs(3600));
        assert!(!is_stalled(&outbox));
        outbox.end_write();
        assert!(is_stalled(&outbox));
    }

    #[test]
    fn a_peer_has_stalled_when_it_has_taken_a_byte_too_little() {
        const MIN_PROGRESS: usize = 10;

        for (taken_len, expected) in [(0, true), (MIN_PROGRESS - 1, true), (MIN_PROGRESS, false)] {
            let config = Config::new().with_min_progress(MIN_PROGRESS);
            let (receiver, sender) = Connection::server(config).split();
            let mut outbox = Outbox::new(sender, &receiver);
            let end = queue(&outbox, "a message that is longer than that");
            let take = |outbox: &Outbox, len| {
                let written = write_up_to(outbox, &mut Partial::new(len), end);
                assert!(matches!(written, Poll::Ready(Ok(()))));
            };
            // What it took before does not count.
            take(&outbox, 5);
            let mut progress = Progress::new(outbox.now());
            let mut is_stalled =
                |outbox: &Outbox| progress.is_stalled(&outbox.sending(), outbox, outbox.now());
            assert!(!is_stalled(&outbox));
            if taken_len > 0 {
                take(&outbox, taken_len);
            }
            outbox.age(Duration::from_secs(3600));
            outbox.end_write();
            assert_eq!(is_stalled(&outbox), expected, "{taken_len} bytes");
        }
    }
}
