//! What the adapters share: running either role's opening handshake, remembering what it settled, and how a connection ends.

use std::boxed::Box;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    ClientHandshake, ClientRequest, Config, Connection, Error, HandshakeError, Input, Output, ProtocolError,
    Receiver, Request, Response, SendError, Sender, ServerHandshake, TimedOut, Timestamp,
};

/// An opening handshake, whatever the role.
pub(crate) trait Opening {
    /// What it leads to.
    type Opened;

    fn output(&mut self) -> &mut Output;
    fn receive(&mut self, input: &mut Input) -> Result<Option<Self::Opened>, HandshakeError>;
    fn poll_timeout(&mut self, now: Timestamp) -> Option<Timestamp>;
    fn handle_timeout(&mut self, now: Timestamp) -> Result<(), TimedOut>;
}

macro_rules! impl_opening {
    ($handshake:ty, $opened:ty) => {
        impl Opening for $handshake {
            type Opened = $opened;

            fn output(&mut self) -> &mut Output {
                self.output()
            }

            fn receive(&mut self, input: &mut Input) -> Result<Option<$opened>, HandshakeError> {
                self.receive(input)
            }

            fn poll_timeout(&mut self, now: Timestamp) -> Option<Timestamp> {
                self.poll_timeout(now)
            }

            fn handle_timeout(&mut self, now: Timestamp) -> Result<(), TimedOut> {
                self.handle_timeout(now)
            }
        }
    };
}

impl_opening!(ClientHandshake, (Connection, Response));
impl_opening!(ServerHandshake, Request);

/// What the opening handshake settled.
#[derive(Debug)]
pub(crate) enum Negotiated {
    /// As the server, with the subprotocol that was chosen.
    Server(Request, Option<Box<str>>),
    /// As the client.
    Client(Response),
}

impl Negotiated {
    pub(crate) fn subprotocol(&self) -> Option<&str> {
        match self {
            Self::Server(_, subprotocol) => subprotocol.as_deref(),
            Self::Client(response) => response.subprotocol(),
        }
    }

    pub(crate) fn request(&self) -> Option<&Request> {
        match self {
            Self::Server(request, _) => Some(request),
            Self::Client(_) => None,
        }
    }

    pub(crate) fn response(&self) -> Option<&Response> {
        match self {
            Self::Server(..) => None,
            Self::Client(response) => Some(response),
        }
    }
}

/// A client's handshake for `request`, with nonce and seed from the operating system.
pub(crate) fn client_handshake(request: &ClientRequest, config: Config) -> io::Result<ClientHandshake> {
    let mut nonce = [0; 16];
    let mut seed = [0; 32];
    for random in [&mut nonce[..], &mut seed[..]] {
        getrandom::fill(random).map_err(io::Error::other)?;
    }
    Ok(ClientHandshake::new(config, request, nonce, seed))
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

impl Broken {
    /// Of a connection whose transport is to be closed.
    pub(crate) fn ended(receiver: &Receiver, failed: Option<ProtocolError>) -> Self {
        match (failed, receiver.timed_out()) {
            (Some(_), _) => Self::Failed,
            (None, Some(timed_out)) => Self::TimedOut(timed_out),
            (None, None) => Self::Closed,
        }
    }
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

/// Whether a stream takes no more, and whether something was lost by that.
#[derive(Debug, Default)]
pub(crate) struct Breakage {
    reason: Option<Broken>,
    lost: bool,
}

impl Breakage {
    pub(crate) fn is_some(&self) -> bool {
        self.reason.is_some()
    }

    /// Nobody will read any more: gives up what is owed, for the first reason there was.
    pub(crate) fn break_off(&mut self, reason: Broken, sender: &mut Sender) -> Broken {
        self.lost |= sender.owes();
        sender.abandon();
        *self.reason.get_or_insert(reason)
    }

    /// Fails unless the connection was closed and everything had been written by then.
    pub(crate) fn check(&mut self, sender: &mut Sender) -> Result<(), Error> {
        let Some(reason) = self.reason else { return Ok(()) };
        self.break_off(reason, sender);
        if matches!(reason, Broken::Closed) && !self.lost { Ok(()) } else { Err(reason.into()) }
    }
}

/// How a connection ended whose transport is to be closed: without an error, or with the first one there was. `failed` is what
/// the peer did wrong.
pub(crate) fn outcome(
    receiver: &Receiver,
    failed: Option<ProtocolError>,
    broken: Broken,
) -> Result<(), Error> {
    match (failed, receiver.timed_out(), broken) {
        (Some(ProtocolError::UnexpectedEof), _, Broken::Io(_)) | (None, Some(_), Broken::Io(_)) => {
            Err(broken.into())
        }
        (Some(error), ..) => Err(error.into()),
        (None, Some(timed_out), _) => Err(timed_out.into()),
        (None, None, _) => Ok(()),
    }
}

/// Locks a mutex of the halves, under which nothing panics that would leave half a change behind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
