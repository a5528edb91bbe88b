//! Opening a connection: `connect`, `client`, `accept`, and [`Incoming`], the accept in two steps.

use core::time::Duration;
use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Instant;

use super::link::open;
use super::{Stream, WebSocket};
use crate::adapter::{Negotiated, client_handshake, opening_functions, plain_request};
use crate::pool::Inlet;
use crate::{ClientRequest, Config, Connection, Error, Request, ServerHandshake, TimedOut};

/// Connects to a `ws://` URI over TCP, with the defaults of [`Config`] and keepalive on.
///
/// For `wss://`, make a TLS stream with a TLS library and pass it to [`client`].
///
/// # Errors
/// [`InvalidRequest`](Error::InvalidRequest), [`TlsNeeded`](Error::TlsNeeded), [`Io`](Error::Io),
/// [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut).
///
/// ```no_run
/// # fn example() -> Result<(), tidewire::Error> {
/// let mut socket = tidewire::blocking::connect("ws://127.0.0.1:9001/")?;
/// socket.send("Hello")?;
/// println!("{:?}", socket.recv()?);
/// # Ok(()) }
/// ```
pub fn connect(uri: &str) -> Result<WebSocket<TcpStream>, Error> {
    let request = plain_request(uri)?;
    let config = Config::new();
    let stream = connect_tcp(request.uri().host(), request.uri().port(), config.open_timeout())?;
    stream.set_nodelay(true)?;
    client_with(stream, &request, config)
}

/// Tries the addresses of `host` one after the other.
fn connect_tcp(host: &str, port: u16, timeout: Option<Duration>) -> Result<TcpStream, Error> {
    let start = Instant::now();
    let mut result = Err(ErrorKind::NotFound.into());
    for address in (host, port).to_socket_addrs()? {
        result = match timeout {
            // A timeout of zero is an error of its own.
            Some(timeout) => {
                let rest = timeout.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
                TcpStream::connect_timeout(&address, rest)
            }
            None => TcpStream::connect(address),
        };
        if result.is_ok() {
            break;
        }
    }
    result.map_err(|error| match error.kind() {
        ErrorKind::TimedOut => TimedOut::Open.into(),
        _ => error.into(),
    })
}

/// A request that waits for an answer: the accept in two steps. Dropping it closes the stream without one.
///
/// ```no_run
/// # fn example(stream: std::net::TcpStream) -> Result<(), tidewire::Error> {
/// use tidewire::blocking::Incoming;
/// use tidewire::{Config, Origins, ServerHandshake};
///
/// let handshake = ServerHandshake::new(Config::new()).with_origins(Origins::any());
/// let incoming = Incoming::receive(stream, handshake)?;
/// if incoming.request().target() != "/chat" {
///     return incoming.reject(404, &[], b"no such place");
/// }
/// let subprotocol = incoming.request().choose_subprotocol(&["v2.chat", "v1.chat"]);
/// let mut socket = incoming.accept(subprotocol, &[("Server", "tides")])?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Incoming<S> {
    stream: S,
    inlet: Inlet,
    request: Request,
}

macro_rules! plain {
    ($body:block) => {
        $body
    };
}

macro_rules! result {
    ($opened:ty) => {
        Result<$opened, Error>
    };
}

opening_functions!([Stream], result, plain);
