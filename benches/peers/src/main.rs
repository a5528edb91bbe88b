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
//! - `instructions`: of the same servers, outside the kernel: exact.
//! - `idle`: the memory that a quiet connection keeps.
//! - `handshake`: the opening handshake, over TCP and in memory.
//!
//! Options: `--quick` for a smoke run, whose figures mean nothing, and `--rounds N` for how often every contender gets its turn.
//! `--serve NAME`, `--core N`, `--workers N` and `--buffer-len N` are for the servers, which the report starts as processes of their own.
//! Needs Linux; `echo` and `handshake` want two cores that are idle otherwise, `instructions` wants valgrind.

mod bare;
mod clock;
mod codec;
mod echo;
mod handshake;
mod idle;
mod instructions;
mod load;
mod pipe;
mod process;
mod report;
mod servers;
mod wire;

use std::error::Error;

use crate::servers::Setting;
use crate::wire::READ_LEN;

/// How thorough a section is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    quick: bool,
    rounds: Option<usize>,
}

impl Effort {
    /// What was asked for, or one of the two.
    pub(crate) fn rounds(&self, quick: usize, thorough: usize) -> usize {
        self.rounds.unwrap_or(self.choose(quick, thorough)).max(1)
    }

    pub(crate) fn choose<T>(&self, quick: T, thorough: T) -> T {
        if self.quick { quick } else { thorough }
    }
}

type Section = fn(Effort) -> Result<(), Box<dyn Error>>;

const SECTIONS: [(&str, Section); 5] = [
    ("codec", codec::report),
    ("echo", echo::report),
    ("instructions", instructions::report),
    ("idle", idle::report),
    ("handshake", handshake::report),
];

fn main() -> Result<(), Box<dyn Error>> {
    use lexopt::prelude::*;
    let mut effort = Effort { quick: false, rounds: None };
    let mut chosen = Vec::new();
    let mut served = None;
    let mut setting = Setting { core: None, workers: 1, buffer_len: READ_LEN };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("quick") => effort.quick = true,
            Long("rounds") => effort.rounds = Some(arguments.value()?.parse()?),
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
    process::keep_freed_memory()?;
    println!("# tidewire and its peers\n");
    for (name, section) in SECTIONS {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            section(effort)?;
        }
    }
    Ok(())
}
