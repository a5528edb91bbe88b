//! [`Recent`]: what was said lately, so that nothing is said twice.

use std::collections::{HashMap, VecDeque};

use super::{ClientId, Entry, Name};

/// A client's message: the person belongs to it, so that nobody can use up the numbers of another.
type Key = (Name, ClientId, u64);

/// The last messages of all clients, by the clients' own numbers.
#[derive(Debug)]
pub(super) struct Recent {
    places: HashMap<Key, (Name, u64)>,
    order: VecDeque<Key>,
    max_count: usize,
}

impl Recent {
    pub(super) fn new(max_count: usize) -> Self {
        Self { places: HashMap::new(), order: VecDeque::new(), max_count }
    }

    pub(super) fn insert(&mut self, entry: &Entry) {
        let key = (entry.from.clone(), entry.client, entry.id);
        if self.places.insert(key.clone(), (entry.origin.clone(), entry.seq)).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > self.max_count {
            if let Some(oldest) = self.order.pop_front() {
                self.places.remove(&oldest);
            }
        }
    }

    /// Where the message stands, if it was said already.
    pub(super) fn place(&self, user: &Name, client: ClientId, id: u64) -> Option<&(Name, u64)> {
        self.places.get(&(user.clone(), client, id))
    }
}
