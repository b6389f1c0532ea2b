//! When a run ends, and what is watched to know.

use super::epoch::Epoch;
use crate::error::{Error, ErrorKind, Result};
#[cfg(feature = "std")]
use crate::ground::clock;
use crate::numeric::bounds::{NOT_NEGATIVE, NUMBER, some};
use crate::optim::minimize::SearchFailure;
use alloc::{format, string::String};
use core::fmt;

/// A number of each epoch, and which way is better.
///
/// ```
/// use chainrule::Monitor;
/// assert_eq!(Monitor::highest("accuracy").to_string(), "highest accuracy");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Monitor {
    /// The training cost; lower is better.
    TrainingCost,
    /// The validation cost; lower is better.
    ValidationCost,
    /// The metric of that name; higher is better.
    Highest(String),
    /// The metric of that name; lower is better.
    Lowest(String),
}

impl Monitor {
    /// A metric that shall be high, such as an accuracy.
    pub fn highest(metric: impl Into<String>) -> Self {
        Self::Highest(metric.into())
    }

    /// A metric that shall be low, such as an error.
    pub fn lowest(metric: impl Into<String>) -> Self {
        Self::Lowest(metric.into())
    }

    /// The number in an epoch; `None` where it was not measured.
    pub fn value(&self, epoch: &Epoch) -> Option<f64> {
        match self {
            Self::TrainingCost => Some(epoch.cost),
            Self::ValidationCost => epoch.validation_cost,
            Self::Highest(name) | Self::Lowest(name) => epoch.metric(name),
        }
    }

    /// Whether `value` is better than `than` by more than `by`; NaN is not.
    pub(super) fn is_better(&self, value: f64, than: f64, by: f64) -> bool {
        match self {
            Self::Highest(_) => value > than + by,
            _ => value < than - by,
        }
    }

    /// The number, or its negative, so that lower is better.
    pub(super) fn to_lower(&self, value: f64) -> f64 {
        if let Self::Highest(_) = self {
            -value
        } else {
            value
        }
    }

    /// What every number is better than.
    pub(super) fn worst(&self) -> f64 {
        match self {
            Self::Highest(_) => f64::NEG_INFINITY,
            _ => f64::INFINITY,
        }
    }

    /// Checks that a trainer with these metrics measures it.
    pub(super) fn check<'n>(
        &self,
        validation: bool,
        mut metrics: impl Iterator<Item = &'n str>,
    ) -> Result<()> {
        let known = match self {
            Self::TrainingCost => true,
            Self::ValidationCost => validation,
            Self::Highest(name) | Self::Lowest(name) => metrics.any(|metric| metric == name),
        };
        if known {
            return Ok(());
        }
        let expected = "to watch validation data or a metric that the trainer has";
        Err(Error::new(
            ErrorKind::Incompatible,
            "Monitor",
            expected,
            format!("{self}"),
        ))
    }
}

impl fmt::Display for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrainingCost => write!(f, "lowest cost"),
            Self::ValidationCost => write!(f, "lowest validation cost"),
            Self::Highest(name) => write!(f, "highest {name}"),
            Self::Lowest(name) => write!(f, "lowest {name}"),
        }
    }
}

/// A reason to end a run before its last epoch; all but the last are looked at after each epoch.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::train::Stopped;
/// let x = DMatrix::from_fn(1, 20, |_, j| j as f64 / 10.0 - 1.0);
/// let data = Dataset::new(x.clone(), x.map(|x| 3.0 * x))?;
/// let mut net = Sequential::builder(1)
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let history = Trainer::new(MeanSquaredError, Sgd::new())
///     .learning_rate(0.1)
///     .epochs(1000)
///     .stop(Stop::CostConverged { change: 1e-9 })
///     .fit(&mut net, &data)?;
/// assert_eq!(history.stopped, Some(Stopped::By(Stop::CostConverged { change: 1e-9 })));
/// assert!(history.epochs.len() < 1000);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub enum Stop {
    /// The training cost has converged: between two epochs it changed by at most `change`, finite
    /// and ≥ 0.
    #[doc(alias("tol", "n_iter_no_change"))]
    CostConverged {
        /// The largest change of the cost.
        change: f64,
    },
    /// The weights have converged: in an epoch no parameter changed by more than `change`, finite
    /// and ≥ 0.
    WeightsConverged {
        /// The largest change of a parameter.
        change: f64,
    },
    /// What is watched is as good as wanted.
    Target {
        /// What is watched.
        monitor: Monitor,
        /// At most this, or at least, of a metric that shall be high.
        #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
        value: f64,
    },
    /// Early stopping (Prechelt 1998): what is watched has not become better than its best by more
    /// than `min_change` for `patience` epochs in a row.
    #[doc(alias("patience", "early_stopping", "max_fail"))]
    EarlyStopping {
        /// What is watched.
        monitor: Monitor,
        /// Epochs without a better number, at least 1.
        patience: usize,
        /// What is better only by this much is not better; finite and ≥ 0.
        min_change: f64,
    },
    /// Training took this long, over all epochs of the call; looked at after each batch. The epoch
    /// that it falls into is finished by the next call of [`fit`](crate::Trainer::fit). An error on
    /// a machine without a clock (`wasm32-unknown-unknown`).
    #[cfg(feature = "std")]
    Time(core::time::Duration),
}

impl Stop {
    /// Early stopping without a minimum change.
    pub fn early_stopping(monitor: Monitor, patience: usize) -> Self {
        Self::EarlyStopping {
            monitor,
            patience,
            min_change: 0.0,
        }
    }

    /// Reaching a value.
    pub fn target(monitor: Monitor, value: f64) -> Self {
        Self::Target { monitor, value }
    }

    pub(super) fn monitor(&self) -> Option<&Monitor> {
        match self {
            Self::Target { monitor, .. } | Self::EarlyStopping { monitor, .. } => Some(monitor),
            _ => None,
        }
    }

    pub(super) fn time(&self) -> Option<core::time::Duration> {
        match self {
            #[cfg(feature = "std")]
            Self::Time(time) => Some(*time),
            _ => None,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match *self {
            Self::CostConverged { change } | Self::WeightsConverged { change } => {
                NOT_NEGATIVE.check("change of Stop", change)
            }
            Self::Target { value, .. } => NUMBER.check("target of Stop", value),
            Self::EarlyStopping {
                patience,
                min_change,
                ..
            } => {
                some("patience of Stop", "at least 1 epoch", patience as u64)?;
                NOT_NEGATIVE.check("min_change of Stop", min_change)
            }
            #[cfg(feature = "std")]
            Self::Time(_) if !clock::TICKS => {
                let (expected, given) = (
                    "a machine with a clock (Trainer::epochs ends a run without one)",
                    "a machine without one",
                );
                Err(Error::new(
                    ErrorKind::Incompatible,
                    "Stop::Time",
                    expected,
                    given,
                ))
            }
            #[cfg(feature = "std")]
            Self::Time(_) => Ok(()),
        }
    }
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Stopped {
    /// An observer said so.
    ByObserver,
    /// This was reached.
    By(Stop),
    /// [`LevenbergMarquardt`](crate::train::LevenbergMarquardt) found no step that lowers the cost
    /// any more.
    Converged,
    /// No component of the gradient is larger than the
    /// [tolerance](crate::train::Lbfgs::gradient_tolerance): a minimum, or what is as flat.
    SmallGradient,
    /// The last step lowered the cost by no more than the
    /// [tolerance](crate::train::Lbfgs::decrease_tolerance).
    SmallDecrease,
    /// [`Lbfgs`](crate::train::Lbfgs) or
    /// [`ScaledConjugateGradient`](crate::train::ScaledConjugateGradient) found no step that lowers
    /// the cost, along the steepest descent either.
    SearchFailed(SearchFailure),
}

impl Stopped {
    /// What a method says of itself, in the order in which checkpoints count it.
    #[cfg(feature = "std")]
    pub(super) const OWN: [Self; 6] = [
        Self::Converged,
        Self::SmallGradient,
        Self::SmallDecrease,
        Self::SearchFailed(SearchFailure::Rounding),
        Self::SearchFailed(SearchFailure::Evaluations),
        Self::SearchFailed(SearchFailure::NotFinite),
    ];

    /// Whether the run is over when it is resumed, too: an observer may say otherwise then.
    pub(super) fn is_final(&self) -> bool {
        *self != Self::ByObserver
    }
}

/// What a [`Stop`] remembers from epoch to epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Watch {
    /// The best so far.
    pub(super) best: f64,
    /// Epochs since.
    pub(super) waited: u64,
}

impl Watch {
    pub(super) fn new(stop: &Stop) -> Self {
        Self {
            best: stop.monitor().map_or(f64::INFINITY, Monitor::worst),
            waited: 0,
        }
    }

    /// Whether `stop` ends the run after `epoch`, in which the largest change of a parameter was
    /// what `moved` says.
    pub(super) fn sees(
        &mut self,
        stop: &Stop,
        epoch: &Epoch,
        cost_before: Option<f64>,
        moved: impl FnOnce() -> f64,
    ) -> bool {
        match stop {
            Stop::CostConverged { change } => {
                cost_before.is_some_and(|before| (epoch.cost - before).abs() <= *change)
            }
            Stop::WeightsConverged { change } => moved() <= *change,
            Stop::Target { monitor, value } => monitor
                .value(epoch)
                .is_some_and(|now| now == *value || monitor.is_better(now, *value, 0.0)),
            Stop::EarlyStopping {
                monitor,
                patience,
                min_change,
            } => {
                let now = monitor.value(epoch).unwrap_or(f64::NAN);
                if monitor.is_better(now, self.best, *min_change) {
                    *self = Self {
                        best: now,
                        waited: 0,
                    };
                } else {
                    self.waited += 1;
                }
                let end = self.waited >= *patience as u64;
                if end {
                    // A run that goes on all the same is as patient again.
                    self.waited = 0;
                }
                end
            }
            #[cfg(feature = "std")]
            Stop::Time(_) => false,
        }
    }
}
