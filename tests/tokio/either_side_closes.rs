//! The closing handshake, begun by either side.

use std::time::Duration;

use tidewire::{CloseCode, CloseFrame, Config, Error, Event, Party, ProtocolError, State};
use tokio::time::sleep;

use support::tokio_stream::{Script, block_on};
use support::tokio_wire::{CLOSE, Role, TEXT, close_body, frame};

#[test]
fn close_sends_code_and_reason_and_waits_for_the_answer() {
    let cases: [(Option<CloseFrame>, &[u8], Option<CloseCode>); 3] = [
        (None, b"", None),
        (Some(CloseCode::NORMAL.into()), b"\x03\xe8", Some(CloseCode::NORMAL)),
        (Some(CloseFrame::new(CloseCode::GOING_AWAY, "ebb")), b"\x03\xe9ebb", Some(CloseCode::GOING_AWAY)),
    ];
    for role in Role::BOTH {
        for script in Script::ALL {
            for (close, body, code) in cases.clone() {
                let (mut socket, peer) = role.socket(Config::new(), script);
                block_on(async {
                    let answering = async {
                        sleep(Duration::from_secs(1)).await;
                        peer.send(role.frame(CLOSE, body));
                        peer.end();
                    };
                    let (closed, ()) = tokio::join!(socket.close(close), answering);
                    closed.unwrap();
                });
                assert_eq!(role.frames(&peer.log()), [frame(CLOSE, body)], "{role:?} {script:?}");
                let closure = socket.ending().unwrap();
                assert_eq!((closure.initiator(), closure.is_clean()), (Party::Local, true));
                assert_eq!((closure.sent(), closure.code()), (code, code.map_or(1005, u16::from)));
                assert_eq!((socket.state(), socket.queued_len()), (State::Closed, 0));
            }
        }
    }
}

#[test]
fn the_peers_close_frame_is_echoed_before_it_is_an_event_and_recv_ends() {
    for role in Role::BOTH {
        for script in Script::ALL {
            let (mut socket, peer) = role.socket(Config::new(), script);
            peer.send([role.frame(TEXT, "last"), role.close_frame(4000, "flood")].concat());
            peer.end();
            block_on(async {
                assert_eq!(socket.recv().await.unwrap(), Some("last".into()));
                assert_eq!(socket.ending(), None);
                match socket.recv_ref().await.unwrap() {
                    Some((Event::Close(Some(close)), _)) => {
                        assert_eq!((u16::from(close.code()), close.reason()), (4000, "flood"));
                    }
                    other => panic!("{role:?}: {other:?}"),
                }
                if script.pendings == 0 {
                    assert_eq!(role.frames(&peer.log()).len(), 1, "{role:?} {script:?}");
                }
                // The code says that something is wrong, so it is no normal end.
                for _ in 0..3 {
                    for ended in [socket.recv_ref().await.map(drop), socket.recv().await.map(drop)] {
                        let Err(Error::ClosedByPeer(close)) = ended else { panic!("{role:?}: {ended:?}") };
                        assert_eq!((u16::from(close.code()), close.reason()), (4000, "flood"));
                    }
                    socket.close(None).await.unwrap();
                }
            });
            assert_eq!(role.frames(&peer.log()), [frame(CLOSE, close_body(4000, "flood"))]);
            let closure = socket.ending().unwrap();
            assert_eq!((closure.initiator(), closure.code()), (Party::Peer, 4000));
            assert_eq!(closure.received().map(CloseFrame::reason), Some("flood"));
            assert!(closure.is_clean());
        }
    }
}

#[test]
fn what_is_queued_goes_out_before_the_close_frame() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::BYTEWISE);
        socket.queue("first").unwrap();
        peer.send(role.close_frame(1000, ""));
        peer.end();
        block_on(socket.close(CloseCode::GOING_AWAY)).unwrap();
        assert_eq!(role.frames(&peer.log()), [frame(TEXT, "first"), frame(CLOSE, close_body(1001, ""))]);
    }
}

#[test]
fn close_discards_the_messages_that_are_still_under_way() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::ALL[3]);
        for _ in 0..20 {
            peer.send(role.frame(TEXT, "too late"));
        }
        peer.send(role.close_frame(1000, ""));
        peer.end();
        block_on(socket.close(CloseCode::NORMAL)).unwrap();
        assert!(socket.ending().unwrap().is_clean());
    }
}

#[test]
fn a_server_shuts_down_its_write_side_and_a_client_waits_for_that() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH);
        peer.send(role.close_frame(1000, ""));
        block_on(async {
            let watching = async {
                sleep(Duration::from_secs(1)).await;
                assert_eq!(peer.is_shut(), role == Role::Server, "{role:?}");
                peer.end();
            };
            let (received, ()) = tokio::join!(socket.recv(), watching);
            assert_eq!(received.unwrap(), None);
        });
    }
}

#[test]
fn a_client_gives_the_server_two_seconds_to_end_the_transport() {
    for role in Role::BOTH {
        let config = Config::new().with_close_timeout(Duration::from_secs(5));
        let (mut socket, peer) = role.socket(config, Script::SMOOTH);
        peer.send(role.close_frame(1000, ""));
        block_on(async {
            let begun = tokio::time::Instant::now();
            assert_eq!(socket.recv().await.unwrap(), None);
            let waits = if role == Role::Client { 2 } else { 5 };
            assert_eq!(begun.elapsed(), Duration::from_secs(waits), "{role:?}");
        });
        assert!(socket.ending().unwrap().is_clean());
    }
}

#[test]
fn the_state_goes_from_open_over_closing_to_closed() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH);
        assert_eq!((socket.state(), socket.ending()), (State::Open, None));
        block_on(async {
            let closing = tokio::time::timeout(Duration::from_secs(1), socket.close(CloseCode::NORMAL));
            assert!(closing.await.is_err());
            assert_eq!((socket.state(), socket.ending()), (State::Closing, None));
            // Messages that were under way are received until the peer's Close frame.
            peer.send([role.frame(TEXT, "under way"), role.close_frame(1000, "")].concat());
            peer.end();
            assert_eq!(socket.recv().await.unwrap(), Some("under way".into()));
            assert_eq!(socket.recv().await.unwrap(), None);
        });
        assert_eq!(socket.state(), State::Closed);
        assert_eq!(role.frames(&peer.log()).len(), 1);
    }
}

#[test]
fn an_end_without_a_close_frame_is_an_error_for_ever() {
    for role in Role::BOTH {
        for script in Script::ALL {
            let (mut socket, peer) = role.socket(Config::new(), script);
            peer.send([role.frame(TEXT, "whole"), role.frame(TEXT, "half")[..4].into()].concat());
            peer.end();
            block_on(async {
                assert_eq!(socket.recv().await.unwrap(), Some("whole".into()));
                for _ in 0..3 {
                    let received = socket.recv().await;
                    let Err(Error::Protocol(ProtocolError::UnexpectedEof)) = received else {
                        panic!("{received:?}")
                    };
                }
            });
            assert_eq!(socket.ending().unwrap().code(), 1006);
            assert_eq!(peer.log(), []);
        }
    }
}

#[test]
fn a_peer_that_closes_and_ends_without_reading_does_not_make_the_socket_spin() {
    for role in Role::BOTH {
        let config = Config::new().with_write_timeout(Duration::from_secs(30));
        let (mut socket, peer) = role.socket(config, Script::SMOOTH.with_capacity(3));
        socket.queue("more than fits").unwrap();
        peer.send(role.close_frame(1000, ""));
        peer.end();
        block_on(async {
            let begun = tokio::time::Instant::now();
            // There is nothing more to wait for than the write timeout.
            let _ = socket.recv().await;
            assert!(begun.elapsed() <= Duration::from_secs(40), "{role:?}");
        });
        assert_eq!(socket.state(), State::Closed);
    }
}

#[test]
fn at_the_end_the_peer_gets_the_end_of_the_stream_even_if_the_socket_is_kept() {
    for role in Role::BOTH {
        for script in [Script::SMOOTH, Script::SMOOTH.with_steps(1, 1)] {
            let (mut socket, peer) = role.socket(Config::new(), script);
            peer.send(role.close_frame(1000, ""));
            peer.end();
            block_on(socket.close(CloseCode::NORMAL)).unwrap();
            // Or else the peer waits for it until its own close timeout.
            assert!(peer.is_shut(), "{role:?}");
            drop(socket);
        }
    }
}
