//! Echo servers on loopback TCP: what a message costs a server, all system calls included.
//!
//! The server is a process of its own on one core, the load generator is on another, and neither core ever sleeps. A figure is the CPU time that
//! all threads of the server used over a window, user and system, divided by the messages that came back in that window.
//!
//! Not measured: latency, and throughput, which is the load generator's as well.

use std::error::Error;
use std::time::Duration;

use crate::load::{Crowd, Route, Traffic};
use crate::process::{self, Awake, Process};
use crate::report::{self, Report};
use crate::servers::{self, Contender, Role, Setting};
use crate::table::Table;
use crate::{Effort, rounds};

/// The title of the table of all cells.
pub(crate) const ALONE: &str = "One thread: length × connections × messages in flight on each";

pub(crate) const LENGTHS: [usize; 5] = [16, 1 << 10, 16 << 10, 64 << 10, 1 << 20];
const CONNECTIONS: [usize; 3] = [1, 64, 512];
const DEPTHS: [usize; 2] = [1, 16];

/// A cell with more bytes in flight says something about the kernel's buffers, and nothing about the server.
const MAX_IN_FLIGHT: usize = 64 << 20;

/// How long a server is measured at once.
pub(crate) const WINDOW: Duration = Duration::from_millis(100);

/// Until every connection has sent, and buffers have grown, which takes long messages longer.
const WARM_UP: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(150)];

/// What the connections of one cell do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) len: usize,
    pub(crate) connections: usize,
    pub(crate) depth: usize,
}

impl Cell {
    /// The buffers of servers that can be told: no longer than messages need, and no shorter.
    fn buffer_len(&self) -> usize {
        if self.len < 16 << 10 { 16 << 10 } else { 128 << 10 }
    }

    fn warm_up(&self) -> Duration {
        WARM_UP[usize::from(self.len >= 64 << 10)]
    }

    pub(crate) fn name(&self) -> String {
        format!("{} × {} × {}", report::length(self.len), self.connections, self.depth)
    }
}

/// Measures the section.
pub(crate) fn report(effort: Effort<'_>, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let contenders = servers::contenders(&[Role::All, Role::Echo], effort);
    let rounds = effort.rounds(1, 25);
    report.say("## Echo over loopback TCP");
    report.say(format!(
        "CPU time of the server per message, the median of {rounds} rounds. How each is set up, with buffers of 16 KiB for messages \
         below that and of 128 KiB for others, where it can be told:"
    ));
    report.say_setups(servers::setups(&contenders));

    let (server_core, load_core) = process::two_cores()?;
    let _awake = Awake::keep([server_core, load_core]);
    let alone = Setting { core: Some(server_core), workers: 1, buffer_len: 0 };
    let sample_alone =
        |contender, cell| process::pinned(Some(load_core), || sample(contender, alone, cell, Route::Back))?;
    if let Some(table) = measure(ALONE, &contenders, cells(effort), rounds, effort, &sample_alone)? {
        report.add(table);
    }

    let few = [(1 << 10, 64, 1), (1 << 10, 64, 16), (64 << 10, 64, 1)];
    let few = few.map(|(len, connections, depth)| Cell { len, connections, depth });
    let shared = Setting { core: None, workers: 2, buffer_len: 0 };
    let title = "Two worker threads, nothing pinned: length × connections × messages in flight on each";
    let mut scaling = contenders;
    scaling.retain(|contender| contender.server.scales());
    let sample_shared = |contender, cell| sample(contender, shared, cell, Route::Back);
    let few = effort.choose(&few[..1], &few).to_vec();
    if let Some(table) = measure(title, &scaling, few, rounds, effort, &sample_shared)? {
        report.add(table);
    }
    Ok(())
}

fn cells(effort: Effort<'_>) -> Vec<Cell> {
    if effort.quick {
        return [(16, 64, 1), (16, 64, 16), (1 << 10, 64, 1), (1 << 10, 64, 16), (1 << 20, 1, 1)]
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

fn measure<'a>(
    title: &str,
    contenders: &[Contender<'a>],
    cells: Vec<Cell>,
    rounds: usize,
    effort: Effort<'_>,
    sample: &dyn Fn(Contender<'a>, Cell) -> Result<f64, Box<dyn Error>>,
) -> Result<Option<Table>, Box<dyn Error>> {
    let mut rows: Vec<_> = cells.into_iter().map(|cell| (cell.name(), cell)).collect();
    rows.retain(|(name, _)| effort.wants_row(name));
    if rows.is_empty() {
        return Ok(None);
    }
    rounds::measure(title, "µs per message", contenders, rows, rounds, sample).map(Some)
}

/// Microseconds of the server's CPU time per message.
pub(crate) fn sample(
    contender: Contender<'_>,
    setting: Setting,
    cell: Cell,
    route: Route,
) -> Result<f64, Box<dyn Error>> {
    let traffic = Traffic::binary(cell.len, contender.server.frames());
    sample_traffic(contender, setting, cell, &traffic, (route, WINDOW))
}

/// The same of messages that are about as long as the cell says, over that window.
pub(crate) fn sample_traffic(
    contender: Contender<'_>,
    setting: Setting,
    cell: Cell,
    traffic: &Traffic,
    (route, window): (Route, Duration),
) -> Result<f64, Box<dyn Error>> {
    let mut process = Process::start(contender, Setting { buffer_len: cell.buffer_len(), ..setting })?;
    let mut crowd = Crowd::connect(process.port, cell.connections, traffic, cell.depth)?;
    crowd.begin(cell.depth, route)?;
    crowd.keep_going(cell.warm_up(), route)?;
    let (cpu, arrived) = (process.cpu()?, crowd.arrived());
    crowd.keep_going(window, route)?;
    let (cpu, arrived) = (process.cpu()? - cpu, crowd.arrived() - arrived);
    Ok(cpu.as_secs_f64() * 1e6 / arrived as f64)
}
