//! [`Channels`]: rooms or inboxes by name, of which those that nobody is in make place for new ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::history::{History, advance};
use super::presence::Presence;
use super::{Entry, GuestId, Name, Position};

/// One room, or the inbox of one person.
#[derive(Debug)]
pub(super) struct Room<C> {
    pub(super) members: BTreeSet<GuestId>,
    pub(super) presence: Presence,
    pub(super) history: History<C>,
    /// Its place in line, while nobody is in it.
    idle: Option<u64>,
}

impl<C: Default> Room<C> {
    pub(super) fn new(forgotten: Position) -> Self {
        Self {
            members: BTreeSet::new(),
            presence: Presence::default(),
            history: History::new(forgotten),
            idle: None,
        }
    }
}

/// Rooms or inboxes by name.
#[derive(Debug)]
pub(super) struct Channels<C> {
    by_name: HashMap<Name, Room<C>>,
    /// Those that nobody is in, the longest first.
    idle: BTreeMap<u64, Name>,
    next_idle: u64,
    /// What stood in those that made place.
    floor: Position,
    /// The messages in those that made place, by their numbers among all.
    dropped: Vec<u64>,
    max_count: usize,
}

impl<C: Default> Channels<C> {
    pub(super) fn new(max_count: usize) -> Self {
        Self {
            by_name: HashMap::new(),
            idle: BTreeMap::new(),
            next_idle: 0,
            floor: Position::new(),
            dropped: Vec::new(),
            max_count,
        }
    }

    pub(super) fn get(&self, name: &Name) -> Option<&Room<C>> {
        self.by_name.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &Name) -> Option<&mut Room<C>> {
        self.by_name.get_mut(name)
    }

    /// The room of that name, which is made if need be. `None` if there are too many, and somebody is in each.
    pub(super) fn open(&mut self, name: &Name) -> Option<&mut Room<C>> {
        if !self.by_name.contains_key(name) {
            if self.by_name.len() >= self.max_count {
                let (_, oldest) = self.idle.pop_first()?;
                let mut room = self.by_name.remove(&oldest)?;
                while let Some(number) = room.history.forget_oldest() {
                    self.dropped.push(number);
                }
                self.raise_floor(room.history.forgotten());
            }
            self.by_name.insert(name.clone(), Room::new(self.floor.clone()));
            self.settle(name);
        }
        self.by_name.get_mut(name)
    }

    /// [`open`](Self::open), for an entry, which is forgotten if there is no place.
    pub(super) fn open_for(&mut self, name: &Name, entry: &Entry) -> Option<&mut Room<C>> {
        if self.open(name).is_none() {
            advance(&mut self.floor, &entry.origin, entry.seq);
        }
        self.by_name.get_mut(name)
    }

    /// The messages that are gone with their rooms since the last call.
    pub(super) fn take_dropped(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.dropped)
    }

    /// Begins a room where another one of that name has stopped.
    pub(super) fn restore(&mut self, name: &Name, forgotten: Position) {
        if let Some(room) = self.open(name) {
            room.history.forget_until(forgotten);
        }
    }

    /// Forgets that there ever was a process of that name.
    pub(super) fn forget_origin(&mut self, origin: &Name) {
        self.floor.remove(origin);
        for room in self.by_name.values_mut() {
            room.history.forget_origin(origin);
        }
    }

    /// Puts a room in line while nobody is in it, here or through another process: to call after somebody has come or gone.
    pub(super) fn settle(&mut self, name: &Name) {
        let Some(room) = self.by_name.get_mut(name) else { return };
        match (room.members.is_empty() && room.presence.len() == 0, room.idle) {
            (true, None) => {
                room.idle = Some(self.next_idle);
                self.idle.insert(self.next_idle, name.clone());
                self.next_idle += 1;
            }
            (false, Some(place)) => {
                room.idle = None;
                self.idle.remove(&place);
            }
            _ => {}
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, &Room<C>)> {
        self.by_name.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&Name, &mut Room<C>)> {
        self.by_name.iter_mut()
    }

    /// What stood in a room up to `position` is gone elsewhere, and has not been here.
    pub(super) fn forget_until(&mut self, name: &Name, position: &Position) {
        match self.open(name) {
            Some(room) => room.history.raise_forgotten(position),
            None => self.raise_floor(position),
        }
    }

    pub(super) fn floor(&self) -> &Position {
        &self.floor
    }

    pub(super) fn raise_floor(&mut self, floor: &Position) {
        for (origin, seq) in floor {
            advance(&mut self.floor, origin, *seq);
        }
    }
}
