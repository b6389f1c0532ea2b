//! Methods whose every step looks at all samples, on the cost of what the network predicts.

use super::cost::{self, Slopes};
use super::frozen::{Frozen, all_frozen};
use super::observer::Step;
use super::run::{After, Halt, Leg, Method, Pace, check_count};
use super::state::Position;
use super::stop::Stopped;
use crate::data::Batch;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::Role;
use crate::nn::loss::Loss;
use crate::nn::sequential::Sequential;
use crate::nn::tape::Tape;
use crate::numeric::bounds::{NOT_NEGATIVE, not_empty};
use crate::numeric::kernel::workers::Workers;
use crate::numeric::real::Real;
use crate::optim::minimize::{Minimizer, Objective, Point, largest};
use crate::optim::{OptimizerState, Penalty, Tie, Ties, gradient_norm};
use alloc::{boxed::Box, format, vec::Vec};
use core::ops::Range;

/// A method of minimization on the cost of all samples.
pub(super) struct FullBatch<'a, T: Real, M> {
    pub(super) minimizer: M,
    pub(super) loss: Box<dyn Loss<T> + 'a>,
    pub(super) slopes: Slopes<'a, T>,
    pub(super) penalty: Option<Penalty>,
    pub(super) frozen: Frozen,
    pub(super) ties: Vec<Tie>,
    pub(super) gradient_tolerance: f64,
    pub(super) decrease_tolerance: f64,
    #[cfg(feature = "parallel")]
    pub(super) threads: usize,
    tape: Tape<T>,
    /// The parameters of frozen layers.
    still: Vec<Range<usize>>,
    /// Where the ties are.
    tied: Ties,
    /// Cost and gradient where the network is.
    point: Point<T>,
    /// Whether they are known: not at the beginning of a call, which may bring other data.
    known: bool,
}

impl<'a, T: Real, M: Minimizer<T>> FullBatch<'a, T, M> {
    pub(super) fn new(loss: impl Loss<T> + 'a, minimizer: M) -> Self {
        Self {
            minimizer,
            loss: Box::new(loss),
            slopes: Slopes::NONE,
            penalty: None,
            frozen: Frozen::default(),
            ties: Vec::new(),
            gradient_tolerance: 1e-5,
            decrease_tolerance: 1e7 * f64::EPSILON,
            #[cfg(feature = "parallel")]
            threads: 1,
            tape: Tape::new(),
            still: Vec::new(),
            tied: Ties::NONE,
            point: Point {
                value: T::zero(),
                gradient: Vec::new(),
            },
            known: false,
        }
    }

    pub(super) fn reset(&mut self) {
        self.minimizer.reset();
    }
}

/// The cost of all samples as a function of the network's parameters.
struct Cost<'r, T: Real> {
    net: &'r mut Sequential<T>,
    data: Batch<'r, T>,
    cost: cost::Cost<'r, T>,
    penalty: Option<&'r Penalty>,
    still: &'r [Range<usize>],
    tied: &'r Ties,
    tape: &'r mut Tape<T>,
}

impl<T: Real> Objective<T> for Cost<'_, T> {
    fn params(&mut self) -> &mut [T] {
        self.net.params_mut()
    }

    fn evaluate(&mut self, gradient: &mut [T]) -> T {
        self.tied.spread(self.net.params_mut());
        let cost = self.cost.gradient(self.net, self.data, self.tape, false);
        let Ok(mut cost) = cost else {
            // Checked before the first step: every layer has the passes that it takes.
            return T::of(f64::NAN);
        };
        gradient.copy_from_slice(self.tape.grads());
        self.tied.gather(gradient);
        if let Some(penalty) = self.penalty {
            cost += penalty.cost_of(self.net, self.tied);
            penalty.add_checked(self.net, self.tied, gradient);
        }
        for range in self.still {
            gradient[range.clone()].fill(T::zero());
        }
        cost
    }

    fn workers(&self) -> Workers {
        self.tape.workers().clone()
    }
}

impl<T: Real, M: Minimizer<T> + Send> Method<T> for FullBatch<'_, T, M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn cost(&self) -> cost::Cost<'_, T> {
        self.slopes.beside(&*self.loss)
    }

    fn parts(&mut self) -> (cost::Cost<'_, T>, &mut Tape<T>) {
        (self.slopes.beside(&*self.loss), &mut self.tape)
    }

    fn check(&self, net: &Sequential<T>, _: u64) -> Result<()> {
        let name = M::NAME;
        not_empty(
            name,
            "a network with at least 1 parameter",
            net.params().len(),
        )?;
        self.minimizer.check()?;
        let tolerance = |what: &str, value| {
            NOT_NEGATIVE.check(format_args!("{what}_tolerance of {name}"), value)
        };
        tolerance("gradient", self.gradient_tolerance)?;
        tolerance("decrease", self.decrease_tolerance)?;
        self.penalty.as_ref().map_or(Ok(()), Penalty::check)?;
        self.frozen.check(name, net.layers().len())?;
        let mut blocks = net.layout().blocks();
        if blocks.all(|placed| {
            placed.block.role == Role::Statistic || self.frozen.contains(placed.layer)
        }) {
            return Err(all_frozen(name));
        }
        match self.memory().slots.first().map_or(0, Vec::len) {
            0 => Ok(()),
            known => check_count(name, known, net),
        }
    }

    fn prepare(&mut self, net: &Sequential<T>) -> Result<()> {
        #[cfg(feature = "parallel")]
        self.tape
            .set_threads(self.threads)
            .map_err(|error| error.within(M::NAME))?;
        let frozen = |layer| self.frozen.contains(layer);
        self.tied = Ties::new(&self.ties, net.layout(), frozen)?;
        self.still = self.frozen.params(M::NAME, net.layout())?;
        self.known = false;
        Ok(())
    }

    fn spread_ties(&self, net: &mut Sequential<T>) {
        self.tied.spread(net.params_mut());
    }

    fn steps(&self, _: usize) -> usize {
        1
    }

    fn epoch(
        &mut self,
        net: &mut Sequential<T>,
        data: Batch<'_, T>,
        position: &mut Position,
        _: Pace,
        after: &mut After<'_, T>,
    ) -> Result<Leg> {
        let Self {
            minimizer,
            loss,
            slopes,
            penalty,
            tape,
            still,
            tied,
            point,
            known,
            ..
        } = self;
        let (tolerance, least) = (self.gradient_tolerance, self.decrease_tolerance);
        let layout = net.layout().clone();
        tape.steps_on_threads(&layout, data.len(), 1, |tape| {
            let mut cost = Cost {
                net: &mut *net,
                data,
                cost: slopes.beside(&**loss),
                penalty: penalty.as_ref(),
                still,
                tied,
                tape,
            };
            if !core::mem::replace(known, true) {
                point.gradient.resize(cost.params().len(), T::zero());
                point.value = cost.evaluate(&mut point.gradient);
                check_finite(M::NAME, point)?;
            }
            let halted = |why| Leg {
                over: false,
                halt: Some(Halt::Stopped(why)),
                before: None,
            };
            let is_flat = |point: &Point<T>| largest(&point.gradient).as_f64() <= tolerance;
            if is_flat(point) {
                return Ok(halted(Stopped::SmallGradient));
            }
            let before = point.value.as_f64();
            position.gradient_norm = gradient_norm(cost.net, &point.gradient).as_f64();
            let taken = minimizer.step(&mut cost, point);
            // It may end elsewhere than where it last looked.
            tied.spread(cost.params());
            let rate = match taken {
                Ok(rate) => rate,
                Err(why) => return Ok(halted(Stopped::SearchFailed(why))),
            };
            let now = point.value.as_f64();
            let step = Step {
                epoch: position.epoch,
                batch: position.batch,
                step: position.step,
                cost: before,
                learning_rate: rate,
            };
            // The cost as it is, which an average of one leaves to the bit.
            (position.samples, position.cost) = (1, now);
            position.rate = rate;
            position.step += 1;
            let converged = if is_flat(point) {
                Some(Stopped::SmallGradient)
            } else if before - now <= least * before.abs().max(now.abs()).max(1.0) {
                Some(Stopped::SmallDecrease)
            } else {
                None
            };
            let halt = match (after(&step, net), converged) {
                // The run ends with a checkpoint in any case.
                (None | Some(Halt::Save), Some(why)) => Some(Halt::Stopped(why)),
                (halt, _) => halt,
            };
            Ok(Leg {
                over: true,
                halt,
                before: Some(before),
            })
        })
    }

    fn memory(&self) -> &OptimizerState<T> {
        self.minimizer.memory()
    }

    fn remember(&mut self, memory: &OptimizerState<T>) -> Result<()> {
        // Cost and gradient may be those of other parameters.
        self.known = false;
        if self.minimizer.remember(memory) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Incompatible,
            format!("memory of {}", M::NAME),
            "vectors that steps of it have left",
            format!(
                "{} of {}, after {} steps",
                memory.slots.len(),
                memory.rule,
                memory.step
            ),
        ))
    }

    fn fits(&self, memory: &OptimizerState<T>, params: usize) -> bool {
        self.minimizer.fits(memory, params)
    }

    #[cfg(feature = "std")]
    fn settings(&self) -> Vec<(&'static str, alloc::string::String)> {
        let mut settings = self.minimizer.settings();
        settings.extend(self.slopes.describe());
        settings.extend(Tie::setting(&self.ties));
        settings
    }
}

/// The start must have a cost and a gradient.
fn check_finite<T: Real>(name: &str, point: &Point<T>) -> Result<()> {
    let steepest = largest(&point.gradient);
    let (what, given) = if !point.value.is_finite() {
        ("cost", point.value)
    } else if !steepest.is_finite() {
        ("gradient", steepest)
    } else {
        return Ok(());
    };
    let expected = format!(
        "a finite {what} at the start (scale the inputs and the targets, as Scaler::standard does)"
    );
    Err(Error::new(ErrorKind::NotFinite, name, expected, given))
}
