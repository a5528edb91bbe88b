//! Frames in memory: what decoding and encoding cost without an operating system.
//!
//! Every contender gets the same bytes in reads of at most 64 KiB, as large as its own buffer allows, and hands out
//! whole messages, text validated. Encoders queue frames of about 64 KiB in all, or one longer one, and flush. Each read copies its bytes once, and
//! so does each write, as a socket would, for everybody. Frames lie across the ends of reads as they happen to.
//!
//! The system's allocator is told to give nothing back to the system, or else it would depend on the order of the contenders who of them
//! takes page faults for large messages.
//!
//! Not measured: control frames, fragments, the allocation of a connection.

mod fastwebsockets;
mod floors;
mod sockudo;
mod tidewire;
mod tokio_websockets;
mod tungstenite;
mod yawc;

use std::error::Error;
use std::rc::Rc;

use ::tidewire::{Config, Connection, Event, Input};
use bytes::Bytes;
use futures_util::SinkExt as _;

use crate::pipe::{self, Sink};
use crate::report::{self, Report};
use crate::table::{Column, Table};
use crate::wire::{self, BINARY, READ_LEN, TEXT};
use crate::{Effort, clock};

/// The title of the first table.
pub(crate) const DECODE_BINARY: &str = "Decode binary, as a server";

pub(crate) const LENGTHS: [usize; 7] = [16, 125, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20];

/// How many reads a batch of received frames fills, so that most reads end in the middle of a frame.
const READS: usize = 4;

/// How often the contenders are made anew within the rounds, each time in another heap.
const GENERATIONS: usize = 5;

/// A crate, or a floor, in one way of using it.
trait Contender {
    fn column(&self) -> Column;

    /// How it was set up, for the report.
    fn setup(&self) -> &'static str;

    /// Receives one batch as a server, every time it is called.
    fn decoder(&self, batch: &Batch) -> Box<dyn FnMut() -> Tally>;

    /// Sends `count` binary messages and flushes, every time it is called.
    fn encoder(&self, role: Role, payload: Bytes, count: usize, sink: Sink) -> Box<dyn FnMut()>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Server,
    Client,
}

impl Role {
    /// The same in the words of a crate.
    fn choose<T>(self, server: T, client: T) -> T {
        match self {
            Self::Server => server,
            Self::Client => client,
        }
    }
}

/// Messages to receive, all the same.
struct Batch {
    opcode: u8,
    payload: Vec<u8>,
    count: usize,
    wire: Rc<[u8]>,
}

impl Batch {
    fn new(opcode: u8, payload: Vec<u8>) -> Self {
        let frame = wire::masked_frame(opcode, &payload);
        let count = (READS * READ_LEN / frame.len()).max(1);
        Self { opcode, payload, count, wire: frame.repeat(count).into() }
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        (0..self.count).for_each(|_| tally.add(&self.payload));
        tally
    }
}

/// What was received, told apart from what was not at the price of a few instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    messages: usize,
    bytes: usize,
    edges: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, payload: &[u8]) {
        let payload = std::hint::black_box(payload);
        self.messages += 1;
        self.bytes += payload.len();
        if let [first, .., last] = *payload {
            self.edges += usize::from(first) + usize::from(last);
        }
    }
}

/// Receives a batch with `next`, which adds the next message to the tally.
fn receiving<S: 'static>(
    mut socket: S,
    count: usize,
    next: impl AsyncFn(&mut S, &mut Tally) + 'static,
) -> Box<dyn FnMut() -> Tally> {
    Box::new(move || {
        pipe::run(async {
            let mut tally = Tally::default();
            while tally.messages < count {
                next(&mut socket, &mut tally).await;
            }
            tally
        })
    })
}

/// Feeds as many messages to a sink, then flushes it.
fn feeding<S, M>(mut socket: S, count: usize, message: impl Fn() -> M + 'static) -> Box<dyn FnMut()>
where
    S: futures_util::Sink<M, Error: std::fmt::Debug> + Unpin + 'static,
{
    Box::new(move || {
        pipe::run(async {
            for _ in 0..count {
                socket.feed(message()).await.expect("an open connection");
            }
            socket.flush().await.expect("an open connection");
        });
    })
}

/// In the order of the report's columns.
fn contenders() -> Vec<Box<dyn Contender>> {
    vec![
        Box::new(floors::Passes),
        Box::new(floors::Bare),
        Box::new(tidewire::Core),
        Box::new(tidewire::Lent),
        Box::new(tidewire::Owned),
        Box::new(tungstenite::Tungstenite),
        Box::new(fastwebsockets::FastWebSockets),
        Box::new(tokio_websockets::TokioWebSockets),
        Box::new(yawc::Yawc),
        Box::new(sockudo::Stream),
        Box::new(sockudo::Protocol),
    ]
}

/// Measures the section.
pub(crate) fn report(effort: Effort<'_>, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let mut contenders = contenders();
    contenders.retain(|contender| effort.wants(contender.column().name));
    let rounds = effort.rounds(3, 100);
    let mut lengths = effort.choose(&LENGTHS[..3], &LENGTHS).to_vec();
    lengths.retain(|len| effort.wants_row(&report::length(*len)));
    report.say("## Codec");
    report.say(format!("CPU time per frame, the least of {rounds} rounds. How each is set up:"));
    report.say_setups(contenders.iter().map(|contender| (contender.column().name, contender.setup())));
    let mut measure = |title: &str, cell: &dyn Fn(usize) -> Cell| {
        report.add(measure(&contenders, title, &lengths, rounds, cell));
    };
    measure(DECODE_BINARY, &|len| decoding(BINARY, binary(len)));
    measure("Decode ASCII text, as a server", &|len| decoding(TEXT, ascii(len).into_bytes()));
    measure("Decode multi-byte text, as a server", &|len| decoding(TEXT, multi_byte(len).into_bytes()));
    measure("Encode binary, as a server", &|len| encoding(Role::Server, len));
    measure("Encode binary, as a client", &|len| encoding(Role::Client, len));
    Ok(())
}

fn binary(len: usize) -> Vec<u8> {
    (0..len).map(|at| at as u8).collect()
}

fn ascii(len: usize) -> String {
    "The tide comes in, the tide goes out. ".chars().cycle().take(len).collect()
}

/// Two-byte characters, and an ASCII one at the end of an odd length.
fn multi_byte(len: usize) -> String {
    "прилив".chars().cycle().take(len / 2).chain((len % 2 == 1).then_some('.')).collect()
}

fn measure(
    contenders: &[Box<dyn Contender>],
    title: &str,
    lengths: &[usize],
    rounds: usize,
    cell: &dyn Fn(usize) -> Cell,
) -> Table {
    let columns = contenders.iter().map(|contender| contender.column()).collect();
    let mut table = Table::new(title, "ns per frame", columns);
    for &len in lengths {
        let cell = cell(len);
        let mut least = vec![f64::INFINITY; contenders.len()];
        for generation in 0..GENERATIONS.min(rounds) {
            let _heap = shuffled_heap(generation);
            let mut runs: Vec<_> = contenders.iter().map(|contender| (cell.start)(&**contender)).collect();
            let figures = clock::take_turns(&mut runs, rounds.div_ceil(GENERATIONS));
            least.iter_mut().zip(figures).for_each(|(least, figure)| *least = least.min(figure));
        }
        table.push(
            report::length(len),
            least.into_iter().map(|figure| Some(figure / cell.count as f64)).collect(),
        );
    }
    table
}

/// Leaves holes of many lengths in the heap, for as long as the blocks between them are kept.
///
/// Where a contender's buffers come to lie decides which of them evict each other from the caches. That is luck, and without holes
/// it would be the same luck in every generation.
fn shuffled_heap(generation: usize) -> Vec<Vec<u8>> {
    let (mut holes, mut kept) = (Vec::new(), Vec::new());
    for at in 0..64 * generation {
        holes.push(Vec::<u8>::with_capacity((1 << (10 + at % 12)) + 96 * at));
        kept.push(Vec::with_capacity(1 + (at * 1360 + generation * 592) % 4096));
    }
    kept
}

/// What every contender has to do in one cell of a table.
struct Cell {
    /// The messages in a batch.
    count: usize,
    /// Makes what does a batch.
    start: Box<Start>,
}

type Start = dyn Fn(&dyn Contender) -> Box<dyn FnMut()>;

fn decoding(opcode: u8, payload: Vec<u8>) -> Cell {
    let batch = Batch::new(opcode, payload);
    let (count, expected) = (batch.count, batch.tally());
    let start = move |contender: &dyn Contender| -> Box<dyn FnMut()> {
        let (mut decoder, name) = (contender.decoder(&batch), contender.column().name);
        Box::new(move || assert_eq!(decoder(), expected, "{name} received something else"))
    };
    Cell { count, start: Box::new(start) }
}

fn encoding(role: Role, len: usize) -> Cell {
    let payload = Bytes::from(binary(len));
    let (_, header_len) = wire::header(BINARY, len, role.choose(None, Some(wire::KEY)));
    let count = (READ_LEN / (header_len + len)).max(1);
    let start = move |contender: &dyn Contender| -> Box<dyn FnMut()> {
        let (name, sink) = (contender.column().name, Sink::default());
        let mut encoder = contender.encoder(role, payload.clone(), count, sink.clone());
        if name != floors::PASSES {
            verify(name, role, &payload, count, &sink.record(&mut encoder));
        }
        Box::new(move || {
            let before = sink.total();
            encoder();
            assert!(sink.total() - before >= count * len, "{name} sent too little");
        })
    };
    Cell { count, start: Box::new(start) }
}

/// What was sent is what was asked for, by the judgement of tidewire.
fn verify(name: &str, role: Role, payload: &[u8], count: usize, wire: &[u8]) {
    let mut connection = match role {
        Role::Server => Connection::client(Config::new(), [7; 32]),
        Role::Client => Connection::server(Config::new()),
    };
    let mut input = Input::new();
    let mut received = 0;
    for read in wire.chunks(READ_LEN) {
        input.extend_from_slice(read);
        while let Some(event) = connection.receive(&mut input).expect("frames that break no rule") {
            assert!(matches!(event, Event::Binary(got) if *got == *payload), "{name} sent something else");
            received += 1;
        }
    }
    assert_eq!(received, count, "{name} sent another number of messages");
}
