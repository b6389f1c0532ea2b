//! The training loop.

use super::epoch::Epoch;
use super::fingerprint::{DataMark, checksum};
use super::history::{History, Warning};
use super::observer::{Observer, Plan, Step};
use super::reach::check_reach;
use super::state::{Finished, Position, State};
use super::stop::{Monitor, Stop, Stopped, Watch};
use crate::data::{Batch, Batches, Dataset, Scaler};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::clock::Clock;
use crate::nn::loss::{Loss, Reduction};
use crate::nn::sequential::Sequential;
use crate::nn::tape::Tape;
use crate::numeric::bounds::NOT_NEGATIVE;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View};
use crate::optim::plateau::ReduceOnPlateau;
use crate::optim::schedule::Schedule;
use crate::optim::{Clip, Constraint, Group, Optimizer, OptimizerState, Penalty, gradient_norm};
use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::fmt;
use core::ops::ControlFlow;
use nalgebra::DMatrix;

/// A measure of predictions against targets, such as [`metrics::accuracy`](crate::metrics::accuracy).
type Metric<'a, T> = Box<dyn FnMut(View<'_, T>, Targets<'_, T>) -> Result<f64> + Send + 'a>;

/// What is told of each epoch, and says whether training goes on.
type Callback<'a, T> = Box<dyn FnMut(&Epoch, &Sequential<T>) -> ControlFlow<()> + Send + 'a>;

/// Trains networks: epochs of mini-batches, each a forward pass, a backward pass and a step of the optimizer.
///
/// It owns the optimizer, the tape and where training is, so that [`fit`](Self::fit) can be called again to go on; the network
/// and the data stay the caller's. One trainer trains one network on one data set: for another one, as in a loop over folds,
/// [`reset`](Self::reset) it. It prints nothing: an [`Observer`] can, and can end the run. What happens is a function of
/// the network, the data and the settings, the seed among them.
///
/// What a step does with the gradient, in this order: the [`Penalty`]'s gradient is added, each [`Clip`] applied, the rule of
/// the optimizer takes it at the rate of the [`Schedule`], each [`Constraint`] is enforced.
///
/// **Memory.** Beside the network (P parameters) and the data (N samples), a run takes at its peak
///
/// ```text
/// (2 + 2s)·P + (2A + K + i + o + 1)·b numbers, 8·N bytes, and up to 1.5 MiB a thread
/// ```
///
/// with s vectors of the optimizer (the table in [`Optimizer`]), i inputs, o outputs, batches of b, A outputs of all layers
/// together and K of them with an activation other than linear or ReLU (dropout counts as one; a layer norm adds 2):
/// gradient, tape, the batch, and what a failed epoch goes back to. In order, the last i + o and 8·N fall away; weights of samples
/// add b, judging by validation data or metrics their outputs, keeping the best up to 2·P. A run allocates in its first epoch,
/// later only what an epoch reports.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::rand::SeedableRng;
/// use chainrule::rand::rngs::Xoshiro256PlusPlus;
///
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let xor = Dataset::from_rows(&[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], 2, &[0.0, 1.0, 1.0, 0.0], 1)?;
/// let mut net = Sequential::<f64>::builder(2)
///     .layer(Dense::new(8, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .build(&mut rng)?;
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
pub struct Trainer<'a, T: Real> {
    pub(super) loss: Box<dyn Loss<T> + 'a>,
    pub(super) optimizer: Box<dyn Optimizer<T> + 'a>,
    epochs: usize,
    pub(super) batch: usize,
    rate: Schedule,
    plateau: Option<(Monitor, ReduceOnPlateau)>,
    pub(super) seed: u64,
    pub(super) shuffle: bool,
    groups: Option<Vec<Group>>,
    penalty: Option<Penalty>,
    clips: Vec<Clip>,
    constraints: Vec<Constraint>,
    pub(super) validation: Option<&'a Dataset<T>>,
    pub(super) metrics: Vec<(String, Metric<'a, T>)>,
    pub(super) stops: Vec<Stop>,
    best: Option<Monitor>,
    pub(super) observers: Vec<Box<dyn Observer<T> + Send + 'a>>,
    callbacks: Vec<Callback<'a, T>>,
    changing_data: bool,
    #[cfg(feature = "std")]
    checkpoint: Option<(std::path::PathBuf, CheckpointEvery)>,
    #[cfg(feature = "parallel")]
    threads: usize,
    pub(super) tape: Tape<T>,
    pub(super) state: State<T>,
    /// The state of the optimizer when the trainer was made.
    fresh: OptimizerState<T>,
}

/// How often a checkpoint is written, beside the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointEvery {
    /// After so many epochs, at least 1.
    Epochs(usize),
    /// After so many steps, at least 1.
    Steps(u64),
}

/// The data of a run.
pub(super) struct Feed<'d, T: Real> {
    /// What is trained on, in the units of the network.
    pub(super) data: &'d Dataset<T>,
    /// What is never trained on, in the same units.
    pub(super) validation: Option<&'d Dataset<T>>,
    /// Where metrics are in other units: the scaler whose inverse gives predictions those units, and the targets in them.
    pub(super) units: Option<(&'d Scaler<T>, Targets<'d, T>)>,
}

/// Why the steps of an epoch halt.
enum Halt {
    /// It is over.
    End,
    /// A checkpoint is due.
    Save,
    Stopped(Stopped),
}

impl<'a, T: Real> Trainer<'a, T> {
    /// A trainer with 10 epochs of shuffled mini-batches of 32, rate 0.001 and seed 0.
    pub fn new(loss: impl Loss<T> + 'a, optimizer: impl Optimizer<T> + 'a) -> Self {
        Self {
            loss: Box::new(loss),
            fresh: optimizer.state().clone(),
            optimizer: Box::new(optimizer),
            epochs: 10,
            batch: 32,
            rate: Schedule::Constant(1e-3),
            plateau: None,
            seed: 0,
            shuffle: true,
            groups: None,
            penalty: None,
            clips: Vec::new(),
            constraints: Vec::new(),
            validation: None,
            metrics: Vec::new(),
            stops: Vec::new(),
            best: None,
            observers: Vec::new(),
            callbacks: Vec::new(),
            changing_data: false,
            #[cfg(feature = "std")]
            checkpoint: None,
            #[cfg(feature = "parallel")]
            threads: 1,
            tape: Tape::new(),
            state: State::default(),
        }
    }

    /// How many epochs a call of [`fit`](Self::fit) runs.
    #[must_use]
    pub fn epochs(self, epochs: usize) -> Self {
        Self { epochs, ..self }
    }

    /// Samples in a mini-batch, at least 1; the last of an epoch may have fewer. 1 is stochastic gradient descent in the
    /// narrow sense; a number beyond the data set is full-batch descent.
    #[must_use]
    pub fn batch_size(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    /// The learning rate η, finite and not negative, or a schedule η(t) of the step t, counted from 0 over the trainer's life.
    ///
    /// ```
    /// use chainrule::{Adam, MeanSquaredError, Trainer};
    /// use chainrule::optim::Schedule;
    /// let cosine = Schedule::Cosine { rate: 0.01, min: 0.0, steps: 1000 };
    /// let trainer = Trainer::<f64>::new(MeanSquaredError, Adam::new()).learning_rate(cosine.warm_up(100));
    /// ```
    #[must_use]
    pub fn learning_rate(self, rate: impl Into<Schedule>) -> Self {
        Self {
            rate: rate.into(),
            ..self
        }
    }

    /// Multiplies the rate by less whenever what is watched no longer becomes better.
    ///
    /// ```
    /// use chainrule::{Adam, MeanSquaredError, Monitor, Trainer};
    /// use chainrule::optim::ReduceOnPlateau;
    /// let plateau = ReduceOnPlateau { factor: 0.5, patience: 5, ..ReduceOnPlateau::new() };
    /// let trainer = Trainer::<f64>::new(MeanSquaredError, Adam::new()).reduce_on_plateau(Monitor::TrainingCost, plateau);
    /// ```
    #[must_use]
    pub fn reduce_on_plateau(mut self, monitor: Monitor, plateau: ReduceOnPlateau) -> Self {
        self.state.plateau = Some(plateau.clone());
        self.plateau = Some((monitor, plateau));
        self
    }

    /// The seed of the order of samples and of dropout.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Trains on `count` threads of the trainer's own, from 1 to 1024, as [`Tape::threads`] does; 1 without. The result has
    /// the same bits for any number.
    #[cfg(feature = "parallel")]
    #[must_use]
    pub fn threads(self, count: usize) -> Self {
        Self {
            threads: count,
            ..self
        }
    }

    /// Takes the samples in the order of the data set, without copying them.
    #[must_use]
    pub fn shuffle(self, shuffle: bool) -> Self {
        Self { shuffle, ..self }
    }

    /// Rates and decays of their own for groups of parameters, as [`Sequential::groups`] makes them; without, all
    /// parameters learn at the plain rate and none decays.
    #[must_use]
    pub fn groups(self, groups: Vec<Group>) -> Self {
        Self {
            groups: Some(groups),
            ..self
        }
    }

    /// Adds a penalty on large weights to the cost.
    #[must_use]
    pub fn penalty(self, penalty: Penalty) -> Self {
        Self {
            penalty: Some(penalty),
            ..self
        }
    }

    /// Clips the gradient before each step; after the clips that were given before.
    #[must_use]
    pub fn clip(mut self, clip: Clip) -> Self {
        self.clips.push(clip);
        self
    }

    /// Enforces a constraint on the weights after each step; after the constraints that were given before.
    #[must_use]
    pub fn constrain(mut self, constraint: Constraint) -> Self {
        self.constraints.push(constraint);
        self
    }

    /// Data on which the cost and the metrics are computed after each epoch, never trained on: in the units of the data that
    /// [`fit`](Self::fit) is given. [`Model::fit`](crate::Model::fit) scales both.
    #[must_use]
    pub fn validation_data(self, data: &'a Dataset<T>) -> Self {
        Self {
            validation: Some(data),
            ..self
        }
    }

    /// A metric to compute after each epoch, of the predictions (after the loss's
    /// [`output_function`](Loss::output_function)) and the targets, on the validation data, or without it on the training
    /// data. [`Model::fit`](crate::Model::fit) takes both in the units of the data, [`fit`](Self::fit) in the network's.
    #[must_use]
    pub fn metric(
        mut self,
        name: impl Into<String>,
        metric: impl FnMut(View<'_, T>, Targets<'_, T>) -> Result<f64> + Send + 'a,
    ) -> Self {
        self.metrics.push((name.into(), Box::new(metric)));
        self
    }

    /// A reason to end before the last epoch; whichever of several comes first.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.state.watches.push(Watch::new(&stop));
        self.stops.push(stop);
        self
    }

    /// However [`fit`](Self::fit) ends, also by an error, the network gets the parameters of the epoch that was the best in what is
    /// watched. When it is called again with that network, training goes on from the latest parameters, not from the best.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let x = DMatrix::from_fn(1, 40, |_, j| j as f64 / 20.0 - 1.0);
    /// let (data, judge) = Dataset::new(x.clone(), x.map(|x| (5.0 * x).sin()))?.split(0.3, 1)?;
    /// let mut net = Sequential::builder(1)
    ///     .layer(Dense::new(20, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
    ///     .validation_data(&judge)
    ///     .learning_rate(0.03)
    ///     .epochs(500)
    ///     .stop(Stop::early_stopping(Monitor::ValidationCost, 20))
    ///     .restore_best(Monitor::ValidationCost);
    /// let history = trainer.fit(&mut net, &data)?;
    /// let best = history.best(&Monitor::ValidationCost).and_then(|epoch| epoch.validation_cost);
    /// assert_eq!(best, Some(net.cost(judge.inputs(), judge.targets(), &MeanSquaredError, &mut Tape::new())?));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    pub fn restore_best(self, monitor: Monitor) -> Self {
        Self {
            best: Some(monitor),
            ..self
        }
    }

    /// Tells `observer` what happens; after those that were given before.
    #[must_use]
    pub fn observe(mut self, observer: impl Observer<T> + Send + 'a) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Calls back after each epoch with its figures and the network; `Break` ends the run. What the callback
    /// borrows must be declared before the trainer.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// use core::ops::ControlFlow;
    /// # let data = Dataset::from_rows(&[0.0, 1.0], 1, &[0.0, 1.0], 1)?;
    /// # let mut net = Sequential::<f64>::builder(1)
    /// #     .layer(Dense::new(1, Activation::Linear))
    /// #     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let mut slopes = Vec::new();
    /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new()).on_epoch(|epoch, net| {
    ///     slopes.push(net.params()[0]);
    ///     if epoch.cost < 1e-6 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    /// });
    /// trainer.fit(&mut net, &data)?;
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn on_epoch(
        mut self,
        callback: impl FnMut(&Epoch, &Sequential<T>) -> ControlFlow<()> + Send + 'a,
    ) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Lets each call of [`fit`](Self::fit) bring other data, as a stream or reinforcement learning does. By
    /// default, data other than those of the call before are refused.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let mut net = Sequential::<f64>::builder(1)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new()).epochs(1).changing_data();
    /// for day in 0..5 {
    ///     let x = DMatrix::from_fn(1, 8, |_, hour| f64::from(8 * day + hour as i32));
    ///     trainer.fit(&mut net, &Dataset::new(x.clone(), x)?)?;
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn changing_data(self) -> Self {
        Self {
            changing_data: true,
            ..self
        }
    }

    /// Writes a checkpoint to `path`, as [`save`](Self::save) does, every so often and at the end of a run.
    ///
    /// ```no_run
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// use chainrule::train::CheckpointEvery;
    /// # let data = Dataset::from_rows(&[0.0, 1.0], 1, &[0.0, 1.0], 1)?;
    /// # let mut net = Sequential::<f64>::builder(1)
    /// #     .layer(Dense::new(1, Activation::Linear))
    /// #     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// // A program that can be killed at any time and started again: it goes on where it was.
    /// let path = std::path::Path::new("run.checkpoint");
    /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new()).epochs(1000).checkpoint(path, CheckpointEvery::Epochs(10));
    /// if path.exists() {
    ///     trainer.resume(&mut net, path)?;
    /// }
    /// let history = trainer.fit(&mut net, &data)?; // of all 1000 epochs
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[cfg(feature = "std")]
    #[must_use]
    pub fn checkpoint(self, path: impl Into<std::path::PathBuf>, every: CheckpointEvery) -> Self {
        Self {
            checkpoint: Some((path.into(), every)),
            ..self
        }
    }

    /// The number of epochs finished so far, over all calls of [`fit`](Self::fit).
    pub fn epoch(&self) -> usize {
        self.state.position.epoch
    }

    /// Begins anew with the same settings: forgets moments, step, epochs, history, the best parameters, and what
    /// stops and plateau have seen. The next [`fit`](Self::fit) takes any network and any data, as that of a
    /// new trainer does. Observers, metrics and callbacks keep what they remember.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let x = DMatrix::from_fn(1, 30, |_, j| j as f64 / 30.0);
    /// let data = Dataset::new(x.clone(), x.map(|x| 2.0 * x))?;
    /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new()).learning_rate(0.05).epochs(100);
    /// for (train, test) in data.k_fold(5, 1)? {
    ///     let mut net = Sequential::builder(1)
    ///         .layer(Dense::new(1, Activation::Linear))
    ///         .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    ///     trainer.reset()?;
    ///     trainer.fit(&mut net, &train)?;
    ///     assert!(metrics::r2(&net.predict(test.inputs())?, &test)? > 0.9);
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Optimizer::restore`], for the state that the optimizer had when the trainer was made; the
    /// optimizers of this crate have none.
    pub fn reset(&mut self) -> Result<()> {
        self.optimizer.restore(&self.fresh)?;
        self.state = State::new(
            &self.stops,
            self.plateau.as_ref().map(|(_, plateau)| plateau.clone()),
        );
        Ok(())
    }

    /// Goes on with `net` as it now is: lets the next [`fit`](Self::fit) train it after you have changed its
    /// parameters, by pruning or averaging. Moments, step, stops and the best so far stay.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// # let data = Dataset::from_rows(&[0.0, 1.0], 1, &[0.0, 1.0], 1)?;
    /// # let mut net = Sequential::<f64>::builder(1)
    /// #     .layer(Dense::new(1, Activation::Linear))
    /// #     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new());
    /// trainer.fit(&mut net, &data)?;
    /// net.params_mut().iter_mut().for_each(|w| *w *= 0.99);
    /// assert!(trainer.fit(&mut net, &data).is_err());
    /// trainer.continue_with(&net);
    /// trainer.fit(&mut net, &data)?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn continue_with(&mut self, net: &Sequential<T>) {
        self.state.adopt(net);
    }

    /// The optimizer.
    pub fn optimizer(&self) -> &dyn Optimizer<T> {
        &*self.optimizer
    }

    /// Trains `net` on `data` and returns what happened. Called again, it goes on: n epochs are the same bits as n times
    /// one epoch.
    ///
    /// Moments, schedule and stops belong to one network and one data set. A later call therefore takes the
    /// network only as the call before left it, or with its best parameters, and only the same data, compared
    /// by their sizes and their first and last samples. To do otherwise on purpose:
    ///
    /// - [`reset`](Self::reset) begins anew, with any network and any data;
    /// - [`continue_with`](Self::continue_with) goes on with a network that you have changed;
    /// - [`changing_data`](Self::changing_data) allows other data at the beginning of an epoch.
    ///
    /// # Errors
    /// Before anything is changed:
    ///
    /// - those of [`Sequential::gradient`] for the data and the validation data;
    /// - [`ErrorKind::Incompatible`] for another network or other data, and where the last layer reaches no
    ///   target of a loss that [measures distance](Loss::measures_distance);
    /// - [`ErrorKind::Value`], [`ErrorKind::Shape`] or [`ErrorKind::Incompatible`] for settings out of range.
    ///
    /// In training:
    ///
    /// - [`ErrorKind::Diverged`] when the cost of a mini-batch is NaN or infinite, or when after an epoch a
    ///   parameter or a number in the optimizer's state is;
    /// - [`ErrorKind::Io`] when a checkpoint cannot be written;
    /// - what a metric returns.
    ///
    /// The network and the optimizer are then as they were after the last finished epoch, or where the
    /// checkpoint was due (or the network has its [best](Self::restore_best) parameters).
    pub fn fit(&mut self, net: &mut Sequential<T>, data: &Dataset<T>) -> Result<History> {
        self.fit_on(
            net,
            &Feed {
                data,
                validation: self.validation,
                units: None,
            },
        )
    }

    /// [`fit`](Self::fit) on the data of `feed` instead of the trainer's own.
    pub(super) fn fit_on(
        &mut self,
        net: &mut Sequential<T>,
        feed: &Feed<'_, T>,
    ) -> Result<History> {
        let data = feed.data;
        let (groups, warnings) = self.check(net, feed)?;
        let mut batches = if self.shuffle {
            Batches::shuffled(self.batch, self.seed)?
        } else {
            Batches::in_order(self.batch)?
        };
        #[cfg(feature = "parallel")]
        self.tape
            .set_threads(self.threads)
            .map_err(|error| error.within("Trainer"))?;
        let mark = DataMark::new(data);
        if self.state.data.is_some_and(|known| known != mark) {
            // A call that had ended before it was saved: other data begin another.
            self.state.resumed = false;
        }
        let goes_on = self.state.begin();
        self.state.history.warnings = warnings;
        if !goes_on {
            return Ok(self.state.history.clone());
        }
        self.state.data = Some(mark);
        self.state.take_latest(net);
        self.tape.seek(self.seed, self.state.position.step);
        let plan = Plan {
            first: self.state.position.epoch,
            end: self.state.start.saturating_add(self.epochs),
            batches: data.len().div_ceil(self.batch),
        };
        self.observers
            .iter_mut()
            .for_each(|observer| observer.on_start(&plan, net));
        let result = self.run(net, feed, &mut batches, &groups, plan.end);
        if self.best.is_some() {
            self.state.put_best(net);
        }
        self.state.left = checksum(net.params());
        result?;
        self.write_checkpoint(net)?;
        Ok(self.state.history.clone())
    }

    /// All that can be wrong before the first step; returns the groups, and what should be known.
    fn check(&self, net: &Sequential<T>, feed: &Feed<'_, T>) -> Result<(Vec<Group>, Vec<Warning>)> {
        net.check_pass(feed.data.inputs().into(), feed.data.into(), &*self.loss)
            .map_err(|error| error.within("training data"))?;
        if let Some(validation) = feed.validation {
            let check = net.check_pass(validation.inputs().into(), validation.into(), &*self.loss);
            check.map_err(|error| error.within("validation data"))?;
        }
        self.check_same(net, feed.data)?;
        let units = if feed.units.is_some() {
            "training data, scaled"
        } else {
            "training data"
        };
        let warning =
            check_reach(net, feed.data, &*self.loss).map_err(|error| error.within(units))?;
        net.check_trainable()?;
        self.optimizer.check()?;
        let rate = self.rate.rate(self.state.position.step);
        NOT_NEGATIVE
            .named("a finite rate ≥ 0")
            .check("rate of Trainer", rate)?;
        self.rate.check()?;
        self.state
            .plateau
            .as_ref()
            .map_or(Ok(()), ReduceOnPlateau::check)?;
        self.penalty.as_ref().map_or(Ok(()), Penalty::check)?;
        self.clips.iter().try_for_each(Clip::check)?;
        self.constraints.iter().try_for_each(Constraint::check)?;
        self.stops.iter().try_for_each(Stop::check)?;
        let watched = self
            .stops
            .iter()
            .filter_map(Stop::monitor)
            .chain(&self.best)
            .chain(self.plateau.as_ref().map(|(monitor, _)| monitor));
        for monitor in watched {
            monitor.check(
                feed.validation.is_some(),
                self.metrics.iter().map(|(name, _)| &**name),
            )?;
        }
        #[cfg(feature = "std")]
        if let Some((_, CheckpointEvery::Epochs(0) | CheckpointEvery::Steps(0))) = self.checkpoint {
            return Err(Error::new(
                ErrorKind::Value,
                "checkpoint of Trainer",
                "at least every epoch or step",
                0,
            ));
        }
        let groups = self.groups.clone().unwrap_or_else(|| net.default_groups());
        Group::check(&groups, net.params().len())?;
        Group::check_rates::<T>(&groups, rate)?;
        let best = self.state.best.as_ref().map_or(0, |best| best.params.len());
        let known = best.max(self.optimizer.state().slots.first().map_or(0, Vec::len));
        if known != 0 && known != net.params().len() {
            let expected = format!(
                "a network of {known} parameters, as in the steps before (Trainer::reset begins anew)"
            );
            return Err(Error::new(
                ErrorKind::Shape,
                "network of Trainer",
                expected,
                net.params().len(),
            ));
        }
        Ok((groups, warning.into_iter().collect()))
    }

    /// Once a step has been taken, network and data must be those of before.
    fn check_same(&self, net: &Sequential<T>, data: &Dataset<T>) -> Result<()> {
        let state = &self.state;
        if state.position.step == 0 {
            return Ok(());
        }
        if !state.knows(net) {
            let expected = "the parameters that the call before left (Trainer::reset begins anew, \
                            Trainer::continue_with goes on with a network that was changed on purpose)";
            return Err(Error::new(
                ErrorKind::Incompatible,
                "network of Trainer",
                expected,
                "others",
            ));
        }
        let now = DataMark::new(data);
        let interrupted = state.is_interrupted(self.epochs);
        let begun = state.position.batch > 0 || interrupted;
        match state.data {
            Some(known) if known != now && (begun || !self.changing_data) => {
                let ways = if !begun {
                    "Trainer::reset begins anew, Trainer::changing_data takes other data in each call"
                } else if interrupted {
                    "this call continues one that was interrupted; Trainer::reset begins anew"
                } else {
                    "this call finishes an epoch that was interrupted; Trainer::reset begins anew"
                };
                let expected = format!("the {known} of the call before ({ways})");
                Err(Error::new(
                    ErrorKind::Incompatible,
                    "training data",
                    expected,
                    now.differs_from(&known),
                ))
            }
            _ => Ok(()),
        }
    }

    fn every(&self) -> Option<CheckpointEvery> {
        #[cfg(feature = "std")]
        return self.checkpoint.as_ref().map(|(_, every)| *every);
        #[cfg(not(feature = "std"))]
        None
    }

    /// Writes a checkpoint where one is asked for.
    fn write_checkpoint(&self, net: &Sequential<T>) -> Result<()> {
        #[cfg(feature = "std")]
        if let Some((path, _)) = &self.checkpoint {
            self.save(net, path)?;
        }
        let _ = net;
        Ok(())
    }

    /// The epochs up to `end`.
    fn run(
        &mut self,
        net: &mut Sequential<T>,
        feed: &Feed<'_, T>,
        batches: &mut Batches<T>,
        groups: &[Group],
        end: usize,
    ) -> Result<()> {
        let mut finished = Finished::new(net, self.optimizer.state(), self.state.position);
        while self.state.position.epoch < end {
            let clock = Clock::start();
            let halt = self.steps(net, feed.data, batches, groups, &clock);
            let measured = halt.and_then(|halt| match halt {
                Halt::End => Ok((Halt::End, Some(self.measure(net, feed, &clock)?))),
                halt => Ok((halt, None)),
            });
            let (halt, epoch) = match measured {
                Ok(measured) => measured,
                Err(error) => {
                    self.state.position = finished.restore(net, &mut *self.optimizer)?;
                    self.tape.seek(self.seed, self.state.position.step);
                    return Err(error);
                }
            };
            let (mut stopped, mut due) = match halt {
                Halt::End => (None, false),
                Halt::Save => (None, true),
                Halt::Stopped(why) => (Some(why), false),
            };
            match epoch {
                Some(epoch) => {
                    stopped = self.close(net, epoch, &mut finished);
                    due = matches!(self.every(), Some(CheckpointEvery::Epochs(n)) if self.state.position.epoch.is_multiple_of(n));
                }
                None => self.state.position.seconds += clock.seconds().unwrap_or(0.0),
            }
            self.state.history.stopped = stopped;
            if self.state.history.stopped.is_some() {
                return Ok(());
            }
            if due {
                self.write_checkpoint(net)?;
            }
        }
        Ok(())
    }

    /// The steps of an epoch, from where it stands.
    fn steps(
        &mut self,
        net: &mut Sequential<T>,
        data: &Dataset<T>,
        batches: &mut Batches<T>,
        groups: &[Group],
        clock: &Clock,
    ) -> Result<Halt> {
        let due = if let Some(CheckpointEvery::Steps(n)) = self.every() {
            Some(n)
        } else {
            None
        };
        let Self {
            loss,
            optimizer,
            rate,
            penalty,
            clips,
            constraints,
            stops,
            observers,
            tape,
            state,
            ..
        } = self;
        let (loss, budget) = (
            &**loss,
            stops
                .iter()
                .filter_map(Stop::time)
                .min()
                .map(|time| time.as_secs_f64() - state.seconds()),
        );
        let State {
            position, plateau, ..
        } = state;
        let multiplier = plateau.as_ref().map_or(1.0, |plateau| plateau.multiplier);
        tape.on_threads(&net.layout().clone(), self.batch.min(data.len()), |tape| {
            let mut batches = batches.epoch(data, position.epoch as u64);
            batches.skip(position.batch);
            while let Some(Batch { x, target }) = batches.next_batch() {
                let rate = rate.rate(tape.step()) * multiplier;
                let mut cost = net.gradient_unchecked(x, target, loss, tape).as_f64();
                position.cost += match loss.reduction() {
                    Reduction::Mean => cost * x.cols() as f64,
                    Reduction::Sum => cost,
                };
                if let Some(penalty) = penalty {
                    let more = penalty.cost(net).as_f64();
                    penalty.add_gradient(net, tape.grads_mut())?;
                    position.penalty += more * x.cols() as f64;
                    cost += more;
                }
                if !cost.is_finite() {
                    let (epoch, batch) = (position.epoch, position.batch);
                    let kind = ErrorKind::Diverged { epoch, batch };
                    return Err(Error::new(
                        kind,
                        format!("epoch {epoch}, batch {batch}"),
                        "a finite cost (a smaller rate may help)",
                        cost,
                    ));
                }
                position.samples += x.cols();
                if position.samples == data.len() {
                    position.gradient_norm = gradient_norm(net, tape.grads()).as_f64();
                }
                for clip in &*clips {
                    clip.apply(net, tape.grads_mut())?;
                }
                optimizer.step_on(tape.workers(), rate, net.params_mut(), tape.grads(), groups)?;
                for constraint in &*constraints {
                    constraint.apply(net)?;
                }
                let step = Step {
                    epoch: position.epoch,
                    batch: position.batch,
                    step: position.step,
                    cost,
                    learning_rate: rate,
                };
                position.batch += 1;
                position.step = tape.step();
                position.rate = rate;
                // Each is told, whatever the others say.
                if observers.iter_mut().fold(false, |stop, observer| {
                    observer.on_batch(&step, net).is_break() | stop
                }) {
                    return Ok(Halt::Stopped(Stopped::ByObserver));
                }
                if let Some(budget) = budget
                    && clock.seconds().is_some_and(|seconds| seconds >= budget)
                    && let Some(stop) = stops.iter().find(|stop| stop.time().is_some())
                {
                    return Ok(Halt::Stopped(Stopped::By(stop.clone())));
                }
                if due.is_some_and(|steps| position.step.is_multiple_of(steps)) {
                    return Ok(Halt::Save);
                }
            }
            if let Some(index) = net.params().iter().position(|p| !p.is_finite()) {
                let (epoch, batch) = (position.epoch, position.batch.saturating_sub(1));
                let kind = ErrorKind::Diverged { epoch, batch };
                let place = format!("epoch {epoch}, after the last batch, parameter {index}");
                return Err(Error::new(
                    kind,
                    place,
                    "a finite number (a smaller rate may help)",
                    net.params()[index],
                ));
            }
            check_moments(optimizer.state(), position)?;
            Ok(Halt::End)
        })
    }

    /// What is known at the end of an epoch: the validation cost and the metrics, too.
    fn measure(&mut self, net: &Sequential<T>, feed: &Feed<'_, T>, clock: &Clock) -> Result<Epoch> {
        let Position {
            epoch,
            samples,
            cost,
            penalty,
            rate,
            gradient_norm,
            seconds,
            ..
        } = self.state.position;
        let samples = samples as f64;
        let cost = match self.loss.reduction() {
            Reduction::Mean => cost / samples,
            Reduction::Sum => cost,
        } + penalty / samples;
        let mut epoch = Epoch {
            epoch,
            cost,
            validation_cost: None,
            metrics: Vec::new(),
            learning_rate: rate,
            gradient_norm,
            seconds: None,
        };
        if feed.validation.is_some() || !self.metrics.is_empty() {
            let judged = feed.validation.unwrap_or(feed.data);
            let mut y = DMatrix::zeros(net.outputs(), judged.len());
            net.predict_into(judged.inputs(), &mut y, &mut self.tape)?;
            if feed.validation.is_some() {
                epoch.validation_cost = Some(self.loss.value((&y).into(), judged.into())?.as_f64());
            }
            self.loss.output_function().apply(&mut y);
            let mut target = Targets::from(judged);
            if let Some((scaler, targets)) = feed.units {
                scaler.inverse_mut((&mut y).into())?;
                target = targets;
            }
            for (name, metric) in &mut self.metrics {
                epoch
                    .metrics
                    .push((name.clone(), metric((&y).into(), target)?));
            }
        }
        epoch.seconds = clock.seconds().map(|more| seconds + more);
        Ok(epoch)
    }

    /// Notes a finished epoch; says whether the run ends with it.
    fn close(
        &mut self,
        net: &Sequential<T>,
        epoch: Epoch,
        finished: &mut Finished<T>,
    ) -> Option<Stopped> {
        let Self {
            state,
            stops,
            optimizer,
            observers,
            callbacks,
            ..
        } = self;
        let moved = || finished.distance(net);
        let mut stopped = None;
        for (stop, watch) in stops.iter().zip(&mut state.watches) {
            if watch.sees(stop, &epoch, state.last_cost, moved) && stopped.is_none() {
                stopped = Some(Stopped::By(stop.clone()));
            }
        }
        if let (Some((monitor, _)), Some(plateau)) = (&self.plateau, &mut state.plateau) {
            plateau.observe(monitor.to_lower(monitor.value(&epoch).unwrap_or(f64::NAN)));
        }
        if let Some(monitor) = &self.best {
            state.note_best(monitor, &epoch, net);
        }
        state.last_cost = Some(epoch.cost);
        state.position = Position {
            epoch: epoch.epoch + 1,
            step: state.position.step,
            ..Position::default()
        };
        finished.update(net, optimizer.state(), state.position);
        let mut stop = observers.iter_mut().fold(false, |stop, observer| {
            observer.on_epoch(&epoch, net).is_break() | stop
        });
        stop = callbacks.iter_mut().fold(stop, |stop, callback| {
            callback(&epoch, net).is_break() | stop
        });
        state.spent += epoch.seconds.unwrap_or(0.0);
        state.history.epochs.push(epoch);
        stopped.or(stop.then_some(Stopped::ByObserver))
    }
}

/// An optimizer's state must be finite: once a square has overflowed, every later step is 0.
fn check_moments<T: Real>(state: &OptimizerState<T>, position: &Position) -> Result<()> {
    let broken = |slot: &Vec<T>| slot.iter().find(|number| !number.is_finite()).copied();
    let Some(number) = state.slots.iter().find_map(broken) else {
        return Ok(());
    };
    let Position {
        epoch,
        batch,
        gradient_norm,
        ..
    } = *position;
    let kind = ErrorKind::Diverged {
        epoch,
        batch: batch.saturating_sub(1),
    };
    let place = format!(
        "epoch {epoch}, after the last batch, state of {}",
        state.rule
    );
    let expected =
        "finite numbers (clip the gradient by Clip::GlobalNorm, scale the data, or use f64)";
    let given = format!("{number}; the last gradient has the norm {gradient_norm:.3e}");
    Err(Error::new(kind, place, expected, given))
}

impl<T: Real> fmt::Debug for Trainer<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("loss", &self.loss)
            .field("optimizer", &self.optimizer)
            .field("epochs", &self.epochs)
            .field("batch", &self.batch)
            .field("rate", &self.rate)
            .field("seed", &self.seed)
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}
