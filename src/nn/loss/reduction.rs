//! How the costs of samples make the cost of a batch.

use crate::numeric::real::{Real, sum, sum_of};
use crate::numeric::view::ViewMut;

/// How the costs of the samples make the cost of a batch. [`Reduced`](super::Reduced) gives a loss
/// another one; [`Loss::sample_costs`](super::Loss::sample_costs) gives the costs as they are
/// (`reduction="none"`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("size_average", "sum_over_batch_size"))]
pub enum Reduction {
    /// Their average: C = 1/n Σᵢ wᵢCᵢ (Keras, whatever the weights wᵢ of the samples).
    Mean,
    /// Their sum: C = Σᵢ wᵢCᵢ.
    Sum,
    /// Their weighted average: C = Σᵢ wᵢCᵢ / Σᵢ wᵢ; 0 where all weights are 0. A sample of weight 0
    /// is not counted. PyTorch averages so over class numbers with `weight` or `ignore_index`,
    /// scikit-learn wherever there is a `sample_weight`, Keras by `mean_with_sample_weight`.
    /// Without weights it is `Mean`.
    #[doc(alias("mean_with_sample_weight", "ignore_index"))]
    WeightedMean,
}

impl Reduction {
    /// What the cost of so many samples is multiplied by to give the sum of their costs.
    pub(crate) fn count<T: Real>(self, samples: usize, weights: Option<&[T]>) -> f64 {
        match (self, weights) {
            (Self::Sum, _) => 1.0,
            (Self::WeightedMean, Some(weights)) => total(weights).as_f64(),
            (Self::Mean | Self::WeightedMean, _) => samples as f64,
        }
    }
}

fn total<T: Real>(weights: &[T]) -> T {
    sum_of(weights.len(), &mut weights.iter().copied())
}

/// Multiplies what belongs to each sample by its weight.
pub(super) fn weigh<T: Real>(numbers: &mut [T], weights: Option<&[T]>) {
    if let Some(weights) = weights {
        let each = numbers.len() / weights.len().max(1);
        for (numbers, weight) in numbers.chunks_exact_mut(each.max(1)).zip(weights) {
            for number in numbers {
                *number *= *weight;
            }
        }
    }
}

/// The cost of a batch from those of its samples, which become weighted.
pub(crate) fn reduce<T: Real>(reduction: Reduction, costs: &mut [T], weights: Option<&[T]>) -> T {
    weigh(costs, weights);
    let sum_of_costs = sum(costs.len(), costs.iter().copied());
    let n = match (reduction, weights) {
        (Reduction::Sum, _) => return sum_of_costs,
        (Reduction::WeightedMean, Some(weights)) => total(weights),
        (Reduction::Mean | Reduction::WeightedMean, _) => T::of(costs.len() as f64),
    };
    if n == T::zero() {
        n
    } else if sum_of_costs.is_finite() {
        sum_of_costs / n
    } else {
        // An average that is a number, though the sum is none.
        sum_of(costs.len(), &mut costs.iter().map(|cost| *cost / n))
    }
}

/// The derivative of [`reduce`].
#[inline(always)]
pub(crate) fn scale<T: Real>(reduction: Reduction, dy: ViewMut<'_, T>, weights: Option<&[T]>) {
    if weights.is_some() || (reduction != Reduction::Sum && dy.cols() > 1) {
        multiply(reduction, dy, weights);
    }
}

fn multiply<T: Real>(reduction: Reduction, mut dy: ViewMut<'_, T>, weights: Option<&[T]>) {
    weigh(dy.as_mut_slice(), weights);
    let factor = match (reduction, weights) {
        (Reduction::WeightedMean, Some(weights)) => match total(weights) {
            // All slopes are 0, too.
            none if none == T::zero() => return,
            total => T::one() / total,
        },
        (Reduction::Mean | Reduction::WeightedMean, _) if dy.cols() > 1 => {
            T::of(1.0 / dy.cols() as f64)
        }
        _ => return,
    };
    for dy in dy.as_mut_slice() {
        *dy *= factor;
    }
}
