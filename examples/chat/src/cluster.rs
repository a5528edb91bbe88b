//! [`Cluster`]: joins the rooms of several processes. Without I/O, and without a clock.
//!
//! ```text
//!   Rooms  ── said, changed ──>  Cluster  ── next_message ──>  Redis, one channel, heard by all processes
//!          <── apply, learn ───           <──── receive ─────
//! ```
//!
//! Redis keeps nothing, and may lose anything. So two ways lead to each message:
//!
//! - What a process accepts, it tells the others at once. The numbers of a process are consecutive, so that a gap is seen.
//! - Every second each process says how far it has got. Who has got less far asks, and gets what it has missed, in pages, from the history.
//!   So a process that was away, or is new, gets all that the others remember.
//!
//! Who is in which room is told in the same way: each change at once, with a number, and the whole list to who has missed one. A process that
//! is not heard for [`EXPIRY`] counts as gone, and its people with it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use crate::rooms::{Change, Entry, Missed, Name, Outlet, Position, Record, Rooms};
use held::Held;
use message::{Answer, Ask, Body, MAX_POSITION, Message, Status, VERSION};
use outbox::Outbox;
use peers::Peers;

mod held;
mod message;
mod outbox;
mod peers;
#[cfg(test)]
mod tests;

/// How often a process says that it lives.
pub const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// A process that was not heard for so long is gone.
pub const EXPIRY: Duration = Duration::from_secs(10);

/// A question is answered within this time, or asked again, perhaps of another process.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// The list of who is there is told once to all who ask within this time.
const EVERYONE_DELAY: Duration = Duration::from_millis(50);

/// How long it takes at most until all processes have answered a hello.
const HELLO_TIME: Duration = Duration::from_millis(500);

/// What joins the rooms of this process with those of others. See the [module](self).
#[derive(Debug)]
pub struct Cluster {
    origin: Name,
    run: u64,
    /// The number of the last change.
    changes: u64,
    peers: Peers,
    held: Held,
    next_question: u64,
    link: Option<Link>,
}

/// What exists as long as there is a connection to Redis.
#[derive(Debug)]
struct Link {
    start: Duration,
    outbox: Outbox,
    next_status: Duration,
    everyone_at: Option<Duration>,
    question: Option<Question>,
    /// What is left of the answers to others.
    answers: BTreeMap<Name, Rest>,
}

#[derive(Debug)]
struct Question {
    to: Name,
    number: u64,
    deadline: Duration,
}

#[derive(Debug)]
struct Rest {
    number: u64,
    records: VecDeque<Missed>,
    heads: Position,
}

/// A message to publish.
#[derive(Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The message.
    pub payload: String,
    /// The number of the last entry in it, if it tells what was said here.
    pub said: Option<u64>,
}

/// Why a message of another process is left aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It is of another version.
    Version(u32),
    /// It is none of ours.
    Malformed,
    /// Another process has our name.
    Twin,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(f, "a process speaks version {version}, and this one version {VERSION}")
            }
            Self::Malformed => f.write_str("a message of another process is not understood"),
            Self::Twin => f.write_str("another process has the same name: has its journal been copied?"),
        }
    }
}

impl Cluster {
    /// `origin` is the name of this process in its rooms, and `run` a random number.
    #[must_use]
    pub fn new(origin: Name, run: u64) -> Self {
        Self {
            origin,
            run,
            changes: 0,
            peers: Peers::default(),
            held: Held::default(),
            next_question: 0,
            link: None,
        }
    }

    /// There is a connection to Redis, and what the others say is heard.
    pub fn link_up<O: Outlet>(&mut self, now: Duration, rooms: &Rooms<O>) {
        self.link = Some(Link {
            start: now,
            outbox: Outbox::default(),
            next_status: now,
            everyone_at: None,
            question: None,
            answers: BTreeMap::new(),
        });
        self.tell_status(now, true, rooms);
    }

    /// The connection to Redis is over. What has not left is not kept: the others will ask for it.
    pub fn link_down(&mut self) {
        self.link = None;
    }

    /// True between [`link_up`](Self::link_up) and [`link_down`](Self::link_down), as long as Redis keeps up.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.link.is_some()
    }

    /// True if all processes that live have told what they know, or will not.
    #[must_use]
    pub fn is_settled<O: Outlet>(&self, now: Duration, rooms: &Rooms<O>) -> bool {
        let is_heard =
            self.link.as_ref().is_some_and(|link| now >= link.start + HELLO_TIME && link.question.is_none());
        is_heard && self.peers.iter().all(|(_, peer)| peer.is_known() && !peer.is_ahead(rooms))
    }

    /// This process has accepted a message.
    pub fn said(&mut self, entry: &Entry) {
        self.send(|outbox| outbox.push_entry(entry));
    }

    /// Somebody has come or gone here.
    pub fn changed(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.changes += changes.len() as u64;
            let number = self.changes;
            self.send(|outbox| outbox.push_changes(number, changes));
        }
    }

    /// This process stops.
    pub fn stop(&mut self) {
        self.send(|outbox| outbox.push(Body::Bye));
    }

    /// The next message to publish.
    pub fn next_message(&mut self) -> Option<Outgoing> {
        let body = self.link.as_mut()?.outbox.pop()?;
        let said = if let Body::Said(entries) = &body { entries.last().map(|entry| entry.seq) } else { None };
        let message = Message { version: VERSION, from: self.origin.clone(), run: self.run, body };
        // There is nothing in it that JSON cannot say.
        let payload = serde_json::to_string(&message).unwrap_or_default();
        Some(Outgoing { payload, said })
    }

    /// A message has come. What was said by others is given to `store` before guests are told.
    ///
    /// # Errors
    /// Why it is left aside. The next one may be better.
    pub fn receive<O: Outlet>(
        &mut self,
        now: Duration,
        payload: &[u8],
        rooms: &mut Rooms<O>,
        store: &mut dyn FnMut(&Entry),
    ) -> Result<(), Unknown> {
        let Message { from, run, body, .. } = Message::decode(payload)?;
        if from == self.origin {
            return if run == self.run { Ok(()) } else { Err(Unknown::Twin) };
        }
        let Some(peer) = self.peers.hear(now, &from, run) else { return Ok(()) };
        match body {
            Body::Status(Status { heads, changes, hello }) => {
                (peer.heads, peer.changes) = (heads, changes);
                if hello {
                    self.tell_status(now, false, rooms);
                }
            }
            Body::Said(entries) => {
                // Nobody speaks for another process.
                for entry in entries.into_iter().filter(|entry| entry.origin == from) {
                    let head = peer.heads.entry(from.clone()).or_default();
                    *head = entry.seq.max(*head);
                    if entry.seq <= rooms.head(&from) + 1 {
                        take(entry, rooms, store);
                    } else {
                        self.held.insert(entry);
                    }
                }
                self.release(&from, rooms, store);
            }
            Body::Changed(number, changes) => peer.change(&from, number, &changes, rooms),
            Body::Everyone(part) => peer.list(&from, part, rooms),
            Body::Ask(ask) if ask.to == self.origin => self.answer(from, ask, rooms),
            Body::Who { to } if to == self.origin => {
                if let Some(link) = &mut self.link {
                    link.everyone_at.get_or_insert(now + EVERYONE_DELAY);
                }
            }
            Body::Missed(answer) if answer.to == self.origin => self.learn(now, &from, answer, rooms, store),
            Body::Ask(_) | Body::Who { .. } | Body::Missed(_) => {}
            Body::Bye => self.forget(&from, rooms),
        }
        self.inquire(now, rooms);
        Ok(())
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let expiry = self.peers.iter().map(|(_, peer)| peer.heard_at + EXPIRY).min();
        let link = self.link.as_ref();
        let of_link = link.map(|link| {
            [Some(link.next_status), link.everyone_at, link.question.as_ref().map(|q| q.deadline)]
        });
        of_link.into_iter().flatten().chain([expiry]).flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout<O: Outlet>(&mut self, now: Duration, rooms: &mut Rooms<O>) {
        let late = now.saturating_sub(self.poll_timeout().unwrap_or(now));
        if late > STATUS_INTERVAL {
            // This process stood still, and has heard nobody meanwhile. The others may live.
            self.peers.iter_mut().for_each(|(_, peer)| peer.heard_at = now.min(peer.heard_at + late));
        }
        let is_gone = |peer: &peers::Peer| now >= peer.heard_at + EXPIRY;
        let gone: Vec<_> =
            self.peers.iter().filter(|(_, peer)| is_gone(peer)).map(|(name, _)| name.clone()).collect();
        gone.iter().for_each(|name| self.forget(name, rooms));
        let Some(link) = &mut self.link else { return };
        if link.question.as_ref().is_some_and(|question| now >= question.deadline) {
            link.question = None;
        }
        if link.everyone_at.is_some_and(|at| now >= at) {
            link.everyone_at = None;
            link.outbox.push_everyone(self.changes, rooms.presence());
        }
        if now >= link.next_status {
            self.tell_status(now, false, rooms);
        }
        self.inquire(now, rooms);
    }

    /// A process is gone.
    fn forget<O: Outlet>(&mut self, name: &Name, rooms: &mut Rooms<O>) {
        self.peers.remove(name);
        self.held.forget(name);
        if let Some(link) = &mut self.link {
            link.answers.remove(name);
        }
        rooms.forget_presence(name);
    }

    fn send(&mut self, push: impl FnOnce(&mut Outbox)) {
        let Some(link) = &mut self.link else { return };
        push(&mut link.outbox);
        if link.outbox.is_full() {
            self.link = None;
        }
    }

    fn tell_status<O: Outlet>(&mut self, now: Duration, hello: bool, rooms: &Rooms<O>) {
        if let Some(link) = &mut self.link {
            link.next_status = now + STATUS_INTERVAL;
        }
        let status = Status { heads: rooms.heads(), changes: self.changes, hello };
        self.send(|outbox| outbox.push(Body::Status(status)));
    }

    /// Asks for what is missing: what was said, of one process at a time, and who is there, of all.
    fn inquire<O: Outlet>(&mut self, now: Duration, rooms: &Rooms<O>) {
        let Some(link) = &mut self.link else { return };
        for (name, peer) in self.peers.iter_mut().filter(|(_, peer)| !peer.is_known()) {
            if peer.who_at.is_none_or(|at| now >= at + ANSWER_TIMEOUT) {
                peer.who_at = Some(now);
                link.outbox.push(Body::Who { to: name.clone() });
            }
        }
        if link.question.is_some() {
            return;
        }
        // Another one than last time, in case that one does not answer.
        let ahead = self.peers.iter_mut().filter(|(_, peer)| peer.is_ahead(rooms));
        let Some((name, peer)) = ahead.min_by_key(|(_, peer)| peer.asked_at) else { return };
        peer.asked_at = now;
        let mut since = rooms.heads();
        for (origin, seq) in &peer.told {
            if since.len() < MAX_POSITION || since.contains_key(origin) {
                let known = since.entry(origin.clone()).or_default();
                *known = seq.max(known).to_owned();
            }
        }
        let number = self.next_question;
        self.next_question += 1;
        link.question = Some(Question { to: name.clone(), number, deadline: now + ANSWER_TIMEOUT });
        link.outbox.push(Body::Ask(Ask { to: name.clone(), number, since: Some(since) }));
    }

    /// Tells another process the next page of what it has missed.
    fn answer<O: Outlet>(&mut self, from: Name, Ask { number, since, .. }: Ask, rooms: &Rooms<O>) {
        let Some(link) = &mut self.link else { return };
        if let Some(since) = since {
            let records = rooms.missed(&since).into();
            link.answers.insert(from.clone(), Rest { number, records, heads: rooms.heads() });
        }
        let Some(rest) = link.answers.get_mut(&from).filter(|rest| rest.number == number) else { return };
        let records = outbox::page(&mut rest.records);
        let heads = rest.records.is_empty().then(|| std::mem::take(&mut rest.heads));
        if heads.is_some() {
            link.answers.remove(&from);
        }
        self.send(|outbox| outbox.push(Body::Missed(Answer { to: from, number, records, heads })));
    }

    /// Takes a page of what was missed here, and asks for the next one.
    fn learn<O: Outlet>(
        &mut self,
        now: Duration,
        from: &Name,
        Answer { number, records, heads, .. }: Answer<Record>,
        rooms: &mut Rooms<O>,
        store: &mut dyn FnMut(&Entry),
    ) {
        let Some(link) = &mut self.link else { return };
        let Some(question) =
            link.question.as_mut().filter(|question| question.to == *from && question.number == number)
        else {
            return;
        };
        for record in records {
            match record {
                Record::Said(entry) => take(entry, rooms, store),
                other => rooms.learn(other),
            }
        }
        match heads {
            None => {
                question.deadline = now + ANSWER_TIMEOUT;
                link.outbox.push(Body::Ask(Ask { to: from.clone(), number, since: None }));
            }
            Some(heads) => {
                link.question = None;
                rooms.catch_up(&heads);
                if let Some(peer) = self.peers.get_mut(from) {
                    peer.told = heads;
                }
            }
        }
        for origin in self.held.origins() {
            self.release(&origin, rooms, store);
        }
    }

    /// Takes what is held of a process, up to the next gap.
    fn release<O: Outlet>(&mut self, origin: &Name, rooms: &mut Rooms<O>, store: &mut dyn FnMut(&Entry)) {
        while let Some(entry) = self.held.next(origin, rooms.head(origin)) {
            let seq = entry.seq;
            take(entry, rooms, store);
            if rooms.head(origin) < seq {
                // The rooms have no place for this process.
                break;
            }
        }
    }
}

/// Takes what was said in another process. What breaks the rules is as if it were forgotten.
fn take<O: Outlet>(entry: Entry, rooms: &mut Rooms<O>, store: &mut dyn FnMut(&Entry)) {
    if entry.seq <= rooms.head(&entry.origin) {
        return;
    }
    if rooms.is_sound(&entry) {
        store(&entry);
        rooms.apply(entry, None);
    } else {
        let position = Position::from([(entry.origin, entry.seq)]);
        rooms.learn(Record::Forgotten(Some(entry.to), position.clone()));
        rooms.catch_up(&position);
    }
}
