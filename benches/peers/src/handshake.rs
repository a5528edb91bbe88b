//! The opening handshake of a server.
//!
//! Over TCP: the CPU time of the server for a connection from `accept` to its end, in which nothing but the handshake
//! happens: the client resets it afterwards. In memory: the handshake alone, and the connection that it makes.
//!
//! Not measured: origins, subprotocols and extensions, for which the request does not ask.

use std::error::Error;
use std::io::{self, Write as _};
use std::rc::Rc;
use std::thread::sleep;
use std::time::Duration;

use bytes::Buf as _;
use tidewire::{Config, Input, ServerHandshake};

use crate::pipe::{self, Pipe, Sink};
use crate::process::{self, Process};
use crate::report::Report;
use crate::servers::{self, Contender, Role, Setting};
use crate::table::{Column, Kind, Table};
use crate::wire::{ANSWER, REQUEST};
use crate::{Effort, clock, load, rounds};

/// How many clients come at once, so that a server need not be woken for each step of each.
const GROUP: usize = 20;

/// Measures the section.
pub(crate) fn report(effort: Effort<'_>, report: &mut Report) -> Result<(), Box<dyn Error>> {
    report.say("## Opening handshake");
    over_tcp(effort, report)?;
    in_memory(effort, report);
    Ok(())
}

fn over_tcp(effort: Effort<'_>, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let contenders = servers::contenders(&[Role::All, Role::Handshake], effort);
    let (rounds, count) = (effort.rounds(1, 9), effort.choose(200, 2000));
    report.say(format!(
        "Over TCP, the median of {rounds} rounds of {count} connections, {GROUP} at a time. Set up as for idle connections, and:"
    ));
    report.say_setups(servers::setups(&servers::contenders(&[Role::Handshake], effort)));
    let (server_core, load_core) = process::two_cores()?;
    let setting = Setting { core: Some(server_core), workers: 1, buffer_len: 1 << 10 };
    let rows = vec![("over TCP".to_owned(), ())];
    let sample = |contender, ()| process::pinned(Some(load_core), || sample(contender, setting, count))?;
    let title = "Accept, handshake, end";
    report.add(rounds::measure(title, "µs per connection", &contenders, rows, rounds, sample)?);
    Ok(())
}

/// Microseconds of the server's CPU time per connection.
fn sample(contender: Contender<'_>, setting: Setting, count: usize) -> Result<f64, Box<dyn Error>> {
    let mut process = Process::start(contender, setting)?;
    open_and_reset(process.port, count / 10)?;
    let before = settled_cpu(&mut process)?;
    open_and_reset(process.port, count)?;
    let after = settled_cpu(&mut process)?;
    Ok((after - before).as_secs_f64() * 1e6 / count as f64)
}

/// Groups of connections that are opened, upgraded and reset.
fn open_and_reset(port: u16, count: usize) -> io::Result<()> {
    for _ in 0..count / GROUP {
        let mut group = (0..GROUP).map(|index| load::dial(port, index)).collect::<io::Result<Vec<_>>>()?;
        group.iter_mut().try_for_each(|stream| stream.write_all(REQUEST))?;
        group.iter().try_for_each(load::read_answer)?;
    }
    Ok(())
}

/// The server's CPU time when it has seen all connections end.
fn settled_cpu(process: &mut Process) -> Result<Duration, Box<dyn Error>> {
    sleep(Duration::from_millis(20));
    process.cpu()
}

/// One way of answering a request in memory: its column, how it is done, and what does it once.
type InMemory = (Column, &'static str, Box<dyn FnMut(Pipe)>);

fn contenders() -> Vec<InMemory> {
    let floor = |name| Column { name, kind: Kind::Floor };
    let own = |name| Column { name, kind: Kind::Own };
    let peer = |name| Column { name, kind: Kind::Peer };
    vec![
        (
            floor("copy and hash"),
            "the request copied in, SHA-1 and base64 of its key, an answer copied out",
            Box::new(|mut pipe| {
                let mut head = Vec::with_capacity(REQUEST.len());
                head.extend_from_slice(pipe.next(REQUEST.len()));
                std::hint::black_box(tidewire::accept_key(std::hint::black_box("dGhlIHNhbXBsZSBub25jZQ==")));
                pipe.write_all(ANSWER).expect("room");
            }),
        ),
        (
            own("tidewire core"),
            "`ServerHandshake::receive`, `Request::accept`; the storage of the `Input` goes from one to the next",
            {
                let mut storage = Vec::new();
                Box::new(move |mut pipe| {
                    let (mut handshake, mut input) = (ServerHandshake::new(Config::new()), Input::new());
                    input.adopt(std::mem::take(&mut storage));
                    let space = input.space();
                    let read = pipe.next(space.len());
                    space[..read.len()].copy_from_slice(read);
                    input.filled(read.len());
                    let request =
                        handshake.receive(&mut input).expect("a valid request").expect("a whole request");
                    let mut connection = request.accept(None, &[]).expect("a valid answer");
                    let output = connection.output();
                    pipe.write_all(output.chunk()).expect("room");
                    output.advance(output.len());
                    storage = input.release().expect("nothing but the request");
                })
            },
        ),
        (
            own("tidewire"),
            "`tidewire::tokio::accept`",
            Box::new(|pipe| drop(pipe::run(tidewire::tokio::accept(pipe)).expect("a valid request"))),
        ),
        (
            peer("tungstenite"),
            "`tungstenite::accept`",
            Box::new(|pipe| drop(tungstenite::accept(pipe).expect("a valid request"))),
        ),
        (
            peer("tokio-tungstenite"),
            "`accept_async`",
            Box::new(|pipe| drop(pipe::run(tokio_tungstenite::accept_async(pipe)).expect("a valid request"))),
        ),
        (
            peer("tokio-websockets"),
            "`ServerBuilder::accept`",
            Box::new(|pipe| {
                let builder = tokio_websockets::ServerBuilder::new();
                drop(pipe::run(builder.accept(pipe)).expect("a valid request"));
            }),
        ),
        (
            peer("sockudo-ws"),
            "`WebSocketServer::accept_raw`",
            Box::new(|pipe| {
                let server = sockudo_ws::server::WebSocketServer::<sockudo_ws::Http1>::default();
                drop(pipe::run(server.accept_raw(pipe)).expect("a valid request"));
            }),
        ),
    ]
}

fn in_memory(effort: Effort<'_>, report: &mut Report) {
    let rounds = effort.rounds(3, 200);
    let mut contenders = contenders();
    contenders.retain(|(column, ..)| effort.wants(column.name));
    report.say(format!(
        "In memory, the least of {rounds} rounds. fastwebsockets and yawc leave the handshake to hyper, which wants a runtime:"
    ));
    report.say_setups(contenders.iter().map(|(column, setup, _)| (column.name, *setup)));
    let columns = contenders.iter().map(|(column, ..)| *column).collect();
    let source: Rc<[u8]> = REQUEST.into();
    let mut runs: Vec<Box<dyn FnMut() + '_>> = Vec::new();
    for (column, _, accept) in &mut contenders {
        let (source, sink) = (source.clone(), Sink::default());
        let answer = sink.record(|| accept(Pipe::new(source.clone(), sink.clone())));
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{} refused the request", column.name);
        runs.push(Box::new(move || accept(Pipe::new(source.clone(), sink.clone()))));
    }
    let figures = clock::take_turns(&mut runs, rounds);
    let mut table = Table::new("Handshake and connection", "ns per handshake", columns);
    table.push("in memory", figures.into_iter().map(Some).collect());
    report.add(table);
}
