//! Opening a connection: `connect`, `client`, `accept`, and [`Incoming`], the accept in two steps.

use core::future::poll_fn;
use std::boxed::Box;

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::net::TcpStream;

use super::WebSocket;
use super::link::Link;
use crate::adapter::{self, Negotiated, Outlet};
use crate::{ClientRequest, Config, Connection, Error, Input, Request, ServerHandshake, TimedOut};

/// Connects to a `ws://` URI over TCP, with the defaults of [`Config`] and keepalive on.
///
/// For `wss://`, make a TLS stream with a TLS library and pass it to [`client`].
///
/// # Errors
/// [`InvalidRequest`](Error::InvalidRequest), [`TlsNeeded`](Error::TlsNeeded), [`Io`](Error::Io),
/// [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut).
///
/// # Cancel safety
/// Dropping the future closes the stream.
///
/// ```no_run
/// # async fn example() -> Result<(), tidewire::Error> {
/// let mut socket = tidewire::tokio::connect("ws://127.0.0.1:9001/").await?;
/// socket.send("Hello").await?;
/// println!("{:?}", socket.recv().await?);
/// # Ok(()) }
/// ```
pub async fn connect(uri: &str) -> Result<WebSocket<TcpStream>, Error> {
    let request = ClientRequest::new(uri)?;
    if request.uri().is_secure() {
        return Err(Error::TlsNeeded);
    }
    let config = Config::new().with_default_keepalive();
    let connecting = TcpStream::connect((request.uri().host(), request.uri().port()));
    let stream = match config.open_timeout() {
        Some(timeout) => ::tokio::time::timeout(timeout, connecting).await.map_err(|_| TimedOut::Open)??,
        None => connecting.await?,
    };
    stream.set_nodelay(true)?;
    client_with(stream, &request, config).await
}

/// Opens a connection as the client over any stream, with the defaults of [`Config`] and keepalive on.
///
/// # Errors
/// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut).
///
/// # Cancel safety
/// Dropping the future drops the stream.
pub async fn client<S>(stream: S, request: &ClientRequest) -> Result<WebSocket<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    client_with(stream, request, Config::new().with_default_keepalive()).await
}

/// As [`client`], with limits and timers of your own.
///
/// # Errors
/// As [`client`].
///
/// # Cancel safety
/// As [`client`].
pub async fn client_with<S>(stream: S, request: &ClientRequest, config: Config) -> Result<WebSocket<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut handshake = adapter::client_handshake(request, config)?;
    let mut link = Link::new(stream);
    let mut input = Input::new();
    let (connection, response) = poll_fn(|cx| link.poll_open(&mut handshake, &mut input, cx)).await?;
    Ok(WebSocket::new(link, connection, input, Some(Negotiated::Client(response))))
}

/// Opens a connection as the server over any stream, with the defaults of [`Config`] and keepalive on: requests from a web page of another
/// origin are refused, and no subprotocol is chosen. [`Incoming`] leaves both to you.
///
/// Turn `TCP_NODELAY` on for TCP, as [`connect`] does.
///
/// # Errors
/// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut); the client has got the HTTP answer then.
///
/// # Cancel safety
/// Dropping the future drops the stream.
pub async fn accept<S>(stream: S) -> Result<WebSocket<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = ServerHandshake::new(Config::new().with_default_keepalive());
    Incoming::receive(stream, handshake).await?.accept(None, &[]).await
}

/// A request that waits for an answer: the accept in two steps. Dropping it closes the stream without one.
///
/// ```no_run
/// # async fn example(stream: tokio::net::TcpStream) -> Result<(), tidewire::Error> {
/// use tidewire::tokio::Incoming;
/// use tidewire::{Config, Origins, ServerHandshake};
///
/// let handshake = ServerHandshake::new(Config::new().with_default_keepalive()).with_origins(Origins::Any);
/// let incoming = Incoming::receive(stream, handshake).await?;
/// if incoming.request().target() != "/chat" {
///     return incoming.reject(404, &[], b"no such place").await;
/// }
/// let subprotocol = incoming.request().choose_subprotocol(&["v2.chat", "v1.chat"]);
/// let mut socket = incoming.accept(subprotocol, &[("Server", "tides")]).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Incoming<S> {
    link: Link<S>,
    input: Input,
    request: Request,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Incoming<S> {
    /// Receives the request. What breaks a rule, or comes from an origin that is not allowed, has got its HTTP answer when this fails.
    ///
    /// # Errors
    /// [`Io`](Error::Io), [`Handshake`](Error::Handshake), [`TimedOut`](Error::TimedOut).
    ///
    /// # Cancel safety
    /// Dropping the future drops the stream.
    pub async fn receive(stream: S, mut handshake: ServerHandshake) -> Result<Self, Error> {
        let mut link = Link::new(stream);
        let mut input = Input::new();
        match poll_fn(|cx| link.poll_open(&mut handshake, &mut input, cx)).await {
            Ok(request) => Ok(Self { link, input, request }),
            Err(error) => {
                refuse(link, handshake.into_refusal(), input).await;
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
        &self.link.stream
    }

    /// Accepts the request: `subprotocol` is one of those that the client offers, and `headers` are added to the answer.
    ///
    /// # Errors
    /// [`InvalidResponse`](Error::InvalidResponse), [`Io`](Error::Io).
    ///
    /// # Cancel safety
    /// Dropping the future drops the stream.
    pub async fn accept(
        self,
        subprotocol: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<WebSocket<S>, Error> {
        let connection = self.request.accept(subprotocol, headers)?;
        let negotiated = Negotiated::Server(self.request, subprotocol.map(Box::from));
        let mut socket = WebSocket::new(self.link, connection, self.input, Some(negotiated));
        socket.flush().await?;
        Ok(socket)
    }

    /// Rejects the request with an HTTP answer, and closes the stream so that the client gets to read it.
    ///
    /// # Errors
    /// [`InvalidResponse`](Error::InvalidResponse).
    ///
    /// # Cancel safety
    /// Dropping the future drops the stream.
    pub async fn reject(self, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<(), Error> {
        let connection = self.request.reject(status, headers, body)?;
        refuse(self.link, connection, self.input).await;
        Ok(())
    }
}

/// Delivers the HTTP answer that `connection` holds and waits until the client has had time to read it.
async fn refuse<S>(mut link: Link<S>, connection: Connection, mut input: Input)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut receiver, sender) = connection.split();
    let mut outlet = Outlet::new(sender);
    // The client may be gone; there is nobody else to tell.
    let _ = poll_fn(|cx| link.poll_advance(&mut receiver, &mut outlet, &mut input, cx)).await;
}
