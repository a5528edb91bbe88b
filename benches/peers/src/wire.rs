//! Frames as bytes, by hand: what the contenders are fed and what the load generator sends.

/// The most that one read gives, as a socket with a full buffer would.
pub(crate) const READ_LEN: usize = 64 << 10;

/// The key of every masked frame that is made here. No contender can tell it from a random one.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;

/// A complete message in one frame, masked as clients do.
pub(crate) fn masked_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    push_header(&mut frame, opcode, payload.len(), Some(KEY));
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The header of a frame that is a whole message.
pub(crate) fn push_header(out: &mut Vec<u8>, opcode: u8, len: usize, key: Option<[u8; 4]>) {
    let masked = if key.is_some() { 0x80 } else { 0 };
    out.push(0x80 | opcode);
    match len {
        0..=125 => out.push(masked | len as u8),
        126..=0xffff => {
            out.push(masked | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend(key.into_iter().flatten());
}

/// How long a frame is with its header.
pub(crate) fn frame_len(len: usize, masked: bool) -> usize {
    let header_len = match len {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    };
    header_len + if masked { 4 } else { 0 } + len
}

/// A request for a connection as a browser makes it, but from no web page and without extensions.
pub(crate) const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\n\
    Host: 127.0.0.1:9001\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    \r\n";

/// The answer to it.
pub(crate) const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    \r\n";

/// True when the bytes end with an empty line: nothing follows a head before it is answered.
pub(crate) fn is_whole_head(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\r\n\r\n")
}
