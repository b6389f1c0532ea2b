//! From numbers to classes: what predictions and targets say of each sample.

use super::check;
use crate::data::class_of;
use crate::error::Result;
use crate::numeric::real::{Real, is_nan};
use crate::numeric::view::{Targets, View, check_each};
use alloc::{format, vec::Vec};

/// What is expected of a single row, and where else to go with it.
pub(crate) const PROBABILITY: &str = "a probability in [0, 1] (of logits, Model::predict or the \
    loss's output_function makes them; for margins take metrics::margin_accuracy, margin_classes \
    or ConfusionMatrix::of_margins)";

/// What is expected of probabilities, and where they come from.
pub(super) const OF_CLASSES: &str =
    "a probability in [0, 1] (of logits, Model::predict or the loss's output_function makes them)";

/// What the numbers of a single row say of class 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Row {
    /// Its probability, from ½ on.
    Probability,
    /// Its margin, from 0 on.
    Margin,
}

impl Row {
    /// The class of each sample of `y`.
    pub(super) fn classes<T: Real>(self, place: &str, y: View<'_, T>) -> Result<Vec<usize>> {
        check_each(|| place.into(), y, "a number", |v| !is_nan(v))?;
        if self == Self::Probability && y.rows() == 1 {
            check_each(|| place.into(), y, PROBABILITY, is_probability)?;
        }
        let threshold = T::of(if self == Self::Probability { 0.5 } else { 0.0 });
        Ok(y.iter().map(|column| class_of(column, threshold)).collect())
    }
}

/// Whether a number is in [0, 1].
pub(crate) fn is_probability<T: Real>(v: T) -> bool {
    v >= T::zero() && v <= T::one()
}

/// The classes of the predictions, and those of the targets.
pub(super) fn both_classes<T: Real>(
    place: &str,
    y: View<'_, T>,
    target: Targets<'_, T>,
    row: Row,
) -> Result<(Vec<usize>, Vec<usize>)> {
    check(place, y, target)?;
    let predicted = row.classes(&format!("predictions of {place}"), y)?;
    let actual = row.classes(&format!("targets of {place}"), target.values())?;
    Ok((predicted, actual))
}
