//! Text in fragments and reads of any length: received if and only if it is UTF-8, and refused at the first wrong byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidewire::{Config, Connection, Event, Input, ProtocolError};
use tidewire_fuzz::{Cuts, Data, frame};

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let (padding, key) = (data.byte(), data.key());
    let (fragments, reads) = (data.cuts(), data.cuts());
    // Long texts are validated in tiles of 16 KiB; the data lies across the end of the first one or the second.
    let padding = match padding {
        0..128 => 0,
        128..192 => 16 * 1024 - usize::from(padding - 128),
        192.. => 32 * 1024 - usize::from(padding - 192),
    };
    let text = [&vec![b'.'; padding], data.0].concat();
    check(&text, padding, key, fragments, reads);
});

/// Sends `text`; its first `padding` bytes are ASCII, and come in one fragment and one read.
fn check(text: &[u8], padding: usize, key: [u8; 4], fragments: Cuts<'_>, reads: Cuts<'_>) {
    // The bytes to receive, and how much of the text is in each beginning of them.
    let (mut wire, mut text_lens, mut sent) = (Vec::new(), vec![0], 0);
    let mut fragments = fragments.of(&text[padding..]).peekable();
    let mut opcode = 1;
    loop {
        let part = &text[sent..sent.max(padding) + fragments.next().unwrap_or_default().len()];
        let is_last = fragments.peek().is_none();
        let frame = frame(if is_last { 0x80 } else { 0 } | opcode, Some(key), part);
        text_lens.extend(vec![sent; frame.len() - part.len()]);
        text_lens.extend(sent + 1..=sent + part.len());
        sent += part.len();
        wire.extend(frame);
        opcode = 0;
        if is_last {
            break;
        }
    }

    let mut server = Connection::server(Config::new());
    let (mut input, mut arrived) = (Input::new(), 0);
    let (first, rest) = wire.split_at(padding);
    for chunk in [first].into_iter().chain(reads.of(rest)) {
        input.extend_from_slice(chunk);
        arrived += chunk.len();
        let received = server.receive(&mut input);
        match str::from_utf8(&text[padding.min(text_lens[arrived])..text_lens[arrived]]) {
            Ok(_) if arrived == wire.len() => {
                assert!(matches!(received, Ok(Some(Event::Text(received))) if received.as_bytes() == text));
            }
            Err(error) if arrived == wire.len() || error.error_len().is_some() => {
                assert!(matches!(received, Err(ProtocolError::InvalidUtf8)));
                return;
            }
            _ => assert!(matches!(received, Ok(None))),
        }
    }
}
