//! Predictions with a variance.

use crate::numeric::real::Real;
use alloc::vec::Vec;
use nalgebra::DMatrix;

/// What is expected of each output, and how far off it may be: the mean and the variance of a
/// Gaussian. The variance has two parts. More data make the first one smaller, but not the second.
///
/// In the units of the data.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[doc(alias("posterior_predictive"))]
pub struct Predictive<T: Real> {
    /// The mean, outputs × samples.
    pub mean: DMatrix<T>,
    /// The variance of what the network may say, because the data leave its parameters open;
    /// outputs × samples.
    #[doc(alias("f_var", "model_uncertainty"))]
    pub epistemic: DMatrix<T>,
    /// The variance of the noise in the targets, of each output; 0 of logits.
    #[doc(alias("aleatoric"))]
    pub noise: Vec<T>,
}

impl<T: Real> Predictive<T> {
    /// The variance of a target: epistemic and noise; outputs × samples.
    #[doc(alias("pred_var"))]
    pub fn variance(&self) -> DMatrix<T> {
        let mut variance = self.epistemic.clone();
        for mut column in variance.column_iter_mut() {
            for (v, noise) in column.iter_mut().zip(&self.noise) {
                *v += *noise;
            }
        }
        variance
    }

    /// The standard deviation of a target, outputs × samples: some 95 % of the targets are within
    /// two of the mean.
    #[doc(alias("std", "return_std"))]
    pub fn deviation(&self) -> DMatrix<T> {
        self.variance().map(|v| v.sqrt())
    }
}
