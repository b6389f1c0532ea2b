//! SARProp.

use super::arithmetic::sign;
use super::rule::{Rule, StepArgs, check_told, optimizer};
use super::state::OptimizerState;
use super::update::learning;
use crate::error::Result;
use crate::numeric::bounds::{ABOVE_ONE, BETWEEN, NOT_NEGATIVE, POSITIVE, ensure};
use crate::numeric::random::{Purpose, derive, uniform};
use crate::numeric::real::Real;
use libm::{exp2, sqrt};

/// SARProp (Treadgold & Gedeon 1998): [`Rprop`](crate::optim::Rprop) with noise and a decay of the
/// weights, both annealed, so that it leaves poor minima early on. In step t, counted from 1, with
/// the gradient g, the cost E and SA = 2^(−T·(t−1)),
///
/// ```text
/// s = g + k₁·SA·w
/// Δ ← η⁺·Δ                  where s·s₋ > 0
/// Δ ← η⁻·Δ + k₃·r·√E·SA     where s·s₋ < 0 and Δ < k₂·E, and s counts as 0
/// Δ ← η⁻·Δ                  where s·s₋ < 0 else, and s counts as 0
/// w ← w − Δ·sign s
/// ```
///
/// with Δ kept within its bounds, the slope s₋ of the step before, 0 at first, and r uniform from 0
/// to 1, a function of the seed, the step and the parameter. E is what the rule is
/// [told](crate::Optimizer::note_cost), as [`Trainer`](crate::Trainer) does; the numbers are made
/// for a [mean squared error](crate::MeanSquaredError). The learning rate is the first Δ. A group's
/// decay λ also takes lr·λ·w. It is a rule for full batches.
///
/// The numbers are those that the source of FANN's `FANN_TRAIN_SARPROP` names. Its code is another
/// rule, though: its decay has the other sign, so that weights grow, and where s·s₋ is 0, as in the
/// first step, it keeps the Δ of another weight.
///
/// # Errors
/// A step of which the cost was not told, or was NaN, is
/// [`ErrorKind::Value`](crate::ErrorKind::Value).
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Group, Sarprop};
/// let mut w = [2.0_f64];
/// let mut sarprop = Sarprop::new();
/// for _ in 0..1000 {
///     sarprop.note_cost(w[0] * w[0]);
///     let gradient = [2.0 * w[0]];
///     sarprop.step(0.1, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("FANN_TRAIN_SARPROP"))]
pub struct Sarprop<T> {
    eta_minus: f64,
    eta_plus: f64,
    smallest: f64,
    largest: f64,
    temperature: f64,
    decay: f64,
    threshold: f64,
    noise: f64,
    seed: u64,
    /// The cost of the step to come.
    #[cfg_attr(feature = "serde", serde(skip))]
    cost: Option<f64>,
    state: OptimizerState<T>,
}

impl<T: Real> Sarprop<T> {
    /// SARProp with η⁻ = 0.5, η⁺ = 1.2, steps from 1e−6 to 50, T = 0.015, k₁ = 0.01, k₂ = 0.1,
    /// k₃ = 3 and seed 0.
    pub fn new() -> Self {
        Self {
            eta_minus: 0.5,
            eta_plus: 1.2,
            smallest: 1e-6,
            largest: 50.0,
            temperature: 0.015,
            decay: 0.01,
            threshold: 0.1,
            noise: 3.0,
            seed: 0,
            cost: None,
            state: OptimizerState::new("Sarprop", 2),
        }
    }

    /// The same with another η⁻ in (0, 1).
    #[must_use]
    pub fn eta_minus(self, eta_minus: f64) -> Self {
        Self { eta_minus, ..self }
    }

    /// The same with another η⁺, finite and above 1.
    #[must_use]
    pub fn eta_plus(self, eta_plus: f64) -> Self {
        Self { eta_plus, ..self }
    }

    /// The same with steps from `smallest` to `largest`, both finite and above 0.
    #[must_use]
    pub fn bounds(self, smallest: f64, largest: f64) -> Self {
        Self {
            smallest,
            largest,
            ..self
        }
    }

    /// The same with another T, finite and not negative: how fast noise and decay vanish.
    #[must_use]
    pub fn temperature(self, temperature: f64) -> Self {
        Self {
            temperature,
            ..self
        }
    }

    /// The same with another k₁, finite and not negative.
    #[must_use]
    pub fn decay(self, decay: f64) -> Self {
        Self { decay, ..self }
    }

    /// The same with another k₂, finite and not negative; without noise it is 0.
    #[must_use]
    pub fn threshold(self, threshold: f64) -> Self {
        Self { threshold, ..self }
    }

    /// The same with another k₃, finite and not negative.
    #[must_use]
    pub fn noise(self, noise: f64) -> Self {
        Self { noise, ..self }
    }

    /// The same with another seed of the noise.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }
}

optimizer!(Sarprop {
    eta_minus: f64,
    eta_plus: f64,
    smallest: f64,
    largest: f64,
    temperature: f64,
    decay: f64,
    threshold: f64,
    noise: f64,
    seed: u64
});

impl<T: Real> Rule<T> for Sarprop<T> {
    const NAME: &'static str = "Sarprop";

    fn check_numbers(&self) -> Result<()> {
        BETWEEN.check("eta_minus of Sarprop", self.eta_minus)?;
        ABOVE_ONE.check_in::<T>("eta_plus of Sarprop", self.eta_plus)?;
        POSITIVE.check_in::<T>("smallest step of Sarprop", self.smallest)?;
        let sound = self.largest >= self.smallest && T::of(self.largest).is_finite();
        ensure(
            sound,
            "largest step of Sarprop",
            "a finite number, at least the smallest step",
            self.largest,
        )?;
        NOT_NEGATIVE.check("temperature of Sarprop", self.temperature)?;
        NOT_NEGATIVE.check("decay of Sarprop", self.decay)?;
        NOT_NEGATIVE.check("threshold of Sarprop", self.threshold)?;
        NOT_NEGATIVE.check("noise of Sarprop", self.noise)
    }

    fn note(&mut self, cost: f64) {
        self.cost = Some(cost);
    }

    fn check_ready(&self) -> Result<()> {
        check_told("cost of Sarprop::step", self.cost)
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let cost = self.cost.take().unwrap_or(0.0).max(0.0);
        let annealed = exp2(-self.temperature * (step.t - 1) as f64);
        let noise = self.noise * sqrt(cost) * annealed;
        let seed = derive(self.seed, Purpose::Rule, step.t);
        let (eta_minus, eta_plus) = (T::of(self.eta_minus), T::of(self.eta_plus));
        let (smallest, largest) = (T::of(self.smallest), T::of(self.largest));
        let (decay, threshold) = (T::of(self.decay * annealed), T::of(self.threshold * cost));
        let clamp = |delta: T| {
            let delta = if delta < smallest { smallest } else { delta };
            if delta > largest { largest } else { delta }
        };
        let [before, delta] = &mut self.state.slots[..] else {
            return;
        };
        // Noise knows its parameter, and such networks are small: no loop of the frame.
        for group in learning(step.groups) {
            let lr = step.lr * group.rate;
            let (first, keep) = (T::of(lr), T::of(1.0 - lr * group.decay));
            for i in group.range.clone() {
                let w = &mut step.params[i];
                let mut slope = sign(step.grads[i] + decay * *w);
                let turn = slope * before[i];
                // 0 is a parameter's before its first step.
                let known = if delta[i] == T::zero() {
                    first
                } else {
                    delta[i]
                };
                delta[i] = clamp(if turn > T::zero() {
                    eta_plus * known
                } else if turn < T::zero() {
                    slope = T::zero();
                    let more = if known < threshold {
                        T::of(noise * uniform(seed, i as u64))
                    } else {
                        T::zero()
                    };
                    eta_minus * known + more
                } else {
                    known
                });
                *w = *w * keep - delta[i] * slope;
                before[i] = slope;
            }
        }
    }
}
