//! RFC 6455 5.4 and 6.1: what is sent is framed right, and what cannot be sent changes nothing.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use tidewire::{Config, Connection, Message, Outgoing, Prepared, SendError};

use support::wire::{self, BINARY, CONTINUATION, FIN, Frame, PING, Role, TEXT};

fn take_frames(role: Role, connection: &mut Connection) -> Vec<Frame> {
    let output = connection.output();
    wire::parse(role, &output.copy_to_bytes(output.remaining()))
}

#[test]
fn everything_that_can_be_sent_is() -> Result<(), SendError> {
    for role in Role::BOTH {
        let mut it = role.connection(Config::new());
        let text = String::from("text");
        it.send("text")?;
        it.send(&text.as_str())?;
        it.send(&text)?;
        it.send(text.clone())?;
        it.send(Box::<str>::from("text"))?;
        it.send(&Arc::<str>::from("text"))?;
        it.send(Arc::<str>::from("text"))?;
        it.send(Cow::Borrowed("text"))?;
        it.send(Cow::<str>::Owned("text".into()))?;
        it.send(&Cow::Borrowed("text"))?;
        it.send(Message::from("text"))?;
        it.send(Message::from(text))?;
        it.send(&Message::from("text"))?;
        it.send(&Prepared::new("text"))?;
        assert_eq!(take_frames(role, &mut it), vec![Frame::new(FIN | TEXT, "text"); 14]);

        let data = b"data".to_vec();
        it.send(b"data")?;
        it.send(*b"data")?;
        it.send(data.as_slice())?;
        it.send(&data.as_slice())?;
        it.send(&data)?;
        it.send(data.clone())?;
        it.send(data.clone().into_boxed_slice())?;
        it.send(&Arc::<[u8]>::from(data.as_slice()))?;
        it.send(Arc::<[u8]>::from(data.as_slice()))?;
        it.send(Cow::Borrowed(data.as_slice()))?;
        it.send(Cow::<[u8]>::Owned(data.clone()))?;
        it.send(&Cow::Borrowed(data.as_slice()))?;
        it.send(Bytes::from_static(b"data"))?;
        it.send(&Bytes::from_static(b"data"))?;
        it.send(Message::from(data.clone()))?;
        it.send(&Message::from(data))?;
        it.send(&Prepared::new(b"data"))?;
        assert_eq!(take_frames(role, &mut it), vec![Frame::new(FIN | BINARY, "data"); 17]);
    }
    Ok(())
}

#[test]
fn fragments_continue_the_first_and_control_frames_go_between() -> Result<(), SendError> {
    for role in Role::BOTH {
        for large in [3, 10_000] {
            let part = vec![b'x'; large];
            let mut it = role.connection(Config::new());
            it.send_fragment(part.clone(), false)?;
            it.ping(b"ping")?;
            it.send_fragment(b"", false)?;
            it.send_fragment(&part, true)?;
            it.send_fragment("only", true)?;
            it.send("whole")?;
            let expected = [
                Frame::new(BINARY, &part),
                Frame::new(FIN | PING, "ping"),
                Frame::new(CONTINUATION, ""),
                Frame::new(FIN | CONTINUATION, &part),
                Frame::new(FIN | TEXT, "only"),
                Frame::new(FIN | TEXT, "whole"),
            ];
            assert_eq!(take_frames(role, &mut it), expected);
        }
    }
    Ok(())
}

#[test]
fn a_refused_call_queues_nothing_and_changes_nothing() -> Result<(), SendError> {
    for role in Role::BOTH {
        let mut it = role.connection(Config::new());
        it.send_fragment("ab", false)?;
        let owed = it.output().len();
        assert_eq!(it.send("whole"), Err(SendError::UnfinishedMessage));
        assert_eq!(it.send(&Prepared::new("whole")), Err(SendError::UnfinishedMessage));
        assert_eq!(it.send_fragment(b"cd", true), Err(SendError::MixedFragments));
        assert_eq!(it.ping(&[0; 126]), Err(SendError::PingTooLong));
        assert_eq!(it.output().len(), owed);
        it.send_fragment("cd", true)?;
        it.send("whole")?;
        let expected = [Frame::new(TEXT, "ab"), Frame::new(FIN, "cd"), Frame::new(FIN | TEXT, "whole")];
        assert_eq!(take_frames(role, &mut it), expected);
    }
    Ok(())
}

#[test]
fn an_output_that_is_full_refuses_everything_until_it_is_drained() -> Result<(), SendError> {
    for role in Role::BOTH {
        let mut it = role.connection(Config::new().with_high_water_len(100).with_max_output_len(1000));
        it.send_fragment("ab", false)?;
        while it.output().len() < 1000 {
            it.ping(&[0; 100])?;
        }
        let owed = it.output().len();
        assert_eq!(it.send_fragment("cd", true), Err(SendError::OutputFull));
        assert_eq!(it.ping(b""), Err(SendError::OutputFull));
        assert_eq!(it.output().len(), owed);
        take_frames(role, &mut it);
        it.send_fragment("cd", true)?;
        it.send(&[0; 1000])?;
        assert_eq!(it.send(""), Err(SendError::OutputFull));
        assert_eq!(it.send(&Prepared::new("")), Err(SendError::OutputFull));
        // One byte less than the limit is enough for anything.
        let output = it.output();
        output.advance(output.remaining() - 999);
        it.send(&[0; 10_000])?;
    }
    Ok(())
}

#[test]
fn below_the_output_limit_a_message_of_any_length_is_accepted() {
    let small = Config::new().with_max_message_len(1024);
    for role in Role::BOTH {
        for (config, len) in
            [(small, 100_000), (Config::new(), 100 << 20), (small.with_max_output_len(0), 3 << 20)]
        {
            let mut it = role.connection(config);
            assert_eq!(it.send(vec![0; len]), Ok(()));
            let is_full = it.output().len() >= config.max_output_len();
            assert_eq!(it.send("more").is_err(), is_full);
        }
        // A limit below the high-water mark counts as that.
        let mut it = role.connection(Config::new().with_max_output_len(10));
        while it.is_ready() {
            assert_eq!(it.send(&[0; 1000]), Ok(()));
        }
        assert_eq!(it.send("more"), Err(SendError::OutputFull));
    }
}

#[test]
fn is_ready_is_below_the_high_water_mark() {
    for role in Role::BOTH {
        let mut it = role.connection(Config::new().with_high_water_len(500));
        while it.is_ready() {
            assert!(it.output().len() < 500);
            it.send(&[0; 50]).expect("room");
        }
        assert!((500..600).contains(&it.output().len()));
        let output = it.output();
        output.advance(output.remaining() - 500);
        assert!(!it.is_ready());
        it.output().advance(1);
        assert!(it.is_ready());
    }
}

#[test]
fn a_ping_carries_up_to_125_bytes() {
    for role in Role::BOTH {
        let mut it = role.connection(Config::new());
        for len in [0, 1, 125] {
            it.ping(&wire::noise(len)).expect("allowed");
        }
        // RFC 6455 5.5.
        assert_eq!(it.ping(&[0; 126]), Err(SendError::PingTooLong));
        let expected = [0, 1, 125].map(|len| Frame::new(FIN | PING, wire::noise(len)));
        assert_eq!(take_frames(role, &mut it), expected);
    }
}

#[test]
fn a_prepared_message_is_the_same_to_every_peer() -> Result<(), SendError> {
    for len in [0, 125, 126, 4095, 4096, 70_000] {
        let payload = wire::noise(len);
        let prepared = Prepared::new(&payload);
        let mut servers = [Role::Server, Role::Server].map(|role| role.connection(Config::new()));
        for server in &mut servers {
            server.send(&prepared)?;
            server.send(&prepared.clone())?;
            assert_eq!(take_frames(Role::Server, server), vec![Frame::new(FIN | BINARY, &payload); 2]);
        }
        // RFC 6455 5.3: a client masks each copy with a key of its own.
        let mut client = Role::Client.connection(Config::new());
        client.send(&prepared)?;
        client.send(&prepared)?;
        let output = client.output();
        let frames = wire::parse_with_keys(Role::Client, &output.copy_to_bytes(output.remaining()));
        assert!(frames.iter().all(|(frame, _)| *frame == Frame::new(FIN | BINARY, &payload)));
        assert_ne!(frames[0].1, frames[1].1);
    }
    Ok(())
}

#[test]
fn a_prepared_message_may_be_a_fragment() -> Result<(), SendError> {
    for role in Role::BOTH {
        for len in [0, 3, 125, 126, 4091, 4092, 4095, 4096, 70_000] {
            let payload = wire::noise(len);
            let prepared = Prepared::new(&payload);
            let mut it = role.connection(Config::new());
            it.send_fragment(&prepared, false)?;
            it.send_fragment(&prepared, false)?;
            it.send_fragment(&prepared, true)?;
            it.send_fragment(&prepared, true)?;
            it.send(&prepared)?;
            assert_eq!(it.send_fragment("text", false), Ok(()));
            assert_eq!(it.send_fragment(&prepared, true), Err(SendError::MixedFragments));
            assert_eq!(it.send(&prepared), Err(SendError::UnfinishedMessage));
            let expected = [
                Frame::new(BINARY, &payload),
                Frame::new(CONTINUATION, &payload),
                Frame::new(FIN | CONTINUATION, &payload),
                Frame::new(FIN | BINARY, &payload),
                Frame::new(FIN | BINARY, &payload),
                Frame::new(TEXT, "text"),
            ];
            assert_eq!(take_frames(role, &mut it), expected, "{len} bytes");
        }
    }
    Ok(())
}

#[test]
fn a_prepared_message_can_be_prepared_anew() {
    let prepared = Prepared::new("text");
    let mut server = Role::Server.connection(Config::new());
    server.send(&Prepared::new(&prepared)).expect("room");
    assert_eq!(take_frames(Role::Server, &mut server), [Frame::new(FIN | TEXT, "text")]);
}

#[test]
fn a_long_prepared_message_is_shared_between_servers() -> Result<(), SendError> {
    let prepared = Prepared::new(wire::noise(100_000));
    let mut servers = [Role::Server, Role::Server].map(|role| role.connection(Config::new()));
    let chunks = servers.each_mut().map(|server| {
        server.send(&prepared).expect("room");
        server.output().chunk().as_ptr()
    });
    assert_eq!(chunks[0], chunks[1]);
    Ok(())
}

#[test]
fn a_long_owned_payload_of_a_server_is_not_copied() -> Result<(), SendError> {
    let payload = Bytes::from(wire::noise(100_000));
    let mut server = Role::Server.connection(Config::new());
    server.send(payload.clone())?;
    let output = server.output();
    assert_eq!(output.chunk().len(), 10);
    output.advance(10);
    assert_eq!(output.chunk().as_ptr(), payload.as_ptr());
    Ok(())
}

#[test]
fn a_long_fragment_of_a_server_is_not_copied_from_a_prepared_message() -> Result<(), SendError> {
    let prepared = Prepared::new(wire::noise(100_000));
    let mut server = Role::Server.connection(Config::new());
    server.send(&prepared)?;
    let frame = server.output().chunk().as_ptr();
    server.output().advance(100_010);
    server.send_fragment(&prepared, false)?;
    server.output().advance(10);
    assert_eq!(server.output().chunk().as_ptr(), frame.wrapping_add(10));
    Ok(())
}

#[test]
fn what_is_long_is_sent_from_where_it_lies() {
    fn lies<'m>(message: impl Into<Outgoing<'m>>, start: *const u8, header_len: usize) {
        let mut server = Role::Server.connection(Config::new());
        server.send(message).expect("room");
        server.output().advance(header_len);
        assert_eq!(server.output().chunk().as_ptr(), start);
    }
    let text: Arc<str> = "t".repeat(4096).into();
    lies(&text, text.as_ptr(), 4);
    lies(text.clone(), text.as_ptr(), 4);
    let payload: Arc<[u8]> = wire::noise(70_000).into();
    lies(&payload, payload.as_ptr(), 10);
    lies(payload.clone(), payload.as_ptr(), 10);
    let text = "t".repeat(5000);
    let start = text.as_ptr();
    lies(Cow::<str>::Owned(text), start, 4);
    let text = "t".repeat(5000).into_boxed_str();
    let start = text.as_ptr();
    lies(text, start, 4);
    let payload = wire::noise(5000);
    let start = payload.as_ptr();
    lies(Cow::<[u8]>::Owned(payload), start, 4);
}

#[test]
fn what_is_owned_is_copied_below_4_kib_and_chained_from_there_on() -> Result<(), SendError> {
    for (len, is_chained) in [(4095, false), (4096, true)] {
        let mut server = Role::Server.connection(Config::new());
        server.send("before")?;
        server.send(wire::noise(len))?;
        let (before, header) = (8, 4);
        let first_len = if is_chained { before + header } else { before + header + len };
        assert_eq!(server.output().chunk().len(), first_len);
    }
    Ok(())
}

#[test]
fn what_many_share_is_copied_below_256_bytes_and_chained_from_there_on() -> Result<(), SendError> {
    // The header is a part of what is shared.
    for (len, is_chained) in [(251, false), (252, true)] {
        let (prepared, header, before) = (Prepared::new(wire::noise(len)), 4, 8);
        let mut server = Role::Server.connection(Config::new());
        server.send("before")?;
        server.send(&prepared)?;
        let first_len = if is_chained { before } else { before + header + len };
        assert_eq!(server.output().chunk().len(), first_len);
        // A client has to mask it (RFC 6455 5.3), and a fragment has another header.
        let mut client = Role::Client.connection(Config::new());
        client.send(&prepared)?;
        assert_eq!(client.output().chunk().len(), header + 4 + len);
        let mut server = Role::Server.connection(Config::new());
        server.send_fragment(&prepared, false)?;
        assert_eq!(server.output().chunk().len(), header + len);
    }
    Ok(())
}
