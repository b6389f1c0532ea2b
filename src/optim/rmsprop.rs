//! RMSProp.

use super::arithmetic::root;
use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::{BELOW_ONE, POSITIVE};
use crate::numeric::real::Real;

/// RMSProp (Tieleman & Hinton 2012, lecture 6e; centered: Graves 2013): the gradient over the root
/// of its running mean square,
///
/// ```text
/// v ← ρ·v + (1−ρ)·g²
/// w ← w − lr·g / (√v + ε)
/// ```
///
/// with ε outside the root, as in PyTorch (Keras has it within). [`centered`](Self::centered)
/// divides by the deviation instead of the root mean square, and with a
/// [`momentum`](Self::momentum) steps gather. A group's decay λ also takes lr·λ·w, decoupled from
/// all of it.
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Group, RmsProp};
/// let mut w = [2.0_f64];
/// let mut rmsprop = RmsProp::new();
/// for _ in 0..500 {
///     let gradient = [2.0 * w[0]]; // of w²
///     rmsprop.step(0.01, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 0.02);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("RMSprop", "RMSProp"))]
pub struct RmsProp<T> {
    rho: f64,
    eps: f64,
    momentum: f64,
    centered: bool,
    state: OptimizerState<T>,
}

impl<T: Real> RmsProp<T> {
    /// RMSProp with PyTorch's ρ = 0.99 (Keras: 0.9) and ε = 1e−8, without momentum.
    pub fn new() -> Self {
        Self {
            rho: 0.99,
            eps: 1e-8,
            momentum: 0.0,
            centered: false,
            state: OptimizerState::new("RmsProp", 1),
        }
    }

    /// The same with another ρ in [0, 1).
    #[must_use]
    pub fn rho(self, rho: f64) -> Self {
        Self { rho, ..self }
    }

    /// The same with another ε, finite and above 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// The same with momentum μ in [0, 1): b ← μ·b + g / (√v + ε), and w ← w − lr·b.
    #[must_use]
    #[doc(alias("mu"))]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }.remembering()
    }

    /// The same with the gradient's deviation √s in place of √v: with the running mean m before the
    /// step,
    ///
    /// ```text
    /// s ← ρ·s + ρ(1−ρ)·(g−m)²
    /// m ← m + (1−ρ)·(g−m)
    /// ```
    ///
    /// That is s = v − m² of PyTorch and Keras, without their difference of two nearly equal
    /// numbers. So s is never negative (PyTorch's root is NaN there), and as accurate for gradients
    /// that hardly vary as for others.
    #[must_use]
    pub fn centered(self) -> Self {
        Self {
            centered: true,
            ..self
        }
        .remembering()
    }
}

optimizer!(RmsProp {
    rho: f64,
    eps: f64,
    momentum: f64,
    centered: bool
});

impl<T: Real> Rule<T> for RmsProp<T> {
    const NAME: &'static str = "RmsProp";

    fn check_numbers(&self) -> Result<()> {
        BELOW_ONE.check("rho of RmsProp", self.rho)?;
        POSITIVE.check_in::<T>("eps of RmsProp", self.eps)?;
        BELOW_ONE.check("momentum of RmsProp", self.momentum)
    }

    /// v, or s and m where centered; b where there is a momentum.
    fn remembering(mut self) -> Self {
        let rule = if self.centered {
            "RmsProp (centered)"
        } else {
            "RmsProp"
        };
        self.state.reshape(
            rule,
            1 + usize::from(self.centered) + usize::from(self.momentum != 0.0),
        );
        self
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let rho = T::of(self.rho);
        let share = T::of(1.0 - self.rho);
        let eps = T::of(self.eps);
        let momentum = T::of(self.momentum);
        let slots = &mut self.state.slots;
        // A running mean, and g / (√x + ε).
        let mean = move |known: T, new: T| (rho * known + share * new).flush();
        let scaled = move |g: T, x: T| g / (root(x) + eps);
        // s and m, from what g differs from the mean before it.
        let spread = T::of(self.rho * (1.0 - self.rho));
        let center = move |g: T, s: T, m: T| {
            let off = g - m;
            (
                (rho * s + spread * off * off).flush(),
                (m + share * off).flush(),
            )
        };
        match (self.centered, self.momentum != 0.0) {
            (false, false) => step.each(slots, |lr, keep| {
                let lr = T::of(lr);
                #[inline(always)]
                move |w, g, [v]| {
                    let v = mean(v, g * g);
                    (w * keep - lr * scaled(g, v), [v])
                }
            }),
            (false, true) => step.each(slots, |lr, keep| {
                let lr = T::of(lr);
                #[inline(always)]
                move |w, g, [v, b]| {
                    let v = mean(v, g * g);
                    let b = (momentum * b + scaled(g, v)).flush();
                    (w * keep - lr * b, [v, b])
                }
            }),
            (true, false) => step.each(slots, |lr, keep| {
                let lr = T::of(lr);
                #[inline(always)]
                move |w, g, [s, m]| {
                    let (s, m) = center(g, s, m);
                    (w * keep - lr * scaled(g, s), [s, m])
                }
            }),
            (true, true) => step.each(slots, |lr, keep| {
                let lr = T::of(lr);
                #[inline(always)]
                move |w, g, [s, m, b]| {
                    let (s, m) = center(g, s, m);
                    let b = (momentum * b + scaled(g, s)).flush();
                    (w * keep - lr * b, [s, m, b])
                }
            }),
        }
    }
}
