//! Inputs and storage shared by connections: one that waits holds little more than what has arrived.

mod inlet;

use core::cell::{Cell, RefCell};
use core::mem;
use core::ops::Range;
use std::boxed::Box;
use std::sync::Mutex;
use std::vec::Vec;

use bytes::Bytes;

pub(crate) use self::inlet::Inlet;
use crate::connection::input::READ_LEN;
use crate::{Input, Output, Payload};

/// How many pieces of storage of either kind a thread keeps behind the first: enough for connections that are in the middle of a message.
const MAX_SPARE: usize = 3;

/// Storage of up to this length belongs to a thread.
const SHORT_LEN: usize = 256 << 10;

/// How much of longer storage is kept for all threads together: enough for messages of 1 MiB that are echoed.
const MAX_LONG_LEN: usize = 4 << 20;

/// What a thread has to lend.
struct Pool {
    /// What came back last, of which there is just one of either kind as a rule: an input that is as good as new, but with storage.
    input: Cell<Option<Box<Input>>>,
    write: Cell<Option<Box<[u8]>>>,
    spare: RefCell<Spare>,
}

impl Pool {
    #[inline]
    fn collect_write(&self, output: &mut Output) {
        if let Some(storage) = output.release_storage()
            && let Some(former) = self.write.replace(Some(storage))
        {
            self.spare_write(former);
        }
    }

    /// What does not fit is freed, here and below.
    #[cold]
    #[inline(never)]
    fn spare_read(&self, storage: Vec<u8>) {
        let reads = &mut self.spare.borrow_mut().reads;
        if reads.len() < MAX_SPARE {
            reads.push(storage);
        }
    }

    #[cold]
    #[inline(never)]
    fn spare_input(&self, mut inlet: Inlet) {
        self.spare_read(inlet.input().take_storage());
    }

    #[cold]
    #[inline(never)]
    fn spare_write(&self, storage: Box<[u8]>) {
        let writes = &mut self.spare.borrow_mut().writes;
        if writes.len() < MAX_SPARE {
            writes.push(storage);
        }
    }
}

/// What came back before that.
struct Spare {
    /// For a read or a few each.
    reads: Vec<Vec<u8>>,
    writes: Vec<Box<[u8]>>,
}

std::thread_local! {
    static POOL: Pool = const {
        let spare = RefCell::new(Spare { reads: Vec::new(), writes: Vec::new() });
        Pool { input: Cell::new(None), write: Cell::new(None), spare }
    };
}

/// What long messages have grown.
static LONG: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Lends an input that is about to be read into, and storage to the output for what is read to be answered.
#[inline]
pub(crate) fn supply<'i>(inlet: &'i mut Inlet, output: Option<&mut Output>) -> &'i mut Input {
    if lacks(inlet, output.as_deref()) {
        lend(inlet, output);
    }
    inlet.input()
}

fn lacks(inlet: &Inlet, output: Option<&Output>) -> bool {
    inlet.storage_len() == 0 || output.is_some_and(|output| !output.has_storage())
}

#[inline(never)]
fn lend(inlet: &mut Inlet, mut output: Option<&mut Output>) {
    with_pool(|pool| {
        if inlet.0.is_none() {
            inlet.0 = pool.input.take();
        }
        if let Some(output) = output.as_deref_mut()
            && !output.has_storage()
            && let Some(storage) = pool.write.take()
        {
            output.set_storage(storage);
        }
    });
    if lacks(inlet, output.as_deref()) {
        lend_spare(inlet, output);
    }
}

/// Lends storage to an input that has none, unless it will want a long one, and to an output that has none.
#[cold]
#[inline(never)]
fn lend_spare(inlet: &mut Inlet, output: Option<&mut Output>) {
    if inlet.storage_len() == 0
        && inlet.get().is_none_or(|input| !input.was_long())
        && let Some(storage) = take_read()
    {
        inlet.input().set_storage(storage);
    }
    if let Some(output) = output
        && !output.has_storage()
        && let Some(storage) = with_pool(|pool| pool.spare.borrow_mut().writes.pop()).flatten()
    {
        output.set_storage(storage);
    }
}

/// Storage for a read.
fn take_read() -> Option<Vec<u8>> {
    with_pool(|pool| {
        let spare = pool.spare.borrow_mut().reads.pop();
        spare.or_else(|| Some(pool.input.take()?.take_storage()))
    })
    .flatten()
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
    let storage = if long.is_none() && len < READ_LEN { take_read() } else { long };
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

/// Lends storage to an output that has none, for somebody who only writes.
#[cfg(feature = "tokio")]
pub(crate) fn supply_output(output: &mut Output) {
    if !output.has_storage()
        && let Some(storage) = with_pool(|pool| pool.write.take()).flatten()
    {
        output.set_storage(storage);
    }
}

/// Takes storage back from an output that is written, for somebody who only writes.
#[cfg(feature = "tokio")]
pub(crate) fn collect_output(output: &mut Output) {
    with_pool(|pool| pool.collect_write(output));
}

/// Takes an input back that is as good as new, or what can be spared of its storage; and storage from an output that is written.
#[inline(never)]
pub(crate) fn collect(inlet: &mut Inlet, output: Option<&mut Output>) {
    with_pool(|pool| {
        if let Some(output) = output {
            pool.collect_write(output);
        }
        if matches!(inlet.storage_len(), READ_LEN..=SHORT_LEN)
            && inlet.get().is_some_and(Input::is_blank)
            && let former @ Some(_) = pool.input.replace(inlet.0.take())
        {
            pool.spare_input(Inlet(former));
        }
    });
    if inlet.0.is_some() {
        collect_storage(inlet);
    }
}

/// Takes storage back from an input in which little is buffered, as long as there is room for it.
#[cold]
#[inline(never)]
fn collect_storage(inlet: &mut Inlet) {
    let Some(input) = inlet.get() else { return };
    match input.storage_len() {
        ..READ_LEN => {}
        READ_LEN..=SHORT_LEN => {
            if let Some(storage) = input.release_read() {
                keep(storage);
            }
        }
        len => put_long(len, || input.release_read()),
    }
    if input.storage_len() == 0 && input.is_blank() {
        inlet.0 = None;
    }
}

/// Nothing for a thread that is ending, which has no pool any more: then a connection allocates for itself.
fn with_pool<R>(run: impl FnOnce(&Pool) -> R) -> Option<R> {
    POOL.try_with(run).ok()
}

/// Keeps storage for others.
fn keep(storage: Vec<u8>) {
    match storage.len() {
        ..READ_LEN => {}
        READ_LEN..=SHORT_LEN => {
            with_pool(|pool| pool.spare_read(storage));
        }
        len => put_long(len, || Some(storage)),
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

    fn supply_all(inlet: &mut Inlet) {
        supply_more(supply(inlet, None));
    }

    /// An inlet whose input has `storage`.
    fn inlet(storage: Vec<u8>) -> Inlet {
        let mut input = Input::new();
        input.adopt(storage);
        input.into()
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
            let (part, mut other) = (owned.slice(len - 1..), Inlet::new());
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
        let mut pairs: Vec<_> =
            (0..MAX_SPARE + 2).map(|_| (inlet(vec![0; READ_LEN]), Output::of(vec![0; 16]))).collect();
        for (inlet, output) in &mut pairs {
            output.advance(16);
            collect(inlet, Some(output));
            assert_eq!((inlet.storage_len(), output.has_storage()), (0, false));
        }
        for (inlet, output) in &mut pairs {
            supply(inlet, Some(output));
        }
        assert_eq!(pairs.iter().filter(|(inlet, _)| inlet.storage_len() > 0).count(), MAX_SPARE + 1);
        assert_eq!(pairs.iter().filter(|(_, output)| output.has_storage()).count(), MAX_SPARE + 1);
    }

    #[test]
    fn storage_is_lent_to_either_side_that_has_none() {
        for (input_len, has_output) in [(0, false), (0, true), (READ_LEN + 1, false), (READ_LEN + 1, true)] {
            let (mut former, mut written) = (inlet(vec![0; READ_LEN]), Output::of(vec![0; 16]));
            written.advance(16);
            collect(&mut former, Some(&mut written));
            let mut inlet = if input_len > 0 { inlet(vec![0; input_len]) } else { Inlet::new() };
            let mut output = if has_output { Output::of(vec![0; 16]) } else { Output::default() };
            supply(&mut inlet, Some(&mut output));
            assert_eq!((inlet.storage_len(), output.has_storage()), (input_len.max(READ_LEN), true));
        }
    }

    #[test]
    fn a_short_piece_is_exchanged_for_one_with_room_for_a_read() {
        collect(&mut inlet(vec![0; READ_LEN]), None);
        let mut begun = inlet(vec![0; 1]);
        begun.input().filled(1);
        supply_more(begun.input());
        assert_eq!((begun.storage_len(), begun.input().unread()), (READ_LEN, &[0][..]));
    }

    #[test]
    fn an_input_that_is_not_as_good_as_new_stays_without_its_storage() {
        let [mut ended, mut announced, mut begun] = [(), (), ()].map(|()| inlet(vec![0; READ_LEN]));
        ended.input().set_eof();
        announced.input().set_missing(READ_LEN - 1);
        begun.input().extend_from_slice(&[7]);
        for (inlet, len) in [(&mut ended, 0), (&mut announced, 0), (&mut begun, 1)] {
            collect(inlet, None);
            assert_eq!((inlet.0.is_some(), inlet.storage_len()), (true, len));
        }
        assert!(ended.is_eof() && begun.input().unread() == [7]);
        // Others have the storage.
        for mut other in [(), (), ()].map(|()| Inlet::new()) {
            supply_all(&mut other);
            assert_eq!((other.storage_len(), other.is_dry()), (READ_LEN, true));
            assert_eq!(other.input().space().len(), READ_LEN);
        }
        supply_all(&mut announced);
        assert_eq!(announced.input().space().len(), READ_LEN - 1);
    }

    #[test]
    fn storage_goes_to_whoever_needs_it_as_far_as_there_is_room_for_it() {
        // Less than a read is no use to anybody.
        let mut first = inlet(vec![0; READ_LEN - 1]);
        collect(&mut first, None);
        assert_eq!(first.storage_len(), READ_LEN - 1);
        // One read serves this thread.
        exchange(first.input(), vec![0; READ_LEN]);
        collect(&mut first, None);
        assert!(first.0.is_none());
        supply_all(&mut first);
        assert_eq!(first.storage_len(), READ_LEN);
        // There is room for one of these, and the input goes on with what it had.
        let mut others = [(), ()].map(|()| inlet(vec![0; MAX_LONG_LEN / 2 + 1]));
        others.iter_mut().for_each(|other| collect(other, None));
        assert!(others[0].0.is_none());
        assert_eq!(others.map(|other| other.storage_len()), [0, MAX_LONG_LEN / 2 + 1]);
        supply_all(&mut first);
        assert_eq!(first.storage_len(), READ_LEN, "there is still room");
        first.input().extend_from_slice(&[7; READ_LEN]);
        supply_all(&mut first);
        assert_eq!((first.storage_len(), first.input().unread()), (MAX_LONG_LEN / 2 + 1, &[7; READ_LEN][..]));
        // Of what it had, the thread makes use again.
        let mut second = Inlet::new();
        supply_all(&mut second);
        assert_eq!(second.storage_len(), READ_LEN);
        // Nothing longer is left.
        second.input().extend_from_slice(&[7; READ_LEN]);
        supply_all(&mut second);
        assert_eq!(second.storage_len(), READ_LEN);
        // Whoever has read much begins with long storage the next time, however often it finds nothing to read, and that time only.
        first.input().extend_from_slice(&[7]);
        second.input().consume(READ_LEN);
        collect(&mut second, None);
        for (len, reads) in [(MAX_LONG_LEN / 2 + 1, 0), (MAX_LONG_LEN / 2 + 1, 1), (READ_LEN, 1)] {
            let unread = first.input().unread().len();
            first.input().consume(unread);
            collect(&mut first, None);
            supply_all(&mut first);
            assert_eq!(first.storage_len(), len);
            (0..reads).for_each(|_| first.input().filled(1));
        }
        // What is no use to one is kept for another, be it long.
        exchange(inlet(vec![0; SHORT_LEN + 2]).input(), vec![0; SHORT_LEN + 1]);
        let mut third = inlet(vec![0; READ_LEN]);
        third.input().filled(READ_LEN);
        supply_all(&mut third);
        assert_eq!(third.storage_len(), SHORT_LEN + 1);
    }
}
