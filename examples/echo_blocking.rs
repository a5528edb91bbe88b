//! An echo server with a thread per connection. Any origin may connect; Ctrl-C says goodbye to every peer. With `--deflate` it agrees to
//! compression, which needs the feature `deflate`.
//!
//! ```text
//! cargo run --release --features blocking --example echo_blocking -- --addr 127.0.0.1:9001
//! ```

mod options;

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tidewire::blocking::{Reader, Writer, accept_with};
use tidewire::{CloseCode, Config, Error, Origins, ServerHandshake, State};

/// A sending half of every connection, for the goodbye.
type Peers = Arc<Mutex<Vec<Writer<TcpStream>>>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (address, config) = arguments()?;
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let peers = Peers::default();
    let leaving = Arc::clone(&peers);
    ctrlc::set_handler(move || {
        leave(&leaving);
        std::process::exit(0);
    })?;
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // Out of file descriptors, most likely: some will come free.
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        let peers = Arc::clone(&peers);
        thread::spawn(move || serve(stream, config, &peers));
    }
}

fn serve(stream: TcpStream, config: Config, peers: &Peers) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let handshake = ServerHandshake::new(config).with_origins(Origins::any());
    let (reader, writer) = accept_with(stream, handshake)?.split();
    lock(peers).push(writer.clone());
    let result = echo(reader, &writer);
    // The reader is gone, and with it the connection.
    lock(peers).retain(|peer| peer.state() != State::Closed);
    result
}

fn echo(mut reader: Reader<TcpStream>, writer: &Writer<TcpStream>) -> Result<(), Error> {
    while let Some(message) = reader.recv()? {
        match writer.send(message) {
            // Our goodbye was sent meanwhile: the peer's is still to come.
            Ok(()) | Err(Error::Send(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Closes every connection and waits a little for the peers to answer.
fn leave(peers: &Peers) {
    for peer in lock(peers).iter() {
        let peer = peer.clone();
        // In a thread of its own, since a peer that does not read holds it up.
        thread::spawn(move || peer.close(CloseCode::GOING_AWAY));
    }
    let deadline = Instant::now() + Duration::from_millis(1500);
    while !lock(peers).is_empty() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
