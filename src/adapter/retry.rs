//! [`Retry`]: whether a client connects again, and when.

use core::fmt;
use core::time::Duration;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::SystemTime;

use crate::{Backoff, CloseCode, Ending, Error, HandshakeError, Party, ProtocolError, ProxyError};

/// The longest delay, 34 years: an `Instant` that is further away may not exist.
const MAX_DELAY: Duration = Duration::from_secs(1 << 30);

/// A caller's own decision.
type Hook = Arc<dyn Fn(&Error) -> bool + Send + Sync>;

/// How a client connects again and again.
#[derive(Clone)]
pub(crate) struct Retry {
    pub(crate) backoff: Backoff,
    hook: Option<Hook>,
}

impl Retry {
    pub(crate) fn new() -> Self {
        Self { backoff: Backoff::new(), hook: None }
    }

    pub(crate) fn set_hook(&mut self, hook: impl Fn(&Error) -> bool + Send + Sync + 'static) {
        self.hook = Some(Arc::new(hook));
    }

    /// How long to wait after a failure; `None` if it is no use to try again.
    pub(crate) fn after(&mut self, error: &Error) -> Option<Duration> {
        let is_retried = match &self.hook {
            Some(hook) => hook(error),
            None => is_temporary(error),
        };
        if !is_retried {
            return None;
        }
        let mut random = [0; 4];
        // Without randomness the delay is the longest.
        let random = match getrandom::fill(&mut random) {
            Ok(()) => u32::from_ne_bytes(random),
            Err(_) => u32::MAX,
        };
        Some(self.backoff.next_delay(random, retry_after(error)).min(MAX_DELAY))
    }
}

/// True for what may be over soon: the network, a deadline, a server that is busy or restarts.
pub(crate) fn is_temporary(error: &Error) -> bool {
    match error {
        // The host or the proxy is spelt wrong, or TLS is not there: it will be so tomorrow.
        Error::Io(error) => !matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput),
        Error::TimedOut(_) => true,
        Error::Protocol(error) => *error == ProtocolError::UnexpectedEof,
        Error::ClosedByPeer(frame) => matches!(
            frame.code(),
            CloseCode::GOING_AWAY
                | CloseCode::INTERNAL_ERROR
                | CloseCode::SERVICE_RESTART
                | CloseCode::TRY_AGAIN_LATER
        ),
        Error::Handshake(error) => match error {
            HandshakeError::Refused(response) => matches!(response.status(), 429 | 500 | 502 | 503 | 504),
            HandshakeError::NoAnswer | HandshakeError::UnexpectedEof | HandshakeError::TimedOut => true,
            _ => false,
        },
        Error::Proxy(ProxyError::Refused(status)) => matches!(status, 429 | 500 | 502 | 503 | 504),
        // RFC 1928 6: failures of the network beyond it.
        Error::Proxy(ProxyError::Unreachable(code)) => matches!(code, 1 | 3..=6),
        Error::Proxy(ProxyError::UnexpectedEof) => true,
        _ => false,
    }
}

/// What the server asks for.
fn retry_after(error: &Error) -> Option<Duration> {
    let Error::Handshake(HandshakeError::Refused(response)) = error else { return None };
    response.retry_after(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Why a connection that has ended is to be opened again; `None` if it was closed for good: with 1000, without a code, or by this side.
pub(crate) fn reason(received: Result<(), Error>, ending: Option<Ending>) -> Option<Error> {
    match (received, ending) {
        (Err(error), _) => Some(error),
        (Ok(()), Some(ending)) if ending.initiator() == Party::Peer => {
            let frame = ending.received().filter(|frame| frame.code() == CloseCode::GOING_AWAY)?;
            Some(Error::ClosedByPeer(frame.clone()))
        }
        (Ok(()), _) => None,
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry").field("backoff", &self.backoff).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::connection::state::Closed;
    use crate::{CloseFrame, SendError, TimedOut};

    #[test]
    fn the_network_and_a_busy_server_are_tried_again_and_a_refusal_is_not() {
        let closed = |code| Error::ClosedByPeer(CloseFrame::from(code));
        for error in [
            io::Error::from(ErrorKind::ConnectionRefused).into(),
            io::Error::from(ErrorKind::ConnectionReset).into(),
            TimedOut::Open.into(),
            TimedOut::Keepalive.into(),
            ProtocolError::UnexpectedEof.into(),
            closed(CloseCode::GOING_AWAY),
            closed(CloseCode::INTERNAL_ERROR),
            closed(CloseCode::SERVICE_RESTART),
            closed(CloseCode::TRY_AGAIN_LATER),
            HandshakeError::NoAnswer.into(),
            ProxyError::Refused(503).into(),
            ProxyError::Unreachable(5).into(),
            ProxyError::UnexpectedEof.into(),
        ] {
            assert!(is_temporary(&error), "{error:?}");
        }
        for error in [
            closed(CloseCode::POLICY_VIOLATION),
            closed(CloseCode::NORMAL),
            ProtocolError::UnmaskedFrame.into(),
            Error::Tls(io::Error::other("expired")),
            Error::TlsNeeded,
            SendError::Closed.into(),
            ProxyError::AuthenticationRequired.into(),
            ProxyError::Refused(403).into(),
            ProxyError::Unreachable(2).into(),
            io::Error::from(ErrorKind::InvalidInput).into(),
        ] {
            assert!(!is_temporary(&error), "{error:?}");
        }
        let mut retry = Retry::new();
        assert_eq!(retry.after(&closed(CloseCode::POLICY_VIOLATION)), None);
        assert!(retry.after(&TimedOut::Open.into()).is_some_and(|delay| delay <= Duration::from_secs(5)));
        assert_eq!(retry.after(&TimedOut::Open.into()), Some(Duration::from_millis(3100)));
        retry.set_hook(|error| matches!(error, Error::ClosedByPeer(_)));
        assert!(retry.after(&closed(CloseCode::POLICY_VIOLATION)).is_some());
        assert_eq!(retry.after(&TimedOut::Open.into()), None);
    }

    #[test]
    fn only_a_peer_that_goes_away_is_followed_after_an_orderly_end() {
        let ending =
            |sent, code: Option<CloseCode>| Some(Ending::new(Some(sent), Some(code.map(CloseFrame::from))));
        let away = Some(CloseCode::GOING_AWAY);
        assert!(matches!(reason(Ok(()), ending(Closed::Echoed(away), away)), Some(Error::ClosedByPeer(_))));
        for code in [Some(CloseCode::NORMAL), None] {
            assert!(reason(Ok(()), ending(Closed::Echoed(code), code)).is_none());
        }
        assert!(reason(Ok(()), ending(Closed::First(away), away)).is_none());
        assert!(reason(Ok(()), None).is_none());
        assert!(matches!(reason(Err(TimedOut::Keepalive.into()), None), Some(Error::TimedOut(_))));
    }
}
