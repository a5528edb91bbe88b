//! Copies of what is short, by its two ends, and of what is long, tile by tile.
//!
//! A common C library copies some KiB and more with a string instruction, which takes some processors seventeen times as long where the
//! destination lies a few bytes further into its page than the source does, as payloads behind their headers do. In tiles, none is long
//! enough for that, and all together take no longer than one.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

const TILE_LEN: usize = 2 << 10;

/// Copies `bytes` to `place`, which is as long.
#[inline]
pub(crate) fn to_slice(place: &mut [u8], bytes: &[u8]) {
    match bytes.len() {
        8..=16 => ends_to_slice::<8>(place, bytes),
        17..=32 => ends_to_slice::<16>(place, bytes),
        ..=TILE_LEN => place.copy_from_slice(bytes),
        _ => tiles_to_slice(place, bytes),
    }
}

#[inline]
fn ends_to_slice<const N: usize>(place: &mut [u8], bytes: &[u8]) {
    if let (Some(place), Some(first)) = (place.first_chunk_mut::<N>(), bytes.first_chunk()) {
        *place = *first;
    }
    if let (Some(place), Some(last)) = (place.last_chunk_mut::<N>(), bytes.last_chunk()) {
        *place = *last;
    }
}

#[inline(never)]
fn tiles_to_slice(place: &mut [u8], bytes: &[u8]) {
    for (place, tile) in place.chunks_mut(TILE_LEN).zip(bytes.chunks(TILE_LEN)) {
        place.copy_from_slice(tile);
    }
}

/// A copy of `bytes`, in one allocation.
pub(crate) fn to_bytes(bytes: &[u8]) -> Bytes {
    let mut copy = Vec::with_capacity(bytes.len());
    if bytes.len() <= TILE_LEN {
        copy.extend_from_slice(bytes);
    } else {
        bytes.chunks(TILE_LEN).for_each(|tile| copy.extend_from_slice(tile));
    }
    copy.into()
}

/// Appends `copied` to `text`.
pub(crate) fn to_string(text: &mut String, mut copied: &str) {
    // A character begins within any four bytes.
    let tile_lens = TILE_LEN - 3..=TILE_LEN;
    while let Some((tile, later)) = tile_lens.clone().rev().find_map(|len| copied.split_at_checked(len)) {
        text.push_str(tile);
        copied = later;
    }
    text.push_str(copied);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_copied_at_every_length() {
        let bytes: Vec<u8> = (0..=250u8).cycle().take(3 * TILE_LEN).collect();
        for len in (0..70).chain([TILE_LEN - 1, TILE_LEN, TILE_LEN + 1, 2 * TILE_LEN, 3 * TILE_LEN - 1]) {
            let mut place = alloc::vec![0; len];
            to_slice(&mut place, &bytes[..len]);
            assert_eq!(place, bytes[..len]);
            assert_eq!(to_bytes(&bytes[..len]), bytes[..len]);
        }
    }

    #[test]
    fn text_is_appended_whole_wherever_its_characters_end() {
        for character in ["a", "é", "€", "😀"] {
            for before in 0..character.len() {
                for len in [0, 1, TILE_LEN - 1, TILE_LEN, TILE_LEN + 1, 3 * TILE_LEN] {
                    let copied = "x".repeat(before) + &character.repeat(len / character.len());
                    let mut text = String::from("before");
                    to_string(&mut text, &copied);
                    assert_eq!(text, String::from("before") + &copied);
                }
            }
        }
    }
}
