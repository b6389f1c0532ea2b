//! Stochastic gradient descent.

use super::{Group, Optimizer, OptimizerState, check_fraction, update};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::{
    Pass,
    workers::{Divide, Workers},
};
use crate::real::Real;

/// Gradient descent with the momentum of PyTorch's `SGD`: with the gradient g, momentum μ and dampening τ
///
/// ```text
/// v ← g                     in the first step
/// v ← μ·v + (1−τ)·g         later
/// w ← w − lr·(g + μ·v)      with Nesterov's momentum
/// w ← w − lr·v              else; without momentum v is g
/// ```
///
/// (Polyak 1964; Nesterov 1983 in the form of Sutskever et al. 2013). A group's decay λ also takes lr·λ·w,
/// decoupled from the momentum.
///
/// ```
/// use chainrule::{Group, Optimizer, Sgd};
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
pub struct Sgd<T> {
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    state: OptimizerState<T>,
}

impl<T: Real> Sgd<T> {
    /// Plain gradient descent: w ← w − lr·g.
    pub fn new() -> Self {
        Self { momentum: 0.0, dampening: 0.0, nesterov: false, state: OptimizerState::new("Sgd", 0) }
    }

    /// The same with momentum μ in [0, 1).
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        // Plain descent remembers nothing; a state that fits stays.
        let slots = usize::from(momentum != 0.0);
        if self.state.slots.len() != slots {
            self.state = OptimizerState::new("Sgd", slots);
        }
        self
    }

    /// The same with dampening τ in [0, 1).
    #[must_use]
    pub fn dampening(self, dampening: f64) -> Self {
        Self { dampening, ..self }
    }

    /// The same with Nesterov's momentum; needs a momentum and no dampening.
    #[must_use]
    pub fn nesterov(self) -> Self {
        Self { nesterov: true, ..self }
    }
}

impl<T: Real> Default for Sgd<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Optimizer<T> for Sgd<T> {
    fn step(&mut self, lr: f64, params: &mut [T], grads: &[T], groups: &[Group]) -> Result<()> {
        self.step_on(&Workers::default(), lr, params, grads, groups)
    }

    fn step_on(&mut self, workers: &Workers, lr: f64, params: &mut [T], grads: &[T], groups: &[Group]) -> Result<()> {
        self.check()?;
        self.state.begin(lr, 1.0, params, grads, groups)?;
        for group in Group::active(groups) {
            let (lr, range) = (lr * group.rate, group.range.clone());
            let (w, g) = (&mut params[range.clone()], &grads[range.clone()]);
            let keep = T::of(1.0 - lr * group.decay);
            match self.state.slots.first_mut() {
                None => update::<T, _>(workers, range.len(), Descend { w, g, lr: T::of(lr), keep }),
                Some(v) => {
                    let first = self.state.step == 1;
                    let pass = Momentum {
                        w,
                        g,
                        v: &mut v[range.clone()],
                        lr: T::of(lr),
                        keep,
                        momentum: T::of(self.momentum),
                        share: T::of(if first { 1.0 } else { 1.0 - self.dampening }),
                        nesterov: self.nesterov,
                    };
                    update::<T, _>(workers, range.len(), pass);
                }
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        check_fraction("momentum of Sgd", self.momentum)?;
        check_fraction("dampening of Sgd", self.dampening)?;
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            let given = alloc::format!("momentum {} and dampening {}", self.momentum, self.dampening);
            return Err(Error::new(ErrorKind::Value, "nesterov of Sgd", "a momentum above 0 and no dampening", given));
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

struct Descend<'a, T> {
    w: &'a mut [T],
    g: &'a [T],
    lr: T,
    keep: T,
}

impl<T: Real> Divide for Descend<'_, T> {
    fn divide(self, at: usize) -> (Self, Self) {
        let ((w, w_rest), (g, g_rest)) = (self.w.split_at_mut(at), self.g.split_at(at));
        (Self { w, g, ..self }, Self { w: w_rest, g: g_rest, ..self })
    }
}

impl<T: Real> Pass for Descend<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { w, g, lr, keep } = self;
        for (w, g) in w.iter_mut().zip(g) {
            *w = *w * keep - lr * *g;
        }
    }
}

struct Momentum<'a, T> {
    w: &'a mut [T],
    g: &'a [T],
    v: &'a mut [T],
    lr: T,
    keep: T,
    momentum: T,
    share: T,
    nesterov: bool,
}

impl<T: Real> Divide for Momentum<'_, T> {
    fn divide(self, at: usize) -> (Self, Self) {
        let ((w, w_rest), (g, g_rest), (v, v_rest)) = (self.w.split_at_mut(at), self.g.split_at(at), self.v.split_at_mut(at));
        (Self { w, g, v, ..self }, Self { w: w_rest, g: g_rest, v: v_rest, ..self })
    }
}

impl<T: Real> Pass for Momentum<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { w, g, v, lr, keep, momentum, share, nesterov } = self;
        // With v = 0 before it, the first step needs no rule of its own.
        for ((w, g), v) in w.iter_mut().zip(g).zip(v) {
            *v = (momentum * *v + share * *g).flush();
            let direction = if nesterov { *g + momentum * *v } else { *v };
            *w = *w * keep - lr * direction;
        }
    }
}
