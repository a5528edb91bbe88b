//! The programs that use the socket under test, one for each scenario.

use tidewire::tokio::{Incoming, WebSocket, accept, client};
use tidewire::{
    ClientRequest, CloseCode, Config, Error, Event, Input, Prepared, SendError, ServerHandshake, State,
};

use crate::scenario::Scenario;
use crate::tokio_stream::{Cut, Peer, Stream};
use crate::tokio_way::Way;
use crate::tokio_wire::Role;

/// The program that uses the socket.
pub struct Player {
    way: Way,
    scenario: Scenario,
    role: Role,
    peer: Peer,
    pub cut: Cut,
    pub is_open: bool,
    pub received: Vec<Vec<u8>>,
    pub errors: Vec<Error>,
    pub vouched: usize,
}

type Socket = WebSocket<Stream>;

impl Player {
    pub fn new(way: Way, scenario: Scenario, role: Role, peer: Peer, cut: Cut) -> Self {
        let (received, errors) = (Vec::new(), Vec::new());
        Self { way, scenario, role, peer, cut, is_open: false, received, errors, vouched: 0 }
    }

    /// Plays the scenario; fails if the connection does not open.
    pub async fn play(&mut self, stream: Stream) -> Result<(), Error> {
        let handshake = ServerHandshake::new(Config::new());
        let mut socket = match self.scenario {
            Scenario::Accept => accept(stream).await?,
            Scenario::AcceptInTwoSteps => {
                let incoming = Incoming::receive(stream, handshake).await?;
                incoming.accept(Some("v2"), &[("X-Tide", "high")]).await?
            }
            Scenario::Reject => {
                let incoming = Incoming::receive(stream, handshake).await?;
                return incoming.reject(404, &[("X-Tide", "low")], b"no such place").await;
            }
            Scenario::Outdated => return Incoming::receive(stream, handshake).await.map(drop),
            Scenario::Connect => client(stream, &ClientRequest::new("ws://example.org/chat")?).await?,
            _ => {
                let config = Config::new().with_high_water_len(64);
                WebSocket::from_parts(stream, self.role.connection(config), Input::new())
            }
        };
        self.is_open = true;
        if self.scenario == Scenario::Halves {
            return self.halves(socket).await;
        }
        let result = match self.scenario {
            Scenario::EchoInFragments => self.echo_in_fragments(&mut socket).await,
            Scenario::Pings => self.pings(&mut socket).await,
            Scenario::Close => self.close(&mut socket, Some("last")).await,
            Scenario::Linger => Ok(()),
            Scenario::Batches => self.batches(&mut socket).await,
            Scenario::Prepared => self.prepared(&mut socket).await,
            _ => self.echo(&mut socket).await,
        };
        self.errors.extend(result.err());
        self.finish(&mut socket).await;
        Ok(())
    }

    /// Calls a cancel safe method until its future is not dropped.
    async fn call<T>(&mut self, mut method: impl AsyncFnMut() -> T) -> T {
        loop {
            if let Some(output) = self.cut.run(method()).await {
                return output;
            }
        }
    }

    async fn recv(&mut self, socket: &mut Socket) -> Result<bool, Error> {
        let way = self.way;
        let message = self.call(async || way.recv(socket).await).await?;
        self.received.extend(message.as_ref().map(|message| message.as_bytes().to_vec()));
        Ok(message.is_some())
    }

    async fn flush(&mut self, socket: &mut Socket, frames: usize) -> Result<(), Error> {
        let way = self.way;
        self.call(async || way.flush(socket).await).await?;
        self.vouched += frames;
        Ok(())
    }

    /// Sends a message, which is queued whole or not at all when the future is dropped.
    async fn send(&mut self, socket: &mut Socket, message: &[u8]) -> Result<(), Error> {
        let total = |socket: &Socket| self.peer.written_len() + socket.queued_len();
        let before = total(socket);
        while self.cut.run(self.way.send(socket, message)).await.transpose()?.is_none() {
            if total(socket) > before {
                return self.flush(socket, 1).await;
            }
        }
        self.vouched += 1;
        Ok(())
    }

    async fn echo(&mut self, socket: &mut Socket) -> Result<(), Error> {
        while self.recv(socket).await? {
            let message = self.received.last().expect("one").clone();
            self.send(socket, &message).await?;
        }
        Ok(())
    }

    async fn echo_in_fragments(&mut self, socket: &mut Socket) -> Result<(), Error> {
        while self.recv(socket).await? {
            let message = self.received.last().expect("one").clone();
            let (first, second) = message.split_at(message.len() / 2);
            socket.queue_fragment(first.to_vec(), false)?;
            socket.queue_fragment(second.to_vec(), true)?;
            self.flush(socket, 2).await?;
        }
        Ok(())
    }

    async fn pings(&mut self, socket: &mut Socket) -> Result<(), Error> {
        for n in 0..3 {
            // Dropped: queued.
            if self.cut.run(socket.ping(&[n])).await.transpose()?.is_none() {
                self.flush(socket, 0).await?;
            }
            while self.received.len() <= usize::from(n) {
                let pong = self.call(async || {
                    Ok::<_, Error>(match socket.recv_ref().await? {
                        Some((Event::Pong(payload), _)) => payload.to_vec(),
                        other => panic!("{other:?} instead of a pong"),
                    })
                });
                let pong = pong.await?;
                self.received.push(pong);
            }
        }
        self.close(socket, None).await
    }

    async fn close(&mut self, socket: &mut Socket, last: Option<&str>) -> Result<(), Error> {
        last.map_or(Ok(()), |last| socket.queue(last))?;
        let way = self.way;
        self.call(async || way.close(socket, CloseCode::GOING_AWAY).await).await?;
        self.vouched += usize::from(last.is_some());
        Ok(())
    }

    async fn batches(&mut self, socket: &mut Socket) -> Result<(), Error> {
        let way = self.way;
        for batch in 1..4 {
            for n in 0..batch {
                // Dropped: not queued.
                self.call(async || way.feed(socket, &[n; 30]).await).await?;
            }
            self.flush(socket, usize::from(batch)).await?;
        }
        self.close(socket, None).await
    }

    async fn prepared(&mut self, socket: &mut Socket) -> Result<(), Error> {
        for prepared in [Prepared::new(&[9; 5000]), Prepared::new("short")] {
            for _ in 0..2 {
                self.call(async || socket.ready().await).await?;
                socket.queue(&prepared)?;
            }
            self.flush(socket, 2).await?;
        }
        self.close(socket, None).await
    }

    /// Receives and sends at the same time; the writer closes.
    async fn halves(&mut self, socket: Socket) -> Result<(), Error> {
        #[cfg(feature = "futures")]
        if self.way != Way::Methods {
            return self.halves_by_traits(socket).await;
        }
        let (mut reader, writer) = socket.split();
        let (mut read_cut, mut write_cut) = (self.cut, self.cut);
        let (received, vouched) = (&mut self.received, &mut self.vouched);
        let reading = async {
            loop {
                match read_cut.run(reader.recv()).await.transpose()? {
                    Some(Some(message)) => received.push(message.as_bytes().to_vec()),
                    Some(None) => return Ok(()),
                    None => {}
                }
            }
        };
        let writing = async {
            for n in 0..5 {
                while write_cut.run(writer.feed(&[n; 40])).await.transpose()?.is_none() {}
            }
            while write_cut.run(writer.flush()).await.transpose()?.is_none() {}
            *vouched += 5;
            while write_cut.run(writer.close(CloseCode::GOING_AWAY)).await.transpose()?.is_none() {}
            Ok::<_, Error>(())
        };
        let (read, wrote) = tokio::join!(reading, writing);
        self.cut.pendings = read_cut.pendings.max(write_cut.pendings);
        let end = format!("{:?}", read.as_ref().err());
        self.errors.extend(wrote.err());
        self.errors.extend(read.err());
        let written = self.peer.written_len();
        for _ in 0..3 {
            let again = reader.recv().await.map(|message| assert_eq!(message, None)).err();
            assert_eq!(format!("{again:?}"), end);
            assert_is_over(writer.send("late").await);
            assert_is_over(writer.ping(b"late").await);
        }
        assert!(reader.ending().is_some());
        assert_eq!((reader.state(), writer.queued_len()), (State::Closed, 0));
        assert_eq!(self.peer.written_len(), written);
        Ok(())
    }

    /// The same by the traits, with halves of either kind.
    #[cfg(feature = "futures")]
    async fn halves_by_traits(&mut self, socket: Socket) -> Result<(), Error> {
        if self.way == Way::TraitsSplit {
            let (mut sink, mut stream) = futures_util::StreamExt::split(socket);
            self.both_halves(&mut stream, &mut sink).await;
            let mut socket = stream.reunite(sink).expect("halves of one socket");
            self.finish(&mut socket).await;
        } else {
            let (mut reader, mut writer) = socket.split();
            self.both_halves(&mut reader, &mut writer).await;
            let written = self.peer.written_len();
            assert!(
                reader.recv().await.map(|message| assert_eq!(message, None)).is_ok()
                    || !self.errors.is_empty()
            );
            assert_is_over(writer.send("late").await);
            assert!(reader.ending().is_some());
            assert_eq!((reader.state(), writer.queued_len()), (State::Closed, 0));
            assert_eq!(self.peer.written_len(), written);
        }
        Ok(())
    }

    #[cfg(feature = "futures")]
    async fn both_halves(
        &mut self,
        stream: &mut (impl futures_util::Stream<Item = Result<tidewire::Message, Error>> + Unpin),
        sink: &mut (impl futures_util::Sink<tidewire::Message, Error = Error> + Unpin),
    ) {
        use futures_util::{SinkExt as _, StreamExt as _};

        let (mut read_cut, mut write_cut) = (self.cut, self.cut);
        let (received, vouched) = (&mut self.received, &mut self.vouched);
        let reading = async {
            loop {
                match read_cut.run(stream.next()).await {
                    Some(Some(message)) => received.push(message?.as_bytes().to_vec()),
                    Some(None) => return Ok(()),
                    None => {}
                }
            }
        };
        let writing = async {
            for n in 0..5 {
                while write_cut.run(sink.feed([n; 40].into())).await.transpose()?.is_none() {}
            }
            while write_cut.run(sink.flush()).await.transpose()?.is_none() {}
            *vouched += 5;
            while write_cut.run(sink.close()).await.transpose()?.is_none() {}
            Ok::<_, Error>(())
        };
        let (read, wrote): (Result<(), Error>, _) = tokio::join!(reading, writing);
        self.cut.pendings = read_cut.pendings.max(write_cut.pendings);
        self.errors.extend(wrote.err());
        self.errors.extend(read.err());
    }

    /// Receives what there still is, and the end: that stays the same, and nothing is sent any more.
    async fn finish(&mut self, socket: &mut Socket) {
        let mut end = loop {
            match self.recv(socket).await {
                Ok(true) => {}
                Ok(false) => break None,
                Err(error) => break Some(error),
            }
        };
        if self.way != Way::Methods {
            // A stream ends after its error, which the methods repeat.
            for _ in 0..3 {
                assert!(matches!(self.way.recv(socket).await, Ok(None)));
            }
            let again = socket.recv().await.map(|message| assert_eq!(message, None)).err();
            if end.is_some() {
                assert_eq!(format!("{end:?}"), format!("{again:?}"));
            }
            end = again;
        }
        let written = self.peer.written_len();
        for _ in 0..3 {
            let again =
                [socket.recv().await.map(|message| assert_eq!(message, None)), socket.close(None).await];
            for again in again {
                assert_eq!(format!("{:?}", again.err()), format!("{end:?}"));
            }
            assert_is_over(socket.send("late").await);
            assert_is_over(socket.feed("late").await);
            assert_is_over(socket.ping(b"late").await);
        }
        assert!(socket.ending().is_some());
        assert_eq!((socket.state(), socket.queued_len()), (State::Closed, 0));
        assert_eq!(self.peer.written_len(), written);
        self.errors.extend(end);
    }
}

/// A message after the end is refused, for the reason that the end had.
#[track_caller]
fn assert_is_over(sent: Result<(), Error>) {
    assert!(matches!(sent, Err(Error::Send(SendError::Closed) | Error::Io(_))), "{sent:?}");
}
