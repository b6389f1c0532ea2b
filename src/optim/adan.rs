//! Adan.

use super::arithmetic::{power, root};
use super::caution::{Caution, cautious};
use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::{BELOW_ONE, POSITIVE};
use crate::numeric::real::Real;

/// Adan, adaptive Nesterov momentum (Xie, Zhou, Li, Lin & Yan 2022): with the gradient g in step t,
/// counted from 1, the gradient h of the step before, and d = g − h,
///
/// ```text
/// m ← β₁·m + (1−β₁)·g               m̂ = m / (1−β₁ᵗ)
/// v ← β₂·v + (1−β₂)·d               v̂ = v / (1−β₂ᵗ)
/// n ← β₃·n + (1−β₃)·(g + β₂·d)²     n̂ = n / (1−β₃ᵗ)
/// w ← w − lr·(m̂ + β₂·v̂) / (√n̂ + ε)
/// ```
///
/// where h is g in the first step. The definition is that of the authors' PyTorch code (their paper
/// writes 1−β for each β). A group's decay λ also takes lr·λ·w, decoupled, as their option
/// `no_prox` does; without that option they divide by 1 + lr·λ after the step instead.
///
/// The best rates are larger than Adam's, by five to ten times according to the authors. Adan keeps
/// four vectors, Adam two.
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Adan, Group};
/// let mut w = [2.0_f64];
/// let mut adan = Adan::new();
/// for _ in 0..1000 {
///     let gradient = [2.0 * w[0]]; // of w²
///     adan.step(0.05, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
pub struct Adan<T> {
    beta1: f64,
    beta2: f64,
    beta3: f64,
    eps: f64,
    caution: Caution,
    state: OptimizerState<T>,
}

impl<T: Real> Adan<T> {
    /// Adan with the authors' β₁ = 0.98, β₂ = 0.92, β₃ = 0.99 and ε = 1e−8.
    pub fn new() -> Self {
        Self {
            beta1: 0.98,
            beta2: 0.92,
            beta3: 0.99,
            eps: 1e-8,
            caution: Caution::default(),
            state: OptimizerState::new("Adan", 4),
        }
    }

    /// The same with another β₁ in [0, 1), of the gradients.
    #[must_use]
    pub fn beta1(self, beta1: f64) -> Self {
        Self { beta1, ..self }
    }

    /// The same with another β₂ in [0, 1), of the differences of gradients.
    #[must_use]
    pub fn beta2(self, beta2: f64) -> Self {
        Self { beta2, ..self }
    }

    /// The same with another β₃ in [0, 1), of the squares.
    #[must_use]
    pub fn beta3(self, beta3: f64) -> Self {
        Self { beta3, ..self }
    }

    /// The same with another ε, finite and above 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    cautious!(Adan);
}

optimizer!(Adan {
    beta1: f64,
    beta2: f64,
    beta3: f64,
    eps: f64,
    #[serde(default)]
    caution: Caution
});

impl<T: Real> Rule<T> for Adan<T> {
    const NAME: &'static str = "Adan";

    fn check_numbers(&self) -> Result<()> {
        BELOW_ONE.check("beta1 of Adan", self.beta1)?;
        BELOW_ONE.check("beta2 of Adan", self.beta2)?;
        BELOW_ONE.check("beta3 of Adan", self.beta3)?;
        POSITIVE.check_in::<T>("eps of Adan", self.eps)
    }

    fn caution(&self) -> Option<Caution> {
        self.caution.asked()
    }

    fn remembering(mut self) -> Self {
        self.caution.remember(&mut self.state, "Adan", 4);
        self
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let first = step.t == 1;
        let unbiased = |beta| 1.0 / (1.0 - power(beta, step.t));
        let correct_m = T::of(unbiased(self.beta1));
        let correct_v = T::of(self.beta2 * unbiased(self.beta2));
        let correct_n = T::of(libm::sqrt(unbiased(self.beta3)));
        let [beta1, beta2, beta3] = [self.beta1, self.beta2, self.beta3].map(T::of);
        let [share1, share2, share3] =
            [self.beta1, self.beta2, self.beta3].map(|beta| T::of(1.0 - beta));
        let eps = T::of(self.eps);
        step.each(&mut self.state.slots, |lr, keep| {
            let lr = T::of(lr);
            #[inline(always)]
            move |w, g, [m, v, n, before]| {
                let difference = if first { T::zero() } else { g - before };
                let ahead = g + beta2 * difference;
                let m = (beta1 * m + share1 * g).flush();
                let v = (beta2 * v + share2 * difference).flush();
                let n = (beta3 * n + share3 * ahead * ahead).flush();
                let direction = (correct_m * m + correct_v * v) / (root(n) * correct_n + eps);
                (w * keep - lr * direction, [m, v, n, g.flush()])
            }
        });
    }
}
