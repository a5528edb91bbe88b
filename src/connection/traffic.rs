//! [`Traffic`]: how much one direction of a connection has carried.

/// How much went in one direction since the connection was opened, for metrics.
///
/// [`Connection::received`](crate::Connection::received) and [`Connection::sent`](crate::Connection::sent) return one each, and so do the
/// sockets. The counters only grow. Take a copy now and then, and add the difference to the totals of your program.
///
/// ```
/// use tidewire::{Config, Connection};
///
/// let mut server = Connection::server(Config::new());
/// server.send("Hello")?;
/// server.send_fragment(b"two", false)?;
/// server.send_fragment(b" parts", true)?;
/// server.ping(b"")?;
/// let sent = server.sent();
/// assert_eq!((sent.messages, sent.payload_len, sent.pings), (2, 14, 1));
/// # Ok::<(), tidewire::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Traffic {
    /// The messages that are complete. A received message counts when it is an event, and a sent one when it is queued.
    pub messages: u64,
    /// The pings, keepalive pings included.
    // Between the two that each message changes: side by side, the compiler adds to them as to a vector, with more instructions.
    pub pings: u64,
    /// The payload of messages in bytes, as the program sees it: before compression, without frame headers and control frames.
    ///
    /// A message that is sent in fragments or received [in parts](crate::Config::with_parts) is counted piece by piece. Any other counts as
    /// a whole.
    pub payload_len: u64,
}

impl Traffic {
    #[inline(always)]
    pub(crate) fn count_message(&mut self, payload_len: usize) {
        self.messages += 1;
        self.count_payload(payload_len);
    }

    /// A data frame, which ends its message if `fin`.
    #[inline(always)]
    pub(crate) fn count_frame(&mut self, fin: bool, payload_len: usize) {
        self.messages += u64::from(fin);
        self.count_payload(payload_len);
    }

    #[inline(always)]
    pub(crate) fn count_payload(&mut self, len: usize) {
        self.payload_len += len as u64;
    }

    /// The message that was counted last was none.
    pub(crate) fn uncount_message(&mut self, payload_len: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.payload_len = self.payload_len.saturating_sub(payload_len as u64);
    }
}
