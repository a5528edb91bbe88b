//! The client's side of the Autobahn test suite: runs every case of a fuzzing server by echoing what it sends. With `--deflate` it offers
//! compression, which needs the feature `deflate`.
//!
//! ```text
//! cargo run --release --features tokio --example autobahn_client -- ws://127.0.0.1:9001 tidewire
//! ```

mod options;

use tidewire::ClientRequest;
use tidewire::tokio::{ClientStream, Connector, WebSocket};

type Error = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (flags, values): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument == "--deflate");
    let [base, agent] = &values[..] else {
        return Err("usage: autobahn_client [--deflate] BASE_URL AGENT".into());
    };
    let base = base.trim_end_matches('/');
    let connector = Connector::new().with_config(options::config(!flags.is_empty())?);
    let connect =
        async |path: String| connector.connect(ClientRequest::new(&format!("{base}/{path}"))?).await;

    let mut socket = connect("getCaseCount".into()).await?;
    let count = socket.recv().await?.ok_or("no case count")?;
    let count: u32 = count.as_text().ok_or("the case count is not text")?.trim().parse()?;
    while socket.recv().await?.is_some() {}

    for case in 1..=count {
        println!("case {case} of {count}");
        let mut socket = connect(format!("runCase?case={case}&agent={agent}")).await?;
        // A case may break the rules, or the connection: the report judges how that ended.
        if let Err(error) = echo(&mut socket).await {
            println!("case {case}: {error}");
        }
    }
    let mut socket = connect(format!("updateReports?agent={agent}")).await?;
    while socket.recv().await?.is_some() {}
    Ok(())
}

async fn echo(socket: &mut WebSocket<ClientStream>) -> Result<(), tidewire::Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}
