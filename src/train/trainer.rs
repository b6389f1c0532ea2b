//! The training loop.

use super::history::{Epoch, History};
use crate::data::{Batch, Batches, Dataset};
use crate::error::{Error, ErrorKind, Result};
use crate::loss::{Loss, Reduction};
use crate::optim::{Group, Optimizer, OptimizerState};
use crate::real::Real;
use crate::sequential::Sequential;
use crate::tape::Tape;
use crate::view::{Targets, View};
use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::fmt;
use core::ops::ControlFlow;
use nalgebra::DMatrix;

/// A measure of predictions against targets, such as [`metrics::accuracy`](crate::metrics::accuracy).
type Metric<'a, T> = Box<dyn FnMut(View<'_, T>, Targets<'_, T>) -> Result<f64> + 'a>;

/// What is told of each epoch, and says whether training goes on.
type Callback<'a> = Box<dyn FnMut(&Epoch) -> ControlFlow<()> + 'a>;

/// Trains networks: epochs of mini-batches, each a forward pass, a backward pass and a step of the optimiser.
///
/// It owns the optimiser, the tape and the count of epochs, so that [`fit`](Self::fit) can be called again to go on;
/// the network and the data stay the caller's. It prints nothing: a callback after each epoch can, and can end the run.
/// What happens is a function of the network, the data and the settings, the seed among them.
///
/// **Memory.** Beside the network (P parameters) and the data (N samples), a run takes at its peak
///
/// ```text
/// (2 + 2s)·P + (2A + K + i + o + 1)·b numbers, 8·N bytes, and up to 1.5 MiB a thread
/// ```
///
/// with s vectors of the optimiser ([`Sgd`](crate::Sgd) 0, with momentum 1, [`Adam`](crate::Adam) 2), i inputs, o outputs, batches of
/// b, A outputs of all layers together and K of them with an activation other than linear or ReLU (dropout counts as one):
/// gradient, tape, the batch, and what a failed epoch goes back to. In order, the last i + o and 8·N fall away; judging by
/// validation data or metrics adds their outputs. A run allocates in its first epoch, later only what an epoch reports.
///
/// ```
/// use chainrule::prelude::*;
///
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let xor = Dataset::from_rows(&[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], 2, &[0.0, 1.0, 1.0, 0.0], 1)?;
/// let mut net = Sequential::<f64>::builder(2)
///     .layer(Dense::new(8, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .build(&mut rng)?;
/// let history = Trainer::new(SigmoidCrossEntropy::new(), Adam::new())
///     .epochs(500)
///     .batch(4)
///     .rate(0.05)
///     .metric("accuracy", metrics::accuracy)
///     .on_epoch(|epoch| if epoch.cost < 1e-2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
///     .fit(&mut net, &xor)?;
/// assert_eq!(history.last().and_then(|epoch| epoch.metric("accuracy")), Some(1.0));
/// # Ok::<(), chainrule::Error>(())
/// ```
pub struct Trainer<'a, T: Real> {
    loss: Box<dyn Loss<T> + 'a>,
    optimizer: Box<dyn Optimizer<T> + 'a>,
    epochs: usize,
    batch: usize,
    rate: f64,
    seed: u64,
    shuffle: bool,
    groups: Option<Vec<Group>>,
    validation: Option<&'a Dataset<T>>,
    metrics: Vec<(String, Metric<'a, T>)>,
    callback: Callback<'a>,
    /// Epochs finished so far.
    epoch: usize,
    #[cfg(feature = "parallel")]
    threads: usize,
    tape: Tape<T>,
}

impl<'a, T: Real> Trainer<'a, T> {
    /// A trainer with 10 epochs of shuffled mini-batches of 32, rate 0.001 and seed 0.
    pub fn new(loss: impl Loss<T> + 'a, optimizer: impl Optimizer<T> + 'a) -> Self {
        Self {
            loss: Box::new(loss),
            optimizer: Box::new(optimizer),
            epochs: 10,
            batch: 32,
            rate: 1e-3,
            seed: 0,
            shuffle: true,
            groups: None,
            validation: None,
            metrics: Vec::new(),
            callback: Box::new(|_| ControlFlow::Continue(())),
            epoch: 0,
            #[cfg(feature = "parallel")]
            threads: 1,
            tape: Tape::new(),
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
    pub fn batch(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    /// The learning rate η, finite and not negative.
    #[must_use]
    pub fn rate(self, rate: f64) -> Self {
        Self { rate, ..self }
    }

    /// The seed of the order of samples and of dropout.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Trains on `count` threads of the trainer's own, as [`Tape::threads`] does; 1 without. The result has the same bits for
    /// any number.
    #[cfg(feature = "parallel")]
    #[must_use]
    pub fn threads(self, count: usize) -> Self {
        Self { threads: count, ..self }
    }

    /// Takes the samples in the order of the data set, without copying them.
    #[must_use]
    pub fn in_order(self) -> Self {
        Self { shuffle: false, ..self }
    }

    /// Rates and decays of their own for groups of parameters, as [`Sequential::groups`] makes them; without, all
    /// parameters learn at the plain rate and none decays.
    #[must_use]
    pub fn groups(self, groups: Vec<Group>) -> Self {
        Self { groups: Some(groups), ..self }
    }

    /// Data on which the cost and the metrics are computed after each epoch, never trained on.
    #[must_use]
    pub fn validation(self, data: &'a Dataset<T>) -> Self {
        Self { validation: Some(data), ..self }
    }

    /// A metric to compute after each epoch, of the predictions (after the loss's [`link`](Loss::link)) and the targets
    /// with their weights, on the validation data, or without it on the training data.
    #[must_use]
    pub fn metric(mut self, name: impl Into<String>, metric: impl FnMut(View<'_, T>, Targets<'_, T>) -> Result<f64> + 'a) -> Self {
        self.metrics.push((name.into(), Box::new(metric)));
        self
    }

    /// Calls back after each epoch; `Break` ends the run. What the callback borrows must be declared before the trainer.
    #[must_use]
    pub fn on_epoch(self, callback: impl FnMut(&Epoch) -> ControlFlow<()> + 'a) -> Self {
        Self { callback: Box::new(callback), ..self }
    }

    /// The number of epochs finished so far, over all calls of [`fit`](Self::fit).
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// The optimiser.
    pub fn optimizer(&self) -> &dyn Optimizer<T> {
        &*self.optimizer
    }

    /// Trains `net` on `data` and returns what happened. Called again, it goes on: n epochs are the same bits as n times
    /// one epoch.
    ///
    /// # Errors
    /// Before anything is changed: as [`Sequential::gradient`] for the data and the validation data, and
    /// [`ErrorKind::Value`] or [`ErrorKind::Shape`] for settings out of range. In training:
    /// [`ErrorKind::Diverged`] when the cost of a mini-batch is NaN or infinite, and what a metric returns; the network
    /// and the optimiser are then as they were after the last epoch that was finished.
    pub fn fit(&mut self, net: &mut Sequential<T>, data: &Dataset<T>) -> Result<History> {
        let groups = self.check(net, data)?;
        let mut batches = if self.shuffle { Batches::shuffled(self.batch, self.seed)? } else { Batches::in_order(self.batch)? };
        #[cfg(feature = "parallel")]
        self.tape.set_threads(self.threads).map_err(|error| error.within("Trainer"))?;
        let mut history = History::default();
        let mut finished = Finished { params: net.params().to_vec(), optimizer: self.optimizer.state().clone(), step: self.tape.step() };
        self.tape.seek(self.seed, finished.step);
        for _ in 0..self.epochs {
            let epoch = self.run_epoch(net, data, &mut batches, &groups).and_then(|cost| self.measure(net, data, cost));
            let epoch = match epoch {
                Ok(epoch) => epoch,
                Err(error) => {
                    finished.restore(net, &mut *self.optimizer, &mut self.tape, self.seed)?;
                    return Err(error);
                }
            };
            finished.params.copy_from_slice(net.params());
            finished.optimizer.clone_from(self.optimizer.state());
            finished.step = self.tape.step();
            self.epoch += 1;
            let verdict = (self.callback)(&epoch);
            history.epochs.push(epoch);
            if verdict.is_break() {
                history.stopped = true;
                break;
            }
        }
        Ok(history)
    }

    /// All that can be wrong before the first step; returns the groups.
    fn check(&self, net: &Sequential<T>, data: &Dataset<T>) -> Result<Vec<Group>> {
        let here = net.at(net.params())?;
        here.check_pass(data.inputs().into(), data.targets().into(), &*self.loss).map_err(|error| error.within("training data"))?;
        if let Some(validation) = self.validation {
            let check = here.check_pass(validation.inputs().into(), validation.targets().into(), &*self.loss);
            check.map_err(|error| error.within("validation data"))?;
        }
        here.check_trainable()?;
        if !(self.rate.is_finite() && self.rate >= 0.0) {
            return Err(Error::new(ErrorKind::Value, "rate of Trainer", "a finite rate ≥ 0", self.rate));
        }
        self.optimizer.check()?;
        let groups = self.groups.clone().unwrap_or_else(|| Group::all(net.params().len()));
        Group::check(&groups, net.params().len())?;
        Group::check_rates::<T>(&groups, self.rate)?;
        let known = self.optimizer.state().slots.first().map_or(0, Vec::len);
        if known != 0 && known != net.params().len() {
            let expected = format!("a network of {known} parameters, as in the steps before");
            return Err(Error::new(ErrorKind::Shape, "network of Trainer", expected, net.params().len()));
        }
        Ok(groups)
    }

    /// One pass over the data; returns its cost.
    fn run_epoch(&mut self, net: &mut Sequential<T>, data: &Dataset<T>, batches: &mut Batches<T>, groups: &[Group]) -> Result<f64> {
        let Self { loss, optimizer, rate, epoch, tape, .. } = self;
        let (loss, epoch) = (&**loss, *epoch);
        let sum = tape.on_threads(&net.layout().clone(), self.batch.min(data.len()), |tape| {
            let (mut sum, mut batch) = (0.0, 0);
            let mut batches = batches.epoch(data, epoch as u64);
            while let Some(Batch { x, target }) = batches.next_batch() {
                let cost = net.at(net.params())?.gradient_unchecked(x, target.values(), loss, tape).as_f64();
                if !cost.is_finite() {
                    let place = format!("epoch {epoch}, batch {batch}");
                    let kind = ErrorKind::Diverged { epoch, batch };
                    return Err(Error::new(kind, place, "a finite cost (a smaller rate may help)", cost));
                }
                optimizer.step_on(&tape.scratch.workers, *rate, net.params_mut(), tape.grads(), groups)?;
                sum += match loss.reduction() {
                    Reduction::Mean => cost * x.cols() as f64,
                    Reduction::Sum => cost,
                };
                batch += 1;
            }
            if let Some(index) = net.params().iter().position(|p| !p.is_finite()) {
                let place = format!("epoch {epoch}, after the last batch, parameter {index}");
                let kind = ErrorKind::Diverged { epoch, batch: batch - 1 };
                return Err(Error::new(kind, place, "a finite number (a smaller rate may help)", net.params()[index]));
            }
            Ok(sum)
        })?;
        Ok(match loss.reduction() {
            Reduction::Mean => sum / data.len() as f64,
            Reduction::Sum => sum,
        })
    }

    /// The validation cost and the metrics after an epoch.
    fn measure(&mut self, net: &Sequential<T>, data: &Dataset<T>, cost: f64) -> Result<Epoch> {
        let mut epoch = Epoch { epoch: self.epoch, cost, validation: None, metrics: Vec::new() };
        if self.validation.is_none() && self.metrics.is_empty() {
            return Ok(epoch);
        }
        let judged = self.validation.unwrap_or(data);
        let mut y = DMatrix::zeros(net.outputs(), judged.len());
        net.predict_into(judged.inputs(), &mut y, &mut self.tape)?;
        if self.validation.is_some() {
            epoch.validation = Some(self.loss.value((&y).into(), judged.targets().into())?.as_f64());
        }
        self.loss.link((&mut y).into());
        for (name, metric) in &mut self.metrics {
            epoch.metrics.push((name.clone(), metric((&y).into(), judged.into())?));
        }
        Ok(epoch)
    }
}

/// What to go back to when an epoch fails.
struct Finished<T> {
    params: Vec<T>,
    optimizer: OptimizerState<T>,
    step: u64,
}

impl<T: Real> Finished<T> {
    fn restore(&self, net: &mut Sequential<T>, optimizer: &mut dyn Optimizer<T>, tape: &mut Tape<T>, seed: u64) -> Result<()> {
        net.set_params(&self.params)?;
        optimizer.restore(&self.optimizer)?;
        tape.seek(seed, self.step);
        Ok(())
    }
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
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}
