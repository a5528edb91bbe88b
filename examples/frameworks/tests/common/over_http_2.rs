//! The same heads as extended CONNECTs (RFC 8441).

use std::net::SocketAddr;
use std::sync::OnceLock;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::ext::Protocol;
use hyper::{Method, Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tests_support::kind::kind;
use tidewire::HandshakeError;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::common::Answer;
use crate::{handshake_of_programs, programs};

type Requests = SendRequest<Empty<Bytes>>;

/// A connection to each program, which all requests share.
fn connections() -> &'static (Runtime, Vec<Requests>) {
    static CONNECTIONS: OnceLock<(Runtime, Vec<Requests>)> = OnceLock::new();
    CONNECTIONS.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime");
        let requests =
            programs().iter().map(|(server, _)| runtime.block_on(connect(server.address))).collect();
        (runtime, requests)
    })
}

async fn connect(address: SocketAddr) -> Requests {
    let stream = TcpStream::connect(address).await.expect("connected");
    let (mut requests, mut connection) =
        handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("open");
    // RFC 8441 3: the SETTINGS come before any answer.
    let probe = Request::head(format!("http://{address}/")).body(Empty::new()).expect("valid");
    tokio::select! {
        ended = &mut connection => panic!("{ended:?}"),
        answered = requests.send_request(probe) => drop(answered.expect("an answer")),
    }
    assert!(connection.is_extended_connect_protocol_enabled());
    tokio::spawn(connection);
    requests
}

/// Asks each program for what the head asks for.
pub(crate) fn ask_programs(bytes: &[u8], plain: Result<(), &HandshakeError>) {
    let Some(request) = translated(bytes) else { return };
    let judged = handshake_of_programs().receive_http(&request, Some("websocket"));
    let expected = match &judged {
        Ok(request) => {
            let (response, _) = request.accept_http(None).expect("accepted");
            answer(response.status().as_u16(), response.headers(), b"")
        }
        Err(error) => {
            let response = hyper::Response::<String>::from(error.clone());
            answer(response.status().as_u16(), response.headers(), response.body().as_bytes())
        }
    };
    // What HTTP/2 has no need of cannot be wrong there.
    let is_of_upgrade = |error: &HandshakeError| {
        ["UpgradeRequired", "InvalidUpgrade", "InvalidConnection", "InvalidKey", "InvalidHost"]
            .contains(&&*kind(error))
    };
    match (plain, &judged) {
        (Err(error), _) if is_of_upgrade(error) => {}
        (Err(HandshakeError::UnsupportedVersion(_)), Err(HandshakeError::InvalidVersion(_)))
        | (Ok(()), Ok(_)) => {}
        // The host of the target is `:authority` here.
        (Err(HandshakeError::InvalidTarget(_)), Err(HandshakeError::InvalidHost(_))) => {}
        (Err(error), Err(other)) => assert_eq!(kind(error), kind(other), "{error} and {other}"),
        (plain, judged) => panic!("{plain:?} and {judged:?}: {request:?}"),
    }
    let (runtime, connections) = connections();
    for ((_, is_axum), requests) in programs().iter().zip(connections) {
        if *is_axum && request.uri().path() != "/chat" {
            continue;
        }
        let mut requests = requests.clone();
        let request = request.clone();
        let answered = runtime.block_on(async move {
            requests.ready().await.expect("open");
            let response = requests.send_request(request).await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            // An open connection has no end.
            let body =
                if status == 200 { Bytes::new() } else { response.into_body().collect().await?.to_bytes() };
            Ok::<_, hyper::Error>(answer(status, &headers, &body))
        });
        match (answered, &judged) {
            (Ok(answered), _) => assert_eq!(answered, expected, "{}", String::from_utf8_lossy(bytes)),
            // A length that does not fit breaks the stream itself.
            (Err(_), Err(HandshakeError::RequestBody(_))) => {}
            (Err(error), _) => panic!("{error}: {}", String::from_utf8_lossy(bytes)),
        }
    }
}

/// The extended CONNECT for a head of a GET; `None` if it is none.
fn translated(bytes: &[u8]) -> Option<Request<Empty<Bytes>>> {
    let (mut parts, ()) = tests_support::http::request(bytes)?.into_parts();
    let mut hosts = parts.headers.get_all("host").iter();
    let (host, other) = (hosts.next()?.to_str().ok()?, hosts.next());
    // HTTP/2 has one `:authority`, and no `Transfer-Encoding` at all.
    if parts.method != Method::GET
        || parts.version != Version::HTTP_11
        || other.is_some()
        || parts.uri.path_and_query().is_none()
        || parts.headers.contains_key("transfer-encoding")
    {
        return None;
    }
    let uri = match parts.uri.authority() {
        Some(_) => parts.uri.to_string(),
        None => format!("http://{host}{}", parts.uri),
    };
    for name in ["host", "upgrade", "connection", "sec-websocket-key"] {
        parts.headers.remove(name);
    }
    let mut request = Request::connect(uri).version(Version::HTTP_2);
    *request.headers_mut()? = parts.headers;
    request.extension(Protocol::from_static("websocket")).body(Empty::new()).ok()
}

fn answer(status: u16, headers: &hyper::HeaderMap, body: &[u8]) -> Answer {
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text")));
    Answer::new(status, headers, body)
}
