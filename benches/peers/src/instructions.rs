//! Instructions of an echo server per message: exact where CPU time is noisy.
//!
//! The server runs under valgrind, whose callgrind counts what it does outside the kernel. One connection echoes a number of
//! messages that are sent at once, waits for them all, and begins again; the opening handshake and the first messages are not counted.
//!
//! Not measured: the kernel, which takes several times as much, and the caches. Valgrind knows no AVX-512, and counts a long copy that
//! is one string instruction byte by byte, so messages are short here.

use std::error::Error;

use crate::Effort;
use crate::load::{Crowd, Traffic};
use crate::process::Process;
use crate::report::{self, Report};
use crate::servers::{self, Contender, Role, Setting};
use crate::table::Table;

const LENGTHS: [usize; 3] = [16, 125, 1 << 10];
const DEPTHS: [usize; 2] = [1, 16];

/// Measures the section.
pub(crate) fn report(effort: Effort<'_>, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let contenders = servers::contenders(&[Role::All, Role::Echo], effort);
    report.say("## Instructions of an echo");
    report.say("Outside the kernel, counted by callgrind, on one connection and one thread. Each is set up as for echo.");
    let columns = contenders.iter().map(Contender::column).collect();
    let mut table = Table::new("Length × messages in flight", "instructions per message", columns);
    let rounds = effort.rounds(20, 200);
    for len in effort.choose(&LENGTHS[..1], &LENGTHS) {
        for depth in DEPTHS {
            let name = format!("{} × {depth}", report::length(*len));
            if effort.wants_row(&name) {
                let counts =
                    contenders.iter().map(|&contender| count(contender, *len, depth, rounds).map(Some));
                table.push(name, counts.collect::<Result<_, _>>()?);
            }
        }
    }
    report.add(table);
    Ok(())
}

/// The server's instructions per message.
fn count(contender: Contender<'_>, len: usize, depth: usize, rounds: usize) -> Result<f64, Box<dyn Error>> {
    let setting = Setting { core: None, workers: 1, buffer_len: 16 << 10 };
    let mut process = Process::start_counted(contender, setting)?;
    let traffic = Traffic::binary(len, contender.server.frames());
    let mut crowd = Crowd::connect(process.port, 1, &traffic, depth)?;
    // Until buffers have grown.
    for _ in 0..rounds {
        crowd.echo_once(depth)?;
    }
    process.count()?;
    for _ in 0..rounds {
        crowd.echo_once(depth)?;
    }
    Ok(process.instructions()? as f64 / (rounds * depth) as f64)
}
