//! The opening handshake (RFC 6455 4): [`ClientHandshake`], [`ServerHandshake`],
//! and what servers of other HTTP versions need of them, in [`negotiate`].

use alloc::string::String;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use alphabet::TOKEN;

use crate::{Culprit, InvalidRequest, InvalidResponse};

pub mod negotiate;

mod alphabet;
mod answer;
mod client;
pub(crate) mod client_request;
pub(crate) mod head;
#[cfg(feature = "http")]
mod http;
mod http_date;
mod request;
mod response;
mod rules;
pub(crate) mod scan;
mod server;
mod target;
mod unsendable;
pub(crate) mod uri;

pub use client::ClientHandshake;
pub use client_request::ClientRequest;
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use http::Accepted;
pub use request::Request;
pub use response::Response;
pub use server::ServerHandshake;
pub use unsendable::UnsendableAnswer;
pub use uri::Uri;

/// The value of `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (RFC 6455 4.2.2).
///
/// ```
/// use tidewire::accept_key;
/// assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[must_use]
pub fn accept_key(key: &str) -> String {
    accept_value(key.as_bytes()).map(char::from).iter().collect()
}

fn accept_value(key: &[u8]) -> [u8; 28] {
    let digest =
        Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    base64(&digest)
}

/// The base64 form, with padding, which is `LEN` bytes long.
fn base64<const LEN: usize>(bytes: &[u8]) -> [u8; LEN] {
    let mut text = [0; LEN];
    let written = STANDARD.encode_slice(bytes, &mut text);
    debug_assert_eq!(written, Ok(LEN));
    text
}

/// RFC 9110 5.6.2: one or more characters that are neither controls nor separators.
fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && TOKEN.has_all(text)
}

/// True if two names or tokens differ in nothing but the case of their letters.
fn is_same(name: &[u8], other: &[u8]) -> bool {
    // Nearly all are written as in the RFCs, which takes a fraction of the time to see.
    name == other || name.eq_ignore_ascii_case(other)
}

/// The elements in a line of a comma-separated list whose elements hold no commas, as RFC 9110 5.6.1 wants a recipient to read it:
/// without surrounding whitespace, and without the empty ones.
fn elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b',').map(trim).filter(|element| !element.is_empty())
}

/// What is between optional whitespace (RFC 9110 5.6.3).
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// Why a header must not be sent.
enum InvalidHeader {
    Name(Culprit),
    Value(Culprit),
    Reserved(Culprit),
}

/// Checks a header that the application adds, before a byte of it is written.
fn check_header(name: &str, value: &str) -> Result<(), InvalidHeader> {
    // What decides over the handshake, and over where the head and its body end, is written by the handshake alone.
    const RESERVED: [&str; 5] = ["Host", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding"];
    const RESERVED_PREFIX: &str = "Sec-WebSocket-";

    let prefix = name.get(..RESERVED_PREFIX.len()).unwrap_or_default();
    if !is_token(name.as_bytes()) {
        Err(InvalidHeader::Name(Culprit::text(name)))
    // RFC 9110 5.5: text, whatever its alphabet. A control character could end the line.
    } else if value.chars().any(|c| c != '\t' && c.is_control()) {
        Err(InvalidHeader::Value(Culprit::text(name)))
    } else if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
        || prefix.eq_ignore_ascii_case(RESERVED_PREFIX)
    {
        Err(InvalidHeader::Reserved(Culprit::text(name)))
    } else {
        Ok(())
    }
}

impl From<InvalidHeader> for InvalidRequest {
    fn from(header: InvalidHeader) -> Self {
        match header {
            InvalidHeader::Name(name) => Self::InvalidHeaderName(name),
            InvalidHeader::Value(name) => Self::InvalidHeaderValue(name),
            InvalidHeader::Reserved(name) => Self::ReservedHeader(name),
        }
    }
}

impl From<InvalidHeader> for InvalidResponse {
    fn from(header: InvalidHeader) -> Self {
        match header {
            InvalidHeader::Name(name) => Self::InvalidHeaderName(name),
            InvalidHeader::Value(name) => Self::InvalidHeaderValue(name),
            InvalidHeader::Reserved(name) => Self::ReservedHeader(name),
        }
    }
}
