//! The gradient of several mini-batches.

use crate::data::Batch;
use crate::nn::layer::Role;
use crate::nn::layout::Layout;
use crate::nn::loss::Reduction;
use crate::nn::tape::Tape;
use crate::numeric::kernel::workers::copy;
use crate::numeric::mean::{add, approach};
use crate::numeric::real::Real;
use alloc::vec::Vec;

/// The gradient and the cost of mini-batches together, as if they were one.
pub(super) struct Accumulated<T> {
    grads: Vec<T>,
    pub(super) batches: usize,
    pub(super) samples: usize,
    /// What the cost is multiplied by to give the sum over the samples.
    pub(super) count: f64,
    pub(super) cost: f64,
}

impl<T: Real> Accumulated<T> {
    pub(super) fn new() -> Self {
        Self {
            grads: Vec::new(),
            batches: 0,
            samples: 0,
            count: 0.0,
            cost: 0.0,
        }
    }

    /// Begins with no mini-batch.
    pub(super) fn clear(&mut self) {
        *self = Self {
            grads: core::mem::take(&mut self.grads),
            ..Self::new()
        };
    }

    /// Adds a mini-batch, whose gradient is on the tape.
    pub(super) fn add(
        &mut self,
        batch: Batch<'_, T>,
        cost: f64,
        reduction: Reduction,
        layout: &Layout,
        tape: &Tape<T>,
    ) {
        let (grads, workers) = (tape.grads(), tape.workers());
        let count = reduction.count(batch.len(), batch.target.weights());
        self.batches += 1;
        self.samples += batch.len();
        if self.batches == 1 {
            (self.count, self.cost) = (count, cost);
            return copy(&mut self.grads, grads, workers);
        }
        if reduction == Reduction::Sum {
            self.cost += cost;
        } else {
            self.count += count;
        }
        let share = count / self.count;
        // Where nothing counts yet, all gradients are 0.
        let share = if share.is_nan() { 0.0 } else { share };
        if reduction != Reduction::Sum {
            self.cost += share * (cost - self.cost);
        }
        let samples = batch.len() as f64 / self.samples as f64;
        let statistics = layout
            .blocks()
            .filter(|placed| placed.block.role == Role::Statistic);
        let mut start = 0;
        let end = core::iter::once(grads.len()..grads.len());
        for statistic in statistics.map(|placed| placed.range).chain(end) {
            let others = start..statistic.start;
            let sums = &mut self.grads[others.clone()];
            if reduction == Reduction::Sum {
                add(workers, sums, &grads[others]);
            } else {
                approach(workers, sums, &grads[others], share);
            }
            // What a batch says of the data is a mean, whatever the reduction.
            start = statistic.end;
            let means = &mut self.grads[statistic.clone()];
            approach(workers, means, &grads[statistic], samples);
        }
    }

    /// Puts the gradient of all mini-batches on the tape.
    pub(super) fn put(&self, tape: &mut Tape<T>) {
        tape.grads_mut().copy_from_slice(&self.grads);
    }
}
