//! What has been read before a socket is split, or before its halves meet again, is not lost.

use tidewire::Config;

use support::tokio_stream::{Script, block_on};
use support::tokio_wire::{Role, TEXT};

#[test]
fn what_was_read_before_the_split_is_received_after_it() {
    for role in Role::BOTH {
        for is_reunited in [false, true] {
            let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH);
            let rest = [role.frame(0x01, "thr"), role.frame(0x80, "ee")].concat();
            let (begun, missing) = rest.split_at(rest.len() - 1);
            // One read brings two messages, and nearly all of the third one.
            peer.send([role.frame(TEXT, "one"), role.frame(TEXT, "two"), begun.to_vec()].concat());
            block_on(async {
                assert_eq!(socket.recv().await.unwrap(), Some("one".into()));
                let (mut reader, writer) = socket.split();
                if is_reunited {
                    let mut socket = reader.reunite(writer).unwrap();
                    assert_eq!(socket.recv().await.unwrap(), Some("two".into()));
                    (reader, _) = socket.split();
                } else {
                    assert_eq!(reader.recv().await.unwrap(), Some("two".into()));
                }
                peer.send(missing);
                assert_eq!(reader.recv().await.unwrap(), Some("three".into()), "{role:?}");
            });
        }
    }
}
