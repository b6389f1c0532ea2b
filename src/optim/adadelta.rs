//! Adadelta.

use super::arithmetic::root;
use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::{BELOW_ONE, POSITIVE};
use crate::numeric::real::Real;

/// Adadelta (Zeiler 2012): steps of the size that steps have been, so that the gradient's unit does
/// not matter,
///
/// ```text
/// v ← ρ·v + (1−ρ)·g²
/// d = g·√(u + ε) / √(v + ε)
/// u ← ρ·u + (1−ρ)·d²
/// w ← w − lr·d
/// ```
///
/// with ε within both roots, as in the paper, PyTorch and Keras. The paper has no lr, which is to
/// say 1. A group's decay λ also takes lr·λ·w, decoupled from the means.
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Adadelta, Group};
/// let mut w = [2.0_f64];
/// let mut adadelta = Adadelta::new().eps(1e-3);
/// for _ in 0..500 {
///     let gradient = [2.0 * w[0]]; // of w²
///     adadelta.step(1.0, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("AdaDelta"))]
pub struct Adadelta<T> {
    rho: f64,
    eps: f64,
    state: OptimizerState<T>,
}

impl<T: Real> Adadelta<T> {
    /// Adadelta with PyTorch's ρ = 0.9 (the paper, Keras: 0.95) and ε = 1e−6.
    pub fn new() -> Self {
        Self {
            rho: 0.9,
            eps: 1e-6,
            state: OptimizerState::new("Adadelta", 2),
        }
    }

    /// The same with another ρ in [0, 1).
    #[must_use]
    pub fn rho(self, rho: f64) -> Self {
        Self { rho, ..self }
    }

    /// The same with another ε, finite and above 0: its root is the size of the first steps.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }
}

optimizer!(Adadelta { rho: f64, eps: f64 });

impl<T: Real> Rule<T> for Adadelta<T> {
    const NAME: &'static str = "Adadelta";

    fn check_numbers(&self) -> Result<()> {
        BELOW_ONE.check("rho of Adadelta", self.rho)?;
        POSITIVE.check_in::<T>("eps of Adadelta", self.eps)
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let rho = T::of(self.rho);
        let share = T::of(1.0 - self.rho);
        let eps = T::of(self.eps);
        step.each(&mut self.state.slots, |lr, keep| {
            let lr = T::of(lr);
            #[inline(always)]
            move |w, g, [v, u]| {
                let v = (rho * v + share * g * g).flush();
                let d = g * (root(u + eps) / root(v + eps));
                let u = (rho * u + share * d * d).flush();
                (w * keep - lr * d, [v, u])
            }
        });
    }
}
