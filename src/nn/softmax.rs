//! Softmax and log-sum-exp of columns, shared by the layers and the loss.

use crate::numeric::kernel::Pass;
use crate::numeric::real::{BLOCK, Real, by_blocks, sum};
use crate::numeric::view::{View, ViewMut};

/// Each column z ← e^z / Σ e^z.
pub(crate) fn softmax_columns<T: Real>(mut y: ViewMut<'_, T>) {
    let rows = y.rows();
    T::vectorize(Columns(y.as_mut_slice(), rows));
}

/// Each column y ← x − ln Σ e^x.
pub(crate) fn log_softmax_columns<T: Real>(x: View<'_, T>, y: ViewMut<'_, T>) {
    T::vectorize(LogColumns(x, y));
}

struct LogColumns<'a, T>(View<'a, T>, ViewMut<'a, T>);

impl<T: Real> Pass for LogColumns<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(x, mut y) = self;
        let mut columns = y.iter_mut();
        log_sum_exps::<T, FMA>(
            x,
            #[inline(always)]
            |x, (max, rest)| {
                for (y, x) in columns.next().into_iter().flatten().zip(x) {
                    *y = *x - max - rest;
                }
            },
        );
    }
}

struct Columns<'a, T>(&'a mut [T], usize);

impl<T: Real> Pass for Columns<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(y, rows) = self;
        for column in y.chunks_exact_mut(rows) {
            let max = maximum(column);
            for z in column {
                *z -= max;
            }
        }
        // One long run, whatever the number of rows.
        for z in y.iter_mut() {
            *z = z.exp_kernel::<FMA>();
        }
        for column in y.chunks_exact_mut(rows) {
            let scale = T::one() / sum(rows, column.iter().copied());
            for e in column {
                *e *= scale;
            }
        }
    }
}

/// The largest element; where there are NaN, any of the elements will do.
#[inline(always)]
fn maximum<T: Real>(column: &[T]) -> T {
    column
        .iter()
        .fold(column[0], |max, z| if *z > max { *z } else { max })
}

/// (m, l) with ln Σ e^z = m + l, m the largest element and l = ln(1 + the rest): apart, because m −
/// zⱼ + l is exact where one class is certain.
#[inline(always)]
fn log_sum_exp<T: Real, const FMA: bool>(column: &[T]) -> (T, T) {
    let max = maximum(column);
    let mut seen = false;
    let [rest] = by_blocks(
        column.len().div_ceil(BLOCK),
        // Not inlined, the closure would be compiled without the caller's instruction set.
        #[inline(always)]
        |i| {
            let scores = &column[i * BLOCK..column.len().min((i + 1) * BLOCK)];
            let mut e = [T::zero(); BLOCK];
            for (e, z) in e.iter_mut().zip(scores) {
                *e = *z - max;
            }
            for e in &mut e {
                *e = e.exp_kernel::<FMA>();
            }
            [rest(&e, scores, max, &mut seen)]
        },
    );
    (max, rest.ln_1p())
}

/// Σ e without that of the first of the largest scores.
#[inline(always)]
fn rest<T: Real>(e: &[T], scores: &[T], max: T, seen: &mut bool) -> T {
    let mut rest = T::zero();
    for (e, z) in e.iter().zip(scores) {
        if *z == max && !*seen {
            *seen = true;
        } else {
            rest += *e;
        }
    }
    rest
}

/// [`log_sum_exp`] of one column, for losses that are not worth a loop of their own.
#[inline(never)]
pub(crate) fn log_sum<T: Real>(column: &[T]) -> (T, T) {
    log_sum_exp::<T, false>(column)
}

/// So many numbers [`log_sum_exps`] takes at once.
const FEW: usize = 64;

/// Calls `take` with each column and its [`log_sum_exp`]. Of columns of at most [`BLOCK`] numbers,
/// as many at a time as make whole vectors of exponentials.
#[inline(always)]
pub(crate) fn log_sum_exps<T: Real, const FMA: bool>(
    columns: View<'_, T>,
    mut take: impl FnMut(&[T], (T, T)),
) {
    let rows = columns.rows();
    if rows > BLOCK {
        for column in columns.iter() {
            take(column, log_sum_exp::<T, FMA>(column));
        }
        return;
    }
    for columns in columns.as_slice().chunks(FEW / rows * rows) {
        let mut e = [T::zero(); FEW];
        for (e, column) in e.chunks_exact_mut(rows).zip(columns.chunks_exact(rows)) {
            let max = maximum(column);
            for (e, z) in e.iter_mut().zip(column) {
                *e = *z - max;
            }
        }
        for e in e[..columns.len().next_multiple_of(BLOCK)]
            .as_chunks_mut::<BLOCK>()
            .0
        {
            for e in e {
                *e = e.exp_kernel::<FMA>();
            }
        }
        for (e, column) in e.chunks_exact(rows).zip(columns.chunks_exact(rows)) {
            let max = maximum(column);
            take(column, (max, rest(e, column, max, &mut false).ln_1p()));
        }
    }
}
