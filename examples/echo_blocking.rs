//! An echo server with a thread per connection. Any origin may connect; Ctrl-C says goodbye to every peer.
//!
//! ```text
//! cargo run --release --features blocking --example echo_blocking -- --addr 127.0.0.1:9001
//! ```

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tidewire::blocking::{Incoming, Writer};
use tidewire::{CloseCode, Config, Error, Origins, ServerHandshake};

/// The sending half of every connection, for the goodbye.
type Peers = Arc<Mutex<Vec<Arc<Mutex<Writer<TcpStream>>>>>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(address()?)?;
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
        thread::spawn(move || serve(stream, &peers));
    }
}

fn serve(stream: TcpStream, peers: &Peers) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let config = Config::new().with_max_frame_len(64 << 20);
    let handshake = ServerHandshake::new(config).with_origins(Origins::any());
    let socket = Incoming::receive(stream, handshake)?.accept(None, &[])?;
    let (mut reader, writer) = socket.split();
    let writer = Arc::new(Mutex::new(writer));
    lock(peers).push(Arc::clone(&writer));
    let result = loop {
        match reader.recv() {
            Ok(Some(message)) => match lock(&writer).send(message) {
                // Our goodbye was sent meanwhile: the peer's is still to come.
                Ok(()) | Err(Error::Send(_)) => {}
                Err(error) => break Err(error),
            },
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    lock(peers).retain(|peer| !Arc::ptr_eq(peer, &writer));
    result
}

/// Closes every connection and waits a little for the peers to answer.
fn leave(peers: &Peers) {
    for peer in lock(peers).iter() {
        // One that is blocked sending has a peer that does not read.
        if let Ok(writer) = peer.try_lock() {
            let _ = writer.close(CloseCode::GOING_AWAY);
        }
    }
    let deadline = Instant::now() + Duration::from_millis(1500);
    while !lock(peers).is_empty() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The value of `--addr`.
fn address() -> Result<String, lexopt::Error> {
    use lexopt::prelude::*;
    let mut arguments = lexopt::Parser::from_env();
    let mut address = "127.0.0.1:9001".to_owned();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("addr") => address = arguments.value()?.string()?,
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(address)
}
