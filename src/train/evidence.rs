//! What least squares with Bayesian regularization find of weights and noise.

use crate::numeric::real::Real;
use alloc::{vec, vec::Vec};

/// The precisions α of the weights and β of the noise that
/// [`LevenbergMarquardt::bayesian`](super::LevenbergMarquardt::bayesian) has come to, for
///
/// ```text
/// F(w) = β·½ Σᵢ vᵢ‖yᵢ − tᵢ‖² + α·½‖w‖²
/// ```
///
/// In the units that the network is trained in.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Evidence {
    /// α: one over the variance of the parameters.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    #[doc(alias("prior_precision"))]
    pub alpha: f64,
    /// β: one over the variance of the noise in targets of weight 1.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    pub beta: f64,
    /// γ = P − α·tr(H⁻¹), of the α and β before these where they are new: how many of P parameters
    /// the data determine.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    #[doc(alias("gamk", "effective number of parameters"))]
    pub effective_parameters: f64,
    /// The logarithm of the evidence for α and β, and for the network that has them: of the
    /// probability density of the N targets, whatever the parameters,
    ///
    /// ```text
    /// −F(w) − ½ ln det H + P/2·ln α + N/2·ln(β/2π) + ½ Σ ln v,  H = β·JᵀJ + αI
    /// ```
    ///
    /// in the Gaussian approximation about w. Of several networks for the same data, that of the
    /// greatest is the most probable.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    #[doc(alias("marginal likelihood"))]
    pub log_evidence: f64,
}

impl Evidence {
    /// The standard deviation of the noise, 1/√β.
    pub fn noise(&self) -> f64 {
        1.0 / libm::sqrt(self.beta)
    }

    /// The numbers by which memory and checkpoints keep it.
    pub(super) fn numbers(&self) -> Vec<f64> {
        vec![
            self.alpha,
            self.beta,
            self.effective_parameters,
            self.log_evidence,
        ]
    }

    /// Of those numbers; `None` of others.
    pub(super) fn of(numbers: &[f64]) -> Option<Self> {
        match numbers[..] {
            [alpha, beta, effective_parameters, log_evidence] => Some(Self {
                alpha,
                beta,
                effective_parameters,
                log_evidence,
            }),
            _ => None,
        }
    }

    /// λ = α/β, by which ½‖w‖² is multiplied beside the cost.
    pub(super) fn lambda<T: Real>(&self) -> T {
        T::of(self.alpha / self.beta)
    }
}
