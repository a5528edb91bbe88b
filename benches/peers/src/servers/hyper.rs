//! The peers whose opening handshake is a service of hyper.

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Outcome, Setting, streams};

/// Only the handshake: nothing is echoed.
pub(super) async fn fastwebsockets(stream: TcpStream, _: Setting) -> Outcome {
    let service = service_fn(|mut request: Request<Incoming>| async move {
        let (response, socket) = fastwebsockets::upgrade::upgrade(&mut request)?;
        tokio::spawn(async move {
            if let Ok(socket) = socket.await {
                let _ = fastwebsockets::FragmentCollector::new(socket).read_frame().await;
            }
        });
        Ok::<_, fastwebsockets::WebSocketError>(response)
    });
    Ok(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await?)
}

/// Only the handshake: nothing is echoed.
pub(super) async fn yawc(stream: TcpStream, setting: Setting) -> Outcome {
    let service = service_fn(|mut request: Request<Incoming>| async move {
        let options = streams::yawc_options(setting);
        let (response, socket) = yawc::WebSocket::upgrade_with_options(&mut request, options)?;
        tokio::spawn(async move {
            if let Ok(mut socket) = socket.await {
                let _ = socket.next_frame().await;
            }
        });
        Ok::<_, yawc::WebSocketError>(response)
    });
    Ok(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await?)
}
