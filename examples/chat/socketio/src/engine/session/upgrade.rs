//! The WebSocket of a session: from the beginning, or by an upgrade.

use std::task::Poll;
use std::time::{Duration, Instant};

use crate::engine::packet::{Encoded, Packet};
use crate::engine::request::Refusal;
use crate::engine::session::{CloseReason, Route, Session, State, WebSocketId};

/// A client that does not wait for the answer to its probe has upgraded by then: a poll that crosses the upgrade is refused.
pub(super) const NOOP_DELAY: Duration = Duration::from_millis(20);

impl Session {
    /// A WebSocket with the session's id was opened, for the upgrade.
    ///
    /// # Errors
    /// - [`UnknownSid`](Refusal::UnknownSid) when the session has ended.
    /// - [`BadRequest`](Refusal::BadRequest) when it has a WebSocket already: the new one is closed, and the session goes on.
    pub fn attach(&mut self, now: Instant) -> Result<WebSocketId, Refusal> {
        self.handle_timeout(now);
        if self.state != State::Open {
            return Err(Refusal::UnknownSid);
        }
        if self.route != Route::Polling {
            return Err(Refusal::BadRequest);
        }
        self.websockets = self.websockets.wrapping_add(1);
        let id = WebSocketId(self.websockets);
        self.route = Route::Attached { id, until: now + self.limits.upgrade_timeout };
        Ok(id)
    }

    /// This WebSocket has ended.
    pub fn detach(&mut self, id: WebSocketId, now: Instant) {
        match self.route {
            Route::WebSocket(current) if current == id => self.fail(CloseReason::Transport, now),
            Route::Attached { id: current, .. } | Route::Probing { id: current, .. } if current == id => {
                self.route = Route::Polling;
            }
            _ => {}
        }
    }

    /// What this WebSocket is to send next; `None` when it is to be closed.
    pub fn poll_websocket(&mut self, id: WebSocketId) -> Poll<Option<Encoded>> {
        match &mut self.route {
            Route::WebSocket(current) if *current == id => match self.queue.pop() {
                None if self.state == State::Open => Poll::Pending,
                packet => Poll::Ready(packet),
            },
            Route::Attached { id: current, .. } if *current == id && self.state == State::Open => {
                Poll::Pending
            }
            Route::Probing { id: current, is_answered, .. }
                if *current == id && self.state == State::Open =>
            {
                if *is_answered {
                    return Poll::Pending;
                }
                *is_answered = true;
                Poll::Ready(Some(Encoded::control("3probe")))
            }
            _ => Poll::Ready(None),
        }
    }

    /// A packet of a WebSocket that is not the transport yet. Any but those of an upgrade ends the attempt.
    pub(super) fn step_upgrade(&mut self, id: WebSocketId, packet: &Packet<'_>, now: Instant) {
        self.route = match self.route {
            Route::Attached { id: current, until } if current == id => match packet {
                Packet::Ping("probe") => {
                    Route::Probing { id, until, is_answered: false, noop_at: Some(now + NOOP_DELAY) }
                }
                _ => Route::Polling,
            },
            Route::Probing { id: current, is_answered, .. } if current == id => match packet {
                Packet::Upgrade => {
                    if !is_answered {
                        self.queue.push_front(Encoded::control("3probe"));
                    }
                    Route::WebSocket(id)
                }
                _ => Route::Polling,
            },
            // Another one, which is to close.
            route => route,
        };
    }

    /// True if [`poll_websocket`](Self::poll_websocket) would not be pending for the current WebSocket, or an old one is to close.
    #[must_use]
    pub fn is_websocket_ready(&self) -> bool {
        match self.route {
            Route::Polling => self.websockets != 0,
            Route::Attached { .. } => self.state != State::Open,
            Route::Probing { is_answered, .. } => !is_answered || self.state != State::Open,
            Route::WebSocket(_) => !self.queue.is_empty() || self.state != State::Open,
        }
    }
}
