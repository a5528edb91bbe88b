//! `connect` and [`Connector`]: a client's way to its server.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::Poll;
use std::boxed::Box;
use std::io;
use std::vec::Vec;

use ::tokio::net::{TcpStream, lookup_host};
use ::tokio::time::{Instant, timeout, timeout_at};

use super::open::{boxed, client_from};
use super::transport::open;
use super::{ClientStream, Reconnecting, WebSocket};
use crate::adapter::pool::PooledInput;
use crate::adapter::{Route, events, name_proxy, name_server, tls_failed};
use crate::connect::addresses::{Attempts, Step};
use crate::connect::proxy::Tunnel;
use crate::{ClientRequest, Config, Error, Proxy, TimedOut, Uri};

/// Connects to a `ws` or `wss` URI, with the defaults of [`Config`]. [`Connector`] sets everything else.
///
/// `wss` needs the feature `rustls`. With another TLS library, pass its stream to [`client`](super::client).
///
/// # Errors
/// As [`Connector::connect`], and [`InvalidRequest`](Error::InvalidRequest).
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
pub fn connect(uri: &str) -> impl Future<Output = Result<WebSocket<ClientStream>, Error>> {
    let request = ClientRequest::new(uri);
    boxed(async move { Connector::new().connect(request?).await })
}

/// Connects clients, with settings of your own.
///
/// ```no_run
/// # async fn example() -> Result<(), tidewire::Error> {
/// use tidewire::tokio::Connector;
/// use tidewire::{ClientRequest, Config};
///
/// let request = ClientRequest::new("ws://127.0.0.1:9001/feed")?.with_bearer_token("...")?;
/// let connector = Connector::new()
///     .with_config(Config::new().with_max_message_len(1 << 20))
///     .with_proxy("socks5h://proxy:1080".parse()?);
/// let mut socket = connector.connect(request).await?;
/// println!("connected to {}", socket.get_ref().peer_addr()?);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Connector {
    route: Route,
}

impl Connector {
    /// One with the defaults of [`Config`], without a proxy, that follows no redirects.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The limits and timers of the connections.
    #[must_use]
    pub fn with_config(mut self, config: Config) -> Self {
        self.route.config = config;
        self
    }

    /// Connects through a proxy.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.route.set_proxy(proxy);
        self
    }

    /// Connects through the proxy that the environment names for a URI: `HTTPS_PROXY` for `wss`, `HTTP_PROXY` for `ws`, or `ALL_PROXY`, unless
    /// `NO_PROXY` lists the host. Without this the environment does not count.
    #[must_use]
    pub fn with_proxy_from_env(mut self) -> Self {
        self.route.set_proxy_from_env();
        self
    }

    /// Follows so many redirects, none by default.
    ///
    /// Credentials are not sent to another origin: there, only `Origin`, `User-Agent`, `Accept-Language` and the subprotocols remain of the request.
    /// `wss` never becomes `ws`. A redirect that is not followed is the error [`Refused`](crate::HandshakeError::Refused).
    #[must_use]
    pub fn with_max_redirects(mut self, count: u32) -> Self {
        self.route.max_redirects = count;
        self
    }

    /// TLS with settings of your own, such as a private CA or a client's certificate. ALPN is always `http/1.1`.
    ///
    /// Without this the roots of Mozilla are trusted.
    #[cfg(feature = "rustls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
    #[must_use]
    pub fn with_tls(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
        self.route.tls.set(config);
        self
    }

    /// Trusts the certificates that the system trusts, and not the roots of Mozilla.
    ///
    /// # Errors
    /// [`Tls`](Error::Tls) when the system does not tell them.
    #[cfg(feature = "rustls-platform-verifier")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls-platform-verifier")))]
    pub fn with_system_trust(mut self) -> Result<Self, Error> {
        self.route.tls.set(crate::adapter::tls::system_config()?);
        Ok(self)
    }

    /// Connects over TCP, with `TCP_NODELAY`, through a proxy and TLS where they are needed, and opens a connection.
    ///
    /// The [open timeout](Config::with_open_timeout) covers all of it together, redirects too. A host with several addresses is tried at one
    /// after the other, 250 ms apart, IPv6 and IPv4 in turn (RFC 8305).
    ///
    /// # Errors
    /// - [`Io`](Error::Io), which names the host, and each address with its failure, when it cannot be reached
    /// - [`Proxy`](Error::Proxy) when the proxy opens no tunnel
    /// - [`Tls`](Error::Tls) when the server's certificate is not valid for the host, or TLS fails otherwise
    /// - [`Handshake`](Error::Handshake) when the server refuses or breaks a rule
    /// - [`TimedOut`](Error::TimedOut)
    /// - [`TlsNeeded`](Error::TlsNeeded) for a `wss` URI without the feature `rustls`
    ///
    /// # Cancel safety
    /// Dropping the future closes the stream.
    pub fn connect(
        &self,
        request: ClientRequest,
    ) -> impl Future<Output = Result<WebSocket<ClientStream>, Error>> + use<> {
        let route = self.route.clone();
        boxed(
            async move { follow(&route, request).await.inspect_err(|error| events::not_opened(false, error)) },
        )
    }

    /// Connects now and whenever the connection has ended, with ever longer pauses while that fails.
    ///
    /// What is to be sent once, such as a subscription, is to be sent on each connection anew.
    #[must_use]
    pub fn reconnecting(&self, request: ClientRequest) -> Reconnecting {
        Reconnecting::new(self.clone(), request)
    }
}

/// Connects to where redirects lead.
async fn follow(route: &Route, mut request: ClientRequest) -> Result<WebSocket<ClientStream>, Error> {
    let start = Instant::now();
    let mut redirects = 0;
    loop {
        let error = match connect_once(route, &request, start).await {
            Ok(socket) => return Ok(socket),
            Err(error) => error,
        };
        let Some(next) = route.redirect(&request, &error, redirects) else { return Err(error) };
        route.check_time(start.elapsed())?;
        request = next;
        redirects += 1;
    }
}

async fn connect_once(
    route: &Route,
    request: &ClientRequest,
    start: Instant,
) -> Result<WebSocket<ClientStream>, Error> {
    let uri = request.uri();
    let proxy = route.proxy(uri)?;
    route.check(uri, proxy.as_ref())?;
    let named = |error| name_server(uri, error);
    let mut pooled = PooledInput::new();
    let reaching = reach(route, uri, proxy.as_ref(), start, &mut pooled);
    let reached = match route.config.open_timeout() {
        Some(limit) => {
            let left = limit.saturating_sub(start.elapsed());
            timeout(left, reaching).await.unwrap_or(Err(TimedOut::Open.into()))
        }
        None => reaching.await,
    };
    let stream = reached.map_err(named)?;
    // What is left of the time is for the handshake, which has a deadline of its own: a refusal counts even if its body is late.
    let config = route.config_after(start.elapsed());
    client_from(stream, request, config, pooled).await.map_err(tls_failed).map_err(named)
}

/// A stream to the server. What was read beyond the proxy's answer, and is not TLS, is in `pooled`.
async fn reach(
    route: &Route,
    uri: &Uri,
    proxy: Option<&Proxy>,
    start: Instant,
    pooled: &mut PooledInput,
) -> Result<ClientStream, Error> {
    let mut stream = match proxy {
        Some(proxy) => {
            let tunneled = tunnel(route, uri, proxy, start, pooled).await;
            tunneled.map_err(|error| name_proxy(proxy, error))?
        }
        None => connect_tcp(&uri.scoped_host(), uri.port()).await?,
    };
    if uri.is_secure() {
        stream.put_back(pooled.take_unread());
        stream = secure(route, uri.host(), stream).await?;
    }
    Ok(stream)
}

/// A stream to the server that a proxy has opened.
async fn tunnel(
    route: &Route,
    uri: &Uri,
    proxy: &Proxy,
    start: Instant,
    pooled: &mut PooledInput,
) -> Result<ClientStream, Error> {
    let mut stream = connect_tcp(proxy.host(), proxy.port()).await?;
    if proxy.is_secure() {
        stream = secure(route, proxy.host(), stream).await?;
    }
    let mut tunnel = Tunnel::new(proxy, uri, route.config_after(start.elapsed()));
    open(&mut stream, &mut tunnel, pooled).await.map_err(tls_failed)?;
    Ok(stream)
}

/// TLS inside a stream.
#[cfg(feature = "rustls")]
async fn secure(route: &Route, host: &str, stream: ClientStream) -> Result<ClientStream, Error> {
    use crate::adapter::tls::{server_name, tls_failed};

    let connector = tokio_rustls::TlsConnector::from(route.tls.config()?);
    let connected = connector.connect(server_name(host)?, stream).await;
    Ok(ClientStream::tls(connected.map_err(tls_failed)?))
}

#[cfg(not(feature = "rustls"))]
async fn secure(_: &Route, _: &str, _: ClientStream) -> Result<ClientStream, Error> {
    Err(Error::TlsNeeded)
}

async fn connect_tcp(host: &str, port: u16) -> io::Result<ClientStream> {
    let tcp = connect_any(Attempts::new(lookup_host((host, port)).await?)).await?;
    tcp.set_nodelay(true)?;
    Ok(ClientStream::tcp(tcp))
}

/// Tries the addresses of a host.
async fn connect_any(mut attempts: Attempts) -> io::Result<TcpStream> {
    type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

    let start = Instant::now();
    let mut running: Vec<(SocketAddr, Connecting)> = Vec::new();
    loop {
        let until = match attempts.poll(start.elapsed().into()) {
            Step::Start(address) => {
                running.push((address, Box::pin(TcpStream::connect(address))));
                continue;
            }
            Step::Failed => return Err(attempts.into_error()),
            Step::Wait(until) => until,
        };
        let ended = poll_fn(|cx| {
            let polled = running.iter_mut().enumerate().find_map(|(at, (_, connecting))| {
                match connecting.as_mut().poll(cx) {
                    Poll::Ready(result) => Some((at, result)),
                    Poll::Pending => None,
                }
            });
            polled.map_or(Poll::Pending, Poll::Ready)
        });
        let ended = match until {
            Some(until) => timeout_at(start + until.duration_since(Default::default()), ended).await.ok(),
            None => Some(ended.await),
        };
        match ended {
            Some((_, Ok(stream))) => return Ok(stream),
            Some((at, Err(error))) => attempts.failed(running.swap_remove(at).0, error),
            // It is time for the next one.
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;
    use crate::connect::addresses::ATTEMPT_DELAY;
    use crate::tokio::accept;

    #[::tokio::test]
    async fn what_connect_opens_does_not_wait_for_more_to_send() {
        let listener = ::tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("ws://{}/", listener.local_addr().expect("bound"));
        let accepting = async { accept(listener.accept().await?.0).await };
        let (client, server) = ::tokio::join!(connect(&uri), accepting);
        assert!(server.is_ok());
        assert!(client.expect("open").get_ref().tcp_stream().nodelay().expect("a socket"));
    }

    /// A port whose listener takes no more connections, and what keeps it so. Other systems answer in other ways.
    #[cfg(target_os = "linux")]
    fn crowded() -> (SocketAddr, impl Sized) {
        let socket = ::tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let listener = socket.listen(1).expect("a listener");
        let address = listener.local_addr().expect("bound");
        let connect =
            || std::net::TcpStream::connect_timeout(&address, core::time::Duration::from_millis(100));
        let waiting: Vec<_> = core::iter::from_fn(|| connect().ok()).take(100).collect();
        assert!(waiting.len() < 100);
        (address, (listener, waiting))
    }

    #[cfg(target_os = "linux")]
    // Whatever went on without waiting would keep the clock from moving.
    #[::tokio::test(start_paused = true)]
    async fn a_dead_address_does_not_hold_up_the_next_one() {
        let (dead, _guard) = crowded();
        let listener = ::tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let alive = listener.local_addr().expect("bound");
        let start = Instant::now();
        let stream = connect_any(Attempts::new([dead, alive])).await.expect("one is alive");
        assert_eq!(stream.peer_addr().expect("connected"), alive);
        // RFC 8305 5: the first one had its time.
        assert!(start.elapsed() >= ATTEMPT_DELAY);
    }
}
