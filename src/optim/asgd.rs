//! Averaged stochastic gradient descent.

use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::NOT_NEGATIVE;
use crate::numeric::real::Real;
use libm::pow;

/// Averaged stochastic gradient descent (Polyak & Juditsky 1992; Bottou 2012) as PyTorch's `ASGD`:
/// in step t, counted from 1, with the gradient g and
///
/// ```text
/// η = lr / (1 + λ·lr·(t−1))^α
/// w ← w − η·(g + λ·w)
/// a ← a + (w − a) / max(1, t − 1 − t₀)
/// ```
///
/// the network is the average a after training, and
/// [`swap_average`](crate::Optimizer::swap_average) puts it into the parameters. Up to step t₀ + 2
/// the average is w. Noise that shakes w about a minimum is not in the mean, so that lr needs not
/// fall as far. With PyTorch's t₀ of a million steps, small trainings average nothing: set
/// [`t0`](Self::t0) to about the steps after which w has come near the minimum, such as those of
/// the first epochs.
///
/// A group's decay λ' also takes lr·λ'·w. PyTorch's η lags a step behind a lr that changes.
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Asgd, Group};
/// let (mut asgd, mut w) = (Asgd::new().t0(100.0), [2.0_f64]);
/// for t in 0..1000 {
///     let noise = if t % 2 == 0 { 1.0 } else { -1.0 };
///     let gradient = [2.0 * w[0] + noise]; // of w², but for the noise
///     asgd.step(0.1, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() > 0.04);
/// asgd.swap_average(&mut w)?;
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("ASGD", "Polyak"))]
pub struct Asgd<T> {
    lambd: f64,
    alpha: f64,
    t0: f64,
    state: OptimizerState<T>,
}

impl<T: Real> Asgd<T> {
    /// ASGD with λ = 1e−4, α = 0.75 and t₀ = 10⁶, as in PyTorch.
    pub fn new() -> Self {
        Self {
            lambd: 1e-4,
            alpha: 0.75,
            t0: 1e6,
            state: OptimizerState::new("Asgd", 1).averaging(0),
        }
    }

    /// The same with another λ, finite and not negative.
    #[must_use]
    pub fn lambd(self, lambd: f64) -> Self {
        Self { lambd, ..self }
    }

    /// The same with another α, finite and not negative.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// The same with another t₀, finite and not negative: after so many steps the average begins.
    #[must_use]
    pub fn t0(self, t0: f64) -> Self {
        Self { t0, ..self }
    }
}

optimizer!(Asgd {
    lambd: f64,
    alpha: f64,
    t0: f64
});

impl<T: Real> Rule<T> for Asgd<T> {
    const NAME: &'static str = "Asgd";
    const COPIES: usize = 1;

    fn check_numbers(&self) -> Result<()> {
        NOT_NEGATIVE.check("lambd of Asgd", self.lambd)?;
        NOT_NEGATIVE.check("alpha of Asgd", self.alpha)?;
        NOT_NEGATIVE.check("t0 of Asgd", self.t0)
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let past = (step.t - 1) as f64;
        let share = T::of(1.0 / (past - self.t0).max(1.0));
        let (lambd, alpha) = (self.lambd, self.alpha);
        step.each(&mut self.state.slots, |lr, keep| {
            let rate = lr / pow(1.0 + lambd * lr * past, alpha);
            let (rate, keep) = (T::of(rate), keep * T::of(1.0 - lambd * rate));
            #[inline(always)]
            move |w, g, [mean]| {
                let w = w * keep - rate * g;
                (w, [mean + share * (w - mean)])
            }
        });
    }
}
