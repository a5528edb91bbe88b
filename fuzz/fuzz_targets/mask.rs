//! Masking against a byte loop: in place from any address and in any two parts, and in the frames that a client sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidewire::frame::Header;
use tidewire::{Config, Connection, mask};
use tidewire_fuzz::{Data, drain};

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let (key, offset, cut, repeat) = (data.key(), data.byte() % 64, data.byte(), data.byte());
    // Long payloads are masked in tiles of 16 KiB.
    let plain: Vec<_> = data.0.repeat(1 + usize::from(repeat)).into_iter().take(40_000).collect();
    let masked = by_byte(&plain, key);

    let mut buffer = [&vec![0; offset.into()], &plain[..]].concat();
    let bytes = &mut buffer[offset.into()..];
    mask::apply(bytes, key);
    assert_eq!(bytes, masked);
    let (head, tail) = bytes.split_at_mut(plain.len().min(cut.into()));
    mask::apply(tail, mask::rotate(key, head.len()));
    mask::apply(head, key);
    assert_eq!(bytes, plain);

    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&key);
    let mut client = Connection::client(Config::new(), seed);
    client.send(&plain).expect("room for it");
    let wire = drain(client.output());
    let (header, header_len) = Header::decode(&wire).expect("a valid header").expect("a complete header");
    assert_eq!(header.payload_len, plain.len() as u64);
    assert_eq!(by_byte(&wire[header_len..], header.mask.expect("a key")), plain);
});

fn by_byte(bytes: &[u8], key: [u8; 4]) -> Vec<u8> {
    bytes.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
}
