//! The load generator: connections that send frames made beforehand and count the bytes that come back.
//!
//! It does less than any server: it masks nothing, copies nothing, and parses at most headers. And it never sleeps, since it is the server that
//! would have to wake it up, which costs more than many a message. The first message that arrives on each connection is checked
//! byte by byte, the others are known by their length, or by what their headers say.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketType, sockopt};
use rustix::time::Timespec;

use crate::wire::{self, BINARY, REQUEST};

/// How many connections share one address of their own, so that ports do not run out.
const PER_ADDRESS: usize = 16 << 10;

/// Opens the TCP connection with number `index`. When it is dropped, it is reset: no port is left waiting.
pub(crate) fn dial(port: u16, index: usize) -> io::Result<TcpStream> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    let source = Ipv4Addr::new(127, 0, 0, 2 + (index / PER_ADDRESS) as u8);
    rustix::net::bind(&socket, &SocketAddr::from((source, 0)))?;
    rustix::net::connect(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads the answer to the request for a WebSocket.
pub(crate) fn read_answer(mut stream: &TcpStream) -> io::Result<()> {
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !wire::is_whole_head(&head) {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => head.extend_from_slice(&buffer[..len]),
        }
    }
    if !head.starts_with(b"HTTP/1.1 101 ") {
        return Err(io::Error::other(String::from_utf8_lossy(&head)));
    }
    Ok(())
}

/// Where a server sends what has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Back on the same connection.
    Back,
    /// Out on the other connection of a pair. The first of each pair sends, the second receives.
    Across,
}

impl Route {
    /// A sender and its receiver are this many connections apart.
    fn distance(self) -> usize {
        match self {
            Self::Back => 0,
            Self::Across => 1,
        }
    }
}

/// What every connection of a crowd sends again and again, and what it expects.
pub(crate) struct Traffic {
    /// For a WebSocket.
    request: Vec<u8>,
    frames: Vec<Vec<u8>>,
    answers: Answers,
}

/// What the server makes of the frames.
enum Answers {
    /// The same of each.
    Same(Vec<u8>),
    /// Frames as long as their headers say, of which the first passes this.
    Checked(Box<Check>),
}

type Check = dyn Fn(&[u8]) -> bool;

impl Traffic {
    /// Binary messages of `len`, all the same. A server that `frames` sends messages, any other the bytes that came.
    pub(crate) fn binary(len: usize, frames: bool) -> Self {
        let payload: Vec<u8> = (0..len).map(|at| at as u8).collect();
        let frame = wire::masked_frame(BINARY, &payload);
        let mut answer = Vec::new();
        if frames {
            let (header, header_len) = wire::header(BINARY, len, None);
            answer.extend_from_slice(&header[..header_len]);
            answer.extend_from_slice(&payload);
        } else {
            answer.clone_from(&frame);
        }
        Self { request: REQUEST.to_vec(), frames: vec![frame], answers: Answers::Same(answer) }
    }

    /// Whole messages in frames of their own, each answered by one frame.
    pub(crate) fn checked(
        request: Vec<u8>,
        frames: Vec<Vec<u8>>,
        check: impl Fn(&[u8]) -> bool + 'static,
    ) -> Self {
        Self { request, frames, answers: Answers::Checked(Box::new(check)) }
    }

    /// How long the answer is that these bytes begin.
    fn answer_len(&self, bytes: &[u8]) -> Option<usize> {
        match &self.answers {
            Answers::Same(answer) => Some(answer.len()),
            Answers::Checked(_) => wire::frame_lengths(bytes).map(|(header_len, len)| header_len + len),
        }
    }

    /// Whether that is the first answer.
    fn accepts(&self, first: &[u8]) -> bool {
        match &self.answers {
            Answers::Same(answer) => first == answer,
            Answers::Checked(check) => check(first),
        }
    }
}

/// Connections that all send the same.
pub(crate) struct Crowd<'t> {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    traffic: &'t Traffic,
    /// All frames, and then as many more as may be in flight, since the first of these may be cut.
    wire: Vec<u8>,
    /// All frames.
    turn_len: usize,
    buffer: Vec<u8>,
    arrived: u64,
    arrived_len: u64,
}

struct Connection {
    stream: TcpStream,
    /// The frame that is owed next.
    next: usize,
    /// How much is to be written, and how much of the turn under way has been.
    owed: usize,
    sent: usize,
    received: Received,
    /// The first message, until it has come.
    first: Option<Vec<u8>>,
    is_blocked: bool,
}

/// What has come of a message.
#[derive(Default)]
struct Received {
    /// Of one whose length is known.
    len: usize,
    /// Of one whose header tells: its header if it is cut, and what its payload lacks.
    header: Vec<u8>,
    missing: usize,
}

impl Received {
    /// How many messages these bytes complete, all of one length.
    fn count_same(&mut self, bytes: &[u8], len: usize) -> usize {
        let received = self.len + bytes.len();
        self.len = received % len;
        received / len
    }

    /// How many messages these bytes complete.
    fn count(&mut self, mut bytes: &[u8]) -> usize {
        let mut messages = 0;
        loop {
            let skipped = self.missing.min(bytes.len());
            self.missing -= skipped;
            messages += usize::from(skipped > 0 && self.missing == 0);
            bytes = &bytes[skipped..];
            let Some((&first, rest)) = bytes.split_first() else { return messages };
            self.header.push(first);
            bytes = rest;
            if let Some((header_len, len)) = wire::frame_lengths(&self.header) {
                // The key of a masked frame has not come yet.
                self.missing = header_len - self.header.len() + len;
                self.header.clear();
            }
        }
    }
}

impl<'t> Crowd<'t> {
    /// `count` open connections, with at most `depth` messages in flight on each.
    pub(crate) fn connect(port: u16, count: usize, traffic: &'t Traffic, depth: usize) -> io::Result<Self> {
        let frames = &traffic.frames;
        let wire = frames.iter().cycle().take(frames.len() + depth).flatten().copied().collect();
        let turn_len = frames.iter().map(Vec::len).sum();
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let mut stream = dial(port, index)?;
            stream.write_all(&traffic.request)?;
            read_answer(&stream)?;
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
            let (received, first) = (Received::default(), Some(Vec::new()));
            let (next, owed, sent) = (0, 0, 0);
            connections.push(Connection { stream, next, owed, sent, received, first, is_blocked: false });
        }
        let buffer = vec![0; 256 << 10];
        Ok(Self { epoll, connections, traffic, wire, turn_len, buffer, arrived: 0, arrived_len: 0 })
    }

    /// How many messages have come from the server.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// How long these were in all, with their headers.
    pub(crate) fn arrived_len(&self) -> u64 {
        self.arrived_len
    }

    /// Every connection echoes `depth` messages that are sent at once, one connection after the other.
    pub(crate) fn echo_once(&mut self, depth: usize) -> io::Result<()> {
        (0..self.connections.len()).try_for_each(|index| self.send_and_wait(index, depth, depth))
    }

    /// One connection sends `messages` at once. Returns when the server has sent `answers` to whomever.
    pub(crate) fn send_and_wait(&mut self, index: usize, messages: usize, answers: usize) -> io::Result<()> {
        self.send_and_time(index, messages, answers, |_, _| ())
    }

    /// The same, and tells `arrived` again and again how many answers have come just now, so long after the first message was sent.
    pub(crate) fn send_and_time(
        &mut self,
        index: usize,
        messages: usize,
        answers: usize,
        mut arrived: impl FnMut(Duration, u64),
    ) -> io::Result<()> {
        let (start, goal) = (Instant::now(), self.arrived + answers as u64);
        self.send(index, messages)?;
        while self.arrived < goal {
            let before = self.arrived;
            self.turn(None)?;
            if self.arrived > before {
                arrived(start.elapsed(), self.arrived - before);
            }
        }
        Ok(())
    }

    /// Brings `depth` messages of each sender under way.
    pub(crate) fn begin(&mut self, depth: usize, route: Route) -> io::Result<()> {
        let mut senders = (0..self.connections.len()).step_by(1 + route.distance());
        senders.try_for_each(|index| self.send(index, depth))
    }

    /// Sends new messages for those that arrive, for that long.
    pub(crate) fn keep_going(&mut self, time: Duration, route: Route) -> io::Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn(Some(route))?;
        }
        Ok(())
    }

    /// Handles what is there, and sends as many messages as have arrived if there is a route.
    fn turn(&mut self, again: Option<Route>) -> io::Result<()> {
        let mut events = Vec::with_capacity(256);
        epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&Timespec::default()))?;
        for event in events {
            let (index, flags) = (event.data.u64() as usize, event.flags);
            if flags.contains(EventFlags::OUT) {
                self.send(index, 0)?;
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                let arrived = self.receive(index)?;
                self.arrived += arrived as u64;
                if let (Some(route), 1..) = (again, arrived) {
                    self.send(index - route.distance(), arrived)?;
                }
            }
        }
        Ok(())
    }

    /// Reads once, and counts the messages that are complete with it.
    fn receive(&mut self, index: usize) -> io::Result<usize> {
        let (connection, traffic) = (&mut self.connections[index], self.traffic);
        let len = connection.stream.read(&mut self.buffer)?;
        if len == 0 {
            return Err(io::Error::other("the server has closed the connection"));
        }
        let bytes = &self.buffer[..len];
        self.arrived_len += len as u64;
        if let Some(first) = &mut connection.first {
            first.extend_from_slice(bytes);
            if let Some(first) = traffic.answer_len(first).and_then(|len| first.get(..len)) {
                if !traffic.accepts(first) {
                    return Err(io::Error::other("the server has sent something else"));
                }
                connection.first = None;
            }
        }
        Ok(match &traffic.answers {
            Answers::Same(answer) => connection.received.count_same(bytes, answer.len()),
            Answers::Checked(_) => connection.received.count(bytes),
        })
    }

    /// Sends so many messages more, as far as the socket takes them.
    fn send(&mut self, index: usize, messages: usize) -> io::Result<()> {
        let (connection, frames) = (&mut self.connections[index], &self.traffic.frames);
        for _ in 0..messages {
            connection.owed += frames[connection.next].len();
            connection.next = (connection.next + 1) % frames.len();
        }
        while connection.owed > 0 {
            match connection.stream.write(&self.wire[connection.sent..][..connection.owed]) {
                Ok(len) => {
                    connection.owed -= len;
                    connection.sent = (connection.sent + len) % self.turn_len;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let is_blocked = connection.owed > 0;
        if is_blocked != connection.is_blocked {
            connection.is_blocked = is_blocked;
            let interest = if is_blocked { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(&self.epoll, &connection.stream, EventData::new_u64(index as u64), interest)?;
        }
        Ok(())
    }
}
