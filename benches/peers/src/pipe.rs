//! A stream in memory that is always ready, so that a contender is measured and no operating system.

use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::wire::READ_LEN;

/// Gives the bytes of `source` again and again, each read at most [`READ_LEN`] of them, and takes what is written.
pub(crate) struct Pipe {
    source: Rc<[u8]>,
    /// Where pieces of it end, of which no read gives more than one.
    ends: Option<Rc<[usize]>>,
    position: usize,
    sink: Sink,
}

impl Pipe {
    /// For contenders that receive.
    pub(crate) fn source(source: Rc<[u8]>) -> Self {
        Self::new(source, Sink::default())
    }

    /// For contenders that receive piece by piece.
    pub(crate) fn pieces(source: Rc<[u8]>, ends: Rc<[usize]>) -> Self {
        Self { ends: Some(ends), ..Self::source(source) }
    }

    /// For contenders that send.
    pub(crate) fn sink(sink: Sink) -> Self {
        Self::new(Rc::new([]), sink)
    }

    /// For contenders that do both.
    pub(crate) fn new(source: Rc<[u8]>, sink: Sink) -> Self {
        Self { source, ends: None, position: 0, sink }
    }

    /// What a read of at most `max_len` bytes gives; copying it is up to the caller, and the one copy that every read costs.
    ///
    /// No read goes beyond the end of the source: there it starts over.
    pub(crate) fn next(&mut self, max_len: usize) -> &[u8] {
        let end = match &self.ends {
            Some(ends) => ends[ends.partition_point(|&end| end <= self.position)],
            None => self.source.len(),
        };
        let rest = &self.source[self.position..end];
        let read = &rest[..rest.len().min(READ_LEN).min(max_len)];
        self.position += read.len();
        if self.position == self.source.len() {
            self.position = 0;
        }
        read
    }
}

impl Read for Pipe {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let read = self.next(space.len());
        space[..read.len()].copy_from_slice(read);
        Ok(read.len())
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.next(space.remaining());
        space.put_slice(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.sink.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        slices.iter().for_each(|slice| self.sink.write(slice));
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Where bytes are written to: it copies them once, as a socket would, and counts them. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Sink(Rc<RefCell<Taken>>);

#[derive(Default)]
struct Taken {
    /// Filled from its start to its end, again and again, however the bytes are cut into writes.
    socket: Vec<u8>,
    position: usize,
    total: usize,
    /// Everything, while somebody wants to look at it.
    record: Option<Vec<u8>>,
}

impl Sink {
    pub(crate) fn write(&self, mut bytes: &[u8]) {
        let taken = &mut *self.0.borrow_mut();
        taken.socket.resize(READ_LEN, 0);
        taken.total += bytes.len();
        if let Some(record) = &mut taken.record {
            record.extend_from_slice(bytes);
        }
        while !bytes.is_empty() {
            let room = &mut taken.socket[taken.position..];
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            taken.position = (taken.position + now.len()) % READ_LEN;
            bytes = later;
        }
        std::hint::black_box(&mut taken.socket);
    }

    /// How many bytes have been written in all.
    pub(crate) fn total(&self) -> usize {
        self.0.borrow().total
    }

    /// What `write` writes to this sink.
    pub(crate) fn record(&self, write: impl FnOnce()) -> Vec<u8> {
        self.0.borrow_mut().record = Some(Vec::new());
        write();
        self.0.borrow_mut().record.take().unwrap_or_default()
    }
}

/// Runs a future that never waits, because its stream does not. It may yield, so that other tasks get their turn.
///
/// # Panics
/// If it waits.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..MAX_POLLS {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
    panic!("a stream that is always ready made its user wait")
}

/// More than anybody yields.
const MAX_POLLS: usize = 1 << 20;
