//! Two ends of a stream in memory, with buffers as small as wanted, for threads.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tidewire::blocking::Stream;

use crate::pairs::Socket;

/// One end; each direction holds `CAPACITY` bytes.
#[derive(Debug)]
pub(crate) struct Duplex<const CAPACITY: usize> {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
    timeouts: Mutex<[Option<Duration>; 2]>,
}

#[derive(Debug, Default)]
struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    /// The writer has ended, or the reader is gone.
    ended: bool,
}

impl Pipe {
    /// Waits until `is_so`, at most as long as `timeout`.
    fn wait(
        &self,
        timeout: Option<Duration>,
        is_so: impl Fn(&State) -> bool,
    ) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state.lock().expect("no panic");
        let Some(timeout) = timeout else {
            return Ok(self.changed.wait_while(state, |state| !is_so(state)).expect("no panic"));
        };
        match self.changed.wait_timeout_while(state, timeout, |state| !is_so(state)).expect("no panic") {
            (_, result) if result.timed_out() => Err(ErrorKind::WouldBlock.into()),
            (state, _) => Ok(state),
        }
    }

    fn end(&self) {
        self.state.lock().expect("no panic").ended = true;
        self.changed.notify_all();
    }
}

impl<const CAPACITY: usize> Duplex<CAPACITY> {
    fn timeout(&self, direction: usize) -> Option<Duration> {
        self.timeouts.lock().expect("no panic")[direction]
    }

    fn set_timeout(&self, direction: usize, timeout: Option<Duration>) {
        self.timeouts.lock().expect("no panic")[direction] = timeout;
    }
}

impl<const CAPACITY: usize> Socket for Duplex<CAPACITY> {
    fn pair() -> (Self, Self) {
        let (there, back) = (Arc::<Pipe>::default(), Arc::<Pipe>::default());
        let end = |incoming: &Arc<Pipe>, outgoing: &Arc<Pipe>| Self {
            incoming: Arc::clone(incoming),
            outgoing: Arc::clone(outgoing),
            timeouts: Mutex::default(),
        };
        (end(&there, &back), end(&back, &there))
    }
}

impl<const CAPACITY: usize> Drop for Duplex<CAPACITY> {
    fn drop(&mut self) {
        self.incoming.end();
        self.outgoing.end();
    }
}

impl<const CAPACITY: usize> Read for &Duplex<CAPACITY> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let pipe = &self.incoming;
        let mut state = pipe.wait(self.timeout(0), |state| state.ended || !state.bytes.is_empty())?;
        let len = state.bytes.read(space)?;
        pipe.changed.notify_all();
        Ok(len)
    }
}

impl<const CAPACITY: usize> Write for &Duplex<CAPACITY> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let pipe = &self.outgoing;
        let mut state = pipe.wait(self.timeout(1), |state| state.ended || state.bytes.len() < CAPACITY)?;
        if state.ended {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let len = bytes.len().min(CAPACITY - state.bytes.len());
        state.bytes.extend(&bytes[..len]);
        pipe.changed.notify_all();
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<const CAPACITY: usize> Stream for &Duplex<CAPACITY> {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_timeout(0, timeout);
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_timeout(1, timeout);
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.outgoing.end();
        Ok(())
    }
}

impl<const CAPACITY: usize> Read for Duplex<CAPACITY> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        (&*self).read(space)
    }
}

impl<const CAPACITY: usize> Write for Duplex<CAPACITY> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

impl<const CAPACITY: usize> Stream for Duplex<CAPACITY> {
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
