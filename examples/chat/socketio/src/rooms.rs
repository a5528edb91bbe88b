//! Who is in which room: for programs that have no rooms of their own.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Rooms of members `M`, such as the ids of sockets. Joining and leaving take the same time, however many there are.
///
/// ```
/// use chat_socketio::rooms::Rooms;
///
/// let mut rooms = Rooms::new(8);
/// assert!(rooms.join("kitchen", 'a'));
/// assert!(rooms.join("kitchen", 'b'));
/// assert_eq!(rooms.members("kitchen").count(), 2);
/// rooms.leave_all(&'a');
/// assert_eq!(rooms.members("kitchen").collect::<Vec<_>>(), [&'b']);
/// ```
#[derive(Debug)]
pub struct Rooms<M> {
    max_rooms: usize,
    rooms: HashMap<String, HashSet<M>>,
    members: HashMap<M, HashSet<String>>,
}

impl<M: Clone + Eq + Hash> Rooms<M> {
    /// No rooms; a member may be in `max_rooms` of them.
    #[must_use]
    pub fn new(max_rooms: usize) -> Self {
        Self { max_rooms, rooms: HashMap::new(), members: HashMap::new() }
    }

    /// False if the member is in as many rooms as it may be.
    pub fn join(&mut self, room: &str, member: M) -> bool {
        let rooms = self.members.get(&member);
        let is_in = rooms.is_some_and(|rooms| rooms.contains(room));
        if !is_in && rooms.map_or(0, HashSet::len) >= self.max_rooms {
            return false;
        }
        self.members.entry(member.clone()).or_default().insert(room.into());
        self.rooms.entry(room.into()).or_default().insert(member);
        true
    }

    /// The member is no longer in the room.
    pub fn leave(&mut self, room: &str, member: &M) {
        if let Some(rooms) = self.members.get_mut(member)
            && rooms.remove(room)
        {
            if rooms.is_empty() {
                self.members.remove(member);
            }
            self.remove(room, member);
        }
    }

    /// The member is in no room any more.
    pub fn leave_all(&mut self, member: &M) {
        for room in self.members.remove(member).into_iter().flatten() {
            self.remove(&room, member);
        }
    }

    fn remove(&mut self, room: &str, member: &M) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.remove(member);
            if members.is_empty() {
                self.rooms.remove(room);
            }
        }
    }

    /// All who are in the room.
    pub fn members(&self, room: &str) -> impl Iterator<Item = &M> {
        self.rooms.get(room).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_who_leaves() {
        let mut rooms = Rooms::new(2);
        assert!(rooms.join("a", 1));
        assert!(rooms.join("a", 1));
        assert!(rooms.join("b", 1));
        assert!(!rooms.join("c", 1));
        assert!(rooms.join("a", 1), "it is in there");
        assert!(rooms.join("a", 2));
        rooms.leave("b", &1);
        rooms.leave("b", &2);
        assert!(rooms.join("c", 1));
        rooms.leave_all(&1);
        assert_eq!(rooms.members("a").collect::<Vec<_>>(), [&2]);
        rooms.leave("a", &2);
        assert!(rooms.rooms.is_empty() && rooms.members.is_empty());
    }
}
