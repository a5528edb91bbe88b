//! Opening a connection: `connect`, `client`, `accept`, and [`Incoming`], the accept in two steps.

use std::boxed::Box;

use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::net::TcpStream;

use super::WebSocket;
use super::link::open;
use crate::adapter::{Negotiated, client_handshake, opening_functions, plain_request};
use crate::pool::Inlet;
use crate::{ClientRequest, Config, Connection, Error, Request, ServerHandshake, TimedOut};

/// What only the opening needs is on the heap, so that the task of a connection has no room for it all its life.
macro_rules! boxed {
    ($body:block) => {
        Box::pin(async move $body)
    };
}

macro_rules! future {
    ($opened:ty) => {
        impl Future<Output = Result<$opened, Error>>
    };
}

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
pub fn connect(uri: &str) -> future!(WebSocket<TcpStream>) {
    boxed!({
        let request = plain_request(uri)?;
        let config = Config::new();
        let connecting = TcpStream::connect((request.uri().host(), request.uri().port()));
        let stream = match config.open_timeout() {
            Some(timeout) => {
                ::tokio::time::timeout(timeout, connecting).await.map_err(|_| TimedOut::Open)??
            }
            None => connecting.await?,
        };
        stream.set_nodelay(true)?;
        client_with(stream, &request, config).await
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
/// if incoming.request().target() != "/chat" {
///     return incoming.reject(404, &[], b"no such place").await;
/// }
/// let subprotocol = incoming.request().choose_subprotocol(&["v2.chat", "v1.chat"]);
/// let mut socket = incoming.accept(subprotocol, &[("Server", "tides")]).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Incoming<S> {
    stream: S,
    inlet: Inlet,
    request: Request,
}

opening_functions!([AsyncRead + AsyncWrite + Unpin], future, boxed, async, .await, "# Cancel safety");
