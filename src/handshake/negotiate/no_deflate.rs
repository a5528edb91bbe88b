//! In place of `deflate.rs` where the feature is off: nobody has a wish.

use alloc::string::String;

use super::Extension;
use crate::HandshakeError;
use crate::config::deflate::{Agreement, Deflate};

pub(in crate::handshake) fn accept(deflate: &Deflate, _: &Extension<'_>) -> Option<Agreement> {
    match *deflate {}
}

pub(in crate::handshake) fn deflate_offer(deflate: &Deflate) -> String {
    match *deflate {}
}

pub(in crate::handshake) fn deflate_response(
    deflate: &Deflate,
    _: &[&str],
) -> Result<Option<Agreement>, HandshakeError> {
    match *deflate {}
}

#[cfg(any(feature = "blocking", feature = "tokio"))]
pub(crate) fn agree_with_itself(deflate: &Deflate) -> Option<Agreement> {
    match *deflate {}
}
