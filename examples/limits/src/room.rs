//! [`Room`]: everybody who listens.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidewire::tokio::Writer;
use tidewire::{CloseCode, Prepared, SendError};
use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) struct Room<S: AsyncRead + AsyncWrite + Unpin>(Mutex<Peers<S>>);

struct Peers<S> {
    writers: HashMap<u64, Writer<S>>,
    last_number: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Room<S> {
    /// Adds a peer until its seat is dropped.
    pub(crate) fn join(&self, writer: Writer<S>) -> Seat<'_, S> {
        let mut peers = self.lock();
        peers.last_number += 1;
        let number = peers.last_number;
        peers.writers.insert(number, writer);
        Seat { room: self, number }
    }

    /// Queues a message for all. A peer whose output is full is closed.
    pub(crate) fn tell(&self, message: &Prepared) {
        for writer in self.lock().writers.values() {
            if let Err(SendError::OutputFull) = writer.queue(message) {
                writer.queue_close((CloseCode::POLICY_VIOLATION, "too slow"));
            }
        }
    }

    pub(crate) fn queued_len(&self) -> usize {
        self.lock().writers.values().map(Writer::queued_len).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Peers<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Default for Room<S> {
    fn default() -> Self {
        Self(Mutex::new(Peers { writers: HashMap::new(), last_number: 0 }))
    }
}

/// The place of a peer.
pub(crate) struct Seat<'r, S: AsyncRead + AsyncWrite + Unpin> {
    room: &'r Room<S>,
    number: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Seat<'_, S> {
    fn drop(&mut self) {
        let former = self.room.lock().writers.remove(&self.number);
        drop(former);
    }
}
