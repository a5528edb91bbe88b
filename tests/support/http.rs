//! Requests of the `http` crate, made from heads in bytes.

use http::{HeaderName, HeaderValue, Request, Response, Version};
use tidewire::{Config, HandshakeError, Origins, ServerHandshake};

use crate::handshake::{Outcome, drain};

/// The request that a head is; `None` if the types of the crate cannot hold it as it is.
pub fn request(bytes: &[u8]) -> Option<Request<()>> {
    let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    let len = bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
    let mut lines =
        bytes[..len].split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let words: Vec<_> = lines.next()?.split(|&byte| byte == b' ').collect();
    let [method, target, version] = words[..] else { return None };
    let version = match version {
        b"HTTP/0.9" => Version::HTTP_09,
        b"HTTP/1.0" => Version::HTTP_10,
        b"HTTP/1.1" => Version::HTTP_11,
        _ => return None,
    };
    let mut request = Request::builder().method(method).uri(target).version(version).body(()).ok()?;
    // The crate drops a fragment.
    if request.uri().to_string().as_bytes().strip_suffix(b"/").unwrap_or_default() != target
        && request.uri().to_string().as_bytes() != target
    {
        return None;
    }
    for line in lines {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(&line[colon + 1..]).ok()?);
    }
    Some(request)
}

/// The bytes of a response over HTTP/1.1, as the crate would send it.
pub fn answer(response: &Response<String>) -> Vec<u8> {
    let reason = response.status().canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\nConnection: close\r\n", response.status().as_str());
    if !response.body().is_empty() {
        bytes += &format!("Content-Length: {}\r\n", response.body().len());
    }
    for name in ["Content-Type", "Allow", "Connection", "Upgrade", "Sec-WebSocket-Version"] {
        if let Some(value) = response.headers().get(name) {
            bytes += &format!("{name}: {}\r\n", value.to_str().expect("text"));
        }
    }
    bytes += "\r\n";
    bytes += response.body();
    bytes.into_bytes()
}

/// Asserts that a head that another library has read leads to the same request, or to the same error and answer, as its bytes do.
pub(crate) fn judges_the_same(
    config: Config,
    origins: &Origins,
    bytes: &[u8],
    outcome: &Outcome<tidewire::Request>,
) {
    // A head that the other library has to refuse or to wait for.
    let ours = match &outcome.result {
        Ok(None) => return,
        Err(
            HandshakeError::MalformedHead(_)
            | HandshakeError::UnexpectedTls
            | HandshakeError::UnexpectedEof
            | HandshakeError::TimedOut
            | HandshakeError::RequestLineTooLong { .. }
            | HandshakeError::HeadTooLong { .. }
            | HandshakeError::TooManyHeaders { .. },
        ) => return,
        Ok(Some(request)) => Ok(request),
        Err(error) => Err(error),
    };
    let Some(request) = request(bytes) else { return };
    let handshake = ServerHandshake::new(config).with_origins(origins.clone());
    match (ours, handshake.receive_http(&request, None)) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours.target(), theirs.target());
            assert_eq!(ours.host(), theirs.host());
            assert_eq!(ours.origin(), theirs.origin());
            assert_eq!(ours.subprotocols().collect::<Vec<_>>(), theirs.subprotocols().collect::<Vec<_>>());
            assert_eq!(ours.subprotocol(), theirs.subprotocol());
            #[cfg(feature = "deflate")]
            assert_eq!(ours.agreement(), theirs.agreement());
            let sorted = |request: &tidewire::Request| {
                let lower = |(name, value): (&str, &[u8])| (name.to_ascii_lowercase(), value.to_vec());
                let mut headers: Vec<_> = request.headers().map(lower).collect();
                headers.sort();
                headers
            };
            assert_eq!(sorted(ours), sorted(&theirs));
            // What is sent is the same, too.
            let name = ours.subprotocols().next();
            let (response, _) = theirs.accept_http(name).expect("accepted");
            let mut answer = drain(&mut theirs.accept(name, &[]).expect("accepted"));
            answer.retain(|&byte| byte != b'\r');
            let answer = String::from_utf8(answer).expect("text");
            let mut sent: Vec<_> = answer.lines().skip(1).filter_map(|line| line.split_once(": ")).collect();
            sent.sort_unstable();
            let mut told: Vec<_> = response
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
                .collect();
            told.sort_unstable();
            assert_eq!(told.len(), sent.len(), "{told:?} and {sent:?}");
            for ((name, value), (other, same)) in told.into_iter().zip(sent) {
                assert!(
                    name.eq_ignore_ascii_case(other) && value == same,
                    "{name}: {value} and {other}: {same}"
                );
            }
            assert_eq!(response.status(), 101);
        }
        (Err(ours), Err(theirs)) => {
            assert_eq!(*ours, theirs);
            let answer = answer(&theirs.into());
            assert_eq!(String::from_utf8_lossy(&answer), String::from_utf8_lossy(&outcome.output));
        }
        (ours, theirs) => panic!("{ours:?} and {theirs:?}: {}", String::from_utf8_lossy(bytes)),
    }
}
