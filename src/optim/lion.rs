//! Lion.

use super::arithmetic::sign;
use super::caution::{Caution, cautious};
use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::BELOW_ONE;
use crate::numeric::real::Real;

/// Lion (Chen et al. 2023, *Symbolic Discovery of Optimization Algorithms*, algorithm 2): steps of
/// one size in every parameter,
///
/// ```text
/// w ← w − lr·sign(β₁·m + (1−β₁)·g)
/// m ← β₂·m + (1−β₂)·g
/// ```
///
/// with sign 0 = 0. A group's decay λ also takes lr·λ·w. The paper's rates are 3 to 10 times
/// smaller than Adam's, and its decays as many times larger.
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Group, Lion};
/// let mut w = [2.0_f64];
/// let mut lion = Lion::new();
/// for _ in 0..500 {
///     let gradient = [2.0 * w[0]]; // of w²
///     lion.step(0.01, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 0.1);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
pub struct Lion<T> {
    beta1: f64,
    beta2: f64,
    caution: Caution,
    state: OptimizerState<T>,
}

impl<T: Real> Lion<T> {
    /// Lion with β₁ = 0.9, β₂ = 0.99.
    pub fn new() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.99,
            caution: Caution::default(),
            state: OptimizerState::new("Lion", 1),
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

    cautious!(Lion);
}

optimizer!(Lion {
    beta1: f64,
    beta2: f64,
    #[serde(default)]
    caution: Caution
});

impl<T: Real> Rule<T> for Lion<T> {
    const NAME: &'static str = "Lion";

    fn check_numbers(&self) -> Result<()> {
        BELOW_ONE.check("beta1 of Lion", self.beta1)?;
        BELOW_ONE.check("beta2 of Lion", self.beta2)
    }

    fn caution(&self) -> Option<Caution> {
        self.caution.asked()
    }

    fn remembering(mut self) -> Self {
        self.caution.remember(&mut self.state, "Lion", 1);
        self
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let (beta1, share1) = (T::of(self.beta1), T::of(1.0 - self.beta1));
        let (beta2, share2) = (T::of(self.beta2), T::of(1.0 - self.beta2));
        step.each(&mut self.state.slots, |lr, keep| {
            let lr = T::of(lr);
            #[inline(always)]
            move |w, g, [m]| {
                (
                    w * keep - lr * sign(beta1 * m + share1 * g),
                    [(beta2 * m + share2 * g).flush()],
                )
            }
        });
    }
}
