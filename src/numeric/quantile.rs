//! Quantiles of sorted numbers.

use super::real::Real;

/// The number below which this share of `len` ascending numbers lies, on a line between neighbors
/// (NumPy's `quantile`).
pub(crate) fn quantile<T: Real>(len: usize, sorted: impl Fn(usize) -> T, share: f64) -> T {
    let place = (len - 1) as f64 * share;
    let below = libm::floor(place);
    let (below, part) = (below as usize, place - below);
    let low = sorted(below);
    let high = sorted((below + 1).min(len - 1));
    // As NumPy has it, so that either end is met exactly.
    if part >= 0.5 {
        high - (high - low) * T::of(1.0 - part)
    } else {
        low + (high - low) * T::of(part)
    }
}
