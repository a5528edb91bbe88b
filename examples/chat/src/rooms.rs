//! [`Rooms`]: who is where, and what was said. Without I/O, and without a clock.
//!
//! ```text
//!  a guest's request        Rooms::say        an entry        Rooms::apply       every guest's
//!  of any protocol    ───>  checks it   ───>  to store  ───>  remembers it  ───> Outlet
//!                                                               ^      ^
//!                         from another process ────────────────┘      └──────── from the journal, by Rooms::restore
//! ```
//!
//! The caller stores an entry between `say` and `apply`, so that a message that was acknowledged is a message that was stored.
//!
//! A process numbers what it accepts. Its name, the *origin*, and that number identify a message among all processes. A guest that was away
//! names the last number that it has read of each origin, and gets what followed.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use channels::{Channels, Room};
use history::advance;
use recent::Recent;
use total::Total;

mod channels;
mod entry;
mod event;
mod history;
mod limits;
mod name;
mod presence;
mod processes;
mod recent;
#[cfg(test)]
mod tests;
mod total;

pub use entry::{Channel, ClientId, Entry, Position};
pub use event::{Event, Notice, Outlet};
pub use limits::{Limits, Refusal};
pub use name::Name;
pub use processes::{Change, Missed};

/// A connection that takes part: a person may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GuestId(u64);

/// Who somebody is, as the login says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name, which no other login has.
    pub name: Name,
    /// True for those who may do what others may not.
    pub is_moderator: bool,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub enum Act<'a> {
    /// Join a room.
    Join(&'a Name),
    /// Say something.
    Say(&'a Channel),
}

/// Whether a person may do something. It is asked for each message.
pub type Policy = fn(&Person, Act<'_>) -> bool;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is valid and new: store it, then [`Rooms::apply`] it.
    New(Entry),
    /// It was said before.
    Known {
        /// The process that accepted it.
        origin: Name,
        /// Its number there.
        seq: u64,
    },
}

/// What has to be stored to begin again where a process has stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    /// The name of the process.
    Origin(Name),
    /// What a channel has forgotten; without a channel, what those have that do not exist any more.
    Forgotten(Option<Channel>, Position),
    /// A message.
    Said(Entry),
}

struct Guest<O> {
    person: Person,
    client: ClientId,
    outlet: O,
    rooms: BTreeSet<Name>,
}

/// The rooms of one namespace. See the [module](self).
pub struct Rooms<O: Outlet> {
    origin: Name,
    limits: Limits,
    policy: Policy,
    guests: HashMap<GuestId, Guest<O>>,
    next_guest: u64,
    all: Room<O::Cache>,
    rooms: Channels<O::Cache>,
    inboxes: Channels<O::Cache>,
    /// Of each person, how many rooms it is in through this process.
    joined: HashMap<Name, usize>,
    total: Total,
    recent: Recent,
    /// Of each process, the last message, and when it was said.
    heads: BTreeMap<Name, Head>,
    /// Guests that have not taken an event: they leave before the next call.
    lost: Vec<GuestId>,
    /// Who has come and gone here, if other processes want to know.
    changes: Option<Vec<Change>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Head {
    seq: u64,
    time: u64,
}

impl<O: Outlet> Rooms<O> {
    /// Rooms without guests. `origin` is the name of this process, which no other process has.
    #[must_use]
    pub fn new(origin: Name, limits: Limits, policy: Policy) -> Self {
        Self {
            origin,
            policy,
            guests: HashMap::new(),
            next_guest: 0,
            all: Room::new(Position::new()),
            rooms: Channels::new(limits.max_rooms),
            inboxes: Channels::new(limits.max_inboxes),
            joined: HashMap::new(),
            total: Total::default(),
            recent: Recent::new(limits.max_recent),
            heads: BTreeMap::new(),
            lost: Vec::new(),
            changes: None,
            limits,
        }
    }

    /// The name of this process.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// How many guests there are.
    pub fn guest_count(&self) -> usize {
        self.guests.len()
    }

    /// A guest comes in. It gets what was said to all and to this person since, if it says since when; otherwise all that is remembered.
    ///
    /// # Errors
    /// [`Full`](Refusal::Full), [`InvalidPosition`](Refusal::InvalidPosition).
    pub fn enter(
        &mut self,
        person: Person,
        client: ClientId,
        outlet: O,
        since_all: Option<&Position>,
        since_user: Option<&Position>,
    ) -> Result<GuestId, Refusal> {
        self.check_position(since_all)?;
        self.check_position(since_user)?;
        if self.guests.len() >= self.limits.max_guests {
            return Err(Refusal::Full);
        }
        let user = person.name.clone();
        let inbox = self.inboxes.open(&user).ok_or(Refusal::Full)?;
        let id = GuestId(self.next_guest);
        self.next_guest += 1;
        self.all.members.insert(id);
        inbox.members.insert(id);
        let has_taken = replay(&outlet, Channel::All, &self.all, since_all)
            && replay(&outlet, Channel::User(user.clone()), inbox, since_user);
        self.inboxes.settle(&user);
        processes::note(&mut self.changes, None, &user, true);
        self.guests.insert(id, Guest { person, client, outlet, rooms: BTreeSet::new() });
        if !has_taken {
            self.lost.push(id);
        }
        self.sweep();
        Ok(id)
    }

    /// A guest leaves the rooms, and is forgotten. Does nothing the second time.
    pub fn exit(&mut self, id: GuestId) {
        self.lost.push(id);
        self.sweep();
    }

    /// A guest joins a room, and gets what was said there since. True if the person has just come to the room through this process.
    ///
    /// # Errors
    /// [`Gone`](Refusal::Gone), [`AlreadyThere`](Refusal::AlreadyThere), [`NotAllowed`](Refusal::NotAllowed),
    /// [`TooManyRooms`](Refusal::TooManyRooms), [`TooManyRoomsOfYours`](Refusal::TooManyRoomsOfYours), [`RoomFull`](Refusal::RoomFull),
    /// [`InvalidPosition`](Refusal::InvalidPosition).
    pub fn join(&mut self, id: GuestId, name: &Name, since: Option<&Position>) -> Result<bool, Refusal> {
        self.check_position(since)?;
        let guest = self.guests.get_mut(&id).ok_or(Refusal::Gone)?;
        if guest.rooms.contains(name) {
            return Err(Refusal::AlreadyThere);
        }
        if !(self.policy)(&guest.person, Act::Join(name)) {
            return Err(Refusal::NotAllowed);
        }
        let user = guest.person.name.clone();
        let is_first = self.rooms.get(name).is_none_or(|room| !room.presence.has(&user, &self.origin));
        let joined = self.joined.get(&user).copied().unwrap_or(0);
        if is_first && joined >= self.limits.max_rooms_per_person {
            return Err(Refusal::TooManyRoomsOfYours);
        }
        let room = self.rooms.open(name).ok_or(Refusal::TooManyRooms)?;
        if room.presence.len() >= self.limits.max_people && !room.presence.contains(&user) {
            return Err(Refusal::RoomFull);
        }
        if is_first {
            self.joined.insert(user.clone(), joined + 1);
            processes::note(&mut self.changes, Some(name), &user, true);
        }
        if room.presence.add(&user, &self.origin) {
            let came = Notice::new(Event::Came { room: name.clone(), user });
            tell(&self.guests, &room.members, &came, None, &mut self.lost);
        }
        if let Some(guest) = self.guests.get_mut(&id) {
            guest.rooms.insert(name.clone());
            room.members.insert(id);
            if !replay(&guest.outlet, Channel::Room(name.clone()), room, since) {
                self.lost.push(id);
            }
        }
        self.rooms.settle(name);
        self.sweep();
        Ok(is_first)
    }

    /// A guest leaves a room. True if the person is no longer in the room through this process.
    ///
    /// # Errors
    /// [`Gone`](Refusal::Gone), [`NotAMember`](Refusal::NotAMember).
    pub fn leave(&mut self, id: GuestId, name: &Name) -> Result<bool, Refusal> {
        let guest = self.guests.get_mut(&id).ok_or(Refusal::Gone)?;
        if !guest.rooms.remove(name) {
            return Err(Refusal::NotAMember);
        }
        if !guest.outlet.deliver(&Notice::new(Event::Left { room: name.clone() })) {
            self.lost.push(id);
        }
        let user = guest.person.name.clone();
        self.take_out(id, name, &user);
        let is_last = self.rooms.get(name).is_none_or(|room| !room.presence.has(&user, &self.origin));
        self.sweep();
        Ok(is_last)
    }

    /// Judges what a guest wants to say. Nothing has happened yet: store a new entry, then [`apply`](Self::apply) it.
    ///
    /// `id` is the client's number for the message, and `time` the time in milliseconds since 1970.
    ///
    /// # Errors
    /// [`Gone`](Refusal::Gone), [`Empty`](Refusal::Empty), [`TooLong`](Refusal::TooLong), [`Malformed`](Refusal::Malformed),
    /// [`NotAMember`](Refusal::NotAMember), [`NoSuchPerson`](Refusal::NoSuchPerson), [`NotAllowed`](Refusal::NotAllowed).
    pub fn say(
        &self,
        guest: GuestId,
        id: u64,
        to: Channel,
        text: String,
        time: u64,
    ) -> Result<Verdict, Refusal> {
        let guest = self.guests.get(&guest).ok_or(Refusal::Gone)?;
        let Person { name: from, .. } = &guest.person;
        if let Some((origin, seq)) = self.recent.place(from, guest.client, id) {
            return Ok(Verdict::Known { origin: origin.clone(), seq: *seq });
        }
        self.check_text(&text)?;
        match &to {
            Channel::All => {}
            Channel::Room(room) if guest.rooms.contains(room) => {}
            Channel::Room(_) => return Err(Refusal::NotAMember),
            Channel::User(user) if self.inboxes.get(user).is_some() => {}
            Channel::User(_) => return Err(Refusal::NoSuchPerson),
        }
        if !(self.policy)(&guest.person, Act::Say(&to)) {
            return Err(Refusal::NotAllowed);
        }
        let head = self.heads.get(&self.origin).copied().unwrap_or_default();
        Ok(Verdict::New(Entry {
            origin: self.origin.clone(),
            seq: head.seq + 1,
            to,
            from: from.clone(),
            client: guest.client,
            id,
            // The entries of a process are in the order of their times, even when its clock is put back.
            time: time.max(head.time),
            text,
        }))
    }

    /// A message was said, here or in another process: it enters the history, and all guests whom it concerns are told but `except`. Returns
    /// how many were. A message that is known already is not told again.
    ///
    /// The messages of one process come in the order of their numbers.
    pub fn apply(&mut self, mut entry: Entry, except: Option<GuestId>) -> usize {
        match self.heads.get(&entry.origin) {
            Some(head) if head.seq >= entry.seq => return 0,
            Some(head) => entry.time = entry.time.max(head.time),
            None if self.is_too_old(&entry) => return 0,
            None => {}
        }
        let reached = self.remember(entry, except);
        self.sweep();
        reached
    }

    /// Takes a record that [`records`](Self::records) has given, or an entry that was stored later, in that order, before guests come.
    pub fn restore(&mut self, record: Record) {
        match record {
            Record::Origin(origin) => self.origin = origin,
            Record::Forgotten(channel, position) => {
                for (origin, seq) in &position {
                    self.advance_head(origin, Head { seq: *seq, time: 0 });
                }
                match channel {
                    None => {
                        self.rooms.raise_floor(&position);
                        self.inboxes.raise_floor(&position);
                    }
                    Some(Channel::All) => self.all.history.forget_until(position),
                    Some(Channel::Room(name)) => self.rooms.restore(&name, position),
                    Some(Channel::User(name)) => self.inboxes.restore(&name, position),
                }
            }
            Record::Said(entry) => {
                self.remember(entry, None);
            }
        }
    }

    /// All that has to be stored.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let mut floor = self.rooms.floor().clone();
        for (origin, seq) in self.inboxes.floor() {
            advance(&mut floor, origin, *seq);
        }
        let rooms = self.rooms.iter().map(|(name, room)| (Channel::Room(name.clone()), room));
        let inboxes = self.inboxes.iter().map(|(name, inbox)| (Channel::User(name.clone()), inbox));
        let mut channels: Vec<_> = rooms.chain(inboxes).chain([(Channel::All, &self.all)]).collect();
        channels.sort_by(|(one, _), (other, _)| one.cmp(other));
        // An entry is in two inboxes, and stored once.
        let mut entries = BTreeMap::new();
        for entry in channels.iter().flat_map(|(_, room)| room.history.entries()) {
            entries.insert((entry.time, &entry.origin, entry.seq), entry);
        }
        let forgotten =
            channels.into_iter().map(|(channel, room)| (Some(channel), room.history.forgotten().clone()));
        let forgotten =
            [(None, floor)].into_iter().chain(forgotten).map(|(channel, at)| Record::Forgotten(channel, at));
        let said = entries.into_values().map(|entry| Record::Said((**entry).clone()));
        [Record::Origin(self.origin.clone())].into_iter().chain(forgotten).chain(said)
    }

    fn check_text(&self, text: &str) -> Result<(), Refusal> {
        if text.trim().is_empty() {
            return Err(Refusal::Empty);
        }
        if text.len() > self.limits.max_text_len {
            return Err(Refusal::TooLong);
        }
        // Nothing that hides text or doubles its length again and again on the way.
        if text.contains(|char: char| char.is_control() && char != '\n' && char != '\t') {
            return Err(Refusal::Malformed);
        }
        Ok(())
    }

    fn check_position(&self, since: Option<&Position>) -> Result<(), Refusal> {
        let is_valid = since.is_none_or(|since| since.len() <= self.limits.max_origins);
        if is_valid { Ok(()) } else { Err(Refusal::InvalidPosition) }
    }

    fn remember(&mut self, entry: Entry, except: Option<GuestId>) -> usize {
        self.advance_head(&entry.origin, Head { seq: entry.seq, time: entry.time });
        if self.is_said_already(&entry) {
            return 0;
        }
        self.recent.insert(&entry);
        let entry = Arc::new(entry);
        let Limits { max_history_count, max_history_len, .. } = self.limits;
        let (guests, total, lost) = (&self.guests, &mut self.total, &mut self.lost);
        let mut put = |channel: Channel, room: &mut Room<O::Cache>| {
            if room.history.has_forgotten(&entry) {
                return 0;
            }
            let number = total.add(channel, &entry);
            let notice = room.history.push(number, Arc::clone(&entry));
            while let Some(number) = room.history.forget_beyond(max_history_count, max_history_len) {
                total.remove(number);
            }
            tell(guests, &room.members, &notice, except, lost)
        };
        let to = entry.to.clone();
        let reached = match &entry.to {
            Channel::All => put(to, &mut self.all),
            Channel::Room(name) => self.rooms.open_for(name, &entry).map_or(0, |room| put(to, room)),
            Channel::User(name) => {
                let reached = self.inboxes.open_for(name, &entry).map_or(0, |inbox| put(to, inbox));
                if *name != entry.from {
                    // For the sender's other connections.
                    let from = Channel::User(entry.from.clone());
                    let _ = self.inboxes.open_for(&entry.from, &entry).map(|inbox| put(from, inbox));
                }
                reached
            }
        };
        self.forget_beyond_total();
        reached
    }

    /// Forgets the oldest messages of all, as far as all histories are too long together.
    fn forget_beyond_total(&mut self) {
        for number in self.rooms.take_dropped().into_iter().chain(self.inboxes.take_dropped()) {
            self.total.remove(number);
        }
        while let Some(channel) = self.total.pop_beyond(self.limits.max_total_len) {
            let room = match &channel {
                Channel::All => Some(&mut self.all),
                Channel::Room(name) => self.rooms.get_mut(name),
                Channel::User(name) => self.inboxes.get_mut(name),
            };
            // The oldest of all is the oldest of its channel.
            room.and_then(|room| room.history.forget_oldest());
        }
    }

    fn advance_head(&mut self, origin: &Name, head: Head) {
        let known = self.heads.entry(origin.clone()).or_default();
        known.seq = known.seq.max(head.seq);
        known.time = known.time.max(head.time);
        if self.heads.len() > self.limits.max_origins {
            let others = self.heads.iter().filter(|(other, _)| **other != self.origin && *other != origin);
            let Some(oldest) = others.min_by_key(|(_, head)| head.time).map(|(oldest, _)| oldest.clone())
            else {
                return;
            };
            self.heads.remove(&oldest);
            self.all.history.forget_origin(&oldest);
            self.rooms.forget_origin(&oldest);
            self.inboxes.forget_origin(&oldest);
        }
    }

    fn take_out(&mut self, id: GuestId, name: &Name, user: &Name) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.members.remove(&id);
        if room.presence.remove(user, &self.origin) {
            let went = Notice::new(Event::Went { room: name.clone(), user: user.clone() });
            tell(&self.guests, &room.members, &went, None, &mut self.lost);
        }
        if !room.presence.has(user, &self.origin) {
            processes::note(&mut self.changes, Some(name), user, false);
            if let hash_map::Entry::Occupied(mut joined) = self.joined.entry(user.clone()) {
                *joined.get_mut() -= 1;
                if *joined.get() == 0 {
                    joined.remove();
                }
            }
        }
        self.rooms.settle(name);
    }

    /// Takes out the guests that are lost. Their going may lose others.
    fn sweep(&mut self) {
        while let Some(id) = self.lost.pop() {
            let Some(Guest { person, rooms, .. }) = self.guests.remove(&id) else { continue };
            self.all.members.remove(&id);
            if let Some(inbox) = self.inboxes.get_mut(&person.name) {
                inbox.members.remove(&id);
            }
            self.inboxes.settle(&person.name);
            for name in &rooms {
                self.take_out(id, name, &person.name);
            }
        }
    }
}

impl<O: Outlet> fmt::Debug for Rooms<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rooms")
            .field("origin", &self.origin)
            .field("guests", &self.guests.len())
            .finish_non_exhaustive()
    }
}

/// Tells a guest what is in a channel, and what it has missed there. False if it does not take that.
fn replay<O: Outlet>(outlet: &O, channel: Channel, room: &Room<O::Cache>, since: Option<&Position>) -> bool {
    let history = &room.history;
    let people = room.presence.people().cloned().collect();
    let gap = since.is_some_and(|since| history.has_gap(since));
    let joined = Event::Joined { channel, people, after: history.forgotten().clone(), gap };
    outlet.deliver(&Notice::new(joined))
        && history.after(since.unwrap_or(&Position::new())).all(|notice| outlet.deliver(notice))
}

/// Tells members something. Returns how many have taken it; the others are lost.
fn tell<O: Outlet>(
    guests: &HashMap<GuestId, Guest<O>>,
    members: &BTreeSet<GuestId>,
    notice: &Notice<O::Cache>,
    except: Option<GuestId>,
    lost: &mut Vec<GuestId>,
) -> usize {
    let mut reached = 0;
    for id in members.iter().filter(|id| Some(**id) != except) {
        match guests.get(id) {
            Some(guest) if guest.outlet.deliver(notice) => reached += 1,
            _ => lost.push(*id),
        }
    }
    reached
}
