//! The requests of long-polling: a GET that waits, and a POST that brings packets.

use std::task::Poll;
use std::time::Instant;

use crate::engine::packet::Encoded;
use crate::engine::payload;
use crate::engine::request::Refusal;
use crate::engine::session::{CloseReason, Route, Session, State};

impl Session {
    /// A GET came. Its answer is [`poll_get`](Self::poll_get)'s.
    ///
    /// # Errors
    /// - [`UnknownSid`](Refusal::UnknownSid) when the session has ended.
    /// - [`BadRequest`](Refusal::BadRequest) after the upgrade, and while another GET waits. The latter ends the session.
    pub fn get(&mut self, now: Instant) -> Result<(), Refusal> {
        self.handle_timeout(now);
        match self.state {
            State::Ending { for_next: true, .. } if !self.get => {}
            State::Open => self.begin_request(self.get, now)?,
            _ => return Err(Refusal::UnknownSid),
        }
        self.get = true;
        Ok(())
    }

    /// The body that the waiting GET is to be answered with, or its refusal.
    pub fn poll_get(&mut self) -> Poll<Result<String, Refusal>> {
        let answer = match (self.state, self.route) {
            (_, Route::WebSocket(_)) => Err(Refusal::BadRequest),
            (State::Open, _) if !self.queue.is_empty() => Ok(self.payload(None)),
            (State::Open, Route::Probing { noop_at: None, .. }) => Ok(self.payload(Some("6"))),
            (State::Open, _) => return Poll::Pending,
            // Clients that get events and the end in one answer take the end first.
            (State::Ending { for_next: true, .. }, _) if !self.queue.is_empty() => Ok(self.payload(None)),
            (State::Ending { last, .. }, _) => {
                self.state = State::Ended;
                Ok(self.payload(Some(last)))
            }
            (State::Ended, _) => Err(Refusal::UnknownSid),
        };
        self.get = false;
        Poll::Ready(answer)
    }

    /// The client gave up the waiting GET: packets may be lost, so the session ends.
    pub fn cancel_get(&mut self, now: Instant) {
        if !self.get {
            return;
        }
        self.get = false;
        match self.state {
            State::Open => self.fail(CloseReason::Transport, now),
            _ => self.state = State::Ended,
        }
    }

    /// A POST came. Its packets are for [`receive`](Self::receive), and then it is [over](Self::end_post).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn post(&mut self, now: Instant) -> Result<(), Refusal> {
        self.handle_timeout(now);
        if self.state != State::Open {
            return Err(Refusal::UnknownSid);
        }
        self.begin_request(self.post, now)?;
        self.post = true;
        Ok(())
    }

    /// The POST is over, read or not.
    pub fn end_post(&mut self) {
        self.post = false;
    }

    fn begin_request(&mut self, is_another: bool, now: Instant) -> Result<(), Refusal> {
        if let Route::WebSocket(_) = self.route {
            return Err(Refusal::BadRequest);
        }
        if is_another {
            self.fail(CloseReason::Overlap, now);
            return Err(Refusal::BadRequest);
        }
        Ok(())
    }

    /// True if [`poll_get`](Self::poll_get) has an answer for a GET that waits.
    #[must_use]
    pub fn is_get_ready(&self) -> bool {
        let is_pending = self.state == State::Open
            && self.queue.is_empty()
            && matches!(
                self.route,
                Route::Polling | Route::Attached { .. } | Route::Probing { noop_at: Some(_), .. }
            );
        self.get && !is_pending
    }

    fn payload(&mut self, last: Option<&str>) -> String {
        let queue = &mut self.queue;
        payload::encode(std::iter::from_fn(|| queue.pop()).chain(last.map(Encoded::control)))
    }
}
