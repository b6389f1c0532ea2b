//! Who watches a run: what ends it, what keeps the best weights, what lowers the rate, who is told.

use super::epoch::Epoch;
use super::evaluate::Metrics;
use super::observer::{Observer, Plan, Step};
use super::state::{Finished, Position, State};
use super::stop::{Monitor, Stop, Stopped, Watch};
use crate::data::Dataset;
use crate::error::Result;
use crate::nn::sequential::Sequential;
use crate::numeric::real::Real;
use crate::optim::plateau::ReduceOnPlateau;
use alloc::{boxed::Box, vec::Vec};
use core::ops::ControlFlow;

/// What is told of each epoch, and says whether training goes on.
type Callback<'a, T> = Box<dyn FnMut(&Epoch, &Sequential<T>) -> ControlFlow<()> + Send + 'a>;

/// All that watches a run; what it remembers is in the [`State`].
pub(super) struct Watcher<'a, T: Real> {
    pub(super) validation: Option<&'a Dataset<T>>,
    pub(super) metrics: Metrics<'a, T>,
    pub(super) stops: Vec<Stop>,
    pub(super) plateau: Option<(Monitor, ReduceOnPlateau)>,
    pub(super) best: Option<Monitor>,
    pub(super) observers: Vec<Box<dyn Observer<T> + Send + 'a>>,
    pub(super) callbacks: Vec<Callback<'a, T>>,
}

impl<T: Real> Watcher<'_, T> {
    pub(super) fn new() -> Self {
        Self {
            validation: None,
            metrics: Vec::new(),
            stops: Vec::new(),
            plateau: None,
            best: None,
            observers: Vec::new(),
            callbacks: Vec::new(),
        }
    }

    /// Where a run begins.
    pub(super) fn fresh(&self) -> State<T> {
        State {
            watches: self.stops.iter().map(Watch::new).collect(),
            plateau: self.plateau.as_ref().map(|(_, plateau)| plateau.clone()),
            ..State::default()
        }
    }

    /// Checks the stops, and that all that is watched is measured.
    pub(super) fn check(&self) -> Result<()> {
        self.stops.iter().try_for_each(Stop::check)?;
        let plateau = self.plateau.as_ref().map(|(monitor, _)| monitor);
        let mut watched = self
            .stops
            .iter()
            .filter_map(Stop::monitor)
            .chain(&self.best)
            .chain(plateau);
        watched.try_for_each(|monitor| {
            monitor.check(
                self.validation.is_some(),
                self.metrics.iter().map(|metric| &*metric.name),
            )
        })
    }

    pub(super) fn started(&mut self, plan: &Plan, net: &Sequential<T>) {
        self.observers
            .iter_mut()
            .for_each(|observer| observer.on_start(plan, net));
    }

    /// Tells the observers of a step; says whether one of them ends the run.
    pub(super) fn stepped(&mut self, step: &Step, net: &Sequential<T>) -> bool {
        // Each is told, whatever the others say.
        self.observers.iter_mut().fold(false, |stop, observer| {
            observer.on_batch(step, net).is_break() | stop
        })
    }

    /// The least time that a stop gives the run, in seconds.
    pub(super) fn budget(&self) -> Option<(f64, &Stop)> {
        let timed = self
            .stops
            .iter()
            .filter_map(|stop| Some((stop.time()?.as_secs_f64(), stop)));
        timed.min_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// Ends an epoch, before which the cost was `before`; says whether the run ends with it.
    pub(super) fn close(
        &mut self,
        state: &mut State<T>,
        finished: &Finished<T>,
        epoch: Epoch,
        before: Option<f64>,
        net: &Sequential<T>,
    ) -> Option<Stopped> {
        let moved = || finished.distance(net);
        let mut stopped = None;
        for (stop, watch) in self.stops.iter().zip(&mut state.watches) {
            if watch.sees(stop, &epoch, before, moved) && stopped.is_none() {
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
        let observers = self.observers.iter_mut();
        let mut stop = observers.fold(false, |stop, observer| {
            observer.on_epoch(&epoch, net).is_break() | stop
        });
        stop = self.callbacks.iter_mut().fold(stop, |stop, callback| {
            callback(&epoch, net).is_break() | stop
        });
        state.spent += epoch.seconds.unwrap_or(0.0);
        state.history.epochs.push(epoch);
        stopped.or(stop.then_some(Stopped::ByObserver))
    }
}
