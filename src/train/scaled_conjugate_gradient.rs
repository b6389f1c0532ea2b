//! Scaled conjugate gradients, the trainer: settings of the method in
//! `optim/minimize/scaled_conjugate_gradient.rs`.

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

/// Scaled conjugate gradients: steps on all samples along conjugate directions, without a line
/// search (M. F. Møller, *A scaled conjugate gradient algorithm for fast supervised learning*,
/// Neural Networks 6, 1993). MATLAB's `trainscg`, which `patternnet` takes by default. It remembers
/// a single direction, where [`Lbfgs`](crate::train::Lbfgs) remembers twenty vectors and usually
/// needs fewer looks at the data.
///
/// With the residual r = −∂C/∂w and the direction p, a step goes to the minimum of the parabola
/// that the curvature along p gives, raised by a λ that keeps it from being too long:
///
/// ```text
/// δ = pᵀ·(∇C(w + σp) − ∇C(w))/σ + λ·‖p‖²,  α = pᵀr/δ,  w ← w + α·p
/// p ← r₊ + β·p,  β = (‖r₊‖² − r₊ᵀr)/pᵀr,  r₊ = −∂C/∂w after the step
/// ```
///
/// with σ·‖p‖ = max(5·10⁻⁵, √ε·‖w‖) and a first λ of 5·10⁻⁷. Where δ ≤ 0, λ grows until it is not.
/// If the cost rises, or is NaN or infinite, the step is taken back, λ grows, and the next one is
/// shorter. By Δ = 2δ·(C before − C after)/(pᵀr)², the part of the promised decrease that came
/// true, λ becomes λ/4 from Δ ≥ ¾ on, and λ + δ·(1 − Δ)/‖p‖² below ¼. After as many steps as there
/// are parameters, p is the steepest descent again. If no λ gives a step that lowers the cost,
/// along the steepest descent either, the run ends with
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
/// **Cost.** N samples and P parameters take two gradients an epoch, some 6·N·P multiplications
/// each, and one more for each step that is taken back. Beside the network and the data a run has
/// 7·P numbers, and (2A+K+1)·N as counted at [`Trainer`](crate::Trainer): the tape holds all
/// samples at once.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::train::ScaledConjugateGradient;
///
/// let x = DMatrix::from_fn(1, 50, |_, j| j as f64 / 25.0 - 1.0);
/// let data = Dataset::new(x.clone(), x.map(|x| (3.0 * x).sin()))?;
/// let mut net = Sequential::builder(1)
///     .layer(Dense::new(8, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let history = ScaledConjugateGradient::new(MeanSquaredError).fit(&mut net, &data)?;
/// assert!(history.costs().last() < Some(1e-3));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("SCG", "trainscg", "conjugate gradient", "traincgp"))]
pub struct ScaledConjugateGradient<'a, T: Real> {
    pub(super) method: FullBatch<'a, T, minimize::ScaledConjugateGradient<T>>,
    pub(super) run: Run<'a, T>,
}

impl<'a, T: Real> ScaledConjugateGradient<'a, T> {
    /// At most 1000 epochs, with tolerances of 10⁻⁵ for the gradient and 2.2·10⁻⁹ for the decrease
    /// of the cost.
    pub fn new(loss: impl Loss<T> + 'a) -> Self {
        Self {
            method: FullBatch::new(loss, minimize::ScaledConjugateGradient::new()),
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

fit_by_run!(ScaledConjugateGradient);

impl<T: Real> fmt::Debug for ScaledConjugateGradient<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScaledConjugateGradient")
            .field("loss", &self.method.loss)
            .field("epochs", &self.run.epochs)
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}
