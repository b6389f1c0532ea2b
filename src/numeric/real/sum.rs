//! Sums whose rounding does not grow with the number of terms, in an order that depends on nothing
//! but that number.
//!
//! Added first to last, n terms of one sign may lose n/2 units in the last place: of 10⁷ in `f32`,
//! the second digit. Sums of blocks, then of blocks of blocks, lose as many as a block has terms,
//! times the logarithm of n. The scalar adds by itself and not by way of `f64`, for it may be a
//! dual number.

use super::Real;
use core::mem::replace;
use core::ops::Range;

/// Σ `block(i)` for i below `blocks`, at least one, element by element: eight at a time, and of
/// these sums again eight.
#[inline(always)]
pub(crate) fn by_blocks<T: Real, const N: usize>(
    blocks: usize,
    mut block: impl FnMut(usize) -> [T; N],
) -> [T; N] {
    let (mut levels, mut done) = (None, 0);
    // The loop is also there for one block: a second call would be as much code again.
    loop {
        let sums = block(done);
        if blocks <= 1 {
            return sums;
        }
        let levels = levels.get_or_insert_with(Levels::new);
        accumulate(&mut levels.0[0], &sums);
        done += 1;
        if done.is_multiple_of(RADIX) {
            levels.carry(done);
        }
        if done == blocks {
            return levels.total();
        }
    }
}

/// Of so many sums there is one of the next level.
const RADIX: usize = 8;
/// 8¹⁰ blocks are more than there is memory for; beyond, the last level goes on.
const LEVELS: usize = 11;

/// The sums of [`by_blocks`] that wait for others: of blocks, of eight blocks, and so on. What
/// happens seldom is compiled once and not for every kind of block.
struct Levels<T, const N: usize>([[T; N]; LEVELS]);

impl<T: Real, const N: usize> Levels<T, N> {
    fn new() -> Self {
        Self([[T::zero(); N]; LEVELS])
    }

    /// Adds the full levels to those above, after so many blocks.
    #[inline(never)]
    fn carry(&mut self, blocks: usize) {
        let Self(levels) = self;
        let (mut level, mut count) = (0, blocks);
        while count.is_multiple_of(RADIX) && level + 1 < LEVELS {
            let full = replace(&mut levels[level], [T::zero(); N]);
            level += 1;
            accumulate(&mut levels[level], &full);
            count /= RADIX;
        }
    }

    /// The sum of all.
    #[inline(never)]
    fn total(&self) -> [T; N] {
        let [mut sum, ref rest @ ..] = self.0;
        for level in rest {
            accumulate(&mut sum, level);
        }
        sum
    }
}

/// So many terms [`sum`] adds first to last: a multiple of every vector width.
pub(crate) const BLOCK: usize = 16;

/// Σ of `count` terms; of up to [`BLOCK`] first to last.
#[inline(always)]
pub(crate) fn sum<T: Real>(count: usize, mut terms: impl Iterator<Item = T>) -> T {
    let [sum] = by_blocks(
        count.div_ceil(BLOCK),
        // Neither inlined, the closure and a fold would be compiled without the caller's
        // instruction set.
        #[inline(always)]
        |_| {
            let mut sum = T::zero();
            for term in terms.by_ref().take(BLOCK) {
                sum += term;
            }
            [sum]
        },
    );
    sum
}

/// [`sum`], compiled once for all kinds of terms: where a call per term is no matter.
#[inline(never)]
pub(crate) fn sum_of<T: Real>(count: usize, terms: &mut dyn Iterator<Item = T>) -> T {
    sum(count, terms)
}

/// Σ f(aᵢ, bᵢ) over slices of one length, for loops that a compiler is to vectorize.
#[inline(always)]
pub(crate) fn sum_pairs<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T) -> T {
    const BLOCK: usize = 1024;
    if a.len() <= BLOCK {
        return by_lanes(a, b, f);
    }
    let block = |i: usize| i * BLOCK..a.len().min((i + 1) * BLOCK);
    let [sum] = by_blocks(
        a.len().div_ceil(BLOCK),
        // Not inlined, the closure would be compiled without the caller's instruction set.
        #[inline(always)]
        |i| [by_lanes(&a[block(i)], &b[block(i)], &f)],
    );
    sum
}

/// Σ f(aᵢ, bᵢ): by lanes, then the lanes in pairs.
#[inline(always)]
fn by_lanes<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T) -> T {
    /// So many at a time, a multiple of every vector width; of fewer the compiler makes as many
    /// variables, and no vectors.
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

/// So many samples are added one after the other.
pub(crate) const SAMPLES: usize = 64;

/// Σ over samples of two terms of each feature; either of `sums`, to be overwritten, may be empty.
/// `add` adds the terms of a range of samples and of features to sums of these features. For more
/// than [`SAMPLES`] samples: fewer need no blocks.
#[inline(always)]
pub(crate) fn over_samples<T: Real>(
    samples: usize,
    mut sums: [&mut [T]; 2],
    add: impl Fn([&mut [T]; 2], Range<usize>, Range<usize>),
) {
    /// So many features at a time, a multiple of every vector width: their sums are on the stack.
    const STRIP: usize = 64;
    let features = sums[0].len().max(sums[1].len());
    for first in (0..features).step_by(STRIP) {
        let strip = first..features.min(first + STRIP);
        let [left_len, right_len] =
            [0, 1].map(|i| if sums[i].is_empty() { 0 } else { strip.len() });
        let lanes: [T; 2 * STRIP] = by_blocks(samples.div_ceil(SAMPLES), |i| {
            let mut lanes = [T::zero(); 2 * STRIP];
            let (left, right) = lanes.split_at_mut(STRIP);
            add(
                [&mut left[..left_len], &mut right[..right_len]],
                i * SAMPLES..samples.min((i + 1) * SAMPLES),
                strip.clone(),
            );
            lanes
        });
        for (sums, lanes) in sums.iter_mut().zip(lanes.chunks_exact(STRIP)) {
            if let Some(sums) = sums.get_mut(strip.clone()) {
                sums.copy_from_slice(&lanes[..strip.len()]);
            }
        }
    }
}

/// sums ← sums + more, as far as both go.
#[inline(always)]
pub(crate) fn accumulate<T: Real>(sums: &mut [T], more: &[T]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += *more;
    }
}
