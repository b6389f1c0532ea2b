//! The softmax layer.

use super::smooth::{self, dot};
use crate::error::Result;
use crate::nn::activation::OutputRange;
use crate::nn::layer::{BackwardArgs, BackwardTangentArgs, InferArgs, Layer, TangentArgs};
use crate::nn::softmax::softmax_columns;
use crate::numeric::real::Real;
use alloc::string::String;

/// yⱼ = e^xⱼ / Σₖ e^xₖ for each sample: class scores become probabilities.
///
/// Of a single score the softmax is always 1; for one probability take a sigmoid.
///
/// The largest score is subtracted first, so that no score is too large. For training with
/// cross-entropy prefer to end the network on its scores and to use
/// [`SoftmaxCrossEntropy`](crate::SoftmaxCrossEntropy), which is stable where the two apart are
/// not. This layer is for [`CategoricalCrossEntropy`](crate::nn::loss::CategoricalCrossEntropy) and
/// [`KlDivergence`](crate::nn::loss::KlDivergence) on probabilities, or for a network whose outputs
/// are to be probabilities.
///
/// ```
/// use chainrule::Sequential;
/// use chainrule::nalgebra::DVector;
/// use chainrule::nn::Softmax;
/// let net = Sequential::<f64>::builder(2).layer(Softmax).seed(1).build()?;
/// let y = net.predict(&DVector::from_vec(vec![1e4, 1e4]))?;
/// assert_eq!(y.as_slice(), [0.5, 0.5]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("softmaxLayer"))]
pub struct Softmax;

impl<T: Real> Layer<T> for Softmax {
    shared!(Softmax);

    fn name(&self) -> String {
        String::from("Softmax")
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }

    fn range(&self, _input: OutputRange) -> OutputRange {
        OutputRange::Simplex
    }

    fn bounds(&self, _input: (f64, f64)) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn infer(&self, mut p: InferArgs<'_, T>) {
        p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
        softmax_columns(p.y.reborrow());
    }

    /// ∂C/∂xⱼ = yⱼ(∂C/∂yⱼ − Σₖ yₖ ∂C/∂yₖ).
    fn backward(&self, mut p: BackwardArgs<'_, T>) {
        for (dy, y) in p.delta.iter_mut().zip(p.y.iter()) {
            let mean = dot(y, dy);
            for (dy, y) in dy.iter_mut().zip(y) {
                *dy = *y * (*dy - mean);
            }
        }
        if let Some(mut dx) = p.dx {
            dx.as_mut_slice()
                .copy_from_slice(p.delta.as_view().as_slice());
        }
    }

    /// ẏⱼ = yⱼ(ẋⱼ − Σₖ yₖẋₖ): the matrix is symmetric.
    fn tangent(&self, mut p: TangentArgs<'_, T>) -> Result<()> {
        for (y_dot, (y, x_dot)) in p.y_dot.iter_mut().zip(p.y.iter().zip(p.x_dot.iter())) {
            let mean = dot(y, x_dot);
            for (y_dot, (y, x_dot)) in y_dot.iter_mut().zip(y.iter().zip(x_dot)) {
                *y_dot = *y * (*x_dot - mean);
            }
        }
        Ok(())
    }

    fn backward_tangent(&self, mut p: BackwardTangentArgs<'_, T>) -> Result<()> {
        let samples = p
            .delta
            .iter_mut()
            .zip(p.delta_dot.iter_mut())
            .zip(p.y.iter().zip(p.y_dot.iter()));
        for ((dy, dy_dot), (y, y_dot)) in samples {
            let (mean, mean_dot) = (dot(y, dy), dot(y_dot, dy) + dot(y, dy_dot));
            for ((dy, dy_dot), (y, y_dot)) in dy.iter_mut().zip(dy_dot).zip(y.iter().zip(y_dot)) {
                *dy_dot = *y_dot * (*dy - mean) + *y * (*dy_dot - mean_dot);
                *dy = *y * (*dy - mean);
            }
        }
        smooth::backward_identity(p);
        Ok(())
    }
}
