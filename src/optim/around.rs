//! A rule within one that averages, and the state of both.

use super::group::Group;
use super::optimizer::Optimizer;
use super::state::OptimizerState;
use super::update::learning;
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::kernel::workers::{Workers, copy};
use crate::numeric::mean::approach;
use crate::numeric::real::Real;
use alloc::{format, string::String, vec, vec::Vec};
use core::iter::repeat_n;
use core::mem::swap;

/// So many numbers the average has of its own.
const OWN: usize = 2;

/// A rule, and an average of what its steps change. The state of both lies here: the average before
/// the vectors of the rule, the average's numbers after those of the rule. A step lends the rule
/// its part.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Around<T, O> {
    pub(super) rule: O,
    state: OptimizerState<T>,
    /// What the rule calls its part of the state.
    part: String,
}

impl<T: Real, O: Optimizer<T>> Around<T, O> {
    /// Goes on from the state that the rule has.
    pub(super) fn new(name: &str, rule: O) -> Self {
        let mut state = rule.state().clone();
        let part = state.rule.clone();
        state.rule = format!("{name}({part})");
        let len = state.slots.first().map_or(0, Vec::len);
        state.slots.insert(0, vec![T::zero(); len]);
        state.numbers.extend(repeat_n(0.0, OWN));
        state.averaged = Some(false);
        Self { rule, state, part }
    }

    pub(super) fn state(&self) -> &OptimizerState<T> {
        &self.state
    }

    pub(super) fn restore(&mut self, state: &OptimizerState<T>) -> Result<()> {
        self.state.replace(state)
    }

    /// What is counted: how many weights are in the average, and epochs.
    pub(super) fn counts(&self) -> [f64; OWN] {
        let numbers = &self.state.numbers;
        let own = numbers.last_chunk::<OWN>();
        own.copied().unwrap_or_default()
    }

    fn set_counts(&mut self, counts: [f64; OWN]) {
        if let Some(own) = self.state.numbers.last_chunk_mut::<OWN>() {
            *own = counts;
        }
    }

    /// Counts an epoch; says whether `params` are what its steps left.
    pub(super) fn count_epoch(&mut self, params: &[T]) -> bool {
        let [count, epochs] = self.counts();
        let stepped = self.are_stepped(params);
        if stepped {
            self.set_counts([count, epochs + 1.0]);
        }
        stepped
    }

    /// Checks the rule; an average of averages is what nobody asks for.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        self.rule.check()?;
        match self.rule.state().averaged {
            None => Ok(()),
            Some(_) => Err(Error::new(
                ErrorKind::Incompatible,
                format!("rule of {name}"),
                "one that does not average by itself",
                &self.part,
            )),
        }
    }

    /// Lends the rule its state for a step that changes `params`.
    pub(super) fn step(
        &mut self,
        name: &str,
        params: &mut [T],
        step: impl FnOnce(&mut O, &mut [T]) -> Result<()>,
    ) -> Result<()> {
        if self.state.step > 0 && self.state.slots[0].is_empty() {
            // The rule has taken steps before, and has no vectors.
            self.state.slots[0].extend_from_slice(params);
        }
        self.state.check_params(name, params.len())?;
        let mut average = self.state.slots.remove(0);
        let counts = self.counts();
        self.state.numbers.truncate(self.state.numbers.len() - OWN);
        self.state.averaged = None;
        swap(&mut self.state.rule, &mut self.part);
        let mut result = self.rule.swap_state(&mut self.state);
        if result.is_ok() {
            result = step(&mut self.rule, params);
            result = result.and(self.rule.swap_state(&mut self.state));
        }
        if self.state.step > 0 && average.len() != params.len() {
            average.clear();
            average.extend_from_slice(params);
        }
        swap(&mut self.state.rule, &mut self.part);
        self.state.averaged = Some(false);
        self.state.numbers.extend_from_slice(&counts);
        self.state.slots.insert(0, average);
        result
    }

    /// Lets the average follow `params` by that share, if any; running statistics are those of the
    /// last batch. As long as nothing is in the average, `params` are, once they are asked for.
    pub(super) fn follow(
        &mut self,
        workers: &Workers,
        params: &[T],
        groups: &[Group],
        share: Option<f64>,
    ) {
        let [count, epochs] = self.counts();
        let average = &mut self.state.slots[0];
        match share {
            Some(_) if count == 0.0 => copy(average, params, workers),
            Some(share) => {
                for group in learning(groups) {
                    let range = group.range.clone();
                    approach(workers, &mut average[range.clone()], &params[range], share);
                }
            }
            None if count == 0.0 => return,
            None => {}
        }
        for group in groups
            .iter()
            .filter(|group| group.statistic && group.rate != 0.0)
        {
            let range = group.range.clone();
            average[range.clone()].copy_from_slice(&params[range]);
        }
        if share.is_some() {
            self.set_counts([count + 1.0, epochs]);
        }
    }

    /// Whether `params` can be what the last step left.
    fn are_stepped(&self, params: &[T]) -> bool {
        let Self { state, .. } = self;
        state.step > 0 && !state.is_averaged() && state.slots[0].len() == params.len()
    }

    pub(super) fn swap_average(&mut self, params: &mut [T]) -> Result<()> {
        let [count, _] = self.counts();
        if count == 0.0 && self.are_stepped(params) {
            self.state.slots[0].copy_from_slice(params);
        }
        self.state.swap_average(params)
    }

    pub(super) fn adopt(&mut self, params: &[T]) {
        let [_, epochs] = self.counts();
        self.state.adopt(1, params);
        self.set_counts([0.0, epochs]);
    }
}

/// What an average is, around a rule.
pub(super) trait Averages {
    /// How errors and states call it.
    const NAME: &'static str;

    /// Checks its numbers.
    fn check_numbers(&self) -> Result<()>;

    /// By which share it follows the parameters after step `t`, where so many are in it, after so
    /// many epochs; `None` if it stays.
    fn after_step(&self, t: u64, counts: [f64; OWN]) -> Option<f64>;

    /// Whether it counts epochs.
    fn counts_epochs(&self) -> bool {
        false
    }

    /// The same after an epoch.
    fn after_epoch(&self, counts: [f64; OWN]) -> Option<f64> {
        let _ = counts;
        None
    }
}

/// `Optimizer` for an average with a field `around`, and serde by its numbers, its rule and the
/// state of both.
macro_rules! averaging {
    ($average:ident { $($number:ident: $kind:ty),* }) => {
        impl<T: Real, O: Optimizer<T>> $crate::optim::Optimizer<T> for $average<T, O> {
            fn step(
                &mut self,
                lr: f64,
                params: &mut [T],
                grads: &[T],
                groups: &[$crate::optim::Group],
            ) -> $crate::error::Result<()> {
                self.check()?;
                let workers = $crate::numeric::kernel::workers::Workers::default();
                self.around.step(Self::NAME, params, |rule, params| {
                    rule.step(lr, params, grads, groups)
                })?;
                self.average(&workers, params, groups);
                Ok(())
            }

            fn step_on(
                &mut self,
                workers: &$crate::numeric::kernel::workers::Workers,
                lr: f64,
                params: &mut [T],
                grads: &[T],
                groups: &[$crate::optim::Group],
            ) -> $crate::error::Result<()> {
                self.around.step(Self::NAME, params, |rule, params| {
                    rule.step_on(workers, lr, params, grads, groups)
                })?;
                self.average(workers, params, groups);
                Ok(())
            }

            fn note_cost(&mut self, cost: f64) {
                self.around.rule.note_cost(cost);
            }

            fn note_epoch(&mut self, params: &[T], groups: &[$crate::optim::Group]) {
                if self.counts_epochs() && self.around.count_epoch(params) {
                    let share = self.after_epoch(self.around.counts());
                    let workers = $crate::numeric::kernel::workers::Workers::default();
                    self.around.follow(&workers, params, groups, share);
                }
            }

            fn swap_average(&mut self, params: &mut [T]) -> $crate::error::Result<()> {
                self.around.swap_average(params)
            }

            fn adopt(&mut self, params: &[T]) {
                self.around.adopt(params);
            }

            fn check(&self) -> $crate::error::Result<()> {
                self.check_numbers()?;
                self.around.check(Self::NAME)
            }

            fn state(&self) -> &$crate::optim::OptimizerState<T> {
                self.around.state()
            }

            fn restore(
                &mut self,
                state: &$crate::optim::OptimizerState<T>,
            ) -> $crate::error::Result<()> {
                self.around.restore(state)
            }
        }

        impl<T: Real, O: Optimizer<T>> $average<T, O> {
            /// Lets the average follow what a step has left.
            fn average(
                &mut self,
                workers: &$crate::numeric::kernel::workers::Workers,
                params: &[T],
                groups: &[$crate::optim::Group],
            ) {
                let t = self.around.state().step;
                let share = self.after_step(t, self.around.counts());
                self.around.follow(workers, params, groups, share);
            }
        }

        #[cfg(feature = "serde")]
        impl<T: Real, O: Optimizer<T> + serde::Serialize> serde::Serialize for $average<T, O> {
            fn serialize<S: serde::Serializer>(
                &self,
                serializer: S,
            ) -> core::result::Result<S::Ok, S::Error> {
                #[derive(serde::Serialize)]
                #[serde(bound = "T: Real, O: serde::Serialize")]
                struct $average<'a, T, O> {
                    rule: &'a O,
                    $($number: $kind,)*
                    state: &'a $crate::optim::OptimizerState<T>,
                }
                $average {
                    rule: &self.around.rule,
                    $($number: self.$number,)*
                    state: self.around.state(),
                }
                .serialize(serializer)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de, T: Real, O: Optimizer<T> + serde::Deserialize<'de>> serde::Deserialize<'de>
            for $average<T, O>
        {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> core::result::Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(bound = "T: Real, O: serde::Deserialize<'de>", deny_unknown_fields)]
                struct $average<T, O> {
                    rule: O,
                    $($number: $kind,)*
                    #[serde(default, deserialize_with = "crate::ground::serde::given")]
                    state: Option<$crate::optim::OptimizerState<T>>,
                }
                $crate::ground::serde::checked(deserializer, |read: $average<T, O>| {
                    let mut around = Around::new(<Self as Averages>::NAME, read.rule);
                    read.state.map_or(Ok(()), |state| around.restore(&state))?;
                    let average = Self { $($number: read.$number,)* around };
                    average.check()?;
                    Ok(average)
                })
            }
        }
    };
}
pub(super) use averaging;
