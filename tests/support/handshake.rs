//! Both sides of the opening handshake, each run under every chunking of the bytes that it gets.

use bytes::Buf;
use tidewire::{
    ClientHandshake, ClientRequest, Config, Connection, HandshakeError, Input, Origins, Request, Response,
    ServerHandshake,
};

pub use crate::kind::{failure, kind};

/// The nonce whose key is that of RFC 6455 1.3.
pub const NONCE: [u8; 16] = *b"the sample nonce";

/// A valid request, up to the empty line.
pub const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// A valid response to [`NONCE`], up to the empty line.
pub const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

/// `head` with further header lines, and complete.
pub fn with(head: &str, lines: &str) -> String {
    format!("{head}{lines}\r\n")
}

/// `head` without the lines of a header, with others instead, and complete.
pub fn replaced(head: &str, name: &str, lines: &str) -> String {
    let is_other = |line: &&str| !line.starts_with(&format!("{name}:"));
    let kept: String = head.split_inclusive("\r\n").filter(is_other).collect();
    assert_ne!(kept, head, "{name} is in the head");
    with(&kept, lines)
}

/// Up to this length, an input is split at every offset.
const MAX_SPLIT_LEN: usize = 4096;

/// Whole, byte by byte, in two at every offset, and in pieces of random lengths, most of them short.
pub fn chunkings(bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let len = bytes.len();
    // A long input is split near its ends.
    let is_split = move |at: &usize| len <= MAX_SPLIT_LEN || *at <= 16 || len - at <= 2;
    let splits = (1..len).filter(is_split).map(|at| vec![&bytes[..at], &bytes[at..]]);
    let random = (1..=6).map(|seed| random_chunks(bytes, seed));
    [vec![bytes], bytes.chunks(1).collect()].into_iter().chain(splits).chain(random)
}

/// The odd seeds make pieces of 1 to 32 bytes, the even ones of 1 to 512.
fn random_chunks(bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let (mut state, mut rest, mut chunks) = (seed, bytes, Vec::new());
    let bits = if seed.is_multiple_of(2) { 9 } else { 5 };
    while !rest.is_empty() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (chunk, after) = rest.split_at(rest.len().min((state >> (64 - bits)) as usize + 1));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

/// What a handshake made of some bytes.
pub struct Outcome<T> {
    /// `None` if it wants more.
    pub result: Result<Option<T>, HandshakeError>,
    /// What it left unread.
    pub unread: Vec<u8>,
    /// What its output held at the end.
    pub output: Vec<u8>,
}

/// The outcome on the server, which is the same for every chunking of `bytes`.
pub fn serve(config: Config, origins: &Origins, bytes: &[u8], eof: bool) -> Outcome<Request> {
    let run = |chunks: &[&[u8]]| {
        let mut handshake = ServerHandshake::new(config).with_origins(origins.clone());
        let (result, input) = feed(chunks, eof, |input| handshake.receive(input));
        assert_eq!(
            handshake.receive(&mut Input::new()).err(),
            result.as_ref().err().cloned(),
            "errors are sticky"
        );
        Outcome { result, unread: input.unread().to_vec(), output: drain(&mut handshake.into_refusal()) }
    };
    let outcome = same_for_every_chunking(bytes, run, |request| {
        (request.target().to_owned(), request.host().to_owned(), request.headers().count())
    });
    #[cfg(feature = "http")]
    crate::http::judges_the_same(config, origins, bytes, &outcome);
    outcome
}

/// The outcome on the client, which is the same for every chunking of `bytes`.
pub fn connect(
    config: Config,
    request: &ClientRequest,
    bytes: &[u8],
    eof: bool,
) -> Outcome<(Connection, Response)> {
    let run = |chunks: &[&[u8]]| {
        let mut handshake = ClientHandshake::new(config, request, NONCE, [7; 32]);
        let len = handshake.output().len();
        handshake.output().advance(len);
        let (result, input) = feed(chunks, eof, |input| handshake.receive(input));
        assert_eq!(
            handshake.receive(&mut Input::new()).err(),
            result.as_ref().err().cloned(),
            "errors are sticky"
        );
        Outcome { result, unread: input.unread().to_vec(), output: handshake.output().chunk().to_vec() }
    };
    same_for_every_chunking(bytes, run, |(_, response)| response.clone())
}

/// Everything in a connection's output.
pub fn drain(connection: &mut Connection) -> Vec<u8> {
    let len = connection.output().len();
    connection.output().copy_to_bytes(len).to_vec()
}

/// Hands the chunks over, one by one, and the rest of them once there is a result.
fn feed<T>(
    chunks: &[&[u8]],
    eof: bool,
    mut receive: impl FnMut(&mut Input) -> Result<Option<T>, HandshakeError>,
) -> (Result<Option<T>, HandshakeError>, Input) {
    let mut input = Input::new();
    let mut result = Ok(None);
    for chunk in chunks {
        input.extend_from_slice(chunk);
        if matches!(result, Ok(None)) {
            result = receive(&mut input);
        }
    }
    if eof {
        input.set_eof();
        if matches!(result, Ok(None)) {
            result = receive(&mut input);
        }
    }
    (result, input)
}

fn same_for_every_chunking<T, E: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    run: impl Fn(&[&[u8]]) -> Outcome<T>,
    essence: impl Fn(&T) -> E,
) -> Outcome<T> {
    let mut outcomes = chunkings(bytes).map(|chunks| run(&chunks));
    let first = outcomes.next().expect("the whole");
    for other in outcomes {
        let [a, b] =
            [&first, &other].map(|outcome| outcome.result.as_ref().map(|some| some.as_ref().map(&essence)));
        assert_eq!(a, b);
        assert_eq!(first.output, other.output);
        // After an error the input is of no more use, and where it was noticed does not matter.
        assert!(a.is_err() || first.unread == other.unread);
    }
    first
}
