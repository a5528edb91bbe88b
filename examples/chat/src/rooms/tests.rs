//! The rooms, with guests that only listen.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;

mod history;
mod limits;
mod processes;
mod talk;

/// A guest that notes what it is told, as long as it is not deaf.
#[derive(Clone, Default)]
struct Ear {
    heard: Rc<RefCell<Vec<Event>>>,
    is_deaf: Rc<Cell<bool>>,
}

impl Outlet for Ear {
    type Cache = ();

    fn deliver(&self, notice: &Notice<()>) -> bool {
        if !self.is_deaf.get() {
            self.heard.borrow_mut().push(notice.event().clone());
        }
        !self.is_deaf.get()
    }
}

impl Ear {
    /// What it was told since it was last asked.
    fn take(&self) -> Vec<Event> {
        self.heard.take()
    }

    /// The texts among that.
    fn texts(&self) -> Vec<String> {
        let said = |event| if let Event::Said(entry) = event { Some(entry.text.clone()) } else { None };
        self.take().into_iter().filter_map(said).collect()
    }

    /// What it learned about a channel when it joined, and the texts that followed.
    fn joined(&self, of: &Channel) -> (Vec<String>, Position, bool, Vec<String>) {
        let (mut found, mut texts) = (None, Vec::new());
        for event in self.take() {
            match event {
                Event::Joined { channel, people, after, gap } if channel == *of => {
                    found = Some((people.iter().map(Name::to_string).collect(), after, gap));
                }
                Event::Said(entry) if entry.to == *of => texts.push(entry.text.clone()),
                _ => {}
            }
        }
        let (people, after, gap) = found.expect("joined");
        (people, after, gap, texts)
    }
}

fn name(name: &str) -> Name {
    Name::new(name).expect("a name")
}

fn room(of: &str) -> Channel {
    Channel::Room(name(of))
}

fn user(of: &str) -> Channel {
    Channel::User(name(of))
}

/// Only moderators speak in `news` and to all, and nobody joins `closed`.
fn policy(person: &Person, act: Act<'_>) -> bool {
    match act {
        Act::Join(room) => room.as_str() != "closed",
        Act::Say(Channel::All) => person.is_moderator,
        Act::Say(Channel::Room(room)) => person.is_moderator || room.as_str() != "news",
        Act::Say(Channel::User(_)) => true,
    }
}

fn rooms_with(change: impl FnOnce(&mut Limits)) -> Rooms<Ear> {
    let mut limits = Limits::default();
    change(&mut limits);
    Rooms::new(name("p"), limits, policy)
}

fn rooms() -> Rooms<Ear> {
    rooms_with(|_| {})
}

fn client(of: &str) -> ClientId {
    ClientId::new(of.bytes().fold(0, |id, byte| id << 8 | u128::from(byte)))
}

fn person(of: &str) -> Person {
    Person { name: name(of), is_moderator: of == "mod" }
}

impl Rooms<Ear> {
    fn guest(&mut self, of: &str) -> (GuestId, Ear) {
        let ear = Ear::default();
        let id = self.enter(person(of), client(of), ear.clone(), None, None).expect("a place");
        ear.take();
        (id, ear)
    }

    /// A guest in a room, which it has joined before anything was said there that it did not hear.
    fn guest_in(&mut self, of: &str, room: &str) -> (GuestId, Ear) {
        let (id, ear) = self.guest(of);
        self.join(id, &name(room), None).expect("a member");
        ear.take();
        (id, ear)
    }

    /// Says something, and stores it nowhere.
    fn tell(&mut self, guest: GuestId, id: u64, to: &Channel, text: &str) -> Result<(u64, usize), Refusal> {
        match self.say(guest, id, to.clone(), text.into(), 1_000 + id)? {
            Verdict::New(entry) => Ok((entry.seq, self.apply(entry, Some(guest)))),
            Verdict::Known { seq, .. } => Ok((seq, 0)),
        }
    }
}

fn position(parts: &[(&str, u64)]) -> Position {
    parts.iter().map(|(origin, seq)| (name(origin), *seq)).collect()
}
