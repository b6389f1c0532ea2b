//! The frame of a rule: its numbers, its state, and when it steps.

use super::caution::Caution;
pub(super) use super::update::StepArgs;
use crate::error::Result;
use crate::numeric::bounds::ensure;
use crate::numeric::real::Real;

/// What one rule is, within the frame that all of them share.
pub(super) trait Rule<T: Real> {
    /// How errors call it.
    const NAME: &'static str;
    /// So many of its vectors begin as copies of the parameters; the first of these is an average.
    const COPIES: usize = 0;

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

    /// What cautious steps ask for, if they are asked for.
    fn caution(&self) -> Option<Caution> {
        None
    }

    /// Takes notice of the cost at which the gradient of the next step was computed.
    fn note(&mut self, cost: f64) {
        let _ = cost;
    }

    /// Checks what a step needs beside its arguments.
    fn check_ready(&self) -> Result<()> {
        Ok(())
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

/// A rule that needs the cost must have been told it.
pub(super) fn check_told(place: &str, cost: Option<f64>) -> Result<()> {
    ensure(
        cost.is_some_and(|cost| !cost.is_nan()),
        place,
        "a number, told by note_cost before each step",
        "none",
    )
}

/// `Optimizer` for a [`Rule`] with a `state`, `Default` by its `new`, and `Deserialize` of its
/// numbers and a state that fits them.
macro_rules! optimizer {
    ($rule:ident { $($(#[$with:meta])* $number:ident: $kind:ty),* }) => {
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
                    rule.check_ready()?;
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
                use $crate::optim::update::follow_statistics;
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
                    rule.check_ready()?;
                    let copies = <$rule<T> as Rule<T>>::COPIES;
                    rule.state.begin(params, copies, rule.start());
                    let known = &mut rule.state.slots[..copies];
                    follow_statistics(workers, params, grads, groups, known);
                    let t = rule.state.step;
                    let step = StepArgs { workers, t, lr, params, grads, groups };
                    match rule.caution() {
                        None => rule.descend(step),
                        Some(caution) => {
                            let update = rule.state.slots.pop().unwrap_or_default();
                            let update = caution.step(step, update, |step| rule.descend(step));
                            rule.state.slots.push(update);
                        }
                    }
                    Ok(())
                })(self, workers, lr, params, grads, groups)
            }

            fn note_cost(&mut self, cost: f64) {
                self.note(cost);
            }

            fn swap_average(&mut self, params: &mut [T]) -> $crate::error::Result<()> {
                match <$rule<T> as Rule<T>>::COPIES {
                    0 => Ok(()),
                    _ => self.state.swap_average(params),
                }
            }

            fn adopt(&mut self, params: &[T]) {
                self.state.adopt(<$rule<T> as Rule<T>>::COPIES, params);
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

            fn swap_state(
                &mut self,
                state: &mut $crate::optim::OptimizerState<T>,
            ) -> $crate::error::Result<()> {
                core::mem::swap(&mut self.state, state);
                Ok(())
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
                    $($(#[$with])* $number: $kind,)*
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
