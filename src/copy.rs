//! Copies of what is long, tile by tile.
//!
//! A common C library copies some KiB and more with a string instruction, which takes some processors seventeen times as long where the
//! destination lies a few bytes further into its page than the source does, as payloads behind their headers do. In tiles, none is long
//! enough for that, and all together take no longer than one.

use alloc::vec::Vec;

use bytes::Bytes;

/// Also short enough to be still in the first-level cache after it was copied.
pub(crate) const TILE_LEN: usize = 2 << 10;

/// Appends `bytes` to `out`.
#[inline]
pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= TILE_LEN {
        out.extend_from_slice(bytes);
    } else {
        append_tiles(out, bytes);
    }
}

fn append_tiles(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len());
    for tile in bytes.chunks(TILE_LEN) {
        out.extend_from_slice(tile);
    }
}

/// A copy of `bytes`, in one allocation.
pub(crate) fn to_bytes(bytes: &[u8]) -> Bytes {
    let mut copy = Vec::with_capacity(bytes.len());
    append(&mut copy, bytes);
    copy.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_copied_at_every_length() {
        let bytes: Vec<u8> = (0..=250u8).cycle().take(3 * TILE_LEN).collect();
        for len in (0..70).chain([TILE_LEN - 1, TILE_LEN, TILE_LEN + 1, 2 * TILE_LEN, 3 * TILE_LEN - 1]) {
            let mut out = Vec::from(*b"before");
            append(&mut out, &bytes[..len]);
            assert_eq!(out, [b"before", &bytes[..len]].concat());
            assert_eq!(to_bytes(&bytes[..len]), bytes[..len]);
        }
    }
}
