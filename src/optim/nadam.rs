//! NAdam.

use super::arithmetic::{Moments, power, root};
use super::caution::{Caution, cautious};
use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::{BELOW_ONE, NOT_NEGATIVE, POSITIVE};
use crate::numeric::real::Real;

/// NAdam (Dozat 2016), Adam with Nesterov's momentum, which grows in time: in step t, counted from
/// 1,
///
/// ```text
/// μₜ = β₁·(1 − ½·0.96^(t·ψ))
/// m ← β₁·m + (1−β₁)·g      m̂ = μₜ₊₁·m / (1 − μ₁μ₂⋯μₜ₊₁) + (1−μₜ)·g / (1 − μ₁μ₂⋯μₜ)
/// v ← β₂·v + (1−β₂)·g²     v̂ = v / (1−β₂ᵗ)
/// w ← w − lr·m̂ / (√v̂ + ε)
/// ```
///
/// as in PyTorch. Keras' is ψ = 1. A group's decay λ also takes lr·λ·w, decoupled from the moments,
/// as PyTorch's `decoupled_weight_decay` does.
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Group, NAdam};
/// let mut w = [2.0_f64];
/// let mut nadam = NAdam::new();
/// for _ in 0..500 {
///     let gradient = [2.0 * w[0]]; // of w²
///     nadam.step(0.05, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("Nadam"))]
pub struct NAdam<T> {
    beta1: f64,
    beta2: f64,
    eps: f64,
    momentum_decay: f64,
    caution: Caution,
    state: OptimizerState<T>,
}

impl<T: Real> NAdam<T> {
    /// NAdam with β₁ = 0.9, β₂ = 0.999, ε = 1e−8, ψ = 0.004.
    pub fn new() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            momentum_decay: 4e-3,
            caution: Caution::default(),
            state: OptimizerState::new("NAdam", 2),
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

    /// The same with another ψ, finite and not negative: how fast μ grows from β₁/2 to β₁.
    #[must_use]
    pub fn momentum_decay(self, momentum_decay: f64) -> Self {
        Self {
            momentum_decay,
            ..self
        }
    }

    /// μₜ.
    fn momentum(&self, t: u64) -> f64 {
        self.beta1 * (1.0 - 0.5 * libm::exp(t as f64 * self.log_q()))
    }

    /// ln q, with q = 0.96^ψ.
    fn log_q(&self) -> f64 {
        self.momentum_decay * libm::log(0.96)
    }

    /// μ₁μ₂⋯μₜ, as a function of t alone, so that nothing is to be saved: with ln(1−x) = −Σ xᵏ/k
    /// the logarithm is t·ln β₁ − Σₖ (½q)ᵏ/k·(1−qᵗᵏ)/(1−qᵏ), where each term is less than half the
    /// one before.
    fn product(&self, t: u64) -> f64 {
        let (t, log_q) = (t as f64, self.log_q());
        let log_power = t * libm::log(self.beta1);
        // 1 less this is 1 already.
        if log_power < -40.0 {
            return 0.0;
        }
        let mut sum = 0.0;
        for k in (1..=60).map(f64::from) {
            let geometric = if log_q == 0.0 {
                t
            } else {
                libm::expm1(t * k * log_q) / libm::expm1(k * log_q)
            };
            sum += libm::exp(k * (log_q - core::f64::consts::LN_2)) / k * geometric;
        }
        libm::exp(log_power - sum)
    }

    cautious!(NAdam);
}

optimizer!(NAdam {
    beta1: f64,
    beta2: f64,
    eps: f64,
    momentum_decay: f64,
    #[serde(default)]
    caution: Caution
});

impl<T: Real> Rule<T> for NAdam<T> {
    const NAME: &'static str = "NAdam";

    fn check_numbers(&self) -> Result<()> {
        BELOW_ONE.check("beta1 of NAdam", self.beta1)?;
        BELOW_ONE.check("beta2 of NAdam", self.beta2)?;
        POSITIVE.check_in::<T>("eps of NAdam", self.eps)?;
        NOT_NEGATIVE.check("momentum_decay of NAdam", self.momentum_decay)
    }

    /// More than either share of m̂ is of lr.
    fn stretch(&self) -> f64 {
        1.0 / (1.0 - self.beta1)
    }

    fn caution(&self) -> Option<Caution> {
        self.caution.asked()
    }

    fn remembering(mut self) -> Self {
        self.caution.remember(&mut self.state, "NAdam", 2);
        self
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let now = self.momentum(step.t);
        let next = self.momentum(step.t.saturating_add(1));
        let product = self.product(step.t);
        let (of_g, of_m) = ((1.0 - now) / (1.0 - product), next / (1.0 - product * next));
        let correct = T::of(1.0 / libm::sqrt(1.0 - power(self.beta2, step.t)));
        let (moments, eps) = (Moments::new(self.beta1, self.beta2), T::of(self.eps));
        step.each(&mut self.state.slots, |lr, keep| {
            let (of_g, of_m) = (T::of(lr * of_g), T::of(lr * of_m));
            #[inline(always)]
            move |w, g, [m, v]| {
                let (m, v) = moments.next(g, m, v);
                (
                    w * keep - (of_g * g + of_m * m) / (root(v) * correct + eps),
                    [m, v],
                )
            }
        });
    }
}
