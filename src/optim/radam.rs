//! RAdam.

use super::arithmetic::{Moments, power, root};
use super::caution::{Caution, cautious};
use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::{BELOW_ONE, POSITIVE};
use crate::numeric::real::Real;

/// RAdam (Liu et al. 2020), Adam that divides by √v̂ only once there are gradients enough to know
/// it: in step t, counted from 1,
///
/// ```text
/// m ← β₁·m + (1−β₁)·g      m̂ = m / (1−β₁ᵗ)
/// v ← β₂·v + (1−β₂)·g²     1/√v̂ = √(1−β₂ᵗ) / (√v + ε)
/// ρ∞ = 2/(1−β₂) − 1        ρ = ρ∞ − 2t·β₂ᵗ / (1−β₂ᵗ)
/// r = √((ρ−4)(ρ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρ))
/// w ← w − lr·r·m̂/√v̂        where ρ > 5
/// w ← w − lr·m̂             else
/// ```
///
/// with the border 5 and the place of ε as in PyTorch (the paper's border is 4, and it has no ε). A
/// group's decay λ also takes lr·λ·w, decoupled from the moments, as PyTorch's
/// `decoupled_weight_decay` does.
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Group, RAdam};
/// let mut w = [2.0_f64];
/// let mut radam = RAdam::new();
/// for _ in 0..500 {
///     let gradient = [2.0 * w[0]]; // of w²
///     radam.step(0.05, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
pub struct RAdam<T> {
    beta1: f64,
    beta2: f64,
    eps: f64,
    caution: Caution,
    state: OptimizerState<T>,
}

impl<T: Real> RAdam<T> {
    /// RAdam with β₁ = 0.9, β₂ = 0.999, ε = 1e−8.
    pub fn new() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            caution: Caution::default(),
            state: OptimizerState::new("RAdam", 2),
        }
    }

    /// The same with another β₁ in [0, 1).
    #[must_use]
    pub fn beta1(self, beta1: f64) -> Self {
        Self { beta1, ..self }
    }

    /// The same with another β₂ in [0, 1); up to 2/3 no step is rectified.
    #[must_use]
    pub fn beta2(self, beta2: f64) -> Self {
        Self { beta2, ..self }
    }

    /// The same with another ε, finite and above 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// r·√(1−β₂ᵗ), where step t is rectified.
    fn rectified(&self, t: u64) -> Option<f64> {
        let (far, power) = (2.0 / (1.0 - self.beta2) - 1.0, power(self.beta2, t));
        let near = far - 2.0 * t as f64 * power / (1.0 - power);
        let ratio = (near - 4.0) / (far - 4.0) * ((near - 2.0) / (far - 2.0)) * (far / near);
        (near > 5.0).then(|| libm::sqrt(ratio * (1.0 - power)))
    }

    cautious!(RAdam);
}

optimizer!(RAdam {
    beta1: f64,
    beta2: f64,
    eps: f64,
    #[serde(default)]
    caution: Caution
});

impl<T: Real> Rule<T> for RAdam<T> {
    const NAME: &'static str = "RAdam";

    fn check_numbers(&self) -> Result<()> {
        BELOW_ONE.check("beta1 of RAdam", self.beta1)?;
        BELOW_ONE.check("beta2 of RAdam", self.beta2)?;
        POSITIVE.check_in::<T>("eps of RAdam", self.eps)
    }

    /// In the first step lr is divided by 1−β₁.
    fn stretch(&self) -> f64 {
        1.0 / (1.0 - self.beta1)
    }

    fn caution(&self) -> Option<Caution> {
        self.caution.asked()
    }

    fn remembering(mut self) -> Self {
        self.caution.remember(&mut self.state, "RAdam", 2);
        self
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let (bias, rectified) = (1.0 - power(self.beta1, step.t), self.rectified(step.t));
        let (moments, eps) = (Moments::new(self.beta1, self.beta2), T::of(self.eps));
        step.each(&mut self.state.slots, |lr, keep| {
            let rate = T::of(lr / bias * rectified.unwrap_or(1.0));
            let divide = rectified.is_some();
            #[inline(always)]
            move |w, g, [m, v]| {
                let (m, v) = moments.next(g, m, v);
                let scale = if divide { root(v) + eps } else { T::one() };
                (w * keep - rate * m / scale, [m, v])
            }
        });
    }
}
