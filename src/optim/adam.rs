//! Adam.

use super::{Group, Optimizer, OptimizerState, check_fraction, update};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::{
    Pass,
    workers::{Divide, Workers},
};
use crate::real::Real;

/// Adam (Kingma & Ba 2015): with the gradient g in step t, counted from 1,
///
/// ```text
/// m ← β₁·m + (1−β₁)·g      m̂ = m / (1−β₁ᵗ)
/// v ← β₂·v + (1−β₂)·g²     v̂ = v / (1−β₂ᵗ)
/// w ← w − lr·m̂ / (√v̂ + ε)
/// ```
///
/// with ε outside the root, as in the paper, PyTorch and Keras. A group's decay λ also takes lr·λ·w, decoupled from the
/// moments: with it the rule is AdamW (Loshchilov & Hutter 2019, PyTorch's `AdamW`).
///
/// ```
/// use chainrule::{Adam, Group, Optimizer};
/// let mut w = [2.0_f64];
/// let mut adam = Adam::new();
/// for _ in 0..500 {
///     let gradient = [2.0 * w[0]]; // of w²
///     adam.step(0.05, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Adam<T> {
    beta1: f64,
    beta2: f64,
    eps: f64,
    state: OptimizerState<T>,
}

impl<T: Real> Adam<T> {
    /// Adam with β₁ = 0.9, β₂ = 0.999, ε = 1e−8.
    pub fn new() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, state: OptimizerState::new("Adam", 2) }
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
}

impl<T: Real> Default for Adam<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Optimizer<T> for Adam<T> {
    fn step(&mut self, lr: f64, params: &mut [T], grads: &[T], groups: &[Group]) -> Result<()> {
        self.step_on(&Workers::default(), lr, params, grads, groups)
    }

    fn step_on(&mut self, workers: &Workers, lr: f64, params: &mut [T], grads: &[T], groups: &[Group]) -> Result<()> {
        self.check()?;
        // The first step is the longest: lr is then divided by 1−β₁.
        self.state.begin(lr, 1.0 / (1.0 - self.beta1), params, grads, groups)?;
        let t = usize::try_from(self.state.step).unwrap_or(usize::MAX);
        let (bias1, bias2) = (1.0 - num_traits::pow(self.beta1, t), 1.0 - num_traits::pow(self.beta2, t));
        let [m, v] = &mut self.state.slots[..] else { return Ok(()) };
        for group in Group::active(groups) {
            let (lr, range) = (lr * group.rate, group.range.clone());
            let pass = Update {
                w: &mut params[range.clone()],
                g: &grads[range.clone()],
                m: &mut m[range.clone()],
                v: &mut v[range.clone()],
                beta1: T::of(self.beta1),
                share1: T::of(1.0 - self.beta1),
                beta2: T::of(self.beta2),
                share2: T::of(1.0 - self.beta2),
                rate: T::of(lr / bias1),
                root: T::of(1.0 / libm::sqrt(bias2)),
                eps: T::of(self.eps),
                keep: T::of(1.0 - lr * group.decay),
            };
            update::<T, _>(workers, range.len(), pass);
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        check_fraction("beta1 of Adam", self.beta1)?;
        check_fraction("beta2 of Adam", self.beta2)?;
        if !(self.eps.is_finite() && T::of(self.eps) > T::zero()) {
            return Err(Error::new(ErrorKind::Value, "eps of Adam", "a finite number above 0", self.eps));
        }
        Ok(())
    }

    fn state(&self) -> &OptimizerState<T> {
        &self.state
    }

    fn restore(&mut self, state: &OptimizerState<T>) -> Result<()> {
        self.state.replace(state)
    }
}

struct Update<'a, T> {
    w: &'a mut [T],
    g: &'a [T],
    m: &'a mut [T],
    v: &'a mut [T],
    beta1: T,
    share1: T,
    beta2: T,
    share2: T,
    /// lr / (1−β₁ᵗ)
    rate: T,
    /// 1 / √(1−β₂ᵗ)
    root: T,
    eps: T,
    /// 1 − lr·λ
    keep: T,
}

impl<T: Real> Divide for Update<'_, T> {
    fn divide(self, at: usize) -> (Self, Self) {
        let ((w, w_rest), (g, g_rest)) = (self.w.split_at_mut(at), self.g.split_at(at));
        let ((m, m_rest), (v, v_rest)) = (self.m.split_at_mut(at), self.v.split_at_mut(at));
        (Self { w, g, m, v, ..self }, Self { w: w_rest, g: g_rest, m: m_rest, v: v_rest, ..self })
    }
}

impl<T: Real> Pass for Update<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { w, g, m, v, beta1, share1, beta2, share2, rate, root, eps, keep } = self;
        for (((w, g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
            *m = (beta1 * *m + share1 * *g).flush();
            *v = (beta2 * *v + share2 * *g * *g).flush();
            *w = *w * keep - rate * *m / (v.sqrt() * root + eps);
        }
    }
}
