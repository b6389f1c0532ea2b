//! Class labels as targets.

use crate::error::{Error, ErrorKind, Result};
use crate::real::{Real, zeros};
use alloc::format;
use nalgebra::DMatrix;

/// Class labels 0..classes as columns that are 1 at the label and 0 elsewhere, classes × samples.
///
/// # Errors
/// [`ErrorKind::Empty`] without a label or a class, [`ErrorKind::Value`] for a label that is not below `classes`.
///
/// ```
/// use chainrule::{one_hot, nalgebra::DMatrix};
/// let targets: DMatrix<f64> = one_hot(&[2, 0], 3)?;
/// assert_eq!(targets.as_slice(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn one_hot<T: Real>(labels: &[usize], classes: usize) -> Result<DMatrix<T>> {
    if labels.is_empty() || classes == 0 {
        let given = format!("{} and {classes}", labels.len());
        return Err(Error::new(ErrorKind::Empty, "one_hot", "at least 1 label and 1 class", given));
    }
    if let Some((sample, label)) = labels.iter().enumerate().find(|(_, label)| **label >= classes) {
        return Err(Error::new(ErrorKind::Value, format!("label {sample} of one_hot"), format!("a class below {classes}"), label));
    }
    let mut targets = zeros("one_hot", &[classes, labels.len()])?;
    for (column, label) in targets.chunks_exact_mut(classes).zip(labels) {
        column[*label] = T::one();
    }
    Ok(DMatrix::from_vec(classes, labels.len(), targets))
}
