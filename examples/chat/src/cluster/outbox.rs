//! [`Outbox`]: what waits for its way to the other processes.

use std::collections::VecDeque;

use super::message::{Body, Everyone};
use crate::rooms::{Change, Entry, Missed, Name};

/// A message ends at so many bytes, by estimate. Escaped, its text may be twice as long.
const BATCH_LEN: usize = 64 << 10;

/// What does not leave within so many bytes shows that Redis does not keep up.
const MAX_LEN: usize = 16 << 20;

/// What is beside the text of an entry, or the names of a change, in bytes.
const OVERHEAD: usize = 300;

/// Messages in their order, of which neighbours of one kind are put together.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Each with its estimated length.
    bodies: VecDeque<(Body<Missed>, usize)>,
    len: usize,
}

impl Outbox {
    pub(super) fn push(&mut self, body: Body<Missed>) {
        let len = len(&body);
        self.bodies.push_back((body, len));
        self.len += len;
    }

    pub(super) fn push_entry(&mut self, entry: &Entry) {
        let more = OVERHEAD + entry.text.len();
        self.len += more;
        match self.bodies.back_mut() {
            Some((Body::Said(entries), len)) if *len + more <= BATCH_LEN => {
                entries.push(entry.clone());
                *len += more;
            }
            _ => self.bodies.push_back((Body::Said(vec![entry.clone()]), more)),
        }
    }

    pub(super) fn push_changes(&mut self, number: u64, changes: Vec<Change>) {
        let more = OVERHEAD * changes.len();
        self.len += more;
        match self.bodies.back_mut() {
            Some((Body::Changed(last, earlier), len)) if *len + more <= BATCH_LEN => {
                *last = number;
                earlier.extend(changes);
                *len += more;
            }
            _ => self.bodies.push_back((Body::Changed(number, changes), more)),
        }
    }

    /// The list of all who are there, in parts.
    pub(super) fn push_everyone<'a>(
        &mut self,
        changes: u64,
        people: impl Iterator<Item = (Option<&'a Name>, &'a Name)>,
    ) {
        let (mut parts, mut len) = (Vec::new(), 0);
        let mut part: Vec<(Option<Name>, Vec<Name>)> = Vec::new();
        for (room, user) in people {
            if len > BATCH_LEN {
                parts.push(std::mem::take(&mut part));
                len = 0;
            }
            len += user.as_str().len() + 3;
            match part.last_mut() {
                Some((last, users)) if last.as_ref() == room => users.push(user.clone()),
                _ => {
                    len += OVERHEAD;
                    part.push((room.cloned(), vec![user.clone()]));
                }
            }
        }
        parts.push(part);
        let count = parts.len();
        for (number, people) in (0..).zip(parts) {
            self.push(Body::Everyone(Everyone {
                changes,
                part: number,
                last: number as usize + 1 == count,
                people,
            }));
        }
    }

    pub(super) fn pop(&mut self) -> Option<Body<Missed>> {
        let (body, len) = self.bodies.pop_front()?;
        self.len -= len;
        Some(body)
    }

    pub(super) fn is_full(&self) -> bool {
        self.len > MAX_LEN
    }
}

/// As many records as a message takes.
pub(super) fn page(records: &mut VecDeque<Missed>) -> Vec<Missed> {
    let (mut page, mut len) = (Vec::new(), 0);
    while len <= BATCH_LEN
        && let Some(record) = records.pop_front()
    {
        len += record_len(&record);
        page.push(record);
    }
    page
}

fn record_len(record: &Missed) -> usize {
    OVERHEAD
        + match record {
            Missed::Said(entry) => entry.text.len(),
            Missed::Forgotten(_, position) => position.len() * (Name::MAX_LEN + 20),
        }
}

fn len(body: &Body<Missed>) -> usize {
    OVERHEAD
        + match body {
            Body::Status(status) => status.heads.len() * (Name::MAX_LEN + 20),
            Body::Everyone(Everyone { people, .. }) => people
                .iter()
                .map(|(_, users)| OVERHEAD + users.iter().map(|user| user.as_str().len()).sum::<usize>())
                .sum(),
            Body::Missed(answer) => answer.records.iter().map(record_len).sum(),
            _ => 0,
        }
}
