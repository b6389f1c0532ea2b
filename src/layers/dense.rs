//! The fully connected layer, in which the four equations are.

use crate::activation::{Activation, OutputRange};
use crate::error::{Error, ErrorKind, Result};
use crate::init::Init;
use crate::layer::{Backward, Block, Forward, Gradient, Infer, Layer, Role, Scratch, Start};
use crate::real::{DenseBackward, DenseForward, DenseGradient, Real};
use crate::view::{View, ViewMut};
use alloc::{format, string::String, vec, vec::Vec};

/// A fully connected layer with its activation: a = φ(z), z = W·x + b, where W is outputs × inputs and wⱼₖ goes from
/// input k to neuron j.
///
/// For a batch X with samples as columns: Z = W·X + b·1ᵀ (with samples as rows, as many texts write, Zᵀ = XᵀWᵀ + 1·bᵀ).
/// Backwards, with ∂C/∂a of this layer given:
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
/// use chainrule::{Activation, Dense, Init, Sequential, rand::{SeedableRng, rngs::Xoshiro256PlusPlus}};
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Dense {
    outputs: usize,
    activation: Activation,
    // Said, even where there is none: a field that is missing is an error.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "serde::Deserialize::deserialize"))]
    bias: Option<Init>,
    init: Init,
}

impl Dense {
    /// A layer of `outputs` neurons (at least 1) with biases that start at 0 and weights that start by the default for
    /// `activation` ([`Init::for_activation`]).
    pub fn new(outputs: usize, activation: Activation) -> Self {
        Self { outputs, init: Init::for_activation(&activation), activation, bias: Some(Init::Zeros) }
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
        Self { bias: Some(init), ..self }
    }

    /// The activation φ.
    pub fn activation(&self) -> &Activation {
        &self.activation
    }

    /// a = φ(W·x + b), and φ′ into `slopes` where it is not empty.
    fn pass<T: Real>(&self, params: &[T], x: View<'_, T>, mut a: ViewMut<'_, T>, slopes: &mut [T], scratch: &mut Scratch<T>) {
        let (weights, bias) = params.split_at(self.outputs * x.rows());
        let (activation, outputs, inputs) = (&self.activation, self.outputs, x.rows());
        let (samples, x, a) = (x.cols(), x.as_slice(), a.as_mut_slice());
        let pass = DenseForward { activation, weights, bias, outputs, inputs, samples, x, a, slopes };
        scratch.share(weights.len(), samples, pass, T::dense_forward);
    }
}

impl<T: Real> Layer<T> for Dense {
    fn name(&self) -> String {
        format!("Dense {}", self.activation)
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
            return Err(Error::new(ErrorKind::Value, "", "parameters that fit into memory", format!("{} × {inputs}", self.outputs)));
        }
        self.activation.check::<T>()?;
        self.init.check::<T>().map_err(|error| error.within("weights"))?;
        self.bias.unwrap_or(Init::Zeros).check::<T>().map_err(|error| error.within("bias"))?;
        Ok(self.outputs)
    }

    fn blocks(&self, inputs: usize) -> Vec<Block> {
        let mut blocks = vec![Block::new("weights", Role::Weight, self.outputs, inputs)];
        if self.bias.is_some() {
            blocks.push(Block::new("bias", Role::Bias, self.outputs, 1));
        }
        blocks
    }

    fn start(&self, p: Start<'_, T>) {
        let (weights, bias) = p.params.split_at_mut(self.outputs * p.inputs);
        self.init.fill_unchecked(weights, p.inputs, self.outputs, p.rng);
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

    fn is_trainable(&self) -> bool {
        self.activation.is_trainable()
    }

    fn infer(&self, p: Infer<'_, T>) {
        self.pass(p.params, p.x, p.y, &mut [], p.scratch);
    }

    fn forward(&self, p: Forward<'_, T>) {
        self.pass(p.params, p.x, p.y, p.cache, p.scratch);
    }

    fn backward(&self, mut p: Backward<'_, T>) {
        let (outputs, inputs) = (self.outputs, p.x.rows());
        let mut dx = p.dx;
        let pass = DenseBackward {
            activation: &self.activation,
            weights: &p.params[..outputs * inputs],
            outputs,
            inputs,
            samples: p.x.cols(),
            a: p.y.as_slice(),
            slopes: p.cache,
            delta: p.delta.as_mut_slice(),
            dx: dx.as_mut().map_or(&mut [], |dx| dx.as_mut_slice()),
        };
        p.scratch.share(outputs * inputs, p.x.cols(), pass, T::dense_backward);
    }

    fn gradient(&self, p: Gradient<'_, T>) {
        let (outputs, inputs, samples) = (self.outputs, p.x.rows(), p.x.cols());
        let (dw, db) = p.grads.split_at_mut(outputs * inputs);
        let pass = DenseGradient { outputs, inputs, some: inputs, samples, delta: p.delta.as_slice(), x: p.x.as_slice(), dw, db };
        p.scratch.share(outputs * samples, inputs, pass, T::dense_gradient);
    }
}
