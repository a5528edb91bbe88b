//! [`Receiver`]: frames become events, which ask for replies, and the deadlines are kept (RFC 6455 6.2 and 7).

mod decode;
mod inflate;

use alloc::boxed::Box;
use core::fmt;

use self::decode::{Frame, PartialMessage};
#[cfg(feature = "blocking")]
use crate::config::Timing;
use crate::config::deflate::Agreement;
use crate::connection::deflate::Inflation;
use crate::connection::event::{Event, Kind, Ready, Text};
use crate::connection::event::{Reply, ReplyKind};
use crate::connection::input::Input;
use crate::connection::sender::Sender;
use crate::connection::state::{Ending, State, TransportAction};
#[cfg(any(feature = "blocking", feature = "tokio"))]
use crate::connection::timer::Deadline;
use crate::connection::timer::{Due, Facts, Phase, Timers};
use crate::connection::traffic::Traffic;
use crate::wire::utf8::{self, Utf8};
#[cfg(any(feature = "blocking", feature = "tokio"))]
use crate::{CloseCode, connection::state::Closed};
use crate::{CloseFrame, Config, ProtocolError, TimedOut, Timestamp};

/// How much a peer may still send after the connection is over before the transport is cut, in bytes.
const MAX_DISCARDED_LEN: u32 = 1 << 20;

/// The receiving half of a [`Connection`](crate::Connection): it has the timers, since it is the half that is always polled.
pub struct Receiver {
    max_frame_len: usize,
    max_message_len: usize,
    is_server: bool,
    /// Messages are delivered in parts.
    parts: bool,
    status: Status,
    /// The frame whose header is consumed and whose payload is not.
    frame: Option<Frame>,
    /// The message whose last fragment is not complete.
    message: Option<PartialMessage>,
    utf8: Utf8,
    /// Where it was agreed that the peer may compress messages.
    inflation: Option<Inflation>,
    /// The frame that a reply is due for.
    reply: Option<ReplyDue>,
    /// What the peer ended the connection with.
    end: Option<Box<End>>,
    /// How much arrived after the connection was over.
    discarded_len: u32,
    eof: bool,
    timers: Timers,
    received: Traffic,
}

#[derive(Clone, Copy)]
enum Status {
    Open,
    /// The peer's Close frame was received.
    Closed,
    /// The peer broke the protocol.
    Failed,
    /// Nothing is received: the opening handshake was refused, or the peer was given up.
    Ended,
}

enum End {
    Close(Option<CloseFrame>),
    Failed(ProtocolError),
}

#[derive(Clone, Copy)]
enum ReplyDue {
    Ping,
    Pong,
    /// Also the one that tells why the connection failed.
    Close,
}

impl Receiver {
    pub(crate) fn new(is_server: bool, config: &Config) -> Self {
        Self {
            max_frame_len: config.max_frame_len().unwrap_or(usize::MAX),
            max_message_len: config.max_message_len(),
            is_server,
            parts: config.parts(),
            status: Status::Open,
            frame: None,
            message: None,
            utf8: Utf8::default(),
            inflation: None,
            reply: None,
            end: None,
            discarded_len: 0,
            eof: false,
            timers: Timers::new(config.timing),
            received: Traffic::default(),
        }
    }

    pub(crate) fn agree(&mut self, agreement: Option<Agreement>) {
        // What a client receives a server has sent.
        self.inflation = agreement.map(|agreement| Inflation::new(agreement, !self.is_server));
    }

    /// What was agreed on for compression (RFC 7692); `None` if nothing was.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn agreement(&self) -> Option<Agreement> {
        self.inflation.as_ref().map(Inflation::agreement)
    }

    /// One that receives nothing and only waits for the transport to end.
    pub(crate) fn refused(config: &Config) -> Self {
        Self { status: Status::Ended, ..Self::new(true, config) }
    }

    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn is_server(&self) -> bool {
        self.is_server
    }

    /// True while frames are received.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.status, Status::Open)
    }

    /// Decodes up to the next event, which [`Input::lend`] lends. `reply` gets what the [`Sender`] has to know of its frame.
    ///
    /// `Ok(None)` means that there is no event now. A reply that is dropped is lost: the peer gets no pong, or no answer to its Close frame.
    ///
    /// # Errors
    /// A [`ProtocolError`], then and ever after.
    pub fn advance(
        &mut self,
        input: &mut Input,
        reply: impl FnOnce(Reply<'_>),
    ) -> Result<Option<Ready>, ProtocolError> {
        let advanced = match self.message_frame(input) {
            None => self.step(input),
            ready => Ok(ready),
        };
        let advanced = match advanced {
            Ok(Some(Ready(Kind::Text))) if utf8::decode(input.lent()).is_err() => Err(self.fail_text(input)),
            advanced => advanced,
        };
        self.reply(input, reply);
        advanced
    }

    /// As [`advance`](Self::advance), with the text of a whole frame not yet validated: [`lend`](Self::lend) does that.
    #[inline(always)]
    pub(crate) fn next(
        &mut self,
        input: &mut Input,
        reply: impl FnOnce(Reply<'_>),
    ) -> Result<Option<Ready>, ProtocolError> {
        match self.message_frame(input) {
            Some(ready) => Ok(Some(ready)),
            None => self.next_any(input, reply),
        }
    }

    #[inline(never)]
    fn next_any(
        &mut self,
        input: &mut Input,
        reply: impl FnOnce(Reply<'_>),
    ) -> Result<Option<Ready>, ProtocolError> {
        let stepped = self.step(input);
        self.reply(input, reply);
        stepped
    }

    /// The event of [`next`](Self::next). Its text is validated once, where [`advance`](Self::advance) and [`Input::lend`] do it twice.
    ///
    /// If that fails the connection, the following `next` tells the peer, and discards what is in its input.
    #[inline(always)]
    pub(crate) fn lend<'i>(
        &mut self,
        input: &'i mut Input,
        ready: Ready,
    ) -> Result<Event<'i>, ProtocolError> {
        if ready != Ready(Kind::Text) {
            return Ok(input.lend(ready));
        }
        match utf8::decode(input.lent()) {
            Ok(text) => Ok(Event::Text(Text::lent(text))),
            Err(_) => Err(self.fail_text(input)),
        }
    }

    /// Hands over what the last frame asks the sender for.
    #[inline]
    fn reply(&mut self, input: &Input, reply: impl FnOnce(Reply<'_>)) {
        if let Some(due) = self.reply.take() {
            reply(Reply(match (due, self.failed()) {
                (_, Some(error)) => ReplyKind::Failed(error),
                (ReplyDue::Ping, _) => ReplyKind::Ping(input.lent()),
                (ReplyDue::Pong, _) => ReplyKind::Pong(input.lent()),
                (ReplyDue::Close, _) => ReplyKind::Close(input.lent()),
            }));
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, as it stands; ask again before every wait.
    ///
    /// Deadlines that have no beginning yet begin at `now`.
    pub fn poll_timeout(&mut self, now: Timestamp, sender: &mut Sender) -> Option<Timestamp> {
        #[cfg(any(feature = "blocking", feature = "tokio"))]
        let resting = self.resting_timeout(sender);
        sender.measure(now);
        let deadline = self.timers.poll(now, &self.facts(sender));
        #[cfg(any(feature = "blocking", feature = "tokio"))]
        debug_assert!(resting.is_none_or(|resting| resting.get() == deadline));
        deadline
    }

    /// What [`poll_timeout`](Self::poll_timeout) would say and change nothing, whatever the time is; `None` if it has to be asked.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn resting_timeout(&self, sender: &Sender) -> Option<Deadline> {
        if self.is_settled(sender) && !sender.is_measuring() { self.timers.resting() } else { None }
    }

    /// True while nothing is owed and nothing ends.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    #[inline]
    pub(crate) fn is_settled(&self, sender: &Sender) -> bool {
        self.is_open() && !sender.is_closing() && !sender.owes()
    }

    /// Does what is due at `now`: sends a keepalive ping, or gives the peer up. Calling it too early does nothing.
    ///
    /// Process what has arrived first, so that a busy caller does not take its own delay for the peer's.
    ///
    /// # Errors
    /// [`TimedOut`], then and ever after.
    pub fn handle_timeout(&mut self, now: Timestamp, sender: &mut Sender) -> Result<(), TimedOut> {
        sender.measure(now);
        match self.timers.handle(now, &self.facts(sender)) {
            Ok(Due::Nothing) => Ok(()),
            Ok(Due::Ping) => {
                sender.release();
                sender.keepalive();
                self.timers.pinged(&self.facts(sender));
                Ok(())
            }
            Err(timed_out) => Err(self.give_up(timed_out, sender)),
        }
    }

    /// As [`poll_timeout`](Self::poll_timeout), for the deadlines that hold even while nobody reads: the write timeout and the close
    /// timeout. A writer asks for them, and a reader that always finds something to read.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn poll_firm_timeout(&mut self, now: Timestamp, sender: &Sender) -> Option<Timestamp> {
        self.timers.poll_firm(now, &self.facts(sender))
    }

    /// As [`handle_timeout`](Self::handle_timeout), for the deadlines of [`poll_firm_timeout`](Self::poll_firm_timeout).
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn handle_firm_timeout(
        &mut self,
        now: Timestamp,
        sender: &mut Sender,
    ) -> Result<(), TimedOut> {
        sender.measure(now);
        let handled = self.timers.handle_firm(now, &self.facts(sender));
        handled.map_err(|timed_out| self.give_up(timed_out, sender))
    }

    /// What to do with the transport once the output is written.
    #[must_use]
    pub fn transport_action(&self, sender: &Sender) -> TransportAction {
        match self.phase(sender) {
            Phase::Open | Phase::Closing => TransportAction::KeepOpen,
            Phase::Over => TransportAction::Close,
            // The rest of the output goes first.
            _ if sender.owes() => TransportAction::KeepOpen,
            _ if self.eof || self.discarded_len > MAX_DISCARDED_LEN => TransportAction::Close,
            Phase::AwaitingEof => TransportAction::AwaitEof,
            Phase::Finishing => TransportAction::ShutdownWrite,
        }
    }

    /// Where the connection is between open and closed.
    #[must_use]
    pub fn state(&self, sender: &Sender) -> State {
        match self.phase(sender) {
            Phase::Open => State::Open,
            Phase::Closing => State::Closing,
            Phase::Finishing | Phase::AwaitingEof | Phase::Over => State::Closed,
        }
    }

    /// How the connection ended; `None` until it has.
    #[must_use]
    pub fn ending(&self, sender: &Sender) -> Option<Ending> {
        (self.state(sender) == State::Closed)
            .then(|| Ending::new(sender.closed(), self.close_frame().cloned()))
    }

    /// The peer's Close frame, if it arrived.
    fn close_frame(&self) -> Option<&Option<CloseFrame>> {
        if let Some(End::Close(frame)) = self.end.as_deref() { Some(frame) } else { None }
    }

    /// The deadline that ended the connection, if one did.
    #[must_use]
    pub fn timed_out(&self) -> Option<TimedOut> {
        self.timers.timed_out()
    }

    /// What was received so far, for metrics.
    #[must_use]
    pub fn received(&self) -> Traffic {
        self.received
    }

    /// The peer's Close frame, if its code says that something is wrong: neither 1000 nor 1001, and not the code that was sent first.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn refusal(&self, sender: &Sender) -> Option<&CloseFrame> {
        let frame = self.close_frame()?.as_ref()?;
        let is_normal = matches!(frame.code(), CloseCode::NORMAL | CloseCode::GOING_AWAY);
        let is_ours = matches!(sender.closed(), Some(Closed::First(Some(code))) if code == frame.code());
        (!is_normal && !is_ours).then_some(frame)
    }

    /// What the peer did wrong.
    pub(crate) fn failed(&self) -> Option<ProtocolError> {
        if let Some(End::Failed(error)) = self.end.as_deref() { Some(*error) } else { None }
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn timing(&self) -> &Timing {
        self.timers.timing()
    }

    /// RFC 6455 7.1.7: fails the connection.
    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        self.stop(Status::Failed);
        self.end = Some(Box::new(End::Failed(error)));
        self.reply = Some(ReplyDue::Close);
        error
    }

    /// Fails the connection for a text that was counted before it was validated.
    #[cold]
    #[inline(never)]
    fn fail_text(&mut self, input: &Input) -> ProtocolError {
        self.received.uncount_message(input.lent().len());
        self.fail(ProtocolError::InvalidUtf8)
    }

    /// Nothing is received from now on: what was received compressed is referred to no more.
    fn stop(&mut self, status: Status) {
        self.status = status;
        if let Some(inflation) = &mut self.inflation {
            inflation.abandon();
        }
    }

    /// RFC 6455 7.1.7: what arrives after the end is not processed.
    fn discard(&mut self, input: &mut Input) {
        let len = input.unread().len();
        self.discarded_len = self.discarded_len.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
        input.consume(len);
        input.free_message();
        self.eof |= input.is_eof();
    }

    fn give_up(&mut self, timed_out: TimedOut, sender: &mut Sender) -> TimedOut {
        if let Status::Open = self.status {
            self.stop(Status::Ended);
        }
        sender.end();
        timed_out
    }

    fn phase(&self, sender: &Sender) -> Phase {
        if self.timers.is_over() {
            return Phase::Over;
        }
        match self.status {
            Status::Open if sender.is_closing() => Phase::Closing,
            Status::Open => Phase::Open,
            Status::Failed if self.failed() == Some(ProtocolError::UnexpectedEof) => Phase::Over,
            // RFC 6455 7.1.1: after the closing handshake the server ends the transport, and the client waits for that.
            Status::Closed if !self.is_server && !sender.owes() => Phase::AwaitingEof,
            Status::Closed | Status::Failed | Status::Ended => Phase::Finishing,
        }
    }

    fn facts(&self, sender: &Sender) -> Facts {
        Facts {
            phase: self.phase(sender),
            owes: sender.owes(),
            queued_len: sender.queued_len(),
            written: sender.written(),
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match self.status {
            Status::Open => "open",
            Status::Closed => "closed",
            Status::Failed => "failed",
            Status::Ended => "ended",
        };
        f.debug_struct("Receiver")
            .field("is_server", &self.is_server)
            .field("status", &status)
            .finish_non_exhaustive()
    }
}
