//! Both ends ask and answer at once, in bursts that fill the buffers of both, and fall asleep after each: whoever is not woken then
//! sleeps for ever.

use std::time::Duration;

use tidewire::tokio::{Reader, WebSocket, Writer};
use tidewire::{CloseCode, Config, Connection, Error, Event, Input};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{spawn, yield_now};
use tokio::time::sleep;

use crate::load::{BURST, Progress, Purpose, message, rounds, watched};
use crate::split_under_load::tcp;
use crate::stream::threads;

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
async fn pause(n: usize) {
    match n % 8 {
        0 => sleep(Duration::from_millis(2)).await,
        1 | 5 => yield_now().await,
        3 => sleep(Duration::from_micros(300)).await,
        _ => {}
    }
}

/// Checks every message; returns how many pings there were.
async fn read<S>(
    mut reader: Reader<S>,
    notes: UnboundedSender<Note>,
    rounds: usize,
    progress: Progress,
) -> Result<usize, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut questions, mut answers, mut pings) = (0, 0, 0);
    while let Some(event) = reader.recv_ref().await? {
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
            pause(answers).await;
        }
    }
    assert_eq!((questions, answers), (rounds * BURST.len(), rounds * BURST.len()));
    assert!(reader.ending().unwrap().is_clean());
    Ok(pings)
}

/// Asks in bursts, each after the one before has been answered, and answers the peer's questions meanwhile, also after the last burst.
async fn write<S>(
    writer: Writer<S>,
    mut notes: UnboundedReceiver<Note>,
    rounds: usize,
) -> Result<Writer<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut answered, mut is_waiting) = (0, false);
    for round in 0..=rounds {
        for index in (0..BURST.len()).filter(|_| round < rounds) {
            let question = message(Purpose::Question, round * BURST.len() + index);
            match (round + index) % 3 {
                0 => writer.feed(question).await?,
                1 => writer.send(&question).await?,
                _ => {
                    writer.ready().await?;
                    writer.queue(question)?;
                }
            }
            is_waiting = true;
        }
        writer.ping(&[round as u8]).await?;
        while is_waiting || (round == rounds && answered < rounds * BURST.len()) {
            match notes.recv().await.expect("a reader") {
                Note::Question(index) => {
                    writer.send(message(Purpose::Answer, index)).await?;
                    answered += 1;
                }
                Note::Answered => is_waiting = false,
            }
        }
        pause(round).await;
    }
    Ok(writer)
}

async fn storm<S>(config: Config, (near, far): (S, S), rounds: usize, progress: &Progress)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let sides = [(near, Connection::client(config, [7; 32])), (far, Connection::server(config))];
    let [client, server] = sides.map(|(stream, connection)| {
        let (reader, writer) = WebSocket::from_parts(stream, connection, Input::new()).split();
        let (notes, noted) = unbounded_channel();
        (spawn(read(reader, notes, rounds, progress.clone())), spawn(write(writer, noted, rounds)))
    });
    let client_writer = client.1.await.unwrap().unwrap();
    let server_writer = server.1.await.unwrap().unwrap();
    client_writer.close(CloseCode::NORMAL).await.unwrap();
    drop((client_writer, server_writer));
    for reading in [client.0, server.0] {
        assert!(reading.await.unwrap().unwrap() > rounds, "each end pings at the end of a round");
    }
}

#[test]
fn nobody_sleeps_for_ever_over_a_narrow_pipe() {
    watched(|progress| {
        let runtime = threads();
        for config in configs() {
            for (capacity, usual) in [(1 << 10, 15), (4 << 10, 25), (16 << 10, 30), (64 << 10, 40)] {
                let ends = tokio::io::duplex(capacity);
                runtime.block_on(storm(config, ends, rounds(usual), &progress));
            }
        }
    });
}

#[test]
fn nobody_sleeps_for_ever_over_tcp() {
    watched(|progress| {
        threads().block_on(async {
            for config in configs() {
                storm(config, tcp().await, rounds(60), &progress).await;
            }
        });
    });
}

#[test]
fn nobody_sleeps_for_ever_on_one_thread() {
    watched(|progress| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        for config in configs() {
            runtime.block_on(storm(config, tokio::io::duplex(3000), rounds(25), &progress));
        }
    });
}
