//! Sums whose rounding does not grow with the number of terms, in an order that depends on nothing but that number.
//!
//! Added first to last, n terms of one sign may lose n/2 units in the last place: of 10⁷ in `f32`, the second digit. Sums of
//! blocks, then of blocks of blocks, lose as many as a block has terms, times the logarithm of n. The scalar adds by itself
//! and not by way of `f64`, for it may be a dual number.

use super::Real;
use core::mem::replace;

/// Σ `block(i)` for i below `blocks`, at least one, element by element: eight at a time, and of these sums again eight.
#[inline(always)]
pub(crate) fn by_blocks<T: Real, const N: usize>(blocks: usize, mut block: impl FnMut(usize) -> [T; N]) -> [T; N] {
    const RADIX: usize = 8;
    /// 8¹⁰ blocks are more than there is memory for; beyond, the last level goes on.
    const LEVELS: usize = 11;
    if blocks <= 1 {
        return block(0);
    }
    let mut levels = [[T::zero(); N]; LEVELS];
    for done in 1..=blocks {
        accumulate(&mut levels[0], &block(done - 1));
        let (mut level, mut count) = (0, done);
        while count.is_multiple_of(RADIX) && level + 1 < LEVELS {
            let full = replace(&mut levels[level], [T::zero(); N]);
            level += 1;
            accumulate(&mut levels[level], &full);
            count /= RADIX;
        }
    }
    let [mut sum, rest @ ..] = levels;
    for level in rest {
        accumulate(&mut sum, &level);
    }
    sum
}

/// Σ of `count` terms; of up to 16 first to last.
#[inline(always)]
pub(crate) fn sum<T: Real>(count: usize, mut terms: impl Iterator<Item = T>) -> T {
    const BLOCK: usize = 16;
    let [sum] = by_blocks(count.div_ceil(BLOCK), |_| [terms.by_ref().take(BLOCK).fold(T::zero(), |sum, term| sum + term)]);
    sum
}

/// Σ f(aᵢ, bᵢ) over slices of one length, for loops that a compiler is to vectorise.
#[inline(always)]
pub(crate) fn sum_pairs<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T) -> T {
    const BLOCK: usize = 1024;
    let block = |i: usize| i * BLOCK..a.len().min((i + 1) * BLOCK);
    let [sum] = by_blocks(a.len().div_ceil(BLOCK), |i| [by_lanes(&a[block(i)], &b[block(i)], &f)]);
    sum
}

/// Σ f(aᵢ, bᵢ): by lanes, then the lanes in pairs.
#[inline(always)]
fn by_lanes<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T) -> T {
    /// So many at a time, a multiple of every vector width; of fewer the compiler makes as many variables, and no vectors.
    const LANES: usize = 64;
    let mut lanes = [T::zero(); LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += f(*a, *b);
        }
    }
    let mut count = a.len().next_power_of_two().min(LANES);
    while count > 1 {
        count /= 2;
        let (lower, upper) = lanes.split_at_mut(count);
        accumulate(lower, &upper[..count]);
    }
    lanes[0]
}

/// sums ← sums + more, as far as both go.
#[inline(always)]
pub(crate) fn accumulate<T: Real>(sums: &mut [T], more: &[T]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += *more;
    }
}
