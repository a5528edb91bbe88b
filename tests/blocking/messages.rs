//! Messages of all lengths, both ways, through short reads and short writes.

use tidewire::blocking::WebSocket;
use tidewire::{Config, Error, Event, Input, Message, ProtocolError};

use support::blocking_stream::Scripted;
use support::wire::{self, BINARY, FIN, Frame, Role, TEXT};

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|i| b'!' + (i % 89) as u8).collect()
}

/// Every combination that does not take millions of calls.
fn for_each_case(mut case: impl FnMut(Role, &[u8], usize, usize) -> Result<(), Error>) -> Result<(), Error> {
    for role in Role::BOTH {
        for len in [0, 1, 125, 126, 65535, 65536, 1 << 20] {
            let payload = payload(len);
            for (read_len, write_len) in [(usize::MAX, usize::MAX), (1, 1), (997, 60_000), (60_000, 997)] {
                if read_len > 1 || len <= 126 {
                    case(role, &payload, read_len, write_len)?;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn messages_of_all_lengths_are_received() -> Result<(), Error> {
    for_each_case(|role, payload, read_len, write_len| {
        let text = String::from_utf8_lossy(payload).into_owned();
        let incoming = [wire::text(role, &text), wire::binary(role, payload), wire::close(role, 1000, "")];
        let stream = Scripted::new(incoming.concat()).with_lens(read_len, write_len);
        let mut socket = WebSocket::from_parts(stream, role.connection(Config::new()), Input::new());
        assert!(socket.recv()? == Some(Message::Text(text.clone())));
        match socket.recv_ref()? {
            Some((Event::Binary(lent), _)) => assert!(&*lent == payload),
            other => panic!("{other:?}"),
        }
        assert_eq!(socket.recv()?, None);
        Ok(())
    })
}

#[test]
fn messages_of_all_lengths_are_sent() -> Result<(), Error> {
    for_each_case(|role, payload, read_len, write_len| {
        let text = String::from_utf8_lossy(payload).into_owned();
        let stream = Scripted::new([]).with_lens(read_len, write_len);
        let mut socket = WebSocket::from_parts(stream.clone(), role.connection(Config::new()), Input::new());
        socket.send(&text)?;
        socket.send(payload)?;
        socket.send(Message::Text(text))?;
        socket.send(payload.to_vec())?;
        let [text, binary] = [TEXT, BINARY].map(|opcode| Frame::new(FIN | opcode, payload));
        let frames = wire::parse(role, &stream.take_written());
        assert!(frames == [text.clone(), binary.clone(), text, binary]);
        Ok(())
    })
}

#[test]
fn an_echo_that_lends_answers_one_read_with_one_write() -> Result<(), Error> {
    for role in Role::BOTH {
        let messages: Vec<_> = (0..100).map(|i| wire::text(role, &i.to_string())).collect();
        let stream = Scripted::new(messages.concat());
        let mut socket = WebSocket::from_parts(stream.clone(), role.connection(Config::new()), Input::new());
        for _ in 0..100 {
            socket.ready()?;
            match socket.recv_ref()? {
                Some((Event::Text(text), mut output)) => output.queue(text)?,
                other => panic!("{other:?}"),
            }
        }
        assert!(stream.take_written().is_empty());
        assert!(matches!(socket.recv(), Err(Error::Protocol(_))), "the end without a Close frame");
        let writes = stream
            .state()
            .calls
            .iter()
            .filter(|call| **call == support::blocking_stream::Call::Write)
            .count();
        assert_eq!(writes, 1);
        let echoed: Vec<_> =
            wire::parse(role, &stream.take_written()).into_iter().map(|frame| frame.payload).collect();
        let expected: Vec<_> = (0..100).map(|i| i.to_string().into_bytes()).collect();
        assert_eq!(echoed, expected);
    }
    Ok(())
}

#[test]
fn parts_are_echoed_as_fragments_and_are_no_messages() -> Result<(), Error> {
    for_each_case(|role, payload, read_len, write_len| {
        let incoming = [wire::binary(role, payload), wire::text(role, "whole")].concat();
        let stream = Scripted::new(incoming).with_lens(read_len, write_len);
        let connection = role.connection(Config::new().with_parts(true));
        let mut socket = WebSocket::from_parts(stream.clone(), connection, Input::new());
        loop {
            match socket.recv_ref()? {
                Some((Event::BinaryPart(part), mut output)) => {
                    output.queue_fragment(&*part, part.is_last())?;
                    if part.is_last() {
                        break;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        socket.flush()?;
        let frames = wire::parse(role, &stream.take_written());
        let fin = frames.iter().map(|frame| frame.first & FIN != 0);
        assert!(fin.eq((1..=frames.len()).map(|n| n == frames.len())), "the last fragment ends the message");
        assert!(frames.iter().flat_map(|frame| &frame.payload).eq(payload));
        match socket.recv() {
            Err(Error::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::Unsupported),
            other => panic!("{other:?}"),
        }
        Ok(())
    })
}

#[test]
fn messages_of_one_read_are_received_whole_up_to_one_that_is_too_long() -> Result<(), Error> {
    let lengths = [0, 125, 126, 511, 512, 513, 700, 4096, 20_000];
    for role in Role::BOTH {
        let frames = lengths.map(|len| {
            let text = wire::text(role, std::str::from_utf8(&payload(len)).expect("ASCII"));
            [wire::binary(role, payload(len)), wire::ping(role, "now"), text].concat()
        });
        let incoming = [frames.concat(), wire::binary(role, payload(20_001))].concat();
        let connection = role.connection(Config::new().with_max_message_len(20_000));
        let mut socket = WebSocket::from_parts(Scripted::new(incoming), connection, Input::new());
        for len in lengths {
            assert!(socket.recv()? == Some(payload(len).into()), "{role:?} {len}");
            assert!(matches!(socket.recv()?, Some(Message::Text(text)) if text.as_bytes() == payload(len)));
        }
        let received = socket.recv();
        assert!(
            matches!(
                received,
                Err(Error::Protocol(ProtocolError::MessageTooLong { len: 20_001, max: 20_000 }))
            ),
            "{received:?}"
        );
    }
    Ok(())
}
