//! [`Listener`]: the way to a Socket.IO client, and [`Offset`]: what it has been sent.
//!
//! Each event ends with the offset as a text. The official client sends the last one when it connects again, in `auth`, by itself.
//! So a client gets what it has missed, once, without a line of its own.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use chat_socketio::engine::SendError;
use chat_socketio::server::Socket;
use chat_socketio::socket::{Data, Outgoing};
use serde::{Deserialize, Serialize};

use crate::rooms::{Channel, ClientId, Entry, Event, Name, Position};

/// The longest offset, in bytes. A client that is in so many rooms that its own is longer has to say itself what it has read.
pub const MAX_OFFSET_LEN: usize = 4_096;

/// What a client has been sent, and the rooms that it is in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Offset {
    /// Of what is said to all.
    pub all: Option<Position>,
    /// Of what is said to this person.
    pub user: Option<Position>,
    /// Of each room.
    pub rooms: BTreeMap<Name, Position>,
}

impl Offset {
    /// `None` if it is none, or too long.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|_| text.len() <= MAX_OFFSET_LEN)
    }

    fn of(&mut self, channel: &Channel) -> Option<&mut Position> {
        match channel {
            Channel::All => self.all.as_mut(),
            Channel::User(_) => self.user.as_mut(),
            Channel::Room(room) => self.rooms.get_mut(room),
        }
    }

    /// The text to send with an event. Once it is too long there is none, and nothing is kept any more.
    fn told(kept: &mut Option<Self>, event: &Event) -> Option<String> {
        let offset = kept.as_mut()?;
        offset.note(event);
        let text = serde_json::to_string(offset).ok().filter(|text| text.len() <= MAX_OFFSET_LEN);
        if text.is_none() {
            *kept = None;
        }
        text
    }

    fn note(&mut self, event: &Event) {
        match event {
            // Where it began is known from then on, also if it has read nothing yet.
            Event::Joined { channel, after, .. } => match channel {
                Channel::All => drop(self.all.get_or_insert_with(|| after.clone())),
                Channel::User(_) => drop(self.user.get_or_insert_with(|| after.clone())),
                Channel::Room(room) => drop(self.rooms.entry(room.clone()).or_insert_with(|| after.clone())),
            },
            Event::Left { room } => drop(self.rooms.remove(room)),
            Event::Said(entry) => {
                if let Some(position) = self.of(&entry.to) {
                    let seq = position.entry(entry.origin.clone()).or_default();
                    *seq = entry.seq.max(*seq);
                }
            }
            Event::Came { .. } | Event::Went { .. } => {}
        }
    }
}

/// The way to a Socket.IO client.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// `None` once it is too long.
    offset: Mutex<Option<Offset>>,
}

impl Listener {
    /// A client that has been sent so much, and is about to join the rooms in there.
    #[must_use]
    pub fn new(socket: Socket, offset: Offset) -> Self {
        Self { socket, offset: Mutex::new(Some(offset)) }
    }

    /// The client is about to join a room of which it has read so much. False if it is known to be in there.
    pub fn joins(&self, room: &Name, since: Option<&Position>) -> bool {
        let mut kept = self.lock();
        let Some(offset) = &mut *kept else { return true };
        let is_new = !offset.rooms.contains_key(room);
        if let Some(since) = since.filter(|_| is_new) {
            offset.rooms.insert(room.clone(), since.clone());
        }
        is_new
    }

    /// The client is not in the room.
    pub fn leaves(&self, room: &Name) {
        if let Some(offset) = &mut *self.lock() {
            offset.rooms.remove(room);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Offset>> {
        self.offset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an event. `heard` is made of it once for all clients. False if the client is gone, or does not keep up.
    pub fn deliver(&self, event: &Event, heard: &OnceLock<Heard>) -> bool {
        let heard = heard.get_or_init(|| Heard::new(self.socket.namespace(), event));
        let offset = Offset::told(&mut self.lock(), event);
        let sent = match offset {
            Some(offset) => self.socket.send(&heard.0.with_text(&offset)),
            None => self.socket.send(&heard.0),
        };
        if sent == Err(SendError::Full) {
            // It comes back, and gets what it has missed.
            self.socket.close();
        }
        sent.is_ok()
    }
}

/// An event as Socket.IO's clients hear it, without the offset.
#[derive(Debug)]
pub struct Heard(Outgoing);

impl Heard {
    /// `chat message` with the text first, and the rest behind it; other events as they are.
    #[must_use]
    pub fn new(namespace: &str, event: &Event) -> Self {
        let name = match event {
            Event::Said(_) => "chat message",
            Event::Joined { .. } => "joined",
            Event::Left { .. } => "left",
            Event::Came { .. } => "came",
            Event::Went { .. } => "went",
        };
        let data = match event {
            Event::Said(entry) => Data::new(&(&entry.text, Details::of(entry))),
            event => Data::new(&(event,)),
        };
        // There is nothing in them that JSON cannot say.
        Self(Outgoing::event(namespace, name, &data.unwrap_or_default()))
    }
}

/// What there is to know of a message beside its text.
#[derive(Serialize)]
struct Details<'e> {
    from: &'e Name,
    to: &'e Channel,
    time: u64,
    origin: &'e Name,
    seq: u64,
    client: ClientId,
    id: u64,
}

impl<'e> Details<'e> {
    fn of(entry: &'e Entry) -> Self {
        let Entry { origin, seq, to, from, client, id, time, .. } = entry;
        Self { from, to, time: *time, origin, seq: *seq, client: *client, id: *id }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chat_socketio::engine::Encoded;

    use super::*;

    fn name(name: &str) -> Name {
        Name::new(name).expect("a name")
    }

    fn position(seq: u64) -> Position {
        Position::from([(name("p"), seq)])
    }

    fn said(to: Channel, origin: &str, seq: u64) -> Event {
        let (from, client) = (name("ann"), ClientId::new(7));
        Event::Said(Arc::new(Entry {
            origin: name(origin),
            seq,
            to,
            from,
            client,
            id: 1,
            time: 2,
            text: "\"hi\"".into(),
        }))
    }

    fn joined(channel: Channel, after: Position) -> Event {
        Event::Joined { channel, people: Vec::new(), after, gap: false }
    }

    #[test]
    fn an_offset_tells_what_was_sent() {
        let (lobby, ann) = (Channel::Room(name("lobby")), Channel::User(name("ann")));
        let mut offset = Offset::default();
        for event in [
            joined(Channel::All, Position::new()),
            joined(ann.clone(), position(2)),
            joined(lobby.clone(), position(3)),
            joined(Channel::Room(name("kitchen")), position(3)),
            said(lobby.clone(), "p", 5),
            said(lobby.clone(), "q", 1),
            // A replay of what came before.
            said(lobby.clone(), "p", 4),
            said(ann, "p", 6),
            Event::Left { room: name("kitchen") },
            // It is not there any more.
            said(Channel::Room(name("kitchen")), "p", 7),
        ] {
            offset.note(&event);
        }
        let text = serde_json::to_string(&offset).expect("JSON");
        assert_eq!(text, r#"{"all":{},"user":{"p":6},"rooms":{"lobby":{"p":5,"q":1}}}"#);
        // It goes on from there, and not from the beginning of the history.
        let mut again = Offset::parse(&text).expect("an offset");
        again.note(&joined(lobby, position(9)));
        assert_eq!(again, offset);
    }

    #[test]
    fn an_offset_that_is_too_long_is_kept_no_more() {
        let mut kept = Some(Offset::default());
        let origins: Position = (0..100).map(|number| (name(&format!("{number:048}")), 1)).collect();
        assert!(Offset::told(&mut kept, &joined(Channel::Room(name("lobby")), position(1))).is_some());
        assert_eq!(Offset::told(&mut kept, &joined(Channel::Room(name("kitchen")), origins)), None);
        assert_eq!(kept, None);
        assert_eq!(Offset::told(&mut kept, &said(Channel::All, "p", 5)), None);
    }

    #[test]
    fn what_is_no_offset_is_none() {
        let long = format!(r#"{{"rooms":{{{}}}}}"#, vec![r#""lobby":{}"#; 500].join(","));
        for wrong in
            ["", "1", "hello", r#"{"all":{"a b":1}}"#, r#"{"all":{"p":-1}}"#, r#"{"other":{}}"#, &long]
        {
            assert_eq!(Offset::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Offset::parse("{}"), Some(Offset::default()));
    }

    #[test]
    fn the_text_of_a_message_comes_first() {
        let heard = Heard::new("/", &said(Channel::All, "p", 5));
        let client = format!("{:032x}", 7);
        let details = format!(
            r#"{{"from":"ann","to":"all","time":2,"origin":"p","seq":5,"client":"{client}","id":1}}"#
        );
        let text = format!(r#"42["chat message","\"hi\"",{details}]"#);
        assert_eq!(heard.0.packets(), [Encoded::Text(text.into())]);
    }
}
