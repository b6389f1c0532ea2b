//! Class labels as targets.

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, zeros};
use crate::numeric::view::View;
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
    compiled_here!(T: |labels: &[usize], classes: usize| -> Result<DMatrix<T>> {
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
            .find(|(_, label)| **label >= classes)
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
            column[*label] = T::one();
        }
        Ok(DMatrix::from_vec(classes, labels.len(), targets))
    })(labels, classes)
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
/// others 0 or −1, or of a single row of such numbers.
pub(super) fn labels<T: Real>(place: &str, targets: View<'_, T>) -> Result<(Vec<usize>, usize)> {
    let mut labels = Vec::with_capacity(targets.cols());
    for (sample, column) in targets.iter().enumerate() {
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
    Ok((labels, targets.rows().max(2)))
}
