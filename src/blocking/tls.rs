//! [`TlsStream`]: TLS for threads, with deadlines, whose two directions work side by side.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::boxed::Box;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use std::vec::Vec;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

use super::Stream;
use super::stream::forward_to_shared;
use super::timeout::SHORTEST;
use crate::adapter::lock;

/// How much is taken from a write at once: so much, encrypted, may wait for the stream below.
const MAX_PLAIN_LEN: usize = 64 << 10;

/// A record of TLS is hardly longer.
const READ_LEN: usize = 16 << 10;

/// TLS over a stream that can be read and written through a shared reference, by `rustls`, for clients and servers. It can be
/// [split](super::WebSocket::split).
///
/// The handshake of TLS runs with the first read. [`Connector`](super::Connector) makes one for a `wss` URI by itself.
///
/// ```no_run
/// # fn example(tcp: std::net::TcpStream, config: std::sync::Arc<rustls::ServerConfig>) -> Result<(), tidewire::Error> {
/// use tidewire::blocking::{TlsStream, accept};
///
/// let mut socket = accept(TlsStream::server(tcp, config)?)?;
/// while let Some(message) = socket.recv()? {
///     socket.send(message)?;
/// }
/// # Ok(()) }
/// ```
pub struct TlsStream {
    stream: Box<dyn SharedStream>,
    /// Never locked during a call of the system.
    tls: Mutex<Connection>,
    /// Who writes to the stream has this, so that records leave in their order. It is locked before `tls`.
    sending: Mutex<Encrypted>,
    /// Records that were read and not decrypted, since what was decrypted has to be read first.
    received: Mutex<Vec<u8>>,
    timeouts: Mutex<Timeouts>,
    /// The handshake is over, and its last record has left.
    is_open: AtomicBool,
}

/// What lies below, whatever it is. With its type as a parameter, the compiler would look for TLS in TLS without end.
trait SharedStream: Send + Sync {
    /// Runs something with the stream.
    fn with(&self, run: &mut dyn FnMut(&mut dyn Stream) -> io::Result<usize>) -> io::Result<usize>;
}

impl<S: Send + Sync> SharedStream for S
where
    for<'s> &'s S: Stream,
{
    fn with(&self, run: &mut dyn FnMut(&mut dyn Stream) -> io::Result<usize>) -> io::Result<usize> {
        let mut stream = self;
        run(&mut stream)
    }
}

/// Records that wait for the stream.
#[derive(Default)]
struct Encrypted {
    bytes: Vec<u8>,
    written: usize,
}

#[derive(Clone, Copy, Default)]
struct Timeouts {
    read: Option<Duration>,
    write: Option<Duration>,
}

impl TlsStream {
    /// The client's side, to a server whose certificate has to be valid for `name`.
    ///
    /// # Errors
    /// Those of `rustls`, as an [`io::Error`].
    pub fn client<S>(stream: S, name: ServerName<'static>, config: Arc<ClientConfig>) -> io::Result<Self>
    where
        S: Send + Sync + 'static,
        for<'s> &'s S: Stream,
    {
        let mut connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        // What is written before the handshake is over waits. A write that took nothing would count as an error.
        connection.set_buffer_limit(None);
        Ok(Self::new(Box::new(stream), connection.into()))
    }

    /// The server's side.
    ///
    /// # Errors
    /// Those of `rustls`, as an [`io::Error`].
    pub fn server<S>(stream: S, config: Arc<ServerConfig>) -> io::Result<Self>
    where
        S: Send + Sync + 'static,
        for<'s> &'s S: Stream,
    {
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        connection.set_buffer_limit(None);
        Ok(Self::new(Box::new(stream), connection.into()))
    }

    fn new(stream: Box<dyn SharedStream>, connection: Connection) -> Self {
        Self {
            stream,
            tls: Mutex::new(connection),
            sending: Mutex::default(),
            received: Mutex::default(),
            timeouts: Mutex::default(),
            is_open: AtomicBool::new(false),
        }
    }

    fn stream(&self, mut run: impl FnMut(&mut dyn Stream) -> io::Result<usize>) -> io::Result<usize> {
        self.stream.with(&mut run)
    }

    /// Encrypts what is to be sent.
    fn encrypt(&self, sending: &mut Encrypted) -> io::Result<()> {
        let mut tls = lock(&self.tls);
        while tls.wants_write() {
            tls.write_tls(&mut sending.bytes)?;
        }
        Ok(())
    }

    /// Writes what is encrypted, for as long as a write may take.
    fn send(&self, sending: &mut Encrypted) -> io::Result<()> {
        let clock = Clock::new(lock(&self.timeouts).write);
        while sending.written < sending.bytes.len() {
            match self.stream(|stream| stream.write(&sending.bytes[sending.written..])) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => sending.written += len,
                // A signal came.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if sending.written < sending.bytes.len() && clock.left().is_zero() {
                return Err(ErrorKind::WouldBlock.into());
            }
        }
        *sending = Encrypted::default();
        self.stream(|stream| stream.flush().map(|()| 0)).map(drop)
    }

    /// Sends what TLS itself has to say: its handshake, an alert, or new keys.
    fn send_own(&self) -> io::Result<()> {
        if !self.is_open.load(Ordering::Relaxed) {
            return self.send_handshake();
        }
        if !lock(&self.tls).wants_write() {
            return Ok(());
        }
        // A reader waits for nobody who writes: whoever does so now or next takes it along.
        let Ok(mut sending) = self.sending.try_lock() else { return Ok(()) };
        self.encrypt(&mut sending)?;
        // What does not leave now leaves with the next write, or fails there: what the peer has said counts for more.
        let _ = self.send(&mut sending);
        Ok(())
    }

    /// Sends all of the handshake, and what was written meanwhile: until then there is nothing to read.
    fn send_handshake(&self) -> io::Result<()> {
        let mut sending = lock(&self.sending);
        let is_handshaking = lock(&self.tls).is_handshaking();
        self.encrypt(&mut sending)?;
        self.send(&mut sending)?;
        self.is_open.store(!is_handshaking, Ordering::Relaxed);
        Ok(())
    }

    fn set_stream_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream(|stream| stream.set_read_timeout(timeout).map(|()| 0)).map(drop)
    }

    /// Reads records, once from the stream at most and until `clock` says so, or goes on with those that were read.
    fn receive(&self, clock: &Clock, is_first: bool) -> io::Result<()> {
        let mut received = lock(&self.received);
        let processed = if received.is_empty() {
            let mut records = [0; READ_LEN];
            if !is_first {
                // Something came and was not enough: the rest of the time is for what lacks.
                let left = clock.left();
                if left.is_zero() {
                    return Err(ErrorKind::WouldBlock.into());
                }
                self.set_stream_timeout((left < Duration::MAX).then(|| left.max(SHORTEST)))?;
            }
            let read = self.stream(|stream| stream.read(&mut records));
            if !is_first {
                self.set_stream_timeout(clock.timeout)?;
            }
            let mut rest = &records[..read?.min(READ_LEN)];
            let processed = self.process(&mut rest);
            // As a rule nothing, which takes no memory.
            *received = rest.to_vec();
            processed
        } else {
            let mut rest = &received[..];
            let processed = self.process(&mut rest);
            *received = rest.to_vec();
            processed
        };
        drop(received);
        if processed.is_err() {
            // The peer learns why, if it still listens.
            let _ = self.send_own();
        }
        processed
    }

    /// Decrypts records until there is something to read, or nothing more to decrypt. Without any it is the end of the stream.
    fn process(&self, records: &mut &[u8]) -> io::Result<()> {
        let mut tls = lock(&self.tls);
        loop {
            if tls.read_tls(records)? == 0 {
                // RFC 8446 6.1: what follows the end is ignored.
                *records = &[];
            }
            let state = tls.process_new_packets();
            let state = state.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            if records.is_empty() || state.plaintext_bytes_to_read() > 0 {
                return Ok(());
            }
        }
    }
}

/// True if the same call may go on later.
fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// What is left of a timeout.
struct Clock {
    start: Instant,
    timeout: Option<Duration>,
}

impl Clock {
    fn new(timeout: Option<Duration>) -> Self {
        Self { start: Instant::now(), timeout }
    }

    fn left(&self) -> Duration {
        self.timeout.map_or(Duration::MAX, |timeout| timeout.saturating_sub(self.start.elapsed()))
    }
}

impl Read for &TlsStream {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let clock = Clock::new(lock(&self.timeouts).read);
        let mut is_first = true;
        loop {
            self.send_own()?;
            match lock(&self.tls).reader().read(space) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            self.receive(&clock, is_first)?;
            is_first = false;
        }
    }
}

impl Write for &TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sending = lock(&self.sending);
        // Only when all of it has left is more taken: so what waits is bounded.
        self.send(&mut sending)?;
        let taken = lock(&self.tls).writer().write(&bytes[..bytes.len().min(MAX_PLAIN_LEN)])?;
        self.encrypt(&mut sending)?;
        match self.send(&mut sending) {
            // It is taken, and `flush` goes on.
            Err(error) if is_late(&error) => Ok(taken),
            sent => sent.map(|()| taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut sending = lock(&self.sending);
        self.encrypt(&mut sending)?;
        self.send(&mut sending)
    }
}

impl Stream for &TlsStream {
    fn set_blocking(&mut self) -> io::Result<()> {
        self.stream(|stream| stream.set_blocking().map(|()| 0)).map(drop)
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_stream_timeout(timeout)?;
        lock(&self.timeouts).read = timeout;
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream(|stream| stream.set_write_timeout(timeout).map(|()| 0))?;
        lock(&self.timeouts).write = timeout;
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        lock(&self.tls).send_close_notify();
        let flushed = self.flush();
        self.stream(|stream| stream.shutdown_write().map(|()| 0))?;
        flushed
    }
}

forward_to_shared!(TlsStream);

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").finish_non_exhaustive()
    }
}
