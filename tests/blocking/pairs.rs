//! Connections over real sockets, and what finds a thread that hangs.

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use tidewire::blocking::{Stream, WebSocket};
use tidewire::{Config, Input};

use support::load::watched;
use support::wire::Role;

/// A socket that can be split and sent to threads.
pub(crate) trait Socket: Stream + Send + Sync + Sized + 'static
where
    for<'s> &'s Self: Stream,
{
    /// Two that are connected.
    fn pair() -> (Self, Self);
}

impl Socket for TcpStream {
    fn pair() -> (Self, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let client = Self::connect(listener.local_addr().expect("bound")).expect("a listener");
        let server = listener.accept().expect("a client").0;
        for stream in [&client, &server] {
            stream.set_nodelay(true).expect("TCP");
        }
        (client, server)
    }
}

impl Socket for UnixStream {
    fn pair() -> (Self, Self) {
        Self::pair().expect("sockets")
    }
}

pub(crate) fn open<S: Stream>(stream: S, role: Role, config: Config) -> WebSocket<S> {
    WebSocket::from_parts(stream, role.connection(config), Input::new())
}

/// Runs `test` on a thread of its own, and panics if it hangs or panics.
pub(crate) fn ends(test: impl FnOnce() + Send + 'static) {
    watched(|_| test());
}
