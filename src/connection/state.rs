//! Where a connection is ([`State`], [`TransportAction`]), and how it ended ([`Ending`]).

use core::fmt;

use crate::{CloseCode, CloseFrame};

/// Where a connection is between open and closed (RFC 6455 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Messages go both ways.
    Open,
    /// A Close frame was sent; the peer's messages still arrive until its own Close frame does.
    Closing,
    /// Nothing more is received; the transport ends as [`Connection::transport_action`](crate::Connection::transport_action) says.
    Closed,
}

/// What to do with the transport once the output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportAction {
    /// Read and write as usual.
    KeepOpen,
    /// Shut the write side down once, then read and discard until this becomes [`Close`](Self::Close).
    ///
    /// Closing at once, with the peer's bytes unread, would make TCP send a reset that destroys our last words on their way.
    ShutdownWrite,
    /// Wait for the peer to end the transport.
    AwaitEof,
    /// Close the transport.
    Close,
}

/// How this side stopped sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// With a Close frame of its own accord.
    First(Option<CloseCode>),
    /// With the answer to the peer's Close frame.
    Echoed(Option<CloseCode>),
    /// With the Close frame, if any, that a broken rule asks for.
    Failed(Option<CloseCode>),
}

/// How a connection ended (RFC 6455 7.1.4 to 7.1.6).
///
/// `Display` tells it in a sentence, for a log: who closed, with which code and reason, and whether the other side answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    sent: Option<Closed>,
    received: Option<Option<CloseFrame>>,
}

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// This side.
    Local,
    /// The peer.
    Peer,
}

impl Ending {
    pub(crate) fn new(sent: Option<Closed>, received: Option<Option<CloseFrame>>) -> Self {
        Self { sent, received }
    }

    /// The side that ended it: its Close frame came first, as seen from here, or it broke off.
    #[must_use]
    pub fn initiator(&self) -> Party {
        match self.sent {
            Some(Closed::First(_)) => Party::Local,
            _ => Party::Peer,
        }
    }

    /// The close code of RFC 6455 7.1.5: the one that the peer sent, 1005 when its Close frame had none, 1006 when no
    /// Close frame arrived.
    #[must_use]
    pub fn code(&self) -> u16 {
        match &self.received {
            Some(Some(frame)) => frame.code().into(),
            Some(None) => 1005,
            None => 1006,
        }
    }

    /// The peer's Close frame, if it sent one with a body.
    #[must_use]
    pub fn received(&self) -> Option<&CloseFrame> {
        self.received.as_ref()?.as_ref()
    }

    /// The code that this side sent, if it sent one.
    #[must_use]
    pub fn sent(&self) -> Option<CloseCode> {
        match self.sent? {
            Closed::First(code) | Closed::Echoed(code) | Closed::Failed(code) => code,
        }
    }

    /// True when both sides sent and received a Close frame (RFC 6455 7.1.4).
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.received.is_some() && !matches!(self.sent, None | Some(Closed::Failed(_)))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.sent, &self.received) {
            (Some(Closed::First(code)), answer) => {
                write!(f, "closed by this side {}; ", With(code))?;
                match answer {
                    Some(frame) => write!(f, "the peer answered {}", With(frame.as_ref())),
                    None => f.write_str("the peer did not answer"),
                }
            }
            (Some(Closed::Failed(Some(code))), _) => {
                write!(f, "broken off by this side {}", With(Some(code)))
            }
            (sent, Some(frame)) => {
                let answered =
                    if matches!(sent, Some(Closed::Echoed(_))) { "answered" } else { "did not answer" };
                write!(f, "closed by the peer {}; this side {answered}", With(frame.as_ref()))
            }
            (_, None) => f.write_str("broken off without a Close frame"),
        }
    }
}

/// A code, or a code and a reason, within a sentence.
struct With<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for With<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(body) => write!(f, "with {body}"),
            None => f.write_str("without a code"),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn an_ending_is_a_sentence() {
        let away = Some(CloseCode::GOING_AWAY);
        let bye = Some(Some(CloseFrame::new(CloseCode::NORMAL, "bye\n")));
        let plain = Some(Some(CloseFrame::from(CloseCode::NORMAL)));
        let closed =
            |sent, received: &Option<Option<CloseFrame>>| Ending::new(sent, received.clone()).to_string();
        let table = [
            (
                Some(Closed::First(away)),
                &bye,
                "closed by this side with 1001 (going away); the peer answered with 1000 (normal closure): \"bye\\n\"",
            ),
            (
                Some(Closed::First(None)),
                &plain,
                "closed by this side without a code; the peer answered with 1000 (normal closure)",
            ),
            (
                Some(Closed::First(away)),
                &Some(None),
                "closed by this side with 1001 (going away); the peer answered without a code",
            ),
            (
                Some(Closed::First(away)),
                &None,
                "closed by this side with 1001 (going away); the peer did not answer",
            ),
            (
                Some(Closed::Echoed(Some(CloseCode::NORMAL))),
                &bye,
                "closed by the peer with 1000 (normal closure): \"bye\\n\"; this side answered",
            ),
            (
                Some(Closed::Echoed(None)),
                &Some(None),
                "closed by the peer without a code; this side answered",
            ),
            (
                Some(Closed::Failed(None)),
                &plain,
                "closed by the peer with 1000 (normal closure); this side did not answer",
            ),
            (None, &Some(None), "closed by the peer without a code; this side did not answer"),
            (
                Some(Closed::Failed(Some(CloseCode::MESSAGE_TOO_BIG))),
                &None,
                "broken off by this side with 1009 (message too big)",
            ),
            (Some(Closed::Failed(None)), &None, "broken off without a Close frame"),
            (None, &None, "broken off without a Close frame"),
        ];
        for (sent, received, sentence) in table {
            assert_eq!(closed(sent, received), sentence);
        }
    }
}
