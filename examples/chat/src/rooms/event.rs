//! [`Event`]: what guests are told, and [`Outlet`]: how.

use std::sync::Arc;

use serde::Serialize;

use super::{Channel, Entry, Name, Position};

/// What the rooms tell a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Event {
    /// The guest is in a channel now. What it has missed follows.
    Joined {
        /// Which one.
        channel: Channel,
        /// Who else is in it; only rooms tell.
        people: Vec<Name>,
        /// The history begins after this. It holds even when the connection ends before all of the history has arrived.
        after: Position,
        /// True if messages may be missing between what the guest has read and what follows.
        gap: bool,
    },
    /// The guest is no longer in a room.
    Left {
        /// Which one.
        room: Name,
    },
    /// A message.
    Said(Arc<Entry>),
    /// A person has come into a room.
    Came {
        /// Which one.
        room: Name,
        /// Who.
        user: Name,
    },
    /// A person has gone from a room.
    Went {
        /// Which one.
        room: Name,
        /// Who.
        user: Name,
    },
}

/// An event on its way to many guests, with what their protocols make of it.
#[derive(Debug)]
pub struct Notice<C> {
    event: Event,
    cache: C,
}

impl<C: Default> Notice<C> {
    pub(super) fn new(event: Event) -> Self {
        Self { event, cache: C::default() }
    }
}

impl<C> Notice<C> {
    /// What happened.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Room for the encoded event, which is then the same for all guests of a protocol.
    pub fn cache(&self) -> &C {
        &self.cache
    }
}

/// The way to a guest, whatever protocol it speaks.
pub trait Outlet {
    /// What is kept beside each event: the encoded forms, made when the first guest needs them.
    type Cache: Default;

    /// Takes an event, without waiting. False if the guest is gone, or does not keep up: then it leaves all rooms.
    fn deliver(&self, notice: &Notice<Self::Cache>) -> bool;
}
