//! [`Queue`]: what may be sent while an event is lent.

use core::fmt;

use crate::{CloseBody, Outgoing, SendError, Sender};

/// The output of a connection, lent beside an event: it queues, and does nothing else.
///
/// The next method of the socket that waits writes it.
pub struct Queue<'q> {
    sender: &'q mut Sender,
}

impl<'q> Queue<'q> {
    #[inline]
    pub(crate) fn new(sender: &'q mut Sender) -> Self {
        Self { sender }
    }

    /// Queues a message.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`UnfinishedMessage`](SendError::UnfinishedMessage) or
    /// [`OutputFull`](SendError::OutputFull); nothing is queued then.
    #[inline]
    pub fn queue<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), SendError> {
        self.sender.send(message)
    }

    /// Queues a fragment of a message; `last` ends the message (RFC 6455 5.4).
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`MixedFragments`](SendError::MixedFragments) or
    /// [`OutputFull`](SendError::OutputFull); nothing is queued then.
    pub fn queue_fragment<'m>(&mut self, part: impl Into<Outgoing<'m>>, last: bool) -> Result<(), SendError> {
        self.sender.send_fragment(part, last)
    }

    /// Queues a ping (RFC 6455 5.5.2).
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`PingTooLong`](SendError::PingTooLong) above 125 bytes, or
    /// [`OutputFull`](SendError::OutputFull); nothing is queued then.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.sender.ping(payload)
    }

    /// Queues a Close frame, which begins the closing handshake (RFC 6455 7.1.2). Does nothing the second time.
    pub fn close(&mut self, body: impl Into<CloseBody>) {
        self.sender.close(body);
    }

    /// True while the output is below [`Config::high_water_len`](crate::Config::high_water_len): a good moment to queue.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }
}

impl fmt::Debug for Queue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("queued_len", &self.sender.queued_len()).finish()
    }
}
