//! Metrics of numbers.

use super::{average, check, weights};
use crate::error::Result;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View, check_each};
use alloc::format;

metrics!(
    mean_absolute_error,
    mean_squared_error,
    root_mean_squared_error,
    r2,
    max_error
);

/// All numbers must be finite.
fn check_finite<T: Real>(place: &str, y: View<'_, T>, target: Targets<'_, T>) -> Result<()> {
    check(place, y, target)?;
    for (name, numbers) in [("predictions", y), ("targets", target.values())] {
        check_each(
            || format!("{name} of {place}"),
            numbers,
            "a finite number",
            |v| v.is_finite(),
        )?;
    }
    Ok(())
}

/// Output and target number `row` of each sample.
fn pairs<'a, T: Real>(
    y: View<'a, T>,
    target: Targets<'a, T>,
    row: usize,
) -> impl Iterator<Item = (f64, f64)> + Clone {
    (0..y.cols())
        .map(move |sample| sample * y.rows() + row)
        .map(move |i| {
            (
                y.as_slice()[i].as_f64(),
                target.values().as_slice()[i].as_f64(),
            )
        })
}

/// [`pairs`] of the samples that count, divided by 2 to the power that comes first, so that none is
/// above ½. Neither differences nor sums overflow then, and no square vanishes because all numbers
/// are small. Samples of weight 0 are (0, 0).
fn near_one<'a, T: Real>(
    y: View<'a, T>,
    target: Targets<'a, T>,
    row: usize,
) -> (i32, impl Iterator<Item = (f64, f64)> + Clone) {
    let counted = weights(target)
        .zip(pairs(y, target, row))
        .map(|(w, pair)| if w > 0.0 { pair } else { (0.0, 0.0) });
    let exponent = exponent(counted.clone().map(|(y, t)| y.abs().max(t.abs()))).saturating_add(1);
    (
        exponent,
        counted.map(move |(y, t)| (libm::scalbn(y, -exponent), libm::scalbn(t, -exponent))),
    )
}

/// The power of 2 that is just above the largest of some magnitudes.
fn exponent(magnitudes: impl Iterator<Item = f64>) -> i32 {
    libm::frexp(magnitudes.fold(0.0, f64::max)).1
}

/// The average of x², divided by 4 to the power that comes first.
fn squares<T: Real>(
    target: Targets<'_, T>,
    numbers: impl Iterator<Item = f64> + Clone,
) -> (i32, f64) {
    let exponent = exponent(numbers.clone().map(f64::abs));
    let near_one = numbers.map(|x| libm::scalbn(x, -exponent));
    (exponent, average(target, near_one.map(|x| x * x)))
}

/// [`squares`] of y − t, of one output.
fn errors<T: Real>(y: View<'_, T>, target: Targets<'_, T>, row: usize) -> (i32, f64) {
    let (exponent, pairs) = near_one(y, target, row);
    let (more, square) = squares(target, pairs.map(|(y, t)| y - t));
    (exponent + more, square)
}

/// The plain average of a measure over the outputs.
fn over_outputs(outputs: usize, measure: impl Fn(usize) -> f64) -> f64 {
    (0..outputs).map(measure).sum::<f64>() / outputs as f64
}

/// The average of |y − t|, over samples and outputs.
///
/// # Errors
/// [`ErrorKind::Empty`](crate::ErrorKind::Empty) without a sample or an output,
/// [`ErrorKind::Shape`](crate::ErrorKind::Shape) when the shapes differ,
/// [`ErrorKind::NotFinite`](crate::ErrorKind::NotFinite) for a NaN or ±∞, and
/// [`ErrorKind::Value`](crate::ErrorKind::Value) when all weights are 0.
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0]);
/// assert_eq!(metrics::mean_absolute_error(View::new(&y, 1)?, View::new(&t, 1)?)?, 0.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn mean_absolute_error<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    check_finite("metrics::mean_absolute_error", y, target)?;
    Ok(over_outputs(y.rows(), |row| {
        let (exponent, pairs) = near_one(y, target, row);
        libm::scalbn(average(target, pairs.map(|(y, t)| (y - t).abs())), exponent)
    }))
}

/// The average of (y − t)², over samples and outputs.
///
/// # Errors
/// As [`mean_absolute_error`].
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0]);
/// assert_eq!(metrics::mean_squared_error(View::new(&y, 1)?, View::new(&t, 1)?)?, 0.375);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn mean_squared_error<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    check_finite("metrics::mean_squared_error", y, target)?;
    Ok(over_outputs(y.rows(), |row| {
        let (exponent, square) = errors(y, target, row);
        libm::scalbn(square, 2 * exponent)
    }))
}

/// √ of the average of (y − t)²: the root of each output, then the average over the outputs, as in
/// scikit-learn. (Keras takes the root of [`mean_squared_error`]; of a single output they are the
/// same.)
///
/// # Errors
/// As [`mean_absolute_error`].
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([3.0, 5.0], [0.0, 1.0]); // two outputs of one sample
/// assert_eq!(metrics::root_mean_squared_error(View::new(&y, 2)?, View::new(&t, 2)?)?, 3.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("rmse"))]
pub fn root_mean_squared_error<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    check_finite("metrics::root_mean_squared_error", y, target)?;
    Ok(over_outputs(y.rows(), |row| {
        let (exponent, square) = errors(y, target, row);
        libm::scalbn(libm::sqrt(square), exponent)
    }))
}

/// The coefficient of determination R² = 1 − Σ(y − t)² / Σ(t − t̄)² of each output, and their plain
/// average. It is 1 for perfect predictions, 0 for those that are always the mean t̄, below 0 for
/// worse. Of a constant target it is 1 where all predictions are right and 0 otherwise, as in
/// scikit-learn; so it is of a single sample, where scikit-learn has NaN.
///
/// # Errors
/// As [`mean_absolute_error`].
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([1.0, 2.0, 4.0], [1.0, 2.0, 3.0]);
/// assert_eq!(metrics::r2(View::new(&y, 1)?, View::new(&t, 1)?)?, 0.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("r2_score"))]
pub fn r2<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    check_finite("metrics::r2", y, target)?;
    Ok(over_outputs(y.rows(), |row| {
        let (exponent, pairs) = near_one(y, target, row);
        // Those that count; the mean is in two parts, of which the first, from one of them on, is
        // the constant of a constant.
        let targets = weights(target)
            .zip(pairs)
            .map(|(w, (_, t))| (w > 0.0).then_some(t));
        let first = targets.clone().flatten().next().unwrap_or_default();
        let off = |from: f64| move |t: Option<f64>| t.map_or(0.0, |t| t - from);
        let high = first + average(target, targets.clone().map(off(first)));
        let low = average(target, targets.clone().map(off(high)));
        let (scale, spread) = squares(target, targets.map(|t| t.map_or(0.0, |t| t - high - low)));
        let (error_scale, error) = errors(y, target, row);
        match (error == 0.0, spread == 0.0) {
            (true, _) => 1.0,
            (false, true) => 0.0,
            (false, false) => {
                1.0 - libm::scalbn(error / spread, 2 * (error_scale - exponent - scale))
            }
        }
    }))
}

/// The largest |y − t| of all samples and outputs. A weight makes no difference, unless it is 0:
/// then the sample is none.
///
/// # Errors
/// As [`mean_absolute_error`].
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0]);
/// assert_eq!(metrics::max_error(View::new(&y, 1)?, View::new(&t, 1)?)?, 1.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn max_error<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    check_finite("metrics::max_error", y, target)?;
    let of = |row| {
        weights(target)
            .zip(pairs(y, target, row))
            .filter(|(w, _)| *w > 0.0)
            .map(|(_, (y, t))| (y - t).abs())
    };
    Ok((0..y.rows()).flat_map(of).fold(0.0, f64::max))
}
