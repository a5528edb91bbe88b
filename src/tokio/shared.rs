//! [`Shared`]: what the halves of a connection have in common, and how they wake each other.

use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};
use std::task::Wake;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::driver::Driver;
use super::inbox::Access;
use crate::Event;
use crate::adapter::pool;
use crate::adapter::{Delivery, Handle, Handles, Negotiated, lock};

/// What the halves share. The lock is held to queue, and for one read or write; never while somebody waits, and never to decode.
#[derive(Debug)]
pub(super) struct Shared<S> {
    state: Mutex<State<S>>,
    waiting: Arc<Waiting>,
    /// Wakes all halves that wait: a stream remembers one waker per direction, and all halves may write.
    waker: Waker,
    pub(super) negotiated: Option<Arc<Negotiated>>,
}

#[derive(Debug)]
struct State<S> {
    driver: Driver<Shareable<S>>,
    handles: Handles,
}

impl<S> Shared<S> {
    pub(super) fn new(driver: Driver<S>, negotiated: Option<Arc<Negotiated>>) -> Self {
        let waiting = Arc::new(Waiting::default());
        let waker = Waker::from(Arc::clone(&waiting));
        let driver = driver.map(1, |stream| Shareable(Some(stream)));
        let state = Mutex::new(State { driver, handles: Handles::default() });
        Self { state, waiting, waker, negotiated }
    }

    /// Takes the connection back: from now on writers fail.
    pub(super) fn take(&self) -> Driver<S> {
        let driver = lock(&self.state).driver.take(Shareable(None));
        self.waiting.wake_writers();
        driver.map(usize::MAX, |stream| stream.0.expect("it is there as long as the reader is"))
    }

    /// Nobody reads any more: from now on writers fail, and the stream is dropped.
    fn give_up(&self) {
        let mut state = lock(&self.state);
        state.driver.delivery.give_up();
        let stream = state.driver.transport.stream.0.take();
        drop(state);
        drop(stream);
        self.waiting.forget_reader();
        self.waiting.wake_writers();
    }

    /// A handle for one more writer.
    pub(super) fn add_handle(&self) -> Handle {
        lock(&self.state).handles.add()
    }

    /// A writer is gone, which may have waited at `key`.
    pub(super) fn remove_handle(&self, handle: Handle, key: &mut Option<u64>) {
        self.waiting.remove(key);
        self.run(|driver, handles| handles.remove(handle, &mut driver.delivery.sender));
    }

    /// Does something that needs no waiting, and wakes those whom it concerns.
    pub(super) fn run<R>(&self, run: impl FnOnce(&mut Driver<Shareable<S>>, &mut Handles) -> R) -> R {
        let mut state = lock(&self.state);
        let State { driver, handles } = &mut *state;
        let before = driver.news();
        // A reader that waits gives nothing back, so storage is lent for this call only, unless something is left in it.
        pool::lend_storage(driver.delivery.sender.storage());
        let result = run(driver, handles);
        pool::take_storage_back(driver.delivery.sender.storage());
        let after = driver.news();
        drop(state);
        if after.is_for_reader(before) {
            wake(&self.waiting.reader);
        }
        if after.is_for_writers(before) {
            self.waiting.wake_writers();
        }
        result
    }

    /// How long the connection has been open.
    pub(super) fn age(&self) -> Duration
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let state = lock(&self.state);
        state.driver.delivery.sender.age(state.driver.transport.now())
    }

    /// Looks at the sending side.
    pub(super) fn look<R>(&self, look: impl FnOnce(&Delivery) -> R) -> R {
        look(&lock(&self.state).driver.delivery)
    }
}

/// A stream that may be taken away from the halves.
#[derive(Debug)]
pub(super) struct Shareable<S>(Option<S>);

impl<S: Unpin> Shareable<S> {
    fn stream(self: Pin<&mut Self>) -> io::Result<Pin<&mut S>> {
        self.get_mut().0.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Shareable<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, space)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Shareable<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, slices)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}

/// The reader's share, without which the connection is over.
#[derive(Debug)]
pub(super) struct ReaderShare<S>(pub(super) Arc<Shared<S>>);

impl<S> Drop for ReaderShare<S> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Access for ReaderShare<S> {
    type Stream = Shareable<S>;

    type Lent<'r>
        = Event<'r>
    where
        S: 'r;

    fn run<R>(
        &mut self,
        cx: &mut Context<'_>,
        run: impl FnOnce(&mut Driver<Shareable<S>>, &mut Context<'_>) -> R,
    ) -> R {
        // Before anything is looked at: what a writer changes later wakes the reader.
        let shared = &*self.0;
        shared.waiting.wait_reader(cx.waker());
        let mut state = lock(&shared.state);
        let before = state.driver.news();
        let result = run(&mut state.driver, &mut Context::from_waker(&shared.waker));
        let is_for_writers = state.driver.news().is_for_writers(before);
        let is_cut = state.driver.take_cut();
        drop(state);
        if is_for_writers {
            shared.waiting.wake_writers();
        }
        if is_cut {
            cx.waker().wake_by_ref();
        }
        result
    }

    fn lend<'r>(&'r mut self, event: Event<'r>) -> Self::Lent<'r> {
        event
    }
}

/// A call of a writer that may have to wait. Once it is dropped, nothing wakes it any more.
#[derive(Debug)]
pub(super) struct Waiter<'w, S> {
    shared: &'w Shared<S>,
    /// Its place among those that wait.
    key: Option<u64>,
}

impl<'w, S: AsyncRead + AsyncWrite + Unpin> Waiter<'w, S> {
    pub(super) fn new(shared: &'w Shared<S>) -> Self {
        Self { shared, key: None }
    }

    /// Runs something until it is ready, with the stream's waker.
    pub(super) fn poll<R>(
        &mut self,
        cx: &Context<'_>,
        mut run: impl FnMut(&mut Driver<Shareable<S>>, &mut Handles, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let Self { shared, key } = self;
        let mut poll = || {
            shared.run(|driver, handles| {
                let polled = run(driver, handles, &mut Context::from_waker(&shared.waker));
                (polled, driver.take_cut())
            })
        };
        let (mut polled, mut is_cut) = poll();
        if polled.is_pending() && !shared.waiting.add(key, cx.waker()) {
            // Once more now that it is among those that wait: they may have been woken before.
            (polled, is_cut) = poll();
        }
        if is_cut {
            cx.waker().wake_by_ref();
        }
        if polled.is_ready() {
            shared.waiting.remove(key);
        }
        polled
    }

    /// As [`poll`](Self::poll), for a caller that keeps its place between two calls in `key`.
    pub(super) fn poll_at<R>(
        shared: &'w Shared<S>,
        key: &mut Option<u64>,
        cx: &Context<'_>,
        run: impl FnMut(&mut Driver<Shareable<S>>, &mut Handles, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let mut waiter = Self { shared, key: key.take() };
        let polled = waiter.poll(cx, run);
        *key = waiter.key.take();
        polled
    }
}

impl<S> Drop for Waiter<'_, S> {
    fn drop(&mut self) {
        self.shared.waiting.remove(&mut self.key);
    }
}

/// The halves that wait: each has a place of its own, so that none loses another's wake-up.
///
/// A waker is dropped after the lock is released: it may be the last of a task, which owns a writer.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    reader: Mutex<Option<Waker>>,
    writers: Mutex<Writers>,
}

#[derive(Debug, Default)]
struct Writers {
    last_key: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Waiting {
    pub(super) fn wait_reader(&self, waker: &Waker) {
        let mut reader = lock(&self.reader);
        if !reader.as_ref().is_some_and(|former| former.will_wake(waker)) {
            let former = reader.replace(waker.clone());
            drop(reader);
            drop(former);
        }
    }

    fn forget_reader(&self) {
        let former = lock(&self.reader).take();
        drop(former);
    }

    /// Adds a waiting call to the list; true if it was there already.
    pub(super) fn add(&self, key: &mut Option<u64>, waker: &Waker) -> bool {
        let mut writers = lock(&self.writers);
        let key = *key.get_or_insert_with(|| {
            writers.last_key += 1;
            writers.last_key
        });
        match writers.wakers.get(&key) {
            Some(former) if former.will_wake(waker) => true,
            _ => {
                let former = writers.wakers.insert(key, waker.clone());
                drop(writers);
                drop(former);
                false
            }
        }
    }

    fn remove(&self, key: &mut Option<u64>) {
        if let Some(key) = key.take() {
            let former = lock(&self.writers).wakers.remove(&key);
            drop(former);
        }
    }

    #[cfg(feature = "futures")]
    pub(super) fn wake_reader(&self) {
        wake(&self.reader);
    }

    pub(super) fn wake_writers(&self) {
        let wakers = mem::take(&mut lock(&self.writers).wakers);
        wakers.into_values().for_each(Waker::wake);
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        wake(&self.reader);
        self.wake_writers();
    }
}

fn wake(slot: &Mutex<Option<Waker>>) {
    let waker = lock(slot).take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_waits_already_is_not_added_again() {
        let (waiting, waker) = (Waiting::default(), Waker::noop());
        let (mut first, mut second) = (None, None);
        assert_eq!([(); 2].map(|()| waiting.add(&mut first, waker)), [false, true]);
        assert_eq!([(); 2].map(|()| waiting.add(&mut second, waker)), [false, true]);
        waiting.wake_writers();
        assert!(!waiting.add(&mut first, waker));
    }
}
