//! What counts as progress of a peer that takes its time, and how long one write may last.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use tidewire::blocking::{Stream, WebSocket};
use tidewire::{Config, Error, Input};

use crate::pairs::{ends, open};
use support::blocking_stream::{Call, Scripted, wait_until};
use support::wire::{self, Role};

const TIMEOUT: Duration = Duration::from_millis(800);

#[test]
fn a_writer_waits_for_a_peer_that_pauses_for_longer_than_the_timeout_in_all() {
    fn test(role: Role) {
        let config = Config::new().with_write_timeout(TIMEOUT).with_min_progress(1000);
        let stream = Scripted::new([]).without_end().with_room(0);
        let (_reader, writer) = open(stream.clone(), role, config).split();
        let sending = thread::spawn(move || writer.send(vec![1; 5000]));
        // Each pause lasts as long as one write, of which there are four in a timeout.
        for pause in 1..=5 {
            wait_until(|| stream.state().idle[1] >= TIMEOUT / 4 * pause);
            stream.give_room(1000);
        }
        wait_until(|| stream.state().idle[1] >= TIMEOUT / 4 * 6);
        stream.give_room(usize::MAX);
        sending.join().expect("no panic").expect("the peer reads");
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 1);
    }
    let tests = Role::BOTH.map(|role| thread::spawn(move || ends(move || test(role))));
    tests.into_iter().for_each(|test| test.join().expect("no panic"));
}

/// A stream whose writes last longer than they may, and take something all the same.
struct Late(Scripted, Duration);

impl Read for Late {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.0.read(space)
    }
}

impl Write for Late {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        thread::sleep(self.1);
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for Late {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown_write()
    }
}

#[test]
fn a_write_that_lasts_too_long_and_takes_something_is_progress() -> Result<(), Error> {
    let timeout = Duration::from_millis(20);
    for role in Role::BOTH {
        let config = Config::new().with_write_timeout(timeout).with_min_progress(1000);
        let stream = Scripted::new([]).without_end().with_lens(usize::MAX, 1500);
        let connection = role.connection(config);
        let mut socket = WebSocket::from_parts(Late(stream.clone(), timeout * 2), connection, Input::new());
        socket.send(vec![1; 4000])?;
        assert_eq!(wire::parse(role, &stream.take_written()).len(), 1);
    }
    Ok(())
}

#[test]
fn a_write_lasts_a_second_at_most_and_a_quarter_of_the_timeout() -> Result<(), Error> {
    for role in Role::BOTH {
        for (timeout, longest) in
            [(None, 1000), (Some(3_600_000), 1000), (Some(30_000), 1000), (Some(2000), 500)]
        {
            for is_split in [false, true] {
                let config = Config::new().with_write_timeout(timeout.map(Duration::from_millis));
                let stream = Scripted::new([]).without_end();
                let mut socket = open(stream.clone(), role, config);
                if is_split {
                    let (_reader, writer) = socket.split();
                    writer.send("Hello")?;
                } else {
                    socket.send("Hello")?;
                }
                let timeouts: Vec<_> = (stream.state().calls.iter())
                    .filter_map(
                        |call| if let Call::WriteTimeout(timeout) = call { Some(*timeout) } else { None },
                    )
                    .collect();
                let is_short = |timeout: &Option<Duration>| {
                    timeout.is_some_and(|timeout| timeout <= Duration::from_millis(longest))
                };
                assert!(!timeouts.is_empty() && timeouts.iter().all(is_short), "{timeout:?}: {timeouts:?}");
            }
        }
    }
    Ok(())
}
