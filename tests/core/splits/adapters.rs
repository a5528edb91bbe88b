//! The adapters come to what the core comes to, however short their reads and writes are.

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use tidewire::{Error, ProtocolError, accept_key};

use crate::splits::connection::{Start, Trace, whole};
use crate::splits::frames::{self, cases, encode, role};
use crate::splits::heads;
use support::handshake::NONCE;
use support::written::Written;

/// The nonce of the request that has been written, once that is complete.
fn nonce(written: &[u8]) -> Option<[u8; 16]> {
    let head = str::from_utf8(written.get(..position(written, b"\r\n\r\n")?)?).ok()?;
    let key = head.split("Sec-WebSocket-Key: ").nth(1)?.lines().next()?;
    let mut nonce = [0; 18];
    assert_eq!(STANDARD.decode_slice(key, &mut nonce), Ok(16));
    nonce.first_chunk().copied()
}

/// What a server says to a client with this nonce instead of the sample one, for which `bytes` are.
fn answer(bytes: &[u8], nonce: [u8; 16]) -> Vec<u8> {
    let accept = |nonce: [u8; 16]| accept_key(&Base64Display::new(&nonce, &STANDARD).to_string()).to_string();
    let (from, to) = (accept(NONCE).into_bytes(), accept(nonce).into_bytes());
    let mut bytes = bytes.to_vec();
    while let Some(at) = position(&bytes, &from) {
        bytes[at..at + to.len()].copy_from_slice(&to);
    }
    bytes
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

impl Trace {
    fn end(&mut self, error: Error) {
        match error {
            Error::Protocol(error) => self.error = Some(error),
            Error::Handshake(error) => self.opened = Some(Err(error)),
            // Which the last event has told.
            Error::ClosedByPeer(_) => {}
            other => panic!("{other}"),
        }
    }
}

/// Asserts that an adapter has come to what the core comes to.
#[track_caller]
fn assert_agrees(start: Start, bytes: &[u8], adapter: Trace, reads_ahead: bool) {
    // A client of an adapter has a nonce of its own.
    let (start, bytes) = match (start, nonce(&adapter.output)) {
        (Start::Client(_), Some(nonce)) => (Start::Client(nonce), &answer(bytes, nonce)[..]),
        _ => (start, bytes),
    };
    let core = whole(start, bytes, true);
    assert_eq!(
        (&adapter.opened, &adapter.events, adapter.error),
        (&core.opened, &core.events, core.error),
        "{start:?} {bytes:?}"
    );
    let [got, expected] = [adapter.output, core.output].map(Written::new);
    if reads_ahead && core.error == Some(ProtocolError::UnexpectedEof) {
        // What was not written before the end of the stream never will be.
        assert!(got.is_start_of(&expected), "{start:?} {bytes:?}");
    } else {
        assert_eq!(got, expected, "{start:?} {bytes:?}");
    }
    if !matches!(core.opened, Some(Err(_))) {
        assert_eq!(adapter.closure, core.closure);
    }
}

/// Streams of every kind.
fn any_stream() -> impl Strategy<Value = (Start, Vec<u8>)> {
    let valid =
        (role(), frames::valid()).prop_map(|(role, (frames, _))| (Start::Open(role), encode(role, &frames)));
    let mutated = frames::mutated().prop_map(|(role, bytes)| (Start::Open(role), bytes));
    let opening = role().prop_flat_map(|role| {
        let bytes = prop_oneof![heads::valid(role), heads::mutated(role)];
        bytes.prop_map(move |bytes| (Start::opening(role), bytes))
    });
    prop_oneof![valid, mutated, opening]
}

#[cfg(feature = "tokio")]
mod tokio_adapter {
    use std::time::Duration;

    use tidewire::tokio::{Incoming, WebSocket, client_with};
    use tidewire::{Error, Input, ServerHandshake};

    use super::*;
    use crate::splits::connection::{client_request, config, echo};
    use support::tokio_stream::{Peer, Script, Stream, block_on, scripted};

    async fn open(start: Start, stream: Stream, trace: &mut Trace) -> Result<WebSocket<Stream>, Error> {
        match start {
            Start::Open(role) => Ok(WebSocket::from_parts(stream, role.connection(config()), Input::new())),
            Start::Server => {
                let incoming = Incoming::receive(stream, ServerHandshake::new(config())).await?;
                trace.opened = Some(Ok(incoming.request().into()));
                incoming.accept(None, &[]).await
            }
            Start::Client(_) => {
                let socket = client_with(stream, &client_request(), config()).await?;
                trace.opened = socket.response().map(|response| Ok(response.into()));
                Ok(socket)
            }
        }
    }

    async fn receive(start: Start, stream: Stream, trace: &mut Trace) -> Result<(), Error> {
        let mut socket = open(start, stream, trace).await?;
        let mut result = Ok(());
        loop {
            match socket.recv_ref().await {
                Ok(Some((event, mut output))) => {
                    if let Some(echo) = echo(&event) {
                        output.queue(&echo)?;
                    }
                    trace.events.push(event.into());
                }
                Ok(None) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        trace.closure = socket.ending();
        result
    }

    async fn talk(start: Start, peer: &Peer, bytes: &[u8]) {
        if let Start::Client(_) = start {
            let nonce = loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                if let Some(nonce) = nonce(&peer.log()) {
                    break nonce;
                }
            };
            peer.send(answer(bytes, nonce));
        } else {
            peer.send(bytes);
        }
        peer.end();
    }

    fn trace(start: Start, bytes: &[u8], script: Script) -> Trace {
        let (stream, peer) = scripted(script);
        let mut trace = Trace::default();
        let (result, ()) =
            block_on(async { tokio::join!(receive(start, stream, &mut trace), talk(start, &peer, bytes)) });
        if let Err(error) = result {
            trace.end(error);
        }
        trace.output = peer.log();
        trace
    }

    proptest! {
        #![proptest_config(cases(100))]

        #[test]
        fn short_reads_and_writes_make_no_difference((start, bytes) in any_stream(), read in 1..40usize, write in 1..40usize) {
            for script in Script::ALL.into_iter().chain([
                Script::SMOOTH.with_steps(read, write),
                Script::SMOOTH.with_steps(read, write).with_pending().with_vectored(),
                Script::SMOOTH.with_steps(1, usize::MAX),
                Script::SMOOTH.with_steps(usize::MAX, 1),
            ]) {
                assert_agrees(start, &bytes, trace(start, &bytes, script), script.pendings > 0);
            }
        }
    }
}

#[cfg(feature = "blocking")]
mod blocking_adapter {
    use std::mem::replace;

    use tidewire::blocking::{Incoming, WebSocket, client_with};
    use tidewire::{Error, Input, ServerHandshake};

    use super::*;
    use crate::splits::connection::{client_request, config, echo};
    use support::blocking_stream::Scripted;

    fn open(start: Start, stream: Scripted, trace: &mut Trace) -> Result<WebSocket<Scripted>, Error> {
        match start {
            Start::Open(role) => Ok(WebSocket::from_parts(stream, role.connection(config()), Input::new())),
            Start::Server => {
                let incoming = Incoming::receive(stream, ServerHandshake::new(config()))?;
                trace.opened = Some(Ok(incoming.request().into()));
                incoming.accept(None, &[])
            }
            Start::Client(_) => {
                let socket = client_with(stream, &client_request(), config())?;
                trace.opened = socket.response().map(|response| Ok(response.into()));
                Ok(socket)
            }
        }
    }

    fn receive(start: Start, stream: Scripted, trace: &mut Trace) -> Result<(), Error> {
        let mut socket = open(start, stream, trace)?;
        let result = loop {
            match socket.recv_ref() {
                Ok(Some((event, mut output))) => {
                    if let Some(echo) = echo(&event) {
                        output.queue(&echo)?;
                    }
                    trace.events.push(event.into());
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        trace.closure = socket.ending();
        result
    }

    /// A stream on which the bytes arrive, to a client when it has sent its request.
    fn stream(start: Start, bytes: &[u8]) -> Scripted {
        if let Start::Client(_) = start {
            let (bytes, mut request, mut answered) = (bytes.to_vec(), Vec::new(), false);
            return Scripted::new([]).with_peer(move |written| {
                request.extend_from_slice(written);
                match nonce(&request) {
                    Some(nonce) if !replace(&mut answered, true) => answer(&bytes, nonce),
                    _ => Vec::new(),
                }
            });
        }
        Scripted::new(bytes)
    }

    proptest! {
        #![proptest_config(cases(100))]

        #[test]
        fn short_reads_and_writes_make_no_difference((start, bytes) in any_stream(), read in 1..40usize, write in 1..40usize) {
            const MAX: usize = usize::MAX;
            for (read, write) in [(MAX, MAX), (1, 1), (1, MAX), (MAX, 1), (read, write)] {
                let stream = stream(start, &bytes).with_lens(read, write);
                let mut trace = Trace::default();
                if let Err(error) = receive(start, stream.clone(), &mut trace) {
                    trace.end(error);
                }
                trace.output = stream.take_written();
                // A write that takes long lets reads go first.
                assert_agrees(start, &bytes, trace, true);
            }
        }
    }
}
