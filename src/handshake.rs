//! The opening handshake (RFC 6455 4): [`ClientHandshake`], [`ServerHandshake`],
//! and what servers of other HTTP versions need of them, in [`negotiate`].

use alloc::string::{String, ToString};

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::{InvalidRequest, InvalidResponse};

pub mod negotiate;

mod answer;
mod client;
mod client_request;
mod head;
mod request;
mod response;
mod server;
mod uri;

pub use client::ClientHandshake;
pub use client_request::ClientRequest;
pub use request::Request;
pub use response::Response;
pub use server::ServerHandshake;
pub use uri::Uri;

/// The value of `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (RFC 6455 4.2.2).
///
/// ```
/// use tidewire::accept_key;
/// assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[must_use]
pub fn accept_key(key: &str) -> String {
    let digest =
        Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    Base64Display::new(&digest, &STANDARD).to_string()
}

/// RFC 9110 5.6.2: one or more characters that are neither controls nor separators.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The elements of a comma-separated list whose elements hold no commas, as RFC 9110 5.6.1 wants a recipient to read it: over
/// all lines of the header, without surrounding whitespace, and without the empty ones.
fn elements<'v>(lines: impl IntoIterator<Item = &'v str>) -> impl Iterator<Item = &'v str> {
    let all = lines.into_iter().flat_map(|line| line.split(','));
    all.map(|element| element.trim_matches([' ', '\t'])).filter(|element| !element.is_empty())
}

/// Why a header must not be sent.
enum InvalidHeader {
    Name,
    Value,
    Reserved,
}

/// Checks a header that the application adds, before a byte of it is written.
fn check_header(name: &str, value: &str) -> Result<(), InvalidHeader> {
    // What decides over the handshake, and over where the head and its body end, is written by the handshake alone.
    const RESERVED: [&str; 5] = ["Host", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding"];
    const RESERVED_PREFIX: &str = "Sec-WebSocket-";

    let prefix = name.get(..RESERVED_PREFIX.len()).unwrap_or_default();
    if !is_token(name) {
        Err(InvalidHeader::Name)
    } else if !value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
        Err(InvalidHeader::Value)
    } else if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
        || prefix.eq_ignore_ascii_case(RESERVED_PREFIX)
    {
        Err(InvalidHeader::Reserved)
    } else {
        Ok(())
    }
}

impl From<InvalidHeader> for InvalidRequest {
    fn from(header: InvalidHeader) -> Self {
        match header {
            InvalidHeader::Name => Self::InvalidHeaderName,
            InvalidHeader::Value => Self::InvalidHeaderValue,
            InvalidHeader::Reserved => Self::ReservedHeader,
        }
    }
}

impl From<InvalidHeader> for InvalidResponse {
    fn from(header: InvalidHeader) -> Self {
        match header {
            InvalidHeader::Name => Self::InvalidHeaderName,
            InvalidHeader::Value => Self::InvalidHeaderValue,
            InvalidHeader::Reserved => Self::ReservedHeader,
        }
    }
}
