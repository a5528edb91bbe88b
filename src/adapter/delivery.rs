//! [`Delivery`]: the sending side of a connection, and how it ends.

use std::boxed::Box;
use std::io;

use crate::adapter::pool::PooledInput;
use crate::{
    CloseFrame, Error, Outgoing, ProtocolError, Receiver, SendError, Sender, State, TimedOut, Timestamp,
    TransportAction,
};

/// How many reads may follow before a deadline that has passed counts, as long as there is something to read.
const PATIENCE: u8 = 128;

/// A sender, and why its output goes nowhere any more.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) sender: Sender,
    /// The stream's write side is shut down.
    pub(crate) is_shut: bool,
    /// What is left of [`PATIENCE`].
    patience: u8,
    broken: Option<Broken>,
    /// A timeout was told to the subscriber when this half found it.
    pub(crate) is_timeout_told: bool,
    /// Something was still owed.
    lost: bool,
    /// The peer's Close frame, if its code says that something is wrong.
    refusal: Option<Box<CloseFrame>>,
}

/// Why a stream takes no more.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Broken {
    Io(io::ErrorKind),
    TimedOut(TimedOut),
    /// The peer broke the protocol, or ended the transport without a Close frame.
    Failed,
    /// The connection was closed.
    Closed,
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Io(kind) => io::Error::from(kind).into(),
            Broken::TimedOut(timed_out) => timed_out.into(),
            Broken::Failed | Broken::Closed => SendError::Closed.into(),
        }
    }
}

impl Delivery {
    pub(crate) fn new(mut sender: Sender) -> Self {
        sender.begin();
        Self {
            sender,
            is_shut: false,
            patience: PATIENCE,
            broken: None,
            is_timeout_told: false,
            lost: false,
            refusal: None,
        }
    }

    /// Queues a message.
    #[inline]
    pub(crate) fn queue<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), SendError> {
        self.sender.send(message)
    }

    /// Queues a message, beyond the output limit if room was promised.
    #[cfg(feature = "futures")]
    pub(crate) fn start_send(&mut self, message: crate::Message, is_promised: bool) -> Result<(), Error> {
        let sent = if is_promised { self.sender.send_beyond(message) } else { self.sender.send(message) };
        sent.map_err(|error| self.explain(error))
    }

    /// Where the connection is, as far as a writer can tell.
    pub(crate) fn state(&self) -> State {
        if self.broken.is_some() { State::Closed } else { self.sender.state() }
    }

    /// Nobody reads any more, which ends a connection that has not ended.
    pub(crate) fn give_up(&mut self) {
        self.lost |= self.broken.is_none();
        self.break_off(Broken::Closed);
    }

    /// Takes everything and leaves one that takes nothing any more.
    pub(crate) fn take(&mut self) -> Self {
        let mut gone = Self::new(Sender::gone());
        gone.give_up();
        core::mem::replace(self, gone)
    }

    /// Notes the peer's Close frame if its code says that something is wrong.
    pub(crate) fn hear(&mut self, receiver: &Receiver) {
        if let Some(frame) = receiver.refusal(&self.sender) {
            self.refusal = Some(Box::new(frame.clone()));
        }
    }

    /// Why nothing can be sent: what the peer said, if it has closed.
    pub(crate) fn explain(&self, error: SendError) -> Error {
        match (&self.refusal, error) {
            (Some(frame), SendError::Closed) => Error::ClosedByPeer((**frame).clone()),
            (_, error) => error.into(),
        }
    }

    /// Nobody will read any more: gives up what is owed, for the first reason there was.
    fn break_off(&mut self, reason: Broken) -> Broken {
        self.lost |= self.sender.owes();
        self.sender.abandon();
        *self.broken.get_or_insert(reason)
    }

    /// True when the stream takes no more.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Fails unless the connection was closed and everything had been written by then.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        let Some(reason) = self.broken else { return Ok(()) };
        self.break_off(reason);
        match reason {
            Broken::Closed if !self.lost => Ok(()),
            Broken::Closed | Broken::Failed => Err(self.explain(SendError::Closed)),
            _ => Err(reason.into()),
        }
    }

    pub(crate) fn write_failed(&mut self, error: &io::Error) -> Error {
        self.break_off(Broken::Io(error.kind())).into()
    }

    /// For somebody who only writes: gives up if a deadline has passed that nothing unread could put off. Returns it when that is news.
    pub(crate) fn handle_firm_timeout(
        &mut self,
        receiver: &mut Receiver,
        now: Timestamp,
    ) -> Option<TimedOut> {
        match receiver.handle_firm_timeout(now, &mut self.sender) {
            Err(timed_out) => {
                self.break_off(Broken::TimedOut(timed_out));
                let was_told = core::mem::replace(&mut self.is_timeout_told, true);
                return (!was_told).then_some(timed_out);
            }
            // The time for what was left after the peer's Close frame is over, and there is no other deadline.
            Ok(()) if receiver.transport_action(&self.sender) == TransportAction::Close => {
                self.break_off(Broken::Closed);
            }
            Ok(()) => {}
        }
        None
    }

    /// Fails unless the connection was over: then a reset is as good as an orderly end.
    pub(crate) fn read_failed(
        &mut self,
        receiver: &Receiver,
        pooled: &mut PooledInput,
        error: io::Error,
    ) -> Result<(), Error> {
        self.break_off(Broken::Io(error.kind()));
        pooled.input().set_eof();
        if receiver.state(&self.sender) == State::Closed { Ok(()) } else { Err(error.into()) }
    }

    /// What to do with the transport before the next read, when as much has been written as goes.
    #[inline]
    pub(crate) fn transport_action(
        &mut self,
        receiver: &mut Receiver,
        now: impl FnOnce() -> Timestamp,
    ) -> TransportAction {
        if receiver.is_settled(&self.sender) {
            return TransportAction::KeepOpen;
        }
        self.unsettled_action(receiver, now())
    }

    #[cold]
    #[inline(never)]
    fn unsettled_action(&mut self, receiver: &mut Receiver, now: Timestamp) -> TransportAction {
        if self.sender.owes() || self.sender.is_closing() {
            let deadline = receiver.poll_firm_timeout(now, &self.sender);
            if deadline.is_none_or(|deadline| deadline > now) {
                self.patience = PATIENCE;
            } else if self.patience > 0 {
                // A caller that was busy finds first what came in time.
                self.patience -= 1;
            } else {
                // A peer that always has something to say puts nothing off. A timeout shows in the action.
                let _ = receiver.handle_firm_timeout(now, &mut self.sender);
            }
        }
        receiver.transport_action(&self.sender)
    }

    /// How a connection ended whose transport is to be closed: without an error, or with the first one there was. A code by which the peer
    /// says that something is wrong is one.
    pub(crate) fn end(&mut self, receiver: &Receiver) -> Result<(), Error> {
        let (failed, timed_out) = (receiver.failed(), receiver.timed_out());
        let broken = self.break_off(match (failed, timed_out) {
            (Some(_), _) => Broken::Failed,
            (None, Some(timed_out)) => Broken::TimedOut(timed_out),
            (None, None) => Broken::Closed,
        });
        match (failed, timed_out, broken) {
            (Some(ProtocolError::UnexpectedEof), _, Broken::Io(_)) | (None, Some(_), Broken::Io(_)) => {
                Err(broken.into())
            }
            (Some(error), ..) => Err(error.into()),
            (None, Some(timed_out), _) => Err(timed_out.into()),
            (None, None, _) => match receiver.refusal(&self.sender) {
                Some(frame) => Err(Error::ClosedByPeer(frame.clone())),
                None => Ok(()),
            },
        }
    }
}
