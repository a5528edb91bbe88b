//! A [`Stream`] in memory whose other end is a script: what it reads is known beforehand, and every call is recorded.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tidewire::blocking::Stream;

/// Longer than any deadline of these tests: who waits so long would wait for ever.
const FOR_EVER: Duration = Duration::from_secs(30);

/// What was called, with the bytes written so far for `Shutdown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Read,
    Write,
    Flush,
    Shutdown(usize),
    ReadTimeout(Option<Duration>),
    WriteTimeout(Option<Duration>),
}

impl Call {
    /// The timeout that it set for writes.
    pub fn write_timeout(&self) -> Option<Duration> {
        if let Self::WriteTimeout(timeout) = self { *timeout } else { None }
    }
}

/// What goes wrong at one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// From then on, everything fails in this direction; after a failed read, in both.
    Error(ErrorKind),
    /// A read finds the end, and a write takes nothing.
    Zero,
    /// This one call fails, and the next one succeeds; not a change of a timeout, which nothing interrupts.
    Once(ErrorKind),
}

/// A kernel between the stream and its peer: a write holds the call until everything is buffered or its timeout passes, and tells only
/// then how much went.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// How much it buffers.
    capacity: usize,
    /// How much the peer reads of it in a second.
    rate: usize,
    /// What is buffered, to be read since then.
    buffered: usize,
    since: Instant,
}

impl Kernel {
    /// What the peer has read by now makes room.
    fn room(&mut self) -> usize {
        let read = self.since.elapsed().as_micros() * self.rate as u128 / 1_000_000;
        // Less than a byte waits for the next time.
        if read > 0 || self.buffered == 0 {
            self.buffered = self.buffered.saturating_sub(usize::try_from(read).unwrap_or(usize::MAX));
            self.since = Instant::now();
        }
        self.capacity - self.buffered
    }
}

/// Answers what was written with more to read, and perhaps with the end.
type Peer = Box<dyn FnMut(&[u8]) -> (Vec<u8>, bool) + Send>;

pub struct State {
    incoming: VecDeque<u8>,
    eof: bool,
    /// The longest read and the longest write.
    read_len: usize,
    write_len: usize,
    /// How much may still be written until there is no room.
    room: usize,
    kernel: Option<Kernel>,
    /// How long each byte takes to arrive, and each write to be made.
    read_pause: Duration,
    write_pause: Duration,
    /// Every call fails like this once before it succeeds.
    hesitation: Option<ErrorKind>,
    hesitated: [bool; 3],
    /// How the next reads and the next writes fail, at once.
    obstacles: [VecDeque<ErrorKind>; 2],
    /// What would wait fails at once, whatever the timeouts are.
    is_impatient: bool,
    fault: Option<(usize, Fault)>,
    broken: [Option<ErrorKind>; 2],
    /// What is written counts only after a flush.
    holds_back: bool,
    held: Vec<u8>,
    peer: Option<Peer>,
    ends_with_writes: bool,
    timeouts: [Option<Duration>; 2],
    /// The timeouts of all reads and of all writes that came to nothing, added up.
    pub idle: [Duration; 2],
    /// How many writes were under way at once at most.
    writes: usize,
    pub most_writes: usize,
    pub written: Vec<u8>,
    pub calls: Vec<Call>,
    /// How many bytes were read.
    pub read: usize,
}

/// A handle of the stream: the test keeps one and gives another one away.
#[derive(Clone)]
pub struct Scripted(Arc<(Mutex<State>, Condvar)>);

impl Scripted {
    /// A stream on which `incoming` arrives, and then the end.
    pub fn new(incoming: impl Into<Vec<u8>>) -> Self {
        let state = State {
            incoming: incoming.into().into(),
            eof: true,
            read_len: usize::MAX,
            write_len: usize::MAX,
            room: usize::MAX,
            kernel: None,
            read_pause: Duration::ZERO,
            write_pause: Duration::ZERO,
            hesitation: None,
            hesitated: [false; 3],
            obstacles: Default::default(),
            is_impatient: false,
            fault: None,
            broken: [None; 2],
            holds_back: false,
            held: Vec::new(),
            peer: None,
            ends_with_writes: false,
            timeouts: [None; 2],
            idle: [Duration::ZERO; 2],
            writes: 0,
            most_writes: 0,
            written: Vec::new(),
            calls: Vec::new(),
            read: 0,
        };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    fn with(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.state());
        self
    }

    /// After `incoming`, nothing arrives and the end does not come.
    pub fn without_end(self) -> Self {
        self.with(|state| state.eof = false)
    }

    pub fn with_lens(self, read_len: usize, write_len: usize) -> Self {
        self.with(|state| (state.read_len, state.write_len) = (read_len, write_len))
    }

    pub fn with_room(self, room: usize) -> Self {
        self.with(|state| state.room = room)
    }

    /// A peer that reads so much in a second, behind a buffer of so many bytes.
    pub fn with_kernel(self, capacity: usize, rate: usize) -> Self {
        let kernel = Kernel { capacity, rate, buffered: 0, since: Instant::now() };
        self.with(|state| state.kernel = Some(kernel))
    }

    pub fn with_pauses(self, read: Duration, write: Duration) -> Self {
        self.with(|state| (state.read_pause, state.write_pause) = (read, write))
    }

    pub fn with_hesitation(self, kind: impl Into<Option<ErrorKind>>) -> Self {
        self.with(|state| state.hesitation = kind.into())
    }

    /// The next reads and the next writes fail so, one after the other.
    pub fn with_obstacles(self, kinds: &[ErrorKind]) -> Self {
        self.with(|state| state.obstacles = [kinds.to_vec().into(), kinds.to_vec().into()])
    }

    /// A stream that does not wait, as a non-blocking socket.
    pub fn impatient(self) -> Self {
        self.with(|state| state.is_impatient = true)
    }

    /// A fault at call number `at`.
    pub fn with_fault(self, at: usize, fault: Fault) -> Self {
        self.with(|state| state.fault = Some((at, fault)))
    }

    pub fn holding_back(self, holds_back: bool) -> Self {
        self.with(|state| state.holds_back = holds_back)
    }

    pub fn with_peer(self, mut peer: impl FnMut(&[u8]) -> Vec<u8> + Send + 'static) -> Self {
        self.with(|state| state.peer = Some(Box::new(move |written| (peer(written), false))))
    }

    /// A peer that ends when it says so, when the write side is shut down, and when it hears nothing more because of a fault.
    pub fn with_ending_peer(self, peer: impl FnMut(&[u8]) -> (Vec<u8>, bool) + Send + 'static) -> Self {
        self.without_end().with(|state| {
            state.peer = Some(Box::new(peer));
            state.ends_with_writes = true;
        })
    }

    /// More arrives.
    pub fn arrive(&self, bytes: &[u8]) {
        self.state().incoming.extend(bytes);
        self.0.1.notify_all();
    }

    /// The end comes.
    pub fn end(&self) {
        self.state().eof = true;
        self.0.1.notify_all();
    }

    pub fn give_room(&self, room: usize) {
        self.state().room = room;
        self.0.1.notify_all();
    }

    /// How many handles there are of this stream.
    pub fn handles(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().expect("no panic")
    }

    /// What was written since the last time.
    pub fn take_written(&self) -> Vec<u8> {
        std::mem::take(&mut self.state().written)
    }

    /// How much was written each time when the write side was shut down.
    pub fn shutdowns(&self) -> Vec<usize> {
        let shutdown = |call: &Call| if let Call::Shutdown(len) = call { Some(*len) } else { None };
        self.state().calls.iter().filter_map(shutdown).collect()
    }

    /// Waits until `is_so`, at most as long as the timeout of this direction.
    fn wait(&self, direction: usize, is_so: impl Fn(&State) -> bool) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.is_impatient && !is_so(&state) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let timeout = state.timeouts[direction].unwrap_or(FOR_EVER);
        let (state, result) =
            self.0.1.wait_timeout_while(state, timeout, |state| !is_so(state)).expect("no panic");
        if !result.timed_out() {
            return Ok(state);
        }
        assert!(timeout < FOR_EVER, "nothing more happens: this would wait for ever");
        drop(state);
        self.state().idle[direction] += timeout;
        Err(ErrorKind::WouldBlock.into())
    }

    /// A write through a kernel.
    fn write_to_kernel(&self, mut bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        let timeout = state.timeouts[WRITE].unwrap_or(FOR_EVER);
        let (start, mut done) = (Instant::now(), 0);
        loop {
            let broken = state.broken[WRITE];
            let Some(kernel) = &mut state.kernel else { return Ok(done) };
            let (now, later) = bytes.split_at(bytes.len().min(kernel.room()));
            kernel.buffered += now.len();
            state.arrive_at_peer(now);
            self.0.1.notify_all();
            (done, bytes) = (done + now.len(), later);
            if bytes.is_empty() {
                return Ok(done);
            }
            if start.elapsed() >= timeout || broken.is_some() {
                assert!(timeout < FOR_EVER, "nothing more happens: this would wait for ever");
                if done > 0 {
                    return Ok(done);
                }
                state.idle[WRITE] += timeout;
                return Err(broken.unwrap_or(ErrorKind::WouldBlock).into());
            }
            state = self.0.1.wait_timeout(state, Duration::from_millis(1)).expect("no panic").0;
        }
    }

    fn pause(&self, direction: usize, pause: Duration) -> io::Result<()> {
        let timeout = self.state().timeouts[direction].unwrap_or(FOR_EVER);
        std::thread::sleep(pause.min(timeout));
        if pause > timeout { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }
}

const READ: usize = 0;
const WRITE: usize = 1;
const FLUSH: usize = 2;

impl State {
    /// Records a call; true if it is to come to nothing.
    fn step(&mut self, call: Call) -> io::Result<bool> {
        let number = self.calls.len();
        self.calls.push(call);
        let kind = match call {
            Call::Read | Call::ReadTimeout(_) => READ,
            Call::Write | Call::WriteTimeout(_) => WRITE,
            Call::Flush | Call::Shutdown(_) => FLUSH,
        };
        if let Some(kind) = self.broken[kind.min(WRITE)] {
            return Err(kind.into());
        }
        let is_cut = matches!(self.fault, Some((at, Fault::Error(_) | Fault::Zero)) if at == number);
        self.eof |= self.ends_with_writes && (is_cut || matches!(call, Call::Shutdown(_)));
        let is_timeout = matches!(call, Call::ReadTimeout(_) | Call::WriteTimeout(_));
        match self.fault {
            Some((at, Fault::Once(kind))) if at == number && !is_timeout => return Err(kind.into()),
            Some((at, Fault::Zero)) if at == number => return Ok(true),
            Some((at, Fault::Error(error))) if at == number => {
                self.broken[WRITE] = Some(error);
                if kind == READ {
                    self.broken[READ] = Some(error);
                }
                return Err(error.into());
            }
            _ => {}
        }
        if matches!(call, Call::Read | Call::Write)
            && let Some(kind) = self.obstacles[kind].pop_front()
        {
            return Err(kind.into());
        }
        if let (Some(error), Call::Read | Call::Write | Call::Flush) = (self.hesitation, call) {
            self.hesitated[kind] = !self.hesitated[kind];
            if self.hesitated[kind] {
                return Err(error.into());
            }
        }
        Ok(false)
    }

    fn arrive_at_peer(&mut self, bytes: &[u8]) {
        self.written.extend_from_slice(bytes);
        if let Some(peer) = &mut self.peer {
            let (answer, ends) = peer(bytes);
            self.incoming.extend(answer);
            self.eof |= ends;
        }
    }
}

impl Read for &Scripted {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let pause = {
            let mut state = self.state();
            if state.step(Call::Read)? {
                state.incoming.clear();
                state.eof = true;
                return Ok(0);
            }
            state.read_pause
        };
        if !pause.is_zero() {
            self.pause(READ, pause)?;
        }
        let mut state = self.wait(READ, |state| state.eof || !state.incoming.is_empty())?;
        let len = space.len().min(state.read_len);
        let len = state.incoming.read(&mut space[..len])?;
        state.read += len;
        Ok(len)
    }
}

impl Write for &Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let pause = {
            let mut state = self.state();
            if state.step(Call::Write)? {
                return Ok(0);
            }
            state.writes += 1;
            state.most_writes = state.most_writes.max(state.writes);
            state.write_pause
        };
        let written = self.write_after(pause, slices);
        self.state().writes -= 1;
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut state = self.state();
        state.step(Call::Flush)?;
        let held = std::mem::take(&mut state.held);
        if !held.is_empty() {
            state.arrive_at_peer(&held);
            self.0.1.notify_all();
        }
        Ok(())
    }
}

impl Scripted {
    fn write_after(&self, pause: Duration, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if !pause.is_zero() {
            self.pause(WRITE, pause)?;
        }
        if self.state().kernel.is_some() {
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            return self.write_to_kernel(&bytes);
        }
        let mut state = self.wait(WRITE, |state| state.room > 0)?;
        let room = state.room.min(state.write_len);
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(room).collect();
        state.room -= bytes.len();
        if state.holds_back {
            state.held.extend_from_slice(&bytes);
        } else {
            state.arrive_at_peer(&bytes);
            self.0.1.notify_all();
        }
        Ok(bytes.len())
    }
}

impl Stream for &Scripted {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO), "the system takes zero for an error");
        let mut state = self.state();
        state.step(Call::ReadTimeout(timeout))?;
        state.timeouts[READ] = timeout;
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO), "the system takes zero for an error");
        let mut state = self.state();
        state.step(Call::WriteTimeout(timeout))?;
        state.timeouts[WRITE] = timeout;
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        let mut state = self.state();
        let written = state.written.len();
        state.step(Call::Shutdown(written)).map(drop)
    }
}

impl Read for Scripted {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        (&*self).read(space)
    }
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

impl Stream for Scripted {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (&*self).set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (&*self).set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        (&*self).shutdown_write()
    }
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripted").finish_non_exhaustive()
    }
}

/// Waits until `is_so`, for what another thread does.
pub fn wait_until(mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < give_up, "it never happens");
        std::thread::sleep(Duration::from_millis(1));
    }
}
