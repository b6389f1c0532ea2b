//! The frame of a rule: from what one parameter becomes to a step of all.

use super::group::Group;
use crate::error::Result;
use crate::numeric::kernel::{
    Pass,
    workers::{Divide, Workers},
};
use crate::numeric::real::Real;
use alloc::vec::Vec;
use core::array::from_fn;
use core::mem::take;

/// What one rule is, within the frame that all of them share.
pub(super) trait Rule<T: Real> {
    /// How errors call it.
    const NAME: &'static str;

    /// Checks the hyper-parameters.
    fn check_numbers(&self) -> Result<()>;

    /// The largest factor by which a step multiplies lr.
    fn stretch(&self) -> f64 {
        1.0
    }

    /// What is remembered of each parameter before the first step.
    fn start(&self) -> f64 {
        0.0
    }

    /// With a state for what these options remember.
    fn remembering(self) -> Self
    where
        Self: Sized,
    {
        self
    }

    /// Takes a step whose arguments fit.
    fn descend(&mut self, step: StepArgs<'_, T>);
}

/// `Optimizer` for a [`Rule`] with a `state`, `Default` by its `new`, and `Deserialize` of its
/// numbers and a state that fits them.
macro_rules! optimizer {
    ($rule:ident { $($number:ident: $kind:ty),* }) => {
        impl<T: Real> Default for $rule<T> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<T: Real> $crate::optim::Optimizer<T> for $rule<T> {
            fn step(
                &mut self,
                lr: f64,
                params: &mut [T],
                grads: &[T],
                groups: &[$crate::optim::Group],
            ) -> $crate::error::Result<()> {
                $crate::numeric::compiled::compiled_here!(T: |rule: &mut $rule<T>,
                                                              lr: f64,
                                                              params: &mut [T],
                                                              grads: &[T],
                                                              groups: &[$crate::optim::Group]|
                                                              -> $crate::error::Result<()> {
                    rule.check_numbers()?;
                    let (name, stretch) = ($rule::<T>::NAME, rule.stretch());
                    rule.state.check(name, stretch, lr, params, grads, groups)?;
                    let workers = $crate::numeric::kernel::workers::Workers::default();
                    rule.step_on(&workers, lr, params, grads, groups)
                })(self, lr, params, grads, groups)
            }

            fn step_on(
                &mut self,
                workers: &$crate::numeric::kernel::workers::Workers,
                lr: f64,
                params: &mut [T],
                grads: &[T],
                groups: &[$crate::optim::Group],
            ) -> $crate::error::Result<()> {
                use $crate::numeric::kernel::workers::Workers;
                $crate::numeric::compiled::compiled_here!(T: |rule: &mut $rule<T>,
                                                              workers: &Workers,
                                                              lr: f64,
                                                              params: &mut [T],
                                                              grads: &[T],
                                                              groups: &[$crate::optim::Group]|
                                                              -> $crate::error::Result<()> {
                    let (name, stretch) = ($rule::<T>::NAME, rule.stretch());
                    if !rule.state.fits(stretch, lr, params, grads, groups) {
                        rule.state.check(name, stretch, lr, params, grads, groups)?;
                    }
                    rule.state.begin(params.len(), rule.start());
                    let t = rule.state.step;
                    rule.descend(StepArgs { workers, t, lr, params, grads, groups });
                    Ok(())
                })(self, workers, lr, params, grads, groups)
            }

            fn check(&self) -> $crate::error::Result<()> {
                $crate::numeric::compiled::compiled_here!(
                    T: |rule: &$rule<T>| -> $crate::error::Result<()> { rule.check_numbers() }
                )(self)
            }

            fn state(&self) -> &$crate::optim::OptimizerState<T> {
                &self.state
            }

            fn restore(
                &mut self,
                state: &$crate::optim::OptimizerState<T>,
            ) -> $crate::error::Result<()> {
                use $crate::optim::OptimizerState;
                $crate::numeric::compiled::compiled_here!(T: |rule: &mut $rule<T>,
                                                              state: &OptimizerState<T>|
                                                              -> $crate::error::Result<()> {
                    rule.state.replace(state)
                })(self, state)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de, T: Real> serde::Deserialize<'de> for $rule<T> {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> core::result::Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(bound = "T: Real", deny_unknown_fields)]
                struct $rule<T> {
                    $($number: $kind,)*
                    #[serde(default, deserialize_with = "crate::ground::serde::given")]
                    state: Option<$crate::optim::OptimizerState<T>>,
                }
                $crate::ground::serde::checked(deserializer, |read: $rule<T>| {
                    let mut rule = Self { $($number: read.$number,)* ..Self::new() }.remembering();
                    rule.check_numbers()?;
                    read.state.map_or(Ok(()), |state| rule.state.replace(&state))?;
                    Ok(rule)
                })
            }
        }
    };
}
pub(super) use optimizer;

/// The arguments of a step, of which it is known that they fit.
pub(super) struct StepArgs<'a, T> {
    pub(super) workers: &'a Workers,
    /// The number of the step, counted from 1.
    pub(super) t: u64,
    pub(super) lr: f64,
    pub(super) params: &'a mut [T],
    pub(super) grads: &'a [T],
    pub(super) groups: &'a [Group],
}

impl<T: Real> StepArgs<'_, T> {
    /// Changes the parameters of every group: `rule` gets a group's lr and 1 − lr·λ and returns
    /// what becomes of one parameter, told its gradient and what the K slots remember of it; that
    /// must be `#[inline(always)]`.
    pub(super) fn each<F, const K: usize>(self, slots: &mut [Vec<T>], rule: impl Fn(f64, T) -> F)
    where
        F: Fn(T, T, [T; K]) -> (T, [T; K]) + Copy + Send,
    {
        for group in self.groups.iter().filter(|group| group.rate != 0.0) {
            let range = group.range.clone();
            let (w, g) = (&mut self.params[range.clone()], &self.grads[range.clone()]);
            if group.statistic {
                follow_all(self.workers, w, g);
                continue;
            }
            let lr = self.lr * group.rate;
            let at = rule(lr, T::of(1.0 - lr * group.decay));
            let mut slots = slots.iter_mut();
            let slots = from_fn(|_| {
                slots
                    .next()
                    .map_or(&mut [][..], |slot| &mut slot[range.clone()])
            });
            let pass = Update { w, g, slots, at };
            self.workers.over(pass, range.len(), 1, T::vectorize);
        }
    }
}

/// The step of running statistics, the same for every rule.
#[inline(never)]
fn follow_all<T: Real>(workers: &Workers, w: &mut [T], g: &[T]) {
    let len = w.len();
    let (slots, at) = ([], follow);
    workers.over(Update { w, g, slots, at }, len, 1, T::vectorize);
}

/// What becomes of a running statistic.
#[inline(always)]
fn follow<T: Real>(p: T, g: T, _: [T; 0]) -> (T, [T; 0]) {
    ((p - g).flush(), [])
}

/// The loop of a rule.
struct Update<'a, T, F, const K: usize> {
    w: &'a mut [T],
    g: &'a [T],
    slots: [&'a mut [T]; K],
    at: F,
}

impl<T: Real, F: Copy + Send, const K: usize> Divide for Update<'_, T, F, K> {
    fn divide(self, at: usize) -> (Self, Self) {
        let ((w, w_rest), (g, g_rest)) = (self.w.split_at_mut(at), self.g.split_at(at));
        let mut slots = self.slots.map(|slot| slot.split_at_mut(at));
        let (near, far) = (
            slots.each_mut().map(|(near, _)| take(near)),
            slots.each_mut().map(|(_, far)| take(far)),
        );
        (
            Self {
                w,
                g,
                slots: near,
                ..self
            },
            Self {
                w: w_rest,
                g: g_rest,
                slots: far,
                ..self
            },
        )
    }
}

impl<T: Real, F: Fn(T, T, [T; K]) -> (T, [T; K]), const K: usize> Pass for Update<'_, T, F, K> {
    type Output = ();
    const WIDE: bool = true;
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { w, g, slots, at } = self;
        // All are as long as the group; said once, so that no element is asked.
        let (g, slots) = (&g[..w.len()], slots.map(|slot| &mut slot[..w.len()]));
        for i in 0..w.len() {
            let mut known = [T::zero(); K];
            for k in 0..K {
                known[k] = slots[k][i];
            }
            let (next, known) = at(w[i], g[i], known);
            w[i] = next;
            for k in 0..K {
                slots[k][i] = known[k];
            }
        }
    }
}
