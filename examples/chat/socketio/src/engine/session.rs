//! A session: its transport, the upgrade, the heartbeat, and what waits to be sent.
//!
//! ```text
//!   polling() ───► Polling ──attach──► Attached ──2probe──► Probing ──5──► WebSocket ◄─── websocket()
//!                     ▲                    │                    │
//!                     └──────────── anything else, detach, timeout
//! ```

mod polling;
mod upgrade;

use std::time::Instant;

use thiserror::Error;

use crate::engine::heartbeat::{Beat, Heartbeat};
use crate::engine::packet::{Encoded, Message, Packet};
use crate::engine::queue::Queue;
use crate::engine::request::{Refusal, Transport};
use crate::limits::Limits;

/// An Engine.IO session without I/O.
///
/// Each call that takes `now` first does what is due by then.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    state: State,
    reason: Option<CloseReason>,
    route: Route,
    websockets: u32,
    /// A GET waits for its answer.
    get: bool,
    /// A POST has not been read to its end.
    post: bool,
    heartbeat: Heartbeat,
    queue: Queue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// A poll takes this packet, and another one what is queued: the one that waits, or ones that come in time.
    Ending {
        last: &'static str,
        for_next: bool,
        until: Instant,
    },
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Polling,
    Attached {
        id: WebSocketId,
        until: Instant,
    },
    Probing {
        id: WebSocketId,
        until: Instant,
        is_answered: bool,
        /// When polls are ended, so that the client can pause long-polling; `None` from then on.
        noop_at: Option<Instant>,
    },
    WebSocket(WebSocketId),
}

/// One of the WebSockets that a session has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebSocketId(u32);

/// Where a packet came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// In a POST.
    Polling,
    /// In a message of this WebSocket.
    WebSocket(WebSocketId),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client said so.
    #[error("the client closed")]
    Client,
    /// This side said so.
    #[error("the server closed")]
    Server,
    /// The WebSocket ended, or the client gave up a poll.
    #[error("the transport ended")]
    Transport,
    /// No pong came in time.
    #[error("no pong came in time")]
    PingTimeout,
    /// No namespace was joined in time.
    #[error("no namespace was joined in time")]
    ConnectTimeout,
    /// Two GETs at once, or two POSTs.
    #[error("two requests overlapped")]
    Overlap,
    /// Something that the protocol does not allow.
    #[error("the client broke the protocol")]
    Violation,
    /// Too much waited for the client.
    #[error("the client reads too slowly")]
    TooSlow,
}

/// Why nothing was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// The session has ended.
    #[error("the session has ended")]
    Closed,
    /// [`max_queued_len`](Limits::max_queued_len) bytes wait already.
    #[error("too much waits for the client")]
    Full,
}

impl Session {
    /// A session that begins with long-polling. Its handshake is queued, for the GET that opened it: call [`get`](Self::get) for that one too.
    ///
    /// `sid` must be unguessable, of letters, digits, `-` and `_`.
    #[must_use]
    pub fn polling(sid: &str, limits: Limits, now: Instant) -> Self {
        Self::new(sid, Route::Polling, "\"websocket\"", limits, now)
    }

    /// A session that begins with a WebSocket. Its handshake is queued.
    #[must_use]
    pub fn websocket(sid: &str, limits: Limits, now: Instant) -> (Self, WebSocketId) {
        let id = WebSocketId(0);
        (Self::new(sid, Route::WebSocket(id), "", limits, now), id)
    }

    fn new(sid: &str, route: Route, upgrades: &str, limits: Limits, now: Instant) -> Self {
        let mut queue = Queue::default();
        queue.push(Encoded::control(&format!(
            r#"0{{"sid":"{sid}","upgrades":[{upgrades}],"pingInterval":{},"pingTimeout":{},"maxPayload":{}}}"#,
            limits.ping_interval.as_millis(),
            limits.ping_timeout.as_millis(),
            limits.max_payload_len
        )));
        Self {
            limits,
            state: State::Open,
            reason: None,
            route,
            websockets: 0,
            get: false,
            post: false,
            heartbeat: Heartbeat::new(now, limits.ping_interval, limits.ping_timeout),
            queue,
        }
    }

    /// A packet came; what it says to the layer above.
    ///
    /// # Errors
    /// [`BadRequest`](Refusal::BadRequest) for a packet that the protocol does not allow here. It has ended the session.
    pub fn receive<'p>(
        &mut self,
        channel: Channel,
        packet: Packet<'p>,
        now: Instant,
    ) -> Result<Option<Message<'p>>, Refusal> {
        self.handle_timeout(now);
        if self.state != State::Open {
            return Ok(None);
        }
        match (channel, self.route) {
            (Channel::Polling, Route::WebSocket(_)) => Err(Refusal::BadRequest),
            (Channel::Polling, _) => self.handle(packet, now),
            (Channel::WebSocket(id), Route::WebSocket(current)) if id == current => self.handle(packet, now),
            (Channel::WebSocket(id), _) => {
                self.step_upgrade(id, &packet, now);
                Ok(None)
            }
        }
    }

    fn handle<'p>(&mut self, packet: Packet<'p>, now: Instant) -> Result<Option<Message<'p>>, Refusal> {
        match packet {
            Packet::Message(message) => return Ok(Some(message)),
            Packet::Pong(_) => self.heartbeat.pong(now),
            Packet::Noop => {}
            Packet::Close => {
                self.queue.clear();
                self.end(
                    CloseReason::Client,
                    State::Ending { last: "6", for_next: true, until: self.linger(now) },
                );
            }
            // Only the server opens and pings, and an upgrade comes after a probe.
            Packet::Open(_) | Packet::Ping(_) | Packet::Upgrade => {
                self.fail(CloseReason::Violation, now);
                return Err(Refusal::BadRequest);
            }
        }
        Ok(None)
    }

    /// Queues packets that belong together: all or none.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send(&mut self, packets: &[Encoded]) -> Result<(), SendError> {
        if self.state != State::Open {
            return Err(SendError::Closed);
        }
        if self.queue.len() >= self.limits.max_queued_len {
            return Err(SendError::Full);
        }
        for packet in packets {
            self.queue.push(packet.clone());
        }
        Ok(())
    }

    /// Ends the session after what is queued.
    pub fn close(&mut self, reason: CloseReason, now: Instant) {
        self.end(reason, State::Ending { last: "1", for_next: true, until: self.linger(now) });
    }

    /// Ends the session as [`close`](Self::close) does if the client can be told now, and otherwise at once: nothing is answered any more.
    pub fn shut_down(&mut self, now: Instant) {
        if self.transport() == Transport::Polling && !self.get {
            return self.fail(CloseReason::Server, now);
        }
        self.end(CloseReason::Server, State::Ending { last: "1", for_next: false, until: self.linger(now) });
    }

    /// Ends the session at once; what is queued is dropped.
    pub fn fail(&mut self, reason: CloseReason, now: Instant) {
        if self.state == State::Open {
            self.queue.clear();
        }
        let ending = State::Ending { last: "1", for_next: false, until: self.linger(now) };
        self.end(reason, if self.get { ending } else { State::Ended });
    }

    fn end(&mut self, reason: CloseReason, state: State) {
        if self.state == State::Open {
            self.state = state;
            self.reason = Some(reason);
        }
    }

    fn linger(&self, now: Instant) -> Instant {
        now + self.limits.ping_timeout
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called; `None` when there is nothing to wait for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.state, self.route) {
            (State::Open, Route::Probing { noop_at: Some(at), until, .. }) => {
                Some(at.min(until).min(self.heartbeat.deadline()))
            }
            (State::Open, Route::Attached { until, .. } | Route::Probing { until, .. }) => {
                Some(until.min(self.heartbeat.deadline()))
            }
            (State::Open, _) => Some(self.heartbeat.deadline()),
            (State::Ending { until, .. }, _) => Some(until),
            (State::Ended, _) => None,
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::Ending { until, .. } = self.state
            && until <= now
        {
            self.state = State::Ended;
        }
        if self.state != State::Open {
            return;
        }
        if let Route::Attached { until, .. } | Route::Probing { until, .. } = self.route
            && until <= now
        {
            self.route = Route::Polling;
        }
        if let Route::Probing { noop_at, .. } = &mut self.route {
            *noop_at = noop_at.filter(|at| *at > now);
        }
        while let Some(beat) = self.heartbeat.handle_timeout(now) {
            match beat {
                Beat::Ping => self.queue.push(Encoded::control("2")),
                Beat::TimedOut => return self.fail(CloseReason::PingTimeout, now),
            }
        }
    }

    /// How the session ended; `None` while it is open.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.reason
    }

    /// True if a request may still name this session.
    #[must_use]
    pub fn is_known(&self) -> bool {
        match self.state {
            State::Open => true,
            State::Ending { for_next, .. } => for_next && self.transport() == Transport::Polling,
            State::Ended => false,
        }
    }

    /// The transport in use.
    #[must_use]
    pub fn transport(&self) -> Transport {
        match self.route {
            Route::WebSocket(_) => Transport::WebSocket,
            _ => Transport::Polling,
        }
    }
}

#[cfg(test)]
mod tests;
