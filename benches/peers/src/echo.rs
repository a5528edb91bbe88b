//! Echo servers on loopback TCP: what a message costs a server, all system calls included.
//!
//! The server is a process of its own on one core, the load generator is on another, and neither core ever sleeps. A figure is the CPU time that
//! all threads of the server used over a window, user and system, divided by the messages that came back in that window. The servers take turns,
//! each time as a fresh process, and so do the rows: a bad minute of the machine meets all of them. The median of the rounds counts, of each
//! figure relative to its round: how many messages happen to wait when a server looks is a matter of luck in both directions.
//!
//! Not measured: latency, and throughput, which is the load generator's as well.

use std::error::Error;
use std::time::Duration;

use crate::Effort;
use crate::load::Crowd;
use crate::process::{self, Awake, Process};
use crate::report::{self, Table};
use crate::servers::{self, Role, Server, Setting};

const LENGTHS: [usize; 5] = [16, 1 << 10, 16 << 10, 64 << 10, 1 << 20];
const CONNECTIONS: [usize; 3] = [1, 64, 512];
const DEPTHS: [usize; 2] = [1, 16];

/// A cell with more bytes in flight says something about the kernel's buffers, and nothing about the server.
const MAX_IN_FLIGHT: usize = 64 << 20;

/// How long a server is measured at once.
const WINDOW: Duration = Duration::from_millis(100);

/// Until every connection has sent, and buffers have grown, which takes long messages longer.
const WARM_UP: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(150)];

/// What the connections of one cell do.
#[derive(Clone, Copy, Debug)]
struct Cell {
    len: usize,
    connections: usize,
    depth: usize,
}

impl Cell {
    /// The buffers of servers that can be told: no longer than messages need, and no shorter.
    fn buffer_len(&self) -> usize {
        if self.len < 16 << 10 { 16 << 10 } else { 128 << 10 }
    }

    fn warm_up(&self) -> Duration {
        WARM_UP[usize::from(self.len >= 64 << 10)]
    }

    fn name(&self) -> String {
        format!("{} × {} × {}", report::length(self.len), self.connections, self.depth)
    }
}

/// Measures the section and prints it.
pub(crate) fn report(effort: Effort<'_>) -> Result<(), Box<dyn Error>> {
    let servers = servers::servers_but(Role::Handshake, effort);
    let rounds = effort.rounds(1, 25);
    println!("## Echo over loopback TCP\n");
    println!(
        "CPU time of the server per message, the median of {rounds} rounds, relative to each. How each is set up, with buffers of 16 KiB for messages below that and of 128 KiB for others, \
              where it can be told:\n"
    );
    report::print_setups(servers.iter().map(|server| (server.column.name, server.setup)));

    let (server_core, load_core) = process::two_cores()?;
    let _awake = Awake::keep([server_core, load_core]);
    let alone = Setting { core: Some(server_core), workers: 1, buffer_len: 0 };
    let title = "One thread: length × connections × messages in flight on each";
    measure(&servers, title, cells(effort), alone, Some(load_core), rounds, effort)?;

    let few = [(1 << 10, 64, 1), (1 << 10, 64, 16), (64 << 10, 64, 1)];
    let few = few.map(|(len, connections, depth)| Cell { len, connections, depth });
    let shared = Setting { core: None, workers: 2, buffer_len: 0 };
    let title = "Two worker threads, nothing pinned: length × connections × messages in flight on each";
    measure(&servers, title, effort.choose(&few[..1], &few).to_vec(), shared, None, rounds, effort)
}

fn cells(effort: Effort<'_>) -> Vec<Cell> {
    if effort.quick {
        return [(16, 64, 1), (16, 64, 16), (1 << 20, 1, 1)]
            .map(|(len, connections, depth)| Cell { len, connections, depth })
            .to_vec();
    }
    let mut cells = Vec::new();
    for len in LENGTHS {
        for connections in CONNECTIONS {
            cells.extend(DEPTHS.map(|depth| Cell { len, connections, depth }));
        }
    }
    cells.retain(|cell| cell.len * cell.connections * cell.depth <= MAX_IN_FLIGHT);
    cells
}

fn measure(
    servers: &[&Server],
    title: &str,
    mut cells: Vec<Cell>,
    setting: Setting,
    load_core: Option<usize>,
    rounds: usize,
    effort: Effort<'_>,
) -> Result<(), Box<dyn Error>> {
    cells.retain(|cell| effort.wants_row(&cell.name()));
    if cells.is_empty() {
        return Ok(());
    }
    let columns = servers.iter().map(|server| server.column).collect();
    let mut samples: Vec<_> = cells.iter().map(|_| vec![Vec::new(); servers.len()]).collect();
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (&cell, samples) in cells.iter().zip(&mut samples) {
            for (server, samples) in servers.iter().zip(samples) {
                if setting.workers == 1 || server.scales() {
                    let sample = process::pinned(load_core, || sample(server, setting, cell))?;
                    samples.push(
                        sample
                            .map_err(|error| format!("{}, {}: {error}", server.column.name, cell.name()))?,
                    );
                }
            }
        }
    }
    let mut table = Table::new(title, "µs per message", columns);
    for (cell, samples) in cells.iter().zip(samples) {
        table.push_rounds(cell.name(), samples);
    }
    table.print();
    Ok(())
}

/// Microseconds of the server's CPU time per message.
fn sample(server: &Server, setting: Setting, cell: Cell) -> Result<f64, Box<dyn Error>> {
    let mut process = Process::start(server, Setting { buffer_len: cell.buffer_len(), ..setting })?;
    let mut crowd = Crowd::connect(process.port, cell.connections, cell.len, cell.depth, server.frames())?;
    crowd.begin(cell.depth)?;
    crowd.keep_going(cell.warm_up())?;
    let (cpu, echoes) = (process.cpu()?, crowd.echoes());
    crowd.keep_going(WINDOW)?;
    let (cpu, echoes) = (process.cpu()? - cpu, crowd.echoes() - echoes);
    Ok(cpu.as_secs_f64() * 1e6 / echoes as f64)
}
