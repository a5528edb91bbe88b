//! Messages of every length arrive whole, however the stream cuts them.

use tidewire::tokio::WebSocket;
use tidewire::{Config, Connection, Error, Event, Input, Message, ProtocolError};

use support::tokio_stream::{Script, Stream, block_on, linked};
use support::tokio_wire::{BINARY, PING, Role, TEXT, frame};

/// Lengths around every change of the header, each with a step that keeps the number of operations small.
const LENGTHS: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];

fn text(len: usize) -> String {
    // Characters of one to four bytes, cut by every step.
    let mut text = "aé€𝄞".repeat(len / 10);
    text.push_str(&"x".repeat(len % 10));
    text
}

fn binary(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

/// The scripts that move `len` bytes in a reasonable number of steps.
fn scripts(len: usize) -> Vec<Script> {
    let step = 1 + len / 500;
    let mut scripts = vec![
        Script::SMOOTH.with_pending().with_vectored(),
        Script::SMOOTH.with_steps(step, 2 * step + 1).with_pending(),
        Script::SMOOTH.with_steps(3 * step, step).with_vectored(),
    ];
    if len < 1000 {
        scripts.push(Script::BYTEWISE);
    }
    scripts
}

#[test]
fn every_length_is_received_whole_as_text_and_as_binary() {
    for role in Role::BOTH {
        for len in LENGTHS {
            for script in scripts(len) {
                let (mut socket, peer) = role.socket(Config::new(), script);
                peer.send(role.frame(TEXT, text(len)));
                peer.send(role.frame(BINARY, binary(len)));
                block_on(async {
                    let received = socket.recv().await.unwrap();
                    assert!(received == Some(text(len).into()), "{role:?} {len} {script:?}");
                    let received = socket.recv().await.unwrap();
                    assert!(received == Some(binary(len).into()), "{role:?} {len} {script:?}");
                });
            }
        }
    }
}

#[test]
fn every_length_is_lent_whole_as_text_and_as_binary() {
    for role in Role::BOTH {
        for len in LENGTHS {
            for script in scripts(len) {
                let (mut socket, peer) = role.socket(Config::new(), script);
                peer.send([role.frame(TEXT, text(len)), role.frame(BINARY, binary(len))].concat());
                block_on(async {
                    match socket.recv_ref().await.unwrap() {
                        Some((Event::Text(lent), _)) => assert!(*lent == text(len), "{role:?} {len}"),
                        other => panic!("{other:?}"),
                    }
                    match socket.recv_ref().await.unwrap() {
                        Some((Event::Binary(lent), _)) => assert!(*lent == binary(len), "{role:?} {len}"),
                        other => panic!("{other:?}"),
                    }
                });
            }
        }
    }
}

#[test]
fn every_length_is_sent_whole_as_text_and_as_binary() {
    for role in Role::BOTH {
        for len in LENGTHS {
            for script in scripts(len) {
                let (mut socket, peer) = role.socket(Config::new(), script);
                block_on(async {
                    socket.send(text(len)).await.unwrap();
                    socket.feed(&binary(len)).await.unwrap();
                    socket.send(binary(len)).await.unwrap();
                });
                assert_eq!(socket.queued_len(), 0);
                let expected =
                    [frame(TEXT, text(len)), frame(BINARY, binary(len)), frame(BINARY, binary(len))];
                assert!(role.frames(&peer.log()) == expected, "{role:?} {len} {script:?}");
            }
        }
    }
}

#[test]
fn two_sockets_echo_every_length_over_a_narrow_link() {
    for len in LENGTHS {
        for script in scripts(len) {
            let (near, far) = linked(script.with_capacity(1 + len / 3), script.with_capacity(1 + len / 5));
            let client =
                WebSocket::from_parts(near, Connection::client(Config::new(), [7; 32]), Input::new());
            let server = WebSocket::from_parts(far, Connection::server(Config::new()), Input::new());
            let messages = [Message::from(text(len)), Message::from(binary(len))];
            block_on(async {
                let (sent, echoed) = tokio::join!(ask(client, &messages), echo(server));
                (sent.unwrap(), echoed.unwrap())
            });
        }
    }
}

async fn ask(mut socket: WebSocket<Stream>, messages: &[Message]) -> Result<(), Error> {
    for message in messages {
        socket.send(message).await?;
        assert!(socket.recv().await?.as_ref() == Some(message));
    }
    socket.close(None).await
}

async fn echo(mut socket: WebSocket<Stream>) -> Result<(), Error> {
    loop {
        socket.ready().await?;
        match socket.recv_ref().await? {
            Some((Event::Text(text), mut output)) => output.queue(text)?,
            Some((Event::Binary(payload), mut output)) => output.queue(payload)?,
            Some(_) => {}
            None => return Ok(()),
        }
    }
}

#[test]
fn fragments_with_control_frames_between_them_are_one_message() {
    for role in Role::BOTH {
        for script in Script::ALL {
            let (mut socket, peer) = role.socket(Config::new(), script);
            peer.send(
                [
                    role.frame(0x01, "to "),
                    role.frame(0x89, "ping"),
                    role.frame(0x00, "and "),
                    role.frame(0x8A, "pong"),
                    role.frame(0x80, "fro"),
                ]
                .concat(),
            );
            block_on(async {
                assert_eq!(socket.recv().await.unwrap(), Some("to and fro".into()), "{role:?} {script:?}");
            });
            assert_eq!(role.frames(&peer.log()), [frame(0x8A, "ping")]);
        }
    }
}

#[test]
fn parts_are_echoed_as_fragments_and_are_no_messages() {
    for role in Role::BOTH {
        for script in scripts(200_000) {
            let (mut socket, peer) = role.socket(Config::new().with_parts(true), script);
            peer.send(role.frame(TEXT, text(200_000)));
            let (mut received, mut count) = (String::new(), 0);
            block_on(async {
                loop {
                    match socket.recv_ref().await.unwrap() {
                        Some((Event::TextPart(part), mut output)) => {
                            received.push_str(&part);
                            count += 1;
                            output.queue_fragment(&*part, part.is_last()).unwrap();
                            if part.is_last() {
                                break;
                            }
                        }
                        other => panic!("{other:?}"),
                    }
                }
                socket.flush().await.unwrap();
                assert!(received == text(200_000) && count > 1, "{role:?} {script:?}");

                peer.send(role.frame(BINARY, "whole"));
                match socket.recv().await {
                    Err(Error::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::Unsupported),
                    other => panic!("{other:?}"),
                }
            });
        }
    }
}

#[test]
fn messages_of_one_read_are_received_whole_up_to_one_that_is_too_long() {
    let lengths = [0, 125, 126, 511, 512, 513, 700, 4096, 20_000];
    for role in Role::BOTH {
        let (mut socket, peer) = role.socket(Config::new().with_max_message_len(20_000), Script::SMOOTH);
        for len in lengths {
            let frames =
                [role.frame(BINARY, binary(len)), role.frame(PING, "now"), role.frame(TEXT, text(len))];
            peer.send(frames.concat());
        }
        peer.send(role.frame(BINARY, binary(20_001)));
        block_on(async {
            for len in lengths {
                assert!(socket.recv().await.unwrap() == Some(binary(len).into()), "{role:?} {len}");
                assert!(socket.recv().await.unwrap() == Some(text(len).into()), "{role:?} {len}");
            }
            let error = socket.recv().await.unwrap_err();
            assert!(
                matches!(error, Error::Protocol(ProtocolError::MessageTooLong { len: 20_001, max: 20_000 })),
                "{error:?}"
            );
        });
    }
}
