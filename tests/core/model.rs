//! A second, slow reading of RFC 6455 5 and 7, to compare the crate with: all bytes at once, and nothing remembered.

use tidewire::{Config, ProtocolError};

use support::chunked::Seen;
use support::wire::{self, BINARY, CLOSE, CONTINUATION, PING, PONG, Role, TEXT};

/// What a connection has to make of `bytes`.
pub(crate) fn receive(role: Role, config: &Config, bytes: &[u8]) -> (Vec<Seen>, Option<ProtocolError>) {
    let mut events = Vec::new();
    let mut rest = bytes;
    // The opcode of the message under way, and its payload so far.
    let mut message: Option<(u8, Vec<u8>)> = None;
    loop {
        match frame(role, config, &mut rest, &mut message) {
            Ok(Some(event)) => {
                events.push(event);
                if let Some(Seen::Close(_)) = events.last() {
                    return (events, None);
                }
            }
            Ok(None) if rest.is_empty() => return (events, None),
            Ok(None) => {}
            Err(error) => return (events, Some(error)),
        }
    }
}

/// Takes the next frame, or all of `rest` when it is not whole.
fn frame(
    role: Role,
    config: &Config,
    rest: &mut &[u8],
    message: &mut Option<(u8, Vec<u8>)>,
) -> Result<Option<Seen>, ProtocolError> {
    let bytes = core::mem::take(rest);
    let &[first, second, ..] = bytes else { return Ok(None) };
    let (fin, opcode, short) = (first & 0x80 != 0, first & 0x0F, second & 0x7F);
    let is_control = opcode >= 8;
    match opcode {
        CONTINUATION | TEXT | BINARY => {}
        CLOSE | PING | PONG if !fin => return Err(ProtocolError::FragmentedControlFrame),
        CLOSE | PING | PONG if short > 125 => return Err(ProtocolError::ControlFrameTooLong),
        CLOSE | PING | PONG => {}
        _ => return Err(ProtocolError::ReservedOpCode(opcode)),
    }
    let len_len = [2, 8].get(usize::from(short).wrapping_sub(126)).copied().unwrap_or(0);
    let Some(len_bytes) = bytes.get(2..2 + len_len) else { return Ok(None) };
    let long = len_bytes.iter().fold(0, |len, &byte| len << 8 | u64::from(byte));
    let len = if len_len == 0 { u64::from(short) } else { long };
    match (len_len, len) {
        (8, 0x8000_0000_0000_0000..) => return Err(ProtocolError::LengthOutOfRange),
        (2, ..126) | (8, ..65536) => return Err(ProtocolError::NonMinimalLength),
        _ => {}
    }
    let is_masked = second & 0x80 != 0;
    let header_len = 2 + len_len + if is_masked { 4 } else { 0 };
    let Some(header) = bytes.get(..header_len) else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(ProtocolError::ReservedBit((first & 0x70).leading_zeros() as u8));
    }
    match role {
        Role::Server if !is_masked => return Err(ProtocolError::UnmaskedFrame),
        Role::Client if is_masked => return Err(ProtocolError::MaskedFrame),
        _ => {}
    }
    if !is_control {
        match (opcode, &message) {
            (CONTINUATION, None) => return Err(ProtocolError::UnexpectedContinuation),
            (TEXT | BINARY, Some(_)) => return Err(ProtocolError::UnfinishedMessage),
            _ => {}
        }
        let before = message.as_ref().map_or(0, |(_, payload)| payload.len() as u64);
        if let Some(max) = config.max_frame_len().filter(|&max| len > max as u64) {
            return Err(ProtocolError::FrameTooLong { len, max });
        }
        let (len, max) = (before + len, config.max_message_len());
        if len > max as u64 {
            return Err(ProtocolError::MessageTooLong { len, max });
        }
    }
    let arrived = &bytes[header_len..];
    let is_whole = arrived.len() as u64 >= len;
    let (payload, after) = if is_whole { arrived.split_at(len as usize) } else { (arrived, [].as_slice()) };
    let key = if is_masked { header.last_chunk() } else { None };
    let payload = wire::masked(payload, key.copied());
    if is_control {
        if !is_whole {
            return Ok(None);
        }
        *rest = after;
        return control(opcode, payload).map(Some);
    }
    let (opcode, so_far) = message.get_or_insert((opcode, Vec::new()));
    so_far.extend(payload);
    if *opcode == TEXT
        && let Err(error) = core::str::from_utf8(so_far)
        // RFC 6455 8.1: wrong already, or cut off at the end.
        && (error.error_len().is_some() || (is_whole && fin))
    {
        return Err(ProtocolError::InvalidUtf8);
    }
    if !is_whole {
        return Ok(None);
    }
    *rest = after;
    if !fin {
        return Ok(None);
    }
    Ok(message.take().map(|(opcode, payload)| match opcode {
        TEXT => Seen::Text(String::from_utf8(payload).expect("checked")),
        _ => Seen::Binary(payload),
    }))
}

fn control(opcode: u8, payload: Vec<u8>) -> Result<Seen, ProtocolError> {
    match (opcode, payload.as_slice()) {
        (PING, _) => Ok(Seen::Ping(payload)),
        (PONG, _) => Ok(Seen::Pong(payload)),
        (_, []) => Ok(Seen::Close(None)),
        (_, [_]) => Err(ProtocolError::InvalidCloseBody),
        (_, [a, b, reason @ ..]) => {
            let code = u16::from_be_bytes([*a, *b]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(ProtocolError::InvalidCloseCode(code));
            }
            let reason = core::str::from_utf8(reason).map_err(|_| ProtocolError::InvalidCloseReason)?;
            Ok(Seen::close(code, reason))
        }
    }
}
