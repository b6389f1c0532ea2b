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
/// parameters, of the network's inputs, or of both: with θ + s·θ̇ for θ and x + s·ẋ for x, ẏ is
/// ∂y/∂s at s = 0.
#[derive(Debug)]
#[non_exhaustive]
pub struct TangentArgs<'a, T> {
    /// The layer's parameters.
    pub params: &'a [T],
    /// θ̇, laid as `params`. What belongs to statistics, which are constants, is to be taken for 0.
    pub params_dot: &'a [T],
    /// Whether θ depends on s. Where not, θ̇ is 0, and what is made of it need not be computed.
    pub params_moving: bool,
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
    /// Whether θ depends on s.
    pub params_moving: bool,
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

/// The constructor of a struct of arguments: its fields in their order.
macro_rules! made {
    ($($name:ident<$life:lifetime, $T:ident> { $($field:ident: $type:ty),+ $(,)? })+) => {$(
        impl<$life, $T> $name<$life, $T> {
            /// Of the fields in their order, for a layer that hands its arguments on to a layer
            /// within it. The shapes are to fit: nobody checks them again.
            #[allow(
                clippy::too_many_arguments,
                reason = "the fields, each of which a layer needs"
            )]
            pub fn new($($field: $type),+) -> Self {
                Self { $($field),+ }
            }
        }
    )+};
}
made! {
    InitParamsArgs<'a, T> { inputs: usize, params: &'a mut [T], rng: &'a mut dyn Rng }
    InferArgs<'a, T> {
        params: &'a [T],
        x: View<'a, T>,
        y: ViewMut<'a, T>,
        scratch: &'a mut Scratch<T>,
    }
    ForwardArgs<'a, T> {
        params: &'a [T],
        x: View<'a, T>,
        y: ViewMut<'a, T>,
        cache: &'a mut [T],
        seed: u64,
        training: bool,
        scratch: &'a mut Scratch<T>,
    }
    BackwardArgs<'a, T> {
        params: &'a [T],
        x: View<'a, T>,
        y: View<'a, T>,
        cache: &'a [T],
        delta: ViewMut<'a, T>,
        dx: Option<ViewMut<'a, T>>,
        training: bool,
        scratch: &'a mut Scratch<T>,
    }
    GradientArgs<'a, T> {
        params: &'a [T],
        x: View<'a, T>,
        y: View<'a, T>,
        cache: &'a [T],
        delta: View<'a, T>,
        grads: &'a mut [T],
        training: bool,
        scratch: &'a mut Scratch<T>,
    }
    TangentArgs<'a, T> {
        params: &'a [T],
        params_dot: &'a [T],
        params_moving: bool,
        x: View<'a, T>,
        x_dot: View<'a, T>,
        moving: bool,
        y: View<'a, T>,
        y_dot: ViewMut<'a, T>,
        cache: &'a [T],
        tangent_cache: &'a mut [T],
        scratch: &'a mut Scratch<T>,
    }
    BackwardTangentArgs<'a, T> {
        params: &'a [T],
        params_dot: &'a [T],
        params_moving: bool,
        x: View<'a, T>,
        x_dot: View<'a, T>,
        moving: bool,
        y: View<'a, T>,
        y_dot: View<'a, T>,
        cache: &'a [T],
        tangent_cache: &'a [T],
        delta: ViewMut<'a, T>,
        delta_dot: ViewMut<'a, T>,
        dx: Option<(ViewMut<'a, T>, ViewMut<'a, T>)>,
        grads_dot: &'a mut [T],
        scratch: &'a mut Scratch<T>,
    }
}

/// A layer: the description of a differentiable function from `inputs` numbers to `outputs` numbers
/// per sample.
///
/// A layer holds no weights, no cache and no gradient; it is told where they are. So one layer
/// serves many threads, many networks and many parameter vectors at once. What a network gives a
/// layer always fits: no call of the public interface can hand it a wrong shape.
///
/// A layer of another crate implements four methods, and three more where it has parameters; the
/// example `custom_layer` does it in under forty lines, and
/// [`gradcheck::layer`](crate::gradcheck::layer) tests its derivatives. Its matrix products are
/// [`Scratch::product`], as fast as those of [`Dense`](crate::Dense). A layer that is made of
/// layers is a [`Composite`], which implements none of these methods. A layer of a network is found
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

    /// Checks numbers that come from outside, as the layer gets them: columns of the network's own
    /// inputs x, or those rows of them that layers before hand on unchanged. Asked before a pass,
    /// and only where [`checks_inputs`](Layer::checks_inputs) is true.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for numbers that the layer cannot take, such as an index that is no
    /// whole number; the place names the input and the sample.
    fn check_inputs(&self, x: View<'_, T>) -> Result<()> {
        let _ = x;
        Ok(())
    }

    /// Whether [`check_inputs`](Layer::check_inputs) checks anything. Such a layer takes the
    /// network's own inputs, directly or through layers that [select](Layer::selects) some of them;
    /// a network with one elsewhere is not built.
    fn checks_inputs(&self) -> bool {
        false
    }

    /// The rows of the input that are the output, unchanged and in this order; `None` of a layer
    /// that does anything else.
    fn selects(&self) -> Option<&[usize]> {
        None
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

    /// What the layer is made of, if it is a [`Composite`]; `None` of any other. A network lays out
    /// the parts, and then calls their methods alone.
    fn nested(&self) -> Option<Parts<T>> {
        None
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

/// A layer that is made of layers: some one after the other, or branches over the same input whose
/// outputs are stacked or added. It says which, and that is all.
///
/// Every composite is a [`Layer`], goes wherever layers go, and may be part of another one. When a
/// network is built, it lays out the innermost layers as if they were its own. So a composite costs
/// nothing beyond what they compute. It has all derivatives, statistics and checks that its parts
/// have. Parameters lie part after part, and their names begin with those of the parts, as in
/// PyTorch's `state_dict` of a module with such attributes: `2.body.0.weight`.
///
/// Composites of this crate are [`Chain`](crate::nn::Chain), [`Residual`](crate::nn::Residual) and
/// [`Parallel`](crate::nn::Parallel). One of another crate:
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::nn::Chain;
/// use chainrule::nn::layer::{Composite, Parts};
///
/// /// y = x + W·tanh(V·x): a residual block of n features.
/// #[derive(Debug)]
/// struct Block(usize);
///
/// impl Composite for Block {
///     type Scalar = f64;
///
///     fn name(&self) -> String {
///         format!("Block {}", self.0)
///     }
///
///     fn parts(&self) -> Parts<f64> {
///         let inner = Chain::new()
///             .layer(Dense::new(16, Activation::Tanh))
///             .layer(Dense::new(self.0, Activation::Linear));
///         Parts::add().branch("inner", inner).skip()
///     }
/// }
///
/// let net = Sequential::builder(3).layer(Block(3)).layer(Block(3)).seed(1).build()?;
/// assert_eq!(net.weights([1, 0, 0])?.shape(), (16, 3)); // layer 1, inner, its first part
/// assert_eq!(net.named_parameters().map(|p| p.name).last(), Some("1.inner.2.bias"));
/// assert!(chainrule::gradcheck::layer(&Block(3), 3, 4, 1)?.error() < 1e-8);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub trait Composite: Any + Debug + Send + Sync {
    /// The scalar of the networks that it is for; in a composite that is generic, its type
    /// parameter.
    type Scalar: Real;

    /// [`Layer::name`].
    fn name(&self) -> String;

    /// [`Layer::describe`]; by default the name and what the parts say.
    fn describe(&self) -> String {
        self.parts().describe(&self.name())
    }

    /// What it is made of, the same at every call.
    fn parts(&self) -> Parts<Self::Scalar>;
}

/// What a [`Composite`] is made of: branches over the same input, made here, or layers one after
/// the other, which a [`Chain`](crate::nn::Chain) becomes by `into`.
#[derive(Clone, Debug)]
pub struct Parts<T: Real> {
    pub(crate) parts: Vec<Part<T>>,
    /// `None` of parts one after the other.
    pub(crate) join: Option<Join>,
    /// What helps where the widths of branches differ.
    pub(crate) cure: &'static str,
}

/// A layer of a composite.
#[derive(Clone, Debug)]
pub(crate) struct Part<T: Real> {
    /// The name of a branch; parts one after the other are numbered.
    pub(crate) name: Cow<'static, str>,
    /// `None` hands on the input.
    pub(crate) layer: Option<Arc<dyn Layer<T>>>,
}

/// How the outputs of branches become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Join {
    /// Branch after branch, all outputs of each.
    Stack,
    /// The sum of all branches, which have as many outputs each.
    Add,
}

impl<T: Real> Parts<T> {
    /// Branches whose outputs are added in their order. All have as many outputs.
    pub fn add() -> Self {
        Self::joined(Join::Add)
    }

    /// Branches whose outputs are stacked: all of the first, then all of the second, and so on.
    #[doc(alias("concatenate", "concat", "cat"))]
    pub fn stack() -> Self {
        Self::joined(Join::Stack)
    }

    fn joined(join: Join) -> Self {
        Self {
            parts: Vec::new(),
            join: Some(join),
            cure: "",
        }
    }

    /// One more branch, with the name that its parameters have in files: `2.NAME.weight`.
    #[must_use]
    pub fn branch(self, name: impl Into<Cow<'static, str>>, layer: impl Layer<T>) -> Self {
        self.part(name.into(), Some(layer.shared()))
    }

    /// One more branch, which hands on the input as it is.
    #[must_use]
    pub fn skip(self) -> Self {
        self.part(Cow::Borrowed("skip"), None)
    }

    pub(crate) fn part(
        mut self,
        name: Cow<'static, str>,
        layer: Option<Arc<dyn Layer<T>>>,
    ) -> Self {
        self.parts.push(Part { name, layer });
        self
    }

    /// Layers one after the other.
    pub(crate) fn chain(layers: &[Arc<dyn Layer<T>>]) -> Self {
        let part = |layer: &Arc<dyn Layer<T>>| Part {
            name: Cow::Borrowed(""),
            layer: Some(layer.clone()),
        };
        Self {
            parts: layers.iter().map(part).collect(),
            join: None,
            cure: "",
        }
    }

    /// The default of [`Composite::describe`].
    pub(crate) fn describe(&self, name: &str) -> String {
        let mut text = String::from(name);
        let join = match self.join {
            None => "",
            Some(Join::Stack) => "stack: ",
            Some(Join::Add) => "add: ",
        };
        let mut before = alloc::format!("({join}");
        for part in &self.parts {
            text += &before;
            text += &part.name;
            if let Some(layer) = &part.layer {
                text += if part.name.is_empty() { "" } else { "=" };
                text += &layer.describe();
            }
            before = String::from(", ");
        }
        text + if self.parts.is_empty() { "()" } else { ")" }
    }
}
