//! An answer that has arrived counts, whatever happened to the request.

use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tidewire::{ClientRequest, Error, HandshakeError, blocking, tokio as asynchronous};
use tokio::io::AsyncWrite;

use crate::adapter::{Adapter, block_on};

/// A server that refused and went away before the request was written.
struct Gone<'a>(&'a [u8]);

impl Read for Gone<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.0.read(space)
    }
}

impl Write for Gone<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(ErrorKind::BrokenPipe.into())
    }
}

impl blocking::Stream for Gone<'_> {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Broken;

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(ErrorKind::BrokenPipe.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_failed_write_does_not_hide_an_answer_that_has_arrived() {
    let request = ClientRequest::new("ws://example.com/").expect("a URI");
    for adapter in Adapter::BOTH {
        for (answer, status) in
            [(&b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nbusy"[..], Some(403)), (b"", None)]
        {
            let error = match adapter {
                Adapter::Blocking => blocking::client(Gone(answer), &request).map(drop),
                Adapter::Tokio => {
                    block_on(asynchronous::client(tokio::io::join(answer, Broken), &request)).map(drop)
                }
            };
            match (error.expect_err("no connection"), status) {
                (Error::Handshake(HandshakeError::Refused(response)), Some(status)) => {
                    assert_eq!((response.status(), response.body()), (status, &b"busy"[..]));
                }
                (Error::Handshake(HandshakeError::NoAnswer) | Error::Io(_), None) => {}
                (error, _) => panic!("{adapter:?}: {error:?}"),
            }
        }
    }
}
