//! Every call fails once before it succeeds, or the nth one does, as signals and short timeouts make them: nobody notices.

use std::io::ErrorKind;

use tidewire::blocking::{WebSocket, accept, client};
use tidewire::{ClientRequest, CloseCode, Config, Error, Event, Input};

use crate::http::{accepting, request, response_to_request};
use support::blocking_stream::{Fault, Scripted};
use support::wire::{self, BINARY, CONTINUATION, FIN, Role, TEXT};

const KINDS: [ErrorKind; 3] = [ErrorKind::Interrupted, ErrorKind::WouldBlock, ErrorKind::TimedOut];

/// All that a peer says.
fn conversation(role: Role) -> Vec<u8> {
    [
        wire::text(role, "Hello"),
        wire::ping(role, "ping"),
        wire::frame(role, BINARY, [1; 700]),
        wire::ping(role, "in between"),
        wire::frame(role, FIN | CONTINUATION, [2; 700]),
        wire::frame(role, TEXT, "ti"),
        wire::frame(role, FIN | CONTINUATION, "de"),
        wire::pong(role, "unasked"),
        wire::close(role, 1000, "done"),
    ]
    .concat()
}

/// Echoes the conversation and returns everything that can be seen of it.
fn echo(role: Role, stream: &Scripted) -> (Vec<String>, Vec<u8>, Vec<usize>) {
    let mut socket = WebSocket::from_parts(stream.clone(), role.connection(Config::new()), Input::new());
    let mut seen = Vec::new();
    let result = loop {
        match socket.recv_ref() {
            Ok(Some((event, mut output))) => {
                seen.push(format!("{event:?}"));
                let sent = match event {
                    Event::Text(text) => output.queue(text),
                    Event::Binary(payload) => output.queue(payload),
                    _ => Ok(()),
                };
                sent.expect("open until the Close frame");
            }
            Ok(None) => break "closed".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    seen.push(result);
    (seen, stream.take_written(), stream.shutdowns())
}

#[test]
fn a_conversation_goes_on_when_every_call_fails_once() {
    for role in Role::BOTH {
        let expected = echo(role, &Scripted::new(conversation(role)));
        assert_eq!(wire::parse(role, &expected.1).len(), 6, "three echoes, two pongs, a Close frame");
        for kind in KINDS {
            for holds_back in [false, true] {
                // After the end of the input every failed write costs a short pause.
                for (read_len, write_len) in [(usize::MAX, usize::MAX), (1, 300), (100, 200)] {
                    let stream = Scripted::new(conversation(role)).with_lens(read_len, write_len);
                    let stream = stream.with_hesitation(kind).holding_back(holds_back);
                    let got = echo(role, &stream);
                    let context = format!("{role:?} {kind:?} {holds_back} {read_len}");
                    assert_eq!(got.0, expected.0, "{context}");
                    assert!(got.1 == expected.1, "{context}: {}", got.1.len());
                    // When the end arrives before everything is written, nothing is left to shut down.
                    assert!(got.2.iter().all(|len| *len == got.1.len()), "{context}");
                }
            }
        }
    }
}

#[test]
fn a_conversation_goes_on_when_any_one_call_fails() {
    for role in Role::BOTH {
        let expected = echo(role, &Scripted::new(conversation(role)));
        for kind in KINDS {
            for at in 0.. {
                let stream = Scripted::new(conversation(role)).with_lens(300, 100);
                let stream = stream.with_fault(at, Fault::Once(kind)).holding_back(true);
                let (seen, written, shutdowns) = echo(role, &stream);
                assert_eq!((&seen, &written), (&expected.0, &expected.1), "{role:?} {kind:?} at {at}");
                // How a shutdown fails is of no interest: reading shows the end.
                assert_eq!(shutdowns, expected.2);
                if stream.state().calls.len() <= at {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_reply_that_the_stream_holds_back_leaves_before_the_next_read() -> Result<(), Error> {
    for role in Role::BOTH {
        for kind in [None, Some(ErrorKind::Interrupted), Some(ErrorKind::WouldBlock)] {
            let mut answered = false;
            let stream =
                Scripted::new(wire::ping(role, "p")).without_end().holding_back(true).with_hesitation(kind);
            // The peer goes on only when it has the pong.
            let stream = stream.with_peer(move |_| {
                if std::mem::replace(&mut answered, true) { Vec::new() } else { wire::text(role, "thanks") }
            });
            let mut socket = WebSocket::from_parts(stream, role.connection(Config::new()), Input::new());
            assert_eq!(socket.recv()?, Some("thanks".into()));
        }
    }
    Ok(())
}

#[test]
fn a_send_reaches_the_peer_through_a_stream_that_holds_back() -> Result<(), Error> {
    for role in Role::BOTH {
        for kind in [None, Some(ErrorKind::Interrupted), Some(ErrorKind::WouldBlock)] {
            let stream = Scripted::new([]).holding_back(true).with_hesitation(kind).with_lens(1, 7);
            let mut socket =
                WebSocket::from_parts(stream.clone(), role.connection(Config::new()), Input::new());
            socket.send("all the way")?;
            assert_eq!(wire::parse(role, &stream.take_written()).len(), 1);
            socket.queue_close(CloseCode::NORMAL);
            socket.flush()?;
            assert_eq!(wire::parse(role, &stream.take_written()).len(), 1);
        }
    }
    Ok(())
}

#[test]
fn a_handshake_goes_on_when_every_call_fails_once() -> Result<(), Error> {
    for kind in KINDS {
        for holds_back in [false, true] {
            for (read_len, write_len) in [(usize::MAX, usize::MAX), (1, 1), (50, 7)] {
                let change = |stream: Scripted| {
                    stream.with_lens(read_len, write_len).with_hesitation(kind).holding_back(holds_back)
                };
                let incoming = [request("").into_bytes(), wire::text(Role::Server, "early")].concat();
                let stream = change(Scripted::new(incoming));
                let mut socket = accept(stream.clone())?;
                assert_eq!(stream.take_written(), response_to_request("").into_bytes());
                assert_eq!(socket.recv()?, Some("early".into()));

                let stream = change(accepting("", &wire::text(Role::Client, "early")));
                let mut socket = client(stream, &ClientRequest::new("ws://example.org/")?)?;
                assert_eq!(socket.recv()?, Some("early".into()));
            }
        }
    }
    Ok(())
}
