//! Intervals, one for each output and sample.

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View, check_each, check_shape};
use alloc::format;
use nalgebra::DMatrix;

/// What is said of each number: the lowest and the highest that it may be, outputs × samples, in
/// `f64`.
///
/// A band of any origin can be [calibrated](super::ConformalRegressor), and its intervals then hold
/// what they promise:
///
/// | band | from | calibrated, it is wide |
/// |---|---|---|
/// | [`around`](Self::around) | predictions alone | the same everywhere |
/// | [`scaled`](Self::scaled) | predictions and how unsure each is: [`Predictions::deviation`](super::Predictions::deviation) | in proportion to that |
/// | [`of_gaussian`](Self::of_gaussian) | the means and deviations of a model trained with [`GaussianNll`](crate::nn::loss::GaussianNll) | in proportion to σ |
/// | [`of_quantiles`](Self::of_quantiles) | the outputs of a network trained with [`Quantile`](crate::nn::loss::Quantile) | as the quantiles are apart |
///
/// ```
/// use chainrule::View;
/// use chainrule::nalgebra::DMatrix;
/// use chainrule::uncertainty::Band;
/// // From 10 to 90 percent, for two samples.
/// let y = DMatrix::from_column_slice(2, 2, &[1.0, 3.0, 2.0, 6.0]);
/// let band = Band::of_quantiles(&y)?;
/// assert_eq!(band.lower().as_slice(), [1.0, 2.0]);
/// assert_eq!(band.mean_width(), 3.0);
/// assert_eq!(band.coverage(View::new(&[3.0, 1.9], 1)?)?, 0.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("interval", "prediction_interval"))]
pub struct Band {
    lower: DMatrix<f64>,
    upper: DMatrix<f64>,
    /// By what each interval is made wider; 1 without.
    scale: Option<DMatrix<f64>>,
    kind: BandKind,
}

/// What a band is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum BandKind {
    Around,
    Scaled,
    Between,
}

impl BandKind {
    /// How errors call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Around => "a band around predictions",
            Self::Scaled => "a band around predictions with a scale",
            Self::Between => "a band between two ends",
        }
    }
}

fn finite<T: Real>(what: &str, numbers: View<'_, T>) -> Result<DMatrix<f64>> {
    let place = || format!("{what} of Band");
    if numbers.rows() == 0 || numbers.cols() == 0 {
        let expected = "at least 1 output of 1 sample";
        return Err(Error::new(ErrorKind::Empty, place(), expected, "none"));
    }
    check_each(place, numbers, "a finite number", |v| v.is_finite())?;
    Ok(numbers.as_matrix().map(|v| v.as_f64()))
}

impl Band {
    /// Around predictions, of no width.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without an output or a sample, [`ErrorKind::NotFinite`] for NaN and ±∞.
    pub fn around<'y, T: Real>(predicted: impl Into<View<'y, T>>) -> Result<Self> {
        let lower = finite("predictions", predicted.into())?;
        Ok(Self {
            upper: lower.clone(),
            lower,
            scale: None,
            kind: BandKind::Around,
        })
    }

    /// Around predictions, of no width, which is made wider in proportion to `scale`: a standard
    /// deviation, or any other number above 0 that is large where the prediction may be wrong.
    ///
    /// # Errors
    /// As [`around`](Self::around); [`ErrorKind::Shape`] when the scale has another shape,
    /// [`ErrorKind::Value`] for one that is not above 0.
    #[doc(alias("normalized"))]
    pub fn scaled<'y, 's, T: Real>(
        predicted: impl Into<View<'y, T>>,
        scale: impl Into<View<'s, T>>,
    ) -> Result<Self> {
        let (band, scale) = (Self::around(predicted)?, scale.into());
        band.with_scale(finite("scale", scale)?)
    }

    fn with_scale(self, scale: DMatrix<f64>) -> Result<Self> {
        let place = || "scale of Band".into();
        check_shape(place, self.lower.shape(), scale.shape())?;
        check_each(place, (&scale).into(), "a finite number above 0", |v| {
            v > 0.0
        })?;
        Ok(Self {
            scale: Some(scale),
            kind: BandKind::Scaled,
            ..self
        })
    }

    /// From a lowest to a highest number. Where the lowest is above the highest, the interval is
    /// empty.
    ///
    /// # Errors
    /// As [`around`](Self::around); [`ErrorKind::Shape`] when the two differ in shape.
    pub fn between<'l, 'u, T: Real>(
        lower: impl Into<View<'l, T>>,
        upper: impl Into<View<'u, T>>,
    ) -> Result<Self> {
        let lower = finite("lower ends", lower.into())?;
        let upper = finite("upper ends", upper.into())?;
        Self::of_ends(lower, upper)
    }

    pub(super) fn of_ends(lower: DMatrix<f64>, upper: DMatrix<f64>) -> Result<Self> {
        check_shape(|| "upper ends of Band".into(), lower.shape(), upper.shape())?;
        Ok(Self {
            lower,
            upper,
            scale: None,
            kind: BandKind::Between,
        })
    }

    /// [`between`](Self::between) the outputs of a network trained with
    /// [`Quantile`](crate::nn::loss::Quantile) of two levels, the lower one first.
    ///
    /// # Errors
    /// As [`around`](Self::around); [`ErrorKind::Incompatible`] for an odd number of outputs.
    pub fn of_quantiles<'y, T: Real>(outputs: impl Into<View<'y, T>>) -> Result<Self> {
        let (lower, upper) = halves(
            outputs.into(),
            "those of Quantile with two levels: an even number",
        )?;
        Self::of_ends(lower, upper)
    }

    /// [`scaled`](Self::scaled) of what a [`Model`](crate::Model) predicts that was trained with
    /// [`GaussianNll`](crate::nn::loss::GaussianNll): around the means, in proportion to the
    /// standard deviations that follow them.
    ///
    /// # Errors
    /// As [`scaled`](Self::scaled); [`ErrorKind::Incompatible`] for an odd number of outputs.
    pub fn of_gaussian<'y, T: Real>(outputs: impl Into<View<'y, T>>) -> Result<Self> {
        let (means, deviations) = halves(outputs.into(), "those of GaussianNll: an even number")?;
        Self::around(&means)?.with_scale(deviations)
    }

    /// The lowest numbers.
    pub fn lower(&self) -> &DMatrix<f64> {
        &self.lower
    }

    /// The highest numbers.
    pub fn upper(&self) -> &DMatrix<f64> {
        &self.upper
    }

    /// Outputs and samples.
    pub(super) fn shape(&self) -> (usize, usize) {
        self.lower.shape()
    }

    pub(super) fn kind(&self) -> BandKind {
        self.kind
    }

    /// By what the interval of an output and a sample is made wider.
    pub(super) fn scale(&self, index: (usize, usize)) -> f64 {
        self.scale.as_ref().map_or(1.0, |scale| scale[index])
    }

    /// How far above the highest or below the lowest number each target is, in units of the scale;
    /// negative of those between.
    pub(super) fn scores<T: Real>(&self, place: &str, target: View<'_, T>) -> Result<DMatrix<f64>> {
        let place = || format!("targets of {place}");
        check_shape(place, self.shape(), target.shape())?;
        check_each(place, target, "a finite number", |v| v.is_finite())?;
        let targets = target.as_matrix();
        let (rows, cols) = self.shape();
        Ok(DMatrix::from_fn(rows, cols, |i, j| {
            let t = targets[(i, j)].as_f64();
            let beyond = (self.lower[(i, j)] - t).max(t - self.upper[(i, j)]);
            beyond / self.scale((i, j))
        }))
    }

    /// The share of the targets that lie in their intervals, ends included, by their weights.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when the targets have another shape, [`ErrorKind::NotFinite`] for NaN
    /// and ±∞ among them, [`ErrorKind::Value`] where all weigh 0.
    #[doc(alias("regression_coverage_score", "picp"))]
    pub fn coverage<'t, T: Real>(&self, target: impl Into<Targets<'t, T>>) -> Result<f64> {
        let (place, target) = ("Band::coverage", target.into());
        let scores = self.scores(place, target.values())?;
        let (mut inside, mut all) = (0.0, 0.0);
        for (sample, scores) in scores.column_iter().enumerate() {
            let weight = target.weights().map_or(1.0, |w| w[sample].as_f64());
            let count = scores.iter().filter(|score| **score <= 0.0).count();
            inside += weight * count as f64;
            all += weight * scores.len() as f64;
        }
        if all > 0.0 {
            return Ok(inside / all);
        }
        let expected = "at least 1 weight above 0";
        Err(Error::new(ErrorKind::Value, place, expected, "none"))
    }

    /// The mean of highest less lowest, of all outputs and samples.
    #[doc(alias("regression_mean_width_score"))]
    pub fn mean_width(&self) -> f64 {
        let count = self.lower.len() as f64;
        let widths = self.upper.iter().zip(self.lower.iter());
        widths.map(|(upper, lower)| (upper - lower) / count).sum()
    }
}

/// The first and the second half of the outputs.
fn halves<T: Real>(outputs: View<'_, T>, expected: &str) -> Result<(DMatrix<f64>, DMatrix<f64>)> {
    if !outputs.rows().is_multiple_of(2) {
        return Err(Error::new(
            ErrorKind::Incompatible,
            "outputs of Band",
            expected,
            outputs.rows(),
        ));
    }
    let outputs = finite("outputs", outputs)?;
    let half = outputs.nrows() / 2;
    let rows = |first| outputs.rows(first, half).into_owned();
    Ok((rows(0), rows(half)))
}
