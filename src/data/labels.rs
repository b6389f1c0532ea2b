//! Class labels as targets.

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, zeros};
use crate::numeric::view::Targets;
use alloc::{format, string::ToString, vec::Vec};
use nalgebra::DMatrix;

/// Class labels 0..classes as columns that are 1 at the label and 0 elsewhere, classes × samples.
///
/// # Errors
/// [`ErrorKind::Empty`] without a label or a class, [`ErrorKind::Value`] for a label that is not
/// below `classes`.
///
/// ```
/// use chainrule::one_hot;
/// use chainrule::nalgebra::DMatrix;
/// let targets: DMatrix<f64> = one_hot(&[2, 0], 3)?;
/// assert_eq!(targets.as_slice(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("OneHotEncoder", "to_categorical", "ind2vec", "get_dummies"))]
pub fn one_hot<T: Real>(labels: &[usize], classes: usize) -> Result<DMatrix<T>> {
    columns(labels, classes, None)
}

/// [`one_hot`] of labels of which some say that the class is not known: targets, and weights for
/// [`Dataset::weighted`](crate::Dataset::weighted). A sample whose label is `ignore`, any number,
/// has the weight 0 and a column of zeros; the others weigh 1.
///
/// With [`Reduction::WeightedMean`] an ignored sample is not counted in an average, as with
/// PyTorch's `ignore_index`. Metrics do not count it either.
///
/// # Errors
/// As [`one_hot`], for labels that are not `ignore`.
///
/// [`Reduction::WeightedMean`]: crate::nn::loss::Reduction::WeightedMean
///
/// ```
/// use chainrule::data::one_hot_ignoring;
/// use chainrule::nalgebra::DMatrix;
/// use chainrule::nn::loss::{Loss, Reduced, Reduction};
/// use chainrule::numeric::Targets;
/// use chainrule::SoftmaxCrossEntropy;
/// let (targets, weights) = one_hot_ignoring::<f64>(&[1, 255, 0], 2, 255)?;
/// assert_eq!(targets.as_slice(), [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
/// assert_eq!(weights, [1.0, 0.0, 1.0]);
///
/// let scores = DMatrix::zeros(2, 3);
/// let loss = Reduced::new(SoftmaxCrossEntropy::new(), Reduction::WeightedMean);
/// let cost = loss.value((&scores).into(), Targets::weighted(&targets, &weights)?)?;
/// assert_eq!(cost, 2.0_f64.ln()); // of both that count
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("ignore_index", "ignore_class"))]
pub fn one_hot_ignoring<T: Real>(
    labels: &[usize],
    classes: usize,
    ignore: usize,
) -> Result<(DMatrix<T>, Vec<T>)> {
    let targets = columns(labels, classes, Some(ignore))?;
    let weight = |label: &usize| {
        if *label == ignore {
            T::zero()
        } else {
            T::one()
        }
    };
    Ok((targets, labels.iter().map(weight).collect()))
}

/// A column for each label, of zeros for those to be ignored.
fn columns<T: Real>(labels: &[usize], classes: usize, ignore: Option<usize>) -> Result<DMatrix<T>> {
    compiled_here!(T: |labels: &[usize],
                       classes: usize,
                       ignore: Option<usize>| -> Result<DMatrix<T>> {
        if labels.is_empty() || classes == 0 {
            let given = format!("{} and {classes}", labels.len());
            return Err(Error::new(
                ErrorKind::Empty,
                "one_hot",
                "at least 1 label and 1 class",
                given,
            ));
        }
        if let Some((sample, label)) = labels
            .iter()
            .enumerate()
            .find(|(_, label)| **label >= classes && Some(**label) != ignore)
        {
            return Err(Error::new(
                ErrorKind::Value,
                format!("label {sample} of one_hot"),
                format!("a class below {classes} (they count from 0)"),
                label,
            ));
        }
        let mut targets = zeros("one_hot", &[classes, labels.len()])?;
        for (column, label) in targets.chunks_exact_mut(classes).zip(labels) {
            if Some(*label) != ignore {
                column[*label] = T::one();
            }
        }
        Ok(DMatrix::from_vec(classes, labels.len(), targets))
    })(labels, classes, ignore)
}

/// The class of a sample: the row of the largest number, the first where there are several; of a
/// single row, 1 from `threshold` on and 0 below.
pub(crate) fn class_of<T: Real>(column: &[T], threshold: T) -> usize {
    match column {
        [single] => usize::from(*single >= threshold),
        _ => (1..column.len()).fold(0, |best, row| {
            if column[row] > column[best] {
                row
            } else {
                best
            }
        }),
    }
}

/// The labels of targets that are classes, and the number of classes: of columns with one 1, the
/// others 0 or −1, or of a single row of such numbers. The label of an
/// [ignored](one_hot_ignoring) sample is the number of classes.
pub(super) fn labels<T: Real>(place: &str, targets: Targets<'_, T>) -> Result<(Vec<usize>, usize)> {
    let (targets, weights) = (targets.values(), targets.weights());
    let classes = targets.rows().max(2);
    let mut labels = Vec::with_capacity(targets.cols());
    for (sample, column) in targets.iter().enumerate() {
        let uncounted = weights.is_some_and(|weights| weights[sample] == T::zero());
        if uncounted && column.len() > 1 && column.iter().all(|t| *t == T::zero()) {
            labels.push(classes);
            continue;
        }
        let ones = column.iter().filter(|t| **t == T::one()).count();
        let others = column
            .iter()
            .filter(|t| **t == T::zero() || **t == -T::one())
            .count();
        if ones + others != column.len() || ones > 1 || (ones == 0 && column.len() > 1) {
            let expected = "a class: a 1 among 0 or −1, or of a single row 0 or 1 (−1 or 1)";
            let given = column
                .iter()
                .take(10)
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            return Err(Error::new(
                ErrorKind::Value,
                format!("targets of {place}, column {sample}"),
                expected,
                given,
            ));
        }
        labels.push(class_of(column, T::of(0.5)));
    }
    Ok((labels, classes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use alloc::vec;

    fn known() -> Result<Dataset<f64>> {
        let (targets, weights) = one_hot_ignoring(&[0, 7, 1, 0, 0, 7, 1, 0], 3, 7)?;
        Dataset::new(DMatrix::zeros(1, 8), targets)?.weighted(weights)
    }

    #[test]
    fn ignored_samples_stay_so() -> Result<()> {
        let weights = known()?.class_weighted(&[2.0, 3.0, 5.0])?;
        let want = [2.0, 0.0, 3.0, 2.0, 2.0, 0.0, 3.0, 2.0];
        assert_eq!(weights.weights(), Some(&want[..]));
        let balanced = weights.balanced()?;
        let want = [0.75, 0.0, 1.5, 0.75, 0.75, 0.0, 1.5, 0.75];
        assert_eq!(balanced.weights(), Some(&want[..]));
        let (one, other) = balanced.stratified_split(0.5, 1)?;
        for part in [one, other] {
            let ignored = |weights: &[f64]| weights.iter().filter(|w| **w == 0.0).count();
            assert_eq!(part.weights().map(ignored), Some(1));
            assert_eq!(part.targets().row(1).sum(), 1.0);
        }
        Ok(())
    }

    /// A column without a class is a mistake where it is not ignored.
    #[test]
    fn unknown_classes() -> Result<()> {
        let counted = known()?.weighted(vec![1.0; 8])?;
        let error = counted.balanced().expect_err("no class");
        let place = "targets of Dataset::balanced, column 1";
        assert_eq!(error.place(), place);
        let error = one_hot_ignoring::<f64>(&[0, 3, 7], 3, 7).expect_err("3 is no class");
        assert_eq!(error.place(), "label 1 of one_hot");
        // A label that is a class can be ignored, too.
        let (targets, weights) = one_hot_ignoring::<f64>(&[0, 1, 2], 3, 1)?;
        assert_eq!(targets.column(1).sum(), 0.0);
        assert_eq!(weights, [1.0, 0.0, 1.0]);
        Ok(())
    }
}
