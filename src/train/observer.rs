//! Who is told what happens in training.

use super::epoch::Epoch;
use crate::nn::sequential::Sequential;
use crate::numeric::real::Real;
use core::ops::ControlFlow;

/// What a call of [`fit`](crate::Trainer::fit) is going to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The first epoch; not 0 where training goes on.
    pub first: usize,
    /// The epoch before which it ends.
    pub end: usize,
    /// Mini-batches in an epoch; those that make a step [together](crate::Trainer::accumulate) are
    /// one, here and below.
    pub batches: usize,
}

/// What is known after the step of a mini-batch.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The epoch, counted from 0 over the trainer's life.
    pub epoch: usize,
    /// The mini-batch within the epoch, counted from 0.
    pub batch: usize,
    /// The step, counted from 0 over the trainer's life.
    pub step: u64,
    /// The cost of the mini-batch before the step, with the penalty.
    pub cost: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
}

/// Watches a run of a network of scalars `T`, and can end it. What an observer borrows must be
/// declared before the trainer.
///
/// Each call is given the network as it then is, to be looked at, copied, drawn or saved.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::Real;
/// use chainrule::train::{Observer, Step, Stopped};
/// use core::ops::ControlFlow;
///
/// /// Ends a run when a weight has become too large.
/// struct Limit(f64);
///
/// impl<T: Real> Observer<T> for Limit {
///     fn on_batch(&mut self, _: &Step, net: &Sequential<T>) -> ControlFlow<()> {
///         let large = net.params().iter().any(|w| w.as_f64().abs() > self.0);
///         if large { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
///     }
/// }
///
/// let data = Dataset::new(
///     DMatrix::from_element(1, 100, 1.0),
///     DMatrix::from_element(1, 100, 2.0),
/// )?;
/// let mut net = Sequential::<f64>::builder(1)
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// net.set_params(&[0.0, 0.0])?;
/// let mut trainer = Trainer::new(MeanSquaredError, Sgd::new())
///     .batch_size(10)
///     .learning_rate(0.1)
///     .observe(Limit(0.9));
/// let history = trainer.fit(&mut net, &data)?;
/// assert_eq!(history.stopped, Some(Stopped::ByObserver));
/// assert!(net.params()[0] > 0.9 && net.params()[0] < 1.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("Callback"))]
pub trait Observer<T: Real> {
    /// Before the first step of a call of [`fit`](crate::Trainer::fit).
    fn on_start(&mut self, plan: &Plan, net: &Sequential<T>) {
        let _ = (plan, net);
    }

    /// After each step; `Break` ends the run there, and the next call of
    /// [`fit`](crate::Trainer::fit) finishes the epoch. A step on all samples, as of
    /// [`Lbfgs`](crate::train::Lbfgs), is an epoch, which counts in any case. Of a rule that
    /// [averages](crate::Optimizer::swap_average), `net` is what its steps change, not yet the
    /// average.
    fn on_batch(&mut self, step: &Step, net: &Sequential<T>) -> ControlFlow<()> {
        let _ = (step, net);
        ControlFlow::Continue(())
    }

    /// After each epoch; `Break` ends the run. `net` is what the validation cost and the metrics
    /// are of: of a rule that averages, the average.
    fn on_epoch(&mut self, epoch: &Epoch, net: &Sequential<T>) -> ControlFlow<()> {
        let _ = (epoch, net);
        ControlFlow::Continue(())
    }

    /// What the observer must know to go on after an interruption, for a checkpoint; always
    /// something, or always nothing.
    fn state(&self) -> alloc::vec::Vec<f64> {
        alloc::vec::Vec::new()
    }

    /// Goes on from what [`state`](Self::state) gave.
    ///
    /// # Errors
    /// When the state is not of this observer.
    fn restore(&mut self, state: &[f64]) -> crate::Result<()> {
        let _ = state;
        Ok(())
    }
}
