//! One client in one namespace.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::http::Extensions;
use tokio::sync::oneshot;

use crate::engine::{CloseReason, SendError};
use crate::server::acknowledge::{AckError, Waiter};
use crate::server::link::Link;
use crate::server::lock;
use crate::socket::{Client, Data, NotConnected, Outgoing};

/// What all sockets of a session share.
pub(crate) struct Session {
    pub(crate) link: Link,
    pub(crate) client: Mutex<Client<Waiter>>,
    /// The server put a socket out, and the application has not been told.
    pub(crate) is_stale: AtomicBool,
}

/// Sends to one client in one namespace, from anywhere. Cheap to clone.
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    session: Arc<Session>,
    namespace: String,
    id: String,
}

impl Socket {
    pub(crate) fn new(session: Arc<Session>, namespace: String, id: String) -> Self {
        Self(Arc::new(Inner { session, namespace, id }))
    }

    /// Its own id, which the client knows too. No other socket has it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// `/`, or another that begins with it.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// As [`Link::extensions`].
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        self.0.session.link.extensions()
    }

    /// Queues an event. Never waits.
    ///
    /// # Errors
    /// - `Closed` when the client has left.
    /// - `Full` when too much waits for it.
    pub fn emit(&self, name: &str, data: &Data) -> Result<(), SendError> {
        self.send(&Outgoing::event(&self.0.namespace, name, data))
    }

    /// Queues what was encoded once, for this and other sockets of the namespace. Never waits.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub fn send(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        if !lock(&self.0.session.client).is_in(&self.0.namespace) {
            return Err(SendError::Closed);
        }
        self.0.session.link.send(outgoing.packets())
    }

    /// Sends an event and waits for its acknowledgement.
    ///
    /// # Errors
    /// [`AckError`].
    ///
    /// # Cancel safety
    /// The event is sent once this is called. An acknowledgement that nobody waits for is dropped.
    pub async fn emit_with_ack(&self, name: &str, data: &Data, timeout: Duration) -> Result<Data, AckError> {
        let (waiter, answer) = oneshot::channel();
        self.ask(name, data, Instant::now() + timeout, waiter)?;
        // The waiter is dropped when the client leaves.
        answer.await.unwrap_or(Err(AckError::Closed))
    }

    fn ask(&self, name: &str, data: &Data, deadline: Instant, waiter: Waiter) -> Result<(), AckError> {
        let Session { link, client, .. } = &*self.0.session;
        let mut client = lock(client);
        let asked = client.event_with_ack(&self.0.namespace, name, data, deadline, waiter);
        let (id, outgoing) = asked.map_err(|error| match error {
            NotConnected::Left => AckError::Closed,
            NotConnected::TooManyAcks => AckError::TooMany,
        })?;
        if let Err(error) = link.send(outgoing.packets()) {
            client.forget_ack(id);
            return Err(match error {
                SendError::Closed => AckError::Closed,
                SendError::Full => AckError::Full,
            });
        }
        drop(client);
        link.wake();
        Ok(())
    }

    /// Puts the client out of the namespace; the session stays.
    pub fn disconnect(&self) {
        let Session { link, client, is_stale } = &*self.0.session;
        let outgoing = lock(client).disconnect(&self.0.namespace, Instant::now());
        let Some(outgoing) = outgoing else { return };
        is_stale.store(true, Ordering::Release);
        if link.send(outgoing.packets()) == Err(SendError::Full) {
            link.fail(CloseReason::TooSlow);
        }
        link.wake();
    }

    /// Ends the session, and with it all sockets of the client, after what is queued.
    pub fn close(&self) {
        self.0.session.link.close(CloseReason::Server);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Socket")
            .field("namespace", &self.0.namespace)
            .field("id", &self.0.id)
            .finish()
    }
}

/// Acknowledges an event of a client, once.
#[derive(Debug)]
pub struct Acknowledge {
    pub(crate) socket: Socket,
    pub(crate) id: u64,
}

impl Acknowledge {
    /// Queues the acknowledgement. Never waits.
    ///
    /// # Errors
    /// As [`Socket::emit`].
    pub fn send(self, data: &Data) -> Result<(), SendError> {
        self.socket.send(&Client::<Waiter>::ack(self.socket.namespace(), self.id, data))
    }
}
