//! The client's side of the Autobahn test suite: runs every case of a fuzzing server by echoing what it sends.
//!
//! ```text
//! cargo run --release --features tokio --example autobahn_client -- ws://127.0.0.1:9001 tidewire
//! ```

use tidewire::tokio::{ClientStream, WebSocket, connect};

type Error = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(base), Some(agent), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: autobahn_client BASE_URL AGENT".into());
    };
    let base = base.trim_end_matches('/');

    let mut socket = connect(&format!("{base}/getCaseCount")).await?;
    let count = socket.recv().await?.ok_or("no case count")?;
    let count: u32 = count.as_text().ok_or("the case count is not text")?.trim().parse()?;
    while socket.recv().await?.is_some() {}

    for case in 1..=count {
        println!("case {case} of {count}");
        let mut socket = connect(&format!("{base}/runCase?case={case}&agent={agent}")).await?;
        // A case may break the rules, or the connection: the report judges how that ended.
        if let Err(error) = echo(&mut socket).await {
            println!("case {case}: {error}");
        }
    }
    let mut socket = connect(&format!("{base}/updateReports?agent={agent}")).await?;
    while socket.recv().await?.is_some() {}
    Ok(())
}

async fn echo(socket: &mut WebSocket<ClientStream>) -> Result<(), tidewire::Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}
