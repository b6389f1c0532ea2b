//! How good predictions are, in units that people read.

use crate::error::{Error, ErrorKind, Result};
use crate::loss::check_pair;
use crate::real::{Real, is_nan};
use crate::view::{View, shape};
use alloc::{format, string::ToString, vec, vec::Vec};
use core::fmt;

/// The class of each sample: the row of the largest number, the first where there are several; of a single row, 1 from
/// ½ on and 0 below.
///
/// # Errors
/// [`ErrorKind::Empty`] without a sample or a row, [`ErrorKind::NotFinite`] for NaN.
///
/// ```
/// use chainrule::{metrics, nalgebra::DMatrix};
/// let y = DMatrix::from_column_slice(3, 2, &[0.1, 0.7, 0.2, 0.5, 0.3, 0.2]);
/// assert_eq!(metrics::classes(&y)?, [1, 0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn classes<'y, T: Real>(y: impl Into<View<'y, T>>) -> Result<Vec<usize>> {
    classes_from(y.into(), 0.5)
}

/// [`classes`], where a single row means 1 from `threshold` on.
fn classes_from<T: Real>(y: View<'_, T>, threshold: f64) -> Result<Vec<usize>> {
    if y.rows() == 0 || y.cols() == 0 {
        let given = shape(y.shape());
        return Err(Error::new(ErrorKind::Empty, "metrics::classes", "at least 1 row and 1 column (sample)", given));
    }
    let mut classes = Vec::with_capacity(y.cols());
    for (sample, column) in y.iter().enumerate() {
        if let Some(row) = column.iter().position(|v| is_nan(*v)) {
            let place = format!("metrics::classes, row {row}, column {sample}");
            return Err(Error::new(ErrorKind::NotFinite, place, "a number", "NaN"));
        }
        classes.push(match column {
            [single] => usize::from(*single >= T::of(threshold)),
            _ => (1..column.len()).fold(0, |best, row| if column[row] > column[best] { row } else { best }),
        });
    }
    Ok(classes)
}

/// The fraction of samples whose [class](classes) is that of their target. Predictions are probabilities or scores of
/// classes, one row each, or one row of probabilities; targets likewise. For one row of margins with targets −1 and 1
/// take [`margin_accuracy`].
///
/// # Errors
/// As [`classes`]; [`ErrorKind::Shape`] when the shapes differ.
///
/// ```
/// use chainrule::{metrics, nalgebra::DMatrix};
/// let y = DMatrix::from_column_slice(2, 2, &[0.9, 0.1, 0.8, 0.2]);
/// let t = DMatrix::from_column_slice(2, 2, &[1.0, 0.0, 0.0, 1.0]);
/// assert_eq!(metrics::accuracy((&y).into(), (&t).into())?, 0.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn accuracy<T: Real>(y: View<'_, T>, target: View<'_, T>) -> Result<f64> {
    accuracy_from("metrics::accuracy", y, target, 0.5)
}

/// As [`accuracy`], for margins: a single row means its class from 0 on, as with [`Hinge`](crate::Hinge).
///
/// # Errors
/// As [`accuracy`].
///
/// ```
/// use chainrule::{View, metrics};
/// let (y, t) = ([0.3, -2.0, 0.1], [1.0, -1.0, -1.0]);
/// assert_eq!(metrics::margin_accuracy(View::new(&y, 1)?, View::new(&t, 1)?)?, 2.0 / 3.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn margin_accuracy<T: Real>(y: View<'_, T>, target: View<'_, T>) -> Result<f64> {
    accuracy_from("metrics::margin_accuracy", y, target, 0.0)
}

fn accuracy_from<T: Real>(place: &str, y: View<'_, T>, target: View<'_, T>, threshold: f64) -> Result<f64> {
    check_pair(place, y, target)?;
    let predicted = classes_from(y, threshold).map_err(|error| error.within("predictions"))?;
    let actual = classes_from(target, threshold).map_err(|error| error.within("targets"))?;
    let right = predicted.iter().zip(&actual).filter(|(p, a)| p == a).count();
    Ok(right as f64 / actual.len() as f64)
}

/// How often samples of one class are taken for another: rows are actual classes, columns predicted ones.
///
/// ```
/// use chainrule::metrics::ConfusionMatrix;
/// let matrix = ConfusionMatrix::new(&[0, 1, 1, 0], &[0, 1, 0, 0], 2)?; // predicted, actual
/// assert_eq!(matrix.count(0, 1), 1); // a 0 taken for a 1
/// assert_eq!(matrix.accuracy(), 0.75);
/// println!("{matrix}");
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    /// Row after row.
    counts: Vec<usize>,
}

impl ConfusionMatrix {
    /// Counts pairs of predicted and actual labels, each below `classes`.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a sample, [`ErrorKind::Shape`] when the lengths differ, [`ErrorKind::Value`] for a
    /// label beyond the classes or more than 8192 classes.
    pub fn new(predicted: &[usize], actual: &[usize], classes: usize) -> Result<Self> {
        if actual.is_empty() {
            return Err(Error::new(ErrorKind::Empty, "ConfusionMatrix::new", "at least 1 sample", 0));
        }
        if predicted.len() != actual.len() {
            return Err(Error::new(ErrorKind::Shape, "predicted labels of ConfusionMatrix", actual.len().to_string(), predicted.len()));
        }
        let label = |name: &str, labels: &[usize], sample: usize| match labels[sample] {
            label if label < classes => Ok(label),
            label => Err(Error::new(
                ErrorKind::Value,
                format!("{name} label {sample} of ConfusionMatrix"),
                format!("a class below {classes}"),
                label,
            )),
        };
        // Checked before the table is made, so that a wild number of classes costs nothing.
        let pairs = (0..actual.len())
            .map(|sample| Ok((label("actual", actual, sample)?, label("predicted", predicted, sample)?)))
            .collect::<Result<Vec<_>>>()?;
        let cells = classes.checked_mul(classes).filter(|cells| *cells <= 1 << 26);
        let Some(cells) = cells else {
            return Err(Error::new(ErrorKind::Value, "classes of ConfusionMatrix", "at most 8192", classes));
        };
        let mut counts = vec![0; cells];
        for (actual, predicted) in pairs {
            counts[actual * classes + predicted] += 1;
        }
        Ok(Self { classes, counts })
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many samples of class `actual` were taken for `predicted`; 0 for a class that there is not.
    pub fn count(&self, actual: usize, predicted: usize) -> usize {
        if actual < self.classes && predicted < self.classes { self.counts[actual * self.classes + predicted] } else { 0 }
    }

    /// The fraction on the diagonal.
    pub fn accuracy(&self) -> f64 {
        let right: usize = (0..self.classes).map(|class| self.count(class, class)).sum();
        right as f64 / self.counts.iter().sum::<usize>() as f64
    }
}

/// A table with the actual classes as rows and the predicted ones as columns; zeros are dots.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = self.counts.iter().max().unwrap_or(&0);
        let width = largest.to_string().len().max(self.classes.saturating_sub(1).to_string().len());
        write!(f, "actual \\ predicted")?;
        for predicted in 0..self.classes {
            write!(f, " {predicted:>width$}")?;
        }
        for actual in 0..self.classes {
            write!(f, "\n{actual:>18}")?;
            for predicted in 0..self.classes {
                match self.count(actual, predicted) {
                    0 => write!(f, " {:>width$}", "·")?,
                    count => write!(f, " {count:>width$}")?,
                }
            }
        }
        Ok(())
    }
}
