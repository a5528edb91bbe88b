//! [`Stream`]: what the blocking adapter needs beyond `Read + Write`.

use core::net::SocketAddr;
use core::time::Duration;
#[cfg(feature = "rustls")]
use std::boxed::Box;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::vec::Vec;

use crate::adapter::lock;

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

/// Implements for a stream what its shared reference has.
macro_rules! forward_to_shared {
    ($stream:ty) => {
        impl std::io::Read for $stream {
            fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
                (&*self).read(space)
            }
        }

        impl std::io::Write for $stream {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                (&*self).write(bytes)
            }

            fn write_vectored(&mut self, slices: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                (&*self).write_vectored(slices)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                (&*self).flush()
            }
        }

        impl $crate::blocking::Stream for $stream {
            fn set_blocking(&mut self) -> std::io::Result<()> {
                (&*self).set_blocking()
            }

            fn set_read_timeout(&mut self, timeout: Option<core::time::Duration>) -> std::io::Result<()> {
                (&*self).set_read_timeout(timeout)
            }

            fn set_write_timeout(&mut self, timeout: Option<core::time::Duration>) -> std::io::Result<()> {
                (&*self).set_write_timeout(timeout)
            }

            fn shutdown_write(&mut self) -> std::io::Result<()> {
                (&*self).shutdown_write()
            }
        }
    };
}

pub(super) use forward_to_shared;

/// The stream of a client that [`connect`](fn@super::connect) opened: TCP, with TLS where the URI wants it.
#[derive(Debug)]
pub struct ClientStream {
    inner: Inner,
    /// What a proxy sent behind its answer: it comes first.
    ahead: Mutex<Vec<u8>>,
}

#[derive(Debug)]
enum Inner {
    Tcp(Arc<TcpStream>),
    #[cfg(feature = "rustls")]
    Tls(Box<super::TlsStream>, Arc<TcpStream>),
}

impl ClientStream {
    pub(super) fn tcp(tcp: TcpStream) -> Self {
        Self { inner: Inner::Tcp(Arc::new(tcp)), ahead: Mutex::default() }
    }

    #[cfg(feature = "rustls")]
    pub(super) fn tls(tls: super::TlsStream, tcp: Arc<TcpStream>) -> Self {
        Self { inner: Inner::Tls(Box::new(tls), tcp), ahead: Mutex::default() }
    }

    /// These bytes are read next.
    pub(super) fn put_back(&mut self, bytes: Vec<u8>) {
        *lock(&self.ahead) = bytes;
    }

    /// The socket below everything.
    pub(super) fn tcp_stream(&self) -> &Arc<TcpStream> {
        match &self.inner {
            Inner::Tcp(tcp) => tcp,
            #[cfg(feature = "rustls")]
            Inner::Tls(_, tcp) => tcp,
        }
    }

    /// The address of the server, or of whatever stands before it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp_stream().peer_addr()
    }

    /// True if what is sent is encrypted.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        !matches!(self.inner, Inner::Tcp(_))
    }
}

/// Does the same with whatever is inside.
macro_rules! with_inner {
    ($self:ident, $stream:ident => $call:expr) => {
        match &$self.inner {
            Inner::Tcp(tcp) => {
                let mut $stream = &**tcp;
                $call
            }
            #[cfg(feature = "rustls")]
            Inner::Tls(tls, _) => {
                let mut $stream = &**tls;
                $call
            }
        }
    };
}

impl Read for &ClientStream {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let mut ahead = lock(&self.ahead);
        if !ahead.is_empty() {
            let len = ahead.len().min(space.len());
            space[..len].copy_from_slice(&ahead[..len]);
            ahead.drain(..len);
            return Ok(len);
        }
        drop(ahead);
        with_inner!(self, stream => stream.read(space))
    }
}

impl Write for &ClientStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        with_inner!(self, stream => stream.write(bytes))
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        with_inner!(self, stream => stream.write_vectored(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        with_inner!(self, stream => stream.flush())
    }
}

impl Stream for &ClientStream {
    fn set_blocking(&mut self) -> io::Result<()> {
        with_inner!(self, stream => stream.set_blocking())
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        with_inner!(self, stream => Stream::set_read_timeout(&mut stream, timeout))
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        with_inner!(self, stream => Stream::set_write_timeout(&mut stream, timeout))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        with_inner!(self, stream => stream.shutdown_write())
    }
}

forward_to_shared!(ClientStream);

/// Any `Read + Write` as a [`Stream`] without timeouts.
///
/// No deadline is enforced while a call blocks. The write side is not shut down, so the peer learns of the end only when the stream is dropped.
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

#[cfg(test)]
#[cfg(feature = "rustls")]
mod tests {
    use std::boxed::Box;
    use std::net::TcpListener;

    use rustls::pki_types::ServerName;

    use super::*;
    use crate::adapter::tls::Tls;
    use crate::blocking::TlsStream;

    /// What was asked of a stream, and what it got.
    #[derive(Clone, Default)]
    struct Below(Arc<Mutex<(Vec<&'static str>, Vec<u8>)>>);

    impl Below {
        fn note(&self, call: &'static str) -> io::Result<()> {
            self.0.lock().expect("no panic").0.push(call);
            Ok(())
        }
    }

    impl Read for &Below {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            unreachable!("nobody reads")
        }
    }

    impl Write for &Below {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.note("flush")
        }
    }

    impl Stream for &Below {
        fn set_blocking(&mut self) -> io::Result<()> {
            self.note("set_blocking")
        }

        fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
            self.note("set_read_timeout")
        }

        fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
            self.note("set_write_timeout")
        }

        fn shutdown_write(&mut self) -> io::Result<()> {
            self.note("shutdown_write")
        }
    }

    #[test]
    fn whatever_is_asked_of_a_client_reaches_the_stream_below_its_tls() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let tcp = TcpStream::connect(listener.local_addr().expect("bound")).expect("a listener");
        let below = Below::default();
        let name = ServerName::try_from("localhost").expect("a name");
        let config = Tls::default().config().expect("settings");
        let tls = TlsStream::client(below.clone(), name, config).expect("settings");
        let client =
            ClientStream { inner: Inner::Tls(Box::new(tls), Arc::new(tcp)), ahead: Mutex::default() };

        let mut stream = &client;
        stream.set_blocking().expect("a stream");
        Stream::set_read_timeout(&mut stream, None).expect("a stream");
        Stream::set_write_timeout(&mut stream, None).expect("a stream");
        stream.flush().expect("a stream");
        assert!(!below.0.lock().expect("no panic").1.is_empty(), "no ClientHello");
        // This waits for the end of the handshake.
        let slices = ["Hel", "lo"].map(|part| io::IoSlice::new(part.as_bytes()));
        assert_eq!(stream.write_vectored(&slices).expect("a stream"), "Hel".len());
        assert!(stream.shutdown_write().is_ok());
        let calls = below.0.lock().expect("no panic").0.clone();
        let others = calls.iter().filter(|call| **call != "flush").copied().collect::<Vec<_>>();
        assert_eq!(others, ["set_blocking", "set_read_timeout", "set_write_timeout", "shutdown_write"]);
    }
}
