//! The examples of RFC 6455 5.7, byte for byte.

use bytes::Buf;
use tidewire::{Config, Connection, SendError};

use support::chunked::{Seen, receive_all};
use support::wire::{Frame, Role};

const MASKED_HELLO: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

#[test]
fn a_client_receives_what_a_server_sends() {
    let bytes_256 = [b"\x82\x7E\x01\x00".as_slice(), &[5; 256]].concat();
    let bytes_64k = [b"\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00".as_slice(), &[6; 65536]].concat();
    let examples: [(&[u8], Seen); 6] = [
        (b"\x81\x05Hello", Seen::text("Hello")),
        (b"\x01\x03Hel\x80\x02lo", Seen::text("Hello")),
        (b"\x89\x05Hello", Seen::ping("Hello")),
        (b"\x8a\x05Hello", Seen::pong("Hello")),
        (&bytes_256, Seen::binary([5; 256])),
        (&bytes_64k, Seen::binary(vec![6; 65536])),
    ];
    for (bytes, event) in examples {
        receive_all(Role::Client, bytes).assert_open(&[event]);
    }
}

#[test]
fn a_server_receives_what_a_client_sends() {
    receive_all(Role::Server, MASKED_HELLO).assert_open(&[Seen::text("Hello")]);
    let pong = [b"\x8a".as_slice(), &MASKED_HELLO[1..]].concat();
    receive_all(Role::Server, &pong).assert_open(&[Seen::pong("Hello")]);
}

#[test]
fn a_ping_is_answered_with_its_own_data() {
    let outcome = receive_all(Role::Client, b"\x89\x05Hello");
    assert_eq!(outcome.output, [Frame::new(0x8A, "Hello")]);
}

#[test]
fn a_server_sends_them() -> Result<(), SendError> {
    type Send = fn(&mut Connection) -> Result<(), SendError>;
    let examples: [(Send, &[u8]); 5] = [
        (|server| server.send("Hello"), b"\x81\x05Hello"),
        (
            |server| {
                server.send_fragment("Hel", false)?;
                server.send_fragment("lo", true)
            },
            b"\x01\x03Hel\x80\x02lo",
        ),
        (|server| server.ping(b"Hello"), b"\x89\x05Hello"),
        (|server| server.send(&[5; 256]), &[b"\x82\x7E\x01\x00".as_slice(), &[5; 256]].concat()),
        (
            |server| server.send(vec![6; 65536]),
            &[b"\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00".as_slice(), &[6; 65536]].concat(),
        ),
    ];
    for (send, bytes) in examples {
        let mut server = Connection::server(Config::new());
        send(&mut server)?;
        let output = server.output();
        assert_eq!(output.copy_to_bytes(output.remaining()), bytes);
    }
    Ok(())
}
