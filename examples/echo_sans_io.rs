//! An echo server that drives the core by hand over `std::net`: what an adapter for another runtime has to do.
//!
//! ```text
//! cargo run --release --example echo_sans_io -- --addr 127.0.0.1:9001
//! ```

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use tidewire::{
    Config, Connection, Event, Input, Origins, Output, ServerHandshake, Timestamp, TransportAction,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = match arguments.as_slice() {
        [] => "127.0.0.1:9001",
        [name, address] if name == "--addr" => address,
        _ => return Err("usage: echo_sans_io [--addr HOST:PORT]".into()),
    };
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || Peer::new(stream).serve());
    }
    Ok(())
}

struct Peer {
    stream: TcpStream,
    input: Input,
    start: Instant,
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        Self { stream, input: Input::new(), start: Instant::now() }
    }

    fn serve(mut self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.stream.set_nodelay(true)?;
        let connection = self.open()?;
        self.run(connection)
    }

    /// The opening handshake; a request that is refused leads to a connection, too, which ends at once.
    fn open(&mut self) -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
        let mut handshake = ServerHandshake::new(Config::new()).with_origins(Origins::any());
        loop {
            match handshake.receive(&mut self.input) {
                Ok(Some(request)) => return Ok(request.accept(None, &[])?),
                Err(_) => return Ok(handshake.into_refusal()),
                Ok(None) => {}
            }
            let deadline = handshake.poll_timeout(self.now());
            if !self.read(deadline)? && handshake.handle_timeout(self.now()).is_err() {
                return Ok(handshake.into_refusal());
            }
        }
    }

    fn run(&mut self, mut connection: Connection) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        loop {
            // 1. Take every event that is there. After an error there are none, and the peer is told.
            while let Ok(Some(event)) = connection.receive(&mut self.input) {
                match event {
                    Event::Text(text) => connection.send(text)?,
                    Event::Binary(payload) => connection.send(payload)?,
                    _ => {}
                }
                if !connection.is_ready() {
                    self.write(connection.output())?;
                }
            }
            // 2. Write what is owed.
            self.write(connection.output())?;
            // 3. End the transport as the protocol wants it.
            match connection.transport_action() {
                TransportAction::KeepOpen | TransportAction::AwaitEof => {}
                TransportAction::ShutdownWrite => drop(self.stream.shutdown(Shutdown::Write)),
                TransportAction::Close => return Ok(()),
            }
            // 4. Read; when nothing comes, see to the deadlines.
            let deadline = connection.poll_timeout(self.now());
            if !self.read(deadline)? {
                connection.handle_timeout(self.now())?;
            }
        }
    }

    fn write(&mut self, output: &mut Output) -> io::Result<()> {
        while !output.is_empty() {
            let written = self.stream.write(output.chunk())?;
            output.advance(written);
        }
        Ok(())
    }

    /// Reads once; false when nothing came before `deadline`.
    fn read(&mut self, deadline: Option<Timestamp>) -> io::Result<bool> {
        let wait = deadline.map(|deadline| deadline.duration_since(self.now()).max(Duration::from_millis(1)));
        self.stream.set_read_timeout(wait)?;
        match self.stream.read(self.input.space()) {
            Ok(0) => self.input.set_eof(),
            Ok(len) => self.input.filled(len),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn now(&self) -> Timestamp {
        self.start.elapsed().into()
    }
}
