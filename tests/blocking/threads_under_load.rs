//! Both halves of both sides at once, each in a thread: bursts with pauses between them, which find a deadlock that a steady
//! load misses.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use tidewire::blocking::{Reader, Stream, Writer};
use tidewire::{CloseCode, Config, Error, Event};

use crate::pairs::{Socket, open};
use support::load::{Progress, rounds, watched};
use support::wire::Role;

/// The messages of a round, 256 KiB together, with a frame for each way in which it may be sent.
const BURST: [usize; 6] = [200 << 10, 40 << 10, 16 << 10, 1000, 0, 1];

fn payload(round: usize, index: usize) -> Vec<u8> {
    let mut payload = vec![(round * 7 + index) as u8; BURST[index]];
    if let [first, .., last] = &mut payload[..] {
        (*first, *last) = (round as u8, index as u8);
    }
    payload
}

fn write<S>(writer: Writer<S>, rounds: usize) -> Result<Writer<S>, Error>
where
    for<'s> &'s S: Stream,
{
    for round in 0..rounds {
        for index in 0..BURST.len() {
            let payload = payload(round, index);
            match index {
                0 => writer.send(payload)?,
                1 => writer.send(&payload)?,
                _ => writer.feed(payload)?,
            }
            writer.ping(&[index as u8])?;
        }
        writer.flush()?;
        if round % 3 == 0 {
            thread::sleep(Duration::from_micros(300));
        }
    }
    Ok(writer)
}

fn read<S>(mut reader: Reader<S>, rounds: usize, progress: &Progress) -> Result<(), Error>
where
    for<'s> &'s S: Stream,
{
    let (mut messages, mut pings, mut pongs) = (0, 0, 0);
    while let Some(event) = reader.recv_ref()? {
        match event {
            Event::Binary(got) => {
                assert!(
                    *got == payload(messages / BURST.len(), messages % BURST.len())[..],
                    "message {messages}"
                );
                messages += 1;
                progress.step();
            }
            Event::Ping(_) => pings += 1,
            Event::Pong(_) => pongs += 1,
            _ => {}
        }
    }
    assert_eq!((messages, pings), (rounds * BURST.len(), rounds * BURST.len()));
    assert!(pongs > 0);
    assert!(reader.ending().is_some_and(|closure| closure.is_clean()));
    Ok(())
}

fn stress<S: Socket>(progress: Progress)
where
    for<'s> &'s S: Stream,
{
    let rounds = rounds(100);
    let (client, server) = S::pair();
    let sides = [(client, Role::Client), (server, Role::Server)];
    let sides = sides.map(|(stream, role)| {
        let (reader, writer) = open(stream, role, Config::new()).split();
        let progress = progress.clone();
        (thread::spawn(move || read(reader, rounds, &progress)), thread::spawn(move || write(writer, rounds)))
    });
    let [client, server] =
        sides.map(|(reader, writer)| (reader, writer.join().expect("no panic").expect("open")));
    let (client_reader, client_writer) = client;
    let (server_reader, server_writer) = server;
    client_writer.close(CloseCode::NORMAL).expect("open");
    client_reader.join().expect("no panic").expect("a clean end");
    // With its second half the client's transport ends, for which the server waits.
    drop(client_writer);
    server_reader.join().expect("no panic").expect("a clean end");
    drop(server_writer);
}

#[test]
fn bursts_in_both_directions_arrive_whole_over_tcp() {
    watched(stress::<TcpStream>);
}

#[test]
fn bursts_in_both_directions_arrive_whole_over_unix_sockets() {
    watched(stress::<UnixStream>);
}
