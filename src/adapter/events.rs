//! What a subscriber of `tracing` hears of connections: each event is emitted here, and nowhere else.
//!
//! None is emitted while a lock of the halves is held: a subscriber may send what it hears to a peer. No text of the peer is in them.

use core::fmt;

use tracing::field::display;
use tracing::{debug, info};

use crate::connection::state::{Ending, Party};
use crate::{Error, ProxyError, Receiver, TimedOut};

/// An opening handshake came to nothing.
pub(crate) fn not_opened(is_server: bool, error: &Error) {
    let role = role(is_server);
    let kind;
    let reason: &dyn fmt::Display = match error {
        Error::TimedOut(which) => return timed_out(is_server, *which),
        Error::Handshake(error) => match error.status() {
            Some(status) => return refused(is_server, status, error.rule()),
            None => &error.rule(),
        },
        Error::Proxy(ProxyError::Refused(status)) => return refused(is_server, *status, "proxy"),
        Error::Proxy(ProxyError::AuthenticationRequired) => return refused(is_server, 407, "proxy"),
        Error::Proxy(_) => &"proxy",
        Error::Io(error) => {
            kind = error.kind();
            &kind
        }
        Error::Tls(_) => &"TLS",
        Error::TlsNeeded => &"TLS needed",
        Error::InvalidRequest(_) => &"invalid request",
        Error::InvalidResponse(_) => &"invalid response",
        Error::Protocol(_) | Error::ClosedByPeer(_) | Error::Send(_) => &"connection",
    };
    debug!(target: "tidewire", role, reason = display(reason), "failed");
}

/// The answer to a request was another than 101.
pub(crate) fn refused(is_server: bool, status: u16, reason: &str) {
    info!(target: "tidewire", role = role(is_server), status, reason, "refused");
}

/// A deadline has passed.
pub(crate) fn timed_out(is_server: bool, which: TimedOut) {
    let which = match which {
        TimedOut::Open => "open",
        TimedOut::Keepalive => "keepalive",
        TimedOut::Write => "write",
        TimedOut::Close => "close",
    };
    info!(target: "tidewire", role = role(is_server), which, "timed out");
}

/// The life of a connection, which has one beginning and one end.
#[derive(Debug, Default)]
pub(crate) struct Life {
    is_open: bool,
    is_server: bool,
}

impl Life {
    /// It has begun.
    pub(crate) fn begin(&mut self, receiver: &Receiver, subprotocol: Option<&str>) {
        *self = Self { is_open: true, is_server: receiver.is_server() };
        let role = role(self.is_server);
        #[cfg(feature = "deflate")]
        let compression = receiver.agreement().map(display);
        #[cfg(not(feature = "deflate"))]
        let compression = None::<&str>;
        debug!(target: "tidewire", role, subprotocol, compression, "opened");
    }

    /// True while the end is still to be told.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// The transport has ended. `is_told` if its timeout has been told already.
    pub(crate) fn end(&mut self, ending: Option<&Ending>, error: Option<&Error>, is_told: bool) {
        if !core::mem::take(&mut self.is_open) {
            return;
        }
        if let Some(Error::TimedOut(which)) = error
            && !is_told
        {
            timed_out(self.is_server, *which);
        }
        let kind;
        let reason: Option<&dyn fmt::Display> = match error {
            Some(Error::Protocol(error)) => Some(error),
            Some(Error::TimedOut(error)) => Some(error),
            Some(Error::Io(error)) => {
                kind = error.kind();
                Some(&kind)
            }
            // Its reason is the peer's text.
            _ => None,
        };
        let code = ending.map_or(1006, Ending::code);
        let sent = ending.and_then(Ending::sent).map(u16::from);
        let initiator = match ending.map_or(Party::Peer, Ending::initiator) {
            Party::Local => "local",
            Party::Peer => "peer",
        };
        let clean = ending.is_some_and(Ending::is_clean);
        self.closed(clean, code, sent, initiator, reason);
    }

    fn closed(
        &self,
        clean: bool,
        code: u16,
        sent: Option<u16>,
        initiator: &str,
        reason: Option<&dyn fmt::Display>,
    ) {
        let role = role(self.is_server);
        let reason = reason.map(display);
        if clean {
            debug!(target: "tidewire", role, code, sent, initiator, clean, reason, "closed");
        } else {
            info!(target: "tidewire", role, code, sent, initiator, clean, reason, "closed");
        }
    }

    /// It goes on elsewhere.
    pub(crate) fn leave(&mut self) {
        self.is_open = false;
    }
}

/// The program has dropped the connection.
impl Drop for Life {
    fn drop(&mut self) {
        if self.is_open {
            self.closed(false, 1006, None, "local", Some(&"dropped"));
        }
    }
}

fn role(is_server: bool) -> &'static str {
    if is_server { "server" } else { "client" }
}
