//! Dropout.

use super::smooth;
use crate::error::Result;
use crate::nn::activation::OutputRange;
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, ForwardArgs, InferArgs, Layer, TangentArgs,
};
use crate::numeric::bounds::BELOW_ONE;
use crate::numeric::kernel::Pass;
use crate::numeric::random::{Purpose, derive, stream};
use crate::numeric::real::Real;
use alloc::{format, string::String};
use rand::Rng;

/// Dropout in its inverted form (Srivastava et al. 2014). In training each input is set to 0 with
/// probability p and else multiplied by 1/(1−p), so that its expectation stays. In inference
/// nothing happens.
///
/// The masks are a function of the [`Tape`](crate::Tape)'s seed, its step, the layer and the
/// sample.
///
/// ```
/// use chainrule::{Activation, Dense, Dropout, Sequential};
/// let net = Sequential::<f64>::builder(4)
///     .layer(Dense::new(32, Activation::Relu))
///     .layer(Dropout::new(0.5))
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
#[doc(alias("dropoutLayer"))]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// Dropout with probability `p` in [0, 1).
    pub fn new(p: f64) -> Self {
        Self { p }
    }

    /// The probability.
    pub(super) fn p(&self) -> f64 {
        self.p
    }

    /// For each input of a pass 0 with probability p, else `scale`.
    pub(super) fn draw<T: Real>(&self, seed: u64, width: usize, scale: T, factors: &mut [T]) {
        // An input is kept when 32 random bits, read as a fraction of 1, are at least p.
        let threshold = (self.p * 4_294_967_296.0) as u32;
        T::vectorize(Masks {
            seed,
            width,
            threshold,
            scale,
            factors,
        });
    }
}

impl<T: Real> Layer<T> for Dropout {
    shared!(Dropout);

    fn name(&self) -> String {
        String::from("Dropout")
    }

    fn describe(&self) -> String {
        format!("Dropout(p={})", self.p)
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        BELOW_ONE
            .named("a probability p with 0 ≤ p < 1")
            .check("", self.p)?;
        Ok(inputs)
    }

    fn cache_len(&self, inputs: usize) -> usize {
        inputs
    }

    /// A sum of 1 does not survive, nor does the bound 1.
    fn range(&self, input: OutputRange) -> OutputRange {
        let _ = input;
        OutputRange::Real
    }

    fn is_dropout(&self) -> bool {
        true
    }

    fn infer(&self, mut p: InferArgs<'_, T>) {
        p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
    }

    fn forward(&self, mut p: ForwardArgs<'_, T>) {
        if !p.training {
            return p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
        }
        self.draw(p.seed, p.x.rows(), T::of(1.0 / (1.0 - self.p)), p.cache);
        for ((y, x), factor) in
            p.y.as_mut_slice()
                .iter_mut()
                .zip(p.x.as_slice())
                .zip(&*p.cache)
        {
            *y = *x * *factor;
        }
    }

    fn backward(&self, p: BackwardArgs<'_, T>) {
        if let Some(mut dx) = p.dx {
            if !p.training {
                return dx
                    .as_mut_slice()
                    .copy_from_slice(p.delta.as_view().as_slice());
            }
            for ((dx, dy), factor) in dx
                .as_mut_slice()
                .iter_mut()
                .zip(p.delta.as_view().as_slice())
                .zip(p.cache)
            {
                *dx = *dy * *factor;
            }
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

/// The factors of all samples: `scale` where a random word is at least the threshold, else 0.
struct Masks<'a, T> {
    seed: u64,
    width: usize,
    threshold: u32,
    scale: T,
    factors: &'a mut [T],
}

impl<T: Real> Pass for Masks<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        // Words first and then comparisons: the one is a chain of integers, the other vector code
        // without a branch.
        let mut words = [0_u32; 64];
        for (sample, factors) in self.factors.chunks_exact_mut(self.width).enumerate() {
            let mut rng = stream(derive(self.seed, Purpose::Sample, sample as u64));
            for factors in factors.chunks_mut(words.len()) {
                for pair in words[..factors.len().next_multiple_of(2)]
                    .as_chunks_mut::<2>()
                    .0
                {
                    let bits = rng.next_u64();
                    *pair = [bits as u32, (bits >> 32) as u32];
                }
                for (factor, word) in factors.iter_mut().zip(&words) {
                    *factor = if *word >= self.threshold {
                        self.scale
                    } else {
                        T::zero()
                    };
                }
            }
        }
    }
}
