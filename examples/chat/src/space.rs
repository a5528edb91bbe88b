//! [`Space`]: the rooms of one namespace, with their journal, behind a lock.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tidewire::tokio::Writer;
use tidewire::{CloseCode, Prepared, SendError};
use tokio::net::TcpStream;

use crate::cluster::Cluster;
use crate::journal::Journal;
use crate::listener::{Heard, Listener};
use crate::protocol::encode;
use crate::rooms::{Channel, GuestId, Limits, Name, Notice, Outlet, Policy, Refusal, Rooms, Verdict};

mod post;

use post::Post;

/// The way to a page: its connection's writer. No task and no channel belongs to it.
#[derive(Debug)]
pub struct Page(pub Writer<TcpStream>);

/// The way to a guest.
#[derive(Debug)]
pub enum Way {
    /// A page of the chat.
    Page(Page),
    /// A client that speaks Socket.IO.
    SocketIo(Arc<Listener>),
}

/// What the protocols make of an event, once for all guests.
#[derive(Debug, Default)]
pub struct Encoded {
    json: OnceLock<Prepared>,
    socket_io: OnceLock<Heard>,
}

impl Outlet for Page {
    type Cache = Encoded;

    fn deliver(&self, notice: &Notice<Encoded>) -> bool {
        let message = notice.cache().json.get_or_init(|| Prepared::new(encode(notice.event())));
        match self.0.queue(message) {
            Ok(()) => true,
            Err(SendError::OutputFull) => {
                // It comes back, and gets what it has missed.
                self.0.queue_close((CloseCode::TRY_AGAIN_LATER, "too slow"));
                false
            }
            Err(_) => false,
        }
    }
}

impl Outlet for Way {
    type Cache = Encoded;

    fn deliver(&self, notice: &Notice<Encoded>) -> bool {
        match self {
            Self::Page(page) => page.deliver(notice),
            Self::SocketIo(listener) => listener.deliver(notice.event(), &notice.cache().socket_io),
        }
    }
}

/// The rooms of one namespace.
#[derive(Debug)]
pub struct Space {
    inside: Arc<Mutex<Inside>>,
    post: Post,
}

#[derive(Debug)]
struct Inside {
    rooms: Rooms<Way>,
    journal: Option<Journal>,
    cluster: Option<Cluster>,
}

/// Where a message stands.
#[derive(Debug)]
pub struct Receipt {
    /// The process that accepted it.
    pub origin: Name,
    /// Its number there.
    pub seq: u64,
    /// How many were told at once; `None` if it was said before.
    pub reached: Option<usize>,
}

impl Space {
    /// Opens the rooms, with what a journal at `path` remembers.
    ///
    /// # Errors
    /// Those of the journal.
    pub fn open(origin: Name, limits: Limits, policy: Policy, path: Option<&Path>) -> io::Result<Self> {
        let mut rooms = Rooms::new(origin, limits, policy);
        let journal = path.map(|path| Journal::open(path, &mut rooms)).transpose()?;
        let inside = Arc::new(Mutex::new(Inside { rooms, journal, cluster: None }));
        Ok(Self { inside, post: Post::default() })
    }

    /// Something with the rooms that is not stored.
    pub fn with_rooms<R>(&self, act: impl FnOnce(&mut Rooms<Way>) -> R) -> R {
        let mut inside = self.lock();
        let done = act(&mut inside.rooms);
        self.pass_on(&mut inside);
        done
    }

    /// Says something: it is judged, stored, and told, all under one lock, so that all guests see one order.
    ///
    /// # Errors
    /// As [`Rooms::say`], and [`NotStored`](Refusal::NotStored).
    pub fn say(
        &self,
        guest: GuestId,
        id: u64,
        to: Channel,
        text: String,
        echo: bool,
    ) -> Result<Receipt, Refusal> {
        let mut inside = self.lock();
        let Inside { rooms, journal, cluster } = &mut *inside;
        let entry = match rooms.say(guest, id, to, text, unix_millis())? {
            Verdict::Known { origin, seq } => return Ok(Receipt { origin, seq, reached: None }),
            Verdict::New(entry) => entry,
        };
        if let Some(journal) = journal {
            journal.append(&entry).map_err(|error| {
                eprintln!("chat: the journal cannot be written: {error}");
                Refusal::NotStored
            })?;
        }
        if let Some(cluster) = cluster {
            cluster.said(&entry);
        }
        let (origin, seq) = (entry.origin.clone(), entry.seq);
        let reached = rooms.apply(entry, (!echo).then_some(guest));
        self.shrink(&mut inside);
        self.pass_on(&mut inside);
        Ok(Receipt { origin, seq, reached: Some(reached) })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        lock(&self.inside)
    }

    /// Has the journal written anew if it has grown. Nobody waits for that.
    fn shrink(&self, Inside { rooms, journal, .. }: &mut Inside) {
        let Some(rewrite) = journal.as_mut().and_then(|journal| journal.shrink(rooms)) else { return };
        let inside = Arc::clone(&self.inside);
        tokio::task::spawn_blocking(move || {
            let rewritten = rewrite.write();
            if let Some(journal) = &mut lock(&inside).journal
                && let Err(error) = journal.finish(rewritten)
            {
                eprintln!("chat: the journal cannot be written anew: {error}");
            }
        });
    }
}

fn lock(inside: &Mutex<Inside>) -> MutexGuard<'_, Inside> {
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
