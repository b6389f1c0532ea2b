//! Levenberg–Marquardt: least squares for small networks.

use super::cost::Cost;
use super::epoch::Epoch;
use super::evaluate::{Evaluation, Metric};
use super::evidence::Evidence;
use super::history::History;
use super::linearized::{Linearized, outputs_at_once};
use super::observer::{Observer, Step};
#[cfg(feature = "std")]
use super::run::CheckpointEvery;
use super::run::{After, Fit, Halt, Leg, Method, Pace, Run, Units};
use super::settings::settings;
use super::state::Position;
use super::stop::{Monitor, Stop, Stopped};
use crate::data::{Batch, Dataset};
use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::Role;
use crate::nn::loss::{OutputFunction, SumSquaredError};
use crate::nn::sequential::Sequential;
use crate::nn::tape::Tape;
use crate::numeric::bounds::{POSITIVE, not_empty};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, zeros};
use crate::numeric::view::{Targets, View};
use crate::optim::{OptimizerState, Tie, Ties};
use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::fmt;
use core::ops::{ControlFlow, Range};
use nalgebra::{DMatrix, DVector};

const NAME: &str = "LevenbergMarquardt";

/// The first α/β, as a part of max diag(JᵀJ).
const SLIGHT: f64 = 1e-6;

/// α and β are estimated anew after steps that gain less than this part of F: far from a minimum
/// the misfit would be taken for noise.
const SETTLED: f64 = 0.1;

/// How often α and β are looked at again in an epoch, where no step lowers the cost.
const LOOKS: usize = 100;

/// Least squares by second-order steps: C(w) = ½ Σᵢ vᵢ‖yᵢ − tᵢ‖² over all samples, vᵢ their weights
/// ([`SumSquaredError`]). For networks of up to a few hundred parameters nothing else comes as
/// close to the minimum as fast. The example `levenberg_marquardt` fits one period of a sine by a
/// 1-10-1 network of tanh, on 60 points: the cost is 10⁻¹³ or less after a tenth of a second. Adam,
/// with a rate that falls along a cosine, has some 10⁻⁶ after two seconds. MATLAB's `train` does
/// this by default.
///
/// With the residuals r = √v·(y − t) and their Jacobian J = ∂r/∂w, a step h solves
///
/// ```text
/// (JᵀJ + μI)·h = −Jᵀr,  w ← w + h
/// ```
///
/// which is a Gauss–Newton step for a small damping μ, and gradient descent at the rate 1/μ for a
/// large one (Levenberg 1944; Marquardt 1963; for networks Hagan & Menhaj 1994). A step that does
/// not lower the cost is taken back, and μ is multiplied by 2, 4, 8, … until one does. After a good
/// one, μ is multiplied by max(⅓, 1 − (2ρ − 1)³), ρ the drop of the cost over what the linear model
/// promised (H. B. Nielsen, *Damping parameter in Marquardt's method*, 1999).
///
/// The valleys of networks are narrow and bent, so that a step follows the bend: to h is added ½a,
/// the geodesic acceleration
///
/// ```text
/// (JᵀJ + μI)·a = −Jᵀr̈,  r̈ = (r(w + h/10) − 2r(w) + r(w − h/10))·100
/// ```
///
/// and a step with 2‖a‖ > ¾‖h‖ counts as one that does not lower the cost (M. K. Transtrum & J. P.
/// Sethna, *Improvements to the Levenberg–Marquardt algorithm for nonlinear least-squares
/// minimization*, 2012). JᵀJ + μI is factorized by Cholesky's method. The steps are those of
/// inference: no dropout, running statistics as they are.
///
/// An epoch is one step that lowers the cost. In its [`Epoch`], `cost` is the cost after it,
/// `learning_rate` 1/μ, and `gradient_norm` ‖Jᵀr‖₂ before it. Costs never rise, so that every run
/// ends with the best training cost it has seen.
///
/// Stops, metrics, observers and checkpoints are those of a [`Trainer`](crate::Trainer). As there,
/// [`fit`](Self::fit) can be called again to go on, with the damping that it came to;
/// [`reset`](Self::reset) begins anew with another network or other data.
/// [`Model::fit`](crate::Model::fit) takes it, too, and scales the data.
///
/// P parameters and N residuals (samples × outputs) take 3P² + O(P·(128 + outputs)) numbers, and a
/// step N·P² + P³/6 multiplications; above a thousand parameters, a [`Trainer`](crate::Trainer) is
/// the better choice, unless the residuals are few. Where N < P, a step solves the smaller system
///
/// ```text
/// h = −Jᵀ·(JJᵀ + μI)⁻¹·r
/// ```
///
/// which is the same h, for N·P + 2N² numbers and 2N²·P + N³/6 multiplications: of 20 residuals and
/// 8001 parameters some milliseconds. Use `f64`: the conditions of J are squared in JᵀJ.
///
/// With few or noisy data, [`bayesian`](Self::bayesian) keeps the network from fitting the noise.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::train::LevenbergMarquardt;
/// use core::f64::consts::PI;
///
/// let x = DMatrix::from_fn(1, 100, |_, j| -1.0 + 0.02 * j as f64);
/// let data = Dataset::new(x.clone(), x.map(|x| (PI * x).sin()))?;
/// let mut net = Sequential::builder(1)
///     .layer(Dense::new(10, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let history = LevenbergMarquardt::new().epochs(100).fit(&mut net, &data)?;
/// assert!(history.costs().last() < Some(1e-6));
/// # Ok::<(), chainrule::Error>(())
/// ```
///
/// With what a trainer has:
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::train::LevenbergMarquardt;
/// use core::ops::ControlFlow;
///
/// let x = DMatrix::from_fn(1, 90, |_, j| j as f64 / 30.0 - 1.5);
/// let (data, judge) = Dataset::new(x.clone(), x.map(|x| x * x))?.split(0.7, 1)?;
/// let mut net = Sequential::builder(1)
///     .layer(Dense::new(6, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let mut trainer = LevenbergMarquardt::new()
///     .validation_data(&judge)
///     .metric("R²", |y, t| metrics::r2(y, t))
///     .stop(Stop::early_stopping(Monitor::ValidationCost, 5))
///     .restore_best(Monitor::ValidationCost)
///     .on_epoch(|epoch, _| match epoch.metric("R²") {
///         Some(r2) if r2 > 0.999_999 => ControlFlow::Break(()),
///         _ => ControlFlow::Continue(()),
///     });
/// trainer.fit(&mut net, &data)?;
/// assert!(trainer.evaluate(&net, &judge)?.metric("R²") > Some(0.9999));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("trainlm", "least_squares", "curve_fit"))]
pub struct LevenbergMarquardt<'a, T: Real> {
    pub(super) method: LeastSquares<T>,
    pub(super) run: Run<'a, T>,
}

impl<T: Real> Default for LevenbergMarquardt<'_, T> {
    fn default() -> Self {
        Self {
            method: LeastSquares::new(),
            run: Run::new(1000),
        }
    }
}

impl<'a, T: Real> LevenbergMarquardt<'a, T> {
    /// At most 1000 epochs, with a first damping of 10⁻³.
    pub fn new() -> Self {
        Self::default()
    }

    settings! {
        /// How many epochs a call of [`fit`](Self::fit) runs at most.
        epochs;
    }

    /// The same with a first damping of μ = `damping` · max diag(JᵀJ): small where the start is
    /// near a minimum, up to 1 where it is not. Finite and above 0.
    #[must_use]
    pub fn damping(mut self, damping: f64) -> Self {
        self.method.damping = damping;
        self
    }

    /// Lets two blocks share their numbers, as [`Trainer::tie`](crate::Trainer::tie) does: J has
    /// the derivatives by the free parameters alone.
    #[must_use]
    pub fn tie(mut self, tie: Tie) -> Self {
        self.method.ties.push(tie);
        self
    }

    /// Bayesian regularization: a penalty on large parameters whose strength is learned from the
    /// training data alone, so that no part of them is held out (D. J. C. MacKay, *Bayesian
    /// interpolation*, 1992; F. D. Foresee & M. T. Hagan, *Gauss–Newton approximation to Bayesian
    /// learning*, 1997). This is MATLAB's `trainbr`. Steps make small
    ///
    /// ```text
    /// F(w) = β·½ Σᵢ vᵢ‖yᵢ − tᵢ‖² + α·½‖w‖²
    /// ```
    ///
    /// α is the precision of a Gaussian prior of all parameters, biases included, and β that of the
    /// noise in the targets: its standard deviation is 1/√β. (MATLAB's sums have no ½, so that its
    /// `alpha` and `beta` are half of these.) Both are estimated anew after each step that lowers F
    /// by less than a tenth, with N residuals that have a weight, P parameters and H = β·JᵀJ + αI:
    ///
    /// ```text
    /// γ = P − α·tr(H⁻¹),  α ← γ/‖w‖²,  β ← (N − γ)/Σᵢ vᵢ‖yᵢ − tᵢ‖²
    /// ```
    ///
    /// γ is how many parameters the data determine: [`evidence`](Self::evidence) gives it. If more
    /// neurons do not raise it, there are enough of them. The first β is N/Σᵢ vᵢ‖yᵢ − tᵢ‖² at the
    /// start, and the first α so small that α/β = 10⁻⁶·max diag(JᵀJ). Larger steps leave both as
    /// they are: what is not learned yet would be taken for noise, and the network for needless,
    /// for which there is a maximum of the evidence, too. Gain, acceleration and damping are those
    /// of F/β, whose matrix is JᵀJ + (α/β)I. Where α/β is lost in the rounding of JᵀJ, as of data
    /// without noise, β is kept to what can be told from ∞.
    ///
    /// Of the [`Epoch`], `cost` is ½ Σᵢ vᵢ‖yᵢ − tᵢ‖² alone, which may rise; `gradient_norm` is that
    /// of F/β. The run has converged where no step lowers F, and α/β does not change either. Scale
    /// inputs and targets, as [`Model`](crate::Model) does: the prior takes all parameters to be of
    /// one size.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::train::LevenbergMarquardt;
    /// use core::f64::consts::TAU;
    ///
    /// // A sine with noise of deviation 0.1, on 41 points, and 61 parameters.
    /// let x = DMatrix::from_fn(1, 41, |_, j| j as f64 / 20.0 - 1.0);
    /// let noise = |j: usize| 0.14 * (((j * j * 37 + 11 * j) % 101) as f64 / 50.0 - 1.0) * 1.2;
    /// let y = DMatrix::from_fn(1, 41, |_, j| (TAU * x[j]).sin() + noise(j));
    /// let data = Dataset::new(x, y)?;
    /// let mut net = Sequential::builder(1)
    ///     .layer(Dense::new(20, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let mut trainer = LevenbergMarquardt::new().bayesian().epochs(200);
    /// trainer.fit(&mut net, &data)?;
    /// let evidence = trainer.evidence().expect("after an epoch");
    /// assert!(evidence.effective_parameters < 20.0); // of 61
    /// assert!((evidence.noise() - 0.1).abs() < 0.05);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    #[doc(alias("trainbr", "regularization", "weight decay", "evidence framework"))]
    pub fn bayesian(mut self) -> Self {
        self.method.bayesian = true;
        self
    }

    /// What the last epoch of a [Bayesian](Self::bayesian) run has found of weights and noise;
    /// `None` before the first, and of other runs.
    pub fn evidence(&self) -> Option<Evidence> {
        self.method.evidence()
    }

    settings! {
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
    }

    /// The number of epochs finished so far, over all calls of [`fit`](Self::fit).
    pub fn epoch(&self) -> usize {
        self.run.state.position.epoch
    }

    /// Begins anew with the same settings, as [`Trainer::reset`](crate::Trainer::reset) does: the
    /// next [`fit`](Self::fit) takes any network and any data, and the first damping.
    pub fn reset(&mut self) {
        self.method = LeastSquares {
            damping: self.method.damping,
            ties: core::mem::take(&mut self.method.ties),
            bayesian: self.method.bayesian,
            ..LeastSquares::new()
        };
        self.run.reset();
    }

    /// Goes on with `net` as it now is, as
    /// [`Trainer::continue_with`](crate::Trainer::continue_with) does.
    pub fn continue_with(&mut self, net: &Sequential<T>) {
        self.run.state.adopt(net);
    }

    /// Trains `net` on all samples of `data` together. [`History::stopped`] is
    /// [`Stopped::Converged`] where no step lowers the cost any more. Called again, it goes on,
    /// with the network and the data of the call before, as [`Trainer::fit`](crate::Trainer::fit)
    /// does.
    ///
    /// # Errors
    /// Those of [`Sequential::gradient`] with [`SumSquaredError`] on the data; [`ErrorKind::Empty`]
    /// for a network without parameters; [`ErrorKind::NotFinite`] where the cost, its derivatives
    /// or the damping overflow, and where targets are so much larger than the outputs that no step
    /// shows in the cost; [`ErrorKind::Value`] for a setting out of range or where P² numbers do
    /// not fit into memory; [`ErrorKind::Incompatible`] for a stop that watches what is not
    /// measured, where the last layer reaches no target, and for another network or other data than
    /// in the call before. The network is then as it was.
    ///
    /// After [`ErrorKind::Io`], when a checkpoint cannot be written, and what a metric returns, it
    /// is as it was after the last epoch, unless the metric's error is [`ErrorKind::NotFinite`],
    /// too.
    pub fn fit(&mut self, net: &mut Sequential<T>, data: &Dataset<T>) -> Result<History> {
        self.fit_in(Units::NETWORK, net, data)
    }

    /// The cost of what `net` predicts for `data`, and the metrics, as
    /// [`Trainer::evaluate`](crate::Trainer::evaluate) gives them.
    ///
    /// # Errors
    /// As [`Trainer::evaluate`](crate::Trainer::evaluate), with [`SumSquaredError`].
    pub fn evaluate(&mut self, net: &Sequential<T>, data: &Dataset<T>) -> Result<Evaluation> {
        self.evaluate_in(Units::NETWORK, net, data)
    }
}

impl<T: Real> Fit<T> for LevenbergMarquardt<'_, T> {
    fn output_function(&self) -> OutputFunction {
        self.method.loss().output_function()
    }

    fn fit_in(
        &mut self,
        units: Units<'_, T>,
        net: &mut Sequential<T>,
        data: &Dataset<T>,
    ) -> Result<History> {
        compiled_here!(T: |trainer: &mut LevenbergMarquardt<'_, T>,
                           units: Units<'_, T>,
                           net: &mut Sequential<T>,
                           data: &Dataset<T>| -> Result<History> {
            let LevenbergMarquardt { method, run } = trainer;
            let before = (net.params().to_vec(), method.memory.clone(), run.state.clone());
            let result = run.fit(method, units, net, data);
            method.work = None;
            if matches!(&result, Err(error) if error.kind() == ErrorKind::NotFinite) {
                // Of a run that has lost itself in numbers too large, nothing stays.
                net.params_mut().copy_from_slice(&before.0);
                (method.memory, run.state) = (before.1, before.2);
            }
            result
        })(self, units, net, data)
    }

    fn evaluate_in(
        &mut self,
        units: Units<'_, T>,
        net: &Sequential<T>,
        data: &Dataset<T>,
    ) -> Result<Evaluation> {
        compiled_here!(T: |trainer: &mut LevenbergMarquardt<'_, T>,
                           units: Units<'_, T>,
                           net: &Sequential<T>,
                           data: &Dataset<T>| -> Result<Evaluation> {
            trainer.run.evaluate(&mut trainer.method, units, net, data)
        })(self, units, net, data)
    }

    fn has_trained(&self, net: &Sequential<T>) -> bool {
        self.run.has_trained(net)
    }
}

impl<T: Real> fmt::Debug for LevenbergMarquardt<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LevenbergMarquardt")
            .field("epochs", &self.run.epochs)
            .field("damping", &self.method.damping)
            .field("bayesian", &self.method.bayesian)
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}

/// The method: one step on all samples an epoch.
pub(super) struct LeastSquares<T: Real> {
    damping: f64,
    ties: Vec<Tie>,
    tied: Ties,
    bayesian: bool,
    /// How many epochs there were, and once there was one the μ that the next begins with; with
    /// Bayesian regularization also the numbers of an [`Evidence`].
    memory: OptimizerState<T>,
    /// For evaluations.
    tape: Tape<T>,
    /// The linear model, during a call.
    work: Option<Work<T>>,
}

impl<T: Real> LeastSquares<T> {
    fn new() -> Self {
        let memory = OptimizerState {
            rule: NAME.into(),
            step: 0,
            slots: vec![Vec::new()],
            numbers: Vec::new(),
            averaged: None,
        };
        Self {
            damping: 1e-3,
            ties: Vec::new(),
            tied: Ties::NONE,
            bayesian: false,
            memory,
            tape: Tape::new(),
            work: None,
        }
    }

    fn evidence(&self) -> Option<Evidence> {
        Evidence::of(&self.memory.numbers)
    }
}

impl<T: Real> Method<T> for LeastSquares<T> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cost(&self) -> Cost<'_, T> {
        Cost::of(&SumSquaredError)
    }

    fn parts(&mut self) -> (Cost<'_, T>, &mut Tape<T>) {
        (Cost::of(&SumSquaredError), &mut self.tape)
    }

    fn check(&self, net: &Sequential<T>, _: u64) -> Result<()> {
        POSITIVE.check_in::<T>("damping of LevenbergMarquardt", self.damping)?;
        not_empty(
            NAME,
            "a network with at least 1 parameter",
            net.params().len(),
        )
    }

    fn prepare(&mut self, net: &Sequential<T>) -> Result<()> {
        self.tied = Ties::new(&self.ties, net.layout(), |_| false)?;
        self.work = None;
        Ok(())
    }

    fn spread_ties(&self, net: &mut Sequential<T>) {
        self.tied.spread(net.params_mut());
    }

    fn steps(&self, _: usize) -> usize {
        1
    }

    fn epoch(
        &mut self,
        net: &mut Sequential<T>,
        data: Batch<'_, T>,
        position: &mut Position,
        _: Pace,
        after: &mut After<'_, T>,
    ) -> Result<Leg> {
        let mut evidence = self.evidence();
        let work = match self.work.take() {
            Some(work) => work,
            None => Work::new(net, data, self.tied.clone())?,
        };
        let work = self.work.insert(work);
        let before = work.cost;
        work.linearize(net, data)?;
        if self.bayesian {
            let known = evidence.unwrap_or_else(|| work.first_evidence(net, data));
            work.regularize(net, known.lambda());
            evidence = Some(known);
        }
        let mut norm = work.gradient_norm()?;
        let known = self.memory.slots.iter().flatten().next().copied();
        let first = || T::of(self.damping) * work.linear.steepest();
        let start = known.unwrap_or_else(first);
        let mut mu = Damping::new(start);
        mu.check()?;
        let mut looks = 0;
        while !work.step(net, data, &mut mu)? {
            // What is weighed may still change, though no step gains by it as it is.
            if let Some(known) = evidence.filter(|_| looks < LOOKS) {
                let next = work.weigh(net, data, &known, true)?;
                let change = (next.lambda::<T>() / known.lambda() - T::one()).abs();
                evidence = Some(next);
                if change > T::default_epsilon().sqrt() {
                    work.regularize(net, next.lambda());
                    norm = work.gradient_norm()?;
                    mu = Damping::new(start);
                    looks += 1;
                    continue;
                }
            }
            work.check_converged(net, data, norm)?;
            if let Some(evidence) = evidence.filter(|_| self.memory.step > 0) {
                self.memory.numbers = evidence.numbers();
            }
            let halt = Some(Halt::Stopped(Stopped::Converged));
            return Ok(Leg {
                over: false,
                halt,
                before: None,
            });
        }
        if let Some(known) = evidence {
            let settled = work.gain < T::of(SETTLED);
            work.linearize(net, data)?;
            self.memory.numbers = work.weigh(net, data, &known, settled)?.numbers();
        }
        let Position {
            epoch, batch, step, ..
        } = *position;
        let rate = 1.0 / mu.value.as_f64();
        self.memory.slots = vec![vec![mu.value]];
        self.memory.step += 1;
        position.samples = data.len();
        position.cost = work.cost.as_f64();
        position.rate = rate;
        position.gradient_norm = norm.as_f64();
        position.step += 1;
        let step = Step {
            epoch,
            batch,
            step,
            cost: before.as_f64(),
            learning_rate: rate,
        };
        Ok(Leg {
            over: true,
            halt: after(&step, net),
            before: Some(before.as_f64()),
        })
    }

    fn memory(&self) -> &OptimizerState<T> {
        &self.memory
    }

    fn remember(&mut self, memory: &OptimizerState<T>) -> Result<()> {
        if !self.fits(memory, 0) {
            let expected = "nothing before the first epoch, and then one finite number > 0";
            let given = format!(
                "{:?} and {:?} after {} epochs of {}",
                memory.slots, memory.numbers, memory.step, memory.rule
            );
            return Err(Error::new(
                ErrorKind::Incompatible,
                "damping of LevenbergMarquardt",
                expected,
                given,
            ));
        }
        self.memory.clone_from(memory);
        Ok(())
    }

    fn fits(&self, memory: &OptimizerState<T>, _: usize) -> bool {
        let begun = memory.step > 0;
        let sound = match memory.slots[..] {
            [ref slot] => match slot[..] {
                [] => !begun,
                [mu] => begun && mu.is_finite() && mu > T::zero(),
                _ => false,
            },
            _ => false,
        };
        let weighed = match memory.numbers[..] {
            [] => !(begun && self.bayesian),
            [alpha, beta, gamma, log_evidence] => {
                let precisions = [alpha, beta].iter().all(|v| v.is_finite() && *v > 0.0);
                self.bayesian && begun && precisions && gamma >= 0.0 && !log_evidence.is_nan()
            }
            _ => false,
        };
        sound && weighed && memory.rule == NAME
    }

    #[cfg(feature = "std")]
    fn settings(&self) -> Vec<(&'static str, String)> {
        let method = if self.bayesian {
            format!("{NAME}, Bayesian")
        } else {
            NAME.into()
        };
        let mut settings = vec![("method", method)];
        settings.extend(Tie::setting(&self.ties));
        settings
    }
}

/// μ and what it is multiplied by after a step that fails.
struct Damping<T> {
    value: T,
    growth: T,
}

impl<T: Real> Damping<T> {
    fn new(value: T) -> Self {
        // All derivatives 0: any damping is as good.
        Self {
            value: if value > T::zero() { value } else { T::one() },
            growth: T::of(2.0),
        }
    }

    /// After a step of so great a gain, as a part of what was promised.
    fn succeed(&mut self, gain: T) {
        let u = T::of(2.0) * gain - T::one();
        let (factor, least) = (T::one() - u * u * u, T::one() / T::of(3.0));
        self.value *= if factor > least { factor } else { least };
        // Not so small that 1/μ is no number.
        self.value = self.value.max(T::default_epsilon() * T::default_epsilon());
        self.growth = T::of(2.0);
    }

    fn check(&self) -> Result<()> {
        if self.value.is_finite() {
            Ok(())
        } else {
            Err(overflow("a finite damping", self.value))
        }
    }

    fn fail(&mut self) {
        self.value *= self.growth;
        self.growth *= T::of(2.0);
    }
}

/// The linear model of the residuals, and room for a step.
struct Work<T: Real> {
    tape: Tape<T>,
    /// Which parameters stand for others.
    tied: Ties,
    /// C at the network's parameters.
    cost: T,
    /// The part of it, penalty included, by which the last step lowered it.
    gain: T,
    linear: Linearized<T>,
    /// Whether that is of the network's parameters.
    fresh: bool,
    /// λ, and the parameters that it makes smaller, 0 in place of others.
    decay: Option<(T, DVector<T>)>,
    /// Jᵀr + λw.
    gradient: DVector<T>,
    h: DVector<T>,
    /// ½a.
    bend: DVector<T>,
    /// Parameters to look at, and others.
    trial: Vec<T>,
    other: Vec<T>,
    /// Outputs of some samples at the others.
    other_y: Vec<T>,
}

impl<T: Real> Work<T> {
    fn new(net: &Sequential<T>, data: Batch<'_, T>, tied: Ties) -> Result<Self> {
        let (count, outputs) = (net.params().len(), net.outputs());
        let mut tape = Tape::new();
        let cost = net.cost(data.x, data.target, &SumSquaredError, &mut tape)?;
        if !cost.is_finite() {
            return Err(overflow("a finite cost at the start", cost));
        }
        Ok(Self {
            tape,
            cost,
            gain: T::one(),
            linear: Linearized::new(net, data.len(), tied.clone())?,
            tied,
            fresh: false,
            decay: None,
            gradient: DVector::zeros(count),
            h: DVector::zeros(count),
            bend: DVector::zeros(count),
            trial: net.params().to_vec(),
            other: net.params().to_vec(),
            other_y: zeros(NAME, &[outputs_at_once(outputs)])?,
        })
    }

    /// r and J at the network's parameters.
    fn linearize(&mut self, net: &Sequential<T>, data: Batch<'_, T>) -> Result<()> {
        if !core::mem::replace(&mut self.fresh, true) {
            self.linear.update(net, data, &mut self.tape)?;
        }
        match self.linear.numbers().find(|value| !value.is_finite()) {
            Some(value) => Err(overflow("finite derivatives of the residuals", value)),
            None => {
                self.gradient.copy_from(self.linear.slope());
                Ok(())
            }
        }
    }

    /// Adds ½λ‖w‖² to the cost that steps make small.
    fn regularize(&mut self, net: &Sequential<T>, lambda: T) {
        let mut w = match self.decay.take() {
            Some((_, w)) => w,
            None => DVector::zeros(self.gradient.len()),
        };
        for range in decayed(net, &self.tied) {
            w.rows_mut(range.start, range.len())
                .copy_from_slice(&net.params()[range]);
        }
        self.gradient.copy_from(self.linear.slope());
        self.gradient.axpy(lambda, &w, T::one());
        self.decay = Some((lambda, w));
    }

    /// What steps make small, at parameters of that cost.
    fn objective(&self, net: &Sequential<T>, params: &[T], cost: T) -> T {
        match &self.decay {
            None => cost,
            Some((lambda, _)) => cost + T::of(0.5) * *lambda * square(net, &self.tied, params),
        }
    }

    /// ‖Jᵀr + λw‖₂.
    fn gradient_norm(&self) -> Result<T> {
        let norm = norm(self.gradient.as_slice());
        if norm.is_finite() {
            Ok(norm)
        } else {
            Err(overflow("a gradient of finite norm", norm))
        }
    }

    /// Refuses an end without a small gradient. Targets are then so much larger than outputs, and
    /// the way to them so bent, that what a step gains is lost in the rounding of the cost.
    fn check_converged(
        &mut self,
        net: &Sequential<T>,
        data: Batch<'_, T>,
        gradient: T,
    ) -> Result<()> {
        let Batch { x, target } = data;
        let mut y = DMatrix::zeros(net.outputs(), data.len());
        net.predict_into(x, &mut y, &mut self.tape)?;
        if let Some(weights) = target.weights() {
            y.column_iter_mut()
                .zip(weights)
                .for_each(|(mut y, weight)| y *= weight.sqrt());
        }
        let residuals = (self.cost + self.cost).sqrt();
        let slopes = self.linear.trace().sqrt();
        // How much of r lies along J, and how much of it rounding hides.
        let hidden = T::of(4.0) * (T::default_epsilon() * T::of(y.len() as f64)).sqrt();
        let small = gradient <= hidden * slopes * residuals;
        if small || norm(y.as_slice()) >= T::of(1e-3) * residuals {
            return Ok(());
        }
        let given = format!(
            "a gradient of norm {:.3e} that no step can follow",
            gradient.as_f64()
        );
        Err(overflow("targets of the size of the outputs", given))
    }

    /// Takes a step that lowers the cost; says whether there is one.
    fn step(
        &mut self,
        net: &mut Sequential<T>,
        data: Batch<'_, T>,
        mu: &mut Damping<T>,
    ) -> Result<bool> {
        let size = norm(net.params());
        let before = self.objective(net, net.params(), self.cost);
        loop {
            if self.solve(net, data, mu.value)? {
                let (length, bend) = (norm(self.h.as_slice()), norm(self.bend.as_slice()));
                if length <= T::default_epsilon() * (size + T::default_epsilon()) {
                    return Ok(false);
                }
                // 2‖a‖ ≤ ¾‖h‖.
                if bend <= T::of(0.1875) * length {
                    for (trial, (w, (h, bend))) in self
                        .trial
                        .iter_mut()
                        .zip(net.params().iter().zip(self.h.iter().zip(&self.bend)))
                    {
                        *trial = *w + *h + *bend;
                    }
                    self.tied.spread(&mut self.trial);
                    let cost = net.at(&self.trial)?.cost(
                        data.x,
                        data.target,
                        &SumSquaredError,
                        &mut self.tape,
                    )?;
                    let after = self.objective(net, &self.trial, cost);
                    if after < before {
                        let promised =
                            T::of(0.5) * (mu.value * length * length - self.h.dot(&self.gradient));
                        mu.succeed((before - after) / promised);
                        net.params_mut().copy_from_slice(&self.trial);
                        (self.cost, self.fresh) = (cost, false);
                        self.gain = (before - after) / before;
                        return Ok(true);
                    }
                }
            }
            mu.fail();
            if !mu.value.is_finite() {
                return Ok(false);
            }
        }
    }

    /// h and ½a; false where JᵀJ + μI is not positive definite to rounding, or they are no numbers.
    fn solve(&mut self, net: &Sequential<T>, data: Batch<'_, T>, mu: T) -> Result<bool> {
        let decay = self.decay.as_ref().map(|(lambda, w)| (*lambda, w));
        let shift = decay.map_or(mu, |(lambda, _)| lambda + mu);
        if !self.linear.factorize(shift) {
            return Ok(false);
        }
        let tape = &mut self.tape;
        self.linear
            .step(&self.gradient, decay, shift, &mut self.h, tape);
        let part = T::of(0.1);
        for ((ahead, behind), (w, h)) in self
            .trial
            .iter_mut()
            .zip(&mut self.other)
            .zip(net.params().iter().zip(&self.h))
        {
            (*ahead, *behind) = (*w + part * *h, *w - part * *h);
        }
        self.tied.spread(&mut self.trial);
        self.tied.spread(&mut self.other);
        let sides = (&self.trial[..], &self.other[..]);
        self.linear.bend(
            net,
            data,
            sides,
            part,
            &mut self.other_y,
            &mut self.bend,
            tape,
        )?;
        Ok(self.h.iter().chain(&self.bend).all(|step| step.is_finite()))
    }

    /// β as the start has it, and so small an α that a step begins as without one.
    fn first_evidence(&self, net: &Sequential<T>, data: Batch<'_, T>) -> Evidence {
        let positive = |number: f64| {
            if number.is_finite() && number > 0.0 {
                number
            } else {
                1.0
            }
        };
        let residuals = 2.0 * self.cost.as_f64();
        let beta = positive(counted(net, data) as f64 / residuals);
        self.bounded(Evidence {
            alpha: positive(SLIGHT * self.linear.steepest().as_f64() * beta),
            beta,
            effective_parameters: 0.0,
            log_evidence: f64::NEG_INFINITY,
        })
    }

    /// The same with β no greater than rounding can tell from ∞, beside this α.
    fn bounded(&self, evidence: Evidence) -> Evidence {
        let rounding = T::of(self.linear.width() as f64) * T::default_epsilon();
        let least = (rounding * self.linear.trace()).as_f64();
        let most = evidence.alpha / least;
        if evidence.beta <= most {
            return evidence;
        }
        Evidence {
            beta: most,
            ..evidence
        }
    }

    /// γ and the evidence of the network as it is; with α and β of before, or `anew` from γ.
    fn weigh(
        &mut self,
        net: &Sequential<T>,
        data: Batch<'_, T>,
        before: &Evidence,
        anew: bool,
    ) -> Result<Evidence> {
        let failed = || overflow("weights that data and prior determine", "a singular matrix");
        let (gamma, mut log_det) = self.linear.spectrum(before.lambda()).ok_or_else(failed)?;
        let (count, width) = (counted(net, data) as f64, self.linear.width() as f64);
        let gamma = gamma.as_f64().clamp(0.0, width.min(count));
        let (weights, residuals) = (
            square(net, &self.tied, net.params()).as_f64(),
            2.0 * self.cost.as_f64(),
        );
        let mut evidence = Evidence {
            effective_parameters: gamma,
            ..*before
        };
        if anew {
            let (alpha, beta) = (gamma / weights, (count - gamma) / residuals);
            let sound = |new: f64, old| {
                if new.is_finite() && new > 0.0 {
                    new
                } else {
                    old
                }
            };
            evidence = self.bounded(Evidence {
                alpha: sound(alpha, before.alpha),
                beta: sound(beta, before.beta),
                ..evidence
            });
            log_det = self
                .linear
                .spectrum(evidence.lambda())
                .ok_or_else(failed)?
                .1;
        }
        let Evidence { alpha, beta, .. } = evidence;
        let (ln_alpha, ln_beta) = (T::of(alpha).ln().as_f64(), T::of(beta).ln().as_f64());
        let two_pi = T::two_pi().ln().as_f64();
        let roots = data.target.weights().map_or(0.0, |weights| {
            let positive = weights.iter().filter(|weight| **weight > T::zero());
            let logs = positive.map(|weight| weight.ln().as_f64());
            0.5 * net.outputs() as f64 * logs.sum::<f64>()
        });
        evidence.log_evidence =
            roots - 0.5 * (beta * residuals + alpha * weights) - 0.5 * log_det.as_f64()
                + 0.5 * net.params().len() as f64 * (ln_alpha - ln_beta)
                + 0.5 * count * (ln_beta - two_pi);
        Ok(evidence)
    }
}

/// The parameters that a prior makes small: all but running statistics,
/// and each that stands for others once.
fn decayed<T: Real>(net: &Sequential<T>, tied: &Ties) -> impl Iterator<Item = Range<usize>> {
    let blocks = net.layout().blocks();
    blocks
        .filter(|placed| placed.block.role != Role::Statistic && !tied.is_copy(&placed.range))
        .map(|placed| placed.range)
}

/// ‖w‖² of those.
fn square<T: Real>(net: &Sequential<T>, tied: &Ties, params: &[T]) -> T {
    let ranges = decayed(net, tied);
    ranges.fold(T::zero(), |sum, range| {
        params[range].iter().fold(sum, |sum, w| sum + *w * *w)
    })
}

/// How many residuals there are, but for those of samples that weigh nothing.
fn counted<T: Real>(net: &Sequential<T>, data: Batch<'_, T>) -> usize {
    let samples = data.target.weights().map_or(data.len(), |weights| {
        weights.iter().filter(|weight| **weight > T::zero()).count()
    });
    samples * net.outputs()
}

/// The Euclidean norm, whose squares neither overflow nor vanish.
fn norm<T: Real>(numbers: &[T]) -> T {
    let largest = numbers
        .iter()
        .fold(T::zero(), |largest, number| largest.max(number.abs()));
    if largest == T::zero() || !largest.is_finite() {
        return largest;
    }
    largest
        * numbers
            .iter()
            .fold(T::zero(), |sum, number| {
                sum + (*number / largest) * (*number / largest)
            })
            .sqrt()
}

/// Numbers too large to go on with.
fn overflow(expected: &str, given: impl ToString) -> Error {
    let expected =
        format!("{expected} (scale the inputs and the targets, as Scaler::standard does)");
    Error::new(ErrorKind::NotFinite, "LevenbergMarquardt", expected, given)
}
