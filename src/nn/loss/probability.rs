//! Losses on probabilities of yes, and on logarithms of probabilities.

use super::by_output::{self, ByOutput, loss_by_output};
use super::classification::{check_classes, check_probabilities, times};
use super::{CostsArgs, CurvaturesArgs, Loss, OutputFunction, SlopesArgs, check_targets};
use crate::error::Result;
use crate::nn::activation::OutputRange;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, is_nan, sum_of};
use crate::numeric::view::View;

/// Binary cross-entropy of probabilities y of yes: for a sample C = −1/d Σⱼ tⱼ ln yⱼ + (1−tⱼ)
/// ln(1−yⱼ), averaged over the d outputs and over the samples (PyTorch's `BCELoss`; Keras's
/// `BinaryCrossentropy`, scikit-learn's `log_loss`).
///
/// For a network that ends on a sigmoid, and targets in [0, 1].
/// [`SigmoidCrossEntropy`](super::SigmoidCrossEntropy), on logits, is exact where this is not, and
/// learns where a sigmoid has gone flat.
///
/// Logarithms are at least −100, as in PyTorch, so that a probability of 0 or 1 costs at most 100
/// (Keras cuts probabilities at 10⁻⁷ instead). ∂C/∂y = ((1−t)/(1−y) − t/y)/(nd), whose denominators
/// are at least 10⁻¹², as in PyTorch.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{BinaryCrossEntropy, Loss};
/// let (y, t) = (View::new(&[0.75, 0.0], 1)?, View::new(&[1.0, 1.0], 1)?);
/// let costs: Vec<f64> = BinaryCrossEntropy.sample_costs(y, t.into())?;
/// assert_eq!(costs, [-0.75_f64.ln(), 100.0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("BCELoss", "BinaryCrossentropy", "binary_crossentropy", "log_loss"))]
pub struct BinaryCrossEntropy;

/// The smallest logarithm, and the smallest denominator.
const LEAST_LOGARITHM: f64 = -100.0;
const LEAST_DENOMINATOR: f64 = 1e-12;

/// The larger of both; NaN passes.
fn at_least<T: Real>(least: f64, x: T) -> T {
    let least = T::of(least);
    if x < least { least } else { x }
}

fn inverse<T: Real>(x: T) -> T {
    T::one() / at_least(LEAST_DENOMINATOR, x)
}

impl<T: Real> ByOutput<T> for BinaryCrossEntropy {
    fn cost(&self, _: usize, y: T, t: T) -> T {
        let (yes, no) = (y.ln(), (-y).ln_1p());
        -(t * at_least(LEAST_LOGARITHM, yes) + (T::one() - t) * at_least(LEAST_LOGARITHM, no))
    }

    fn slope(&self, _: usize, y: T, t: T) -> T {
        let (no, least) = (T::one() - y, T::of(LEAST_DENOMINATOR));
        if y > least && no > least {
            // The same without a difference of large numbers.
            return (y - t) / (y * no);
        }
        (T::one() - t) * inverse(no) - t * inverse(y)
    }

    fn curvature(&self, _: usize, y: T, t: T) -> T {
        let (yes, no) = (inverse(y), inverse(T::one() - y));
        (T::one() - t) * no * no + t * yes * yes
    }
}

loss_by_output!(BinaryCrossEntropy {
    fn accepts(&self, range: OutputRange) -> bool {
        matches!(range, OutputRange::Unit | OutputRange::Simplex)
    }

    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        let expected = "a number in [0, 1] (for −1 and 1 take Hinge, for numbers MeanSquaredError)";
        check_targets("BinaryCrossEntropy", target, expected, |t| {
            t >= T::zero() && t <= T::one()
        })
    }
});

/// The negative log-likelihood of logarithms y of class probabilities: for a sample C = −Σⱼ tⱼyⱼ,
/// averaged over the samples (PyTorch's `NLLLoss`).
///
/// For a network that ends on a log-softmax; the loss cannot know whether it does, and of raw
/// scores it has no least value. [`SoftmaxCrossEntropy`](super::SoftmaxCrossEntropy) is both in
/// one. [`OutputFunction::Exp`] gives the probabilities. ∂C/∂y = −t/n.
///
/// Outputs are at least 2, and targets lie in [0, 1] ([`one_hot`](crate::one_hot) makes them of
/// labels).
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, NegativeLogLikelihood};
/// let y = [0.25_f64.ln(), 0.75_f64.ln()];
/// let (y, t) = (View::new(&y, 2)?, View::new(&[1.0, 0.0], 2)?);
/// assert_eq!(NegativeLogLikelihood.value(y, t.into())?, 4.0_f64.ln());
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("NLLLoss", "nll_loss"))]
pub struct NegativeLogLikelihood;

impl<T: Real> Loss<T> for NegativeLogLikelihood {
    fn name(&self) -> &str {
        "NegativeLogLikelihood"
    }

    fn costs(&self, p: CostsArgs<'_, T>) {
        compiled_here!(T: |p: CostsArgs<'_, T>| {
            for ((cost, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
                *cost = -sum_of(y.len(), &mut y.iter().zip(t).map(|(y, t)| times(*t, *y)));
            }
        })(p);
    }

    fn slopes(&self, p: SlopesArgs<'_, T>) {
        compiled_here!(T: |p: SlopesArgs<'_, T>| {
            let mut p = p;
            let pairs = p.y.as_slice().iter().zip(p.target.as_slice());
            for (dy, (y, t)) in p.dy.as_mut_slice().iter_mut().zip(pairs) {
                *dy = if is_nan(*y) { *y } else { -*t };
            }
        })(p);
    }

    /// 0: the loss is a straight line.
    fn curvatures(&self, mut p: CurvaturesArgs<'_, T>) -> Result<()> {
        p.dy_dot.as_mut_slice().fill(T::zero());
        Ok(())
    }

    fn output_function(&self) -> OutputFunction {
        OutputFunction::Exp
    }

    fn accepts(&self, range: OutputRange) -> bool {
        range == OutputRange::LogSimplex
    }

    fn check(&self, outputs: usize) -> Result<()> {
        check_classes("NegativeLogLikelihood", outputs)
    }

    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        check_probabilities("NegativeLogLikelihood", target)
    }
}
