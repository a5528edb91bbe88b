//! [`History`]: the end of what was said, which the next message may refer to.

use alloc::vec::Vec;

/// The last bytes of one direction before compression, at most as many as its window holds: a ring.
#[derive(Default)]
pub(super) struct History {
    ring: Vec<u8>,
    /// Where the oldest byte is; 0 until the ring is full.
    start: usize,
}

impl History {
    /// Appends `text` and forgets what lies more than `window_len` back.
    pub(super) fn push(&mut self, text: &[u8], window_len: usize) {
        let text = &text[text.len().saturating_sub(window_len)..];
        let (into_room, over) = text.split_at(text.len().min(window_len - self.ring.len()));
        let needed = self.ring.len() + into_room.len();
        if needed > self.ring.capacity() {
            let len = needed.max(self.ring.capacity() * 2).min(window_len);
            self.ring.reserve_exact(len - self.ring.len());
        }
        self.ring.extend_from_slice(into_room);
        let (to_end, to_start) = over.split_at(over.len().min(self.ring.len() - self.start));
        self.ring[self.start..][..to_end.len()].copy_from_slice(to_end);
        self.ring[..to_start.len()].copy_from_slice(to_start);
        self.start = if to_start.is_empty() { self.start + to_end.len() } else { to_start.len() };
        if self.start == self.ring.len() {
            self.start = 0;
        }
    }

    /// All of it in order, in two pieces.
    pub(super) fn pieces(&self) -> [&[u8]; 2] {
        let (newer, older) = self.ring.split_at(self.start);
        [older, newer]
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_the_end_of_what_was_pushed() {
        const WINDOW_LEN: usize = 64;
        for step in 1..200 {
            let mut history = History::default();
            let mut all = Vec::new();
            for n in 0..20 {
                let text: Vec<u8> = (0..(n * step) % 150).map(|i| (i * 7 + n * 31) as u8).collect();
                history.push(&text, WINDOW_LEN);
                all.extend_from_slice(&text);
                assert_eq!(history.pieces().concat(), &all[all.len().saturating_sub(WINDOW_LEN)..]);
                assert!(history.ring.capacity() <= WINDOW_LEN);
            }
        }
    }

    #[test]
    fn it_grows_by_what_it_gets_and_then_twofold() {
        const WINDOW_LEN: usize = 4096;
        let mut history = History::default();
        for (len, capacity) in [(3, 3), (0, 3), (1, 6), (2, 6), (1, 12), (20, 27), (4096, 4096), (1, 4096)] {
            history.push(&[7; WINDOW_LEN][..len], WINDOW_LEN);
            assert_eq!(history.ring.capacity(), capacity);
        }
    }
}
