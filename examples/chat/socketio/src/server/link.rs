//! A session that is shared between the requests, the WebSocket and whoever sends.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use hyper::http::Extensions;
use tokio::sync::Notify;

use crate::engine::{CloseReason, Encoded, SendError, Session};
use crate::server::lock;

/// Sends to one session, from anywhere. Cheap to clone.
#[derive(Clone)]
pub struct Link(Arc<Shared>);

struct Shared {
    session: Mutex<Session>,
    extensions: Extensions,
    /// The GET that waits.
    get: Notify,
    /// The WebSocket.
    websocket: Notify,
    /// The task that keeps the time.
    keeper: Notify,
}

impl Link {
    pub(crate) fn new(session: Session, extensions: Extensions) -> Self {
        let notify = Notify::new;
        Self(Arc::new(Shared {
            session: Mutex::new(session),
            extensions,
            get: notify(),
            websocket: notify(),
            keeper: notify(),
        }))
    }

    /// What the server around this has put into the request that opened the session, such as who is logged in.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    /// Queues packets that belong together: all or none. Never waits.
    ///
    /// # Errors
    /// [`SendError`]. A caller that cannot do without what it sends closes a session that is `Full`.
    pub fn send(&self, packets: &[Encoded]) -> Result<(), SendError> {
        self.with(|session, _| session.send(packets))
    }

    /// Ends the session after what is queued.
    pub fn close(&self, reason: CloseReason) {
        self.with(|session, now| session.close(reason, now));
    }

    /// Ends the session at once.
    pub fn fail(&self, reason: CloseReason) {
        self.with(|session, now| session.fail(reason, now));
    }

    /// The handler has a new deadline.
    pub fn wake(&self) {
        self.0.keeper.notify_one();
    }

    /// Does something to the session, and wakes who has to know.
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut Session, Instant) -> R) -> R {
        let mut session = lock(&self.0.session);
        let before = (session.poll_timeout(), session.close_reason());
        let result = change(&mut session, Instant::now());
        let after = (session.poll_timeout(), session.close_reason());
        let (get, websocket) = (session.is_get_ready(), session.is_websocket_ready());
        drop(session);
        if get {
            self.0.get.notify_one();
        }
        if websocket {
            self.0.websocket.notify_one();
        }
        // A later deadline is found when the earlier one is over.
        let is_sooner = after.0.zip(before.0).is_some_and(|(after, before)| after < before);
        if is_sooner || after.0.is_some() != before.0.is_some() || after.1 != before.1 {
            self.0.keeper.notify_one();
        }
        result
    }

    pub(crate) async fn get_woken(&self) {
        self.0.get.notified().await;
    }

    pub(crate) async fn websocket_woken(&self) {
        self.0.websocket.notified().await;
    }

    /// Whoever waits for the WebSocket looks again: one that ends may have taken the other's turn.
    pub(crate) fn wake_websocket(&self) {
        self.0.websocket.notify_one();
    }

    pub(crate) async fn keeper_woken(&self) {
        self.0.keeper.notified().await;
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Link").field(&lock(&self.0.session).transport()).finish()
    }
}
