//! Where training is.

use super::epoch::Epoch;
use super::fingerprint::{DataMark, checksum};
use super::history::History;
#[cfg(feature = "std")]
use super::log::Logbook;
use super::stop::{Monitor, Stopped, Watch};
use crate::nn::sequential::Sequential;
use crate::numeric::kernel::workers::{Workers, copy};
use crate::numeric::real::Real;
use crate::optim::OptimizerState;
use crate::optim::plateau::ReduceOnPlateau;
use alloc::{string::String, vec::Vec};

/// How far training has come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Position {
    /// Epochs finished.
    pub(super) epoch: usize,
    /// Mini-batches done of the next one, the samples in them, and what is known of it.
    pub(super) batch: usize,
    pub(super) samples: usize,
    /// The cost, summed over the samples.
    pub(super) cost: f64,
    /// The penalty, times samples.
    pub(super) penalty: f64,
    pub(super) rate: f64,
    pub(super) gradient_norm: f64,
    pub(super) seconds: f64,
    /// Steps over all epochs.
    pub(super) step: u64,
}

/// The best epoch so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Best<T> {
    pub(super) value: f64,
    pub(super) params: Vec<T>,
}

/// All that a trainer must know, beside its settings, the network and the optimizer, to go on
/// exactly where it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State<T> {
    pub(super) position: Position,
    /// The epoch with which the present call began.
    pub(super) start: usize,
    /// What each stop remembers.
    pub(super) watches: Vec<Watch>,
    pub(super) plateau: Option<ReduceOnPlateau>,
    /// The training cost of the last epoch.
    pub(super) last_cost: Option<f64>,
    pub(super) best: Option<Best<T>>,
    /// The parameters of the last epoch, while the network has the best.
    pub(super) latest: Option<Vec<T>>,
    /// The checksum of the network that the last call left; `None` where any is taken as it is.
    pub(super) left: Option<u64>,
    /// What the data of the last call were.
    pub(super) data: Option<DataMark>,
    /// Of the present call, and the seconds of its epochs.
    pub(super) history: History,
    pub(super) spent: f64,
    /// Whether the next call continues one of another process.
    pub(super) resumed: bool,
    /// Where the history of the present call is kept; another history needs another one.
    #[cfg(feature = "std")]
    pub(super) log: Logbook,
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self {
            position: Position::default(),
            start: 0,
            watches: Vec::new(),
            plateau: None,
            last_cost: None,
            best: None,
            latest: None,
            left: None,
            data: None,
            history: History::default(),
            spent: 0.0,
            resumed: false,
            #[cfg(feature = "std")]
            log: Logbook::default(),
        }
    }
}

impl<T: Real> State<T> {
    /// Whether `net` is the network that was trained so far: as it was left, or with its best
    /// parameters.
    pub(super) fn knows(&self, net: &Sequential<T>) -> bool {
        let sum = checksum(net.params());
        self.left == Some(sum)
            || self
                .best
                .as_ref()
                .is_some_and(|best| sum == checksum(&best.params))
    }

    /// Takes `net` as it is for the network that is trained.
    pub(super) fn adopt(&mut self, net: &Sequential<T>) {
        self.left = Some(checksum(net.params()));
        self.latest = None;
    }

    /// Whether a call of another process is to be continued that had more to do.
    pub(super) fn is_interrupted(&self, epochs: usize) -> bool {
        let stopped = self.history.stopped.as_ref().is_some_and(Stopped::is_final);
        self.resumed && !stopped && self.position.epoch < self.start.saturating_add(epochs)
    }

    /// Begins a call, or continues one; says whether there is anything left to do.
    pub(super) fn begin(&mut self) -> bool {
        if !core::mem::take(&mut self.resumed) {
            self.start = self.position.epoch;
            self.history = History::default();
            self.spent = 0.0;
            #[cfg(feature = "std")]
            {
                self.log = Logbook::default();
            }
        } else if self.history.stopped.as_ref().is_some_and(Stopped::is_final) {
            return false;
        }
        self.history.stopped = None;
        true
    }

    /// Seconds of the present call.
    pub(super) fn seconds(&self) -> f64 {
        self.spent + self.position.seconds
    }

    pub(super) fn note_best(&mut self, monitor: &Monitor, epoch: &Epoch, net: &Sequential<T>) {
        let value = monitor.value(epoch).unwrap_or(f64::NAN);
        match &mut self.best {
            Some(best) if monitor.is_better(value, best.value, 0.0) => {
                best.value = value;
                best.params.copy_from_slice(net.params());
            }
            None if !value.is_nan() => {
                self.best = Some(Best {
                    value,
                    params: net.params().to_vec(),
                })
            }
            _ => {}
        }
    }

    /// Gives `net` the best parameters.
    pub(super) fn put_best(&mut self, net: &mut Sequential<T>) {
        if let Some(best) = &self.best {
            self.latest = Some(net.params().to_vec());
            net.params_mut().copy_from_slice(&best.params);
        }
    }

    /// Gives `net` the latest parameters, if it still has the best.
    pub(super) fn take_latest(&mut self, net: &mut Sequential<T>) {
        if let (Some(latest), Some(best)) = (self.latest.take(), &self.best)
            && net.params() == best.params
        {
            net.params_mut().copy_from_slice(&latest);
        }
    }
}

/// What to go back to when an epoch fails: where it began.
pub(super) struct Finished<T> {
    pub(super) params: Vec<T>,
    pub(super) memory: OptimizerState<T>,
    pub(super) position: Position,
}

impl<T: Real> Finished<T> {
    pub(super) fn new() -> Self {
        Self {
            params: Vec::new(),
            memory: OptimizerState {
                rule: String::new(),
                step: 0,
                slots: Vec::new(),
                numbers: Vec::new(),
                averaged: None,
            },
            position: Position::default(),
        }
    }

    pub(super) fn update(
        &mut self,
        net: &Sequential<T>,
        memory: &OptimizerState<T>,
        position: Position,
        workers: &Workers,
    ) {
        copy(&mut self.params, net.params(), workers);
        self.memory.copy_from(memory, workers);
        self.position = position;
    }

    /// The largest change of a parameter since.
    pub(super) fn distance(&self, net: &Sequential<T>) -> f64 {
        net.params()
            .iter()
            .zip(&self.params)
            .fold(0.0, |most, (new, old)| {
                (*new - *old).as_f64().abs().max(most)
            })
    }
}
