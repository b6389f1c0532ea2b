//! What transforms of gradients and weights share: sums, norms whose squares neither overflow nor
//! vanish, bounds.

use super::arithmetic::larger;
use crate::numeric::kernel::Pass;
use crate::numeric::real::{Real, is_nan, magnitude, sum_pairs};

/// Σ f(x).
pub(super) fn total<T: Real, F: Fn(T) -> T>(x: &[T], f: F) -> T {
    T::vectorize(Total { x, f })
}

struct Total<'a, T, F> {
    x: &'a [T],
    f: F,
}

impl<T: Real, F: Fn(T) -> T> Pass for Total<'_, T, F> {
    type Output = T;
    #[inline(always)]
    fn run<const FMA: bool>(self) -> T {
        sum_pairs(self.x, self.x, |x, _| (self.f)(x))
    }
}

/// The largest magnitude; NaN where there is one.
pub(super) struct Largest<'a, T>(pub(super) &'a [T]);

impl<T: Real> Pass for Largest<'_, T> {
    type Output = T;
    #[inline(always)]
    fn run<const FMA: bool>(self) -> T {
        self.0
            .iter()
            .fold(T::zero(), |largest, x| larger(largest, magnitude(*x)))
    }
}

/// A norm as scale · root, both finite even when the norm overflows.
#[derive(Clone, Copy)]
pub(super) struct Norm<T> {
    scale: T,
    root: T,
}

impl<T: Real> Norm<T> {
    /// The Euclidean norm of all `parts` together.
    pub(super) fn of<'a>(parts: impl Iterator<Item = &'a [T]> + Clone) -> Self {
        let sum =
            |f: &dyn Fn(&'a [T]) -> T| parts.clone().fold(T::zero(), |sum, part| sum + f(part));
        let largest = || Self::of_largest(parts.clone()).scale;
        Self::from_squares(sum(&|part| total(part, |x| x * x)), largest, |scale| {
            sum(&|part| total(part, |x| x / scale * (x / scale)))
        })
    }

    /// The largest magnitude in all `parts`.
    pub(super) fn of_largest<'a>(parts: impl Iterator<Item = &'a [T]>) -> Self {
        let scale = parts.fold(T::zero(), |largest, part| {
            larger(largest, T::vectorize(Largest(part)))
        });
        Self {
            scale,
            root: T::one(),
        }
    }

    /// The sum of the magnitudes in all `parts`, over the largest one where it overflows.
    pub(super) fn of_sum<'a>(parts: impl Iterator<Item = &'a [T]> + Clone) -> Self {
        let sum = |scale: T| {
            parts.clone().fold(T::zero(), |sum, part| {
                sum + total(part, |x| magnitude(x) / scale)
            })
        };
        let (one, plain) = (T::one(), sum(T::one()));
        let largest = if plain.is_finite() {
            one
        } else {
            Self::of_largest(parts.clone()).scale
        };
        // With NaN or ∞ among them there is nothing to be scaled.
        let scale = if largest.is_finite() { largest } else { one };
        let root = if scale == one { plain } else { sum(scale) };
        Self { scale, root }
    }

    /// The norm from the sum of the squares, and where that has overflowed or may have lost some of
    /// them, from the sum of the squares over the largest magnitude.
    #[inline(always)]
    pub(super) fn from_squares(
        sum: T,
        largest: impl FnOnce() -> T,
        scaled: impl FnOnce(T) -> T,
    ) -> Self {
        /// Far above the squares that are 0 in `f32`, however many they are.
        const ENOUGH: f64 = 1e-20;
        if sum.is_finite() && sum > T::of(ENOUGH) || is_nan(sum) {
            return Self {
                scale: T::one(),
                root: sum.sqrt(),
            };
        }
        let scale = largest();
        let plain = scale == T::zero() || !scale.is_finite();
        Self {
            scale,
            root: if plain {
                T::one()
            } else {
                scaled(scale).sqrt()
            },
        }
    }

    /// The norm; ∞ where it is beyond the largest number.
    #[inline(always)]
    pub(super) fn value(self) -> T {
        self.scale * self.root
    }

    /// Makes it the norm 1 of `x`, of which it is the norm, or of a norm below `least`, at most
    /// that.
    pub(super) fn normalize(self, least: T, x: &mut [T]) {
        if self.value() < least {
            return T::vectorize(Scale(x, T::one() / least));
        }
        if self.scale != T::one() {
            T::vectorize(Scale(x, T::one() / self.scale));
        }
        T::vectorize(Scale(x, T::one() / self.root));
    }

    /// By what to multiply for a norm of at most `c`.
    #[inline(always)]
    pub(super) fn factor(self, c: T) -> T {
        if self.value() > c {
            c / self.scale / self.root
        } else {
            T::one()
        }
    }

    /// Multiplies `x`, of which this is the norm or a part of it, to a norm of at most `c`.
    pub(super) fn limit(self, c: T, x: &mut [T]) {
        let factor = self.factor(c);
        if factor != T::one() {
            T::vectorize(Scale(x, factor));
        }
    }
}

struct Scale<'a, T>(&'a mut [T], T);

impl<T: Real> Pass for Scale<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(x, factor) = self;
        for x in x {
            *x *= factor;
        }
    }
}

/// Every number into [low, high]; NaN stays.
pub(super) struct Clamp<'a, T> {
    pub(super) x: &'a mut [T],
    pub(super) low: T,
    pub(super) high: T,
}

impl<T: Real> Pass for Clamp<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { x, low, high } = self;
        for x in x {
            *x = if *x < low { low } else { *x };
            *x = if *x > high { high } else { *x };
        }
    }
}
