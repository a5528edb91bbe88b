//! A peer that breaks a rule in the middle of sending learns why: the Close frame arrives whole.

use std::thread;

use tidewire::{Config, Error, ProtocolError};

use crate::adapter::Adapter;
use crate::raw::{ends, pair, request, write_then_listen};
use support::wire::{self, BINARY, CLOSE, FIN, Length, Role};

const TIMES: usize = 100;

/// What is broken, what the server makes of it, and the code that the peer is told.
fn cases() -> [(Vec<u8>, ProtocolError, u16); 2] {
    [
        (wire::header(FIN | BINARY, Length::Two(60_000), None), ProtocolError::UnmaskedFrame, 1002),
        (
            wire::header(FIN | BINARY, Length::Eight(1 << 40), Some(wire::KEY)),
            ProtocolError::MessageTooLong { len: 1 << 40, max: Config::new().max_message_len() },
            1009,
        ),
    ]
}

/// Breaks each rule with so many bytes behind it.
fn check(adapter: Adapter, zeros_len: usize) {
    for (broken, expected, code) in cases() {
        for _ in 0..TIMES {
            let (client, server) = pair();
            let serving = thread::spawn(move || adapter.serve(server, Config::new()));
            let heard = write_then_listen(client, &[request(""), broken.clone()].concat(), zeros_len);
            let result = serving.join().expect("no panic");
            assert!(
                matches!(result, Err(Error::Protocol(error)) if error == expected),
                "{adapter:?}: {result:?}"
            );
            let frames = wire::parse(Role::Server, heard.after_head());
            assert_eq!(frames.len(), 1, "{adapter:?}");
            assert_eq!(frames[0].first, FIN | CLOSE);
            assert_eq!(frames[0].payload, wire::close_body(code, expected.to_string()));
            if zeros_len < 1 << 20 {
                assert!(heard.wrote_all && heard.has_ended, "{adapter:?}: an orderly end and no reset");
            }
        }
    }
}

#[test]
fn a_peer_that_sends_on_for_hundreds_of_kibibytes_gets_the_close_frame_and_an_orderly_end() {
    for adapter in Adapter::BOTH {
        ends(move || check(adapter, 700 << 10));
    }
}

#[test]
fn a_peer_that_sends_until_it_fails_gets_the_close_frame() {
    for adapter in Adapter::BOTH {
        ends(move || check(adapter, usize::MAX));
    }
}
