//! Frames in memory: what decoding and encoding cost without an operating system.
//!
//! Every contender gets the same bytes in reads of at most 64 KiB, as large as its own buffer allows, and hands out
//! whole messages, text validated. Encoders queue frames of about 64 KiB in all, or one longer one, and flush. Each read copies its bytes once, and
//! so does each write, as a socket would, for everybody. Frames lie across the ends of reads as they happen to.
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

use crate::pipe::Sink;
use crate::report::{self, Column, Table};
use crate::wire::{self, BINARY, READ_LEN, TEXT};
use crate::{Effort, clock};

const LENGTHS: [usize; 7] = [16, 125, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20];

/// How many reads a batch of received frames fills, so that most reads end in the middle of a frame.
const READS: usize = 4;

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
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    messages: usize,
    bytes: usize,
    edges: usize,
}

impl Tally {
    fn add(&mut self, payload: &[u8]) {
        let payload = std::hint::black_box(payload);
        self.messages += 1;
        self.bytes += payload.len();
        if let [first, .., last] = *payload {
            self.edges += usize::from(first) + usize::from(last);
        }
    }
}

/// In the order of the report's columns.
fn contenders() -> [Box<dyn Contender>; 11] {
    [
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

/// Measures the section and prints it.
pub(crate) fn report(effort: Effort) -> Result<(), Box<dyn Error>> {
    let contenders = contenders();
    let rounds = effort.rounds(3, 100);
    let lengths = effort.choose(&LENGTHS[..3], &LENGTHS);
    println!("## Codec\n");
    println!("CPU time per frame, the least of {rounds} rounds. How each is set up:\n");
    report::print_setups(contenders.iter().map(|contender| (contender.column().name, contender.setup())));
    decode(&contenders, "binary", BINARY, &|len| (0..len).map(|at| at as u8).collect(), lengths, rounds);
    decode(&contenders, "ASCII text", TEXT, &|len| ascii(len).into_bytes(), lengths, rounds);
    decode(&contenders, "multi-byte text", TEXT, &|len| multi_byte(len).into_bytes(), lengths, rounds);
    encode(&contenders, "as a server", Role::Server, lengths, rounds);
    encode(&contenders, "as a client", Role::Client, lengths, rounds);
    Ok(())
}

fn ascii(len: usize) -> String {
    "The tide comes in, the tide goes out. ".chars().cycle().take(len).collect()
}

/// Two-byte characters, and an ASCII one at the end of an odd length.
fn multi_byte(len: usize) -> String {
    "прилив".chars().cycle().take(len / 2).chain((len % 2 == 1).then_some('.')).collect()
}

fn decode(
    contenders: &[Box<dyn Contender>],
    what: &str,
    opcode: u8,
    payload: &dyn Fn(usize) -> Vec<u8>,
    lengths: &[usize],
    rounds: usize,
) {
    let columns = contenders.iter().map(|contender| contender.column()).collect();
    let mut table = Table::new(format!("Decode {what}, as a server"), "ns per frame", columns);
    for &len in lengths {
        let batch = Batch::new(opcode, payload(len));
        let expected = batch.tally();
        let mut runs: Vec<Box<dyn FnMut()>> = Vec::new();
        for contender in contenders {
            let mut decoder = contender.decoder(&batch);
            let (expected, name) = (&expected, contender.column().name);
            runs.push(Box::new(move || assert_eq!(decoder(), *expected, "{name} received something else")));
        }
        let figures = clock::take_turns(&mut runs, rounds);
        table.push(report::length(len), per_frame(&figures, batch.count));
    }
    table.print();
}

fn encode(contenders: &[Box<dyn Contender>], what: &str, role: Role, lengths: &[usize], rounds: usize) {
    let columns = contenders.iter().map(|contender| contender.column()).collect();
    let mut table = Table::new(format!("Encode binary, {what}"), "ns per frame", columns);
    for &len in lengths {
        let payload: Bytes = (0..len).map(|at| at as u8).collect();
        let frame_len = wire::frame_len(len, role == Role::Client);
        let count = (READ_LEN / frame_len).max(1);
        let mut runs: Vec<Box<dyn FnMut()>> = Vec::new();
        for contender in contenders {
            let (name, sink) = (contender.column().name, Sink::default());
            let mut encoder = contender.encoder(role, payload.clone(), count, sink.clone());
            if name != floors::PASSES {
                verify(name, role, &payload, count, &sink.record(&mut encoder));
            }
            runs.push(Box::new(move || {
                let before = sink.total();
                encoder();
                assert!(sink.total() - before >= count * len, "{name} sent too little");
            }));
        }
        let figures = clock::take_turns(&mut runs, rounds);
        table.push(report::length(len), per_frame(&figures, count));
    }
    table.print();
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

fn per_frame(figures: &[f64], count: usize) -> Vec<Option<f64>> {
    figures.iter().map(|figure| Some(figure / count as f64)).collect()
}
