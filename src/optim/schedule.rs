//! Learning rates that change from step to step.

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::{
    AT_LEAST_ONE, BETWEEN, Bound, FACTOR, NOT_NEGATIVE, POSITIVE, ensure, some,
};
use alloc::{boxed::Box, format, sync::Arc, vec, vec::Vec};
use core::f64::consts::PI;
use core::fmt;
use libm::{cos, pow};

/// A learning rate η as a function of the step t, counted from 0 over all epochs, or of time
/// counted [in epochs](Self::in_epochs) or [in hundredths of the run](Self::in_percent).
///
/// A pure function: nothing is remembered between steps, so that there is nothing to save, and a
/// run that is resumed at step t has the rate of step t. At every step, the last `u64` too, the
/// rate is finite and not negative, unless [`Custom`](Self::Custom) says otherwise or a
/// [`Product`](Self::Product) overflows; an optimizer refuses such a step.
///
/// ```
/// use chainrule::{Adam, Optimizer};
/// use chainrule::optim::Schedule;
/// let schedule = Schedule::Cosine { rate: 0.1, min: 1e-3, steps: 400 }.warm_up(20);
/// schedule.check()?;
/// let (mut adam, mut w) = (Adam::new(), [2.0_f64]);
/// for step in 0..420 {
///     let gradient = [2.0 * w[0]]; // of w²
///     adam.step(schedule.rate(step), &mut w, &gradient, &chainrule::optim::Group::all(1))?;
/// }
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
#[doc(alias("lr_scheduler", "LearningRateSchedule", "LRScheduler"))]
pub enum Schedule {
    /// η = η₀; a plain number is one.
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// assert_eq!(Schedule::from(0.1).rate(7), 0.1);
    /// ```
    Constant(f64),
    /// η = η₀·γ^⌊t/n⌋, a stair of equal steps (PyTorch's `StepLR`).
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let schedule = Schedule::Step { rate: 0.8, factor: 0.5, every: 10 };
    /// assert_eq!([0, 9, 10, 20].map(|t| schedule.rate(t)), [0.8, 0.8, 0.4, 0.2]);
    /// ```
    #[doc(alias("StepLR"))]
    Step {
        /// η₀, finite and not negative, here and below.
        rate: f64,
        /// γ in (0, 1].
        factor: f64,
        /// n, at least 1.
        every: u64,
    },
    /// η = η₀·γᵏ, k of the given steps being past or now (PyTorch's `MultiStepLR`).
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let schedule = Schedule::MultiStep { rate: 0.8, factor: 0.5, at: vec![30, 80] };
    /// assert_eq!([0, 29, 30, 79, 80].map(|t| schedule.rate(t)), [0.8, 0.8, 0.4, 0.4, 0.2]);
    /// ```
    #[doc(alias("MultiStepLR"))]
    MultiStep {
        /// η₀.
        rate: f64,
        /// γ in (0, 1].
        factor: f64,
        /// The steps, in any order; one that is there twice counts twice.
        at: Vec<u64>,
    },
    /// η is one of the given values: the first until step `milestones[0]`, from there on the
    /// second, and so on. The boundaries of Keras' `PiecewiseConstantDecay` are lower by 1 than the
    /// milestones. PyTorch's `ConstantLR`, a constant factor γ on the first n steps, has the values
    /// γ·η₀ and η₀ and the milestone n.
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let (values, milestones) = (vec![0.1, 0.5, 0.01], vec![5, 80]);
    /// let schedule = Schedule::Piecewise { values, milestones };
    /// assert_eq!([0, 4, 5, 79, 80].map(|t| schedule.rate(t)), [0.1, 0.1, 0.5, 0.5, 0.01]);
    /// ```
    #[doc(alias("PiecewiseConstantDecay", "ConstantLR"))]
    Piecewise {
        /// The rates, one more than milestones; finite and not negative.
        values: Vec<f64>,
        /// The steps at which the next one begins, from 1 on and each above the one before.
        milestones: Vec<u64>,
    },
    /// η = η₀·γᵗ (PyTorch's `ExponentialLR`).
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let schedule = Schedule::Exponential { rate: 0.8, factor: 0.5 };
    /// assert_eq!([0, 1, 2].map(|t| schedule.rate(t)), [0.8, 0.4, 0.2]);
    /// ```
    #[doc(alias("ExponentialLR", "ExponentialDecay"))]
    Exponential {
        /// η₀.
        rate: f64,
        /// γ in (0, 1].
        factor: f64,
    },
    /// η = η₀/(1 + κ·t) (Robbins & Monro 1951: Σ η diverges and Σ η² does not; Keras'
    /// `InverseTimeDecay`).
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let schedule = Schedule::InverseTime { rate: 0.8, kappa: 0.5 };
    /// assert_eq!([0, 2, 6].map(|t| schedule.rate(t)), [0.8, 0.4, 0.2]);
    /// ```
    #[doc(alias("InverseTimeDecay"))]
    InverseTime {
        /// η₀.
        rate: f64,
        /// κ, finite and not negative.
        kappa: f64,
    },
    /// η = η₀/(1 + κ·⌊t/n⌋), [`InverseTime`](Self::InverseTime) as a stair (Keras'
    /// `InverseTimeDecay` with `staircase=True`).
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let schedule = Schedule::InverseTimeStep { rate: 0.8, kappa: 1.0, every: 10 };
    /// assert_eq!([0, 9, 10, 30].map(|t| schedule.rate(t)), [0.8, 0.8, 0.4, 0.2]);
    /// ```
    InverseTimeStep {
        /// η₀.
        rate: f64,
        /// κ, finite and not negative.
        kappa: f64,
        /// n, at least 1.
        every: u64,
    },
    /// η = η₁ + (η₀−η₁)·(1 − t/n)ᵖ until step n, then η₁; a straight line where p is 1 (Keras'
    /// `PolynomialDecay`; PyTorch's `PolynomialLR`, where η₁ is 0).
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let schedule = Schedule::Polynomial { rate: 0.5, end: 0.25, power: 2.0, steps: 4 };
    /// assert_eq!([0, 2, 4, 9].map(|t| schedule.rate(t)), [0.5, 0.3125, 0.25, 0.25]);
    /// ```
    #[doc(alias("PolynomialLR", "PolynomialDecay"))]
    Polynomial {
        /// η₀.
        rate: f64,
        /// η₁, finite and not negative.
        end: f64,
        /// p, finite and above 0.
        power: f64,
        /// n, at least 1.
        steps: u64,
    },
    /// [`Polynomial`](Self::Polynomial) whose end is put off whenever it is reached: with
    /// k = ⌈t/n⌉, at least 1, η = η₁ + (η₀−η₁)·(1 − t/(k·n))ᵖ (Keras' `PolynomialDecay` with
    /// `cycle=True`). It jumps up after each multiple of n, to about (η₀−η₁)·(1 − k/(k+1))ᵖ.
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let schedule = Schedule::PolynomialCycles { rate: 0.5, end: 0.0, power: 1.0, steps: 4 };
    /// assert_eq!([0, 2, 4, 6, 8].map(|t| schedule.rate(t)), [0.5, 0.25, 0.0, 0.125, 0.0]);
    /// ```
    PolynomialCycles {
        /// η₀.
        rate: f64,
        /// η₁, finite and not negative.
        end: f64,
        /// p, finite and above 0.
        power: f64,
        /// n, at least 1.
        steps: u64,
    },
    /// η = ηₘ + ½(η₀−ηₘ)·(1 + cos(π·t/n)) until step n, then ηₘ (Loshchilov & Hutter 2017, one run
    /// of theirs; PyTorch's `CosineAnnealingLR`, which rises again after n).
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let schedule = Schedule::Cosine { rate: 0.5, min: 0.25, steps: 10 };
    /// assert_eq!([0, 5, 10, 99].map(|t| schedule.rate(t)), [0.5, 0.375, 0.25, 0.25]);
    /// ```
    #[doc(alias("CosineAnnealingLR", "CosineDecay"))]
    Cosine {
        /// η₀.
        rate: f64,
        /// ηₘ, finite and not negative.
        min: f64,
        /// n, at least 1.
        steps: u64,
    },
    /// [`Cosine`](Self::Cosine) again and again, each run `factor` times as long as the one before
    /// (SGDR, Loshchilov & Hutter 2017, with their T₀ and T_mult; PyTorch's
    /// `CosineAnnealingWarmRestarts`), and from a lower peak: run i, counted from 0, starts at
    /// ηₘ + mⁱ·(η₀−ηₘ). Never quite ηₘ: where a run would end, the next one starts. Keras'
    /// `CosineDecayRestarts` is the same where its α is 0; else its runs end at α·η₀ times mⁱ and
    /// more.
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let same = Schedule::WarmRestarts {
    ///     rate: 0.5,
    ///     min: 0.25,
    ///     steps: 10,
    ///     factor: 2,
    ///     peak_factor: 1.0,
    /// };
    /// assert_eq!([0, 5, 10, 20, 30].map(|t| same.rate(t)), [0.5, 0.375, 0.5, 0.375, 0.5]);
    /// let lower = Schedule::WarmRestarts {
    ///     rate: 0.5,
    ///     min: 0.0,
    ///     steps: 10,
    ///     factor: 1,
    ///     peak_factor: 0.5,
    /// };
    /// assert_eq!([0, 10, 20, 25].map(|t| lower.rate(t)), [0.5, 0.25, 0.125, 0.0625]);
    /// ```
    #[doc(alias("CosineAnnealingWarmRestarts", "CosineDecayRestarts"))]
    WarmRestarts {
        /// η₀, at the start of the first run.
        rate: f64,
        /// ηₘ, finite and not negative.
        min: f64,
        /// T₀, the steps of the first run, at least 1.
        steps: u64,
        /// T_mult, at least 1.
        factor: u64,
        /// m in (0, 1], Keras' `m_mul`: by what the peak of a run is lower than the one before.
        peak_factor: f64,
    },
    /// Up and down along lines, from ηₘ to η₀ in `up` steps and back in `down`, again and again
    /// (Smith 2017; PyTorch's `CyclicLR`): η = ηₘ + (η₀−ηₘ)·x·αᵏ·γᵗ, where x goes from 0 to 1 and
    /// back and k is the number of cycles past. PyTorch's three forms are
    ///
    /// | `mode` | `cycle_factor` α | `step_factor` γ |
    /// |---|---|---|
    /// | `triangular` | 1 | 1 |
    /// | `triangular2` | ½ | 1 |
    /// | `exp_range` | 1 | its `gamma` |
    ///
    /// PyTorch also turns the momentum around, which is not done here.
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let schedule = Schedule::Cyclic {
    ///     rate: 0.5,
    ///     min: 0.0,
    ///     up: 2,
    ///     down: 4,
    ///     cycle_factor: 0.5,
    ///     step_factor: 1.0,
    /// };
    /// assert_eq!([0, 1, 2, 4, 6, 8].map(|t| schedule.rate(t)), [0.0, 0.25, 0.5, 0.25, 0.0, 0.25]);
    /// ```
    #[doc(alias("CyclicLR", "triangular"))]
    Cyclic {
        /// η₀, the peak of the first cycle.
        rate: f64,
        /// ηₘ, finite and not negative: where cycles begin.
        min: f64,
        /// Steps from ηₘ to the peak, at least 1.
        up: u64,
        /// Steps back, at least 1.
        down: u64,
        /// α in (0, 1]: what a cycle makes of the height of the next one.
        cycle_factor: f64,
        /// γ in (0, 1]: what a step makes of the height.
        step_factor: f64,
    },
    /// One cycle of n steps (Smith & Topin 2019, in the two phases of PyTorch's `OneCycleLR`). Half
    /// a cosine leads from η₀/`div` up to η₀, which is reached at step `warm`·n − 1. Another leads
    /// down to η₀/(`div`·`final_div`), reached at step n − 1 and kept. PyTorch's defaults are
    /// `warm` 0.3, `div` 25 and `final_div` 10⁴; it also turns the momentum around, which is not
    /// done here.
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let schedule = Schedule::OneCycle {
    ///     rate: 1.0,
    ///     warm: 0.25,
    ///     div: 4.0,
    ///     final_div: 8.0,
    ///     steps: 40,
    /// };
    /// assert_eq!([0, 9, 39, 99].map(|t| schedule.rate(t)), [0.25, 1.0, 0.03125, 0.03125]);
    /// ```
    #[doc(alias("OneCycleLR"))]
    OneCycle {
        /// η₀, the largest rate.
        rate: f64,
        /// The share of the steps on the way up, in (0, 1).
        warm: f64,
        /// The largest rate over the first, finite and at least 1.
        div: f64,
        /// The first rate over the last, finite and at least 1.
        final_div: f64,
        /// n, at least 1.
        steps: u64,
    },
    /// One schedule after another, each counted from its own start (PyTorch's `SequentialLR`): the
    /// first until step `milestones[0]`, where the second begins, and so on.
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let rate = 0.5;
    /// let exponential = Schedule::Exponential { rate, factor: 0.5 };
    /// let schedule = Schedule::Sequential {
    ///     schedules: vec![Schedule::from(0.1), exponential],
    ///     milestones: vec![3],
    /// };
    /// assert_eq!([0, 2, 3, 4].map(|t| schedule.rate(t)), [0.1, 0.1, 0.5, 0.25]);
    /// ```
    #[doc(alias = "SequentialLR")]
    Sequential {
        /// The schedules, one more than milestones; none of them is a sequence or a product.
        schedules: Vec<Schedule>,
        /// The steps at which the next one begins, from 1 on and each above the one before.
        milestones: Vec<u64>,
    },
    /// η is the product of several schedules, all counted from step 0 (PyTorch's
    /// `ChainedScheduler`): one gives the rate, the others factors of it. PyTorch's
    /// `MultiplicativeLR` of a constant is [`Exponential`](Self::Exponential).
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let less_at_first = Schedule::Piecewise { values: vec![0.25, 1.0], milestones: vec![2] };
    /// let schedule = Schedule::Product {
    ///     schedules: vec![less_at_first, Schedule::Exponential { rate: 0.8, factor: 0.5 }],
    /// };
    /// assert_eq!([0, 2, 3].map(|t| schedule.rate(t)), [0.2, 0.2, 0.1]);
    /// ```
    #[doc(alias("ChainedScheduler", "MultiplicativeLR"))]
    Product {
        /// The factors, at least one; none of them is a sequence or a product.
        schedules: Vec<Schedule>,
    },
    /// A line up before another schedule; made by [`warm_up`](Self::warm_up).
    WarmUp {
        /// How many steps it takes.
        steps: u64,
        /// What begins after them.
        then: Box<Schedule>,
    },
    /// Any function; made by [`custom`](Self::custom).
    #[doc(alias("LambdaLR"))]
    Custom(Function),
    /// Another schedule whose steps are epochs, or hundredths of the run; made by
    /// [`in_epochs`](Self::in_epochs) and [`in_percent`](Self::in_percent).
    Counted {
        /// What its steps are.
        unit: ScheduleUnit,
        /// What is counted so; neither it nor a part of it is.
        schedule: Box<Schedule>,
    },
}

/// What the steps of a [`Schedule::Counted`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ScheduleUnit {
    /// An epoch.
    Epoch,
    /// A hundredth of the run.
    Percent,
}

/// Where training is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// Steps of the rule so far.
    pub(crate) step: u64,
    /// Epochs so far, over all runs.
    pub(crate) epoch: u64,
    /// Steps so far in the next epoch, and all that it has.
    pub(crate) batch: u64,
    pub(crate) batches: u64,
    /// The epochs of the run.
    pub(crate) first: u64,
    pub(crate) end: u64,
}

/// What time it is for a schedule, in ticks. They are whole numbers, so that stairs fall where they
/// should.
#[derive(Clone, Copy)]
struct Clock {
    now: u64,
    /// Ticks that a step of the rule takes.
    step: u64,
    /// Ticks that a step of the schedule takes.
    unit: u64,
}

impl Clock {
    /// Of a schedule that counts the steps of the rule.
    fn of_steps(now: u64) -> Self {
        let (step, unit) = (1, 1);
        Self { now, step, unit }
    }

    fn new(unit: ScheduleUnit, progress: &Progress) -> Self {
        let Progress {
            epoch,
            batch,
            batches,
            first,
            end,
            ..
        } = *progress;
        let done = |epochs: u64| epochs.saturating_mul(batches).saturating_add(batch);
        match unit {
            ScheduleUnit::Epoch => Self {
                now: done(epoch),
                step: 1,
                unit: batches.max(1),
            },
            ScheduleUnit::Percent => Self {
                now: done(epoch.saturating_sub(first)).saturating_mul(100),
                step: 100,
                unit: end.saturating_sub(first).saturating_mul(batches).max(1),
            },
        }
    }

    /// So many steps of the schedule, in ticks.
    fn ticks(self, steps: u64) -> u64 {
        steps.saturating_mul(self.unit)
    }

    /// The time in steps of the schedule.
    fn time(self) -> f64 {
        self.now as f64 / self.unit as f64
    }
}

/// A learning rate as a function of the step, in [`Schedule::Custom`].
#[derive(Clone)]
pub struct Function(Arc<dyn Fn(u64) -> f64 + Send + Sync>);

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Function")
    }
}

impl Schedule {
    /// The rate at step t that `rate` says. It must depend on t alone; what is not finite or
    /// negative is refused by the step of the optimizer.
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let noam = Schedule::custom(|t| { // Vaswani et al. 2017
    ///     let t = t as f64 + 1.0;
    ///     t.powf(-0.5).min(t * 4000_f64.powf(-1.5))
    /// });
    /// assert!(noam.rate(3999) > noam.rate(0) && noam.rate(3999) > noam.rate(9999));
    /// ```
    pub fn custom(rate: impl Fn(u64) -> f64 + Send + Sync + 'static) -> Self {
        Self::Custom(Function(Arc::new(rate)))
    }

    /// The same after a warm-up of n steps (Goyal et al. 2017): η = η₀·(t+1)/(n+1) until step n,
    /// where the schedule begins with its η₀. So no step is lost at a rate of 0.
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let schedule = Schedule::Exponential { rate: 0.5, factor: 0.5 }.warm_up(4);
    /// let rates = [0.1, 0.2, 0.3, 0.4, 0.5, 0.25];
    /// assert!((0..6).zip(rates).all(|(t, rate)| (schedule.rate(t) - rate).abs() < 1e-15));
    /// ```
    #[must_use]
    #[doc(alias("warmup", "LinearLR"))]
    pub fn warm_up(self, steps: u64) -> Self {
        Self::WarmUp {
            steps,
            then: Box::new(self),
        }
    }

    /// The same, whose steps are epochs, as PyTorch's schedulers and Keras' callbacks count them:
    /// n steps of the schedule take n·b steps of training in epochs of b mini-batches, and between
    /// two epochs the rate goes on smoothly. So it has the rate of the step that it counts at the
    /// beginning of each epoch. A [warm-up](Self::warm_up) still rises from step to step, and a
    /// [`custom`](Self::custom) function is told the epochs that are over.
    ///
    /// Epochs are counted over the trainer's life, as steps are. [`Trainer`](crate::Trainer) knows
    /// how many steps an epoch has; in a loop of your own, [`rate_in_run`](Self::rate_in_run) is
    /// told. The unit stands outermost, or around a factor of a [product](Self::Product).
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let stair = Schedule::MultiStep { rate: 0.8, factor: 0.5, at: vec![2, 3] }.in_epochs();
    /// // Four epochs of 10 steps.
    /// let rates = [0, 19, 20, 29, 30].map(|t| stair.rate_in_run(t, 10, 4));
    /// assert_eq!(rates, [0.8, 0.8, 0.4, 0.4, 0.2]);
    /// let line = Schedule::Polynomial { rate: 0.5, end: 0.0, power: 1.0, steps: 4 }.in_epochs();
    /// assert_eq!([0, 5, 10, 20].map(|t| line.rate_in_run(t, 10, 4)), [0.5, 0.4375, 0.375, 0.25]);
    /// ```
    #[must_use]
    pub fn in_epochs(self) -> Self {
        self.counted(ScheduleUnit::Epoch)
    }

    /// The same, whose steps are hundredths of the run: 100 of them are the whole run, however many
    /// epochs and mini-batches that has, and whatever there is of them flows smoothly.
    ///
    /// A run is a call of [`Trainer::fit`](crate::Trainer::fit), with all the epochs that it may
    /// take: when a [stop](crate::Trainer::stop) ends it early, what would have come of the
    /// schedule is left out. The next call is a run of its own and begins at 0, but for a call that
    /// continues one from a checkpoint, which goes on where that was. As with
    /// [`in_epochs`](Self::in_epochs), the unit stands outermost, or around a factor of a
    /// [product](Self::Product).
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let cosine = Schedule::Cosine { rate: 0.5, min: 0.0, steps: 100 }.in_percent();
    /// // Six epochs of 50 steps.
    /// let rates = [0, 100, 150, 300].map(|t| cosine.rate_in_run(t, 50, 6));
    /// assert!(rates.iter().zip([0.5, 0.375, 0.25, 0.0]).all(|(a, b)| (a - b).abs() < 1e-15));
    /// // A twentieth of the run to warm up, and half a cosine over the rest of it.
    /// let warm = Schedule::Cosine { rate: 0.5, min: 0.0, steps: 95 }.warm_up(5).in_percent();
    /// assert_eq!(warm.rate_in_run(15, 50, 6), 0.5);
    /// // 100 steps to warm up, whatever the run.
    /// let ramp = Schedule::from(1.0).warm_up(100);
    /// let mixed = Schedule::Product { schedules: vec![ramp, cosine] };
    /// assert_eq!(mixed.rate_in_run(100, 50, 6), rates[1]);
    /// ```
    #[must_use]
    pub fn in_percent(self) -> Self {
        self.counted(ScheduleUnit::Percent)
    }

    fn counted(self, unit: ScheduleUnit) -> Self {
        Self::Counted {
            unit,
            schedule: Box::new(self),
        }
    }

    /// At least one of every kind but [`Custom`](Self::Custom) and [`Counted`](Self::Counted): what
    /// tests and their tables go through.
    #[doc(hidden)]
    pub fn samples() -> Vec<Self> {
        let rate = 0.5;
        let exponential = Self::Exponential { rate, factor: 0.9 };
        let warm_up = exponential.clone().warm_up(8);
        let step = |factor, every| Self::Step {
            rate,
            factor,
            every,
        };
        let polynomial = |power| Self::Polynomial {
            rate,
            end: 0.0,
            power,
            steps: 30,
        };
        let restarts = |steps, factor, peak_factor| Self::WarmRestarts {
            rate,
            min: 0.01,
            steps,
            factor,
            peak_factor,
        };
        let cyclic = |down, cycle_factor, step_factor| Self::Cyclic {
            rate,
            min: 0.01,
            up: 4,
            down,
            cycle_factor,
            step_factor,
        };
        let one_cycle = |warm, div, final_div, steps| Self::OneCycle {
            rate,
            warm,
            div,
            final_div,
            steps,
        };
        vec![
            Self::Constant(rate),
            step(0.3, 7),
            Self::MultiStep {
                rate,
                factor: 0.3,
                at: vec![11, 3, 10, 11],
            },
            exponential.clone(),
            Self::Piecewise {
                values: vec![rate, 0.25, 0.3],
                milestones: vec![4, 11],
            },
            Self::Piecewise {
                values: vec![0.125, rate],
                milestones: vec![5],
            },
            Self::InverseTime { rate, kappa: 0.3 },
            Self::InverseTimeStep {
                rate,
                kappa: 0.3,
                every: 7,
            },
            polynomial(1.0),
            polynomial(2.5),
            Self::PolynomialCycles {
                rate,
                end: 0.01,
                power: 1.5,
                steps: 7,
            },
            Self::Cosine {
                rate,
                min: 0.01,
                steps: 30,
            },
            restarts(7, 1, 1.0),
            restarts(3, 3, 1.0),
            Self::WarmRestarts {
                rate,
                min: 0.0,
                steps: 5,
                factor: 2,
                peak_factor: 0.75,
            },
            cyclic(4, 1.0, 1.0),
            cyclic(6, 0.5, 1.0),
            cyclic(6, 1.0, 0.9),
            one_cycle(0.3, 25.0, 1e4, 50),
            one_cycle(0.45, 10.0, 100.0, 37),
            warm_up,
            Self::Sequential {
                schedules: vec![
                    Self::Polynomial {
                        rate: 0.125,
                        end: rate,
                        power: 1.0,
                        steps: 4,
                    },
                    Self::Cosine {
                        rate,
                        min: 0.01,
                        steps: 10,
                    },
                    step(0.5, 3),
                ],
                milestones: vec![4, 14],
            },
            Self::Product {
                schedules: vec![
                    Self::Piecewise {
                        values: vec![0.1, 1.0],
                        milestones: vec![4],
                    },
                    exponential,
                ],
            },
        ]
    }

    /// η at step t; NaN of a schedule that counts something else ([`in_epochs`](Self::in_epochs),
    /// [`in_percent`](Self::in_percent)), which an optimizer's step refuses.
    pub fn rate(&self, t: u64) -> f64 {
        self.rate_by(t, None)
    }

    /// η at step t of a run of `epochs` epochs, each of `batches` steps, with which training
    /// begins: of any schedule, for a loop of your own or a picture.
    ///
    /// ```
    /// use chainrule::optim::Schedule;
    /// let schedule = Schedule::Step { rate: 0.8, factor: 0.5, every: 10 };
    /// assert_eq!(schedule.rate_in_run(12, 4, 50), schedule.rate(12));
    /// assert_eq!(schedule.in_epochs().rate_in_run(12, 4, 50), 0.8);
    /// ```
    pub fn rate_in_run(&self, t: u64, batches: u64, epochs: u64) -> f64 {
        let batches = batches.max(1);
        self.rate_at(&Progress {
            step: t,
            epoch: t / batches,
            batch: t % batches,
            batches,
            first: 0,
            end: epochs,
        })
    }

    /// η where training is.
    pub(crate) fn rate_at(&self, progress: &Progress) -> f64 {
        self.rate_by(progress.step, Some(progress))
    }

    /// Whether it counts steps alone.
    pub(crate) fn counts_steps(&self) -> bool {
        match self {
            Self::Counted { .. } => false,
            Self::Product { schedules } => schedules.iter().all(Self::counts_steps),
            _ => true,
        }
    }

    fn rate_by(&self, t: u64, progress: Option<&Progress>) -> f64 {
        match self {
            Self::Counted { unit, schedule } => progress.map_or(f64::NAN, |progress| {
                schedule.rate_of(Clock::new(*unit, progress))
            }),
            Self::Product { schedules } => schedules.iter().fold(1.0, |product, schedule| {
                product * schedule.rate_by(t, progress)
            }),
            _ => self.rate_of(Clock::of_steps(t)),
        }
    }

    /// η at the time of the clock.
    fn rate_of(&self, clock: Clock) -> f64 {
        let Clock { now, unit, .. } = clock;
        let stair = |every: u64| (now / clock.ticks(every.max(1)).max(1)) as f64;
        // How much of so many steps is over.
        let share = |steps: u64| now as f64 / clock.ticks(steps) as f64;
        match self {
            Self::Constant(rate) => *rate,
            Self::Step {
                rate,
                factor,
                every,
            } => rate * pow(*factor, stair(*every)),
            Self::MultiStep { rate, factor, at } => {
                let past = at.iter().filter(|step| clock.ticks(**step) <= now);
                rate * pow(*factor, past.count() as f64)
            }
            // Without a value there is no rate, which an optimizer's step refuses.
            Self::Piecewise { values, milestones } => {
                *values.get(past(milestones, clock)).unwrap_or(&f64::NAN)
            }
            Self::Exponential { rate, factor } => rate * pow(*factor, clock.time()),
            Self::InverseTime { rate, kappa } => rate / (1.0 + kappa * clock.time()),
            Self::InverseTimeStep { rate, kappa, every } => rate / (1.0 + kappa * stair(*every)),
            Self::Polynomial {
                rate,
                end,
                power,
                steps,
            } => {
                if now < clock.ticks(*steps) {
                    end + (rate - end) * pow(1.0 - share(*steps), *power)
                } else {
                    *end
                }
            }
            Self::PolynomialCycles {
                rate,
                end,
                power,
                steps,
            } => {
                let steps = clock.ticks((*steps).max(1));
                let way = now as f64 / (now.div_ceil(steps).max(1) as f64 * steps as f64);
                end + (rate - end) * pow((1.0 - way).max(0.0), *power)
            }
            Self::Cosine { rate, min, steps } => {
                if now < clock.ticks(*steps) {
                    between(*rate, *min, share(*steps))
                } else {
                    *min
                }
            }
            Self::WarmRestarts {
                rate,
                min,
                steps,
                factor,
                peak_factor,
            } => {
                let (mut t, mut run) = (now, clock.ticks((*steps).max(1)));
                let mut past = 0;
                if *factor < 2 {
                    past = t / run;
                    t %= run;
                }
                // Each run is at least twice as long as the one before: 64 turns at the most.
                while t >= run {
                    t -= run;
                    run = run.saturating_mul(*factor);
                    past += 1;
                }
                let height = (rate - min) * pow(*peak_factor, past as f64);
                min + height * half_cosine(t as f64 / run as f64)
            }
            Self::Cyclic {
                rate,
                min,
                up,
                down,
                cycle_factor,
                step_factor,
            } => {
                let (up, down) = (clock.ticks((*up).max(1)), clock.ticks((*down).max(1)));
                let cycle = up.saturating_add(down);
                let (past, t) = (now / cycle, now % cycle);
                let way = if t <= up {
                    t as f64 / up as f64
                } else {
                    (cycle - t) as f64 / down as f64
                };
                let shrunk = pow(*cycle_factor, past as f64) * pow(*step_factor, clock.time());
                min + (rate - min) * (way * shrunk)
            }
            Self::OneCycle {
                rate,
                warm,
                div,
                final_div,
                steps,
            } => {
                // Of the rule: the last of them is to have the last rate.
                let steps = clock.ticks(*steps) as f64 / clock.step as f64;
                let now = now as f64 / clock.step as f64;
                let (top, end) = (warm * steps - 1.0, steps - 1.0);
                let first = rate / div;
                if now <= top {
                    between(first, *rate, if top > 0.0 { now / top } else { 1.0 })
                } else {
                    between(
                        *rate,
                        first / final_div,
                        if now < end {
                            (now - top) / (end - top)
                        } else {
                            1.0
                        },
                    )
                }
            }
            Self::Sequential {
                schedules,
                milestones,
            } => {
                let past = past(milestones, clock);
                let start = past
                    .checked_sub(1)
                    .map_or(0, |last| clock.ticks(milestones[last]));
                let now = now - start;
                // Without a schedule there is no rate, which an optimizer's step refuses.
                schedules.get(past).map_or(f64::NAN, |schedule| {
                    schedule.rate_of(Clock { now, ..clock })
                })
            }
            Self::Product { schedules } => schedules
                .iter()
                .fold(1.0, |product, schedule| product * schedule.rate_of(clock)),
            Self::WarmUp { steps, then } => {
                let steps = clock.ticks(*steps);
                match now.checked_sub(steps) {
                    Some(now) => then.rate_of(Clock { now, ..clock }),
                    None => {
                        // From step to step of the rule, whatever is counted.
                        let step = clock.step as f64;
                        let way = (now as f64 + step) / (steps as f64 + step);
                        then.rate_of(Clock { now: 0, ..clock }) * way
                    }
                }
            }
            Self::Custom(Function(rate)) => rate(now / unit),
            // Within another one it has no time of its own; `check` refuses it.
            Self::Counted { .. } => f64::NAN,
        }
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// [`ErrorKind::Value`](crate::ErrorKind::Value), naming the one that is out of range. A
    /// function is not asked.
    pub fn check(&self) -> Result<()> {
        let name = match self {
            Self::Constant(_) => "Constant",
            Self::Step { .. } => "Step",
            Self::MultiStep { .. } => "MultiStep",
            Self::Piecewise { values, milestones } => return check_pieces(values, milestones),
            Self::Exponential { .. } => "Exponential",
            Self::InverseTime { .. } => "InverseTime",
            Self::InverseTimeStep { .. } => "InverseTimeStep",
            Self::Polynomial { .. } => "Polynomial",
            Self::PolynomialCycles { .. } => "PolynomialCycles",
            Self::Cosine { .. } => "Cosine",
            Self::WarmRestarts { .. } => "WarmRestarts",
            Self::Cyclic { .. } => "Cyclic",
            Self::OneCycle { .. } => "OneCycle",
            Self::Sequential {
                schedules,
                milestones,
            } => return check_sequence(schedules, milestones),
            Self::Product { schedules } => return check_product(schedules),
            Self::WarmUp { then, .. } => {
                not_counted("Schedule::WarmUp", then)?;
                return then.check();
            }
            Self::Custom(_) => return Ok(()),
            Self::Counted { schedule, .. } => {
                let mut inner = &**schedule;
                while let Self::WarmUp { then, .. } = inner {
                    inner = then;
                }
                not_counted("Schedule::Counted", inner)?;
                if let Self::Product { schedules } = inner {
                    schedules
                        .iter()
                        .try_for_each(|factor| not_counted("Schedule::Counted", factor))?;
                }
                return schedule.check();
            }
        };
        let check = |bound: Bound, what: &str, value: f64| {
            bound.check(format_args!("{what} of Schedule::{name}"), value)
        };
        let count = |what: &str, value| {
            some(
                format_args!("{what} of Schedule::{name}"),
                "at least 1",
                value,
            )
        };
        match self {
            Self::Constant(rate) => check(NOT_NEGATIVE, "rate", *rate),
            Self::Step {
                rate,
                factor: gamma,
                every,
            } => {
                check(NOT_NEGATIVE, "rate", *rate)?;
                check(FACTOR, "factor", *gamma)?;
                count("every", *every)
            }
            Self::MultiStep {
                rate,
                factor: gamma,
                ..
            }
            | Self::Exponential {
                rate,
                factor: gamma,
            } => {
                check(NOT_NEGATIVE, "rate", *rate)?;
                check(FACTOR, "factor", *gamma)
            }
            Self::InverseTime { rate, kappa } => {
                check(NOT_NEGATIVE, "rate", *rate)?;
                check(NOT_NEGATIVE, "kappa", *kappa)
            }
            Self::InverseTimeStep { rate, kappa, every } => {
                check(NOT_NEGATIVE, "rate", *rate)?;
                check(NOT_NEGATIVE, "kappa", *kappa)?;
                count("every", *every)
            }
            Self::Polynomial {
                rate,
                end,
                power,
                steps,
            }
            | Self::PolynomialCycles {
                rate,
                end,
                power,
                steps,
            } => {
                check(NOT_NEGATIVE, "rate", *rate)?;
                check(NOT_NEGATIVE, "end", *end)?;
                check(POSITIVE, "power", *power)?;
                count("steps", *steps)
            }
            Self::Cosine { rate, min, steps } => {
                check(NOT_NEGATIVE, "rate", *rate)?;
                check(NOT_NEGATIVE, "min", *min)?;
                count("steps", *steps)
            }
            Self::WarmRestarts {
                rate,
                min,
                steps,
                factor,
                peak_factor,
            } => {
                check(NOT_NEGATIVE, "rate", *rate)?;
                check(NOT_NEGATIVE, "min", *min)?;
                count("steps", *steps)?;
                count("factor", *factor)?;
                check(FACTOR, "peak_factor", *peak_factor)
            }
            Self::Cyclic {
                rate,
                min,
                up,
                down,
                cycle_factor,
                step_factor,
            } => {
                check(NOT_NEGATIVE, "rate", *rate)?;
                check(NOT_NEGATIVE, "min", *min)?;
                count("up", *up)?;
                count("down", *down)?;
                check(FACTOR, "cycle_factor", *cycle_factor)?;
                check(FACTOR, "step_factor", *step_factor)
            }
            Self::OneCycle {
                rate,
                warm,
                div,
                final_div,
                steps,
            } => {
                check(NOT_NEGATIVE, "rate", *rate)?;
                check(BETWEEN, "warm", *warm)?;
                check(AT_LEAST_ONE, "div", *div)?;
                check(AT_LEAST_ONE, "final_div", *final_div)?;
                count("steps", *steps)
            }
            Self::Piecewise { .. }
            | Self::Sequential { .. }
            | Self::Product { .. }
            | Self::WarmUp { .. }
            | Self::Custom(_)
            | Self::Counted { .. } => Ok(()),
        }
    }
}

/// How many of the milestones are past, or now.
fn past(milestones: &[u64], clock: Clock) -> usize {
    let past = |start: &&u64| clock.ticks(**start) <= clock.now;
    milestones.iter().take_while(past).count()
}

/// What stands within another schedule must count what that counts.
fn not_counted(place: &str, schedule: &Schedule) -> Result<()> {
    ensure(
        !matches!(schedule, Schedule::Counted { .. }),
        place,
        "a schedule that counts steps within it (in_epochs and in_percent come last)",
        "one in a unit of its own",
    )
}

/// Checks the values of a stair, and when they begin.
fn check_pieces(values: &[f64], milestones: &[u64]) -> Result<()> {
    let place = "Schedule::Piecewise";
    check_milestones(place, "values", values.len(), milestones)?;
    for (index, value) in values.iter().enumerate() {
        NOT_NEGATIVE.check(format_args!("value {index} of {place}"), *value)?;
    }
    Ok(())
}

/// Checks the schedules of a sequence, and when they begin.
fn check_sequence(schedules: &[Schedule], milestones: &[u64]) -> Result<()> {
    let place = "Schedule::Sequential";
    check_milestones(place, "schedules", schedules.len(), milestones)?;
    schedules
        .iter()
        .try_for_each(|schedule| not_counted(place, schedule))?;
    check_parts(place, schedules)
}

/// Checks the factors of a product.
fn check_product(schedules: &[Schedule]) -> Result<()> {
    let place = "Schedule::Product";
    some(place, "at least 1 schedule", schedules.len() as u64)?;
    check_parts(place, schedules)
}

/// Checks when so many things begin, one after the other.
fn check_milestones(place: &str, things: &str, count: usize, milestones: &[u64]) -> Result<()> {
    let expected = milestones.len() + 1;
    ensure(
        count == expected,
        place,
        format_args!("{expected} {things}, one more than milestones"),
        count,
    )?;
    let mut before = 0;
    for (index, milestone) in milestones.iter().enumerate() {
        ensure(
            *milestone > before,
            format_args!("milestone {index} of {place}"),
            format_args!("a step above {before}"),
            *milestone,
        )?;
        before = *milestone;
    }
    Ok(())
}

/// Checks the schedules that a sequence or a product is made of.
fn check_parts(place: &str, schedules: &[Schedule]) -> Result<()> {
    for (index, schedule) in schedules.iter().enumerate() {
        let place = || format!("schedule {index} of {place}");
        let mut inner = schedule;
        while let Schedule::WarmUp { then: within, .. }
        | Schedule::Counted {
            schedule: within, ..
        } = inner
        {
            inner = within;
        }
        // A file could put so many in one another that the stack overflows.
        let made_of_others = match inner {
            Schedule::Sequential { .. } => "a sequence",
            Schedule::Product { .. } => "a product",
            _ => {
                schedule.check().map_err(|error| error.within(place()))?;
                continue;
            }
        };
        let expected = "another kind of schedule";
        return Err(Error::new(
            ErrorKind::Value,
            place(),
            expected,
            made_of_others,
        ));
    }
    Ok(())
}

impl From<f64> for Schedule {
    fn from(rate: f64) -> Self {
        Self::Constant(rate)
    }
}

#[cfg(feature = "serde")]
mod serial {
    use super::{Function, Schedule, ScheduleUnit};
    use crate::error::{Error, ErrorKind};
    use alloc::{boxed::Box, vec::Vec};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// How many warm-ups may stand one before the other: a text could ask for more than the stack
    /// holds.
    const WARM_UPS: usize = 8;

    /// The kinds of schedules that are numbers, and those that are made of others.
    macro_rules! forms {
        ($name:ident, #[$sequence:meta], #[$product:meta]) => {
            #[derive(Serialize, Deserialize)]
            #[serde(remote = "Schedule", deny_unknown_fields)]
            enum $name {
                Constant(f64),
                Step {
                    rate: f64,
                    factor: f64,
                    every: u64,
                },
                MultiStep {
                    rate: f64,
                    factor: f64,
                    at: Vec<u64>,
                },
                Piecewise {
                    values: Vec<f64>,
                    milestones: Vec<u64>,
                },
                Exponential {
                    rate: f64,
                    factor: f64,
                },
                InverseTime {
                    rate: f64,
                    kappa: f64,
                },
                InverseTimeStep {
                    rate: f64,
                    kappa: f64,
                    every: u64,
                },
                Polynomial {
                    rate: f64,
                    end: f64,
                    power: f64,
                    steps: u64,
                },
                PolynomialCycles {
                    rate: f64,
                    end: f64,
                    power: f64,
                    steps: u64,
                },
                Cosine {
                    rate: f64,
                    min: f64,
                    steps: u64,
                },
                WarmRestarts {
                    rate: f64,
                    min: f64,
                    steps: u64,
                    factor: u64,
                    peak_factor: f64,
                },
                Cyclic {
                    rate: f64,
                    min: f64,
                    up: u64,
                    down: u64,
                    cycle_factor: f64,
                    step_factor: f64,
                },
                OneCycle {
                    rate: f64,
                    warm: f64,
                    div: f64,
                    final_div: f64,
                    steps: u64,
                },
                #[$sequence]
                Sequential {
                    schedules: Vec<Schedule>,
                    milestones: Vec<u64>,
                },
                #[$product]
                Product {
                    schedules: Vec<Schedule>,
                },
                #[serde(skip)]
                WarmUp {
                    steps: u64,
                    then: Box<Schedule>,
                },
                #[serde(skip)]
                Custom(Function),
                #[serde(skip)]
                Counted {
                    unit: ScheduleUnit,
                    schedule: Box<Schedule>,
                },
            }
        };
    }
    forms!(Form, #[serde(with = "sequence")], #[serde(with = "product")]);
    forms!(Part, #[serde(skip)], #[serde(skip)]);

    /// A schedule and its warm-ups, the outermost first, with its form told by `with`, and what all
    /// of it counts, where that is not steps.
    macro_rules! flat {
        ($name:ident, $form:literal) => {
            #[derive(Serialize, Deserialize)]
            #[serde(rename = "Schedule", deny_unknown_fields)]
            struct $name {
                warm_up: Vec<u64>,
                #[serde(with = $form)]
                form: Schedule,
                #[serde(default)]
                counted: Option<ScheduleUnit>,
            }

            impl $name {
                fn of<E: serde::ser::Error>(schedule: &Schedule) -> Result<Self, E> {
                    let (mut warm_up, mut form, mut counted) = (Vec::new(), schedule, None);
                    if let Schedule::Counted { unit, schedule } = form {
                        (counted, form) = (Some(*unit), schedule);
                    }
                    while let Schedule::WarmUp { steps, then } = form {
                        warm_up.push(*steps);
                        form = then;
                    }
                    if let Schedule::Custom(_) = form {
                        return Err(E::custom(
                            "Schedule: got a function, expected one of numbers",
                        ));
                    }
                    super::not_counted("Schedule", form).map_err(E::custom)?;
                    check(&warm_up).map_err(E::custom)?;
                    Ok(Self {
                        warm_up,
                        form: form.clone(),
                        counted,
                    })
                }

                fn schedule(self) -> crate::error::Result<Schedule> {
                    check(&self.warm_up)?;
                    let warm_ups = self.warm_up.iter().rev();
                    let schedule = warm_ups.fold(self.form, |then, steps| then.warm_up(*steps));
                    Ok(match self.counted {
                        Some(unit) => schedule.counted(unit),
                        None => schedule,
                    })
                }
            }
        };
    }
    flat!(Flat, "Form");
    flat!(FlatPart, "Part");

    /// The fields of a sequence, whose schedules are made of no others.
    mod sequence {
        use super::{FlatPart, Schedule, parts, schedules};
        use alloc::vec::Vec;
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        #[derive(Serialize, Deserialize)]
        #[serde(rename = "Sequential", deny_unknown_fields)]
        struct Fields {
            schedules: Vec<FlatPart>,
            milestones: Vec<u64>,
        }

        pub(super) fn serialize<S: Serializer>(
            schedules: &[Schedule],
            milestones: &[u64],
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            Fields {
                schedules: parts(schedules)?,
                milestones: milestones.into(),
            }
            .serialize(serializer)
        }

        pub(super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<(Vec<Schedule>, Vec<u64>), D::Error> {
            crate::ground::serde::checked(deserializer, |fields: Fields| {
                Ok((schedules(fields.schedules)?, fields.milestones))
            })
        }
    }

    /// The field of a product, whose schedules are made of no others.
    mod product {
        use super::{FlatPart, Schedule, parts, schedules};
        use alloc::vec::Vec;
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        #[derive(Serialize, Deserialize)]
        #[serde(rename = "Product", deny_unknown_fields)]
        struct Fields {
            schedules: Vec<FlatPart>,
        }

        pub(super) fn serialize<S: Serializer>(
            schedules: &[Schedule],
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            Fields {
                schedules: parts(schedules)?,
            }
            .serialize(serializer)
        }

        pub(super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Vec<Schedule>, D::Error> {
            crate::ground::serde::checked(deserializer, |fields: Fields| {
                schedules(fields.schedules)
            })
        }
    }

    fn parts<E: serde::ser::Error>(schedules: &[Schedule]) -> Result<Vec<FlatPart>, E> {
        schedules.iter().map(FlatPart::of).collect()
    }

    fn schedules(parts: Vec<FlatPart>) -> crate::error::Result<Vec<Schedule>> {
        parts.into_iter().map(FlatPart::schedule).collect()
    }

    impl Serialize for Schedule {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            Flat::of::<S::Error>(self)?.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Schedule {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            crate::ground::serde::checked(deserializer, Flat::schedule)
        }
    }

    fn check(warm_ups: &[u64]) -> crate::error::Result<()> {
        if warm_ups.len() <= WARM_UPS {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Value,
            "Schedule",
            alloc::format!("at most {WARM_UPS} warm-ups"),
            warm_ups.len(),
        ))
    }
}

/// From `a` to `b` along half a cosine, x in [0, 1] of the way.
fn between(a: f64, b: f64, x: f64) -> f64 {
    b + (a - b) * half_cosine(x)
}

/// From 1 to 0 along half a cosine, x in [0, 1] of the way.
fn half_cosine(x: f64) -> f64 {
    0.5 * (1.0 + cos(PI * x))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(schedules: Vec<Schedule>, milestones: &[u64]) -> Schedule {
        Schedule::Sequential {
            schedules,
            milestones: milestones.into(),
        }
    }

    fn product(schedules: Vec<Schedule>) -> Schedule {
        Schedule::Product { schedules }
    }

    fn pieces(values: &[f64], milestones: &[u64]) -> Schedule {
        Schedule::Piecewise {
            values: values.into(),
            milestones: milestones.into(),
        }
    }

    #[test]
    fn those_made_of_others_that_cannot_be() {
        let one = || Schedule::from(0.5);
        let nested = || sequence(vec![one()], &[]).warm_up(2);
        let cases = [
            (sequence(vec![], &[]), "Schedule::Sequential"),
            (sequence(vec![one()], &[3]), "Schedule::Sequential"),
            (
                sequence(vec![one(), one()], &[0]),
                "milestone 0 of Schedule::Sequential",
            ),
            (
                sequence(vec![one(), one(), one()], &[5, 5]),
                "milestone 1 of Schedule::Sequential",
            ),
            (
                sequence(vec![one(), nested()], &[5]),
                "schedule 1 of Schedule::Sequential",
            ),
            (
                sequence(vec![product(vec![one()])], &[]),
                "schedule 0 of Schedule::Sequential",
            ),
            (
                sequence(vec![Schedule::from(-1.0)], &[]),
                "schedule 0 of Schedule::Sequential",
            ),
            (product(vec![]), "Schedule::Product"),
            (
                product(vec![one(), nested()]),
                "schedule 1 of Schedule::Product",
            ),
            (
                product(vec![product(vec![one()])]),
                "schedule 0 of Schedule::Product",
            ),
            (
                product(vec![one(), Schedule::from(f64::NAN)]),
                "schedule 1 of Schedule::Product",
            ),
            (pieces(&[], &[]), "Schedule::Piecewise"),
            (pieces(&[0.5], &[3]), "Schedule::Piecewise"),
            (
                pieces(&[0.5, 0.1], &[0]),
                "milestone 0 of Schedule::Piecewise",
            ),
            (pieces(&[0.5, -0.1], &[1]), "value 1 of Schedule::Piecewise"),
            (
                pieces(&[f64::INFINITY], &[]),
                "value 0 of Schedule::Piecewise",
            ),
        ];
        for (schedule, place) in cases {
            let error = schedule.check().expect_err(place);
            assert_eq!(error.kind(), ErrorKind::Value);
            assert!(error.place().starts_with(place), "{error}");
            // Asked all the same, it does not panic.
            for t in [0, 3, 5, u64::MAX] {
                schedule.rate(t);
            }
        }
    }

    /// A function that is no number stays none, and an optimizer refuses it.
    #[test]
    fn products_hide_nothing() {
        for wrong in [f64::NAN, f64::INFINITY] {
            let schedule = product(vec![Schedule::from(0.5), Schedule::custom(move |_| wrong)]);
            assert!(schedule.check().is_ok() && !schedule.rate(3).is_finite());
        }
    }
}
