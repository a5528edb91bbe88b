//! What has been read before a socket is split, or before its halves meet again, is not lost.

use tidewire::{Config, Error};

use crate::pairs::open;
use support::blocking_stream::Scripted;
use support::wire::{self, CONTINUATION, FIN, Role, TEXT};

#[test]
fn what_was_read_before_the_split_is_received_after_it() -> Result<(), Error> {
    for role in Role::BOTH {
        for is_reunited in [false, true] {
            let rest = [wire::frame(role, TEXT, "thr"), wire::frame(role, FIN | CONTINUATION, "ee")].concat();
            let (begun, missing) = rest.split_at(rest.len() - 1);
            // One read brings two messages, and nearly all of the third one.
            let incoming = [&wire::text(role, "one"), &wire::text(role, "two"), begun].concat();
            let stream = Scripted::new(incoming).without_end();
            let mut socket = open(stream.clone(), role, Config::new());
            assert_eq!(socket.recv()?, Some("one".into()));
            let (mut reader, writer) = socket.split();
            if is_reunited {
                let mut socket = reader.reunite(writer).expect("of one connection");
                assert_eq!(socket.recv()?, Some("two".into()));
                (reader, _) = socket.split();
            } else {
                assert_eq!(reader.recv()?, Some("two".into()));
            }
            stream.arrive(missing);
            assert_eq!(reader.recv()?, Some("three".into()), "{role:?}");
        }
    }
    Ok(())
}
