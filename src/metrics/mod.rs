//! How good predictions are, in units that people read.
//!
//! A metric takes predictions and [`Targets`], which may carry weights: averages are then Σwᵢ·mᵢ /
//! Σwᵢ, and counts are sums of weights, as with scikit-learn's `sample_weight`. All numbers are
//! added in `f64`, sample after sample, and squares of numbers of any size neither overflow nor
//! vanish. [`roc_curve`], [`precision_recall_curve`] and [`calibration_curve`] return the points of
//! a curve, and thresholds to choose from. A function of predictions and targets alone can be given
//! to [`Trainer::metric`](crate::Trainer::metric) by name, one with a setting in a closure:
//!
//! ```
//! use chainrule::prelude::*;
//! use chainrule::metrics::Average;
//!
//! let trainer: Trainer<f64> = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
//!     .metric("accuracy", |y, t| metrics::accuracy(y, t))
//!     .metric("F1", |y, t| metrics::f1(y, t, Average::Macro));
//! ```

/// The list of a file: its metrics of predictions and targets alone.
macro_rules! metrics {
    ($($name:ident),+ $(,)?) => {
        pub(super) fn every<T: Real>() -> alloc::vec::Vec<(&'static str, super::Metric<T>)> {
            alloc::vec![$((stringify!($name), (|y, t| $name(y, t)) as super::Metric<T>),)+]
        }
    };
}

mod classification;
mod confusion;
mod curves;
mod labels;
mod regression;
mod rows;

pub use classification::*;
pub use confusion::{Average, ConfusionMatrix};
pub use curves::*;
#[cfg(feature = "plot")]
pub(crate) use labels::{PROBABILITY, is_probability};
pub use regression::*;
pub use rows::of_rows;

use crate::error::{Error, ErrorKind, Result};
use crate::nn::loss::check_pair;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View};
use alloc::vec::Vec;

/// A metric of predictions and targets alone.
type Metric<T> = fn(View<'_, T>, Targets<'_, T>) -> Result<f64>;

/// Every metric without a setting, by name: what tests go through.
#[doc(hidden)]
pub fn every_metric<T: Real>() -> Vec<(&'static str, Metric<T>)> {
    [
        classification::every(),
        curves::every(),
        regression::every(),
    ]
    .concat()
}

/// The weight of each sample, 1 without weights.
fn weights<T: Real>(target: Targets<'_, T>) -> impl Iterator<Item = f64> + Clone {
    (0..target.values().cols()).map(move |sample| {
        target
            .weights()
            .map_or(1.0, |weights| weights[sample].as_f64())
    })
}

/// Σwᵢ·mᵢ / Σwᵢ, first to last.
fn average<T: Real>(target: Targets<'_, T>, measures: impl Iterator<Item = f64>) -> f64 {
    let (sum, total) = weights(target)
        .zip(measures)
        .fold((0.0, 0.0), |(sum, total), (w, m)| (sum + w * m, total + w));
    sum / total
}

/// Predictions and targets must have the same shape, and a sample must count.
fn check<T: Real>(place: &str, y: View<'_, T>, target: Targets<'_, T>) -> Result<()> {
    check_pair(place, y, target.values())?;
    if weights(target).any(|w| w > 0.0) {
        return Ok(());
    }
    // Of a whole data set that cannot be, of a part of it it can.
    Err(Error::new(
        ErrorKind::Value,
        place,
        "at least 1 weight above 0",
        "none",
    ))
}
