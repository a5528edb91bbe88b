//! [`Reader`]: the receiving half of a connection, and how the halves part and meet.

use core::mem;
use core::task::Poll;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use super::inbox::{Inbox, Limit, ReadAccess, unlimited};
use super::outbox::{Access, Outbox};
use super::timeout::Timeout;
use super::{Stream, Unshared, WebSocket, Writer, transpose};
#[cfg(feature = "deflate")]
use crate::Agreement;
use crate::adapter::pool::PooledInput;
use crate::adapter::{Handle, Negotiated, ReuniteError, lock};
use crate::config::Period;
use crate::{Ending, Error, Event, Message, Response, Sender, State, Traffic};

/// What the halves share.
#[derive(Debug)]
pub(super) struct Shared<S> {
    pub(super) outbox: Outbox,
    writing: Mutex<Writing<S>>,
    pub(super) negotiated: Option<Arc<Negotiated>>,
}

/// What one thread at a time writes with.
#[derive(Debug)]
struct Writing<S> {
    /// `None` when the halves are reunited, or the reader is gone.
    stream: Option<Arc<S>>,
    timeout: Timeout,
}

impl<S> Shared<S>
where
    for<'s> &'s S: Stream,
{
    /// See [`Access::write`].
    pub(super) fn write<R>(
        &self,
        may_wait: bool,
        run: impl FnOnce(&Outbox, &mut dyn Stream, &mut Timeout) -> R,
    ) -> Option<R> {
        // It looks when the lock is free again, also if the stream panics.
        let _leaving = Leaving(self);
        let mut writing = match try_lock(&self.writing) {
            Some(writing) => writing,
            None if may_wait => lock(&self.writing),
            None => return None,
        };
        let Writing { stream, timeout } = &mut *writing;
        let mut stream: &S = stream.as_deref()?;
        Some(run(&self.outbox, &mut stream, timeout))
    }
}

/// Somebody who writes, and will look whether the stream is still wanted.
struct Leaving<'s, S>(&'s Shared<S>);

impl<S> Drop for Leaving<'_, S> {
    fn drop(&mut self) {
        self.0.drop_stream_of_nobody();
    }
}

/// Locks a mutex that nobody else has.
fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(locked) => Some(locked),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl<S> Shared<S> {
    /// Drops the stream when the reader is gone, unless somebody writes: who then does the same.
    fn drop_stream_of_nobody(&self) {
        if self.outbox.sending().is_gone
            && let Some(mut writing) = try_lock(&self.writing)
        {
            writing.stream = None;
        }
    }
}

pub(super) fn split<S>(socket: WebSocket<S>) -> (Reader<S>, Writer<S>) {
    let WebSocket { inbox, pooled, unshared: Unshared { stream, writing, outbox }, negotiated } = socket;
    let stream = Arc::new(stream);
    let writing = Mutex::new(Writing { stream: Some(Arc::clone(&stream)), timeout: writing });
    let shared = Arc::new(Shared { outbox, writing, negotiated });
    // Writers may set deadlines while the reader waits: they are looked after at most one timeout late.
    let timing = inbox.receiver.timing();
    let timeouts = [timing.close_timeout, timing.write_timeout].into_iter().filter_map(Period::duration);
    let max_wait = timeouts.min().unwrap_or(Duration::MAX);
    let share = ReaderShare { stream, shared: Arc::clone(&shared) };
    (
        Reader { inbox: Inbox::new(inbox.receiver, inbox.life, max_wait), pooled, share },
        Writer::new(shared, Handle::default()),
    )
}

/// The receiving half of a [`WebSocket`]: it answers pings and Close frames, and the timers run while it is in
/// [`recv`](Self::recv).
///
/// Without it there are no pongs, no deadlines and no closing handshake: keep receiving while a [`Writer`] is in use. Dropping it ends
/// the connection: the stream is dropped, and writers fail with [`SendError::Closed`](crate::SendError::Closed).
#[derive(Debug)]
pub struct Reader<S> {
    inbox: Inbox,
    pooled: PooledInput,
    share: ReaderShare<S>,
}

/// The reader's share, without which the connection is over.
#[derive(Debug)]
struct ReaderShare<S> {
    stream: Arc<S>,
    shared: Arc<Shared<S>>,
}

impl<S> Access for ReaderShare<S>
where
    for<'s> &'s S: Stream,
{
    fn outbox(&self) -> &Outbox {
        &self.shared.outbox
    }

    fn write<R>(
        &mut self,
        may_wait: bool,
        run: impl FnOnce(&Outbox, &mut dyn Stream, &mut Timeout) -> R,
    ) -> Option<R> {
        self.shared.write(may_wait, run)
    }
}

impl<S> ReadAccess for ReaderShare<S>
where
    for<'s> &'s S: Stream,
{
    fn read<R>(&mut self, run: impl FnOnce(&mut dyn Stream) -> R) -> R {
        let mut stream: &S = &self.stream;
        run(&mut stream)
    }
}

impl<S> Drop for ReaderShare<S> {
    fn drop(&mut self) {
        self.shared.outbox.give_up();
        self.shared.drop_stream_of_nobody();
    }
}

impl<S> Reader<S>
where
    for<'s> &'s S: Stream,
{
    /// The next message; `None` when the connection has been closed. As [`WebSocket::recv`].
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        unlimited(self.inbox.receive_message(&mut self.pooled, &mut self.share, &mut Limit::none()))
    }

    /// [`recv`](Self::recv), for at most `timeout`: `Pending` when no message came in that time, and nothing is lost.
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Poll<Option<Message>>, Error> {
        let mut limit = Limit::at(self.share.shared.outbox.now() + timeout);
        transpose(self.inbox.receive_message(&mut self.pooled, &mut self.share, &mut limit))
    }

    /// A message that has been read already, or else what one read brings, which lasts about a millisecond. `Pending` if there is none.
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    pub fn try_recv(&mut self) -> Result<Poll<Option<Message>>, Error> {
        self.recv_timeout(Duration::ZERO)
    }

    /// The next event, lent; `None` when the connection has been closed. As [`WebSocket::recv_ref`], but a [`Writer`] is what sends.
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    #[inline(always)]
    pub fn recv_ref(&mut self) -> Result<Option<Event<'_>>, Error> {
        unlimited(self.inbox.receive(&mut self.pooled, &mut self.share, &mut Limit::none()))
    }

    /// Puts the halves together again, whatever other writers there are: these fail with
    /// [`SendError::Closed`](crate::SendError::Closed) from now on. It waits for a write that is under way.
    ///
    /// # Errors
    /// [`ReuniteError`], with both halves in it, when they are of two connections.
    pub fn reunite(self, writer: Writer<S>) -> Result<WebSocket<S>, ReuniteError<(Self, Writer<S>)>> {
        if !writer.is_of(&self.share.shared) {
            return Err(ReuniteError::new((self, writer)));
        }
        let Self { inbox, pooled, share } = self;
        let (stream, shared) = (Arc::clone(&share.stream), Arc::clone(&share.shared));
        // Nobody begins a write from here on, and the one under way ends.
        shared.outbox.retire();
        let Writing { stream: writers, timeout } = &mut *lock(&shared.writing);
        *writers = None;
        let outbox = shared.outbox.take();
        drop(share);
        let stream = Arc::into_inner(stream).expect("writers have it only while they write");
        let unshared = Unshared { stream, writing: mem::take(timeout), outbox };
        let inbox = Inbox::new(inbox.receiver, inbox.life, Duration::MAX);
        Ok(WebSocket { inbox, pooled, unshared, negotiated: shared.negotiated.clone() })
    }

    /// Where the connection is between open and closed.
    #[must_use]
    pub fn state(&self) -> State {
        self.look(|sender| self.inbox.receiver.state(sender))
    }

    /// How the connection ended; `None` until it has.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.look(|sender| self.inbox.receiver.ending(sender))
    }

    /// What was received so far, for metrics: see the guide on [operating](crate::guide::operating).
    #[must_use]
    pub fn received(&self) -> Traffic {
        self.inbox.receiver.received()
    }

    /// What was queued so far by all writers, for metrics.
    #[must_use]
    pub fn sent(&self) -> Traffic {
        self.look(Sender::sent)
    }

    /// How long the connection has been open.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.share.shared.outbox.sender_age()
    }

    /// How long the peer took to answer the last ping that it answered, keepalive pings included.
    #[must_use]
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.look(Sender::round_trip_time)
    }

    /// What the opening handshake agreed on for compression (RFC 7692); `None` if nothing.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn agreement(&self) -> Option<Agreement> {
        self.inbox.receiver.agreement()
    }

    /// The subprotocol that the opening handshake settled on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.share.shared.negotiated.as_ref()?.subprotocol()
    }

    /// The server's response, on a client.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        self.share.shared.negotiated.as_ref()?.response()
    }

    fn look<R>(&self, look: impl FnOnce(&Sender) -> R) -> R {
        look(&self.share.shared.outbox.sending().delivery.sender)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use super::*;
    use crate::blocking::pair;
    use crate::{Config, SendError};

    #[test]
    fn while_reunite_waits_for_a_write_no_other_write_begins() {
        let (client, mut server) = pair(Config::new());
        let (reader, writer) = client.split();
        let other = writer.clone();
        let shared = Arc::clone(&reader.share.shared);
        // A write is under way.
        let writing = lock(&shared.writing);
        let reuniting = thread::spawn(move || reader.reunite(writer));
        // Only there to tell a hang from a slow machine.
        let give_up = Instant::now() + Duration::from_secs(30);
        while !shared.outbox.sending().is_gone {
            assert!(Instant::now() < give_up, "writers are not told");
            thread::yield_now();
        }
        // It does not even wait.
        let sent = other.send("late");
        assert!(matches!(sent, Err(Error::Send(SendError::Closed))), "{sent:?}");
        drop(writing);
        let mut client = reuniting.join().expect("no panic").expect("of one connection");
        // What was queued in time survives.
        client.flush().expect("open");
        assert_eq!(server.recv().expect("open"), Some("late".into()));
    }

    #[test]
    fn who_may_wait_for_the_stream_does() {
        let (client, _server) = pair(Config::new());
        let (reader, _writer) = client.split();
        let shared = &reader.share.shared;
        let (about_to, is_about_to) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            let writing = lock(&shared.writing);
            assert!(shared.write(false, |_, _, _| ()).is_none());
            let waiting = scope.spawn(move || {
                about_to.send(()).expect("somebody waits for that");
                shared.write(true, |_, _, _| ())
            });
            is_about_to.recv().expect("no panic");
            drop(writing);
            assert!(waiting.join().expect("no panic").is_some());
        });
    }
}
