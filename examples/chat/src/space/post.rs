//! What a [`Space`] has to do with other processes.

use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::{Inside, Receipt, Space, Way};
use crate::cluster::{Cluster, Outgoing, Unknown};
use crate::rooms::{Entry, Rooms};

/// Between the guests and the task that publishes.
#[derive(Debug)]
pub(super) struct Post {
    start: Instant,
    /// There may be something to publish.
    news: Notify,
    published: watch::Sender<Published>,
}

/// What Redis has taken of what was said here.
#[derive(Clone, Copy, Debug, Default)]
struct Published {
    is_linked: bool,
    /// The last number.
    seq: u64,
}

impl Default for Post {
    fn default() -> Self {
        Self { start: Instant::now(), news: Notify::new(), published: watch::Sender::default() }
    }
}

impl Space {
    /// From now on other processes are told what happens here.
    pub(crate) fn share(&self, run: u64) {
        let mut inside = self.lock();
        inside.rooms.note_changes();
        inside.cluster = Some(Cluster::new(inside.rooms.origin().clone(), run));
    }

    /// Waits until Redis has taken what was said, if there is a connection to Redis. To be called before an acknowledgement: what is
    /// acknowledged is with the other processes then, even if this one dies for good.
    pub async fn published(&self, receipt: &Receipt) {
        let is_done = |published: &Published| !published.is_linked || published.seq >= receipt.seq;
        let mut published = self.post.published.subscribe();
        if is_done(&published.borrow()) || receipt.origin != *self.lock().rooms.origin() {
            return;
        }
        // The sender lives as long as the space.
        let _ = published.wait_for(is_done).await;
    }

    /// There is a connection to Redis.
    pub(crate) fn link_up(&self) {
        self.with_cluster(|cluster, rooms, now, _| {
            cluster.link_up(now, rooms);
            let seq = rooms.head(rooms.origin());
            self.post.published.send_replace(Published { is_linked: true, seq });
        });
    }

    /// The connection to Redis is over.
    pub(crate) fn link_down(&self) {
        self.with_cluster(|cluster, _, _, _| cluster.link_down());
        self.post.published.send_modify(|published| published.is_linked = false);
    }

    /// False if there is no connection to Redis, or Redis does not keep up.
    pub(crate) fn is_linked(&self) -> bool {
        self.lock().cluster.as_ref().is_some_and(Cluster::is_linked)
    }

    /// True if this process knows what the others know.
    pub(crate) fn is_settled(&self) -> bool {
        let inside = self.lock();
        inside
            .cluster
            .as_ref()
            .is_none_or(|cluster| cluster.is_settled(self.post.start.elapsed(), &inside.rooms))
    }

    /// This process stops.
    pub(crate) fn stop_sharing(&self) {
        self.with_cluster(|cluster, _, _, _| cluster.stop());
        self.post.news.notify_one();
    }

    /// What is to be published next.
    pub(crate) fn next_message(&self) -> Option<Outgoing> {
        self.lock().cluster.as_mut()?.next_message()
    }

    /// Waits until there may be something to publish.
    pub(crate) async fn news(&self) {
        self.post.news.notified().await;
    }

    /// Redis has taken what was said here up to this number.
    pub(crate) fn has_published(&self, seq: u64) {
        self.post.published.send_modify(|published| published.seq = seq.max(published.seq));
    }

    /// Another process has said something.
    ///
    /// # Errors
    /// Why it is left aside.
    pub(crate) fn receive(&self, payload: &[u8]) -> Result<(), Unknown> {
        let received =
            self.with_cluster(|cluster, rooms, now, store| cluster.receive(now, payload, rooms, store));
        self.post.news.notify_one();
        received.unwrap_or(Ok(()))
    }

    /// Does what is due. To be called several times in a second.
    pub(crate) fn keep_time(&self) {
        self.with_cluster(|cluster, rooms, now, _| {
            if cluster.poll_timeout().is_some_and(|due| due <= now) {
                cluster.handle_timeout(now, rooms);
                self.post.news.notify_one();
            }
        });
    }

    /// Tells the others who has come and gone.
    pub(super) fn pass_on(&self, Inside { rooms, cluster, .. }: &mut Inside) {
        if let Some(cluster) = cluster {
            cluster.changed(rooms.take_changes());
            self.post.news.notify_one();
        }
    }

    fn with_cluster<R>(
        &self,
        act: impl FnOnce(&mut Cluster, &mut Rooms<Way>, Duration, &mut dyn FnMut(&Entry)) -> R,
    ) -> Option<R> {
        let mut inside = self.lock();
        let Inside { rooms, journal, cluster } = &mut *inside;
        let cluster = cluster.as_mut()?;
        let mut store = |entry: &Entry| {
            if let Some(journal) = journal
                && let Err(error) = journal.append(entry)
            {
                // The process that has accepted it has stored it.
                eprintln!("chat: the journal cannot be written: {error}");
            }
        };
        let done = act(cluster, rooms, self.post.start.elapsed(), &mut store);
        cluster.changed(rooms.take_changes());
        self.shrink(&mut inside);
        Some(done)
    }
}
