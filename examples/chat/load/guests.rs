//! [`Crowd`]: the guests, in their rooms.

use std::cell::{Cell, OnceCell};
use std::error::Error;
use std::ops::Sub;
use std::rc::Rc;

use serde_json::{Value, json};
use tidewire::tokio::{ClientStream, Connector, Reader, Writer};
use tidewire::{ClientRequest, Config, Deflate, Event};

use crate::dialect::Told;
use crate::login::Visits;
use crate::process::{Kind, Server};

/// So many come at once.
const AT_ONCE: usize = 50;

/// Messages that were acknowledged and heard by all, and what guests have heard.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) messages: u64,
    pub(crate) heard: u64,
}

impl Sub for Count {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { messages: self.messages - earlier.messages, heard: self.heard - earlier.heard }
    }
}

/// What all tasks share: there is one thread.
#[derive(Debug, Default)]
struct State {
    count: Cell<Count>,
    /// Why a guest has gone, which none should.
    problem: OnceCell<String>,
}

/// A room, with the message that is under way in it.
#[derive(Debug)]
struct Room {
    state: Rc<State>,
    kind: Kind,
    name: String,
    /// The others, who hear it.
    listeners: Cell<usize>,
    speaker: OnceCell<Writer<ClientStream>>,
    heard: Cell<usize>,
    is_acknowledged: Cell<bool>,
    next_id: Cell<u64>,
}

impl Room {
    fn say(&self) -> Result<(), Box<dyn Error>> {
        self.heard.set(0);
        self.is_acknowledged.set(false);
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let message = self.kind.say(id, &self.name);
        self.speaker.get().ok_or("a room without a speaker")?.queue(message)?;
        Ok(())
    }

    fn receive(&self, text: &str, writer: &Writer<ClientStream>) -> Result<(), Box<dyn Error>> {
        let mut count = self.state.count.get();
        match self.kind.told(text) {
            Told::Said => {
                self.heard.set(self.heard.get() + 1);
                count.heard += 1;
            }
            Told::Acknowledged => self.is_acknowledged.set(true),
            Told::Refused => return Err(text.into()),
            Told::Asked(answer) => {
                writer.queue(answer)?;
                return Ok(());
            }
            Told::Other => return Ok(()),
        }
        let is_done = self.is_acknowledged.get() && self.heard.get() == self.listeners.get();
        count.messages += u64::from(is_done);
        self.state.count.set(count);
        if is_done { self.say() } else { Ok(()) }
    }
}

/// All guests.
#[derive(Debug)]
pub(crate) struct Crowd {
    state: Rc<State>,
    rooms: Vec<Rc<Room>>,
}

impl Crowd {
    /// Lets all guests log in, connect, and join their rooms.
    pub(crate) async fn enter(
        server: &Server,
        guests: usize,
        rooms: usize,
        deflate: bool,
    ) -> Result<Self, Box<dyn Error>> {
        let state = Rc::new(State::default());
        let room = |number| Room {
            state: Rc::clone(&state),
            kind: server.kind,
            name: format!("room{number}"),
            listeners: Cell::default(),
            speaker: OnceCell::new(),
            heard: Cell::default(),
            is_acknowledged: Cell::default(),
            next_id: Cell::new(1),
        };
        let rooms: Vec<_> = (0..rooms).map(|number| Rc::new(room(number))).collect();
        let mut visits = Visits::open(&server.hosts[0]).await?;
        for start in (0..guests).step_by(AT_ONCE) {
            let mut coming = Vec::new();
            for number in start..guests.min(start + AT_ONCE) {
                // Half of each room, if there are two processes, is with either.
                let host = &server.hosts[number / rooms.len() % server.hosts.len()];
                let (request, hello) = introduction(server.kind, host, &mut visits, number).await?;
                let room = Rc::clone(&rooms[number % rooms.len()]);
                coming.push(tokio::task::spawn_local(enter(request, hello, room, deflate)));
            }
            for guest in coming {
                guest.await?.map_err(|error| format!("a guest cannot come in: {error}"))?;
            }
        }
        Ok(Self { state, rooms })
    }

    /// In each room, somebody begins.
    pub(crate) fn talk(&self) -> Result<(), Box<dyn Error>> {
        self.rooms.iter().try_for_each(|room| room.say())
    }

    pub(crate) fn count(&self) -> Count {
        self.state.count.get()
    }

    /// Nobody has gone, and nothing was refused.
    pub(crate) fn check(&self) -> Result<(), Box<dyn Error>> {
        self.state.problem.get().map_or(Ok(()), |problem| Err(problem.as_str().into()))
    }
}

/// The request of a guest, and how it introduces itself.
async fn introduction(
    kind: Kind,
    host: &str,
    visits: &mut Visits,
    number: usize,
) -> Result<(ClientRequest, Value), Box<dyn Error>> {
    let client = format!("{number:032x}");
    Ok(match kind {
        Kind::Chat | Kind::ChatSocketIo => {
            let login = visits.log_in(number).await?;
            let path =
                if kind == Kind::Chat { "socket/main" } else { "socket.io/?EIO=4&transport=websocket" };
            let request = ClientRequest::new(&format!("ws://{host}/{path}"))?;
            let request = request
                .with_header("Cookie", &login.cookie)?
                .with_header("X-Forwarded-For", &login.address)?;
            let hello = match kind {
                Kind::Chat => json!({ "type": "hello", "token": login.token, "client": client }),
                // It has been in no room, not even in the lobby.
                _ => json!({ "offset": r#"{"rooms":{}}"# }),
            };
            (request, hello)
        }
        Kind::Ws => {
            let request = ClientRequest::new(&format!("ws://{host}/?user=guest{number}"))?;
            (request, json!({ "type": "hello", "client": client }))
        }
        Kind::SocketIo => {
            let query = format!("EIO=4&transport=websocket&user=guest{number}");
            (ClientRequest::new(&format!("ws://{host}/socket.io/?{query}"))?, json!({}))
        }
    })
}

/// Comes in, and goes on listening in a task.
async fn enter(request: ClientRequest, hello: Value, room: Rc<Room>, deflate: bool) -> Result<(), String> {
    let text = |error: &dyn Error| error.to_string();
    // The server asks whether a guest is alive, and the guest answers.
    let config = Config::new().without_keepalive();
    let config = if deflate { config.with_deflate(Deflate::new()) } else { config };
    let connector = Connector::new().with_config(config);
    let socket = connector.connect(request).await.map_err(|error| text(&error))?;
    if socket.agreement().is_some() != deflate {
        return Err("the server does not agree on compression".into());
    }
    let (mut reader, writer) = socket.split();
    for (message, awaited) in room.kind.introduction(&hello, &room.name) {
        writer.send(message).await.map_err(|error| text(&error))?;
        loop {
            match reader.recv_ref().await {
                Ok(Some(Event::Text(message))) if message.starts_with(&awaited) => break,
                Ok(Some(Event::Text(message))) if room.kind.told(&message) == Told::Refused => {
                    return Err(message.to_string());
                }
                Ok(Some(_)) => {}
                Ok(None) => return Err("the server has closed the connection".into()),
                Err(error) => return Err(text(&error)),
            }
        }
    }
    // There, a speaker hears its own words.
    if room.speaker.set(writer.clone()).is_err() || room.kind == Kind::ChatSocketIo {
        room.listeners.set(room.listeners.get() + 1);
    }
    tokio::task::spawn_local(listen(reader, writer, room));
    Ok(())
}

async fn listen(mut reader: Reader<ClientStream>, writer: Writer<ClientStream>, room: Rc<Room>) {
    let problem = loop {
        match reader.recv_ref().await {
            Ok(Some(Event::Text(text))) => {
                if let Err(error) = room.receive(&text, &writer) {
                    break error.to_string();
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => break "the server has closed a connection".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    let _ = room.state.problem.set(problem);
}
