//! Masking with the widest vectors that the processor has, feature `simd`.

use alloc::vec::Vec;
use std::sync::LazyLock;

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

use super::{append_tiles, rotate};

/// What the processor has, which takes too long to ask each time.
static LEVEL: LazyLock<Level> = LazyLock::new(Level::new);

pub(super) fn apply(bytes: &mut [u8], key: [u8; 4]) {
    dispatch!(*LEVEL, simd => apply_vectors(simd, bytes, key));
}

/// The last vector overlaps the one before it, so that no single bytes remain.
#[inline(always)]
fn apply_vectors<S: Simd>(simd: S, bytes: &mut [u8], key: [u8; 4]) {
    let vector = |key| S::u32s::splat(simd, u32::from_ne_bytes(key)).to_bytes();
    let last_key = vector(rotate(key, bytes.len()));
    let key = vector(key);
    let Some(last_start) = bytes.len().checked_sub(S::u8s::LEN) else { return };
    let last = S::u8s::from_slice(simd, &bytes[last_start..]) ^ last_key;
    for lane in bytes.chunks_exact_mut(S::u8s::LEN) {
        (S::u8s::from_slice(simd, lane) ^ key).store_slice(lane);
    }
    last.store_slice(&mut bytes[last_start..]);
}

pub(super) fn append(out: &mut Vec<u8>, payload: &[u8], key: [u8; 4]) {
    dispatch!(*LEVEL, simd => append_vectors(simd, out, payload, key));
}

/// What the compiler makes of it with the vectors of `S`.
#[inline(always)]
fn append_vectors<S: Simd>(_: S, out: &mut Vec<u8>, payload: &[u8], key: [u8; 4]) {
    append_tiles(out, payload, key);
}
