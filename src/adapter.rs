//! What the adapters share: running either role's opening handshake, remembering what it settled, how a connection ends
//! ([`Outlet`]), and the methods that read the same in both.

mod methods;
mod outlet;

use core::time::Duration;
use std::boxed::Box;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use self::methods::{negotiated_methods, receiving_methods, sending_methods};
pub(crate) use self::outlet::Outlet;
use crate::{
    ClientHandshake, ClientRequest, Config, Connection, HandshakeError, Input, Output, Request, Response,
    ServerHandshake, TimedOut, Timestamp,
};

/// How long a connection without a deadline keeps what a large message has left behind.
pub(crate) const REST: Duration = Duration::from_secs(10);

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

/// Locks a mutex of the halves, under which nothing panics that would leave half a change behind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
