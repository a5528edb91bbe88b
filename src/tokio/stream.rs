//! [`ClientStream`]: what `connect` makes.

use core::fmt;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
#[cfg(feature = "rustls")]
use std::boxed::Box;
use std::io::{self, IoSlice};
use std::vec::Vec;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::TcpStream;

/// The stream of a client that [`connect`](fn@super::connect) opened: TCP, with TLS where the URI wants it.
pub struct ClientStream {
    inner: Inner,
    /// What a proxy sent behind its answer: it comes first.
    ahead: Vec<u8>,
}

enum Inner {
    Tcp(TcpStream),
    #[cfg(feature = "rustls")]
    Tls(Box<tokio_rustls::client::TlsStream<ClientStream>>),
}

impl ClientStream {
    pub(super) fn tcp(tcp: TcpStream) -> Self {
        Self { inner: Inner::Tcp(tcp), ahead: Vec::new() }
    }

    #[cfg(feature = "rustls")]
    pub(super) fn tls(tls: tokio_rustls::client::TlsStream<Self>) -> Self {
        Self { inner: Inner::Tls(Box::new(tls)), ahead: Vec::new() }
    }

    /// These bytes are read next.
    pub(super) fn put_back(&mut self, bytes: Vec<u8>) {
        self.ahead = bytes;
    }

    /// The socket below everything.
    pub(super) fn tcp_stream(&self) -> &TcpStream {
        match &self.inner {
            Inner::Tcp(tcp) => tcp,
            #[cfg(feature = "rustls")]
            Inner::Tls(tls) => tls.get_ref().0.tcp_stream(),
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
        match &mut $self.inner {
            Inner::Tcp($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            #[cfg(feature = "rustls")]
            Inner::Tls($stream) => {
                let $stream = Pin::new(&mut **$stream);
                $call
            }
        }
    };
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let len = self.ahead.len().min(space.remaining());
            space.put_slice(&self.ahead[..len]);
            self.ahead.drain(..len);
            return Poll::Ready(Ok(()));
        }
        with_inner!(self, stream => stream.poll_read(cx, space))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        with_inner!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with_inner!(self, stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        // With TLS or without.
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_inner!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_inner!(self, stream => stream.poll_shutdown(cx))
    }
}

impl fmt::Debug for ClientStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (peer, is_secure) = (self.peer_addr().ok(), self.is_secure());
        f.debug_struct("ClientStream").field("peer", &peer).field("is_secure", &is_secure).finish()
    }
}
