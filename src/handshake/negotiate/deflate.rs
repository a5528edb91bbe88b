//! permessage-deflate in the opening handshake (RFC 7692 5 and 7.1): offers, and what comes of them.

use alloc::string::String;

use super::{Extension, extensions};
use crate::config::deflate::{Agreement, Deflate, NAME, WINDOW_BITS};
use crate::{Culprit, HandshakeError};

/// What a server that asks for less by default lets a client have.
const DEFAULT_CLIENT_WINDOW_BITS: u8 = 12;

/// What a server agrees on: the first offer in the lines of `Sec-WebSocket-Extensions` that is valid and can be accepted; `None` if there is
/// none. Its [`Display`](Agreement) is the header of the answer (RFC 7692 5.1).
///
/// # Errors
/// [`InvalidExtensions`](HandshakeError::InvalidExtensions) if a line breaks the grammar (RFC 6455 9.1). An offer that breaks a rule of RFC
/// 7692 is declined, and no error.
///
/// ```
/// use tidewire::{Deflate, handshake::negotiate};
///
/// let agreement = negotiate::deflate(&Deflate::new(), &["permessage-deflate; client_max_window_bits"])?;
/// let header = agreement.map(|agreement| agreement.to_string());
/// assert_eq!(header.as_deref(), Some("permessage-deflate; client_max_window_bits=12"));
/// # Ok::<(), tidewire::HandshakeError>(())
/// ```
pub fn deflate(deflate: &Deflate, lines: &[&str]) -> Result<Option<Agreement>, HandshakeError> {
    let mut agreement = None;
    for line in lines {
        for extension in extensions(line) {
            let extension = extension?;
            agreement = agreement.or_else(|| accept(deflate, &extension));
        }
    }
    Ok(agreement)
}

/// What a client offers: the value of `Sec-WebSocket-Extensions` in its request (RFC 7692 5).
///
/// ```
/// use tidewire::{Deflate, handshake::negotiate};
///
/// assert_eq!(negotiate::deflate_offer(&Deflate::new()), "permessage-deflate; client_max_window_bits");
/// ```
#[must_use]
pub fn deflate_offer(deflate: &Deflate) -> String {
    use core::fmt::Write;

    let mut offer = String::from(NAME);
    if !deflate.peer_takeover() {
        offer.push_str("; server_no_context_takeover");
    }
    if !deflate.takeover() {
        offer.push_str("; client_no_context_takeover");
    }
    if let Some(bits) = offered_server_bits(deflate) {
        let written = write!(offer, "; server_max_window_bits={bits}");
        debug_assert!(written.is_ok());
    }
    // RFC 7692 7.1.2.2: without a value it says that the server may choose one. Browsers send it in this form.
    offer.push_str("; client_max_window_bits");
    offer
}

/// What a client has agreed on that sent [`deflate_offer`]: `None` if the lines of `Sec-WebSocket-Extensions` in the response are none.
///
/// # Errors
/// [`InvalidExtensions`](HandshakeError::InvalidExtensions) if a line breaks the grammar,
/// [`UnexpectedExtension`](HandshakeError::UnexpectedExtension) for a response that does not fit the offer (RFC 7692 5.1).
pub fn deflate_response(deflate: &Deflate, lines: &[&str]) -> Result<Option<Agreement>, HandshakeError> {
    let mut agreement = None;
    for line in lines {
        for extension in extensions(line) {
            let agreed = response(deflate, &extension?);
            // RFC 7692 5.1: the server accepts one offer.
            if agreed.is_none() || agreement.is_some() {
                return Err(HandshakeError::UnexpectedExtension(Culprit::text(line)));
            }
            agreement = agreed;
        }
    }
    if agreement.is_none() && !lines.is_empty() {
        return Err(HandshakeError::InvalidExtensions(Culprit::text(lines.concat())));
    }
    Ok(agreement)
}

/// The parameters of one extension named permessage-deflate, each at most once and with a valid value (RFC 7692 7.1).
#[derive(Default)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<ClientBits>,
}

/// RFC 7692 7.1.2.2: in an offer, the value may be missing.
#[derive(Clone, Copy)]
enum ClientBits {
    Any,
    AtMost(u8),
}

impl Parameters {
    /// `None` for another extension, and for what RFC 7692 5.1 wants declined or failed: an unknown parameter, a repeated one, an invalid value.
    fn new(extension: &Extension<'_>) -> Option<Self> {
        if extension.name() != NAME {
            return None;
        }
        let mut found = Self::default();
        for (name, value) in extension.parameters() {
            let is_repeated = match (name, value.as_deref()) {
                ("server_no_context_takeover", None) => {
                    core::mem::replace(&mut found.server_no_context_takeover, true)
                }
                ("client_no_context_takeover", None) => {
                    core::mem::replace(&mut found.client_no_context_takeover, true)
                }
                ("server_max_window_bits", Some(bits)) => {
                    found.server_max_window_bits.replace(window_bits(bits)?).is_some()
                }
                ("client_max_window_bits", bits) => {
                    let bits = match bits {
                        Some(bits) => ClientBits::AtMost(window_bits(bits)?),
                        None => ClientBits::Any,
                    };
                    found.client_max_window_bits.replace(bits).is_some()
                }
                _ => return None,
            };
            if is_repeated {
                return None;
            }
        }
        Some(found)
    }
}

/// RFC 7692 7.1.2: 8 to 15, in decimal and without leading zeros.
fn window_bits(digits: &str) -> Option<u8> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|bits| is_number && WINDOW_BITS.contains(bits))
}

/// A server's answer to one offer; `None` declines it.
pub(in crate::handshake) fn accept(deflate: &Deflate, offer: &Extension<'_>) -> Option<Agreement> {
    let offered = Parameters::new(offer)?;
    let max_client_bits = deflate.peer_window_bits().unwrap_or(DEFAULT_CLIENT_WINDOW_BITS);
    Some(Agreement {
        own: deflate.into(),
        // RFC 7692 7.1.1.1: what is offered is answered. Unasked, it lets the client free its window.
        server_no_context_takeover: offered.server_no_context_takeover || !deflate.takeover(),
        // 7.1.1.2: a hint in the offer, and binding in the answer.
        client_no_context_takeover: offered.client_no_context_takeover || !deflate.peer_takeover(),
        // 7.1.2.1: the same or a smaller one, if the client knows the parameter. Else the smaller window is used and not told.
        server_max_window_bits: offered.server_max_window_bits.map(|bits| bits.min(deflate.window_bits())),
        // 7.1.2.2: only if it is offered, and at most that.
        client_max_window_bits: offered.client_max_window_bits.map(|bits| match bits {
            ClientBits::Any => max_client_bits,
            ClientBits::AtMost(bits) => bits.min(max_client_bits),
        }),
    })
}

/// What a client agrees on by a server's response; `None` if that does not fit the offer.
fn response(deflate: &Deflate, response: &Extension<'_>) -> Option<Agreement> {
    let found = Parameters::new(response)?;
    // RFC 7692 7.1.1.1: the server must answer what was asked for.
    if !deflate.peer_takeover() && !found.server_no_context_takeover {
        return None;
    }
    // 7.1.2.1: at most what was offered, and a server may name its window unasked.
    if let Some(max) = offered_server_bits(deflate)
        && found.server_max_window_bits.is_none_or(|bits| bits > max)
    {
        return None;
    }
    let client_max_window_bits = match found.client_max_window_bits {
        None => None,
        Some(ClientBits::AtMost(bits)) => Some(bits),
        // 7.1.2.2: in a response it has a value.
        Some(ClientBits::Any) => return None,
    };
    Some(Agreement {
        own: deflate.into(),
        server_no_context_takeover: found.server_no_context_takeover,
        client_no_context_takeover: found.client_no_context_takeover,
        server_max_window_bits: found.server_max_window_bits,
        client_max_window_bits,
    })
}

/// What a client and a server with the same wish agree on.
#[cfg(any(feature = "blocking", feature = "tokio"))]
pub(crate) fn agree_with_itself(deflate: &Deflate) -> Option<Agreement> {
    let offer = deflate_offer(deflate);
    extensions(&offer).next()?.ok().and_then(|offer| accept(deflate, &offer))
}

/// The window to which a client holds the server, unless it may be as large as there is.
fn offered_server_bits(deflate: &Deflate) -> Option<u8> {
    deflate.peer_window_bits().filter(|bits| bits < WINDOW_BITS.end())
}
