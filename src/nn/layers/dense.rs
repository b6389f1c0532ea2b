//! The fully connected layer, in which the four equations are.

use super::smooth;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::{Activation, OutputRange};
use crate::nn::init::Init;
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, Block, ForwardArgs, GradientArgs, InferArgs, InitParamsArgs,
    Layer, Role, Scratch, TangentArgs,
};
use crate::numeric::real::{DenseBackward, DenseForward, DenseGradient, Real};
use crate::numeric::view::{View, ViewMut};
use alloc::{format, string::String, vec, vec::Vec};

/// A fully connected layer with its activation: a = φ(z), z = W·x + b, where W is outputs × inputs and wⱼₖ goes from
/// input k to neuron j.
///
/// For a batch X with samples as columns: Z = W·X + b·1ᵀ (with samples as rows, as many texts write, Zᵀ = XᵀWᵀ + 1·bᵀ).
/// Backward, with ∂C/∂a of this layer given:
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
/// use chainrule::rand::SeedableRng;
/// use chainrule::rand::rngs::Xoshiro256PlusPlus;
///
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let net = Sequential::<f32>::builder(4)
///     .layer(Dense::new(8, Activation::Relu))
///     .layer(Dense::new(2, Activation::Linear).without_bias().init(Init::GlorotNormal))
///     .build(&mut rng)?;
/// assert_eq!(net.params().len(), 4 * 8 + 8 + 8 * 2);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
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
    /// ([`Init::for_activation`]), its biases by [`Init::LeCunUniform`]: uniform on ±√(3/n), n being the number of inputs.
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
    pub fn without_bias(self) -> Self {
        Self { bias: None, ..self }
    }

    /// The same layer with weights that start by `init`.
    #[must_use]
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }

    /// The same layer with biases that start by `init`.
    #[must_use]
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

    /// a = φ(W·x + b), and φ′ into `slopes` where it is not empty.
    fn pass<T: Real>(
        &self,
        params: &[T],
        x: View<'_, T>,
        mut a: ViewMut<'_, T>,
        slopes: &mut [T],
        scratch: &mut Scratch<T>,
    ) {
        self.affine(
            &self.activation,
            params,
            x,
            a.as_mut_slice(),
            slopes,
            scratch,
        );
    }

    /// [`pass`](Self::pass) with another activation; without biases where there are none in `params`.
    fn affine<T: Real>(
        &self,
        activation: &Activation,
        params: &[T],
        x: View<'_, T>,
        a: &mut [T],
        slopes: &mut [T],
        scratch: &mut Scratch<T>,
    ) {
        let (weights, bias) = params.split_at(self.outputs * x.rows());
        let (outputs, inputs) = (self.outputs, x.rows());
        let (samples, x) = (x.cols(), x.as_slice());
        let pass = DenseForward {
            activation,
            weights,
            bias,
            outputs,
            inputs,
            samples,
            x,
            a,
            slopes,
        };
        scratch.share(weights.len(), samples, pass, T::dense_forward);
    }
}

impl<T: Real> Layer<T> for Dense {
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

    fn infer(&self, p: InferArgs<'_, T>) {
        self.pass(p.params, p.x, p.y, &mut [], p.scratch);
    }

    fn forward(&self, p: ForwardArgs<'_, T>) {
        self.pass(p.params, p.x, p.y, p.cache, p.scratch);
    }

    fn backward(&self, mut p: BackwardArgs<'_, T>) {
        let mut dx = p.dx;
        let dx = dx.as_mut().map_or(&mut [][..], |dx| dx.as_mut_slice());
        let pass = Back {
            activation: &self.activation,
            params: p.params,
            x: p.x,
            a: p.y.as_slice(),
            slopes: p.cache,
        };
        self.back(pass, p.delta.as_mut_slice(), dx, p.scratch);
    }

    fn gradient(&self, p: GradientArgs<'_, T>) {
        self.outer(p.delta.as_slice(), p.x, p.grads, p.scratch);
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
        let linear = Activation::Linear;
        if self.activation.bends() {
            self.affine(&linear, p.params, p.x, p.tangent_cache, &mut [], p.scratch);
        }
        self.affine(
            &linear,
            p.params_dot,
            p.x,
            p.y_dot.as_mut_slice(),
            &mut [],
            p.scratch,
        );
        if p.moving {
            let weights = &p.params[..self.outputs * p.x.rows()];
            p.scratch.add(p.y_dot.as_mut_slice(), |sum, scratch| {
                self.affine(&linear, weights, p.x_dot, sum, &mut [], scratch)
            });
        }
        smooth::activation(&self.activation, &mut p);
        Ok(())
    }

    /// (∂C/∂W)˙ = δ̇·xᵀ + δ·ẋᵀ, (∂C/∂b)˙ = Σ δ̇, (∂C/∂x)˙ = Wᵀ·δ̇ + Ẇᵀ·δ.
    fn backward_tangent(&self, mut p: BackwardTangentArgs<'_, T>) -> Result<()> {
        self.activation.check_tangent()?;
        smooth::backward_activation(&self.activation, &mut p);
        let BackwardTangentArgs {
            params,
            params_dot,
            x,
            x_dot,
            moving,
            mut delta,
            mut delta_dot,
            dx,
            grads_dot,
            scratch,
            ..
        } = p;
        self.outer(delta_dot.as_view().as_slice(), x, grads_dot, scratch);
        if moving {
            // Without biases: their part is there already.
            let (dw, _) = grads_dot.split_at_mut(self.outputs * x.rows());
            scratch.add(dw, |sum, scratch| {
                self.outer(delta.as_view().as_slice(), x_dot, sum, scratch)
            });
        }
        if let Some((mut dx, mut dx_dot)) = dx {
            let back = |params| Back {
                activation: &Activation::Linear,
                params,
                x,
                a: &[],
                slopes: &[],
            };
            let (delta, dx) = (delta.as_mut_slice(), dx.as_mut_slice());
            self.back(
                back(params),
                delta_dot.as_mut_slice(),
                dx_dot.as_mut_slice(),
                scratch,
            );
            scratch.add(dx_dot.as_mut_slice(), |sum, scratch| {
                self.back(back(params_dot), delta, sum, scratch)
            });
            self.back(back(params), delta, dx, scratch);
        }
        Ok(())
    }
}

/// What δ and ∂C/∂x are made from.
struct Back<'a, T> {
    activation: &'a Activation,
    params: &'a [T],
    x: View<'a, T>,
    a: &'a [T],
    slopes: &'a [T],
}

impl Dense {
    /// δ = ∂C/∂a ⊙ φ′(z) in place, and ∂C/∂x = Wᵀ·δ where it is not empty.
    fn back<T: Real>(
        &self,
        from: Back<'_, T>,
        delta: &mut [T],
        dx: &mut [T],
        scratch: &mut Scratch<T>,
    ) {
        let Back {
            activation,
            params,
            x,
            a,
            slopes,
        } = from;
        let (outputs, inputs, samples) = (self.outputs, x.rows(), x.cols());
        let weights = &params[..outputs * inputs];
        let pass = DenseBackward {
            activation,
            weights,
            outputs,
            inputs,
            samples,
            a,
            slopes,
            delta,
            dx,
        };
        scratch.share(outputs * inputs, samples, pass, T::dense_backward);
    }

    /// δ·xᵀ, and Σ δ where there is room for it.
    fn outer<T: Real>(
        &self,
        delta: &[T],
        x: View<'_, T>,
        grads: &mut [T],
        scratch: &mut Scratch<T>,
    ) {
        let (outputs, inputs, samples) = (self.outputs, x.rows(), x.cols());
        let (dw, db) = grads.split_at_mut(outputs * inputs);
        let pass = DenseGradient {
            outputs,
            inputs,
            some: inputs,
            samples,
            delta,
            x: x.as_slice(),
            dw,
            db,
        };
        scratch.share(outputs * samples, inputs, pass, T::dense_gradient);
    }
}
