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

    /// Tells the rule the cost at which the gradient of the next step was computed, penalties
    /// included. Rules that go back when the cost has risen need it
    /// ([`Rprop::backtracking`](crate::optim::Rprop::backtracking)); others take no notice.
    /// [`Trainer`](crate::Trainer) calls it before each step; a loop of your own must do so, too.
    fn note_cost(&mut self, cost: f64) {
        let _ = cost;
    }

    /// Tells the rule that an epoch is over, whose steps have left `params` in these groups. Rules
    /// that count epochs need it ([`Swa::in_epochs`](crate::optim::Swa::in_epochs)); others take no
    /// notice. [`Trainer`](crate::Trainer) calls it; a loop of your own does so before it
    /// [swaps](Self::swap_average).
    fn note_epoch(&mut self, params: &[T], groups: &[Group]) {
        let _ = (params, groups);
    }

    /// Exchanges `params` with the average of them that the rule keeps in its state, and back by
    /// the next call, to the same bits. [`OptimizerState::averaged`] says which of the two `params`
    /// are. Steps change one of them, networks predict with the other (PyTorch's `schedulefree`
    /// calls it `eval()` and `train()`). Rules without an average do nothing.
    ///
    /// [`Trainer`](crate::Trainer) does it: whenever it returns, and in validation, stops and
    /// files, the network is the average. A loop of your own calls it before it uses the network,
    /// and again before the next step, which otherwise is an error. What does not learn is not
    /// averaged.
    ///
    /// Running statistics, as of [batch norm](crate::nn::BatchNorm), are not averaged either: they
    /// are of what steps change, and the average needs others. At the end of an epoch, and when it
    /// returns, a trainer computes them anew for the network that is the average, by
    /// [`update_statistics`](crate::Sequential::update_statistics) on the training data in its
    /// batches; those that steps go on from come back with the next swap. It is a forward pass over
    /// these data, and nothing in networks without such statistics. What a checkpoint within an
    /// epoch holds, and what [`Trainer::step`](crate::Trainer::step) leaves, has the statistics of
    /// what steps change.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) for another number of parameters than in the
    /// steps before; nothing is changed then.
    ///
    /// ```
    /// use chainrule::Optimizer;
    /// use chainrule::optim::{Asgd, Group};
    /// let (mut rule, mut w) = (Asgd::new().lambd(0.0).t0(0.0), [1.0_f64]);
    /// for gradient in [1.0, -1.0, 1.0, -1.0] {
    ///     rule.step(0.5, &mut w, &[gradient], &Group::all(1))?;
    /// }
    /// assert_eq!(w, [1.0]); // 0.5, 1, 0.5, 1
    /// rule.swap_average(&mut w)?;
    /// assert!(w[0] < 0.9 && rule.state().averaged == Some(true));
    /// rule.swap_average(&mut w)?;
    /// assert_eq!(w, [1.0]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    fn swap_average(&mut self, params: &mut [T]) -> Result<()> {
        let _ = params;
        Ok(())
    }

    /// Goes on from `params`, which were changed otherwise than by steps: a rule that averages
    /// takes them for the average and for what steps change. Other rules do nothing.
    fn adopt(&mut self, params: &[T]) {
        let _ = params;
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

    /// Exchanges the rule's state with another one of it: how a rule around this one keeps both in
    /// one. Without a method of its own, a rule copies.
    ///
    /// # Errors
    /// As [`restore`](Optimizer::restore).
    #[doc(hidden)]
    fn swap_state(&mut self, state: &mut OptimizerState<T>) -> Result<()> {
        let own = self.state().clone();
        self.restore(state)?;
        *state = own;
        Ok(())
    }
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

    fn note_cost(&mut self, cost: f64) {
        (**self).note_cost(cost);
    }

    fn note_epoch(&mut self, params: &[T], groups: &[Group]) {
        (**self).note_epoch(params, groups);
    }

    fn swap_average(&mut self, params: &mut [T]) -> Result<()> {
        (**self).swap_average(params)
    }

    fn adopt(&mut self, params: &[T]) {
        (**self).adopt(params);
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

    fn swap_state(&mut self, state: &mut OptimizerState<T>) -> Result<()> {
        (**self).swap_state(state)
    }
}
