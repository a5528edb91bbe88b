//! Opening a connection over a stream: `client`, `accept`, and [`Incoming`], the accept in two steps.

use std::boxed::Box;

use ::tokio::io::{AsyncRead, AsyncWrite};

use super::WebSocket;
use super::transport::open;
use crate::adapter::pool::PooledInput;
use crate::adapter::{Negotiated, client_handshake, events};
use crate::{ClientRequest, Config, Connection, Error, Request, ServerHandshake};

/// Opens a connection as the client over any stream, with the defaults of [`Config`].
///
/// # Errors
/// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut).
///
/// # Cancel safety
/// Dropping the future drops the stream.
pub fn client<S>(stream: S, request: &ClientRequest) -> impl Future<Output = Result<WebSocket<S>, Error>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    client_with(stream, request, Config::new())
}

/// As [`client`], with limits and timers of your own.
///
/// # Errors
/// As [`client`].
///
/// # Cancel safety
/// As [`client`].
pub fn client_with<S>(
    stream: S,
    request: &ClientRequest,
    config: Config,
) -> impl Future<Output = Result<WebSocket<S>, Error>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    boxed(async move {
        let opened = client_from(stream, request, config, PooledInput::new()).await;
        opened.inspect_err(|error| events::not_opened(false, error))
    })
}

/// With what was read already.
pub(super) async fn client_from<S>(
    mut stream: S,
    request: &ClientRequest,
    config: Config,
    mut pooled: PooledInput,
) -> Result<WebSocket<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut handshake = client_handshake(request, config)?;
    let (connection, response) = open(&mut stream, &mut handshake, &mut pooled).await?;
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
///
/// # Cancel safety
/// Dropping the future drops the stream.
pub fn accept<S>(stream: S) -> impl Future<Output = Result<WebSocket<S>, Error>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    accept_with(stream, ServerHandshake::new(Config::new()))
}

/// As [`accept`], with settings of your own: limits and timers, origins, and subprotocols, of which the first is chosen that the client
/// offers.
///
/// # Errors
/// As [`accept`].
///
/// # Cancel safety
/// As [`accept`].
///
/// ```no_run
/// # async fn example(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// use tidewire::{Config, Origins, ServerHandshake};
///
/// let handshake = ServerHandshake::new(Config::new().with_max_message_len(1 << 20))
///     .with_origins(Origins::list(&["https://example.com"])?)
///     .with_subprotocols(&["chat.v2", "chat.v1"])?;
/// let mut socket = tidewire::tokio::accept_with(stream, handshake).await?;
/// println!("{:?}", socket.subprotocol());
/// # Ok(()) }
/// ```
pub fn accept_with<S>(
    stream: S,
    handshake: ServerHandshake,
) -> impl Future<Output = Result<WebSocket<S>, Error>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    boxed(async move {
        let incoming = receive_request(stream, handshake).await?;
        let subprotocol = incoming.request.subprotocol().map(Box::<str>::from);
        accept_request(incoming, subprotocol.as_deref(), &[]).await
    })
}

/// A request that waits for an answer: the accept in two steps. Dropping it closes the stream without one.
///
/// ```no_run
/// # async fn example(stream: tokio::net::TcpStream) -> Result<(), tidewire::Error> {
/// use tidewire::tokio::Incoming;
/// use tidewire::{Config, Origins, ServerHandshake};
///
/// let handshake = ServerHandshake::new(Config::new()).with_origins(Origins::any());
/// let incoming = Incoming::receive(stream, handshake).await?;
/// if incoming.request().path() != "/chat" {
///     return incoming.reject(404, &[], b"no such place").await;
/// }
/// let mut socket = incoming.accept(None, &[("Server", "tides")]).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Incoming<S> {
    stream: S,
    pooled: PooledInput,
    request: Request,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Incoming<S> {
    /// Receives the request.
    ///
    /// A request that breaks a rule, or comes from an origin that is not allowed, is an error. The client has got its HTTP answer by then.
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut).
    ///
    /// # Cancel safety
    /// Dropping the future drops the stream.
    pub fn receive(stream: S, handshake: ServerHandshake) -> impl Future<Output = Result<Self, Error>> {
        boxed(receive_request(stream, handshake))
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
    ///
    /// # Cancel safety
    /// Dropping the future drops the stream.
    pub fn accept(
        self,
        subprotocol: Option<&str>,
        headers: &[(&str, &str)],
    ) -> impl Future<Output = Result<WebSocket<S>, Error>> {
        boxed(accept_request(self, subprotocol, headers))
    }

    /// Rejects the request with an HTTP answer, and closes the stream so that the client gets to read it.
    ///
    /// # Errors
    /// [`InvalidResponse`](Error::InvalidResponse), after which the client has got 500.
    ///
    /// # Cancel safety
    /// Dropping the future drops the stream.
    pub fn reject(
        self,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> impl Future<Output = Result<(), Error>> {
        boxed(async move {
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
            refuse(self.stream, connection, self.pooled).await;
            result
        })
    }
}

async fn receive_request<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    mut handshake: ServerHandshake,
) -> Result<Incoming<S>, Error> {
    let mut pooled = PooledInput::new();
    match open(&mut stream, &mut handshake, &mut pooled).await {
        Ok(request) => Ok(Incoming { stream, pooled, request }),
        Err(error) => {
            events::not_opened(true, &error);
            refuse(stream, handshake.into_refusal(), pooled).await;
            Err(error)
        }
    }
}

async fn accept_request<S: AsyncRead + AsyncWrite + Unpin>(
    Incoming { stream, pooled, request }: Incoming<S>,
    subprotocol: Option<&str>,
    headers: &[(&str, &str)],
) -> Result<WebSocket<S>, Error> {
    match request.accept(subprotocol, headers) {
        Ok(connection) => {
            let negotiated = subprotocol.map(|name| Negotiated::Server(name.into()));
            let mut socket = WebSocket::new(stream, connection, pooled, negotiated);
            socket.flush().await.inspect_err(|error| events::not_opened(true, error))?;
            socket.begin();
            Ok(socket)
        }
        Err(unsendable) => {
            events::refused(true, 500, "invalid response");
            let reason = unsendable.reason().clone();
            refuse(stream, unsendable.into_refusal(), pooled).await;
            Err(reason.into())
        }
    }
}

/// Delivers the HTTP answer that `connection` holds and waits until the client has had time to read it.
async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, connection: Connection, pooled: PooledInput) {
    // The client may be gone; there is nobody else to tell.
    let _ = WebSocket::new(stream, connection, pooled, None).recv_ref().await;
}

/// What only the opening needs is on the heap, so that the task of a connection has no room for it all its life.
pub(super) fn boxed<F: Future>(future: F) -> impl Future<Output = F::Output> {
    Box::pin(future)
}
