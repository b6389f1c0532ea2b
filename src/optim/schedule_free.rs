//! Schedule-free descent: averages in place of a rate that falls.

use super::arithmetic::{power, root};
use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::{BELOW_ONE, NOT_NEGATIVE, POSITIVE};
use crate::numeric::real::Real;
use libm::pow;

/// Schedule-free gradient descent (Defazio, Yang, Mehta, Mishchenko, Khaled & Cutkosky 2024, *The
/// Road Less Scheduled*): the rate stays, and an average does what a falling rate does, without
/// knowing when training ends. With the gradient g at y in step t, counted from 1,
///
/// ```text
/// z ← z − lr·g                    c = γ / Σ γ, γ = tʳ·lrₘ²
/// x ← (1−c)·x + c·z               lrₘ: the largest lr so far
/// y ← (1−β)·z + β·x
/// ```
///
/// Steps change y; the network is x after training, which
/// [`swap_average`](crate::Optimizer::swap_average) puts into the parameters. It is
/// `SGDScheduleFree` of the authors' package `schedulefree`, to rounding: that computes x from y
/// and z, here it is kept. A group's decay λ also takes lr·λ·y from z, as there. Give it a
/// [`warm_up`](crate::optim::Schedule::warm_up) and no other schedule; good rates are larger than
/// those of [`Sgd`](crate::Sgd) with momentum, by ten times and more. The statistics of [batch
/// norm](crate::nn::BatchNorm) are gathered anew for x, as the authors advise, by
/// [`Trainer`](crate::Trainer) or [`update_statistics`](crate::Sequential::update_statistics).
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Group, ScheduleFreeSgd};
/// let (mut rule, mut w) = (ScheduleFreeSgd::new(), [2.0_f64]);
/// for _ in 0..500 {
///     let gradient = [2.0 * w[0]]; // of w²
///     rule.step(0.5, &mut w, &gradient, &Group::all(1))?;
/// }
/// rule.swap_average(&mut w)?;
/// assert!(w[0].abs() < 0.01);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("SGDScheduleFree", "schedulefree"))]
pub struct ScheduleFreeSgd<T> {
    momentum: f64,
    r: f64,
    state: OptimizerState<T>,
}

/// Schedule-free AdamW: as [`ScheduleFreeSgd`], with Adam's division in place of its momentum. With
/// the gradient g at y in step t, counted from 1,
///
/// ```text
/// v ← β₂·v + (1−β₂)·g²            v̂ = v / (1−β₂ᵗ)
/// z ← z − lr·g / (√v̂ + ε)         c = γ / Σ γ, γ = tʳ·lrₘ²
/// x ← (1−c)·x + c·z               lrₘ: the largest lr so far
/// y ← (1−β₁)·z + β₁·x
/// ```
///
/// It is `AdamWScheduleFree` of the package `schedulefree`. Good rates are one to ten times those
/// of [`Adam`](crate::Adam) with a schedule; give it a
/// [`warm_up`](crate::optim::Schedule::warm_up).
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Group, ScheduleFreeAdam};
/// let (mut rule, mut w) = (ScheduleFreeAdam::new(), [2.0_f64]);
/// for _ in 0..1000 {
///     let gradient = [2.0 * w[0]]; // of w²
///     rule.step(0.05, &mut w, &gradient, &Group::all(1))?;
/// }
/// rule.swap_average(&mut w)?;
/// assert!(w[0].abs() < 0.1);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("AdamWScheduleFree", "ScheduleFreeAdamW"))]
pub struct ScheduleFreeAdam<T> {
    beta1: f64,
    beta2: f64,
    eps: f64,
    r: f64,
    state: OptimizerState<T>,
}

impl<T: Real> ScheduleFreeSgd<T> {
    /// Schedule-free descent with β = 0.9 and r = 0.
    pub fn new() -> Self {
        Self {
            momentum: 0.9,
            r: 0.0,
            state: OptimizerState::new("ScheduleFreeSgd", 2).averaging(NUMBERS),
        }
    }

    /// The same with another β in [0, 1): how near to x gradients are computed.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// The same with another r, finite and not negative: later steps count more in the average.
    #[must_use]
    pub fn r(self, r: f64) -> Self {
        Self { r, ..self }
    }
}

impl<T: Real> ScheduleFreeAdam<T> {
    /// Schedule-free AdamW with β₁ = 0.9, β₂ = 0.999, ε = 1e−8 and r = 0.
    pub fn new() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            r: 0.0,
            state: OptimizerState::new("ScheduleFreeAdam", 3).averaging(NUMBERS),
        }
    }

    /// The same with another β₁ in [0, 1): how near to x gradients are computed.
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

    /// The same with another r, finite and not negative: later steps count more in the average.
    #[must_use]
    pub fn r(self, r: f64) -> Self {
        Self { r, ..self }
    }
}

optimizer!(ScheduleFreeSgd {
    momentum: f64,
    r: f64
});
optimizer!(ScheduleFreeAdam {
    beta1: f64,
    beta2: f64,
    eps: f64,
    r: f64
});

/// The largest rate so far, and Σ γ over the square of it.
const NUMBERS: usize = 2;

/// Counts step t at the rate lr in `numbers`, and returns its c. Sums over the square of the
/// largest rate neither overflow nor vanish.
fn count(numbers: &mut [f64], r: f64, t: u64, lr: f64) -> f64 {
    let [largest, sum] = numbers else { return 0.0 };
    if lr > *largest {
        *sum *= *largest / lr * (*largest / lr);
        *largest = lr;
    }
    if *largest == 0.0 {
        return 0.0;
    }
    let weight = pow(t as f64, r);
    *sum += weight;
    weight / *sum
}

/// Where x and z, and y between them, come to by a step from y.
#[derive(Clone, Copy)]
struct Between<T> {
    /// c.
    share: T,
    /// β.
    beta: T,
}

impl<T: Real> Between<T> {
    fn new(share: f64, beta: f64) -> Self {
        Self {
            share: T::of(share),
            beta: T::of(beta),
        }
    }

    /// y, x and z after z has moved by −`update` and by what y has lost to decay.
    #[inline(always)]
    fn next(self, y: T, keep: T, update: T, x: T, z: T) -> (T, T, T) {
        let z = z - (y - y * keep) - update;
        let x = x + self.share * (z - x);
        (z + self.beta * (x - z), x, z)
    }
}

impl<T: Real> Rule<T> for ScheduleFreeSgd<T> {
    const NAME: &'static str = "ScheduleFreeSgd";
    const COPIES: usize = 2;

    fn check_numbers(&self) -> Result<()> {
        BELOW_ONE.check("momentum of ScheduleFreeSgd", self.momentum)?;
        NOT_NEGATIVE.check("r of ScheduleFreeSgd", self.r)
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let share = count(&mut self.state.numbers, self.r, step.t, step.lr);
        let between = Between::new(share, self.momentum);
        step.each(&mut self.state.slots, |lr, keep| {
            let lr = T::of(lr);
            #[inline(always)]
            move |y, g, [x, z]| {
                let (y, x, z) = between.next(y, keep, lr * g, x, z);
                (y, [x, z])
            }
        });
    }
}

impl<T: Real> Rule<T> for ScheduleFreeAdam<T> {
    const NAME: &'static str = "ScheduleFreeAdam";
    const COPIES: usize = 2;

    fn check_numbers(&self) -> Result<()> {
        BELOW_ONE.check("beta1 of ScheduleFreeAdam", self.beta1)?;
        BELOW_ONE.check("beta2 of ScheduleFreeAdam", self.beta2)?;
        POSITIVE.check_in::<T>("eps of ScheduleFreeAdam", self.eps)?;
        NOT_NEGATIVE.check("r of ScheduleFreeAdam", self.r)
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let share = count(&mut self.state.numbers, self.r, step.t, step.lr);
        let between = Between::new(share, self.beta1);
        let correct = T::of(1.0 / libm::sqrt(1.0 - power(self.beta2, step.t)));
        let (beta2, share2) = (T::of(self.beta2), T::of(1.0 - self.beta2));
        let eps = T::of(self.eps);
        step.each(&mut self.state.slots, |lr, keep| {
            let lr = T::of(lr);
            #[inline(always)]
            move |y, g, [x, z, v]| {
                let v = (beta2 * v + share2 * g * g).flush();
                let update = lr * g / (root(v) * correct + eps);
                let (y, x, z) = between.next(y, keep, update, x, z);
                (y, [x, z, v])
            }
        });
    }
}
