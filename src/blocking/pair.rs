//! [`pair`]: two ends of a connection in memory, to test a program without a network.

use core::time::Duration;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::{Stream, WebSocket};
use crate::adapter::{PAIR_LEN, lock, pair_connections};
use crate::{Config, Input};

/// A client and a server that are connected in memory, without an opening handshake.
///
/// Each direction holds 64 KiB, as a socket does, and the deadlines are those of `config`. The masking keys are the same each time: this is
/// for tests.
///
/// ```
/// use tidewire::{Config, blocking::pair};
///
/// let (mut client, mut server) = pair(Config::new());
/// client.send("Hello")?;
/// assert_eq!(server.recv()?, Some("Hello".into()));
/// # Ok::<(), tidewire::Error>(())
/// ```
#[must_use]
pub fn pair(config: Config) -> (WebSocket<PairStream>, WebSocket<PairStream>) {
    let (to_server, to_client) = (Arc::<Pipe>::default(), Arc::<Pipe>::default());
    let near = PairStream::new(Arc::clone(&to_client), Arc::clone(&to_server));
    let far = PairStream::new(to_server, to_client);
    let (client, server) = pair_connections(config);
    (WebSocket::from_parts(near, client, Input::new()), WebSocket::from_parts(far, server, Input::new()))
}

/// One end of a [`pair`]'s link.
#[derive(Debug)]
pub struct PairStream {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
    read_timeout: Mutex<Option<Duration>>,
    write_timeout: Mutex<Option<Duration>>,
}

/// One direction of the link.
#[derive(Debug, Default)]
struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    /// Nothing more is written.
    is_ended: bool,
    /// Nothing more is read.
    is_closed: bool,
}

impl Pipe {
    /// Waits until `is_so`, for at most `timeout`.
    fn wait(
        &self,
        timeout: Option<Duration>,
        is_so: impl Fn(&State) -> bool,
    ) -> io::Result<MutexGuard<'_, State>> {
        let state = lock(&self.state);
        let timeout = timeout.unwrap_or(Duration::MAX);
        let waited = self.changed.wait_timeout_while(state, timeout, |state| !is_so(state));
        let (state, result) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        if result.timed_out() { Err(ErrorKind::WouldBlock.into()) } else { Ok(state) }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.changed.notify_all();
    }
}

impl PairStream {
    fn new(incoming: Arc<Pipe>, outgoing: Arc<Pipe>) -> Self {
        Self { incoming, outgoing, read_timeout: Mutex::default(), write_timeout: Mutex::default() }
    }
}

impl Drop for PairStream {
    fn drop(&mut self) {
        self.outgoing.change(|state| state.is_ended = true);
        self.incoming.change(|state| state.is_closed = true);
    }
}

impl Read for &PairStream {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let timeout = *lock(&self.read_timeout);
        let mut state = self.incoming.wait(timeout, |state| state.is_ended || !state.bytes.is_empty())?;
        let len = state.bytes.read(space)?;
        self.incoming.changed.notify_all();
        Ok(len)
    }
}

impl Write for &PairStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let timeout = *lock(&self.write_timeout);
        let mut state =
            self.outgoing.wait(timeout, |state| state.is_closed || state.bytes.len() < PAIR_LEN)?;
        if state.is_closed || state.is_ended {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = PAIR_LEN - state.bytes.len();
        let before = state.bytes.len();
        state.bytes.extend(slices.iter().flat_map(|slice| slice.iter()).take(room));
        self.outgoing.changed.notify_all();
        Ok(state.bytes.len() - before)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for &PairStream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        *lock(&self.read_timeout) = timeout;
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        *lock(&self.write_timeout) = timeout;
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.outgoing.change(|state| state.is_ended = true);
        Ok(())
    }
}

super::stream::forward_to_shared!(PairStream);
