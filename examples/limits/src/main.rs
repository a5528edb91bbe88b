//! A room in which everybody hears everybody, with limits for all that a peer can ask for.
//!
//! ```text
//! cargo run --release --manifest-path examples/limits/Cargo.toml -- 127.0.0.1:9001
//! ```

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tidewire_limits::{Limits, Quota, Server};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:9001".into());
    let server = Arc::new(Server::new(Limits {
        connections: 1000,
        connections_per_address: 20,
        // Ten a second, and up to thirty at once.
        messages: Quota::per_second(NonZeroU32::MIN.saturating_add(9))
            .allow_burst(NonZeroU32::MIN.saturating_add(29)),
        message_len: 16 << 10,
        outputs_len: 256 << 20,
    })?);
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let server = Arc::clone(&server);
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    if let Err(error) = server.serve(stream, address.ip()).await {
                        eprintln!("{address}: {error}");
                    }
                });
            }
            // Out of file descriptors, most likely: some will come free.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
