//! RFC 6455 5.3 and 10.3: a client's frames are masked, each with a fresh key that nobody can predict.

use std::collections::HashSet;

use bytes::Buf;
use tidewire::{Config, Connection, Input};

use support::wire::{self, Role};

fn take_keys(client: &mut Connection) -> Vec<[u8; 4]> {
    let output = client.output();
    let frames = wire::parse_with_keys(Role::Client, &output.copy_to_bytes(output.remaining()));
    frames.into_iter().map(|(_, key)| key.expect("a client masks")).collect()
}

#[test]
fn every_frame_of_whatever_kind_has_a_new_key() {
    let mut client = Connection::client(Config::new(), [1; 32]);
    let mut input = Input::new();
    let mut keys = Vec::new();
    for _ in 0..200 {
        client.send("same text").expect("room");
        client.send_fragment(b"", false).expect("room");
        client.ping(b"").expect("room");
        client.send_fragment(b"", true).expect("room");
        input.extend_from_slice(b"\x89\x00");
        assert!(matches!(client.receive(&mut input), Ok(Some(_))));
        keys.extend(take_keys(&mut client));
        // Nor does putting the connection to rest repeat one.
        client.release();
    }
    client.close(None);
    keys.extend(take_keys(&mut client));
    assert_eq!(keys.len(), 200 * 5 + 1);
    // Two of 1001 random keys are equal once in 8,600 seeds.
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
}

#[test]
fn every_bit_of_a_key_is_set_in_about_half_of_them() {
    let mut client = Connection::client(Config::new(), [2; 32]);
    (0..4000).for_each(|_| client.send("").expect("room"));
    let keys = take_keys(&mut client);
    for bit in 0..32 {
        let set = keys.iter().filter(|key| u32::from_be_bytes(**key) >> bit & 1 == 1).count();
        assert!((1800..2200).contains(&set), "bit {bit}: {set}");
    }
}

#[test]
fn different_seeds_give_different_keys_and_one_seed_the_same() {
    let keys_of = |seed| {
        let mut client = Connection::client(Config::new(), seed);
        (0..10).for_each(|_| client.send("").expect("room"));
        take_keys(&mut client)
    };
    assert_eq!(keys_of([3; 32]), keys_of([3; 32]));
    let mut seed = [3; 32];
    seed[31] ^= 1;
    assert!(keys_of([3; 32]).iter().zip(keys_of(seed)).all(|(a, b)| *a != b));
}

#[test]
fn the_keys_are_the_keystream_of_chacha_with_12_rounds() {
    // Two blocks for a key, a nonce and a counter of zeros: draft-strombergson-chacha-test-vectors-01, TC1.
    const BLOCKS: &str = "9bf49a6a0755f953811fce125f2683d50429c3bb49e074147e0089a52eae155f\
                          0564f879d27ae3c02ce82834acfa8c793a629f2ca0de6919610be82f411326be\
                          0bd58841203e74fe86fc71338ce0173dc628ebb719bdcbcc151585214cc089b4\
                          42258dcda14cf111c602b8971b8cc843e91e46ca905151c02744a6b017e69316";
    let mut client = Connection::client(Config::new(), [0; 32]);
    (0..32).for_each(|_| client.send("").expect("room"));
    let keys = take_keys(&mut client).concat();
    assert_eq!(keys.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), BLOCKS);
}
