//! L-BFGS, the trainer: settings of the method in `optim/minimize/lbfgs.rs`.

use super::epoch::Epoch;
use super::evaluate::Evaluation;
use super::frozen::Frozen;
use super::full_batch::FullBatch;
use super::history::History;
use super::observer::Observer;
#[cfg(feature = "std")]
use super::run::CheckpointEvery;
use super::run::{Fit, Method, Run, Units};
use super::settings::{fit_by_run, settings};
use super::stop::{Monitor, Stop};
use crate::data::Dataset;
use crate::error::Result;
use crate::nn::loss::{Loss, OutputFunction};
use crate::nn::sequential::Sequential;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View};
use crate::optim::Penalty;
use crate::optim::minimize;
use alloc::{boxed::Box, string::String};
use core::fmt;
use core::ops::ControlFlow;

/// L-BFGS: steps on all samples that learn how the cost curves from the gradients they see (J.
/// Nocedal & S. J. Wright, *Numerical Optimization*, 2nd ed., 2006, algorithms 7.4 and 7.5). For
/// small tables it is what scikit-learn advises (`solver="lbfgs"`): no rate to choose, any loss,
/// and a few hundred looks at the data. For least squares with few parameters see
/// [`LevenbergMarquardt`](crate::train::LevenbergMarquardt), for many samples
/// [`Trainer`](crate::Trainer); the [guide](crate::guide::curvature) compares them.
///
/// A step goes along d = −H·∂C/∂w. H stands for the inverse of the Hessian and is made of the last
/// m = 10 pairs of s, what a step changed in w, and y, what it changed in ∂C/∂w:
///
/// ```text
/// H ← (I − ρ·s·yᵀ)·H·(I − ρ·y·sᵀ) + ρ·s·sᵀ,  ρ = 1/yᵀs,  from H₀ = (sᵀy/yᵀy)·I of the last pair
/// ```
///
/// How far it goes, α, a line search finds for the strong Wolfe conditions
///
/// ```text
/// C(w + α·d) ≤ C(w) + 10⁻³·α·dᵀ∇C(w),  |dᵀ∇C(w + α·d)| ≤ 0.9·|dᵀ∇C(w)|
/// ```
///
/// (J. J. Moré & D. J. Thuente, 1994; the numbers are those of SciPy). The first trial is α = 1,
/// for the first step 1/‖d‖. A cost that is NaN or infinite shortens the step. A pair without
/// curvature, yᵀs ≤ ε·α·|dᵀ∇C(w)|, is left out. If no step is found, the pairs are forgotten, and
/// the search begins again along the steepest descent; if that fails, too, the run ends with
/// [`Stopped::SearchFailed`](crate::train::Stopped::SearchFailed), and the parameters are to the
/// bit those of the last epoch.
///
/// The cost is that of what the network predicts, plus the [penalty](Self::penalty): a function of
/// the parameters that no chance enters. Dropout and noise are therefore out, and batch norm takes
/// its running statistics as they are and leaves them so. Where they should act, train by a
/// [`Trainer`](crate::Trainer), and come here to finish. A surrogate's gradient is not that of the
/// cost: the search then soon says that it failed.
///
/// An epoch is a step. In its [`Epoch`], `cost` is the cost after it, penalty included,
/// `learning_rate` α, and `gradient_norm` ‖∂C/∂w‖₂ before it. Costs never rise.
///
/// Stops, metrics, observers and checkpoints are those of a [`Trainer`](crate::Trainer), and so is
/// [`Model::fit`](crate::Model::fit), which scales the data.
///
/// **Cost.** N samples and P parameters take one to two gradients an epoch, some 6·N·P
/// multiplications each, and 8·m·P more. Beside the network and the data a run has (4m+6)·P
/// numbers, and (2A+K+1)·N as counted at [`Trainer`](crate::Trainer): the tape holds all samples at
/// once. Use `f64` to go far down: in `f32` the last digits of the cost are soon all that a search
/// sees.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::train::{Lbfgs, Stopped};
///
/// // Three kinds of points in the plane, in rings.
/// let x = DMatrix::from_fn(2, 90, |i, j| {
///     let (angle, radius) = (j as f64, 1.0 + (j % 3) as f64);
///     radius * if i == 0 { angle.cos() } else { angle.sin() }
/// });
/// let kinds: Vec<usize> = (0..90).map(|j| j % 3).collect();
/// let data = Dataset::new(x, one_hot(&kinds, 3)?)?;
/// let mut net = Sequential::builder(2)
///     .layer(Dense::new(10, Activation::Tanh))
///     .layer(Dense::new(3, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let history = Lbfgs::new(SoftmaxCrossEntropy::new()).fit(&mut net, &data)?;
/// assert!(matches!(
///     history.stopped,
///     Some(Stopped::SmallGradient | Stopped::SmallDecrease)
/// ));
/// assert_eq!(metrics::accuracy(&net.predict(data.inputs())?, &data)?, 1.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias(
    "L-BFGS",
    "LBFGS",
    "BFGS",
    "quasi-newton",
    "trainbfg",
    "trainlbfgs",
    "solver"
))]
pub struct Lbfgs<'a, T: Real> {
    pub(super) method: FullBatch<'a, T, minimize::Lbfgs<T>>,
    pub(super) run: Run<'a, T>,
}

impl<'a, T: Real> Lbfgs<'a, T> {
    /// At most 1000 epochs, with tolerances of 10⁻⁵ for the gradient and 2.2·10⁻⁹ for the decrease
    /// of the cost.
    pub fn new(loss: impl Loss<T> + 'a) -> Self {
        Self {
            method: FullBatch::new(loss, minimize::Lbfgs::new()),
            run: Run::new(1000),
        }
    }

    settings! {
        /// How many epochs, which are steps, a call of [`fit`](Self::fit) runs at most.
        epochs;

        /// The run ends where no component of the gradient is larger: ‖∂C/∂w‖∞ ≤ `tolerance`, the
        /// penalty's gradient included. Finite and ≥ 0; 10⁻⁵ without.
        gradient_tolerance;

        /// The run ends after a step that lowered the cost by no more than
        /// `tolerance`·max(|C before|, |C after|, 1). Finite and ≥ 0; 10⁷ ε of `f64` without. In
        /// `f32`, that is a step after which the cost is the same.
        decrease_tolerance;
    }

    /// How many pairs of steps and changes of the gradient are remembered, at least 1; 10 without.
    #[must_use]
    #[doc(alias("m", "maxcor", "history_size"))]
    pub fn memory(mut self, pairs: usize) -> Self {
        self.method.minimizer.set_pairs(pairs);
        self
    }

    /// How many times a line search looks at cost and gradient, at least 1; 20 without. If it has
    /// found no step by then that fulfills both conditions, it takes the best that fulfills the
    /// first.
    #[must_use]
    #[doc(alias("maxls", "max_eval", "max_fun"))]
    pub fn max_evaluations(mut self, evaluations: usize) -> Self {
        self.method.minimizer.evaluations = evaluations;
        self
    }

    settings! {
        /// Adds a penalty on large weights to the cost. scikit-learn's `alpha` is an L2 penalty of
        /// alpha divided by the number of samples.
        penalty;

        /// Freezes these layers, numbered from 0, and no others, as
        /// [`Trainer::freeze`](crate::Trainer::freeze) does.
        freeze;

        /// Trains on `count` threads of the trainer's own, as
        /// [`Trainer::threads`](crate::Trainer::threads) does, to the same bits for any number.
        threads;

        /// Data on which the cost and the metrics are computed after each epoch, as in
        /// [`Trainer::validation_data`](crate::Trainer::validation_data).
        validation_data;

        /// A metric to compute after each epoch, as in [`Trainer::metric`](crate::Trainer::metric).
        metric;

        /// A reason to end before the last epoch, as in [`Trainer::stop`](crate::Trainer::stop);
        /// all are looked at after each epoch.
        stop;

        /// The network ends with the parameters of the epoch that was best in what is watched, as
        /// in [`Trainer::restore_best`](crate::Trainer::restore_best).
        restore_best;

        /// Tells `observer` what happens, as in [`Trainer::observe`](crate::Trainer::observe). An
        /// epoch has one batch: all samples.
        observe;

        /// Calls back after each epoch; `Break` ends the run. As in
        /// [`Trainer::on_epoch`](crate::Trainer::on_epoch).
        on_epoch;

        /// Lets each call of [`fit`](Self::fit) bring other data, as in
        /// [`Trainer::changing_data`](crate::Trainer::changing_data).
        changing_data;

        /// Writes a checkpoint to `path` every so often and at the end of a run, as in
        /// [`Trainer::checkpoint`](crate::Trainer::checkpoint).
        checkpoint;

        /// The number of epochs finished so far, over all calls of [`fit`](Self::fit).
        epoch;

        /// Begins anew with the same settings, as [`Trainer::reset`](crate::Trainer::reset) does:
        /// the next [`fit`](Self::fit) takes any network and any data.
        reset;

        /// Goes on with `net` as it now is, as
        /// [`Trainer::continue_with`](crate::Trainer::continue_with) does.
        continue_with;

        /// Trains `net` on all samples of `data` together. Called again, it goes on, with the
        /// network and the data of the call before, as [`Trainer::fit`](crate::Trainer::fit) does.
        ///
        /// [`History::stopped`] says why it ended:
        /// [`SmallGradient`](crate::train::Stopped::SmallGradient),
        /// [`SmallDecrease`](crate::train::Stopped::SmallDecrease),
        /// [`SearchFailed`](crate::train::Stopped::SearchFailed), an observer, or one of the
        /// [stops](Self::stop); `None` after the last epoch.
        ///
        /// # Errors
        /// Those of [`Sequential::gradient`] on the data; [`ErrorKind::Empty`] for a network
        /// without parameters, and where all are frozen; [`ErrorKind::NotFinite`] where the cost or
        /// its gradient at the start is NaN or infinite; [`ErrorKind::Value`] for a setting out of
        /// range; [`ErrorKind::Incompatible`] for a stop that watches what is not measured, where
        /// the last layer reaches no target, and for another network or other data than in the call
        /// before. The network is then as it was.
        ///
        /// After [`ErrorKind::Io`], when a checkpoint cannot be written, and what a metric returns,
        /// it is as it was after the last epoch.
        ///
        /// [`ErrorKind::Empty`]: crate::ErrorKind::Empty
        /// [`ErrorKind::NotFinite`]: crate::ErrorKind::NotFinite
        /// [`ErrorKind::Value`]: crate::ErrorKind::Value
        /// [`ErrorKind::Incompatible`]: crate::ErrorKind::Incompatible
        /// [`ErrorKind::Io`]: crate::ErrorKind::Io
        fit;

        /// The cost of what `net` predicts for `data`, without the penalty, and the metrics, as
        /// [`Trainer::evaluate`](crate::Trainer::evaluate) gives them.
        ///
        /// # Errors
        /// As [`Trainer::evaluate`](crate::Trainer::evaluate).
        evaluate;
    }
}

fit_by_run!(Lbfgs);

impl<T: Real> fmt::Debug for Lbfgs<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lbfgs")
            .field("loss", &self.method.loss)
            .field("epochs", &self.run.epochs)
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}
