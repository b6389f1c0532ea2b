//! Searches over settings.

use super::halving::{Halving, Rung, rungs};
#[cfg(feature = "std")]
use super::record::{Line, Record, other};
use super::space::{Parameter, Space, Values};
use super::trial::{Trial, Value};
use super::trials::{Outcome, Trials};
use crate::error::Result;
use crate::ground::divide::divide;
use crate::ground::table::push_csv;
use crate::numeric::random::mix;
use alloc::borrow::Cow;
use alloc::{boxed::Box, collections::BTreeMap, format, string::String, string::ToString};
use alloc::{vec, vec::Vec};
use core::fmt;
use core::ops::{ControlFlow, RangeInclusive};

/// Outcomes by their budgets and numbers.
type Known = BTreeMap<(usize, usize), Outcome>;

type OnTrial<'a> = Box<dyn FnMut(&Outcome, &Trials) -> ControlFlow<()> + Send + 'a>;

/// Looks for the settings that give the best score: every point of a [grid](Self::grid), or points
/// [at random](Self::random).
///
/// A function of yours gets a [`Trial`] and returns its score, such as the mean of a
/// [cross-validation](super::cross_validate): a cost to [`minimize`](Self::minimize), or an
/// accuracy to [`maximize`](Self::maximize). The values and the seed of a trial are a function of
/// the search's seed and the number of the trial, and of nothing else: the table of all trials is
/// the same on any number of [threads](Self::threads), and a search of more trials begins with the
/// same ones. A trial that fails or whose score is NaN is recorded, and the others go on.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::selection::{Folds, Search, cross_validate};
///
/// let x = DMatrix::from_fn(1, 60, |_, j| j as f64 / 30.0 - 1.0);
/// let data = Dataset::new(x.clone(), x.map(|x| (3.0 * x).sin()))?;
/// let folds = Folds::k_fold(3);
/// let trials = Search::random(4)
///     .log_uniform("rate", 1e-3..=1e-1)
///     .integers("width", 4..=16)
///     .choices("activation", ["tanh", "relu"])
///     .seed(1)
///     .threads(2)
///     .minimize(|trial| {
///         let activation: Activation = trial.choice("activation")?.parse()?;
///         let width = trial.integer("width")?;
///         let rate = trial.number("rate")?;
///         let scores = cross_validate(&data, &folds, 1, |train, validation, seed| {
///             let mut net = Sequential::builder(1)
///                 .layer(Dense::new(width, activation.clone()))
///                 .layer(Dense::new(1, Activation::Linear))
///                 .seed(seed)
///                 .build()?;
///             let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
///                 .learning_rate(rate)
///                 .epochs(30)
///                 .seed(seed);
///             trainer.fit(&mut net, &train)?;
///             Ok(trainer.evaluate(&net, &validation)?.cost)
///         })?;
///         Ok(scores.mean())
///     })?;
/// assert_eq!(trials.outcomes().len(), 4);
/// let (best, cost) = trials.best()?;
/// assert!((1e-3..=1e-1).contains(&best.number("rate")?) && cost < 0.5);
/// # Ok::<(), Error>(())
/// ```
#[doc(alias(
    "GridSearchCV",
    "RandomizedSearchCV",
    "HalvingRandomSearchCV",
    "optuna",
    "KerasTuner",
    "bayesopt"
))]
#[doc(alias("hyperparameter", "sweep", "tune"))]
pub struct Search<'a> {
    space: Space,
    threads: usize,
    budget: usize,
    factor: Option<usize>,
    least: usize,
    #[cfg(feature = "std")]
    file: Option<std::path::PathBuf>,
    on_trial: Option<OnTrial<'a>>,
}

impl<'a> Search<'a> {
    fn new(random: Option<usize>) -> Self {
        Self {
            space: Space {
                random,
                parameters: Vec::new(),
                seed: 0,
            },
            threads: 1,
            budget: 1,
            factor: None,
            least: 1,
            #[cfg(feature = "std")]
            file: None,
            on_trial: None,
        }
    }

    /// Tries every combination of [`choices`](Self::choices) and [`integers`](Self::integers), the
    /// last parameter changing the fastest.
    #[doc(alias("GridSearchCV", "ParameterGrid", "GridSampler"))]
    pub fn grid() -> Self {
        Self::new(None)
    }

    /// Draws so many trials, from 1 to a million. Where few of many parameters matter, it finds
    /// more than a grid of as many trials (Bergstra & Bengio 2012).
    #[doc(alias("RandomizedSearchCV", "ParameterSampler", "RandomSearch"))]
    pub fn random(trials: usize) -> Self {
        Self::new(Some(trials))
    }

    fn parameter(mut self, name: impl Into<String>, values: Values) -> Self {
        self.space.parameters.push(Parameter {
            name: name.into(),
            values,
        });
        self
    }

    /// A number between finite bounds, all equally likely; not for a grid.
    #[must_use]
    #[doc(alias("suggest_float"))]
    pub fn uniform(self, name: impl Into<String>, range: RangeInclusive<f64>) -> Self {
        self.parameter(name, Values::Uniform(*range.start(), *range.end()))
    }

    /// A number between bounds above 0, its logarithm being uniform, as learning rates and
    /// penalties want it: as many trials from 0.001 to 0.01 as from 0.01 to 0.1. Not for a grid.
    #[must_use]
    #[doc(alias("loguniform", "reciprocal"))]
    pub fn log_uniform(self, name: impl Into<String>, range: RangeInclusive<f64>) -> Self {
        self.parameter(name, Values::LogUniform(*range.start(), *range.end()))
    }

    /// A whole number of a range, both ends included; of a grid, all of them.
    #[must_use]
    #[doc(alias("suggest_int", "randint"))]
    pub fn integers(self, name: impl Into<String>, range: RangeInclusive<usize>) -> Self {
        let values = Values::Integers(*range.start() as u64, *range.end() as u64);
        // An exhausted range holds nothing, whatever its bounds.
        let empty = Values::Integers(1, 0);
        self.parameter(name, if range.is_empty() { empty } else { values })
    }

    /// One of these numbers or words: `[0.0, 1e-4]`, `[16, 32, 64]`, `["tanh", "relu"]`.
    #[must_use]
    #[doc(alias("suggest_categorical", "Choice"))]
    pub fn choices<V: Into<Value>>(
        self,
        name: impl Into<String>,
        choices: impl IntoIterator<Item = V>,
    ) -> Self {
        let choices = choices.into_iter().map(Into::into).collect();
        self.parameter(name, Values::Choices(choices))
    }

    /// The seed of the values that are drawn, and of the [seed](Trial::seed) of each trial; 0
    /// without.
    #[must_use]
    #[doc(alias("random_state"))]
    pub fn seed(mut self, seed: u64) -> Self {
        self.space.seed = seed;
        self
    }

    /// How many threads run trials, the caller's among them, from 1 to 1024 (without `std`: 1); 1
    /// without. The table is the same for any number.
    #[must_use]
    #[doc(alias("n_jobs"))]
    pub fn threads(self, count: usize) -> Self {
        Self {
            threads: count,
            ..self
        }
    }

    /// How much a trial may spend, at least 1, in a unit of yours, such as epochs: what
    /// [`Trial::budget`] returns. 1 without.
    #[must_use]
    #[doc(alias("max_resources"))]
    pub fn budget(self, budget: usize) -> Self {
        Self { budget, ..self }
    }

    /// Successive halving (Jamieson & Talwalkar 2016): all trials get a small part of the
    /// [budget](Self::budget); the best 1/η of them get η times as much, and so on, until the last
    /// get all of it. η is `factor`, at least 2; 3 is usual.
    ///
    /// Of n trials and a budget B there are s + 1 rungs, s being the largest number for which
    /// n/ηˢ ≥ 1 and B/ηˢ is at least the [least budget](Self::least_budget). In rung i, ⌊n/ηⁱ⌋
    /// trials spend ⌊B/ηˢ⁻ⁱ⌋ each. 81 trials, B = 81 and η = 3:
    ///
    /// | rung | 0 | 1 | 2 | 3 | 4 |
    /// |---|---|---|---|---|---|
    /// | trials | 81 | 27 | 9 | 3 | 1 |
    /// | budget of each | 1 | 3 | 9 | 27 | 81 |
    ///
    /// That costs 405, where all trials at full budget would cost 6561. A rung begins when the one
    /// before has ended. A trial that goes on is called again, with the larger budget and the same
    /// seed: train it anew, or keep its state by yourself, as in a [checkpoint] of its number.
    /// Failed trials and those without a finite score do not go on. Each rung is in the table.
    ///
    /// [checkpoint]: crate::Trainer::checkpoint
    ///
    /// ```
    /// use chainrule::selection::Search;
    /// let mut spent = std::sync::atomic::AtomicUsize::new(0);
    /// let trials = Search::random(81)
    ///     .uniform("x", 0.0..=1.0)
    ///     .budget(81)
    ///     .halving(3)
    ///     .minimize(|trial| {
    ///         spent.fetch_add(trial.budget(), std::sync::atomic::Ordering::Relaxed);
    ///         trial.number("x")
    ///     })?;
    /// assert_eq!((*spent.get_mut(), trials.outcomes().len()), (405, 121));
    /// assert_eq!(trials.best()?.0.budget(), 81);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    #[doc(alias(
        "Hyperband",
        "SuccessiveHalving",
        "HalvingGridSearchCV",
        "ASHA",
        "pruner"
    ))]
    pub fn halving(self, factor: usize) -> Self {
        Self {
            factor: Some(factor),
            ..self
        }
    }

    /// The least budget of a trial with [halving](Self::halving), at least 1: as much as it takes
    /// to tell the hopeless from others. 1 without.
    #[must_use]
    #[doc(alias("min_resources"))]
    pub fn least_budget(self, budget: usize) -> Self {
        Self {
            least: budget,
            ..self
        }
    }

    /// Keeps the table of trials in a CSV file at `path`, written after each trial so that the old
    /// or the new table is there, whatever happens. A search that finds the file goes on from it:
    /// killed and started again, it gives the same table. A last line that was cut off counts as
    /// not there.
    ///
    /// The file knows the parameters, the seed, the budgets and the direction of its search, with
    /// halving also the number of trials, and is refused by any other. It does not know what your
    /// function does: after a change of data or network, take another file. A random search
    /// without halving may go on with more trials. One search writes to a file at a time.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn file(self, path: impl Into<std::path::PathBuf>) -> Self {
        Self {
            file: Some(path.into()),
            ..self
        }
    }

    /// Calls back after each trial with what it came to, and with all outcomes so far: to show
    /// progress, or to end the search by `Break`. Calls come one at a time, in the order in which
    /// trials end, from whichever thread ran the trial. After a `Break` no trial begins, and those
    /// that are under way still count. Trials that come from the [file](Self::file) are not called
    /// for.
    ///
    /// ```
    /// use chainrule::selection::Search;
    /// use std::ops::ControlFlow;
    /// let trials = Search::random(100)
    ///     .uniform("x", 0.0..=1.0)
    ///     .on_trial(|outcome, trials| {
    ///         println!("{} of {}: {}", trials.outcomes().len(), trials.planned(), outcome.trial);
    ///         let found = trials.best().is_ok_and(|(_, score)| score < 0.05);
    ///         if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    ///     })
    ///     .minimize(|trial| trial.number("x"))?;
    /// assert!(trials.best()?.1 < 0.05 && trials.outcomes().len() < 100);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    #[doc(alias("callbacks"))]
    pub fn on_trial(
        mut self,
        callback: impl FnMut(&Outcome, &Trials) -> ControlFlow<()> + Send + 'a,
    ) -> Self {
        self.on_trial = Some(Box::new(callback));
        self
    }

    /// Runs the search for the largest score, such as an accuracy or R².
    ///
    /// # Errors
    /// Before any trial: [`ErrorKind::Empty`] without a parameter or a choice; [`ErrorKind::Value`]
    /// for bounds, budgets, names or numbers of trials or threads that cannot be, and for a name
    /// that comes twice; [`ErrorKind::Incompatible`] for a continuous parameter of a grid, for
    /// halving that has nothing to divide, and for a file of another search; [`ErrorKind::Parse`]
    /// for a file that is no table of trials. [`ErrorKind::Io`] when the file cannot be read or
    /// written.
    ///
    /// An error that `score` returns is no error of the search: it is in the table.
    ///
    /// [`ErrorKind::Empty`]: crate::ErrorKind::Empty
    /// [`ErrorKind::Value`]: crate::ErrorKind::Value
    /// [`ErrorKind::Incompatible`]: crate::ErrorKind::Incompatible
    /// [`ErrorKind::Parse`]: crate::ErrorKind::Parse
    /// [`ErrorKind::Io`]: crate::ErrorKind::Io
    pub fn maximize(&mut self, score: impl Fn(&Trial) -> Result<f64> + Sync) -> Result<Trials> {
        self.run(true, &score)
    }

    /// Runs the search for the smallest score, such as a cost.
    ///
    /// # Errors
    /// As [`maximize`](Self::maximize).
    pub fn minimize(&mut self, score: impl Fn(&Trial) -> Result<f64> + Sync) -> Result<Trials> {
        self.run(false, &score)
    }

    /// What tells the trials of this search from those of others.
    fn fingerprint(&self, maximize: bool, rungs: &[Rung]) -> u64 {
        let Space {
            random,
            parameters,
            seed,
        } = &self.space;
        let mut text = format!("1 {} {maximize} {seed}\n", random.is_some());
        for rung in rungs {
            // Without halving a random search may go on with more trials.
            let trials = if rungs.len() > 1 { rung.trials } else { 0 };
            text.push_str(&format!("{trials} {}\n", rung.budget));
        }
        for parameter in parameters {
            push_csv(&mut text, parameter.cells().into_iter().map(Cow::from));
        }
        text.bytes().fold(0, |sum, byte| mix(sum ^ u64::from(byte)))
    }

    /// All rungs, from the first; compiled here, whatever scores.
    fn run(
        &mut self,
        maximize: bool,
        score: &(dyn Fn(&Trial) -> Result<f64> + Sync),
    ) -> Result<Trials> {
        let least = self.least;
        let halving = self.factor.map(|factor| Halving { factor, least });
        let rungs = rungs(self.space.check()?, self.budget, halving)?;
        let names = self.space.names();
        let mut trials = Trials::new(names.clone(), maximize, self.fingerprint(maximize, &rungs));
        #[cfg(feature = "std")]
        let (record, mut known) = self.open(&trials, &rungs)?;
        #[cfg(not(feature = "std"))]
        let mut known = Known::new();
        let mut on_trial = self.on_trial.take();
        let mut numbers: Vec<usize> = (0..rungs[0].trials).collect();
        let mut result = Ok(());
        for (place, rung) in rungs.iter().enumerate() {
            if place > 0 {
                numbers = trials.promoted(rungs[place - 1].budget, rung.trials);
            }
            let above = rungs[place + 1..].iter().map(|rung| rung.trials);
            trials.planned = trials.outcomes().len() + numbers.len() + above.sum::<usize>();
            let mut open = vec![];
            for index in &numbers {
                match known.remove(&(rung.budget, *index)) {
                    Some(outcome) => trials.insert(outcome),
                    None => open.push(*index),
                }
            }
            let space = &self.space;
            let task = |place: usize| {
                let trial = space.trial(&names, open[place], rung.budget);
                let score = score(&trial).map_err(|error| in_one_line(&error.to_string()));
                Outcome { trial, score }
            };
            let mut ended = false;
            let receive = |_, outcome: Outcome| {
                trials.insert(outcome.clone());
                #[cfg(feature = "std")]
                if let Some(record) = &record
                    && let Err(error) = record.write(&trials)
                {
                    result = Err(error);
                    return ControlFlow::Break(());
                }
                let flow = match &mut on_trial {
                    Some(on_trial) => on_trial(&outcome, &trials),
                    None => ControlFlow::Continue(()),
                };
                ended |= flow.is_break();
                flow
            };
            result = divide("Search", self.threads, open.len(), task, receive).and(result);
            if ended || result.is_err() {
                break;
            }
        }
        self.on_trial = on_trial;
        result.map(|()| trials)
    }

    /// The file of the search, and the trials in it by budget and number.
    #[cfg(feature = "std")]
    fn open(&self, trials: &Trials, rungs: &[Rung]) -> Result<(Option<Record>, Known)> {
        let mut known = Known::new();
        let Some(path) = &self.file else {
            return Ok((None, known));
        };
        let (record, lines) = Record::open(path, trials)?;
        for line in lines {
            let Line {
                place,
                text,
                trial,
                budget,
                score,
            } = line;
            let has_budget = rungs.iter().any(|rung| rung.budget == budget);
            if !has_budget || trial >= rungs[0].trials {
                return Err(other(
                    place,
                    &format!("trial {trial} with a budget of {budget}"),
                ));
            }
            let trial = self.space.trial(trials.names(), trial, budget);
            let outcome = Outcome { trial, score };
            if trials.line(&outcome).strip_suffix('\n') != Some(&*text) {
                return Err(other(place, &text));
            }
            known.insert((budget, outcome.trial.index), outcome);
        }
        Ok((Some(record), known))
    }
}

/// A text whose line breaks have become spaces.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Debug for Search<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search")
            .field("space", &self.space)
            .field("threads", &self.threads)
            .field("budget", &self.budget)
            .field("factor", &self.factor)
            .finish_non_exhaustive()
    }
}
