//! A socket that waits has a whole turn before it, however much it has received before.

use std::task::{Context, Poll, Waker};

use tidewire::{Config, Error, Message};

use support::tokio_stream::Script;
use support::tokio_wire::{Role, TEXT};

#[test]
fn what_comes_one_at_a_time_never_ends_a_turn() {
    for role in Role::BOTH {
        for is_split in [false, true] {
            let (mut socket, peer) = role.socket(Config::new().without_keepalive(), Script::SMOOTH);
            let mut cx = Context::from_waker(Waker::noop());
            let hello = |polled: Poll<Result<Option<Message>, Error>>| matches!(polled, Poll::Ready(Ok(Some(message))) if message == Message::from("Hello"));
            if is_split {
                let (mut reader, _writer) = socket.split();
                for n in 0..300 {
                    assert!(reader.poll_recv(&mut cx).is_pending(), "{role:?}, {n}");
                    peer.send(role.frame(TEXT, "Hello"));
                    assert!(hello(reader.poll_recv(&mut cx)), "{role:?}, {n}");
                }
            } else {
                for n in 0..300 {
                    assert!(socket.poll_recv(&mut cx).is_pending(), "{role:?}, {n}");
                    peer.send(role.frame(TEXT, "Hello"));
                    assert!(hello(socket.poll_recv(&mut cx)), "{role:?}, {n}");
                }
            }
        }
    }
}
