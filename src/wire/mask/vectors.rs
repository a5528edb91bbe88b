//! Masking with the widest vectors that the processor has, feature `simd`.

use std::sync::LazyLock;

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

use super::{head_len, rotate};

/// What the processor has, which takes too long to ask each time.
static LEVEL: LazyLock<Level> = LazyLock::new(Level::new);

#[inline(never)]
pub(super) fn apply(bytes: &mut [u8], key: [u8; 4]) {
    dispatch!(*LEVEL, simd => apply_vectors(simd, bytes, key));
}

#[inline(never)]
pub(super) fn copy(place: &mut [u8], payload: &[u8], key: [u8; 4]) {
    dispatch!(*LEVEL, simd => copy_vectors(simd, place, payload, key));
}

/// The vectors are aligned; the first and the last overlap those beside them, so that no single bytes remain.
#[inline(always)]
fn apply_vectors<S: Simd>(simd: S, bytes: &mut [u8], key: [u8; 4]) {
    let Some(last_start) = bytes.len().checked_sub(S::u8s::LEN) else { return };
    let first = S::u8s::from_slice(simd, &bytes[..S::u8s::LEN]) ^ vector(simd, key);
    let last = S::u8s::from_slice(simd, &bytes[last_start..]) ^ vector(simd, rotate(key, last_start));
    let head_len = head_len(bytes, S::u8s::LEN);
    let key = vector(simd, rotate(key, head_len));
    for lane in bytes[head_len..].chunks_exact_mut(S::u8s::LEN) {
        (S::u8s::from_slice(simd, lane) ^ key).store_slice(lane);
    }
    first.store_slice(&mut bytes[..S::u8s::LEN]);
    last.store_slice(&mut bytes[last_start..]);
}

#[inline(always)]
fn copy_vectors<S: Simd>(simd: S, place: &mut [u8], payload: &[u8], key: [u8; 4]) {
    let Some(last_start) = payload.len().checked_sub(S::u8s::LEN) else { return };
    let first = S::u8s::from_slice(simd, &payload[..S::u8s::LEN]) ^ vector(simd, key);
    let last = S::u8s::from_slice(simd, &payload[last_start..]) ^ vector(simd, rotate(key, last_start));
    let head_len = head_len(place, S::u8s::LEN);
    let key = vector(simd, rotate(key, head_len));
    let lanes = payload[head_len..].chunks_exact(S::u8s::LEN);
    for (place, lane) in place[head_len..].chunks_exact_mut(S::u8s::LEN).zip(lanes) {
        (S::u8s::from_slice(simd, lane) ^ key).store_slice(place);
    }
    first.store_slice(&mut place[..S::u8s::LEN]);
    last.store_slice(&mut place[last_start..]);
}

#[inline(always)]
fn vector<S: Simd>(simd: S, key: [u8; 4]) -> S::u8s {
    S::u32s::splat(simd, u32::from_ne_bytes(key)).to_bytes()
}
