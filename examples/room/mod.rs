//! The peers of a server: tells all of them one thing, and says goodbye to all of them.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidewire::tokio::Writer;
use tidewire::{CloseCode, Prepared};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Everybody who listens.
pub(crate) struct Room<S: AsyncRead + AsyncWrite + Unpin>(Mutex<Peers<S>>);

struct Peers<S> {
    /// By number: an address may come back before its former connection has left.
    all: HashMap<u64, (SocketAddr, Writer<S>)>,
    last_number: u64,
    is_closing: bool,
}

/// What becomes of a peer that has a whole high-water mark of messages still to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slow {
    /// It misses this message, and stays.
    Skip,
    /// Its connection is closed.
    Drop,
}

/// How many peers got a message, and how many did not: the slow ones, and those whose connection is ending.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    pub(crate) queued: usize,
    pub(crate) slow: usize,
    pub(crate) ending: usize,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queued, slow, ending } = self;
        write!(f, "queued for {queued}, {slow} are slow, {ending} are ending")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Room<S> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Peers { all: HashMap::new(), last_number: 0, is_closing: false }))
    }

    /// Adds a peer until the seat is dropped.
    pub(crate) fn join(&self, address: SocketAddr, writer: Writer<S>) -> Seat<'_, S> {
        let mut peers = self.lock();
        if peers.is_closing {
            // It has come too late to be told by `shut_down`.
            writer.queue_close(CloseCode::GOING_AWAY);
        }
        peers.last_number += 1;
        let number = peers.last_number;
        peers.all.insert(number, (address, writer));
        Seat { room: self, number }
    }

    /// Queues a message for all. The task of each peer writes it; nothing waits here.
    pub(crate) fn tell(&self, message: &Prepared, slow: Slow) -> Told {
        let mut told = Told::default();
        for (_, writer) in self.lock().all.values() {
            if !writer.is_ready() {
                told.slow += 1;
                if slow == Slow::Drop {
                    writer.queue_close((CloseCode::POLICY_VIOLATION, "too slow"));
                }
            } else if writer.queue(message).is_ok() {
                told.queued += 1;
            } else {
                told.ending += 1;
            }
        }
        told
    }

    /// Sends 1001 to all and waits for their tasks, but not for ever. Those that are left then are cut, and returned.
    pub(crate) async fn shut_down(&self, mut tasks: JoinSet<()>, patience: Duration) -> Vec<SocketAddr> {
        {
            let mut peers = self.lock();
            peers.is_closing = true;
            peers.all.values().for_each(|(_, writer)| writer.queue_close(CloseCode::GOING_AWAY));
        }
        let all_gone = async { while tasks.join_next().await.is_some() {} };
        let _ = timeout(patience, all_gone).await;
        let left = self.lock().all.values().map(|(address, _)| *address).collect();
        // Each task drops its reader, and with it the connection.
        tasks.shutdown().await;
        left
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().all.len()
    }

    /// How many bytes wait to be written, to all peers together.
    pub(crate) fn queued_len(&self) -> usize {
        self.lock().all.values().map(|(_, writer)| writer.queued_len()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Peers<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A peer's place in the room.
pub(crate) struct Seat<'r, S: AsyncRead + AsyncWrite + Unpin> {
    room: &'r Room<S>,
    number: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Seat<'_, S> {
    fn drop(&mut self) {
        let former = self.room.lock().all.remove(&self.number);
        drop(former);
    }
}
