//! What a quiet connection keeps: the resident memory of the server's process, divided by its connections.
//!
//! First with many connections that have each echoed a small message, then with fewer that have each echoed a large one and
//! been quiet for long enough that idle timers have run. One connection after the other sends, so that no server needs memory for
//! many messages at once. What the allocator keeps of freed memory counts, since nobody else can have it. Each figure is from one
//! run: memory does not vary as time does.
//!
//! Not measured: the kernel's memory.

use std::error::Error;
use std::thread::sleep;
use std::time::Duration;

use crate::Effort;
use crate::load::Crowd;
use crate::process::{self, Process};
use crate::report::Table;
use crate::servers::{self, Contender, Role, Setting};

/// File descriptors for everything but connections.
const SPARE_FILES: u64 = 64;

/// Measures the section and prints it.
pub(crate) fn report(effort: Effort<'_>) -> Result<(), Box<dyn Error>> {
    let contenders = servers::contenders(&[Role::All, Role::Echo], effort);
    println!("## Idle connections\n");
    println!(
        "Resident memory that the server's process keeps per connection, one task each, on one thread. Each is set up as for \
              echo, but with buffers of 1 KiB where it can be told.\n"
    );
    let limit = usize::try_from(process::raise_file_limit()?.saturating_sub(SPARE_FILES))?;
    let many = effort.choose(500, 10_000).min(limit);
    let few = effort.choose(20, 200).min(limit);
    let quiet = Duration::from_secs(effort.choose(2, 15));

    let columns = contenders.iter().map(Contender::column).collect();
    let mut table = Table::new("What is kept", "bytes per connection", columns);
    let small = kept(&contenders, 1 << 10, many, Duration::from_secs(1))?;
    table.push(format!("{many} connections after 1 KiB"), small);
    let large = kept(&contenders, 1 << 20, few, quiet)?;
    table.push(format!("{few} connections after 1 MiB and {} s", quiet.as_secs()), large);
    table.print();
    Ok(())
}

/// Bytes per connection, of each contender, after `count` connections have each echoed `len` and been `quiet`.
fn kept(
    contenders: &[Contender<'_>],
    len: usize,
    count: usize,
    quiet: Duration,
) -> Result<Vec<Option<f64>>, Box<dyn Error>> {
    let setting = Setting { core: None, workers: 1, buffer_len: 1 << 10 };
    let mut kept = Vec::new();
    for &contender in contenders {
        let mut process = Process::start(contender, setting)?;
        let frames = contender.server.frames();
        // What the first connection brings about is not the connections'.
        let mut first = Crowd::connect(process.port, 1, len, 1, frames)?;
        first.echo_once(1)?;
        let before = process.memory()?;
        let mut crowd = Crowd::connect(process.port, count, len, 1, frames)?;
        crowd.echo_once(1)?;
        sleep(quiet);
        let after = process.memory()?;
        kept.push(Some(after.saturating_sub(before) as f64 / count as f64));
    }
    Ok(kept)
}
