//! Text that is no UTF-8 is noticed when it is to be lent: the peer is told, and the call fails when the transport has ended.

use std::time::Duration;

use tidewire::{Config, Error, Event, ProtocolError};
use tokio::time::{Instant, sleep};

use support::tokio_stream::{Script, block_on, once};
use support::tokio_wire::{CLOSE, Role, TEXT};

#[test]
fn an_event_that_cannot_be_lent_ends_the_connection() {
    for role in Role::BOTH {
        for script in [Script::SMOOTH, Script::SMOOTH.with_pending()] {
            for (is_split, is_dropped) in [(false, false), (false, true), (true, false), (true, true)] {
                let (mut socket, peer) = role.socket(Config::new(), script);
                peer.send(
                    [role.frame(TEXT, "fine"), role.frame(TEXT, b"\xff"), role.frame(TEXT, "late")].concat(),
                );
                block_on(async {
                    assert!(matches!(socket.recv_ref().await, Ok(Some((Event::Text(_), _)))));
                    let begun = Instant::now();
                    let hearing = async {
                        peer.shut().await;
                        sleep(Duration::from_secs(1)).await;
                        peer.send(role.frame(TEXT, "later"));
                        peer.end();
                    };
                    let ended = if is_split {
                        let (mut reader, _writer) = socket.split();
                        if is_dropped {
                            assert!(once(reader.recv_ref()).await.is_none());
                        }
                        let (ended, ()) = tokio::join!(reader.recv_ref(), hearing);
                        ended.map(|event| event.is_some())
                    } else {
                        if is_dropped {
                            assert!(once(socket.recv_ref()).await.is_none());
                        }
                        let (ended, ()) = tokio::join!(socket.recv_ref(), hearing);
                        ended.map(|event| event.is_some())
                    };
                    assert!(
                        matches!(ended, Err(Error::Protocol(ProtocolError::InvalidUtf8))),
                        "{role:?}, {is_split}, {is_dropped}: {ended:?}"
                    );
                    assert_eq!(begun.elapsed(), Duration::from_secs(1), "{role:?}");
                });
                let frames = role.frames(&peer.log());
                assert_eq!(
                    (frames.len(), frames[0].0, &frames[0].1[..2]),
                    (1, CLOSE, &1007_u16.to_be_bytes()[..])
                );
            }
        }
    }
}
