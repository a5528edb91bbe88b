//! Compares tidewire with other WebSocket crates, and all of them with the least that the work can cost.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml [-- OPTIONS] [SECTION...]
//! ```
//!
//! Prints one report in Markdown. The sections, all of them if none is named:
//!
//! - `codec`: frames in memory, nanoseconds of CPU time each.
//! - `echo`: servers on loopback TCP, microseconds of CPU time per message.
//! - `forward`: the same for what arrives on one connection and leaves on another.
//! - `broadcast`: the same for what arrives on one connection and leaves on many, with its delays and what is kept.
//! - `instructions`: of the same servers, outside the kernel: exact.
//! - `idle`: the memory that a quiet connection keeps.
//! - `handshake`: the opening handshake, over TCP and in memory.
//! - `deflate`: compressed messages, in memory, over TCP, in a broadcast, and what is kept of them.
//!
//! Options:
//!
//! - `--quick`: a smoke run, whose figures mean nothing.
//! - `--rounds N`: how often every contender gets its turn.
//! - `--only NAME`: the contenders that are wanted, as often as one likes.
//! - `--row BEGINNING`: the rows that are wanted, as often as one likes.
//! - `--against PROGRAM`: compares two versions of tidewire. PROGRAM is this program built with the other one: the same `benches/peers` beside
//!   another `src`. Its servers take turns with those of this build, in all sections over TCP and in `instructions`.
//! - `--pages DIR`: writes `performance-tables.md`, `decoding.svg`, `echo.svg` and `memory.svg` there. The page has every table, so it takes a
//!   whole run: no SECTION, `--only`, `--row` or `--against`.
//! - `--serve NAME`, `--core N`, `--workers N` and `--buffer-len N`: for the servers, which the report starts as processes of their own.
//!
//! Needs Linux. What measures CPU time over TCP wants two cores that are idle otherwise, `instructions` wants valgrind. A whole run takes
//! an hour.

mod bare;
mod broadcast;
mod chart;
mod clock;
mod codec;
mod deflate;
mod echo;
mod forward;
mod handshake;
mod idle;
mod instructions;
mod load;
mod pages;
mod pipe;
mod process;
mod report;
mod rounds;
mod servers;
mod table;
mod wire;

use std::error::Error;
use std::path::{Path, PathBuf};

use crate::report::Report;
use crate::servers::Setting;
use crate::wire::READ_LEN;

/// How thorough a section is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort<'a> {
    quick: bool,
    rounds: Option<usize>,
    /// The contenders that are wanted, and how the names of the rows begin that are; all if there is none.
    only: &'a [String],
    rows: &'a [String],
    /// The program with the other build's servers.
    against: Option<&'a Path>,
}

impl Effort<'_> {
    /// What was asked for, or one of the two.
    pub(crate) fn rounds(&self, quick: usize, thorough: usize) -> usize {
        self.rounds.unwrap_or(self.choose(quick, thorough)).max(1)
    }

    pub(crate) fn choose<T>(&self, quick: T, thorough: T) -> T {
        if self.quick { quick } else { thorough }
    }

    pub(crate) fn wants(&self, contender: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == contender)
    }

    pub(crate) fn wants_row(&self, name: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|beginning| name.starts_with(beginning))
    }
}

type Section = fn(Effort<'_>, &mut Report) -> Result<(), Box<dyn Error>>;

const SECTIONS: [(&str, Section); 8] = [
    ("codec", codec::report),
    ("echo", echo::report),
    ("forward", forward::report),
    ("broadcast", broadcast::report),
    ("instructions", instructions::report),
    ("idle", idle::report),
    ("handshake", handshake::report),
    ("deflate", deflate::report),
];

fn main() -> Result<(), Box<dyn Error>> {
    use lexopt::prelude::*;
    let (mut quick, mut rounds) = (false, None);
    let (mut chosen, mut only, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let (mut served, mut against, mut pages) = (None, None, None);
    let mut setting = Setting { core: None, workers: 1, buffer_len: READ_LEN };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("quick") => quick = true,
            Long("rounds") => rounds = Some(arguments.value()?.parse()?),
            Long("only") => only.push(arguments.value()?.string()?),
            Long("row") => rows.push(arguments.value()?.string()?),
            Long("against") => against = Some(PathBuf::from(arguments.value()?).canonicalize()?),
            Long("pages") => pages = Some(PathBuf::from(arguments.value()?).canonicalize()?),
            Long("serve") => served = Some(arguments.value()?.string()?),
            Long("core") => setting.core = Some(arguments.value()?.parse()?),
            Long("workers") => setting.workers = arguments.value()?.parse()?,
            Long("buffer-len") => setting.buffer_len = arguments.value()?.parse()?,
            Value(name) if SECTIONS.iter().any(|(known, _)| name == *known) => chosen.push(name.string()?),
            _ => return Err(argument.unexpected().into()),
        }
    }
    if let Some(id) = served {
        return process::serve(&id, setting);
    }
    let is_whole = chosen.is_empty() && only.is_empty() && rows.is_empty() && against.is_none();
    if pages.is_some() && !is_whole {
        return Err("--pages wants a whole run: no SECTION, --only, --row or --against".into());
    }
    process::keep_freed_memory()?;
    let effort = Effort { quick, rounds, only: &only, rows: &rows, against: against.as_deref() };
    let mut report = Report::default();
    for (name, section) in SECTIONS {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            section(effort, &mut report)?;
        }
    }
    if let Some(directory) = pages {
        pages::write(&directory, &report, quick)?;
    }
    Ok(())
}
