//! Follows a feed for as long as it lasts: subscribes anew on each connection, and says what it waits for.
//!
//! ```text
//! cargo run --release --features tokio,rustls --example feed -- wss://example.com/feed '{"subscribe":"news"}'
//! ```

use std::time::Duration;

use tidewire::tokio::Connector;
use tidewire::{Backoff, ClientRequest, Config, Message};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(uri), Some(subscription)) = (arguments.next(), arguments.next()) else {
        return Err("usage: feed URI SUBSCRIPTION".into());
    };
    // A peer that is gone without a word is noticed within 15 s.
    let config = Config::new().with_keepalive(Duration::from_secs(10), Duration::from_secs(5));
    let backoff = Backoff::new().with_max_first(Duration::from_secs(1));
    let connector = Connector::new().with_config(config).with_proxy_from_env();
    let mut feed = connector.reconnecting(ClientRequest::new(&uri)?).with_backoff(backoff);
    loop {
        let socket = tokio::select! {
            socket = feed.next() => match socket? {
                Some(socket) => socket,
                // Closed for good.
                None => return Ok(()),
            },
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        eprintln!("connected");
        // The server knows nothing of the connection before.
        if socket.send(&subscription).await.is_ok() {
            while let Ok(Some(message)) = socket.recv().await {
                match message {
                    Message::Text(text) => println!("{text}"),
                    Message::Binary(payload) => println!("{} bytes", payload.len()),
                }
            }
        }
        match socket.ending() {
            Some(ending) => eprintln!("{ending}"),
            None => eprintln!("the connection was lost"),
        }
    }
}
