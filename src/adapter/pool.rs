//! Read and write buffers, which each thread lends to its connections: one that waits holds little more than what has arrived.

use core::cell::RefCell;
use std::boxed::Box;
use std::vec::Vec;

use crate::connection::input::READ_LEN;
use crate::{Input, Output};

/// How many inputs, and how many pieces of output storage, a thread keeps: enough for connections in the middle of a message.
const MAX_KEPT: usize = 4;

/// How many bytes either of them may have together: enough for a message of 1 MiB.
const MAX_KEPT_LEN: usize = 4 << 20;

/// A thread that waits for one connection keeps longer buffers for a while only.
#[cfg(feature = "blocking")]
const MAX_RESTING_LEN: usize = 256 << 10;

/// What a thread has to lend. The last that came back goes first, since it is in the caches.
struct Pool {
    /// Blank ones with storage for a read.
    inputs: RefCell<Vec<PooledInput>>,
    outputs: RefCell<Vec<Box<[u8]>>>,
}

std::thread_local! {
    static POOL: Pool = const { Pool { inputs: RefCell::new(Vec::new()), outputs: RefCell::new(Vec::new()) } };
}

/// The input of a connection, which has one only while there is something in it.
#[derive(Debug)]
pub(crate) struct PooledInput(Option<Box<Input>>);

impl PooledInput {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// The input, if there is one.
    #[inline]
    pub(crate) fn get(&mut self) -> Option<&mut Input> {
        self.0.as_deref_mut()
    }

    /// The input, or one without storage.
    #[inline]
    pub(crate) fn input(&mut self) -> &mut Input {
        self.0.get_or_insert_default()
    }

    /// True when nothing is there to be decoded, not even the end.
    #[inline]
    pub(crate) fn is_dry(&self) -> bool {
        self.0.as_ref().is_none_or(|input| !input.has_unread() && !input.is_eof())
    }

    pub(crate) fn is_eof(&self) -> bool {
        self.0.as_ref().is_some_and(|input| input.is_eof())
    }

    /// The input, about to be read into: with storage of the pool if it has none for a read.
    #[inline]
    pub(crate) fn borrow(&mut self) -> &mut Input {
        if self.storage_len() < READ_LEN {
            self.take_storage();
        }
        self.input()
    }

    fn take_storage(&mut self) {
        let Some(mut spare) = with_pool(|pool| pool.inputs.borrow_mut().pop()).flatten() else { return };
        match self.get() {
            None => *self = spare,
            Some(input) => drop(input.adopt(spare.input().take_storage())),
        }
    }

    /// Gives a blank input back to the pool, and else what can be spared of its storage.
    pub(crate) fn give_back(&mut self) {
        let Some(input) = self.get() else { return };
        if input.is_blank() {
            keep_input(Self(self.0.take()));
        } else if let Some(storage) = input.release_read() {
            let mut spare = Self::new();
            spare.input().adopt(storage);
            keep_input(spare);
        }
    }

    /// What was read and not consumed.
    pub(crate) fn take_unread(&mut self) -> Vec<u8> {
        let Some(input) = self.get() else { return Vec::new() };
        let unread = input.unread().to_vec();
        input.consume(unread.len());
        self.give_back();
        unread
    }

    fn storage_len(&self) -> usize {
        self.0.as_ref().map_or(0, |input| input.storage_len())
    }

    fn heap_len(&self) -> usize {
        self.0.as_ref().map_or(0, |input| input.heap_len())
    }
}

impl From<Input> for PooledInput {
    fn from(input: Input) -> Self {
        Self(Some(Box::new(input)))
    }
}

impl From<PooledInput> for Input {
    fn from(pooled: PooledInput) -> Self {
        pooled.0.map(|input| *input).unwrap_or_default()
    }
}

/// Lends storage to an output that has none.
#[inline]
pub(crate) fn lend_storage(output: &mut Output) {
    if output.storage_len() == 0
        && let Some(storage) = with_pool(|pool| pool.outputs.borrow_mut().pop()).flatten()
    {
        output.set_storage(storage);
    }
}

/// Takes storage back from an output that is written.
#[inline]
pub(crate) fn take_storage_back(output: &mut Output) {
    if let Some(storage) = output.release_storage() {
        with_pool(|pool| keep(&mut pool.outputs.borrow_mut(), storage, |storage| storage.len()));
    }
}

/// True while one of them is so long that a thread that waits for the connection frees it after a rest.
#[cfg(feature = "blocking")]
pub(crate) fn is_long(input: &PooledInput, output: &Output) -> bool {
    input.heap_len().max(output.storage_len()) > MAX_RESTING_LEN
}

/// Frees long buffers in which nothing is: those of the pool, and that of `output`.
#[cfg(feature = "blocking")]
pub(crate) fn free_long(output: &mut Output) {
    with_pool(|pool| pool.inputs.borrow_mut().retain(|input| input.heap_len() <= MAX_RESTING_LEN));
    if output.storage_len() > MAX_RESTING_LEN {
        output.release();
    }
}

fn keep_input(input: PooledInput) {
    // Less is no use to anybody.
    if input.storage_len() >= READ_LEN {
        with_pool(|pool| keep(&mut pool.inputs.borrow_mut(), input, PooledInput::heap_len));
    }
}

/// Keeps a piece for others. What does not fit is freed.
fn keep<T>(kept: &mut Vec<T>, piece: T, len: impl Fn(&T) -> usize) {
    let kept_len: usize = kept.iter().map(&len).sum();
    if kept.len() < MAX_KEPT && kept_len + len(&piece) <= MAX_KEPT_LEN {
        kept.push(piece);
    }
}

/// Nothing for a thread that is ending, which has no pool any more: then a connection allocates for itself.
fn with_pool<R>(run: impl FnOnce(&Pool) -> R) -> Option<R> {
    POOL.try_with(run).ok()
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    /// One whose input has `storage`.
    fn pooled(storage: Vec<u8>) -> PooledInput {
        let mut input = Input::new();
        input.adopt(storage);
        input.into()
    }

    /// An output with storage of length `len`, all of it written.
    fn written(len: usize) -> Output {
        let mut output = Output::of(vec![0; len]);
        output.advance(len);
        output
    }

    /// How long the pieces are that the pool lends, in turn, until it has none.
    fn lent() -> Vec<usize> {
        let lens = core::iter::from_fn(|| Some(PooledInput::new().borrow().storage_len()));
        lens.take_while(|&len| len > 0).collect()
    }

    #[test]
    fn a_thread_keeps_a_few_pieces() {
        let mut inputs: Vec<_> = (0..MAX_KEPT + 2).map(|_| pooled(vec![0; READ_LEN])).collect();
        inputs.iter_mut().for_each(PooledInput::give_back);
        assert!(inputs.iter().all(|input| input.0.is_none()));
        assert_eq!(lent(), [READ_LEN; MAX_KEPT]);

        let mut outputs: Vec<_> = (0..MAX_KEPT + 2).map(|_| written(16)).collect();
        outputs.iter_mut().for_each(take_storage_back);
        assert!(outputs.iter().all(|output| output.storage_len() == 0));
        outputs.iter_mut().for_each(lend_storage);
        assert_eq!(outputs.iter().filter(|output| output.storage_len() > 0).count(), MAX_KEPT);
    }

    #[test]
    fn a_thread_keeps_a_few_mib_and_nothing_that_is_too_short() {
        for len in [READ_LEN - 1, MAX_KEPT_LEN - READ_LEN + 1, MAX_KEPT_LEN - READ_LEN, MAX_KEPT_LEN + 1] {
            pooled(vec![0; READ_LEN]).give_back();
            pooled(vec![0; len]).give_back();
            let is_kept = (READ_LEN..=MAX_KEPT_LEN - READ_LEN).contains(&len);
            assert_eq!(lent(), if is_kept { vec![len, READ_LEN] } else { vec![READ_LEN] });
        }
    }

    #[test]
    fn an_output_without_storage_has_none_to_give_back() {
        for _ in 0..MAX_KEPT {
            take_storage_back(&mut Output::new());
        }
        take_storage_back(&mut written(16));
        let mut other = Output::new();
        lend_storage(&mut other);
        assert_eq!(other.storage_len(), 16);
    }

    #[test]
    fn an_output_keeps_what_it_owes() {
        let mut output = Output::of(vec![7; 16]);
        output.advance(15);
        take_storage_back(&mut output);
        assert_eq!(output.chunk(), [7]);
        let mut other = Output::new();
        lend_storage(&mut other);
        assert!(other.storage_len() == 0);
    }

    #[test]
    fn little_that_is_buffered_moves_to_storage_with_room_for_a_read() {
        pooled(vec![0; READ_LEN]).give_back();
        let mut begun = pooled(vec![0; 1]);
        begun.input().filled(1);
        begun.borrow();
        assert_eq!((begun.storage_len(), begun.input().unread()), (READ_LEN, &[0][..]));
    }

    #[test]
    fn an_input_with_room_for_a_read_takes_nothing_from_the_pool() {
        let [mut spare, mut enough] = [(), ()].map(|()| pooled(vec![0; READ_LEN]));
        spare.give_back();
        enough.borrow();
        assert_eq!(lent(), [READ_LEN]);
    }

    #[cfg(feature = "blocking")]
    #[test]
    fn what_is_longer_than_a_rest_allows_is_freed() {
        for (len, is_freed) in [(MAX_RESTING_LEN, false), (MAX_RESTING_LEN + 1, true)] {
            let mut output = written(len);
            assert_eq!(is_long(&PooledInput::new(), &output), is_freed);
            pooled(vec![0; len]).give_back();
            free_long(&mut output);
            assert_eq!((output.storage_len() == 0, lent().is_empty()), (is_freed, is_freed), "{len}");
        }
    }

    #[test]
    fn an_input_that_is_not_blank_stays_without_its_storage() {
        let [mut ended, mut announced, mut begun] = [(), (), ()].map(|()| pooled(vec![0; READ_LEN]));
        ended.input().set_eof();
        announced.input().set_missing(READ_LEN - 1);
        begun.input().extend_from_slice(&[7]);
        for (input, len) in [(&mut ended, 0), (&mut announced, 0), (&mut begun, 1)] {
            input.give_back();
            assert_eq!((input.0.is_some(), input.storage_len()), (true, len));
        }
        assert!(ended.is_eof() && begun.input().unread() == [7]);
        // Others have the storage.
        for mut other in [(), ()].map(|()| PooledInput::new()) {
            assert_eq!(other.borrow().space().len(), READ_LEN);
            assert!(other.is_dry());
        }
        assert_eq!(announced.borrow().space().len(), READ_LEN - 1);
    }

    #[test]
    fn an_input_in_which_much_is_buffered_stays_as_it_is() {
        let mut full = pooled(vec![0; READ_LEN]);
        full.input().extend_from_slice(&[7; READ_LEN / 2]);
        full.give_back();
        assert_eq!((full.storage_len(), full.input().unread()), (READ_LEN, &[7; READ_LEN / 2][..]));
        assert_eq!(lent(), []);
    }
}
