//! Scaling of features.

use super::check_finite;
use crate::error::{Error, ErrorKind, Result};
use crate::real::Real;
use crate::view::View;
use alloc::{format, vec::Vec};
use nalgebra::DMatrix;

/// An affine map of each feature, x ↦ (x − shift) / scale, learnt from data and applied to more of it.
///
/// | made by | shift | scale | result |
/// |---|---|---|---|
/// | [`Scaler::standard`] | mean | standard deviation (1/n) | mean 0, variance 1 |
/// | [`Scaler::center`] | mean | 1 | mean 0 |
/// | [`Scaler::min_max`] | min | max − min | [0, 1] |
/// | [`Scaler::max_abs`] | 0 | largest \|x\| | [−1, 1], or [0, 1] without negatives |
///
/// A constant feature has nothing to scale: its scale is 1, as in scikit-learn.
///
/// ```
/// use chainrule::{Scaler, nalgebra::DMatrix};
/// let x = DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 5.0, 5.0, 5.0]);
/// let scaler = Scaler::min_max(&x)?;
/// let y = scaler.transform(&x)?;
/// assert_eq!(y, DMatrix::from_row_slice(2, 3, &[0.0, 0.5, 1.0, 0.0, 0.0, 0.0]));
/// assert_eq!(scaler.inverse(&y)?, x);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scaler<T> {
    shift: Vec<T>,
    scale: Vec<T>,
}

impl<T: Real> Scaler<T> {
    /// To mean 0 and variance 1, the variance taken over n (as scikit-learn's `StandardScaler`).
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a sample or a feature, [`ErrorKind::NotFinite`] for a NaN or ±∞, and likewise where
    /// numbers are so large that their spread overflows. So for all constructors.
    pub fn standard<'x>(x: impl Into<View<'x, T>>) -> Result<Self> {
        Self::by_feature("Scaler::standard", x.into(), |row, count| {
            let mean = mean(row.clone(), count);
            let variance = row.fold(T::zero(), |sum, v| sum + (v - mean) * (v - mean)) / T::of(count as f64);
            // A constant feature has a variance of no more than what rounding makes of it (scikit-learn's bound).
            let (n, eps) = (T::of(count as f64), T::default_epsilon());
            let rounding = n * eps * variance + (n * mean * eps) * (n * mean * eps);
            (mean, if variance <= rounding { T::zero() } else { variance.sqrt() })
        })
    }

    /// To mean 0.
    ///
    /// # Errors
    /// As [`standard`](Self::standard).
    pub fn center<'x>(x: impl Into<View<'x, T>>) -> Result<Self> {
        Self::by_feature("Scaler::center", x.into(), |row, count| (mean(row, count), T::one()))
    }

    /// To [0, 1]: the smallest becomes 0, the largest 1.
    ///
    /// # Errors
    /// As [`standard`](Self::standard).
    pub fn min_max<'x>(x: impl Into<View<'x, T>>) -> Result<Self> {
        Self::by_feature("Scaler::min_max", x.into(), |mut row, _| {
            let first = row.next().unwrap_or(T::zero());
            let (min, max) = row.fold((first, first), |(min, max), v| (if v < min { v } else { min }, if v > max { v } else { max }));
            (min, max - min)
        })
    }

    /// To a largest magnitude of 1: of features without negative numbers, division by their maximum.
    ///
    /// # Errors
    /// As [`standard`](Self::standard).
    ///
    /// ```
    /// use chainrule::{Scaler, nalgebra::DMatrix};
    /// let hours = DMatrix::from_row_slice(2, 3, &[3.0, 5.0, 10.0, 5.0, 1.0, 2.0]);
    /// assert_eq!(Scaler::max_abs(&hours)?.transform(&hours)?[(0, 1)], 0.5);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn max_abs<'x>(x: impl Into<View<'x, T>>) -> Result<Self> {
        Self::by_feature("Scaler::max_abs", x.into(), |row, _| {
            let largest = row.fold(T::zero(), |max, v| {
                let v = if v < T::zero() { -v } else { v };
                if v > max { v } else { max }
            });
            (T::zero(), largest)
        })
    }

    fn by_feature(
        place: &str,
        x: View<'_, T>,
        measure: impl Fn(core::iter::StepBy<core::iter::Skip<core::iter::Copied<core::slice::Iter<'_, T>>>>, usize) -> (T, T),
    ) -> Result<Self> {
        check_finite(place, x)?;
        let mut this = Self { shift: Vec::new(), scale: Vec::new() };
        for row in 0..x.rows() {
            let (shift, scale) = measure(x.as_slice().iter().copied().skip(row).step_by(x.rows()), x.cols());
            if !(shift.is_finite() && scale.is_finite()) {
                let given = format!("shift {shift} and scale {scale}");
                return Err(Error::new(ErrorKind::NotFinite, format!("{place}, row {row}"), "numbers whose spread is finite", given));
            }
            this.shift.push(shift);
            this.scale.push(if scale == T::zero() { T::one() } else { scale });
        }
        Ok(this)
    }

    /// The number of features.
    pub fn features(&self) -> usize {
        self.shift.len()
    }

    /// What is subtracted from each feature.
    pub fn shift(&self) -> &[T] {
        &self.shift
    }

    /// What each feature is then divided by.
    pub fn scale(&self) -> &[T] {
        &self.scale
    }

    /// (x − shift) / scale, feature by feature.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when `x` has another number of features.
    pub fn transform<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        self.map("Scaler::transform", x.into(), |v, shift, scale| (v - shift) / scale)
    }

    /// y · scale + shift: back to the units of the data.
    ///
    /// # Errors
    /// As [`transform`](Self::transform).
    pub fn inverse<'y>(&self, y: impl Into<View<'y, T>>) -> Result<DMatrix<T>> {
        self.map("Scaler::inverse", y.into(), |v, shift, scale| v * scale + shift)
    }

    fn map(&self, place: &str, x: View<'_, T>, f: impl Fn(T, T, T) -> T) -> Result<DMatrix<T>> {
        if x.rows() != self.features() {
            return Err(Error::new(ErrorKind::Shape, place, format!("{} rows (features)", self.features()), x.rows()));
        }
        let mut y = x.matrix().into_owned();
        for mut column in y.column_iter_mut() {
            for ((v, shift), scale) in column.iter_mut().zip(&self.shift).zip(&self.scale) {
                *v = f(*v, *shift, *scale);
            }
        }
        Ok(y)
    }
}

/// The mean, in two passes so that rounding of the first is made up for.
fn mean<T: Real>(row: impl Iterator<Item = T> + Clone, count: usize) -> T {
    let n = T::of(count as f64);
    let rough = row.clone().fold(T::zero(), |sum, v| sum + v) / n;
    rough + row.fold(T::zero(), |sum, v| sum + (v - rough)) / n
}
