//! The load: many guests in rooms talk to the chat, and to the same chat on `ws` for Node, in turn. With `--processes 2`, to one process of
//! the chat and to two that Redis joins, and to the same of `socket.io` for Node. Half of each room is with either process then. With
//! `--socket-io`, to the chat in its own messages and in Socket.IO, and to `socket.io` for Node.
//!
//! In each room one guest says something, and says the next when all others have heard it and the server has acknowledged it. So nothing
//! piles up, and nothing counts that was not heard. The servers have one core, and this program the other one.
//!
//! ```text
//! npm ci --prefix examples/chat/load
//! cargo build --release --manifest-path examples/chat/Cargo.toml --bins --examples
//! ulimit -n 20000; examples/chat/target/release/examples/load
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use guests::{Count, Crowd};
use lexopt::ValueExt;
use lexopt::prelude::Long;
use process::{Cpu, Kind, Server};
use tokio::time::{Instant, sleep};

mod dialect;
mod guests;
mod login;
mod process;

const USAGE: &str = "\
usage: load [OPTION...]

  --guests N     [5000]
  --rooms N      [50]
  --seconds N    how long each round counts [10]
  --rounds N     of each server, in turn; the median is printed [3]
  --deflate      the guests ask for compression
  --processes N  compare with N processes that are joined by Redis [1]
  --socket-io    compare guests that speak Socket.IO with the chat's own, and with `socket.io`
";

/// How long the server may settle after all have come, and how long they talk before it counts.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug)]
struct Options {
    guests: usize,
    rooms: usize,
    seconds: u64,
    rounds: usize,
    deflate: bool,
    processes: usize,
    socket_io: bool,
}

fn options() -> Result<Options, lexopt::Error> {
    let mut options = Options {
        guests: 5_000,
        rooms: 50,
        seconds: 10,
        rounds: 3,
        deflate: false,
        processes: 1,
        socket_io: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("guests") => options.guests = parser.value()?.parse()?,
            Long("rooms") => options.rooms = parser.value()?.parse()?,
            Long("seconds") => options.seconds = parser.value()?.parse()?,
            Long("rounds") => options.rounds = parser.value()?.parse()?,
            Long("deflate") => options.deflate = true,
            Long("socket-io") => options.socket_io = true,
            Long("processes") => options.processes = parser.value()?.parse()?,
            _ => return Err(argument.unexpected()),
        }
    }
    if options.rooms == 0
        || options.guests < 2 * options.rooms
        || options.rounds * options.processes == 0
        || options.seconds == 0
    {
        return Err(
            "a room has two guests at least, and there is one process, one round and one second".into()
        );
    }
    if options.socket_io && options.deflate {
        return Err("Socket.IO goes without compression".into());
    }
    Ok(options)
}

/// What one round has shown.
#[derive(Clone, Copy, Debug)]
struct Figures {
    /// Messages in a second.
    messages: f64,
    /// What guests have heard in a second.
    heard: f64,
    /// The server's time for one of these, in microseconds.
    time_per_heard: f64,
    /// The part of it that is not the kernel's.
    user_per_heard: f64,
    /// The server's share of its core, and this program's of its own.
    server_share: f64,
    own_share: f64,
    /// Bytes for each guest that is there and quiet.
    quiet: f64,
    /// Bytes for each guest after the talk.
    talking: f64,
}

async fn round(options: Options, kind: Kind, processes: usize) -> Result<Figures, Box<dyn Error>> {
    let Options { guests, rooms, seconds, deflate, .. } = options;
    let server = Server::start(kind, processes, deflate).await?;
    let empty = server.memory()?;
    let crowd = Crowd::enter(&server, guests, rooms, deflate).await?;
    sleep(PAUSE).await;
    let quiet = server.memory()?;
    crowd.talk()?;
    sleep(PAUSE).await;
    let (start, count, cpu, own) = (Instant::now(), crowd.count(), server.cpu()?, Cpu::own()?);
    sleep(Duration::from_secs(seconds)).await;
    let passed = start.elapsed().as_secs_f64();
    let Count { messages, heard } = crowd.count() - count;
    let (cpu, own) = (server.cpu()?.since(cpu), Cpu::own()?.since(own));
    let talking = server.memory()?;
    crowd.check()?;
    let per_guest = |bytes: u64| bytes.saturating_sub(empty) as f64 / guests as f64;
    Ok(Figures {
        messages: messages as f64 / passed,
        heard: heard as f64 / passed,
        time_per_heard: 1e6 * cpu.sum() / heard as f64,
        user_per_heard: 1e6 * cpu.user / heard as f64,
        server_share: cpu.sum() / passed,
        own_share: own.sum() / passed,
        quiet: per_guest(quiet),
        talking: per_guest(talking),
    })
}

fn median(rounds: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<_> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let mut servers: Vec<(Kind, usize, Vec<Figures>)> = if options.socket_io {
        let of = |kind| (kind, options.processes, Vec::new());
        [Kind::Chat, Kind::ChatSocketIo, Kind::SocketIo].map(of).into()
    } else if options.processes > 1 {
        let of = |kind| [(kind, 1, Vec::new()), (kind, options.processes, Vec::new())];
        [of(Kind::Chat), of(Kind::SocketIo)].into_iter().flatten().collect()
    } else {
        vec![(Kind::Chat, 1, Vec::new()), (Kind::Ws, 1, Vec::new())]
    };
    for number in 1..=options.rounds {
        for (kind, processes, rounds) in &mut servers {
            let figures = round(options, *kind, *processes).await?;
            eprintln!("round {number}, {kind:?} in {processes}: {figures:.1?}");
            rounds.push(figures);
        }
    }
    let Options { guests, rooms, deflate, .. } = options;
    println!("{guests} guests in {rooms} rooms, compression {}\n", if deflate { "on" } else { "off" });
    let names = servers.iter().map(|(kind, processes, _)| match processes {
        1 => format!(" {} |", kind.name()),
        _ => format!(" {} in {processes} processes |", kind.name()),
    });
    let (names, ratio) = (names.collect::<String>(), if servers.len() == 2 { " ratio |" } else { "" });
    println!("| |{names}{ratio}\n|---|{}", "--:|".repeat(servers.len() + usize::from(servers.len() == 2)));
    type Row = (&'static str, fn(&Figures) -> f64, usize);
    let rows: [Row; 8] = [
        ("messages acknowledged, in a second", |round| round.messages, 0),
        ("messages heard, in a second", |round| round.heard, 0),
        ("server's time for one that is heard, in us", |round| round.time_per_heard, 2),
        ("of which outside the kernel, in us", |round| round.user_per_heard, 2),
        ("memory for a guest that is quiet, in KiB", |round| round.quiet / 1024.0, 1),
        ("memory for a guest after the talk, in KiB", |round| round.talking / 1024.0, 1),
        ("server's share of its core, in %", |round| 100.0 * round.server_share, 0),
        ("load's share of its core, in %", |round| 100.0 * round.own_share, 0),
    ];
    for (name, of, digits) in rows {
        let values: Vec<_> = servers.iter().map(|(_, _, rounds)| median(rounds, of)).collect();
        let cells = values.iter().map(|value| format!(" {value:.digits$} |"));
        let ratio =
            if let [one, other] = values[..] { format!(" {:.2} |", one / other) } else { String::new() };
        println!("| {name} |{}{ratio}", cells.collect::<String>());
    }
    Ok(())
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("load: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    process::pin_self();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime
        .map_err(Into::into)
        .and_then(|runtime| tokio::task::LocalSet::new().block_on(&runtime, run(options)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}
