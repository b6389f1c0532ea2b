//! Curves over thresholds and of probabilities, and the areas under them.

use super::confusion::Average;
use super::labels::{OF_CLASSES, is_probability};
use super::{check, weights};
use crate::data::class_of;
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::UNIT;
use crate::numeric::quantile::quantile;
use crate::numeric::real::{Real, is_nan};
use crate::numeric::view::{Targets, View, check_each};
use alloc::{format, vec::Vec};

metrics!(roc_auc, average_precision);

/// A sample as one class sees it.
struct Seen {
    score: f64,
    of_class: bool,
    weight: f64,
}

/// What the samples of one score weigh, and that score.
#[derive(Clone, Copy)]
struct Level {
    score: f64,
    of_class: f64,
    others: f64,
}

/// The scores that there are, lowest first.
struct Levels {
    levels: Vec<Level>,
    of_class: f64,
    others: f64,
}

impl Levels {
    /// Samples of weight 0 are none.
    fn new(seen: impl Iterator<Item = Seen>) -> Self {
        let mut seen: Vec<Seen> = seen.filter(|sample| sample.weight > 0.0).collect();
        // Stable, so that equal scores are added in the order of the samples. −0 is 0.
        seen.sort_by(|a, b| (a.score + 0.0).total_cmp(&(b.score + 0.0)));
        let level = |equal: &[Seen]| {
            let weight = |of_class: bool| {
                let those = equal.iter().filter(|sample| sample.of_class == of_class);
                those.fold(0.0, |sum, sample| sum + sample.weight)
            };
            Level {
                score: equal[0].score + 0.0,
                of_class: weight(true),
                others: weight(false),
            }
        };
        let levels: Vec<Level> = seen
            .chunk_by(|a, b| a.score == b.score)
            .map(level)
            .collect();
        Self {
            of_class: levels.iter().fold(0.0, |sum, level| sum + level.of_class),
            others: levels.iter().fold(0.0, |sum, level| sum + level.others),
            levels,
        }
    }

    /// How often a sample of the class scores above another one.
    fn roc_auc(&self) -> f64 {
        // Σ over scores, from the lowest, of (others below + half of the others that score the
        // same) · those of the class.
        let (area, _) = self.levels.iter().fold((0.0, 0.0), |(area, below), level| {
            let more = level.of_class * (below + 0.5 * level.others);
            (area + more, below + level.others)
        });
        area / (self.of_class * self.others)
    }

    /// From the highest score on, what is called positive: of the class, and others.
    fn downward(&self) -> impl Iterator<Item = Level> + '_ {
        self.levels.iter().rev().scan((0.0, 0.0), |sums, level| {
            *sums = (sums.0 + level.of_class, sums.1 + level.others);
            Some(Level {
                score: level.score,
                of_class: sums.0,
                others: sums.1,
            })
        })
    }

    fn average_precision(&self) -> f64 {
        let mut before = 0.0;
        self.downward().fold(0.0, |area, now| {
            let gained = (now.of_class - before) / self.of_class;
            before = now.of_class;
            area + gained * (now.of_class / (now.of_class + now.others))
        })
    }
}

/// Scores and the classes of the targets, checked.
struct Judged<'y, 't, T: Real> {
    place: &'static str,
    y: View<'y, T>,
    target: Targets<'t, T>,
    actual: Vec<usize>,
}

impl<'y, 't, T: Real> Judged<'y, 't, T> {
    fn new(place: &'static str, y: View<'y, T>, target: Targets<'t, T>) -> Result<Self> {
        check(place, y, target)?;
        for (what, numbers) in [("predictions", y), ("targets", target.values())] {
            check_each(
                || format!("{what} of {place}"),
                numbers,
                "a number",
                |v| !is_nan(v),
            )?;
        }
        let classes = target.values().iter();
        Ok(Self {
            place,
            y,
            target,
            actual: classes.map(|column| class_of(column, T::of(0.5))).collect(),
        })
    }

    /// The classes that have a row.
    fn classes(&self) -> impl Iterator<Item = usize> + use<T> {
        match self.y.rows() {
            1 => 1..2,
            rows => 0..rows,
        }
    }

    fn seen(&self, class: usize) -> impl Iterator<Item = Seen> {
        let row = if self.y.rows() == 1 { 0 } else { class };
        let samples = self.y.iter().zip(&self.actual).zip(weights(self.target));
        samples.map(move |((column, actual), weight)| Seen {
            score: column[row].as_f64(),
            of_class: *actual == class,
            weight,
        })
    }

    /// There must be samples of the class, and others.
    fn levels(&self, class: usize) -> Result<Levels> {
        if !self.classes().any(|known| known == class) {
            let expected = match self.y.rows() {
                1 => "1, the class of a single row".into(),
                rows => format!("a class below {rows}"),
            };
            return Err(Error::new(
                ErrorKind::Value,
                format!("class of {}", self.place),
                expected,
                class,
            ));
        }
        let levels = Levels::new(self.seen(class));
        for (what, weight) in [
            ("a sample", levels.of_class),
            ("a sample of another class", levels.others),
        ] {
            if weight == 0.0 {
                return Err(Error::new(
                    ErrorKind::Value,
                    format!("class {class} of {}", self.place),
                    what,
                    "none",
                ));
            }
        }
        Ok(levels)
    }

    /// A measure of each class against the rest, averaged.
    fn averaged(&self, average: Average, measure: fn(&Levels) -> f64) -> Result<f64> {
        if let Average::Class(class) = average {
            return Ok(measure(&self.levels(class)?));
        }
        let of_classes = self.classes().map(|class| self.levels(class));
        let of_classes = of_classes.collect::<Result<Vec<_>>>()?;
        if average == Average::Micro {
            return Ok(measure(&Levels::new(
                self.classes().flat_map(|class| self.seen(class)),
            )));
        }
        let weight = |levels: &Levels| match average {
            Average::Weighted => levels.of_class,
            _ => 1.0,
        };
        let (sum, total) = of_classes.iter().fold((0.0, 0.0), |(sum, total), levels| {
            let weight = weight(levels);
            (sum + weight * measure(levels), total + weight)
        });
        Ok(sum / total)
    }
}

/// The area under the receiver operating characteristic: how often a sample of the class scores
/// above one that is not of it, equal scores counting half (Hanley & McNeil 1982). Scores need not
/// be probabilities. Of one row, targets are 1 from ½ on, so that −1 and 1 will do. Of several rows
/// it is the plain average over the classes, each against the rest (scikit-learn's
/// `multi_class="ovr"`).
///
/// # Errors
/// [`ErrorKind::Empty`] without a sample or a row, [`ErrorKind::Shape`] when the shapes differ,
/// [`ErrorKind::NotFinite`] for NaN, [`ErrorKind::Value`] for a class without a sample or that has
/// them all (of a weight above 0).
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([0.1, 0.4, 0.35, 0.8], [0.0, 0.0, 1.0, 1.0]);
/// assert_eq!(metrics::roc_auc(View::new(&y, 1)?, View::new(&t, 1)?)?, 0.75);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("roc_auc_score", "AUC"))]
pub fn roc_auc<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    Judged::new("metrics::roc_auc", y, target)?.averaged(Average::Macro, Levels::roc_auc)
}

/// As [`roc_auc`], of one class, or with another average over the classes: by the weights of their
/// samples, or of all scores of all classes as if they were of one (`Micro`).
///
/// # Errors
/// As [`roc_auc`]; [`ErrorKind::Value`] if there is no such class.
///
/// ```
/// use chainrule::{metrics, one_hot};
/// use chainrule::metrics::Average;
/// use chainrule::nalgebra::DMatrix;
/// let y = DMatrix::from_column_slice(3, 3, &[0.5, 0.3, 0.2, 0.4, 0.1, 0.5, 0.45, 0.15, 0.4]);
/// let t = one_hot(&[0, 1, 2], 3)?;
/// assert_eq!(metrics::roc_auc_with(&y, &t, Average::Class(0))?, 1.0);
/// assert_eq!(metrics::roc_auc_with(&y, &t, Average::Class(1))?, 0.0);
/// assert_eq!(metrics::roc_auc_with(&y, &t, Average::Weighted)?, 0.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn roc_auc_with<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
    average: Average,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    Judged::new("metrics::roc_auc_with", y, target)?.averaged(average, Levels::roc_auc)
}

/// The area under the steps of the precision–recall curve: Σ (Rₙ − Rₙ₋₁)·Pₙ over the thresholds,
/// from the highest (scikit-learn's definition, without interpolation). Chance alone reaches the
/// share of the class. So it tells more than [`roc_auc`] where the class is rare. Of several rows
/// it is the plain average over the classes, each against the rest.
///
/// # Errors
/// As [`roc_auc`].
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([0.1, 0.4, 0.35, 0.8], [0.0, 0.0, 1.0, 1.0]);
/// let precision = metrics::average_precision(View::new(&y, 1)?, View::new(&t, 1)?)?;
/// assert_eq!(precision, 0.5 * 1.0 + 0.5 * 2.0 / 3.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("average_precision_score", "pr_auc", "AP", "AUC"))]
pub fn average_precision<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    Judged::new("metrics::average_precision", y, target)?
        .averaged(Average::Macro, Levels::average_precision)
}

/// As [`average_precision`], of one class, or with another average over the classes, as
/// [`roc_auc_with`] has them.
///
/// # Errors
/// As [`roc_auc_with`].
///
/// ```
/// use chainrule::{metrics, View};
/// use chainrule::metrics::Average;
/// let (y, t) = ([0.2, 0.8, 0.7, 0.3, 0.4, 0.6], [0.0, 1.0, 0.0, 1.0, 1.0, 0.0]);
/// let of = |class| {
///     metrics::average_precision_with(View::new(&y, 2)?, View::new(&t, 2)?, Average::Class(class))
/// };
/// assert_eq!((of(0)?, of(1)?), (0.5, 0.5 * 1.0 + 0.5 * 2.0 / 3.0));
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn average_precision_with<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
    average: Average,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    Judged::new("metrics::average_precision_with", y, target)?
        .averaged(average, Levels::average_precision)
}

/// A threshold, and how many of both kinds are called positive: those that score at least as much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RocPoint {
    /// The threshold; ∞ of the first point, where nothing is called positive.
    pub threshold: f64,
    /// FP / (FP + TN): of those not of the class, the fraction called positive.
    pub false_positive_rate: f64,
    /// TP / (TP + FN): of the class, the fraction called positive. It is the recall.
    pub true_positive_rate: f64,
}

/// The receiver operating characteristic of a class, by [`roc_curve`].
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([0.1, 0.4, 0.35, 0.8], [0.0, 0.0, 1.0, 1.0]);
/// let curve = metrics::roc_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
/// assert_eq!(curve.points()[1].threshold, 0.8);
/// assert_eq!(curve.auc(), 0.75);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("RocCurveDisplay"))]
pub struct RocCurve {
    points: Vec<RocPoint>,
}

impl RocCurve {
    /// The points, from (0, 0) to (1, 1).
    pub fn points(&self) -> &[RocPoint] {
        &self.points
    }

    /// The area below the curve, by trapezoids: the [`roc_auc`] of the class.
    pub fn auc(&self) -> f64 {
        let area = |pair: &[RocPoint]| {
            (pair[1].false_positive_rate - pair[0].false_positive_rate)
                * (0.5 * (pair[1].true_positive_rate + pair[0].true_positive_rate))
        };
        self.points.windows(2).map(area).sum()
    }

    /// The point with the largest difference of the two rates (Youden 1950), of several that of the
    /// highest threshold: the best one where both kinds of mistake cost a class the same, however
    /// rare it is.
    ///
    /// ```
    /// use chainrule::{metrics, View};
    /// let (y, t) = ([0.1, 0.3, 0.2, 0.8, 0.9], [0.0, 0.0, 1.0, 1.0, 1.0]);
    /// let curve = metrics::roc_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
    /// assert_eq!(curve.best_youden().threshold, 0.8);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn best_youden(&self) -> RocPoint {
        best(&self.points, |p| {
            p.true_positive_rate - p.false_positive_rate
        })
    }
}

/// The first point of the largest measure.
fn best<P: Copy>(points: &[P], measure: impl Fn(&P) -> f64) -> P {
    points[1..].iter().fold(points[0], |best, point| {
        if measure(point) > measure(&best) {
            *point
        } else {
            best
        }
    })
}

/// The receiver operating characteristic of a class against the rest: for each score as a
/// threshold, which fractions of the class and of the others are called positive.
///
/// Predictions have a row of scores for each class, of which `class` says one; a single row has
/// those of class 1. Targets are as in [`roc_auc`]. As in scikit-learn, a first point with the
/// threshold ∞ calls nothing positive. Points between two equal steps are left out, since they lie
/// on a line with their neighbors (`drop_intermediate=True`): no area and no corner is lost.
/// [`precision_recall_curve`] has all thresholds. Samples of weight 0 are none.
///
/// # Errors
/// As [`roc_auc_with`] of the class.
///
/// ```
/// use chainrule::{metrics, View};
/// use chainrule::metrics::RocPoint;
/// let (y, t) = ([0.1, 0.4, 0.35, 0.8], [0.0, 0.0, 1.0, 1.0]);
/// let curve = metrics::roc_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
/// let rates = |p: &RocPoint| (p.threshold, p.false_positive_rate, p.true_positive_rate);
/// let points: Vec<_> = curve.points().iter().map(rates).collect();
/// assert_eq!(
///     points,
///     [
///         (f64::INFINITY, 0.0, 0.0),
///         (0.8, 0.0, 0.5),
///         (0.4, 0.5, 0.5),
///         (0.35, 0.5, 1.0),
///         (0.1, 1.0, 1.0),
///     ]
/// );
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn roc_curve<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
    class: usize,
) -> Result<RocCurve> {
    let levels = Judged::new("metrics::roc_curve", y.into(), target.into())?.levels(class)?;
    let all: Vec<Level> = levels.downward().collect();
    // Also of a first and last point: they have but one step.
    let corner = |index: usize| {
        index == 0 || index + 1 == all.len() || {
            let step = |to: usize| {
                let (from, to) = (all[to - 1], all[to]);
                (to.of_class - from.of_class, to.others - from.others)
            };
            step(index) != step(index + 1)
        }
    };
    let begin = RocPoint {
        threshold: f64::INFINITY,
        false_positive_rate: 0.0,
        true_positive_rate: 0.0,
    };
    let point = |level: &Level| RocPoint {
        threshold: level.score,
        false_positive_rate: level.others / all[all.len() - 1].others,
        true_positive_rate: level.of_class / all[all.len() - 1].of_class,
    };
    let corners = (0..all.len()).filter(|index| corner(*index));
    let points = corners.map(|index| point(&all[index]));
    Ok(RocCurve {
        points: core::iter::once(begin).chain(points).collect(),
    })
}

/// A threshold, and how good those are that score at least as much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrecisionRecallPoint {
    /// The threshold; ∞ of the last point, where nothing is called positive.
    pub threshold: f64,
    /// TP / (TP + FP): of those called positive, the fraction that are.
    pub precision: f64,
    /// TP / (TP + FN): of those that are positive, the fraction called so.
    pub recall: f64,
}

impl PrecisionRecallPoint {
    /// The harmonic mean of precision and recall, 0 where both are.
    pub fn f1(&self) -> f64 {
        match self.precision + self.recall {
            0.0 => 0.0,
            sum => 2.0 * self.precision * self.recall / sum,
        }
    }
}

/// The precision–recall curve of a class, by [`precision_recall_curve`], and the thresholds that
/// can be chosen by it: on validation data, never on the data that judge in the end.
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([0.1, 0.4, 0.35, 0.8], [0.0, 0.0, 1.0, 1.0]);
/// let curve = metrics::precision_recall_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
/// let chosen = curve.best_f1();
/// assert_eq!((chosen.threshold, chosen.f1()), (0.35, 0.8));
/// // Whoever scores at least the threshold is called positive.
/// assert_eq!(y.map(|score| score >= chosen.threshold), [false, true, true, true]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("PrecisionRecallDisplay"))]
pub struct PrecisionRecallCurve {
    points: Vec<PrecisionRecallPoint>,
}

impl PrecisionRecallCurve {
    /// The points, from the lowest threshold to ∞. The first has a recall of 1 and the share of the
    /// class as its precision, as chance has at any threshold. The last has a recall of 0 and, for
    /// want of any other, a precision of 1.
    pub fn points(&self) -> &[PrecisionRecallPoint] {
        &self.points
    }

    /// The area below the steps of the curve: the [`average_precision`] of the class.
    pub fn average_precision(&self) -> f64 {
        let step =
            |pair: &[PrecisionRecallPoint]| (pair[0].recall - pair[1].recall) * pair[0].precision;
        self.points.windows(2).rev().map(step).sum()
    }

    /// Those that are of a threshold, the highest first.
    fn thresholds(&self) -> Vec<PrecisionRecallPoint> {
        self.points.iter().rev().skip(1).copied().collect()
    }

    /// The point with the largest F1, of several that of the highest threshold.
    ///
    /// ```
    /// use chainrule::{metrics, View};
    /// let (y, t) = ([0.9, 0.3, 0.6, 0.1], [1.0, 1.0, 0.0, 0.0]);
    /// let curve = metrics::precision_recall_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
    /// let best = curve.best_f1();
    /// assert_eq!((best.threshold, best.precision, best.recall), (0.3, 2.0 / 3.0, 1.0));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("TunedThresholdClassifierCV"))]
    pub fn best_f1(&self) -> PrecisionRecallPoint {
        best(&self.thresholds(), PrecisionRecallPoint::f1)
    }

    /// Of the points with at least this recall, the one with the largest precision, of several that
    /// of the highest threshold: who must not miss more than one in ten asks for 0.9.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] unless `recall` is in [0, 1].
    ///
    /// ```
    /// use chainrule::{metrics, View};
    /// let (y, t) = ([0.9, 0.3, 0.6, 0.1], [1.0, 1.0, 0.0, 0.0]);
    /// let curve = metrics::precision_recall_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
    /// assert_eq!(curve.at_recall(0.5)?.threshold, 0.9);
    /// assert_eq!(curve.at_recall(0.9)?.threshold, 0.3);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("PrecisionAtRecall"))]
    pub fn at_recall(&self, recall: f64) -> Result<PrecisionRecallPoint> {
        UNIT.check("recall of PrecisionRecallCurve::at_recall", recall)?;
        let mut reach = self.thresholds();
        reach.retain(|point| point.recall >= recall);
        Ok(best(&reach, |point| point.precision))
    }

    /// Of the points with at least this precision, the one with the largest recall, of several that
    /// of the highest threshold: who must not be wrong more than one time in five asks for 0.8.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] unless `precision` is in [0, 1] and some threshold reaches it.
    ///
    /// ```
    /// use chainrule::{metrics, View};
    /// let (y, t) = ([0.9, 0.95, 0.6, 0.1], [1.0, 0.0, 1.0, 0.0]);
    /// let curve = metrics::precision_recall_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
    /// assert_eq!(curve.at_precision(0.6)?.threshold, 0.6);
    /// assert!(curve.at_precision(0.8).is_err()); // the largest score is wrong
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("RecallAtPrecision"))]
    pub fn at_precision(&self, precision: f64) -> Result<PrecisionRecallPoint> {
        let place = "precision of PrecisionRecallCurve::at_precision";
        UNIT.check(place, precision)?;
        let all = self.thresholds();
        let largest = best(&all, |point| point.precision).precision;
        if largest < precision {
            return Err(Error::new(
                ErrorKind::Value,
                place,
                format!("at most {largest}, the largest of any threshold"),
                precision,
            ));
        }
        let mut reach = all;
        reach.retain(|point| point.precision >= precision);
        Ok(best(&reach, |point| point.recall))
    }
}

/// The precision–recall curve of a class against the rest: for each score as a threshold, how many
/// of those called positive are, and how many of those that are positive are called so.
///
/// Predictions have a row of scores for each class, of which `class` says one; a single row has
/// those of class 1. Targets are as in [`roc_auc`]. All thresholds are there, the lowest first, and
/// a last point with the threshold ∞, a precision of 1 and a recall of 0, as in scikit-learn.
/// Samples of weight 0 are none.
///
/// # Errors
/// As [`roc_auc_with`] of the class.
///
/// ```
/// use chainrule::{metrics, View};
/// use chainrule::metrics::PrecisionRecallPoint;
/// let (y, t) = ([0.1, 0.4, 0.35, 0.8], [0.0, 0.0, 1.0, 1.0]);
/// let curve = metrics::precision_recall_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
/// let numbers = |p: &PrecisionRecallPoint| (p.threshold, p.precision, p.recall);
/// let points: Vec<_> = curve.points().iter().map(numbers).collect();
/// assert_eq!(
///     points,
///     [
///         (0.1, 0.5, 1.0),
///         (0.35, 2.0 / 3.0, 1.0),
///         (0.4, 0.5, 0.5),
///         (0.8, 1.0, 0.5),
///         (f64::INFINITY, 1.0, 0.0),
///     ]
/// );
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn precision_recall_curve<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
    class: usize,
) -> Result<PrecisionRecallCurve> {
    let place = "metrics::precision_recall_curve";
    let levels = Judged::new(place, y.into(), target.into())?.levels(class)?;
    let end = PrecisionRecallPoint {
        threshold: f64::INFINITY,
        precision: 1.0,
        recall: 0.0,
    };
    let all: Vec<Level> = levels.downward().collect();
    let point = |level: &Level| PrecisionRecallPoint {
        threshold: level.score,
        precision: level.of_class / (level.of_class + level.others),
        recall: level.of_class / all[all.len() - 1].of_class,
    };
    let points = all.iter().rev().map(point).chain([end]).collect();
    Ok(PrecisionRecallCurve { points })
}

/// How probabilities are put into bins; a border belongs to the bin below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias("strategy", "n_bins"))]
pub enum Bins {
    /// So many of equal width.
    Uniform(usize),
    /// So many with about as many samples each, whatever they weigh. The borders are quantiles, on
    /// a line between neighboring samples (NumPy's `percentile`).
    Quantile(usize),
}

/// The samples of a bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationPoint {
    /// The mean of the predicted probabilities.
    #[doc(alias = "prob_pred")]
    pub predicted: f64,
    /// The fraction of the samples that are of the class.
    #[doc(alias = "prob_true")]
    pub actual: f64,
    /// The number of samples, or what they weigh.
    pub weight: f64,
}

/// How often what was predicted came true, by [`calibration_curve`].
///
/// ```
/// use chainrule::{metrics, View};
/// use chainrule::metrics::Bins;
/// let (y, t) = ([0.1, 0.2, 0.7, 0.9], [0.0, 0.0, 0.0, 1.0]);
/// let curve = metrics::calibration_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1, Bins::Uniform(2))?;
/// assert!((curve.expected_error() - (0.5 * 0.15 + 0.5 * 0.3)).abs() < 1e-15);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("CalibrationDisplay", "reliability_diagram"))]
pub struct CalibrationCurve {
    points: Vec<CalibrationPoint>,
}

impl CalibrationCurve {
    /// The bins that are not empty, the lowest probabilities first.
    pub fn points(&self) -> &[CalibrationPoint] {
        &self.points
    }

    /// The expected calibration error (Naeini, Cooper & Hauskrecht 2015): the average of
    /// |predicted − actual| over the bins, by their weights.
    #[doc(alias("ECE", "expected_calibration_error"))]
    pub fn expected_error(&self) -> f64 {
        let (sum, total) = self.points.iter().fold((0.0, 0.0), |(sum, total), point| {
            let off = (point.predicted - point.actual).abs();
            (sum + point.weight * off, total + point.weight)
        });
        sum / total
    }
}

/// The calibration curve of a class, or reliability diagram: for each bin of predicted
/// probabilities their mean, and the fraction of samples that are of the class. Of probabilities
/// that can be trusted the two agree.
///
/// Predictions have a row of probabilities for each class, of which `class` says one; a single row
/// has those of class 1. Targets are as in [`roc_auc`]. Empty bins are left out, as in
/// scikit-learn; samples with weights count as much as they weigh, and those of weight 0 are none.
///
/// # Errors
/// As [`roc_auc_with`] of the class; [`ErrorKind::Value`] for a probability outside [0, 1], and
/// unless there are 1 to 10 000 bins.
///
/// ```
/// use chainrule::{metrics, View};
/// use chainrule::metrics::{Bins, CalibrationPoint};
/// let y = [0.1, 0.2, 0.3, 0.4, 0.65, 0.7, 0.8, 0.9, 1.0];
/// let t = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0];
/// let curve = metrics::calibration_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1, Bins::Uniform(3))?;
/// let shown = |p: &CalibrationPoint| (format!("{:.3}", p.predicted), p.actual, p.weight);
/// let points: Vec<_> = curve.points().iter().map(shown).collect();
/// assert_eq!(
///     points,
///     [
///         ("0.200".into(), 0.0, 3.0),
///         ("0.525".into(), 0.5, 2.0),
///         ("0.850".into(), 1.0, 4.0),
///     ]
/// );
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn calibration_curve<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
    class: usize,
    bins: Bins,
) -> Result<CalibrationCurve> {
    let (place, y) = ("metrics::calibration_curve", y.into());
    let judged = Judged::new(place, y, target.into())?;
    check_each(
        || format!("predictions of {place}"),
        y,
        OF_CLASSES,
        is_probability,
    )?;
    judged.levels(class)?;
    binned(place, judged.seen(class), bins)
}

/// The samples in their bins.
fn binned(place: &str, seen: impl Iterator<Item = Seen>, bins: Bins) -> Result<CalibrationCurve> {
    let (Bins::Uniform(count) | Bins::Quantile(count)) = bins;
    if !(1..=10_000).contains(&count) {
        return Err(Error::new(
            ErrorKind::Value,
            format!("bins of {place}"),
            "1 to 10000",
            count,
        ));
    }
    let mut seen: Vec<Seen> = seen.filter(|sample| sample.weight > 0.0).collect();
    seen.sort_by(|a, b| (a.score + 0.0).total_cmp(&(b.score + 0.0)));
    // The inner borders, with NumPy's rounding: a probability of 0.3 is below the border 3 · 0.1.
    let shares = (1..count).map(|k| k as f64 * (1.0 / count as f64));
    let borders = shares.map(|share| match bins {
        Bins::Uniform(_) => share,
        Bins::Quantile(_) => quantile(seen.len(), |k| seen[k].score, share * 100.0 / 100.0),
    });
    let mut points = Vec::new();
    let mut rest = &seen[..];
    for border in borders.chain([f64::INFINITY]) {
        let (bin, above) = rest.split_at(rest.partition_point(|sample| sample.score <= border));
        rest = above;
        if !bin.is_empty() {
            let sum = |number: fn(&Seen) -> f64| bin.iter().map(number).sum::<f64>();
            let weight = sum(|sample| sample.weight);
            points.push(CalibrationPoint {
                predicted: sum(|sample| sample.weight * sample.score) / weight,
                actual: sum(|sample| sample.weight * f64::from(sample.of_class)) / weight,
                weight,
            });
        }
    }
    Ok(CalibrationCurve { points })
}

/// The expected calibration error of what is predicted (Naeini, Cooper & Hauskrecht 2015; Guo et
/// al. 2017): samples are put into bins by their confidence, and of each bin the difference between
/// the mean confidence and the share of samples that came true is averaged, by the weights of the
/// bins: Σ wₘ/w · |confₘ − accₘ|. It is 0 where of those samples that are 80 % certain 80 % are
/// right.
///
/// The confidence of a sample is the probability of its most probable class, which comes true where
/// the sample is of it, as in `MulticlassCalibrationError` of torchmetrics. Of a single row it is
/// the probability of class 1, as in its `BinaryCalibrationError`. Targets are as in [`roc_auc`].
/// Common are 10 or 15 bins of equal width. For the error of one class among several there is
/// [`CalibrationCurve::expected_error`].
///
/// # Errors
/// [`ErrorKind::Empty`] without a sample or a row, [`ErrorKind::Shape`] when the shapes differ,
/// [`ErrorKind::NotFinite`] for NaN, [`ErrorKind::Value`] for a probability outside [0, 1] and
/// unless there are 1 to 10 000 bins.
///
/// ```
/// use chainrule::{metrics, one_hot};
/// use chainrule::metrics::Bins;
/// use chainrule::nalgebra::DMatrix;
/// // Certain to 0.7, 0.8 and 0.9, and right two times of three.
/// let y = DMatrix::from_column_slice(2, 3, &[0.7, 0.3, 0.2, 0.8, 0.9, 0.1]);
/// let t = one_hot(&[0, 0, 0], 2)?;
/// let error = metrics::expected_calibration_error(&y, &t, Bins::Uniform(1))?;
/// assert!((error - (0.8 - 2.0 / 3.0_f64).abs()).abs() < 1e-15);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias(
    "ECE",
    "MulticlassCalibrationError",
    "BinaryCalibrationError",
    "calibration_error"
))]
pub fn expected_calibration_error<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
    bins: Bins,
) -> Result<f64> {
    let (place, y) = ("metrics::expected_calibration_error", y.into());
    let judged = Judged::new(place, y, target.into())?;
    check_each(
        || format!("predictions of {place}"),
        y,
        OF_CLASSES,
        is_probability,
    )?;
    let seen = judged
        .y
        .iter()
        .zip(&judged.actual)
        .zip(weights(judged.target));
    let seen = seen.map(|((column, actual), weight)| {
        let class = if column.len() == 1 {
            1
        } else {
            class_of(column, T::of(0.5))
        };
        Seen {
            score: column[class.min(column.len() - 1)].as_f64(),
            of_class: *actual == class,
            weight,
        }
    });
    Ok(binned(place, seen, bins)?.expected_error())
}
