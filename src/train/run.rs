//! A run: epoch after epoch, whatever the method, until something ends it.

use super::epoch::Epoch;
use super::evaluate::{Evaluation, Judged};
use super::fingerprint::{DataMark, checksum};
use super::history::{History, Warning};
use super::observer::{Plan, Step};
use super::reach::check_reach;
use super::state::{Finished, Position, State};
use super::stop::{Stop, Stopped, Watch};
use super::watch::Watcher;
use crate::data::{Batch, Dataset, Scaled, Scaler};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::clock::Clock;
use crate::nn::loss::{Loss, OutputFunction};
use crate::nn::sequential::Sequential;
use crate::nn::tape::Tape;
use crate::numeric::bounds::some;
use crate::numeric::real::Real;
use crate::optim::OptimizerState;
use crate::optim::plateau::ReduceOnPlateau;
use alloc::{format, vec::Vec};

/// What can train a [`Model`](crate::Model): a [`Trainer`](crate::Trainer), an
/// [`Lbfgs`](crate::train::Lbfgs), a
/// [`ScaledConjugateGradient`](crate::train::ScaledConjugateGradient) or a
/// [`LevenbergMarquardt`](crate::train::LevenbergMarquardt). It cannot be implemented outside this
/// crate.
pub trait Fit<T: Real> {
    /// What makes predictions of raw outputs.
    #[doc(hidden)]
    fn output_function(&self) -> OutputFunction;

    /// Trains on data in their own units, the validation data included.
    #[doc(hidden)]
    fn fit_in(
        &mut self,
        units: Units<'_, T>,
        net: &mut Sequential<T>,
        data: &Dataset<T>,
    ) -> Result<History>;

    /// The cost in the network's units, and the metrics in those of the data.
    #[doc(hidden)]
    fn evaluate_in(
        &mut self,
        units: Units<'_, T>,
        net: &Sequential<T>,
        data: &Dataset<T>,
    ) -> Result<Evaluation>;

    /// Whether the last call trained `net`.
    #[doc(hidden)]
    fn has_trained(&self, net: &Sequential<T>) -> bool;
}

/// The scalers from the units of the data to those of the network.
#[derive(Clone, Copy, Debug)]
pub struct Units<'s, T> {
    pub(super) inputs: Option<&'s Scaler<T>>,
    pub(super) outputs: Option<&'s Scaler<T>>,
}

impl<T> Units<'_, T> {
    /// Data in the units of the network.
    pub(super) const NETWORK: Self = Self {
        inputs: None,
        outputs: None,
    };
}

impl<T: Real> Units<'_, T> {
    /// `data`, called `name` in errors, in the units of the network.
    fn scale<'d>(&self, data: &'d Dataset<T>, name: &str) -> Result<Scaled<'d, T>> {
        data.scaled(self.inputs, self.outputs)
            .map_err(|error| error.within(name))
    }
}

/// A way of training: what the steps of an epoch are.
pub(super) trait Method<T: Real> {
    /// How errors call it.
    fn name(&self) -> &'static str;

    fn loss(&self) -> &dyn Loss<T>;

    /// The loss, and room for passes.
    fn parts(&mut self) -> (&dyn Loss<T>, &mut Tape<T>);

    /// Checks the method's own settings before the first step of a call, which is step `step`.
    fn check(&self, net: &Sequential<T>, step: u64) -> Result<()>;

    /// Gets ready for a call that trains `net`, after [`check`](Self::check).
    fn prepare(&mut self, net: &Sequential<T>) -> Result<()>;

    /// Lets parameters that are tied be the same, after [`prepare`](Self::prepare).
    fn spread_ties(&self, net: &mut Sequential<T>);

    /// How many steps an epoch of so many samples takes.
    fn steps(&self, samples: usize) -> usize;

    /// Takes the steps that the epoch at `position` still has, at the pace of the run. Calls
    /// `after` after each; the epoch is left where that says so.
    fn epoch(
        &mut self,
        net: &mut Sequential<T>,
        data: Batch<'_, T>,
        position: &mut Position,
        pace: Pace,
        after: &mut After<'_, T>,
    ) -> Result<Leg>;

    /// What the method remembers beside the parameters.
    fn memory(&self) -> &OptimizerState<T>;

    /// Goes on from what [`memory`](Self::memory) gave.
    fn remember(&mut self, memory: &OptimizerState<T>) -> Result<()>;

    /// Whether `memory` can be that of a network of so many parameters.
    fn fits(&self, memory: &OptimizerState<T>, params: usize) -> bool;

    /// The settings that must be the same when training goes on from a checkpoint.
    #[cfg(feature = "std")]
    fn settings(&self) -> Vec<(&'static str, alloc::string::String)>;
}

/// What a run has to say of the rates of its steps.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// By what the plateau multiplies them.
    pub(super) multiplier: f64,
    /// The epochs of the run.
    pub(super) first: usize,
    pub(super) end: usize,
}

/// What is to be done after a step.
pub(super) type After<'r, T> = dyn FnMut(&Step, &Sequential<T>) -> Option<Halt> + Send + 'r;

/// How far the steps of an epoch came.
pub(super) struct Leg {
    /// Whether the epoch is over, and to be closed.
    pub(super) over: bool,
    /// Why the steps halted, if not only because the epoch was over.
    pub(super) halt: Option<Halt>,
    /// The cost before the epoch, where the method knows it.
    pub(super) before: Option<f64>,
}

/// Why steps halt.
pub(super) enum Halt {
    /// A checkpoint is due.
    Save,
    Stopped(Stopped),
}

/// How often a checkpoint is written, beside the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointEvery {
    /// After so many epochs, at least 1.
    Epochs(usize),
    /// After so many steps, at least 1.
    Steps(u64),
}

/// What all methods share: how long they run, who watches, and where they are.
pub(super) struct Run<'a, T: Real> {
    pub(super) epochs: usize,
    pub(super) changing_data: bool,
    #[cfg(feature = "std")]
    pub(super) checkpoint: Option<(std::path::PathBuf, CheckpointEvery)>,
    pub(super) watcher: Watcher<'a, T>,
    pub(super) state: State<T>,
    finished: Finished<T>,
}

/// The data of a call, in the units of the network.
struct Feed<'d, T: Real> {
    data: Batch<'d, T>,
    validation: Option<Batch<'d, T>>,
    judged: Judged<'d, T>,
}

impl<T: Real> Run<'_, T> {
    pub(super) fn new(epochs: usize) -> Self {
        Self {
            epochs,
            changing_data: false,
            #[cfg(feature = "std")]
            checkpoint: None,
            watcher: Watcher::new(),
            state: State::default(),
            finished: Finished::new(),
        }
    }

    pub(super) fn add_stop(&mut self, stop: Stop) {
        self.state.watches.push(Watch::new(&stop));
        self.watcher.stops.push(stop);
    }

    /// Begins anew with the same settings.
    pub(super) fn reset(&mut self) {
        self.state = self.watcher.fresh();
    }

    /// By what the plateau multiplies the rate.
    pub(super) fn multiplier(&self) -> f64 {
        self.state
            .plateau
            .as_ref()
            .map_or(1.0, |plateau| plateau.multiplier)
    }

    /// Whether the last call trained `net`.
    pub(super) fn has_trained(&self, net: &Sequential<T>) -> bool {
        self.state.position.step > 0 && self.state.knows(net)
    }

    /// Trains `net` and returns what happened; goes on where an earlier call ended.
    pub(super) fn fit(
        &mut self,
        method: &mut dyn Method<T>,
        units: Units<'_, T>,
        net: &mut Sequential<T>,
        data: &Dataset<T>,
    ) -> Result<History> {
        let scaled = units.scale(data, "training data")?;
        let validation = self
            .watcher
            .validation
            .map(|data| units.scale(data, "validation data"))
            .transpose()?;
        let (data, judge) = (scaled.batch(), self.watcher.validation.unwrap_or(data));
        let validation = validation.as_ref().map(Scaled::batch);
        let in_units = units.outputs.map(|scaler| (scaler, judge.into()));
        let feed = Feed {
            data,
            validation,
            judged: Judged {
                samples: validation.unwrap_or(data),
                units: in_units,
            },
        };

        let warning = self.check(method, net, &feed)?;
        method.prepare(net)?;
        let mark = DataMark::new(data);
        if self.state.data.is_some_and(|known| known != mark) {
            // A call that had ended before it was saved: other data begin another.
            self.state.resumed = false;
        }
        let goes_on = self.state.begin();
        self.state.history.warnings = warning.into_iter().collect();
        if !goes_on {
            return Ok(self.history());
        }
        self.state.data = Some(mark);
        self.state.take_latest(net);
        method.spread_ties(net);
        let plan = Plan {
            first: self.state.position.epoch,
            end: self.state.start.saturating_add(self.epochs),
            batches: method.steps(data.len()),
        };
        self.watcher.started(&plan, net);
        let result = self.epochs(method, net, &feed, plan.end);
        if self.watcher.best.is_some() {
            self.state.put_best(net);
        }
        self.state.left = Some(checksum(net.params()));
        result?;
        self.write_checkpoint(method, net)?;
        Ok(self.history())
    }

    /// The history of the present call, with the epoch that was kept.
    fn history(&self) -> History {
        let mut history = self.state.history.clone();
        if let (Some(monitor), Some(best)) = (&self.watcher.best, &self.state.best) {
            // Of an earlier call, it may be better than any epoch of this one.
            let kept = history.best(monitor);
            history.kept = kept
                .filter(|epoch| monitor.value(epoch) == Some(best.value))
                .map(|epoch| epoch.epoch);
        }
        history
    }

    /// The cost and the metrics of what `net` predicts.
    pub(super) fn evaluate(
        &mut self,
        method: &mut dyn Method<T>,
        units: Units<'_, T>,
        net: &Sequential<T>,
        data: &Dataset<T>,
    ) -> Result<Evaluation> {
        let scaled = units.scale(data, "data")?;
        let samples = scaled.batch();
        let (loss, tape) = method.parts();
        net.walk().check_pass(samples.x, samples.target, loss)?;
        let in_units = units.outputs.map(|scaler| (scaler, data.into()));
        Judged {
            samples,
            units: in_units,
        }
        .evaluate(net, loss, &mut self.watcher.metrics, tape)
    }

    /// All that can be wrong before the first step; returns what should be known.
    fn check(
        &self,
        method: &dyn Method<T>,
        net: &Sequential<T>,
        feed: &Feed<'_, T>,
    ) -> Result<Option<Warning>> {
        let (Batch { x, target }, loss) = (feed.data, method.loss());
        net.walk()
            .check_pass(x, target, loss)
            .map_err(|error| error.within("training data"))?;
        if let Some(Batch { x, target }) = feed.validation {
            net.walk()
                .check_pass(x, target, loss)
                .map_err(|error| error.within("validation data"))?;
        }
        self.check_same(method.name(), net, feed.data)?;
        let units = if feed.judged.units.is_some() {
            "training data, scaled"
        } else {
            "training data"
        };
        let warning =
            check_reach(net, target.values(), loss).map_err(|error| error.within(units))?;
        net.walk().check_trainable()?;
        method.check(net, self.state.position.step)?;
        self.check_settings(method.name())?;
        let function = loss.output_function();
        let mut metrics = self.watcher.metrics.iter();
        metrics.try_for_each(|metric| metric.check(&function))?;
        if let Some(best) = &self.state.best {
            check_count(method.name(), best.params.len(), net)?;
        }
        Ok(warning)
    }

    /// Checks the settings that all methods have.
    pub(super) fn check_settings(&self, name: &str) -> Result<()> {
        self.state
            .plateau
            .as_ref()
            .map_or(Ok(()), ReduceOnPlateau::check)?;
        self.watcher.check()?;
        let every = match self.every() {
            Some(CheckpointEvery::Epochs(epochs)) => epochs as u64,
            Some(CheckpointEvery::Steps(steps)) => steps,
            None => return Ok(()),
        };
        some(
            format_args!("checkpoint of {name}"),
            "at least every epoch or step",
            every,
        )
    }

    /// Once a step has been taken, network and data must be those of before.
    fn check_same(&self, name: &str, net: &Sequential<T>, data: Batch<'_, T>) -> Result<()> {
        let state = &self.state;
        if state.position.step == 0 {
            return Ok(());
        }
        if state.left.is_some() && !state.knows(net) {
            let expected = format!(
                "the parameters that the call before left ({name}::reset begins anew, \
                 {name}::continue_with goes on with a network that was changed on purpose)"
            );
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("network of {name}"),
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
                    format!(
                        "{name}::reset begins anew, {name}::changing_data takes other data in each call"
                    )
                } else if interrupted {
                    format!(
                        "this call continues one that was interrupted; {name}::reset begins anew"
                    )
                } else {
                    format!(
                        "this call finishes an epoch that was interrupted; {name}::reset begins anew"
                    )
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
    fn write_checkpoint(&self, method: &dyn Method<T>, net: &Sequential<T>) -> Result<()> {
        #[cfg(feature = "std")]
        if let Some((path, _)) = &self.checkpoint {
            self.save(method, net, path)?;
        }
        let _ = (method, net);
        Ok(())
    }

    /// The epochs up to `end`.
    fn epochs(
        &mut self,
        method: &mut dyn Method<T>,
        net: &mut Sequential<T>,
        feed: &Feed<'_, T>,
        end: usize,
    ) -> Result<()> {
        let mut mark = true;
        while self.state.position.epoch < end {
            let clock = Clock::start();
            if core::mem::take(&mut mark) {
                self.mark(method, net);
            }
            let leg = self.leg(method, net, feed.data, &clock);
            let measured = leg.and_then(|leg| {
                let epoch = leg
                    .over
                    .then(|| self.measure(method, net, feed, &clock))
                    .transpose()?;
                Ok((leg, epoch))
            });
            let (leg, epoch) = match measured {
                Ok(measured) => measured,
                Err(error) => {
                    // Not by `set_params`, which may refuse what the network began with.
                    net.params_mut().copy_from_slice(&self.finished.params);
                    method.remember(&self.finished.memory)?;
                    self.state.position = self.finished.position;
                    return Err(error);
                }
            };
            let (mut stopped, mut due) = match leg.halt {
                None => (None, false),
                Some(Halt::Save) => (None, true),
                Some(Halt::Stopped(why)) => (Some(why), false),
            };
            match epoch {
                Some(epoch) => {
                    let Self {
                        watcher,
                        state,
                        finished,
                        ..
                    } = self;
                    let before = state.last_cost.or(leg.before);
                    stopped = watcher
                        .close(state, finished, epoch, before, net)
                        .or(stopped);
                    mark = true;
                    due |= matches!(self.every(), Some(CheckpointEvery::Epochs(n)) if self.state.position.epoch.is_multiple_of(n));
                }
                None => self.state.position.seconds += clock.seconds().unwrap_or(0.0),
            }
            self.state.history.stopped = stopped;
            if self.state.history.stopped.is_some() {
                return Ok(());
            }
            if due {
                self.write_checkpoint(method, net)?;
            }
        }
        Ok(())
    }

    /// Notes where an epoch begins.
    fn mark(&mut self, method: &mut dyn Method<T>, net: &Sequential<T>) {
        let workers = method.parts().1.workers().clone();
        let (memory, position) = (method.memory(), self.state.position);
        self.finished.update(net, memory, position, &workers);
    }

    /// The steps of an epoch, from where it stands.
    fn leg(
        &mut self,
        method: &mut dyn Method<T>,
        net: &mut Sequential<T>,
        data: Batch<'_, T>,
        clock: &Clock,
    ) -> Result<Leg> {
        let save = if let Some(CheckpointEvery::Steps(n)) = self.every() {
            Some(n)
        } else {
            None
        };
        let first = self.state.start;
        let pace = Pace {
            multiplier: self.multiplier(),
            first,
            end: first.saturating_add(self.epochs),
        };
        let spent = self.state.seconds();
        let Self { watcher, state, .. } = self;
        let budget = watcher
            .budget()
            .map(|(seconds, stop)| (seconds - spent, stop.clone()));
        let mut after = |step: &Step, net: &Sequential<T>| {
            if watcher.stepped(step, net) {
                return Some(Halt::Stopped(Stopped::ByObserver));
            }
            if let Some((budget, stop)) = &budget
                && clock.seconds().is_some_and(|seconds| seconds >= *budget)
            {
                return Some(Halt::Stopped(Stopped::By(stop.clone())));
            }
            save.is_some_and(|steps| step.step.wrapping_add(1).is_multiple_of(steps))
                .then_some(Halt::Save)
        };
        method.epoch(net, data, &mut state.position, pace, &mut after)
    }

    /// What is known at the end of an epoch: the validation cost and the metrics, too.
    fn measure(
        &mut self,
        method: &mut dyn Method<T>,
        net: &Sequential<T>,
        feed: &Feed<'_, T>,
        clock: &Clock,
    ) -> Result<Epoch> {
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
        let (loss, tape) = method.parts();
        let count = loss.reduction().count(samples, feed.data.target.weights());
        let cost = cost / count + penalty / samples as f64;
        let metrics = &mut self.watcher.metrics;
        let judged = if feed.validation.is_some() || !metrics.is_empty() {
            Some(feed.judged.evaluate(net, loss, metrics, tape)?)
        } else {
            None
        };
        let validation = judged
            .as_ref()
            .filter(|_| feed.validation.is_some())
            .map(|judged| judged.cost);
        let metrics = judged.map_or_else(Vec::new, |judged| judged.metrics);
        let seconds = clock.seconds().map(|more| seconds + more);
        Ok(Epoch {
            epoch,
            cost,
            validation_cost: validation,
            metrics,
            learning_rate: rate,
            gradient_norm,
            seconds,
        })
    }
}

/// A network must have as many parameters as the one of the steps before.
pub(super) fn check_count<T: Real>(name: &str, known: usize, net: &Sequential<T>) -> Result<()> {
    if known == net.params().len() {
        return Ok(());
    }
    let expected = format!(
        "a network of {known} parameters, as in the steps before ({name}::reset begins anew)"
    );
    Err(Error::new(
        ErrorKind::Shape,
        format!("network of {name}"),
        expected,
        net.params().len(),
    ))
}
