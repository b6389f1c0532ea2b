//! Rprop.

use super::arithmetic::sign;
use super::rule::{Rule, StepArgs, check_told, optimizer};
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::bounds::{ABOVE_ONE, BETWEEN, POSITIVE, ensure};
use crate::numeric::real::Real;
use alloc::vec;

/// Rprop (Riedmiller & Braun 1993) without backtracking (iRprop⁻ of Igel & Hüsken 2000, PyTorch's
/// `Rprop`): steps Δ of every parameter, by the sign of its gradient alone. With the sign g₋ of the
/// step before, 0 at first,
///
/// ```text
/// Δ ← Δ·η⁺   where g·g₋ > 0
/// Δ ← Δ·η⁻   where g·g₋ < 0, and g counts as 0
/// Δ ← Δ      else
/// w ← w − Δ·sign g
/// ```
///
/// with Δ kept within its bounds. [`backtracking`](Self::backtracking) also takes a step back
/// (iRprop⁺ of the same authors). The learning rate is the first Δ of a parameter; later ones, and
/// so a schedule, do not count. A group's decay λ also takes lr·λ·w. It is a rule for full batches:
/// the noise of mini-batches turns signs around.
///
/// ```
/// use chainrule::Optimizer;
/// use chainrule::optim::{Group, Rprop};
/// let mut w = [2.0_f64];
/// let mut rprop = Rprop::new();
/// for _ in 0..100 {
///     let gradient = [2.0 * w[0]]; // of w²
///     rprop.step(0.1, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("trainrp", "iRprop", "FANN_TRAIN_RPROP"))]
pub struct Rprop<T> {
    eta_minus: f64,
    eta_plus: f64,
    smallest: f64,
    largest: f64,
    backtracking: bool,
    /// The cost of the step to come.
    #[cfg_attr(feature = "serde", serde(skip))]
    cost: Option<f64>,
    state: OptimizerState<T>,
}

impl<T: Real> Rprop<T> {
    /// Rprop with η⁻ = 0.5, η⁺ = 1.2 and steps from 1e−6 to 50.
    pub fn new() -> Self {
        Self {
            eta_minus: 0.5,
            eta_plus: 1.2,
            smallest: 1e-6,
            largest: 50.0,
            backtracking: false,
            cost: None,
            state: OptimizerState::new("Rprop", 2),
        }
    }

    /// The same with another η⁻ in (0, 1).
    #[must_use]
    pub fn eta_minus(self, eta_minus: f64) -> Self {
        Self { eta_minus, ..self }
    }

    /// The same with another η⁺, finite and above 1.
    #[must_use]
    pub fn eta_plus(self, eta_plus: f64) -> Self {
        Self { eta_plus, ..self }
    }

    /// The same with steps from `smallest` to `largest`, both finite and above 0.
    #[must_use]
    pub fn bounds(self, smallest: f64, largest: f64) -> Self {
        Self {
            smallest,
            largest,
            ..self
        }
    }

    /// iRprop⁺ (Igel & Hüsken 2000): where the sign of a gradient has turned and the cost has risen
    /// since the step before, the parameter also goes back by what that step changed. Before each
    /// step the rule must be [told](crate::Optimizer::note_cost) the cost;
    /// [`Trainer`](crate::Trainer) does so. It takes one vector more.
    ///
    /// # Errors
    /// A step of which the cost was not told, or was NaN, is
    /// [`ErrorKind::Value`](crate::ErrorKind::Value).
    ///
    /// ```
    /// use chainrule::Optimizer;
    /// use chainrule::optim::{Group, Rprop};
    /// let mut w = [2.0_f64];
    /// let mut rprop = Rprop::new().backtracking();
    /// for _ in 0..100 {
    ///     rprop.note_cost(w[0] * w[0]);
    ///     let gradient = [2.0 * w[0]];
    ///     rprop.step(0.1, &mut w, &gradient, &Group::all(1))?;
    /// }
    /// assert!(w[0].abs() < 1e-3);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    pub fn backtracking(self) -> Self {
        Self {
            backtracking: true,
            ..self
        }
        .remembering()
    }
}

optimizer!(Rprop {
    eta_minus: f64,
    eta_plus: f64,
    smallest: f64,
    largest: f64,
    #[serde(default)]
    backtracking: bool
});

impl<T: Real> Rule<T> for Rprop<T> {
    const NAME: &'static str = "Rprop";

    fn check_numbers(&self) -> Result<()> {
        let Self {
            eta_minus,
            eta_plus,
            smallest,
            largest,
            ..
        } = *self;
        BETWEEN.check("eta_minus of Rprop", eta_minus)?;
        ABOVE_ONE.check_in::<T>("eta_plus of Rprop", eta_plus)?;
        POSITIVE.check_in::<T>("smallest step of Rprop", smallest)?;
        let sound = largest >= smallest && T::of(largest).is_finite();
        ensure(
            sound,
            "largest step of Rprop",
            "a finite number, at least the smallest step",
            largest,
        )
    }

    /// iRprop⁺ remembers the change of every parameter and the cost of the last step.
    fn remembering(mut self) -> Self {
        if self.backtracking && self.state.numbers.is_empty() {
            self.state.reshape("Rprop (backtracking)", 3);
            self.state.numbers = vec![0.0];
        }
        self
    }

    fn note(&mut self, cost: f64) {
        self.cost = self.backtracking.then_some(cost);
    }

    fn check_ready(&self) -> Result<()> {
        match self.backtracking {
            false => Ok(()),
            true => check_told("cost of Rprop::step", self.cost),
        }
    }

    fn descend(&mut self, step: StepArgs<'_, T>) {
        let (eta_minus, eta_plus) = (T::of(self.eta_minus), T::of(self.eta_plus));
        let (smallest, largest) = (T::of(self.smallest), T::of(self.largest));
        let rates = Rates {
            eta_minus,
            eta_plus,
            smallest,
            largest,
        };
        let state = &mut self.state;
        let (Some(cost), [before]) = (self.cost.take(), &mut state.numbers[..]) else {
            return step.each(&mut state.slots, |lr, keep| {
                let lr = T::of(lr);
                #[inline(always)]
                move |w, g, [before, delta]| {
                    let (g, delta, _) = rates.next(g, before, delta, lr);
                    (w * keep - delta * g, [g, delta])
                }
            });
        };
        let risen = step.t > 1 && cost > *before;
        *before = cost;
        step.each(&mut state.slots, |lr, keep| {
            let lr = T::of(lr);
            #[inline(always)]
            move |w, g, [before, delta, change]| {
                let (g, delta, turned) = rates.next(g, before, delta, lr);
                let back = if turned & risen { -change } else { T::zero() };
                let change = back - delta * g;
                (w * keep + change, [g, delta, change])
            }
        });
    }
}

/// How steps grow and shrink.
#[derive(Clone, Copy)]
struct Rates<T> {
    eta_minus: T,
    eta_plus: T,
    smallest: T,
    largest: T,
}

impl<T: Real> Rates<T> {
    /// The sign that counts, Δ, and whether the sign has turned.
    #[inline(always)]
    fn next(self, g: T, before: T, delta: T, lr: T) -> (T, T, bool) {
        let turn = sign(g) * before;
        let turned = turn < T::zero();
        let factor = if turn > T::zero() {
            self.eta_plus
        } else {
            T::one()
        };
        let factor = if turned { self.eta_minus } else { factor };
        // 0 is a parameter's before its first step.
        let delta = if delta == T::zero() {
            lr
        } else {
            delta * factor
        };
        let delta = if delta < self.smallest {
            self.smallest
        } else {
            delta
        };
        let delta = if delta > self.largest {
            self.largest
        } else {
            delta
        };
        (if turned { T::zero() } else { sign(g) }, delta, turned)
    }
}
