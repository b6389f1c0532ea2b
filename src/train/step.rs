//! A step: what a mini-batch changes in a network.

use super::cost::{Cost, Slopes};
use super::frozen::{Frozen, all_frozen};
use crate::data::Batch;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::layout::Layout;
use crate::nn::loss::Loss;
use crate::nn::sequential::Sequential;
use crate::nn::statistics::renew;
use crate::nn::tape::Tape;
use crate::numeric::bounds::NOT_NEGATIVE;
use crate::numeric::real::Real;
use crate::numeric::view::View;
use crate::optim::schedule::Schedule;
use crate::optim::{Clip, Constraint, Group, Optimizer, Penalty, Tie, Ties, gradient_norm};
use alloc::{boxed::Box, format, sync::Arc, vec::Vec};
use core::ops::Range;

/// All that a step is made of.
pub(super) struct Descent<'a, T: Real> {
    pub(super) loss: Box<dyn Loss<T> + 'a>,
    pub(super) slopes: Slopes<'a, T>,
    pub(super) optimizer: Box<dyn Optimizer<T> + 'a>,
    pub(super) rate: Schedule,
    pub(super) groups: Option<Vec<Group>>,
    pub(super) frozen: Frozen,
    pub(super) penalty: Option<Penalty>,
    pub(super) clips: Vec<Clip>,
    pub(super) constraints: Vec<Constraint>,
    pub(super) ties: Vec<Tie>,
    /// Which parameters of the last network learn.
    pub(super) learning: Option<Learning>,
}

/// Which parameters of a network learn, and how.
pub(super) struct Learning {
    layout: Arc<Layout>,
    groups: Vec<Group>,
    frozen: Vec<Range<usize>>,
    /// Where the running statistics lie that follow.
    statistics: Vec<Range<usize>>,
    ties: Ties,
}

/// Where a step is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) epoch: usize,
    pub(super) batch: usize,
}

/// What is known of a step that was taken.
pub(super) struct Taken {
    /// The cost of the mini-batch before the step, without the penalty, and the penalty.
    pub(super) cost: f64,
    pub(super) penalty: Option<f64>,
    pub(super) rate: f64,
    /// The norm of the gradient before it was clipped, where it was asked for.
    pub(super) gradient_norm: Option<f64>,
}

impl Taken {
    /// The cost with the penalty.
    pub(super) fn total(&self) -> f64 {
        self.penalty
            .map_or(self.cost, |penalty| self.cost + penalty)
    }
}

impl<'a, T: Real> Descent<'a, T> {
    pub(super) fn new(loss: impl Loss<T> + 'a, optimizer: impl Optimizer<T> + 'a) -> Self {
        Self {
            loss: Box::new(loss),
            slopes: Slopes::NONE,
            optimizer: Box::new(optimizer),
            rate: Schedule::Constant(1e-3),
            groups: None,
            frozen: Frozen::default(),
            penalty: None,
            clips: Vec::new(),
            constraints: Vec::new(),
            ties: Vec::new(),
            learning: None,
        }
    }

    /// What steps make small, but for the penalty.
    #[inline(always)]
    pub(super) fn cost(&self) -> Cost<'_, T> {
        self.slopes.beside(&*self.loss)
    }

    /// Checks the settings before step `step`.
    pub(super) fn check(&self, net: &Sequential<T>, step: u64) -> Result<()> {
        self.optimizer.check()?;
        // In epochs or in percent, any other step is as good as the first.
        let rate = if self.rate.counts_steps() {
            self.rate.rate(step)
        } else {
            self.rate.rate_in_run(0, 1, 1)
        };
        NOT_NEGATIVE
            .named("a finite rate ≥ 0")
            .check("learning rate of Trainer", rate)?;
        self.rate.check()?;
        self.penalty.as_ref().map_or(Ok(()), Penalty::check)?;
        self.clips.iter().try_for_each(Clip::check_in::<T>)?;
        self.constraints
            .iter()
            .try_for_each(Constraint::check_in::<T>)?;
        let rows = self
            .constraints
            .iter()
            .any(|constraint| matches!(constraint, Constraint::MaxNorm(_)));
        if let Some(tie) = self.ties.iter().find(|tie| rows && tie.is_transposed()) {
            let expected = "no Constraint::MaxNorm: what are rows of one block are columns of the \
                other";
            let kind = ErrorKind::Incompatible;
            return Err(Error::new(kind, format!("{tie}"), expected, "one"));
        }
        self.frozen.check("Trainer", net.layers().len())?;
        if self.optimizer.state().averaged.is_some() && !self.constraints.is_empty() {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "constraints of Trainer",
                "none beside a rule that averages: they would not hold for the average",
                format!("{:?}", self.constraints),
            ));
        }
        match &self.groups {
            None => Group::check_rates::<T>(&[Group::new(0..net.params().len())], rate),
            Some(groups) => {
                Group::check(groups, net.params().len())?;
                Group::check_rates::<T>(groups, rate)
            }
        }
    }

    /// Finds out which parameters of `net` learn, after [`check`](Self::check).
    pub(super) fn prepare(&mut self, net: &Sequential<T>) -> Result<()> {
        let known = |learning: &Learning| Arc::ptr_eq(&learning.layout, net.layout());
        if self.learning.as_ref().is_some_and(known) {
            return Ok(());
        }
        let layout = net.layout().clone();
        let frozen = self.frozen.params("Trainer", &layout)?;
        let ties = Ties::new(&self.ties, &layout, |layer| self.frozen.contains(layer))?;
        let groups = match &self.groups {
            Some(groups) => {
                check_alike(groups, &ties)?;
                without(groups, &frozen)
            }
            None => without(&net.default_groups(), &frozen),
        };
        if groups.is_empty() {
            return Err(all_frozen("Trainer"));
        }
        let groups = without(&groups, &ties.copies());
        let follows = |group: &&Group| group.statistic && group.rate != 0.0;
        let statistics = groups.iter().filter(follows);
        self.learning = Some(Learning {
            layout,
            statistics: statistics.map(|group| group.range.clone()).collect(),
            groups,
            frozen,
            ties,
        });
        Ok(())
    }

    /// The parameters, where they are not tied as they should be.
    pub(super) fn untied(&self, net: &Sequential<T>) -> Option<Vec<T>> {
        let ties = &self.learning.as_ref()?.ties;
        let params = net.params();
        let differ = |(first, second): (usize, usize)| params[first] != params[second];
        ties.pairs().any(differ).then(|| params.to_vec())
    }

    /// Copies what is tied.
    pub(super) fn spread_ties(&self, net: &mut Sequential<T>) {
        if let Some(learning) = &self.learning {
            learning.ties.spread(net.params_mut());
        }
    }

    /// Lets `net` be what steps change (`false`), or where the rule averages, the average (`true`):
    /// whenever nothing is stepping.
    pub(super) fn show_average(&mut self, net: &mut Sequential<T>, show: bool) -> Result<()> {
        match self.optimizer.state().averaged {
            Some(shown) if shown != show => self.optimizer.swap_average(net.params_mut())?,
            _ => return Ok(()),
        }
        // The rule has no notice of copies.
        self.spread_ties(net);
        Ok(())
    }

    /// Computes the running statistics anew where `net` is the average of a rule, which has not
    /// seen the samples.
    pub(super) fn renew_statistics(
        &self,
        net: &mut Sequential<T>,
        x: View<'_, T>,
        batch: usize,
        tape: &mut Tape<T>,
    ) {
        let Some(learning) = &self.learning else {
            return;
        };
        if self.optimizer.state().averaged == Some(true) && !learning.statistics.is_empty() {
            renew(net, x, batch, &learning.statistics, tape);
        }
    }

    /// Tells the rule that an epoch is over.
    pub(super) fn note_epoch(&mut self, net: &Sequential<T>) {
        if let Some(learning) = &self.learning {
            self.optimizer.note_epoch(net.params(), &learning.groups);
        }
    }

    /// The cost of a mini-batch; leaves its gradient on the tape.
    #[inline(always)]
    pub(super) fn gradient(
        &self,
        net: &Sequential<T>,
        batch: Batch<'_, T>,
        tape: &mut Tape<T>,
    ) -> Result<f64> {
        let Batch { x, target } = batch;
        let cost = match self.slopes.counted() {
            None => net.walk().gradient(x, target, &*self.loss, tape, true),
            Some(slopes) => self.cost().gradient_with(slopes, net, batch, tape, true)?,
        };
        Ok(cost.as_f64())
    }

    /// One step, which has been [checked](Self::check) and [prepared](Self::prepare) for, at
    /// `rate`, by a gradient that is on the tape and whose cost is known: the penalty's gradient,
    /// the clips, the rule, the constraints.
    pub(super) fn step(
        &mut self,
        net: &mut Sequential<T>,
        cost: f64,
        tape: &mut Tape<T>,
        rate: f64,
        place: Place,
        measured: bool,
    ) -> Result<Taken> {
        let (groups, frozen, ties) = match &self.learning {
            Some(learning) => (&learning.groups[..], &learning.frozen[..], &learning.ties),
            None => (&[][..], &[][..], &Ties::NONE),
        };
        let tied = !ties.is_empty();
        if tied {
            ties.gather(tape.grads_mut());
        }
        let mut taken = Taken {
            cost,
            penalty: None,
            rate,
            gradient_norm: None,
        };
        if let Some(penalty) = &self.penalty {
            taken.penalty = Some(penalty.cost_of(net, ties).as_f64());
            penalty.add_checked(net, ties, tape.grads_mut());
        }
        if !taken.total().is_finite() {
            let Place { epoch, batch } = place;
            let (kind, place) = (
                ErrorKind::Diverged { epoch, batch },
                format!("epoch {epoch}, batch {batch}"),
            );
            return Err(Error::new(
                kind,
                place,
                "a finite cost (a smaller rate may help)",
                taken.total(),
            ));
        }
        for range in frozen {
            // Neither a norm nor a rule sees what must not move.
            tape.grads_mut()[range.clone()].fill(T::zero());
        }
        if measured {
            taken.gradient_norm = Some(gradient_norm(net, tape.grads()).as_f64());
        }
        for clip in &self.clips {
            clip.apply(net, tape.grads_mut())?;
        }
        self.optimizer.note_cost(taken.total());
        self.optimizer
            .step_on(tape.workers(), rate, net.params_mut(), tape.grads(), groups)?;
        for constraint in &self.constraints {
            constraint.apply_on(net, |layer| !self.frozen.contains(layer))?;
        }
        if tied {
            self.spread_ties(net);
        }
        Ok(taken)
    }
}

/// Numbers that are one must have one rate.
fn check_alike(groups: &[Group], ties: &Ties) -> Result<()> {
    let of = |index: usize| {
        let group = groups.iter().position(|group| group.range.contains(&index));
        group.map(|group| (groups[group].rate, groups[group].decay))
    };
    match ties
        .pairs()
        .find(|(first, second)| of(*first) != of(*second))
    {
        None => Ok(()),
        Some((first, second)) => {
            let given = format!(
                "{:?} of parameter {first} and {:?} of parameter {second}, which is tied to it",
                of(first),
                of(second)
            );
            Err(Error::new(
                ErrorKind::Incompatible,
                "groups of Trainer",
                "the same rate and decay for tied parameters",
                given,
            ))
        }
    }
}

/// The groups without the parameters in `frozen`, ranges in order.
fn without(groups: &[Group], frozen: &[Range<usize>]) -> Vec<Group> {
    let mut left = Vec::new();
    for group in groups {
        let Range { mut start, end } = group.range;
        let part = |start, end| group.part(start..end);
        for hole in frozen {
            let first = hole.start.clamp(start, end);
            let last = hole.end.clamp(start, end);
            if first == last {
                continue;
            }
            if start < first {
                left.push(part(start, first));
            }
            start = last;
        }
        if start < end || group.range.is_empty() {
            left.push(part(start, end));
        }
    }
    left
}
