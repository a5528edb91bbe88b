//! A scripted stream in memory: short reads and writes, `Pending` everywhere, and a fault at a chosen operation.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// More polls than any test needs: whoever reaches this does not wait but spins.
const MAX_POLLS: usize = 200_000;

/// How a stream behaves.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub max_read: usize,
    pub max_write: usize,
    /// How many bytes may wait for the peer to read them.
    pub capacity: usize,
    /// Every operation is pending so often, and wakes its task at once, before it does anything.
    pub pendings: u8,
    pub vectored: bool,
    /// What is written reaches the peer with the next flush.
    pub holds_back: bool,
    /// What goes wrong, and at which operation, counted from 1.
    pub fault: Option<(usize, Fault)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This operation fails; the next would succeed.
    Error,
    /// This operation fails, and so does every later one.
    Reset,
    /// The first write from here on accepts nothing.
    WriteZero,
    /// From here on nothing arrives.
    Eof,
}

impl Script {
    /// Everything at once.
    pub const SMOOTH: Self = Self {
        max_read: usize::MAX,
        max_write: usize::MAX,
        capacity: usize::MAX,
        pendings: 0,
        vectored: false,
        holds_back: false,
        fault: None,
    };

    /// The same, one byte at a time at most, and pending at every step.
    pub const BYTEWISE: Self = Self::SMOOTH.with_steps(1, 1).with_pending();

    /// From smooth to rough.
    pub const ALL: [Self; 5] = [
        Self::SMOOTH,
        Self::SMOOTH.with_pending().with_vectored(),
        Self::SMOOTH.with_steps(7, 5).with_vectored(),
        Self::SMOOTH.with_steps(13, 3).with_pending(),
        Self::BYTEWISE,
    ];

    pub const fn with_steps(mut self, max_read: usize, max_write: usize) -> Self {
        (self.max_read, self.max_write) = (max_read, max_write);
        self
    }

    pub const fn with_pending(self) -> Self {
        self.with_pendings(1)
    }

    pub const fn with_pendings(mut self, pendings: u8) -> Self {
        self.pendings = pendings;
        self
    }

    pub const fn with_vectored(mut self) -> Self {
        self.vectored = true;
        self
    }

    pub const fn holding_back(mut self) -> Self {
        self.holds_back = true;
        self
    }

    pub const fn with_capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    pub const fn with_fault(mut self, at: usize, fault: Fault) -> Self {
        self.fault = Some((at, fault));
        self
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    /// What was written and not flushed, if it has to be.
    held: Vec<u8>,
    /// What was written and not read.
    bytes: VecDeque<u8>,
    capacity: usize,
    /// All that was ever written.
    log: Vec<u8>,
    /// How much each write wrote.
    writes: Vec<usize>,
    /// How much was read.
    read_len: usize,
    /// How many operations the writer's stream has done, reads included.
    operations: usize,
    /// What the next write fails with, without waking anybody.
    fault: Option<Fault>,
    /// The writer has ended its side.
    ended: bool,
    /// The reader is gone.
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

type Shared = Arc<Mutex<Pipe>>;

impl Pipe {
    fn flush(&mut self) {
        self.bytes.extend(&self.held);
        self.log.append(&mut self.held);
        wake(&mut self.reader);
    }
}

fn lock(pipe: &Shared) -> MutexGuard<'_, Pipe> {
    pipe.lock().expect("no test panicked with the lock held")
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// The stream under a socket.
#[derive(Debug)]
pub struct Stream {
    script: Script,
    incoming: Shared,
    outgoing: Shared,
    /// How often each kind of operation has been pending since the last.
    asked: [u8; 4],
    polls: usize,
    fault: Option<Fault>,
}

/// The other end, for a test to play the peer's part by hand.
#[derive(Clone, Debug)]
pub struct Peer {
    incoming: Shared,
    outgoing: Shared,
}

#[derive(Clone, Copy)]
enum Kind {
    Read,
    Write,
    Flush,
    Shutdown,
}

/// A stream and its peer.
pub fn scripted(script: Script) -> (Stream, Peer) {
    let pipe = |capacity| Arc::new(Mutex::new(Pipe { capacity, ..Pipe::default() }));
    let (to, from) = (pipe(usize::MAX), pipe(script.capacity));
    let peer = Peer { incoming: Arc::clone(&from), outgoing: Arc::clone(&to) };
    (Stream::new(script, to, from), peer)
}

/// Two streams, the ends of one link.
pub fn linked(near: Script, far: Script) -> (Stream, Stream) {
    let (stream, peer) = scripted(near);
    lock(&peer.outgoing).capacity = far.capacity;
    (stream, Stream::new(far, peer.incoming, peer.outgoing))
}

impl Stream {
    fn new(script: Script, incoming: Shared, outgoing: Shared) -> Self {
        Self { script, incoming, outgoing, asked: [0; 4], polls: 0, fault: None }
    }

    /// How many operations there were.
    pub fn operations(&self) -> usize {
        lock(&self.outgoing).operations
    }

    /// Lets an operation begin, or fail.
    fn begin(&mut self, kind: Kind, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.polls += 1;
        assert!(self.polls < MAX_POLLS, "the stream is polled for ever");
        let asked = &mut self.asked[kind as usize];
        if *asked < self.script.pendings {
            *asked += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some((at, fault)) = self.script.fault
            && self.operations() + 1 >= at
        {
            self.script.fault = None;
            self.fault = Some(fault);
        }
        match self.fault {
            Some(Fault::Error) => self.fault = None,
            Some(Fault::Reset) => {}
            _ => return Poll::Ready(Ok(())),
        }
        self.end(kind);
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    /// An operation has had its effect.
    fn end(&mut self, kind: Kind) {
        lock(&self.outgoing).operations += 1;
        self.asked[kind as usize] = 0;
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(space.remaining() > 0, "a read into nothing is no end of the stream");
        std::task::ready!(self.begin(Kind::Read, cx))?;
        if self.fault != Some(Fault::Eof) {
            let mut pipe = lock(&self.incoming);
            if pipe.bytes.is_empty() && !pipe.ended {
                pipe.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let len = pipe.bytes.len().min(space.remaining()).min(self.script.max_read);
            let (front, back) = pipe.bytes.as_slices();
            let front = &front[..len.min(front.len())];
            space.put_slice(front);
            space.put_slice(&back[..len - front.len()]);
            pipe.bytes.drain(..len);
            pipe.read_len += len;
            wake(&mut pipe.writer);
        }
        self.end(Kind::Read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(offered > 0, "a write of nothing tells nothing");
        std::task::ready!(self.begin(Kind::Write, cx))?;
        let mut len = 0;
        if self.fault == Some(Fault::WriteZero) {
            self.fault = None;
        } else {
            let mut pipe = lock(&self.outgoing);
            assert!(!pipe.ended, "a write after the write side was shut down");
            if pipe.abandoned {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            match pipe.fault.take() {
                None => {}
                Some(Fault::WriteZero) => return Poll::Ready(Ok(0)),
                Some(_) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            }
            let room = pipe.capacity.saturating_sub(pipe.bytes.len() + pipe.held.len());
            if room == 0 {
                pipe.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            len = offered.min(room).min(self.script.max_write);
            let mut missing = len;
            for slice in slices {
                let part = &slice[..missing.min(slice.len())];
                pipe.held.extend(part);
                missing -= part.len();
            }
            pipe.writes.push(len);
            if !self.script.holds_back {
                pipe.flush();
            }
        }
        self.end(Kind::Write);
        Poll::Ready(Ok(len))
    }

    fn is_write_vectored(&self) -> bool {
        self.script.vectored
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.begin(Kind::Flush, cx))?;
        lock(&self.outgoing).flush();
        self.end(Kind::Flush);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.begin(Kind::Shutdown, cx))?;
        let mut pipe = lock(&self.outgoing);
        pipe.ended = true;
        pipe.flush();
        drop(pipe);
        self.end(Kind::Shutdown);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut pipe = lock(&self.outgoing);
        pipe.ended = true;
        wake(&mut pipe.reader);
        drop(pipe);
        let mut pipe = lock(&self.incoming);
        pipe.abandoned = true;
        wake(&mut pipe.writer);
    }
}

impl Peer {
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        let mut pipe = lock(&self.outgoing);
        pipe.bytes.extend(bytes.as_ref());
        wake(&mut pipe.reader);
    }

    /// True when the socket is gone.
    pub fn is_gone(&self) -> bool {
        lock(&self.outgoing).abandoned
    }

    /// Makes the next write of the socket fail, which nobody is told before.
    pub fn fail(&self, fault: Fault) {
        lock(&self.incoming).fault = Some(fault);
    }

    /// Ends this side: the socket reads the end of the stream.
    pub fn end(&self) {
        let mut pipe = lock(&self.outgoing);
        pipe.ended = true;
        wake(&mut pipe.reader);
    }

    /// Reads what has arrived, which makes room for more.
    pub fn read(&self) -> Vec<u8> {
        let mut pipe = lock(&self.incoming);
        wake(&mut pipe.writer);
        pipe.bytes.drain(..).collect()
    }

    /// All that the socket ever wrote.
    pub fn log(&self) -> Vec<u8> {
        lock(&self.incoming).log.clone()
    }

    /// How much each write of the socket wrote.
    pub fn writes(&self) -> Vec<usize> {
        lock(&self.incoming).writes.clone()
    }

    /// How much the socket has written, flushed or not.
    pub fn written_len(&self) -> usize {
        lock(&self.incoming).writes.iter().sum()
    }

    /// How much the socket has read.
    pub fn read_len(&self) -> usize {
        lock(&self.outgoing).read_len
    }

    /// How many operations there were.
    pub fn operations(&self) -> usize {
        lock(&self.incoming).operations
    }

    /// Waits until the socket has written more than `len` bytes in all, or has shut down its write side.
    pub async fn more_than(&self, len: usize) {
        poll_fn(|cx| {
            let mut pipe = lock(&self.incoming);
            pipe.reader = Some(cx.waker().clone());
            if pipe.log.len() > len || pipe.ended { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// True when the socket has shut down its write side, or is gone.
    pub fn is_shut(&self) -> bool {
        lock(&self.incoming).ended
    }

    /// Waits until the socket has shut down its write side, or is gone.
    pub async fn shut(&self) {
        poll_fn(|cx| {
            let mut pipe = lock(&self.incoming);
            pipe.reader = Some(cx.waker().clone());
            if pipe.ended { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Drops futures where they are pending.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    at: At,
    /// How many times a future was pending.
    pub pendings: usize,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Never,
    Every,
    The(usize),
}

impl Cut {
    pub const NEVER: Self = Self { at: At::Never, pendings: 0 };
    pub const EVERY: Self = Self { at: At::Every, pendings: 0 };

    /// The `n`th time, counted from 1.
    pub const fn at(n: usize) -> Self {
        Self { at: At::The(n), pendings: 0 }
    }

    /// Runs a future; `None` when it was dropped.
    pub async fn run<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                self.pendings += 1;
                match self.at {
                    At::The(n) if n == self.pendings => Poll::Ready(None),
                    At::Every => Poll::Ready(None),
                    _ => Poll::Pending,
                }
            }
        })
        .await
    }
}

/// Polls a future once; `None` when it was pending and is dropped.
pub async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut cut = Cut::EVERY;
    cut.run(future).await
}

/// Runs a future that has to end. The clock must be paused: a year passes at once when everybody waits for ever.
pub async fn ends<F: Future>(future: F) -> F::Output {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    // The timeout is compiled once for each output, and not for each future.
    let future: Pin<&mut dyn Future<Output = F::Output>> = pin!(future);
    tokio::time::timeout(YEAR, future).await.expect("waits for ever")
}

/// A runtime whose clock is paused, for tests that are tables.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut output = None;
    run(pin!(async { output = Some(future.await) }));
    output.expect("it has ended")
}

/// Compiled once, and the runtime with it.
fn run(future: Pin<&mut dyn Future<Output = ()>>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(ends(future));
}

/// A runtime whose clock runs, with four threads.
pub fn threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime")
}
