//! [`History`]: the last messages of a channel, and what became of those before.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Entry, Event, Name, Notice, Position};

/// The last messages of a channel, within a number and a length.
#[derive(Debug)]
pub(super) struct History<C> {
    kept: VecDeque<Kept<C>>,
    /// Bytes of text in `kept`.
    len: usize,
    /// Of each process, the last message that is no longer here.
    forgotten: Position,
}

#[derive(Debug)]
struct Kept<C> {
    /// Its number among the messages of all histories.
    number: u64,
    entry: Arc<Entry>,
    /// What guests are told, with what their protocols have made of it.
    notice: Arc<Notice<C>>,
    /// Where else it stands: two processes have accepted it.
    aliases: Vec<(Name, u64)>,
}

impl<C: Default> History<C> {
    /// An empty history. What stood here before, if anything, is gone up to `forgotten`.
    pub(super) fn new(forgotten: Position) -> Self {
        Self { kept: VecDeque::new(), len: 0, forgotten }
    }

    /// Adds a message.
    pub(super) fn push(&mut self, number: u64, entry: Arc<Entry>) -> Arc<Notice<C>> {
        let notice = Arc::new(Notice::new(Event::Said(Arc::clone(&entry))));
        self.len += entry.text.len();
        self.kept.push_back(Kept { number, entry, notice: Arc::clone(&notice), aliases: Vec::new() });
        notice
    }

    /// Forgets the oldest message, and returns its number. `None` if there is none.
    pub(super) fn forget_oldest(&mut self) -> Option<u64> {
        let Kept { number, entry, .. } = self.kept.pop_front()?;
        self.len -= entry.text.len();
        advance(&mut self.forgotten, &entry.origin, entry.seq);
        Some(number)
    }

    /// [`forget_oldest`](Self::forget_oldest), if there is more than that.
    pub(super) fn forget_beyond(&mut self, max_count: usize, max_len: usize) -> Option<u64> {
        if self.kept.len() > max_count || self.len > max_len { self.forget_oldest() } else { None }
    }

    /// What came after `since`.
    pub(super) fn after(&self, since: &Position) -> impl Iterator<Item = &Arc<Notice<C>>> {
        self.kept.iter().filter(|kept| !kept.is_covered(since)).map(|kept| &kept.notice)
    }

    /// The message at `place` stands at `alias` as well. Whoever has read the one has read the other.
    pub(super) fn add_alias(&mut self, (origin, seq): &(Name, u64), alias: (Name, u64)) {
        let stands = |kept: &&mut Kept<C>| kept.entry.seq == *seq && kept.entry.origin == *origin;
        if let Some(kept) = self.kept.iter_mut().rev().find(stands) {
            kept.aliases.push(alias);
        }
    }

    /// True if messages after `since` may be missing: they are no longer here, or were with a process that nobody remembers.
    pub(super) fn has_gap(&self, since: &Position) -> bool {
        let is_known = |origin| {
            self.forgotten.contains_key(origin) || self.entries().any(|entry| entry.origin == *origin)
        };
        self.forgotten.iter().any(|(origin, seq)| since.get(origin).is_none_or(|read| read < seq))
            || !since.keys().all(is_known)
    }

    /// True if the message stood here, and does no longer.
    pub(super) fn has_forgotten(&self, entry: &Entry) -> bool {
        covers(&self.forgotten, entry)
    }

    /// What stood here up to `position` is gone.
    pub(super) fn forget_until(&mut self, position: Position) {
        self.forgotten = position;
    }

    /// What stood up to `position` in the history of another process is gone.
    pub(super) fn raise_forgotten(&mut self, position: &Position) {
        for (origin, seq) in position {
            advance(&mut self.forgotten, origin, *seq);
        }
    }

    /// Forgets that there ever was a process of that name.
    pub(super) fn forget_origin(&mut self, origin: &Name) {
        self.forgotten.remove(origin);
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.kept.iter().map(|kept| &kept.entry)
    }

    pub(super) fn forgotten(&self) -> &Position {
        &self.forgotten
    }
}

impl<C> Kept<C> {
    fn is_covered(&self, since: &Position) -> bool {
        let has_read = |(origin, seq): &(Name, u64)| since.get(origin).is_some_and(|read| read >= seq);
        covers(since, &self.entry) || self.aliases.iter().any(has_read)
    }
}

fn covers(position: &Position, entry: &Entry) -> bool {
    position.get(&entry.origin).is_some_and(|read| *read >= entry.seq)
}

/// Sets a process's number, if it is greater.
pub(super) fn advance(position: &mut Position, origin: &Name, seq: u64) {
    match position.get_mut(origin) {
        Some(known) => *known = seq.max(*known),
        None => drop(position.insert(origin.clone(), seq)),
    }
}
