//! The nth call fails for good: a documented error, what had arrived is delivered, and nothing is written twice or after a gap.

use std::io::ErrorKind;

use tidewire::blocking::{WebSocket, accept, client};
use tidewire::{ClientRequest, Config, Error, HandshakeError, Input, Message, ProtocolError};

use crate::http::{accepting, request, response_to_request};
use crate::stream::{Fault, Scripted};
use crate::wire::{self, Role};

const FAULTS: [Fault; 3] =
    [Fault::Error(ErrorKind::ConnectionReset), Fault::Error(ErrorKind::BrokenPipe), Fault::Zero];

/// The messages of the peer.
fn messages() -> Vec<Message> {
    vec!["Hello".into(), vec![1; 500].into(), "tide".into(), vec![2; 90].into()]
}

/// The messages as frames with pings in between, and for each frame the messages that are complete with it.
fn frames(role: Role) -> Vec<(Vec<u8>, usize)> {
    let mut frames = Vec::new();
    for (count, message) in messages().iter().enumerate() {
        let frame = match message {
            Message::Text(text) => wire::text(role, text),
            Message::Binary(payload) => wire::binary(role, payload),
        };
        frames.extend([(wire::ping(role, "p"), count), (frame, count + 1)]);
    }
    frames.push((wire::close(role, 1000, ""), messages().len()));
    frames
}

/// How many messages are complete in the first `len` bytes.
fn complete(role: Role, len: usize) -> usize {
    let mut end = 0;
    let ends = frames(role).into_iter().map(|(frame, count)| {
        end += frame.len();
        (end, count)
    });
    ends.take_while(|(end, _)| *end <= len).last().map_or(0, |(_, count)| count)
}

struct Outcome {
    received: Vec<Message>,
    /// Of `feed`, and then of `recv`.
    errors: Vec<Error>,
    written: Vec<u8>,
}

/// Echoes until the end, also when sending fails before that.
fn echo(role: Role, stream: &Scripted) -> Outcome {
    let mut socket = WebSocket::from_parts(stream.clone(), role.connection(Config::new()), Input::new());
    let (mut received, mut errors) = (Vec::new(), Vec::new());
    loop {
        match socket.recv() {
            Ok(Some(message)) => {
                received.push(message.clone());
                errors.extend(socket.send(message).err());
            }
            Ok(None) => break,
            Err(error) => {
                errors.push(error);
                break;
            }
        }
    }
    let written = stream.take_written();
    for _ in 0..3 {
        assert!(matches!(socket.recv(), Ok(None) | Err(Error::Io(_) | Error::Protocol(_))));
        assert!(socket.send("late").is_err());
    }
    assert!(socket.closed_with().is_some());
    assert!(stream.take_written().is_empty(), "nothing follows the end");
    Outcome { received, errors, written }
}

fn scripted(role: Role) -> Scripted {
    let incoming: Vec<_> = frames(role).into_iter().flat_map(|(frame, _)| frame).collect();
    Scripted::new(incoming).with_lens(150, 60)
}

#[test]
fn a_conversation_ends_with_a_documented_error_and_a_clean_prefix() {
    for role in Role::BOTH {
        let expected = echo(role, &scripted(role));
        assert!(expected.errors.is_empty() && expected.received == messages());
        for fault in FAULTS {
            for at in 0.. {
                let stream = scripted(role).with_fault(at, fault);
                let outcome = echo(role, &stream);
                let context = format!("{role:?}, {fault:?} at {at}: {:?}", outcome.errors);
                let complete = complete(role, stream.state().read);
                assert_eq!(outcome.received, messages()[..complete], "{context}");
                assert!(expected.written.starts_with(&outcome.written), "{context}");
                for error in &outcome.errors {
                    let is_documented = match (error, fault) {
                        (Error::Io(error), Fault::Error(kind)) => error.kind() == kind,
                        (Error::Io(error), Fault::Zero) => error.kind() == ErrorKind::WriteZero,
                        (Error::Protocol(error), Fault::Zero) => *error == ProtocolError::UnexpectedEof,
                        _ => false,
                    };
                    assert!(is_documented, "{context}");
                }
                if stream.state().calls.len() <= at {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_servers_handshake_ends_with_a_documented_error_and_a_clean_prefix() {
    let expected = response_to_request("");
    for fault in FAULTS {
        for at in 0.. {
            let stream = Scripted::new(request("")).with_lens(60, 40).with_fault(at, fault);
            let result = accept(stream.clone());
            let is_over = stream.state().calls.len() <= at;
            let written = stream.take_written();
            assert!(expected.as_bytes().starts_with(&written), "{fault:?} at {at}");
            match (&result, fault) {
                (Ok(_), _) => assert_eq!(written, expected.as_bytes(), "{fault:?} at {at}"),
                (Err(Error::Io(error)), Fault::Error(kind)) => assert_eq!(error.kind(), kind),
                (Err(Error::Io(error)), Fault::Zero) => assert_eq!(error.kind(), ErrorKind::WriteZero),
                (Err(Error::Handshake(HandshakeError::UnexpectedEof)), Fault::Zero) => {}
                _ => panic!("{fault:?} at {at}: {result:?}"),
            }
            if is_over {
                assert!(result.is_ok());
                break;
            }
        }
    }
}

#[test]
fn a_clients_handshake_ends_with_a_documented_error() -> Result<(), Error> {
    let request = ClientRequest::new("ws://example.org/")?;
    for fault in FAULTS {
        for at in 0.. {
            let stream = accepting("", b"").with_lens(60, 40).with_fault(at, fault);
            let result = client(stream.clone(), &request);
            match (&result, fault) {
                (Ok(_), _) => {}
                (Err(Error::Io(error)), Fault::Error(kind)) => assert_eq!(error.kind(), kind),
                (Err(Error::Io(error)), Fault::Zero) => assert_eq!(error.kind(), ErrorKind::WriteZero),
                (Err(Error::Handshake(HandshakeError::UnexpectedEof)), Fault::Zero) => {}
                _ => panic!("{fault:?} at {at}: {result:?}"),
            }
            if stream.state().calls.len() <= at {
                assert!(result.is_ok());
                break;
            }
        }
    }
    Ok(())
}

#[test]
fn what_was_received_before_a_reset_is_delivered_first() {
    for role in Role::BOTH {
        let incoming = [wire::text(role, "one"), wire::text(role, "two")].concat();
        // The stream takes nothing any more: what the peer has said counts for more.
        let stream = Scripted::new(incoming).with_fault(1, Fault::Error(ErrorKind::BrokenPipe));
        let mut socket = WebSocket::from_parts(stream, role.connection(Config::new()), Input::new());
        assert!(
            matches!(socket.send("unheard"), Err(Error::Io(error)) if error.kind() == ErrorKind::BrokenPipe)
        );
        assert!(matches!(socket.recv(), Ok(Some(Message::Text(text))) if text == "one"));
        assert!(matches!(socket.recv(), Ok(Some(Message::Text(text))) if text == "two"));
        assert!(matches!(socket.recv(), Err(Error::Io(error)) if error.kind() == ErrorKind::BrokenPipe));
    }
}
