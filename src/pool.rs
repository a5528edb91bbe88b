//! Storage shared by connections: one that waits holds little more than what has arrived.

use core::cell::RefCell;
use core::mem;
use core::ops::Range;
use std::boxed::Box;
use std::sync::Mutex;
use std::vec::Vec;

use bytes::Bytes;

use crate::input::READ_LEN;
use crate::{Input, Output, Payload};

/// How many pieces of storage a thread keeps of either kind: enough for connections that are in the middle of a message.
const MAX_PIECES: usize = 4;

/// Storage of up to this length belongs to a thread.
const SHORT_LEN: usize = 256 << 10;

/// How much of longer storage is kept for all threads together: enough for messages of 1 MiB that are echoed.
const MAX_LONG_LEN: usize = 4 << 20;

/// What a thread has to lend.
struct Pool {
    /// For a read or a few each.
    reads: Vec<Vec<u8>>,
    writes: Vec<Box<[u8]>>,
}

std::thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { reads: Vec::new(), writes: Vec::new() }) };
}

/// What long messages have grown.
static LONG: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Lends storage to an input that is about to be read into, and to the output for what is read to be answered.
#[inline]
pub(crate) fn supply(input: &mut Input, output: Option<&mut Output>) {
    if input.storage_len() == 0 || output.as_ref().is_some_and(|output| !output.has_storage()) {
        lend(input, output);
    }
}

#[inline(never)]
fn lend(input: &mut Input, output: Option<&mut Output>) {
    with_pool(|pool| {
        if input.storage_len() == 0
            && !input.was_long()
            && let Some(storage) = pool.reads.pop()
        {
            input.set_storage(storage);
        }
        if let Some(output) = output
            && !output.has_storage()
            && let Some(storage) = pool.writes.pop()
        {
            output.set_storage(storage);
        }
    });
}

/// Lends storage to an input whose storage has no room for a read.
#[cold]
pub(crate) fn supply_more(input: &mut Input) {
    if !input.is_full() {
        return;
    }
    let len = input.storage_len();
    // After a long message there comes another, as a rule.
    let long = if len >= READ_LEN || input.was_long() { take_long(len) } else { None };
    let storage =
        if long.is_none() && len < READ_LEN { with_pool(|pool| pool.reads.pop()).flatten() } else { long };
    if let Some(storage) = storage {
        exchange(input, storage);
    }
}

/// Gives `storage` to `input` if it is longer than what is there, and keeps the other one.
pub(crate) fn exchange(input: &mut Input, storage: Vec<u8>) {
    let storage = input.adopt(storage);
    if !storage.is_empty() {
        keep(storage);
    }
}

/// The payload as an owned value: a copy if it is short, and else with the storage that it fills, which is returned when it is dropped.
pub(crate) fn into_bytes(payload: Payload<'_>) -> Bytes {
    if payload.len() < READ_LEN {
        return payload.into_bytes();
    }
    match payload.into_storage() {
        Ok((storage, range)) => Bytes::from_owner(Lease { storage, range }),
        Err(payload) => payload.into_bytes(),
    }
}

/// Storage that somebody has for the payload in it.
struct Lease {
    storage: Vec<u8>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Lease {
    fn as_ref(&self) -> &[u8] {
        self.storage.get(self.range.clone()).unwrap_or_default()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        keep(mem::take(&mut self.storage));
    }
}

/// Takes storage back from an input in which little is buffered, as long as there is room for it, and from an output that is written.
#[inline(never)]
pub(crate) fn collect(input: &mut Input, output: Option<&mut Output>) {
    with_pool(|pool| {
        if let READ_LEN..=SHORT_LEN = input.storage_len()
            && let Some(storage) = input.release_read()
        {
            put(&mut pool.reads, storage);
        }
        if let Some(output) = output
            && let Some(storage) = output.release_storage()
        {
            put(&mut pool.writes, storage);
        }
    });
    if input.storage_len() > SHORT_LEN {
        put_long(input.storage_len(), || input.release_read());
    }
}

/// Nothing for a thread that is ending, which has no pool any more: then a connection allocates for itself.
fn with_pool<R>(run: impl FnOnce(&mut Pool) -> R) -> Option<R> {
    POOL.try_with(|pool| run(&mut pool.borrow_mut())).ok()
}

/// Keeps storage for others.
fn keep(storage: Vec<u8>) {
    match storage.len() {
        READ_LEN..=SHORT_LEN => {
            with_pool(|pool| put(&mut pool.reads, storage));
        }
        len if len > SHORT_LEN => put_long(len, || Some(storage)),
        _ => {}
    }
}

/// What does not fit is freed.
fn put<T>(pieces: &mut Vec<T>, storage: T) {
    if pieces.len() < MAX_PIECES {
        pieces.push(storage);
    }
}

/// Storage longer than `len`. Nobody waits for it.
#[cold]
fn take_long(len: usize) -> Option<Vec<u8>> {
    let mut long = LONG.try_lock().ok()?;
    let at = long.iter().rposition(|storage| storage.len() > len)?;
    Some(long.remove(at))
}

/// Keeps the storage of length `len` that `release` gives, if there is room.
#[cold]
fn put_long(len: usize, release: impl FnOnce() -> Option<Vec<u8>>) {
    let Ok(mut long) = LONG.try_lock() else { return };
    let kept_len: usize = long.iter().map(Vec::len).sum();
    if kept_len + len <= MAX_LONG_LEN {
        long.extend(release());
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use bytes::Buf as _;

    use super::*;
    use crate::{Config, Connection, Event};

    fn supply_all(input: &mut Input) {
        supply(input, None);
        supply_more(input);
    }

    /// An input that is full with a binary message of `len` bytes.
    fn message(len: usize) -> Input {
        let mut server = Connection::server(Config::new());
        server.send(&vec![7; len][..]).expect("room");
        let mut input = Input::new();
        input.adopt(vec![0; server.output().len()]);
        input.extend_from_slice(server.output().chunk());
        input
    }

    #[test]
    fn a_long_payload_has_its_storage_until_it_is_dropped() {
        for (len, is_long) in [(READ_LEN - 1, false), (READ_LEN, true), (SHORT_LEN - 10, true)] {
            let (mut connection, mut input) = (Connection::client(Config::new(), [7; 32]), message(len));
            let Ok(Some(Event::Binary(payload))) = connection.receive(&mut input) else {
                panic!("no message")
            };
            let address = payload.as_ptr();
            let owned = into_bytes(payload);
            assert_eq!((owned.len(), owned.as_ptr() == address), (len, is_long));
            assert_eq!(input.storage_len() == 0, is_long);
            let (part, mut other) = (owned.slice(len - 1..), Input::new());
            drop(owned);
            supply_all(&mut other);
            assert_eq!((other.storage_len(), &part[..]), (0, &[7][..]));
            drop(part);
            supply_all(&mut other);
            assert_eq!(other.storage_len() > len, is_long);
        }
    }

    #[test]
    fn a_thread_keeps_a_few_pieces() {
        let mut inputs: Vec<_> = (0..=MAX_PIECES).map(|_| Input::new()).collect();
        inputs.iter_mut().for_each(|input| exchange(input, vec![0; READ_LEN]));
        inputs.iter_mut().for_each(|input| collect(input, None));
        inputs.iter_mut().for_each(supply_all);
        assert_eq!(inputs.iter().filter(|input| input.storage_len() > 0).count(), MAX_PIECES);
    }

    #[test]
    fn storage_goes_to_whoever_needs_it_as_far_as_there_is_room_for_it() {
        let mut first = Input::new();
        // Less than a read is no use to anybody.
        exchange(&mut first, vec![0; READ_LEN - 1]);
        collect(&mut first, None);
        assert_eq!(first.storage_len(), READ_LEN - 1);
        // One read serves this thread.
        exchange(&mut first, vec![0; READ_LEN]);
        collect(&mut first, None);
        assert_eq!(first.storage_len(), 0);
        supply_all(&mut first);
        assert_eq!(first.storage_len(), READ_LEN);
        // There is room for one of these, and the input goes on with what it had.
        let mut others = [Input::new(), Input::new()];
        for other in &mut others {
            exchange(other, vec![0; MAX_LONG_LEN / 2 + 1]);
            collect(other, None);
        }
        assert_eq!(others.map(|other| other.storage_len()), [0, MAX_LONG_LEN / 2 + 1]);
        supply_all(&mut first);
        assert_eq!(first.storage_len(), READ_LEN, "there is still room");
        first.extend_from_slice(&[7; READ_LEN]);
        supply_all(&mut first);
        assert_eq!((first.storage_len(), first.unread()), (MAX_LONG_LEN / 2 + 1, &[7; READ_LEN][..]));
        // Of what it had, the thread makes use again.
        let mut second = Input::new();
        supply_all(&mut second);
        assert_eq!(second.storage_len(), READ_LEN);
        // Nothing longer is left.
        second.extend_from_slice(&[7; READ_LEN]);
        supply_all(&mut second);
        assert_eq!(second.storage_len(), READ_LEN);
        // Whoever has read much begins with long storage the next time, however often it finds nothing to read, and that time only.
        first.extend_from_slice(&[7]);
        second.consume(READ_LEN);
        collect(&mut second, None);
        for (len, reads) in [(MAX_LONG_LEN / 2 + 1, 0), (MAX_LONG_LEN / 2 + 1, 1), (READ_LEN, 1)] {
            first.consume(first.unread().len());
            collect(&mut first, None);
            supply_all(&mut first);
            assert_eq!(first.storage_len(), len);
            (0..reads).for_each(|_| first.filled(1));
        }
    }
}
