//! An opening handshake and the echo of one frame, in a program that has neither std nor libc: `cargo run` exits with 0.
//!
//! That it links at all shows that the core needs nothing but `core` and `alloc`.
#![no_std]
#![no_main]

extern crate alloc;

mod runtime;

use alloc::string::ToString;

use tidewire::{ClientHandshake, ClientRequest, Config, Connection, Event, Input, Output, ServerHandshake};

/// What the program begins with, on an aligned stack.
extern "C" fn main() -> ! {
    let (mut client, mut server) = open();
    let (mut at_client, mut at_server) = (Input::new(), Input::new());

    client.send("Hello").expect("an open connection");
    move_bytes(client.output(), &mut at_server);
    match server.receive(&mut at_server) {
        Ok(Some(Event::Text(text))) => server.send(text).expect("an open connection"),
        other => panic!("{other:?} instead of a text"),
    }
    assert_eq!(server.output().chunk(), b"\x81\x05Hello");
    move_bytes(server.output(), &mut at_client);
    match client.receive(&mut at_client) {
        Ok(Some(Event::Text(text))) => assert_eq!(text.to_string(), "Hello"),
        other => panic!("{other:?} instead of the echo"),
    }
    runtime::exit(0)
}

/// Both sides of a connection, after their opening handshake.
fn open() -> (Connection, Connection) {
    let request = ClientRequest::new("ws://localhost/echo").expect("a URI");
    // A program with a source of random numbers takes the nonce and the seed from there.
    let mut handshake = ClientHandshake::new(Config::new(), &request, *b"the sample nonce", [7; 32]);
    let (mut at_client, mut at_server) = (Input::new(), Input::new());
    move_bytes(handshake.output(), &mut at_server);
    let request = ServerHandshake::new(Config::new()).receive(&mut at_server);
    let request = request.expect("a valid request").expect("a complete request");
    assert_eq!(request.path(), "/echo");
    let mut server = request.accept(None, &[]).expect("a valid answer");
    move_bytes(server.output(), &mut at_client);
    let (client, _) = handshake.receive(&mut at_client).expect("a valid answer").expect("a complete answer");
    (client, server)
}

/// The network.
fn move_bytes(output: &mut Output, input: &mut Input) {
    while !output.is_empty() {
        let chunk = output.chunk();
        input.extend_from_slice(chunk);
        let len = chunk.len();
        output.advance(len);
    }
}
