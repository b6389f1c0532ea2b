//! Scaling of features.

use super::check_finite;
use crate::error::{Error, ErrorKind, Result};
use crate::real::Real;
use crate::view::{View, ViewMut};
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
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
pub struct Scaler<T> {
    #[cfg_attr(feature = "serde", serde(with = "crate::real::serial"))]
    shift: Vec<T>,
    #[cfg_attr(feature = "serde", serde(with = "crate::real::serial"))]
    scale: Vec<T>,
}

impl<T: Real> Scaler<T> {
    /// The map of given shifts and scales, one of each a feature.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a feature, [`ErrorKind::Shape`] when there are not as many scales as shifts,
    /// [`ErrorKind::NotFinite`] for a NaN or ±∞, [`ErrorKind::Value`] for a scale of 0.
    ///
    /// ```
    /// use chainrule::{Scaler, nalgebra::DVector};
    /// let celsius = Scaler::new(vec![32.0], vec![1.8])?; // of degrees Fahrenheit
    /// assert_eq!(celsius.transform(&DVector::from_element(1, 212.0))?[0], 100.0);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn new(shift: Vec<T>, scale: Vec<T>) -> Result<Self> {
        if shift.is_empty() {
            return Err(Error::new(ErrorKind::Empty, "Scaler::new", "at least 1 feature", 0));
        }
        if scale.len() != shift.len() {
            return Err(Error::new(ErrorKind::Shape, "Scaler::new", format!("{} scales, as shifts", shift.len()), scale.len()));
        }
        for (feature, (shift, scale)) in shift.iter().zip(&scale).enumerate() {
            let kind = match shift.is_finite() && scale.is_finite() {
                true if *scale != T::zero() => continue,
                true => ErrorKind::Value,
                false => ErrorKind::NotFinite,
            };
            let given = format!("shift {shift} and scale {scale}");
            return Err(Error::new(
                kind,
                format!("Scaler::new, feature {feature}"),
                "a finite shift and a finite scale that is not 0",
                given,
            ));
        }
        Ok(Self { shift, scale })
    }

    /// To mean 0 and variance 1, the variance taken over n (as scikit-learn's `StandardScaler`).
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a sample or a feature, [`ErrorKind::NotFinite`] for a NaN or ±∞, and likewise where
    /// numbers are so large that their spread overflows. So for all constructors.
    pub fn standard<'x>(x: impl Into<View<'x, T>>) -> Result<Self> {
        Self::by_feature("Scaler::standard", x.into(), |row, count| {
            let (mean, n) = (mean(row.clone(), count), count as f64);
            let variance = row.fold(0.0, |sum, v| sum + (v - mean) * (v - mean)) / n;
            if !variance.is_finite() {
                return (mean, variance);
            }
            // A constant feature has a variance of no more than what rounding makes of it (scikit-learn's bound).
            let rounding = n * f64::EPSILON * variance + (n * mean * f64::EPSILON) * (n * mean * f64::EPSILON);
            (mean, if variance <= rounding { 0.0 } else { libm::sqrt(variance) })
        })
    }

    /// To mean 0.
    ///
    /// # Errors
    /// As [`standard`](Self::standard).
    pub fn center<'x>(x: impl Into<View<'x, T>>) -> Result<Self> {
        Self::by_feature("Scaler::center", x.into(), |row, count| (mean(row, count), 1.0))
    }

    /// To [0, 1]: the smallest becomes 0, the largest 1.
    ///
    /// # Errors
    /// As [`standard`](Self::standard).
    pub fn min_max<'x>(x: impl Into<View<'x, T>>) -> Result<Self> {
        Self::by_feature("Scaler::min_max", x.into(), |mut row, _| {
            let first = row.next().unwrap_or(0.0);
            let (min, max) = row.fold((first, first), |(min, max), v| (v.min(min), v.max(max)));
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
        Self::by_feature("Scaler::max_abs", x.into(), |row, _| (0.0, row.fold(0.0, |max, v| v.abs().max(max))))
    }

    /// Measures (shift, scale) of each feature in `f64`, whatever the scalar.
    fn by_feature(place: &str, x: View<'_, T>, measure: impl Fn(Row<'_>, usize) -> (f64, f64)) -> Result<Self> {
        check_finite(place, x)?;
        let mut this = Self { shift: Vec::new(), scale: Vec::new() };
        let mut feature = Vec::with_capacity(x.cols());
        for row in 0..x.rows() {
            feature.clear();
            feature.extend(x.iter().map(|sample| sample[row].as_f64()));
            let (shift, scale) = measure(feature.iter().copied(), x.cols());
            let (shift, scale) = (T::of(shift), T::of(scale));
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

    /// [`transform`](Self::transform) in place.
    pub(crate) fn transform_mut(&self, x: ViewMut<'_, T>) -> Result<()> {
        self.map_mut("Scaler::transform", x, |v, shift, scale| (v - shift) / scale)
    }

    /// [`inverse`](Self::inverse) in place.
    pub(crate) fn inverse_mut(&self, y: ViewMut<'_, T>) -> Result<()> {
        self.map_mut("Scaler::inverse", y, |v, shift, scale| v * scale + shift)
    }

    fn map(&self, place: &str, x: View<'_, T>, f: impl Fn(T, T, T) -> T) -> Result<DMatrix<T>> {
        let mut y = x.matrix().into_owned();
        self.map_mut(place, (&mut y).into(), f)?;
        Ok(y)
    }

    fn map_mut(&self, place: &str, mut x: ViewMut<'_, T>, f: impl Fn(T, T, T) -> T) -> Result<()> {
        if x.rows() != self.features() {
            return Err(Error::new(ErrorKind::Shape, place, format!("{} rows (features)", self.features()), x.rows()));
        }
        for column in x.iter_mut() {
            for ((v, shift), scale) in column.iter_mut().zip(&self.shift).zip(&self.scale) {
                *v = f(*v, *shift, *scale);
            }
        }
        Ok(())
    }

    /// The same map for another scalar: each number rounded to the nearest.
    ///
    /// # Errors
    /// As [`new`](Self::new), where a number becomes ±∞ or a scale 0.
    pub(crate) fn cast<U: Real>(&self) -> Result<Scaler<U>> {
        let round = |numbers: &[T]| numbers.iter().map(|v| U::of(v.as_f64())).collect();
        Scaler::new(round(&self.shift), round(&self.scale))
    }
}

/// The numbers of one feature.
type Row<'a> = core::iter::Copied<core::slice::Iter<'a, f64>>;

/// The mean, in two passes so that rounding of the first is made up for.
fn mean(row: Row<'_>, count: usize) -> f64 {
    let n = count as f64;
    let rough = row.clone().sum::<f64>() / n;
    rough + row.map(|v| v - rough).sum::<f64>() / n
}

#[cfg(feature = "serde")]
impl<'de, T: Real> serde::Deserialize<'de> for Scaler<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> core::result::Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(bound = "T: Real", deny_unknown_fields)]
        struct Scaler<T> {
            #[serde(with = "crate::real::serial")]
            shift: Vec<T>,
            #[serde(with = "crate::real::serial")]
            scale: Vec<T>,
        }
        crate::serial::checked(deserializer, |Scaler { shift, scale }| Self::new(shift, scale))
    }
}
