//! Gaussian noise.

use super::smooth;
use crate::error::Result;
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, ForwardArgs, InferArgs, Layer, TangentArgs,
};
use crate::numeric::bounds::NOT_NEGATIVE;
use crate::numeric::random::{Purpose, derive, stream};
use crate::numeric::real::Real;
use alloc::{format, string::String};
use rand_distr::{Distribution, StandardNormal};

/// Additive noise: in training y = x + σ·ν with independent normal ν of mean 0 and variance 1, in
/// inference y = x; so ∂C/∂x = ∂C/∂y. On the inputs of a network and with the squared error, small
/// noise acts like a penalty on slopes (Bishop 1995). The definition is that of the layer of this
/// name in Keras.
///
/// The noise is a function of the [`Tape`](crate::Tape)'s seed, its step, the layer and the sample.
/// It is drawn in `f64` and rounded.
///
/// ```
/// use chainrule::{Activation, Dense, Sequential};
/// use chainrule::nn::GaussianNoise;
/// let net = Sequential::<f64>::builder(4)
///     .layer(GaussianNoise::new(0.1))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("noise", "jitter"))]
pub struct GaussianNoise {
    std: f64,
}

impl GaussianNoise {
    /// Noise of standard deviation σ, finite and not negative.
    pub fn new(std: f64) -> Self {
        Self { std }
    }
}

impl<T: Real> Layer<T> for GaussianNoise {
    shared!(GaussianNoise);

    fn name(&self) -> String {
        String::from("GaussianNoise")
    }

    fn describe(&self) -> String {
        format!("GaussianNoise(std={})", self.std)
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        NOT_NEGATIVE
            .named("a finite standard deviation ≥ 0")
            .check_in::<T>("", self.std)?;
        Ok(inputs)
    }

    fn infer(&self, mut p: InferArgs<'_, T>) {
        p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
    }

    fn forward(&self, mut p: ForwardArgs<'_, T>) {
        if !p.training {
            return p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
        }
        for (sample, (y, x)) in p.y.iter_mut().zip(p.x.iter()).enumerate() {
            let mut rng = stream(derive(p.seed, Purpose::Sample, sample as u64));
            for (y, x) in y.iter_mut().zip(x) {
                let noise: f64 = StandardNormal.sample(&mut rng);
                *y = *x + T::of(self.std * noise);
            }
        }
    }

    fn backward(&self, p: BackwardArgs<'_, T>) {
        if let Some(mut dx) = p.dx {
            dx.as_mut_slice()
                .copy_from_slice(p.delta.as_view().as_slice());
        }
    }

    fn tangent(&self, p: TangentArgs<'_, T>) -> Result<()> {
        smooth::identity(p);
        Ok(())
    }

    fn backward_tangent(&self, p: BackwardTangentArgs<'_, T>) -> Result<()> {
        smooth::backward_identity(p);
        Ok(())
    }
}
