//! What several processes that share their rooms tell each other, and what they make of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Channel, Entry, Event, Head, Name, Notice, Outlet, Position, Record, Rooms, tell};

/// The greatest number of a message, and the latest time, that is taken from elsewhere: JavaScript counts no further than 2^53.
const MAX_NUMBER: u64 = 1 << 52;

/// Somebody has come, or has gone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// To which room; without one, to the chat.
    pub room: Option<Name>,
    /// Who.
    pub user: Name,
    /// True for who has come.
    pub is_there: bool,
}

/// A [`Record`] that another process has missed: its entries are shared with the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// As [`Record::Forgotten`].
    Forgotten(Option<Channel>, Position),
    /// As [`Record::Said`].
    Said(Arc<Entry>),
}

/// Adds a change to those that other processes want to know.
pub(super) fn note(changes: &mut Option<Vec<Change>>, room: Option<&Name>, user: &Name, is_there: bool) {
    if let Some(changes) = changes {
        changes.push(Change { room: room.cloned(), user: user.clone(), is_there });
    }
}

impl<O: Outlet> Rooms<O> {
    /// From now on it is noted who comes and goes. The caller takes these [changes](Self::take_changes) after each call.
    pub fn note_changes(&mut self) {
        self.changes.get_or_insert_default();
    }

    /// Who has come and gone through this process since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.changes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Somebody has come or gone through another process. Who finds the room full is not seen in it. True if a room has noted it.
    pub fn apply_presence(&mut self, origin: &Name, Change { room: name, user, is_there }: &Change) -> bool {
        if *is_there {
            // An inbox that finds no place is one that nobody here has written to.
            let _ = self.inboxes.open(user);
        }
        let Some(name) = name else { return false };
        let room = if *is_there { self.rooms.open(name) } else { self.rooms.get_mut(name) };
        let Some(room) = room else { return false };
        let is_full = room.presence.len() >= self.limits.max_people && !room.presence.contains(user);
        if room.presence.has(user, origin) == *is_there || (*is_there && is_full) {
            return false;
        }
        let is_news =
            if *is_there { room.presence.add(user, origin) } else { room.presence.remove(user, origin) };
        if is_news {
            let (room_name, user) = (name.clone(), user.clone());
            let event = if *is_there {
                Event::Came { room: room_name, user }
            } else {
                Event::Went { room: room_name, user }
            };
            tell(&self.guests, &room.members, &Notice::new(event), None, &mut self.lost);
        }
        self.rooms.settle(name);
        self.sweep();
        true
    }

    /// Another process is gone, and with it all who were there.
    pub fn forget_presence(&mut self, origin: &Name) {
        let mut names = Vec::new();
        for (name, room) in self.rooms.iter_mut() {
            for user in room.presence.forget(origin) {
                let went = Notice::new(Event::Went { room: name.clone(), user });
                tell(&self.guests, &room.members, &went, None, &mut self.lost);
                names.push(name.clone());
            }
        }
        for name in &names {
            self.rooms.settle(name);
        }
        self.sweep();
    }

    /// Who is in which room through a process.
    pub fn presence_of<'a>(&'a self, origin: &'a Name) -> impl Iterator<Item = (&'a Name, &'a Name)> {
        self.rooms.iter().flat_map(move |(name, room)| {
            let there = room.presence.people().filter(move |user| room.presence.has(user, origin));
            there.map(move |user| (name, user))
        })
    }

    /// Who is here, and in which room through this process: what another process has to know.
    pub fn presence(&self) -> impl Iterator<Item = (Option<&Name>, &Name)> {
        let here = self.inboxes.iter().filter(|(_, inbox)| !inbox.members.is_empty());
        here.map(|(user, _)| (None, user))
            .chain(self.presence_of(&self.origin).map(|(room, user)| (Some(room), user)))
    }

    /// How far this process has got: of each one, the last number.
    pub fn heads(&self) -> Position {
        self.heads.iter().map(|(origin, head)| (origin.clone(), head.seq)).collect()
    }

    /// The last number of a process.
    pub fn head(&self, origin: &Name) -> u64 {
        self.heads.get(origin).map_or(0, |head| head.seq)
    }

    /// What a process that has got to `since` has missed, as far as it is remembered.
    ///
    /// What was said is in the order of its times. So it is in the order of each process.
    pub fn missed(&self, since: &Position) -> Vec<Missed> {
        let is_ahead = |origin: &Name, seq: u64| since.get(origin).is_none_or(|read| *read < seq);
        let ahead = |position: &Position| -> Position {
            position
                .iter()
                .filter(|(origin, seq)| is_ahead(origin, **seq))
                .map(|(o, seq)| (o.clone(), *seq))
                .collect()
        };
        let rooms = self.rooms.iter().map(|(name, room)| (Channel::Room(name.clone()), &room.history));
        let inboxes = self.inboxes.iter().map(|(name, inbox)| (Channel::User(name.clone()), &inbox.history));
        let (mut missed, mut entries) = (Vec::new(), BTreeMap::new());
        for (channel, history) in rooms.chain(inboxes).chain([(Channel::All, &self.all.history)]) {
            let forgotten = ahead(history.forgotten());
            if !forgotten.is_empty() {
                missed.push(Missed::Forgotten(Some(channel), forgotten));
            }
            // An entry may be in two inboxes.
            for entry in history.entries().filter(|entry| is_ahead(&entry.origin, entry.seq)) {
                entries.insert((entry.time, &entry.origin, entry.seq), entry);
            }
        }
        missed.extend(entries.into_values().map(|entry| Missed::Said(Arc::clone(entry))));
        // Last, since it holds for the channels that are opened afterwards.
        let floors = [ahead(self.rooms.floor()), ahead(self.inboxes.floor())];
        missed.extend(
            floors.into_iter().filter(|floor| !floor.is_empty()).map(|floor| Missed::Forgotten(None, floor)),
        );
        missed
    }

    /// Takes a record that another process has given by [`missed`](Self::missed).
    pub fn learn(&mut self, record: Record) {
        match record {
            // The name of another process, which is not ours.
            Record::Origin(_) => {}
            Record::Said(entry) => {
                self.apply(entry, None);
            }
            Record::Forgotten(None, mut position) => {
                position.retain(|_, seq| *seq <= MAX_NUMBER);
                self.rooms.raise_floor(&position);
                self.inboxes.raise_floor(&position);
            }
            Record::Forgotten(Some(channel), mut position) => {
                // What this process has got is not forgotten here.
                position.retain(|origin, seq| self.head(origin) < *seq && *seq <= MAX_NUMBER);
                match channel {
                    Channel::All => self.all.history.raise_forgotten(&position),
                    Channel::Room(name) => self.rooms.forget_until(&name, &position),
                    Channel::User(name) => self.inboxes.forget_until(&name, &position),
                }
            }
        }
    }

    /// All has been learned that stands up to `heads`.
    pub fn catch_up(&mut self, heads: &Position) {
        for (origin, seq) in heads.iter().filter(|(_, seq)| **seq <= MAX_NUMBER) {
            // A process that nobody remembers anything of does not take the place of another one.
            if self.heads.len() < self.limits.max_origins || self.heads.contains_key(origin) {
                self.advance_head(origin, Head { seq: *seq, time: 0 });
            }
        }
    }

    /// True if an entry of another process keeps the rules that [`say`](Self::say) enforces here.
    pub fn is_sound(&self, entry: &Entry) -> bool {
        let is_numbered = (1..=MAX_NUMBER).contains(&entry.seq) && entry.time <= MAX_NUMBER;
        is_numbered && self.check_text(&entry.text).is_ok()
    }

    /// True if the entry is of a process that is not known, and is older than all that is known of as many processes as there may be.
    pub(super) fn is_too_old(&self, entry: &Entry) -> bool {
        self.heads.len() >= self.limits.max_origins
            && self.heads.iter().all(|(origin, head)| *origin == self.origin || head.time > entry.time)
    }

    /// True if two processes have accepted a message, because its client never learned that the first one had. It is told once.
    pub(super) fn is_said_already(&mut self, entry: &Entry) -> bool {
        let Some(place) = self.recent.place(&entry.from, entry.client, entry.id) else { return false };
        let add = |history: &mut super::history::History<O::Cache>| {
            if *place != (entry.origin.clone(), entry.seq) {
                history.add_alias(place, (entry.origin.clone(), entry.seq));
            }
        };
        match &entry.to {
            Channel::All => add(&mut self.all.history),
            Channel::Room(name) => {
                self.rooms.get_mut(name).into_iter().for_each(|room| add(&mut room.history))
            }
            Channel::User(name) => {
                for user in [name, &entry.from] {
                    self.inboxes.get_mut(user).into_iter().for_each(|inbox| add(&mut inbox.history));
                }
            }
        }
        true
    }
}
