//! tidewire on tokio.

use tidewire::Event;
use tokio::net::TcpStream;

use super::{Outcome, Setting};

pub(super) async fn lent(stream: TcpStream, _: Setting) -> Outcome {
    let mut socket = tidewire::tokio::accept(stream).await?;
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
    let mut socket = tidewire::tokio::accept(stream).await?;
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}
