//! [`Stream`]: what the blocking adapter needs beyond `Read + Write`.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

/// A byte stream with timeouts and a half-close, which `Read + Write` does not have.
///
/// It is implemented for `TcpStream`, on Unix for `UnixStream`, and for references to them; [`Untimed`] wraps anything else.
pub trait Stream: Read + Write {
    /// Sees that calls wait as the timeouts say. It is called once, before anything else: a stream that is blocking anyway has nothing to do.
    ///
    /// # Errors
    /// Those of the system.
    fn set_blocking(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// From now on a `read` that finds nothing fails with `WouldBlock` or `TimedOut` after `timeout`; with `None` it waits for ever.
    ///
    /// # Errors
    /// Those of the system.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// From now on a `write` that finds no room fails with `WouldBlock` or `TimedOut` after `timeout`; with `None` it waits for ever.
    ///
    /// # Errors
    /// Those of the system.
    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Tells the peer that nothing follows, and leaves the other direction open.
    ///
    /// # Errors
    /// Those of the system.
    fn shutdown_write(&mut self) -> io::Result<()>;
}

macro_rules! impl_stream {
    ($($stream:ty),*) => {$(
        impl Stream for $stream {
            // Some systems let a socket inherit the mode of its listener.
            fn set_blocking(&mut self) -> io::Result<()> {
                self.set_nonblocking(false)
            }

            fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                (*self).set_read_timeout(timeout)
            }

            fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                (*self).set_write_timeout(timeout)
            }

            fn shutdown_write(&mut self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }
        }
    )*};
}

impl_stream!(TcpStream, &TcpStream);
#[cfg(unix)]
impl_stream!(std::os::unix::net::UnixStream, &std::os::unix::net::UnixStream);

/// Any `Read + Write` as a [`Stream`] without timeouts: no deadline is enforced while a call blocks, and the write side is
/// not shut down, so the peer learns of the end only when the stream is dropped.
#[derive(Debug, Clone, Copy)]
pub struct Untimed<S>(pub S);

impl<S: Read> Read for Untimed<S> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.0.read(space)
    }
}

impl<S: Write> Write for Untimed<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<S: Read + Write> Stream for Untimed<S> {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
