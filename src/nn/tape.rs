//! What a pass produces, outside the network: one per thread.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::Role;
use crate::nn::layout::Layout;
use crate::nn::path::LayerPath;
use crate::numeric::kernel::workers::{NUMBER, Workers};
use crate::numeric::mean::add;
use crate::numeric::random::{Purpose, derive};
use crate::numeric::real::Real;
use crate::numeric::scratch::Scratch;
use crate::numeric::view::{View, ViewMut};
use alloc::{sync::Arc, vec::Vec};
use core::ops::Range;
use nalgebra::{DMatrixView, DVectorView};

/// What the tape holds, by how far the last pass went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Empty,
    /// The gradient alone: of the layers there is only what it took to get it.
    Gradient,
    Forward,
    Backward,
}

impl Stage {
    /// Whether what `wanted` leaves is there.
    fn has(self, wanted: Self) -> bool {
        match wanted {
            Self::Empty => true,
            Self::Gradient => matches!(self, Self::Gradient | Self::Backward),
            Self::Forward => matches!(self, Self::Forward | Self::Backward),
            Self::Backward => self == Self::Backward,
        }
    }
}

/// All that a forward and a backward pass produce: aˡ, δˡ, ∂C/∂Wˡ, ∂C/∂bˡ of every layer, and the
/// buffers of the kernels.
///
/// A network is not changed by a pass, so any number of tapes can be used with it at once, one per
/// thread. A tape grows to what a pass needs and is then reused: a pass with a number of samples
/// that it has seen before allocates nothing. It may be handed to different networks in turn.
///
/// ```
/// use chainrule::{Activation, Dense, Sequential, Tape};
/// use chainrule::nalgebra::DMatrix;
/// use chainrule::nn::loss::SumSquaredError;
///
/// let net = Sequential::builder(2)
///     .layer(Dense::new(3, Activation::Sigmoid))
///     .layer(Dense::new(1, Activation::Sigmoid))
///     .seed(1)
///     .build()?;
/// let x = DMatrix::from_column_slice(2, 1, &[0.3, 0.5]);
/// let t = DMatrix::from_element(1, 1, 0.75);
///
/// let mut tape = Tape::new();
/// let cost: f64 = net.gradient(&x, &t, &SumSquaredError, &mut tape)?;
/// let (a, delta) = (tape.a(0)?, tape.delta(1)?);
/// assert_eq!(tape.dw(1)?, delta * a.transpose()); // BP4
/// assert_eq!(tape.db(1)?, delta.column(0)); // BP3
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("GradientTape", "autograd", "workspace"))]
pub struct Tape<T> {
    layout: Option<Arc<Layout>>,
    batch: usize,
    stage: Stage,
    record: Record<T>,
    tangents: Tangents<T>,
    repeated: Repeated<T>,
    inference: Inference<T>,
    /// One cost per sample.
    costs: Vec<T>,
    /// Means of what batches say of running statistics.
    statistics: Vec<T>,
    scratch: Scratch<T>,
    seed: u64,
    step: u64,
}

/// What a forward and a backward pass leave.
#[derive(Clone, Debug)]
struct Record<T> {
    /// Outputs of every layer, layer after layer.
    activations: Vec<T>,
    /// ∂C/∂y and then δ of every layer, laid alike.
    deltas: Vec<T>,
    cache: Vec<T>,
    grads: Vec<T>,
}

/// What passes along a tangent leave, beside the record.
#[derive(Clone, Debug)]
struct Tangents<T> {
    /// ẋ of the network: 0 where `moving` is false.
    inputs: Vec<T>,
    moving: bool,
    /// θ̇ of a pass along the inputs: 0.
    params: Vec<T>,
    /// ẏ of every layer, layer after layer.
    activations: Vec<T>,
    /// The derivative of ∂C/∂y of every layer, laid alike.
    deltas: Vec<T>,
    cache: Vec<T>,
    /// The gradient of what slopes cost, until it is added to that of the outputs' cost.
    grads: Vec<T>,
}

/// What passes need in which each sample stands several times.
#[derive(Clone, Debug)]
struct Repeated<T> {
    /// The inputs.
    x: Vec<T>,
    /// The derivatives that such a pass gives, sample after sample; or the outputs of the samples
    /// as they stand once, and ∂C/∂ them.
    rows: Vec<T>,
}

/// What inference needs; nobody reads it afterward.
#[derive(Clone, Debug)]
struct Inference<T> {
    /// Outputs of alternate layers.
    ping_pong: [Vec<T>; 2],
    /// Outputs of the network, where only their cost is wanted.
    outputs: Vec<T>,
    /// Inputs of a model in the units of its network.
    scaled: Vec<T>,
}

/// What a walk over the layers works on, lent by [`Tape::walk`].
#[derive(Debug)]
pub(crate) struct Lent<'a, T> {
    pub(crate) room: Room<'a, T>,
    pub(crate) tangents: TangentRoom<'a, T>,
    /// The whole gradient.
    pub(crate) grads: &'a mut [T],
    /// The inputs of repeated samples, and room for the derivatives of their pass.
    pub(crate) repeated: (&'a [T], &'a mut [T]),
}

/// Room for all layers of a pass, each of which has its [`Span`](crate::nn::layout::Span) in it.
#[derive(Debug)]
pub(crate) struct Room<'a, T> {
    pub(crate) activations: &'a mut [T],
    pub(crate) deltas: &'a mut [T],
    pub(crate) cache: &'a mut [T],
    pub(crate) scratch: &'a mut Scratch<T>,
}

/// [`Room`] for what passes along a tangent keep beside it.
#[derive(Debug)]
pub(crate) struct TangentRoom<'a, T> {
    /// ẋ of the network: 0 where `moving` is false.
    pub(crate) inputs: &'a [T],
    /// Whether the inputs move.
    pub(crate) moving: bool,
    /// As many zeros as there are parameters, in a pass along the inputs.
    pub(crate) params: &'a [T],
    pub(crate) activations: &'a mut [T],
    pub(crate) deltas: &'a mut [T],
    pub(crate) cache: &'a mut [T],
}

/// The buffers of inference.
#[derive(Debug)]
pub(crate) struct InferenceRoom<'a, T> {
    /// Outputs of alternate layers.
    pub(crate) ping_pong: &'a mut [Vec<T>; 2],
    pub(crate) outputs: &'a mut Vec<T>,
    pub(crate) costs: &'a mut Vec<T>,
    pub(crate) scratch: &'a mut Scratch<T>,
}

/// The network's outputs, and what a loss makes of them.
#[derive(Debug)]
pub(crate) struct Top<'a, T> {
    pub(crate) y: View<'a, T>,
    /// ∂C/∂y.
    pub(crate) dy: ViewMut<'a, T>,
    pub(crate) costs: &'a mut Vec<T>,
}

/// How the inputs of a pass along a tangent move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Motion<'a, T> {
    /// Not at all.
    Still,
    /// Along ẋ, inputs × as many columns as the pass has.
    Along(&'a [T]),
    /// Column by column along one axis after the other.
    Axes,
}

/// [`Top`] after a pass along directions of the inputs, in which each sample stands several times:
/// y and ∂C/∂y as they stand once.
#[derive(Debug)]
pub(crate) struct SlopesTop<'a, T> {
    pub(crate) y: View<'a, T>,
    pub(crate) y_dot: View<'a, T>,
    pub(crate) dy: ViewMut<'a, T>,
    pub(crate) dy_dot: ViewMut<'a, T>,
    pub(crate) costs: &'a mut Vec<T>,
}

/// [`Top`] after a pass along a tangent: a dot marks the derivative along it.
#[derive(Debug)]
pub(crate) struct TangentTop<'a, T> {
    pub(crate) y: View<'a, T>,
    pub(crate) y_dot: View<'a, T>,
    pub(crate) dy: ViewMut<'a, T>,
    pub(crate) dy_dot: ViewMut<'a, T>,
}

impl<T> Default for Tape<T> {
    fn default() -> Self {
        Self::with_seed(0)
    }
}

impl<T> Tape<T> {
    /// An empty tape of seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty tape whose passes draw their randomness (dropout masks) from `seed`.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            layout: None,
            batch: 0,
            stage: Stage::Empty,
            record: Record {
                activations: Vec::new(),
                deltas: Vec::new(),
                cache: Vec::new(),
                grads: Vec::new(),
            },
            tangents: Tangents {
                inputs: Vec::new(),
                moving: false,
                params: Vec::new(),
                activations: Vec::new(),
                deltas: Vec::new(),
                cache: Vec::new(),
                grads: Vec::new(),
            },
            repeated: Repeated {
                x: Vec::new(),
                rows: Vec::new(),
            },
            inference: Inference {
                ping_pong: [const { Vec::new() }; 2],
                outputs: Vec::new(),
                scaled: Vec::new(),
            },
            costs: Vec::new(),
            statistics: Vec::new(),
            scratch: Scratch::default(),
            seed,
            step: 0,
        }
    }

    /// The same tape with `count` threads of its own, which live as long as it does: passes of
    /// enough work run on them, each on a part of the samples or of the weights, and small ones on
    /// the caller's thread alone. The results have the same bits for any number of threads.
    ///
    /// During a pass a thread without work looks for some for up to 100 µs before it sleeps,
    /// because the next is near, and gives way to any other thread meanwhile. Between passes all
    /// sleep.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] when `count` is 0 or above 1024, or the system refuses the threads.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = Sequential::<f32>::builder(100)
    ///     .layer(Dense::new(200, Activation::Relu))
    ///     .seed(1)
    ///     .build()?;
    /// let x = DMatrix::from_fn(100, 500, |i, j| (i * j % 7) as f32);
    /// let (mut y, mut tape) = (DMatrix::zeros(200, 500), Tape::new().threads(2)?);
    /// net.predict_into(&x, &mut y, &mut tape)?;
    /// assert_eq!(y, net.predict(&x)?);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[cfg(feature = "parallel")]
    pub fn threads(mut self, count: usize) -> Result<Self> {
        self.set_threads(count)?;
        Ok(self)
    }

    #[cfg(feature = "parallel")]
    pub(crate) fn set_threads(&mut self, count: usize) -> Result<()> {
        if count == self.scratch.workers.count() {
            return Ok(());
        }
        if !(1..=Workers::MOST).contains(&count) {
            return Err(Error::new(
                ErrorKind::Value,
                "threads",
                alloc::format!("from 1 to {}", Workers::MOST),
                count,
            ));
        }
        let workers = Workers::new(count);
        self.scratch = Scratch::new(workers.ok_or_else(|| {
            Error::new(
                ErrorKind::Value,
                "threads",
                "no more than the system has room for",
                count,
            )
        })?);
        Ok(())
    }

    /// The number of training passes so far. Randomness is a function of the seed, this number, the
    /// layer and the sample, so that each pass draws anew.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Continues at a seed and a step: the next pass draws what that pass of a tape of that seed
    /// drew.
    ///
    /// ```
    /// use chainrule::Tape;
    /// let mut tape = Tape::<f64>::with_seed(3);
    /// tape.seek(3, 100);
    /// assert_eq!(tape.step(), 100);
    /// ```
    pub fn seek(&mut self, seed: u64, step: u64) {
        (self.seed, self.step) = (seed, step);
    }

    /// The number of samples in the last training pass.
    pub fn batch(&self) -> usize {
        self.batch
    }
}

impl<T: Real> Tape<T> {
    /// aˡ: the output of a layer for each sample in the last pass of a gradient, outputs × batch.
    /// Predictions and costs between do not change it. To read zˡ, too, make the
    /// activation a layer of its own (`Dense` with
    /// [`Activation::Linear`](crate::Activation::Linear), then the activation): z is then the
    /// output of the first of the two, and the parameters lie as they did.
    ///
    /// A part of a layer that is made of layers has a [path](LayerPath): `tape.a([2, 1, 0])`.
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] before a pass, [`ErrorKind::Value`] if there is no such layer.
    pub fn a(&self, layer: impl LayerPath) -> Result<DMatrixView<'_, T>> {
        let (name, stage) = ("Tape::a", Stage::Forward);
        let value = self.layout(name, stage)?.output_of(name, layer.path())?;
        Ok(self.matrix(&self.record.activations, value.y(self.batch), value.width))
    }

    /// δˡ = ∂C/∂zˡ of each sample, outputs × batch, with the 1/n of an average over the batch. Of a
    /// layer without activation (dropout), ∂C/∂ its output; of an activation that is a layer of its
    /// own, ∂C/∂ its input, as of the linear layer below. Of a layer that is made of layers, that
    /// of the last one; where its branches are stacked or added, ∂C/∂ its output.
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] before a backward pass, [`ErrorKind::Value`] if there is no such
    /// layer.
    #[doc(alias("error_signal"))]
    pub fn delta(&self, layer: impl LayerPath) -> Result<DMatrixView<'_, T>> {
        let (name, stage) = ("Tape::delta", Stage::Backward);
        let value = self.layout(name, stage)?.output_of(name, layer.path())?;
        Ok(self.matrix(&self.record.deltas, value.dy(self.batch), value.width))
    }

    /// ∂C/∂Wˡ, laid as [`Sequential::weights`](crate::Sequential::weights).
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] before a backward pass, [`ErrorKind::Value`] for a layer that has no
    /// weights.
    pub fn dw(&self, layer: impl LayerPath) -> Result<DMatrixView<'_, T>> {
        let (block, range) = self.layout("Tape::dw", Stage::Gradient)?.block(
            "Tape::dw",
            layer.path(),
            Role::Weight,
        )?;
        Ok(DMatrixView::from_slice(
            &self.record.grads[range],
            block.rows,
            block.cols,
        ))
    }

    /// ∂C/∂bˡ.
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] before a backward pass, [`ErrorKind::Value`] for a layer that has no
    /// biases.
    pub fn db(&self, layer: impl LayerPath) -> Result<DVectorView<'_, T>> {
        let (block, range) = self.layout("Tape::db", Stage::Gradient)?.block(
            "Tape::db",
            layer.path(),
            Role::Bias,
        )?;
        Ok(DVectorView::from_slice(
            &self.record.grads[range],
            block.len(),
        ))
    }

    /// The whole gradient, laid as [`Sequential::params`](crate::Sequential::params); empty before
    /// a backward pass.
    pub fn grads(&self) -> &[T] {
        if self.stage.has(Stage::Gradient) {
            &self.record.grads
        } else {
            &[]
        }
    }

    /// The whole gradient, to be clipped or changed before a step.
    pub fn grads_mut(&mut self) -> &mut [T] {
        if self.stage.has(Stage::Gradient) {
            &mut self.record.grads
        } else {
            &mut []
        }
    }

    /// The cost of each sample in the last pass that computed a cost.
    pub fn costs(&self) -> &[T] {
        &self.costs
    }

    /// What a pass left there.
    fn matrix<'a>(
        &self,
        numbers: &'a [T],
        place: Option<Range<usize>>,
        rows: usize,
    ) -> DMatrixView<'a, T> {
        DMatrixView::from_slice(&numbers[place.unwrap_or(0..0)], rows, self.batch)
    }

    fn layout(&self, function: &str, stage: Stage) -> Result<&Layout> {
        match &self.layout {
            Some(layout) if self.stage.has(stage) => Ok(layout),
            _ => {
                let forward = stage == Stage::Forward;
                let expected = if forward {
                    "the activations of a forward pass (a gradient leaves them, predictions and costs \
                     do not)"
                } else {
                    "the gradient of a backward pass (Sequential::gradient leaves it)"
                };
                let given = match self.stage {
                    Stage::Empty => "nothing on the tape",
                    Stage::Gradient => "the gradient of a cost on slopes, without layers",
                    Stage::Forward | Stage::Backward => "a forward pass alone",
                };
                Err(Error::new(ErrorKind::NotReady, function, expected, given))
            }
        }
    }

    /// Makes room for a forward pass of `batch` samples.
    pub(crate) fn prepare(&mut self, layout: &Arc<Layout>, batch: usize) {
        let same = |mine| Arc::ptr_eq(mine, layout);
        if self.batch == batch && self.layout.as_ref().is_some_and(same) {
            return;
        }
        let Record {
            activations,
            deltas,
            cache,
            grads,
        } = &mut self.record;
        activations.resize(layout.outputs_len(batch), T::zero());
        deltas.resize(layout.deltas_len(batch), T::zero());
        cache.resize(layout.caches_len(batch), T::zero());
        grads.resize(layout.param_count(), T::zero());
        self.layout = Some(Arc::clone(layout));
        self.batch = batch;
        self.stage = Stage::Empty;
    }

    /// Makes room for a pass along a tangent, after a forward pass.
    pub(crate) fn prepare_tangents(&mut self, layout: &Layout, motion: Motion<'_, T>) {
        let Tangents {
            inputs,
            moving,
            params,
            activations,
            deltas,
            cache,
            ..
        } = &mut self.tangents;
        inputs.clear();
        if let Motion::Along(x_dot) = motion {
            inputs.extend_from_slice(x_dot);
        }
        inputs.resize(layout.inputs() * self.batch, T::zero());
        if matches!(motion, Motion::Axes) {
            let each = inputs.chunks_exact_mut(layout.inputs());
            for (column, x_dot) in each.enumerate() {
                x_dot[column % layout.inputs()] = T::one();
            }
        }
        *moving = !matches!(motion, Motion::Still);
        if *moving {
            params.resize(layout.param_count(), T::zero());
        }
        activations.resize(self.record.activations.len(), T::zero());
        deltas.resize(self.record.deltas.len(), T::zero());
        cache.resize(layout.tangent_caches_len(self.batch), T::zero());
    }

    /// The seed of the next pass, and one step more if it is one of training.
    pub(crate) fn draw(&mut self, training: bool) -> u64 {
        let seed = derive(self.seed, Purpose::Pass, self.step);
        self.step = self.step.wrapping_add(u64::from(training));
        seed
    }

    /// Runs a walk over the layers, after which the tape shows what the walk `leaves`. Only here do
    /// walks get at what the tape holds, so none can forget to say what is left.
    #[inline(always)]
    pub(crate) fn walk<R>(&mut self, leaves: Stage, walk: impl FnOnce(Lent<'_, T>) -> R) -> R {
        self.stage = Stage::Empty;
        let Record {
            activations,
            deltas,
            cache,
            grads,
        } = &mut self.record;
        let tangents = &mut self.tangents;
        let result = walk(Lent {
            room: Room {
                activations,
                deltas,
                cache,
                scratch: &mut self.scratch,
            },
            tangents: TangentRoom {
                inputs: &tangents.inputs,
                moving: tangents.moving,
                params: &tangents.params,
                activations: &mut tangents.activations,
                deltas: &mut tangents.deltas,
                cache: &mut tangents.cache,
            },
            grads,
            repeated: (&self.repeated.x, &mut self.repeated.rows),
        });
        self.stage = leaves;
        result
    }

    /// The last layer's outputs and the place of ∂C/∂ them, after a forward pass.
    #[inline]
    pub(crate) fn top(&mut self) -> Top<'_, T> {
        if self.stage == Stage::Backward {
            self.stage = Stage::Forward;
        }
        let Record {
            activations,
            deltas,
            ..
        } = &mut self.record;
        let TopSpan { y, dy, outputs } = top(&self.layout, self.batch);
        Top {
            y: View::from_parts(&activations[y], outputs, self.batch),
            dy: ViewMut::from_parts(&mut deltas[dy], outputs, self.batch),
            costs: &mut self.costs,
        }
    }

    /// [`top`](Self::top) after a pass along a tangent.
    pub(crate) fn tangent_top(&mut self) -> TangentTop<'_, T> {
        let batch = self.batch;
        let Tangents {
            activations,
            deltas,
            ..
        } = &mut self.tangents;
        let TopSpan { y, dy, outputs } = top(&self.layout, batch);
        let y_dot = View::from_parts(&activations[y.clone()], outputs, batch);
        let dy_dot = ViewMut::from_parts(&mut deltas[dy.clone()], outputs, batch);
        let Record {
            activations,
            deltas,
            ..
        } = &mut self.record;
        TangentTop {
            y: View::from_parts(&activations[y], outputs, batch),
            y_dot,
            dy: ViewMut::from_parts(&mut deltas[dy], outputs, batch),
            dy_dot,
        }
    }

    /// Keeps the outputs, to be found in [`slopes_top`](Self::slopes_top) when each sample stands
    /// several times.
    pub(crate) fn keep_outputs(&mut self) {
        let TopSpan { y, .. } = top(&self.layout, self.batch);
        let rows = &mut self.repeated.rows;
        rows.clear();
        rows.extend_from_slice(&self.record.activations[y]);
        rows.resize(2 * rows.len(), T::zero());
    }

    /// [`top`](Self::top) after a pass along directions of the inputs.
    pub(crate) fn slopes_top(&mut self) -> SlopesTop<'_, T> {
        let top = top(&self.layout, self.batch);
        let outputs = top.outputs;
        let kept = &mut self.repeated.rows;
        let half = kept.len() / 2;
        let (y, dy) = kept.split_at_mut(half);
        let samples = y.len() / outputs.max(1);
        let y_dot = &self.tangents.activations[top.y];
        let dy_dot = &mut self.record.deltas[top.dy];
        SlopesTop {
            y: View::from_parts(y, outputs, samples),
            y_dot: View::from_parts(y_dot, outputs, self.batch),
            dy: ViewMut::from_parts(dy, outputs, samples),
            dy_dot: ViewMut::from_parts(dy_dot, outputs, self.batch),
            costs: &mut self.costs,
        }
    }

    /// Gives the first column of each sample its ∂C/∂y as the derivative of ∂C/∂ẏ along the
    /// tangent, and the others none.
    pub(crate) fn spread_slopes(&mut self) {
        let TopSpan {
            dy: place, outputs, ..
        } = top(&self.layout, self.batch);
        let kept = &self.repeated.rows;
        let dy = &kept[kept.len() / 2..];
        let to = &mut self.tangents.deltas[place];
        to.fill(T::zero());
        let each = to.len() / (dy.len() / outputs);
        for (to, from) in to.chunks_exact_mut(each).zip(dy.chunks_exact(outputs)) {
            to[..outputs].copy_from_slice(from);
        }
    }

    /// The costs of the samples.
    pub(crate) fn costs_mut(&mut self) -> &mut Vec<T> {
        &mut self.costs
    }

    /// Puts the gradient aside.
    pub(crate) fn keep_grads(&mut self) {
        let (grads, kept) = (&mut self.record.grads, &mut self.tangents.grads);
        kept.resize(grads.len(), T::zero());
        core::mem::swap(grads, kept);
    }

    /// Adds the gradient that was put aside.
    pub(crate) fn add_kept_grads(&mut self) {
        add(
            &self.scratch.workers,
            &mut self.record.grads,
            &self.tangents.grads,
        );
    }

    /// What the last walk left as the gradient by all parameters, whatever it is of.
    pub(crate) fn derivatives(&self) -> &[T] {
        &self.record.grads
    }

    /// Puts each sample of a forward pass, whose inputs were `x`, `copies` times side by side, in
    /// place: a backward pass is then one of several costs for each.
    pub(crate) fn repeat(&mut self, layout: &Layout, x: View<'_, T>, copies: usize) {
        self.repeated.x.clear();
        for sample in x.iter() {
            for _ in 0..copies {
                self.repeated.x.extend_from_slice(sample);
            }
        }
        let Record {
            activations,
            deltas,
            cache,
            ..
        } = &mut self.record;
        let (batch, repeated) = (x.cols(), x.cols() * copies);
        if copies == 1 {
            return;
        }
        activations.resize(layout.outputs_len(repeated), T::zero());
        deltas.resize(layout.deltas_len(repeated), T::zero());
        cache.resize(layout.caches_len(repeated), T::zero());
        let nodes = layout.nodes(batch).zip(layout.nodes(repeated));
        // The last node first: its place is behind all that is still to be read.
        for ((_, from), (_, to)) in nodes.rev() {
            repeat(activations, from.outputs, copies, from.y, to.y);
            repeat(cache, from.cache_len, copies, from.cache, to.cache);
        }
        self.batch = repeated;
        self.stage = Stage::Empty;
    }

    /// Puts a second sample like it beside the only one of a forward pass. Its cost is 0.
    pub(crate) fn pair(&mut self, layout: &Layout, x: View<'_, T>) {
        self.repeat(layout, x, 2);
        let deltas = &mut self.record.deltas;
        let (from, to) = (layout.top_delta(1), layout.top_delta(2));
        deltas.copy_within(from.clone(), to.start);
        deltas[to.start + from.len()..to.end].fill(T::zero());
    }

    /// Makes room for the derivatives of a pass of repeated samples.
    pub(crate) fn prepare_rows(&mut self, len: usize) {
        self.repeated.rows.resize(len, T::zero());
    }

    /// The derivatives that the last pass of repeated samples gave.
    pub(crate) fn rows(&self) -> &[T] {
        &self.repeated.rows
    }

    /// The buffers of inference, which leaves alone what the tape shows, but for the costs.
    #[inline]
    pub(crate) fn inference(&mut self) -> InferenceRoom<'_, T> {
        let Inference {
            ping_pong, outputs, ..
        } = &mut self.inference;
        InferenceRoom {
            ping_pong,
            outputs,
            costs: &mut self.costs,
            scratch: &mut self.scratch,
        }
    }

    /// A buffer for the inputs of a model in the units of its network.
    pub(crate) fn scaled_mut(&mut self) -> &mut Vec<T> {
        &mut self.inference.scaled
    }

    /// A buffer for the means of what batches say of running statistics.
    pub(crate) fn statistics_mut(&mut self) -> &mut Vec<T> {
        &mut self.statistics
    }

    /// Goes on at this step of the same seed.
    pub(crate) fn seek_step(&mut self, step: u64) {
        self.step = step;
    }

    /// The kernels' buffers and threads.
    pub(crate) fn scratch_mut(&mut self) -> &mut Scratch<T> {
        &mut self.scratch
    }

    /// The threads of this tape.
    pub(crate) fn workers(&self) -> &Workers {
        &self.scratch.workers
    }

    /// Runs a pass of so many samples where it may use the threads of this tape, if it is worth
    /// them.
    #[inline]
    pub(crate) fn on_threads<R: Send>(
        &mut self,
        layout: &Layout,
        samples: usize,
        pass: impl FnOnce(&mut Self) -> R + Send,
    ) -> R {
        self.on_threads_if(
            |workers| workers.are_worth(layout.largest_block().saturating_mul(samples), 1),
            pass,
        )
    }

    /// [`on_threads`](Self::on_threads) for so many steps of training.
    pub(crate) fn steps_on_threads<R: Send>(
        &mut self,
        layout: &Layout,
        samples: usize,
        steps: usize,
        passes: impl FnOnce(&mut Self) -> R + Send,
    ) -> R {
        // The update of a parameter takes as long as a few samples.
        let samples = samples.max(NUMBER);
        self.on_threads_if(
            |workers| workers.are_worth(layout.largest_block().saturating_mul(samples), steps),
            passes,
        )
    }

    #[inline]
    fn on_threads_if<R: Send>(
        &mut self,
        worth: impl FnOnce(&Workers) -> bool,
        passes: impl FnOnce(&mut Self) -> R + Send,
    ) -> R {
        let workers = self.workers();
        if workers.count() == 1 || !worth(workers) {
            return passes(self);
        }
        let workers = workers.clone();
        workers.run(|| passes(self))
    }

    /// Makes all numbers NaN, to show a layer that does not overwrite what it should.
    pub(crate) fn poison(&mut self) {
        let Record {
            activations,
            deltas,
            cache,
            grads,
        } = &mut self.record;
        for numbers in [activations, deltas, cache, grads, &mut self.costs] {
            numbers.fill(T::of(f64::NAN));
        }
    }
}

/// Where the outputs of the network and the derivative by them lie, and how many a sample has.
struct TopSpan {
    y: Range<usize>,
    dy: Range<usize>,
    outputs: usize,
}

#[inline]
fn top(layout: &Option<Arc<Layout>>, batch: usize) -> TopSpan {
    let of = |layout: &Arc<Layout>| TopSpan {
        y: layout.top(batch),
        dy: layout.top_delta(batch),
        outputs: layout.outputs(),
    };
    let none = TopSpan {
        y: 0..0,
        dy: 0..0,
        outputs: 0,
    };
    layout.as_ref().map_or(none, of)
}

/// Puts `copies` of each sample of `width` numbers at `from` side by side at `to`.
fn repeat<T: Real>(
    numbers: &mut [T],
    width: usize,
    copies: usize,
    from: Range<usize>,
    to: Range<usize>,
) {
    let mut source = from.end;
    let mut place = to.end;
    // From the end, where nothing that is still to be read gets overwritten.
    while source > from.start {
        source -= width;
        for _ in 0..copies {
            place -= width;
            numbers.copy_within(source..source + width, place);
        }
    }
}
