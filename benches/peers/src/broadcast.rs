//! Fan-out over loopback TCP: what it costs a server to send what one connection sends to all others, how long that takes, and what it
//! keeps for each of them.
//!
//! The publisher sends its next messages when all subscribers have the last ones. All else is as in the section `echo`.
//!
//! A delay is the time from the first byte of a burst that the publisher sends to a message that a subscriber has read. The load
//! generator's own reads are in it, the same for everybody.
//!
//! Not measured: subscribers that are slow.

use std::error::Error;
use std::time::{Duration, Instant};

use crate::load::{Crowd, Traffic};
use crate::process::{self, Awake, Process};
use crate::report::{self, Report};
use crate::servers::{self, Contender, Role, Setting};
use crate::{Effort, rounds};

const LENGTHS: [usize; 2] = [100, 1 << 10];
const SUBSCRIBERS: [usize; 2] = [1000, 10_000];
const BURSTS: [usize; 2] = [1, 16];

const WARM_UP: Duration = Duration::from_millis(50);

/// How long a server is measured at once.
const WINDOW: Duration = Duration::from_millis(100);

/// File descriptors for everything but subscribers.
const SPARE_FILES: u64 = 128;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) len: usize,
    pub(crate) subscribers: usize,
    /// How many messages are sent at once.
    pub(crate) burst: usize,
}

/// Measures the section.
pub(crate) fn report(effort: Effort<'_>, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let contenders = servers::contenders(&[Role::Broadcast], effort);
    let rounds = effort.rounds(1, 10);
    report.say("## Fan-out over loopback TCP");
    report.say(format!(
        "One publisher, many subscribers, on one thread, the median of {rounds} rounds. CPU time is the server's. How each is set up, \
         with buffers of 16 KiB where it can be told:"
    ));
    report.say_setups(servers::setups(&contenders));
    let limit = usize::try_from(process::raise_file_limit()?.saturating_sub(SPARE_FILES))?;
    let mut rows = Vec::new();
    for len in LENGTHS {
        for subscribers in effort.choose(&[100][..], &SUBSCRIBERS) {
            let subscribers = limit.min(*subscribers);
            for burst in BURSTS {
                let name = format!("{} × {subscribers} × {burst}", report::length(len));
                rows.push((name, Cell { len, subscribers, burst }));
            }
        }
    }
    rows.retain(|(name, _)| effort.wants_row(name));
    let (server_core, load_core) = process::two_cores()?;
    let _awake = Awake::keep([server_core, load_core]);
    let setting = Setting { core: Some(server_core), workers: 1, buffer_len: 16 << 10 };
    let sample = |contender: Contender<'_>, cell: Cell| {
        let traffic = Traffic::binary(cell.len, contender.server.frames());
        let sample = process::pinned(Some(load_core), || sample(contender, setting, cell, &traffic))??;
        Ok([sample.cpu, sample.delays.at(50), sample.delays.at(99), sample.kept])
    };
    let headings = [
        ("Length × subscribers × messages at once", "µs of CPU per message and subscriber"),
        ("Delay of half of the messages", "ms until the 50th percentile"),
        ("Delay of nearly all messages", "ms until the 99th percentile"),
        ("What is kept after a broadcast", "bytes per subscriber"),
    ];
    for table in rounds::measure_all(headings, &contenders, rows, rounds, sample)? {
        report.add(table);
    }
    Ok(())
}

pub(crate) struct Sample {
    /// Microseconds of the server's CPU time per message and subscriber.
    pub(crate) cpu: f64,
    delays: Delays,
    /// How much longer the server's memory is per subscriber.
    kept: f64,
}

/// Runs a server for a while.
pub(crate) fn sample(
    contender: Contender<'_>,
    setting: Setting,
    cell: Cell,
    traffic: &Traffic,
) -> Result<Sample, Box<dyn Error>> {
    let mut process = Process::start(contender, setting)?;
    // With nobody connected.
    let before = process.memory()?;
    let mut crowd = Crowd::connect(process.port, 1 + cell.subscribers, traffic, cell.burst)?;
    publish(&mut crowd, cell, WARM_UP)?;
    let (cpu, arrived) = (process.cpu()?, crowd.arrived());
    let delays = publish(&mut crowd, cell, WINDOW)?;
    let (cpu, arrived) = (process.cpu()? - cpu, crowd.arrived() - arrived);
    // Something, or else there would be no ratio.
    let kept = process.memory()?.saturating_sub(before).max(1);
    Ok(Sample {
        cpu: cpu.as_secs_f64() * 1e6 / arrived as f64,
        delays,
        kept: kept as f64 / cell.subscribers as f64,
    })
}

/// Publishes for that long.
fn publish(crowd: &mut Crowd<'_>, cell: Cell, time: Duration) -> Result<Delays, Box<dyn Error>> {
    let (end, mut delays) = (Instant::now() + time, Delays::default());
    while Instant::now() < end {
        // The first connection publishes.
        crowd.send_and_time(0, cell.burst, cell.burst * cell.subscribers, |delay, arrived| {
            delays.0.push((delay, arrived));
        })?;
    }
    Ok(delays)
}

/// How late how many messages arrived.
#[derive(Default)]
struct Delays(Vec<(Duration, u64)>);

impl Delays {
    /// Milliseconds within which that many of a hundred messages arrived.
    fn at(&self, percent: u64) -> f64 {
        let mut delays = self.0.clone();
        delays.sort_unstable();
        let all: u64 = delays.iter().map(|(_, arrived)| arrived).sum();
        let mut missing = (all * percent).div_ceil(100);
        let last = delays.iter().find(|(_, arrived)| {
            missing = missing.saturating_sub(*arrived);
            missing == 0
        });
        last.map_or(f64::NAN, |(delay, _)| delay.as_secs_f64() * 1e3)
    }
}
