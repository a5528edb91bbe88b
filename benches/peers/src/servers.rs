//! Servers: every contender over TCP, each written the way its documentation says is fast. Those that echo run one task per connection.
//!
//! All of them turn `TCP_NODELAY` on and use the system's allocator.

mod broadcast;
mod deflate;
mod forward;
mod hyper;
mod raw;
mod streams;
mod tidewire;

use std::error::Error;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::net::TcpStream;
use tokio::runtime::Builder;

use crate::Effort;
use crate::table::{Column, Kind};

type Failure = Box<dyn Error + Send + Sync>;

/// What a connection ends with.
type Outcome = Result<(), Failure>;

/// How a server is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// The core that it is pinned to.
    pub(crate) core: Option<usize>,
    /// The threads of its runtime; one means that everything happens on the main thread.
    pub(crate) workers: usize,
    /// How long buffers should be, for servers that can be told.
    pub(crate) buffer_len: usize,
}

pub(crate) struct Server {
    pub(crate) column: Column,
    /// How it was set up, for the report.
    pub(crate) setup: &'static str,
    /// Serves until the process ends.
    pub(crate) serve: fn(TcpListener, Setting) -> io::Result<()>,
    pub(crate) role: Role,
}

/// Where a server takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Where messages are echoed, and where opening handshakes are measured.
    All,
    /// Where messages are echoed: its opening handshake is done by hand.
    Echo,
    /// Where opening handshakes are measured.
    Handshake,
    /// Where messages go from one connection of a pair to the other.
    Forward,
    /// Where messages go from the first connection to all others.
    Broadcast,
    /// Where compressed messages are echoed.
    Deflate,
    /// Where compressed messages go from the first connection to all others.
    DeflateBroadcast,
}

impl Server {
    /// Its name on the command line.
    pub(crate) fn id(&self) -> String {
        match self.role {
            Role::All | Role::Echo | Role::Handshake => self.column.name.to_owned(),
            Role::Forward => format!("{}, forward", self.column.name),
            Role::Broadcast => format!("{}, broadcast", self.column.name),
            Role::Deflate => format!("{}, deflate", self.column.name),
            Role::DeflateBroadcast => format!("{}, deflate broadcast", self.column.name),
        }
    }

    /// Whether it sends frames, rather than the bytes that came.
    pub(crate) fn frames(&self) -> bool {
        !matches!(self.column.name, RAW_EPOLL | RAW_TOKIO)
    }

    /// Whether it is to get compressed messages.
    pub(crate) fn compresses(&self) -> bool {
        self.column.name != TIDEWIRE_PLAIN
    }

    /// Whether it can use more than one thread.
    pub(crate) fn scales(&self) -> bool {
        self.column.name != RAW_EPOLL
    }
}

const RAW_EPOLL: &str = "raw epoll";
const RAW_TOKIO: &str = "raw tokio";
const TIDEWIRE_PLAIN: &str = "tidewire plain";

const fn server(
    kind: Kind,
    name: &'static str,
    role: Role,
    serve: fn(TcpListener, Setting) -> io::Result<()>,
    setup: &'static str,
) -> Server {
    Server { column: Column { name, kind }, setup, serve, role }
}

/// In the order of the report's columns.
const SERVERS: &[Server] = &[
    server(
        Kind::Floor,
        RAW_EPOLL,
        Role::All,
        raw::epoll,
        "one thread, level-triggered; reads at most 64 KiB and writes what it has read; answers the opening handshake with a constant",
    ),
    server(
        Kind::Floor,
        RAW_TOKIO,
        Role::All,
        |listener, setting| on_tokio(listener, setting, raw::tokio),
        "the same on tokio, with one buffer of 64 KiB per thread",
    ),
    server(
        Kind::Floor,
        "bare tokio",
        Role::Echo,
        |listener, setting| on_tokio(listener, setting, raw::bare),
        "the same, and what frames take at least: header read, payload unmasked into a second buffer, new header, as the bytes \
         come and however much of a message they are; no rule of the protocol is checked, nothing is kept for anybody to look at, and \
         there is no timer",
    ),
    server(
        Kind::Own,
        "tidewire lent",
        Role::All,
        |listener, setting| on_tokio(listener, setting, tidewire::lent),
        "`accept` with its defaults, keepalive on; `ready`, then `recv_ref` and `send` of the lent event; what is queued leaves \
         before a read waits",
    ),
    server(
        Kind::Own,
        "tidewire owned",
        Role::All,
        |listener, setting| on_tokio(listener, setting, tidewire::owned),
        "the same with `recv` and `feed`",
    ),
    server(
        Kind::Peer,
        "tungstenite",
        Role::All,
        |listener, setting| on_tokio(listener, setting, streams::tungstenite),
        "tokio-tungstenite `accept_async_with_config`, a read buffer as told; messages are fed while there are more in its \
         buffer, then flushed",
    ),
    server(
        Kind::Peer,
        "fastwebsockets",
        Role::Echo,
        |listener, setting| on_tokio(listener, setting, raw::fastwebsockets),
        "`WebSocket::after_handshake` on the TCP stream itself, after an opening handshake by hand, which spares it hyper's \
         layers; `FragmentCollector::read_frame` and `write_frame`, as in its example: it writes each frame at once",
    ),
    server(
        Kind::Peer,
        "tokio-websockets",
        Role::All,
        |listener, setting| on_tokio(listener, setting, streams::tokio_websockets),
        "`ServerBuilder::accept`, flush threshold 64 KiB; since it flushes before it looks for a message, up to 32 that are \
         ready are taken first, then fed and flushed",
    ),
    server(
        Kind::Peer,
        "yawc",
        Role::Echo,
        |listener, setting| on_tokio(listener, setting, streams::yawc),
        "`WebSocket::from_stream` on the TCP stream itself, after an opening handshake by hand; a read buffer as told, a \
         write buffer of at most 8 KiB, a backpressure boundary of 64 KiB; messages are fed while there are more in its buffer, \
         then flushed",
    ),
    server(
        Kind::Peer,
        "sockudo-ws",
        Role::All,
        |listener, setting| {
            sockudo_ws::init_clock();
            on_tokio(listener, setting, streams::sockudo)
        },
        "`WebSocketServer::accept_raw`, a write buffer as told but at most its default of 16 KiB, pings on; `next` and `feed`: \
         it flushes before it reads",
    ),
    server(
        Kind::Peer,
        "fastwebsockets on hyper",
        Role::Handshake,
        |listener, setting| on_tokio(listener, setting, hyper::fastwebsockets),
        "`upgrade::upgrade` in a hyper service, as in its example",
    ),
    server(
        Kind::Peer,
        "yawc on hyper",
        Role::Handshake,
        |listener, setting| on_tokio(listener, setting, hyper::yawc),
        "`WebSocket::upgrade_with_options` in a hyper service, as in its example",
    ),
];

/// Every server.
pub(crate) fn all() -> impl Iterator<Item = &'static Server> {
    SERVERS.iter().chain(forward::SERVERS).chain(broadcast::SERVERS).chain(deflate::SERVERS)
}

/// A server, of this build or of another.
#[derive(Clone, Copy)]
pub(crate) struct Contender<'a> {
    pub(crate) server: &'static Server,
    other_build: Option<&'a Path>,
}

impl Contender<'_> {
    pub(crate) fn column(&self) -> Column {
        let Column { name, kind } = self.server.column;
        Column { name, kind: if self.other_build.is_some() { Kind::Other } else { kind } }
    }

    /// The program that it is in.
    pub(crate) fn program(&self) -> io::Result<PathBuf> {
        self.other_build.map_or_else(std::env::current_exe, |program| Ok(program.to_owned()))
    }
}

/// The servers of some roles that are wanted. With another build to compare with, each of tidewire's is followed by its twin.
pub(crate) fn contenders<'a>(roles: &[Role], effort: Effort<'a>) -> Vec<Contender<'a>> {
    let mut contenders = Vec::new();
    for server in all().filter(|server| roles.contains(&server.role) && effort.wants(server.column.name)) {
        contenders.push(Contender { server, other_build: None });
        if server.column.kind == Kind::Own && effort.against.is_some() {
            contenders.push(Contender { server, other_build: effort.against });
        }
    }
    contenders
}

/// How they are set up, for the report.
pub(crate) fn setups(contenders: &[Contender<'_>]) -> impl Iterator<Item = (&'static str, &'static str)> {
    let here = contenders.iter().filter(|contender| contender.other_build.is_none());
    here.map(|contender| (contender.server.column.name, contender.server.setup))
}

/// Accepts connections, and spawns `serve` for each.
fn on_tokio<F>(
    listener: TcpListener,
    setting: Setting,
    serve: impl Fn(TcpStream, Setting) -> F + Clone + Send + Sync + 'static,
) -> io::Result<()>
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let mut builder = match setting.workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(setting.workers).enable_all().build()?;
    listener.set_nonblocking(true)?;
    let accept = async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let serve = serve.clone();
            // How it ends is the load generator's choice. The future is made in the task: one that is moved there takes its room twice.
            tokio::spawn(async move { drop(serve(stream, setting).await) });
        }
    };
    match setting.workers {
        1 => runtime.block_on(accept),
        // On a worker, where accepting costs no change of threads.
        _ => runtime.block_on(runtime.spawn(accept))?,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
