//! An activation function as a layer of its own.

use super::smooth;
use crate::error::Result;
pub use crate::nn::activation::Activation;
use crate::nn::activation::OutputRange;
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, ForwardArgs, InferArgs, Layer, TangentArgs,
};
use crate::numeric::real::Real;
use alloc::string::{String, ToString};

/// y = φ(x), element by element. Fused into [`Dense`](crate::Dense) it saves a pass over memory; on
/// its own it keeps z readable as the output of the layer before.
impl<T: Real> Layer<T> for Activation {
    shared!(Activation);

    fn name(&self) -> String {
        self.to_string()
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        self.check::<T>()?;
        Ok(inputs)
    }

    fn cache_len(&self, inputs: usize) -> usize {
        Self::cache_len(self) * inputs
    }

    fn range(&self, input: OutputRange) -> OutputRange {
        if *self == Self::Linear {
            input
        } else {
            Self::range(self)
        }
    }

    fn bounds(&self, input: (f64, f64)) -> (f64, f64) {
        if *self == Self::Linear {
            input
        } else {
            Self::bounds(self)
        }
    }

    fn is_trainable(&self) -> bool {
        Self::is_trainable(self)
    }

    fn infer(&self, mut p: InferArgs<'_, T>) {
        p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
        self.apply(p.y.as_mut_slice());
    }

    fn forward(&self, mut p: ForwardArgs<'_, T>) {
        p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
        Self::forward(self, &[], p.y.as_mut_slice(), p.cache);
    }

    fn backward(&self, mut p: BackwardArgs<'_, T>) {
        Self::backward(self, p.y.as_slice(), p.cache, p.delta.as_mut_slice());
        if let Some(mut dx) = p.dx {
            dx.as_mut_slice()
                .copy_from_slice(p.delta.as_view().as_slice());
        }
    }

    fn tangent_cache_len(&self, inputs: usize) -> usize {
        if self.bends() { inputs } else { 0 }
    }

    fn tangent(&self, mut p: TangentArgs<'_, T>) -> Result<()> {
        self.check_tangent()?;
        if self.bends() {
            p.tangent_cache.copy_from_slice(p.x.as_slice());
        }
        p.y_dot.as_mut_slice().copy_from_slice(p.x_dot.as_slice());
        smooth::activation(self, &mut p);
        Ok(())
    }

    fn backward_tangent(&self, mut p: BackwardTangentArgs<'_, T>) -> Result<()> {
        self.check_tangent()?;
        smooth::backward_activation(self, &mut p);
        smooth::backward_identity(p);
        Ok(())
    }
}
