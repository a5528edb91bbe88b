//! The end of the stream in either direction: the peer learns of ours even if the socket is kept, and after its own nothing is read.

use std::io::{ErrorKind, Write as _};
use std::thread;

use tidewire::blocking::{Stream as _, Untimed};
use tidewire::{CloseCode, Config, Error, Event};

use crate::pairs::{ends, open};
use support::blocking_stream::{Call, Scripted, wait_until};
use support::wire::{self, BINARY, CLOSE, FIN, Role};

#[test]
fn at_the_end_the_write_side_is_shut_even_if_the_socket_is_kept() {
    for role in Role::BOTH {
        // An orderly end, one without a Close frame, a broken rule, and a refusal.
        let incoming = [
            wire::close(role, 1000, ""),
            Vec::new(),
            wire::frame(role, 0xF3, ""),
            wire::close(role, 4000, ""),
        ];
        for incoming in incoming {
            for closes in [false, true] {
                for is_split in [false, true] {
                    let what = format!("{role:?}, {incoming:02x?}, {closes}, {is_split}");
                    let stream = Scripted::new(&*incoming);
                    let mut socket = open(stream.clone(), role, Config::new());
                    if closes {
                        socket.queue_close(CloseCode::NORMAL);
                    }
                    if is_split {
                        let (mut reader, writer) = socket.split();
                        let ended = reader.recv();
                        assert!(!matches!(ended, Ok(Some(_))), "{what}");
                        let _again = reader.recv();
                        assert_eq!(stream.shutdowns(), [stream.state().written.len()], "{what}");
                        drop((reader, writer));
                    } else {
                        let ended = socket.recv();
                        assert!(!matches!(ended, Ok(Some(_))), "{what}");
                        let _again = socket.recv();
                        assert_eq!(stream.shutdowns(), [stream.state().written.len()], "{what}");
                        drop(socket);
                    }
                }
            }
        }
    }
}

#[test]
fn nothing_is_read_after_the_end_while_the_output_is_blocked() {
    for role in Role::BOTH {
        for is_split in [false, true] {
            ends(move || {
                // The peer closes and ends, and does not read.
                let stream = Scripted::new(wire::close(role, 1000, "")).with_room(0);
                let mut socket = open(stream.clone(), role, Config::new());
                socket.queue(vec![1; 1000]).expect("open");
                let receiving = thread::spawn(move || {
                    if is_split {
                        let (mut reader, _writer) = socket.split();
                        return reader.recv();
                    }
                    socket.recv()
                });
                // It looks for room again and again.
                let writes = || stream.state().calls.iter().filter(|call| **call == Call::Write).count();
                wait_until(|| writes() > 5);
                stream.give_room(usize::MAX);
                let received: Result<_, Error> = receiving.join().expect("no panic");
                assert_eq!(received.expect("an orderly end"), None);
                // What has arrived, and the end.
                let reads = stream.state().calls.iter().filter(|call| **call == Call::Read).count();
                assert!(reads <= 2, "{role:?}, {is_split}: {reads}");
                let frames = wire::parse(role, &stream.take_written());
                let firsts: Vec<_> = frames.iter().map(|frame| frame.first).collect();
                assert_eq!(firsts, [FIN | BINARY, FIN | CLOSE], "{role:?}");
            });
        }
    }
}

#[test]
fn a_reset_after_the_closing_handshake_is_no_error_of_its_own() {
    for role in Role::BOTH {
        for code in [1000, 4000] {
            for is_split in [false, true] {
                let stream = Scripted::new(wire::close(role, code, "")).without_end();
                let mut socket = open(stream.clone(), role, Config::new());
                assert!(matches!(socket.recv_ref(), Ok(Some((Event::Close(_), _)))));
                stream.clone().with_obstacles(&[ErrorKind::ConnectionReset]);
                let ended = if is_split {
                    let (mut reader, _writer) = socket.split();
                    reader.recv()
                } else {
                    socket.recv()
                };
                match (code, ended) {
                    (1000, Ok(None)) => {}
                    (4000, Err(Error::ClosedByPeer(frame))) => assert_eq!(u16::from(frame.code()), 4000),
                    (_, ended) => panic!("{role:?}, {code}, {is_split}: {ended:?}"),
                }
            }
        }
    }
}

#[test]
fn a_stream_without_an_end_of_its_own_is_flushed_at_the_end() -> Result<(), Error> {
    let stream = Scripted::new([]).holding_back(true);
    let mut untimed = Untimed(stream.clone());
    untimed.write_all(b"last words")?;
    assert!(stream.take_written().is_empty());
    untimed.shutdown_write()?;
    assert_eq!(stream.take_written(), b"last words");
    Ok(())
}
