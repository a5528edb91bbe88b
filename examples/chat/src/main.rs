//! A chat: pages and sockets on one port.
//!
//! ```text
//! cargo run --release --manifest-path examples/chat/Cargo.toml
//! ```

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::ValueExt;
use lexopt::prelude::{Long, Short};
use tidewire::Origins;
use tidewire_chat::server::{Server, Settings};

const USAGE: &str = "\
usage: chat [OPTION...]

  --host ADDRESS         where to listen [127.0.0.1]
  --port PORT            [8080]; 0 takes any
  --data FOLDER          keep what was said, and the key of the logins; otherwise all is in memory
  --origin ORIGIN        a page's origin that may connect, such as https://chat.example.org; repeatable
                         [the host and port of the request]
  --namespace NAME       rooms of their own, at /n/NAME; repeatable, the first is the front page [main]
  --redis URL            share the rooms with all processes of this Redis, such as redis://127.0.0.1:6379; needs --key
  --key FILE             the key of the logins, the same for all these processes; made if it is not there [FOLDER/key]
  --behind-proxy         take the address of a client from X-Forwarded-For
  --max-connections N    [10000]
  --max-per-address N    [200]
  --rate N               messages of a person in a second; twice as many at once [10]
  --keepalive SECONDS    ping each page so often; one that is silent for half as long is gone [20]

CHAT_MODERATOR_PASSWORD, if it is set, makes a moderator of who knows it.
CHAT_REDIS is the URL for --redis, where others must not see a password in it.
";

struct Options {
    address: SocketAddr,
    data: Option<PathBuf>,
    settings: Settings,
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    let (mut host, mut port) = (IpAddr::from(Ipv4Addr::LOCALHOST), 8080);
    let (mut data, mut origins, mut namespaces) = (None, Vec::new(), Vec::new());
    let mut settings = Settings::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("host") => host = parser.value()?.parse()?,
            Long("port") => port = parser.value()?.parse()?,
            Long("data") => data = Some(PathBuf::from(parser.value()?)),
            Long("origin") => origins.push(parser.value()?.string()?),
            Long("namespace") => {
                namespaces.push(parser.value()?.parse_with(|name| name.to_owned().try_into())?)
            }
            Long("redis") => settings.redis = Some(parser.value()?.string()?),
            Long("key") => settings.key = Some(PathBuf::from(parser.value()?)),
            Long("behind-proxy") => settings.is_behind_proxy = true,
            Long("max-connections") => settings.max_connections = parser.value()?.parse()?,
            Long("max-per-address") => settings.max_per_address = parser.value()?.parse()?,
            Long("rate") => settings.rate = parser.value()?.parse_with(rate)?,
            Long("keepalive") => {
                settings.keepalive =
                    Duration::from_secs(parser.value()?.parse::<std::num::NonZeroU32>()?.get().into());
            }
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    if !origins.is_empty() {
        settings.is_secure = origins.iter().all(|origin| origin.starts_with("https://"));
        settings.origins = Origins::list(&origins).map_err(|error| lexopt::Error::Custom(error.into()))?;
    }
    if !namespaces.is_empty() {
        settings.namespaces = namespaces;
    }
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    settings.redis = settings.redis.or_else(|| variable("CHAT_REDIS"));
    if settings.redis.is_some() && settings.key.is_none() {
        return Err("--redis needs --key: a page that comes to another process is to stay logged in".into());
    }
    settings.limits.max_guests = settings.max_connections;
    settings.moderator_password = variable("CHAT_MODERATOR_PASSWORD");
    Ok(Some(Options { address: SocketAddr::new(host, port), data, settings }))
}

fn rate(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|rate| (0.001..=1e6).contains(rate)).ok_or("a rate is between 0.001 and 1000000")
}

fn main() -> ExitCode {
    match options() {
        Ok(None) => print!("{USAGE}"),
        Ok(Some(options)) => {
            if let Err(error) = run(options) {
                eprintln!("chat: {error}");
                return ExitCode::FAILURE;
            }
        }
        Err(error) => {
            eprintln!("chat: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

#[tokio::main]
async fn run(Options { address, data, settings }: Options) -> std::io::Result<()> {
    if let Some(data) = &data {
        let mut folder = std::fs::DirBuilder::new();
        // Private messages are in there.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.recursive(true).create(data)?;
    }
    let server = Server::bind(address, settings, data.as_deref()).await?;
    println!("listening on http://{}", server.local_addr()?);
    let left = server.run(stop()).await;
    if left > 0 {
        eprintln!("chat: {left} connections did not say goodbye");
    }
    Ok(())
}

/// Ctrl-C, or the signal by which services are stopped.
async fn stop() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}
