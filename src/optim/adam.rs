//! Adam.

use super::arithmetic::{Moments, larger, power, root};
use super::caution::{Caution, cautious};
use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::{BELOW_ONE, POSITIVE};
use crate::numeric::real::Real;

/// Adam (Kingma & Ba 2015): with the gradient g in step t, counted from 1,
///
/// ```text
/// m ← β₁·m + (1−β₁)·g      m̂ = m / (1−β₁ᵗ)
/// v ← β₂·v + (1−β₂)·g²     v̂ = v / (1−β₂ᵗ)
/// w ← w − lr·m̂ / (√v̂ + ε)
/// ```
///
/// with ε outside the root, as in the paper's algorithm and PyTorch. Keras adds its ε to √v, before
/// the correction of the bias (the paper's ε̂, end of section 2). Here that counts as ε/√(1−β₂ᵗ),
/// so that its first steps are smaller. A group's decay λ also takes lr·λ·w, decoupled from the
/// moments: with it the rule is AdamW (Loshchilov & Hutter 2019, PyTorch's and Keras' `AdamW`).
/// [`amsgrad`](Self::amsgrad) remembers the largest v.
///
/// ```
/// use chainrule::{Adam, Optimizer};
/// use chainrule::optim::Group;
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
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("AdamW", "traingda"))]
pub struct Adam<T> {
    beta1: f64,
    beta2: f64,
    eps: f64,
    amsgrad: bool,
    caution: Caution,
    state: OptimizerState<T>,
}

impl<T: Real> Adam<T> {
    /// Adam with β₁ = 0.9, β₂ = 0.999 and the ε = 1e−8 of the paper and PyTorch (Keras: 1e−7).
    pub fn new() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            amsgrad: false,
            caution: Caution::default(),
            state: OptimizerState::new("Adam", 2),
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

    /// AMSGrad (Reddi, Kale & Kumar 2018): v̂ is of the largest v so far, so that no rate ever
    /// grows again. The largest is taken before it is corrected for the bias, as PyTorch and Keras
    /// do (the paper corrects nothing).
    ///
    /// ```
    /// use chainrule::{Adam, Optimizer};
    /// use chainrule::optim::Group;
    /// let mut w = [2.0_f64];
    /// let mut adam = Adam::new().amsgrad();
    /// for _ in 0..500 {
    ///     let gradient = [2.0 * w[0]]; // of w²
    ///     adam.step(0.05, &mut w, &gradient, &Group::all(1))?;
    /// }
    /// assert!(w[0].abs() < 1e-3);
    /// assert_eq!(adam.state().slots.len(), 3); // m, v and the largest v
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    pub fn amsgrad(self) -> Self {
        Self {
            amsgrad: true,
            ..self
        }
        .remembering()
    }

    cautious!(Adam);
}

optimizer!(Adam {
    beta1: f64,
    beta2: f64,
    eps: f64,
    amsgrad: bool,
    #[serde(default)]
    caution: Caution
});

impl<T: Real> Rule<T> for Adam<T> {
    const NAME: &'static str = "Adam";

    fn check_numbers(&self) -> Result<()> {
        BELOW_ONE.check("beta1 of Adam", self.beta1)?;
        BELOW_ONE.check("beta2 of Adam", self.beta2)?;
        POSITIVE.check_in::<T>("eps of Adam", self.eps)
    }

    /// The first step is the longest: lr is then divided by 1−β₁.
    fn stretch(&self) -> f64 {
        1.0 / (1.0 - self.beta1)
    }

    /// AMSGrad remembers the largest v, too.
    fn remembering(mut self) -> Self {
        let (name, slots) = if self.amsgrad {
            ("Adam (AMSGrad)", 3)
        } else {
            ("Adam", 2)
        };
        self.caution.remember(&mut self.state, name, slots);
        self
    }

    fn caution(&self) -> Option<Caution> {
        self.caution.asked()
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let (bias1, bias2) = (
            1.0 - power(self.beta1, step.t),
            1.0 - power(self.beta2, step.t),
        );
        let moments = Moments::new(self.beta1, self.beta2);
        let (correct, eps) = (T::of(1.0 / libm::sqrt(bias2)), T::of(self.eps));
        if self.amsgrad {
            step.each(&mut self.state.slots, |lr, keep| {
                let rate = T::of(lr / bias1);
                #[inline(always)]
                move |w, g, [m, v, largest]| {
                    let (m, v) = moments.next(g, m, v);
                    let largest = larger(largest, v);
                    (
                        w * keep - rate * m / (root(largest) * correct + eps),
                        [m, v, largest],
                    )
                }
            });
        } else {
            step.each(&mut self.state.slots, |lr, keep| {
                adam(moments, T::of(lr / bias1), keep, correct, eps)
            });
        }
    }
}

/// What becomes of a parameter, 1 − lr·λ of it being kept; once for all rules that do it to some.
pub(super) fn adam<T: Real>(
    moments: Moments<T>,
    rate: T,
    keep: T,
    correct: T,
    eps: T,
) -> impl Fn(T, T, [T; 2]) -> (T, [T; 2]) + Copy + Send {
    #[inline(always)]
    move |w, g, [m, v]| {
        let (m, v) = moments.next(g, m, v);
        (w * keep - rate * m / (root(v) * correct + eps), [m, v])
    }
}
