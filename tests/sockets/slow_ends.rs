//! Peers that are slow where a connection begins and where it ends.

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::Duration;

use tidewire::{Config, Error, TimedOut};

use crate::adapter::Adapter;
use crate::raw::{ends, open, pair, request};
use support::wire::{self, Role};

const SHORT: Duration = Duration::from_millis(50);

#[test]
fn a_request_that_dribbles_is_answered_408() {
    for adapter in Adapter::BOTH {
        let (result, answer) = ends(move || {
            let (mut client, server) = pair();
            let config = Config::new().with_open_timeout(SHORT);
            let serving = thread::spawn(move || adapter.serve(server, config));
            for byte in &request("")[..100] {
                client.write_all(&[*byte]).expect("read to the end");
                thread::sleep(SHORT / 10);
            }
            let mut answer = String::new();
            client.read_to_string(&mut answer).expect("an orderly end");
            drop(client);
            (serving.join().expect("no panic"), answer)
        });
        assert!(matches!(result, Err(Error::TimedOut(TimedOut::Open))), "{adapter:?}: {result:?}");
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nthe opening handshake took too long\n"), "{answer}");
    }
}

#[test]
fn a_peer_that_goes_on_talking_does_not_put_off_the_end_of_a_close() {
    for adapter in Adapter::BOTH {
        // With and without an answer to the Close frame, behind which nothing may follow.
        for answers in [false, true] {
            let result = ends(move || {
                let (mut client, server) = pair();
                let config = Config::new().with_close_timeout(SHORT);
                let serving = thread::spawn(move || adapter.close(server, config));
                open(&mut client);
                if answers {
                    client.write_all(&wire::close(Role::Server, 1000, "")).expect("open");
                }
                let words = [wire::text(Role::Server, "and another thing"), wire::ping(Role::Server, "!")];
                let words = words.concat().repeat(100);
                while client.write_all(&words).is_ok() {}
                serving.join().expect("no panic")
            });
            match answers {
                false => {
                    assert!(
                        matches!(result, Err(Error::TimedOut(TimedOut::Close))),
                        "{adapter:?}: {result:?}"
                    );
                }
                true => assert!(result.is_ok(), "{adapter:?}: {result:?}"),
            }
        }
    }
}

#[test]
fn a_peer_that_answers_a_close_frame_and_never_ends_the_transport_is_left() {
    for adapter in Adapter::BOTH {
        ends(move || {
            let (mut client, server) = pair();
            let config = Config::new().with_close_timeout(SHORT);
            let serving = thread::spawn(move || adapter.close(server, config));
            open(&mut client);
            client.write_all(&wire::close(Role::Server, 1000, "")).expect("open");
            let result = serving.join().expect("no panic");
            assert!(result.is_ok(), "{adapter:?}: {result:?}");
            // The server has gone, although this end is still open.
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).expect("an orderly end");
            assert_eq!(rest, wire::close(Role::Client, 1000, ""));
            let failed = loop {
                match client.write_all(b"!") {
                    Ok(()) => thread::sleep(SHORT / 10),
                    Err(error) => break error.kind(),
                }
            };
            assert!(matches!(failed, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{failed}");
        });
    }
}
