//! The error of a read is the stream's own, the first time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tidewire::tokio::WebSocket;
use tidewire::{Config, Error, Input};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use support::tokio_stream::block_on;
use support::tokio_wire::Role;

/// A stream that fails in words of its own.
struct Cut;

impl AsyncRead for Cut {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::other("the cable is cut")))
    }
}

impl AsyncWrite for Cut {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn the_error_of_a_read_says_what_the_stream_says() {
    for role in Role::BOTH {
        for is_split in [false, true] {
            let mut socket = WebSocket::from_parts(Cut, role.connection(Config::new()), Input::new());
            let received = block_on(async {
                if is_split {
                    let (mut reader, _writer) = socket.split();
                    return reader.recv().await;
                }
                socket.recv().await
            });
            let Err(Error::Io(error)) = received else { panic!("{role:?}: {received:?}") };
            assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::Other, "the cable is cut".into()));
        }
    }
}
