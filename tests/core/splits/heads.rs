//! The heads of the opening handshake with what follows them: as they should be, and what becomes of that when something goes wrong on
//! the way.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::splits::frames::{self, byte_changes, encode};
use support::handshake::{REQUEST, RESPONSE};
use support::wire::Role;

/// A head in lines, the first of which is no header, and what is before and behind it.
#[derive(Clone, Debug)]
struct Head {
    interim: &'static str,
    lines: Vec<String>,
    body: Vec<u8>,
}

impl Head {
    fn into_bytes(self) -> Vec<u8> {
        [self.interim.as_bytes(), self.lines.concat().as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// What a connection with this role gets from its first byte on.
pub(crate) fn valid(to: Role) -> impl Strategy<Value = Vec<u8>> {
    head(to).prop_map(Head::into_bytes)
}

pub(crate) fn mutated(to: Role) -> impl Strategy<Value = Vec<u8>> {
    let lines = vec((any::<Index>(), line_change()), 0..3);
    let changes = prop_oneof![2 => (lines, Just(Vec::new())), 1 => (Just(Vec::new()), byte_changes())];
    (head(to), changes).prop_map(|(mut head, (lines, bytes))| {
        for (at, change) in lines {
            let at = at.index(head.lines.len());
            change.apply(&mut head.lines, at);
        }
        let mut encoded = head.into_bytes();
        bytes.iter().for_each(|change| change.apply(&mut encoded));
        encoded
    })
}

fn head(to: Role) -> BoxedStrategy<Head> {
    let early = frames::valid().prop_map(move |(frames, _)| encode(to, &frames)).boxed();
    match to {
        Role::Server => request(early).boxed(),
        Role::Client => prop_oneof![3 => response(early), 1 => refusal()].boxed(),
    }
}

/// The lines of a head in any order, with any of the others among them.
fn lines(head: &'static str, others: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let own: Vec<_> = head.split_inclusive("\r\n").map(str::to_owned).collect();
    subsequence(others, 0..=others.len()).prop_flat_map(move |others| {
        let headers: Vec<_> =
            own[1..].iter().cloned().chain(others.iter().map(|line| format!("{line}\r\n"))).collect();
        let first = own[0].clone();
        Just(headers).prop_shuffle().prop_map(move |mut headers| {
            headers.insert(0, first.clone());
            headers
        })
    })
}

fn request(early: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Head> {
    const OTHERS: [&str; 6] = [
        "Origin: http://server.example.com",
        "Sec-WebSocket-Protocol: chat, superchat",
        "sec-websocket-extensions: permessage-deflate; client_max_window_bits, x;a=\"b\"",
        "Cookie: caf\u{e9}=\"(a);\"",
        "Content-Length: 0",
        "X-Empty:",
    ];
    let target = select(vec!["/chat", "/", "//a/../b?c?d", "/%0d%0a?"]);
    (target, lines(REQUEST, &OTHERS), early).prop_map(|(target, mut lines, body)| {
        lines[0] = lines[0].replace("/chat", target);
        Head { interim: "", lines, body }
    })
}

const INTERIM: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

fn response(early: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Head> {
    const OTHERS: [&str; 4] =
        ["Server: tides", "Set-Cookie: a=b", "SET-COOKIE:\t c=d \t", "Sec-WebSocket-Protocol: chat"];
    (select(vec!["", INTERIM]), lines(RESPONSE, &OTHERS), early).prop_map(|(interim, lines, body)| Head {
        interim,
        lines,
        body,
    })
}

fn refusal() -> impl Strategy<Value = Head> {
    let framing = select(vec![
        ("Content-Length: 5", "helloand more"),
        ("Content-Length: 9", "hello"),
        ("Transfer-Encoding: chunked", "3\r\nabc\r\n2;x=\"y\"\r\nde\r\n0\r\nT: u\r\n\r\n"),
        ("Transfer-Encoding: gzip, chunked", "ffff\r\nabc"),
        ("A: b", "until the end"),
    ]);
    let status = select(vec!["200 OK", "401 Unauthorized", "404 ", "426 Upgrade Required", "503 "]);
    (select(vec!["", INTERIM]), status, framing, option::of(4000..5000usize)).prop_map(
        |(interim, status, (header, body), long)| Head {
            interim,
            lines: vec![format!("HTTP/1.1 {status}\r\n"), format!("{header}\r\n")],
            body: [body.as_bytes(), &vec![b'x'; long.unwrap_or(0)]].concat(),
        },
    )
}

/// A change of one line of a head.
#[derive(Clone, Debug)]
enum LineChange {
    Remove,
    Repeat,
    Swap(Index),
    Value(&'static str),
    Name(&'static str),
    /// Something between the lines, or instead of their ends.
    Insert(&'static str),
    End(&'static str),
    /// Another first line, or a longer one.
    First(&'static str),
    LongFirst(usize),
    /// More than the limits allow.
    Flood(usize, usize),
}

fn line_change() -> impl Strategy<Value = LineChange> {
    let value = select(vec![
        "",
        "x",
        "8",
        "0013",
        "websocket, h2c",
        "close, Upgrade",
        "a, a",
        "a; b=\"",
        "http://evil.example",
        "[::",
        "dGhlIHNhbXBsZSBub25jZQ",
        "\u{e9}",
    ]);
    let name = select(vec![
        "X",
        "Host",
        "Upgrade",
        "Transfer-Encoding",
        "Content-Length",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
    ]);
    let first = select(vec![
        "POST /chat HTTP/1.1\r\n",
        "GET /chat HTTP/1.0\r\n",
        "GET * HTTP/1.1\r\n",
        "GET http://server.example.com/chat HTTP/1.1\r\n",
        "HTTP/1.1 101 \r\n",
        "HTTP/1.0 101 OK\r\n",
        "HTTP/1.1 403 Forbidden\r\n",
        // As a client or a server that speaks TLS begins.
        "\u{16}\u{3}\u{1}\0",
    ]);
    prop_oneof![
        2 => Just(LineChange::Remove),
        1 => Just(LineChange::Repeat),
        1 => any::<Index>().prop_map(LineChange::Swap),
        3 => value.prop_map(LineChange::Value),
        3 => name.prop_map(LineChange::Name),
        1 => select(vec![" ", "\r\n", "\0", "x", "a b: c\r\n"]).prop_map(LineChange::Insert),
        1 => select(vec!["\n", "\r", "", "\r\r\n", "\r\n "]).prop_map(LineChange::End),
        2 => first.prop_map(LineChange::First),
        1 => (500..5000usize).prop_map(LineChange::LongFirst),
        1 => select(vec![(20, 1), (1, 3000)]).prop_map(|(lines, len)| LineChange::Flood(lines, len)),
    ]
}

impl LineChange {
    fn apply(&self, lines: &mut Vec<String>, at: usize) {
        let len = lines.len();
        let line = &mut lines[at];
        let colon = line.find(':').unwrap_or(line.len());
        match self {
            Self::Remove if len > 1 => _ = lines.remove(at),
            Self::Remove => {}
            Self::Repeat => {
                let again = line.clone();
                lines.insert(at, again);
            }
            Self::Swap(other) => lines.swap(at, other.index(len)),
            Self::Value(value) => *line = format!("{}: {value}\r\n", &line[..colon]),
            Self::Name(name) => line.replace_range(..colon, name),
            Self::End(end) => *line = line.replace("\r\n", end),
            Self::Insert(text) => line.insert_str(0, text),
            Self::First(first) => lines[0] = (*first).to_owned(),
            // Behind the method, or the version.
            Self::LongFirst(len) => lines[0] = lines[0].replacen(' ', &format!(" {}", "/x".repeat(*len)), 1),
            Self::Flood(count, len) => {
                lines.extend(vec![format!("X: {}\r\n", "x".repeat(*len)); *count]);
            }
        }
    }
}
