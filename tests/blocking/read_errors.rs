//! Errors of the stream come through: that of a read in the stream's own words, and that of a timeout that cannot be set.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use tidewire::blocking::{Stream, Untimed, WebSocket};
use tidewire::{Config, Error, Input};

use support::wire::Role;

/// A stream that fails in words of its own.
struct Cut;

impl Read for Cut {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the cable is cut"))
    }
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_error_of_a_read_says_what_the_stream_says() {
    for role in Role::BOTH {
        let connection = role.connection(Config::new());
        let mut socket = WebSocket::from_parts(Untimed(Cut), connection, Input::new());
        let received = socket.recv();
        let Err(Error::Io(error)) = received else { panic!("{role:?}: {received:?}") };
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Other, "the cable is cut".into()));
    }
}

/// A stream that cannot be given timeouts.
struct Deaf;

impl Read for Deaf {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("it has no timeout")
    }
}

impl Write for Deaf {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("it has no timeout")
    }

    fn flush(&mut self) -> io::Result<()> {
        panic!("it has no timeout")
    }
}

impl Stream for Deaf {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_timeout_that_cannot_be_set_is_an_error_and_nothing_is_called_without_it() {
    type Method = fn(&mut WebSocket<Deaf>) -> Result<(), Error>;
    let methods: [Method; 3] =
        [|socket| socket.recv().map(drop), |socket| socket.send("x"), WebSocket::flush];
    for role in Role::BOTH {
        for (index, method) in methods.into_iter().enumerate() {
            let mut socket = WebSocket::from_parts(Deaf, role.connection(Config::new()), Input::new());
            if index > 0 {
                socket.queue("queued").expect("open");
            }
            let result = method(&mut socket);
            let is_denied =
                matches!(&result, Err(Error::Io(error)) if error.kind() == ErrorKind::PermissionDenied);
            assert!(is_denied, "{role:?}, {index}: {result:?}");
        }
    }
}
