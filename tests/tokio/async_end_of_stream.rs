//! The end of the transport: the peer learns of it even if both halves are kept, and a reset is as good once all is said.

use tidewire::{Config, Error};

use support::tokio_stream::{Fault, Script, block_on};
use support::tokio_wire::Role;

#[test]
fn at_the_end_the_peer_gets_the_end_of_the_stream_even_if_the_halves_are_kept() {
    for role in Role::BOTH {
        for script in [Script::SMOOTH, Script::SMOOTH.with_steps(1, 1)] {
            // An orderly end, one without a Close frame, a broken rule, and a refusal.
            let incoming =
                [role.close_frame(1000, ""), Vec::new(), role.frame(0x83, ""), role.close_frame(4000, "")];
            for incoming in incoming {
                let (socket, peer) = role.socket(Config::new(), script);
                let (mut reader, writer) = socket.split();
                peer.send(&incoming);
                peer.end();
                let ended = block_on(reader.recv());
                assert!(!matches!(ended, Ok(Some(_))), "{role:?}: {ended:?}");
                assert!(peer.is_shut(), "{role:?}, {incoming:02x?}");
                drop((reader, writer));
            }
        }
    }
}

#[test]
fn a_reset_after_the_closing_handshake_is_no_error_of_its_own() {
    for role in Role::BOTH {
        for code in [1000, 4000] {
            for is_split in [false, true] {
                // The Close frame is read, the answer is written and flushed, and the next operation fails.
                for at in 4..=5 {
                    let (mut socket, peer) =
                        role.socket(Config::new(), Script::SMOOTH.with_fault(at, Fault::Reset));
                    peer.send(role.close_frame(code, ""));
                    let ended = block_on(async {
                        if is_split {
                            let (mut reader, _writer) = socket.split();
                            return reader.recv().await;
                        }
                        socket.recv().await
                    });
                    match (code, ended) {
                        (1000, Ok(None)) => {}
                        (4000, Err(Error::ClosedByPeer(frame))) => assert_eq!(u16::from(frame.code()), 4000),
                        (_, ended) => panic!("{role:?}, {code}, {is_split}, {at}: {ended:?}"),
                    }
                }
            }
        }
    }
}
