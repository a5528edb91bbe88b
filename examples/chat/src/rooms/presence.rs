//! [`Presence`]: who is in a room, on this process and on others.

use std::collections::BTreeMap;

use super::Name;

/// Who is in a room. A person may be there several times, and through several processes.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// Of each person, how often through which process. Hardly anybody has more than one.
    people: BTreeMap<Name, Vec<(Name, u32)>>,
}

impl Presence {
    /// True if the person was not there before.
    pub(super) fn add(&mut self, user: &Name, origin: &Name) -> bool {
        let ways = self.people.entry(user.clone()).or_default();
        let is_new = ways.is_empty();
        match ways.iter_mut().find(|(way, _)| way == origin) {
            Some((_, count)) => *count += 1,
            None => ways.push((origin.clone(), 1)),
        }
        is_new
    }

    /// True if the person is there no longer.
    pub(super) fn remove(&mut self, user: &Name, origin: &Name) -> bool {
        let Some(ways) = self.people.get_mut(user) else { return false };
        if let Some((_, count)) = ways.iter_mut().find(|(way, _)| way == origin) {
            *count -= 1;
        }
        ways.retain(|(_, count)| *count > 0);
        let is_gone = ways.is_empty();
        if is_gone {
            self.people.remove(user);
        }
        is_gone
    }

    /// Removes all that were there through a process. Returns who is there no longer.
    pub(super) fn forget(&mut self, origin: &Name) -> Vec<Name> {
        let mut gone = Vec::new();
        self.people.retain(|user, ways| {
            ways.retain(|(way, _)| way != origin);
            if ways.is_empty() {
                gone.push(user.clone());
            }
            !ways.is_empty()
        });
        gone
    }

    /// True if the person is there, through any process.
    pub(super) fn contains(&self, user: &Name) -> bool {
        self.people.contains_key(user)
    }

    /// True if the person is there through this process.
    pub(super) fn has(&self, user: &Name, origin: &Name) -> bool {
        self.people.get(user).is_some_and(|ways| ways.iter().any(|(way, _)| way == origin))
    }

    pub(super) fn people(&self) -> impl Iterator<Item = &Name> {
        self.people.keys()
    }

    pub(super) fn len(&self) -> usize {
        self.people.len()
    }
}
