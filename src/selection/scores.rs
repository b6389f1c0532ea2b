//! The scores of a cross-validation.

use super::student::quantile;
use crate::error::{Error, ErrorKind, Result};
use crate::ground::table::short;
use crate::numeric::bounds::{BETWEEN, POSITIVE};
use crate::numeric::real::sum_of;
use alloc::vec::Vec;
use core::fmt;
use libm::sqrt;

/// One score for each fold, as [`cross_validate`](super::cross_validate) gives them, with their
/// mean and how sure it is.
///
/// ```
/// use chainrule::selection::Scores;
/// // Of five folds: each judges a quarter as many rows as it trains on.
/// let scores = Scores::new(vec![0.91, 0.95, 0.93, 0.97, 0.94], 0.25)?;
/// assert!((scores.mean() - 0.94).abs() < 1e-12);
/// assert!((scores.deviation() - 0.0005_f64.sqrt()).abs() < 1e-12);
/// let (low, high) = scores.interval(0.95)?;
/// assert_eq!(format!("{low:.3} to {high:.3}"), "0.898 to 0.982");
/// assert_eq!(scores.to_string(), "0.9400 ± 0.02236 (5 folds)");
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    values: Vec<f64>,
    ratio: f64,
}

impl Scores {
    /// The scores of folds, in their order. `ratio` is how many rows a fold judges over how many it
    /// trains on: 1/(k − 1) of k folds.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] for fewer than 2 scores, [`ErrorKind::Value`] for a ratio that is not
    /// a finite number above 0.
    pub fn new(values: Vec<f64>, ratio: f64) -> Result<Self> {
        let place = "Scores::new";
        if values.len() < 2 {
            let expected = "at least 2 scores";
            return Err(Error::new(ErrorKind::Empty, place, expected, values.len()));
        }
        POSITIVE.check(place, ratio)?;
        Ok(Self { values, ratio })
    }

    /// The score of each fold.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The mean of the scores.
    pub fn mean(&self) -> f64 {
        let n = self.values.len();
        sum_of(n, &mut self.values.iter().copied()) / n as f64
    }

    /// The sample standard deviation of the scores: s = √(Σ(xᵢ − x̄)²/(J − 1)) of J folds. It says
    /// how much one fold differs from another; how sure the mean is says the
    /// [interval](Self::interval).
    #[doc(alias("std"))]
    pub fn deviation(&self) -> f64 {
        let (n, mean) = (self.values.len(), self.mean());
        let squares = &mut self
            .values
            .iter()
            .map(|value| (value - mean) * (value - mean));
        sqrt(sum_of(n, squares) / (n - 1) as f64)
    }

    /// The interval of the mean that has the confidence `level`, such as 0.95: lower and upper end.
    ///
    /// Folds share rows to train on, so their scores are not independent, and the usual s/√J as the
    /// error of the mean is too small. This is the corrected resampled interval of Nadeau & Bengio,
    /// *Inference for the Generalization Error* (Machine Learning 52, 2003):
    ///
    /// ```text
    /// x̄ ± t·s·√(1/J + judged/trained)
    /// ```
    ///
    /// with t of Student's distribution with J − 1 degrees of freedom, and the rows that a fold
    /// judges and trains on. It is an approximation: no unbiased estimate of this error exists
    /// (Bengio & Grandvalet 2004). Many repeats make the deviation more certain, but the interval
    /// no narrower than the data allow.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a level that is not between 0 and 1.
    #[doc(alias("confidence"))]
    pub fn interval(&self, level: f64) -> Result<(f64, f64)> {
        BETWEEN.check("level of Scores::interval", level)?;
        let (n, mean) = (self.values.len(), self.mean());
        let t = quantile(level, n - 1);
        let half = t * self.deviation() * sqrt(1.0 / n as f64 + self.ratio);
        Ok((mean - half, mean + half))
    }
}

/// Mean ± standard deviation.
impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mean, deviation) = (short(self.mean()), short(self.deviation()));
        write!(f, "{mean} ± {deviation} ({} folds)", self.values.len())
    }
}
