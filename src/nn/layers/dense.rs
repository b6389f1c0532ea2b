//! The fully connected layer: the four equations of backpropagation, in `forward`, `backward` and
//! `gradient`. Where a network has nothing but small layers of this kind, `chain.rs` computes the
//! same for all of them in one call.

use super::smooth;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::{Activation, OutputRange};
use crate::nn::init::Init;
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, Block, ForwardArgs, GradientArgs, InferArgs, InitParamsArgs,
    Layer, Role, TangentArgs,
};
use crate::numeric::kernel::Pass;
use crate::numeric::kernel::workers::{Divide, NUMBER, Workers};
use crate::numeric::real::{Real, vectorize};
use crate::numeric::scratch::Scratch;
use crate::numeric::view::{View, ViewMut};
use alloc::{format, string::String, vec, vec::Vec};

/// A fully connected layer with its activation: a = φ(z), z = W·x + b, where W is outputs × inputs
/// and wⱼₖ goes from input k to neuron j.
///
/// For a batch X with samples as columns: Z = W·X + b·1ᵀ (with samples as rows, as many texts
/// write, Zᵀ = XᵀWᵀ + 1·bᵀ). Backward, with ∂C/∂a of this layer given:
///
/// ```text
/// δ = ∂C/∂a ⊙ φ′(z)        (BP1; the second factor of BP2)
/// ∂C/∂x = Wᵀ·δ             (the first factor of BP2, for the layer below)
/// ∂C/∂b = Σ δ over samples  (BP3)
/// ∂C/∂W = δ·xᵀ              (BP4)
/// ```
///
/// The equations are those of M. Nielsen, *Neural Networks and Deep Learning*, chapter 2 (2015).
///
/// ```
/// use chainrule::{Activation, Dense, Init, Sequential};
///
/// let net = Sequential::<f32>::builder(4)
///     .layer(Dense::new(8, Activation::Relu))
///     .layer(Dense::new(2, Activation::Linear).without_bias().init(Init::GlorotNormal))
///     .seed(1)
///     .build()?;
/// assert_eq!(net.params().len(), 4 * 8 + 8 + 8 * 2);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias(
    "Linear",
    "fully_connected",
    "nn.Linear",
    "perceptron",
    "feedforwardnet"
))]
pub struct Dense {
    outputs: usize,
    activation: Activation,
    // Said, even where there is none: a field that is missing is an error.
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "serde::Deserialize::deserialize")
    )]
    bias: Option<Init>,
    init: Init,
}

impl Dense {
    /// A layer of `outputs` neurons (at least 1). Its weights start by the default for `activation`
    /// ([`Init::for_activation`]), its biases by [`Init::LeCunUniform`]: uniform on ±√(3/n), n
    /// being the number of inputs.
    pub fn new(outputs: usize, activation: Activation) -> Self {
        Self {
            outputs,
            init: Init::for_activation(&activation),
            activation,
            bias: Some(Init::LeCunUniform),
        }
    }

    /// The same layer without biases: z = W·x.
    #[must_use]
    #[doc(alias("use_bias", "bias=False"))]
    pub fn without_bias(self) -> Self {
        Self { bias: None, ..self }
    }

    /// The same layer with weights that start by `init`.
    #[must_use]
    #[doc(alias("kernel_initializer", "weight_init"))]
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }

    /// The same layer with biases that start by `init`.
    #[must_use]
    #[doc(alias("bias_initializer"))]
    pub fn bias_init(self, init: Init) -> Self {
        Self {
            bias: Some(init),
            ..self
        }
    }

    /// The activation φ.
    pub fn activation(&self) -> &Activation {
        &self.activation
    }

    pub(crate) fn has_bias(&self) -> bool {
        self.bias.is_some()
    }

    /// W and b, which is empty where there are no biases.
    fn split<'a, T>(&self, params: &'a [T], inputs: usize) -> (View<'a, T>, &'a [T]) {
        let (weights, bias) = params.split_at(self.outputs * inputs);
        (View::from_parts(weights, self.outputs, inputs), bias)
    }

    /// a = φ(W·x + b), and into `slopes` φ′(W·x + b) where it has rows.
    #[inline]
    fn affine<T: Real>(
        &self,
        params: &[T],
        x: View<'_, T>,
        a: ViewMut<'_, T>,
        slopes: ViewMut<'_, T>,
        scratch: &mut Scratch<T>,
    ) {
        let (w, b) = self.split(params, x.rows());
        // z = W·x, in the place of a, and while it is in the cache a = φ(z + b), with φ′(z + b) for
        // the way back.
        scratch.multiply_then(w, x, a, slopes, |mut a, mut slopes| {
            self.activation
                .forward(b, a.as_mut_slice(), slopes.as_mut_slice());
        });
    }
}

impl<T: Real> Layer<T> for Dense {
    shared!(Dense);

    fn name(&self) -> String {
        format!("Dense {}", self.activation)
    }

    /// Initializers are over when training goes on.
    fn describe(&self) -> String {
        format!(
            "Dense(outputs={}, activation={}, bias={})",
            self.outputs,
            self.activation,
            self.bias.is_some()
        )
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        if self.outputs == 0 {
            return Err(Error::new(ErrorKind::Value, "", "at least 1 output", 0));
        }
        if self
            .outputs
            .checked_mul(inputs)
            .and_then(|n| n.checked_add(self.outputs))
            .is_none_or(|n| n > isize::MAX as usize / size_of::<T>())
        {
            return Err(Error::new(
                ErrorKind::Value,
                "",
                "parameters that fit into memory",
                format!("{} × {inputs}", self.outputs),
            ));
        }
        self.activation.check::<T>()?;
        self.init
            .check::<T>()
            .map_err(|error| error.within("weights"))?;
        self.bias
            .unwrap_or(Init::Zeros)
            .check::<T>()
            .map_err(|error| error.within("bias"))?;
        Ok(self.outputs)
    }

    fn blocks(&self, inputs: usize) -> Vec<Block> {
        let mut blocks = vec![Block::new("weights", Role::Weight, self.outputs, inputs)];
        if self.bias.is_some() {
            blocks.push(Block::new("bias", Role::Bias, self.outputs, 1));
        }
        blocks
    }

    fn init_params(&self, p: InitParamsArgs<'_, T>) {
        let (weights, bias) = p.params.split_at_mut(self.outputs * p.inputs);
        self.init
            .fill_unchecked(weights, p.inputs, self.outputs, p.rng);
        if let Some(init) = self.bias {
            init.fill_unchecked(bias, p.inputs, self.outputs, p.rng);
        }
    }

    fn cache_len(&self, _inputs: usize) -> usize {
        self.activation.cache_len() * self.outputs
    }

    fn range(&self, _input: OutputRange) -> OutputRange {
        self.activation.range()
    }

    fn bounds(&self, _input: (f64, f64)) -> (f64, f64) {
        self.activation.bounds()
    }

    fn is_trainable(&self) -> bool {
        self.activation.is_trainable()
    }

    /// a = φ(W·x + b).
    fn infer(&self, p: InferArgs<'_, T>) {
        let no_slopes = ViewMut::from_parts(&mut [], 0, p.x.cols());
        self.affine(p.params, p.x, p.y, no_slopes, p.scratch);
    }

    /// a = φ(W·x + b); keeps φ′(W·x + b).
    fn forward(&self, p: ForwardArgs<'_, T>) {
        let rows = Layer::<T>::cache_len(self, p.x.rows());
        let slopes = ViewMut::from_parts(p.cache, rows, p.x.cols());
        self.affine(p.params, p.x, p.y, slopes, p.scratch);
    }

    /// δ = ∂C/∂a ⊙ φ′(z), ∂C/∂x = Wᵀ·δ.
    fn backward(&self, mut p: BackwardArgs<'_, T>) {
        let (w, _) = self.split(p.params, p.x.rows());
        // BP1 at the top, the second factor of BP2 below: δ = ∂C/∂a ⊙ φ′(z)
        let cache = View::from_parts(p.cache, p.cache.len() / p.y.cols(), p.y.cols());
        p.scratch.share(
            self.outputs * NUMBER,
            p.y.cols(),
            (p.y, cache, p.delta.reborrow()),
            |(y, cache, mut delta), _| {
                self.activation
                    .backward(y.as_slice(), cache.as_slice(), delta.as_mut_slice());
            },
        );
        // BP2, the first factor, for the layer below: ∂C/∂x = Wᵀ·δ
        if let Some(dx) = p.dx {
            p.scratch.multiply(w.transposed(), p.delta.as_view(), dx);
        }
    }

    /// ∂C/∂b = Σ δ, ∂C/∂W = δ·xᵀ.
    fn gradient(&self, p: GradientArgs<'_, T>) {
        let (dw, db) = p.grads.split_at_mut(self.outputs * p.x.rows());
        // BP3: ∂C/∂b = Σ δ over the samples
        sum_samples(p.delta, db, &p.scratch.workers);
        // BP4: ∂C/∂W = δ·xᵀ
        p.scratch.multiply(
            p.delta,
            p.x.transposed(),
            ViewMut::from_parts(dw, self.outputs, p.x.rows()),
        );
    }

    fn tangent_cache_len(&self, _inputs: usize) -> usize {
        if self.activation.bends() {
            self.outputs
        } else {
            0
        }
    }

    /// ȧ = φ′(z) ⊙ ż, ż = W·ẋ + Ẇ·x + ḃ; keeps φ″(z) ⊙ ż.
    fn tangent(&self, mut p: TangentArgs<'_, T>) -> Result<()> {
        self.activation.check_tangent()?;
        let (w, b) = self.split(p.params, p.x.rows());
        let (w_dot, b_dot) = self.split(p.params_dot, p.x.rows());
        if self.activation.bends() {
            p.scratch.multiply(
                w,
                p.x,
                ViewMut::from_parts(p.tangent_cache, self.outputs, p.x.cols()),
            );
            Activation::Linear.forward(b, p.tangent_cache, &mut []);
        }
        match (p.params_moving, p.moving) {
            (true, moving) => {
                p.scratch.multiply(w_dot, p.x, p.y_dot.reborrow());
                Activation::Linear.forward(b_dot, p.y_dot.as_mut_slice(), &mut []);
                if moving {
                    p.scratch.add_product(w, p.x_dot, p.y_dot.reborrow());
                }
            }
            (false, true) => p.scratch.multiply(w, p.x_dot, p.y_dot.reborrow()),
            (false, false) => p.y_dot.as_mut_slice().fill(T::zero()),
        }
        smooth::activation(&self.activation, &mut p);
        Ok(())
    }

    /// (∂C/∂W)˙ = δ̇·xᵀ + δ·ẋᵀ, (∂C/∂b)˙ = Σ δ̇, (∂C/∂x)˙ = Wᵀ·δ̇ + Ẇᵀ·δ.
    fn backward_tangent(&self, mut p: BackwardTangentArgs<'_, T>) -> Result<()> {
        self.activation.check_tangent()?;
        smooth::backward_activation(&self.activation, &mut p);
        let (w, _) = self.split(p.params, p.x.rows());
        let (w_dot, _) = self.split(p.params_dot, p.x.rows());
        let (delta, delta_dot) = (p.delta.as_view(), p.delta_dot.as_view());
        let (dw_dot, db_dot) = p.grads_dot.split_at_mut(self.outputs * p.x.rows());
        let mut dw_dot = ViewMut::from_parts(dw_dot, self.outputs, p.x.rows());
        sum_samples(delta_dot, db_dot, &p.scratch.workers);
        p.scratch
            .multiply(delta_dot, p.x.transposed(), dw_dot.reborrow());
        if p.moving {
            p.scratch.add_product(delta, p.x_dot.transposed(), dw_dot);
        }
        if let Some((dx, mut dx_dot)) = p.dx {
            p.scratch
                .multiply(w.transposed(), delta_dot, dx_dot.reborrow());
            if p.params_moving {
                p.scratch.add_product(w_dot.transposed(), delta, dx_dot);
            }
            p.scratch.multiply(w.transposed(), delta, dx);
        }
        Ok(())
    }
}

/// sums ← Σ δ over the samples; nothing to do without biases, where `sums` is empty.
fn sum_samples<T: Real>(delta: View<'_, T>, sums: &mut [T], workers: &Workers) {
    if sums.is_empty() {
        return;
    }
    let (outputs, samples) = delta.shape();
    let pass = SumSamples {
        delta: delta.as_slice(),
        outputs,
        first: 0,
        sums,
    };
    workers.over(pass, outputs, samples, |pass| {
        vectorize::<T, _>(pass.sums.len() * samples, pass);
    });
}

/// The sums of some outputs.
struct SumSamples<'a, T> {
    delta: &'a [T],
    outputs: usize,
    first: usize,
    sums: &'a mut [T],
}

impl<T: Real> Divide for SumSamples<'_, T> {
    fn divide(self, at: usize) -> (Self, Self) {
        let (sums, rest) = self.sums.split_at_mut(at);
        (
            Self { sums, ..self },
            Self {
                first: self.first + at,
                sums: rest,
                ..self
            },
        )
    }
}

impl<T: Real> Pass for SumSamples<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        self.sums.fill(T::zero());
        // Split off one after the other: `chunks_exact` divides first, which takes longer than a
        // small layer.
        while let Some((column, rest)) = self.delta.split_at_checked(self.outputs) {
            for (sum, d) in self.sums.iter_mut().zip(&column[self.first..]) {
                *sum += *d;
            }
            self.delta = rest;
        }
    }
}
