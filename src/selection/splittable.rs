//! What can be cut into rows.

use crate::data::parts::{check_counts, count};
use crate::data::{Dataset, HeldOut, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::real::Real;
use alloc::vec::Vec;

mod sealed {
    pub trait Sealed {}
}

/// What [`Folds`](super::Folds) cut: data with a row (a sample) for each case, of which some are
/// trained on and the others held out. It is for this crate's own types alone: of a
/// [`Dataset`](crate::Dataset) both parts are data sets; of a [`Table`] the second is [`HeldOut`],
/// from which nothing can be learned.
pub trait Splittable: Sized + Sync + sealed::Sealed {
    /// The rows that are held out, on which a trained network is judged.
    type HeldOut;

    #[doc(hidden)]
    fn samples(&self) -> usize;

    /// The class of each row, by the column of that name; every class that there is must have
    /// `least` rows.
    #[doc(hidden)]
    fn strata(&self, place: &str, column: Option<&str>, least: usize) -> Result<Vec<usize>>;

    /// The rows of each part, whose numbers are sound.
    #[doc(hidden)]
    fn parts(&self, parts: (Vec<usize>, Vec<usize>)) -> (Self, Self::HeldOut);
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

    fn parts(&self, (train, validation): (Vec<usize>, Vec<usize>)) -> (Self, Self) {
        (self.pick(&train), self.pick(&validation))
    }
}

impl sealed::Sealed for Table {}

/// Classes are the words of a column or its numbers; holes are a class of their own.
impl Splittable for Table {
    type HeldOut = HeldOut;

    fn samples(&self) -> usize {
        self.len()
    }

    fn strata(&self, place: &str, column: Option<&str>, least: usize) -> Result<Vec<usize>> {
        let Some(column) = column else {
            let expected = "the column of the classes (Folds::stratified_by)";
            return Err(Error::new(
                ErrorKind::Incompatible,
                place,
                expected,
                "a table",
            ));
        };
        let (labels, names) = self.values(place, column)?.classes();
        let name = |class: usize| names.get(class).cloned().unwrap_or_default();
        check_counts(place, &count(&labels), name, least)?;
        Ok(labels)
    }

    fn parts(&self, parts: (Vec<usize>, Vec<usize>)) -> (Self, HeldOut) {
        Self::parts(self, parts)
    }
}
