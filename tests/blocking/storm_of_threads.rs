//! Both ends ask and answer at once, in bursts that fill the buffers of both, and fall asleep after each: whoever is not woken then
//! sleeps for ever.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use tidewire::blocking::{Reader, Stream, Writer};
use tidewire::{CloseCode, Config, Error, Event};

use crate::duplex::Duplex;
use crate::pairs::{Socket, open};
use support::load::{BURST, Progress, Purpose, message, rounds, watched};
use support::wire::Role;

/// What the reader tells the writer of its side.
enum Note {
    /// The peer asks this.
    Question(usize),
    /// The peer has answered a whole burst.
    Answered,
}

/// Without any timer, which would wake those who were forgotten; and with a keepalive ping every few milliseconds in between, and all the
/// time in the world to answer it.
fn configs() -> [Config; 2] {
    let untimed = Config::new().with_write_timeout(None).with_close_timeout(None);
    [untimed, untimed.with_keepalive(Duration::from_millis(3), Duration::from_secs(600))]
}

/// Sometimes none, sometimes a turn for others, sometimes time enough for everybody to fall asleep or to fill the buffers.
fn pause(n: usize) {
    match n % 8 {
        0 => thread::sleep(Duration::from_millis(2)),
        1 | 5 => thread::yield_now(),
        3 => thread::sleep(Duration::from_micros(300)),
        _ => {}
    }
}

/// Checks every message; returns how many pings there were.
fn read<S>(
    mut reader: Reader<S>,
    notes: &Sender<Note>,
    rounds: usize,
    progress: &Progress,
) -> Result<usize, Error>
where
    for<'s> &'s S: Stream,
{
    let (mut questions, mut answers, mut pings) = (0, 0, 0);
    while let Some(event) = reader.recv_ref()? {
        match event {
            Event::Binary(payload) if payload[0] == Purpose::Question as u8 => {
                assert!(*payload == message(Purpose::Question, questions)[..], "question {questions}");
                let _ = notes.send(Note::Question(questions));
                questions += 1;
            }
            Event::Binary(payload) => {
                assert!(*payload == message(Purpose::Answer, answers)[..], "answer {answers}");
                answers += 1;
                if answers % BURST.len() == 0 {
                    let _ = notes.send(Note::Answered);
                }
            }
            Event::Ping(_) => pings += 1,
            _ => continue,
        }
        progress.step();
        if (questions + answers) % 7 == 3 {
            // The other end goes on until all buffers are full.
            pause(answers);
        }
    }
    assert_eq!((questions, answers), (rounds * BURST.len(), rounds * BURST.len()));
    assert!(reader.ending().is_some_and(|closure| closure.is_clean()));
    Ok(pings)
}

/// Asks in bursts, each after the one before has been answered, and answers the peer's questions meanwhile, also after the last burst.
fn write<S>(writer: Writer<S>, notes: &Receiver<Note>, rounds: usize) -> Result<Writer<S>, Error>
where
    for<'s> &'s S: Stream,
{
    let (mut answered, mut is_waiting) = (0, false);
    for round in 0..=rounds {
        for index in (0..BURST.len()).filter(|_| round < rounds) {
            let question = message(Purpose::Question, round * BURST.len() + index);
            match (round + index) % 3 {
                0 => writer.feed(question)?,
                1 => writer.send(&question)?,
                _ => {
                    writer.ready()?;
                    writer.queue(question)?;
                }
            }
            is_waiting = true;
        }
        writer.ping(&[round as u8])?;
        while is_waiting || (round == rounds && answered < rounds * BURST.len()) {
            match notes.recv().expect("a reader") {
                Note::Question(index) => {
                    writer.send(message(Purpose::Answer, index))?;
                    answered += 1;
                }
                Note::Answered => is_waiting = false,
            }
        }
        pause(round);
    }
    Ok(writer)
}

fn storm<S: Socket>(rounds: usize, progress: &Progress)
where
    for<'s> &'s S: Stream,
{
    configs().into_iter().for_each(|config| storm_with::<S>(config, rounds, progress));
}

fn storm_with<S: Socket>(config: Config, rounds: usize, progress: &Progress)
where
    for<'s> &'s S: Stream,
{
    let (client, server) = S::pair();
    let [client, server] = [(client, Role::Client), (server, Role::Server)].map(|(stream, role)| {
        let (reader, writer) = open(stream, role, config).split();
        let ((notes, noted), progress) = (channel(), progress.clone());
        (
            thread::spawn(move || read(reader, &notes, rounds, &progress)),
            thread::spawn(move || write(writer, &noted, rounds)),
        )
    });
    let client_writer = client.1.join().expect("no panic").expect("open");
    let server_writer = server.1.join().expect("no panic").expect("open");
    client_writer.close(CloseCode::NORMAL).expect("open");
    let pings = client.0.join().expect("no panic").expect("a clean end");
    assert!(pings > rounds, "each end pings at the end of a round");
    // With its second half the client's transport ends, for which the server waits.
    drop(client_writer);
    let pings = server.0.join().expect("no panic").expect("a clean end");
    assert!(pings > rounds, "each end pings at the end of a round");
    drop(server_writer);
}

#[test]
fn nobody_sleeps_for_ever_over_a_narrow_pipe() {
    watched(|progress| {
        storm::<Duplex<1024>>(rounds(8), &progress);
        storm::<Duplex<4096>>(rounds(15), &progress);
        storm::<Duplex<16_384>>(rounds(20), &progress);
        storm::<Duplex<65_536>>(rounds(25), &progress);
    });
}

#[test]
fn nobody_sleeps_for_ever_over_tcp() {
    watched(|progress| storm::<TcpStream>(rounds(50), &progress));
}

#[test]
fn nobody_sleeps_for_ever_over_unix_sockets() {
    watched(|progress| storm::<UnixStream>(rounds(50), &progress));
}
