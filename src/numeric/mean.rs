//! Running means and sums of vectors.

use super::compiled::compiled_here;
use super::kernel::Pass;
use super::kernel::workers::Workers;
use super::real::Real;

/// mean ← mean + share·(x − mean), by `workers`; x itself where the share is 1.
pub(crate) fn approach<T: Real>(workers: &Workers, mean: &mut [T], x: &[T], share: f64) {
    compiled_here!(T: |workers: &Workers, mean: &mut [T], x: &[T], share: f64| {
        let len = mean.len();
        workers.over((mean, x), len, 1, |(mean, x)| {
            if share == 1.0 {
                mean.copy_from_slice(x);
            } else {
                let share = T::of(share);
                T::vectorize(Approach { mean, x, share });
            }
        });
    })(workers, mean, x, share)
}

/// sums ← sums + x, by `workers`.
pub(crate) fn add<T: Real>(workers: &Workers, sums: &mut [T], x: &[T]) {
    compiled_here!(T: |workers: &Workers, sums: &mut [T], x: &[T]| {
        let len = sums.len();
        workers.over((sums, x), len, 1, |(sums, x)| T::vectorize(Add { sums, x }));
    })(workers, sums, x)
}

struct Approach<'a, T> {
    mean: &'a mut [T],
    x: &'a [T],
    share: T,
}

impl<T: Real> Pass for Approach<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (mean, x) in self.mean.iter_mut().zip(self.x) {
            *mean += self.share * (*x - *mean);
        }
    }
}

struct Add<'a, T> {
    sums: &'a mut [T],
    x: &'a [T],
}

impl<T: Real> Pass for Add<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (sum, x) in self.sums.iter_mut().zip(self.x) {
            *sum += *x;
        }
    }
}
