//! Masking (RFC 6455 5.3): a payload XORed with a four-byte key.

#[cfg(feature = "simd")]
mod vectors;

use alloc::boxed::Box;

use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};

/// Masks or unmasks `bytes` in place; the two are the same operation.
///
/// ```
/// let mut payload = *b"Hello";
/// tidewire::mask::apply(&mut payload, [0x37, 0xfa, 0x21, 0x3d]);
/// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// ```
#[inline(always)]
pub fn apply(bytes: &mut [u8], key: [u8; 4]) {
    match bytes.len() {
        64.. => apply_many(bytes, key),
        32.. => put_ends::<32>(bytes, masked_ends(bytes, key)),
        16.. => put_ends::<16>(bytes, masked_ends(bytes, key)),
        8.. => put_ends::<8>(bytes, masked_ends(bytes, key)),
        4.. => put_ends::<4>(bytes, masked_ends(bytes, key)),
        _ => bytes.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key),
    }
}

/// At least 64 bytes.
#[inline(never)]
fn apply_many(bytes: &mut [u8], key: [u8; 4]) {
    match bytes.len() {
        #[cfg(feature = "simd")]
        LONG_LEN.. => vectors::apply(bytes, key),
        #[cfg(not(feature = "simd"))]
        LONG_LEN.. => apply_aligned(bytes, key),
        _ => apply_lanes(bytes, key),
    }
}

/// Copies `payload` to `place`, which is as long, and masks it on the way.
#[inline]
pub(crate) fn copy(place: &mut [u8], payload: &[u8], key: [u8; 4]) {
    match payload.len() {
        #[cfg(feature = "simd")]
        LONG_LEN.. => vectors::copy(place, payload, key),
        #[cfg(not(feature = "simd"))]
        LONG_LEN.. => copy_aligned(place, payload, key),
        64.. => copy_lanes(place, payload, key),
        32.. => put_ends::<32>(place, masked_ends(payload, key)),
        16.. => put_ends::<16>(place, masked_ends(payload, key)),
        _ => copy_few(place, payload, key),
    }
}

/// Less than 16 bytes.
#[inline(never)]
fn copy_few(place: &mut [u8], payload: &[u8], key: [u8; 4]) {
    match payload.len() {
        8.. => put_ends::<8>(place, masked_ends(payload, key)),
        4.. => put_ends::<4>(place, masked_ends(payload, key)),
        _ => place.iter_mut().zip(payload).zip(key).for_each(|((place, byte), key)| *place = byte ^ key),
    }
}

/// From how many bytes on vectors are worth the way to them.
const LONG_LEN: usize = 512;

/// As [`apply_lanes`], each lane in a line of the cache, for at least two lanes.
#[cfg(not(feature = "simd"))]
#[inline(never)]
fn apply_aligned(bytes: &mut [u8], key: [u8; 4]) {
    let ends = masked_ends::<64>(bytes, key);
    let head_len = head_len(bytes, 64);
    let key = rotate(key, head_len);
    for lane in bytes[head_len..].as_chunks_mut::<64>().0 {
        *lane = masked(*lane, key);
    }
    put_ends(bytes, ends);
}

#[cfg(not(feature = "simd"))]
#[inline(never)]
fn copy_aligned(place: &mut [u8], payload: &[u8], key: [u8; 4]) {
    let ends = masked_ends::<64>(payload, key);
    let head_len = head_len(place, 64);
    let key = rotate(key, head_len);
    let lanes = payload[head_len..].as_chunks::<64>().0;
    for (place, lane) in place[head_len..].as_chunks_mut().0.iter_mut().zip(lanes) {
        *place = masked(*lane, key);
    }
    put_ends(place, ends);
}

/// How many of `bytes`, fewer than `lane_len`, come before the first lane that is aligned: a store across two lines of the cache takes longer.
#[inline(always)]
fn head_len(bytes: &[u8], lane_len: usize) -> usize {
    bytes.as_ptr().align_offset(lane_len).min(lane_len)
}

/// Masks at least 64 bytes, as many at a time. The last lane overlaps the one before it, so that no single bytes remain.
#[inline]
fn apply_lanes(bytes: &mut [u8], key: [u8; 4]) {
    let last = masked_last::<64>(bytes, key);
    for lane in bytes.as_chunks_mut::<64>().0 {
        *lane = masked(*lane, key);
    }
    put_last(bytes, last);
}

#[inline(never)]
fn copy_lanes(place: &mut [u8], payload: &[u8], key: [u8; 4]) {
    for (place, lane) in place.as_chunks_mut().0.iter_mut().zip(payload.as_chunks::<64>().0) {
        *place = masked(*lane, key);
    }
    put_last(place, masked_last::<64>(payload, key));
}

/// The first and the last `N` bytes, masked: all there is where they meet or overlap.
#[inline]
fn masked_ends<const N: usize>(bytes: &[u8], key: [u8; 4]) -> Option<([u8; N], [u8; N])> {
    Some((masked(*bytes.first_chunk()?, key), masked_last(bytes, key)?))
}

#[inline]
fn masked_last<const N: usize>(bytes: &[u8], key: [u8; 4]) -> Option<[u8; N]> {
    Some(masked(*bytes.last_chunk()?, rotate(key, bytes.len())))
}

#[inline]
fn put_ends<const N: usize>(place: &mut [u8], ends: Option<([u8; N], [u8; N])>) {
    if let (Some(place), Some((first, _))) = (place.first_chunk_mut(), ends) {
        *place = first;
    }
    put_last(place, ends.map(|(_, last)| last));
}

#[inline]
fn put_last<const N: usize>(place: &mut [u8], last: Option<[u8; N]>) {
    if let (Some(place), Some(last)) = (place.last_chunk_mut(), last) {
        *place = last;
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

/// The source of a client's masking keys: a ChaCha keystream, so that no key reveals another (RFC 6455 5.3).
///
/// The generator is set up when the first key is asked for and put away while the connection is idle, so that an
/// idle client holds 32 bytes of seed.
pub(crate) enum Keys {
    Idle(Box<[u8; 32]>),
    Running(Box<Keystream>),
}

/// A generator, and what it has made in advance.
pub(crate) struct Keystream {
    generator: ChaCha12Rng,
    keys: [[u8; 4]; 16],
    used: usize,
}

impl Keystream {
    fn new(seed: [u8; 32]) -> Self {
        let keys = [[0; 4]; 16];
        Self { generator: ChaCha12Rng::from_seed(seed), used: keys.len(), keys }
    }
}

impl Keys {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self::Idle(Box::new(seed))
    }

    /// A fresh key, or `None` until there are [more](Self::refill). RFC 6455 5.3: a new one for every frame.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<[u8; 4]> {
        let Self::Running(keystream) = self else { return None };
        let key = keystream.keys.get(keystream.used)?;
        keystream.used += 1;
        Some(*key)
    }

    /// As [`next`](Self::next), with more where there are none.
    pub(crate) fn next_or_refill(&mut self) -> [u8; 4] {
        loop {
            match self.next() {
                Some(key) => return key,
                None => self.refill(),
            }
        }
    }

    /// Makes keys, if all are used.
    pub(crate) fn refill(&mut self) {
        if let Self::Idle(seed) = self {
            *self = Self::Running(Box::new(Keystream::new(**seed)));
        }
        if let Self::Running(keystream) = self
            && keystream.used == keystream.keys.len()
        {
            keystream.generator.fill_bytes(keystream.keys.as_flattened_mut());
            keystream.used = 0;
        }
    }

    /// Puts the generator away. The keystream goes on from a seed of its own making, so no key ever repeats.
    pub(crate) fn release(&mut self) {
        if let Self::Running(keystream) = self {
            let mut seed = Box::new([0; 32]);
            keystream.generator.fill_bytes(&mut *seed);
            *self = Self::Idle(seed);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn applying_equals_the_byte_loop_at_every_length_and_in_any_two_parts() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let plain: Vec<u8> = (0..=255u8).cycle().take(700).collect();
        for len in (0..200).chain(500..plain.len()) {
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
    fn copying_masks_what_it_copies_at_every_length_and_wherever_it_goes() {
        for len in (0..600).chain([1024, 1029, 100_000]) {
            let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut expected = payload.clone();
            apply(&mut expected, [1, 2, 3, 4]);
            for before in (0..70).step_by(if len == LONG_LEN || len == 529 { 1 } else { 23 }) {
                let mut places = vec![0; before + len + 1];
                copy(&mut places[before..][..len], &payload, [1, 2, 3, 4]);
                assert_eq!(places[before..][..len], expected);
                assert!(places[..before].iter().chain(&places[before + len..]).all(|&byte| byte == 0));
            }
        }
    }

    #[test]
    fn keys_differ_from_each_other_from_other_seeds_and_after_a_release() {
        let mut keys = Keys::new([7; 32]);
        let mut others = Keys::new([8; 32]);
        let mut seen = alloc::collections::BTreeSet::new();
        let next = |keys: &mut Keys| {
            keys.next().unwrap_or_else(|| {
                keys.refill();
                keys.next().expect("keys after a refill")
            })
        };
        for _ in 0..4 {
            for _ in 0..100 {
                assert!(seen.insert(next(&mut keys)));
                assert!(seen.insert(next(&mut others)));
            }
            keys.release();
            assert!(matches!(keys, Keys::Idle(_)));
        }
    }
}
