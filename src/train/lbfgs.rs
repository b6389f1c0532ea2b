//! L-BFGS, the trainer: settings of the method in `optim/minimize/lbfgs.rs`.

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
}

full_batch_trainer!(Lbfgs);
