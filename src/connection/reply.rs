//! [`Reply`]: what a frame of the peer asks the sender for.

use core::fmt;

use crate::ProtocolError;

/// What the [`Sender`](crate::Sender) has to know of the peer's last frame: pass it to [`Sender::reply`](crate::Sender::reply).
#[must_use]
pub struct Reply<'i>(pub(crate) ReplyKind<'i>);

pub(crate) enum ReplyKind<'i> {
    /// A ping, to be answered.
    Ping(&'i [u8]),
    /// A pong, which may end the measurement of a round trip.
    Pong(&'i [u8]),
    /// A Close frame, to be echoed.
    Close(&'i [u8]),
    /// The connection has failed.
    Failed(ProtocolError),
}

impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            ReplyKind::Ping(_) => "Reply::Ping",
            ReplyKind::Pong(_) => "Reply::Pong",
            ReplyKind::Close(_) => "Reply::Close",
            ReplyKind::Failed(_) => "Reply::Failed",
        })
    }
}
