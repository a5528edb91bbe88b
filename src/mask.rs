//! Masking (RFC 6455 5.3): a payload XORed with a four-byte key.

#[cfg(feature = "simd")]
mod vectors;

use alloc::boxed::Box;
use alloc::vec::Vec;

use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};

/// Masks or unmasks `bytes` in place; the two are the same operation.
///
/// ```
/// let mut payload = *b"Hello";
/// tidewire::mask::apply(&mut payload, [0x37, 0xfa, 0x21, 0x3d]);
/// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// ```
#[inline]
pub fn apply(bytes: &mut [u8], key: [u8; 4]) {
    match bytes.len() {
        #[cfg(feature = "simd")]
        LONG_LEN.. => vectors::apply(bytes, key),
        64.. => apply_lanes(bytes, key),
        32.. => apply_ends::<32>(bytes, key),
        16.. => apply_ends::<16>(bytes, key),
        8.. => apply_ends::<8>(bytes, key),
        4.. => apply_ends::<4>(bytes, key),
        _ => bytes.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key),
    }
}

/// Masks at least 64 bytes, as many at a time. The last lane overlaps the one before it, so that no single bytes remain.
#[inline]
fn apply_lanes(bytes: &mut [u8], key: [u8; 4]) {
    let last_key = rotate(key, bytes.len());
    let Some(&last) = bytes.last_chunk::<64>() else { return };
    for lane in bytes.as_chunks_mut::<64>().0 {
        *lane = masked(*lane, key);
    }
    if let Some(place) = bytes.last_chunk_mut() {
        *place = masked(last, last_key);
    }
}

/// Masks at least `N` bytes and at most twice as many: the first `N` and the last `N`, which may overlap.
#[inline]
fn apply_ends<const N: usize>(bytes: &mut [u8], key: [u8; 4]) {
    let last_key = rotate(key, bytes.len());
    let (Some(&first), Some(&last)) = (bytes.first_chunk::<N>(), bytes.last_chunk::<N>()) else { return };
    if let Some(place) = bytes.first_chunk_mut() {
        *place = masked(first, key);
    }
    if let Some(place) = bytes.last_chunk_mut() {
        *place = masked(last, last_key);
    }
}

#[inline]
fn masked<const N: usize>(mut lane: [u8; N], key: [u8; 4]) -> [u8; N] {
    let key = u32::from_ne_bytes(key);
    for part in lane.as_chunks_mut::<4>().0 {
        *part = (u32::from_ne_bytes(*part) ^ key).to_ne_bytes();
    }
    lane
}

/// The key for what follows `len` bytes that were masked with `key`.
#[inline]
#[must_use]
pub fn rotate(key: [u8; 4], len: usize) -> [u8; 4] {
    u32::from_le_bytes(key).rotate_right(8 * (len % 4) as u32).to_le_bytes()
}

/// Appends `payload`, masked, to `out`.
#[inline]
pub(crate) fn append(out: &mut Vec<u8>, payload: &[u8], key: [u8; 4]) {
    match payload.len() {
        #[cfg(feature = "simd")]
        LONG_LEN.. => vectors::append(out, payload, key),
        #[cfg(not(feature = "simd"))]
        LONG_LEN.. => append_tiles(out, payload, key),
        _ => {
            let start = out.len();
            out.extend_from_slice(payload);
            apply(&mut out[start..], key);
        }
    }
}

/// From how many bytes on the longer way is the shorter one.
const LONG_LEN: usize = 512;

/// Masks while it copies, which takes half the time of one after the other.
#[inline(always)]
fn append_tiles(out: &mut Vec<u8>, payload: &[u8], key: [u8; 4]) {
    let keys = [key; LONG_LEN / 4];
    out.reserve(payload.len());
    for tile in payload.chunks(LONG_LEN) {
        out.extend(tile.iter().zip(keys.as_flattened()).map(|(byte, key)| byte ^ key));
    }
}

/// The source of a client's masking keys: a ChaCha keystream, so that no key reveals another (RFC 6455 5.3).
///
/// The generator is set up when the first key is asked for and put away while the connection is idle, so that an
/// idle client holds 32 bytes of seed.
pub(crate) enum Keys {
    Idle(Box<[u8; 32]>),
    Running(Box<ChaCha12Rng>),
}

impl Keys {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self::Idle(Box::new(seed))
    }

    /// A fresh key. RFC 6455 5.3: a new one for every frame.
    #[inline]
    pub(crate) fn next(&mut self) -> [u8; 4] {
        loop {
            match self {
                Self::Running(keystream) => return keystream.next_u32().to_ne_bytes(),
                Self::Idle(seed) => *self = Self::Running(Box::new(ChaCha12Rng::from_seed(**seed))),
            }
        }
    }

    /// Puts the generator away. The keystream goes on from a seed of its own making, so no key ever repeats.
    pub(crate) fn release(&mut self) {
        if let Self::Running(keystream) = self {
            let mut seed = Box::new([0; 32]);
            keystream.fill_bytes(&mut *seed);
            *self = Self::Idle(seed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applying_equals_the_byte_loop_at_every_length_and_in_any_two_parts() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let plain: Vec<u8> = (0..=255u8).cycle().take(LONG_LEN + 200).collect();
        for len in (0..200).chain(LONG_LEN - 2..plain.len()) {
            let expected: Vec<u8> = plain[..len].iter().enumerate().map(|(i, b)| b ^ key[i % 4]).collect();
            for cut in (0..=len.min(200)).chain((200..=len).step_by(37)) {
                let mut bytes = plain[..len].to_vec();
                let (head, tail) = bytes.split_at_mut(cut);
                apply(head, key);
                apply(tail, rotate(key, cut));
                assert_eq!(bytes, expected);
            }
        }
    }

    #[test]
    fn appending_masks_what_it_appends_at_every_length() {
        for len in (0..LONG_LEN + 70).chain([2 * LONG_LEN, 2 * LONG_LEN + 5, 100_000]) {
            let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut expected = payload.clone();
            apply(&mut expected, [1, 2, 3, 4]);
            let mut out = Vec::from(*b"before");
            append(&mut out, &payload, [1, 2, 3, 4]);
            assert_eq!(&out[..6], b"before");
            assert_eq!(&out[6..], expected);
        }
    }

    #[test]
    fn keys_differ_from_each_other_from_other_seeds_and_after_a_release() {
        let mut keys = Keys::new([7; 32]);
        let mut others = Keys::new([8; 32]);
        let mut seen = alloc::collections::BTreeSet::new();
        for _ in 0..4 {
            for _ in 0..100 {
                assert!(seen.insert(keys.next()));
                assert!(seen.insert(others.next()));
            }
            keys.release();
            assert!(matches!(keys, Keys::Idle(_)));
        }
    }
}
