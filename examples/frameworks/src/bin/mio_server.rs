//! An echo server on one thread and no runtime: mio tells which sockets are ready, and the core does the rest.
//!
//! ```text
//! cargo run --bin mio_server -- --addr 127.0.0.1:9001
//! ```

use std::collections::{BTreeSet, HashMap};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use tidewire::{Config, Connection, Event, Input, ServerHandshake, Timestamp, TransportAction};

const LISTENER: Token = Token(0);

/// How long no client is accepted when that has failed.
const PAUSE: Duration = Duration::from_millis(100);

/// How often one peer is read in a row, before the others have their turn.
const MAX_READS: usize = 8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ["--addr", address] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        return Err("usage: mio_server --addr HOST:PORT".into());
    };
    Server::new(TcpListener::bind(address.parse()?)?)?.run()?;
    Ok(())
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    peers: HashMap<Token, Peer>,
    next: usize,
    /// When a peer wants to be told the time, the earliest first.
    deadlines: BTreeSet<(Timestamp, Token)>,
    /// Who has more to read, and was made to wait.
    again: BTreeSet<Token>,
    start: Instant,
}

impl Server {
    fn new(mut listener: TcpListener) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        println!("listening on {}", listener.local_addr()?);
        Ok(Self {
            poll,
            listener,
            peers: HashMap::new(),
            next: LISTENER.0 + 1,
            deadlines: BTreeSet::new(),
            again: BTreeSet::new(),
            start: Instant::now(),
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, self.wait()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            let mut ready = std::mem::take(&mut self.again);
            ready.extend(events.iter().map(|event| event.token()).filter(|&token| token != LISTENER));
            if events.iter().any(|event| event.token() == LISTENER) {
                self.accept()?;
            }
            let now = self.now();
            for token in ready {
                self.serve(token, now);
            }
            // What has arrived was looked at first, so the server's own delay is nobody's fault.
            let later = self.deadlines.split_off(&(now, Token(usize::MAX)));
            for (_, token) in std::mem::replace(&mut self.deadlines, later) {
                match token {
                    LISTENER => self.accept()?,
                    token => self.serve(token, now),
                }
            }
        }
    }

    /// How long there is nothing to do, unless a socket becomes ready.
    fn wait(&self) -> Option<Duration> {
        if !self.again.is_empty() {
            return Some(Duration::ZERO);
        }
        let (deadline, _) = self.deadlines.first()?;
        // A millisecond more, since mio rounds to that.
        Some(deadline.duration_since(self.now()) + Duration::from_millis(1))
    }

    fn now(&self) -> Timestamp {
        self.start.elapsed().into()
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // Out of file descriptors, most likely: some will come free.
                Err(error) => {
                    eprintln!("{error}");
                    self.deadlines.insert((self.now() + PAUSE, LISTENER));
                    return Ok(());
                }
            };
            let token = Token(self.next);
            self.next += 1;
            let interest = Interest::READABLE | Interest::WRITABLE;
            // A short message does not wait for the acknowledgement of the one before it.
            let _ = stream.set_nodelay(true);
            self.poll.registry().register(&mut stream, token, interest)?;
            self.peers.insert(token, Peer::new(stream));
            let now = self.now();
            self.serve(token, now);
        }
    }

    /// Lets a peer do what it can, and drops it at its end.
    fn serve(&mut self, token: Token, now: Timestamp) {
        // A peer that has gone in this round may have been ready, too.
        let Some(peer) = self.peers.get_mut(&token) else { return };
        if let Some(deadline) = peer.deadline.take() {
            self.deadlines.remove(&(deadline, token));
        }
        match peer.serve(now) {
            Ok(Next::Wait) => {}
            Ok(Next::Again) => _ = self.again.insert(token),
            Ok(Next::End) => return drop(self.peers.remove(&token)),
            Err(error) => {
                eprintln!("{error}");
                return drop(self.peers.remove(&token));
            }
        }
        peer.deadline = peer.stage.poll_timeout(now);
        self.deadlines.extend(peer.deadline.map(|deadline| (deadline, token)));
    }
}

/// What to do with a peer that has been served.
enum Next {
    Wait,
    Again,
    End,
}

struct Peer {
    stream: TcpStream,
    input: Input,
    stage: Stage,
    deadline: Option<Timestamp>,
}

enum Stage {
    Opening(ServerHandshake),
    /// After the opening handshake. A request that is refused leads here, too, and ends at once.
    Open(Connection),
}

impl Stage {
    fn poll_timeout(&mut self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Opening(handshake) => handshake.poll_timeout(now),
            Self::Open(connection) => connection.poll_timeout(now),
        }
    }
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        let stage = Stage::Opening(ServerHandshake::new(Config::new()));
        Self { stream, input: Input::new(), stage, deadline: None }
    }

    /// Reads, answers and writes until the socket has no more, or for a while.
    fn serve(&mut self, now: Timestamp) -> Result<Next, Box<dyn std::error::Error>> {
        for _ in 0..MAX_READS {
            let has_more = self.receive()?;
            self.write()?;
            if let Stage::Open(connection) = &mut self.stage
                && connection.output().is_empty()
            {
                match connection.transport_action() {
                    TransportAction::KeepOpen | TransportAction::AwaitEof => {}
                    TransportAction::ShutdownWrite => drop(self.stream.shutdown(Shutdown::Write)),
                    TransportAction::Close => return Ok(Next::End),
                }
            }
            // As long as the peer does not read, neither does the server. It goes on when the socket is writable.
            if !self.is_ready() || (!has_more && !self.read()?) {
                return self.handle_timeout(now);
            }
        }
        // A peer that never stops is held to its deadlines, too.
        self.handle_timeout(now)?;
        Ok(Next::Again)
    }

    /// Takes what has arrived, and queues the answers; true if there is more than the output has room for.
    fn receive(&mut self) -> Result<bool, Box<dyn std::error::Error>> {
        if let Stage::Opening(handshake) = &mut self.stage {
            let connection = match handshake.receive(&mut self.input) {
                Ok(None) => return Ok(false),
                Ok(Some(request)) => request.accept(None, &[])?,
                Err(error) => {
                    eprintln!("{error}");
                    self.refuse();
                    return Ok(false);
                }
            };
            self.stage = Stage::Open(connection);
        }
        let Stage::Open(connection) = &mut self.stage else { return Ok(false) };
        while connection.is_ready() {
            // After an error there are no more events, and the output tells the peer.
            let Ok(Some(event)) = connection.receive(&mut self.input) else { return Ok(false) };
            match event {
                Event::Text(text) => connection.send(text)?,
                Event::Binary(payload) => connection.send(payload)?,
                _ => {}
            }
        }
        Ok(true)
    }

    /// Ends the opening handshake with the answer that its output holds.
    fn refuse(&mut self) {
        if let Stage::Opening(handshake) = &mut self.stage {
            let handshake = std::mem::replace(handshake, ServerHandshake::new(Config::new()));
            self.stage = Stage::Open(handshake.into_refusal());
        }
    }

    fn handle_timeout(&mut self, now: Timestamp) -> Result<Next, Box<dyn std::error::Error>> {
        match &mut self.stage {
            Stage::Opening(handshake) => {
                if let Err(late) = handshake.handle_timeout(now) {
                    eprintln!("{late}");
                    self.refuse();
                    return Ok(Next::Again);
                }
            }
            // It may have queued a ping.
            Stage::Open(connection) => {
                connection.handle_timeout(now)?;
                self.write()?;
            }
        }
        Ok(Next::Wait)
    }

    fn is_ready(&self) -> bool {
        match &self.stage {
            Stage::Opening(_) => true,
            Stage::Open(connection) => connection.is_ready(),
        }
    }

    /// Writes what the socket takes.
    fn write(&mut self) -> io::Result<()> {
        let Stage::Open(connection) = &mut self.stage else { return Ok(()) };
        let output = connection.output();
        while !output.is_empty() {
            match self.stream.write(output.chunk()) {
                Ok(written) => output.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads once; false if nothing has come.
    fn read(&mut self) -> io::Result<bool> {
        loop {
            match self.stream.read(self.input.space()) {
                Ok(0) => self.input.set_eof(),
                Ok(len) => self.input.filled(len),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(true);
        }
    }
}
