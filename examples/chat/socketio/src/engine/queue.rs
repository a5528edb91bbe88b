//! Packets that wait for the client.

use std::collections::VecDeque;

use crate::engine::packet::Encoded;

/// What a packet takes beside its payload, so that many small ones count as well.
const OVERHEAD: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    packets: VecDeque<Encoded>,
    len: usize,
}

impl Queue {
    pub(crate) fn push(&mut self, packet: Encoded) {
        self.len += OVERHEAD + packet.payload_len();
        self.packets.push_back(packet);
    }

    /// Before all others.
    pub(crate) fn push_front(&mut self, packet: Encoded) {
        self.len += OVERHEAD + packet.payload_len();
        self.packets.push_front(packet);
    }

    pub(crate) fn pop(&mut self) -> Option<Encoded> {
        let packet = self.packets.pop_front()?;
        self.len -= OVERHEAD + packet.payload_len();
        // One that was long once does not stay so.
        if self.packets.is_empty() && self.packets.capacity() > 64 {
            self.packets = VecDeque::new();
        }
        Some(packet)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Bytes, with what each packet takes by itself.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}
