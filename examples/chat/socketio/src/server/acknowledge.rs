//! What comes of an event that is to be acknowledged.

use thiserror::Error;
use tokio::sync::oneshot;

use crate::socket::Data;

pub(crate) type Waiter = oneshot::Sender<Result<Data, AckError>>;

/// Why there is no acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AckError {
    /// The client has left.
    #[error("the client has left")]
    Closed,
    /// Too much waits for the client; the event was not sent.
    #[error("too much waits for the client")]
    Full,
    /// [`max_acks`](crate::Limits::max_acks) are awaited; the event was not sent.
    #[error("too many acknowledgements are awaited")]
    TooMany,
    /// It did not come in time.
    #[error("the acknowledgement did not come in time")]
    TimedOut,
}
