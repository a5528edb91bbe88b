//! Several processes without Redis: a bus that loses messages, and links that break.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::rooms::{Channel, ClientId, Event, GuestId, Limits, Notice, Person, Verdict};

mod outage;
mod presence;
mod talk;

/// A guest that notes what it is told.
#[derive(Clone, Default)]
struct Ear(Rc<RefCell<Vec<Event>>>);

impl Outlet for Ear {
    type Cache = ();

    fn deliver(&self, notice: &Notice<()>) -> bool {
        self.0.borrow_mut().push(notice.event().clone());
        true
    }
}

impl Ear {
    /// The texts that it was told since it was last asked.
    fn texts(&self) -> Vec<String> {
        let said = |event| if let Event::Said(entry) = event { Some(entry.text.clone()) } else { None };
        self.0.take().into_iter().filter_map(said).collect()
    }

    /// Who came (`+`) and went (`-`) since it was last asked.
    fn changes(&self) -> Vec<String> {
        let change = |event| match event {
            Event::Came { user, .. } => Some(format!("+{user}")),
            Event::Went { user, .. } => Some(format!("-{user}")),
            _ => None,
        };
        self.0.take().into_iter().filter_map(change).collect()
    }
}

fn name(name: &str) -> Name {
    Name::new(name).expect("a name")
}

fn room(of: &str) -> Channel {
    Channel::Room(name(of))
}

/// A process: its rooms, what joins them with others, and what it has stored.
struct Process {
    rooms: Rooms<Ear>,
    cluster: Cluster,
    stored: Vec<Entry>,
    next_id: u64,
    /// Milliseconds since 1970, by its own clock.
    clock: u64,
}

impl Process {
    fn new(origin: &str) -> Self {
        Self::with_run(origin, 1, Limits::default())
    }

    fn with_run(origin: &str, run: u64, limits: Limits) -> Self {
        let mut rooms = Rooms::new(name(origin), limits, |_, _| true);
        rooms.note_changes();
        let cluster = Cluster::new(name(origin), run);
        Self { rooms, cluster, stored: Vec::new(), next_id: 1, clock: 1_000 }
    }

    /// The same process after a kill, with what it had stored.
    fn restarted(&self, run: u64) -> Self {
        let mut again = Self::with_run(self.rooms.origin().as_str(), run, Limits::default());
        for entry in &self.stored {
            again.rooms.restore(Record::Said(entry.clone()));
        }
        (again.stored, again.next_id) = (self.stored.clone(), 1_000);
        again
    }

    fn guest(&mut self, of: &str, in_room: &str) -> (GuestId, Ear) {
        let (ear, person) = (Ear::default(), Person { name: name(of), is_moderator: false });
        let client = ClientId::new(of.bytes().fold(0, |id, byte| id << 8 | u128::from(byte)));
        let id = self.rooms.enter(person, client, ear.clone(), None, None).expect("a place");
        self.rooms.join(id, &name(in_room), None).expect("a member");
        self.drain();
        ear.0.take();
        (id, ear)
    }

    fn say(&mut self, guest: GuestId, to: &Channel, text: &str) -> Verdict {
        self.next_id += 1;
        self.say_as(guest, self.next_id, to, text)
    }

    fn say_as(&mut self, guest: GuestId, id: u64, to: &Channel, text: &str) -> Verdict {
        let verdict = self.rooms.say(guest, id, to.clone(), text.into(), self.clock).expect("said");
        if let Verdict::New(entry) = &verdict {
            self.stored.push(entry.clone());
            self.cluster.said(entry);
            self.rooms.apply(entry.clone(), Some(guest));
        }
        verdict
    }

    fn leave(&mut self, guest: GuestId) {
        self.rooms.exit(guest);
        self.drain();
    }

    fn drain(&mut self) {
        self.cluster.changed(self.rooms.take_changes());
    }

    fn receive(&mut self, now: Duration, payload: &str) -> Result<(), Unknown> {
        let stored = &mut self.stored;
        let received = self
            .cluster
            .receive(now, payload.as_bytes(), &mut self.rooms, &mut |entry| stored.push(entry.clone()));
        self.drain();
        received
    }
}

/// The processes, and what is between them.
struct Net {
    now: Duration,
    processes: Vec<Process>,
    /// How many of a hundred messages are lost on their way to a process.
    loses: u32,
    /// How many of a hundred messages come to a process later than others, or again.
    disorders: u32,
    /// Where what comes later is to come to.
    late: Vec<(usize, String)>,
    /// The state of a linear congruential generator.
    random: u32,
}

impl Net {
    /// Processes that know each other.
    fn new<const N: usize>(origins: [&str; N]) -> Self {
        let mut net = Self {
            now: Duration::ZERO,
            processes: Vec::new(),
            loses: 0,
            disorders: 0,
            late: Vec::new(),
            random: 1,
        };
        net.processes.extend(origins.map(Process::new));
        for process in 0..N {
            net.link(process);
        }
        net.pass(2);
        net
    }

    fn link(&mut self, process: usize) {
        let Process { rooms, cluster, .. } = &mut self.processes[process];
        cluster.link_up(self.now, rooms);
    }

    fn unlink(&mut self, process: usize) {
        self.processes[process].cluster.link_down();
    }

    /// Carries what waits, until nothing waits. Every process hears everything in the same order, its own messages included, unless it is
    /// to be otherwise.
    fn carry(&mut self) {
        while let Some(message) = self.processes.iter_mut().find_map(|process| process.cluster.next_message())
        {
            for to in 0..self.processes.len() {
                if self.chance(self.loses) {
                    continue;
                }
                if self.chance(self.disorders) {
                    self.late.push((to, message.payload.clone()));
                }
                if !self.chance(self.disorders) {
                    self.bring(to, &message.payload);
                }
            }
            while self.late.len() > 20 || (self.disorders == 0 && !self.late.is_empty()) {
                let (to, payload) = self.late.swap_remove(self.random as usize % self.late.len());
                self.bring(to, &payload);
            }
        }
    }

    fn bring(&mut self, to: usize, payload: &str) {
        if self.processes[to].cluster.is_linked() {
            self.processes[to].receive(self.now, payload).expect("understood");
        }
    }

    /// True so many times of a hundred.
    fn chance(&mut self, percent: u32) -> bool {
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.random >> 16) % 100 < percent
    }

    /// Lets seconds pass.
    fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        self.carry();
        loop {
            let due = self.processes.iter().filter_map(|process| process.cluster.poll_timeout()).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            for process in &mut self.processes {
                process.cluster.handle_timeout(self.now, &mut process.rooms);
                process.drain();
            }
            self.carry();
        }
        self.now = end;
    }

    fn is_settled(&self) -> bool {
        self.processes.iter().all(|process| process.cluster.is_settled(self.now, &process.rooms))
    }
}
