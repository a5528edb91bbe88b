//! [`Server`]: pages and sockets on one port.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tidewire::{Config, Deflate, Origins};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::gate::{Crowded, Gate, Pass};
use crate::link::Link;
use crate::login::{Keys, random};
use crate::rooms::{Act, Channel, Limits, Name, Person};
use crate::routes::{self, Chat};
use crate::space::Space;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a shutdown waits for the pages to say goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a start waits for what other processes know.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(3);

/// Connections beyond the limit that are told so. Further ones are dropped.
const MAX_REFUSED: usize = 64;

/// What can be chosen.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespaces: rooms of one know nothing of rooms of another. The first one is the front page.
    pub namespaces: Vec<Name>,
    /// Which pages may connect, log in and log out.
    pub origins: Origins,
    /// Whether the pages are reached by TLS, so that the cookie is sent over nothing else.
    pub is_secure: bool,
    /// Whether a proxy in front tells the address of a client, in the last entry of `X-Forwarded-For`.
    pub is_behind_proxy: bool,
    /// Connections in all.
    pub max_connections: usize,
    /// Connections from one address.
    pub max_per_address: usize,
    /// Messages of a person in a second; twice as many at once.
    pub rate: f64,
    /// A page is pinged this often.
    pub keepalive: Duration,
    /// The URL of the Redis through which the rooms are shared with other processes.
    pub redis: Option<String>,
    /// The file with the key of the logins, which the first start makes. Processes that share their rooms share it.
    pub key: Option<PathBuf>,
    /// By what a moderator is recognised.
    pub moderator_password: Option<String>,
    /// Limits of each namespace.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespaces: Name::new("main").into_iter().collect(),
            origins: Origins::same(),
            is_secure: false,
            is_behind_proxy: false,
            max_connections: 10_000,
            max_per_address: 200,
            rate: 10.0,
            keepalive: Duration::from_secs(20),
            redis: None,
            key: None,
            moderator_password: None,
            limits: Limits::default(),
        }
    }
}

impl Settings {
    /// What a socket may do. A page has at most a dozen ways to make itself expensive, and here they end.
    pub(crate) fn socket(&self) -> Config {
        Config::new()
            // The longest text with every character escaped, and room for the rest of a request.
            .with_max_message_len(6 * self.limits.max_text_len + 4_096)
            .with_deflate(Deflate::new())
            .with_keepalive(self.keepalive, self.keepalive / 2)
    }
}

/// Who may do what: moderators alone speak to all, and in rooms that are called `news`.
fn policy(person: &Person, act: Act<'_>) -> bool {
    match act {
        Act::Join(_) | Act::Say(Channel::User(_)) => true,
        Act::Say(Channel::All) => person.is_moderator,
        Act::Say(Channel::Room(room)) => person.is_moderator || room.as_str() != "news",
    }
}

/// A server that is ready to run.
#[derive(Debug)]
pub struct Server {
    chat: Arc<Chat>,
    listener: TcpListener,
    gate: Gate,
    links: Vec<Link>,
}

/// The connection that a request came on.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// Held as long as the connection lives, also as a WebSocket.
    pub(crate) _pass: Arc<Pass>,
    /// The shutdown waits until all of these are gone. So it comes last: the pass is given back before.
    pub(crate) leaving: watch::Receiver<bool>,
}

impl Server {
    /// Opens the port, and in `data`, if there is such a folder, the journals and the key of the logins. Without it everything is in memory.
    ///
    /// # Errors
    /// What the system says.
    pub async fn bind(address: SocketAddr, settings: Settings, data: Option<&Path>) -> io::Result<Self> {
        let key = settings.key.clone().or_else(|| data.map(|data| data.join("key")));
        let keys = Keys::new(&secret(key.as_deref())?);
        let (mut spaces, mut links) = (BTreeMap::new(), Vec::new());
        for namespace in &settings.namespaces {
            let origin = Name::new(&format!("{:016x}", random().map_err(io::Error::other)? >> 64));
            let origin = origin.ok_or(io::ErrorKind::InvalidData)?;
            let path = data.map(|data| data.join(format!("{namespace}.jsonl")));
            let space = Space::open(origin, settings.limits.clone(), policy, path.as_deref())?;
            let space = Arc::new(space);
            if let Some(url) = &settings.redis {
                links.push(Link::new(url, namespace, Arc::clone(&space))?);
            }
            spaces.insert(namespace.clone(), space);
        }
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        for link in &links {
            link.settle(deadline).await;
        }
        let per_address = if settings.is_behind_proxy { usize::MAX } else { settings.max_per_address };
        let gate = Gate::new(settings.max_connections, per_address);
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        Ok(Self { chat: Arc::new(Chat::new(keys, spaces, settings)), listener, gate, links })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Runs until `stop`, then tells all pages that it goes, and waits for them for a moment. Returns how many connections were left.
    pub async fn run(self, stop: impl Future<Output = ()>) -> usize {
        let Self { chat, listener, gate, links } = self;
        let refused = Gate::new(MAX_REFUSED, usize::MAX);
        let (goodbye, leaving) = watch::channel(false);
        let router = TowerToHyperService::new(routes::router(Arc::clone(&chat)));
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, address)) = accepted else {
                // Out of file descriptors, most likely.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            match gate.admit(address.ip()) {
                Ok(pass) => {
                    let peer =
                        Peer { address: address.ip(), _pass: Arc::new(pass), leaving: leaving.clone() };
                    tokio::spawn(serve(stream, peer, router.clone()));
                }
                Err(crowded) => {
                    if let Ok(pass) = refused.admit(address.ip()) {
                        tokio::spawn(refuse(stream, crowded, pass));
                    }
                }
            }
        }
        drop((listener, leaving));
        goodbye.send_replace(true);
        chat.close_sessions();
        // Every connection has a receiver.
        let _ = timeout(GOODBYE_TIMEOUT, goodbye.closed()).await;
        for link in links {
            link.leave().await;
        }
        gate.total()
    }
}

type Routes = TowerToHyperService<axum::Router>;

async fn serve(stream: TcpStream, peer: Peer, routes: Routes) {
    let mut leaving = peer.leaving.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        routes.call(request)
    });
    let mut connection =
        std::pin::pin!(http().serve_connection(TokioIo::new(stream), service).with_upgrades());
    tokio::select! {
        _ = &mut connection => return,
        _ = leaving.wait_for(|leaving| *leaving) => connection.as_mut().graceful_shutdown(),
    }
    // A client that breaks off is nobody's fault.
    let _ = connection.await;
}

/// Tells a client why it is not let in.
async fn refuse(stream: TcpStream, crowded: Crowded, _pass: Pass) {
    let service = service_fn(move |_: Request<Incoming>| async move {
        let (status, why) = match crowded {
            Crowded::Everywhere => (StatusCode::SERVICE_UNAVAILABLE, "too many connections"),
            Crowded::Address => (StatusCode::TOO_MANY_REQUESTS, "too many connections from your address"),
        };
        Ok::<_, std::convert::Infallible>((status, [("connection", "close")], why).into_response())
    });
    let _ = http().keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    http
}

/// The key of the logins: from a file, which the first start makes. Without one logins end with the process.
fn secret(path: Option<&Path>) -> io::Result<[u8; 32]> {
    let Some(path) = path else { return new_secret() };
    if !path.exists() {
        write_private(path, &new_secret()?)?;
    }
    let key = std::fs::read(path)?;
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, format!("{} is no key", path.display()));
    key.try_into().map_err(|_| wrong())
}

fn new_secret() -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    Ok(key)
}

/// A file that nobody else may read, whole from the start. If another process is faster, the file is that one's.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let beside = path.with_extension(format!("{:032x}", random().map_err(io::Error::other)?));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&beside)?.write_all(bytes);
    let linked = written.and_then(|()| std::fs::hard_link(&beside, path));
    std::fs::remove_file(&beside)?;
    linked.or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
}
