//! Alpha dropout.

use super::{dropout::Dropout, smooth};
use crate::error::Result;
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, ForwardArgs, InferArgs, Layer, TangentArgs,
};
use crate::numeric::real::Real;
use alloc::{format, string::String};

/// The dropout of self-normalizing networks (Klambauer, Unterthiner, Mayr & Hochreiter 2017), for
/// use after [`Activation::Selu`](crate::Activation::Selu). In training each input is set to α′
/// with probability p. All are then scaled and shifted, so that inputs of mean 0 and variance 1
/// keep both. In inference nothing happens.
///
/// ```text
/// y = a·x + b of what is kept, a·α′ + b of the rest
/// α′ = −λα = −1.7581, the limit of SELU at −∞,  a = 1/√((1 − p)(1 + p·α′²)),  b = −a·p·α′
/// ```
///
/// The constants are those of the paper, PyTorch and Keras. The masks are those of a [`Dropout`] in
/// its place: a function of the [`Tape`](crate::Tape)'s seed, its step, the layer and the sample.
///
/// ```
/// use chainrule::{Activation, Dense, Sequential};
/// use chainrule::nn::AlphaDropout;
/// let net = Sequential::<f64>::builder(4)
///     .layer(Dense::new(32, Activation::Selu))
///     .layer(AlphaDropout::new(0.1))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("SeluDropout"))]
pub struct AlphaDropout(Dropout);

impl AlphaDropout {
    /// Alpha dropout with probability `p` in [0, 1).
    pub fn new(p: f64) -> Self {
        Self(Dropout::new(p))
    }
}

/// −λα of SELU.
const SATURATED: f64 = -1.758_099_340_847_376_6;

impl<T: Real> Layer<T> for AlphaDropout {
    shared!(AlphaDropout);

    fn name(&self) -> String {
        String::from("AlphaDropout")
    }

    fn describe(&self) -> String {
        format!("Alpha{}", Layer::<T>::describe(&self.0))
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Layer::<T>::outputs(&self.0, inputs)
    }

    fn cache_len(&self, inputs: usize) -> usize {
        Layer::<T>::cache_len(&self.0, inputs)
    }

    fn is_dropout(&self) -> bool {
        true
    }

    fn infer(&self, p: InferArgs<'_, T>) {
        self.0.infer(p);
    }

    fn forward(&self, mut p: ForwardArgs<'_, T>) {
        if !p.training {
            return self.0.forward(p);
        }
        let rate = self.0.p();
        let a = 1.0 / libm::sqrt((1.0 - rate) * (1.0 + rate * SATURATED * SATURATED));
        let b = -a * rate * SATURATED;
        self.0.draw(p.seed, p.x.rows(), T::of(a), p.cache);
        let (kept, dropped) = (T::of(b), T::of(a * SATURATED + b));
        for ((y, x), factor) in
            p.y.as_mut_slice()
                .iter_mut()
                .zip(p.x.as_slice())
                .zip(&*p.cache)
        {
            *y = *x * *factor + if *factor == T::zero() { dropped } else { kept };
        }
    }

    /// ∂C/∂x = a·∂C/∂y of what was kept, else 0.
    fn backward(&self, p: BackwardArgs<'_, T>) {
        self.0.backward(p);
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
