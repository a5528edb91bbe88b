//! Every head of the handshake's tests, over sockets: hyper and axum answer it as the plain server does.
//!
//! Those tests are here once more, with a `serve` that asks the programs, too.

// The tests know what they share by this name.
extern crate self as support;

mod common;
#[path = "common/over_http_2.rs"]
mod over_http_2;

#[path = "../../../tests/handshake"]
mod handshake_tests {
    pub(crate) mod negotiate;
    pub(crate) mod server;
}
#[path = "../../../tests/hostile"]
mod hostile_tests {
    mod broken_heads;
    mod origins;
}

pub(crate) use handshake_tests::server;
pub(crate) use tests_support::{counting, wire};

use std::sync::OnceLock;

use common::{Answer, Server, exchange};
use tidewire::{Config, Deflate, HandshakeError, Input, ServerHandshake};

/// A server of each kind, for all tests.
fn programs() -> &'static [(Server, bool); 2] {
    static PROGRAMS: OnceLock<[(Server, bool); 2]> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        [
            (Server::start(env!("CARGO_BIN_EXE_hyper_server"), &[]), false),
            (Server::start(env!("CARGO_BIN_EXE_axum_server"), &[]), true),
        ]
    })
}

pub(crate) mod handshake {
    use tidewire::{Config, Input, Origins, Request, ServerHandshake};

    pub(crate) use tests_support::handshake::*;

    /// In place of the function of that name: it asks the programs, too, which have the default settings.
    pub(crate) fn serve(config: Config, origins: &Origins, bytes: &[u8], eof: bool) -> Outcome<Request> {
        let (mut handshake, mut input) =
            (ServerHandshake::new(config).with_origins(origins.clone()), Input::new());
        input.extend_from_slice(bytes);
        if eof {
            input.set_eof();
        }
        let result = handshake.receive(&mut input);
        let output = drain(&mut handshake.into_refusal());
        let outcome = Outcome { result, unread: input.unread().to_vec(), output };
        if config == Config::new() && *origins == Origins::same() && !matches!(outcome.result, Ok(None)) {
            super::ask_programs(bytes, outcome.result.as_ref().map(drop));
            crate::over_http_2::ask_programs(bytes, outcome.result.as_ref().map(drop));
        }
        outcome
    }
}

/// The handshake of the programs.
fn handshake_of_programs() -> ServerHandshake {
    ServerHandshake::new(Config::new().with_deflate(Deflate::new()))
}

/// What the plain server answers.
fn plain_answer(bytes: &[u8]) -> Answer {
    let mut handshake = handshake_of_programs();
    let mut input = Input::new();
    input.extend_from_slice(bytes);
    let output = match handshake.receive(&mut input) {
        Ok(request) => tests_support::handshake::drain(
            &mut request.expect("complete").accept(None, &[]).expect("accepted"),
        ),
        Err(_) => handshake.output().chunk().to_vec(),
    };
    Answer::parse(&output).expect("an answer").0
}

/// An empty text, which often follows a head, and its echo.
const FRAME: &[u8] = b"\x81\x80then";
const ECHO: &[u8] = b"\x81\x00";

fn ask_programs(bytes: &[u8], plain: Result<(), &HandshakeError>) {
    let request = tests_support::http::request(bytes);
    for (server, is_axum) in programs() {
        let path = request.as_ref().map(|request| request.uri().path());
        // axum has a route for WebSocket, and hyper a page at the root.
        let is_elsewhere = match path {
            Some(path) if *is_axum => path != "/chat",
            Some("/") => matches!(plain, Err(HandshakeError::UpgradeRequired(_))),
            _ => false,
        };
        if is_elsewhere {
            continue;
        }
        let is_judged = request.is_some() && !plain.as_ref().is_err_and(|error| is_refused_first(error));
        let extra = if plain.is_ok() && bytes.ends_with(FRAME) { ECHO } else { b"" };
        // Whatever the library takes for an unfinished head ends with the transport.
        let answered = exchange(server.address, bytes, !is_judged, extra.len());
        let shown = String::from_utf8_lossy(bytes);
        if is_judged {
            let (mut answer, rest) = answered.expect(&shown);
            let mut expected = plain_answer(bytes);
            if bytes.starts_with(b"HEAD ") {
                (answer.body, expected.body) = (Vec::new(), Vec::new());
            }
            assert_eq!(answer, expected, "{shown}");
            assert!(plain.is_err() || rest == extra, "{shown}");
        } else if plain.is_ok() || is_lenient(bytes) {
            // What its types do not hold as it is, or forgive. Without its fragment a target may have no route.
            assert!(
                answered.is_none_or(|(answer, _)| [101, 200, 400, 404, 426].contains(&answer.status)),
                "{shown}"
            );
        } else {
            assert!(answered.is_none_or(|(answer, _)| answer.status >= 400), "{shown}");
        }
    }
}

/// True if the head is wrong in a way that hyper forgives: LF alone, empty lines before the head, or a fragment, which it drops.
fn is_lenient(bytes: &[u8]) -> bool {
    let target = bytes.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
    bytes.starts_with(b"\r\n")
        || target.contains(&b'#')
        || bytes.split(|&byte| byte == b'\n').rev().skip(1).any(|line| !line.ends_with(b"\r"))
}

/// True if the error may be another library's in place of this one's.
fn is_refused_first(error: &HandshakeError) -> bool {
    matches!(
        error,
        HandshakeError::MalformedHead(_)
            | HandshakeError::UnexpectedTls
            | HandshakeError::UnexpectedEof
            | HandshakeError::RequestLineTooLong { .. }
            | HandshakeError::HeadTooLong { .. }
            | HandshakeError::TooManyHeaders { .. }
            | HandshakeError::UnsupportedHttpVersion(_)
            | HandshakeError::RequestBody(_)
    )
}
