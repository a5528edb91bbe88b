//! [`Entry`]: a message that was accepted, and where it stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Name;

/// A message that was accepted. It is the same in the history, in the journal, and on its way to another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The process that accepted it.
    pub origin: Name,
    /// Its number there: later ones have greater numbers, and the numbers of one channel need not be consecutive.
    pub seq: u64,
    /// For whom it is.
    pub to: Channel,
    /// Who said it.
    pub from: Name,
    /// The client that sent it.
    pub client: ClientId,
    /// The client's number for it.
    pub id: u64,
    /// When it was accepted, in milliseconds since 1970.
    pub time: u64,
    /// What was said.
    pub text: String,
}

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Everyone.
    All,
    /// The members of a room.
    Room(Name),
    /// One person, wherever that one is connected.
    User(Name),
}

/// What a client calls itself, at random: it stays the same when the client connects again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientId(u128);

impl ClientId {
    /// From 128 random bits.
    #[must_use]
    pub const fn new(id: u128) -> Self {
        Self(id)
    }
}

impl TryFrom<String> for ClientId {
    type Error = &'static str;

    fn try_from(hex: String) -> Result<Self, Self::Error> {
        let is_hex = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = if is_hex { u128::from_str_radix(&hex, 16).ok() } else { None };
        id.map(Self).ok_or("a client is 32 hexadecimal digits")
    }
}

impl From<ClientId> for String {
    fn from(client: ClientId) -> Self {
        format!("{:032x}", client.0)
    }
}

/// How far somebody has read a channel: of each process, the last number.
pub type Position = BTreeMap<Name, u64>;
