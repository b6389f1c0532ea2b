//! The learning-rate range test.

use crate::data::Dataset;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::sequential::Sequential;
use crate::numeric::bounds::{POSITIVE, ensure};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use crate::optim::Schedule;
use crate::train::Trainer;
use alloc::{format, vec::Vec};
use core::ops::RangeInclusive;
use libm::{exp, log, pow, sqrt};

/// How much of the smoothed cost is that of the steps before.
const SMOOTHING: f64 = 0.9;

/// The test ends where the smoothed cost is so many times its smallest.
const TOO_LARGE: f64 = 4.0;

/// A step of a [range test](rate_range_test).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RatePoint {
    /// The learning rate η of the step.
    pub rate: f64,
    /// The cost of the mini-batch before the step, with the penalty.
    pub cost: f64,
    /// The average cost of the steps so far, the latest counting the most.
    pub smoothed: f64,
}

/// The curve of a [range test](rate_range_test).
#[derive(Clone, Debug, PartialEq)]
pub struct RateRange {
    points: Vec<RatePoint>,
    /// How many steps at the beginning say what the cost is without learning.
    calm: usize,
    /// Whether the cost grew too large before the last rate.
    ended: bool,
}

impl RateRange {
    /// The steps, in order of their rates, up to where the cost grew too large.
    pub fn points(&self) -> &[RatePoint] {
        &self.points
    }

    /// A rate to begin with: half the rate at which the smoothed cost has done half of its fall,
    /// from the mean cost of the first tenth of the steps to the smallest smoothed cost after them.
    ///
    /// The fall is the part of the curve that chance moves the least. A tenth of the rate of the
    /// smallest cost, another usual proposal, lies far higher where the classes are easily told
    /// apart, and the steepest point of a curve of noisy costs can be anywhere.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] if the smoothed cost did not fall by more than mini-batches differ, by
    /// one standard deviation of the costs in the first tenth of the steps: the range of rates must
    /// begin lower, or end higher.
    pub fn suggestion(&self) -> Result<f64> {
        let (calm, rest) = self.points.split_at(self.calm.min(self.points.len()));
        let n = calm.len() as f64;
        let mean = calm.iter().map(|point| point.cost).sum::<f64>() / n;
        let squares = calm
            .iter()
            .map(|point| (point.cost - mean) * (point.cost - mean));
        let deviation = sqrt(squares.sum::<f64>() / (n - 1.0));
        let smaller = |a: &&RatePoint, b: &&RatePoint| a.smoothed.total_cmp(&b.smoothed);
        let lowest = rest.iter().min_by(smaller).map(|lowest| lowest.smoothed);
        if let Some(lowest) = lowest.filter(|lowest| *lowest < mean - deviation) {
            let half = (mean + lowest) / 2.0;
            // From the smallest back, as noise may cross the half before.
            let end = rest
                .iter()
                .position(|point| point.smoothed == lowest)
                .unwrap_or(0);
            let before = rest[..end].iter().rposition(|point| point.smoothed > half);
            return Ok(rest[before.map_or(0, |before| before + 1)].rate / 2.0);
        }
        let expected = if self.ended {
            "a cost that falls by more (begin at a lower rate, or take larger batches)"
        } else {
            "a cost that falls by more (end at a higher rate, or take larger batches)"
        };
        let given = "one that falls by no more than mini-batches differ";
        Err(Error::new(
            ErrorKind::Value,
            "RateRange::suggestion",
            expected,
            given,
        ))
    }
}

/// The range test of learning rates (Smith 2017): trains a copy of the network for `steps` steps,
/// of which each has a larger rate than the one before, and looks at the cost. It falls where a
/// rate is large enough to learn, and rises where it is too large.
///
/// Steps are those of the trainer: its loss, optimizer, mini-batches, penalty, clips, constraints,
/// groups and frozen layers, with its seed. Rates go from the first to the last in equal ratios, in
/// place of the trainer's schedule. No stop, metric or observer sees the steps. The smoothed cost
/// is an exponential average, cᵢ being the cost of step i, counted from 0:
///
/// ```text
/// aᵢ = 0.9·aᵢ₋₁ + 0.1·cᵢ,  a₋₁ = 0;  smoothed: aᵢ/(1 − 0.9ⁱ⁺¹)
/// ```
///
/// The test ends before the last rate when the smoothed cost is four times its smallest, or the
/// cost is no longer finite. A hundred steps are usual. The network and the data stay as they are,
/// in the network's units: [`Model::scale`](crate::Model::scale) gives a model's data in them. The
/// trainer is [reset](Trainer::reset) before and afterward, with its own schedule.
///
/// # Errors
/// [`ErrorKind::Value`] unless 0 < first rate < last rate and there are at least 2 steps, and those
/// of [`Trainer::step`]; a cost that is not finite is an error at the first step alone.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::selection::rate_range_test;
/// let x = DMatrix::from_fn(1, 200, |_, j| j as f64 / 100.0 - 1.0);
/// let data = Dataset::new(x.clone(), x.map(|x| (4.0 * x).sin()))?;
/// let net = Sequential::builder(1)
///     .layer(Dense::new(16, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let mut trainer = Trainer::new(MeanSquaredError, Adam::new());
/// let range = rate_range_test(&mut trainer, &net, &data, 1e-5..=10.0, 100)?;
/// let rate = range.suggestion()?;
/// assert!(1e-3 < rate && rate < 0.1);
/// # Ok::<(), Error>(())
/// ```
#[doc(alias("lr_find", "LRFinder", "lr_finder"))]
pub fn rate_range_test<T: Real>(
    trainer: &mut Trainer<'_, T>,
    net: &Sequential<T>,
    data: &Dataset<T>,
    rates: RangeInclusive<f64>,
    steps: usize,
) -> Result<RateRange> {
    compiled_here!(T: |trainer: &mut Trainer<'_, T>,
                       net: &Sequential<T>,
                       data: &Dataset<T>,
                       rates: RangeInclusive<f64>,
                       steps: usize| -> Result<RateRange> {
        let place = "rate_range_test";
        let (first, last) = rates.into_inner();
        POSITIVE.check(place, first)?;
        POSITIVE.check(place, last)?;
        let expected = "rates of which the first is smaller";
        ensure(first < last, place, expected, format!("{first:?} and {last:?}"))?;
        ensure(steps >= 2, place, "at least 2 steps", steps)?;
        trainer.reset()?;
        let schedule = trainer.swap_learning_rate(Schedule::Constant(first));
        let rate = |step: usize| {
            let u = step as f64 / (steps - 1) as f64;
            match step {
                0 => first,
                _ if step + 1 == steps => last,
                _ => exp(log(first) * (1.0 - u) + log(last) * u).clamp(first, last),
            }
        };
        let range = climb(trainer, &mut net.clone(), data, &rate, steps);
        trainer.swap_learning_rate(schedule);
        trainer.reset()?;
        range
    })(trainer, net, data, rates, steps)
}

fn climb<T: Real>(
    trainer: &mut Trainer<'_, T>,
    net: &mut Sequential<T>,
    data: &Dataset<T>,
    rate: &dyn Fn(usize) -> f64,
    steps: usize,
) -> Result<RateRange> {
    let mut points: Vec<RatePoint> = Vec::new();
    let range = |points, ended| RateRange {
        points,
        calm: (steps / 10).max(2),
        ended,
    };
    let (mut average, mut smallest) = (0.0, f64::INFINITY);
    let mut batches = trainer.batches()?;
    let mut epoch = 0;
    loop {
        let mut batches = batches.epoch(data, epoch);
        while let Some(batch) = batches.next_batch() {
            let rate = rate(points.len());
            trainer.swap_learning_rate(Schedule::Constant(rate));
            let cost = match trainer.step(net, batch.x, batch.target) {
                Ok(step) => step.cost,
                Err(error) if points.is_empty() => return Err(error),
                Err(error) if matches!(error.kind(), ErrorKind::Diverged { .. }) => {
                    return Ok(range(points, true));
                }
                Err(error) => return Err(error),
            };
            average = SMOOTHING * average + (1.0 - SMOOTHING) * cost;
            let smoothed = average / (1.0 - pow(SMOOTHING, (points.len() + 1) as f64));
            points.push(RatePoint {
                rate,
                cost,
                smoothed,
            });
            smallest = smoothed.min(smallest);
            let ended = smoothed - smallest > (TOO_LARGE - 1.0) * smallest.abs();
            if ended || points.len() == steps {
                return Ok(range(points, ended));
            }
        }
        epoch += 1;
    }
}
