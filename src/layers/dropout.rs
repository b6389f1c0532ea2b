//! Dropout.

use crate::activation::OutputRange;
use crate::error::{Error, ErrorKind, Result};
use crate::layer::{Backward, Forward, Infer, Layer};
use crate::random::{Purpose, derive, stream};
use crate::real::Real;
use alloc::string::String;
use rand::Rng;

/// Dropout in its inverted form: in training each input is set to 0 with probability p and else multiplied by
/// 1/(1−p), so that its expectation stays; in inference nothing happens (Srivastava et al. 2014).
///
/// The masks are a function of the [`Tape`](crate::Tape)'s seed, its step, the layer and the sample.
///
/// ```
/// use chainrule::{Activation, Dense, Dropout, Sequential, rand::{SeedableRng, rngs::Xoshiro256PlusPlus}};
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let net = Sequential::<f64>::builder(4)
///     .layer(Dense::new(32, Activation::Relu))
///     .layer(Dropout::new(0.5))
///     .layer(Dense::new(1, Activation::Linear))
///     .build(&mut rng)?;
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// Dropout with probability `p` in [0, 1).
    pub fn new(p: f64) -> Self {
        Self { p }
    }
}

impl<T: Real> Layer<T> for Dropout {
    fn name(&self) -> String {
        String::from("Dropout")
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        if !(0.0..1.0).contains(&self.p) {
            return Err(Error::new(ErrorKind::Value, "", "a probability p with 0 ≤ p < 1", self.p));
        }
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

    fn infer(&self, mut p: Infer<'_, T>) {
        p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
    }

    fn forward(&self, mut p: Forward<'_, T>) {
        let scale = T::of(1.0 / (1.0 - self.p));
        // An input is kept when 32 random bits, read as a fraction of 1, are at least p.
        let threshold = (self.p * 4_294_967_296.0) as u64;
        let width = p.x.rows();
        for (sample, factors) in p.cache.chunks_exact_mut(width).enumerate() {
            let mut rng = stream(derive(p.seed, Purpose::Sample, sample as u64));
            for pair in factors.chunks_mut(2) {
                let bits = rng.next_u64();
                for (factor, bits) in pair.iter_mut().zip([bits & 0xffff_ffff, bits >> 32]) {
                    *factor = if bits >= threshold { scale } else { T::zero() };
                }
            }
        }
        for ((y, x), factor) in p.y.as_mut_slice().iter_mut().zip(p.x.as_slice()).zip(&*p.cache) {
            *y = *x * *factor;
        }
    }

    fn backward(&self, p: Backward<'_, T>) {
        if let Some(mut dx) = p.dx {
            for ((dx, dy), factor) in dx.as_mut_slice().iter_mut().zip(p.delta.as_view().as_slice()).zip(p.cache) {
                *dx = *dy * *factor;
            }
        }
    }
}
