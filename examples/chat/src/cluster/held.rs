//! [`Held`]: messages that came before those they follow.

use std::collections::BTreeMap;

use crate::rooms::{Entry, Name};

/// Beyond so many messages, or bytes of text, nothing is held: it is asked for instead.
const MAX_COUNT: usize = 4_096;
const MAX_LEN: usize = 4 << 20;

/// Messages that wait until those before them have come.
#[derive(Debug, Default)]
pub(super) struct Held {
    entries: BTreeMap<(Name, u64), Entry>,
    len: usize,
}

impl Held {
    /// Keeps a message, if there is room.
    pub(super) fn insert(&mut self, entry: Entry) {
        if self.entries.len() < MAX_COUNT && self.len + entry.text.len() <= MAX_LEN {
            self.len += entry.text.len();
            if let Some(old) = self.entries.insert((entry.origin.clone(), entry.seq), entry) {
                self.len -= old.text.len();
            }
        }
    }

    /// The message that follows number `head` of a process, if it is here. Those up to `head` are dropped.
    pub(super) fn next(&mut self, origin: &Name, head: u64) -> Option<Entry> {
        loop {
            let (key, _) = self.entries.range((origin.clone(), 0)..).next()?;
            let (first, seq) = key;
            if first != origin || *seq > head + 1 {
                return None;
            }
            let key = key.clone();
            let entry = self.entries.remove(&key)?;
            self.len -= entry.text.len();
            if key.1 == head + 1 {
                return Some(entry);
            }
        }
    }

    /// Drops what is held of a process.
    pub(super) fn forget(&mut self, origin: &Name) {
        let len = &mut self.len;
        self.entries.retain(|(of, _), entry| {
            if of == origin {
                *len -= entry.text.len();
            }
            of != origin
        });
    }

    /// The processes of which there are messages.
    pub(super) fn origins(&self) -> Vec<Name> {
        let mut origins: Vec<_> = self.entries.keys().map(|(origin, _)| origin.clone()).collect();
        origins.dedup();
        origins
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::{Channel, ClientId};

    fn entry(origin: &str, seq: u64) -> Entry {
        let name = |name| Name::new(name).expect("a name");
        let (to, client) = (Channel::All, ClientId::new(1));
        Entry {
            origin: name(origin),
            seq,
            to,
            from: name("ann"),
            client,
            id: seq,
            time: 1,
            text: "x".repeat(1_000),
        }
    }

    #[test]
    fn messages_come_in_their_order() {
        let mut held = Held::default();
        for (origin, seq) in [("p", 4), ("q", 3), ("p", 3), ("p", 6), ("p", 1), ("p", 3)] {
            held.insert(entry(origin, seq));
        }
        let p = Name::new("p").expect("a name");
        assert_eq!(held.origins().len(), 2);
        let mut next = |head| held.next(&p, head).map(|entry| entry.seq);
        assert_eq!([next(1), next(2), next(3), next(4), next(7)], [None, Some(3), Some(4), None, None]);
        assert_eq!((held.origins().len(), held.len), (1, 1_000));
        held.insert(entry("p", 9));
        held.forget(&p);
        assert_eq!((held.origins().len(), held.len), (1, 1_000));
        held.forget(&Name::new("q").expect("a name"));
        assert_eq!((held.origins().len(), held.len), (0, 0));
    }

    #[test]
    fn it_is_bounded() {
        let mut held = Held::default();
        for seq in 0..10_000 {
            held.insert(entry("p", seq));
        }
        assert_eq!((held.entries.len(), held.len), (MAX_COUNT, MAX_COUNT * 1_000));
    }
}
