//! Both ends ask and answer at once, in bursts that fill the buffers of both, and fall asleep after each: whoever is not woken then
//! sleeps for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use tidewire::tokio::{Reader, WebSocket, Writer};
use tidewire::{CloseCode, Config, Connection, Error, Event, Input, Message, SendError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{spawn, yield_now};
use tokio::time::{sleep, timeout};

use crate::tasks_under_load::tcp;
use support::load::{BURST, Progress, Purpose, message, rounds, watched};
use support::tokio_stream::threads;

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

/// How many messages somebody has said or heard of each writer of each generation.
type Counts = BTreeMap<(u8, u8), u32>;

/// How many writers there are at once.
const WRITERS: u8 = 4;

fn marked(generation: u8, writer: u8, n: u32) -> Vec<u8> {
    let mut message = vec![writer; 6 + BURST[n as usize % BURST.len()] % 3000];
    (message[0], message[1]) = (generation, writer);
    message[2..6].copy_from_slice(&n.to_be_bytes());
    message
}

/// Sends in every way until the halves are reunited; returns how many messages were accepted.
async fn write_until_reunited<S>(writer: Writer<S>, generation: u8, index: u8) -> u32
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut n = 0;
    loop {
        let message = marked(generation, index, n);
        let (first, second) = message.split_at(message.len() / 2);
        let sent = match (n + u32::from(index)) % 5 {
            0 => writer.feed(&message).await,
            1 => writer.send(&message).await,
            2 => match writer.send_fragment(first, false).await {
                Ok(()) => {
                    pause(n as usize).await;
                    writer.send_fragment(second, true).await
                }
                error => error,
            },
            // Dropped wherever it waits, and not queued then.
            3 => match timeout(Duration::from_micros(50), writer.feed(&message)).await {
                Ok(fed) => fed,
                Err(_) => continue,
            },
            _ => match writer.ready().await {
                Ok(()) => writer.queue(&message).map_err(Error::from),
                error => error,
            },
        };
        match sent {
            Ok(()) => n += 1,
            // Another writer has its turn.
            Err(Error::Send(SendError::UnfinishedMessage | SendError::OutputFull)) => yield_now().await,
            Err(Error::Send(SendError::Closed)) => return n,
            Err(error) => panic!("{error}"),
        }
        if n % 16 == 7 {
            // Writers come and go.
            drop(writer.clone());
            match writer.ping(&[index]).await {
                Ok(()) | Err(Error::Send(SendError::OutputFull)) => {}
                Err(Error::Send(SendError::Closed)) => return n,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Splits, sends from many tasks, and reunites while they send, again and again; then both ends say that they are done, and close.
async fn generations<S>(
    mut socket: WebSocket<S>,
    count: u8,
    is_client: bool,
    progress: Progress,
) -> (Counts, Counts)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut said, mut heard, mut is_peer_done) = (Counts::new(), Counts::new(), false);
    let mut hear = |message: Message| {
        progress.step();
        let bytes = message.as_bytes();
        // What was under way at a reunion ends early.
        let Some((&[generation, writer, ref n @ ..], _)) = bytes.split_first_chunk::<6>() else {
            return bytes == b"done";
        };
        let next = heard.entry((generation, writer)).or_default();
        let n = u32::from_be_bytes(*n);
        let whole = marked(generation, writer, n);
        assert!(n == *next && whole.starts_with(bytes), "message {n} after {next}");
        *next += u32::from(bytes == whole);
        false
    };
    for generation in 0..count {
        let (mut reader, writer) = socket.split();
        let writing: Vec<_> = (0..WRITERS)
            .map(|index| spawn(write_until_reunited(writer.clone(), generation, index)))
            .collect();
        for n in 0..40 {
            if is_peer_done {
                break;
            }
            is_peer_done = hear(reader.recv().await.unwrap().expect("a message"));
            pause(n).await;
        }
        socket = reader.reunite(writer).unwrap();
        for (index, writing) in (0..).zip(writing) {
            said.insert((generation, index), writing.await.unwrap());
        }
        // What a writer has begun is ended here.
        if socket.queue_fragment([], true) == Err(SendError::OutputFull) {
            panic!("there is room");
        }
    }
    let (mut reader, writer) = socket.split();
    let (sent, ()) = tokio::join!(writer.send(b"done"), async {
        while !is_peer_done {
            is_peer_done = hear(reader.recv().await.unwrap().expect("a message"));
        }
    });
    sent.unwrap();
    if is_client {
        reader.reunite(writer).unwrap().close(CloseCode::NORMAL).await.unwrap();
    } else {
        assert_eq!(reader.recv().await.unwrap(), None);
    }
    (said, heard)
}

#[test]
fn many_writers_come_and_go_while_the_halves_are_reunited() {
    watched(|progress| {
        let runtime = threads();
        for round in 0..rounds(3) {
            for config in configs() {
                for capacity in [200, 3000, 100_000] {
                    let config = config.with_high_water_len(1000).with_max_output_len(1 << 20);
                    let (near, far) = tokio::io::duplex(capacity);
                    let client = Connection::client(config, [round as u8; 32]);
                    let client = WebSocket::from_parts(near, client, Input::new());
                    let server = WebSocket::from_parts(far, Connection::server(config), Input::new());
                    let ((said, _), (_, heard)) = runtime.block_on(async {
                        let server = spawn(generations(server, 6, false, progress.clone()));
                        let client = spawn(generations(client, 6, true, progress.clone()));
                        (client.await.unwrap(), server.await.unwrap())
                    });
                    for (who, &said) in &said {
                        let heard = heard.get(who).copied().unwrap_or_default();
                        // The last one may have been queued although its writer was told that it is over.
                        assert!((said..=said + 1).contains(&heard), "{who:?}: {said} said, {heard} heard");
                    }
                }
            }
        }
    });
}
