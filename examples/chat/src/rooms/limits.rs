//! [`Limits`] of the rooms, and [`Refusal`]: why something is not done.

use std::fmt;

use serde::Serialize;

/// What the rooms may hold. Beyond a limit the newcomer is refused, and nobody else is disturbed.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Guests: connections, not people.
    pub max_guests: usize,
    /// Rooms, those with a history and nobody in them included. The one that was left longest ago makes place.
    pub max_rooms: usize,
    /// People in one room.
    pub max_people: usize,
    /// Rooms that one person is in, over all its guests here.
    pub max_rooms_per_person: usize,
    /// People for whom messages are kept while they are away. The one that left longest ago makes place.
    pub max_inboxes: usize,
    /// Bytes of text in a message.
    pub max_text_len: usize,
    /// Messages in the history of a channel.
    pub max_history_count: usize,
    /// Bytes of text in the history of a channel.
    pub max_history_len: usize,
    /// Bytes in all histories together, where each message counts as its text and 512 bytes. Beyond it the oldest of all are forgotten.
    pub max_total_len: usize,
    /// Messages, of all clients together, that are recognised when they are sent again.
    pub max_recent: usize,
    /// Processes whose messages are told apart.
    pub max_origins: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_guests: 10_000,
            max_rooms: 1_000,
            max_people: 1_000,
            max_rooms_per_person: 32,
            max_inboxes: 20_000,
            max_text_len: 4_000,
            max_history_count: 200,
            max_history_len: 200_000,
            max_total_len: 32 << 20,
            max_recent: 65_536,
            max_origins: 64,
        }
    }
}

/// Why something is not done. Its `Display` is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The guest is connected no longer.
    Gone,
    /// Too many guests.
    Full,
    /// Too many rooms, and somebody is in each.
    TooManyRooms,
    /// The person is in too many rooms.
    TooManyRoomsOfYours,
    /// Too many people in the room.
    RoomFull,
    /// The guest is not in the room.
    NotAMember,
    /// The guest is in the room already.
    AlreadyThere,
    /// Nobody of that name has been here.
    NoSuchPerson,
    /// There is nothing in the message.
    Empty,
    /// The text is too long.
    TooLong,
    /// The position names too many processes.
    InvalidPosition,
    /// The policy forbids it.
    NotAllowed,
    /// The message is too fast after those before.
    TooFast,
    /// The message is not one of the protocol's.
    Malformed,
    /// The message could not be stored.
    NotStored,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "you are not connected any more",
            Self::Full => "the chat is full",
            Self::TooManyRooms => "there are too many rooms",
            Self::TooManyRoomsOfYours => "you are in too many rooms",
            Self::RoomFull => "the room is full",
            Self::NotAMember => "you are not in this room",
            Self::AlreadyThere => "you are in this room already",
            Self::NoSuchPerson => "nobody of that name has been here",
            Self::Empty => "there is nothing in the message",
            Self::TooLong => "the message is too long",
            Self::InvalidPosition => "the position names too many processes",
            Self::NotAllowed => "you may not do this",
            Self::TooFast => "too many messages at once",
            Self::Malformed => "the message is not one of this protocol",
            Self::NotStored => "the message could not be stored",
        })
    }
}

impl std::error::Error for Refusal {}
