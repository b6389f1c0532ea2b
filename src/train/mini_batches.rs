//! Epochs of mini-batches, which `data/batches.rs` draws.

use super::accumulate::{Accumulated, Part};
use super::cost::Cost;
use super::observer::Step;
use super::run::{After, Halt, Leg, Method, Pace, check_count};
use super::scaled_samples::ScaledSamples;
use super::state::Position;
use super::step::{Descent, Place, Taken};
use crate::data::{Batch, Batches, EpochBatches};
use crate::error::{Error, ErrorKind, Result};
use crate::nn::loss::Loss;
use crate::nn::sequential::Sequential;
use crate::nn::tape::Tape;
use crate::numeric::bounds::some;
use crate::numeric::kernel::Pass;
use crate::numeric::kernel::workers::Workers;
use crate::numeric::real::Real;
#[cfg(feature = "std")]
use crate::optim::Tie;
use crate::optim::schedule::Progress;
use crate::optim::{Optimizer, OptimizerState};
use alloc::{format, vec::Vec};
use core::sync::atomic::{AtomicBool, Ordering};

/// Descent by mini-batches.
pub(super) struct MiniBatches<'a, T: Real> {
    pub(super) descent: Descent<'a, T>,
    pub(super) batch: usize,
    /// So many mini-batches make a step.
    pub(super) together: usize,
    pub(super) seed: u64,
    pub(super) shuffle: bool,
    #[cfg(feature = "parallel")]
    pub(super) threads: usize,
    tape: Tape<T>,
    accumulated: Accumulated<T>,
    /// Room for samples in the units of the network.
    scaled: ScaledSamples<T>,
    /// Room for the mini-batches of a call.
    batches: Option<Batches<T>>,
    /// The state of the optimizer when the trainer was made.
    fresh: OptimizerState<T>,
}

impl<'a, T: Real> MiniBatches<'a, T> {
    pub(super) fn new(loss: impl Loss<T> + 'a, optimizer: impl Optimizer<T> + 'a) -> Self {
        Self {
            fresh: optimizer.state().clone(),
            descent: Descent::new(loss, optimizer),
            batch: 32,
            together: 1,
            seed: 0,
            shuffle: true,
            #[cfg(feature = "parallel")]
            threads: 1,
            tape: Tape::new(),
            accumulated: Accumulated::new(),
            scaled: ScaledSamples::default(),
            batches: None,
        }
    }

    /// Gives the optimizer the state that it came with.
    pub(super) fn reset(&mut self) -> Result<()> {
        self.descent.optimizer.restore(&self.fresh)
    }

    /// Room for samples in the units of the network, to be given back.
    pub(super) fn take_scaled(&mut self) -> ScaledSamples<T> {
        core::mem::take(&mut self.scaled)
    }

    pub(super) fn give_scaled(&mut self, scaled: ScaledSamples<T>) {
        self.scaled = scaled;
    }

    /// One step on samples of the caller's, at `position`. A network with its best parameters is
    /// not the one of the step before.
    pub(super) fn step(
        &mut self,
        net: &mut Sequential<T>,
        batch: Batch<'_, T>,
        position: &mut Position,
        multiplier: f64,
        has_best: bool,
    ) -> Result<Step> {
        self.cost().check(net, batch)?;
        net.walk().check_trainable()?;
        if !self.descent.rate.counts_steps() {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "learning rate of Trainer::step",
                "a schedule that counts steps: a step is no part of an epoch or a run",
                "one in epochs or in percent",
            ));
        }
        self.check(net, position.step)?;
        self.make_ready(net)?;
        let (
            Self {
                descent,
                tape,
                seed,
                ..
            },
            place,
        ) = (
            self,
            Place {
                epoch: position.epoch,
                batch: position.batch,
            },
        );
        tape.seek(*seed, position.step);
        if has_best {
            descent.optimizer.adopt(net.params());
        }
        descent.show_average(net, false)?;
        let rate = descent.rate.rate(position.step) * multiplier;
        let before = descent.untied(net);
        descent.spread_ties(net);
        let taken = tape.steps_on_threads(&net.layout().clone(), batch.len(), 1, |tape| {
            let cost = descent.gradient(net, batch, tape)?;
            descent.step(net, cost, tape, rate, place, false)
        });
        if let (Err(_), Some(before)) = (&taken, before) {
            net.params_mut().copy_from_slice(&before);
        }
        descent.show_average(net, true)?;
        let taken = taken?;
        let step = told(position, &taken);
        position.step = tape.step();
        Ok(step)
    }

    fn make_ready(&mut self, net: &Sequential<T>) -> Result<()> {
        #[cfg(feature = "parallel")]
        self.tape
            .set_threads(self.threads)
            .map_err(|error| error.within("Trainer"))?;
        self.descent.prepare(net)
    }

    pub(super) fn new_batches(&self) -> Result<Batches<T>> {
        if self.shuffle {
            Batches::shuffled(self.batch, self.seed)
        } else {
            Batches::in_order(self.batch)
        }
    }
}

/// Leaves the gradient of the next mini-batch, if there is one, on the tape.
#[inline(always)]
fn next_gradient<T: Real>(
    descent: &Descent<'_, T>,
    net: &Sequential<T>,
    batches: &mut EpochBatches<'_, T>,
    tape: &mut Tape<T>,
) -> Result<Option<Part>> {
    let Some(batch) = batches.next_batch_by(tape.workers()) else {
        return Ok(None);
    };
    let reduction = descent.loss.reduction();
    Ok(Some(Part {
        cost: descent.gradient(net, batch, tape)?,
        count: reduction.count(batch.len(), batch.target.weights()),
        samples: batch.len(),
    }))
}

/// What observers are told of a step.
fn told(position: &Position, taken: &Taken) -> Step {
    let Position {
        epoch, batch, step, ..
    } = *position;
    Step {
        epoch,
        batch,
        step,
        cost: taken.total(),
        learning_rate: taken.rate,
    }
}

impl<T: Real> Method<T> for MiniBatches<'_, T> {
    fn name(&self) -> &'static str {
        "Trainer"
    }

    fn cost(&self) -> Cost<'_, T> {
        self.descent.cost()
    }

    fn parts(&mut self) -> (Cost<'_, T>, &mut Tape<T>) {
        (self.descent.cost(), &mut self.tape)
    }

    fn check(&self, net: &Sequential<T>, step: u64) -> Result<()> {
        some(
            "accumulate of Trainer",
            "at least 1 mini-batch",
            self.together as u64,
        )?;
        self.descent.check(net, step)?;
        match self.memory().slots.first().map_or(0, Vec::len) {
            0 => Ok(()),
            known => check_count(self.name(), known, net),
        }
    }

    fn prepare(&mut self, net: &Sequential<T>) -> Result<()> {
        let batches = self.new_batches()?;
        self.make_ready(net)?;
        self.batches = Some(batches);
        Ok(())
    }

    fn spread_ties(&self, net: &mut Sequential<T>) {
        self.descent.spread_ties(net);
    }

    fn steps(&self, samples: usize) -> usize {
        samples.div_ceil(self.batch).div_ceil(self.together)
    }

    fn epoch(
        &mut self,
        net: &mut Sequential<T>,
        data: Batch<'_, T>,
        position: &mut Position,
        pace: Pace,
        after: &mut After<'_, T>,
    ) -> Result<Leg> {
        let batches = match self.batches.take() {
            Some(batches) => batches,
            None => self.new_batches()?,
        };
        let batches = self.batches.insert(batches);
        let (descent, tape) = (&mut self.descent, &mut self.tape);
        let (accumulated, together) = (&mut self.accumulated, self.together);
        let reduction = descent.loss.reduction();
        tape.seek(self.seed, position.step);
        let (layout, batch) = (net.layout().clone(), self.batch.min(data.len()));
        let steps = data.len().div_ceil(batch);
        let mut progress = Progress {
            step: position.step,
            epoch: position.epoch as u64,
            batch: position.batch as u64,
            batches: steps.div_ceil(together) as u64,
            first: pace.first as u64,
            end: pace.end as u64,
        };
        descent.show_average(net, false)?;
        let leg = tape.steps_on_threads(&layout, batch, steps, |tape| {
            let mut batches = batches.epoch(data, position.epoch as u64);
            batches.skip(position.batch.saturating_mul(together));
            loop {
                if together > 1 {
                    // Each pass of its own randomness, as many as the step may have.
                    tape.seek_step(position.step.wrapping_mul(together as u64));
                    accumulated.clear();
                }
                let mut next = None;
                for _ in 0..together {
                    next = next_gradient(descent, net, &mut batches, tape)?;
                    match next {
                        Some(part) if together > 1 => {
                            accumulated.add(part, reduction, &layout, tape);
                        }
                        _ => break,
                    }
                }
                if together > 1 {
                    next = accumulated.put(tape);
                }
                let Some(Part {
                    cost,
                    count,
                    samples,
                }) = next
                else {
                    break;
                };
                let last = position.samples + samples == data.len();
                let place = Place {
                    epoch: position.epoch,
                    batch: position.batch,
                };
                let rate = descent.rate.rate_at(&progress) * pace.multiplier;
                let taken = descent.step(net, cost, tape, rate, place, last)?;
                let step = told(position, &taken);
                position.cost += taken.cost * count;
                position.penalty += taken
                    .penalty
                    .map_or(0.0, |penalty| penalty * samples as f64);
                position.samples += samples;
                position.gradient_norm = taken.gradient_norm.unwrap_or(position.gradient_norm);
                position.batch += 1;
                position.step = position.step.wrapping_add(1);
                position.rate = taken.rate;
                progress.step = position.step;
                progress.batch = position.batch as u64;
                if let Some(halt) = after(&step, net) {
                    return Ok(Leg {
                        over: false,
                        halt: Some(halt),
                        before: None,
                    });
                }
            }
            check_finite(net, descent.optimizer.state(), position, tape.workers())?;
            descent.note_epoch(net);
            Ok::<_, Error>(Leg {
                over: true,
                halt: None,
                before: None,
            })
        })?;
        descent.show_average(net, true)?;
        if !matches!(leg.halt, Some(Halt::Save)) {
            tape.seek_step(position.step);
            descent.renew_statistics(net, data.x, batch, tape);
        }
        Ok(leg)
    }

    fn memory(&self) -> &OptimizerState<T> {
        self.descent.optimizer.state()
    }

    fn remember(&mut self, memory: &OptimizerState<T>) -> Result<()> {
        self.descent.optimizer.restore(memory)
    }

    fn fits(&self, memory: &OptimizerState<T>, params: usize) -> bool {
        memory
            .slots
            .first()
            .is_none_or(|slot| slot.is_empty() || slot.len() == params)
    }

    #[cfg(feature = "std")]
    fn settings(&self) -> Vec<(&'static str, alloc::string::String)> {
        let Self {
            batch,
            together,
            seed,
            shuffle,
            ..
        } = self;
        let batches = match together {
            1 => format!("{batch}"),
            _ => format!("{together} times {batch}"),
        };
        let mut settings = alloc::vec![
            ("batch size", batches),
            ("seed", format!("{seed}")),
            ("shuffled", format!("{shuffle}"))
        ];
        settings.extend(self.descent.slopes.describe());
        settings.extend(Tie::setting(&self.descent.ties));
        settings
    }
}

/// Whether all numbers are finite, of which every one is looked at: that is faster than to stop.
fn are_finite<T: Real>(numbers: &[T], workers: &Workers) -> bool {
    struct AreFinite<'a, T>(&'a [T]);
    impl<T: Real> Pass for AreFinite<'_, T> {
        type Output = bool;
        #[inline(always)]
        fn run<const FMA: bool>(self) -> bool {
            self.0.iter().fold(true, |all, x| all & x.is_finite())
        }
    }
    let all = AtomicBool::new(true);
    workers.over(numbers, numbers.len(), 1, |numbers| {
        all.fetch_and(T::vectorize(AreFinite(numbers)), Ordering::Relaxed);
    });
    all.into_inner()
}

/// Parameters and the optimizer's state must be finite: once a square has overflowed, every later
/// step is 0.
fn check_finite<T: Real>(
    net: &Sequential<T>,
    state: &OptimizerState<T>,
    position: &Position,
    workers: &Workers,
) -> Result<()> {
    let mut all = state.slots.iter().map(Vec::as_slice).chain([net.params()]);
    if all.all(|numbers| are_finite(numbers, workers)) {
        return Ok(());
    }
    let Position {
        epoch,
        batch,
        gradient_norm,
        ..
    } = *position;
    let kind = ErrorKind::Diverged {
        epoch,
        batch: batch.saturating_sub(1),
    };
    let after = format!("epoch {epoch}, after the last batch");
    if let Some(index) = net.params().iter().position(|p| !p.is_finite()) {
        let expected = "a finite number (a smaller rate may help)";
        return Err(Error::new(
            kind,
            format!("{after}, parameter {index}"),
            expected,
            net.params()[index],
        ));
    }
    let broken = |slot: &Vec<T>| slot.iter().find(|number| !number.is_finite()).copied();
    let Some(number) = state.slots.iter().find_map(broken) else {
        return Ok(());
    };
    let expected =
        "finite numbers (clip the gradient by Clip::GlobalNorm, scale the data, or use f64)";
    let given = format!("{number}; the last gradient has the norm {gradient_norm:.3e}");
    Err(Error::new(
        kind,
        format!("{after}, state of {}", state.rule),
        expected,
        given,
    ))
}
