//! Caution: steps that leave out what the gradient speaks against.

use super::state::OptimizerState;
use super::update::{StepArgs, learning};
use crate::numeric::kernel::Pass;
use crate::numeric::kernel::workers::Divide;
use crate::numeric::real::Real;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Which parts of a step are cautious. With the update u of the rule, w ← w − u:
///
/// ```text
/// updates   u ← u·[u·g > 0] / max(r, 10⁻³), r being the share of [u·g > 0] in the group
/// decay     λ ← λ·[u·w ≥ 0]
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub(super) struct Caution {
    updates: bool,
    decay: bool,
}

/// The options `cautious` and `cautious_decay` of a rule with a field `caution`.
macro_rules! cautious {
    ($rule:ident) => {
        /// Cautious updates (Liang, Chen, Liu & Liu 2024): where the update u, w ← w − u, points
        /// against the gradient, as a step by momentum may, it is left out; the rest of a group is
        /// scaled up for it,
        ///
        /// ```text
        /// u ← u·[u·g > 0] / max(r, 10⁻³)      r: the share of [u·g > 0] in the group
        /// ```
        ///
        /// as in the authors' code (the paper divides by r + 1/d in a group of d parameters). It
        /// takes one vector more.
        ///
        /// ```
        /// use chainrule::Optimizer;
        /// use chainrule::optim::Group;
        #[doc = concat!("use chainrule::optim::", stringify!($rule), ";")]
        /// let mut w = [2.0_f64];
        #[doc = concat!("let mut rule = ", stringify!($rule), "::new().cautious();")]
        /// for t in 0..500 {
        ///     let gradient = [2.0 * w[0]]; // of w²
        ///     rule.step(0.05 * (1.0 - f64::from(t) / 500.0), &mut w, &gradient, &Group::all(1))?;
        /// }
        /// assert!(w[0].abs() < 0.05);
        /// # Ok::<(), chainrule::Error>(())
        /// ```
        #[must_use]
        pub fn cautious(self) -> Self {
            let caution = self.caution.with_updates();
            Self { caution, ..self }.remembering()
        }

        /// Cautious weight decay (Chen et al. 2025): the decay of a group counts only where it goes
        /// the way of the update u, w ← w − u, that is where u·w ≥ 0. It takes one vector more,
        /// which [`cautious`](Self::cautious) uses, too.
        #[must_use]
        pub fn cautious_decay(self) -> Self {
            let caution = self.caution.with_decay();
            Self { caution, ..self }.remembering()
        }
    };
}
pub(super) use cautious;

impl Caution {
    pub(super) fn with_updates(self) -> Self {
        Self {
            updates: true,
            ..self
        }
    }

    pub(super) fn with_decay(self) -> Self {
        Self {
            decay: true,
            ..self
        }
    }

    /// What steps need, if they are cautious.
    pub(super) fn asked(self) -> Option<Self> {
        (self.updates || self.decay).then_some(self)
    }

    /// Fits the state of a rule of so many vectors: one more for the update comes last.
    pub(super) fn remember<T: Real>(self, state: &mut OptimizerState<T>, rule: &str, slots: usize) {
        state.reshape(rule, slots + usize::from(self.asked().is_some()));
    }

    /// A step of the rule whose plain step is `descend`: that changes an `update` of 0 in place of
    /// the parameters, which then follow it with caution, and leave it 0 again.
    #[inline]
    pub(super) fn step<T: Real>(
        self,
        step: StepArgs<'_, T>,
        mut update: Vec<T>,
        descend: impl FnOnce(StepArgs<'_, T>),
    ) -> Vec<T> {
        descend(StepArgs {
            params: &mut update,
            ..step
        });
        self.follow(step, &mut update);
        update
    }

    /// Adds `update` to the parameters.
    #[inline(never)]
    fn follow<T: Real>(self, step: StepArgs<'_, T>, update: &mut [T]) {
        for group in learning(step.groups) {
            let range = group.range.clone();
            let (w, g) = (&mut step.params[range.clone()], &step.grads[range.clone()]);
            let u = &mut update[range.clone()];
            let len = range.len();
            let along = if self.updates {
                let count = AtomicUsize::new(0);
                step.workers.over((&*u, g), len, 1, |(u, g)| {
                    count.fetch_add(T::vectorize(Along { u, g }), Ordering::Relaxed);
                });
                let share = count.into_inner() as f64 / len.max(1) as f64;
                1.0 / share.max(1e-3)
            } else {
                1.0
            };
            let keep = T::of(1.0 - step.lr * group.rate * group.decay);
            let pass = Follow {
                w,
                u,
                g,
                along: T::of(along),
                against: T::of(if self.updates { 0.0 } else { 1.0 }),
                keep,
                keep_against: if self.decay { T::one() } else { keep },
            };
            step.workers.over(pass, len, 1, T::vectorize);
        }
    }
}

/// Whether two numbers have different signs, neither being 0.
#[inline(always)]
fn opposed<T: Real>(a: T, b: T) -> bool {
    let zero = T::zero();
    (a > zero) & (b < zero) | (a < zero) & (b > zero)
}

/// How many updates go down the gradient.
struct Along<'a, T> {
    u: &'a [T],
    g: &'a [T],
}

impl<T: Real> Pass for Along<'_, T> {
    type Output = usize;
    #[inline(always)]
    fn run<const FMA: bool>(self) -> usize {
        let pairs = self.u.iter().zip(self.g);
        pairs.fold(0, |count, (u, g)| count + usize::from(opposed(*u, *g)))
    }
}

/// The loop of a cautious step.
struct Follow<'a, T> {
    w: &'a mut [T],
    u: &'a mut [T],
    g: &'a [T],
    /// By what an update down the gradient is multiplied, and any other.
    along: T,
    against: T,
    /// By what a parameter is multiplied, and one that decay would take the other way.
    keep: T,
    keep_against: T,
}

impl<T: Real> Divide for Follow<'_, T> {
    fn divide(self, at: usize) -> (Self, Self) {
        let ((w, w_rest), (u, u_rest)) = (self.w.split_at_mut(at), self.u.split_at_mut(at));
        let (g, g_rest) = self.g.split_at(at);
        (
            Self { w, u, g, ..self },
            Self {
                w: w_rest,
                u: u_rest,
                g: g_rest,
                ..self
            },
        )
    }
}

impl<T: Real> Pass for Follow<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((w, follow), g) in self.w.iter_mut().zip(self.u).zip(self.g) {
            let u = core::mem::replace(follow, T::zero());
            // Not by a choice of 0, so that NaN passes.
            let share = if opposed(u, *g) {
                self.along
            } else {
                self.against
            };
            // The update is added, so it goes the way of decay where the signs differ.
            let grows = opposed(u, -*w);
            let keep = if grows { self.keep_against } else { self.keep };
            *w = *w * keep + u * share;
        }
    }
}
