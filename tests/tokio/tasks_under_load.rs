//! Both halves at work in tasks of their own: no deadlock, no lost wake-up, no frame inside another.

use std::time::Duration;

use tidewire::tokio::{Reader, WebSocket, Writer};
use tidewire::{CloseCode, Config, Connection, Error, Event, Input};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{spawn, yield_now};
use tokio::time::{sleep, timeout};

use support::load::{Progress, rounds, watched};
use support::tokio_stream::threads;

/// Only there to tell a hang from a slow machine.
const HANG: Duration = Duration::from_secs(60);

/// The lengths of the messages of one burst, 256 KiB together and one message more.
const BURST: [usize; 9] = [1, 100, 0, 60_000, 7, 65_536, 126, 131_072, 9_000];

fn sockets<S: AsyncRead + AsyncWrite + Unpin>(near: S, far: S) -> (WebSocket<S>, WebSocket<S>) {
    let config = Config::new();
    (
        WebSocket::from_parts(near, Connection::client(config, [7; 32]), Input::new()),
        WebSocket::from_parts(far, Connection::server(config), Input::new()),
    )
}

/// With `TCP_NODELAY` and the buffers of the system.
pub(crate) async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let (near, (far, _)) = (near.unwrap(), far.unwrap());
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}

/// What tells the messages apart.
fn seed(round: usize, index: usize) -> u8 {
    (round * BURST.len() + index) as u8
}

/// Bursts with pauses, and with a ping after each.
async fn write<S>(writer: Writer<S>, rounds: usize) -> Result<Writer<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for round in 0..rounds {
        for (index, &len) in BURST.iter().enumerate() {
            let message = vec![seed(round, index); len];
            match round % 3 {
                0 => writer.feed(message).await?,
                1 => writer.send(message).await?,
                _ => {
                    writer.ready().await?;
                    writer.queue(message)?;
                }
            }
        }
        writer.ping(&round.to_be_bytes()).await?;
        pause(round).await;
    }
    Ok(writer)
}

/// Checks every message; returns how many pings and pongs there were.
async fn read<S>(mut reader: Reader<S>, rounds: usize, progress: Progress) -> Result<(usize, usize), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut count, mut pings, mut pongs) = (0, 0, 0);
    while let Some(event) = reader.recv_ref().await? {
        match event {
            Event::Binary(payload) => {
                let (round, index) = (count / BURST.len(), count % BURST.len());
                assert_eq!(payload.len(), BURST[index]);
                assert!(
                    payload.iter().all(|&byte| byte == seed(round, index)),
                    "message {count} is mixed up"
                );
                count += 1;
                progress.step();
                if index == 4 {
                    pause(round + 1).await;
                }
            }
            Event::Ping(_) => pings += 1,
            Event::Pong(_) => pongs += 1,
            Event::Close(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(count, rounds * BURST.len());
    assert!(reader.ending().unwrap().is_clean());
    Ok((pings, pongs))
}

/// Sometimes none, sometimes a turn for others, sometimes time enough for everybody to fall asleep.
async fn pause(round: usize) {
    match round % 4 {
        0 => sleep(Duration::from_millis(1)).await,
        1 => yield_now().await,
        2 => sleep(Duration::from_micros(300)).await,
        _ => {}
    }
}

async fn bursts<S>(near: S, far: S, rounds: usize, progress: Progress)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, server) = sockets(near, far);
    let (client_reader, client_writer) = client.split();
    let (server_reader, server_writer) = server.split();
    let server_reading = spawn(read(server_reader, rounds, progress.clone()));
    let client_reading = spawn(read(client_reader, rounds, progress));
    let server_writing = spawn(write(server_writer, rounds));
    // The client closes when both have said everything.
    let client_writer = spawn(write(client_writer, rounds)).await.unwrap().unwrap();
    let server_writer = server_writing.await.unwrap().unwrap();
    client_writer.close(CloseCode::NORMAL).await.unwrap();
    drop((client_writer, server_writer));
    for reading in [client_reading, server_reading] {
        let (pings, pongs) = reading.await.unwrap().unwrap();
        assert!(pings == rounds && (1..=rounds).contains(&pongs), "{pings} {pongs}");
    }
}

#[test]
fn bursts_in_both_directions_arrive_whole_over_a_narrow_pipe() {
    watched(|progress| {
        let runtime = threads();
        for (capacity, usual) in [(1 << 10, 20), (16 << 10, 40), (200 << 10, 60)] {
            let (near, far) = tokio::io::duplex(capacity);
            runtime.block_on(bursts(near, far, rounds(usual), progress.clone()));
        }
    });
}

#[test]
fn bursts_in_both_directions_arrive_whole_over_tcp() {
    watched(|progress| {
        threads().block_on(async {
            let (near, far) = tcp().await;
            bursts(near, far, rounds(100), progress).await;
        });
    });
}

#[test]
fn bursts_in_both_directions_arrive_whole_on_one_thread() {
    watched(|progress| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (near, far) = tokio::io::duplex(4 << 10);
        runtime.block_on(bursts(near, far, rounds(40), progress));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_messages_back_and_forth_are_never_forgotten() {
    let (near, far) = tokio::io::duplex(64);
    let (client, server) = sockets(near, far);
    let (mut reader, writer) = server.split();
    // The echo goes through a channel from one task to the other, as in a program.
    let (queue, mut queued) = tokio::sync::mpsc::channel(1);
    let reading = spawn(async move {
        while let Some(message) = reader.recv().await.unwrap() {
            queue.send(message).await.unwrap();
        }
    });
    let writing = spawn(async move {
        while let Some(message) = queued.recv().await {
            writer.send(message).await.unwrap();
        }
    });
    let (mut reader, writer) = client.split();
    let asking = async {
        for n in 0..3000_usize {
            let message = vec![n as u8; n % 200];
            writer.send(&message).await.unwrap();
            assert_eq!(reader.recv().await.unwrap(), Some(message.into()));
        }
        writer.close(None).await.unwrap();
        assert_eq!(reader.recv().await.unwrap(), None);
        drop((reader, writer));
        reading.await.unwrap();
        writing.await.unwrap();
    };
    timeout(HANG, asking).await.expect("a deadlock or a lost wake-up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_are_answered_while_the_writer_is_blocked() {
    // Below the high-water mark every ping is answered, above it the last one (RFC 6455 5.5.3).
    for (len, all) in [(60_000, true), (1 << 20, false)] {
        let (near, far) = tokio::io::duplex(1 << 10);
        let (mut client, server) = sockets(near, far);
        let (mut reader, writer) = server.split();
        let reading = spawn(async move {
            let mut pings = 0;
            while let Some(event) = reader.recv_ref().await.unwrap() {
                pings += usize::from(matches!(event, Event::Ping(_)));
            }
            pings
        });
        let writing = spawn(async move { writer.send(vec![1; len]).await });
        let asking = async {
            // The pipe is full and the writer waits; all the same, the reader takes the pings.
            sleep(Duration::from_millis(20)).await;
            for n in 0..20_u8 {
                client.ping(&[n]).await.unwrap();
            }
            let (mut pongs, mut messages) = (Vec::new(), 0);
            while pongs.last() != Some(&19) {
                match client.recv_ref().await.unwrap() {
                    Some((Event::Pong(payload), _)) => pongs.push(payload[0]),
                    Some((Event::Binary(payload), _)) => messages += usize::from(payload.len() == len),
                    other => panic!("{other:?}"),
                }
            }
            assert!(pongs.is_sorted() && (!all || pongs.len() == 20), "{pongs:?}");
            writing.await.unwrap().unwrap();
            assert_eq!(messages, 1);
            client.close(CloseCode::NORMAL).await.unwrap();
            drop(client);
            assert_eq!(reading.await.unwrap(), 20);
        };
        timeout(HANG, asking).await.expect("a deadlock or a lost wake-up");
    }
}
