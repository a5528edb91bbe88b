//! What the adapters share: how a connection opens, the next event, one read and one write, how it ends, and the methods that
//! read the same in both.

mod delivery;
#[cfg(feature = "tracing")]
pub(crate) mod events;
#[cfg(not(feature = "tracing"))]
#[path = "adapter/no_events.rs"]
pub(crate) mod events;
mod handles;
mod opening;
pub(crate) mod pool;
mod queue;
pub(crate) mod retry;
mod reunite;
mod route;
#[cfg(feature = "rustls")]
pub(crate) mod tls;
mod transfer;

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use self::delivery::Delivery;
pub(crate) use self::handles::{Handle, Handles};
pub(crate) use self::opening::{
    Negotiated, Opening, PAIR_LEN, client_handshake, name_proxy, name_server, pair_connections, rest_of,
};
pub use self::queue::Queue;
pub use self::reunite::ReuniteError;
pub(crate) use self::route::{Route, tls_failed};
pub(crate) use self::transfer::{drain, fill};

use self::pool::PooledInput;
use crate::{Error, Event, Message, Ready, Receiver, Reply};

/// Locks a mutex of the halves, under which nothing panics that would leave half a change behind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Decodes up to the next event, to be lent by the receiver, and sends the reply that it asks for. That the connection has failed shows
/// in the transport action.
#[inline(always)]
pub(crate) fn advance(
    receiver: &mut Receiver,
    pooled: &mut PooledInput,
    reply: impl FnOnce(Reply<'_>),
) -> Option<Ready> {
    if pooled.is_dry() && receiver.is_open() {
        return None;
    }
    receiver.next(pooled.input(), reply).ok().flatten()
}

/// The message that `event` is, as an owned value; fails for a part of one, with which there are no messages.
#[inline]
pub(crate) fn message(event: Event<'_>) -> Result<Option<Message>, Error> {
    match event {
        Event::Text(text) => Ok(Some(Message::Text(text.into_string()))),
        Event::Binary(payload) => Ok(Some(Message::Binary(payload.into_bytes()))),
        Event::TextPart(_) | Event::BinaryPart(_) => {
            Err(io::Error::new(io::ErrorKind::Unsupported, "messages are delivered in parts").into())
        }
        _ => Ok(None),
    }
}
