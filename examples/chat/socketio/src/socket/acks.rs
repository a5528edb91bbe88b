//! Events of the server that wait for an acknowledgement.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Each with a `W`, which is handed out when the acknowledgement comes or the time is over.
#[derive(Debug)]
pub(crate) struct Acks<W> {
    next_id: u64,
    waiting: BTreeMap<u64, Waiting<W>>,
    deadlines: BTreeSet<(Instant, u64)>,
}

#[derive(Debug)]
struct Waiting<W> {
    namespace: String,
    deadline: Instant,
    waiter: W,
}

impl<W> Acks<W> {
    pub(crate) fn new() -> Self {
        Self { next_id: 0, waiting: BTreeMap::new(), deadlines: BTreeSet::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The number that the event is to carry.
    pub(crate) fn insert(&mut self, namespace: &str, deadline: Instant, waiter: W) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.waiting.insert(id, Waiting { namespace: namespace.into(), deadline, waiter });
        self.deadlines.insert((deadline, id));
        id
    }

    /// Who waits for this acknowledgement; `None` if nobody does, or no longer.
    pub(crate) fn take(&mut self, namespace: &str, id: u64) -> Option<W> {
        if self.waiting.get(&id)?.namespace != namespace {
            return None;
        }
        self.remove(id)
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<W> {
        let waiting = self.waiting.remove(&id)?;
        self.deadlines.remove(&(waiting.deadline, id));
        Some(waiting.waiter)
    }

    /// Drops all who wait for something in this namespace.
    pub(crate) fn leave(&mut self, namespace: &str) {
        let deadlines = &mut self.deadlines;
        self.waiting.retain(|id, waiting| {
            let stays = waiting.namespace != namespace;
            if !stays {
                deadlines.remove(&(waiting.deadline, *id));
            }
            stays
        });
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// One whose time is over; to be called until there is none.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Option<W> {
        let (_, id) = *self.deadlines.first().filter(|(deadline, _)| *deadline <= now)?;
        self.remove(id)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_acknowledgement_finds_who_waits_once() {
        let now = Instant::now();
        let mut acks = Acks::new();
        let a = acks.insert("/", now, 'a');
        let b = acks.insert("/b", now, 'b');
        assert_eq!(acks.take("/", b), None);
        assert_eq!(acks.take("/b", b), Some('b'));
        assert_eq!(acks.take("/b", b), None);
        assert_eq!(acks.take("/", a), Some('a'));
        assert_eq!((acks.len(), acks.deadline()), (0, None));
    }

    #[test]
    fn time_runs_out_in_its_order() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut acks = Acks::new();
        for (seconds, waiter) in [(3, 'c'), (1, 'a'), (2, 'b')] {
            acks.insert("/", at(seconds), waiter);
        }
        assert_eq!(acks.deadline(), Some(at(1)));
        assert_eq!(acks.take_expired(now), None);
        assert_eq!(acks.take_expired(at(2)), Some('a'));
        assert_eq!(acks.take_expired(at(2)), Some('b'));
        assert_eq!(acks.take_expired(at(2)), None);
        assert_eq!(acks.deadline(), Some(at(3)));
    }

    #[test]
    fn a_namespace_that_is_left_waits_for_nothing() {
        let now = Instant::now();
        let mut acks = Acks::new();
        acks.insert("/a", now, 'a');
        acks.insert("/b", now, 'b');
        acks.leave("/a");
        assert_eq!(acks.take_expired(now), Some('b'));
        assert_eq!(acks.take_expired(now), None);
    }
}
