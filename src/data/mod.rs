//! Data sets, mini-batches, and what is done to data before training.

mod batches;
mod dataset;
mod labels;
mod scaler;

pub use batches::{Batches, EpochBatches};
pub use dataset::Dataset;
pub use labels::one_hot;
pub use scaler::Scaler;

use crate::error::{Error, ErrorKind, Result};
use crate::real::Real;
use crate::view::{View, shape};
use alloc::format;

/// There must be a sample and a feature, and every number must be finite.
fn check_finite<T: Real>(place: &str, x: View<'_, T>) -> Result<()> {
    if x.rows() == 0 || x.cols() == 0 {
        let given = shape(x.shape());
        return Err(Error::new(ErrorKind::Empty, place, "at least 1 row and 1 column (sample)", given));
    }
    match x.as_slice().iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => {
            let place = format!("{place}, row {}, column {}", index % x.rows(), index / x.rows());
            Err(Error::new(ErrorKind::NotFinite, place, "a finite number", x.as_slice()[index]))
        }
    }
}
