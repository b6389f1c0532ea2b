//! The log-softmax layer.

use super::smooth::{self, dot};
use crate::error::Result;
use crate::nn::activation::OutputRange;
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, ForwardArgs, InferArgs, Layer, TangentArgs,
};
use crate::nn::softmax::log_softmax_columns;
use crate::numeric::kernel::Pass;
use crate::numeric::real::Real;
use crate::numeric::view::{View, ViewMut};
use alloc::string::String;

/// yⱼ = xⱼ − ln Σₖ e^xₖ for each sample: class scores become logarithms of probabilities.
///
/// Unlike ln of a [`Softmax`](crate::nn::Softmax), it is accurate where a probability is near 0 or
/// 1, and finite for all finite scores. Input and output are features × samples.
///
/// ```text
/// ∂C/∂xⱼ = ∂C/∂yⱼ − e^yⱼ·Σₖ ∂C/∂yₖ
/// ```
///
/// As the last layer it gives logarithms of probabilities to whoever reads the outputs. The loss
/// is then [`SoftmaxCrossEntropy`](crate::SoftmaxCrossEntropy), as of plain scores: the softmax of
/// logarithms of probabilities are these probabilities. Losses on probabilities and the sigmoid's
/// refuse it.
///
/// ```
/// use chainrule::Sequential;
/// use chainrule::nalgebra::DVector;
/// use chainrule::nn::LogSoftmax;
/// let net = Sequential::<f64>::builder(2).layer(LogSoftmax).seed(1).build()?;
/// let y = net.predict(&DVector::from_vec(vec![0.0, 1e4]))?;
/// assert_eq!(y.as_slice(), [-1e4, 0.0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LogSoftmax;

/// to ← e^y.
struct Exponentials<'a, T> {
    y: &'a [T],
    to: &'a mut [T],
}

impl<T: Real> Pass for Exponentials<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (to, y) in self.to.iter_mut().zip(self.y) {
            *to = y.exp_kernel::<FMA>();
        }
    }
}

/// Σ aⱼ, first to last.
fn total<T: Real>(a: &[T]) -> T {
    a.iter().fold(T::zero(), |sum, a| sum + *a)
}

/// The probabilities e^y of each sample, which the forward pass kept.
fn probabilities<'a, T: Real>(cache: &'a [T], y: View<'a, T>) -> impl Iterator<Item = &'a [T]> {
    cache.chunks_exact(y.rows())
}

impl<T: Real> Layer<T> for LogSoftmax {
    shared!(LogSoftmax);

    fn name(&self) -> String {
        String::from("LogSoftmax")
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }

    /// The probabilities.
    fn cache_len(&self, inputs: usize) -> usize {
        inputs
    }

    fn range(&self, _input: OutputRange) -> OutputRange {
        OutputRange::LogSimplex
    }

    fn bounds(&self, _input: (f64, f64)) -> (f64, f64) {
        (f64::NEG_INFINITY, 0.0)
    }

    fn infer(&self, p: InferArgs<'_, T>) {
        log_softmax_columns(p.x, p.y);
    }

    fn forward(&self, mut p: ForwardArgs<'_, T>) {
        log_softmax_columns(p.x, p.y.reborrow());
        T::vectorize(Exponentials {
            y: p.y.as_view().as_slice(),
            to: p.cache,
        });
    }

    fn backward(&self, mut p: BackwardArgs<'_, T>) {
        backward(p.cache, p.y, p.delta.reborrow());
        if let Some(mut dx) = p.dx {
            dx.as_mut_slice()
                .copy_from_slice(p.delta.as_view().as_slice());
        }
    }

    /// ẏⱼ = ẋⱼ − Σₖ e^yₖ·ẋₖ.
    fn tangent(&self, mut p: TangentArgs<'_, T>) -> Result<()> {
        let samples = probabilities(p.cache, p.y).zip(p.x_dot.iter());
        for (y_dot, (probabilities, x_dot)) in p.y_dot.iter_mut().zip(samples) {
            let mean = dot(probabilities, x_dot);
            for (y_dot, x_dot) in y_dot.iter_mut().zip(x_dot) {
                *y_dot = *x_dot - mean;
            }
        }
        Ok(())
    }

    /// With the sum s of ∂C/∂y: (∂C/∂xⱼ)˙ = (∂C/∂yⱼ)˙ − e^yⱼ·(ṡ + ẏⱼ·s).
    fn backward_tangent(&self, mut p: BackwardTangentArgs<'_, T>) -> Result<()> {
        let slopes = p.delta.iter_mut().zip(p.delta_dot.iter_mut());
        let samples = probabilities(p.cache, p.y).zip(p.y_dot.iter());
        for ((dy, dy_dot), (probabilities, y_dot)) in slopes.zip(samples) {
            let (sum, sum_dot) = (total(dy), total(dy_dot));
            for (dy_dot, (p, y_dot)) in dy_dot.iter_mut().zip(probabilities.iter().zip(y_dot)) {
                *dy_dot -= *p * (sum_dot + *y_dot * sum);
            }
        }
        backward(p.cache, p.y, p.delta.reborrow());
        smooth::backward_identity(p);
        Ok(())
    }
}

/// ∂C/∂x in the place of ∂C/∂y.
fn backward<T: Real>(cache: &[T], y: View<'_, T>, mut delta: ViewMut<'_, T>) {
    for (dy, probabilities) in delta.iter_mut().zip(probabilities(cache, y)) {
        let sum = total(dy);
        for (dy, p) in dy.iter_mut().zip(probabilities) {
            *dy -= *p * sum;
        }
    }
}
