//! The gated linear unit.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::Activation;
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, ForwardArgs, InferArgs, Layer, TangentArgs,
};
use crate::numeric::real::Real;
use crate::numeric::view::View;
use alloc::{format, string::String};

/// The gated linear unit (Dauphin, Fan, Auli & Grangier 2017): the first half of the features times
/// an activation of the second half, feature by feature, so that 2n inputs make n outputs.
///
/// ```text
/// yⱼ = xⱼ·φ(xₙ₊ⱼ),  j = 1 … n
/// ∂C/∂xⱼ = ∂C/∂yⱼ·φ(xₙ₊ⱼ),  ∂C/∂xₙ₊ⱼ = ∂C/∂yⱼ·xⱼ·φ′(xₙ₊ⱼ)
/// ```
///
/// | name | φ |
/// |---|---|
/// | GLU | [`Sigmoid`](Activation::Sigmoid) |
/// | bilinear | [`Linear`](Activation::Linear) |
/// | ReGLU | [`Relu`](Activation::Relu) |
/// | GEGLU | [`Gelu`](Activation::Gelu) |
/// | SwiGLU | [`Silu`](Activation::Silu) |
///
/// The order is that of PyTorch's `nn.GLU` and Keras's `glu`. Shazeer (2020), who named the others,
/// writes the half with the activation first. An odd number of inputs is an error.
///
/// Put it behind a linear layer of twice the width:
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::nn::Glu;
/// let net = Sequential::<f64>::builder(3)
///     .layer(Dense::new(8, Activation::Linear))
///     .layer(Glu::new(Activation::Silu))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let gate = Sequential::<f64>::builder(2).layer(Glu::new(Activation::Relu)).build()?;
/// assert_eq!(gate.predict(&DVector::from_vec(vec![3.0, 0.5]))?[0], 1.5);
/// assert_eq!(gate.predict(&DVector::from_vec(vec![3.0, -0.5]))?[0], 0.0);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("GLU", "ReGLU", "GEGLU", "SwiGLU"))]
pub struct Glu {
    activation: Activation,
}

impl Glu {
    /// The unit whose gate is this activation of the second half.
    pub fn new(activation: Activation) -> Self {
        Self { activation }
    }

    /// The activation φ of the second half.
    pub fn activation(&self) -> &Activation {
        &self.activation
    }
}

/// The two halves of each sample.
fn halves<'a, T: Real>(x: View<'a, T>) -> impl Iterator<Item = (&'a [T], &'a [T])> {
    let half = x.rows() / 2;
    x.iter().map(move |x| x.split_at(half))
}

/// The second halves of all samples, one after the other.
fn copy_second<T: Real>(x: View<'_, T>, to: &mut [T]) {
    for (to, (_, second)) in to.chunks_exact_mut(x.rows() / 2).zip(halves(x)) {
        to.copy_from_slice(second);
    }
}

/// φ and φ′ of each sample, as the forward pass keeps them.
fn kept<T: Real>(cache: &[T], half: usize) -> impl Iterator<Item = (&[T], &[T])> {
    cache
        .chunks_exact(2 * half)
        .map(move |kept| kept.split_at(half))
}

/// y ← y ⊙ the first half of each sample.
fn times_first<T: Real>(x: View<'_, T>, y: &mut [T]) {
    for (y, (first, _)) in y.chunks_exact_mut(x.rows() / 2).zip(halves(x)) {
        for (y, first) in y.iter_mut().zip(first) {
            *y = *first * *y;
        }
    }
}

impl<T: Real> Layer<T> for Glu {
    shared!(Glu);

    fn name(&self) -> String {
        format!("Glu {}", self.activation)
    }

    fn describe(&self) -> String {
        format!("Glu(activation={})", self.activation)
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        self.activation.check::<T>()?;
        if inputs.is_multiple_of(2) {
            return Ok(inputs / 2);
        }
        let expected = "an even number of inputs, which it halves";
        Err(Error::new(ErrorKind::Shape, "", expected, inputs))
    }

    /// φ and φ′ of the second half.
    fn cache_len(&self, inputs: usize) -> usize {
        inputs
    }

    fn is_trainable(&self) -> bool {
        self.activation.is_trainable()
    }

    fn infer(&self, mut p: InferArgs<'_, T>) {
        let y = p.y.as_mut_slice();
        copy_second(p.x, y);
        self.activation.apply(y);
        times_first(p.x, y);
    }

    fn forward(&self, mut p: ForwardArgs<'_, T>) {
        let half = p.y.rows();
        let y = p.y.as_mut_slice();
        copy_second(p.x, y);
        self.activation.forward(&[], y, &mut p.cache[y.len()..]);
        // All φ′ are behind each other; each goes behind its φ, the first first, which is where no
        // other is left.
        let slopes = (y.len()..).step_by(half);
        let places = (0..).step_by(2 * half);
        for ((gate, from), to) in y.chunks_exact(half).zip(slopes).zip(places) {
            p.cache.copy_within(from..from + half, to + half);
            p.cache[to..to + half].copy_from_slice(gate);
        }
        times_first(p.x, y);
    }

    fn backward(&self, mut p: BackwardArgs<'_, T>) {
        let Some(mut dx) = p.dx else {
            return;
        };
        let half = p.y.rows();
        let kept = kept(p.cache, half);
        let samples = halves(p.x).zip(p.delta.iter_mut()).zip(kept);
        for (dx, (((first, _), dy), (gate, slope))) in dx.iter_mut().zip(samples) {
            let (dfirst, dsecond) = dx.split_at_mut(half);
            for j in 0..half {
                dfirst[j] = dy[j] * gate[j];
                dsecond[j] = dy[j] * first[j] * slope[j];
            }
        }
    }

    /// φ″(x) ⊙ ẋ of the second half, where it is not 0.
    fn tangent_cache_len(&self, inputs: usize) -> usize {
        if self.activation.bends() {
            inputs / 2
        } else {
            0
        }
    }

    /// ẏ = ẋ₁ ⊙ φ(x₂) + x₁ ⊙ φ′(x₂) ⊙ ẋ₂.
    fn tangent(&self, mut p: TangentArgs<'_, T>) -> Result<()> {
        self.activation.check_tangent()?;
        let half = p.y.rows();
        let bends = !p.tangent_cache.is_empty();
        if bends {
            copy_second(p.x, p.tangent_cache);
            self.activation.bend(p.tangent_cache);
        }
        let mut bent = p.tangent_cache.chunks_exact_mut(half);
        let kept = kept(p.cache, half);
        let samples = halves(p.x).zip(halves(p.x_dot)).zip(kept);
        for (y_dot, (((first, _), (first_dot, second_dot)), (gate, slope))) in
            p.y_dot.iter_mut().zip(samples)
        {
            for j in 0..half {
                y_dot[j] = first_dot[j] * gate[j] + first[j] * slope[j] * second_dot[j];
            }
            for (bent, second_dot) in bent.next().into_iter().flatten().zip(second_dot) {
                *bent *= *second_dot;
            }
        }
        Ok(())
    }

    fn backward_tangent(&self, mut p: BackwardTangentArgs<'_, T>) -> Result<()> {
        self.activation.check_tangent()?;
        let Some((mut dx, mut dx_dot)) = p.dx else {
            return Ok(());
        };
        let half = p.y.rows();
        let mut bent = p.tangent_cache.chunks_exact(half);
        let kept = kept(p.cache, half);
        let samples = halves(p.x).zip(halves(p.x_dot)).zip(kept);
        let slopes = p.delta.iter_mut().zip(p.delta_dot.iter_mut());
        let results = dx.iter_mut().zip(dx_dot.iter_mut());
        for (((dx, dx_dot), (dy, dy_dot)), (((first, _), (first_dot, second_dot)), kept)) in
            results.zip(slopes).zip(samples)
        {
            let (gate, slope) = kept;
            let bent = bent.next().unwrap_or_default();
            for j in 0..half {
                let gate_dot = slope[j] * second_dot[j];
                let bent = bent.get(j).map_or(T::zero(), |bent| *bent);
                dx[j] = dy[j] * gate[j];
                dx_dot[j] = dy_dot[j] * gate[j] + dy[j] * gate_dot;
                dx[half + j] = dy[j] * first[j] * slope[j];
                dx_dot[half + j] = (dy_dot[j] * first[j] + dy[j] * first_dot[j]) * slope[j]
                    + dy[j] * first[j] * bent;
            }
        }
        Ok(())
    }
}
