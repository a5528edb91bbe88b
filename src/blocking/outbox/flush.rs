//! Writing as far as somebody wants, and giving up a peer that takes too little.

use core::task::Poll;
use core::time::Duration;
use std::time::Instant;

use super::{Access, Outbox, Sending};
use crate::adapter::events;
use crate::blocking::timeout::until;
use crate::{Error, Receiver, SendError, TimedOut, Timestamp};

/// How far somebody writes.
#[derive(Clone, Copy)]
pub(in crate::blocking) enum Goal {
    /// Until at most so many bytes are left.
    Room(usize),
    /// Until everything that is queued now has gone all the way through the stream.
    Flushed,
}

/// Queues something as soon as the output is below the high-water mark.
pub(in crate::blocking) fn ready_then(
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
pub(in crate::blocking) fn flush(
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
pub(in crate::blocking) fn write_some(access: &mut impl Access, short: Duration) -> bool {
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
    use super::super::tests::{Partial, outbox, queue, write_up_to};
    use super::*;
    use crate::blocking::Stream;
    use crate::blocking::timeout::Timeout;
    use crate::{Config, Connection};

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
