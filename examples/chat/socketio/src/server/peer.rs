//! One session with what its handler keeps, and the requests for it.

use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Instant;

use bytes::Buf;
use hyper::body::Body;
use tokio::time::sleep_until;

use crate::engine::{Channel, CloseReason, Packet, Refusal, packets};
use crate::limits::Limits;
use crate::server::body;
use crate::server::handler::Handler;
use crate::server::link::Link;
use crate::server::lock;

pub(crate) struct Peer<H: Handler> {
    pub(crate) link: Link,
    handler: Arc<H>,
    /// Also keeps the messages in their order.
    connection: Mutex<H::Connection>,
    limits: Limits,
}

impl<H: Handler> Peer<H> {
    pub(crate) fn new(link: Link, handler: Arc<H>, limits: Limits) -> Self {
        let connection = Mutex::new(handler.open(&link));
        Self { link, handler, connection, limits }
    }

    /// A GET, which waits from now on. If the future is dropped, the client has gone.
    pub(crate) fn get(self: Arc<Self>) -> Result<impl Future<Output = Result<String, Refusal>>, Refusal> {
        self.link.with(|session, now| session.get(now))?;
        let waiting = Waiting(self);
        Ok(async move {
            loop {
                if let Poll::Ready(answer) = waiting.0.link.with(|session, _| session.poll_get()) {
                    return answer;
                }
                waiting.0.link.get_woken().await;
            }
        })
    }

    /// A POST: hands its packets on, one after the other.
    pub(crate) async fn post<B>(&self, body: B) -> Result<String, Refusal>
    where
        B: Body + Unpin,
        B::Data: Buf,
    {
        self.link.with(|session, now| session.post(now))?;
        let _posting = Posting(&self.link);
        let result = self.post_body(body).await;
        if result.is_err() {
            self.link.fail(CloseReason::Violation);
        }
        result.map(|()| "ok".into())
    }

    async fn post_body<B>(&self, body: B) -> Result<(), Refusal>
    where
        B: Body + Unpin,
        B::Data: Buf,
    {
        // A client that cannot answer a ping meanwhile is gone by then.
        let time = self.limits.ping_interval + self.limits.ping_timeout;
        let body = body::collect(body, self.limits.max_payload_len);
        let body = tokio::time::timeout(time, body).await.map_err(|_| Refusal::Timeout)??;
        let payload = str::from_utf8(&body).map_err(|_| Refusal::BadRequest)?;
        for (count, packet) in (1..).zip(packets(payload)) {
            self.receive(Channel::Polling, packet.map_err(|_| Refusal::BadRequest)?)?;
            if count % 128 == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// A packet for the session, and its message for the handler.
    pub(crate) fn receive(&self, channel: Channel, packet: Packet<'_>) -> Result<(), Refusal> {
        let mut connection = lock(&self.connection);
        let Some(message) = self.link.with(|session, now| session.receive(channel, packet, now))? else {
            return Ok(());
        };
        self.handler.message(&mut connection, message).map_err(|reason| {
            self.link.fail(reason);
            Refusal::BadRequest
        })
    }

    /// Keeps the time until the session ends, and is gone for all requests.
    pub(crate) async fn keep(&self) {
        let mut is_closed = false;
        loop {
            let (deadline, reason, is_known) = self.handle_timeout(Instant::now(), is_closed);
            if let Some(reason) = reason.filter(|_| !is_closed) {
                self.handler.close(&mut lock(&self.connection), reason);
                is_closed = true;
            }
            if !is_known {
                return;
            }
            let Some(deadline) = deadline else { return };
            tokio::select! {
                () = sleep_until(deadline.into()) => {}
                () = self.link.keeper_woken() => {}
            }
        }
    }

    fn handle_timeout(&self, now: Instant, is_closed: bool) -> (Option<Instant>, Option<CloseReason>, bool) {
        let of_handler = (!is_closed).then(|| {
            let mut connection = lock(&self.connection);
            self.handler.handle_timeout(&mut connection, now);
            self.handler.poll_timeout(&connection)
        });
        self.link.with(|session, now| {
            session.handle_timeout(now);
            let deadline = session.poll_timeout().into_iter().chain(of_handler.flatten()).min();
            (deadline, session.close_reason(), session.is_known())
        })
    }
}

/// A GET that may be given up.
struct Waiting<H: Handler>(Arc<Peer<H>>);

impl<H: Handler> Drop for Waiting<H> {
    fn drop(&mut self) {
        self.0.link.with(|session, now| session.cancel_get(now));
    }
}

/// A POST, read to its end or not.
struct Posting<'l>(&'l Link);

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.0.with(|session, _| session.end_post());
    }
}
