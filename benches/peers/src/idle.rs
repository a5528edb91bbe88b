//! What a quiet connection keeps: the resident memory of the server's process, divided by its connections.
//!
//! First with many connections that have each echoed a small message, then with fewer that have each echoed a large one and
//! been quiet for long enough that idle timers have run. One connection after the other sends, so that no server needs memory for
//! many messages at once. What the allocator keeps of freed memory counts, since nobody else can have it. There are few rounds: memory
//! does not vary as time does, but a buffer more or less of the server itself is a matter of luck.
//!
//! Not measured: the kernel's memory.

use std::error::Error;
use std::thread::sleep;
use std::time::Duration;

use crate::Effort;
use crate::load::{Crowd, Traffic};
use crate::process::{self, Process};
use crate::report::Report;
use crate::servers::{self, Contender, Role, Setting};
use crate::table::Table;

/// The title of the table.
pub(crate) const KEPT: &str = "What is kept";

/// File descriptors for everything but connections.
const SPARE_FILES: u64 = 128;

/// Measures the section.
pub(crate) fn report(effort: Effort<'_>, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let contenders = servers::contenders(&[Role::All, Role::Echo], effort);
    report.say("## Idle connections");
    let rounds = effort.rounds(1, 5);
    report.say(format!(
        "Resident memory that the server's process keeps per connection, one task each, on one thread, the median of {rounds} rounds. \
         Each is set up as for echo, but with buffers of 1 KiB where it can be told."
    ));
    let limit = usize::try_from(process::raise_file_limit()?.saturating_sub(SPARE_FILES))?;
    let many = effort.choose(500, 10_000).min(limit);
    let few = effort.choose(20, 200).min(limit);
    let quiet = Duration::from_secs(effort.choose(2, 15));

    let columns = contenders.iter().map(Contender::column).collect();
    let mut table = Table::new(KEPT, "bytes per connection", columns);
    let rows = [
        (format!("{many} connections after 1 KiB"), 1 << 10, many, Duration::from_secs(1)),
        (format!("{few} connections after 1 MiB and {} s", quiet.as_secs()), 1 << 20, few, quiet),
    ];
    for (name, len, count, quiet) in rows.into_iter().filter(|(name, ..)| effort.wants_row(name)) {
        let mut figures = vec![Vec::new(); contenders.len()];
        for round in 1..=rounds {
            eprintln!("{name}, round {round} of {rounds}");
            // As many servers at once as there may be connections: they only wait meanwhile.
            let at_once = (limit / count).max(1);
            for (contenders, figures) in contenders.chunks(at_once).zip(figures.chunks_mut(at_once)) {
                let traffic = |contender: Contender<'_>| Traffic::binary(len, contender.server.frames());
                let kept = kept(contenders, traffic, (count, 1), quiet)?;
                figures.iter_mut().zip(kept).for_each(|(figures, kept)| figures.push(kept));
            }
        }
        table.push_rounds(name, figures);
    }
    report.add(table);
    Ok(())
}

/// Bytes per connection, of each contender, after `count` connections have each echoed so many messages and been `quiet`.
pub(crate) fn kept<'a>(
    contenders: &[Contender<'a>],
    traffic: impl Fn(Contender<'a>) -> Traffic,
    (count, messages): (usize, usize),
    quiet: Duration,
) -> Result<Vec<f64>, Box<dyn Error>> {
    let setting = Setting { core: None, workers: 1, buffer_len: 1 << 10 };
    let traffic: Vec<_> = contenders.iter().map(|&contender| traffic(contender)).collect();
    let mut running = Vec::new();
    for (&contender, traffic) in contenders.iter().zip(&traffic) {
        let mut process = Process::start(contender, setting)?;
        // What the first connection brings about is not the connections'.
        let mut first = Crowd::connect(process.port, 1, traffic, 1)?;
        (0..messages).try_for_each(|_| first.echo_once(1))?;
        let before = process.memory()?;
        let mut crowd = Crowd::connect(process.port, count, traffic, 1)?;
        (0..messages).try_for_each(|_| crowd.echo_once(1))?;
        running.push((process, before, (first, crowd)));
    }
    sleep(quiet);
    running
        .iter_mut()
        .map(|(process, before, _)| {
            // Something, or else there would be no ratio.
            let kept = process.memory()?.saturating_sub(*before).max(1);
            Ok(kept as f64 / count as f64)
        })
        .collect()
}
