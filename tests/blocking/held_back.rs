//! Over a stream that holds back what is written: what `ready` leaves there, and what a flush takes along.

use std::io::{self, IoSlice, Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tidewire::blocking::{Stream, Writer};
use tidewire::{Config, Error};

use crate::pairs::{ends, open};
use support::blocking_stream::{Call, Scripted, wait_until};
use support::wire::{self, Role};

#[test]
fn ready_makes_room_and_flushes_nothing() -> Result<(), Error> {
    for role in Role::BOTH {
        for is_split in [false, true] {
            let stream = Scripted::new([]).without_end().with_lens(100, 10).holding_back(true);
            let mut socket = open(stream.clone(), role, Config::new().with_high_water_len(64));
            socket.queue([7; 100])?;
            assert!(!socket.is_ready());
            if is_split {
                let (_reader, writer) = socket.split();
                writer.ready()?;
                assert!(writer.is_ready() && writer.queued_len() > 0);
                assert!(stream.take_written().is_empty());
                writer.flush()?;
            } else {
                socket.ready()?;
                assert!(socket.is_ready() && socket.queued_len() > 0);
                assert!(stream.take_written().is_empty());
                socket.flush()?;
            }
            assert_eq!(wire::parse(role, &stream.take_written()).len(), 1, "{role:?}, {is_split}");
        }
    }
    Ok(())
}

/// A stream over which a writer queues more while it writes or flushes.
struct Busy {
    stream: Scripted,
    writer: Arc<Mutex<Option<Writer<Self>>>>,
    at_flush: bool,
}

impl Busy {
    fn queue(&self) {
        if let Some(writer) = self.writer.lock().expect("no panic").take() {
            writer.queue("from another thread").expect("open");
        }
    }
}

impl Read for &Busy {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        (&self.stream).read(space)
    }
}

impl Write for &Busy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.at_flush {
            self.queue();
        }
        (&self.stream).write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.at_flush {
            self.queue();
        }
        (&self.stream).flush()
    }
}

impl Stream for &Busy {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (&self.stream).set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (&self.stream).set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        (&self.stream).shutdown_write()
    }
}

impl Read for Busy {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        (&*self).read(space)
    }
}

impl Write for Busy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

impl Stream for Busy {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (&*self).set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (&*self).set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        (&*self).shutdown_write()
    }
}

#[test]
fn a_message_is_flushed_whatever_is_queued_behind_it_meanwhile() -> Result<(), Error> {
    for role in Role::BOTH {
        for (at_flush, write_len) in [(false, 1), (false, usize::MAX), (true, 1), (true, usize::MAX)] {
            let stream = Scripted::new([]).without_end().with_lens(100, write_len).holding_back(true);
            let other = Arc::<Mutex<_>>::default();
            let busy = Busy { stream: stream.clone(), writer: Arc::clone(&other), at_flush };
            let (_reader, writer) = open(busy, role, Config::new()).split();
            *other.lock().expect("no panic") = Some(writer.clone());
            writer.send("from this thread")?;
            // It has gone through the stream when `send` returns, and the other message is still to go.
            let payload = |written: Vec<u8>| wire::parse(role, &written).remove(0).payload;
            assert_eq!(
                payload(stream.take_written()),
                b"from this thread",
                "{role:?}, {at_flush}, {write_len}"
            );
            assert!(writer.queued_len() > 0);
            writer.flush()?;
            assert_eq!(
                payload(stream.take_written()),
                b"from another thread",
                "{role:?}, {at_flush}, {write_len}"
            );
        }
    }
    Ok(())
}

#[test]
fn a_flush_waits_for_what_another_writer_is_writing() {
    for role in Role::BOTH {
        ends(move || {
            let stream = Scripted::new([]).without_end().with_room(0);
            let (_reader, writer) = open(stream.clone(), role, Config::new()).split();
            let other = writer.clone();
            let sending = thread::spawn(move || writer.send("Hello").map(|()| writer));
            wait_until(|| stream.state().calls.contains(&Call::Write));
            let flushing = thread::spawn(move || other.flush().map(|()| other));
            // Long enough for one that does not wait.
            thread::sleep(Duration::from_millis(30));
            assert!(!flushing.is_finished(), "{role:?}");
            stream.give_room(usize::MAX);
            let _writers = [sending, flushing].map(|thread| thread.join().expect("no panic").expect("room"));
            assert_eq!(wire::parse(role, &stream.take_written()).len(), 1);
        });
    }
}
