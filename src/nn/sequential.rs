//! The network: layers one after the other, as a function of one flat vector of parameters.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::OutputRange;
use crate::nn::flatten::Flat;
use crate::nn::layer::{Block, InitParamsArgs, Layer, Role};
use crate::nn::layers::BuiltIn;
use crate::nn::layout::{Check, Layout, PlacedBlock, Rows};
use crate::nn::loss::{CostsArgs, Loss, reduce};
use crate::nn::passes::{self, Walk};
use crate::nn::path::LayerPath;
use crate::nn::tape::Tape;
use crate::numeric::bounds::not_empty;
use crate::numeric::compiled::compiled_here;
use crate::numeric::random::stream;
use crate::numeric::real::{Real, zeros};
use crate::numeric::view::{Targets, View, ViewMut, check_shape, shape};
use alloc::{format, sync::Arc, vec::Vec};
use approx::{AbsDiffEq, RelativeEq};
use core::ops::Range;
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut, DVectorView, DVectorViewMut};
use rand::Rng;

/// Samples that a thread takes at a time in inference. They are enough to use a weight often once
/// it is fetched, and few enough that what one layer writes is still near when the next reads it.
const INFERENCE_BATCH: usize = 512;

/// A feed-forward network: y = f_L(… f₂(f₁(x)) …), a function of x and of one flat vector of
/// parameters.
///
/// **A sample is a column**: inputs are features × samples, outputs are outputs × samples. Weights
/// are outputs × inputs. nalgebra is column-major, so a batch lies in memory as a row-major
/// `(samples, features)` array of NumPy or PyTorch does. (Texts that write Z = XW have samples as
/// rows: their X, W, Z are the transposes of ours.)
///
/// A pass does not change the network: its results go to a [`Tape`], and parameters change only
/// through [`params_mut`](Self::params_mut) and similar methods. The network is `Send + Sync`;
/// threads share it by reference, each with its own tape.
///
/// `P` is what holds the parameters: `Vec<T>` in a network that owns them, `&[T]` in one that looks
/// at them ([`At`], made by [`at`](Self::at)). Both compute the same.
///
/// ```
/// use chainrule::{Activation, Dense, Sequential};
/// use chainrule::nalgebra::DMatrix;
///
/// let net = Sequential::<f64>::builder(2)
///     .layer(Dense::new(3, Activation::Sigmoid))
///     .layer(Dense::new(1, Activation::Sigmoid))
///     .seed(1)
///     .build()?;
/// let x = DMatrix::from_column_slice(2, 3, &[3.0, 5.0, 5.0, 1.0, 10.0, 2.0]); // three samples
/// assert_eq!(net.predict(&x)?.shape(), (1, 3));
/// println!("{net}");
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias(
    "mlp",
    "MultiLayerPerceptron",
    "MLPClassifier",
    "MLPRegressor",
    "feedforward"
))]
pub struct Sequential<T: Real, P = Vec<T>> {
    layers: Arc<[Arc<dyn Layer<T>>]>,
    /// The innermost layers, which passes walk over.
    leaves: Arc<[Arc<dyn Layer<T>>]>,
    layout: Arc<Layout>,
    params: P,
}

/// A network at parameters that lie elsewhere; made by [`Sequential::at`].
pub type At<'a, T> = Sequential<T, &'a [T]>;

/// A block of parameters of a network, by its name; given by [`Sequential::named_parameters`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NamedParameter<'a, T: Real> {
    /// The name, as in files: `0.weight`.
    pub name: &'a str,
    /// The layer of the network that the block belongs to, itself or in one of its parts.
    pub layer: usize,
    /// Its role, its shape and its name within the layer.
    pub block: &'a Block,
    /// Where it lies in [`Sequential::params`] and in [`Tape::grads`].
    pub range: Range<usize>,
    /// Its parameters, as a matrix of the block's shape.
    pub values: DMatrixView<'a, T>,
}

/// What owns its parameters can change them.
impl<T: Real> Sequential<T> {
    pub(crate) fn from_parts(
        layers: Vec<Arc<dyn Layer<T>>>,
        flat: Flat<T>,
        params: Vec<T>,
    ) -> Self {
        Self {
            layers: layers.into(),
            leaves: flat.leaves.into(),
            layout: Arc::new(flat.layout),
            params,
        }
    }

    /// Starts all parameters anew, as [`Builder::build`](crate::nn::Builder::build) does with this
    /// seed.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let builder = Sequential::<f64>::builder(2).layer(Dense::new(1, Activation::Tanh));
    /// let mut net = builder.clone().build()?;
    /// net.reset(7);
    /// assert_eq!(net, builder.seed(7).build()?);
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias("reset_parameters"))]
    pub fn reset(&mut self, seed: u64) {
        self.reset_with(&mut stream(seed));
    }

    /// Starts all parameters anew with random numbers from a generator of your own, as
    /// [`Builder::build_with`](crate::nn::Builder::build_with) does.
    pub fn reset_with(&mut self, rng: &mut impl Rng) {
        self.params.fill(T::zero());
        for (leaf, span) in self.layout.leaves(1) {
            let params = &mut self.params[span.params];
            self.leaves[leaf].init_params(InitParamsArgs {
                inputs: span.inputs,
                params,
                rng,
            });
        }
    }

    /// The innermost layers, and the parameters to be changed.
    pub(crate) fn leaves_mut(&mut self) -> (&[Arc<dyn Layer<T>>], &mut [T]) {
        (&self.leaves, &mut self.params)
    }

    /// All parameters, to be changed.
    pub fn params_mut(&mut self) -> &mut [T] {
        &mut self.params
    }

    /// Replaces all parameters.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when there are more or fewer than the network has, and the errors of
    /// the layers for numbers that their parameters can never be ([`Layer::check_params`]); nothing
    /// is changed then.
    #[doc(alias("set_weights", "load_state_dict"))]
    pub fn set_params(&mut self, params: &[T]) -> Result<()> {
        self.check_params("Sequential::set_params", params)?;
        self.check_values(params)?;
        self.params.copy_from_slice(params);
        Ok(())
    }

    /// Wˡ, to be changed. As with every matrix of nalgebra, `copy_from_slice` goes column by
    /// column, and copying another shape panics:
    /// `weights_mut(l)?.copy_from(&DMatrix::from_row_slice(…))` takes rows as they are written,
    /// [`set_params`](Self::set_params) checks.
    ///
    /// # Errors
    /// As [`weights`](Self::weights).
    pub fn weights_mut(&mut self, layer: impl LayerPath) -> Result<DMatrixViewMut<'_, T>> {
        let (block, range) =
            self.layout
                .block("Sequential::weights_mut", layer.path(), Role::Weight)?;
        Ok(DMatrixViewMut::from_slice(
            &mut self.params[range],
            block.rows,
            block.cols,
        ))
    }

    /// bˡ, to be changed.
    ///
    /// # Errors
    /// As [`bias`](Self::bias).
    pub fn bias_mut(&mut self, layer: impl LayerPath) -> Result<DVectorViewMut<'_, T>> {
        let (block, range) = self
            .layout
            .block("Sequential::bias_mut", layer.path(), Role::Bias)?;
        Ok(DVectorViewMut::from_slice(
            &mut self.params[range],
            block.len(),
        ))
    }
}

/// The layers and their parameters.
impl<T: Real, P: AsRef<[T]>> Sequential<T, P> {
    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.layout.inputs()
    }

    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        self.layout.outputs()
    }

    /// The layers, first to last.
    pub fn layers(&self) -> &[Arc<dyn Layer<T>>] {
        &self.layers
    }

    /// The set in which the outputs lie.
    pub fn range(&self) -> OutputRange {
        self.range_of(0..self.outputs())
    }

    /// The set in which some of the outputs lie.
    pub(crate) fn range_of(&self, outputs: Range<usize>) -> OutputRange {
        self.layout.range(outputs)
    }

    /// The interval that holds every output: (−1, 1) after tanh, all numbers after a linear layer.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(1, Activation::Tanh))
    ///     .seed(1)
    ///     .build()?;
    /// assert_eq!(net.bounds(), (-1.0, 1.0));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn bounds(&self) -> (f64, f64) {
        let all = (f64::NEG_INFINITY, f64::INFINITY);
        self.layers
            .iter()
            .fold(all, |bounds, layer| layer.bounds(bounds))
    }

    /// All parameters in one vector: layer after layer, block after block, each block column after
    /// column.
    #[doc(alias(
        "parameters",
        "state_dict",
        "get_weights",
        "trainable_variables",
        "coefs_"
    ))]
    pub fn params(&self) -> &[T] {
        self.params.as_ref()
    }

    /// Every block of parameters with its name, in the order in which they lie: running statistics,
    /// too, whose [role](Role::Statistic) tells them apart.
    ///
    /// The names are those in files, which PyTorch gives to an `nn.Sequential` of the same layers:
    /// the index of the module, a dot, and `weight`, `bias`, `running_mean` or `running_var`. The
    /// activation of a [`Dense`](crate::Dense) layer counts as a module of its own unless it is
    /// linear. Blocks of other crates' layers keep their own names after the dot. In a layer that
    /// is made of layers, the names of the parts follow its own: `2.body.0.weight`.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(3, Activation::Relu))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// for parameter in net.named_parameters() {
    ///     println!("{} {:?} {}", parameter.name, parameter.range, parameter.values);
    /// }
    /// let mut places = net.named_parameters().map(|parameter| (parameter.name, parameter.range));
    /// assert_eq!(places.next(), Some(("0.weight", 0..6)));
    /// assert_eq!(places.last(), Some(("2.bias", 12..13))); // the ReLU is module 1
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias("state_dict"))]
    pub fn named_parameters(&self) -> impl Iterator<Item = NamedParameter<'_, T>> + Clone {
        let params = self.params();
        self.layout.blocks().map(
            |PlacedBlock {
                 layer,
                 name,
                 block,
                 range,
                 ..
             }| {
                let values =
                    DMatrixView::from_slice(&params[range.clone()], block.rows, block.cols);
                NamedParameter {
                    name,
                    layer,
                    block,
                    range,
                    values,
                }
            },
        )
    }

    /// The parameter blocks of a layer and of all its parts, in the order in which they lie; empty
    /// if there is no such layer. [`named_parameters`](Self::named_parameters) tells where they
    /// lie.
    pub fn blocks(&self, layer: impl LayerPath) -> &[Block] {
        self.layout.layer_blocks(layer.path())
    }

    /// Wˡ, outputs × inputs: wⱼₖ goes from input k to neuron j. In a layer that is made of layers,
    /// those of a part by its [path](LayerPath): `net.weights([2, 1, 0])`.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a layer without weights, or if there is no such layer.
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Sequential};
    /// let mut net = Sequential::builder(2)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// net.weights_mut(0)?.copy_from_slice(&[2.0, -1.0]);
    /// net.bias_mut(0)?[0] = 0.5;
    /// assert_eq!(net.weights(0)?[(0, 1)], -1.0);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("coefs_", "kernel"))]
    pub fn weights(&self, layer: impl LayerPath) -> Result<DMatrixView<'_, T>> {
        let (block, range) =
            self.layout
                .block("Sequential::weights", layer.path(), Role::Weight)?;
        Ok(DMatrixView::from_slice(
            &self.params()[range],
            block.rows,
            block.cols,
        ))
    }

    /// bˡ.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a layer without biases, or if there is no such layer.
    #[doc(alias("intercepts_"))]
    pub fn bias(&self, layer: impl LayerPath) -> Result<DVectorView<'_, T>> {
        let (block, range) = self
            .layout
            .block("Sequential::bias", layer.path(), Role::Bias)?;
        Ok(DVectorView::from_slice(&self.params()[range], block.len()))
    }

    /// The same network at other parameters, without copying or changing anything: for line
    /// searches, finite differences, averages.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when there are more or fewer parameters than the network has.
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Sequential, Tape};
    /// use chainrule::nalgebra::DMatrix;
    /// use chainrule::nn::loss::SumSquaredError;
    /// let net = Sequential::builder(1)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let (x, t) = (DMatrix::from_element(1, 1, 3.0), DMatrix::from_element(1, 1, 7.0));
    /// let cost = net.at(&[2.0, 1.0])?.cost(&x, &t, &SumSquaredError, &mut Tape::new())?;
    /// assert_eq!(cost, 0.0); // 2·3 + 1 = 7
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn at<'a>(&self, params: &'a [T]) -> Result<At<'a, T>> {
        self.check_params("Sequential::at", params)?;
        Ok(Sequential {
            layers: self.layers.clone(),
            leaves: self.leaves.clone(),
            layout: self.layout.clone(),
            params,
        })
    }

    /// The same network for another scalar: each parameter rounded to the nearest number of `U`, so
    /// that `f32` to `f64` is exact. An ε that a layer takes from its scalar (as
    /// [`RmsNorm`](crate::nn::RmsNorm) may) is then that of `U`.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] for a layer of another crate, [`ErrorKind::NotFinite`] for a
    /// finite parameter beyond the range of `U`, and those of
    /// [`Builder::build`](crate::nn::Builder::build) for a setting that `U` cannot hold.
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Sequential};
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(1, Activation::Tanh))
    ///     .seed(1)
    ///     .build()?;
    /// let small: Sequential<f32> = net.cast()?;
    /// assert_eq!(small.params()[0], net.params()[0] as f32);
    /// assert_eq!(small.cast::<f64>()?.cast::<f32>()?, small);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("astype", "double", "half"))]
    pub fn cast<U: Real>(&self) -> Result<Sequential<U>> {
        let mut builder = Sequential::builder(self.inputs());
        for (index, layer) in self.layers.iter().enumerate() {
            let cast = BuiltIn::of(&**layer).and_then(BuiltIn::cast);
            let Some(cast) = cast else {
                let expected = "a layer of this crate, which every scalar has";
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    self.layout.place(index),
                    expected,
                    layer.name(),
                ));
            };
            builder = builder.shared(cast.layer());
        }
        let mut net = builder.build_at_zero()?;
        for (index, (to, from)) in net.params.iter_mut().zip(self.params()).enumerate() {
            *to = U::of(from.as_f64());
            if from.is_finite() && !to.is_finite() {
                let expected = format!("a number that {} holds", core::any::type_name::<U>());
                return Err(Error::new(
                    ErrorKind::NotFinite,
                    format!("Sequential::cast, parameter {index}"),
                    expected,
                    from,
                ));
            }
        }
        Ok(net)
    }

    pub(crate) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Asks every layer whether these can be its parameters.
    pub(crate) fn check_values(&self, params: &[T]) -> Result<()> {
        self.layout.leaves(1).try_for_each(|(leaf, span)| {
            let checked = self.leaves[leaf].check_params(span.inputs, &params[span.params]);
            checked.map_err(|error| error.within(self.layout.place_of_node(span.node)))
        })
    }

    fn check_params(&self, function: &str, params: &[T]) -> Result<()> {
        let count = self.layout.param_count();
        if params.len() == count {
            return Ok(());
        }
        let expected = format!("{count} parameters");
        Err(Error::new(
            ErrorKind::Shape,
            function,
            expected,
            params.len(),
        ))
    }
}

/// Passes. Samples are independent: each gets the same bits in any batch, and NaN in a sample gives
/// NaN in its output only.
impl<T: Real, P: AsRef<[T]>> Sequential<T, P> {
    pub(crate) fn walk(&self) -> Walk<'_, T> {
        Walk {
            leaves: &self.leaves,
            layout: &self.layout,
            params: self.params(),
        }
    }

    /// The outputs for a batch, outputs × samples: the raw outputs of the last layer. If the loss
    /// works on logits, its [`output_function`](Loss::output_function) turns them into
    /// probabilities; [`Model::predict`](crate::Model::predict) does so by itself.
    ///
    /// # Errors
    /// As [`predict_into`](Self::predict_into).
    #[doc(alias("forward", "__call__", "sim"))]
    pub fn predict<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        compiled_here!(T: |walk: Walk<'_, T>, x: View<'_, T>| -> Result<DMatrix<T>> {
            walk.check_inputs(x)?;
            let (rows, cols) = (walk.layout.outputs(), x.cols());
            let y = zeros("outputs of Sequential::predict", &[rows, cols])?;
            let mut y = DMatrix::from_vec(rows, cols, y);
            walk.predict(x, (&mut y).into(), &mut Tape::new())?;
            Ok(y)
        })(self.walk(), x.into())
    }

    /// The outputs for a batch into `y`, outputs × samples, without allocation once the tape is
    /// warm.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when the rows of `x` are not the network's inputs, or the shape of `y`
    /// is not its outputs × the samples of `x`; [`ErrorKind::Empty`] without a sample.
    pub fn predict_into<'x, 'y>(
        &self,
        x: impl Into<View<'x, T>>,
        y: impl Into<ViewMut<'y, T>>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        compiled_here!(T: |walk: Walk<'_, T>,
                           x: View<'_, T>,
                           y: ViewMut<'_, T>,
                           tape: &mut Tape<T>| -> Result<()> {
            walk.predict(x, y, tape)
        })(self.walk(), x.into(), y.into(), tape)
    }

    /// The outputs for one sample into `y`, without allocation once the tape is warm. They have the
    /// same bits as in any batch.
    ///
    /// # Errors
    /// As [`predict_into`](Self::predict_into).
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Sequential, Tape};
    /// let net = Sequential::<f32>::builder(3)
    ///     .layer(Dense::new(2, Activation::Tanh))
    ///     .seed(1)
    ///     .build()?;
    /// let (mut tape, mut action) = (Tape::new(), [0.0; 2]);
    /// net.predict_one(&[0.1, 0.2, 0.3], &mut action, &mut tape)?;
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn predict_one(&self, x: &[T], y: &mut [T], tape: &mut Tape<T>) -> Result<()> {
        let x = View::from_parts(x, x.len(), 1);
        let outputs = y.len();
        self.predict_into(x, ViewMut::from_parts(y, outputs, 1), tape)
    }

    /// The cost on a batch in inference: C(f(x), target), without dropout. The samples' costs stay
    /// in the tape.
    ///
    /// # Errors
    /// Those of [`predict_into`](Self::predict_into); [`ErrorKind::Shape`] when the targets have
    /// another shape than the outputs, [`ErrorKind::Incompatible`] when the loss is not defined on
    /// the network's outputs, and the errors of [`Loss::check`] and [`Loss::check_targets`].
    pub fn cost<'x, 't>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
    ) -> Result<T> {
        compiled_here!(T: |walk: Walk<'_, T>,
                           x: View<'_, T>,
                           target: Targets<'_, T>,
                           loss: &dyn Loss<T>,
                           tape: &mut Tape<T>| -> Result<T> {
            walk.cost(x, target, loss, tape)
        })(self.walk(), x.into(), target.into(), loss, tape)
    }

    /// The cost on a batch in training (with dropout), and by the four equations δˡ, ∂C/∂Wˡ and
    /// ∂C/∂bˡ of every layer into the tape.
    ///
    /// # Errors
    /// Those of [`cost`](Self::cost), and [`ErrorKind::Untrainable`] when the derivative of a layer
    /// at or above parameters is 0 everywhere (step and sign without a surrogate). A cost that is
    /// NaN or infinite is returned, not refused.
    #[doc(alias("backward", "loss.backward", "grad"))]
    pub fn gradient<'x, 't>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
    ) -> Result<T> {
        compiled_here!(T: |walk: Walk<'_, T>,
                           x: View<'_, T>,
                           target: Targets<'_, T>,
                           loss: &dyn Loss<T>,
                           tape: &mut Tape<T>| -> Result<T> {
            walk.check_pass(x, target, loss)?;
            walk.check_trainable()?;
            Ok(walk.gradient(x, target, loss, tape, true))
        })(self.walk(), x.into(), target.into(), loss, tape)
    }

    /// As [`gradient`](Self::gradient), for a cost that is no [`Loss`]: `slopes` is given the
    /// outputs y, and ∂C/∂y = 0 to be overwritten, both outputs × samples. Returns what `slopes`
    /// returns.
    ///
    /// # Errors
    /// Those of [`predict_into`](Self::predict_into), [`ErrorKind::Untrainable`], and those of
    /// `slopes`; the tape then holds the forward pass.
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Sequential, Tape};
    /// use chainrule::nalgebra::DMatrix;
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(2, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let x = DMatrix::from_element(2, 1, 1.0);
    /// let mut tape = Tape::new();
    /// // The gradient of the first output alone.
    /// net.gradient_with(&x, &mut tape, |_y, mut dy| {
    ///     dy.as_mut_slice().copy_from_slice(&[1.0, 0.0]);
    ///     Ok(())
    /// })?;
    /// assert_eq!(tape.dw(0)?, DMatrix::from_row_slice(2, 2, &[1.0, 1.0, 0.0, 0.0]));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("vjp"))]
    pub fn gradient_with<'x, R>(
        &self,
        x: impl Into<View<'x, T>>,
        tape: &mut Tape<T>,
        slopes: impl FnOnce(View<'_, T>, ViewMut<'_, T>) -> Result<R>,
    ) -> Result<R> {
        let (walk, x) = (self.walk(), x.into());
        compiled_here!(T: |walk: Walk<'_, T>, x: View<'_, T>, tape: &mut Tape<T>| -> Result<()> {
            walk.check_inputs(x)?;
            walk.check_trainable()?;
            tape.on_threads(walk.layout, x.cols(), |tape| walk.record(x, tape, true));
            Ok(())
        })(walk, x, tape)?;
        let result = passes::slopes_by(tape, slopes)?;
        compiled_here!(T: |walk: Walk<'_, T>, x: View<'_, T>, tape: &mut Tape<T>| {
            tape.on_threads(walk.layout, x.cols(), |tape| walk.differentiate(x, tape, true));
        })(walk, x, tape);
        Ok(result)
    }
}

/// What the passes of a network do, wherever its parameters lie.
impl<T: Real> Walk<'_, T> {
    /// [`Sequential::predict_into`].
    fn predict(self, x: View<'_, T>, mut y: ViewMut<'_, T>, tape: &mut Tape<T>) -> Result<()> {
        self.check_inputs(x)?;
        let outputs = self.layout.outputs();
        check_shape(
            || "outputs y".into(),
            (outputs, x.cols()),
            y.as_view().shape(),
        )?;
        tape.on_threads(self.layout, x.cols(), |tape| {
            let step = tape.workers().count() * INFERENCE_BATCH;
            let room = tape.inference();
            for first in (0..x.cols()).step_by(step) {
                let end = x.cols().min(first + step);
                let y = &mut y.as_mut_slice()[first * outputs..end * outputs];
                self.infer(x.range(first, end), y, room.ping_pong, room.scratch);
            }
        });
        Ok(())
    }

    /// [`Sequential::cost`].
    fn cost(
        self,
        x: View<'_, T>,
        target: Targets<'_, T>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
    ) -> Result<T> {
        self.check_pass(x, target, loss)?;
        let outputs = self.layout.outputs();
        Ok(tape.on_threads(self.layout, x.cols(), |tape| {
            let step = tape.workers().count() * INFERENCE_BATCH;
            let room = tape.inference();
            let costs = room.costs;
            room.outputs.resize(outputs * x.cols().min(step), T::zero());
            costs.resize(x.cols(), T::zero());
            for first in (0..x.cols()).step_by(step) {
                let end = x.cols().min(first + step);
                let y = &mut room.outputs[..outputs * (end - first)];
                self.infer(x.range(first, end), y, room.ping_pong, room.scratch);
                let y = View::from_parts(y, outputs, end - first);
                let target = target.values().range(first, end);
                loss.costs(CostsArgs {
                    y,
                    target,
                    costs: &mut costs[first..end],
                });
            }
            reduce(loss.reduction(), costs, target.weights())
        }))
    }

    /// [`Sequential::gradient`] of what has been checked; where `training` is false, that of
    /// [`Sequential::cost`].
    #[inline(always)]
    pub(crate) fn gradient(
        self,
        x: View<'_, T>,
        target: Targets<'_, T>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
        training: bool,
    ) -> T {
        tape.on_threads(self.layout, x.cols(), |tape| {
            self.record(x, tape, training);
            let cost = passes::cost_and_slopes(target, loss, tape);
            self.differentiate(x, tape, training);
            cost
        })
    }

    /// All that [`Sequential::cost`] checks.
    pub(crate) fn check_pass(
        self,
        x: View<'_, T>,
        target: Targets<'_, T>,
        loss: &dyn Loss<T>,
    ) -> Result<()> {
        self.check_inputs(x)?;
        let outputs = self.layout.outputs();
        loss.check(outputs)?;
        let wanted = (loss.targets(outputs), x.cols());
        let given = target.values().shape();
        if wanted != given {
            let hint = match given {
                (1, samples) if samples == x.cols() => " (one_hot makes columns of class labels)",
                given if given == (wanted.1, wanted.0) => " (a sample is a column: transpose it)",
                (rows, _) if rows == outputs && rows != wanted.0 => {
                    " (this loss takes several outputs for each target)"
                }
                _ => "",
            };
            let expected = format!("{}{hint}", shape(wanted));
            return Err(Error::new(
                ErrorKind::Shape,
                "targets",
                expected,
                shape(given),
            ));
        }
        match loss.heads() {
            None => self.check_range(loss, self.layout.range(0..outputs))?,
            Some(heads) => {
                for (head, loss) in heads.iter() {
                    self.check_range(loss, self.layout.range(head.outputs.clone()))
                        .map_err(|error| error.within(format!("head {:?}", head.name)))?;
                }
            }
        }
        loss.check_targets(target.values())
    }

    /// Whether the loss is defined on outputs in `range`.
    fn check_range(self, loss: &dyn Loss<T>, range: OutputRange) -> Result<()> {
        if !loss.accepts(range) {
            let hint = match range {
                OutputRange::Real if loss.accepts(OutputRange::LogSimplex) => {
                    " (logarithms of probabilities: let a LogSoftmax be the last layer, or take \
                     SoftmaxCrossEntropy, which does it)"
                }
                OutputRange::Real if loss.accepts(OutputRange::Unit) => {
                    " (probabilities: end on a sigmoid, or take SigmoidCrossEntropy, which does it)"
                }
                OutputRange::Real | OutputRange::LogSimplex
                    if loss.accepts(OutputRange::Simplex) =>
                {
                    " (probabilities: let a Softmax be the last layer, or take \
                     SoftmaxCrossEntropy, which does it)"
                }
                OutputRange::Simplex if loss.accepts(OutputRange::Real) => {
                    " (scores: leave the Softmax out, the loss does it)"
                }
                OutputRange::Unit if loss.accepts(OutputRange::Real) => {
                    " (scores: leave the sigmoid out, the loss does it)"
                }
                OutputRange::LogSimplex if loss.accepts(OutputRange::Real) => {
                    " (scores: leave the LogSoftmax out)"
                }
                _ => "",
            };
            let expected = format!("outputs on which {} is defined{hint}", loss.name());
            let top = self.layout.place(self.layout.members().len() - 1);
            let given = format!("outputs in {range:?}");
            return Err(Error::new(ErrorKind::Incompatible, top, expected, given));
        }
        Ok(())
    }

    pub(crate) fn check_inputs(self, x: View<'_, T>) -> Result<()> {
        let inputs = self.layout.inputs();
        if x.rows() != inputs {
            let hint = if x.cols() == inputs {
                "; a sample is a column: transpose a matrix with a sample in each row, but take \
                 View::new of a buffer that goes sample by sample"
            } else if x.cols() == 1 && x.rows() > 0 && x.rows().is_multiple_of(inputs) {
                "; a slice is one sample: View::new makes columns of it"
            } else {
                ""
            };
            let expected = format!("{inputs} rows (features{hint})");
            return Err(Error::new(
                ErrorKind::Shape,
                "inputs x",
                expected,
                shape(x.shape()),
            ));
        }
        not_empty("inputs x", "at least 1 column (sample)", x.cols())?;
        self.layout
            .checks()
            .iter()
            .try_for_each(|check| self.check_numbers(check, x))
    }

    /// Asks a layer whether it can take the inputs.
    fn check_numbers(self, check: &Check, x: View<'_, T>) -> Result<()> {
        let layer = &self.leaves[check.leaf];
        let checked = match &check.rows {
            Rows::All => layer.check_inputs(x),
            Rows::These(rows) => chosen(x, rows, |x| layer.check_inputs(x)),
        };
        checked.map_err(|error| error.within(self.layout.place_of_node(check.node)))
    }

    pub(crate) fn check_trainable(self) -> Result<()> {
        // A layer without a derivative hides only the parameters up to its own: fixed features may
        // step.
        match self.layout.blind() {
            None => Ok(()),
            Some(place) => Err(Error::new(
                ErrorKind::Untrainable,
                place,
                "one that training can follow (straight_through() or surrogate() lends the \
                 activation one)",
                "a derivative that is 0 everywhere",
            )),
        }
    }
}

/// Hands some rows of each sample to a check, which is given all samples if one fails.
fn chosen<T: Real>(
    x: View<'_, T>,
    rows: &[usize],
    check: impl Fn(View<'_, T>) -> Result<()>,
) -> Result<()> {
    /// So many numbers need no memory of the heap.
    const FEW: usize = 64;
    let (mut few, mut many) = ([T::zero(); FEW], Vec::new());
    let numbers = if rows.len() <= FEW {
        &mut few[..rows.len()]
    } else {
        many.resize(rows.len(), T::zero());
        &mut many[..]
    };
    for sample in x.iter() {
        for (number, row) in numbers.iter_mut().zip(rows) {
            *number = sample[*row];
        }
        if let Err(error) = check(View::from_parts(numbers, rows.len(), 1)) {
            let all = x
                .iter()
                .flat_map(|sample| rows.iter().map(|row| sample[*row]));
            let all: Vec<T> = all.collect();
            return check(View::from_parts(&all, rows.len(), x.cols())).and(Err(error));
        }
    }
    Ok(())
}

impl<T: Real> Sequential<T> {
    /// Whether the layers are the same, as their `Debug` form shows them.
    fn same_layers(&self, other: &Self) -> bool {
        self.layout == other.layout && format!("{:?}", self.layers) == format!("{:?}", other.layers)
    }
}

/// The same layers (by their `Debug` form) and equal parameters.
impl<T: Real> PartialEq for Sequential<T> {
    fn eq(&self, other: &Self) -> bool {
        self.params == other.params && self.same_layers(other)
    }
}

/// The same layers, and every two parameters within `epsilon`.
impl<T: Real + AbsDiffEq<Epsilon = T>> AbsDiffEq for Sequential<T> {
    type Epsilon = T;

    fn default_epsilon() -> T {
        <T as AbsDiffEq>::default_epsilon()
    }

    fn abs_diff_eq(&self, other: &Self, epsilon: T) -> bool {
        self.same_layers(other)
            && self
                .params
                .iter()
                .zip(&other.params)
                .all(|(a, b)| a.abs_diff_eq(b, epsilon))
    }
}

/// The same layers, and every two parameters within `epsilon` or a relative difference of
/// `max_relative`.
impl<T: Real + RelativeEq<Epsilon = T>> RelativeEq for Sequential<T> {
    fn default_max_relative() -> T {
        <T as RelativeEq>::default_max_relative()
    }

    fn relative_eq(&self, other: &Self, epsilon: T, max_relative: T) -> bool {
        self.same_layers(other)
            && self
                .params
                .iter()
                .zip(&other.params)
                .all(|(a, b)| a.relative_eq(b, epsilon, max_relative))
    }
}
