//! Compressed messages (RFC 7692): what they cost in memory, over TCP and in a broadcast, and what a connection keeps of them.
//!
//! All use the same engine, zlib-rs, with the same level and windows, so the differences are what each does around it. Messages are
//! JSON-like and differ from each other, as if they came from a chat. Clients' messages are compressed by tidewire.
//!
//! The servers, the load generator and what is measured are those of the sections on codec, echo, idle connections and broadcast.

mod in_memory;
mod settings;
mod text;

use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use crate::broadcast;
use crate::echo;
use crate::idle;
use crate::load::{Crowd, Route, Traffic};
use crate::process::{self, Awake, Process};
use crate::report::{self, Report};
use crate::servers::{self, Contender, Role, Setting};
use crate::table::Table;
use crate::wire::{REQUEST, with_extension};
use crate::{Effort, rounds};

pub(crate) use settings::{Takeover, sockudo, tidewire, yawc};
use text::Text;

const LENGTHS: [usize; 3] = [256, 1 << 10, 64 << 10];
const TAKEOVERS: [Takeover; 2] = [Takeover::On, Takeover::Off];

/// Of the messages before idling, in a broadcast and in a smoke run.
const USUAL_LEN: usize = 1 << 10;

const CONNECTIONS: usize = 64;
const DEPTHS: [usize; 2] = [1, 16];
const BURSTS: [usize; 2] = [1, 16];

/// How long a server is measured that compresses long messages, of which it does a thousand in a second.
const LONG_WINDOW: Duration = Duration::from_millis(500);

/// How many messages each connection has echoed that is idle.
const ECHOED: usize = 4;

/// Messages of one length, and how they are compressed.
#[derive(Clone, Copy, Debug)]
struct Case {
    len: usize,
    takeover: Takeover,
}

impl Case {
    fn length(self) -> String {
        report::length(self.len)
    }

    fn name(self) -> String {
        format!("{} × {}", self.length(), self.takeover.name())
    }

    fn texts(self) -> Rc<[Text]> {
        // As many as fill a window several times.
        let count = if self.len < 16 << 10 { 64 } else { 4 };
        text::texts(self.len, count).into()
    }

    /// What clients send, and get back, from a server that compresses. Any other gets the same texts as they are.
    fn traffic(self, contender: Contender<'_>) -> Traffic {
        let texts = self.texts();
        if !contender.server.compresses() {
            let frames = text::plain_client_frames(texts.iter());
            let first = texts[0].text.clone();
            return Traffic::checked(REQUEST.to_vec(), frames, move |answer| {
                answer.ends_with(first.as_bytes())
            });
        }
        let request = with_extension(REQUEST, self.takeover.extension());
        let frames = text::client_frames(texts.iter(), self.takeover);
        let (first, frames_messages) = (frames[0].clone(), contender.server.frames());
        let check = move |answer: &[u8]| match frames_messages {
            true => text::received(answer, self.takeover) == [&*texts[0].text],
            false => answer == first,
        };
        Traffic::checked(request, frames, check)
    }
}

fn cases(effort: Effort<'_>) -> Vec<Case> {
    cases_of(effort.choose(&[USUAL_LEN], &LENGTHS), effort)
}

fn usual_cases(effort: Effort<'_>) -> Vec<Case> {
    cases_of(&[USUAL_LEN], effort)
}

fn cases_of(lengths: &[usize], effort: Effort<'_>) -> Vec<Case> {
    let cases = lengths.iter().flat_map(|&len| TAKEOVERS.map(|takeover| Case { len, takeover }));
    cases.filter(|case| effort.wants_row(&case.length())).collect()
}

/// Measures the section.
pub(crate) fn report(effort: Effort<'_>, report: &mut Report) -> Result<(), Box<dyn Error>> {
    report.say("## Compression");
    report.say(
        "permessage-deflate with level 3 and windows of 12 bits, which are tidewire's defaults. JSON-like messages, each different. \
         Without takeover a message refers to nothing before it.",
    );
    in_memory::report(effort, report);
    process::raise_file_limit()?;
    over_tcp(effort, report)?;
    idle(effort, report)?;
    broadcast(effort, report)
}

fn over_tcp(effort: Effort<'_>, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let contenders = servers::contenders(&[Role::Deflate], effort);
    let rounds = effort.rounds(1, 10);
    report.say(format!(
        "Echo over loopback TCP: CPU time of the server per message, on one thread, the median of {rounds} rounds. Each is set up as for \
         echo without compression, and:"
    ));
    report.say_setups(servers::setups(&contenders));
    let mut rows = Vec::new();
    for case in cases(effort) {
        for depth in DEPTHS {
            let name = format!("{} × {CONNECTIONS} × {depth} × {}", case.length(), case.takeover.name());
            rows.push((name, (case, depth)));
        }
    }
    let (server_core, load_core) = process::two_cores()?;
    let _awake = Awake::keep([server_core, load_core]);
    let setting = Setting { core: Some(server_core), workers: 1, buffer_len: 0 };
    let sample = |contender, (case, depth): (Case, usize)| {
        let cell = echo::Cell { len: case.len, connections: CONNECTIONS, depth };
        let window = if case.len < 16 << 10 { echo::WINDOW } else { LONG_WINDOW };
        let traffic = case.traffic(contender);
        process::pinned(Some(load_core), || {
            echo::sample_traffic(contender, setting, cell, &traffic, (Route::Back, window))
        })?
    };
    let title = "Echo, compressed: length × connections × messages in flight on each × takeover";
    report.add(rounds::measure(title, "µs per message", &contenders, rows, rounds, sample)?);
    Ok(())
}

fn idle(effort: Effort<'_>, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let contenders = servers::contenders(&[Role::Deflate], effort);
    let (rounds, count) = (effort.rounds(1, 5), effort.choose(100, 1000));
    report.say(format!(
        "Resident memory per connection, as for idle connections, after {ECHOED} messages of {}, the median of {rounds} rounds:",
        report::length(USUAL_LEN)
    ));
    let columns = contenders.iter().map(Contender::column).collect();
    let mut table = Table::new(
        "What is kept after compressed messages: length × connections × takeover",
        "bytes per connection",
        columns,
    );
    for case in usual_cases(effort) {
        let name = format!("{} × {count} × {}", case.length(), case.takeover.name());
        let mut figures = vec![Vec::new(); contenders.len()];
        for round in 1..=rounds {
            eprintln!("{name}, round {round} of {rounds}");
            let traffic = |contender| case.traffic(contender);
            let kept = idle::kept(&contenders, traffic, (count, ECHOED), Duration::from_secs(1))?;
            figures.iter_mut().zip(kept).for_each(|(figures, kept)| figures.push(kept));
        }
        table.push_rounds(name, figures);
    }
    report.add(table);
    Ok(())
}

fn broadcast(effort: Effort<'_>, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let contenders = servers::contenders(&[Role::DeflateBroadcast], effort);
    let (rounds, subscribers) = (effort.rounds(1, 10), effort.choose(100, 1000));
    report.say(format!(
        "Broadcast over loopback TCP: CPU time of the server per message and subscriber, on one thread, the median of {rounds} rounds. Each \
         is set up as for broadcast without compression, and:"
    ));
    report.say_setups(servers::setups(&contenders));
    let cell = |burst| broadcast::Cell { len: USUAL_LEN, subscribers, burst };
    let mut rows = Vec::new();
    for case in usual_cases(effort) {
        for burst in BURSTS {
            let name = format!("{} × {subscribers} × {burst} × {}", case.length(), case.takeover.name());
            rows.push((name, (case, cell(burst))));
        }
    }
    let (server_core, load_core) = process::two_cores()?;
    let awake = Awake::keep([server_core, load_core]);
    let setting = Setting { core: Some(server_core), workers: 1, buffer_len: 16 << 10 };
    let sample = |contender, (case, cell): (Case, broadcast::Cell)| {
        let traffic = case.traffic(contender);
        process::pinned(Some(load_core), || broadcast::sample(contender, setting, cell, &traffic))?
            .map(|sample| sample.cpu)
    };
    let title = "Broadcast, compressed: length × subscribers × messages at once × takeover";
    report.add(rounds::measure(title, "µs per message and subscriber", &contenders, rows, rounds, sample)?);
    drop(awake);
    let rows = usual_cases(effort).into_iter().map(|case| (case.name(), case)).collect();
    let ratio = |contender, case| sent_ratio(contender, setting, case);
    let title = "What is left of a message that is broadcast: length × takeover";
    report.add(rounds::measure(title, "sent ÷ plain bytes", &contenders, rows, 1, ratio)?);
    Ok(())
}

/// How many bytes a subscriber gets for each of a message.
fn sent_ratio(contender: Contender<'_>, setting: Setting, case: Case) -> Result<f64, Box<dyn Error>> {
    const MESSAGES: usize = 64;
    let mut process = Process::start(contender, setting)?;
    let traffic = case.traffic(contender);
    let mut crowd = Crowd::connect(process.port, 2, &traffic, 1)?;
    // By then the server knows both, whichever it was that it saw first.
    process.cpu()?;
    (0..MESSAGES).try_for_each(|_| crowd.send_and_wait(0, 1, 1))?;
    Ok(crowd.arrived_len() as f64 / (MESSAGES * case.len) as f64)
}
