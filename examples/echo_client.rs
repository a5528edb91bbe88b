//! Sends each line of standard input and prints what comes back; Ctrl-D closes. With `--mirror` it sends back every message that it
//! receives until the server closes, and succeeds if the close was clean.
//!
//! `--deflate` offers compression, which needs the feature `deflate`. `wss` URIs and `--ca`, a PEM file with the certificates to trust, need the
//! feature `rustls`. `--header` adds a header to the request, and `--proxy` names an HTTP or SOCKS 5 proxy.
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
    let Arguments { mirrors, connector, request } = arguments()?;
    let mut socket = connector.connect(request).await?;
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

struct Arguments {
    mirrors: bool,
    connector: Connector,
    request: ClientRequest,
}

fn arguments() -> Result<Arguments, Box<dyn std::error::Error>> {
    use lexopt::prelude::*;

    const USAGE: &str =
        "usage: echo_client [--mirror] [--deflate] [--header 'NAME: VALUE'] [--proxy URI] [--ca FILE] URI";

    let mut arguments = lexopt::Parser::from_env();
    let (mut mirrors, mut deflates, mut uri) = (false, false, None);
    let (mut connector, mut headers) = (Connector::new(), Vec::new());
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("mirror") => mirrors = true,
            Long("deflate") => deflates = true,
            Long("header") => headers.push(arguments.value()?.string()?),
            Long("proxy") => connector = connector.with_proxy(arguments.value()?.string()?.parse()?),
            Long("ca") => connector = with_ca(connector, &arguments.value()?.string()?)?,
            Value(value) if uri.is_none() => uri = Some(value.string()?),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let mut request = ClientRequest::new(&uri.ok_or(USAGE)?)?;
    for header in &headers {
        let (name, value) = header.split_once(':').ok_or(USAGE)?;
        request = request.with_header(name.trim(), value.trim())?;
    }
    Ok(Arguments { mirrors, connector: connector.with_config(options::config(deflates)?), request })
}

/// Trusts the certificates in a PEM file, and no others.
#[cfg(feature = "rustls")]
fn with_ca(connector: Connector, file: &str) -> Result<Connector, Box<dyn std::error::Error>> {
    use std::sync::Arc;

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::{ClientConfig, RootCertStore};

    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(connector.with_tls(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
}

#[cfg(not(feature = "rustls"))]
fn with_ca(_: Connector, _: &str) -> Result<Connector, Box<dyn std::error::Error>> {
    Err("--ca needs the feature `rustls`".into())
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
