//! Metrics of classes.

use super::confusion::{Average, ConfusionMatrix};
use super::labels::{OF_CLASSES, Row, both_classes, is_probability};
use super::{average, check};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View, check_each, shape};
use alloc::{format, vec::Vec};

metrics!(
    accuracy,
    margin_accuracy,
    balanced_accuracy,
    matthews_correlation,
    cohen_kappa,
    log_loss,
    brier_score
);

/// The class of each sample: the row of the largest number, the first where there are several. A
/// single row holds probabilities of class 1: from ½ on the class is 1, below 0.
///
/// # Errors
/// [`ErrorKind::Empty`] without a sample or a row, [`ErrorKind::NotFinite`] for NaN,
/// [`ErrorKind::Value`] for a number of a single row outside [0, 1]: it would be a logit or a
/// margin, whose border is not ½.
///
/// ```
/// use chainrule::metrics;
/// use chainrule::nalgebra::DMatrix;
/// let y = DMatrix::from_column_slice(3, 2, &[0.1, 0.7, 0.2, 0.5, 0.3, 0.2]);
/// assert_eq!(metrics::classes(&y)?, [1, 0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("argmax", "vec2ind"))]
pub fn classes<'y, T: Real>(y: impl Into<View<'y, T>>) -> Result<Vec<usize>> {
    classes_of("metrics::classes", y.into(), Row::Probability)
}

/// Which of several equal scores comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Ties {
    /// The one of the first row, as NumPy's `argmax` has it.
    #[default]
    First,
    /// The one of the last row, as scikit-learn's `top_k_accuracy_score` has it.
    Last,
}

/// As [`classes`], with the first or the last of equal numbers.
///
/// # Errors
/// As [`classes`].
///
/// ```
/// use chainrule::{metrics, View};
/// use chainrule::metrics::Ties;
/// let y = [0.4, 0.2, 0.4];
/// assert_eq!(metrics::classes_with(View::new(&y, 3)?, Ties::First)?, [0]);
/// assert_eq!(metrics::classes_with(View::new(&y, 3)?, Ties::Last)?, [2]);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn classes_with<'y, T: Real>(y: impl Into<View<'y, T>>, ties: Ties) -> Result<Vec<usize>> {
    let y = y.into();
    let mut classes = classes_of("metrics::classes_with", y, Row::Probability)?;
    if ties == Ties::Last && y.rows() > 1 {
        for (class, column) in classes.iter_mut().zip(y.iter()) {
            let largest = column[*class];
            *class = column.iter().rposition(|v| *v == largest).unwrap_or(*class);
        }
    }
    Ok(classes)
}

/// As [`classes`], for margins: a single row means class 1 from 0 on, as with
/// [`Hinge`](crate::nn::loss::Hinge). So it is for logits of one output.
///
/// # Errors
/// [`ErrorKind::Empty`] without a sample or a row, [`ErrorKind::NotFinite`] for NaN.
///
/// ```
/// use chainrule::{metrics, View};
/// assert_eq!(metrics::margin_classes(View::new(&[0.3, -2.0, 7.2], 1)?)?, [1, 0, 1]);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn margin_classes<'y, T: Real>(y: impl Into<View<'y, T>>) -> Result<Vec<usize>> {
    classes_of("metrics::margin_classes", y.into(), Row::Margin)
}

fn classes_of<T: Real>(place: &str, y: View<'_, T>, row: Row) -> Result<Vec<usize>> {
    compiled_here!(T: |place: &str, y: View<'_, T>, row: Row| -> Result<Vec<usize>> {
        if y.rows() == 0 || y.cols() == 0 {
            let given = shape(y.shape());
            return Err(Error::new(
                ErrorKind::Empty,
                place,
                "at least 1 row and 1 column (sample)",
                given,
            ));
        }
        row.classes(place, y)
    })(place, y, row)
}

/// The fraction of samples whose [class](classes) is that of their target. Predictions are
/// probabilities or scores of classes, one row each, or one row of probabilities; targets likewise.
/// For one row of margins with targets −1 and 1 take [`margin_accuracy`]; of one row of logits,
/// [`Model::predict`](crate::Model::predict) or the loss's
/// [`output_function`](crate::nn::loss::Loss::output_function) makes probabilities.
///
/// # Errors
/// As [`classes`], which a single row of targets, too, must obey; [`ErrorKind::Shape`] when the
/// shapes differ, [`ErrorKind::Value`] when all weights are 0.
///
/// ```
/// use chainrule::metrics;
/// use chainrule::nalgebra::DMatrix;
/// let y = DMatrix::from_column_slice(2, 2, &[0.9, 0.1, 0.8, 0.2]);
/// let t = DMatrix::from_column_slice(2, 2, &[1.0, 0.0, 0.0, 1.0]);
/// assert_eq!(metrics::accuracy(&y, &t)?, 0.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("accuracy_score"))]
pub fn accuracy<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    accuracy_from("metrics::accuracy", y, target, Row::Probability)
}

/// As [`accuracy`], for margins: a single row means its class from 0 on, as with
/// [`Hinge`](crate::nn::loss::Hinge).
///
/// # Errors
/// As [`accuracy`], for numbers of any size.
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([0.3, -2.0, 0.1], [1.0, -1.0, -1.0]);
/// assert_eq!(metrics::margin_accuracy(View::new(&y, 1)?, View::new(&t, 1)?)?, 2.0 / 3.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn margin_accuracy<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    accuracy_from("metrics::margin_accuracy", y, target, Row::Margin)
}

fn accuracy_from<T: Real>(
    place: &str,
    y: View<'_, T>,
    target: Targets<'_, T>,
    row: Row,
) -> Result<f64> {
    compiled_here!(T: |place: &str,
                       y: View<'_, T>,
                       target: Targets<'_, T>,
                       row: Row| -> Result<f64> {
        let (predicted, actual) = both_classes(place, y, target, row)?;
        Ok(average(
            target,
            predicted
                .iter()
                .zip(&actual)
                .map(|(p, a)| f64::from(p == a)),
        ))
    })(place, y, target, row)
}

/// The fraction of samples whose class is among their `k` largest scores. Of equal scores the first
/// rows come first, so that k = 1 is [`accuracy`]; scikit-learn takes the last, as
/// [`top_k_accuracy_with`] can.
///
/// # Errors
/// As [`accuracy`]; [`ErrorKind::Value`] unless `k` is from 1 to the number of classes,
/// [`ErrorKind::Shape`] for a single row.
///
/// ```
/// use chainrule::{metrics, one_hot};
/// use chainrule::nalgebra::DMatrix;
/// let y = DMatrix::from_column_slice(3, 2, &[0.1, 0.7, 0.2, 0.5, 0.3, 0.2]);
/// let t = one_hot(&[2, 2], 3)?;
/// assert_eq!(metrics::top_k_accuracy(&y, &t, 2)?, 0.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("top_k_accuracy_score", "TopKCategoricalAccuracy"))]
pub fn top_k_accuracy<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
    k: usize,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    top_k_accuracy_from("metrics::top_k_accuracy", y, target, k, Ties::First)
}

/// As [`top_k_accuracy`], with the first or the last of equal scores coming first; the latter is
/// scikit-learn's `top_k_accuracy_score`.
///
/// # Errors
/// As [`top_k_accuracy`].
///
/// ```
/// use chainrule::{metrics, View};
/// use chainrule::metrics::Ties;
/// let (y, t) = ([0.4, 0.2, 0.4], [1.0, 0.0, 0.0]);
/// let top = |ties| metrics::top_k_accuracy_with(View::new(&y, 3)?, View::new(&t, 3)?, 1, ties);
/// assert_eq!((top(Ties::First)?, top(Ties::Last)?), (1.0, 0.0));
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn top_k_accuracy_with<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
    k: usize,
    ties: Ties,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    top_k_accuracy_from("metrics::top_k_accuracy_with", y, target, k, ties)
}

fn top_k_accuracy_from<T: Real>(
    place: &str,
    y: View<'_, T>,
    target: Targets<'_, T>,
    k: usize,
    ties: Ties,
) -> Result<f64> {
    let (_, actual) = both_classes(place, y, target, Row::Margin)?;
    if y.rows() < 2 {
        return Err(Error::new(
            ErrorKind::Shape,
            place,
            "at least 2 rows (classes)",
            y.rows(),
        ));
    }
    if k == 0 || k > y.rows() {
        return Err(Error::new(
            ErrorKind::Value,
            format!("k of {place}"),
            format!("from 1 to {}", y.rows()),
            k,
        ));
    }
    let among = |scores: &[T], class: usize| {
        let (before, after) = (&scores[..class], &scores[class + 1..]);
        let (first, last) = match ties {
            Ties::First => (before, after),
            Ties::Last => (after, before),
        };
        let reach = first
            .iter()
            .filter(|score| **score >= scores[class])
            .count();
        let exceed = last.iter().filter(|score| **score > scores[class]).count();
        reach + exceed < k
    };
    Ok(average(
        target,
        y.iter()
            .zip(&actual)
            .map(|(scores, class)| f64::from(among(scores, *class))),
    ))
}

/// Of the samples taken for a class, the fraction that belong to it: TP / (TP + FP), 0 where there
/// are none (as scikit-learn's `zero_division=0`). [`ConfusionMatrix`] gives this, [`recall`] and
/// [`f1`] of all classes at once.
///
/// # Errors
/// As [`accuracy`]; [`ErrorKind::Value`] if there is no such class.
///
/// ```
/// use chainrule::{metrics, View};
/// use chainrule::metrics::Average;
/// let (y, t) = ([0.9, 0.8, 0.7, 0.2], [1.0, 0.0, 1.0, 0.0]);
/// assert_eq!(
///     metrics::precision(View::new(&y, 1)?, View::new(&t, 1)?, Average::Class(1))?,
///     2.0 / 3.0
/// );
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("precision_score"))]
pub fn precision<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
    average: Average,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    ConfusionMatrix::of(y, target)?.precision(average)
}

/// Of the samples of a class, the fraction taken for it: TP / (TP + FN), 0 where there are none.
///
/// # Errors
/// As [`precision`].
///
/// ```
/// use chainrule::{metrics, View};
/// use chainrule::metrics::Average;
/// let (y, t) = ([0.9, 0.8, 0.7, 0.2], [1.0, 0.0, 1.0, 0.0]);
/// assert_eq!(metrics::recall(View::new(&y, 1)?, View::new(&t, 1)?, Average::Class(1))?, 1.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("recall_score", "sensitivity"))]
pub fn recall<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
    average: Average,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    ConfusionMatrix::of(y, target)?.recall(average)
}

/// The harmonic mean of [`precision`] and [`recall`]: 2·TP / (2·TP + FP + FN), 0 where there are
/// none. A macro average is that of the classes' F1, as scikit-learn has it, not the F1 of two
/// averages.
///
/// # Errors
/// As [`precision`].
///
/// ```
/// use chainrule::{metrics, View};
/// use chainrule::metrics::Average;
/// let (y, t) = ([0.9, 0.8, 0.7, 0.2], [1.0, 0.0, 1.0, 0.0]);
/// assert_eq!(metrics::f1(View::new(&y, 1)?, View::new(&t, 1)?, Average::Class(1))?, 0.8);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("f1_score"))]
pub fn f1<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
    average: Average,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    ConfusionMatrix::of(y, target)?.f1(average)
}

/// The plain average of the [`recall`]s of the classes that there are among the targets, so that a
/// rare class counts as much as a frequent one (Brodersen, Ong, Stephan & Buhmann 2010).
///
/// # Errors
/// As [`accuracy`].
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([0.9, 0.2, 0.7, 0.6], [1.0, 1.0, 1.0, 0.0]);
/// let balanced = metrics::balanced_accuracy(View::new(&y, 1)?, View::new(&t, 1)?)?;
/// assert!((balanced - (2.0 / 3.0 + 0.0) / 2.0).abs() < 1e-15);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("balanced_accuracy_score"))]
pub fn balanced_accuracy<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    let matrix = ConfusionMatrix::of(y, target)?;
    let there = (0..matrix.classes()).filter(|class| matrix.support(*class) > 0.0);
    let (sum, count) = there.fold((0.0, 0.0), |(sum, count), class| {
        let recall = matrix.count(class, class) / matrix.support(class);
        (sum + recall, count + 1.0)
    });
    Ok(sum / count)
}

/// Cohen's κ (Cohen 1960): how much more often predictions and targets agree than they would by
/// chance, were they independent.
///
/// ```text
/// κ = 1 − (1 − Σₖ cₖ)/(1 − Σₖ pₖaₖ)
/// ```
///
/// where cₖ is the fraction of samples of class k that are taken for it, and pₖ and aₖ are the
/// fractions predicted and actually of class k. It is 1 where all are right and 0 where no more are
/// than by chance.
///
/// # Errors
/// As [`accuracy`]; [`ErrorKind::Value`] where predictions and targets are all of one class: chance
/// alone is then always right (scikit-learn has NaN).
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([0.9, 0.2, 0.7, 0.1], [1.0, 1.0, 1.0, 0.0]);
/// assert_eq!(metrics::cohen_kappa(View::new(&y, 1)?, View::new(&t, 1)?)?, 0.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("cohen_kappa_score"))]
pub fn cohen_kappa<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    let matrix = ConfusionMatrix::of(y, target)?;
    let classes = 0..matrix.classes();
    let taken: Vec<f64> = classes
        .clone()
        .map(|predicted| {
            classes
                .clone()
                .map(|actual| matrix.count(actual, predicted))
                .sum()
        })
        .collect();
    let total: f64 = taken.iter().sum();
    // Both are sums over pairs of different classes and no differences from 1, so that few errors
    // are not lost.
    let (mut wrong, mut by_chance) = (0.0, 0.0);
    for actual in classes.clone() {
        for predicted in classes.clone().filter(|predicted| *predicted != actual) {
            wrong += matrix.count(actual, predicted) / total;
            by_chance += matrix.support(actual) / total * (taken[predicted] / total);
        }
    }
    if by_chance == 0.0 {
        return Err(Error::new(
            ErrorKind::Value,
            "metrics::cohen_kappa",
            "more than 1 class among predictions and targets",
            "1",
        ));
    }
    Ok(1.0 - wrong / by_chance)
}

/// Matthews' correlation coefficient φ of predicted and actual classes (Matthews 1975; of several
/// classes Gorodkin 2004, as scikit-learn's `matthews_corrcoef`). It is 1 where all are right, 0
/// where predictions say nothing about the classes, negative where they are worse than that. Unlike
/// [`accuracy`] it is not large for who always takes the largest class: it is then 0.
///
/// ```text
/// φ = Σₖ (TPₖ·TNₖ − FPₖ·FNₖ) / √(Σₖ pₖ(1 − pₖ) · Σₖ aₖ(1 − aₖ))
/// ```
///
/// where pₖ and aₖ are the fractions of samples predicted and actually of class k. TPₖ, TNₖ, FPₖ
/// and FNₖ are the fractions rightly (T) or wrongly (F) taken for class k (P) or for another (N). φ
/// is 0 where the root is 0.
///
/// # Errors
/// As [`accuracy`].
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([0.9, 0.2, 0.7, 0.6], [1.0, 1.0, 1.0, 0.0]);
/// let phi = metrics::matthews_correlation(View::new(&y, 1)?, View::new(&t, 1)?)?;
/// assert!((phi + 1.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias = "matthews_corrcoef")]
#[doc(alias = "mcc")]
pub fn matthews_correlation<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    let matrix = ConfusionMatrix::of(y, target)?;
    let classes = 0..matrix.classes();
    let sums = |count: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        let sum = |one| classes.clone().map(|other| count(one, other)).sum();
        classes.clone().map(sum).collect()
    };
    let counted = sums(&|actual, predicted| matrix.count(actual, predicted));
    let taken = sums(&|predicted, actual| matrix.count(actual, predicted));
    let total: f64 = counted.iter().sum();
    let mut covariance = 0.0;
    let mut predicted = 0.0;
    let mut actual = 0.0;
    for class in classes.clone() {
        // Sums over the other classes are no differences, so that a rare class is not lost.
        let others = |count: &dyn Fn(usize) -> f64| -> f64 {
            let others = classes.clone().filter(|other| *other != class);
            others.map(|other| count(other) / total).sum()
        };
        let right = matrix.count(class, class) / total;
        let wrong = others(&|other| matrix.count(other, class));
        let missed = others(&|other| matrix.count(class, other));
        let rest = others(&|other| counted[other]);
        covariance += right * (rest - wrong) - wrong * missed;
        predicted += taken[class] / total * others(&|other| taken[other]);
        actual += counted[class] / total * rest;
    }
    let deviations = libm::sqrt(predicted) * libm::sqrt(actual);
    Ok(if deviations > 0.0 {
        (covariance / deviations).clamp(-1.0, 1.0)
    } else {
        0.0
    })
}

/// Predictions and targets must be probabilities.
fn check_probabilities<T: Real>(place: &str, y: View<'_, T>, target: Targets<'_, T>) -> Result<()> {
    check(place, y, target)?;
    for (what, numbers) in [("predictions", y), ("targets", target.values())] {
        check_each(
            || format!("{what} of {place}"),
            numbers,
            OF_CLASSES,
            is_probability,
        )?;
    }
    Ok(())
}

/// The average of −Σⱼ tⱼ ln yⱼ, of one row −t ln y − (1−t) ln(1−y): predictions are probabilities,
/// as a network gives them after [`Loss::output_function`](crate::nn::loss::Loss::output_function),
/// and targets classes or probabilities of them. Probabilities need not sum to 1. As in
/// scikit-learn, they are first brought into [ε, 1 − ε], with ε the epsilon of `T`, so that one
/// certain mistake does not cost ∞.
///
/// # Errors
/// As [`accuracy`]; [`ErrorKind::Value`] for predictions or targets outside [0, 1].
///
/// ```
/// use chainrule::{metrics, one_hot};
/// use chainrule::nalgebra::DMatrix;
/// let y = DMatrix::from_column_slice(2, 4, &[0.1, 0.9, 0.9, 0.1, 0.8, 0.2, 0.35, 0.65]);
/// let t = one_hot(&[1, 0, 0, 1], 2)?;
/// let loss: f64 = metrics::log_loss(&y, &t)?;
/// assert!((loss - 0.216_16).abs() < 1e-5);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("cross_entropy"))]
pub fn log_loss<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    check_probabilities("metrics::log_loss", y, target)?;
    let eps = T::default_epsilon().as_f64();
    // Where t is 0, nothing is added.
    let term = |t: f64, y: f64| {
        if t == 0.0 {
            0.0
        } else {
            -t * libm::log(y.clamp(eps, 1.0 - eps))
        }
    };
    let cost = |(y, t): (&[T], &[T])| match (y, t) {
        ([y], [t]) => term(t.as_f64(), y.as_f64()) + term(1.0 - t.as_f64(), 1.0 - y.as_f64()),
        _ => y
            .iter()
            .zip(t)
            .map(|(y, t)| term(t.as_f64(), y.as_f64()))
            .sum(),
    };
    Ok(average(
        target,
        y.iter().zip(target.values().iter()).map(cost),
    ))
}

/// The mean squared error of probabilities (Brier 1950): the average of (y − t)² of a single row,
/// and of Σⱼ (yⱼ − tⱼ)² of several. As in scikit-learn, two rows count half, so that two classes
/// have the same score however they are written. Like [`log_loss`] it is least for the true
/// probabilities, but a certain mistake costs no more than 1, of several classes 2.
///
/// # Errors
/// As [`accuracy`]; [`ErrorKind::Value`] for predictions or targets outside [0, 1].
///
/// ```
/// use chainrule::{metrics, View};
/// let (y, t) = ([0.1, 0.9, 0.8, 0.3], [0.0, 1.0, 1.0, 0.0]);
/// let score = metrics::brier_score(View::new(&y, 1)?, View::new(&t, 1)?)?;
/// assert!((score - 0.0375).abs() < 1e-15);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("brier_score_loss"))]
pub fn brier_score<'y, 't, T: Real>(
    y: impl Into<View<'y, T>>,
    target: impl Into<Targets<'t, T>>,
) -> Result<f64> {
    let (y, target) = (y.into(), target.into());
    check_probabilities("metrics::brier_score", y, target)?;
    let share = if y.rows() == 2 { 0.5 } else { 1.0 };
    let error = |(y, t): (&[T], &[T])| {
        let squares = y.iter().zip(t).map(|(y, t)| {
            let error = y.as_f64() - t.as_f64();
            error * error
        });
        share * squares.sum::<f64>()
    };
    Ok(average(
        target,
        y.iter().zip(target.values().iter()).map(error),
    ))
}
