//! The load generator: connections that send frames made beforehand and count the bytes that come back.
//!
//! It does less than any server: it masks nothing, parses nothing and copies nothing. And it never sleeps, since it is the server that would
//! have to wake it up, which costs more than many a message. The first message that arrives on each connection is compared
//! byte by byte, the others are known by their length.

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

/// Connections that all send the same message.
pub(crate) struct Crowd {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    message: Message,
    buffer: Vec<u8>,
    arrived: u64,
}

struct Message {
    frame_len: usize,
    /// As many frames as may be in flight, and one more, since the first may be cut.
    frames: Vec<u8>,
    /// What the server makes of one.
    answer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// How much is to be written, and how much of the frame under way has been.
    owed: usize,
    sent: usize,
    /// How much of the message under way has come.
    received: usize,
    /// The first message, until it has come.
    first: Option<Vec<u8>>,
    is_blocked: bool,
}

impl Crowd {
    /// `count` open connections for binary messages of `len`, at most `depth` of them in flight each. A server that `frames`
    /// sends messages, any other the bytes that came.
    pub(crate) fn connect(
        port: u16,
        count: usize,
        len: usize,
        depth: usize,
        frames: bool,
    ) -> io::Result<Self> {
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
        let message = Message { frame_len: frame.len(), frames: frame.repeat(depth + 1), answer };
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let mut stream = dial(port, index)?;
            stream.write_all(REQUEST)?;
            read_answer(&stream)?;
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
            let first = Some(Vec::new());
            connections.push(Connection { stream, owed: 0, sent: 0, received: 0, first, is_blocked: false });
        }
        Ok(Self { epoll, connections, message, buffer: vec![0; 256 << 10], arrived: 0 })
    }

    /// How many messages have come from the server.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Every connection echoes `depth` messages that are sent at once, one connection after the other.
    pub(crate) fn echo_once(&mut self, depth: usize) -> io::Result<()> {
        (0..self.connections.len()).try_for_each(|index| self.send_and_wait(index, depth, depth))
    }

    /// One connection sends `messages` at once. Returns when the server has sent `answers` to whomever.
    pub(crate) fn send_and_wait(&mut self, index: usize, messages: usize, answers: usize) -> io::Result<()> {
        let goal = self.arrived + answers as u64;
        self.send(index, messages)?;
        while self.arrived < goal {
            self.turn(None)?;
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
        let (connection, answer) = (&mut self.connections[index], &self.message.answer);
        let len = connection.stream.read(&mut self.buffer)?;
        if len == 0 {
            return Err(io::Error::other("the server has closed the connection"));
        }
        if let Some(first) = &mut connection.first {
            first.extend_from_slice(&self.buffer[..len]);
            if let Some(first) = first.get(..answer.len()) {
                if first != answer {
                    return Err(io::Error::other("the server has sent something else"));
                }
                connection.first = None;
            }
        }
        let received = connection.received + len;
        connection.received = received % answer.len();
        Ok(received / answer.len())
    }

    /// Sends so many messages more, as far as the socket takes them.
    fn send(&mut self, index: usize, messages: usize) -> io::Result<()> {
        let (connection, message) = (&mut self.connections[index], &self.message);
        connection.owed += messages * message.frame_len;
        while connection.owed > 0 {
            match connection.stream.write(&message.frames[connection.sent..][..connection.owed]) {
                Ok(len) => {
                    connection.owed -= len;
                    connection.sent = (connection.sent + len) % message.frame_len;
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
