//! Frames as bytes, by hand: what the contenders are fed and what the load generator sends.

/// The most that one read gives, as a socket with a full buffer would.
pub(crate) const READ_LEN: usize = 64 << 10;

/// With room to spare, so that a header is one word.
pub(crate) const MAX_HEADER_LEN: usize = 16;

/// The key of every masked frame that is made here. No contender can tell it from a random one.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;

/// A complete message in one frame, masked as clients do.
pub(crate) fn masked_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let (header, header_len) = header(opcode, payload.len(), Some(KEY));
    let mut frame = header[..header_len].to_vec();
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The header of a frame that is a whole message, and how long it is. In one piece, since a copy of bytes that were written one by one has to
/// wait for them.
pub(crate) fn header(opcode: u8, payload_len: usize, key: Option<[u8; 4]>) -> ([u8; MAX_HEADER_LEN], usize) {
    let (second, extended, mut len) = match payload_len {
        0..=125 => (payload_len as u8, 0, 2),
        126..=0xffff => (126, u64::from((payload_len as u16).swap_bytes()), 4),
        _ => (127, (payload_len as u64).swap_bytes(), 10),
    };
    let mut header = u128::from(0x80 | opcode) | u128::from(second) << 8 | u128::from(extended) << 16;
    if let Some(key) = key {
        header |= 0x80 << 8 | u128::from(u32::from_le_bytes(key)) << (8 * len);
        len += 4;
    }
    (header.to_le_bytes(), len)
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

/// The same head with a line about an extension.
pub(crate) fn with_extension(head: &[u8], extension: &str) -> Vec<u8> {
    let lines = head.strip_suffix(b"\r\n").expect("a whole head");
    [lines, b"Sec-WebSocket-Extensions: ", extension.as_bytes(), b"\r\n\r\n"].concat()
}

/// How long the header of a frame is without a key, and how long its payload.
#[inline]
pub(crate) fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let (mut header_len, mut len) = (2, u64::from(bytes.get(1)? & 0x7f));
    if len == 126 {
        len = u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?));
        header_len = 4;
    } else if len == 127 {
        len = u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
        header_len = 10;
    }
    Some((header_len, len as usize))
}

/// The same of the header with its key, if it has one.
pub(crate) fn frame_lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let (header_len, len) = lengths(bytes)?;
    Some((if bytes[1] & 0x80 == 0 { header_len } else { header_len + 4 }, len))
}

/// True when the bytes end with an empty line: nothing follows a head before it is answered.
pub(crate) fn is_whole_head(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\r\n\r\n")
}
