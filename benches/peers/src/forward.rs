//! Forwarding over loopback TCP: what a message costs a server that sends it on to another connection.
//!
//! Connections come in pairs. The first of each pair sends, the second receives. All else is as in the section `echo`.

use std::error::Error;

use crate::echo::{self, Cell};
use crate::load::Route;
use crate::process::{self, Awake};
use crate::report::{self, Report};
use crate::servers::{self, Role, Setting};
use crate::{Effort, rounds};

const LENGTHS: [usize; 4] = [16, 1 << 10, 16 << 10, 64 << 10];
const PAIRS: [usize; 2] = [1, 32];
const DEPTHS: [usize; 2] = [1, 16];

/// Measures the section.
pub(crate) fn report(effort: Effort<'_>, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let contenders = servers::contenders(&[Role::Forward], effort);
    let rounds = effort.rounds(1, 25);
    report.say("## Forwarding over loopback TCP");
    report.say(format!(
        "CPU time of the server per message, on one thread, the median of {rounds} rounds. There is one task per direction. Each is \
         set up as for echo, and:"
    ));
    report.say_setups(servers::setups(&contenders));
    let mut rows = Vec::new();
    for &len in effort.choose(&LENGTHS[..2], &LENGTHS) {
        for pairs in PAIRS {
            for depth in DEPTHS {
                let name = format!("{} × {pairs} × {depth}", report::length(len));
                rows.push((name, Cell { len, connections: 2 * pairs, depth }));
            }
        }
    }
    rows.retain(|(name, _)| effort.wants_row(name));
    let (server_core, load_core) = process::two_cores()?;
    let _awake = Awake::keep([server_core, load_core]);
    let setting = Setting { core: Some(server_core), workers: 1, buffer_len: 0 };
    let sample = |contender, cell| {
        process::pinned(Some(load_core), || echo::sample(contender, setting, cell, Route::Across))?
    };
    let title = "Length × pairs of connections × messages in flight on each";
    report.add(rounds::measure(title, "µs per message", &contenders, rows, rounds, sample)?);
    Ok(())
}
