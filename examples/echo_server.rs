//! An echo server on tokio. Any origin may connect; Ctrl-C says goodbye to every peer. With `--deflate` it agrees to compression, which
//! needs the feature `deflate`.
//!
//! ```text
//! cargo run --release --features tokio --example echo_server -- --addr 127.0.0.1:9001
//! ```

mod options;

use std::pin::pin;
use std::time::Duration;

use tidewire::tokio::{WebSocket, accept_with};
use tidewire::{CloseCode, Config, Error, Event, Origins, ServerHandshake};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (address, config) = arguments()?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let (goodbye, leaving) = watch::channel(false);
    let mut peers = JoinSet::new();
    // One future for all turns of the loop, polled before the first peer is accepted:
    // an interrupt between two turns is not lost.
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            biased;
            _ = &mut interrupted => break,
            Some(_) = peers.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(peers.spawn(serve(stream, config, leaving.clone()))),
                // Out of file descriptors, most likely: some will come free.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
        }
    }
    goodbye.send_replace(true);
    let all_gone = async { while peers.join_next().await.is_some() {} };
    // Who has not answered by then is left behind.
    let _ = tokio::time::timeout(Duration::from_millis(1500), all_gone).await;
    Ok(())
}

async fn serve(stream: TcpStream, config: Config, mut leaving: watch::Receiver<bool>) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let handshake = ServerHandshake::new(config).with_origins(Origins::any());
    let mut socket = accept_with(stream, handshake).await?;
    tokio::select! {
        result = echo(&mut socket) => return result,
        _ = leaving.wait_for(|&leaving| leaving) => {}
    }
    // No future holds state, so the echo stops at any point without harm.
    socket.close(CloseCode::GOING_AWAY).await
}

async fn echo(socket: &mut WebSocket<TcpStream>) -> Result<(), Error> {
    loop {
        // As long as the peer does not read, neither do we.
        socket.ready().await?;
        match socket.recv_ref().await? {
            Some((Event::Text(text), mut output)) => output.queue(text)?,
            Some((Event::Binary(payload), mut output)) => output.queue(payload)?,
            Some(_) => {}
            None => return Ok(()),
        }
    }
}

/// The value of `--addr`, and what `--deflate` asks for.
fn arguments() -> Result<(String, Config), Box<dyn std::error::Error>> {
    use lexopt::prelude::*;
    let mut arguments = lexopt::Parser::from_env();
    let (mut address, mut deflates) = ("127.0.0.1:9001".to_owned(), false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("addr") => address = arguments.value()?.string()?,
            Long("deflate") => deflates = true,
            _ => return Err(argument.unexpected().into()),
        }
    }
    Ok((address, options::config(deflates)?))
}
