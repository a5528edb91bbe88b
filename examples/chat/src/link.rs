//! [`Link`]: the way to the other processes, through Redis.
//!
//! A task keeps one connection, which subscribes and publishes. When it ends, another one is made after a while, and the guests notice nothing:
//! what matters is in the [`Cluster`](crate::cluster::Cluster), which makes up for whatever is lost here.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisError, Value,
};
use tidewire::Backoff;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::login::random;
use crate::rooms::Name;
use crate::space::Space;

/// Redis answers within this time, or is gone.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Messages of other processes that wait to be read. Further ones are lost, and asked for afterwards.
const MAX_WAITING: usize = 4_096;

/// Kinds of messages that are not understood, and are reported while a connection lasts.
const MAX_REPORTED: usize = 8;

/// How often the cluster is asked whether something is due.
const TICK: Duration = Duration::from_millis(100);

/// How long a stopping process tries to say so.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// What joins the rooms of one namespace with those of other processes, in a task of its own.
#[derive(Debug)]
pub struct Link {
    space: Arc<Space>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Link {
    /// Joins a namespace. All processes with the same Redis, database included, and the same namespace hear each other.
    ///
    /// # Errors
    /// `InvalidInput` if this is no URL of a Redis.
    pub fn new(url: &str, namespace: &Name, space: Arc<Space>) -> io::Result<Self> {
        let wrong = |error: RedisError| io::Error::new(io::ErrorKind::InvalidInput, error);
        let info = url.into_connection_info().map_err(wrong)?;
        // Subscriptions and commands share a connection. So whoever can publish hears, and the other way round.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        // Redis does not keep the channels of its databases apart.
        let channel = format!("tidewire-chat:{}:{namespace}", settings.db());
        let client = Client::open(info.set_redis_settings(settings)).map_err(wrong)?;
        space.share(random().map_err(io::Error::other)? as u64);
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(run(Arc::clone(&space), client, channel, stopping));
        Ok(Self { space, stop, task })
    }

    /// Waits until this process knows what the others know, or `deadline` has come.
    ///
    /// A guest that comes earlier could say again what another process knows already.
    pub async fn settle(&self, deadline: Instant) {
        while !self.space.is_settled() && Instant::now() < deadline {
            sleep(TICK / 2).await;
        }
    }

    /// Tells the others that this process stops.
    pub async fn leave(self) {
        self.space.stop_sharing();
        self.stop.send_replace(true);
        let _ = timeout(GOODBYE_TIMEOUT, self.task).await;
    }
}

async fn run(space: Arc<Space>, client: Client, channel: String, mut stopping: watch::Receiver<bool>) {
    let stopped = stopping.clone();
    tokio::select! {
        () = connect_again(&space, &client, &channel, &stopped) => {}
        () = keep_time(&space) => {}
        // One that is not connected has nobody to say goodbye to.
        () = async {
            let _ = stopping.wait_for(|stopping| *stopping).await;
            while space.is_linked() {
                sleep(TICK).await;
            }
        } => {}
    }
}

async fn keep_time(space: &Space) {
    let mut ticks = interval(TICK);
    loop {
        ticks.tick().await;
        space.keep_time();
    }
}

/// Returns when the goodbye is said.
async fn connect_again(space: &Space, client: &Client, channel: &str, stopping: &watch::Receiver<bool>) {
    let first = Duration::from_millis(200);
    let mut backoff = Backoff::new()
        .with_max_first(first)
        .with_delays(first, Duration::from_secs(5))
        .with_healthy(Duration::from_secs(10));
    let mut last_problem = String::new();
    loop {
        let problem = match subscribe(client, channel).await {
            // Of a parser's report, the first line says enough.
            Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
            Ok((connection, pushes)) => {
                eprintln!("chat: joined the other processes through Redis");
                last_problem.clear();
                let start = Instant::now();
                let linked = Linked::new(space);
                let end = tokio::select! {
                    () = read(space, pushes) => Err("the connection was closed".to_owned()),
                    end = write(space, connection, channel, stopping) => end,
                };
                drop(linked);
                backoff.ended(start.elapsed());
                match end {
                    Ok(()) => return,
                    Err(problem) => problem,
                }
            }
        };
        // A Redis that stays away is reported once.
        if problem != last_problem {
            eprintln!("chat: Redis: {problem}; the guests of this process go on");
            last_problem = problem;
        }
        let random = random().unwrap_or_default() as u32;
        sleep(backoff.next_delay(random, None)).await;
    }
}

/// A connection, however it ends: nobody waits for Redis without one.
struct Linked<'a>(&'a Space);

impl<'a> Linked<'a> {
    fn new(space: &'a Space) -> Self {
        space.link_up();
        Self(space)
    }
}

impl Drop for Linked<'_> {
    fn drop(&mut self) {
        self.0.link_down();
    }
}

type Pushes = mpsc::Receiver<PushInfo>;

async fn subscribe(client: &Client, channel: &str) -> Result<(MultiplexedConnection, Pushes), RedisError> {
    let (sender, pushes) = mpsc::channel(MAX_WAITING);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(TIMEOUT))
        .set_push_sender(move |push| sender.try_send(push));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    connection.subscribe(channel).await?;
    Ok((connection, pushes))
}

/// Reads what comes, until the connection ends.
async fn read(space: &Space, mut pushes: Pushes) {
    // Who sends one sends many.
    let mut reported = Vec::new();
    while let Some(PushInfo { kind, data }) = pushes.recv().await {
        match (kind, data.as_slice()) {
            (PushKind::Message, [.., Value::BulkString(payload)]) => {
                if let Err(unknown) = space.receive(payload)
                    && reported.len() < MAX_REPORTED
                    && !reported.contains(&unknown)
                {
                    eprintln!("chat: {unknown}");
                    reported.push(unknown);
                }
            }
            (PushKind::Disconnection, _) => return,
            _ => {}
        }
    }
}

/// Publishes what there is to publish, one after the other. While Redis takes one, what is said gathers for the next.
async fn write(
    space: &Space,
    mut connection: MultiplexedConnection,
    channel: &str,
    stopping: &watch::Receiver<bool>,
) -> Result<(), String> {
    loop {
        while let Some(message) = space.next_message() {
            let mut publish = redis::cmd("PUBLISH");
            publish.arg(channel).arg(&message.payload);
            let heard: u64 = publish.query_async(&mut connection).await.map_err(|error| error.to_string())?;
            if heard == 0 {
                // Not even by this process.
                return Err("the subscription is gone".into());
            }
            if let Some(seq) = message.said {
                space.has_published(seq);
            }
        }
        if !space.is_linked() {
            return Err("it does not keep up".into());
        }
        if *stopping.borrow() {
            return Ok(());
        }
        space.news().await;
    }
}
