//! Losses on how many times its target an output is.

use super::by_output::{self, ByOutput, loss_by_output};
use super::classification::times;
use super::{CostsArgs, CurvaturesArgs, Loss, SlopesArgs, check_targets};
use crate::error::Result;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, magnitude};
use crate::numeric::view::View;

/// The mean absolute percentage error 1/(nd) Σ |y−t|/|t|, averaged over samples and outputs, as a
/// fraction (scikit-learn's `mean_absolute_percentage_error`); Keras's
/// `MeanAbsolutePercentageError` is 100 times that.
///
/// ∂C/∂y = sign(y − t)/(|t|nd), 0 where they are equal. Targets are finite and not 0: the others
/// divide by a tiny number instead, and let one such target outweigh all data.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, MeanAbsolutePercentageError};
/// let (y, t) = (View::new(&[90.0, 1.5], 1)?, View::new(&[100.0, -1.0], 1)?);
/// assert_eq!(MeanAbsolutePercentageError.value(y, t.into())?, (0.1 + 2.5) / 2.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("mape", "mean_absolute_percentage_error"))]
pub struct MeanAbsolutePercentageError;

/// −1, 0 or 1; NaN passes.
fn sign<T: Real>(r: T) -> T {
    if r > T::zero() {
        T::one()
    } else if r < T::zero() {
        -T::one()
    } else {
        r
    }
}

impl<T: Real> ByOutput<T> for MeanAbsolutePercentageError {
    fn cost(&self, _: usize, y: T, t: T) -> T {
        magnitude((y - t) / t)
    }

    fn slope(&self, _: usize, y: T, t: T) -> T {
        sign(y - t) / magnitude(t)
    }

    fn curvature(&self, _: usize, _: T, _: T) -> T {
        T::zero()
    }
}

loss_by_output!(MeanAbsolutePercentageError {
    fn measures_distance(&self) -> bool {
        true
    }

    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        let expected =
            "a finite number other than 0 (where targets can be 0 take MeanAbsoluteError)";
        check_targets("MeanAbsolutePercentageError", target, expected, |t| {
            t.is_finite() && t != T::zero()
        })
    }
});

/// The mean squared logarithmic error 1/(nd) Σ (ln(1+y) − ln(1+t))², averaged over samples and
/// outputs, of numbers ≥ 0 that spread over orders of magnitude (Keras's
/// `MeanSquaredLogarithmicError`, scikit-learn's `mean_squared_log_error`).
///
/// ∂C/∂y = 2(ln(1+y) − ln(1+t))/((1+y)nd). An output below 0 counts as 0, as in Keras, and has the
/// slope 0: let the network end on numbers that are not below, as [`Softplus`] gives. Targets are
/// finite and at least 0.
///
/// [`Softplus`]: crate::Activation::Softplus
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, MeanSquaredLogarithmicError};
/// let (y, t) = (View::new(&[999.0], 1)?, View::new(&[99.0], 1)?);
/// let cost: f64 = MeanSquaredLogarithmicError.value(y, t.into())?;
/// assert!((cost - 10.0_f64.ln().powi(2)).abs() < 1e-14);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("msle", "mean_squared_log_error", "mean_squared_logarithmic_error"))]
pub struct MeanSquaredLogarithmicError;

/// ln((1+y)/(1+t)), of close numbers by their difference: that of the logarithms would cancel.
fn log_ratio<T: Real>(y: T, t: T) -> T {
    let excess = (y - t) / (T::one() + t);
    if magnitude(excess) < T::of(0.5) {
        excess.ln_1p()
    } else {
        y.ln_1p() - t.ln_1p()
    }
}

impl<T: Real> ByOutput<T> for MeanSquaredLogarithmicError {
    fn cost(&self, _: usize, y: T, t: T) -> T {
        let y = if y < T::zero() { T::zero() } else { y };
        let r = log_ratio(y, t);
        r * r
    }

    fn slope(&self, _: usize, y: T, t: T) -> T {
        if y < T::zero() {
            return T::zero();
        }
        T::of(2.0) * times(T::one() / (T::one() + y), log_ratio(y, t))
    }

    fn curvature(&self, _: usize, y: T, t: T) -> T {
        if y < T::zero() {
            return T::zero();
        }
        let scale = T::one() / (T::one() + y);
        T::of(2.0) * times(scale * scale, T::one() - log_ratio(y, t))
    }
}

loss_by_output!(MeanSquaredLogarithmicError {
    fn measures_distance(&self) -> bool {
        true
    }

    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        let expected = "a finite number ≥ 0 (for others take MeanSquaredError)";
        check_targets("MeanSquaredLogarithmicError", target, expected, |t| {
            t.is_finite() && t >= T::zero()
        })
    }
});
