//! The network: layers one after the other, as a function of one flat vector of parameters.

use crate::error::{Error, ErrorKind, Result};
use crate::ground::table::TextTable;
use crate::nn::activation::OutputRange;
use crate::nn::layer::{
    BackwardArgs, Block, ForwardArgs, GradientArgs, InferArgs, InitParamsArgs, Layer, Role,
};
use crate::nn::layers::BuiltIn;
use crate::nn::layout::{Layout, place};
use crate::nn::loss::{CostsArgs, Loss, SlopesArgs, reduce, scale, weigh};
use crate::nn::tape::{Stage, Tape};
use crate::numeric::random::{Purpose, derive};
use crate::numeric::real::{Real, zeros};
use crate::numeric::view::{Targets, View, ViewMut, check_shape, shape};
use alloc::{format, string::ToString, sync::Arc, vec, vec::Vec};
use approx::{AbsDiffEq, RelativeEq};
use core::fmt;
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut, DVectorView, DVectorViewMut};
use rand::Rng;

/// Samples that a thread takes at a time in inference: enough to use a weight often once it is fetched, few enough that what
/// one layer writes is still near when the next reads it.
const INFERENCE_BATCH: usize = 512;

/// A feed-forward network: y = f_L(… f₂(f₁(x)) …), a function of x and of one flat vector of parameters.
///
/// **A sample is a column**: inputs are features × samples, outputs are outputs × samples. Weights are
/// outputs × inputs. nalgebra is column-major, so a batch lies in memory as a row-major `(samples, features)` array of
/// NumPy or PyTorch does. (Texts that write Z = XW have samples as rows: their X, W, Z are the transposes of ours.)
///
/// The network is not changed by a pass: what a pass produces goes to a [`Tape`], and parameters change only through
/// [`params_mut`](Self::params_mut) and its kin. It is `Send + Sync`; threads share it by reference, each with its tape.
///
/// ```
/// use chainrule::{Activation, Dense, Sequential};
/// use chainrule::nalgebra::DMatrix;
/// use chainrule::rand::SeedableRng;
/// use chainrule::rand::rngs::Xoshiro256PlusPlus;
///
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let net = Sequential::<f64>::builder(2)
///     .layer(Dense::new(3, Activation::Sigmoid))
///     .layer(Dense::new(1, Activation::Sigmoid))
///     .build(&mut rng)?;
/// let x = DMatrix::from_column_slice(2, 3, &[3.0, 5.0, 5.0, 1.0, 10.0, 2.0]); // three samples
/// assert_eq!(net.predict(&x)?.shape(), (1, 3));
/// println!("{net}");
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sequential<T: Real> {
    layers: Vec<Arc<dyn Layer<T>>>,
    layout: Arc<Layout>,
    params: Vec<T>,
}

/// Puts a [`Sequential`] together; made by [`Sequential::builder`].
#[derive(Clone, Debug)]
pub struct Builder<T: Real> {
    inputs: usize,
    layers: Vec<Arc<dyn Layer<T>>>,
}

impl<T: Real> Builder<T> {
    /// Puts a layer on top.
    #[must_use]
    pub fn layer(self, layer: impl Layer<T>) -> Self {
        self.shared(Arc::new(layer))
    }

    /// Puts a layer on top that others may have, too.
    #[must_use]
    pub(crate) fn shared(mut self, layer: Arc<dyn Layer<T>>) -> Self {
        self.layers.push(layer);
        self
    }

    /// Fixes every width and starts the parameters, layer after layer, with random numbers from `rng`.
    ///
    /// # Errors
    /// Without inputs or layers, and when a layer refuses its inputs or its own configuration; the error names the
    /// layer.
    pub fn build(self, rng: &mut impl Rng) -> Result<Sequential<T>> {
        let mut net = self.build_at_zero()?;
        net.reset(rng);
        Ok(net)
    }

    /// [`build`](Self::build) with all parameters 0.
    pub(crate) fn build_at_zero(self) -> Result<Sequential<T>> {
        let layout = self.layout()?;
        let params = zeros("parameters of Sequential", &[layout.param_count()])?;
        Ok(Sequential {
            layers: self.layers,
            layout: Arc::new(layout),
            params,
        })
    }

    /// [`build`](Self::build) with these parameters.
    #[cfg(feature = "serde")]
    pub(crate) fn build_with(self, params: Vec<T>) -> Result<Sequential<T>> {
        let layout = self.layout()?;
        if params.len() != layout.param_count() {
            let expected = format!("{} parameters", layout.param_count());
            return Err(Error::new(
                ErrorKind::Shape,
                "Sequential",
                expected,
                params.len(),
            ));
        }
        let net = Sequential {
            layers: self.layers,
            layout: Arc::new(layout),
            params,
        };
        net.check_values(&net.params)?;
        Ok(net)
    }

    /// The layers so far.
    #[cfg(feature = "safetensors")]
    pub(crate) fn layers(&self) -> &[Arc<dyn Layer<T>>] {
        &self.layers
    }

    /// Fixes every width, without memory for parameters.
    pub(crate) fn layout(&self) -> Result<Layout> {
        if self.inputs == 0 {
            return Err(Error::new(
                ErrorKind::Value,
                "Sequential::builder",
                "at least 1 input",
                0,
            ));
        }
        if self.layers.is_empty() {
            return Err(Error::new(
                ErrorKind::Empty,
                "Sequential::builder",
                "at least 1 layer",
                0,
            ));
        }
        let mut layout = Layout {
            names: vec![],
            widths: vec![self.inputs],
            blocks: vec![],
            params: vec![0],
            caches: vec![],
            tangent_caches: vec![],
        };
        for (index, layer) in self.layers.iter().enumerate() {
            let (name, inputs) = (layer.name(), layout.widths[index]);
            let here = |error: Error| error.within(place(index, &name));
            let outputs = layer.outputs(inputs).map_err(here)?;
            if outputs == 0 {
                return Err(here(Error::new(
                    ErrorKind::Value,
                    "",
                    "at least 1 output",
                    0,
                )));
            }
            let blocks = layer.blocks(inputs);
            let count = blocks.iter().try_fold(layout.params[index], |sum, block| {
                block
                    .rows
                    .checked_mul(block.cols)
                    .and_then(|n| n.checked_add(sum))
                    .filter(|n| *n <= isize::MAX as usize / size_of::<T>())
            });
            let Some(count) = count else {
                return Err(here(Error::new(
                    ErrorKind::Value,
                    "",
                    "parameters that fit into memory",
                    format!("{blocks:?}"),
                )));
            };
            layout.caches.push(layer.cache_len(inputs));
            layout.tangent_caches.push(layer.tangent_cache_len(inputs));
            layout.params.push(count);
            layout.widths.push(outputs);
            layout.blocks.push(blocks);
            layout.names.push(name);
        }
        Ok(layout)
    }
}

impl<T: Real> Sequential<T> {
    /// A builder for a network with this many inputs.
    pub fn builder(inputs: usize) -> Builder<T> {
        Builder {
            inputs,
            layers: Vec::new(),
        }
    }

    /// Starts all parameters anew, as [`Builder::build`] did.
    pub fn reset(&mut self, rng: &mut impl Rng) {
        self.params.fill(T::zero());
        for (index, layer) in self.layers.iter().enumerate() {
            let params = &mut self.params[self.layout.param_range(index)];
            layer.init_params(InitParamsArgs {
                inputs: self.layout.widths[index],
                params,
                rng,
            });
        }
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.layout.widths[0]
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
        self.layers
            .iter()
            .fold(OutputRange::Real, |range, layer| layer.range(range))
    }

    /// The interval that holds every output: (−1, 1) after tanh, all numbers after a linear layer.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(1, Activation::Tanh))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// assert_eq!(net.bounds(), (-1.0, 1.0));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn bounds(&self) -> (f64, f64) {
        let all = (f64::NEG_INFINITY, f64::INFINITY);
        self.layers
            .iter()
            .fold(all, |bounds, layer| layer.bounds(bounds))
    }

    /// All parameters in one vector: layer after layer, block after block, each block column after column.
    pub fn params(&self) -> &[T] {
        &self.params
    }

    /// All parameters, to be changed.
    pub fn params_mut(&mut self) -> &mut [T] {
        &mut self.params
    }

    /// Replaces all parameters.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when there are more or fewer than the network has, and what the layers say to numbers that their
    /// parameters can never be ([`Layer::check_params`]); nothing is changed then.
    pub fn set_params(&mut self, params: &[T]) -> Result<()> {
        self.check_params("Sequential::set_params", params)?;
        self.check_values(params)?;
        self.params.copy_from_slice(params);
        Ok(())
    }

    /// The parameter blocks of a layer, in the order in which they lie; empty for a layer that the network has not.
    pub fn blocks(&self, layer: usize) -> &[Block] {
        self.layout.blocks.get(layer).map_or(&[], Vec::as_slice)
    }

    /// Wˡ, outputs × inputs: wⱼₖ goes from input k to neuron j.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a layer that has no weights or that the network has not.
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Sequential};
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let mut net = Sequential::builder(2)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// net.weights_mut(0)?.copy_from_slice(&[2.0, -1.0]);
    /// net.bias_mut(0)?[0] = 0.5;
    /// assert_eq!(net.weights(0)?[(0, 1)], -1.0);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn weights(&self, layer: usize) -> Result<DMatrixView<'_, T>> {
        let (block, range) = self
            .layout
            .block("Sequential::weights", layer, Role::Weight)?;
        Ok(DMatrixView::from_slice(
            &self.params[range],
            block.rows,
            block.cols,
        ))
    }

    /// Wˡ, to be changed.
    ///
    /// # Errors
    /// As [`weights`](Self::weights).
    pub fn weights_mut(&mut self, layer: usize) -> Result<DMatrixViewMut<'_, T>> {
        let (block, range) = self
            .layout
            .block("Sequential::weights_mut", layer, Role::Weight)?;
        Ok(DMatrixViewMut::from_slice(
            &mut self.params[range],
            block.rows,
            block.cols,
        ))
    }

    /// bˡ.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a layer that has no biases or that the network has not.
    pub fn bias(&self, layer: usize) -> Result<DVectorView<'_, T>> {
        let (block, range) = self.layout.block("Sequential::bias", layer, Role::Bias)?;
        Ok(DVectorView::from_slice(&self.params[range], block.len()))
    }

    /// bˡ, to be changed.
    ///
    /// # Errors
    /// As [`bias`](Self::bias).
    pub fn bias_mut(&mut self, layer: usize) -> Result<DVectorViewMut<'_, T>> {
        let (block, range) = self
            .layout
            .block("Sequential::bias_mut", layer, Role::Bias)?;
        Ok(DVectorViewMut::from_slice(
            &mut self.params[range],
            block.len(),
        ))
    }

    /// The same network at other parameters, without copying or changing anything: for line searches, finite
    /// differences, averages.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when there are more or fewer parameters than the network has.
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Sequential, Tape};
    /// use chainrule::nalgebra::DMatrix;
    /// use chainrule::nn::loss::SumSquaredError;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let net = Sequential::builder(1)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let (x, t) = (DMatrix::from_element(1, 1, 3.0), DMatrix::from_element(1, 1, 7.0));
    /// let cost = net.at(&[2.0, 1.0])?.cost(&x, &t, &SumSquaredError, &mut Tape::new())?;
    /// assert_eq!(cost, 0.0); // 2·3 + 1 = 7
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn at<'a>(&'a self, params: &'a [T]) -> Result<At<'a, T>> {
        self.check_params("Sequential::at", params)?;
        Ok(At { net: self, params })
    }

    pub(crate) fn here(&self) -> At<'_, T> {
        At {
            net: self,
            params: &self.params,
        }
    }

    /// The outputs for a batch, outputs × samples: the raw outputs of the last layer. If the loss works on logits, its
    /// [`output_function`](Loss::output_function) turns them into probabilities; [`Model::predict`](crate::Model::predict)
    /// does so by itself.
    ///
    /// # Errors
    /// As [`At::predict_into`].
    pub fn predict<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        let x = x.into();
        self.here().check_inputs(x)?;
        let y = zeros(
            "outputs of Sequential::predict",
            &[self.outputs(), x.cols()],
        )?;
        let mut y = DMatrix::from_vec(self.outputs(), x.cols(), y);
        self.here().predict_into(x, &mut y, &mut Tape::new())?;
        Ok(y)
    }

    /// The outputs for a batch into `y`, without allocation once the tape is warm.
    ///
    /// # Errors
    /// As [`At::predict_into`].
    pub fn predict_into<'x, 'y>(
        &self,
        x: impl Into<View<'x, T>>,
        y: impl Into<ViewMut<'y, T>>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        self.here().predict_into(x, y, tape)
    }

    /// The outputs for one sample into `y`, without allocation once the tape is warm. The same bits as in any batch.
    ///
    /// # Errors
    /// As [`At::predict_into`].
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Sequential, Tape};
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let net = Sequential::<f32>::builder(3)
    ///     .layer(Dense::new(2, Activation::Tanh))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let (mut tape, mut action) = (Tape::new(), [0.0; 2]);
    /// net.predict_one(&[0.1, 0.2, 0.3], &mut action, &mut tape)?;
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn predict_one(&self, x: &[T], y: &mut [T], tape: &mut Tape<T>) -> Result<()> {
        let (inputs, outputs) = (x.len(), y.len());
        self.here().predict_into(
            View::from_parts(x, inputs, 1),
            ViewMut::from_parts(y, outputs, 1),
            tape,
        )
    }

    /// The cost on a batch, in inference (no dropout).
    ///
    /// # Errors
    /// As [`At::cost`].
    pub fn cost<'x, 't>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
    ) -> Result<T> {
        self.here().cost(x, target, loss, tape)
    }

    /// The cost on a batch in training, and its gradient by all parameters into the tape: the four equations.
    ///
    /// # Errors
    /// As [`At::gradient`].
    pub fn gradient<'x, 't>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
    ) -> Result<T> {
        self.here().gradient(x, target, loss, tape)
    }

    /// As [`gradient`](Self::gradient), with ∂C/∂y written by the caller.
    ///
    /// # Errors
    /// As [`At::gradient_with`].
    pub fn gradient_with<'x, R>(
        &self,
        x: impl Into<View<'x, T>>,
        tape: &mut Tape<T>,
        slopes: impl FnOnce(View<'_, T>, ViewMut<'_, T>) -> Result<R>,
    ) -> Result<R> {
        self.here().gradient_with(x, tape, slopes)
    }

    /// The same network for another scalar: each parameter rounded to the nearest number of `U`, so that `f32` to `f64` is
    /// exact. An ε that a layer takes from its scalar (as [`RmsNorm`](crate::nn::RmsNorm) may) is then that of `U`.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] for a layer of another crate, [`ErrorKind::NotFinite`] for a finite parameter beyond the
    /// range of `U`, and those of [`Builder::build`] for a setting that `U` cannot hold.
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Sequential};
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(1, Activation::Tanh))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let small: Sequential<f32> = net.cast()?;
    /// assert_eq!(small.params()[0], net.params()[0] as f32);
    /// assert_eq!(small.cast::<f64>()?.cast::<f32>()?, small);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn cast<U: Real>(&self) -> Result<Sequential<U>> {
        let mut builder = Sequential::builder(self.inputs());
        for (index, layer) in self.layers.iter().enumerate() {
            let Some(known) = BuiltIn::of(&**layer) else {
                let expected = "a layer of this crate, which every scalar has";
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    self.layout.place(index),
                    expected,
                    layer.name(),
                ));
            };
            builder = builder.shared(known.layer());
        }
        let mut net = builder.build_at_zero()?;
        for (index, (to, from)) in net.params.iter_mut().zip(&self.params).enumerate() {
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
        self.layers
            .iter()
            .enumerate()
            .try_for_each(|(index, layer)| {
                let here = layer.check_params(
                    self.layout.widths[index],
                    &params[self.layout.param_range(index)],
                );
                here.map_err(|error| error.within(self.layout.place(index)))
            })
    }

    fn check_params(&self, function: &str, params: &[T]) -> Result<()> {
        if params.len() == self.params.len() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Shape,
            function,
            format!("{} parameters", self.params.len()),
            params.len(),
        ))
    }
}

/// A network at given parameters; made by [`Sequential::at`].
#[derive(Clone, Copy, Debug)]
pub struct At<'a, T: Real> {
    pub(crate) net: &'a Sequential<T>,
    pub(crate) params: &'a [T],
}

impl<T: Real> At<'_, T> {
    /// The outputs for a batch into `y`, outputs × samples.
    ///
    /// Samples are independent: each gets the same bits in any batch. NaN in a sample gives NaN in its output.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when `x` has not the network's number of inputs or `y` not its number of outputs and the
    /// samples of `x`; [`ErrorKind::Empty`] without a sample.
    pub fn predict_into<'x, 'y>(
        &self,
        x: impl Into<View<'x, T>>,
        y: impl Into<ViewMut<'y, T>>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        let (x, mut y) = (x.into(), y.into());
        self.check_inputs(x)?;
        let outputs = self.net.outputs();
        check_shape(
            || "outputs y".into(),
            (outputs, x.cols()),
            y.as_view().shape(),
        )?;
        tape.on_threads(&self.net.layout, x.cols(), |tape| {
            let step = tape.scratch.workers.count() * INFERENCE_BATCH;
            for first in (0..x.cols()).step_by(step) {
                let end = x.cols().min(first + step);
                self.infer(
                    x.range(first, end),
                    &mut y.as_mut_slice()[first * outputs..end * outputs],
                    tape,
                );
            }
        });
        Ok(())
    }

    /// The cost on a batch in inference: C(f(x), target), without dropout. Its samples' costs stay in the tape.
    ///
    /// # Errors
    /// Those of [`predict_into`](Self::predict_into); [`ErrorKind::Shape`] when the targets have another shape than the
    /// outputs, [`ErrorKind::Incompatible`] when the loss is not defined on the network's outputs, and what
    /// [`Loss::check`] and [`Loss::check_targets`] find.
    pub fn cost<'x, 't>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
    ) -> Result<T> {
        let (x, target) = (x.into(), target.into());
        self.check_pass(x, target, loss)?;
        let outputs = self.net.outputs();
        Ok(tape.on_threads(&self.net.layout, x.cols(), |tape| {
            let (mut y, mut costs) = (
                core::mem::take(&mut tape.outputs),
                core::mem::take(&mut tape.costs),
            );
            let step = tape.scratch.workers.count() * INFERENCE_BATCH;
            y.resize(outputs * x.cols().min(step), T::zero());
            costs.resize(x.cols(), T::zero());
            for first in (0..x.cols()).step_by(step) {
                let end = x.cols().min(first + step);
                let y = &mut y[..outputs * (end - first)];
                self.infer(x.range(first, end), y, tape);
                let y = View::from_parts(y, outputs, end - first);
                loss.costs(CostsArgs {
                    y,
                    target: target.values().range(first, end),
                    costs: &mut costs[first..end],
                });
            }
            weigh(&mut costs, target.weights());
            let cost = reduce(loss.reduction(), &costs);
            (tape.outputs, tape.costs) = (y, costs);
            cost
        }))
    }

    /// The cost on a batch in training (with dropout), and by the four equations δˡ, ∂C/∂Wˡ and ∂C/∂bˡ of every layer
    /// into the tape.
    ///
    /// # Errors
    /// Those of [`cost`](Self::cost), and [`ErrorKind::Untrainable`] when the derivative of a layer at or above
    /// parameters is 0 everywhere (step and sign without a surrogate). A cost that is NaN or infinite is returned, not refused.
    pub fn gradient<'x, 't>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
    ) -> Result<T> {
        let (x, target) = (x.into(), target.into());
        self.check_pass(x, target, loss)?;
        self.check_trainable()?;
        Ok(self.gradient_unchecked(x, target, loss, tape))
    }

    /// [`gradient`](Self::gradient) of what has been checked.
    pub(crate) fn gradient_unchecked(
        &self,
        x: View<'_, T>,
        target: Targets<'_, T>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
    ) -> T {
        tape.on_threads(&self.net.layout, x.cols(), |tape| {
            let cost = self.training_cost(x, target, loss, tape);
            self.tape_slopes(target, loss, tape);
            self.training_backward(x, tape);
            cost
        })
    }

    /// The forward pass of training and its cost.
    pub(crate) fn training_cost(
        &self,
        x: View<'_, T>,
        target: Targets<'_, T>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
    ) -> T {
        self.forward(x, tape, true);
        self.tape_cost(target, loss, tape)
    }

    /// The cost of the outputs in the tape.
    pub(crate) fn tape_cost(
        &self,
        target: Targets<'_, T>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
    ) -> T {
        let mut costs = core::mem::take(&mut tape.costs);
        costs.resize(target.values().cols(), T::zero());
        let (y, _) = tape.top(self.net.outputs());
        loss.costs(CostsArgs {
            y,
            target: target.values(),
            costs: &mut costs,
        });
        weigh(&mut costs, target.weights());
        let cost = reduce(loss.reduction(), &costs);
        tape.costs = costs;
        cost
    }

    /// ∂C/∂y of the cost of the outputs in the tape.
    pub(crate) fn tape_slopes(
        &self,
        target: Targets<'_, T>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
    ) {
        let (y, mut dy) = tape.top(self.net.outputs());
        loss.slopes(SlopesArgs {
            y,
            target: target.values(),
            dy: dy.reborrow(),
        });
        weigh(dy.as_mut_slice(), target.weights());
        scale(loss.reduction(), dy);
    }

    /// As [`gradient`](Self::gradient), for a cost that is no [`Loss`]: `slopes` is given the outputs y and ∂C/∂y = 0 to be
    /// overwritten, both outputs × samples; what it returns is returned.
    ///
    /// # Errors
    /// Those of [`predict_into`](Self::predict_into), [`ErrorKind::Untrainable`], and what `slopes` returns; the tape then
    /// holds the forward pass.
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Sequential, Tape};
    /// use chainrule::nalgebra::DMatrix;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(2, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
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
    pub fn gradient_with<'x, R>(
        &self,
        x: impl Into<View<'x, T>>,
        tape: &mut Tape<T>,
        slopes: impl FnOnce(View<'_, T>, ViewMut<'_, T>) -> Result<R>,
    ) -> Result<R> {
        let x = x.into();
        self.check_inputs(x)?;
        self.check_trainable()?;
        tape.on_threads(&self.net.layout, x.cols(), |tape| {
            self.forward(x, tape, true)
        });
        let (y, mut dy) = tape.top(self.net.outputs());
        // What the caller leaves out is 0, not what another pass left.
        dy.as_mut_slice().fill(T::zero());
        let result = slopes(y, dy)?;
        tape.on_threads(&self.net.layout, x.cols(), |tape| {
            self.training_backward(x, tape)
        });
        Ok(result)
    }

    /// All that [`cost`](Self::cost) checks.
    pub(crate) fn check_pass(
        &self,
        x: View<'_, T>,
        target: Targets<'_, T>,
        loss: &dyn Loss<T>,
    ) -> Result<()> {
        self.check_inputs(x)?;
        let outputs = self.net.outputs();
        let (wanted, given) = ((outputs, x.cols()), target.values().shape());
        if wanted != given {
            let hint = match given {
                (1, samples) if samples == x.cols() => " (one_hot makes columns of class labels)",
                given if given == (wanted.1, wanted.0) => " (a sample is a column: transpose it)",
                _ => "",
            };
            return Err(Error::new(
                ErrorKind::Shape,
                "targets",
                format!("{}{hint}", shape(wanted)),
                shape(given),
            ));
        }
        let range = self.net.range();
        if !loss.accepts(range) {
            let hint = match range {
                OutputRange::Real if loss.accepts(OutputRange::Simplex) => {
                    " (probabilities: let a Softmax be the last layer, or take SoftmaxCrossEntropy, which does it)"
                }
                OutputRange::Simplex if loss.accepts(OutputRange::Real) => {
                    " (scores: leave the Softmax out, the loss does it)"
                }
                OutputRange::Unit if loss.accepts(OutputRange::Real) => {
                    " (scores: leave the sigmoid out, the loss does it)"
                }
                _ => "",
            };
            let expected = format!("outputs on which {} is defined{hint}", loss.name());
            let top = self.net.layout.place(self.net.layers.len() - 1);
            return Err(Error::new(
                ErrorKind::Incompatible,
                top,
                expected,
                format!("outputs in {range:?}"),
            ));
        }
        loss.check(outputs)?;
        loss.check_targets(target.values())
    }

    pub(crate) fn check_inputs(&self, x: View<'_, T>) -> Result<()> {
        if x.rows() != self.net.inputs() {
            let hint = if x.cols() == self.net.inputs() {
                "; a sample is a column: transpose it"
            } else {
                ""
            };
            let (expected, given) = (
                format!("{} rows (features{hint})", self.net.inputs()),
                shape(x.shape()),
            );
            return Err(Error::new(ErrorKind::Shape, "inputs x", expected, given));
        }
        if x.cols() == 0 {
            return Err(Error::new(
                ErrorKind::Empty,
                "inputs x",
                "at least 1 column (sample)",
                0,
            ));
        }
        Ok(())
    }

    pub(crate) fn check_trainable(&self) -> Result<()> {
        // A layer without a derivative hides only the parameters up to its own: fixed features may step.
        let layout = &self.net.layout;
        match self
            .net
            .layers
            .iter()
            .enumerate()
            .position(|(index, layer)| !layer.is_trainable() && layout.params[index + 1] > 0)
        {
            None => Ok(()),
            Some(index) => Err(Error::new(
                ErrorKind::Untrainable,
                self.net.layout.place(index),
                "one that training can follow (straight_through() or surrogate() lends the activation one)",
                "a derivative that is 0 everywhere",
            )),
        }
    }

    /// y ← f(x) for a few samples, layer by layer through two buffers in turn.
    fn infer(&self, x: View<'_, T>, y: &mut [T], tape: &mut Tape<T>) {
        let (layout, batch) = (&*self.net.layout, x.cols());
        let last = layout.layers() - 1;
        let Tape {
            ping_pong: [here, there],
            scratch,
            ..
        } = tape;
        let (mut here, mut there) = (here, there);
        for (index, layer) in self.net.layers.iter().enumerate() {
            let (inputs, outputs) = (layout.widths[index], layout.widths[index + 1]);
            let x = if index == 0 {
                x
            } else {
                View::from_parts(&here[..inputs * batch], inputs, batch)
            };
            let params = &self.params[layout.param_range(index)];
            if index == last {
                layer.infer(InferArgs {
                    params,
                    x,
                    y: ViewMut::from_parts(y, outputs, batch),
                    scratch,
                });
            } else {
                if there.len() < outputs * batch {
                    there.resize(outputs * batch, T::zero());
                }
                let y = ViewMut::from_parts(&mut there[..outputs * batch], outputs, batch);
                layer.infer(InferArgs {
                    params,
                    x,
                    y,
                    scratch,
                });
                (here, there) = (there, here);
            }
        }
    }

    /// The forward pass into the tape, of training or of what [`infer`](Self::infer) computes.
    pub(crate) fn forward(&self, x: View<'_, T>, tape: &mut Tape<T>, training: bool) {
        let (layout, batch) = (&*self.net.layout, x.cols());
        tape.prepare(&self.net.layout, batch);
        tape.stage = Stage::Forward;
        let seed = derive(tape.seed, Purpose::Pass, tape.step);
        tape.step = tape.step.wrapping_add(u64::from(training));
        let (mut done, mut cached) = (0, 0);
        for (index, layer) in self.net.layers.iter().enumerate() {
            let (inputs, outputs, cache) = (
                layout.widths[index],
                layout.widths[index + 1] * batch,
                layout.caches[index] * batch,
            );
            let (before, rest) = tape.activations.split_at_mut(done);
            let x = if index == 0 {
                x
            } else {
                View::from_parts(&before[done - inputs * batch..], inputs, batch)
            };
            layer.forward(ForwardArgs {
                params: &self.params[layout.param_range(index)],
                x,
                y: ViewMut::from_parts(&mut rest[..outputs], layout.widths[index + 1], batch),
                cache: &mut tape.cache[cached..cached + cache],
                seed: seed.wrapping_add(index as u64),
                training,
                scratch: &mut tape.scratch,
            });
            done += outputs;
            cached += cache;
        }
    }

    /// The backward pass of training, from ∂C/∂y in the tape.
    fn training_backward(&self, x: View<'_, T>, tape: &mut Tape<T>) {
        let mut grads = core::mem::take(&mut tape.grads);
        self.backward(
            x,
            tape,
            None,
            Rows {
                grads: &mut grads,
                samples: x.cols(),
            },
            true,
        );
        tape.grads = grads;
        tape.stage = Stage::Backward;
    }

    /// The backward pass, from ∂C/∂y in the tape: ∂C/∂x where it is asked for, and gradients by all parameters.
    pub(crate) fn backward(
        &self,
        x: View<'_, T>,
        tape: &mut Tape<T>,
        mut dx: Option<ViewMut<'_, T>>,
        rows: Rows<'_, T>,
        training: bool,
    ) {
        let (layout, batch) = (&*self.net.layout, x.cols());
        let Tape {
            activations,
            deltas,
            cache,
            scratch,
            ..
        } = tape;
        let (mut end, mut cache_end) = (activations.len(), cache.len());
        for (index, layer) in self.net.layers.iter().enumerate().rev() {
            let (inputs, outputs, kept) = (
                layout.widths[index],
                layout.widths[index + 1],
                layout.caches[index],
            );
            let start = end - outputs * batch;
            let cache_start = cache_end - kept * batch;
            let below = start.saturating_sub(inputs * batch);
            let x = if index == 0 {
                x
            } else {
                View::from_parts(&activations[below..start], inputs, batch)
            };
            let y = View::from_parts(&activations[start..end], outputs, batch);
            let cache = &cache[cache_start..cache_end];
            let (lower, upper) = deltas.split_at_mut(start);
            let mut delta = ViewMut::from_parts(&mut upper[..outputs * batch], outputs, batch);
            let dx = if index == 0 {
                dx.take()
            } else {
                Some(ViewMut::from_parts(&mut lower[below..], inputs, batch))
            };
            let params = &self.params[layout.param_range(index)];
            layer.backward(BackwardArgs {
                params,
                x,
                y,
                cache,
                delta: delta.reborrow(),
                dx,
                training,
                scratch,
            });
            let delta = delta.as_view();
            // Split off one after the other: `chunks_exact_mut` divides first, which a small network would notice.
            let (mut first, mut rest) = (0, &mut *rows.grads);
            while !rest.is_empty() {
                let (row, others) = rest.split_at_mut(layout.param_count());
                let last = first + rows.samples;
                let (x, y, delta) = (
                    x.range(first, last),
                    y.range(first, last),
                    delta.range(first, last),
                );
                let (cache, grads) = (
                    &cache[first * kept..last * kept],
                    &mut row[layout.param_range(index)],
                );
                layer.gradient(GradientArgs {
                    params,
                    x,
                    y,
                    cache,
                    delta,
                    grads,
                    training,
                    scratch,
                });
                (first, rest) = (last, others);
            }
            (end, cache_end) = (start, cache_start);
        }
    }
}

/// Gradients by all parameters, one after the other, each of so many samples.
pub(crate) struct Rows<'a, T> {
    pub(crate) grads: &'a mut [T],
    /// At least 1, and a divisor of the batch.
    pub(crate) samples: usize,
}

/// A summary: one line a layer, with its number of outputs and of parameters.
impl<T: Real> fmt::Display for Sequential<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |cells: [&str; 4]| cells.map(alloc::string::String::from).to_vec();
        let mut rows = vec![row(["#", "layer", "outputs", "parameters"])];
        for (index, name) in self.layout.names.iter().enumerate() {
            let outputs = self.layout.widths[index + 1].to_string();
            let params = self.layout.param_range(index).len().to_string();
            rows.push(row([&index.to_string(), name, &outputs, &params]));
        }
        writeln!(
            f,
            "{}",
            TextTable {
                rows: &rows,
                gap: "  ",
                left: &[1]
            }
        )?;
        write!(
            f,
            "{} inputs, {} outputs, {} parameters",
            self.inputs(),
            self.outputs(),
            self.params.len()
        )
    }
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

/// The same layers, and every two parameters within `epsilon` or a relative difference of `max_relative`.
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
