//! [`Total`]: what all histories hold together.

use std::collections::BTreeMap;

use super::{Channel, Entry};

/// What a message counts beside its text: names, numbers, and what protocols make of it.
pub(super) const MESSAGE_COST: usize = 512;

/// The messages of all histories, in the order in which they came. A message in two inboxes counts twice.
#[derive(Debug, Default)]
pub(super) struct Total {
    places: BTreeMap<u64, (Channel, usize)>,
    next: u64,
    len: usize,
}

impl Total {
    /// A message comes into the history of a channel. Returns its number.
    pub(super) fn add(&mut self, channel: Channel, entry: &Entry) -> u64 {
        let (number, len) = (self.next, entry.text.len() + MESSAGE_COST);
        self.places.insert(number, (channel, len));
        self.next += 1;
        self.len += len;
        number
    }

    /// A message is no longer in its history.
    pub(super) fn remove(&mut self, number: u64) {
        if let Some((_, len)) = self.places.remove(&number) {
            self.len -= len;
        }
    }

    /// If there is more than `max_len`: removes the oldest message of all, and returns where it stands.
    pub(super) fn pop_beyond(&mut self, max_len: usize) -> Option<Channel> {
        if self.len <= max_len {
            return None;
        }
        let (_, (channel, len)) = self.places.pop_first()?;
        self.len -= len;
        Some(channel)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }
}
