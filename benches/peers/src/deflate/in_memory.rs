//! Compressed messages in memory: what compressing and decompressing cost, on one connection and on many that take turns.
//!
//! Each message is read and written alone, as if it came and went when the last one was forgotten. Of a read, the bytes are copied once,
//! and so are those of a write.

mod contenders;

use std::rc::Rc;

use super::settings::Takeover;
use super::text::{self, Text};
use super::{Case, cases};
use crate::codec::Tally;
use crate::pipe::{Pipe, Sink};
use crate::report::Report;
use crate::table::{Column, Table};
use crate::{Effort, clock};

const CONNECTIONS: [usize; 3] = [1, 4, 64];

/// One way of using a crate, or a floor, as a server.
trait Contender {
    fn column(&self) -> Column;

    /// How it was set up, for the report.
    fn setup(&self) -> &'static str;

    /// A connection that receives a message every time it is called.
    fn receiver(&self, pipe: Pipe, takeover: Takeover) -> Box<dyn FnMut(&mut Tally)>;

    /// A connection that sends a message and flushes every time it is called.
    fn sender(&self, sink: Sink, takeover: Takeover) -> Box<dyn FnMut(&Text)>;
}

/// Makes what does one run.
type Start<'s> = dyn Fn(&dyn Contender) -> Box<dyn FnMut()> + 's;

/// Measures this part of the section.
pub(super) fn report(effort: Effort<'_>, report: &mut Report) {
    let mut contenders = contenders::all();
    contenders.retain(|contender| effort.wants(contender.column().name));
    let rounds = effort.rounds(2, 20);
    report.say(format!("In memory: CPU time per message, the least of {rounds} rounds. How each is set up:"));
    report.say_setups(contenders.iter().map(|contender| (contender.column().name, contender.setup())));
    let columns: Vec<_> = contenders.iter().map(|contender| contender.column()).collect();
    let table = |title: &str, unit| Table::new(title, unit, columns.clone());
    let mut compress =
        table("Compress, as a server: length × connections in turn × takeover", "µs per message");
    let mut decompress =
        table("Decompress, as a server: length × connections in turn × takeover", "µs per message");
    let mut ratio = table("What is left of a message: length × takeover", "compressed ÷ plain bytes");
    for case in cases(effort) {
        let texts = case.texts();
        let ratios = contenders.iter().map(|contender| Some(sent_ratio(&**contender, case, &texts)));
        ratio.push(case.name(), ratios.collect());
        for connections in CONNECTIONS {
            let name = format!("{} × {connections} × {}", case.length(), case.takeover.name());
            eprintln!("in memory, {name}");
            let turns = Turns { texts: &texts, connections, takeover: case.takeover };
            let measure = |start: &Start<'_>| {
                let mut runs: Vec<_> = contenders.iter().map(|contender| start(&**contender)).collect();
                let figures = clock::take_turns(&mut runs, rounds).into_iter();
                figures.map(|nanos| Some(nanos / 1e3 / turns.messages() as f64)).collect()
            };
            compress.push(&name, measure(&|contender| turns.sending(contender)));
            decompress.push(&name, measure(&|contender| turns.receiving(contender)));
        }
    }
    report.add(compress);
    report.add(decompress);
    report.add(ratio);
}

/// Connections that take turns, message by message. Each begins with another text.
#[derive(Clone, Copy)]
struct Turns<'t> {
    texts: &'t Rc<[Text]>,
    connections: usize,
    takeover: Takeover,
}

impl<'t> Turns<'t> {
    /// In one run: each text and each connection has its turn.
    fn messages(self) -> usize {
        self.connections.max(self.texts.len())
    }

    /// The texts from the one with that number on, once around.
    fn from(self, first: usize) -> impl Iterator<Item = &'t Text> {
        self.texts.iter().cycle().skip(first % self.texts.len()).take(self.texts.len())
    }

    fn sending(self, contender: &dyn Contender) -> Box<dyn FnMut()> {
        let sink = Sink::default();
        let connections = 0..self.connections;
        let mut connections: Vec<_> =
            connections.map(|_| contender.sender(sink.clone(), self.takeover)).collect();
        let (texts, messages) = (Rc::clone(self.texts), self.messages());
        let mut turn = 0;
        Box::new(move || {
            for _ in 0..messages {
                let connection = turn % connections.len();
                // So that a text is not sent by all connections one after the other.
                let text = connection + turn / connections.len();
                connections[connection](&texts[text % texts.len()]);
                turn += 1;
            }
        })
    }

    fn receiving(self, contender: &dyn Contender) -> Box<dyn FnMut()> {
        let wires: Vec<Wire> =
            (0..self.texts.len()).map(|first| Wire::new(self.from(first), self.takeover)).collect();
        let connections = (0..self.connections).map(|first| wires[first % wires.len()].pipe());
        let mut connections: Vec<_> =
            connections.map(|pipe| contender.receiver(pipe, self.takeover)).collect();
        let (texts, messages) = (Rc::clone(self.texts), self.messages());
        let name = contender.column().name;
        let mut turn = 0;
        Box::new(move || {
            let (mut tally, mut expected) = (Tally::default(), Tally::default());
            for _ in 0..messages {
                let connection = turn % connections.len();
                connections[connection](&mut tally);
                expected.add(&texts[(connection + turn / connections.len()) % texts.len()].shared);
                turn += 1;
            }
            assert_eq!(tally, expected, "{name} received something else");
        })
    }
}

/// What a client sends.
struct Wire {
    bytes: Rc<[u8]>,
    ends: Rc<[usize]>,
}

impl Wire {
    fn new<'t>(texts: impl Iterator<Item = &'t Text>, takeover: Takeover) -> Self {
        let frames = text::client_frames(texts, takeover);
        let ends = frames.iter().scan(0, |end, frame| {
            *end += frame.len();
            Some(*end)
        });
        Self { ends: ends.collect(), bytes: frames.concat().into() }
    }

    /// Each read gives a message.
    fn pipe(&self) -> Pipe {
        Pipe::pieces(Rc::clone(&self.bytes), Rc::clone(&self.ends))
    }
}

/// How many bytes leave for each of a text, headers included, when all have been sent twice. What is sent has to be the texts.
fn sent_ratio(contender: &dyn Contender, case: Case, texts: &[Text]) -> f64 {
    let sink = Sink::default();
    let mut send = contender.sender(sink.clone(), case.takeover);
    let wire = sink.record(|| (0..2).for_each(|_| texts.iter().for_each(&mut send)));
    let sent = text::received(&wire, case.takeover);
    let expected = texts.iter().chain(texts).map(|text| &text.text);
    assert!(sent.iter().eq(expected), "{} sent something else", contender.column().name);
    wire.len() as f64 / sent.iter().map(String::len).sum::<usize>() as f64
}
