//! Levenberg–Marquardt: least squares for small networks.

use super::epoch::Epoch;
use super::history::{History, Warning};
use super::reach::check_reach;
use super::state::State;
use super::stop::{Monitor, Stop, Stopped, Watch};
use crate::data::Dataset;
use crate::error::{Error, ErrorKind, Result};
use crate::ground::clock::Clock;
use crate::nn::loss::SumSquaredError;
use crate::nn::sequential::Sequential;
use crate::nn::tape::Tape;
use crate::numeric::bounds::POSITIVE;
use crate::numeric::real::{Real, zeros};
use crate::numeric::view::{Targets, View, ViewMut};
use alloc::string::ToString;
use alloc::{format, vec::Vec};
use nalgebra::{Cholesky, DMatrix, DVector};

/// Residuals whose gradients are added to JᵀJ at once: enough for the product to be fast, few enough to stay in the cache.
const CHUNK: usize = 128;

/// Least squares by second-order steps: C(w) = ½ Σᵢ vᵢ‖yᵢ − tᵢ‖² over all samples, vᵢ their weights
/// ([`SumSquaredError`]). For networks of up to a few hundred parameters nothing else comes as close to the minimum as fast: on one
/// period of a sine (60 points, a 1-10-1 network of tanh; the example `levenberg_marquardt`) the cost is 10⁻¹³ or less after a tenth of
/// a second, where Adam, with a rate that falls along a cosine, has 10⁻⁶ after ten seconds. MATLAB's `train` does this by default.
///
/// With the residuals r = √v·(y − t) and their Jacobian J = ∂r/∂w, a step h solves
///
/// ```text
/// (JᵀJ + μI)·h = −Jᵀr,  w ← w + h
/// ```
///
/// which is a Gauss–Newton step for a small damping μ, and gradient descent at the rate 1/μ for a large one (Levenberg 1944;
/// Marquardt 1963; for networks Hagan & Menhaj 1994). A step that does not lower the cost is taken back, and μ is multiplied by
/// 2, 4, 8, … until one does. After a good one, μ is multiplied by max(⅓, 1 − (2ρ − 1)³), ρ the drop of the cost over what the
/// linear model promised (H. B. Nielsen, *Damping parameter in Marquardt's method*, 1999).
///
/// The valleys of networks are narrow and bent, so that a step follows the bend: to h is added ½a, the geodesic acceleration
///
/// ```text
/// (JᵀJ + μI)·a = −Jᵀr̈,  r̈ = (r(w + h/10) − 2r(w) + r(w − h/10))·100
/// ```
///
/// and a step with 2‖a‖ > ¾‖h‖ counts as one that does not lower the cost (M. K. Transtrum & J. P. Sethna, *Improvements to the
/// Levenberg–Marquardt algorithm for nonlinear least-squares minimization*, 2012). JᵀJ + μI is factorized by Cholesky's
/// method. The steps are those of inference: no dropout, running statistics as they are.
///
/// An epoch is one step that lowers the cost. In its [`Epoch`], `cost` is the cost after it, `rate` 1/μ, and `gradient_norm`
/// ‖Jᵀr‖₂ before it. Costs never rise, so that every run ends with the best training cost it has seen.
///
/// P parameters and N residuals (samples × outputs) take 3P² + O(P·(128 + outputs)) numbers, and a step N·P² + P³/6
/// multiplications; above a thousand parameters, a [`Trainer`](crate::Trainer) is the better choice. Use `f64`: the conditions
/// of J are squared in JᵀJ.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::rand::SeedableRng;
/// use chainrule::rand::rngs::Xoshiro256PlusPlus;
/// use chainrule::train::LevenbergMarquardt;
/// use core::f64::consts::PI;
///
/// let x = DMatrix::from_fn(1, 100, |_, j| -1.0 + 0.02 * j as f64);
/// let data = Dataset::new(x.clone(), x.map(|x| (PI * x).sin()))?;
/// let mut net = Sequential::builder(1)
///     .layer(Dense::new(10, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
/// let history = LevenbergMarquardt::new().epochs(100).fit(&mut net, &data)?;
/// assert!(history.costs().last() < Some(1e-6));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LevenbergMarquardt<'a, T: Real> {
    epochs: usize,
    damping: f64,
    validation: Option<&'a Dataset<T>>,
    stops: Vec<Stop>,
    best: Option<Monitor>,
}

impl<T: Real> Default for LevenbergMarquardt<'_, T> {
    fn default() -> Self {
        Self {
            epochs: 1000,
            damping: 1e-3,
            validation: None,
            stops: Vec::new(),
            best: None,
        }
    }
}

impl<'a, T: Real> LevenbergMarquardt<'a, T> {
    /// At most 1000 epochs, with a first damping of 10⁻³.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with at most so many epochs.
    #[must_use]
    pub fn epochs(self, epochs: usize) -> Self {
        Self { epochs, ..self }
    }

    /// The same with a first damping of μ = `damping` · max diag(JᵀJ): small where the start is near a minimum, up to 1 where it
    /// is not. Finite and above 0.
    #[must_use]
    pub fn damping(self, damping: f64) -> Self {
        Self { damping, ..self }
    }

    /// The same, with the cost on other data after each epoch.
    #[must_use]
    pub fn validation_data(self, data: &'a Dataset<T>) -> Self {
        Self {
            validation: Some(data),
            ..self
        }
    }

    /// The same with one more reason to end, as in [`Trainer::stop`](crate::Trainer::stop); all are looked at after each epoch.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stops.push(stop);
        self
    }

    /// The same, where the network ends with the parameters of the epoch that was best in what is watched.
    #[must_use]
    pub fn restore_best(self, monitor: Monitor) -> Self {
        Self {
            best: Some(monitor),
            ..self
        }
    }

    /// Trains `net` on all samples of `data` together. [`History::stopped`] is [`Stopped::Converged`] where no step lowers the
    /// cost any more.
    ///
    /// # Errors
    /// Those of [`Sequential::gradient`] with [`SumSquaredError`] on the data; [`ErrorKind::Empty`] for a network without parameters;
    /// [`ErrorKind::NotFinite`] where the cost, its derivatives or the damping overflow, and where targets are so
    /// much larger than the outputs that no step shows in the cost; [`ErrorKind::Value`] for a setting out of
    /// range or where P² numbers do not fit into memory; [`ErrorKind::Incompatible`] for a stop that watches what
    /// is not measured, and where the last layer reaches no target. The network is then as it was.
    pub fn fit(&self, net: &mut Sequential<T>, data: &Dataset<T>) -> Result<History> {
        let warning = self.check(net, data)?;
        let start = net.params().to_vec();
        let mut history = self.run(net, data);
        if let Ok(history) = &mut history {
            history.warnings.extend(warning);
        }
        if history.is_err() {
            net.params_mut().copy_from_slice(&start);
        }
        history
    }

    fn run(&self, net: &mut Sequential<T>, data: &Dataset<T>) -> Result<History> {
        let mut work = Work::new(net, data)?;
        let (mut history, mut state) = (History::default(), State::default());
        let mut watches: Vec<Watch> = self.stops.iter().map(Watch::new).collect();
        let (mut damping, mut seconds) = (None, 0.0);
        for epoch in 0..self.epochs {
            let clock = Clock::start();
            let before = work.cost;
            work.linearize(net, data)?;
            let norm = work.gradient_norm()?;
            let mu = damping.get_or_insert_with(|| {
                Damping::new(T::of(self.damping) * work.normal.diagonal().max())
            });
            mu.check()?;
            if !work.step(net, data, mu)? {
                work.check_converged(net, data, norm)?;
                history.stopped = Some(Stopped::Converged);
                break;
            }
            let validation = self
                .validation
                .map(|data| net.cost(data.inputs(), data, &SumSquaredError, &mut work.tape))
                .transpose()?;
            let seconds_now = clock.seconds();
            seconds += seconds_now.unwrap_or(0.0);
            let epoch = Epoch {
                epoch,
                cost: work.cost.as_f64(),
                validation_cost: validation.map(T::as_f64),
                metrics: Vec::new(),
                learning_rate: 1.0 / mu.value.as_f64(),
                gradient_norm: norm.as_f64(),
                seconds: seconds_now,
            };
            let moved = || {
                work.h
                    .iter()
                    .zip(&work.bend)
                    .fold(0.0, |most, (h, bend)| (*h + *bend).as_f64().abs().max(most))
            };
            for (stop, watch) in self.stops.iter().zip(&mut watches) {
                let timed = stop
                    .time()
                    .is_some_and(|time| seconds >= time.as_secs_f64());
                if (watch.sees(stop, &epoch, Some(before.as_f64()), moved) || timed)
                    && history.stopped.is_none()
                {
                    history.stopped = Some(Stopped::By(stop.clone()));
                }
            }
            if let Some(monitor) = &self.best {
                state.note_best(monitor, &epoch, net);
            }
            history.epochs.push(epoch);
            if history.stopped.is_some() {
                break;
            }
        }
        state.put_best(net);
        Ok(history)
    }

    fn check(&self, net: &Sequential<T>, data: &Dataset<T>) -> Result<Option<Warning>> {
        POSITIVE.check_in::<T>("damping of LevenbergMarquardt", self.damping)?;
        for data in [Some(data), self.validation].into_iter().flatten() {
            net.check_pass(data.inputs().into(), data.into(), &SumSquaredError)?;
        }
        net.check_trainable()?;
        if net.params().is_empty() {
            return Err(Error::new(
                ErrorKind::Empty,
                "LevenbergMarquardt",
                "a network with at least 1 parameter",
                0,
            ));
        }
        self.stops.iter().try_for_each(Stop::check)?;
        let mut watched = self
            .stops
            .iter()
            .filter_map(Stop::monitor)
            .chain(&self.best);
        watched.try_for_each(|monitor| {
            monitor.check(self.validation.is_some(), core::iter::empty())
        })?;
        check_reach(net, data, &SumSquaredError)
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
    /// C at the network's parameters.
    cost: T,
    /// JᵀJ.
    normal: DMatrix<T>,
    /// Jᵀr = ∂C/∂w.
    gradient: DVector<T>,
    h: DVector<T>,
    /// ½a.
    bend: DVector<T>,
    /// Parameters to look at, and others.
    trial: Vec<T>,
    other: Vec<T>,
    /// Gradients of some residuals, parameters × residuals, and their product with themselves.
    rows: Vec<T>,
    product: Vec<T>,
    /// Outputs of some samples at some parameters, and at others.
    y: Vec<T>,
    other_y: Vec<T>,
    /// Where JᵀJ + μI is factorized.
    damped: DMatrix<T>,
}

impl<T: Real> Work<T> {
    fn new(net: &Sequential<T>, data: &Dataset<T>) -> Result<Self> {
        let (count, outputs) = (net.params().len(), net.outputs());
        let mut tape = Tape::new();
        let cost = net.cost(data.inputs(), data, &SumSquaredError, &mut tape)?;
        if !cost.is_finite() {
            return Err(overflow("a finite cost at the start", cost));
        }
        let place = "LevenbergMarquardt";
        let residuals = samples(outputs) * outputs;
        let square = || {
            Ok::<_, Error>(DMatrix::from_vec(
                count,
                count,
                zeros(place, &[count, count])?,
            ))
        };
        Ok(Self {
            tape,
            cost,
            normal: square()?,
            gradient: DVector::zeros(count),
            h: DVector::zeros(count),
            bend: DVector::zeros(count),
            trial: net.params().to_vec(),
            other: net.params().to_vec(),
            rows: zeros(place, &[count, residuals])?,
            product: zeros(place, &[count, count])?,
            y: zeros(place, &[residuals])?,
            other_y: zeros(place, &[residuals])?,
            damped: square()?,
        })
    }

    /// JᵀJ and Jᵀr at the network's parameters.
    fn linearize(&mut self, net: &Sequential<T>, data: &Dataset<T>) -> Result<()> {
        let (count, outputs) = (net.params().len(), net.outputs());
        let target: Targets<'_, T> = data.into();
        let x = View::from(data.inputs());
        self.normal.fill(T::zero());
        self.gradient.fill(T::zero());
        for first in (0..x.cols()).step_by(samples(outputs)) {
            let end = x.cols().min(first + samples(outputs));
            let x = x.range(first, end);
            let rows = &mut self.rows[..count * outputs * x.cols()];
            net.residual_gradients(x, rows, &mut self.tape);
            let y = &mut self.y[..outputs * x.cols()];
            net.predict_into(
                x,
                ViewMut::from_parts(y, outputs, end - first),
                &mut self.tape,
            )?;
            let residuals = y.iter().zip(target.values().range(first, end).as_slice());
            for (k, (row, (y, t))) in rows.chunks_exact_mut(count).zip(residuals).enumerate() {
                let root = target
                    .weights()
                    .map_or(T::one(), |weights| weights[first + k / outputs].sqrt());
                let residual = root * (*y - *t);
                for (g, row) in self.gradient.iter_mut().zip(row) {
                    *row *= root;
                    *g += residual * *row;
                }
            }
            let rows = View::from_parts(rows, count, rows.len() / count);
            let product = ViewMut::from_parts(&mut self.product, count, count);
            self.tape
                .scratch_mut()
                .multiply(rows, rows.transposed(), product);
            for (sum, product) in self.normal.as_mut_slice().iter_mut().zip(&self.product) {
                *sum += *product;
            }
        }
        match self
            .normal
            .iter()
            .chain(&self.gradient)
            .find(|value| !value.is_finite())
        {
            None => Ok(()),
            Some(value) => Err(overflow("finite derivatives of the residuals", value)),
        }
    }

    /// ‖Jᵀr‖₂.
    fn gradient_norm(&self) -> Result<T> {
        let norm = norm(self.gradient.as_slice());
        if norm.is_finite() {
            Ok(norm)
        } else {
            Err(overflow("a gradient of finite norm", norm))
        }
    }

    /// Refuses an end without a small gradient: where targets are so much larger than outputs, and so bent is the way to
    /// them, that what a step gains is lost in the rounding of the cost.
    fn check_converged(
        &mut self,
        net: &Sequential<T>,
        data: &Dataset<T>,
        gradient: T,
    ) -> Result<()> {
        let target: Targets<'_, T> = data.into();
        let mut y = DMatrix::zeros(net.outputs(), data.len());
        net.predict_into(data.inputs(), &mut y, &mut self.tape)?;
        if let Some(weights) = target.weights() {
            y.column_iter_mut()
                .zip(weights)
                .for_each(|(mut y, weight)| y *= weight.sqrt());
        }
        let residuals = (self.cost + self.cost).sqrt();
        let slopes = self.normal.trace().sqrt();
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
        data: &Dataset<T>,
        mu: &mut Damping<T>,
    ) -> Result<bool> {
        let size = norm(net.params());
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
                    let cost = net.at(&self.trial)?.cost(
                        data.inputs(),
                        data,
                        &SumSquaredError,
                        &mut self.tape,
                    )?;
                    if cost < self.cost {
                        let promised =
                            T::of(0.5) * (mu.value * length * length - self.h.dot(&self.gradient));
                        mu.succeed((self.cost - cost) / promised);
                        net.params_mut().copy_from_slice(&self.trial);
                        self.cost = cost;
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
    fn solve(&mut self, net: &Sequential<T>, data: &Dataset<T>, mu: T) -> Result<bool> {
        let mut damped = core::mem::replace(&mut self.damped, DMatrix::zeros(0, 0));
        if damped.is_empty() {
            // The factorization before failed, and kept it.
            damped = self.normal.clone();
        } else {
            damped.copy_from(&self.normal);
        }
        for i in 0..damped.nrows() {
            damped[(i, i)] += mu;
        }
        let Some(factors) = Cholesky::new(damped) else {
            return Ok(false);
        };
        for (h, g) in self.h.iter_mut().zip(&self.gradient) {
            *h = -*g;
        }
        factors.solve_mut(&mut self.h);
        self.turn(net, data)?;
        factors.solve_mut(&mut self.bend);
        self.damped = factors.unpack_dirty();
        Ok(self.h.iter().chain(&self.bend).all(|step| step.is_finite()))
    }

    /// −½·Jᵀr̈ into `bend`.
    fn turn(&mut self, net: &Sequential<T>, data: &Dataset<T>) -> Result<()> {
        let (count, outputs) = (net.params().len(), net.outputs());
        let target: Targets<'_, T> = data.into();
        let (x, part) = (View::from(data.inputs()), T::of(0.1));
        for ((ahead, behind), (w, h)) in self
            .trial
            .iter_mut()
            .zip(&mut self.other)
            .zip(net.params().iter().zip(&self.h))
        {
            (*ahead, *behind) = (*w + part * *h, *w - part * *h);
        }
        self.bend.fill(T::zero());
        for first in (0..x.cols()).step_by(samples(outputs)) {
            let end = x.cols().min(first + samples(outputs));
            let x = x.range(first, end);
            let (ahead, behind) = (
                &mut self.y[..outputs * x.cols()],
                &mut self.other_y[..outputs * x.cols()],
            );
            net.at(&self.trial)?.predict_into(
                x,
                ViewMut::from_parts(ahead, outputs, x.cols()),
                &mut self.tape,
            )?;
            net.at(&self.other)?.predict_into(
                x,
                ViewMut::from_parts(behind, outputs, x.cols()),
                &mut self.tape,
            )?;
            let grads = &mut self.rows[..count];
            net.weighted_gradient(x, grads, &mut self.tape, |k, y| {
                let weight = target
                    .weights()
                    .map_or(T::one(), |weights| weights[first + k / outputs]);
                T::of(-0.5) * weight * (ahead[k] - y - y + behind[k]) / (part * part)
            });
            for (sum, g) in self.bend.iter_mut().zip(grads) {
                *sum += *g;
            }
        }
        Ok(())
    }
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

/// So many samples at a time.
fn samples(outputs: usize) -> usize {
    (CHUNK / outputs).max(1)
}
