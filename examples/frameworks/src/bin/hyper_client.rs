//! A client over HTTP/2: hyper sends the extended CONNECT (RFC 8441), and the stream becomes a connection.
//!
//! ```text
//! cargo run --bin hyper_client -- http://127.0.0.1:9001/chat Hello
//! ```
//!
//! It sends each text, prints what comes back, and closes.

use std::error::Error;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::ext::Protocol;
use hyper::{Request, StatusCode, Uri, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tidewire::handshake::negotiate;
use tidewire::tokio::WebSocket;
use tidewire::{CloseCode, Config, Connection, Deflate, Input};
use tokio::net::TcpStream;

type Socket = WebSocket<TokioIo<hyper::upgrade::Upgraded>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let uri: Uri = arguments.next().ok_or("usage: hyper_client http://HOST:PORT/PATH [TEXT ...]")?.parse()?;
    let authority = uri.authority().ok_or("the URI has no host")?;
    let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await?;
    stream.set_nodelay(true)?;
    let (mut requests, mut connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    // RFC 8441 3: extended CONNECT is allowed once the server's SETTINGS say so. They come before all else that it sends, so they
    // are here when any request is answered.
    let probe = Request::head(uri.clone()).version(Version::HTTP_2).body(Empty::new())?;
    tokio::select! {
        ended = &mut connection => return Err(ended.err().map_or_else(|| "the server ended".into(), Into::into)),
        answered = requests.send_request(probe) => drop(answered?),
    }
    if !connection.is_extended_connect_protocol_enabled() {
        return Err("the server has no WebSocket over HTTP/2".into());
    }
    // It moves the frames of HTTP/2 for all streams.
    tokio::spawn(connection);

    let mut socket = open(&mut requests, &uri).await?;
    for text in arguments {
        socket.send(text).await?;
        println!("{}", socket.recv().await?.ok_or("the server closed")?.as_text().unwrap_or("binary"));
    }
    Ok(socket.close(CloseCode::NORMAL).await?)
}

/// Opens a connection as one of the streams.
async fn open(requests: &mut SendRequest<Empty<Bytes>>, uri: &Uri) -> Result<Socket, Box<dyn Error>> {
    let deflate = Deflate::new();
    let request = Request::connect(uri.clone())
        .version(Version::HTTP_2)
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-extensions", negotiate::deflate_offer(&deflate))
        .body(Empty::new())?;
    let response = requests.send_request(request).await?;
    if response.status() != StatusCode::OK {
        return Err(format!("the server answered with status {}", response.status()).into());
    }
    // Nothing was offered but compression.
    if response.headers().contains_key("sec-websocket-protocol") {
        return Err("the server chose a subprotocol, and none was offered".into());
    }
    let lines = response.headers().get_all("sec-websocket-extensions");
    let lines = lines.iter().map(|line| line.to_str()).collect::<Result<Vec<_>, _>>()?;
    let agreement = negotiate::deflate_response(&deflate, &lines)?;

    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let mut connection = Connection::client(Config::new(), seed);
    if let Some(agreement) = agreement {
        connection = connection.with_agreement(agreement);
    }
    let upgraded = hyper::upgrade::on(response).await?;
    Ok(WebSocket::from_parts(TokioIo::new(upgraded), connection, Input::new()))
}
