//! permessage-deflate (RFC 7692) on a connection: [`Inflation`] of what is received, [`Compression`] of what is sent.
//!
//! An engine of DEFLATE takes 48 KB to inflate and up to 500 KB to compress, so no connection has one of its own. Between messages it has
//! only the end of what was said, its [`History`]. For each message it borrows an engine of the process and tells it the history.
//!
//! ```text
//! message ---> engine, with the connection's history ---> message
//!                 |                                          |
//!                 +--- back to the process                   +--- its end becomes the history
//! ```
//!
//! An engine knows by a number whose message it did last. If that is the same connection, it goes on where it was.

mod compression;
mod engines;
mod history;
mod inflation;

pub(crate) use compression::{Compression, Deflater, PreparedOnce};
pub(crate) use inflation::{Inflated, Inflation, Progress};

use alloc::boxed::Box;

use crate::config::deflate::Agreement;
use engines::Stream;
use history::History;

/// What was agreed for one direction.
#[derive(Clone, Copy)]
struct Direction {
    window_bits: u8,
    takeover: bool,
}

impl Direction {
    /// RFC 7692 7.1: the parameters are named for the side that compresses.
    fn new(agreement: Agreement, from_server: bool) -> Self {
        if from_server {
            let takeover = !agreement.server_no_context_takeover();
            Self { window_bits: agreement.server_max_window_bits(), takeover }
        } else {
            let takeover = !agreement.client_no_context_takeover();
            Self { window_bits: agreement.client_max_window_bits(), takeover }
        }
    }

    fn window_len(self) -> usize {
        1 << self.window_bits
    }
}

/// What a message may refer to. A connection has it from its first compressed message on, and without takeover during one.
#[derive(Default)]
struct Past {
    history: History,
    /// Under which an engine may know the history.
    stream: Option<Stream>,
}

impl Past {
    fn history(past: &Option<Box<Self>>) -> Option<&History> {
        past.as_ref().map(|past| &past.history)
    }

    fn stream(past: &Option<Box<Self>>) -> Option<Stream> {
        past.as_ref().and_then(|past| past.stream)
    }
}

/// RFC 7692 7.2.1: a compressed message ends with an empty stored block, whose last four bytes are not sent.
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
