//! The bounds of a session and its timers.

use std::time::Duration;

/// What a client may make the server keep, and for how long; `Default` gives the values below.
///
/// Lengths are bytes. The client learns the first three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// From a pong to the next ping: 25 s.
    pub ping_interval: Duration,
    /// From a ping to its pong: 20 s. A session that has ended keeps its last packet for a poll as long.
    pub ping_timeout: Duration,
    /// The body of a POST, a WebSocket message, and all attachments of an event together: 1,000,000.
    pub max_payload_len: usize,
    /// How long a WebSocket may take for the upgrade: 10 s.
    pub upgrade_timeout: Duration,
    /// How long a client may be in no namespace: 45 s.
    pub connect_timeout: Duration,
    /// Packets that wait for the client: 1 MiB. Below it a packet of any length is taken.
    pub max_queued_len: usize,
    /// Attachments of an event: 10.
    pub max_attachments: usize,
    /// Arrays and objects within each other, in the JSON of a packet: 32.
    pub max_depth: usize,
    /// Namespaces of one client: 16.
    pub max_namespaces: usize,
    /// The name of a namespace or an event: 128.
    pub max_name_len: usize,
    /// Events of the server that wait for an acknowledgement, for each client: 256.
    pub max_acks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload_len: 1_000_000,
            upgrade_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(45),
            max_queued_len: 1 << 20,
            max_attachments: 10,
            max_depth: 32,
            max_namespaces: 16,
            max_name_len: 128,
            max_acks: 256,
        }
    }
}

impl Limits {
    /// The defaults, for changing fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}
