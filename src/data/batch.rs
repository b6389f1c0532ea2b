//! Some samples.

use crate::numeric::view::{Targets, View};

/// Samples and their targets, borrowed: those of a step, as
/// [`EpochBatches::next_batch`](super::EpochBatches::next_batch) gives them, or a whole
/// [`&Dataset`](super::Dataset).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Batch<'a, T> {
    /// The inputs, features × batch.
    pub x: View<'a, T>,
    /// What the outputs should be, outputs × batch, with the weights of the samples where the data
    /// set has weights.
    pub target: Targets<'a, T>,
}

impl<T> Batch<'_, T> {
    /// The number of samples.
    pub(crate) fn len(&self) -> usize {
        self.x.cols()
    }
}
