//! The chat as a process, and its folder.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Nothing takes so long that works.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A folder that is gone at the end.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tidewire-chat-test-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running chat, which is killed at the end.
#[derive(Debug)]
pub(crate) struct Chat {
    process: Child,
    port: u16,
    arguments: Vec<String>,
    folder: Folder,
}

impl Chat {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let folder = Folder::new();
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        let (process, port) = launch(0, folder.path(), &arguments).await;
        Self { process, port, arguments, folder }
    }

    /// `HOST:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    /// What `--data` names.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Without a chance to say or to write anything.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.expect("killed");
    }

    /// Again on the same port, with the same folder.
    pub(crate) async fn restart(&mut self) {
        (self.process, _) = launch(self.port, self.folder.path(), &self.arguments).await;
    }

    /// Stops it, or lets it go on.
    pub(crate) async fn signal(&self, name: &str) {
        signal(name, self.process.id().expect("it runs")).await;
    }

    /// Asks it to stop, as a service is.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        signal("TERM", self.process.id().expect("it runs")).await;
        timeout(DEADLINE, self.process.wait()).await.expect("an end").expect("a status")
    }
}

/// Sends a signal to a process, or to a group if the number is negative.
pub(crate) async fn signal(name: &str, process: impl std::fmt::Display) {
    let sent = Command::new("kill").args(["-s", name, "--", &process.to_string()]).status().await;
    assert!(sent.expect("kill").success());
}

async fn launch(port: u16, folder: &Path, arguments: &[String]) -> (Child, u16) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_chat"))
        .args(["--port", &port.to_string(), "--data"])
        .arg(folder)
        .args(arguments)
        .env("CHAT_MODERATOR_PASSWORD", "low tide")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a process");
    let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
    let line =
        timeout(DEADLINE, lines.next_line()).await.expect("in time").expect("a line").expect("an address");
    let port = line.rsplit(':').next().and_then(|port| port.parse().ok());
    (process, port.unwrap_or_else(|| panic!("{line}")))
}
