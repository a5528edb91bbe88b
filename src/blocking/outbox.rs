//! [`Outbox`]: what is queued, and the writes that take it away.
//!
//! The halves of a connection share it. It is locked only to queue and to take, never while something blocks. Whoever writes to
//! the stream has it alone meanwhile, and the reader never waits for that: see [`Access`].

mod flush;

use core::task::Poll;
use core::time::Duration;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub(super) use self::flush::{Goal, flush, ready_then, write_some};
use super::Stream;
use super::timeout::{Timeout, write};
use crate::adapter::{Delivery, Handle, Handles, lock};
use crate::{Error, Outgoing, Receiver, SendError, Sender, Timestamp};

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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::{Config, Connection};

    /// A stream that takes the start of each write, and counts what it is asked for.
    #[derive(Default)]
    pub(super) struct Partial {
        max_len: usize,
        /// A flush comes to nothing.
        is_stuck: bool,
        flushes: usize,
    }

    impl Partial {
        pub(super) fn new(max_len: usize) -> Self {
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

    pub(super) fn outbox() -> (Receiver, Outbox) {
        let (receiver, sender) = Connection::server(Config::new()).split();
        let outbox = Outbox::new(sender, &receiver);
        (receiver, outbox)
    }

    /// Queues a message; returns where it ends.
    pub(super) fn queue(outbox: &Outbox, message: &str) -> u64 {
        let sender = &mut outbox.sending().delivery.sender;
        sender.send(message).expect("open");
        sender.end_of_output()
    }

    pub(super) fn write_up_to(outbox: &Outbox, stream: &mut Partial, end: u64) -> Poll<Result<(), Error>> {
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
}
