//! What a pass produces, outside the network: one per thread.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::Role;
use crate::nn::layout::Layout;
#[cfg(feature = "parallel")]
use crate::numeric::kernel::workers::Workers;
use crate::numeric::real::Real;
use crate::numeric::scratch::{Scratch, parts};
use crate::numeric::view::{View, ViewMut};
use alloc::{format, sync::Arc, vec::Vec};
use core::ops::Range;
use nalgebra::{DMatrixView, DVectorView};

/// What the tape holds, by how far the last pass went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Stage {
    Empty,
    Forward,
    Backward,
}

/// All that a forward and a backward pass produce: aˡ, δˡ, ∂C/∂Wˡ, ∂C/∂bˡ of every layer, and the buffers of the kernels.
///
/// A network is not changed by a pass, so any number of tapes can be used with it at once, one per thread. A tape grows
/// to what a pass needs and is then reused: a pass with a number of samples that it has seen before allocates nothing.
/// It may be handed to different networks in turn.
///
/// ```
/// use chainrule::{Activation, Dense, Sequential, Tape};
/// use chainrule::nalgebra::DMatrix;
/// use chainrule::nn::loss::SumSquaredError;
/// use chainrule::rand::SeedableRng;
/// use chainrule::rand::rngs::Xoshiro256PlusPlus;
///
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let net = Sequential::builder(2)
///     .layer(Dense::new(3, Activation::Sigmoid))
///     .layer(Dense::new(1, Activation::Sigmoid))
///     .build(&mut rng)?;
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
pub struct Tape<T> {
    pub(crate) layout: Option<Arc<Layout>>,
    pub(crate) batch: usize,
    pub(crate) stage: Stage,
    /// Outputs of every layer, layer after layer.
    pub(crate) activations: Vec<T>,
    /// ∂C/∂y and then δ of every layer, laid alike.
    pub(crate) deltas: Vec<T>,
    pub(crate) cache: Vec<T>,
    pub(crate) grads: Vec<T>,
    /// One cost per sample.
    pub(crate) costs: Vec<T>,
    /// Outputs of alternate layers during inference.
    pub(crate) ping_pong: [Vec<T>; 2],
    /// Outputs of the network during inference, where only their cost is wanted.
    pub(crate) outputs: Vec<T>,
    /// Inputs of a model in the units of its network.
    pub(crate) scaled: Vec<T>,
    pub(crate) repeated: Repeated<T>,
    pub(crate) tangents: Tangents<T>,
    pub(crate) scratch: Scratch<T>,
    pub(crate) seed: u64,
    pub(crate) step: u64,
}

/// What passes along a tangent produce, beside what the tape holds.
#[derive(Clone, Debug)]
pub(crate) struct Tangents<T> {
    /// ẋ of the network: 0.
    pub(crate) inputs: Vec<T>,
    /// ẏ of every layer, layer after layer.
    pub(crate) activations: Vec<T>,
    /// The derivative of ∂C/∂y of every layer, laid alike.
    pub(crate) deltas: Vec<T>,
    pub(crate) cache: Vec<T>,
}

/// What passes need in which each sample stands several times.
#[derive(Clone, Debug)]
pub(crate) struct Repeated<T> {
    /// The inputs.
    pub(crate) x: Vec<T>,
    /// The derivatives that such a pass gives, sample after sample.
    pub(crate) rows: Vec<T>,
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
            activations: Vec::new(),
            deltas: Vec::new(),
            cache: Vec::new(),
            grads: Vec::new(),
            costs: Vec::new(),
            ping_pong: [const { Vec::new() }; 2],
            outputs: Vec::new(),
            scaled: Vec::new(),
            tangents: Tangents {
                inputs: Vec::new(),
                activations: Vec::new(),
                deltas: Vec::new(),
                cache: Vec::new(),
            },
            repeated: Repeated {
                x: Vec::new(),
                rows: Vec::new(),
            },
            scratch: Scratch::default(),
            seed,
            step: 0,
        }
    }

    /// The same tape with `count` threads of its own, which live as long as it does: passes of enough work run on them, each
    /// on a part of the samples or of the weights, and small ones on the caller's thread alone. The results have the same
    /// bits for any number of threads.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] when `count` is 0 or above 1024, or the system refuses the threads.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let net = Sequential::<f32>::builder(100)
    ///     .layer(Dense::new(200, Activation::Relu))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
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
                format!("from 1 to {}", Workers::MOST),
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

    /// The number of training passes so far. Randomness is a function of the seed, this number, the layer and the
    /// sample, so that each pass draws anew.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Continues at a seed and a step: the next pass draws what that pass of a tape of that seed drew.
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
    /// aˡ: the output of a layer for each sample, outputs × batch. To read zˡ, too, make the activation a layer of its own
    /// (`Dense` with [`Activation::Linear`](crate::Activation::Linear), then the activation): z is then the output of the
    /// first of the two, and the parameters lie as they did.
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] before a pass, [`ErrorKind::Value`] for a layer that the network has not.
    pub fn a(&self, layer: usize) -> Result<DMatrixView<'_, T>> {
        let range = self.range("Tape::a", Stage::Forward, layer)?;
        Ok(self.matrix(&self.activations[range]))
    }

    /// δˡ = ∂C/∂zˡ of each sample, outputs × batch, with the 1/n of an average over the batch. Of a layer without
    /// activation (dropout), ∂C/∂ its output.
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] before a backward pass, [`ErrorKind::Value`] for a layer that the network has not.
    pub fn delta(&self, layer: usize) -> Result<DMatrixView<'_, T>> {
        let range = self.range("Tape::delta", Stage::Backward, layer)?;
        Ok(self.matrix(&self.deltas[range]))
    }

    /// ∂C/∂Wˡ, laid as [`Sequential::weights`](crate::Sequential::weights).
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] before a backward pass, [`ErrorKind::Value`] for a layer that has no weights.
    pub fn dw(&self, layer: usize) -> Result<DMatrixView<'_, T>> {
        let (block, range) =
            self.layout("Tape::dw", Stage::Backward)?
                .block("Tape::dw", layer, Role::Weight)?;
        Ok(DMatrixView::from_slice(
            &self.grads[range],
            block.rows,
            block.cols,
        ))
    }

    /// ∂C/∂bˡ.
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] before a backward pass, [`ErrorKind::Value`] for a layer that has no biases.
    pub fn db(&self, layer: usize) -> Result<DVectorView<'_, T>> {
        let (block, range) =
            self.layout("Tape::db", Stage::Backward)?
                .block("Tape::db", layer, Role::Bias)?;
        Ok(DVectorView::from_slice(&self.grads[range], block.len()))
    }

    /// The whole gradient, laid as [`Sequential::params`](crate::Sequential::params); empty before a backward pass.
    pub fn grads(&self) -> &[T] {
        if self.stage == Stage::Backward {
            &self.grads
        } else {
            &[]
        }
    }

    /// The whole gradient, to be clipped or changed before a step.
    pub fn grads_mut(&mut self) -> &mut [T] {
        if self.stage == Stage::Backward {
            &mut self.grads
        } else {
            &mut []
        }
    }

    /// The cost of each sample in the last pass that computed a cost.
    pub fn costs(&self) -> &[T] {
        &self.costs
    }

    fn matrix<'a>(&self, data: &'a [T]) -> DMatrixView<'a, T> {
        DMatrixView::from_slice(data, data.len() / self.batch, self.batch)
    }

    fn layout(&self, function: &str, stage: Stage) -> Result<&Layout> {
        let wanted = if stage == Stage::Forward {
            "a forward pass before"
        } else {
            "a backward pass before"
        };
        match &self.layout {
            Some(layout) if self.stage >= stage => Ok(layout),
            _ => Err(Error::new(
                ErrorKind::NotReady,
                function,
                wanted,
                format!("a tape after {:?}", self.stage),
            )),
        }
    }

    fn range(&self, function: &str, stage: Stage, layer: usize) -> Result<Range<usize>> {
        let layout = self.layout(function, stage)?;
        layout.check_layer(function, layer)?;
        let start = layout.widths[1..=layer].iter().sum::<usize>() * self.batch;
        Ok(start..start + layout.widths[layer + 1] * self.batch)
    }

    /// Makes room for a pass of `batch` samples; what is there already stays.
    pub(crate) fn prepare(&mut self, layout: &Arc<Layout>, batch: usize) {
        if self.batch == batch
            && self
                .layout
                .as_ref()
                .is_some_and(|mine| Arc::ptr_eq(mine, layout))
        {
            return;
        }
        let outputs = layout.widths[1..].iter().sum::<usize>() * batch;
        self.activations.resize(outputs, T::zero());
        self.deltas.resize(outputs, T::zero());
        self.cache
            .resize(layout.caches.iter().sum::<usize>() * batch, T::zero());
        self.grads.resize(layout.param_count(), T::zero());
        self.layout = Some(Arc::clone(layout));
        self.batch = batch;
        self.stage = Stage::Empty;
    }

    /// Puts each sample of a forward pass, whose inputs were `x`, `copies` times side by side, in place: a backward pass is
    /// then one of several costs for each.
    pub(crate) fn repeat(&mut self, layout: &Layout, x: View<'_, T>, copies: usize) {
        self.repeated.x.clear();
        for sample in x.iter() {
            for _ in 0..copies {
                self.repeated.x.extend_from_slice(sample);
            }
        }
        repeat(&mut self.activations, &layout.widths[1..], x.cols(), copies);
        repeat(&mut self.cache, &layout.caches, x.cols(), copies);
        self.deltas.resize(self.activations.len(), T::zero());
        self.batch = x.cols() * copies;
        self.stage = Stage::Empty;
    }

    /// Runs passes of so many samples where they may use the threads of this tape, if they are worth them.
    #[inline]
    pub(crate) fn on_threads<R: Send>(
        &mut self,
        layout: &Layout,
        samples: usize,
        passes: impl FnOnce(&mut Self) -> R + Send,
    ) -> R {
        if self.scratch.workers.count() == 1 || parts(layout.largest_block(), samples) < 2 {
            return passes(self);
        }
        let workers = self.scratch.workers.clone();
        workers.run(|| passes(self))
    }

    /// Makes all numbers NaN, to show a layer that does not overwrite what it shall.
    pub(crate) fn poison(&mut self) {
        let nan = T::of(f64::NAN);
        for numbers in [
            &mut self.activations,
            &mut self.deltas,
            &mut self.cache,
            &mut self.grads,
            &mut self.costs,
        ] {
            numbers.fill(nan);
        }
    }

    /// Makes room for a pass along a tangent after a forward pass.
    pub(crate) fn prepare_tangents(&mut self, layout: &Layout) {
        let Tangents {
            inputs,
            activations,
            deltas,
            cache,
        } = &mut self.tangents;
        inputs.resize(layout.widths[0] * self.batch, T::zero());
        activations.resize(self.activations.len(), T::zero());
        deltas.resize(self.activations.len(), T::zero());
        cache.resize(
            layout.tangent_caches.iter().sum::<usize>() * self.batch,
            T::zero(),
        );
    }

    /// The outputs of the last layer and the place of ∂C/∂ them.
    pub(crate) fn top(&mut self, outputs: usize) -> (View<'_, T>, ViewMut<'_, T>) {
        let start = self.activations.len() - outputs * self.batch;
        (
            View::from_parts(&self.activations[start..], outputs, self.batch),
            ViewMut::from_parts(&mut self.deltas[start..], outputs, self.batch),
        )
    }
}

/// Puts `copies` of each sample in the place of one; of a layer, samples of its width lie one after the other.
fn repeat<T: Real>(numbers: &mut Vec<T>, widths: &[usize], batch: usize, copies: usize) {
    let mut from = numbers.len();
    numbers.resize(from * copies, T::zero());
    let mut to = numbers.len();
    // From the end, where nothing that is still to be read gets overwritten.
    for width in widths.iter().rev() {
        for _ in 0..batch {
            from -= width;
            for _ in 0..copies {
                to -= width;
                numbers.copy_within(from..from + width, to);
            }
        }
    }
}
