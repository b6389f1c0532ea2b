//! Split conformal prediction: intervals and sets that hold the truth as often as they promise.

use super::band::{Band, BandKind};
use crate::data::class_of;
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::BETWEEN;
use crate::numeric::real::{Real, is_nan};
use crate::numeric::view::{Targets, View, check_each, check_shape};
use alloc::{format, vec::Vec};

/// Intervals that hold the truth with a given probability, whatever the network and the
/// distribution of the data: split conformal prediction (Vovk, Gammerman & Shafer 2005;
/// Angelopoulos & Bates 2023).
///
/// It takes data that nothing has been learned from. How far each target t lies beyond its interval
/// in a [`Band`] is its score, in units of the scale s: max(lower − t, t − upper)/s. With n such
/// scores, the interval of a new sample is made wider on both sides by q·s, where q is number
/// ⌈(n + 1)·confidence⌉ of the scores from the smallest. If new samples come from where those n
/// came from, the probability that t is in it is at least `confidence`, and below confidence +
/// 1/(n + 1) where no scores are equal. It holds on average over samples, not for each kind of
/// them.
///
/// | [`Band`] | method |
/// |---|---|
/// | [`around`](Band::around) | absolute residuals |
/// | [`scaled`](Band::scaled), [`of_gaussian`](Band::of_gaussian) | residuals normalized by σ (Lei et al. 2018) |
/// | [`of_quantiles`](Band::of_quantiles), [`between`](Band::between) | conformalized quantile regression (Romano, Patterson & Candès 2019) |
///
/// Of several outputs each has a q of its own, and each promise holds for itself.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::uncertainty::{Band, ConformalRegressor};
/// // A rule that knows nothing, calibrated on 19 numbers.
/// let targets = DMatrix::from_fn(1, 19, |_, j| (j as f64 - 9.0) / 10.0);
/// let zero = Band::around(&DMatrix::from_element(1, 19, 0.0))?;
/// let conformal = ConformalRegressor::calibrate(&zero, &targets, 0.9)?;
/// assert_eq!(conformal.margins(), [0.9]); // number 18 of 19
/// let interval = conformal.intervals(&Band::around(&[5.0])?)?;
/// assert_eq!((interval.lower()[0], interval.upper()[0]), (4.1, 5.9));
///
/// let error = ConformalRegressor::calibrate(&zero, &targets, 0.99).unwrap_err();
/// let expected = "at least 99, for a confidence of 0.99";
/// assert_eq!((error.given(), error.expected()), ("19", expected));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias(
    "MapieRegressor",
    "SplitConformalRegressor",
    "ConformalizedQuantileRegressor",
    "conformal prediction",
    "CQR"
))]
pub struct ConformalRegressor {
    /// q of each output.
    margins: Vec<f64>,
    kind: BandKind,
}

impl ConformalRegressor {
    /// Learns from a band of what was predicted for samples that no network was trained on, and
    /// their targets, how much wider its intervals must be to hold a target with probability
    /// `confidence`.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a confidence outside (0, 1), and for fewer samples than it needs:
    /// confidence/(1 − confidence), which are 9 for 0.9 and 99 for 0.99; [`ErrorKind::Shape`] when
    /// the targets have another shape than the band, [`ErrorKind::NotFinite`] for NaN and ±∞ among
    /// them, [`ErrorKind::Incompatible`] for targets with weights.
    #[doc(alias("conformalize"))]
    pub fn calibrate<'t, T: Real>(
        band: &Band,
        target: impl Into<Targets<'t, T>>,
        confidence: f64,
    ) -> Result<Self> {
        let place = "ConformalRegressor::calibrate";
        let target = unweighted(place, target.into())?;
        let scores = band.scores(place, target)?;
        let rank = rank(place, scores.ncols(), confidence)?;
        let margin = |output: usize| {
            let mut scores: Vec<f64> = scores.row(output).iter().copied().collect();
            scores.sort_by(f64::total_cmp);
            scores[rank - 1]
        };
        Ok(Self {
            margins: (0..scores.nrows()).map(margin).collect(),
            kind: band.kind(),
        })
    }

    /// The q of each output. It is negative where a band is wider than it must be.
    pub fn margins(&self) -> &[f64] {
        &self.margins
    }

    /// The intervals of new samples, of a band that is made like that of
    /// [`calibrate`](Self::calibrate): [lower − q·s, upper + q·s]. Where q is negative, an interval
    /// may be empty, its lowest number above its highest.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] for another number of outputs, [`ErrorKind::Incompatible`] for another
    /// kind of band.
    pub fn intervals(&self, band: &Band) -> Result<Band> {
        let place = "ConformalRegressor::intervals";
        let (outputs, samples) = band.shape();
        check_shape(
            || format!("band of {place}"),
            (self.margins.len(), samples),
            (outputs, samples),
        )?;
        if band.kind() != self.kind {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("band of {place}"),
                format!("{}, as it was calibrated on", self.kind.name()),
                band.kind().name(),
            ));
        }
        let (mut lower, mut upper) = (band.lower().clone(), band.upper().clone());
        for sample in 0..samples {
            for (output, margin) in self.margins.iter().enumerate() {
                let index = (output, sample);
                lower[index] -= margin * band.scale(index);
                upper[index] += margin * band.scale(index);
            }
        }
        Band::of_ends(lower, upper)
    }
}

/// What makes a class one of a [`ConformalClassifier`]'s set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("conformity_score"))]
pub enum SetScore {
    /// Its probability p: least ambiguous classifiers (Sadinle, Lei & Wasserman 2019). Its score is
    /// 1 − p. The sets are the smallest on average, and may be empty where no class is probable.
    #[doc(alias("lac", "LABEL"))]
    Lac,
    /// The probability of it and of all that are more probable: adaptive prediction sets (Romano,
    /// Sesia & Candès 2020), without their random numbers. The sets are larger, and more so where
    /// the network is unsure; rare or hard classes are covered better. Of equally probable classes
    /// the first counts as the more probable one.
    #[doc(alias("aps", "cumulated_score"))]
    Aps,
}

/// Sets of classes that hold the true one with a given probability, whatever the network and the
/// distribution of the data: split conformal prediction (Vovk, Gammerman & Shafer 2005;
/// Angelopoulos & Bates 2023).
///
/// It takes data that nothing has been learned from. Each has a score by what the network says of
/// its true class, which [`SetScore`] defines. With n of them, q is number ⌈(n + 1)·confidence⌉
/// from the smallest, and the set of a new sample has each class whose score is at most q, the
/// class at which a sum passes q not among them. So a set may be empty: no class is as probable as
/// true ones were.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::uncertainty::{ConformalClassifier, SetScore};
/// // Ten samples, of whose true class, which is 0, the network said 0.50, 0.55, … 0.95.
/// let y = DMatrix::from_fn(3, 10, |i, j| {
///     let true_one = 0.5 + 0.05 * j as f64;
///     if i == 0 { true_one } else { 0.5 * (1.0 - true_one) }
/// });
/// let conformal = ConformalClassifier::calibrate(&y, &one_hot(&[0; 10], 3)?, 0.8, SetScore::Lac)?;
/// // Nine of ten had 0.55 or more; of new ones it may be 8 of 10.
/// let new = DMatrix::from_column_slice(3, 2, &[0.2, 0.2, 0.6, 0.3, 0.3, 0.4]);
/// assert_eq!(conformal.sets(&new)?, [vec![2], vec![]]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("MapieClassifier", "SplitConformalClassifier", "prediction set"))]
pub struct ConformalClassifier {
    score: SetScore,
    /// The [conformity](conformity) from which on a class is in the set.
    least: f64,
    /// Rows of the probabilities.
    outputs: usize,
}

impl ConformalClassifier {
    /// Learns from the predicted probabilities of samples that no network was trained on, and their
    /// targets, which classes a set must have to hold the true one with probability `confidence`.
    /// Probabilities and targets are as in [`metrics`](crate::metrics): a row for each class, or a
    /// single one of class 1.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a confidence outside (0, 1), for fewer samples than it needs:
    /// confidence/(1 − confidence), and for probabilities outside [0, 1] or whose sum is not 1;
    /// [`ErrorKind::Shape`] when the shapes differ, [`ErrorKind::NotFinite`] for NaN,
    /// [`ErrorKind::Incompatible`] for targets with weights.
    #[doc(alias("conformalize"))]
    pub fn calibrate<'y, 't, T: Real>(
        probabilities: impl Into<View<'y, T>>,
        target: impl Into<Targets<'t, T>>,
        confidence: f64,
        score: SetScore,
    ) -> Result<Self> {
        let (place, y) = ("ConformalClassifier::calibrate", probabilities.into());
        let target = unweighted(place, target.into())?;
        check_shape(|| format!("targets of {place}"), y.shape(), target.shape())?;
        check_each(
            || format!("targets of {place}"),
            target,
            "a number",
            |v| !is_nan(v),
        )?;
        let rank = rank(place, y.cols(), confidence)?;
        let probabilities = probabilities_of(place, y)?;
        let actual = target.iter().map(|column| class_of(column, T::of(0.5)));
        let of_true = |(p, class): (&Vec<f64>, usize)| conformity(score, p)[class];
        let mut conformities: Vec<f64> = probabilities.iter().zip(actual).map(of_true).collect();
        conformities.sort_by(|a, b| b.total_cmp(a));
        Ok(Self {
            score,
            least: conformities[rank - 1],
            outputs: y.rows(),
        })
    }

    /// The classes that each sample may be of, the most probable first.
    ///
    /// # Errors
    /// As [`calibrate`](Self::calibrate) for the probabilities; [`ErrorKind::Shape`] for another
    /// number of rows.
    pub fn sets<'y, T: Real>(
        &self,
        probabilities: impl Into<View<'y, T>>,
    ) -> Result<Vec<Vec<usize>>> {
        let (place, y) = ("ConformalClassifier::sets", probabilities.into());
        check_shape(
            || format!("probabilities of {place}"),
            (self.outputs, y.cols()),
            y.shape(),
        )?;
        let set = |p: &Vec<f64>| {
            let conformities = conformity(self.score, p);
            let mut classes = order(p);
            classes.retain(|class| conformities[*class] >= self.least);
            classes
        };
        Ok(probabilities_of(place, y)?.iter().map(set).collect())
    }
}

/// How much each class is like a true one, of which the score is 1 less this: its probability, or
/// that of all that are less probable. Scores themselves would be 1 of all classes that are far
/// less probable than the first.
fn conformity(score: SetScore, p: &[f64]) -> Vec<f64> {
    match score {
        SetScore::Lac => p.to_vec(),
        SetScore::Aps => {
            let mut below = p.to_vec();
            // From the least probable on, so that no small number is lost.
            order(p).iter().rev().fold(0.0, |sum, class| {
                below[*class] = sum;
                sum + p[*class]
            });
            below
        }
    }
}

/// The classes, the most probable first, of equals the first.
fn order(p: &[f64]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..p.len()).collect();
    classes.sort_by(|a, b| p[*b].total_cmp(&p[*a]));
    classes
}

/// The probabilities of all classes for each sample, checked.
fn probabilities_of<T: Real>(place: &str, y: View<'_, T>) -> Result<Vec<Vec<f64>>> {
    let place = || format!("probabilities of {place}");
    if y.rows() == 0 || y.cols() == 0 {
        let expected = "at least 1 row and 1 sample";
        return Err(Error::new(ErrorKind::Empty, place(), expected, "none"));
    }
    check_each(
        place,
        y,
        "a probability in [0, 1] (Model::predict makes them)",
        |v| v >= T::zero() && v <= T::one(),
    )?;
    let of_sample = |(sample, column): (usize, &[T])| {
        // −0 is 0.
        let p: Vec<f64> = column.iter().map(|v| v.as_f64() + 0.0).collect();
        if let [p] = p[..] {
            return Ok(alloc::vec![1.0 - p, p]);
        }
        let sum: f64 = p.iter().sum();
        if (sum - 1.0).abs() <= 1e-3 {
            return Ok(p);
        }
        let expected = "a sum of 1 (of classes of which a sample may have several, calibrate each \
                        row by itself)";
        let place = format!("{}, column {sample}", place());
        Err(Error::new(ErrorKind::Value, place, expected, sum))
    };
    y.iter().enumerate().map(of_sample).collect()
}

fn unweighted<'t, T: Real>(place: &str, target: Targets<'t, T>) -> Result<View<'t, T>> {
    match target.weights() {
        None => Ok(target.values()),
        Some(_) => Err(Error::new(
            ErrorKind::Incompatible,
            format!("targets of {place}"),
            "samples that all count the same (Dataset::targets has no weights)",
            "weights",
        )),
    }
}

/// ⌈(n + 1)·confidence⌉, at most n.
fn rank(place: &str, samples: usize, confidence: f64) -> Result<usize> {
    BETWEEN.check(format_args!("confidence of {place}"), confidence)?;
    // 0.55 stands for the decimal number, of which the product with 100 is 55 and no more.
    let ceil = |number: f64| libm::ceil(number * (1.0 - 4.0 * f64::EPSILON)) as usize;
    let rank = |samples: usize| ceil((samples as f64 + 1.0) * confidence);
    if rank(samples) <= samples {
        return Ok(rank(samples));
    }
    let least = ceil(confidence / (1.0 - confidence));
    // The quotient is an estimate.
    let least = (least.saturating_sub(1)..)
        .take(4)
        .find(|least| rank(*least) <= *least);
    let expected = match least {
        Some(least) => format!("at least {least}, for a confidence of {confidence}"),
        None => format!("more, for a confidence of {confidence}"),
    };
    let place = format!("samples of {place}");
    Err(Error::new(ErrorKind::Value, place, expected, samples))
}
