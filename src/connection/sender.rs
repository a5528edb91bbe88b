//! [`Sender`]: what is sent becomes output, until a Close frame ends it (RFC 6455 5.3 to 6.1).

mod control;
mod frames;

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use crate::config::deflate::Agreement;
use crate::connection::deflate::Compression;
use crate::connection::message::DataKind;
use crate::connection::outgoing::Outgoing;
use crate::connection::output::Output;
use crate::connection::round_trip::RoundTrip;
use crate::connection::state::Closed;
#[cfg(any(feature = "blocking", feature = "tokio"))]
use crate::connection::state::State;
use crate::connection::traffic::Traffic;
use crate::wire::frame::OpCode;
use crate::wire::mask::Keys;
use crate::{Config, SendError, Timestamp};

/// The sending half of a [`Connection`](crate::Connection): what it encodes waits in its [`output`](Self::output).
pub struct Sender {
    /// The source of masking keys, for a client.
    keys: Option<Keys>,
    output: Output,
    high_water_len: usize,
    max_output_len: usize,
    /// The type of the message that is being sent in fragments.
    fragmented: Option<DataKind>,
    /// That message is compressed.
    is_compressed: bool,
    /// Where it was agreed that this side may compress messages.
    compression: Option<Compression>,
    closed: Option<Closed>,
    /// The peer's Close frame has come.
    is_answered: bool,
    over: Over,
    /// The stream may hold back what was written.
    pub(crate) unflushed: bool,
    /// The newest pong that the high-water mark held back (RFC 6455 5.5.3).
    late_pong: Option<Box<[u8]>>,
    round_trip: RoundTrip,
    sent: Traffic,
    /// The first moment that was told; the end of time before that.
    since: Timestamp,
}

/// Why no message may be queued any more: one question for all reasons, since every message asks it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    No,
    /// This side has sent its Close frame, or the connection has failed.
    Closed,
    /// The transport takes nothing any more.
    Abandoned,
}

impl Sender {
    pub(crate) fn new(keys: Option<Keys>, config: &Config, output: Output) -> Self {
        Self {
            keys,
            output,
            high_water_len: config.high_water_len(),
            max_output_len: config.max_output_len(),
            fragmented: None,
            is_compressed: false,
            compression: None,
            closed: None,
            is_answered: false,
            over: Over::No,
            unflushed: false,
            late_pong: None,
            round_trip: RoundTrip::default(),
            sent: Traffic::default(),
            since: Timestamp::MAX,
        }
    }

    pub(crate) fn agree(&mut self, agreement: Option<Agreement>) {
        self.compression = agreement.map(|agreement| Compression::new(agreement, self.keys.is_none()));
    }

    /// What was agreed on for compression (RFC 7692); `None` if nothing was.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn agreement(&self) -> Option<Agreement> {
        self.compression.as_ref().map(Compression::agreement)
    }

    /// One that sends nothing but `output`.
    pub(crate) fn refused(config: &Config, output: Output) -> Self {
        let mut sender = Self::new(None, config, output);
        sender.set_closed(Closed::Failed(None));
        sender
    }

    /// One that sends nothing at all.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn gone() -> Self {
        Self::refused(&Config::new(), Output::new())
    }

    /// Queues a message as one frame.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`UnfinishedMessage`](SendError::UnfinishedMessage) or
    /// [`OutputFull`](SendError::OutputFull); nothing is queued then.
    // Always inlined: as a call, it moves an owned message through memory.
    #[inline(always)]
    pub fn send<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), SendError> {
        let message = message.into();
        self.check()?;
        self.send_checked(message)
    }

    /// As [`send`](Self::send), but it never finds the output full: for a caller who has waited for room.
    #[cfg(feature = "futures")]
    pub(crate) fn send_beyond<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), SendError> {
        self.check_open()?;
        self.send_checked(message.into())
    }

    #[inline(always)]
    fn send_checked(&mut self, message: Outgoing<'_>) -> Result<(), SendError> {
        if self.fragmented.is_some() {
            return Err(SendError::UnfinishedMessage);
        }
        if self.compression.is_some() {
            self.push_agreed(message);
        } else {
            self.push_message(message.kind().opcode(), true, message);
        }
        Ok(())
    }

    /// Queues a fragment of a message; `last` ends the message (RFC 6455 5.4). Control frames may go between fragments.
    ///
    /// # Errors
    /// [`Closed`](SendError::Closed), [`MixedFragments`](SendError::MixedFragments) or
    /// [`OutputFull`](SendError::OutputFull); nothing is queued then.
    pub fn send_fragment<'m>(&mut self, part: impl Into<Outgoing<'m>>, last: bool) -> Result<(), SendError> {
        let part = part.into();
        self.check()?;
        // RFC 6455 5.4: the first fragment names the type, and the others continue it.
        let opcode = match self.fragmented {
            None => part.kind().opcode(),
            Some(kind) if kind == part.kind() => OpCode::Continuation,
            Some(_) => return Err(SendError::MixedFragments),
        };
        self.fragmented = (!last).then_some(part.kind());
        if opcode != OpCode::Continuation {
            self.is_compressed = self.compresses(&part, last);
        }
        if self.is_compressed {
            self.push_compressed_fragment(opcode, last, part.as_bytes());
        } else {
            self.push_message(opcode, last, part);
        }
        Ok(())
    }

    /// The bytes owed to the peer: write them to the transport.
    pub fn output(&mut self) -> &mut Output {
        self.catch_up();
        &mut self.output
    }

    /// The output for what is owed already, and for its storage.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn storage(&mut self) -> &mut Output {
        &mut self.output
    }

    /// True while the output is below [`Config::high_water_len`]: a good moment to send.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.output.is_empty() || self.output.len() < self.high_water_len
    }

    /// How long the peer took to answer the last ping that it answered, keepalive pings included.
    #[must_use]
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.round_trip.last()
    }

    /// What was queued so far, for metrics. [`queued_len`](Self::queued_len) tells how much of it waits.
    #[must_use]
    pub fn sent(&self) -> Traffic {
        self.sent
    }

    /// The connection is open from the latest moment on that was told, unless it has been before.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn begin(&mut self) {
        self.since = self.since.min(self.told());
    }

    /// How long ago the first moment was that this was told.
    pub(crate) fn age(&self, now: Timestamp) -> Duration {
        now.duration_since(self.since)
    }

    /// Gives back the heap that is not needed while nothing is owed.
    pub fn release(&mut self) {
        self.output.release();
        if let Some(keys) = &mut self.keys {
            keys.release();
        }
    }

    /// How many bytes of output wait for the transport.
    #[must_use]
    pub fn queued_len(&self) -> usize {
        self.output.len()
    }

    /// The most output with which there is still room for more.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    #[inline]
    pub(crate) fn ready_len(&self) -> usize {
        self.high_water_len.saturating_sub(1)
    }

    /// The output, and whether the stream may hold back what was written.
    #[cfg(feature = "tokio")]
    pub(crate) fn output_to_flush(&mut self) -> (&mut Output, &mut bool) {
        self.catch_up();
        (&mut self.output, &mut self.unflushed)
    }

    /// Forgets the output, and queues nothing from now on: nobody will read it.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn abandon(&mut self) {
        self.over = Over::Abandoned;
        self.forget_history();
        self.output.clear();
        self.late_pong = None;
        self.unflushed = false;
    }

    /// True while a message is being sent in fragments.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn is_fragmented(&self) -> bool {
        self.fragmented.is_some()
    }

    /// Where the connection is, as far as the frames tell that were sent and answered.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn state(&self) -> State {
        match self.closed {
            None => State::Open,
            Some(Closed::First(_)) if !self.is_answered => State::Closing,
            Some(_) => State::Closed,
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closed.is_some()
    }

    pub(crate) fn closed(&self) -> Option<Closed> {
        self.closed
    }

    /// True while output waits for the transport, or is held back by the high-water mark or the stream.
    pub(crate) fn owes(&self) -> bool {
        self.unflushed || !self.output.is_empty() || self.late_pong.is_some()
    }

    pub(crate) fn written(&self) -> u64 {
        self.output.written()
    }

    /// The peer was given up: nothing follows.
    pub(crate) fn end(&mut self) {
        if self.closed.is_none() {
            self.set_closed(Closed::Failed(None));
        }
    }

    /// True while a round trip waits to be told the time.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn is_measuring(&self) -> bool {
        self.round_trip.is_measuring()
    }

    /// The position at which everything will have been written that can be queued now.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn end_of_output(&mut self) -> u64 {
        self.catch_up();
        self.written() + self.queued_len() as u64
    }

    /// Takes the output to be written elsewhere while more is queued here: see [`Output::take`].
    #[cfg(feature = "blocking")]
    pub(crate) fn take_output(&mut self, now: Timestamp) -> Output {
        let end = self.end_of_output();
        self.round_trip.leave(now, end);
        self.output.take()
    }

    /// Puts back what is left of the output that was [taken](Self::take_output).
    #[cfg(feature = "blocking")]
    pub(crate) fn put_back_output(&mut self, output: Output) {
        self.round_trip.settle();
        self.output.put_back(output);
    }

    /// True while a ping waits to be written.
    #[cfg(feature = "tokio")]
    #[inline]
    pub(crate) fn has_ping(&self) -> bool {
        self.round_trip.is_queued()
    }

    /// Tells a round trip when the write began that took its ping.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn wrote(&mut self, began: Timestamp) {
        self.round_trip.wrote(began, self.written());
    }

    /// Tells the time to a round trip that began or ended since the last time.
    pub(crate) fn measure(&mut self, now: Timestamp) {
        self.since = self.since.min(now);
        self.round_trip.measure(now, self.written());
    }

    /// The latest moment that was told: whoever goes on with another clock begins it here.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn told(&self) -> Timestamp {
        self.round_trip.told()
    }

    fn set_closed(&mut self, closed: Closed) {
        self.closed = Some(closed);
        self.forget_history();
        if self.over == Over::No {
            self.over = Over::Closed;
        }
    }

    /// No message follows that could refer to former ones.
    fn forget_history(&mut self) {
        if let Some(compression) = &mut self.compression {
            compression.abandon();
        }
    }

    /// Fails while no message may be queued.
    #[inline(always)]
    pub(crate) fn check(&self) -> Result<(), SendError> {
        self.check_open()?;
        // What is queued already counts: a message of any length finds room below the limit.
        if self.output.len() >= self.max_output_len && !self.output.is_empty() {
            return Err(SendError::OutputFull);
        }
        Ok(())
    }

    #[inline(always)]
    fn check_open(&self) -> Result<(), SendError> {
        // RFC 6455 5.5.1: no data follows a Close frame.
        if self.over == Over::No { Ok(()) } else { Err(SendError::Closed) }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("is_server", &self.keys.is_none())
            .field("output_len", &self.output.len())
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
