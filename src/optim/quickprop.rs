//! Quickprop.

use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::{NOT_NEGATIVE, POSITIVE};
use crate::numeric::real::{Real, magnitude};

/// Quickprop (Fahlman 1988) as FANN has it: each parameter jumps to where the slope would be 0 if
/// the cost were a parabola. With s = −(g + d·w), the slope s₋ and the step Δ₋ before,
///
/// ```text
/// Δ = lr·s                              where |Δ₋| ≤ 0.001
/// Δ = μ·Δ₋ + [s·Δ₋ > 0]·lr·s            where s goes on as steep: s/s₋ > μ/(1+μ)
/// Δ = Δ₋·s/(s₋ − s) + [s·Δ₋ > 0]·lr·s   else, at most μ·|Δ₋| before lr·s is added
/// w ← w + Δ
/// ```
///
/// where "as steep" is said of the direction of Δ₋, in which s₋ pointed. The bound on the
/// parabola's jump is Fahlman's (no step grows by more than μ); FANN divides by 0 where s is s₋.
/// FANN keeps weights within ±1500, which is a [`Constraint`](crate::optim::Constraint) here, and
/// sums slopes over the samples before it adds its decay d, so that d is as many times larger there
/// as there are samples. It is a rule for full batches.
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Group, Quickprop};
/// let mut w = [2.0_f64];
/// let mut quickprop = Quickprop::new();
/// for _ in 0..50 {
///     let gradient = [2.0 * w[0]]; // of w²
///     quickprop.step(0.1, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("FANN_TRAIN_QUICKPROP"))]
pub struct Quickprop<T> {
    mu: f64,
    decay: f64,
    state: OptimizerState<T>,
}

impl<T: Real> Quickprop<T> {
    /// Quickprop with FANN's μ = 1.75 and d = 1e−4.
    pub fn new() -> Self {
        Self {
            mu: 1.75,
            decay: 1e-4,
            state: OptimizerState::new("Quickprop", 2),
        }
    }

    /// The same with another μ, finite and above 0.
    #[must_use]
    pub fn mu(self, mu: f64) -> Self {
        Self { mu, ..self }
    }

    /// The same with another d, finite and not negative; it is part of the slope, unlike the decay
    /// of a group.
    #[must_use]
    pub fn decay(self, decay: f64) -> Self {
        Self { decay, ..self }
    }
}

optimizer!(Quickprop {
    mu: f64,
    decay: f64
});

impl<T: Real> Rule<T> for Quickprop<T> {
    const NAME: &'static str = "Quickprop";

    fn check_numbers(&self) -> Result<()> {
        POSITIVE.check_in::<T>("mu of Quickprop", self.mu)?;
        NOT_NEGATIVE.check("decay of Quickprop", self.decay)
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let (mu, decay) = (T::of(self.mu), T::of(self.decay));
        let shrink = T::of(self.mu / (1.0 + self.mu));
        let least = T::of(1e-3);
        step.each(&mut self.state.slots, |lr, keep| {
            let lr = T::of(lr);
            #[inline(always)]
            move |w, g, [delta, before]| {
                let slope = -g - decay * w;
                // As if the step before had gone up.
                let sign = if delta < T::zero() {
                    -T::one()
                } else {
                    T::one()
                };
                let (s, s_before) = (sign * slope, sign * before);
                let most = mu * magnitude(delta);
                // Infinite where both slopes are the same, but for 0.
                let jump = magnitude(delta) * s / (s_before - s);
                let jump = if s == T::zero() { T::zero() } else { jump };
                let jump = if jump > most { most } else { jump };
                let jump = if jump < -most { -most } else { jump };
                let jump = if s > shrink * s_before { most } else { jump };
                let linear = if s > T::zero() { lr * s } else { T::zero() };
                let next = if magnitude(delta) > least {
                    sign * (jump + linear)
                } else {
                    lr * slope
                };
                (w * keep + next, [next.flush(), slope.flush()])
            }
        });
    }
}
