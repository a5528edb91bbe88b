//! [`Peers`]: the other processes, as far as they have been heard.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::message::Everyone;
use crate::rooms::{Change, Name, Outlet, Position, Rooms};

/// Beyond so many processes newcomers are not heard.
const MAX_PEERS: usize = 64;

/// People in rooms of one process. Those beyond are not seen from here.
const MAX_PAIRS: usize = 200_000;

/// The other processes by name.
#[derive(Debug, Default)]
pub(super) struct Peers(BTreeMap<Name, Peer>);

/// Another process.
#[derive(Debug, Default)]
pub(super) struct Peer {
    pub(super) run: u64,
    pub(super) heard_at: Duration,
    /// How far it has got.
    pub(super) heads: Position,
    /// How far it had got when it told the last time all that was missed.
    pub(super) told: Position,
    pub(super) asked_at: Duration,
    /// The number of its last change.
    pub(super) changes: u64,
    /// The number of the change up to which it is known who is there.
    pub(super) known: Option<u64>,
    /// When it was asked who is there.
    pub(super) who_at: Option<Duration>,
    /// The parts of its list that have come.
    list: Option<List>,
    /// How many people in rooms are seen of it.
    seen: usize,
}

#[derive(Debug)]
struct List {
    changes: u64,
    next_part: u32,
    pairs: BTreeSet<(Option<Name>, Name)>,
}

impl Peers {
    /// A process was heard. `None` if there are too many.
    pub(super) fn hear(&mut self, now: Duration, name: &Name, run: u64) -> Option<&mut Peer> {
        if !self.0.contains_key(name) && self.0.len() >= MAX_PEERS {
            return None;
        }
        let peer = self.0.entry(name.clone()).or_default();
        if peer.run != run {
            // It was started again. Who was there is there no longer, unless its new list says so.
            *peer = Peer { run, seen: peer.seen, ..Peer::default() };
        }
        peer.heard_at = now;
        Some(peer)
    }

    pub(super) fn get_mut(&mut self, name: &Name) -> Option<&mut Peer> {
        self.0.get_mut(name)
    }

    pub(super) fn remove(&mut self, name: &Name) {
        self.0.remove(name);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, &Peer)> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&Name, &mut Peer)> {
        self.0.iter_mut()
    }
}

impl Peer {
    /// True if it has what is missing here, and has not said that it is forgotten.
    pub(super) fn is_ahead<O: Outlet>(&self, rooms: &Rooms<O>) -> bool {
        self.heads
            .iter()
            .any(|(origin, seq)| *seq > rooms.head(origin).max(self.told.get(origin).copied().unwrap_or(0)))
    }

    /// True if it is known who is there.
    pub(super) fn is_known(&self) -> bool {
        self.known == Some(self.changes)
    }

    /// Somebody has come or gone there. The numbers show whether a change is missing.
    pub(super) fn change<O: Outlet>(
        &mut self,
        name: &Name,
        number: u64,
        changes: &[Change],
        rooms: &mut Rooms<O>,
    ) {
        self.changes = number.max(self.changes);
        if self.known.is_some_and(|known| number <= known) {
            return;
        }
        self.known = match number.checked_sub(changes.len() as u64) {
            before if before.is_some() && before == self.known => {
                changes.iter().for_each(|change| self.apply(name, change, rooms));
                Some(number)
            }
            _ => None,
        };
    }

    /// A part of the list of who is there. When it is whole, who is not on it has gone.
    pub(super) fn list<O: Outlet>(&mut self, name: &Name, part: Everyone, rooms: &mut Rooms<O>) {
        let Everyone { changes, part, last, people } = part;
        if self.known.is_some_and(|known| changes <= known) {
            return;
        }
        let mut list = match self.list.take() {
            _ if part == 0 => List { changes, next_part: 0, pairs: BTreeSet::new() },
            Some(list) if list.changes == changes && list.next_part == part => list,
            _ => return,
        };
        list.next_part += 1;
        let pairs = people
            .into_iter()
            .flat_map(|(room, users)| users.into_iter().map(move |user| (room.clone(), user)));
        list.pairs.extend(pairs.take(MAX_PAIRS.saturating_sub(list.pairs.len())));
        if !last {
            self.list = Some(list);
            return;
        }
        let is_gone = |(room, user): &(Name, Name)| !list.pairs.contains(&(Some(room.clone()), user.clone()));
        let there = rooms.presence_of(name).map(|(room, user)| (room.clone(), user.clone()));
        let gone: Vec<_> = there.filter(is_gone).collect();
        for (room, user) in gone {
            self.apply(name, &Change { room: Some(room), user, is_there: false }, rooms);
        }
        for (room, user) in list.pairs {
            self.apply(name, &Change { room, user, is_there: true }, rooms);
        }
        self.known = Some(changes);
        self.changes = changes.max(self.changes);
    }

    fn apply<O: Outlet>(&mut self, name: &Name, change: &Change, rooms: &mut Rooms<O>) {
        if change.is_there && self.seen >= MAX_PAIRS {
            return;
        }
        if rooms.apply_presence(name, change) {
            self.seen = if change.is_there { self.seen + 1 } else { self.seen - 1 };
        }
    }
}
