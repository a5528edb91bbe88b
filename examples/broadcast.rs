//! One publisher and ten thousand subscribers, over loopback TCP. Some subscribers stop reading: they are skipped, or dropped with `--drop`.
//!
//! ```text
//! cargo run --release --features tokio --example broadcast -- --subscribers 10000 --slow 1000
//! ```
//!
//! There is one task per connection, which any server has, and nothing else for each subscriber: no second task and no channel.

mod room;

use std::error::Error;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidewire::tokio::{accept_with, client};
use tidewire::{ClientRequest, Config, Prepared, ServerHandshake};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::interval;

use room::{Room, Slow};

/// The kernel's buffers of each connection. Left alone they grow to megabytes, and ten thousand slow peers fill them all.
const KERNEL_LEN: u32 = 16 << 10;

/// From here on a subscriber counts as slow.
const HIGH_WATER_LEN: usize = 16 << 10;

const MESSAGE_LEN: usize = 1 << 10;

struct Options {
    subscribers: usize,
    /// So many of these never read.
    slow: usize,
    messages: u32,
    policy: Slow,
    /// The server, for the process that subscribes.
    server: Option<SocketAddr>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = arguments()?;
    // Each process has one end of each connection.
    let files = rlimit::increase_nofile_limit(u64::MAX)?;
    if files < options.subscribers as u64 + 100 {
        return Err(format!("{files} files may be open: too few for so many subscribers").into());
    }
    match options.server {
        None => publish(options).await,
        Some(server) => subscribe(server, options).await,
    }
}

async fn publish(options: Options) -> Result<(), Box<dyn Error>> {
    let socket = TcpSocket::new_v4()?;
    socket.set_send_buffer_size(KERNEL_LEN)?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(1024)?;
    let mut subscribers = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .args(["--server", &listener.local_addr()?.to_string()])
        .stdin(Stdio::piped())
        .spawn()?;

    let (room, mut tasks) = (Arc::new(Room::new()), JoinSet::new());
    while room.len() < options.subscribers {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, address) = accepted?;
                tasks.spawn(serve(stream, address, Arc::clone(&room)));
            }
            // Somebody may have joined meanwhile.
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
        if let Some(status) = subscribers.try_wait()? {
            return Err(format!("the subscribers have ended: {status}").into());
        }
    }
    println!("{} subscribers have joined", options.subscribers);

    let mut ticks = interval(Duration::from_millis(100));
    for number in 1..=options.messages {
        ticks.tick().await;
        let text = format!("{number:<MESSAGE_LEN$}");
        // Encoded once for all.
        let message = Prepared::new(text);
        let start = Instant::now();
        let told = room.tell(&message, options.policy);
        let took = start.elapsed();
        if number % 10 == 0 || number == options.messages {
            let queued_kib = room.queued_len() >> 10;
            println!("message {number}: {told}, in {took:.1?}; {queued_kib} KiB are queued");
        }
    }

    let left = room.shut_down(tasks, Duration::from_secs(5)).await;
    println!("all were told goodbye; {} did not answer and were cut", left.len());
    let status = subscribers.wait()?;
    if status.success() { Ok(()) } else { Err(format!("the subscribers: {status}").into()) }
}

/// The task of a subscriber. It writes what is queued, and ends with the connection.
async fn serve(stream: TcpStream, address: SocketAddr, room: Arc<Room<TcpStream>>) {
    let config = Config::new().with_high_water_len(HIGH_WATER_LEN);
    let _ = stream.set_nodelay(true);
    let Ok(socket) = accept_with(stream, ServerHandshake::new(config)).await else { return };
    let (mut reader, writer) = socket.split();
    let _seat = room.join(address, writer);
    while let Ok(Some(_)) = reader.recv_ref().await {}
}

/// The other process: all subscribers.
async fn subscribe(server: SocketAddr, options: Options) -> Result<(), Box<dyn Error>> {
    let request = ClientRequest::new(&format!("ws://{server}/"))?;
    let mut reading = JoinSet::new();
    let mut frozen = Vec::new();
    for number in 0..options.subscribers {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(KERNEL_LEN)?;
        let mut socket = client(socket.connect(server).await?, &request).await?;
        if number < options.slow {
            frozen.push(socket);
            continue;
        }
        reading.spawn(async move {
            let mut count = 0;
            while let Ok(Some(_)) = socket.recv().await {
                count += 1;
            }
            // Without a Close frame, the end is an error.
            (count, socket.ending().is_some_and(|ending| ending.is_clean()))
        });
    }
    let ends = reading.join_all().await;
    let whole = ends.iter().filter(|end| **end == (options.messages, true)).count();
    println!("{whole} of {} subscribers that read got every message, and 1001", ends.len());
    // Those that never read stay until the publisher has cut them, and closes the pipe.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

fn arguments() -> Result<Options, Box<dyn Error>> {
    use lexopt::prelude::*;
    let mut options =
        Options { subscribers: 10_000, slow: 1000, messages: 100, policy: Slow::Skip, server: None };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("subscribers") => options.subscribers = arguments.value()?.parse()?,
            Long("slow") => options.slow = arguments.value()?.parse()?,
            Long("messages") => options.messages = arguments.value()?.parse()?,
            Long("drop") => options.policy = Slow::Drop,
            Long("server") => options.server = Some(arguments.value()?.parse()?),
            _ => return Err(argument.unexpected().into()),
        }
    }
    Ok(options)
}
