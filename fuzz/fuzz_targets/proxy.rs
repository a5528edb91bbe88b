//! What a proxy answers: the same however it is cut, within bounds, and nothing lost behind it.
#![no_main]

use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use tidewire::fuzzing::Tunnel;
use tidewire::{Config, Input, Proxy, ProxyError, Uri};
use tidewire_fuzz::{Cuts, Data, Heap};

const MAX_HEAD_LEN: usize = 1024;
const PROXIES: [&str; 4] =
    ["http://proxy", "https://ada:lovelace@proxy", "socks5://proxy", "socks5://ada:lovelace@proxy"];
const SERVERS: [&str; 3] = ["wss://example.com/", "ws://192.0.2.1:8080/", "wss://[2001:db8::1]/"];

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let form = data.byte();
    let (eof, cuts) = (form & 0x80 != 0, data.cuts());
    let proxy = PROXIES[usize::from(form & 3)].parse().expect("a proxy");
    let server = SERVERS[usize::from(form >> 2 & 3) % SERVERS.len()].parse().expect("a URI");
    let outcome = ask(&proxy, &server, data.0, cuts, eof);
    assert_eq!(outcome, ask(&proxy, &server, data.0, Cuts::WHOLE, eof));
    check(&outcome, form & 2 != 0, form & 1 != 0, data.0);
});

#[derive(PartialEq, Debug)]
struct Outcome {
    result: Result<Option<()>, ProxyError>,
    /// What the proxy was sent.
    sent: Vec<u8>,
    /// What follows the answer.
    rest: Vec<u8>,
}

fn ask(proxy: &Proxy, server: &Uri, answer: &[u8], cuts: Cuts<'_>, eof: bool) -> Outcome {
    let heap = Heap::new();
    let mut tunnel = Tunnel::new(proxy, server, Config::new().with_max_head_len(MAX_HEAD_LEN));
    let (mut input, mut sent, mut result) = (Input::new(), Vec::new(), Ok(None));
    for chunk in [&[][..]].into_iter().chain(cuts.of(answer)).chain(eof.then_some(&[][..])) {
        if chunk.is_empty() && !sent.is_empty() {
            input.set_eof();
        }
        input.extend_from_slice(chunk);
        if result == Ok(None) {
            result = tunnel.receive(&mut input);
        }
        let output = tunnel.output();
        sent.extend_from_slice(output.chunk());
        output.advance(output.len());
        heap.assert_at_most(Heap::READ_LEN + 2 * answer.len() + 4 * MAX_HEAD_LEN + Heap::LITTLE_LEN);
    }
    // A failed tunnel is given up, with what its input holds.
    let rest = if result.is_ok() { input.unread().to_vec() } else { Vec::new() };
    Outcome { result, sent, rest }
}

/// The answer once more, naively.
fn check(outcome: &Outcome, is_socks: bool, has_credentials: bool, answer: &[u8]) {
    let Outcome { result, sent, rest } = outcome;
    let read = answer.strip_suffix(&rest[..]).expect("what is left follows the answer");
    // No secret is told to a proxy that has not asked for it.
    let is_told = sent.windows(8).any(|part| part == b"lovelace");
    assert!(!is_told || is_socks && has_credentials && answer.starts_with(&[5, 2]));
    match result {
        Ok(Some(())) if is_socks => {
            let reply = match read {
                [5, 0, reply @ ..] => reply,
                [5, 2, 1, 0, reply @ ..] if has_credentials => reply,
                other => panic!("{other:?} opens no tunnel"),
            };
            let address_len = match reply {
                [5, 0, _, 1, ..] => 4,
                [5, 0, _, 3, len, ..] => 1 + usize::from(*len),
                [5, 0, _, 4, ..] => 16,
                other => panic!("{other:?} opens no tunnel"),
            };
            assert_eq!(reply.len(), 4 + address_len + 2);
        }
        Ok(Some(())) => {
            // Interim answers are before it.
            let end = read.strip_suffix(b"\n").expect("a head ends with an empty line");
            assert!(end.ends_with(b"\n") || end.ends_with(b"\n\r"));
            assert!(read.windows(10).any(|start| start.starts_with(b"HTTP/1.") && start[9] == b'2'));
        }
        Ok(None) | Err(ProxyError::UnexpectedEof | ProxyError::InvalidAnswer(_)) => {}
        Err(ProxyError::AuthenticationRequired) => {}
        Err(ProxyError::Refused(status)) => assert!(!is_socks && !(100..300).contains(status)),
        Err(ProxyError::Unreachable(code)) => assert!(is_socks && *code != 0),
        Err(other) => panic!("no answer leads to {other:?}"),
    }
}
