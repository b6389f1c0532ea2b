//! What a training run leaves behind.

use alloc::{string::String, vec::Vec};

/// What is known at the end of an epoch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Epoch {
    /// The number of the epoch, counted from 0 over the trainer's life.
    pub epoch: usize,
    /// The cost on the training data as training saw it: of each mini-batch before its step, averaged over the samples
    /// (summed for a loss that sums).
    pub cost: f64,
    /// The cost on the validation data after the epoch; `None` without validation data.
    pub validation: Option<f64>,
    /// The metrics by name, after the epoch, on the validation data, or without it on the training data.
    pub metrics: Vec<(String, f64)>,
}

impl Epoch {
    /// The metric of that name; `None` where it was not asked for.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

/// The epochs of a training run.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct History {
    /// The epochs, first to last.
    pub epochs: Vec<Epoch>,
    /// Whether the callback ended the run before the number of epochs asked for.
    pub stopped: bool,
}

impl History {
    /// The last epoch; `None` of a run of none.
    pub fn last(&self) -> Option<&Epoch> {
        self.epochs.last()
    }

    /// The training costs, epoch by epoch.
    pub fn costs(&self) -> impl Iterator<Item = f64> + '_ {
        self.epochs.iter().map(|epoch| epoch.cost)
    }

    /// The validation costs, epoch by epoch; nothing without validation data.
    pub fn validations(&self) -> impl Iterator<Item = f64> + '_ {
        self.epochs.iter().filter_map(|epoch| epoch.validation)
    }
}
