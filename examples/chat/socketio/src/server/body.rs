//! The body of a POST, as long as a limit allows.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Buf;
use hyper::body::Body;

use crate::engine::Refusal;

/// Reads `body`. One that says that it is longer than `max_len` is refused before it is read.
pub(crate) async fn collect<B>(mut body: B, max_len: usize) -> Result<Vec<u8>, Refusal>
where
    B: Body + Unpin,
    B::Data: Buf,
{
    if usize::try_from(body.size_hint().lower()).map_or(true, |len| len > max_len) {
        return Err(Refusal::TooLarge);
    }
    let mut collected = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Refusal::BadRequest)?;
        let Ok(mut data) = frame.into_data() else { continue };
        if data.remaining() > max_len - collected.len() {
            return Err(Refusal::TooLarge);
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            collected.extend_from_slice(chunk);
            let len = chunk.len();
            data.advance(len);
        }
    }
    Ok(collected)
}
