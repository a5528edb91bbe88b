//! [`Upgrade`]: the extractor that makes a WebSocket of a request.

use axum::body::Body;
use axum::extract::FromRequest;
use axum::http::{Request, Response};
use axum::response::IntoResponse;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tidewire::tokio::WebSocket;
use tidewire::{Input, ServerHandshake};
use tokio::net::TcpStream;

/// A request for a WebSocket that obeys RFC 6455 and comes from an allowed origin. Other requests are answered with what is wrong.
///
/// The state of the router lends its [`ServerHandshake`].
#[derive(Debug)]
pub struct Upgrade {
    request: tidewire::Request,
    upgrade: OnUpgrade,
}

impl<S: AsRef<ServerHandshake> + Send + Sync> FromRequest<S> for Upgrade {
    type Rejection = Response<String>;

    async fn from_request(mut request: Request<Body>, state: &S) -> Result<Self, Self::Rejection> {
        let asked = state.as_ref().receive_http(&request, None)?;
        Ok(Self { request: asked, upgrade: hyper::upgrade::on(&mut request) })
    }
}

impl Upgrade {
    /// Answers 101, and calls `serve` in a task of its own when the stream is there.
    pub fn accept<F>(
        self,
        serve: impl FnOnce(WebSocket<TcpStream>) -> F + Send + 'static,
    ) -> axum::response::Response
    where
        F: Future<Output = ()> + Send,
    {
        let Ok((response, accepted)) = self.request.accept_http(None) else {
            return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        tokio::spawn(async move {
            let Ok(upgraded) = self.upgrade.await else { return };
            let Some((stream, input)) = into_tcp(upgraded) else { return };
            serve(WebSocket::from_accepted(stream, accepted, input)).await;
        });
        response.map(|()| Body::empty())
    }
}

/// The TCP stream below, and what hyper has read beyond the request.
fn into_tcp(upgraded: Upgraded) -> Option<(TcpStream, Input)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    let mut input = Input::new();
    input.extend_from_slice(&parts.read_buf);
    Some((parts.io.into_inner(), input))
}
