//! Metrics of some of the outputs.

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View};
use alloc::{format, vec::Vec};
use core::ops::Range;

/// A metric of some rows of the predictions against some rows of the targets, in all samples: of
/// the means that a network gives beside deviations, of one quantile of several, of one class.
///
/// Of a head of [`Heads`](crate::nn::loss::Heads),
/// [`Trainer::head_metric`](crate::Trainer::head_metric) does it by name.
///
/// # Errors
/// The metric that is returned gives those of `metric`, and [`ErrorKind::Shape`] where the rows are
/// not there.
///
/// ```
/// use chainrule::metrics;
/// use chainrule::prelude::*;
/// use chainrule::nn::loss::GaussianNll;
/// // Outputs 0 and 1 are the mean and the deviation of target 0.
/// let trainer: Trainer<f64> = Trainer::new(GaussianNll::new(), Adam::new())
///     .metric("R²", metrics::of_rows(0..1, 0..1, |y, t| metrics::r2(y, t)));
/// ```
pub fn of_rows<T: Real>(
    outputs: Range<usize>,
    targets: Range<usize>,
    mut metric: impl FnMut(View<'_, T>, Targets<'_, T>) -> Result<f64>,
) -> impl FnMut(View<'_, T>, Targets<'_, T>) -> Result<f64> {
    move |y, target| {
        let t = target.values();
        let (y, t) = (rows(y, &outputs, "outputs")?, rows(t, &targets, "targets")?);
        let y = View::from_parts(&y, outputs.len(), target.values().cols());
        let t = View::from_parts(&t, targets.len(), target.values().cols());
        metric(y, Targets::from_parts(t, target.weights()))
    }
}

fn rows<T: Real>(numbers: View<'_, T>, rows: &Range<usize>, what: &str) -> Result<Vec<T>> {
    if rows.start < rows.end && rows.end <= numbers.rows() {
        return Ok(numbers.rows_of(rows.clone()));
    }
    Err(Error::new(
        ErrorKind::Shape,
        format!("{what} of metrics::of_rows"),
        format!("rows within 0..{}", numbers.rows()),
        format!("{rows:?}"),
    ))
}
