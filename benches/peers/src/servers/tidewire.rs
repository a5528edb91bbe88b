//! tidewire on tokio.

use futures_util::FutureExt as _;
use tidewire::tokio::{Reader, WebSocket, Writer};
use tidewire::{Config, Error, Event, Prepared, ServerHandshake};
use tokio::net::TcpStream;
use tokio::task::unconstrained;

use super::broadcast::Room;
use super::{Failure, Outcome, Setting, lock};
use crate::deflate;

/// How many messages are passed on at once.
const MAX_BURST: usize = 64;

pub(super) async fn lent(stream: TcpStream, _: Setting) -> Outcome {
    echo_lent(tidewire::tokio::accept(stream).await?).await
}

pub(super) async fn deflate_lent(stream: TcpStream, _: Setting) -> Outcome {
    echo_lent(accept_deflate(stream).await?).await
}

async fn echo_lent(mut socket: WebSocket<TcpStream>) -> Outcome {
    loop {
        socket.ready().await?;
        match socket.recv_ref().await? {
            Some((Event::Text(text), mut output)) => output.queue(text)?,
            Some((Event::Binary(payload), mut output)) => output.queue(payload)?,
            Some(_) => {}
            None => return Ok(()),
        }
    }
}

pub(super) async fn owned(stream: TcpStream, _: Setting) -> Outcome {
    echo_owned(tidewire::tokio::accept(stream).await?).await
}

pub(super) async fn deflate_owned(stream: TcpStream, _: Setting) -> Outcome {
    echo_owned(accept_deflate(stream).await?).await
}

async fn echo_owned(mut socket: WebSocket<TcpStream>) -> Outcome {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}

/// Agrees to the compression that is offered.
async fn accept_deflate(stream: TcpStream) -> Result<WebSocket<TcpStream>, Error> {
    let config = Config::new().with_deflate(deflate::tidewire());
    tidewire::tokio::accept_with(stream, ServerHandshake::new(config)).await
}

/// A connection for two tasks.
pub(super) async fn halves(
    stream: TcpStream,
    _: Setting,
) -> Result<(Reader<TcpStream>, Writer<TcpStream>), Failure> {
    Ok(tidewire::tokio::accept(stream).await?.split())
}

pub(super) async fn deflate_halves(
    stream: TcpStream,
    _: Setting,
) -> Result<(Reader<TcpStream>, Writer<TcpStream>), Failure> {
    Ok(accept_deflate(stream).await?.split())
}

pub(super) async fn pass_on_lent(mut from: Reader<TcpStream>, to: Writer<TcpStream>) -> Outcome {
    while let Some(event) = from.recv_ref().await? {
        match event {
            Event::Text(text) => to.feed(text).await?,
            Event::Binary(payload) => to.feed(payload).await?,
            _ => {}
        }
    }
    Ok(())
}

pub(super) async fn pass_on_owned(mut from: Reader<TcpStream>, to: Writer<TcpStream>) -> Outcome {
    while let Some(message) = from.recv().await? {
        to.feed(message).await?;
    }
    Ok(())
}

pub(super) async fn publish_queued(mut from: Reader<TcpStream>, room: Room<Writer<TcpStream>>) -> Outcome {
    let mut messages = Vec::new();
    while let Some(message) = from.recv().await? {
        messages.push(Prepared::new(message));
        // Those that are here already go to each peer together, while what belongs to it is in the caches.
        while messages.len() < MAX_BURST
            && let Some(message) = from.recv().now_or_never()
        {
            let Some(message) = message? else { return Ok(()) };
            messages.push(Prepared::new(message));
        }
        lock(&room).retain(|peer| messages.iter().all(|message| peer.queue(message).is_ok()));
        messages.clear();
    }
    Ok(())
}

pub(super) async fn publish_sent(mut from: Reader<TcpStream>, room: Room<Writer<TcpStream>>) -> Outcome {
    while let Some(message) = from.recv().await? {
        let message = Prepared::new(message);
        // Without room in the socket, the rest is left to the reader. The task's budget is for 128 peers.
        lock(&room).retain(|peer| !matches!(unconstrained(peer.send(&message)).now_or_never(), Some(Err(_))));
    }
    Ok(())
}

pub(super) async fn subscribe(
    mut reader: Reader<TcpStream>,
    writer: Writer<TcpStream>,
    room: Room<Writer<TcpStream>>,
) -> Outcome {
    lock(&room).push(writer);
    while reader.recv_ref().await?.is_some() {}
    Ok(())
}
