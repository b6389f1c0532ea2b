//! Metrics of numbers.

use super::{average, check, weights};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::UNIT;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View, check_each};
use alloc::{format, vec::Vec};
use core::f64::consts::LN_2;

metrics!(
    mean_absolute_error,
    mean_squared_error,
    root_mean_squared_error,
    r2,
    explained_variance,
    max_error,
    median_absolute_error,
    log_cosh,
    mean_absolute_percentage_error
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
        let (scale, spread) = spread(target, pairs.map(|(_, t)| t));
        let (error_scale, error) = errors(y, target, row);
        explained((error_scale - exponent, error), (scale, spread))
    }))
}

/// [`squares`] of the distances from the average, of the numbers that count.
fn spread<T: Real>(
    target: Targets<'_, T>,
    numbers: impl Iterator<Item = f64> + Clone,
) -> (i32, f64) {
    // The mean is in two parts, of which the first, from one of the numbers on, is the constant of
    // a constant.
    let numbers = weights(target)
        .zip(numbers)
        .map(|(w, x)| (w > 0.0).then_some(x));
    let first = numbers.clone().flatten().next().unwrap_or_default();
    let off = |from: f64| move |x: Option<f64>| x.map_or(0.0, |x| x - from);
    let high = first + average(target, numbers.clone().map(off(first)));
    let low = average(target, numbers.clone().map(off(high)));
    squares(target, numbers.map(|x| x.map_or(0.0, |x| x - high - low)))
}

/// What part of a spread is no error: 1 without an error, else 0 without a spread.
fn explained((error_scale, error): (i32, f64), (scale, spread): (i32, f64)) -> f64 {
    match (error == 0.0, spread == 0.0) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => 1.0 - libm::scalbn(error / spread, 2 * (error_scale - scale)),
    }
}

/// [`r2`] of a linear model, less for each of its `features` (Theil 1961), so that a feature
/// without use does not raise it:
///
/// ```text
/// 1 − (1 − R²)·(n − 1)/(n − p − 1)
/// ```
///
/// with n samples, of a weight above 0, and p features.
///
/// # Errors
/// As [`r2`]; [`ErrorKind::Value`] unless there are at least p + 2 samples.
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([1.0, 2.0, 4.0, 4.0], [1.0, 2.0, 3.0, 4.0]);
/// let adjusted = metrics::adjusted_r2(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
/// assert!((adjusted - 0.7).abs() < 1e-15); // of R² = 0.8
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("R2Score", "rsquared_adj"))]
pub fn adjusted_r2<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
    features: usize,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    let plain = r2(y, target)?;
    let samples = weights(target).filter(|w| *w > 0.0).count();
    let left = samples
        .checked_sub(features.saturating_add(1))
        .filter(|left| *left > 0);
    let Some(left) = left else {
        return Err(Error::new(
            ErrorKind::Value,
            "features of metrics::adjusted_r2",
            format!(
                "at most {}, as of {samples} samples",
                samples.saturating_sub(2)
            ),
            features,
        ));
    };
    Ok(1.0 - (1.0 - plain) * ((samples - 1) as f64 / left as f64))
}

/// The part of the variance that predictions explain, 1 − Var(y − t)/Var(t) of each output, and the
/// plain average. Unlike [`r2`] it does not see an error that is the same of all samples. Of a
/// constant target it is 1 where the error is constant and 0 otherwise, as in scikit-learn.
///
/// # Errors
/// As [`mean_absolute_error`].
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([2.0, 3.0, 5.0], [1.0, 2.0, 4.0]);
/// assert_eq!(metrics::explained_variance(View::new(&y, 1)?, View::new(&t, 1)?)?, 1.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("explained_variance_score"))]
pub fn explained_variance<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    check_finite("metrics::explained_variance", y, target)?;
    Ok(over_outputs(y.rows(), |row| {
        let pairs = near_one(y, target, row).1;
        let error = spread(target, pairs.clone().map(|(y, t)| y - t));
        explained(error, spread(target, pairs.map(|(_, t)| t)))
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

/// The median of |y − t| of each output, and the plain average: a few wild samples do not move it.
/// Half of the weight is on either side; where it is the border of two samples, the median is
/// halfway between them.
///
/// # Errors
/// As [`mean_absolute_error`].
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0]);
/// assert_eq!(metrics::median_absolute_error(View::new(&y, 1)?, View::new(&t, 1)?)?, 0.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn median_absolute_error<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    check_finite("metrics::median_absolute_error", y, target)?;
    Ok(over_outputs(y.rows(), |row| {
        let (exponent, pairs) = near_one(y, target, row);
        let errors = weights(target).zip(pairs.map(|(y, t)| (y - t).abs()));
        let mut errors: Vec<(f64, f64)> = errors.filter(|(w, _)| *w > 0.0).collect();
        errors.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        let total: f64 = errors.iter().map(|(w, _)| w).sum();
        let mut below = 0.0;
        let reaches_half = |(w, _): &(f64, f64)| {
            below += w;
            below >= 0.5 * total
        };
        let at = errors.iter().position(reaches_half).unwrap_or_default();
        // The border, as far as the sum can tell.
        let other = if below - 0.5 * total > f64::EPSILON * total {
            at
        } else {
            (at + 1).min(errors.len() - 1)
        };
        libm::scalbn(0.5 * (errors[at].1 + errors[other].1), exponent)
    }))
}

/// The average of ln cosh(y − t), over samples and outputs: as half the squared error near 0, and
/// as the absolute error less ln 2 far out (Keras's `LogCoshError`).
///
/// # Errors
/// As [`mean_absolute_error`].
///
/// ```
/// use chainrule::{metrics, View};
/// let cost = metrics::log_cosh(View::new(&[1.5, 0.0], 1)?, View::new(&[1.5, 2.0], 1)?)?;
/// assert!((cost - 2.0_f64.cosh().ln() / 2.0).abs() < 1e-15);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("LogCoshError", "logcosh"))]
pub fn log_cosh<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    check_finite("metrics::log_cosh", y, target)?;
    Ok(over_outputs(y.rows(), |row| {
        let (exponent, pairs) = near_one(y, target, row);
        // Divided as the pairs are where they are large, so that no sum overflows.
        let exponent_down = exponent.max(0);
        let measure = |(y, t): (f64, f64)| {
            let error = libm::scalbn((y - t).abs(), exponent - exponent_down);
            let whole = libm::scalbn(error, exponent_down);
            if whole < 1.0 {
                let half = libm::sinh(0.5 * whole);
                libm::scalbn(libm::log1p(2.0 * half * half), -exponent_down)
            } else {
                error - libm::scalbn(LN_2 - libm::log1p(libm::exp(-2.0 * whole)), -exponent_down)
            }
        };
        libm::scalbn(average(target, pairs.map(measure)), exponent_down)
    }))
}

/// The average of |y − t| / |t|, over samples and outputs: a fraction, as in scikit-learn, where
/// Keras has 100 times as much. Below the epsilon of `f64`, |t| counts as that, so that a target of
/// 0 costs a huge number and not ∞: where there are such targets another metric says more.
///
/// # Errors
/// As [`mean_absolute_error`].
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([110.0, 45.0], [100.0, 50.0]);
/// let error = metrics::mean_absolute_percentage_error(View::new(&y, 1)?, View::new(&t, 1)?)?;
/// assert_eq!(error, 0.1);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("MAPE", "MeanAbsolutePercentageError"))]
pub fn mean_absolute_percentage_error<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    check_finite("metrics::mean_absolute_percentage_error", y, target)?;
    Ok(over_outputs(y.rows(), |row| {
        // By halves, since a difference may be more than a number can hold.
        let ratios = weights(target)
            .zip(pairs(y, target, row))
            .map(|(w, (y, t))| {
                let error = (0.5 * y - 0.5 * t).abs() / (0.5 * t.abs().max(f64::EPSILON));
                if w > 0.0 { error } else { 0.0 }
            });
        let largest = ratios.clone().fold(0.0, f64::max);
        if largest.is_infinite() {
            return largest;
        }
        // Divided, so that no sum overflows.
        let exponent = exponent(core::iter::once(largest)).max(0);
        let measures = ratios.map(|ratio| libm::scalbn(ratio, -exponent));
        libm::scalbn(average(target, measures), exponent)
    }))
}

/// The pinball loss of predicted quantiles, the average over samples and outputs (Koenker & Bassett
/// 1978): q·(t − y) where the target is above the prediction, (1 − q)·(y − t) where it is below. It
/// is least for the `quantile` q of the targets; with ½ it is half the
/// [mean absolute error](mean_absolute_error). [`Quantile`](crate::nn::loss::Quantile) is the loss.
///
/// # Errors
/// As [`mean_absolute_error`]; [`ErrorKind::Value`] unless `quantile` is in [0, 1].
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([1.0, 3.0], [3.0, 2.0]); // 2 too low, 1 too high
/// let loss = metrics::pinball(View::new(&y, 1)?, View::new(&t, 1)?, 0.75)?;
/// assert_eq!(loss, (0.75 * 2.0 + 0.25 * 1.0) / 2.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("mean_pinball_loss", "quantile_loss"))]
pub fn pinball<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
    quantile: f64,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    check_finite("metrics::pinball", y, target)?;
    UNIT.check("quantile of metrics::pinball", quantile)?;
    Ok(over_outputs(y.rows(), |row| {
        let (exponent, pairs) = near_one(y, target, row);
        let measure = |(y, t): (f64, f64)| match t - y {
            above if above >= 0.0 => quantile * above,
            below => (quantile - 1.0) * below,
        };
        libm::scalbn(average(target, pairs.map(measure)), exponent)
    }))
}
