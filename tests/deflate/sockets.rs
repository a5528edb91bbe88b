//! Compression through both adapters, over sockets and in memory.
#![cfg(any(feature = "blocking", feature = "tokio"))]

use support::deflate::json;
use tidewire::{ClientRequest, Config, Deflate, ServerHandshake};

fn config() -> Config {
    Config::new().with_deflate(Deflate::new())
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_socket_and_its_halves_tell_what_was_agreed_and_use_it() -> Result<(), Box<dyn std::error::Error>> {
    use tidewire::tokio::{Connector, accept_with, pair};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    let serving = tokio::spawn(async move {
        let mut socket = accept_with(listener.accept().await?.0, ServerHandshake::new(config())).await?;
        let agreement = socket.agreement();
        while let Some(message) = socket.recv().await? {
            socket.feed(message).await?;
        }
        Ok::<_, tidewire::Error>(agreement)
    });
    let connector = Connector::new().with_config(config());
    let socket = connector.connect(ClientRequest::new(&uri)?).await?;
    let agreement = socket.agreement().ok_or("no agreement")?;
    assert_eq!(agreement.to_string(), "permessage-deflate; client_max_window_bits=12");
    let (mut reader, writer) = socket.split();
    assert_eq!([reader.agreement(), writer.agreement()], [Some(agreement); 2]);
    for n in 0..10 {
        let text = json(n, 3000);
        writer.queue(&text)?;
        assert!(writer.queued_len() < 1500, "{}", writer.queued_len());
        writer.flush().await?;
        assert_eq!(reader.recv().await?.ok_or("ended")?, text.as_str());
    }
    let mut socket = reader.reunite(writer)?;
    assert_eq!(socket.agreement(), Some(agreement));
    socket.close(None).await?;
    assert_eq!(serving.await??.map(|agreed| agreed.to_string()), Some(agreement.to_string()));

    let (client, server) = pair(config());
    assert_eq!(client.agreement().map(|agreed| agreed.client_max_window_bits()), Some(12));
    assert_eq!(client.agreement(), server.agreement());
    let (client, _) = pair(Config::new());
    assert_eq!(client.agreement(), None);
    Ok(())
}

#[cfg(feature = "blocking")]
#[test]
fn a_blocking_socket_and_its_halves_tell_what_was_agreed_and_use_it() -> Result<(), Box<dyn std::error::Error>>
{
    use tidewire::blocking::{Connector, accept_with, pair};

    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    let serving = std::thread::spawn(move || {
        let mut socket = accept_with(listener.accept()?.0, ServerHandshake::new(config()))?;
        let agreement = socket.agreement();
        while let Some(message) = socket.recv()? {
            socket.feed(message)?;
        }
        Ok::<_, tidewire::Error>(agreement)
    });
    let socket = Connector::new().with_config(config()).connect(ClientRequest::new(&uri)?)?;
    let agreement = socket.agreement().ok_or("no agreement")?;
    assert_eq!(agreement.to_string(), "permessage-deflate; client_max_window_bits=12");
    let (mut reader, writer) = socket.split();
    assert_eq!([reader.agreement(), writer.agreement()], [Some(agreement); 2]);
    for n in 0..10 {
        let text = json(n, 3000);
        writer.queue(&text)?;
        assert!(writer.queued_len() < 1500, "{}", writer.queued_len());
        writer.flush()?;
        assert_eq!(reader.recv()?.ok_or("ended")?, text.as_str());
    }
    let mut socket = reader.reunite(writer)?;
    assert_eq!(socket.agreement(), Some(agreement));
    socket.close(None)?;
    let served = serving.join().map_err(|_| "a panic")??;
    assert_eq!(served.map(|agreed| agreed.to_string()), Some(agreement.to_string()));

    let (client, server) = pair(config());
    assert_eq!(client.agreement(), server.agreement());
    assert!(client.agreement().is_some());
    Ok(())
}
