//! Opening a connection over a stream: `client`, `accept`, and [`Incoming`], the accept in two steps.

use core::task::Poll;
use std::boxed::Box;
use std::io::ErrorKind;
use std::time::Instant;

use super::outbox::MAX_WRITE;
use super::timeout::{SHORTEST, Timeout, read, until, write};
use super::{Stream, WebSocket};
use crate::adapter::pool::PooledInput;
use crate::adapter::{Negotiated, Opening, client_handshake, events};
use crate::{ClientRequest, Config, Connection, Error, Request, ServerHandshake};

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
pub fn client_with<S>(stream: S, request: &ClientRequest, config: Config) -> Result<WebSocket<S>, Error>
where
    S: Stream,
{
    let opened = client_from(stream, request, config, PooledInput::new());
    opened.inspect_err(|error| events::not_opened(false, error))
}

/// With what was read already.
pub(super) fn client_from<S: Stream>(
    mut stream: S,
    request: &ClientRequest,
    config: Config,
    mut pooled: PooledInput,
) -> Result<WebSocket<S>, Error> {
    let mut handshake = client_handshake(request, config)?;
    let (connection, response) = open(&mut stream, &mut handshake, &mut pooled)?;
    let mut socket = WebSocket::new(stream, connection, pooled, Some(Negotiated::Client(response)));
    socket.begin();
    Ok(socket)
}

/// Opens a connection as the server over any stream, with the defaults of [`Config`]: requests from a web page of another origin are
/// refused, no subprotocol is chosen, and the request is forgotten. [`accept_with`] changes that, and [`Incoming`] shows the request.
///
/// Turn `TCP_NODELAY` on for TCP, as [`connect`](fn@super::connect) does.
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
            Ok(connection) => {
                events::refused(true, status, "rejected");
                (connection, Ok(()))
            }
            Err(unsendable) => {
                events::refused(true, 500, "invalid response");
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
            events::not_opened(true, &error);
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
            socket.flush().inspect_err(|error| events::not_opened(true, error))?;
            socket.begin();
            Ok(socket)
        }
        Err(unsendable) => {
            events::refused(true, 500, "invalid response");
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
pub(super) fn open<H: Opening>(
    stream: &mut dyn Stream,
    handshake: &mut H,
    pooled: &mut PooledInput,
) -> Result<H::Opened, Error> {
    stream.set_blocking()?;
    let start = Instant::now();
    let (mut reading, mut writing) = (Timeout::default(), Timeout::default());
    let mut unflushed = false;
    loop {
        if let Some(opened) = handshake.receive(pooled.borrow()).map_err(Into::into)? {
            pooled.give_back();
            return Ok(opened);
        }
        let now = start.elapsed().into();
        let wait = until(handshake.poll_timeout(now), now);
        if wait.is_zero() {
            handshake.handle_timeout(now)?;
        } else if unflushed || !handshake.output().is_empty() {
            let wait = wait.min(MAX_WRITE);
            match write(stream, &mut writing, wait, handshake.output(), u64::MAX) {
                Poll::Ready(Ok(())) => unflushed = false,
                Poll::Pending => unflushed = true,
                // It does not hide an answer that has arrived.
                Poll::Ready(Err(error)) => {
                    let can_wait = error.kind() != ErrorKind::Unsupported;
                    let has_read = can_wait
                        && matches!(read(stream, &mut reading, SHORTEST, pooled), Poll::Ready(Ok(())));
                    if !has_read || pooled.is_eof() {
                        return Err(error.into());
                    }
                }
            }
        } else {
            let _ = read(stream, &mut reading, wait, pooled)?;
        }
    }
}
