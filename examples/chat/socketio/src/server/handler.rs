//! What is above Engine.IO.

use std::time::Instant;

use crate::engine::{CloseReason, Message};
use crate::server::link::Link;

/// Takes the messages of all sessions. Its calls for one session come one after the other, and should be short.
pub trait Handler: Send + Sync + 'static {
    /// What it keeps for each session.
    type Connection: Send + 'static;

    /// A session was opened. What is sent here goes out with the handshake.
    fn open(&self, link: &Link) -> Self::Connection;

    /// A message arrived.
    ///
    /// # Errors
    /// Ends the session at once, for this reason.
    fn message(&self, connection: &mut Self::Connection, message: Message<'_>) -> Result<(), CloseReason>;

    /// When [`handle_timeout`](Self::handle_timeout) is to be called; asked after each message and after [`Link::wake`].
    fn poll_timeout(&self, _connection: &Self::Connection) -> Option<Instant> {
        None
    }

    /// Does what is due.
    fn handle_timeout(&self, _connection: &mut Self::Connection, _now: Instant) {}

    /// The session has ended; the last call for it.
    fn close(&self, connection: &mut Self::Connection, reason: CloseReason);
}
