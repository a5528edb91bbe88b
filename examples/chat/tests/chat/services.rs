//! Redis and nginx, as processes that the tests start, kill and stop.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Duration, sleep, timeout};

use crate::process::{Chat, DEADLINE, Folder, signal};

/// A port that nobody has, and that no outgoing connection takes while a server is away: below those that the system gives them.
pub(crate) fn free_port() -> u16 {
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id() as u16 % 10_000;
    loop {
        let port = 20_000 + (start + COUNT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A Redis that keeps nothing, as the chat needs nothing kept.
#[derive(Debug)]
pub(crate) struct Redis {
    process: Child,
    port: u16,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        Self::on(free_port()).await
    }

    pub(crate) async fn on(port: u16) -> Self {
        Self { process: launch_redis(port).await, port }
    }

    /// `HOST:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.host())
    }

    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.expect("killed");
    }

    /// Again on the same port.
    pub(crate) async fn restart(&mut self) {
        self.process = launch_redis(self.port).await;
    }

    /// Stops it, or lets it go on.
    pub(crate) async fn signal(&self, name: &str) {
        signal(name, self.process.id().expect("it runs")).await;
    }
}

async fn launch_redis(port: u16) -> Child {
    let mut process = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("redis-server, which has to be installed");
    let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
    let ready = async {
        while !lines.next_line().await.expect("a line").expect("a running Redis").contains("Ready to accept")
        {
        }
    };
    timeout(DEADLINE, ready).await.expect("in time");
    tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
    process
}

/// nginx with the configuration that is shown, in front of two processes.
#[derive(Debug)]
pub(crate) struct Nginx {
    process: Child,
    port: u16,
    folder: Folder,
}

impl Nginx {
    pub(crate) async fn start(one: &Chat, two: &Chat) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let mut text = include_str!("../../nginx.conf").to_owned();
        for (shown, here) in [
            ("listen 127.0.0.1:8080;", format!("listen 127.0.0.1:{port};")),
            ("127.0.0.1:8081", one.host()),
            ("127.0.0.1:8082", two.host()),
        ] {
            assert!(text.contains(shown), "{shown}");
            text = text.replace(shown, &here);
        }
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, text).expect("written");
        let test =
            nginx(folder.path(), &path).arg("-t").output().await.expect("nginx, which has to be installed");
        let said = String::from_utf8_lossy(&test.stderr);
        assert!(test.status.success() && !said.contains("[warn]"), "{said}");
        // It starts others, which have to end with it.
        let mut nginx = nginx(folder.path(), &path);
        let process = nginx.args(["-g", "daemon off;"]).process_group(0).spawn().expect("a process");
        let is_there = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(DEADLINE, is_there).await.expect("in time");
        Self { process, port, folder }
    }

    /// `HOST:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }

    /// Waits for as many requests to a path that have ended, and returns for each the client's address and the process.
    pub(crate) async fn requests(&self, path: &str, count: usize) -> Vec<(String, String)> {
        let look = async {
            loop {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                let ended = log.lines().filter(|line| line.contains(path));
                let ended: Vec<_> = ended.map(|line| line.split(' ').collect::<Vec<_>>()).collect();
                if ended.len() >= count {
                    let last = |words: &[&str]| words.last().map(ToString::to_string).unwrap_or_default();
                    return ended.iter().map(|words| (words[1].to_owned(), last(words))).collect();
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(DEADLINE, look).await.expect("in time")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Some(id) = self.process.id() {
            let _ = std::process::Command::new("kill").args(["-s", "KILL", "--", &format!("-{id}")]).status();
        }
    }
}

fn nginx(folder: &Path, configuration: &Path) -> Command {
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(folder).arg("-c").arg(configuration).args(["-e", "stderr"]).stdin(Stdio::null());
    nginx
}
