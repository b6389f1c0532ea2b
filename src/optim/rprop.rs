//! Rprop.

use super::arithmetic::sign;
use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::{ABOVE_ONE, BETWEEN, POSITIVE, ensure};
use crate::numeric::real::Real;

/// Rprop (Riedmiller & Braun 1993) without backtracking (iRprop⁻ of Igel & Hüsken 2000, PyTorch's
/// `Rprop`): steps Δ of every parameter, by the sign of its gradient alone. With the sign g₋ of the
/// step before, 0 at first,
///
/// ```text
/// Δ ← Δ·η⁺   where g·g₋ > 0
/// Δ ← Δ·η⁻   where g·g₋ < 0, and g counts as 0
/// Δ ← Δ      else
/// w ← w − Δ·sign g
/// ```
///
/// with Δ kept within its bounds. The learning rate is the first Δ of a parameter; later ones, and
/// so a schedule, do not count. A group's decay λ also takes lr·λ·w. It is a rule for full batches:
/// the noise of mini-batches turns signs around.
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Group, Rprop};
/// let mut w = [2.0_f64];
/// let mut rprop = Rprop::new();
/// for _ in 0..100 {
///     let gradient = [2.0 * w[0]]; // of w²
///     rprop.step(0.1, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("trainrp", "iRprop"))]
pub struct Rprop<T> {
    eta_minus: f64,
    eta_plus: f64,
    smallest: f64,
    largest: f64,
    state: OptimizerState<T>,
}

impl<T: Real> Rprop<T> {
    /// Rprop with η⁻ = 0.5, η⁺ = 1.2 and steps from 1e−6 to 50.
    pub fn new() -> Self {
        Self {
            eta_minus: 0.5,
            eta_plus: 1.2,
            smallest: 1e-6,
            largest: 50.0,
            state: OptimizerState::new("Rprop", 2),
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
}

optimizer!(Rprop {
    eta_minus: f64,
    eta_plus: f64,
    smallest: f64,
    largest: f64
});

impl<T: Real> Rule<T> for Rprop<T> {
    const NAME: &'static str = "Rprop";

    fn check_numbers(&self) -> Result<()> {
        let Self {
            eta_minus,
            eta_plus,
            smallest,
            largest,
            ..
        } = *self;
        BETWEEN.check("eta_minus of Rprop", eta_minus)?;
        ABOVE_ONE.check_in::<T>("eta_plus of Rprop", eta_plus)?;
        POSITIVE.check_in::<T>("smallest step of Rprop", smallest)?;
        let sound = largest >= smallest && T::of(largest).is_finite();
        ensure(
            sound,
            "largest step of Rprop",
            "a finite number, at least the smallest step",
            largest,
        )
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let (eta_minus, eta_plus) = (T::of(self.eta_minus), T::of(self.eta_plus));
        let (smallest, largest) = (T::of(self.smallest), T::of(self.largest));
        step.each(&mut self.state.slots, |lr, keep| {
            let lr = T::of(lr);
            #[inline(always)]
            move |w, g, [before, delta]| {
                let turn = sign(g) * before;
                let factor = if turn > T::zero() { eta_plus } else { T::one() };
                let factor = if turn < T::zero() { eta_minus } else { factor };
                // 0 is a parameter's before its first step.
                let delta = if delta == T::zero() {
                    lr
                } else {
                    delta * factor
                };
                let delta = if delta < smallest { smallest } else { delta };
                let delta = if delta > largest { largest } else { delta };
                let g = if turn < T::zero() { T::zero() } else { sign(g) };
                (w * keep - delta * g, [g, delta])
            }
        });
    }
}
