//! Optimisers: how parameters follow a gradient.

mod adam;
mod group;
mod sgd;

pub use adam::Adam;
pub use group::Group;
pub use sgd::Sgd;

use crate::error::{Error, ErrorKind, Result};
use crate::kernel::{
    Pass,
    workers::{Divide, Workers, spread},
};
use crate::real::Real;
use alloc::{format, string::String, vec, vec::Vec};
use core::fmt::Debug;

/// The state of an optimiser, as data: what must be kept to go on exactly where it stopped.
///
/// ```
/// use chainrule::{Adam, Group, Optimizer};
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
pub struct OptimizerState<T> {
    /// The rule that the state is of.
    pub rule: String,
    /// The number of steps taken, one for the whole vector.
    pub step: u64,
    /// The rule's vectors, each as long as the parameters, or all empty before the first step.
    pub slots: Vec<Vec<T>>,
}

impl<T: Clone> Clone for OptimizerState<T> {
    fn clone(&self) -> Self {
        Self { rule: self.rule.clone(), step: self.step, slots: self.slots.clone() }
    }

    /// Into the memory that is there.
    fn clone_from(&mut self, other: &Self) {
        self.rule.clone_from(&other.rule);
        self.step = other.step;
        self.slots.clone_from(&other.slots);
    }
}

impl<T: Real> OptimizerState<T> {
    fn new(rule: &str, slots: usize) -> Self {
        Self { rule: rule.into(), step: 0, slots: vec![Vec::new(); slots] }
    }

    /// Takes over `other` where it is of the same rule.
    fn replace(&mut self, other: &Self) -> Result<()> {
        let lengths: Vec<_> = other.slots.iter().map(Vec::len).collect();
        let uneven = lengths.windows(2).any(|pair| pair[0] != pair[1]);
        let unlike = lengths.first().is_some_and(|length| (*length == 0) != (other.step == 0));
        if other.rule != self.rule || lengths.len() != self.slots.len() || uneven || unlike {
            let expected = format!("a state of {} with {} vectors of one length", self.rule, self.slots.len());
            return Err(Error::new(
                ErrorKind::Incompatible,
                "Optimizer::restore",
                expected,
                format!("{} after {} steps with vectors of {lengths:?}", other.rule, other.step),
            ));
        }
        self.clone_from(other);
        Ok(())
    }

    /// Checks the arguments of a step whose rule multiplies lr by at most `stretch`, makes room on the first one, and counts.
    fn begin(&mut self, lr: f64, stretch: f64, params: &[T], grads: &[T], groups: &[Group]) -> Result<()> {
        let place = |what: &str| format!("{what} of {}::step", self.rule);
        if !(lr.is_finite() && lr >= 0.0) {
            return Err(Error::new(ErrorKind::Value, place("lr"), "a finite rate ≥ 0", lr));
        }
        if params.len() != grads.len() {
            return Err(Error::new(
                ErrorKind::Shape,
                place("grads"),
                format!("{} numbers, as many as parameters", params.len()),
                grads.len(),
            ));
        }
        Group::check(groups, params.len())?;
        Group::check_rates::<T>(groups, lr * stretch)?;
        if let Some(slot) = self.slots.first().filter(|slot| self.step > 0 && slot.len() != params.len()) {
            let expected = format!("{} parameters, as in the steps before", slot.len());
            return Err(Error::new(ErrorKind::Shape, place("params"), expected, params.len()));
        }
        for slot in &mut self.slots {
            slot.resize(params.len(), T::zero());
        }
        self.step = self.step.saturating_add(1);
        Ok(())
    }
}

/// A rule by which parameters follow a gradient, over one flat vector.
///
/// The clock [`OptimizerState::step`] advances once a step for the whole vector, whatever the number of groups.
/// Hyper-parameters are `f64` for every scalar type and rounded once.
pub trait Optimizer<T: Real>: Debug + Send {
    /// One step: changes `params` within each group by `grads`, at the rate `lr` times the group's. Parameters in no
    /// group, and those of a group whose rate is 0, stay as they are, and so does what the rule knows of them.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a rate or a hyper-parameter out of range, [`ErrorKind::Empty`] without a group,
    /// [`ErrorKind::Shape`] when the lengths differ from each other, or from earlier steps of a rule that remembers
    /// them, or a group reaches beyond them; nothing is changed then.
    fn step(&mut self, lr: f64, params: &mut [T], grads: &[T], groups: &[Group]) -> Result<()>;

    /// [`step`](Optimizer::step) on several threads, for a rule that can.
    ///
    /// # Errors
    /// As [`step`](Optimizer::step).
    #[doc(hidden)]
    fn step_on(&mut self, workers: &Workers, lr: f64, params: &mut [T], grads: &[T], groups: &[Group]) -> Result<()> {
        let _ = workers;
        self.step(lr, params, grads, groups)
    }

    /// Checks the hyper-parameters; [`step`](Optimizer::step) does, too.
    ///
    /// # Errors
    /// [`ErrorKind::Value`], naming the one that is out of range.
    fn check(&self) -> Result<()>;

    /// The state, to be saved.
    fn state(&self) -> &OptimizerState<T>;

    /// Goes on from a saved state: the steps that follow give the same bits as if there had been no interruption.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] when the state is not of this rule; nothing is changed then.
    fn restore(&mut self, state: &OptimizerState<T>) -> Result<()>;
}

/// Runs the loop of a rule over `len` parameters, side by side where there are enough of them.
fn update<T: Real, P: Pass + Divide>(workers: &Workers, len: usize, pass: P) {
    /// So many take a thread longer than it takes to wake it.
    const LEAST: usize = 1 << 16;
    let parts = workers.count().min(len / LEAST).max(1);
    if parts == 1 {
        T::vectorize(pass);
    } else {
        workers.run(|| spread(pass, len, &mut vec![(); parts], &|pass, ()| drop(T::vectorize(pass))));
    }
}

/// A hyper-parameter must lie in [0, 1).
fn check_fraction(name: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Value, name, "a number in [0, 1)", value))
}
