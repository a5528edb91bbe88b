//! The stock client, for pages.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};

use crate::server::response;

/// As it is in the package `socket.io-client`; `client/LICENSE` has its licence.
const FILE: &[u8] = include_bytes!("../../client/socket.io.min.js");

/// The answer to a request for `/socket.io/socket.io.js` or `/socket.io/socket.io.min.js`; `None` for all others.
#[must_use]
pub fn client_file(path: &str) -> Option<Response<Full<Bytes>>> {
    let name = path.strip_prefix("/socket.io/")?;
    if !["socket.io.js", "socket.io.min.js"].contains(&name) {
        return None;
    }
    let body = Bytes::from_static(FILE);
    Some(response::with_body(StatusCode::OK, "application/javascript; charset=utf-8", body))
}
