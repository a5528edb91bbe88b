//! What arrives in one read is answered with one write.

use std::time::Duration;

use tidewire::{Config, Event};

use support::tokio_stream::{Script, block_on};
use support::tokio_wire::{BINARY, PING, PONG, Role, TEXT, frame};

#[test]
fn messages_of_one_read_are_answered_with_one_write() {
    for (role, vectored) in Role::BOTH.into_iter().flat_map(|role| [(role, false), (role, true)]) {
        let script = if vectored { Script::SMOOTH.with_vectored() } else { Script::SMOOTH };
        let (mut socket, peer) = role.socket(Config::new(), script);
        peer.send((0..100).flat_map(|_| role.frame(TEXT, "tide")).collect::<Vec<_>>());
        block_on(async {
            for _ in 0..100 {
                let message = socket.recv().await.unwrap().unwrap();
                socket.feed(message).await.unwrap();
            }
            assert_eq!(peer.writes(), [], "{role:?}: nothing is written while there is something to receive");
            // The next read is what makes it write.
            assert!(tokio::time::timeout(Duration::from_secs(1), socket.recv()).await.is_err());
        });
        assert_eq!(peer.writes().len(), 1, "{role:?}");
        assert_eq!(role.frames(&peer.log()), vec![frame(TEXT, "tide"); 100]);
    }
}

#[test]
fn an_echo_with_recv_ref_answers_one_read_with_one_write() {
    let role = Role::Server;
    // Each round has a runtime of its own, and a timer belongs to one.
    let config = Config::new().without_keepalive();
    let (mut socket, peer) = role.socket(config, Script::SMOOTH);
    for round in 1..=3 {
        peer.send((0..50).flat_map(|n| role.frame(BINARY, [n])).collect::<Vec<_>>());
        block_on(async {
            for _ in 0..50 {
                match socket.recv_ref().await.unwrap() {
                    Some((Event::Binary(payload), mut output)) => output.queue(payload).unwrap(),
                    other => panic!("{other:?}"),
                }
            }
            assert!(tokio::time::timeout(Duration::from_secs(1), socket.recv()).await.is_err());
        });
        assert_eq!(peer.writes().len(), round);
    }
    let echoes: Vec<_> = (0..50).map(|n| frame(BINARY, [n])).collect();
    assert_eq!(role.frames(&peer.log()), [&echoes[..], &echoes, &echoes].concat());
}

#[test]
fn a_pong_takes_with_it_what_is_queued() {
    let role = Role::Server;
    let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH);
    peer.send([role.frame(TEXT, "a"), role.frame(PING, "?")].concat());
    block_on(async {
        let message = socket.recv().await.unwrap().unwrap();
        socket.queue(message).unwrap();
        assert!(matches!(socket.recv_ref().await, Ok(Some((Event::Ping(b"?"), _)))));
    });
    assert_eq!(peer.writes().len(), 1);
    assert_eq!(role.frames(&peer.log()), [frame(TEXT, "a"), frame(PONG, "?")]);
}

#[test]
fn a_long_shared_message_leaves_with_its_header_in_one_vectored_write() {
    let (mut socket, peer) = Role::Server.socket(Config::new(), Script::SMOOTH.with_vectored());
    block_on(async {
        socket.queue("before").unwrap();
        socket.queue(vec![1; 20_000]).unwrap();
        socket.queue("between").unwrap();
        socket.queue(vec![2; 20_000]).unwrap();
        socket.flush().await.unwrap();
    });
    assert_eq!(peer.writes(), [8 + 4 + 20_000 + 9 + 4 + 20_000]);
    let payloads = [&b"before"[..], &[1; 20_000], b"between", &[2; 20_000]];
    let frames = Role::Server.frames(&peer.log());
    assert!(frames.iter().map(|frame| &frame.1[..]).eq(payloads));
}
