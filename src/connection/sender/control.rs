//! Control frames (RFC 6455 5.5): pings and their pongs, the Close frame, and what answers the peer.

use alloc::string::ToString;

use super::{Over, Sender};
use crate::connection::event::{Reply, ReplyKind};
use crate::connection::state::Closed;
use crate::wire::frame::{Header, OpCode};
use crate::wire::mask::Keys;
use crate::{CloseBody, CloseFrame, ProtocolError, SendError};

impl Sender {
    /// Queues a ping (RFC 6455 5.5.2). The pong comes as an event, and [`round_trip_time`](Self::round_trip_time) tells how long it took.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`PingTooLong`](SendError::PingTooLong) above 125 bytes, or
    /// [`OutputFull`](SendError::OutputFull); nothing is queued then.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        if payload.len() > Header::MAX_CONTROL_PAYLOAD_LEN {
            return Err(SendError::PingTooLong);
        }
        self.check()?;
        self.push_ping(payload);
        Ok(())
    }

    /// Queues a Close frame, which begins the closing handshake (RFC 6455 7.1.2). Does nothing the second time.
    ///
    /// `body` is a [`CloseCode`](crate::CloseCode), a code and a reason, a [`CloseFrame`], or `None`. Receiving goes on
    /// until the peer's Close frame arrives.
    pub fn close(&mut self, body: impl Into<CloseBody>) {
        if self.closed.is_none() {
            let body = body.into();
            let frame = body.frame();
            self.set_closed(Closed::First(frame.map(CloseFrame::code)));
            self.push_close(frame);
        }
    }

    /// Does what a frame of the peer asks for: answers a ping or a Close frame, or tells the peer how it failed.
    pub fn reply(&mut self, reply: Reply<'_>) {
        match reply.0 {
            ReplyKind::Ping(payload) => self.pong(payload),
            ReplyKind::Pong(payload) => self.round_trip.end(payload, self.written()),
            ReplyKind::Close(payload) => {
                self.late_pong = None;
                self.is_answered = true;
                // RFC 6455 5.5.1: a Close frame is answered unless one was sent already.
                if self.closed.is_none() {
                    let code = CloseFrame::decode(payload).unwrap_or_default().map(|frame| frame.code());
                    self.set_closed(Closed::Echoed(code));
                    self.push_control(OpCode::Close, payload);
                }
            }
            ReplyKind::Failed(error) => self.fail(error),
        }
    }

    /// Queues a keepalive ping, whatever the output: there is never more than one.
    pub(crate) fn keepalive(&mut self) {
        let payload = self.round_trip.next_payload();
        self.push_ping(&payload);
    }

    fn push_ping(&mut self, payload: &[u8]) {
        self.sent.pings += 1;
        self.push_control(OpCode::Ping, payload);
        self.round_trip.begin(payload, self.written() + self.queued_len() as u64);
    }

    /// RFC 6455 5.5.2: a ping is answered unless a Close frame was received.
    fn pong(&mut self, payload: &[u8]) {
        if matches!(self.closed, Some(Closed::Echoed(_) | Closed::Failed(_))) || self.over == Over::Abandoned
        {
            return;
        }
        if self.output.len() + Header::MAX_LEN + payload.len() <= self.high_water_len {
            // The newest pong answers for those before it.
            self.late_pong = None;
            self.push_control(OpCode::Pong, payload);
        } else {
            self.late_pong = Some(payload.into());
        }
    }

    /// True when a pong that the high-water mark held back can follow now.
    #[cfg(feature = "tokio")]
    #[inline]
    pub(crate) fn can_catch_up(&self) -> bool {
        self.late_pong.is_some() && self.is_ready()
    }

    /// Queues what the high-water mark held back.
    #[inline]
    pub(super) fn catch_up(&mut self) {
        if self.late_pong.is_some() {
            self.push_late_pong();
        }
    }

    #[cold]
    fn push_late_pong(&mut self) {
        if self.is_ready()
            && let Some(payload) = self.late_pong.take()
        {
            self.push_control(OpCode::Pong, &payload);
        }
    }

    /// RFC 6455 7.1.7: the peer learns why the connection fails.
    fn fail(&mut self, error: ProtocolError) {
        let code = error.close_code();
        if self.closed.is_none() {
            if let Some(code) = code {
                self.push_close(Some(&CloseFrame::new(code, &error.to_string())));
            }
            self.set_closed(Closed::Failed(code));
        }
        self.late_pong = None;
        if code.is_none() {
            self.output.clear();
        }
    }

    fn push_close(&mut self, frame: Option<&CloseFrame>) {
        let payload = frame.map(CloseFrame::encode).unwrap_or_default();
        self.push_control(OpCode::Close, &payload);
    }

    fn push_control(&mut self, opcode: OpCode, payload: &[u8]) {
        if self.over != Over::Abandoned {
            let mask = self.keys.as_mut().map(Keys::next_or_refill);
            let header = Header { mask, ..Header::new(opcode, payload.len() as u64) };
            self.output.push_frame_with(header, payload);
        }
    }
}
