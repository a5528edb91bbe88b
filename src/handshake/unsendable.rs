//! [`UnsendableAnswer`]: what a server's application asked for and the client does not get.

use alloc::boxed::Box;
use alloc::string::String;

use thiserror::Error;

use super::answer;
use crate::connection::Connection;
use crate::{Config, InvalidResponse};

/// An answer that must not be sent, for which the client gets 500.
///
/// The request is answered with this: write the output of [`into_refusal`](Self::into_refusal) to the transport.
#[derive(Debug, Error)]
#[error("the answer cannot be sent, so the client gets 500")]
pub struct UnsendableAnswer {
    #[source]
    reason: InvalidResponse,
    refusal: Box<Connection>,
}

impl UnsendableAnswer {
    pub(super) fn new(config: Config, reason: InvalidResponse) -> Self {
        const HEADERS: &[(&str, &str)] = &[("Content-Type", "text/plain")];
        let answer = answer::refusal(500, HEADERS, (String::from(answer::FAILED) + "\n").as_bytes());
        Self { reason, refusal: Connection::refused(config, answer).into() }
    }

    /// Why the answer cannot be sent.
    #[must_use]
    pub fn reason(&self) -> &InvalidResponse {
        &self.reason
    }

    /// What delivers the 500: a connection that is over, and closes the transport such that the client can read the answer.
    #[must_use]
    pub fn into_refusal(self) -> Connection {
        *self.refusal
    }
}
