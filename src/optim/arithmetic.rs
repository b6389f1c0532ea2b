//! Arithmetic that several rules and transforms have in common.

use crate::numeric::real::{Real, is_nan};

/// The running means of a gradient and of its square, of Adam and the like.
#[derive(Clone, Copy)]
pub(super) struct Moments<T> {
    beta1: T,
    share1: T,
    beta2: T,
    share2: T,
}

impl<T: Real> Moments<T> {
    pub(super) fn new(beta1: f64, beta2: f64) -> Self {
        Self {
            beta1: T::of(beta1),
            share1: T::of(1.0 - beta1),
            beta2: T::of(beta2),
            share2: T::of(1.0 - beta2),
        }
    }

    /// m ← β₁·m + (1−β₁)·g and v ← β₂·v + (1−β₂)·g².
    #[inline(always)]
    pub(super) fn next(self, g: T, m: T, v: T) -> (T, T) {
        (
            (self.beta1 * m + self.share1 * g).flush(),
            (self.beta2 * v + self.share2 * g * g).flush(),
        )
    }
}

/// √x in the loop of a rule.
#[inline(always)]
pub(super) fn root<T: Real>(x: T) -> T {
    x.sqrt()
}

/// −1, 0 or 1, and NaN of NaN.
#[inline(always)]
pub(super) fn sign<T: Real>(x: T) -> T {
    if x > T::zero() {
        T::one()
    } else if x < T::zero() {
        -T::one()
    } else {
        x * T::zero()
    }
}

/// The larger of two; NaN where one is.
#[inline(always)]
pub(super) fn larger<T: Real>(a: T, b: T) -> T {
    if b > a || is_nan(b) { b } else { a }
}

/// βᵗ, by squaring.
pub(super) fn power(beta: f64, t: u64) -> f64 {
    num_traits::pow(beta, usize::try_from(t).unwrap_or(usize::MAX))
}
