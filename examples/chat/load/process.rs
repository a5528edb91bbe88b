//! [`Server`]: a server in a process of its own, on a core of its own.

use std::error::Error;
use std::fs;
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
    /// `load/ws.mjs`.
    Ws,
}

/// A running server, which is killed at the end.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    id: u32,
    pub(crate) kind: Kind,
    /// Its host and port.
    pub(crate) host: String,
}

impl Server {
    pub(crate) async fn start(kind: Kind, deflate: bool) -> Result<Self, Box<dyn Error>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("load");
        let program: PathBuf = match kind {
            // An example lies in a folder below.
            Kind::Chat => std::env::current_exe()?.with_file_name("../chat"),
            Kind::Ws => "node".into(),
        };
        let mut command = Command::new("taskset");
        command.args(["-c", SERVER_CORE]).arg(&program);
        match kind {
            // Each guest has an address of its own, as it has in life.
            Kind::Chat => command.args(["--port", "0", "--behind-proxy", "--rate", "1000000"]),
            Kind::Ws => command.arg(folder.join("ws.mjs")),
        };
        if kind == Kind::Ws && deflate {
            command.arg("--deflate");
        }
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let out = process.stdout.take().ok_or("no output")?;
        let line = BufReader::new(out).lines().next_line().await?.ok_or("the server does not start")?;
        let host = line.rsplit('/').next().ok_or("no address")?.to_owned();
        let id = process.id().ok_or("the server has ended")?;
        Ok(Self { process, id, kind, host })
    }

    /// What it has in memory, in bytes.
    pub(crate) fn memory(&self) -> Result<u64, Box<dyn Error>> {
        debug_assert!(self.process.id().is_some());
        let status = fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(1024 * line.trim().trim_end_matches(" kB").parse::<u64>()?)
    }

    pub(crate) fn cpu(&self) -> Result<Cpu, Box<dyn Error>> {
        Cpu::of(&self.id.to_string())
    }
}

/// How long a process has run, in seconds.
#[derive(Clone, Copy, Debug)]
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
