//! [`Visitor`]: who has opened a session, and [`Seat`]: its place in the rooms of a namespace.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_socketio::server::{Link, Socket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::wish::{Auth, FIRST_NUMBER, Say, Wish};
use crate::gate::Pass;
use crate::listener::Listener;
use crate::login::{Login, random};
use crate::pace::{MAX_TOO_FAST, Pace};
use crate::rooms::{Channel, ClientId, GuestId, Name, Person, Refusal};
use crate::server::Peer;
use crate::space::{Receipt, Space, Way};

/// The room where a client begins.
const LOBBY: &str = "lobby";

/// Messages of a client whose acknowledgements wait at once.
const MAX_WAITING: usize = 64;

/// What a session holds as long as it lives.
#[expect(dead_code, reason = "both are held, and not looked at")]
#[derive(Debug)]
pub(crate) struct Holding {
    /// The connection of its first request.
    pub(crate) peer: Peer,
    /// Its place among those of its address.
    pub(crate) place: Pass,
}

/// Who has opened a session.
pub(super) struct Visitor {
    login: Login,
    person: Person,
    pace: Arc<Pace>,
    /// Messages in a row that were too fast.
    too_fast: Mutex<u32>,
    /// By namespace.
    seats: Mutex<Vec<(String, Seat)>>,
    turns: Arc<Semaphore>,
    _holding: Holding,
}

impl Visitor {
    /// `None` for somebody who has not logged in.
    pub(super) fn new(login: Login, pace: Arc<Pace>, holding: Holding) -> Option<Self> {
        let person = login.person()?.clone();
        let turns = Arc::new(Semaphore::new(MAX_WAITING));
        let (too_fast, seats) = (Mutex::default(), Mutex::default());
        Some(Self { login, person, pace, too_fast, seats, turns, _holding: holding })
    }

    pub(super) fn of_session(session: &Link) -> Option<&Self> {
        session.extensions().get::<Arc<Self>>().map(Arc::as_ref)
    }

    pub(super) fn of(socket: &Socket) -> Option<&Self> {
        socket.extensions().get::<Arc<Self>>().map(Arc::as_ref)
    }

    pub(super) fn is(&self, login: &Login) -> bool {
        self.login == *login
    }

    pub(super) fn person(&self) -> &Person {
        &self.person
    }

    /// Whether the client may do one more thing now; otherwise how long it has to wait, `None` for a client that never does.
    pub(super) fn take(&self) -> Result<(), Option<Duration>> {
        let mut too_fast = lock(&self.too_fast);
        let taken = self.pace.take(&self.person.name);
        *too_fast = if taken.is_ok() { 0 } else { *too_fast + 1 };
        taken.map_err(|wait| Some(wait).filter(|_| *too_fast <= MAX_TOO_FAST))
    }

    /// For a message whose acknowledgement waits for other processes. `None` if too many wait.
    pub(super) fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).try_acquire_owned().ok()
    }

    pub(super) fn sit(&self, namespace: &str, seat: Seat) {
        lock(&self.seats).push((namespace.into(), seat));
    }

    pub(super) fn stand_up(&self, namespace: &str) {
        let mut seats = lock(&self.seats);
        let index = seats.iter().position(|(name, _)| name == namespace);
        let seat = index.map(|index| seats.swap_remove(index));
        drop(seats);
        if let Some((_, Seat { space, id, .. })) = seat {
            space.with_rooms(|rooms| rooms.exit(id));
        }
    }

    /// Does what the client asks for. Returns where a message stands, with its number.
    pub(super) fn act(&self, namespace: &str, wish: Wish) -> Result<Option<(u64, Receipt)>, Refusal> {
        let mut seats = lock(&self.seats);
        let seat = seats.iter_mut().find(|(name, _)| name == namespace);
        seat.ok_or(Refusal::Gone)?.1.act(wish)
    }
}

/// A client's place in the rooms of one namespace.
pub(super) struct Seat {
    space: Arc<Space>,
    id: GuestId,
    listener: Arc<Listener>,
    /// The number of the next message that the client does not number; `None` if it numbers them all.
    next_number: Option<u64>,
}

impl Seat {
    /// Takes a place. What was missed is told before anything else is said. Of a room that is not joined, `refuse` learns why.
    pub(super) fn take(
        space: &Arc<Space>,
        socket: &Socket,
        person: &Person,
        Auth { client, offset }: Auth,
        refuse: impl Fn(Name, Refusal),
    ) -> Result<Self, Refusal> {
        let random = random().map_err(|_| Refusal::Full)?;
        // Two connections never give their messages the same numbers.
        let next_number = client.is_none().then_some(FIRST_NUMBER + (random >> 77) as u64);
        let client = client.unwrap_or_else(|| ClientId::new(random));
        let lobby = Name::new(LOBBY).filter(|_| offset.is_none());
        let offset = offset.unwrap_or_default();
        let listener = Arc::new(Listener::new(socket.clone(), offset.clone()));
        let way = Way::SocketIo(Arc::clone(&listener));
        let id = space.with_rooms(|rooms| {
            let id = rooms.enter(person.clone(), client, way, offset.all.as_ref(), offset.user.as_ref())?;
            let others = offset.rooms.iter().map(|(room, since)| (room, Some(since)));
            for (room, since) in lobby.iter().map(|room| (room, None)).chain(others) {
                match rooms.join(id, room, since) {
                    Ok(_) => {}
                    // It does not read fast enough, and joins the others when it comes back.
                    Err(Refusal::Gone) => break,
                    Err(refusal) => {
                        listener.leaves(room);
                        refuse(room.clone(), refusal);
                    }
                }
            }
            Ok(id)
        })?;
        Ok(Self { space: Arc::clone(space), id, listener, next_number })
    }

    fn act(&mut self, wish: Wish) -> Result<Option<(u64, Receipt)>, Refusal> {
        match wish {
            Wish::Join(room, since) => self.space.with_rooms(|rooms| {
                let is_new = self.listener.joins(&room, since.as_ref());
                let joined = rooms.join(self.id, &room, since.as_ref());
                if joined.is_err() && is_new {
                    self.listener.leaves(&room);
                }
                joined.map(|_| None)
            }),
            Wish::Leave(room) => self.space.with_rooms(|rooms| rooms.leave(self.id, &room)).map(|_| None),
            Wish::Say(text, Say { to, id }) => {
                let number = self.number(id).ok_or(Refusal::Malformed)?;
                let to = to.or_else(|| Name::new(LOBBY).map(Channel::Room)).ok_or(Refusal::NotAMember)?;
                self.space.say(self.id, number, to, text, true).map(|receipt| Some((number, receipt)))
            }
        }
    }

    fn number(&mut self, id: Option<u64>) -> Option<u64> {
        match (id, &mut self.next_number) {
            (None, Some(next)) => {
                *next += 1;
                Some(*next)
            }
            (id, _) => id.filter(|id| *id < FIRST_NUMBER),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
