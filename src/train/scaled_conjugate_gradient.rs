//! Scaled conjugate gradients, the trainer: settings of the method in
//! `optim/minimize/scaled_conjugate_gradient.rs`.

use super::epoch::Epoch;
use super::evaluate::{Evaluation, Metric};
use super::frozen::Frozen;
use super::full_batch::FullBatch;
use super::history::History;
use super::observer::Observer;
#[cfg(feature = "std")]
use super::run::CheckpointEvery;
use super::run::{Fit, Method, Run, Units};
use super::settings::{fit_by_run, full_batch_trainer, settings};
use super::stop::{Monitor, Stop};
use crate::data::Dataset;
use crate::error::Result;
use crate::nn::loss::{Loss, OutputFunction};
use crate::nn::sequential::Sequential;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View};
use crate::optim::minimize;
use crate::optim::{Penalty, Tie};
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
}

full_batch_trainer!(ScaledConjugateGradient);
