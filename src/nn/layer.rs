//! What a layer is: a description of a function, without weights, caches or gradients of its own.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::OutputRange;
use crate::numeric::real::Real;
pub use crate::numeric::scratch::{Factor, Scratch};
use crate::numeric::view::{View, ViewMut};
use alloc::{borrow::Cow, string::String, sync::Arc, vec::Vec};
use core::any::Any;
use core::fmt::{self, Debug};
use core::ops::Range;
use rand::Rng;

/// What a block of parameters is, by which optimizer groups choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Role {
    /// Multiplies an input: wˡⱼₖ.
    Weight,
    /// Is added: bˡⱼ.
    Bias,
    /// Multiplies a normalized input, from 1 on: γˡⱼ; or is the slope of a
    /// [`Prelu`](crate::nn::Prelu). No weight, because decay would take it to 0 and the layer's
    /// output with it.
    Scale,
    /// A running statistic of the data, which follows the batches and not the gradient's rule.
    Statistic,
}

/// A named matrix of parameters that a layer asks for; it lies column after column in the flat
/// vector of all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct Block {
    /// The name, unique within the layer: `weights`, `bias`, …
    pub name: Cow<'static, str>,
    /// What the parameters are.
    pub role: Role,
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix.
    pub cols: usize,
}

impl Block {
    /// A block of `rows × cols` parameters.
    ///
    /// ```
    /// use chainrule::nn::layer::{Block, Role};
    /// assert_eq!(Block::new("weights", Role::Weight, 3, 2).len(), 6);
    /// ```
    pub fn new(name: impl Into<Cow<'static, str>>, role: Role, rows: usize, cols: usize) -> Self {
        Self {
            name: name.into(),
            role,
            rows,
            cols,
        }
    }

    /// The number of parameters.
    pub fn len(&self) -> usize {
        self.rows.saturating_mul(self.cols)
    }

    /// Whether the block holds no parameter.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Blocks that lie one after the other from `start` on, each with its place.
    pub(crate) fn lay(
        blocks: &[Self],
        start: usize,
    ) -> impl Iterator<Item = (&Self, Range<usize>)> + Clone {
        blocks.iter().scan(start, |end, block| {
            let start = *end;
            *end = start.saturating_add(block.len());
            Some((block, start..*end))
        })
    }
}

/// What [`Layer::init_params`] works on.
#[non_exhaustive]
pub struct InitParamsArgs<'a, T> {
    /// The number of inputs.
    pub inputs: usize,
    /// The layer's parameters: its blocks, one after the other; all 0.
    pub params: &'a mut [T],
    /// Where random numbers come from.
    pub rng: &'a mut dyn Rng,
}

impl<T: Debug> Debug for InitParamsArgs<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitParamsArgs")
            .field("inputs", &self.inputs)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

/// What [`Layer::infer`] works on.
#[derive(Debug)]
#[non_exhaustive]
pub struct InferArgs<'a, T> {
    /// The layer's parameters: its blocks, one after the other.
    pub params: &'a [T],
    /// The input, inputs × batch.
    pub x: View<'a, T>,
    /// The output, outputs × batch; holds anything, to be overwritten.
    pub y: ViewMut<'a, T>,
    /// Threads and buffers, on which stands the matrix product.
    pub scratch: &'a mut Scratch<T>,
}

/// What [`Layer::forward`] works on.
#[derive(Debug)]
#[non_exhaustive]
pub struct ForwardArgs<'a, T> {
    /// The layer's parameters: its blocks, one after the other.
    pub params: &'a [T],
    /// The input, inputs × batch.
    pub x: View<'a, T>,
    /// The output, outputs × batch; holds anything, to be overwritten.
    pub y: ViewMut<'a, T>,
    /// What the layer keeps for its backward pass: [`Layer::cache_len`] numbers per sample, sample
    /// after sample.
    pub cache: &'a mut [T],
    /// The seed of this layer in this pass, from which all its randomness follows.
    pub seed: u64,
    /// Whether the pass is one of training. Where not, y is what [`Layer::infer`] computes, to the
    /// bit, and the passes back give the derivatives of that.
    pub training: bool,
    /// Threads and buffers, on which stands the matrix product.
    pub scratch: &'a mut Scratch<T>,
}

/// What [`Layer::backward`] works on.
#[derive(Debug)]
#[non_exhaustive]
pub struct BackwardArgs<'a, T> {
    /// The layer's parameters.
    pub params: &'a [T],
    /// The input of the forward pass.
    pub x: View<'a, T>,
    /// The output of the forward pass.
    pub y: View<'a, T>,
    /// What the forward pass kept.
    pub cache: &'a [T],
    /// In: ∂C/∂y. Out: what [`Layer::gradient`] needs, by convention δ = ∂C/∂z.
    pub delta: ViewMut<'a, T>,
    /// ∂C/∂x, to be overwritten; `None` where nobody asks for it.
    pub dx: Option<ViewMut<'a, T>>,
    /// As of the forward pass.
    pub training: bool,
    /// Threads and buffers, on which stands the matrix product.
    pub scratch: &'a mut Scratch<T>,
}

/// What [`Layer::gradient`] works on.
#[derive(Debug)]
#[non_exhaustive]
pub struct GradientArgs<'a, T> {
    /// The layer's parameters.
    pub params: &'a [T],
    /// The input of the forward pass.
    pub x: View<'a, T>,
    /// The output of the forward pass.
    pub y: View<'a, T>,
    /// What the forward pass kept.
    pub cache: &'a [T],
    /// δ, as [`Layer::backward`] left it.
    pub delta: View<'a, T>,
    /// ∂C/∂ the layer's parameters, summed over the batch, to be overwritten; laid as `params`.
    pub grads: &'a mut [T],
    /// As of the forward pass. Where it is false, statistics are constants: what belongs to them
    /// here is 0.
    pub training: bool,
    /// Threads and buffers, on which stands the matrix product.
    pub scratch: &'a mut Scratch<T>,
}

/// What [`Layer::tangent`] works on. A dot marks the derivative along one direction of the
/// parameters: with θ + s·θ̇ for θ, ẏ is ∂y/∂s at s = 0.
#[derive(Debug)]
#[non_exhaustive]
pub struct TangentArgs<'a, T> {
    /// The layer's parameters.
    pub params: &'a [T],
    /// θ̇, laid as `params`. What belongs to statistics, which are constants, is to be taken for 0.
    pub params_dot: &'a [T],
    /// The input of the forward pass, which was none of training.
    pub x: View<'a, T>,
    /// ẋ.
    pub x_dot: View<'a, T>,
    /// Whether x depends on s. Where not, ẋ is 0, and what is made of it need not be computed.
    pub moving: bool,
    /// The output of the forward pass.
    pub y: View<'a, T>,
    /// ẏ, to be overwritten.
    pub y_dot: ViewMut<'a, T>,
    /// What the forward pass kept.
    pub cache: &'a [T],
    /// What the layer keeps for [`Layer::backward_tangent`]: [`Layer::tangent_cache_len`] numbers
    /// per sample.
    pub tangent_cache: &'a mut [T],
    /// Threads and buffers, on which stands the matrix product.
    pub scratch: &'a mut Scratch<T>,
}

/// What [`Layer::backward_tangent`] works on; dots are those of [`TangentArgs`].
#[derive(Debug)]
#[non_exhaustive]
pub struct BackwardTangentArgs<'a, T> {
    /// The layer's parameters.
    pub params: &'a [T],
    /// θ̇, laid as `params`.
    pub params_dot: &'a [T],
    /// The input of the forward pass.
    pub x: View<'a, T>,
    /// ẋ.
    pub x_dot: View<'a, T>,
    /// Whether x depends on s.
    pub moving: bool,
    /// The output of the forward pass.
    pub y: View<'a, T>,
    /// ẏ.
    pub y_dot: View<'a, T>,
    /// What the forward pass kept.
    pub cache: &'a [T],
    /// What the tangent pass kept.
    pub tangent_cache: &'a [T],
    /// ∂C/∂y; free to be changed, as `delta_dot`.
    pub delta: ViewMut<'a, T>,
    /// The derivative of ∂C/∂y by s.
    pub delta_dot: ViewMut<'a, T>,
    /// ∂C/∂x and its derivative by s, to be overwritten; `None` where nobody asks for them.
    pub dx: Option<(ViewMut<'a, T>, ViewMut<'a, T>)>,
    /// The derivative by s of what [`Layer::gradient`] writes, to be overwritten; laid as `params`,
    /// 0 of statistics.
    pub grads_dot: &'a mut [T],
    /// Threads and buffers, on which stands the matrix product.
    pub scratch: &'a mut Scratch<T>,
}

/// A layer: the description of a differentiable function from `inputs` numbers to `outputs` numbers
/// per sample.
///
/// A layer holds no weights, no cache and no gradient; it is told where they are. So one layer
/// serves many threads, many networks and many parameter vectors at once. The structs it works on
/// cannot be made outside this crate. So what a layer is given always fits: no call of the public
/// interface can hand it a wrong shape.
///
/// A layer of another crate implements four methods, and three more where it has parameters; the
/// example `custom_layer` does it in under forty lines, and
/// [`gradcheck::layer`](crate::gradcheck::layer) tests its derivatives. Its matrix products are
/// [`Scratch::product`], as fast as those of [`Dense`](crate::Dense). A layer of a network is found
/// again as what it is by `downcast_ref`, because every layer is [`Any`]:
///
/// ```
/// use chainrule::prelude::*;
/// use std::any::Any;
/// let net = Sequential::<f64>::builder(2).layer(Dropout::new(0.3)).seed(1).build()?;
/// let layer: &dyn Any = &*net.layers()[0];
/// assert_eq!(layer.downcast_ref::<Dropout>(), Some(&Dropout::new(0.3)));
/// # Ok::<(), chainrule::Error>(())
/// ```
///
/// The passes, with δ = ∂C/∂z of the layer and ∂C/∂x handed to the layer below:
///
/// | method | computes | equation |
/// |---|---|---|
/// | [`forward`](Layer::forward) | y = f(x) | aˡ = σ(Wˡaˡ⁻¹ + bˡ) |
/// | [`backward`](Layer::backward) | δ from ∂C/∂y, and ∂C/∂x | BP1, BP2 |
/// | [`gradient`](Layer::gradient) | ∂C/∂b, ∂C/∂W from δ and x | BP3, BP4 |
/// | [`tangent`](Layer::tangent) | ẏ = ∂f/∂x·ẋ + ∂f/∂θ·θ̇ | |
/// | [`backward_tangent`](Layer::backward_tangent) | what the passes back give, derived along the same direction | |
///
/// The last two are for products with the Hessian and the like, which a layer without them refuses;
/// all else works without.
pub trait Layer<T: Real>: Any + Debug + Send + Sync {
    /// The name by which errors and the summary call the layer.
    fn name(&self) -> String;

    /// A text that stays the same in all versions and tells apart layers that compute different
    /// things, in training or out of it: `Dropout(p=0.25)`. Checkpoints keep it, and training goes
    /// on only with the same. Without configuration the name will do.
    fn describe(&self) -> String {
        self.name()
    }

    /// The number of outputs for a number of inputs (at least 1).
    ///
    /// # Errors
    /// When the layer cannot take this many inputs, or its own configuration is wrong.
    fn outputs(&self, inputs: usize) -> Result<usize>;

    /// The parameters that the layer wants, in the order in which they lie.
    fn blocks(&self, inputs: usize) -> Vec<Block> {
        let _ = inputs;
        Vec::new()
    }

    /// Starts the parameters, which are 0.
    fn init_params(&self, p: InitParamsArgs<'_, T>) {
        let _ = p;
    }

    /// Checks parameters that come from outside, from a file or from
    /// [`Sequential::set_params`](crate::Sequential::set_params).
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for numbers that the layer's parameters can never be, such as a
    /// negative variance; the place is the block.
    fn check_params(&self, inputs: usize, params: &[T]) -> Result<()> {
        let _ = (inputs, params);
        Ok(())
    }

    /// How many numbers per sample the forward pass keeps for the backward pass, beside x and y.
    fn cache_len(&self, inputs: usize) -> usize {
        let _ = inputs;
        0
    }

    /// The set in which the outputs lie when the inputs lie in `input`.
    fn range(&self, input: OutputRange) -> OutputRange {
        let _ = input;
        OutputRange::Real
    }

    /// An interval that holds every output when every input lies in `input`; by default all
    /// numbers. [`Trainer`](crate::Trainer) finds with it the targets that no output can reach.
    fn bounds(&self, input: (f64, f64)) -> (f64, f64) {
        let _ = input;
        (f64::NEG_INFINITY, f64::INFINITY)
    }

    /// Whether a gradient can pass; a network with a layer through which none can is not trained.
    fn is_trainable(&self) -> bool {
        true
    }

    /// Whether the layer is a dropout, whose draws in training
    /// [`MonteCarloDropout`](crate::uncertainty::MonteCarloDropout) keeps in prediction.
    fn is_dropout(&self) -> bool {
        false
    }

    /// y = f(x), without cache or randomness.
    fn infer(&self, p: InferArgs<'_, T>);

    /// y = f(x), in training or, where [`ForwardArgs::training`] is false, as
    /// [`infer`](Layer::infer) computes it; and keeps in `cache` what the backward pass needs.
    fn forward(&self, p: ForwardArgs<'_, T>) {
        self.infer(InferArgs {
            params: p.params,
            x: p.x,
            y: p.y,
            scratch: p.scratch,
        });
    }

    /// δ and ∂C/∂x from ∂C/∂y (BP1 at the top, BP2 below).
    fn backward(&self, p: BackwardArgs<'_, T>);

    /// The gradient by the parameters (BP3, BP4); nothing to do without parameters.
    fn gradient(&self, p: GradientArgs<'_, T>) {
        let _ = p;
    }

    /// The momentum m of the layer's running statistics ([`Role::Statistic`]): in place of their
    /// gradient, [`gradient`](Layer::gradient) writes g = m·(running − what the batch says).
    /// [`Sequential::update_statistics`](crate::Sequential::update_statistics) divides by it.
    fn statistics_momentum(&self) -> f64 {
        1.0
    }

    /// How many numbers per sample the tangent pass keeps for
    /// [`backward_tangent`](Layer::backward_tangent).
    fn tangent_cache_len(&self, inputs: usize) -> usize {
        let _ = inputs;
        0
    }

    /// ẏ = ∂f/∂x·ẋ + ∂f/∂θ·θ̇ of what [`infer`](Layer::infer) computes.
    ///
    /// # Errors
    /// When the layer has none: as long as this method is not written, always.
    fn tangent(&self, p: TangentArgs<'_, T>) -> Result<()> {
        let _ = p;
        Err(Error::new(
            ErrorKind::Incompatible,
            "",
            "a layer with Layer::tangent",
            self.name(),
        ))
    }

    /// The derivative of [`backward`](Layer::backward) and [`gradient`](Layer::gradient), out of
    /// training, along the direction of [`tangent`](Layer::tangent) (Pearlmutter 1994).
    ///
    /// # Errors
    /// As [`tangent`](Layer::tangent).
    fn backward_tangent(&self, p: BackwardTangentArgs<'_, T>) -> Result<()> {
        let _ = p;
        Err(Error::new(
            ErrorKind::Incompatible,
            "",
            "a layer with Layer::backward_tangent",
            self.name(),
        ))
    }

    /// The layer as networks hold it. A layer of this crate says here where its methods are
    /// compiled.
    #[doc(hidden)]
    fn shared(self) -> Arc<dyn Layer<T>>
    where
        Self: Sized,
    {
        Arc::new(self)
    }
}
