//! A socket whose stream has panicked: nothing follows what was cut off, in other hands neither.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use tidewire::Config;
use tidewire::blocking::{Untimed, WebSocket};

use support::blocking_stream::Scripted;
use support::wire::{self, Role};

/// A stream that panics in its second write.
struct Panicking(Scripted, usize);

impl Read for Panicking {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.0.read(space)
    }
}

impl Write for Panicking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1 += 1;
        assert_ne!(self.1, 2, "the stream panics");
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn a_connection_that_was_cut_off_sends_nothing_in_other_hands() {
    for role in Role::BOTH {
        let stream = Scripted::new(wire::text(role, "Hello")).with_lens(usize::MAX, 100);
        let connection = role.connection(Config::new());
        let mut socket =
            WebSocket::from_parts(Untimed(Panicking(stream.clone(), 0)), connection, Default::default());
        assert!(catch_unwind(AssertUnwindSafe(|| socket.send(vec![1; 1000]))).is_err());
        assert_eq!(stream.take_written().len(), 100);
        let (_, connection, input) = socket.into_parts();
        let mut socket = WebSocket::from_parts(stream.clone(), connection, input);
        assert!(socket.queue("more").is_err());
        assert_eq!(socket.recv().expect("it arrived"), Some("Hello".into()));
        assert!(socket.recv().is_err());
        assert!(stream.take_written().is_empty(), "{role:?}");
    }
}
