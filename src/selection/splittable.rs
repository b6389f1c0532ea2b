//! What can be cut into rows.

use crate::data::Dataset;
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::real::Real;
use alloc::vec::Vec;

mod sealed {
    pub trait Sealed {}
}

/// What [`Folds`](super::Folds) cut: data with a row (a sample) for each case, of which some are
/// trained on and the others held out. A trait of this crate's own types alone.
pub trait Splittable: Sized + Sync + sealed::Sealed {
    /// The rows that are held out, on which a trained network is judged.
    type HeldOut;

    #[doc(hidden)]
    fn samples(&self) -> usize;

    /// The class of each row, by the column of that name; every class that there is must have
    /// `least` rows.
    #[doc(hidden)]
    fn strata(&self, place: &str, column: Option<&str>, least: usize) -> Result<Vec<usize>>;

    /// The rows at `indices`, which are sound, to be trained on.
    #[doc(hidden)]
    fn part(&self, indices: &[usize]) -> Self;

    /// The rows at `indices`, which are sound, to be held out.
    #[doc(hidden)]
    fn held_out(&self, indices: &[usize]) -> Self::HeldOut;
}

impl<T: Real> sealed::Sealed for Dataset<T> {}

/// Classes are those of the targets.
impl<T: Real> Splittable for Dataset<T> {
    type HeldOut = Self;

    fn samples(&self) -> usize {
        self.len()
    }

    fn strata(&self, place: &str, column: Option<&str>, least: usize) -> Result<Vec<usize>> {
        match column {
            None => Self::strata(self, place, least),
            Some(column) => Err(Error::new(
                ErrorKind::Incompatible,
                place,
                "no name: the classes of a Dataset are its targets (Folds::stratified)",
                column,
            )),
        }
    }

    fn part(&self, indices: &[usize]) -> Self {
        self.pick(indices)
    }

    fn held_out(&self, indices: &[usize]) -> Self {
        self.pick(indices)
    }
}
