//! Sums and combinations of vectors as long as the parameters: on threads where that pays, and to
//! the same bits on any number of them.

use crate::numeric::kernel::Pass;
use crate::numeric::kernel::workers::Workers;
use crate::numeric::real::{Real, sum, sum_pairs};
use crate::optim::vector_norm::Largest;

/// Into so many parts, whatever the number of threads, is cut what is long enough to be cut.
const PARTS: usize = 64;

/// Shorter vectors are not worth a thread.
const LONG: usize = 1 << 15;

/// aᵀb.
pub(super) fn dot<T: Real>(workers: &Workers, a: &[T], b: &[T]) -> T {
    if a.len() < LONG {
        return T::vectorize(Dot(a, b));
    }
    let part = a.len().div_ceil(PARTS);
    let mut sums = [T::zero(); PARTS];
    workers.over((&mut sums[..], 0..PARTS), PARTS, part, |(sums, parts)| {
        for (sum, i) in sums.iter_mut().zip(parts) {
            let range = (i * part).min(a.len())..((i + 1) * part).min(a.len());
            *sum = T::vectorize(Dot(&a[range.clone()], &b[range]));
        }
    });
    sum(PARTS, sums.into_iter())
}

struct Dot<'a, T>(&'a [T], &'a [T]);

impl<T: Real> Pass for Dot<'_, T> {
    type Output = T;
    #[inline(always)]
    fn run<const FMA: bool>(self) -> T {
        sum_pairs(self.0, self.1, |a, b| a * b)
    }
}

/// y ← f·y + c·x.
pub(super) fn combine<T: Real>(workers: &Workers, f: T, y: &mut [T], c: T, x: &[T]) {
    let len = y.len();
    workers.over((y, x), len, 2, |(y, x)| {
        T::vectorize(Combine { f, y, c, x })
    });
}

struct Combine<'a, T> {
    f: T,
    y: &'a mut [T],
    c: T,
    x: &'a [T],
}

impl<T: Real> Pass for Combine<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (y, x) in self.y.iter_mut().zip(self.x) {
            *y = self.f * *y + self.c * *x;
        }
    }
}

/// w ← start + c·d. What does not move keeps its bits, those of −0 too.
pub(super) fn go<T: Real>(workers: &Workers, w: &mut [T], start: &[T], c: T, d: &[T]) {
    let len = w.len();
    workers.over((w, (start, d)), len, 3, |(w, (start, d))| {
        T::vectorize(Go { w, start, c, d })
    });
}

struct Go<'a, T> {
    w: &'a mut [T],
    start: &'a [T],
    c: T,
    d: &'a [T],
}

impl<T: Real> Pass for Go<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (w, (start, d)) in self.w.iter_mut().zip(self.start.iter().zip(self.d)) {
            let moved = *start + self.c * *d;
            *w = if *d == T::zero() { *start } else { moved };
        }
    }
}

/// The largest magnitude; NaN where there is one.
pub(crate) fn largest<T: Real>(x: &[T]) -> T {
    T::vectorize(Largest(x))
}
