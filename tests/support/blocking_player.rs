//! The programs that use the socket under test, one for each scenario.

use tidewire::blocking::{Incoming, WebSocket, accept, client};
use tidewire::{
    ClientRequest, CloseCode, Config, Error, Event, Input, Prepared, SendError, ServerHandshake, State,
};

use crate::blocking_stream::Scripted;
use crate::scenario::Scenario;
use crate::wire::Role;

/// The program that uses the socket.
pub struct Player {
    scenario: Scenario,
    role: Role,
    pub is_open: bool,
    pub received: Vec<Vec<u8>>,
    pub errors: Vec<Error>,
    pub vouched: usize,
}

type Socket = WebSocket<Scripted>;

impl Player {
    pub fn new(scenario: Scenario, role: Role) -> Self {
        Self { scenario, role, is_open: false, received: Vec::new(), errors: Vec::new(), vouched: 0 }
    }

    /// Plays the scenario; fails if the connection does not open.
    pub fn play(&mut self, stream: &Scripted) -> Result<(), Error> {
        let (handshake, transport) = (ServerHandshake::new(Config::new()), stream.clone());
        let mut socket = match self.scenario {
            Scenario::Accept => accept(transport)?,
            Scenario::AcceptInTwoSteps => {
                Incoming::receive(transport, handshake)?.accept(Some("v2"), &[("X-Tide", "high")])?
            }
            Scenario::Reject => {
                let incoming = Incoming::receive(transport, handshake)?;
                return incoming.reject(404, &[("X-Tide", "low")], b"no such place");
            }
            Scenario::Outdated => return Incoming::receive(transport, handshake).map(drop),
            Scenario::Connect => client(transport, &ClientRequest::new("ws://example.org/chat")?)?,
            _ => {
                let config = Config::new().with_high_water_len(64);
                WebSocket::from_parts(transport, self.role.connection(config), Input::new())
            }
        };
        self.is_open = true;
        let result = match self.scenario {
            Scenario::EchoInFragments => self.echo_in_fragments(&mut socket),
            Scenario::Pings => self.pings(&mut socket),
            Scenario::Close => self.close(&mut socket, Some("last")),
            Scenario::Linger => Ok(()),
            Scenario::Batches => self.batches(&mut socket),
            Scenario::Prepared => self.prepared(&mut socket),
            Scenario::Halves => return self.halves(socket, stream),
            _ => self.echo(&mut socket),
        };
        self.errors.extend(result.err());
        self.finish(&mut socket, stream);
        Ok(())
    }

    fn recv(&mut self, socket: &mut Socket) -> Result<bool, Error> {
        let message = socket.recv()?;
        self.received.extend(message.as_ref().map(|message| message.as_bytes().to_vec()));
        Ok(message.is_some())
    }

    fn flush(&mut self, socket: &mut Socket, frames: usize) -> Result<(), Error> {
        socket.flush()?;
        self.vouched += frames;
        Ok(())
    }

    fn echo(&mut self, socket: &mut Socket) -> Result<(), Error> {
        while self.recv(socket)? {
            socket.send(self.received.last().expect("one"))?;
            self.vouched += 1;
        }
        Ok(())
    }

    fn echo_in_fragments(&mut self, socket: &mut Socket) -> Result<(), Error> {
        while self.recv(socket)? {
            let message = self.received.last().expect("one").clone();
            let (first, second) = message.split_at(message.len() / 2);
            socket.queue_fragment(first.to_vec(), false)?;
            socket.queue_fragment(second.to_vec(), true)?;
            self.flush(socket, 2)?;
        }
        Ok(())
    }

    fn pings(&mut self, socket: &mut Socket) -> Result<(), Error> {
        for n in 0..3 {
            socket.ping(&[n])?;
            match socket.recv_ref()? {
                Some((Event::Pong(payload), _)) => self.received.push(payload.to_vec()),
                other => panic!("{other:?} instead of a pong"),
            }
        }
        self.close(socket, None)
    }

    fn close(&mut self, socket: &mut Socket, last: Option<&str>) -> Result<(), Error> {
        last.map_or(Ok(()), |last| socket.queue(last))?;
        socket.close(CloseCode::GOING_AWAY)?;
        self.vouched += usize::from(last.is_some());
        Ok(())
    }

    fn batches(&mut self, socket: &mut Socket) -> Result<(), Error> {
        for batch in 1..4 {
            for n in 0..batch {
                socket.feed(&[n; 30])?;
            }
            self.flush(socket, usize::from(batch))?;
        }
        self.close(socket, None)
    }

    fn prepared(&mut self, socket: &mut Socket) -> Result<(), Error> {
        for prepared in [Prepared::new(&[9; 5000]), Prepared::new("short")] {
            for _ in 0..2 {
                socket.ready()?;
                socket.queue(&prepared)?;
            }
            self.flush(socket, 2)?;
        }
        self.close(socket, None)
    }

    /// Receives and sends in turn; the writer closes.
    fn halves(&mut self, socket: Socket, stream: &Scripted) -> Result<(), Error> {
        let (mut reader, writer) = socket.split();
        let mut writing = || {
            for n in 0..5 {
                writer.feed(&[n; 40])?;
            }
            writer.flush()?;
            self.vouched += 5;
            writer.close(CloseCode::GOING_AWAY)
        };
        self.errors.extend(writing().err());
        let end = loop {
            match reader.recv() {
                Ok(Some(message)) => self.received.push(message.as_bytes().to_vec()),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let written = stream.state().written.len();
        for _ in 0..3 {
            let again = reader.recv().map(|message| assert_eq!(message, None)).err();
            assert_eq!(format!("{again:?}"), format!("{end:?}"));
            assert_is_over(writer.send("late"));
            assert_is_over(writer.ping(b"late"));
        }
        assert!(reader.ending().is_some());
        assert_eq!((reader.state(), writer.queued_len()), (State::Closed, 0));
        assert_eq!(stream.state().written.len(), written);
        self.errors.extend(end);
        Ok(())
    }

    /// Receives what there still is, and the end: that stays the same, and nothing is sent any more.
    fn finish(&mut self, socket: &mut Socket, stream: &Scripted) {
        let end = loop {
            match self.recv(socket) {
                Ok(true) => {}
                Ok(false) => break None,
                Err(error) => break Some(error),
            }
        };
        let written = stream.state().written.len();
        for _ in 0..3 {
            let again = [socket.recv().map(|message| assert_eq!(message, None)), socket.close(None)];
            for again in again {
                assert_eq!(format!("{:?}", again.err()), format!("{end:?}"));
            }
            assert_is_over(socket.send("late"));
            assert_is_over(socket.feed("late"));
            assert_is_over(socket.ping(b"late"));
        }
        assert!(socket.ending().is_some());
        assert_eq!((socket.state(), socket.queued_len()), (State::Closed, 0));
        assert_eq!(stream.state().written.len(), written);
        self.errors.extend(end);
    }
}

/// A message after the end is refused, for the reason that the end had.
#[track_caller]
fn assert_is_over(sent: Result<(), Error>) {
    assert!(matches!(sent, Err(Error::Send(SendError::Closed) | Error::Io(_))), "{sent:?}");
}
