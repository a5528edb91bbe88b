//! A socket that has nothing to do calls nobody, whatever it did before.

use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use tidewire::Config;

use crate::pairs::{ends, open};
use support::blocking_stream::{Call, Scripted, wait_until};
use support::wire::{self, Role};

/// How long the shortest timeouts have to show themselves.
const LULL: Duration = Duration::from_millis(30);

fn quiet() -> Config {
    Config::new().without_keepalive()
}

fn reads(stream: &Scripted) -> usize {
    stream.state().calls.iter().filter(|call| **call == Call::Read).count()
}

#[test]
fn after_short_attempts_a_read_waits_as_long_as_it_may() {
    for role in Role::BOTH {
        for is_split in [false, true] {
            ends(move || {
                let stream = Scripted::new([]).without_end();
                // The halves look up after the shortest timeout at the latest, and there is none.
                let config = quiet().with_close_timeout(None).with_write_timeout(None);
                let mut socket = open(stream.clone(), role, config);
                for _ in 0..3 {
                    assert_eq!(socket.try_recv().expect("open"), Poll::Pending);
                }
                let before = reads(&stream);
                let receiving = thread::spawn(move || {
                    if is_split {
                        let (mut reader, _writer) = socket.split();
                        return reader.recv();
                    }
                    socket.recv()
                });
                wait_until(|| reads(&stream) > before);
                thread::sleep(LULL);
                stream.arrive(&wire::text(role, "Hello"));
                assert_eq!(receiving.join().expect("no panic").expect("open"), Some("Hello".into()));
                // The first one may still have the timeout of the attempts.
                let reads = reads(&stream) - before;
                assert!(reads <= 2, "{role:?}, {is_split}: {reads}");
            });
        }
    }
}

#[test]
fn what_a_long_message_leaves_behind_is_looked_after_in_ten_seconds() {
    for role in Role::BOTH {
        for is_sent in [false, true] {
            for is_split in [false, true] {
                let long = vec![7; 1 << 20];
                let rest = wire::text(role, "Hello");
                let incoming = if is_sent { Vec::new() } else { wire::binary(role, &long) };
                let stream = Scripted::new([&incoming[..], &rest[..2]].concat()).without_end();
                let mut socket = open(stream.clone(), role, quiet());
                if is_sent {
                    socket.send(&long).expect("open");
                } else {
                    assert!(socket.recv_ref().expect("open").is_some());
                }
                // While it waits, more arrives.
                let handle = stream.clone();
                let helping = thread::spawn(move || {
                    wait_until(|| reads(&handle) > 0);
                    handle.arrive(&rest[2..]);
                });
                let received = if is_split {
                    let (mut reader, _writer) = socket.split();
                    reader.recv()
                } else {
                    socket.recv()
                };
                helping.join().expect("no panic");
                assert_eq!(received.expect("open"), Some("Hello".into()));
                let timeouts: Vec<_> = (stream.state().calls.iter())
                    .filter_map(
                        |call| if let Call::ReadTimeout(timeout) = call { Some(*timeout) } else { None },
                    )
                    .collect();
                let is_in_time = |timeout: &Option<Duration>| {
                    timeout.is_some_and(|timeout| timeout <= Duration::from_secs(10))
                };
                assert!(
                    timeouts.last().is_some_and(is_in_time),
                    "{role:?}, {is_sent}, {is_split}: {timeouts:?}"
                );
            }
        }
    }
}

#[test]
fn an_attempt_waits_until_its_time_is_over() {
    for role in Role::BOTH {
        for is_split in [false, true] {
            let stream = Scripted::new([]).without_end();
            let mut socket = open(stream.clone(), role, quiet());
            let begun = Instant::now();
            let received = if is_split {
                let (mut reader, _writer) = socket.split();
                reader.recv_timeout(LULL)
            } else {
                socket.recv_timeout(LULL)
            };
            assert_eq!(received.expect("open"), Poll::Pending);
            assert!(begun.elapsed() >= LULL, "{role:?}, {is_split}");
        }
    }
}

#[test]
fn an_attempt_that_is_asked_not_to_wait_does_not_wait_for_room_either() {
    for role in Role::BOTH {
        let stream = Scripted::new([]).without_end().with_room(0);
        let mut socket = open(stream.clone(), role, quiet());
        socket.queue("Hello").expect("open");
        assert_eq!(socket.try_recv().expect("open"), Poll::Pending);
        let timeouts: Vec<_> = stream.state().calls.iter().filter_map(Call::write_timeout).collect();
        let shortest = Duration::from_millis(1);
        assert!(!timeouts.is_empty() && timeouts.iter().all(|timeout| *timeout <= shortest), "{timeouts:?}");
    }
}
