//! The gradient of several mini-batches.

use crate::nn::layer::Role;
use crate::nn::layout::Layout;
use crate::nn::loss::Reduction;
use crate::nn::tape::Tape;
use crate::numeric::kernel::workers::copy;
use crate::numeric::mean::{add, approach};
use crate::numeric::real::Real;
use alloc::vec::Vec;
use core::iter::once;

/// What is known of mini-batches whose gradient is on the tape.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) cost: f64,
    /// What the cost is multiplied by to give the sum over the samples.
    pub(super) count: f64,
    pub(super) samples: usize,
}

/// The gradient and the cost of mini-batches together, as if they were one.
pub(super) struct Accumulated<T> {
    grads: Vec<T>,
    whole: Option<Part>,
}

impl<T: Real> Accumulated<T> {
    pub(super) fn new() -> Self {
        Self {
            grads: Vec::new(),
            whole: None,
        }
    }

    /// Begins with no mini-batch.
    pub(super) fn clear(&mut self) {
        self.whole = None;
    }

    /// Adds a mini-batch, whose gradient is on the tape.
    pub(super) fn add(
        &mut self,
        part: Part,
        reduction: Reduction,
        layout: &Layout,
        tape: &Tape<T>,
    ) {
        let (grads, workers) = (tape.grads(), tape.workers());
        let Some(whole) = &mut self.whole else {
            self.whole = Some(part);
            return copy(&mut self.grads, grads, workers);
        };
        whole.samples += part.samples;
        let share = if reduction == Reduction::Sum {
            whole.cost += part.cost;
            None
        } else {
            whole.count += part.count;
            // Where nothing counts yet, all gradients are 0.
            let counts = whole.count != 0.0;
            let share = if counts {
                part.count / whole.count
            } else {
                0.0
            };
            whole.cost += share * (part.cost - whole.cost);
            Some(share)
        };
        let samples = part.samples as f64 / whole.samples as f64;
        let statistics = layout
            .blocks()
            .filter(|placed| placed.block.role == Role::Statistic);
        let mut start = 0;
        for statistic in statistics
            .map(|placed| placed.range)
            .chain(once(grads.len()..grads.len()))
        {
            let others = start..statistic.start;
            start = statistic.end;
            let (sums, x) = (&mut self.grads[others.clone()], &grads[others]);
            match share {
                None => add(workers, sums, x),
                Some(share) => approach(workers, sums, x, share),
            }
            // What batches say of the data is a mean, whatever the reduction.
            let means = &mut self.grads[statistic.clone()];
            approach(workers, means, &grads[statistic], samples);
        }
    }

    /// Puts the gradient of all mini-batches on the tape; `None` if there was none.
    pub(super) fn put(&self, tape: &mut Tape<T>) -> Option<Part> {
        let whole = self.whole?;
        tape.grads_mut().copy_from_slice(&self.grads);
        Some(whole)
    }
}
