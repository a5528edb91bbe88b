//! JSON-like messages, each different from all others, and what clients make of them.

use std::fmt::Write as _;

use bytes::{Buf as _, Bytes};
use tidewire::{Connection, Event, Input};

use super::settings::{Takeover, agreed};

const WORDS: [&str; 48] = [
    "tide",
    "harbour",
    "morning",
    "the",
    "a",
    "and",
    "of",
    "vessel",
    "delayed",
    "arrives",
    "at",
    "pier",
    "with",
    "cargo",
    "for",
    "north",
    "wind",
    "from",
    "island",
    "ferry",
    "passengers",
    "wait",
    "because",
    "pilot",
    "asked",
    "another",
    "hour",
    "until",
    "water",
    "is",
    "high",
    "enough",
    "to",
    "pass",
    "bridge",
    "tomorrow",
    "please",
    "confirm",
    "order",
    "number",
    "customs",
    "papers",
    "are",
    "missing",
    "new",
    "schedule",
    "follows",
    "soon",
];
const NAMES: [&str; 8] = ["mira", "jonas", "aylin", "pedro", "noor", "tomasz", "ines", "kofi"];

/// A message in the two forms that contenders want.
pub(super) struct Text {
    pub(super) text: String,
    pub(super) shared: Bytes,
}

/// `count` messages of `len` bytes.
pub(super) fn texts(len: usize, count: usize) -> Vec<Text> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let texts = (0..count).map(|_| {
        let mut text = String::with_capacity(len + 1024);
        while text.len() < len {
            write_record(&mut text, &mut random).expect("a string takes everything");
        }
        // ASCII, so it can be cut anywhere.
        text.truncate(len);
        Text { shared: Bytes::from(text.clone()), text }
    });
    texts.collect()
}

/// An event of some chat, of about 200 bytes.
fn write_record(text: &mut String, random: &mut Random) -> std::fmt::Result {
    let (id, author) = (random.below(90_000_000) + 10_000_000, NAMES[random.below(NAMES.len())]);
    let (room, minute, milli) = (random.below(40), random.below(60), random.below(1000));
    write!(text, r#"{{"id":{id},"type":"message","room":"pier-{room}","author":"{author}","#)?;
    write!(text, r#""at":"2026-11-04T08:{minute:02}:12.{milli:03}Z","text":""#)?;
    for _ in 0..6 + random.below(10) {
        write!(text, "{} ", WORDS[random.below(WORDS.len())])?;
    }
    let (likes, is_read) = (random.below(200), random.below(2) == 1);
    write!(text, r#"","likes":{likes},"read":{is_read}}},"#)
}

/// Xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }
}

/// The frames in which a client sends these texts, masked and compressed. As the first refers to nothing before it, they can be sent again.
pub(super) fn client_frames<'t>(texts: impl Iterator<Item = &'t Text>, takeover: Takeover) -> Vec<Vec<u8>> {
    frames(texts, agreed(client, takeover))
}

/// The same without compression.
pub(super) fn plain_client_frames<'t>(texts: impl Iterator<Item = &'t Text>) -> Vec<Vec<u8>> {
    frames(texts, client(tidewire::Config::new()))
}

fn frames<'t>(texts: impl Iterator<Item = &'t Text>, mut connection: Connection) -> Vec<Vec<u8>> {
    let frames = texts.map(|text| {
        connection.send(&*text.text).expect("room");
        let output = connection.output();
        output.copy_to_bytes(output.remaining()).into()
    });
    frames.collect()
}

/// The texts that a server has sent, by the judgement of tidewire.
pub(super) fn received(wire: &[u8], takeover: Takeover) -> Vec<String> {
    let (mut connection, mut input) = (agreed(client, takeover), Input::new());
    input.extend_from_slice(wire);
    let mut texts = Vec::new();
    while let Some(event) = connection.receive(&mut input).expect("frames that break no rule") {
        if let Event::Text(text) = event {
            texts.push(text.to_owned());
        }
    }
    texts
}

fn client(config: tidewire::Config) -> Connection {
    Connection::client(config, [7; 32])
}
