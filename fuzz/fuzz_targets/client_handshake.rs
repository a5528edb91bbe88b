//! A client's opening handshake: the same however the response is cut, and nothing lost behind the head.
#![no_main]

use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use tidewire::{ClientHandshake, ClientRequest, Config, HandshakeError as E, Input, Response};
use tidewire_fuzz::{Cuts, Data, Heap, Lines};

const MAX_HEADERS: usize = 12;
const MAX_HEAD_LEN: usize = 1024;
/// How much of a refusal's body is kept.
const MAX_BODY_LEN: usize = 4096;
const SUBPROTOCOLS: [&str; 2] = ["chat", "superchat"];

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let (eof, cuts) = (data.byte() & 1 != 0, data.cuts());
    assert_eq!(handshake(data.0, cuts, eof), handshake(data.0, Cuts::WHOLE, eof));
});

/// What there is to see of the outcome.
fn handshake(bytes: &[u8], cuts: Cuts<'_>, eof: bool) -> (Option<E>, Vec<String>) {
    let heap = Heap::new();
    // Small limits are reached more often.
    let config = Config::new().with_max_head_len(MAX_HEAD_LEN).with_max_headers(MAX_HEADERS);
    // The nonce of RFC 6455 1.3, so that the answer to it can be a seed.
    let mut handshake = ClientHandshake::new(config, &request(), *b"the sample nonce", [7; 32]);
    let (mut input, mut opened, mut error) = (Input::new(), None, None);
    for chunk in cuts.of(bytes).chain(eof.then_some(&[][..])) {
        if chunk.is_empty() {
            input.set_eof();
        }
        input.extend_from_slice(chunk);
        let had_outcome = opened.is_some() || error.is_some();
        match handshake.receive(&mut input) {
            Ok(None) => assert!(error.is_none(), "an error is sticky"),
            Ok(Some(_)) if had_outcome => panic!("one connection at most"),
            Ok(found) => opened = found,
            Err(next) => assert_eq!(*error.get_or_insert(next.clone()), next),
        }
        // What has arrived, and what is kept of a response; a refusal is in the error, of which there are three here.
        let kept_len = 3 * (3 * MAX_HEAD_LEN + 2 * MAX_BODY_LEN);
        heap.assert_at_most(Heap::READ_LEN + 2 * bytes.len() + kept_len + Heap::LITTLE_LEN);
    }
    if let Some(error) = &error {
        check_error(error);
    }
    let Some((mut connection, response)) = opened else { return (error, Vec::new()) };
    let heads = bytes.strip_suffix(input.unread()).expect("what is unread is what follows the head");
    check_accepted(&response, heads);
    // What follows the head are frames.
    let unread = format!("{:?}", input.unread());
    let _ = connection.receive(&mut input);
    (error, [fields(&response), vec![unread]].concat())
}

/// There is nothing to read differently in the last one of `heads` (RFC 6455 4.1).
fn check_accepted(response: &Response, heads: &[u8]) {
    // Interim responses are before it.
    let before = heads[..heads.len() - 4].windows(4).rposition(|end| end == b"\r\n\r\n");
    let lines = Lines::new(&heads[before.map_or(0, |end| end + 4)..]);
    assert!(lines.first.starts_with(b"HTTP/1.1 101") && response.status() == 101);
    assert_eq!(response.headers().collect::<Vec<_>>(), lines.headers);
    assert!(lines.lists("Upgrade", "websocket") && lines.lists("Connection", "Upgrade"));
    assert_eq!(lines.single("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(lines.values("Sec-WebSocket-Extensions").count(), 0);
    let subprotocols: Vec<_> = lines.values("Sec-WebSocket-Protocol").collect();
    assert_eq!(subprotocols, Vec::from_iter(response.subprotocol()));
    assert!(subprotocols.iter().all(|name| SUBPROTOCOLS.contains(name)));
}

fn request() -> ClientRequest {
    let request = ClientRequest::new("ws://example.com/").expect("a URI");
    SUBPROTOCOLS.iter().fold(request, |request, name| request.with_subprotocol(name).expect("a token"))
}

fn fields(response: &Response) -> Vec<String> {
    response.headers().map(|(name, value)| format!("{name}: {value:?}")).collect()
}

/// Only what the documentation says of a response.
fn check_error(error: &E) {
    match error {
        E::MalformedHead(_) | E::UnexpectedTls | E::UnsupportedHttpVersion(_) => {}
        E::HeadTooLong { limit } => assert_eq!(*limit, MAX_HEAD_LEN),
        E::TooManyHeaders { limit } => assert_eq!(*limit, MAX_HEADERS),
        E::InvalidUpgrade(_) | E::InvalidConnection(_) | E::InvalidAccept(_) | E::InvalidContentLength(_) => {
        }
        E::UnexpectedSubprotocol(_) | E::UnexpectedExtension(_) | E::UnexpectedEof | E::NoAnswer => {}
        E::Refused(response) => {
            assert!((200..=999).contains(&response.status()));
            assert_eq!(error.status(), Some(response.status()));
            assert_eq!(response.subprotocol(), None);
            assert!(response.body().len() <= MAX_BODY_LEN);
            // A date that is over is no time to wait.
            let (now, later) = (response.retry_after(Duration::ZERO), response.retry_after(Duration::MAX));
            assert!(now >= later && now.is_some() == later.is_some());
        }
        other => panic!("no response leads to {other:?}"),
    }
}
