//! What rules remember from step to step, and the arguments that fit it. Checkpoints
//! (`train/checkpoint.rs`) and serde save it.

use super::group::Group;
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::NOT_NEGATIVE;
use crate::numeric::kernel::workers::{Workers, copy};
use crate::numeric::real::Real;
use alloc::{format, string::String, vec, vec::Vec};

/// The state of an optimizer, as data: what must be kept to go on exactly where it stopped.
///
/// ```
/// use chainrule::{Adam, Optimizer};
/// use chainrule::optim::Group;
/// let mut adam = Adam::<f64>::new();
/// let mut p = [1.0];
/// adam.step(0.1, &mut p, &[0.5], &Group::all(1))?;
/// let saved = (p, adam.state().clone());
///
/// let mut resumed = Adam::<f64>::new();
/// resumed.restore(&saved.1)?;
/// assert_eq!(resumed.state().step, 1);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct OptimizerState<T> {
    /// The rule that the state is of.
    pub rule: String,
    /// The number of steps taken, one for the whole vector.
    pub step: u64,
    /// The rule's vectors, each as long as the parameters, or all empty before the first step.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    pub slots: Vec<Vec<T>>,
    /// Numbers that the rule remembers beside its vectors.
    #[cfg_attr(
        feature = "serde",
        serde(default, with = "crate::numeric::real::serde")
    )]
    pub numbers: Vec<f64>,
    /// Of a rule that averages, whether the parameters are the average now, and the first vector is
    /// what steps change ([`Optimizer::swap_average`](crate::Optimizer::swap_average)); else it is
    /// the other way around. `None` for all other rules.
    #[cfg_attr(feature = "serde", serde(default))]
    pub averaged: Option<bool>,
}

impl<T: Clone> Clone for OptimizerState<T> {
    fn clone(&self) -> Self {
        Self {
            rule: self.rule.clone(),
            step: self.step,
            slots: self.slots.clone(),
            numbers: self.numbers.clone(),
            averaged: self.averaged,
        }
    }

    /// Into the memory that is there.
    fn clone_from(&mut self, other: &Self) {
        self.rule.clone_from(&other.rule);
        self.step = other.step;
        self.slots.clone_from(&other.slots);
        self.numbers.clone_from(&other.numbers);
        self.averaged = other.averaged;
    }
}

impl<T: Real> OptimizerState<T> {
    /// Whether all numbers that it remembers are finite. They are not once the square of a gradient
    /// has overflowed, in `f32` from about 10²⁰ on: Adam and similar rules then divide by ∞ and
    /// never move again. [`Trainer`](crate::Trainer) checks it after each epoch; in a loop of your
    /// own, do the same.
    ///
    /// ```
    /// use chainrule::{Adam, Optimizer};
    /// use chainrule::optim::Group;
    /// let mut adam = Adam::<f32>::new();
    /// adam.step(0.1, &mut [1.0], &[1e30], &Group::all(1))?;
    /// assert!(!adam.state().is_finite());
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn is_finite(&self) -> bool {
        self.slots.iter().flatten().all(|number| number.is_finite())
            && self.numbers.iter().all(|number| number.is_finite())
    }

    /// [`clone_from`](Clone::clone_from) by `workers`.
    pub(crate) fn copy_from(&mut self, other: &Self, workers: &Workers) {
        self.rule.clone_from(&other.rule);
        self.step = other.step;
        self.slots.resize_with(other.slots.len(), Vec::new);
        for (slot, other) in self.slots.iter_mut().zip(&other.slots) {
            copy(slot, other, workers);
        }
        self.numbers.clone_from(&other.numbers);
        self.averaged = other.averaged;
    }

    pub(super) fn new(rule: &str, slots: usize) -> Self {
        Self {
            rule: rule.into(),
            step: 0,
            slots: vec![Vec::new(); slots],
            numbers: Vec::new(),
            averaged: None,
        }
    }

    /// Of a rule that averages and remembers so many numbers, which begin as 0.
    pub(super) fn averaging(self, numbers: usize) -> Self {
        Self {
            numbers: vec![0.0; numbers],
            averaged: Some(false),
            ..self
        }
    }

    /// Exchanges `params` with the average, or back.
    pub(super) fn swap_average(&mut self, params: &mut [T]) -> Result<()> {
        let Some(averaged) = self.averaged.filter(|_| self.step > 0) else {
            // Before the first step both are the same.
            return Ok(());
        };
        if let Some(known) = self.other_length(params.len()) {
            return Err(Error::new(
                ErrorKind::Shape,
                "params of Optimizer::swap_average",
                format!("{known} parameters, as in the steps before"),
                params.len(),
            ));
        }
        if let Some(slot) = self.slots.first_mut() {
            slot.swap_with_slice(params);
        }
        self.averaged = Some(!averaged);
        Ok(())
    }

    /// Lets the first `copies` vectors be copies of `params` again.
    pub(super) fn adopt(&mut self, copies: usize, params: &[T]) {
        if self.step == 0 || self.other_length(params.len()).is_some() {
            return;
        }
        for slot in &mut self.slots[..copies] {
            slot.copy_from_slice(params);
        }
        self.averaged = self.averaged.map(|_| false);
    }

    /// Fits it to other options of the rule; a state that fits stays.
    pub(super) fn reshape(&mut self, rule: &str, slots: usize) {
        if self.rule != rule || self.slots.len() != slots {
            *self = Self::new(rule, slots);
        }
    }

    /// Takes over `other` where it is of the same rule.
    pub(super) fn replace(&mut self, other: &Self) -> Result<()> {
        let lengths: Vec<_> = other.slots.iter().map(Vec::len).collect();
        let uneven = lengths.windows(2).any(|pair| pair[0] != pair[1]);
        let numbers = (self.numbers.len(), other.numbers.len());
        let averages = self.averaged.is_some() == other.averaged.is_some();
        let kind = numbers.0 == numbers.1 && averages && (other.step > 0 || !other.is_averaged());
        let and = |numbers: usize| match numbers {
            0 => String::new(),
            _ => format!(" and {numbers} numbers"),
        };
        let unlike = lengths
            .first()
            .is_some_and(|length| (*length == 0) != (other.step == 0));
        let other_rule = other.rule != self.rule || lengths.len() != self.slots.len();
        if other_rule || uneven || unlike || !kind {
            let expected = format!(
                "a state of {} with {} vectors of one length{}",
                self.rule,
                self.slots.len(),
                and(numbers.0)
            );
            return Err(Error::new(
                ErrorKind::Incompatible,
                "Optimizer::restore",
                expected,
                format!(
                    "{} after {} steps with vectors of {lengths:?}{}",
                    other.rule,
                    other.step,
                    and(numbers.1)
                ),
            ));
        }
        self.clone_from(other);
        Ok(())
    }

    /// Whether the parameters are the average now.
    pub(crate) fn is_averaged(&self) -> bool {
        self.averaged == Some(true)
    }

    /// Checks the arguments of a step of `rule`, which multiplies lr by at most `stretch`.
    pub(super) fn check(
        &self,
        rule: &str,
        stretch: f64,
        lr: f64,
        params: &[T],
        grads: &[T],
        groups: &[Group],
    ) -> Result<()> {
        let place = |what: &str| format!("{what} of {rule}::step");
        NOT_NEGATIVE
            .named("a finite rate ≥ 0")
            .check(format_args!("lr of {rule}::step"), lr)?;
        self.check_shown(rule)?;
        check_len(|| place("grads"), params.len(), grads)?;
        Group::check(groups, params.len())?;
        Group::check_rates::<T>(groups, lr)?;
        if let Err(error) = Group::check_rates::<T>(groups, lr * stretch) {
            let expected = format!(
                "a rate of which {stretch} times as much is finite, for so much may a step take"
            );
            return Err(
                Error::new(ErrorKind::Value, place("lr"), expected, lr).within(error.place())
            );
        }
        self.check_known(rule, params.len())
    }

    /// Checks the parameters of a step of `rule`, and how many they are.
    pub(super) fn check_params(&self, rule: &str, params: usize) -> Result<()> {
        self.check_shown(rule)?;
        self.check_known(rule, params)
    }

    /// The parameters of a step must not be the average.
    fn check_shown(&self, rule: &str) -> Result<()> {
        if !self.is_averaged() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Incompatible,
            format!("params of {rule}::step"),
            "the parameters that the step before left (swap_average brings them back)",
            "their average",
        ))
    }

    /// The parameters of a step must be as many as in the steps before.
    fn check_known(&self, rule: &str, params: usize) -> Result<()> {
        let Some(known) = self.other_length(params) else {
            return Ok(());
        };
        let expected = format!("{known} parameters, as in the steps before");
        Err(Error::new(
            ErrorKind::Shape,
            format!("params of {rule}::step"),
            expected,
            params,
        ))
    }

    /// The number of parameters of the steps before, where it was not `params`.
    fn other_length(&self, params: usize) -> Option<usize> {
        self.slots
            .first()
            .map(Vec::len)
            .filter(|known| self.step > 0 && *known != params)
    }

    /// What of [`check`](Self::check) a step must know so as not to reach beyond a slice, nor to
    /// multiply by ∞.
    #[inline]
    pub(super) fn fits(
        &self,
        stretch: f64,
        lr: f64,
        params: &[T],
        grads: &[T],
        groups: &[Group],
    ) -> bool {
        let within = |group: &Group| {
            let Group {
                range, matrices, ..
            } = group;
            range.start <= range.end
                && range.end <= params.len()
                && matrices.iter().all(|matrix| matrix.fits(range))
        };
        let lengths = grads.len() == params.len()
            && !self.is_averaged()
            && self.other_length(params.len()).is_none()
            && groups.iter().all(within);
        lengths && lr >= 0.0 && Group::check_rates::<T>(groups, lr * stretch).is_ok()
    }

    /// Counts a step; on the first one, makes room for what is remembered: `copies` of the
    /// parameters, and vectors of `start`.
    pub(super) fn begin(&mut self, params: &[T], copies: usize, start: f64) {
        if self.step == 0 {
            for slot in &mut self.slots[..copies] {
                slot.clear();
                slot.extend_from_slice(params);
            }
        }
        for slot in &mut self.slots {
            slot.resize(params.len(), T::of(start));
        }
        self.step = self.step.saturating_add(1);
    }
}

/// Gradients must be as many as parameters.
pub(super) fn check_len<T>(
    place: impl FnOnce() -> String,
    params: usize,
    grads: &[T],
) -> Result<()> {
    if grads.len() == params {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Shape,
        place(),
        format!("{params} numbers, as many as parameters"),
        grads.len(),
    ))
}
