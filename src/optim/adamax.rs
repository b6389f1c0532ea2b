//! Adamax.

use super::arithmetic::{larger, power};
use super::caution::{Caution, cautious};
use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::{BELOW_ONE, POSITIVE};
use crate::numeric::real::{Real, magnitude};

/// Adamax (Kingma & Ba 2015, section 7.1), Adam with the largest gradient in place of the mean
/// square: in step t, counted from 1,
///
/// ```text
/// m ← β₁·m + (1−β₁)·g
/// u ← max(β₂·u, |g| + ε)
/// w ← w − lr / (1−β₁ᵗ)·m / u
/// ```
///
/// with ε beside |g|, as in PyTorch (Keras divides by u + ε, the paper has none). A group's decay λ
/// also takes lr·λ·w, decoupled from the moments.
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Adamax, Group};
/// let mut w = [2.0_f64];
/// let mut adamax = Adamax::new();
/// for _ in 0..500 {
///     let gradient = [2.0 * w[0]]; // of w²
///     adamax.step(0.05, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("AdaMax"))]
pub struct Adamax<T> {
    beta1: f64,
    beta2: f64,
    eps: f64,
    caution: Caution,
    state: OptimizerState<T>,
}

impl<T: Real> Adamax<T> {
    /// Adamax with β₁ = 0.9, β₂ = 0.999, ε = 1e−8.
    pub fn new() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            caution: Caution::default(),
            state: OptimizerState::new("Adamax", 2),
        }
    }

    /// The same with another β₁ in [0, 1).
    #[must_use]
    pub fn beta1(self, beta1: f64) -> Self {
        Self { beta1, ..self }
    }

    /// The same with another β₂ in [0, 1).
    #[must_use]
    pub fn beta2(self, beta2: f64) -> Self {
        Self { beta2, ..self }
    }

    /// The same with another ε, finite and above 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    cautious!(Adamax);
}

optimizer!(Adamax {
    beta1: f64,
    beta2: f64,
    eps: f64,
    #[serde(default)]
    caution: Caution
});

impl<T: Real> Rule<T> for Adamax<T> {
    const NAME: &'static str = "Adamax";

    fn check_numbers(&self) -> Result<()> {
        BELOW_ONE.check("beta1 of Adamax", self.beta1)?;
        BELOW_ONE.check("beta2 of Adamax", self.beta2)?;
        POSITIVE.check_in::<T>("eps of Adamax", self.eps)
    }

    /// In the first step lr is divided by 1−β₁.
    fn stretch(&self) -> f64 {
        1.0 / (1.0 - self.beta1)
    }

    fn caution(&self) -> Option<Caution> {
        self.caution.asked()
    }

    fn remembering(mut self) -> Self {
        self.caution.remember(&mut self.state, "Adamax", 2);
        self
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let bias = 1.0 - power(self.beta1, step.t);
        let beta1 = T::of(self.beta1);
        let share = T::of(1.0 - self.beta1);
        let beta2 = T::of(self.beta2);
        let eps = T::of(self.eps);
        step.each(&mut self.state.slots, |lr, keep| {
            let rate = T::of(lr / bias);
            #[inline(always)]
            move |w, g, [m, u]| {
                let m = (beta1 * m + share * g).flush();
                // At least ε, so that it needs no flushing, nor the division a guard.
                let u = larger(beta2 * u, magnitude(g) + eps);
                (w * keep - rate * m / u, [m, u])
            }
        });
    }
}
