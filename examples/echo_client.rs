//! Sends each line of standard input and prints what comes back; Ctrl-D closes. With `--mirror` it sends back every message that it
//! receives until the server closes, and succeeds if the close was clean. With `--deflate` it offers compression, which needs the feature
//! `deflate`.
//!
//! ```text
//! cargo run --release --features tokio --example echo_client -- ws://127.0.0.1:9001/
//! cargo run --release --features tokio --example echo_client -- --mirror ws://127.0.0.1:9001/
//! ```

mod options;

use std::process::ExitCode;
use std::time::Duration;

use tidewire::tokio::{ClientStream, Connector, WebSocket};
use tidewire::{ClientRequest, CloseCode, Error, Message};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    use lexopt::prelude::*;
    let mut arguments = lexopt::Parser::from_env();
    let (mut mirrors, mut deflates, mut uri) = (false, false, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("mirror") => mirrors = true,
            Long("deflate") => deflates = true,
            Value(value) if uri.is_none() => uri = Some(value.string()?),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let request = ClientRequest::new(&uri.ok_or("usage: echo_client [--mirror] [--deflate] URL")?)?;
    let mut socket = Connector::new().with_config(options::config(deflates)?).connect(request).await?;
    if mirrors {
        mirror(&mut socket).await?
    } else {
        converse(&mut socket).await?
    }
    match socket.ending() {
        Some(closure) if closure.is_clean() => Ok(()),
        _ => Err("the connection was not closed cleanly".into()),
    }
}

async fn mirror(socket: &mut WebSocket<ClientStream>) -> Result<(), Error> {
    loop {
        match socket.recv().await {
            Ok(Some(message)) => socket.feed(message).await?,
            Ok(None) => return Ok(()),
            // Whatever the code, the closing handshake is complete.
            Err(Error::ClosedByPeer(close)) => {
                eprintln!("the server closed with {close}");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
}

async fn converse(socket: &mut WebSocket<ClientStream>) -> Result<(), Error> {
    let mut lines = BufReader::new(stdin()).lines();
    let mut is_open = true;
    let mut beat = tokio::time::interval(Duration::from_secs(5));
    loop {
        tokio::select! {
            message = socket.recv() => match message? {
                Some(Message::Text(text)) => println!("{text}"),
                Some(Message::Binary(payload)) => println!("{} bytes", payload.len()),
                None => return Ok(()),
            },
            line = lines.next_line(), if is_open => match line? {
                Some(line) => socket.send(line).await?,
                None => {
                    // What is still under way comes before the server's own Close frame.
                    is_open = false;
                    socket.queue_close(CloseCode::NORMAL);
                }
            },
            _ = beat.tick(), if is_open => {
                if let Some(took) = socket.round_trip_time() {
                    eprintln!("round trip: {took:?}");
                }
                socket.ping(b"").await?;
            }
        }
    }
}
