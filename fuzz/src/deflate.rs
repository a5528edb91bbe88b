//! Compressed messages of a peer (RFC 7692): what it may agree on, and what it may send.

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output, create_comp_flags_from_zip_params,
};
use tidewire::handshake::negotiate;
use tidewire::{Agreement, Deflate};

use crate::{Cuts, Data, frame};

/// RFC 7692 6: the message is compressed.
pub const RSV1: u8 = 0x40;

/// RFC 7692 7.2.1: what is not sent of a compressed message.
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

const FIN: u8 = 0x80;

/// So many bytes are compressed for one message at most.
const MAX_TEXT_LEN: usize = 2 << 20;

/// A stream is made until there is so much.
const MAX_STREAM_LEN: usize = 128 << 10;

/// What a server agrees to whose peers use a window of `bits`, with takeover or without.
pub fn agreement(bits: u8, takeover: bool) -> Agreement {
    let bits = bits.clamp(8, 15);
    let mut offer =
        format!("permessage-deflate; server_max_window_bits={bits}; client_max_window_bits={bits}");
    if !takeover {
        offer.push_str("; server_no_context_takeover; client_no_context_takeover");
    }
    let deflate = Deflate::new().with_window_bits(15).with_peer_window_bits(15);
    negotiate::deflate(&deflate, &[&offer]).expect("grammar").expect("an agreement")
}

/// Appends blocks that hold `text`: ended by a final block if `is_final`, and else by an empty stored one.
pub fn append(blocks: &mut Vec<u8>, text: &[u8], level: u8, is_final: bool) {
    // Negative: without zlib's header.
    let flags = create_comp_flags_from_zip_params((level % 11).into(), -15, 0);
    let mut compressor = CompressorOxide::new(flags);
    let flush = if is_final { TDEFLFlush::Finish } else { TDEFLFlush::Sync };
    let (status, _) = compress_to_output(&mut compressor, text, flush, |bytes| {
        blocks.extend_from_slice(bytes);
        true
    });
    assert!(matches!(status, TDEFLStatus::Okay | TDEFLStatus::Done));
}

/// The frames of a compressed message, whose payload is cut.
pub fn frames(kind: u8, key: Option<[u8; 4]>, payload: &[u8], cuts: Cuts<'_>) -> Vec<u8> {
    let mut parts: Vec<_> = cuts.of(payload).collect();
    if parts.is_empty() {
        parts.push(&[]);
    }
    let last = parts.len() - 1;
    let frames = parts.into_iter().enumerate().map(|(n, part)| {
        let fin = if n == last { FIN } else { 0 };
        frame(fin | if n == 0 { RSV1 | kind } else { 0 }, key, part)
    });
    frames.collect::<Vec<_>>().concat()
}

/// Frames of compressed messages, of others and of fragments of both, most of them valid.
pub fn compressed_stream(data: &mut Data<'_>, to_server: bool) -> Vec<u8> {
    let key = to_server.then_some([0x37, 0xFA, 0x21, 0x3D]);
    let mut stream = Vec::new();
    while !data.0.is_empty() && stream.len() < MAX_STREAM_LEN {
        let (form, repeat) = (data.byte(), data.byte());
        let kind = 1 + (form >> 7);
        let len = data.byte();
        let text = data.slice(len.into());
        match form & 7 {
            // A frame of any kind.
            0 => stream.extend(frame(repeat, key, text)),
            1 => stream.extend(frame(FIN | kind, key, text)),
            2 => stream.extend(frame(FIN | 9, key, &text[..text.len().min(125)])),
            // A payload as it is: DEFLATE or not.
            3 => stream.extend(frames(kind, key, text, data.cuts())),
            4 => stream.extend(frames(kind, key, &text.repeat(repeat.into()), data.cuts())),
            // Compressed by another library; long, if much is repeated.
            _ => {
                let times = usize::from(repeat) * usize::from(repeat);
                let times = times.min(MAX_TEXT_LEN / text.len().max(1));
                let mut payload = Vec::new();
                append(&mut payload, &text.repeat(times), form >> 3, form & 7 == 7);
                if form & 7 == 7 {
                    payload.push(0x00);
                } else {
                    payload.truncate(payload.len() - TAIL.len());
                }
                stream.extend(frames(kind, key, &payload, data.cuts()));
            }
        }
    }
    stream
}
