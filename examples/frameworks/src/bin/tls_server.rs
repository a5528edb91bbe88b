//! An echo server behind TLS, with tokio-rustls and no framework.
//!
//! ```text
//! cargo run --bin tls_server -- --addr 127.0.0.1:9001 --pem FILE
//! ```
//!
//! The file has a certificate chain and its key.

use std::sync::Arc;
use std::time::Duration;

use tidewire::tokio::accept;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How long a client may take for the handshake of TLS. That of WebSocket has the open timeout of `Config`.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ["--addr", address, "--pem", file] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    else {
        return Err("usage: tls_server --addr HOST:PORT --pem FILE".into());
    };
    let acceptor = acceptor(file)?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: some will come free.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let acceptor = acceptor.clone();
        // The handshakes take time, so they have a task of their own, too.
        tokio::spawn(async move {
            if let Err(error) = serve(stream, acceptor).await {
                eprintln!("{error}");
            }
        });
    }
}

fn acceptor(file: &str) -> Result<TlsAcceptor, Box<dyn std::error::Error>> {
    let chain = CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(file)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // RFC 7301: this server speaks no HTTP/2.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let stream = timeout(TLS_TIMEOUT, acceptor.accept(stream)).await??;
    let mut socket = accept(stream).await?;
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}
