//! Where a redirect leads: never from `wss` to `ws`, and never with credentials to another origin.
#![no_main]

use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use tidewire::fuzzing::redirected;
use tidewire::{ClientHandshake, ClientRequest, Config, HandshakeError, Input, Response, Uri};
use tidewire_fuzz::{Data, Lines};

const FROM: [&str; 4] =
    ["ws://example.com/a/b?c", "wss://example.com/", "wss://[2001:db8::1]:8443/x", "ws://h"];
const SECRETS: [&str; 3] = ["Authorization", "Cookie", "X-Token"];

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let form = data.byte();
    let from = ClientRequest::new(FROM[usize::from(form & 3)]).expect("a URI");
    let from = from.with_bearer_token("secret").and_then(|request| request.with_cookie("session", "secret"));
    let from = from.and_then(|request| request.with_header("X-Token", "secret")).expect("headers");
    let from = from.with_origin("https://example.org").expect("an origin");
    let status = [301, 302, 303, 307, 308, 300, 304, 404][usize::from(form >> 2 & 7)];
    let Some(response) = refusal(&from, status, data.0) else { return };
    let Some(next) = redirected(&from, &response) else { return };
    assert!(!matches!(status, 300 | 304 | 404));
    check(&from, &next);
    // The next one leads further, seen from where this one led.
    if let Some(after) = redirected(&next, &response) {
        check(&next, &after);
    }
});

/// The response that a server sends with this Location, if that can be sent at all.
fn refusal(request: &ClientRequest, status: u16, location: &[u8]) -> Option<Response> {
    let mut handshake = ClientHandshake::new(Config::new(), request, [3; 16], [7; 32]);
    let mut input = Input::new();
    input.extend_from_slice(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nLocation: ").as_bytes());
    input.extend_from_slice(location);
    input.extend_from_slice(b"\r\n\r\n");
    match handshake.receive(&mut input) {
        Err(HandshakeError::Refused(response)) => Some(*response),
        _ => None,
    }
}

fn check(from: &ClientRequest, to: &ClientRequest) {
    let (from_uri, to_uri) = (from.uri(), to.uri());
    assert!(to_uri.is_secure() || !from_uri.is_secure(), "wss never becomes ws");
    assert!(!to_uri.authority().contains('@'), "a redirect brings no credentials");
    let again: Uri = to_uri.to_string().parse().expect("a URI is one when it is written");
    assert_eq!(again.to_string(), to_uri.to_string());

    let (from_head, to_head) = (head(from), head(to));
    let (from_lines, to_lines) = (Lines::new(&from_head), Lines::new(&to_head));
    let is_same = (from_uri.is_secure(), from_uri.port()) == (to_uri.is_secure(), to_uri.port())
        && from_uri.host().eq_ignore_ascii_case(to_uri.host());
    for name in SECRETS {
        let kept = if is_same { from_lines.values(name).count() } else { 0 };
        assert_eq!(to_lines.values(name).count(), kept, "{name} from {from_uri} to {to_uri}");
    }
    assert_eq!(to_lines.single("Host"), to_uri.authority());
    assert_eq!(to_lines.single("Origin"), "https://example.org");
}

fn head(request: &ClientRequest) -> Vec<u8> {
    let mut handshake = ClientHandshake::new(Config::new(), request, [3; 16], [7; 32]);
    handshake.output().chunk().to_vec()
}
