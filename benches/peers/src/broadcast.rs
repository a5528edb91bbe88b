//! Broadcast over loopback TCP: what it costs a server to send what one connection sends to all others.
//!
//! The publisher sends its next messages when all subscribers have the last ones. All else is as in the section `echo`.
//!
//! Not measured: latency, and subscribers that are slow.

use std::error::Error;
use std::time::{Duration, Instant};

use crate::load::{Crowd, Traffic};
use crate::process::{self, Awake, Process};
use crate::report::{self, Report};
use crate::servers::{self, Contender, Role, Setting};
use crate::{Effort, rounds};

const LENGTHS: [usize; 2] = [100, 1 << 10];
const SUBSCRIBERS: [usize; 2] = [100, 1000];
const BURSTS: [usize; 2] = [1, 16];

const WARM_UP: Duration = Duration::from_millis(50);

/// How long a server is measured at once.
const WINDOW: Duration = Duration::from_millis(100);

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
    let rounds = effort.rounds(1, 25);
    report.say("## Broadcast over loopback TCP");
    report.say(format!(
        "CPU time of the server per message and subscriber, on one thread, the median of {rounds} rounds. How each is set up, with \
         buffers of 16 KiB where it can be told:"
    ));
    report.say_setups(servers::setups(&contenders));
    let mut rows = Vec::new();
    for len in LENGTHS {
        for &subscribers in effort.choose(&SUBSCRIBERS[..1], &SUBSCRIBERS) {
            for burst in BURSTS {
                let name = format!("{} × {subscribers} × {burst}", report::length(len));
                rows.push((name, Cell { len, subscribers, burst }));
            }
        }
    }
    rows.retain(|(name, _)| effort.wants_row(name));
    process::raise_file_limit()?;
    let (server_core, load_core) = process::two_cores()?;
    let _awake = Awake::keep([server_core, load_core]);
    let setting = Setting { core: Some(server_core), workers: 1, buffer_len: 16 << 10 };
    let sample = |contender: Contender<'_>, cell: Cell| {
        let traffic = Traffic::binary(cell.len, contender.server.frames());
        process::pinned(Some(load_core), || sample(contender, setting, cell, &traffic))?
    };
    let title = "Length × subscribers × messages at once";
    report.add(rounds::measure(title, "µs per message and subscriber", &contenders, rows, rounds, sample)?);
    Ok(())
}

/// Microseconds of the server's CPU time per message and subscriber.
pub(crate) fn sample(
    contender: Contender<'_>,
    setting: Setting,
    cell: Cell,
    traffic: &Traffic,
) -> Result<f64, Box<dyn Error>> {
    let mut process = Process::start(contender, setting)?;
    // The first connection publishes.
    let mut crowd = Crowd::connect(process.port, 1 + cell.subscribers, traffic, cell.burst)?;
    publish(&mut crowd, cell, WARM_UP)?;
    let (cpu, arrived) = (process.cpu()?, crowd.arrived());
    publish(&mut crowd, cell, WINDOW)?;
    let (cpu, arrived) = (process.cpu()? - cpu, crowd.arrived() - arrived);
    Ok(cpu.as_secs_f64() * 1e6 / arrived as f64)
}

/// Publishes for that long.
fn publish(crowd: &mut Crowd<'_>, cell: Cell, time: Duration) -> Result<(), Box<dyn Error>> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        crowd.send_and_wait(0, cell.burst, cell.burst * cell.subscribers)?;
    }
    Ok(())
}
