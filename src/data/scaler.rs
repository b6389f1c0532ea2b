//! Scaling of features.

use super::check_finite;
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::not_empty;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use crate::numeric::view::{View, ViewMut, shape};
use alloc::{format, vec::Vec};
use core::ops::Range;
use nalgebra::DMatrix;

/// An affine map of each feature, x ↦ (x − shift) / scale, learned from data and applied to more of
/// it.
///
/// | made by | shift | scale | result |
/// |---|---|---|---|
/// | [`Scaler::standard`] | mean | standard deviation (1/n) | mean 0, variance 1 |
/// | [`Scaler::center`] | mean | 1 | mean 0 |
/// | [`Scaler::min_max`] | min | max − min | [0, 1] |
/// | [`Scaler::max_abs`] | 0 | largest \|x\| | [−1, 1], or [0, 1] without negatives |
///
/// These learn from at least 2 samples: one has no spread, and none of its features differs from
/// its mean. A slice, an array and a `Vec` are one sample ([`View`]), so a column of numbers is
/// `View::new(&numbers, 1)`.
///
/// A constant feature has nothing to scale: its scale is 1. Constant means that all its numbers are
/// equal, however many there are. (scikit-learn also takes a feature of small spread for constant.
/// For `StandardScaler` the bound is one of rounding, which grows with the number of samples; for
/// `MinMaxScaler` and `MaxAbsScaler` it is 2·10⁻¹⁵.)
///
/// ```
/// use chainrule::Scaler;
/// use chainrule::nalgebra::DMatrix;
/// let x = DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 5.0, 5.0, 5.0]);
/// let scaler = Scaler::min_max(&x)?;
/// let y = scaler.transform(&x)?;
/// assert_eq!(y, DMatrix::from_row_slice(2, 3, &[0.0, 0.5, 1.0, 0.0, 0.0, 0.0]));
/// assert_eq!(scaler.inverse_transform(&y)?, x);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias(
    "StandardScaler",
    "MinMaxScaler",
    "MaxAbsScaler",
    "Normalization",
    "mapminmax"
))]
pub struct Scaler<T> {
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    shift: Vec<T>,
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    scale: Vec<T>,
}

impl<T: Real> Scaler<T> {
    /// The map of given shifts and scales, one of each a feature.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a feature, [`ErrorKind::Shape`] when there are not as many
    /// scales as shifts, [`ErrorKind::NotFinite`] for a NaN or ±∞, [`ErrorKind::Value`] for a scale
    /// of 0.
    ///
    /// ```
    /// use chainrule::Scaler;
    /// use chainrule::nalgebra::DVector;
    /// let celsius = Scaler::new(vec![32.0], vec![1.8])?; // of degrees Fahrenheit
    /// assert_eq!(celsius.transform(&DVector::from_element(1, 212.0))?[0], 100.0);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn new(shift: Vec<T>, scale: Vec<T>) -> Result<Self> {
        not_empty("Scaler::new", "at least 1 feature", shift.len())?;
        if scale.len() != shift.len() {
            return Err(Error::new(
                ErrorKind::Shape,
                "Scaler::new",
                format!("{} scales, as shifts", shift.len()),
                scale.len(),
            ));
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
    /// [`ErrorKind::Empty`] without a sample or a feature; [`ErrorKind::Shape`] for a single
    /// sample; [`ErrorKind::NotFinite`] for a NaN or ±∞, and for a spread that is beyond the
    /// largest number of `T`; [`ErrorKind::Value`] for one that is below its smallest. So for all
    /// constructors.
    ///
    /// ```
    /// use chainrule::{Scaler, View};
    /// let heights = vec![1.5, 1.7, 1.9];
    /// assert_eq!(Scaler::standard(View::new(&heights, 1)?)?.shift(), [1.7]);
    /// assert!(Scaler::standard(&heights).is_err()); // three features of one sample
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("StandardScaler", "zscore"))]
    pub fn standard<'x>(x: impl Into<View<'x, T>>) -> Result<Self> {
        compiled_here!(T: |x: View<'_, T>| -> Result<Scaler<T>> {
            Scaler::by_feature("Scaler::standard", x, |row| {
                let mean = Mean::of(row);
                (mean.value(), mean.deviation(row))
            })
        })(x.into())
    }

    /// To mean 0.
    ///
    /// # Errors
    /// As [`standard`](Self::standard).
    pub fn center<'x>(x: impl Into<View<'x, T>>) -> Result<Self> {
        compiled_here!(T: |x: View<'_, T>| -> Result<Scaler<T>> {
            Scaler::by_feature("Scaler::center", x, |row| {
                (Mean::of(row).value(), 1.0)
            })
        })(x.into())
    }

    /// To [0, 1]: the smallest becomes 0, the largest 1.
    ///
    /// # Errors
    /// As [`standard`](Self::standard).
    #[doc(alias("MinMaxScaler", "mapminmax"))]
    pub fn min_max<'x>(x: impl Into<View<'x, T>>) -> Result<Self> {
        compiled_here!(T: |x: View<'_, T>| -> Result<Scaler<T>> {
            Scaler::by_feature("Scaler::min_max", x, |row| {
                let (min, max) = row
                    .iter()
                    .fold((row[0], row[0]), |(min, max), v| (v.min(min), v.max(max)));
                (min, max - min)
            })
        })(x.into())
    }

    /// To a largest magnitude of 1: of features without negative numbers, division by their
    /// maximum.
    ///
    /// # Errors
    /// As [`standard`](Self::standard).
    ///
    /// ```
    /// use chainrule::Scaler;
    /// use chainrule::nalgebra::DMatrix;
    /// let hours = DMatrix::from_row_slice(2, 3, &[3.0, 5.0, 10.0, 5.0, 1.0, 2.0]);
    /// assert_eq!(Scaler::max_abs(&hours)?.transform(&hours)?[(0, 1)], 0.5);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("MaxAbsScaler"))]
    pub fn max_abs<'x>(x: impl Into<View<'x, T>>) -> Result<Self> {
        compiled_here!(T: |x: View<'_, T>| -> Result<Scaler<T>> {
            Scaler::by_feature("Scaler::max_abs", x, |row| {
                (0.0, largest(row.iter().copied()))
            })
        })(x.into())
    }

    /// Measures (shift, scale) of each feature in `f64`, whatever the scalar.
    fn by_feature(
        place: &str,
        x: View<'_, T>,
        measure: impl Fn(&[f64]) -> (f64, f64),
    ) -> Result<Self> {
        check_finite(place, x)?;
        if x.cols() == 1 {
            let expected = "at least 2 columns (samples; a column of numbers is one feature: \
                View::new(&numbers, 1))";
            return Err(Error::new(
                ErrorKind::Shape,
                place,
                expected,
                shape(x.shape()),
            ));
        }
        let mut this = Self {
            shift: Vec::new(),
            scale: Vec::new(),
        };
        let mut feature = Vec::with_capacity(x.cols());
        for row in 0..x.rows() {
            feature.clear();
            feature.extend(x.iter().map(|sample| sample[row].as_f64()));
            let (shift, scale) = measure(&feature);
            let constant = feature.iter().all(|v| *v == feature[0]);
            let (shift, scale) = (
                T::of(shift),
                T::of(if constant && scale == 0.0 { 1.0 } else { scale }),
            );
            let kind = match shift.is_finite() && scale.is_finite() {
                true if scale > T::zero() => None,
                true => Some((
                    ErrorKind::Value,
                    "numbers whose spread is 0 or no less than the smallest number",
                )),
                false => Some((ErrorKind::NotFinite, "numbers whose spread is finite")),
            };
            if let Some((kind, expected)) = kind {
                return Err(Error::new(
                    kind,
                    format!("{place}, row {row}"),
                    expected,
                    format!("shift {shift} and scale {scale}"),
                ));
            }
            this.shift.push(shift);
            this.scale.push(scale);
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
        compiled_here!(T: |scaler: &Scaler<T>, x: View<'_, T>| -> Result<DMatrix<T>> {
            scaler.map("Scaler::transform", x, to_scale)
        })(self, x.into())
    }

    /// y · scale + shift: back to the units of the data.
    ///
    /// # Errors
    /// As [`transform`](Self::transform).
    pub fn inverse_transform<'y>(&self, y: impl Into<View<'y, T>>) -> Result<DMatrix<T>> {
        compiled_here!(T: |scaler: &Scaler<T>, y: View<'_, T>| -> Result<DMatrix<T>> {
            scaler.map("Scaler::inverse_transform", y, from_scale)
        })(self, y.into())
    }

    /// [`transform`](Self::transform) in place.
    pub(crate) fn transform_mut(&self, x: ViewMut<'_, T>) -> Result<()> {
        compiled_here!(T: |scaler: &Scaler<T>, x: ViewMut<'_, T>| -> Result<()> {
            scaler.map_mut("Scaler::transform", x, to_scale)
        })(self, x)
    }

    /// [`inverse_transform`](Self::inverse_transform) in place.
    pub(crate) fn inverse_mut(&self, y: ViewMut<'_, T>) -> Result<()> {
        compiled_here!(T: |scaler: &Scaler<T>, y: ViewMut<'_, T>| -> Result<()> {
            scaler.map_mut("Scaler::inverse_transform", y, from_scale)
        })(self, y)
    }

    /// Takes numbers of the features from `first` on, all at the same, back to the units of the
    /// data.
    pub(crate) fn inverse_part(&self, first: usize, y: &mut [T]) {
        let features = self.shift[first..].iter().zip(&self.scale[first..]);
        for (y, (shift, scale)) in y.iter_mut().zip(features) {
            *y = from_scale(*y, *shift, *scale);
        }
    }

    /// Whether some of these features are changed.
    pub(crate) fn changes(&self, features: Range<usize>) -> bool {
        let numbers = self.shift.iter().zip(&self.scale);
        numbers
            .skip(features.start)
            .take(features.len())
            .any(|(shift, scale)| *shift != T::zero() || *scale != T::one())
    }

    fn map(&self, place: &str, x: View<'_, T>, f: impl Fn(T, T, T) -> T) -> Result<DMatrix<T>> {
        let mut y = x.as_matrix().into_owned();
        self.map_mut(place, (&mut y).into(), f)?;
        Ok(y)
    }

    fn map_mut(&self, place: &str, mut x: ViewMut<'_, T>, f: impl Fn(T, T, T) -> T) -> Result<()> {
        if x.rows() != self.features() {
            return Err(Error::new(
                ErrorKind::Shape,
                place,
                format!("{} rows (features)", self.features()),
                x.rows(),
            ));
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

/// One number in units of the scaler.
pub(super) fn to_scale<T: Real>(v: T, shift: T, scale: T) -> T {
    let scaled = (v - shift) / scale;
    // The difference may overflow where its quotient does not.
    if scaled.is_finite() {
        scaled
    } else {
        v / scale - shift / scale
    }
}

/// One number in units of the data.
pub(super) fn from_scale<T: Real>(v: T, shift: T, scale: T) -> T {
    let x = v * scale + shift;
    // The product may overflow where the sum does not.
    let quarter = T::of(0.25);
    if x.is_finite() {
        x
    } else {
        (v * (scale * quarter) + shift * quarter) / quarter
    }
}

/// The mean of a feature, as (`high` + `low`)·2^`exponent`. The numbers are about 1, so that no sum
/// overflows and no square vanishes. The parts are two, because what lies between two numbers
/// counts where all samples are near it.
pub(super) struct Mean {
    exponent: i32,
    high: f64,
    low: f64,
}

impl Mean {
    pub(super) fn of(row: &[f64]) -> Self {
        let exponent = exponent(largest(row.iter().copied()));
        let at = |v: f64| libm::scalbn(v, -exponent);
        let (n, first) = (row.len() as f64, at(row[0]));
        // From the first number on: of a constant feature the differences are exactly 0.
        let high = first + row.iter().map(|v| at(*v) - first).sum::<f64>() / n;
        let low = row.iter().map(|v| at(*v) - high).sum::<f64>() / n;
        Self {
            exponent,
            high,
            low,
        }
    }

    pub(super) fn value(&self) -> f64 {
        libm::scalbn(self.high + self.low, self.exponent)
    }

    /// The standard deviation of the feature, over n.
    fn deviation(&self, row: &[f64]) -> f64 {
        let off = |v: &f64| libm::scalbn(*v, -self.exponent) - self.high - self.low;
        let exponent = exponent(largest(row.iter().map(off)));
        let square = |v: &f64| {
            let d = libm::scalbn(off(v), -exponent);
            d * d
        };
        let variance = row.iter().map(square).sum::<f64>() / row.len() as f64;
        libm::scalbn(libm::sqrt(variance), exponent.saturating_add(self.exponent))
    }
}

/// The largest magnitude.
fn largest(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.fold(0.0, |max, v| v.abs().max(max))
}

/// e, where a number is between 2ᵉ⁻¹ and 2ᵉ; 0 of 0.
fn exponent(number: f64) -> i32 {
    libm::frexp(number).1
}

#[cfg(feature = "serde")]
impl<'de, T: Real> serde::Deserialize<'de> for Scaler<T> {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> core::result::Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(bound = "T: Real", deny_unknown_fields)]
        struct Scaler<T> {
            #[serde(with = "crate::numeric::real::serde")]
            shift: Vec<T>,
            #[serde(with = "crate::numeric::real::serde")]
            scale: Vec<T>,
        }
        crate::ground::serde::checked(deserializer, |Scaler { shift, scale }| {
            Self::new(shift, scale)
        })
    }
}
