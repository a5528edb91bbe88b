//! [`Pace`]: how fast a person may go, over all its connections.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::gate::Buckets;
use crate::rooms::Name;

/// So many messages in a row that are too fast end a connection.
pub(crate) const MAX_TOO_FAST: u32 = 100;

/// How fast each person may go. A connection that is made anew brings no new messages.
#[derive(Debug)]
pub struct Pace {
    start: Instant,
    people: Mutex<Buckets<Name>>,
}

impl Pace {
    /// `rate` is in messages of a person in a second; twice as many may come at once.
    #[must_use]
    pub fn new(rate: f64) -> Self {
        Self { start: Instant::now(), people: Mutex::new(Buckets::new(rate, 2.0 * rate.max(1.0))) }
    }

    /// Counts a message of a person.
    ///
    /// # Errors
    /// How long the person has to wait.
    pub fn take(&self, person: &Name) -> Result<(), Duration> {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        people.take(person.clone(), self.start.elapsed())
    }
}
