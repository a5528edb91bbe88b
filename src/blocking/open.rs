//! Opening a connection: `connect` and [`Connector`], `client`, `accept`, and [`Incoming`], the accept in two steps.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::boxed::Box;
use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::outbox::MAX_WRITE;
use super::timeout::{Timeout, read, until, write};
use super::{ClientStream, Stream, WebSocket};
use crate::adapter::pool::PooledInput;
use crate::adapter::{Negotiated, Opening, client_handshake, name_server, plain_uri, rest_of};
use crate::{ClientRequest, Config, Connection, Error, Request, ServerHandshake, TimedOut, Uri};

/// Connects to a `ws://` URI over TCP, with the defaults of [`Config`]. [`Connector`] sets everything else.
///
/// For `wss://`, make a TLS stream with a TLS library and pass it to [`client`].
///
/// # Errors
/// As [`Connector::connect`], and [`InvalidRequest`](Error::InvalidRequest).
///
/// ```no_run
/// # fn example() -> Result<(), tidewire::Error> {
/// let mut socket = tidewire::blocking::connect("ws://127.0.0.1:9001/")?;
/// socket.send("Hello")?;
/// println!("{:?}", socket.recv()?);
/// # Ok(()) }
/// ```
pub fn connect(uri: &str) -> Result<WebSocket<ClientStream>, Error> {
    Connector::new().connect(ClientRequest::new(uri)?)
}

/// Connects clients, with settings of your own.
///
/// ```no_run
/// # fn example() -> Result<(), tidewire::Error> {
/// use tidewire::blocking::Connector;
/// use tidewire::{ClientRequest, Config};
///
/// let request = ClientRequest::new("ws://127.0.0.1:9001/feed")?.with_header("Authorization", "Bearer ...")?;
/// let connector = Connector::new().with_config(Config::new().with_max_message_len(1 << 20));
/// let mut socket = connector.connect(request)?;
/// println!("connected to {}", socket.get_ref().peer_addr()?);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Connector {
    config: Config,
}

impl Connector {
    /// One with the defaults of [`Config`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The limits and timers of the connections.
    #[must_use]
    pub fn with_config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Connects over TCP, with `TCP_NODELAY`, and opens a connection.
    ///
    /// The [open timeout](Config::with_open_timeout) covers resolving the host, connecting and the opening handshake together. A name that
    /// takes longer to resolve goes on being resolved by a thread of its own.
    ///
    /// # Errors
    /// - [`TlsNeeded`](Error::TlsNeeded) for a `wss` URI
    /// - [`Io`](Error::Io), which names the host, when it cannot be reached
    /// - [`Handshake`](Error::Handshake) when the server refuses or breaks a rule
    /// - [`TimedOut`](Error::TimedOut)
    pub fn connect(&self, request: ClientRequest) -> Result<WebSocket<ClientStream>, Error> {
        let (start, limit) = (Instant::now(), self.config.open_timeout());
        let stream = connect_tcp(plain_uri(&request)?, limit)?;
        // What is left is for the handshake.
        let config = self.config.with_open_timeout(rest_of(limit, start.elapsed()));
        let opened = client_with(ClientStream(stream), &request, config);
        opened.map_err(|error| name_server(request.uri(), error))
    }
}

/// Tries the addresses of the host one after the other.
fn connect_tcp(uri: &Uri, limit: Option<Duration>) -> Result<TcpStream, Error> {
    let start = Instant::now();
    let connect = |address| match rest_of(limit, start.elapsed()) {
        Some(rest) => TcpStream::connect_timeout(&address, rest),
        None => TcpStream::connect(address),
    };
    let connected = resolve(uri, limit).and_then(|addresses| {
        let mut result = Err(ErrorKind::NotFound.into());
        for address in addresses {
            result = connect(address);
            if result.is_ok() {
                break;
            }
        }
        result
    });
    let is_late = limit.is_some_and(|limit| start.elapsed() >= limit);
    let stream = connected.map_err(|error| match error.kind() {
        ErrorKind::TimedOut if is_late => TimedOut::Open.into(),
        _ => name_server(uri, error.into()),
    })?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The addresses of the host. The system's resolver has no timeout, so it gets a thread where there is one.
fn resolve(uri: &Uri, limit: Option<Duration>) -> io::Result<Vec<SocketAddr>> {
    let (host, port) = (uri.host(), uri.port());
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(Vec::from([(address, port).into()]));
    }
    let Some(limit) = limit else { return Ok((host, port).to_socket_addrs()?.collect()) };
    let (sender, receiver) = mpsc::channel();
    let host = host.to_owned();
    thread::Builder::new().spawn(move || {
        let addresses = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // Nobody waits any more when it took too long.
        let _ = sender.send(addresses);
    })?;
    receiver.recv_timeout(limit).unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

/// Opens a connection as the client over any stream, with the defaults of [`Config`].
///
/// # Errors
/// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut).
pub fn client<S>(stream: S, request: &ClientRequest) -> Result<WebSocket<S>, Error>
where
    S: Stream,
{
    client_with(stream, request, Config::new())
}

/// As [`client`], with limits and timers of your own.
///
/// # Errors
/// As [`client`].
pub fn client_with<S>(mut stream: S, request: &ClientRequest, config: Config) -> Result<WebSocket<S>, Error>
where
    S: Stream,
{
    let mut handshake = client_handshake(request, config)?;
    let mut pooled = PooledInput::new();
    let (connection, response) = open(&mut stream, &mut handshake, &mut pooled)?;
    Ok(WebSocket::new(stream, connection, pooled, Some(Negotiated::Client(response))))
}

/// Opens a connection as the server over any stream, with the defaults of [`Config`]: requests from a web page of another origin are
/// refused, no subprotocol is chosen, and the request is forgotten. [`accept_with`] changes that, and [`Incoming`] shows the request.
///
/// Turn `TCP_NODELAY` on for TCP, as [`connect`] does.
///
/// # Errors
/// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut); the client has got the HTTP answer then.
pub fn accept<S>(stream: S) -> Result<WebSocket<S>, Error>
where
    S: Stream,
{
    accept_with(stream, ServerHandshake::new(Config::new()))
}

/// As [`accept`], with settings of your own: limits and timers, origins, and subprotocols, of which the first is chosen that the client
/// offers.
///
/// # Errors
/// As [`accept`].
///
/// ```no_run
/// # fn example(stream: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// use tidewire::{Config, Origins, ServerHandshake};
///
/// let handshake = ServerHandshake::new(Config::new().with_max_message_len(1 << 20))
///     .with_origins(Origins::list(&["https://example.com"])?)
///     .with_subprotocols(&["chat.v2", "chat.v1"])?;
/// let mut socket = tidewire::blocking::accept_with(stream, handshake)?;
/// println!("{:?}", socket.subprotocol());
/// # Ok(()) }
/// ```
pub fn accept_with<S>(stream: S, handshake: ServerHandshake) -> Result<WebSocket<S>, Error>
where
    S: Stream,
{
    let incoming = receive_request(stream, handshake)?;
    let subprotocol = incoming.request.subprotocol().map(Box::<str>::from);
    accept_request(incoming, subprotocol.as_deref(), &[])
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
/// if incoming.request().path() != "/chat" {
///     return incoming.reject(404, &[], b"no such place");
/// }
/// let mut socket = incoming.accept(None, &[("Server", "tides")])?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Incoming<S> {
    stream: S,
    pooled: PooledInput,
    request: Request,
}

impl<S: Stream> Incoming<S> {
    /// Receives the request.
    ///
    /// A request that breaks a rule, or comes from an origin that is not allowed, is an error. The client has got its HTTP answer by then.
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut).
    pub fn receive(stream: S, handshake: ServerHandshake) -> Result<Self, Error> {
        receive_request(stream, handshake)
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
    /// [`InvalidResponse`](Error::InvalidResponse), after which the client has got 500; [`Io`](Error::Io).
    pub fn accept(self, subprotocol: Option<&str>, headers: &[(&str, &str)]) -> Result<WebSocket<S>, Error> {
        accept_request(self, subprotocol, headers)
    }

    /// Rejects the request with an HTTP answer, and closes the stream so that the client gets to read it.
    ///
    /// # Errors
    /// [`InvalidResponse`](Error::InvalidResponse), after which the client has got 500.
    pub fn reject(self, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<(), Error> {
        let (connection, result) = match self.request.reject(status, headers, body) {
            Ok(connection) => (connection, Ok(())),
            Err(unsendable) => {
                let reason = unsendable.reason().clone();
                (unsendable.into_refusal(), Err(reason.into()))
            }
        };
        refuse(self.stream, connection, self.pooled);
        result
    }
}

fn receive_request<S: Stream>(mut stream: S, mut handshake: ServerHandshake) -> Result<Incoming<S>, Error> {
    let mut pooled = PooledInput::new();
    match open(&mut stream, &mut handshake, &mut pooled) {
        Ok(request) => Ok(Incoming { stream, pooled, request }),
        Err(error) => {
            refuse(stream, handshake.into_refusal(), pooled);
            Err(error)
        }
    }
}

fn accept_request<S: Stream>(
    Incoming { stream, pooled, request }: Incoming<S>,
    subprotocol: Option<&str>,
    headers: &[(&str, &str)],
) -> Result<WebSocket<S>, Error> {
    match request.accept(subprotocol, headers) {
        Ok(connection) => {
            let negotiated = subprotocol.map(|name| Negotiated::Server(name.into()));
            let mut socket = WebSocket::new(stream, connection, pooled, negotiated);
            socket.flush()?;
            Ok(socket)
        }
        Err(unsendable) => {
            let reason = unsendable.reason().clone();
            refuse(stream, unsendable.into_refusal(), pooled);
            Err(reason.into())
        }
    }
}

/// Delivers the HTTP answer that `connection` holds and waits until the client has had time to read it.
fn refuse<S: Stream>(stream: S, connection: Connection, pooled: PooledInput) {
    // The client may be gone; there is nobody else to tell.
    let _ = WebSocket::new(stream, connection, pooled, None).recv_ref();
}

/// Runs an opening handshake to its end.
fn open<H: Opening>(
    stream: &mut dyn Stream,
    handshake: &mut H,
    pooled: &mut PooledInput,
) -> Result<H::Opened, Error> {
    stream.set_blocking()?;
    let start = Instant::now();
    let (mut reading, mut writing) = (Timeout::default(), Timeout::default());
    let mut unflushed = false;
    loop {
        if let Some(opened) = handshake.receive(pooled.borrow())? {
            pooled.give_back();
            return Ok(opened);
        }
        let now = start.elapsed().into();
        let wait = until(handshake.poll_timeout(now), now);
        if wait.is_zero() {
            handshake.handle_timeout(now)?;
        } else if unflushed || !handshake.output().is_empty() {
            let wait = wait.min(MAX_WRITE);
            unflushed = !write(stream, &mut writing, wait, handshake.output(), u64::MAX)?.is_ready();
        } else {
            let _ = read(stream, &mut reading, wait, pooled)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_connect_opens_does_not_wait_for_more_to_send() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let uri = format!("ws://{}/", listener.local_addr().expect("bound"));
        let accepting = thread::spawn(move || accept(listener.accept()?.0));
        let client = connect(&uri).expect("open");
        assert!(accepting.join().expect("no panic").is_ok());
        assert!(client.get_ref().0.nodelay().expect("a socket"));
    }
}
