//! Adagrad.

use super::arithmetic::root;
use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::{NOT_NEGATIVE, POSITIVE};
use crate::numeric::real::Real;

/// Adagrad (Duchi, Hazan & Singer 2011): a rate of its own for every parameter, which falls with
/// what its gradients have been,
///
/// ```text
/// s ← s + g²
/// w ← w − lr·g / (√s + ε)
/// ```
///
/// with s from an initial sum on and ε outside the root, as in PyTorch (Keras starts at 0.1 and has
/// ε within the root). What PyTorch calls `lr_decay` is a schedule,
/// [`Schedule::InverseTime`](crate::optim::Schedule::InverseTime). A group's decay λ also takes
/// lr·λ·w, decoupled from the sum.
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Adagrad, Group};
/// let mut w = [2.0_f64];
/// let mut adagrad = Adagrad::new();
/// for _ in 0..200 {
///     let gradient = [2.0 * w[0]]; // of w²
///     adagrad.step(0.5, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("AdaGrad"))]
pub struct Adagrad<T> {
    initial: f64,
    eps: f64,
    state: OptimizerState<T>,
}

impl<T: Real> Adagrad<T> {
    /// Adagrad with an initial sum of 0 and ε = 1e−10.
    pub fn new() -> Self {
        Self {
            initial: 0.0,
            eps: 1e-10,
            state: OptimizerState::new("Adagrad", 1),
        }
    }

    /// The same with another initial sum of squares, finite and not negative; it counts in the
    /// first step.
    #[must_use]
    pub fn initial(self, initial: f64) -> Self {
        Self { initial, ..self }
    }

    /// The same with another ε, finite and above 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }
}

optimizer!(Adagrad {
    initial: f64,
    eps: f64
});

impl<T: Real> Rule<T> for Adagrad<T> {
    const NAME: &'static str = "Adagrad";

    fn check_numbers(&self) -> Result<()> {
        NOT_NEGATIVE.check_in::<T>("initial of Adagrad", self.initial)?;
        POSITIVE.check_in::<T>("eps of Adagrad", self.eps)
    }

    fn start(&self) -> f64 {
        self.initial
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let eps = T::of(self.eps);
        step.each(&mut self.state.slots, |lr, keep| {
            let lr = T::of(lr);
            #[inline(always)]
            move |w, g, [s]| {
                let s = (s + g * g).flush();
                (w * keep - lr * g / (root(s) + eps), [s])
            }
        });
    }
}
