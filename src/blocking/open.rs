//! Opening a connection: `connect`, `client`, `accept`, and [`Incoming`], the accept in two steps.

use core::time::Duration;
use std::boxed::Box;
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Instant;

use super::link::{Inbox, sides};
use super::{Stream, WebSocket};
use crate::adapter::{self, Negotiated};
use crate::{ClientRequest, Config, Connection, Error, Input, Request, ServerHandshake};

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
    let request = ClientRequest::new(uri)?;
    if request.uri().is_secure() {
        return Err(Error::TlsNeeded);
    }
    let config = Config::new().with_default_keepalive();
    let stream = connect_tcp(request.uri().host(), request.uri().port(), config.open_timeout())?;
    stream.set_nodelay(true)?;
    client_with(stream, &request, config)
}

/// Tries the addresses of `host` one after the other.
fn connect_tcp(host: &str, port: u16, timeout: Option<Duration>) -> io::Result<TcpStream> {
    let start = Instant::now();
    let mut result = Err(io::ErrorKind::NotFound.into());
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
    result
}

/// Opens a connection as the client over any stream, with the defaults of [`Config`] and keepalive on.
///
/// # Errors
/// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut).
pub fn client<S>(stream: S, request: &ClientRequest) -> Result<WebSocket<S>, Error>
where
    S: Stream,
{
    client_with(stream, request, Config::new().with_default_keepalive())
}

/// As [`client`], with limits and timers of your own.
///
/// # Errors
/// As [`client`].
pub fn client_with<S>(mut stream: S, request: &ClientRequest, config: Config) -> Result<WebSocket<S>, Error>
where
    S: Stream,
{
    let mut handshake = adapter::client_handshake(request, config)?;
    let mut input = Input::new();
    let (connection, response) = Inbox::open(&mut stream, &mut handshake, &mut input)?;
    Ok(WebSocket::new(stream, connection, input, Some(Negotiated::Client(response))))
}

/// Opens a connection as the server over any stream, with the defaults of [`Config`] and keepalive on: requests from a web page of another
/// origin are refused, and no subprotocol is chosen. [`Incoming`] leaves both to you.
///
/// Turn `TCP_NODELAY` on for TCP, as [`connect`] does.
///
/// # Errors
/// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut); the client has got the HTTP answer then.
pub fn accept<S>(stream: S) -> Result<WebSocket<S>, Error>
where
    S: Stream,
{
    let handshake = ServerHandshake::new(Config::new().with_default_keepalive());
    Incoming::receive(stream, handshake)?.accept(None, &[])
}

/// A request that waits for an answer: the accept in two steps. Dropping it closes the stream without one.
///
/// ```no_run
/// # fn example(stream: std::net::TcpStream) -> Result<(), tidewire::Error> {
/// use tidewire::blocking::Incoming;
/// use tidewire::{Config, Origins, ServerHandshake};
///
/// let handshake = ServerHandshake::new(Config::new().with_default_keepalive()).with_origins(Origins::Any);
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
    input: Input,
    request: Request,
}

impl<S: Stream> Incoming<S> {
    /// Receives the request. What breaks a rule, or comes from an origin that is not allowed, has got its HTTP answer when this fails.
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut).
    pub fn receive(mut stream: S, mut handshake: ServerHandshake) -> Result<Self, Error> {
        let mut input = Input::new();
        match Inbox::open(&mut stream, &mut handshake, &mut input) {
            Ok(request) => Ok(Self { stream, input, request }),
            Err(error) => {
                refuse(stream, handshake.into_refusal(), input);
                Err(error)
            }
        }
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The stream.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Accepts the request: `subprotocol` is one of those that the client offers, and `headers` are added to the answer.
    ///
    /// # Errors
    /// [`InvalidResponse`](Error::InvalidResponse), [`Io`](Error::Io).
    pub fn accept(self, subprotocol: Option<&str>, headers: &[(&str, &str)]) -> Result<WebSocket<S>, Error> {
        let connection = self.request.accept(subprotocol, headers)?;
        let negotiated = Negotiated::Server(self.request, subprotocol.map(Box::from));
        let mut socket = WebSocket::new(self.stream, connection, self.input, Some(negotiated));
        socket.flush()?;
        Ok(socket)
    }

    /// Rejects the request with an HTTP answer, and closes the stream so that the client gets to read it.
    ///
    /// # Errors
    /// [`InvalidResponse`](Error::InvalidResponse).
    pub fn reject(self, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<(), Error> {
        let connection = self.request.reject(status, headers, body)?;
        refuse(self.stream, connection, self.input);
        Ok(())
    }
}

/// Delivers the HTTP answer that `connection` holds and waits until the client has had time to read it.
fn refuse<S: Stream>(mut stream: S, connection: Connection, input: Input) {
    let (mut inbox, outbox) = sides(connection, input);
    // The client may be gone; there is nobody else to tell.
    let _ = inbox.advance(&mut stream, &outbox);
}
