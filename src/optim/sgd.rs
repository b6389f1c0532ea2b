//! Stochastic gradient descent.

use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::{BELOW_ONE, ensure};
use crate::numeric::real::Real;

/// Gradient descent with the momentum of PyTorch's `SGD`: with the gradient g, momentum μ and
/// dampening τ
///
/// ```text
/// v ← g                     in the first step
/// v ← μ·v + (1−τ)·g         later
/// w ← w − lr·(g + μ·v)      with Nesterov's momentum
/// w ← w − lr·v              else; without momentum v is g
/// ```
///
/// (Polyak 1964; Nesterov 1983 in the form of Sutskever et al. 2013). A group's decay λ also takes
/// lr·λ·w, decoupled from the momentum.
///
/// ```
/// use chainrule::{Optimizer, Sgd};
/// use chainrule::optim::Group;
/// let mut w = [2.0_f64];
/// let mut sgd = Sgd::new().momentum(0.9);
/// for _ in 0..300 {
///     let gradient = [2.0 * w[0]]; // of w²
///     sgd.step(0.02, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 1e-4);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("SGD", "GradientDescent", "sgdm", "traingdm"))]
pub struct Sgd<T> {
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    state: OptimizerState<T>,
}

impl<T: Real> Sgd<T> {
    /// Plain gradient descent: w ← w − lr·g.
    pub fn new() -> Self {
        Self {
            momentum: 0.0,
            dampening: 0.0,
            nesterov: false,
            state: OptimizerState::new("Sgd", 0),
        }
    }

    /// The same with momentum μ in [0, 1).
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }.remembering()
    }

    /// The same with dampening τ in [0, 1).
    #[must_use]
    pub fn dampening(self, dampening: f64) -> Self {
        Self { dampening, ..self }
    }

    /// The same with Nesterov's momentum; needs a momentum and no dampening.
    #[must_use]
    pub fn nesterov(self) -> Self {
        Self {
            nesterov: true,
            ..self
        }
    }
}

optimizer!(Sgd {
    momentum: f64,
    dampening: f64,
    nesterov: bool
});

impl<T: Real> Rule<T> for Sgd<T> {
    const NAME: &'static str = "Sgd";

    fn check_numbers(&self) -> Result<()> {
        BELOW_ONE.check("momentum of Sgd", self.momentum)?;
        BELOW_ONE.check("dampening of Sgd", self.dampening)?;
        let sound = !self.nesterov || self.momentum != 0.0 && self.dampening == 0.0;
        let given = format_args!(
            "momentum {} and dampening {}",
            self.momentum, self.dampening
        );
        ensure(
            sound,
            "nesterov of Sgd",
            "a momentum above 0 and no dampening",
            given,
        )
    }

    /// Plain descent remembers nothing.
    fn remembering(mut self) -> Self {
        self.state.reshape("Sgd", usize::from(self.momentum != 0.0));
        self
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        if self.state.slots.is_empty() {
            return step.each(&mut [], |lr, keep| {
                let lr = T::of(lr);
                #[inline(always)]
                move |w, g, []| (w * keep - lr * g, [])
            });
        }
        // With v = 0 before it, the first step needs no rule of its own.
        let share = T::of(if step.t == 1 {
            1.0
        } else {
            1.0 - self.dampening
        });
        let (momentum, nesterov) = (T::of(self.momentum), self.nesterov);
        step.each(&mut self.state.slots, |lr, keep| {
            let lr = T::of(lr);
            #[inline(always)]
            move |w, g, [v]| {
                let v = (momentum * v + share * g).flush();
                let direction = if nesterov { g + momentum * v } else { v };
                (w * keep - lr * direction, [v])
            }
        });
    }
}
