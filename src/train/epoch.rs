//! What is known of an epoch.

use super::evaluate::value;
use alloc::{string::String, vec::Vec};

/// What is known at the end of an epoch.
///
/// Two are equal when all but their [`seconds`](Self::seconds) are: time is no result.
#[derive(Clone, Debug)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Epoch {
    /// The number of the epoch, counted from 0 over the trainer's life.
    pub epoch: usize,
    /// The cost on the training data as training saw it: that of each mini-batch before its step,
    /// averaged over the samples (summed for a loss that sums). The average of the penalty is in it
    /// where there is one.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    pub cost: f64,
    /// The cost on the validation data after the epoch, without the penalty; `None` without
    /// validation data.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    pub validation_cost: Option<f64>,
    /// The metrics by name, after the epoch, on the validation data, or without it on the training
    /// data.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    pub metrics: Vec<(String, f64)>,
    /// The learning rate of the last step.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    pub learning_rate: f64,
    /// ‖∂C/∂w‖₂ of the last mini-batch by all parameters but running statistics, with the
    /// penalty's, before it was clipped.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    pub gradient_norm: f64,
    /// How long the epoch took, with its validation; `None` without a clock: without the
    /// feature `std`, and on `wasm32-unknown-unknown`.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    pub seconds: Option<f64>,
}

impl PartialEq for Epoch {
    fn eq(&self, other: &Self) -> bool {
        let parts = |e: &Self| {
            (
                e.epoch,
                e.cost,
                e.validation_cost,
                e.learning_rate,
                e.gradient_norm,
            )
        };
        parts(self) == parts(other) && self.metrics == other.metrics
    }
}

impl Epoch {
    /// The metric of that name; `None` where it was not asked for.
    pub fn metric(&self, name: &str) -> Option<f64> {
        value(&self.metrics, name)
    }
}
