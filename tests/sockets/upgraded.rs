//! Streams that an HTTP library has upgraded: what it read already arrives, and what was agreed on is known.

use std::net::{TcpListener, TcpStream};

use support::handshake::{REQUEST, with};
use support::wire::{self, Role};
use tidewire::{Accepted, CloseCode, Config, Input, ServerHandshake, blocking, tokio as asynchronous};

use crate::adapter::{block_on, from_std};

/// A request that offers two subprotocols and compression, accepted; and two messages that followed it in the same packet.
fn accepted() -> (Accepted, Input) {
    let lines = "Sec-WebSocket-Protocol: soap, chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
    let request = support::http::request(with(REQUEST, lines).as_bytes()).expect("a request");
    #[cfg(feature = "deflate")]
    let config = Config::new().with_deflate(tidewire::Deflate::new());
    #[cfg(not(feature = "deflate"))]
    let config = Config::new();
    let handshake = ServerHandshake::new(config).with_subprotocols(&["chat"]).expect("a token");
    let request = handshake.receive_http(&request, None).expect("valid");
    let (response, accepted) = request.accept_http(request.subprotocol()).expect("offered");
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    let mut input = Input::new();
    input.extend_from_slice(&[wire::text(Role::Server, "one"), wire::binary(Role::Server, b"two")].concat());
    (accepted, input)
}

/// A client's end, through which nothing of the opening handshake goes any more, and the server's.
fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    (near, listener.accept().expect("connected").0)
}

/// The peer closes, and reads what the server has sent.
fn peer_closes(peer: TcpStream) -> std::thread::JoinHandle<Vec<u8>> {
    use std::io::{Read, Write};

    std::thread::spawn(move || {
        let mut peer = peer;
        peer.write_all(&wire::close(Role::Server, 1000, "")).expect("written");
        let mut read = Vec::new();
        peer.read_to_end(&mut read).expect("read");
        read
    })
}

/// The names that sockets and halves of both adapters share.
macro_rules! asserts_negotiated {
    ($($end:expr),*) => {$(
        assert_eq!($end.subprotocol(), Some("chat"));
        #[cfg(feature = "deflate")]
        assert_eq!($end.agreement().map(|agreement| agreement.to_string()).as_deref(), Some("permessage-deflate"));
    )*};
}

#[test]
fn a_blocking_socket_goes_on_where_the_library_stopped() {
    let (peer, stream) = streams();
    // Some libraries hand over a socket that does not block.
    stream.set_nonblocking(true).expect("set");
    let (accepted, input) = accepted();
    let mut socket = blocking::WebSocket::from_accepted(stream, accepted, input);
    asserts_negotiated!(socket);
    assert_eq!(socket.recv().expect("open"), Some("one".into()));
    let (mut reader, writer) = socket.split();
    asserts_negotiated!(reader, writer);
    assert_eq!(reader.recv().expect("open"), Some((*b"two").into()));
    let peer = peer_closes(peer);
    assert_eq!(reader.recv().expect("closed in order"), None);
    drop((reader, writer));
    assert_eq!(peer.join().expect("no panic"), wire::close(Role::Client, 1000, ""), "and nothing before it");
}

#[test]
fn a_tokio_socket_goes_on_where_the_library_stopped() {
    let (peer, stream) = streams();
    block_on(async {
        let (accepted, input) = accepted();
        let stream = from_std(stream).expect("a stream");
        let mut socket = asynchronous::WebSocket::from_accepted(stream, accepted, input);
        asserts_negotiated!(socket);
        assert_eq!(socket.recv().await.expect("open"), Some("one".into()));
        let (mut reader, writer) = socket.split();
        asserts_negotiated!(reader, writer);
        assert_eq!(reader.recv().await.expect("open"), Some((*b"two").into()));
        writer.close(CloseCode::NORMAL).await.expect("open");
        let peer = peer_closes(peer);
        assert_eq!(reader.recv().await.expect("closed in order"), None);
        drop((reader, writer));
        assert_eq!(peer.join().expect("no panic"), wire::close(Role::Client, 1000, ""));
    });
}
