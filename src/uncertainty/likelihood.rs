//! What the outputs of a network say of the targets.

use crate::nn::loss::{
    Loss, OutputFunction, Reduced, Reduction, SigmoidCrossEntropy, SoftmaxCrossEntropy,
    SumSquaredError,
};
use crate::numeric::real::Real;
use alloc::{boxed::Box, vec::Vec};

/// The probability p(t | y) of a target t where the network says y.
///
/// | variant | ln p(t ∣ y) of a sample | losses that it belongs to |
/// |---|---|---|
/// | `Gaussian` | −Σⱼ (yⱼ−tⱼ)²/2σ² + ln σ√2π | of squares: [`MeanSquaredError`](crate::MeanSquaredError), [`SumSquaredError`] |
/// | `Bernoulli` | Σⱼ tⱼ ln σ(yⱼ) + (1−tⱼ) ln(1−σ(yⱼ)) | [`SigmoidCrossEntropy`] |
/// | `Categorical` | Σⱼ tⱼ ln softmax(y)ⱼ | [`SoftmaxCrossEntropy`] |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Likelihood {
    /// Numbers with a noise of deviation σ, the same for all: regression.
    #[doc(alias("regression"))]
    Gaussian,
    /// Classes that do not exclude each other, or one of two; the outputs are logits.
    #[doc(alias("binary"))]
    Bernoulli,
    /// One class of several; the outputs are logits.
    #[doc(alias("classification", "multinomial"))]
    Categorical,
}

impl Likelihood {
    pub(super) fn output_function(self) -> OutputFunction {
        match self {
            Self::Gaussian => OutputFunction::Identity,
            Self::Bernoulli => OutputFunction::Sigmoid,
            Self::Categorical => OutputFunction::Softmax,
        }
    }

    /// A loss whose sum over the samples, times the number, is −ln p(t | y) of all, for `Gaussian`
    /// ½ Σ v(y − t)².
    pub(super) fn loss<T: Real>(self, outputs: usize) -> (Box<dyn Loss<T>>, f64) {
        let sum = Reduction::Sum;
        match self {
            Self::Gaussian => (Box::new(SumSquaredError), 1.0),
            Self::Bernoulli => (
                Box::new(Reduced::new(SigmoidCrossEntropy::new(), sum)),
                outputs as f64,
            ),
            Self::Categorical => (Box::new(Reduced::new(SoftmaxCrossEntropy::new(), sum)), 1.0),
        }
    }

    /// The rows J of a sample's gradients, one per output, become R with RᵀR = v·JᵀΛJ, Λ the
    /// Hessian of −ln p(t | y) by the outputs, of `Gaussian` without 1/σ².
    ///
    /// Of the softmax Λ = diag(p) − ppᵀ = R₀ᵀR₀ with R₀ = diag(√p)·(I − 1pᵀ), so that nothing can
    /// become negative.
    pub(super) fn root(self, weight: f64, y: &[f64], rows: &mut [f64], mean: &mut Vec<f64>) {
        let params = rows.len() / y.len();
        let scale = |row: &mut [f64], factor: f64| row.iter_mut().for_each(|g| *g *= factor);
        let root = libm::sqrt(weight);
        match self {
            Self::Gaussian if weight == 1.0 => {}
            Self::Gaussian => scale(rows, root),
            Self::Bernoulli => {
                for (row, y) in rows.chunks_exact_mut(params).zip(y) {
                    // √(p(1 − p)).
                    let e = libm::exp(-0.5 * y.abs());
                    scale(row, root * e / (1.0 + e * e));
                }
            }
            Self::Categorical => {
                let largest = y.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let exps = || y.iter().map(|y| libm::exp(y - largest));
                let sum: f64 = exps().sum();
                mean.clear();
                mean.resize(params, 0.0);
                for (row, e) in rows.chunks_exact(params).zip(exps()) {
                    for (mean, g) in mean.iter_mut().zip(row) {
                        *mean += e / sum * g;
                    }
                }
                for (row, e) in rows.chunks_exact_mut(params).zip(exps()) {
                    let factor = root * libm::sqrt(e / sum);
                    for (g, mean) in row.iter_mut().zip(&*mean) {
                        *g = factor * (*g - mean);
                    }
                }
            }
        }
    }
}
