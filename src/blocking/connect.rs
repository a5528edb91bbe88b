//! `connect` and [`Connector`]: a client's way to its server.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::string::String;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;
use std::vec::Vec;

use super::open::{client_from, open};
use super::{ClientStream, Reconnecting, WebSocket};
use crate::adapter::pool::PooledInput;
use crate::adapter::{Route, events, name_proxy, name_server, rest_of, tls_failed};
use crate::connect::addresses::{ATTEMPT_DELAY, Attempts, Step};
use crate::connect::proxy::Tunnel;
use crate::{ClientRequest, Config, Error, Proxy, TimedOut, Uri};

/// Connects to a `ws` or `wss` URI, with the defaults of [`Config`]. [`Connector`] sets everything else.
///
/// `wss` needs the feature `rustls`. With another TLS library, pass its stream to [`client`](super::client).
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
/// let request = ClientRequest::new("ws://127.0.0.1:9001/feed")?.with_bearer_token("...")?;
/// let connector = Connector::new()
///     .with_config(Config::new().with_max_message_len(1 << 20))
///     .with_proxy("socks5h://proxy:1080".parse()?);
/// let mut socket = connector.connect(request)?;
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
    /// after the other, IPv6 and IPv4 in turn (RFC 8305), and each gets its share of the time. A name that takes longer to resolve goes on being
    /// resolved by a thread of its own.
    ///
    /// # Errors
    /// - [`Io`](Error::Io), which names the host, and each address with its failure, when it cannot be reached
    /// - [`Proxy`](Error::Proxy) when the proxy opens no tunnel
    /// - [`Tls`](Error::Tls) when the server's certificate is not valid for the host, or TLS fails otherwise
    /// - [`Handshake`](Error::Handshake) when the server refuses or breaks a rule
    /// - [`TimedOut`](Error::TimedOut)
    /// - [`TlsNeeded`](Error::TlsNeeded) for a `wss` URI without the feature `rustls`
    pub fn connect(&self, request: ClientRequest) -> Result<WebSocket<ClientStream>, Error> {
        self.follow(request).inspect_err(|error| events::not_opened(false, error))
    }

    /// Connects to where redirects lead.
    fn follow(&self, mut request: ClientRequest) -> Result<WebSocket<ClientStream>, Error> {
        let start = Instant::now();
        let mut redirects = 0;
        loop {
            let error = match connect_once(&self.route, &request, start) {
                Ok(socket) => return Ok(socket),
                Err(error) => error,
            };
            let Some(next) = self.route.redirect(&request, &error, redirects) else { return Err(error) };
            self.route.check_time(start.elapsed())?;
            request = next;
            redirects += 1;
        }
    }

    /// Connects now and whenever the connection has ended, with ever longer pauses while that fails.
    ///
    /// What is to be sent once, such as a subscription, is to be sent on each connection anew.
    #[must_use]
    pub fn reconnecting(&self, request: ClientRequest) -> Reconnecting {
        Reconnecting::new(self.clone(), request)
    }
}

fn connect_once(
    route: &Route,
    request: &ClientRequest,
    start: Instant,
) -> Result<WebSocket<ClientStream>, Error> {
    let uri = request.uri();
    let proxy = route.proxy(uri)?;
    route.check(uri, proxy.as_ref())?;
    let named = |error| name_server(uri, error);
    let mut pooled = PooledInput::new();
    let stream = reach(route, uri, proxy.as_ref(), start, &mut pooled).map_err(named)?;
    // What is left of the time is for the handshake.
    let opened = client_from(stream, request, route.config_after(start.elapsed()), pooled);
    opened.map_err(tls_failed).map_err(named)
}

/// A stream to the server. What was read beyond the proxy's answer, and is not TLS, is in `pooled`.
fn reach(
    route: &Route,
    uri: &Uri,
    proxy: Option<&Proxy>,
    start: Instant,
    pooled: &mut PooledInput,
) -> Result<ClientStream, Error> {
    let mut stream = match proxy {
        Some(proxy) => {
            let tunneled = tunnel(route, uri, proxy, start, pooled);
            tunneled.map_err(|error| name_proxy(proxy, error))?
        }
        None => connect_tcp(&uri.scoped_host(), uri.port(), route.config.open_timeout(), start)?,
    };
    if uri.is_secure() {
        stream.put_back(pooled.take_unread());
        stream = secure(route, uri.host(), stream)?;
    }
    Ok(stream)
}

/// A stream to the server that a proxy has opened.
fn tunnel(
    route: &Route,
    uri: &Uri,
    proxy: &Proxy,
    start: Instant,
    pooled: &mut PooledInput,
) -> Result<ClientStream, Error> {
    let mut stream = connect_tcp(proxy.host(), proxy.port(), route.config.open_timeout(), start)?;
    if proxy.is_secure() {
        stream = secure(route, proxy.host(), stream)?;
    }
    let mut tunnel = Tunnel::new(proxy, uri, route.config_after(start.elapsed()));
    open(&mut stream, &mut tunnel, pooled).map_err(tls_failed)?;
    Ok(stream)
}

/// TLS inside a stream, whose handshake runs with the first read.
#[cfg(feature = "rustls")]
fn secure(route: &Route, host: &str, stream: ClientStream) -> Result<ClientStream, Error> {
    use std::sync::Arc;

    use crate::adapter::tls::server_name;

    let tcp = Arc::clone(stream.tcp_stream());
    let tls = super::TlsStream::client(stream, server_name(host)?, route.tls.config()?)?;
    Ok(ClientStream::tls(tls, tcp))
}

#[cfg(not(feature = "rustls"))]
fn secure(_: &Route, _: &str, _: ClientStream) -> Result<ClientStream, Error> {
    Err(Error::TlsNeeded)
}

fn connect_tcp(
    host: &str,
    port: u16,
    limit: Option<Duration>,
    start: Instant,
) -> Result<ClientStream, Error> {
    let tcp = match resolve(host, port, rest_of(limit, start.elapsed())) {
        Ok(addresses) => connect_any(Attempts::new(addresses), limit, start)?,
        Err(_) if limit.is_some_and(|limit| start.elapsed() >= limit) => return Err(TimedOut::Open.into()),
        Err(error) => return Err(error.into()),
    };
    tcp.set_nodelay(true)?;
    Ok(ClientStream::tcp(tcp))
}

/// Tries the addresses of a host.
fn connect_any(mut attempts: Attempts, limit: Option<Duration>, start: Instant) -> Result<TcpStream, Error> {
    let left = || rest_of(limit, start.elapsed());
    let is_late = || limit.is_some_and(|limit| start.elapsed() >= limit);
    // A thread has one attempt at a time, so that each begins when the one before has ended.
    let mut now = ATTEMPT_DELAY;
    while let Step::Start(address) = attempts.poll(now.into()) {
        now += ATTEMPT_DELAY;
        // Those that are left get as much.
        let share = left().map(|left| left / (attempts.left() as u32 + 1));
        let connected = match share {
            Some(share) => TcpStream::connect_timeout(&address, share.max(Duration::from_millis(1))),
            None => TcpStream::connect(address),
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(_) if is_late() => return Err(TimedOut::Open.into()),
            Err(error) => attempts.failed(address, error),
        }
    }
    Err(attempts.into_error().into())
}

/// The addresses of the host. The system's resolver has no timeout, so it gets a thread where there is one.
fn resolve(host: &str, port: u16, limit: Option<Duration>) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(Vec::from([(address, port).into()]));
    }
    let Some(limit) = limit else { return Ok((host, port).to_socket_addrs()?.collect()) };
    let (sender, receiver) = mpsc::channel();
    let host = String::from(host);
    thread::Builder::new().spawn(move || {
        let addresses = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // Nobody waits any more when it took too long.
        let _ = sender.send(addresses);
    })?;
    receiver.recv_timeout(limit).unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::net::TcpListener;
    use std::string::ToString as _;

    use super::*;
    use crate::blocking::accept;

    #[test]
    fn what_connect_opens_does_not_wait_for_more_to_send() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let uri = format!("ws://{}/", listener.local_addr().expect("bound"));
        let accepting = thread::spawn(move || accept(listener.accept()?.0));
        let client = connect(&uri).expect("open");
        assert!(accepting.join().expect("no panic").is_ok());
        assert!(client.get_ref().tcp_stream().nodelay().expect("a socket"));
    }

    #[test]
    fn a_name_that_took_all_of_the_time_is_a_timeout() {
        for (limit, is_late) in [(Duration::ZERO, true), (Duration::from_secs(60), false)] {
            let error = connect_tcp("nowhere.invalid", 80, Some(limit), Instant::now()).expect_err("nobody");
            let is_timeout = matches!(error, Error::TimedOut(TimedOut::Open));
            assert_eq!(is_timeout, is_late, "{error:?}");
        }
    }

    #[test]
    fn every_address_gets_its_share_of_the_time_and_is_named_when_it_fails() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let alive = listener.local_addr().expect("bound");
        let refused: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        for limit in [None, Some(Duration::from_secs(10))] {
            let stream = connect_any(Attempts::new([refused, refused, alive]), limit, Instant::now());
            assert_eq!(stream.expect("one is alive").peer_addr().expect("connected"), alive);
            let error =
                connect_any(Attempts::new([refused, refused]), limit, Instant::now()).expect_err("nobody");
            assert_eq!(error.to_string().matches("127.0.0.1:1: ").count(), 2, "{error}");
        }
    }

    /// A listener that takes no more connections says nothing. Other systems answer in other ways.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_dead_address_leaves_time_for_the_next_one() {
        const LIMIT: Duration = Duration::from_secs(4);

        let crowded = TcpListener::bind("127.0.0.1:0").expect("a port");
        let dead = crowded.local_addr().expect("bound");
        let connect = || TcpStream::connect_timeout(&dead, Duration::from_millis(100)).ok();
        let waiting: Vec<_> = core::iter::from_fn(connect).take(800).collect();
        assert!(waiting.len() < 800);

        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let alive = listener.local_addr().expect("bound");
        let stream = connect_any(Attempts::new([dead, alive]), Some(LIMIT), Instant::now());
        assert_eq!(stream.expect("one is alive").peer_addr().expect("connected"), alive);
    }
}
