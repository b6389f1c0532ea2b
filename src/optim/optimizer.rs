//! What all rules can do.

use super::group::Group;
use super::state::OptimizerState;
use crate::error::Result;
use crate::numeric::kernel::workers::Workers;
use crate::numeric::real::Real;
use alloc::boxed::Box;
use core::fmt::Debug;

/// A rule by which parameters follow a gradient, over one flat vector.
///
/// The clock [`OptimizerState::step`] advances once a step for the whole vector, whatever the
/// number of groups. Hyper-parameters are `f64` for every scalar type and rounded once.
///
/// What each rule remembers is in the table of [`optim`](crate::optim).
///
/// A loop of one's own, with everything that may stand around the rule, in its order:
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::optim::{Clip, Constraint, NAdam, Penalty, Schedule};
/// let mut net = Sequential::<f64>::builder(2)
///     .layer(Dense::new(4, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let x = DMatrix::from_column_slice(2, 4, &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
/// let target = DMatrix::from_row_slice(1, 4, &[0.0, 1.0, 1.0, 0.0]);
///
/// let (mut rule, groups, mut tape) = (NAdam::new(), net.default_groups(), Tape::new());
/// let schedule = Schedule::Cosine { rate: 0.1, min: 0.0, steps: 200 }.warm_up(10);
/// let (penalty, clip, constraint) = (Penalty::new().l2(1e-4), Clip::GlobalNorm(1.0), Constraint::MaxNorm(5.0));
/// let mut cost = f64::INFINITY;
/// for step in 0..210 {
///     cost = net.gradient(&x, &target, &MeanSquaredError, &mut tape)? + penalty.cost(&net);
///     penalty.add_gradient(&net, tape.grads_mut())?;
///     clip.apply(&net, tape.grads_mut())?;
///     rule.step(schedule.rate(step), net.params_mut(), tape.grads(), &groups)?;
///     constraint.apply(&mut net)?;
/// }
/// assert!(cost < 0.01);
/// # Ok::<(), Error>(())
/// ```
pub trait Optimizer<T: Real>: Debug + Send {
    /// One step: changes `params` within each group by `grads`, at the rate `lr` times the group's,
    /// and running statistics ([`Group::statistic`]) by p ← p − g. Parameters in no group, and
    /// those of a group whose rate is 0, stay as they are, and so does what the rule knows of them.
    ///
    /// # Errors
    /// [`ErrorKind::Value`](crate::ErrorKind::Value) for a rate or a hyper-parameter out of range,
    /// [`ErrorKind::Empty`](crate::ErrorKind::Empty) without a group,
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) when the lengths differ from each other, or
    /// from earlier steps of a rule that remembers them, or a group reaches beyond them; nothing is
    /// changed then.
    fn step(&mut self, lr: f64, params: &mut [T], grads: &[T], groups: &[Group]) -> Result<()>;

    /// [`step`](Optimizer::step) on several threads, for a rule that can, by a caller that has
    /// checked the hyper-parameters, the groups and their rates, and need not again: only what
    /// could reach beyond a slice or overflow is looked at.
    ///
    /// # Errors
    /// As [`step`](Optimizer::step), of what is looked at.
    #[doc(hidden)]
    fn step_on(
        &mut self,
        workers: &Workers,
        lr: f64,
        params: &mut [T],
        grads: &[T],
        groups: &[Group],
    ) -> Result<()> {
        let _ = workers;
        self.step(lr, params, grads, groups)
    }

    /// Checks the hyper-parameters; [`step`](Optimizer::step) does, too.
    ///
    /// # Errors
    /// [`ErrorKind::Value`](crate::ErrorKind::Value), naming the one that is out of range.
    fn check(&self) -> Result<()>;

    /// The state, to be saved.
    fn state(&self) -> &OptimizerState<T>;

    /// Goes on from a saved state: the steps that follow give the same bits as if there had been no
    /// interruption.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`](crate::ErrorKind::Incompatible) when the state is not of this
    /// rule; nothing is changed then.
    fn restore(&mut self, state: &OptimizerState<T>) -> Result<()>;
}

/// A rule that is chosen at run time.
impl<T: Real, O: Optimizer<T> + ?Sized> Optimizer<T> for Box<O> {
    fn step(&mut self, lr: f64, params: &mut [T], grads: &[T], groups: &[Group]) -> Result<()> {
        (**self).step(lr, params, grads, groups)
    }

    fn step_on(
        &mut self,
        workers: &Workers,
        lr: f64,
        params: &mut [T],
        grads: &[T],
        groups: &[Group],
    ) -> Result<()> {
        (**self).step_on(workers, lr, params, grads, groups)
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }

    fn state(&self) -> &OptimizerState<T> {
        (**self).state()
    }

    fn restore(&mut self, state: &OptimizerState<T>) -> Result<()> {
        (**self).restore(state)
    }
}
