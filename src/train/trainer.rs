//! The trainer of mini-batches and its settings.

use super::epoch::Epoch;
use super::evaluate::{Evaluation, Metric};
use super::frozen::Frozen;
use super::history::History;
use super::mini_batches::MiniBatches;
use super::observer::{Observer, Step};
#[cfg(feature = "std")]
use super::run::CheckpointEvery;
use super::run::{Fit, Method, Run, Units};
use super::settings::{fit_by_run, settings};
use super::stop::{Monitor, Stop};
use crate::data::{Batch, Batches, Dataset};
use crate::error::Result;
use crate::nn::loss::{Loss, OutputFunction};
use crate::nn::sequential::Sequential;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View};
use crate::optim::{Clip, Constraint, Group, Optimizer, Penalty, ReduceOnPlateau, Schedule, Tie};
use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;
use core::ops::ControlFlow;

/// Trains networks: epochs of mini-batches, each a forward pass, a backward pass and a step of the
/// optimizer.
///
/// It owns the optimizer, the tape and where training is, so that [`fit`](Self::fit) can be called
/// again to go on; the network and the data stay the caller's. One trainer trains one network on
/// one data set: for another one, as in a loop over folds, [`reset`](Self::reset) it. It prints
/// nothing: an [`Observer`] can, and can end the run. What happens is a function of the network,
/// the data and the settings, the seed among them.
///
/// What a step does with the gradient, in this order, once it is that of all mini-batches that
/// [`accumulate`](Self::accumulate) takes together: what is [tied](Self::tie) is added up, the
/// [`Penalty`]'s gradient is added, each [`Clip`] applied, the rule of the optimizer takes it at
/// the rate of the [`Schedule`], each [`Constraint`] is enforced, and what is tied is copied.
///
/// With a rule that [averages](Optimizer::swap_average), the network is the average whenever a call
/// returns, and in validation, metrics, stops, the best parameters and checkpoints, with running
/// statistics of its own. Only observers of batches see the parameters that steps change. Such a
/// rule takes no constraints: [`ErrorKind::Incompatible`](crate::ErrorKind::Incompatible).
/// [`Ema`](crate::optim::Ema) and [`Swa`](crate::optim::Swa) let any rule average.
///
/// **Memory.** Beside the network (P parameters) and the data (N samples), a run takes at its peak
///
/// ```text
/// (2 + 2s)·P + (2A + K + i + o + 1)·b numbers, 8·N bytes, and up to 1.5 MiB a thread
/// ```
///
/// with s vectors of the optimizer (the table in [`optim`](crate::optim)), i inputs, o outputs and
/// batches of b. A is the number of outputs of all layers together, K that of outputs with an
/// activation other than linear or ReLU (dropout counts as one; a layer norm adds 2). These are the
/// gradient, the tape, the batch, and what a failed epoch goes back to. More threads than one take
/// w·b numbers more, w being the widest layer's outputs or inputs. Without shuffling, the
/// i + o numbers and the 8·N bytes are not needed. Sample weights add b; mini-batches that are
/// taken together add P; evaluating on validation data adds one output matrix; `restore_best` adds
/// up to 2·P. A run allocates in its first epoch, later only what an epoch reports. The trainer
/// keeps all of it for its next call.
///
/// ```
/// use chainrule::prelude::*;
///
/// let xor = Dataset::from_rows(
///     &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0],
///     2,
///     &[0.0, 1.0, 1.0, 0.0],
///     1,
/// )?;
/// let mut net = Sequential::<f64>::builder(2)
///     .layer(Dense::new(8, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let history = Trainer::new(SigmoidCrossEntropy::new(), Adam::new())
///     .epochs(500)
///     .batch_size(4)
///     .learning_rate(0.05)
///     .metric("accuracy", |y, t| metrics::accuracy(y, t))
///     .stop(Stop::target(Monitor::TrainingCost, 1e-2))
///     .fit(&mut net, &xor)?;
/// assert_eq!(history.last().and_then(|epoch| epoch.metric("accuracy")), Some(1.0));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("compile", "fit", "train", "trainNetwork"))]
pub struct Trainer<'a, T: Real> {
    pub(super) method: MiniBatches<'a, T>,
    pub(super) run: Run<'a, T>,
}

impl<'a, T: Real> Trainer<'a, T> {
    /// A trainer with 10 epochs of shuffled mini-batches of 32, rate 0.001 and seed 0.
    pub fn new(loss: impl Loss<T> + 'a, optimizer: impl Optimizer<T> + 'a) -> Self {
        Self {
            method: MiniBatches::new(loss, optimizer),
            run: Run::new(10),
        }
    }

    settings! {
        /// How many epochs a call of [`fit`](Self::fit) runs.
        epochs;
    }

    /// Samples in a mini-batch, at least 1; the last of an epoch may have fewer. 1 is stochastic
    /// gradient descent in the narrow sense; a number beyond the data set is full-batch descent.
    #[must_use]
    #[doc(alias("minibatch", "MiniBatchSize"))]
    pub fn batch_size(mut self, batch: usize) -> Self {
        self.method.batch = batch;
        self
    }

    /// Takes one step for every `batches` mini-batches, at least 1, on the gradient of all of them:
    /// what one mini-batch of so many times the [`batch_size`](Self::batch_size) would give, to
    /// within rounding, in the memory of a small one. 1 without.
    ///
    /// Penalties, clips and constraints act once a step. The last step of an epoch takes what there
    /// is, each mini-batch by its samples or their weights, as the loss's
    /// [`Reduction`](crate::nn::loss::Reduction) says. Schedule, rule and observers count steps;
    /// checkpoints and what else ends a run come between steps, never between the mini-batches of
    /// one.
    ///
    /// Two things depend on single mini-batches. [Batch norm](crate::nn::BatchNorm) normalizes each
    /// by its own moments, and its running statistics follow their mean. Dropout draws its masks
    /// anew for each.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let x = DMatrix::from_fn(1, 100, |_, j| j as f64 / 50.0 - 1.0);
    /// let data = Dataset::new(x.clone(), x.map(|x| x * x))?;
    /// let trained = |batch, together| {
    ///     let mut net = Sequential::builder(1)
    ///         .layer(Dense::new(8, Activation::Tanh))
    ///         .layer(Dense::new(1, Activation::Linear))
    ///         .seed(1)
    ///         .build()?;
    ///     let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
    ///         .batch_size(batch)
    ///         .accumulate(together);
    ///     trainer.fit(&mut net, &data)?;
    ///     Ok::<_, Error>(net)
    /// };
    /// let (at_once, by_eights) = (trained(32, 1)?, trained(8, 4)?);
    /// let pairs = at_once.params().iter().zip(by_eights.params());
    /// assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-9));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    #[doc(alias("accumulate_grad_batches", "gradient_accumulation_steps", "accum_iter"))]
    pub fn accumulate(mut self, batches: usize) -> Self {
        self.method.together = batches;
        self
    }

    /// The learning rate η, finite and not negative, or a schedule: η(t) of the step t, counted
    /// from 0 over the trainer's life, or of time [in epochs](Schedule::in_epochs) or [in
    /// hundredths of the run](Schedule::in_percent), which need no count of mini-batches.
    ///
    /// ```
    /// use chainrule::{Adam, MeanSquaredError, Trainer};
    /// use chainrule::optim::Schedule;
    /// // A warm-up of a tenth of the run, and half a cosine down to 0 over the rest of it.
    /// let cosine = Schedule::Cosine { rate: 0.01, min: 0.0, steps: 90 }.warm_up(10).in_percent();
    /// let trainer = Trainer::<f64>::new(MeanSquaredError, Adam::new()).learning_rate(cosine);
    /// ```
    #[must_use]
    #[doc(alias("lr", "rate", "learning_rate_init", "eta"))]
    pub fn learning_rate(mut self, rate: impl Into<Schedule>) -> Self {
        self.method.descent.rate = rate.into();
        self
    }

    /// Multiplies the rate by less whenever what is watched no longer becomes better.
    ///
    /// ```
    /// use chainrule::{Adam, MeanSquaredError, Monitor, Trainer};
    /// use chainrule::optim::ReduceOnPlateau;
    /// let plateau = ReduceOnPlateau { factor: 0.5, patience: 5, ..ReduceOnPlateau::new() };
    /// let trainer = Trainer::<f64>::new(MeanSquaredError, Adam::new())
    ///     .reduce_on_plateau(Monitor::TrainingCost, plateau);
    /// ```
    #[must_use]
    #[doc(alias("ReduceLROnPlateau"))]
    pub fn reduce_on_plateau(mut self, monitor: Monitor, plateau: ReduceOnPlateau) -> Self {
        self.run.state.plateau = Some(plateau.clone());
        self.run.watcher.plateau = Some((monitor, plateau));
        self
    }

    /// The seed of the order of samples and of dropout.
    #[must_use]
    #[doc(alias("random_state", "manual_seed"))]
    pub fn seed(mut self, seed: u64) -> Self {
        self.method.seed = seed;
        self
    }

    /// Trains on `count` threads of the trainer's own, from 1 to 1024, as
    /// [`Tape::threads`](crate::Tape::threads) does; 1 without. The result has the same bits for
    /// any number. As many as the machine has cores are best; networks whose steps take less than
    /// some 20 µs stay on the caller's thread.
    #[cfg(feature = "parallel")]
    #[must_use]
    pub fn threads(mut self, count: usize) -> Self {
        self.method.threads = count;
        self
    }

    /// Whether each epoch takes the samples in a random order; true by default. Without, they come
    /// in the order of the data set and are not copied.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.method.shuffle = shuffle;
        self
    }

    /// Rates and decays of their own for groups of parameters, as [`Sequential::groups`] makes
    /// them; without, all parameters learn at the plain rate and none decays.
    #[must_use]
    pub fn groups(mut self, groups: Vec<Group>) -> Self {
        self.method.descent.groups = Some(groups);
        self.method.descent.learning = None;
        self
    }

    /// Freezes these layers, numbered from 0, and no others: training leaves every bit of their
    /// parameters and running statistics as it is, whatever momentum, decay, penalty and
    /// constraints ask for. Their gradient counts as 0, for the norms of [`Clip`] too. Layers above
    /// and below learn; dropout and batch norm work as in training. A call replaces the layers of
    /// the call before, so that `freeze([])` frees all.
    ///
    /// Errors come with [`fit`](Self::fit) and [`step`](Self::step): [`ErrorKind::Value`] if there
    /// is no such layer, [`ErrorKind::Empty`] if no parameter is left to learn.
    ///
    /// [`ErrorKind::Value`]: crate::ErrorKind::Value
    /// [`ErrorKind::Empty`]: crate::ErrorKind::Empty
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let data = Dataset::from_rows(&[0.0, 1.0, 2.0], 1, &[1.0, 3.0, 5.0], 1)?;
    /// let mut net = Sequential::<f64>::builder(1)
    ///     .layer(Dense::new(4, Activation::Tanh)) // of another task
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let before = net.clone();
    /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new()).freeze([0]);
    /// trainer.fit(&mut net, &data)?;
    /// assert_eq!(net.weights(0)?, before.weights(0)?);
    /// assert_ne!(net.weights(1)?, before.weights(1)?);
    /// let mut trainer = trainer.freeze([]); // fine-tuning: all layers learn
    /// trainer.fit(&mut net, &data)?;
    /// assert_ne!(net.weights(0)?, before.weights(0)?);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias = "requires_grad")]
    #[doc(alias = "trainable")]
    #[must_use]
    pub fn freeze(mut self, layers: impl IntoIterator<Item = usize>) -> Self {
        self.method.descent.frozen = Frozen::new(layers);
        self.method.descent.learning = None;
        self
    }

    /// Learns from the [slopes](Dataset::with_slopes) of the data, too (Czarnecki et al., *Sobolev
    /// training for neural networks*, 2017). The cost of a mini-batch is
    ///
    /// ```text
    /// C = L(y, t) + λ·S(∂y/∂x, s)
    /// ```
    ///
    /// with the trainer's loss L, the slopes s of the targets, and λ = `weight`, finite and ≥ 0.
    /// The loss S of slopes takes the outputs·inputs numbers of a sample's Jacobian for outputs: by
    /// [`MeanSquaredError`](crate::MeanSquaredError) it is the mean over samples, outputs and
    /// inputs of (∂yᵢ/∂xₖ − sᵢₖ)². Both losses have the same
    /// [`Reduction`](crate::nn::loss::Reduction), and both heed the weights of samples.
    ///
    /// Slopes are those of what the network predicts, without dropout, by running statistics; the
    /// outputs in L are those of training. Their gradient is exact
    /// ([`gradient_with_slopes`](Sequential::gradient_with_slopes)), and a step takes the time of
    /// about two more gradients for each input. The tape holds each sample once for each input.
    ///
    /// Every data set that such a trainer is given, to validate or to evaluate, has slopes, too:
    /// they are a part of every cost. A trainer without this setting refuses data with slopes; a
    /// weight of 0 leaves them out. [`Model::fit`](crate::Model::fit) scales them; λ then weighs
    /// slopes in scaled units.
    ///
    /// [`fit`](Self::fit) refuses surrogates and layers of other crates without
    /// [`Layer::backward_tangent`](crate::nn::layer::Layer::backward_tangent):
    /// [`ErrorKind::Incompatible`](crate::ErrorKind::Incompatible).
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// // Ten samples of a sine, with and without its slopes.
    /// let x = DMatrix::from_fn(1, 10, |_, j| -3.0 + 6.0 * j as f64 / 9.0);
    /// let plain = Dataset::new(x.clone(), x.map(f64::sin))?;
    /// let with_slopes = plain.clone().with_slopes(x.map(f64::cos))?;
    /// let mut net = Sequential::builder(1)
    ///     .layer(Dense::new(20, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// Trainer::new(MeanSquaredError, Adam::new())
    ///     .slopes(MeanSquaredError, 1.0)
    ///     .learning_rate(0.02)
    ///     .epochs(1000)
    ///     .fit(&mut net, &with_slopes)?;
    /// let between = DMatrix::from_fn(1, 50, |_, j| -3.0 + 6.0 * j as f64 / 49.0);
    /// assert!((net.predict(&between)? - between.map(f64::sin)).amax() < 0.05);
    /// assert!(Trainer::new(MeanSquaredError, Adam::new()).fit(&mut net, &with_slopes).is_err());
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    #[doc(alias("SobolevTraining", "Sobolev training", "gradient matching"))]
    pub fn slopes(mut self, loss: impl Loss<T> + 'a, weight: f64) -> Self {
        self.method.descent.slopes.loss = Some((Box::new(loss), weight));
        self
    }

    /// Learns from the [slopes](Self::slopes) alone: C = λ·S(∂y/∂x, s). The targets are not looked
    /// at, and what the outputs are up to a constant stays open. So a network learns a potential
    /// from its forces, or an energy from motion: with H(q, p) as its output and the slopes
    /// ∂H/∂q = −ṗ and ∂H/∂p = q̇ it is a Hamiltonian network (Greydanus, Dzamba & Yosinski,
    /// *Hamiltonian neural networks*, 2019; example `hamiltonian`). Dropout and running statistics
    /// do not learn: there is no pass of training.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// // A spring: q̇ = p, ṗ = −q. Nothing says what its energy is.
    /// let states = DMatrix::from_fn(2, 40, |i, j| [(j as f64).cos(), (j as f64).sin()][i]);
    /// let radii = DMatrix::from_fn(2, 40, |i, j| states[(i, j)] * (j % 4) as f64 / 3.0);
    /// let unknown = DMatrix::zeros(1, 40);
    /// let data = Dataset::new(radii.clone(), unknown)?.with_slopes(radii)?; // (−ṗ, q̇) = (q, p)
    /// let mut energy = Sequential::builder(2)
    ///     .layer(Dense::new(16, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// Trainer::new(MeanSquaredError, Adam::new())
    ///     .slopes(MeanSquaredError, 1.0)
    ///     .without_values()
    ///     .learning_rate(0.02)
    ///     .epochs(1000)
    ///     .fit(&mut energy, &data)?;
    /// let rise = energy.predict(&[1.0, 0.0])? - energy.predict(&[0.0, 0.0])?;
    /// assert!((rise[0] - 0.5).abs() < 0.05); // ½(q² + p²)
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    #[doc(alias("HNN", "Hamiltonian", "potential", "force matching"))]
    pub fn without_values(mut self) -> Self {
        self.method.descent.slopes.alone = true;
        self
    }

    /// Adds a penalty on large weights to the cost.
    #[must_use]
    pub fn penalty(mut self, penalty: Penalty) -> Self {
        self.method.descent.penalty = Some(penalty);
        self
    }

    /// Clips the gradient before each step; after the clips that were given before.
    #[must_use]
    pub fn clip(mut self, clip: Clip) -> Self {
        self.method.descent.clips.push(clip);
        self
    }

    /// Enforces a constraint on the weights after each step; after the constraints that were given
    /// before.
    #[must_use]
    pub fn constrain(mut self, constraint: Constraint) -> Self {
        self.method.descent.constraints.push(constraint);
        self
    }

    /// Lets two blocks of parameters share their numbers, as [`Tie`] says; beside those that were
    /// given before. The numbers of the first block stand for both, in the gradient, in norms,
    /// clips and penalties, and in the rule; a penalty that is on one of the blocks is on their
    /// numbers, once. Training begins with them, and after each step, also of what a rule averages,
    /// the second block is a copy to the bit. A constraint is enforced on the first block. Of two
    /// blocks in frozen layers both stay as they are.
    ///
    /// Errors come with [`fit`](Self::fit) and [`step`](Self::step): [`ErrorKind::Value`] for a
    /// block that is not there, [`ErrorKind::Shape`] where shapes do not fit,
    /// [`ErrorKind::Incompatible`] for running statistics, for a block that is tied twice, for
    /// groups that give the two another rate or decay, where only one of the layers is frozen, and
    /// for [`Constraint::MaxNorm`] beside a transposed tie.
    ///
    /// [`ErrorKind::Value`]: crate::ErrorKind::Value
    /// [`ErrorKind::Shape`]: crate::ErrorKind::Shape
    /// [`ErrorKind::Incompatible`]: crate::ErrorKind::Incompatible
    #[must_use]
    #[doc(alias("tie_weights", "weight tying"))]
    pub fn tie(mut self, tie: Tie) -> Self {
        self.method.descent.ties.push(tie);
        self.method.descent.learning = None;
        self
    }

    settings! {
        /// Data on which the cost and the metrics are computed after each epoch, never trained on:
        /// in the units of the data that [`fit`](Self::fit) is given.
        /// [`Model::fit`](crate::Model::fit) scales both.
        validation_data;

        /// A metric to compute after each epoch, of the predictions (after the loss's
        /// [`output_function`](Loss::output_function)) and the targets, on the validation data, or
        /// without it on the training data. [`Model::fit`](crate::Model::fit) takes both in the
        /// units of the data, [`fit`](Self::fit) in the network's.
        metric;

        /// A metric of one of the [`Heads`](crate::nn::loss::Heads) of the loss: of the head's
        /// predictions and its rows of the targets, called `head_name`, such as `kind_accuracy`, as
        /// in Keras. [`ErrorKind::Value`](crate::ErrorKind::Value) in [`fit`](Self::fit) where the
        /// loss has no such head.
        head_metric;

        /// A reason to end before the last epoch; whichever of several comes first.
        stop;

        /// However [`fit`](Self::fit) ends, also by an error, the network gets the parameters of
        /// the epoch that was the best in what is watched. When it is called again with that
        /// network, training goes on from the latest parameters, not from the best.
        ///
        /// ```
        /// use chainrule::prelude::*;
        /// let x = DMatrix::from_fn(1, 40, |_, j| j as f64 / 20.0 - 1.0);
        /// let (data, judge) = Dataset::new(x.clone(), x.map(|x| (5.0 * x).sin()))?.split(0.3, 1)?;
        /// let mut net = Sequential::builder(1)
        ///     .layer(Dense::new(20, Activation::Tanh))
        ///     .layer(Dense::new(1, Activation::Linear))
        ///     .seed(1)
        ///     .build()?;
        /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
        ///     .validation_data(&judge)
        ///     .learning_rate(0.03)
        ///     .epochs(500)
        ///     .stop(Stop::early_stopping(Monitor::ValidationCost, 20))
        ///     .restore_best(Monitor::ValidationCost);
        /// let history = trainer.fit(&mut net, &data)?;
        /// let best = history
        ///     .best(&Monitor::ValidationCost)
        ///     .and_then(|epoch| epoch.validation_cost);
        /// assert_eq!(
        ///     best,
        ///     Some(net.cost(
        ///         judge.inputs(),
        ///         judge.targets(),
        ///         &MeanSquaredError,
        ///         &mut Tape::new()
        ///     )?)
        /// );
        /// # Ok::<(), chainrule::Error>(())
        /// ```
        restore_best;

        /// Tells `observer` what happens; after those that were given before.
        observe;

        /// Calls back after each epoch with its figures and the network; `Break` ends the run. What
        /// the callback borrows must be declared before the trainer.
        ///
        /// ```
        /// use chainrule::prelude::*;
        /// use core::ops::ControlFlow;
        /// # let data = Dataset::from_rows(&[0.0, 1.0], 1, &[0.0, 1.0], 1)?;
        /// # let mut net = Sequential::<f64>::builder(1)
        /// #     .layer(Dense::new(1, Activation::Linear))
        /// #     .seed(1).build()?;
        /// let mut slopes = Vec::new();
        /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new()).on_epoch(|epoch, net| {
        ///     slopes.push(net.params()[0]);
        ///     if epoch.cost < 1e-6 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        /// });
        /// trainer.fit(&mut net, &data)?;
        /// # Ok::<(), Error>(())
        /// ```
        on_epoch;

        /// Lets each call of [`fit`](Self::fit) bring other data, as a stream or reinforcement
        /// learning does. By default, data other than those of the call before are refused.
        ///
        /// ```
        /// use chainrule::prelude::*;
        /// let mut net = Sequential::<f64>::builder(1)
        ///     .layer(Dense::new(1, Activation::Linear))
        ///     .seed(1)
        ///     .build()?;
        /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new()).epochs(1).changing_data();
        /// for day in 0..5 {
        ///     let x = DMatrix::from_fn(1, 8, |_, hour| f64::from(8 * day + hour as i32));
        ///     trainer.fit(&mut net, &Dataset::new(x.clone(), x)?)?;
        /// }
        /// # Ok::<(), Error>(())
        /// ```
        changing_data;

        /// Writes a checkpoint to `path`, as [`save`](Self::save) does, every so often and at the
        /// end of a run.
        ///
        /// ```no_run
        /// use chainrule::prelude::*;
        /// use chainrule::train::CheckpointEvery;
        /// # let data = Dataset::from_rows(&[0.0, 1.0], 1, &[0.0, 1.0], 1)?;
        /// # let mut net = Sequential::<f64>::builder(1)
        /// #     .layer(Dense::new(1, Activation::Linear))
        /// #     .seed(1).build()?;
        /// // A program that can be killed at any time and started again: it goes on where it was.
        /// let path = std::path::Path::new("run.checkpoint");
        /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
        ///     .epochs(1000)
        ///     .checkpoint(path, CheckpointEvery::Epochs(10));
        /// if path.exists() {
        ///     trainer.resume(&mut net, path)?;
        /// }
        /// let history = trainer.fit(&mut net, &data)?; // of all 1000 epochs
        /// # Ok::<(), chainrule::Error>(())
        /// ```
        checkpoint;
    }

    /// The number of epochs finished so far, over all calls of [`fit`](Self::fit).
    pub fn epoch(&self) -> usize {
        self.run.state.position.epoch
    }

    /// Begins anew with the same settings: forgets moments, step, epochs, history, the best
    /// parameters, and what stops and plateau have seen. The next [`fit`](Self::fit) takes any
    /// network and any data, as that of a new trainer does. Observers, metrics and callbacks keep
    /// what they remember.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let x = DMatrix::from_fn(1, 30, |_, j| j as f64 / 30.0);
    /// let data = Dataset::new(x.clone(), x.map(|x| 2.0 * x))?;
    /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
    ///     .learning_rate(0.05)
    ///     .epochs(100);
    /// for (train, test) in data.k_fold(5, 1)? {
    ///     let mut net = Sequential::builder(1)
    ///         .layer(Dense::new(1, Activation::Linear))
    ///         .seed(1)
    ///         .build()?;
    ///     trainer.reset()?;
    ///     trainer.fit(&mut net, &train)?;
    ///     assert!(metrics::r2(&net.predict(test.inputs())?, &test)? > 0.9);
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Optimizer::restore`], for the state that the optimizer had when the trainer was
    /// made; the optimizers of this crate have none.
    pub fn reset(&mut self) -> Result<()> {
        self.method.reset()?;
        self.run.reset();
        Ok(())
    }

    /// Goes on with `net` as it now is: lets the next [`fit`](Self::fit) train it after you have
    /// changed its parameters, by pruning or averaging. Moments, step, stops and the best so far
    /// stay; a rule that averages [begins its average](Optimizer::adopt) with them.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// # let data = Dataset::from_rows(&[0.0, 1.0], 1, &[0.0, 1.0], 1)?;
    /// # let mut net = Sequential::<f64>::builder(1)
    /// #     .layer(Dense::new(1, Activation::Linear))
    /// #     .seed(1).build()?;
    /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new());
    /// trainer.fit(&mut net, &data)?;
    /// net.params_mut().iter_mut().for_each(|w| *w *= 0.99);
    /// assert!(trainer.fit(&mut net, &data).is_err());
    /// trainer.continue_with(&net);
    /// trainer.fit(&mut net, &data)?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn continue_with(&mut self, net: &Sequential<T>) {
        self.method.descent.optimizer.adopt(net.params());
        self.run.state.adopt(net);
    }

    /// Takes another learning rate, and returns the one of before.
    pub(crate) fn swap_learning_rate(&mut self, rate: Schedule) -> Schedule {
        core::mem::replace(&mut self.method.descent.rate, rate)
    }

    /// The mini-batches of its settings.
    pub(crate) fn batches(&self) -> Result<Batches<T>> {
        self.method.new_batches()
    }

    /// The optimizer.
    pub fn optimizer(&self) -> &dyn Optimizer<T> {
        &*self.method.descent.optimizer
    }

    /// Trains `net` on `data` and returns what happened. Called again, it goes on: n epochs are the
    /// same bits as n times one epoch, but for a rate [in percent](Schedule::in_percent) of the
    /// run, which each call is.
    ///
    /// Moments, schedule and stops belong to one network and one data set. A later call therefore
    /// takes the network only as the call before left it, or with its best parameters. It takes
    /// only the same data, compared by their sizes and their first and last samples. To do
    /// otherwise on purpose:
    ///
    /// - [`reset`](Self::reset) begins anew, with any network and any data;
    /// - [`continue_with`](Self::continue_with) goes on with a network that you have changed;
    /// - [`changing_data`](Self::changing_data) allows other data at the beginning of an epoch.
    ///
    /// # Errors
    /// Before anything is changed:
    ///
    /// - those of [`Sequential::gradient`] for the data and the validation data;
    /// - [`ErrorKind::Incompatible`] for another network or other data, and where the last layer
    ///   reaches no target of a loss that [measures distance](Loss::measures_distance);
    /// - [`ErrorKind::Value`], [`ErrorKind::Shape`] or [`ErrorKind::Incompatible`] for settings out
    ///   of range.
    ///
    /// In training:
    ///
    /// - [`ErrorKind::Diverged`] when the cost of a mini-batch is NaN or infinite, or when after an
    ///   epoch a parameter or a number in the optimizer's state is;
    /// - [`ErrorKind::Io`] when a checkpoint cannot be written;
    /// - what a metric returns.
    ///
    /// The network and the optimizer are then as they were after the last finished epoch, or where
    /// the checkpoint was due (or the network has its [best](Self::restore_best) parameters).
    ///
    /// [`ErrorKind::Incompatible`]: crate::ErrorKind::Incompatible
    /// [`ErrorKind::Value`]: crate::ErrorKind::Value
    /// [`ErrorKind::Shape`]: crate::ErrorKind::Shape
    /// [`ErrorKind::Diverged`]: crate::ErrorKind::Diverged
    /// [`ErrorKind::Io`]: crate::ErrorKind::Io
    pub fn fit(&mut self, net: &mut Sequential<T>, data: &Dataset<T>) -> Result<History> {
        self.fit_in(Units::NETWORK, net, data)
    }

    /// Takes one step on the samples `x` and their targets, and returns its cost before the step.
    /// It is the step of [`fit`](Self::fit), for a loop of your own, as in reinforcement learning.
    /// See [`Trainer`] for what it does in which order. Once warm, it allocates nothing.
    ///
    /// For online learning, call it for each sample, or for each few, as they come;
    /// [`Model::step`](crate::Model::step) does so in the units of the data. A step of an 8-16-1
    /// network on one sample takes about 0.7 µs, on 32 samples 2 µs (`f32`, Adam, AVX2; `online` of
    /// `benches/steps.rs`).
    ///
    /// A step counts in the schedule, in the rule and in the randomness of dropout: a thousand
    /// steps are the same bits as `fit` with the same mini-batches. It is no part of an epoch, nor
    /// does [`accumulate`](Self::accumulate) wait for others. No
    /// stop, observer or metric sees it, no history or plateau counts it, and no checkpoint is
    /// written; [`save`](Self::save) does so at any time. The network is taken as it is: neither
    /// this call nor the next `fit` asks whether it is the one of the steps before.
    ///
    /// # Errors
    /// Nothing has changed then.
    ///
    /// - Those of [`Sequential::gradient`] for the samples;
    /// - [`ErrorKind::Value`], [`ErrorKind::Shape`] or [`ErrorKind::Empty`] for settings out of
    ///   range, and for a network with another number of parameters than in the steps before;
    /// - [`ErrorKind::Incompatible`] for a schedule that counts epochs or the run;
    /// - [`ErrorKind::Diverged`] for a cost that is NaN or infinite, in the epoch
    ///   [`epoch`](Self::epoch). Parameters are not looked at after the step: if they overflow, the
    ///   next step returns this error.
    ///
    /// [`ErrorKind::Value`]: crate::ErrorKind::Value
    /// [`ErrorKind::Shape`]: crate::ErrorKind::Shape
    /// [`ErrorKind::Empty`]: crate::ErrorKind::Empty
    /// [`ErrorKind::Incompatible`]: crate::ErrorKind::Incompatible
    /// [`ErrorKind::Diverged`]: crate::ErrorKind::Diverged
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::View;
    /// use chainrule::nn::loss::QuadraticCost;
    /// // Temporal-difference learning of values: 1 for reaching the goal, 0.9 times that one step
    /// // before.
    /// let mut values = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(1, Activation::Linear).without_bias())
    ///     .seed(1)
    ///     .build()?;
    /// let (far, near) = ([1.0, 0.0], [0.0, 1.0]);
    /// let mut trainer = Trainer::new(QuadraticCost, Sgd::new()).learning_rate(0.5);
    /// for _ in 0..60 {
    ///     let next = values.predict(&near)?[0];
    ///     trainer.step(&mut values, &far, View::from(&[0.9 * next]))?;
    ///     trainer.step(&mut values, &near, View::from(&[1.0]))?;
    /// }
    /// assert!((values.predict(&near)?[0] - 1.0).abs() < 1e-9);
    /// assert!((values.predict(&far)?[0] - 0.9).abs() < 1e-9);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("train_on_batch", "partial_fit", "online learning", "adapt"))]
    pub fn step<'x, 't>(
        &mut self,
        net: &mut Sequential<T>,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
    ) -> Result<Step> {
        let batch = Batch {
            x: x.into(),
            target: target.into(),
        };
        self.step_in(Units::NETWORK, net, batch)
    }

    /// [`step`](Self::step) on samples in other units than the network's.
    pub(super) fn step_in(
        &mut self,
        units: Units<'_, T>,
        net: &mut Sequential<T>,
        batch: Batch<'_, T>,
    ) -> Result<Step> {
        compiled_here!(T: |trainer: &mut Trainer<'_, T>,
                           units: Units<'_, T>,
                           net: &mut Sequential<T>,
                           batch: Batch<'_, T>| -> Result<Step> {
            trainer.run.check_settings(trainer.method.name())?;
            let multiplier = trainer.run.multiplier();
            let state = &mut trainer.run.state;
            let has_best = state.latest.is_some();
            let method = &mut trainer.method;
            let mut scaled = method.take_scaled();
            let step = scaled.batch(units, batch).and_then(|batch| {
                method.step(net, batch, &mut state.position, multiplier, has_best)
            });
            method.give_scaled(scaled);
            let step = step?;
            state.left = None;
            state.latest = None;
            Ok(step)
        })(self, units, net, batch)
    }

    /// The cost of what `net` predicts for `data`, by the trainer's loss without the penalty, and
    /// the trainer's [metrics](Self::metric): what [`fit`](Self::fit) computes on validation data
    /// after each epoch. Nothing is trained.
    ///
    /// # Errors
    /// Those of [`Sequential::cost`], and what a metric returns.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let xor = Dataset::from_rows(
    ///     &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0],
    ///     2,
    ///     &[0.0, 1.0, 1.0, 0.0],
    ///     1,
    /// )?;
    /// let mut net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// net.set_params(&[0.0, 0.0, -1.0])?; // always 0: right in two of four cases
    /// let loss = SigmoidCrossEntropy::new();
    /// let mut trainer = Trainer::new(loss.clone(), Adam::new())
    ///     .metric("accuracy", |y, t| metrics::accuracy(y, t));
    /// let test = trainer.evaluate(&net, &xor)?;
    /// assert_eq!(test.metric("accuracy"), Some(0.5));
    /// assert_eq!(test.cost, net.cost(xor.inputs(), &xor, &loss, &mut Tape::new())?);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn evaluate(&mut self, net: &Sequential<T>, data: &Dataset<T>) -> Result<Evaluation> {
        self.evaluate_in(Units::NETWORK, net, data)
    }
}

fit_by_run!(Trainer);

impl<T: Real> fmt::Debug for Trainer<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("loss", &self.method.descent.loss)
            .field("optimizer", &self.method.descent.optimizer)
            .field("epochs", &self.run.epochs)
            .field("batch_size", &self.method.batch)
            .field("learning_rate", &self.method.descent.rate)
            .field("seed", &self.method.seed)
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}
