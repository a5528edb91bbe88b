//! A socket is made of parts and comes apart into them without losing a byte.

use tidewire::tokio::WebSocket;
use tidewire::{Config, Connection, Input, State};

use crate::stream::{Script, block_on, scripted};
use crate::wire::{Role, TEXT, frame};

#[test]
fn bytes_that_were_read_before_come_first() {
    let (stream, peer) = scripted(Script::SMOOTH);
    let mut input = Input::new();
    let early = Role::Server.frame(TEXT, "early");
    input.extend_from_slice(&early[..7]);
    peer.send(&early[7..]);
    let mut socket = WebSocket::from_parts(stream, Connection::server(Config::new()), input);
    assert_eq!(block_on(socket.recv()).unwrap(), Some("early".into()));
    assert!(socket.response().is_none() && socket.subprotocol().is_none());
}

#[test]
fn a_socket_that_is_taken_apart_and_put_together_goes_on() {
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new(), Script::SMOOTH);
        peer.send([role.frame(TEXT, "one"), role.frame(TEXT, "two"), role.frame(0x01, "th")].concat());
        block_on(async {
            assert_eq!(socket.recv().await.unwrap(), Some("one".into()));
            socket.queue("queued").unwrap();
            let (stream, connection, input) = socket.into_parts();
            assert!(!input.unread().is_empty());
            let mut socket = WebSocket::from_parts(stream, connection, input);
            assert_eq!(socket.recv().await.unwrap(), Some("two".into()));
            peer.send(role.frame(0x80, "ree"));
            assert_eq!(socket.recv().await.unwrap(), Some("three".into()));
        });
        assert_eq!(role.frames(&peer.log()), [frame(TEXT, "queued")]);
    }
}

#[test]
fn the_stream_can_be_looked_at() {
    let (mut socket, _peer) = Role::Server.socket(Config::new(), Script::SMOOTH);
    assert_eq!(socket.get_ref().operations(), 0);
    block_on(socket.send("x")).unwrap();
    // A write and a flush.
    assert_eq!(socket.get_ref().operations(), 2);
    assert_eq!(socket.state(), State::Open);
}

#[test]
fn debug_shows_neither_payloads_nor_keys() {
    let (mut socket, peer) = Role::Client.socket(Config::new(), Script::SMOOTH.with_capacity(0));
    socket.queue("a secret").unwrap();
    peer.send(Role::Client.frame(TEXT, "a secret"));
    let (_, connection, mut input) = socket.into_parts();
    input.extend_from_slice(&Role::Client.frame(TEXT, "a secret"));
    let socket = WebSocket::from_parts(tokio::io::empty(), connection, input);
    let shown = format!("{socket:?} {:?}", socket);
    // Neither the bytes nor the seed as lists of numbers, nor the text.
    assert!(!shown.contains("secret") && !shown.contains("7, 7") && !shown.contains("97, 32"), "{shown}");
}
