//! [`Server`]: a server in processes of its own, on a core of its own.

use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The program `chat`, built beside this one.
    Chat,
    /// The same, whose guests speak Socket.IO.
    ChatSocketIo,
    /// `load/ws.mjs`.
    Ws,
    /// `load/socketio.mjs`.
    SocketIo,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::ChatSocketIo => "chat, by Socket.IO",
            Self::Ws => "on `ws`",
            Self::SocketIo => "on `socket.io`",
        }
    }
}

/// A running server: one process, or several and the Redis between them. All are killed at the end.
#[derive(Debug)]
pub(crate) struct Server {
    processes: Vec<Child>,
    pub(crate) kind: Kind,
    /// The host and port of each process.
    pub(crate) hosts: Vec<String>,
    /// The key that the processes share.
    key: PathBuf,
}

impl Server {
    /// Starts so many processes.
    pub(crate) async fn start(kind: Kind, count: usize, deflate: bool) -> Result<Self, Box<dyn Error>> {
        let key = std::env::temp_dir().join(format!("tidewire-chat-load-{}", std::process::id()));
        let mut this = Self { processes: Vec::new(), kind, hosts: Vec::new(), key };
        let redis = if count > 1 { Some(this.start_redis().await?) } else { None };
        for _ in 0..count {
            let mut command = this.command(redis.as_deref());
            if matches!(kind, Kind::Ws | Kind::SocketIo) && deflate {
                command.arg("--deflate");
            }
            let line = this.launch(command, "listening on").await?;
            this.hosts.push(line.rsplit('/').next().ok_or("no address")?.to_owned());
        }
        Ok(this)
    }

    fn command(&self, redis: Option<&str>) -> Command {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("load");
        let mut command;
        match self.kind {
            Kind::Chat | Kind::ChatSocketIo => {
                // An example lies in a folder below.
                let chat = std::env::current_exe().unwrap_or_default().with_file_name("../chat");
                command = on_server_core(chat);
                // Each guest has an address of its own, as it has in life.
                command.args(["--port", "0", "--behind-proxy", "--rate", "1000000", "--key"]).arg(&self.key);
            }
            Kind::Ws => {
                command = on_server_core("node".into());
                command.arg(folder.join("ws.mjs"));
            }
            Kind::SocketIo => {
                command = on_server_core("node".into());
                command.arg(folder.join("socketio.mjs"));
            }
        }
        if let Some(url) = redis {
            command.args(["--redis", url]);
        }
        command
    }

    /// Returns its URL.
    async fn start_redis(&mut self) -> Result<String, Box<dyn Error>> {
        // Free now, and most likely still so in a moment.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let mut command = on_server_core("redis-server".into());
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port]);
        self.launch(command, "Ready to accept").await?;
        Ok(format!("redis://127.0.0.1:{port}"))
    }

    /// Starts a process, and waits for the line by which it says that it is ready.
    async fn launch(&mut self, mut command: Command, ready: &str) -> Result<String, Box<dyn Error>> {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(process.stdout.take().ok_or("no output")?).lines();
        self.processes.push(process);
        loop {
            let line = lines.next_line().await?.ok_or("a server does not start")?;
            if line.contains(ready) {
                return Ok(line);
            }
        }
    }

    fn ids(&self) -> impl Iterator<Item = u32> {
        self.processes.iter().filter_map(Child::id)
    }

    /// What the processes have in memory, in bytes.
    pub(crate) fn memory(&self) -> Result<u64, Box<dyn Error>> {
        self.ids().map(memory).sum()
    }

    /// How long the processes have run.
    pub(crate) fn cpu(&self) -> Result<Cpu, Box<dyn Error>> {
        self.ids().try_fold(Cpu::default(), |sum, id| Ok(sum.and(Cpu::of(&id.to_string())?)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.key);
    }
}

fn on_server_core(program: PathBuf) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE]).arg(program);
    command
}

fn memory(id: u32) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(1024 * line.trim().trim_end_matches(" kB").parse::<u64>()?)
}

/// How long a process has run, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// In the program itself.
    pub(crate) user: f64,
    /// In the kernel.
    pub(crate) system: f64,
}

impl Cpu {
    pub(crate) fn own() -> Result<Self, Box<dyn Error>> {
        Self::of("self")
    }

    fn of(process: &str) -> Result<Self, Box<dyn Error>> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        // Behind the name, which may have spaces: user time and system time are the 14th and the 15th.
        let mut fields = stat.rsplit(") ").next().ok_or("no fields")?.split(' ').skip(11);
        // In the ticks of the system: 100 in a second.
        let mut seconds =
            || -> Result<f64, Box<dyn Error>> { Ok(fields.next().ok_or("no time")?.parse::<f64>()? / 100.0) };
        Ok(Self { user: seconds()?, system: seconds()? })
    }

    fn and(self, other: Self) -> Self {
        Self { user: self.user + other.user, system: self.system + other.system }
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }

    pub(crate) fn sum(self) -> f64 {
        self.user + self.system
    }
}

/// This program runs beside the server, if there are two cores.
pub(crate) fn pin_self() {
    let id = std::process::id().to_string();
    let pinned =
        std::process::Command::new("taskset").args(["-pc", LOAD_CORE, &id]).stdout(Stdio::null()).status();
    if !pinned.is_ok_and(|status| status.success()) {
        eprintln!("load: not on a core of its own");
    }
}
