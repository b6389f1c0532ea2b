//! Softmax and log-sum-exp of columns, shared by the layer and the loss.

use crate::numeric::kernel::Pass;
use crate::numeric::real::{Real, by_blocks, sum};
use crate::numeric::view::ViewMut;

/// Each column z ← e^z / Σ e^z.
pub(crate) fn softmax_columns<T: Real>(mut y: ViewMut<'_, T>) {
    let rows = y.rows();
    T::vectorize(Columns(y.as_mut_slice(), rows));
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
pub(crate) fn log_sum_exp<T: Real, const FMA: bool>(column: &[T]) -> (T, T) {
    /// So many at a time, a multiple of every vector width.
    const LANES: usize = 16;
    let max = maximum(column);
    let mut seen = false;
    let [rest] = by_blocks(column.len().div_ceil(LANES), |i| {
        let scores = &column[i * LANES..column.len().min((i + 1) * LANES)];
        let mut rest = T::zero();
        let mut e = [T::zero(); LANES];
        for (e, z) in e.iter_mut().zip(scores) {
            *e = *z - max;
        }
        for e in &mut e {
            *e = e.exp_kernel::<FMA>();
        }
        for (e, z) in e.iter().zip(scores) {
            if *z == max && !seen {
                seen = true;
            } else {
                rest += *e;
            }
        }
        [rest]
    });
    (max, rest.ln_1p())
}
