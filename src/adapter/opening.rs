//! Opening a connection: either role's handshake, and what it settles.

use core::time::Duration;
use std::boxed::Box;
use std::format;
use std::io;

use crate::connect::proxy::Tunnel;
use crate::connection::Role;
use crate::handshake::negotiate;
use crate::{
    ClientHandshake, ClientRequest, Config, Connection, Error, HandshakeError, Input, Output, Proxy,
    ProxyError, Request, Response, ServerHandshake, TimedOut, Timestamp, Uri,
};

/// An opening handshake, whatever the role.
pub(crate) trait Opening {
    /// What it leads to.
    type Opened;
    /// What the other side did wrong.
    type Failure: Into<Error>;

    fn output(&mut self) -> &mut Output;
    fn receive(&mut self, input: &mut Input) -> Result<Option<Self::Opened>, Self::Failure>;
    fn poll_timeout(&mut self, now: Timestamp) -> Option<Timestamp>;
    fn handle_timeout(&mut self, now: Timestamp) -> Result<(), TimedOut>;
}

macro_rules! impl_opening {
    ($handshake:ty, $opened:ty, $failure:ty) => {
        impl Opening for $handshake {
            type Opened = $opened;
            type Failure = $failure;

            fn output(&mut self) -> &mut Output {
                self.output()
            }

            fn receive(&mut self, input: &mut Input) -> Result<Option<$opened>, $failure> {
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

impl_opening!(ClientHandshake, (Connection, Response), HandshakeError);
impl_opening!(ServerHandshake, Request, HandshakeError);
impl_opening!(Tunnel, (), ProxyError);

/// What is kept of the opening handshake.
#[derive(Debug)]
pub(crate) enum Negotiated {
    /// By the server: the subprotocol that was chosen.
    Server(Box<str>),
    /// By the client.
    Client(Response),
}

impl Negotiated {
    pub(crate) fn subprotocol(&self) -> Option<&str> {
        match self {
            Self::Server(subprotocol) => Some(subprotocol),
            Self::Client(response) => response.subprotocol(),
        }
    }

    pub(crate) fn response(&self) -> Option<&Response> {
        match self {
            Self::Server(_) => None,
            Self::Client(response) => Some(response),
        }
    }
}

/// Names the server that cannot be reached, or breaks off.
pub(crate) fn name_server(uri: &Uri, error: Error) -> Error {
    name("", uri.host(), uri.port(), error)
}

/// Names the proxy that cannot be reached, or breaks off.
pub(crate) fn name_proxy(proxy: &Proxy, error: Error) -> Error {
    name("the proxy ", proxy.host(), proxy.port(), error)
}

fn name(what: &str, host: &str, port: u16, error: Error) -> Error {
    let Error::Io(error) = error else { return error };
    io::Error::new(error.kind(), format!("cannot connect to {what}{host} at port {port}: {error}")).into()
}

/// What is left of a limit; not zero, which would stand for no limit.
pub(crate) fn rest_of(limit: Option<Duration>, elapsed: Duration) -> Option<Duration> {
    limit.map(|limit| limit.saturating_sub(elapsed).max(Duration::from_millis(1)))
}

/// How much each direction of a pair in memory holds.
pub(crate) const PAIR_LEN: usize = 64 << 10;

/// The two ends of a pair in memory, for tests.
pub(crate) fn pair_connections(config: Config) -> (Connection, Connection) {
    let agreement = config.deflate.as_ref().and_then(negotiate::deflate::agree_with_itself);
    let open = |role| Connection::open(role, config, agreement, Output::new());
    (open(Role::Client([0; 32])), open(Role::Server))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_over_is_no_missing_one() {
        let limit = Some(Duration::from_secs(10));
        assert_eq!(rest_of(limit, Duration::from_secs(3)), Some(Duration::from_secs(7)));
        for elapsed in [10, 11].map(Duration::from_secs) {
            let config = Config::new().with_open_timeout(rest_of(limit, elapsed));
            assert_eq!(config.open_timeout(), Some(Duration::from_millis(1)));
        }
        assert_eq!(rest_of(None, Duration::from_secs(3)), None);
    }
}
