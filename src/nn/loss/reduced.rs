//! A loss of which a batch costs the sum, the average or the weighted average.

use super::{CostsArgs, CurvaturesArgs, Heads, Loss, OutputFunction, Reduction, SlopesArgs};
use crate::error::Result;
use crate::nn::activation::OutputRange;
use crate::numeric::real::Real;
use crate::numeric::view::View;
use alloc::{format, string::String};

/// A loss with another [`Reduction`] of a batch: any loss as a sum, an average, or the weighted
/// average of PyTorch.
///
/// What PyTorch computes with `CrossEntropyLoss(weight=…)` on class numbers is the weighted average
/// of samples that weigh what their class weighs ([`Dataset::class_weighted`]). With
/// `ignore_index` it is the weighted average of samples of which those to be ignored weigh 0
/// ([`one_hot_ignoring`](crate::data::one_hot_ignoring)). Training averages the costs of an epoch
/// likewise.
///
/// An average over a sample's outputs stays one: `MeanSquaredError` as a sum is the sum over the
/// samples of averages over outputs, as in Keras, where PyTorch sums over both
/// ([`SumSquaredError`](super::SumSquaredError) is half of that).
///
/// [`Dataset::class_weighted`]: crate::Dataset::class_weighted
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, MeanAbsoluteError, Reduced, Reduction};
/// use chainrule::numeric::Targets;
/// let (y, t) = ([1.0, 5.0, 7.0], [0.0; 3]);
/// let (y, t) = (View::new(&y, 1)?, View::new(&t, 1)?); // three samples
/// let weighted = Targets::weighted(t, &[3.0, 1.0, 0.0])?;
/// let cost = |reduction| Reduced::new(MeanAbsoluteError, reduction).value(y, weighted);
/// assert_eq!(cost(Reduction::Sum)?, 8.0); // 3·1 + 5
/// assert_eq!(cost(Reduction::Mean)?, 8.0 / 3.0);
/// assert_eq!(cost(Reduction::WeightedMean)?, 2.0); // the third is not counted
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("reduction", "size_average"))]
pub struct Reduced<L> {
    loss: L,
    reduction: Reduction,
}

impl<L> Reduced<L> {
    /// `loss`, of which a batch costs what `reduction` says.
    pub fn new(loss: L, reduction: Reduction) -> Self {
        Self { loss, reduction }
    }
}

impl<T: Real, L: Loss<T>> Loss<T> for Reduced<L> {
    fn name(&self) -> &str {
        self.loss.name()
    }

    fn describe(&self) -> String {
        format!(
            "Reduced({}, reduction={:?})",
            self.loss.describe(),
            self.reduction
        )
    }

    fn costs(&self, p: CostsArgs<'_, T>) {
        self.loss.costs(p);
    }

    fn slopes(&self, p: SlopesArgs<'_, T>) {
        self.loss.slopes(p);
    }

    fn curvatures(&self, p: CurvaturesArgs<'_, T>) -> Result<()> {
        self.loss.curvatures(p)
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn output_function(&self) -> OutputFunction {
        self.loss.output_function()
    }

    fn heads(&self) -> Option<&Heads<T>> {
        self.loss.heads()
    }

    fn accepts(&self, range: OutputRange) -> bool {
        self.loss.accepts(range)
    }

    fn measures_distance(&self) -> bool {
        self.loss.measures_distance()
    }

    fn targets(&self, outputs: usize) -> usize {
        self.loss.targets(outputs)
    }

    fn check(&self, outputs: usize) -> Result<()> {
        self.loss.check(outputs)
    }

    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        self.loss.check_targets(target)
    }
}
